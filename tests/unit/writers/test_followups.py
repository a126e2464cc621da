"""Follow-up questions: split from a stream without losing a character, or built from headings."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.writers.followups import MARK, AnswerSplitter, from_headings


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


def test_headings_give_one_question_each(kit: Any) -> None:
    passages = [
        kit.passage("Text.", headings=("Guide", "Upkeep of ropes")),
        kit.passage("More.", rank=2, headings=("Guide", "When")),
        kit.passage("Again.", rank=3, headings=("Guide", "Upkeep of ropes")),
    ]
    assert from_headings("When?", passages) == ("What does “Doc” say about “Upkeep of ropes”?",)
