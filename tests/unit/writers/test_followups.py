"""Follow-up questions of a model, split from a stream without losing a character."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.writers.followups import MARK, AnswerSplitter


@pytest.mark.parametrize("split", range(1, 9))
def test_the_mark_is_found_however_it_is_cut(split: int) -> None:
    whole = f"An answer [1].\n\n{MARK}\nNext?"
    splitter = AnswerSplitter()
    shown = "".join(splitter.feed(whole[i : i + split]) for i in range(0, len(whole), split)) + splitter.rest()
    assert shown == "An answer [1]."
    assert splitter.questions() == ("Next?",)


@given(st.lists(st.sampled_from([*MARK, "<<<", " ", "\n", "word", "[1]"]) | st.text(max_size=3), max_size=30))
def test_no_character_of_an_answer_is_lost(pieces: list[str]) -> None:
    splitter = AnswerSplitter()
    shown = "".join(splitter.feed(p) for p in pieces) + splitter.rest()
    assert shown == "".join(pieces).partition(MARK)[0].rstrip()
