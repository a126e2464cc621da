"""Windows: the sentences of a passage that hold most of a question."""

from __future__ import annotations

from roma_core.markup.questions import count_tokens
from roma_core.markup.windows import cut_windows
from roma_core.types import Chunk

FILLER = [f"Sentence {number} tells of fields, ploughs and weather in the valley." for number in range(30)]
ANSWER = "The ropewalk burned down in 1741."


def make_chunk(text: str, context: str = "Harbour") -> Chunk:
    return Chunk(
        id="c", document_id="d", uri="file:///d.md", title="Harbour", text=text, context=context, start=0, end=len(text)
    )


def test_a_short_passage_stays_whole() -> None:
    chunk = make_chunk(f"{FILLER[0]} {ANSWER}")
    assert cut_windows("When did the ropewalk burn?", [chunk]) == [chunk.indexed_text]


def test_the_window_is_a_run_of_the_passage_under_its_context() -> None:
    text = " ".join([*FILLER[:15], ANSWER, *FILLER[15:]])
    (window,) = cut_windows("When did the ropewalk burn?", [make_chunk(text)], tokens=48)
    context, _, run = window.partition("\n")
    assert context == "Harbour"
    assert ANSWER in run
    assert run in text
    assert count_tokens(run) <= 48


def test_a_rare_word_weighs_more_than_a_common_one() -> None:
    common = " ".join(["The harbour master is paid well.", *FILLER[:15]])
    rare = " ".join(["The harbour is deep.", *FILLER[:15], "Ambergris was sold by weight.", *FILLER[15:]])
    windows = cut_windows("Who sold ambergris in the harbour?", [make_chunk(common), make_chunk(rare)], tokens=24)
    assert "harbour" in windows[0]
    assert "Ambergris" in windows[1]


def test_of_equal_windows_the_first_counts() -> None:
    (window,) = cut_windows("Who invented the telephone?", [make_chunk(" ".join(FILLER), context="")], tokens=24)
    assert window.startswith(FILLER[0])


def test_a_sentence_that_is_longer_than_the_window_is_never_cut() -> None:
    longest = f"The ropewalk {'and the next ropewalk ' * 30}burned."
    (window,) = cut_windows(
        "When did the ropewalk burn?", [make_chunk(f"{FILLER[0]} {longest} {FILLER[1]}")], tokens=24
    )
    assert longest in window


def test_a_text_without_a_sentence_stays_whole() -> None:
    rule = "\n\n".join(["---"] * 60)
    assert cut_windows("What?", [make_chunk(rule, context="")], tokens=8) == [rule]
