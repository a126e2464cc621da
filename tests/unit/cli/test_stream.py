"""Words on a terminal while they come: rendered, harmless, and never more than the screen holds."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from roma_core.cli.stream import GrowingAnswer
from roma_core.types import StageEvent, TokenEvent


def draw(growing: GrowingAnswer, height: int = 20) -> str:
    console = Console(file=io.StringIO(), width=60, height=height, force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(growing)
    return capture.get()


def growing_answer(*words: str) -> GrowingAnswer:
    growing = GrowingAnswer()
    for word in words:
        growing.add(TokenEvent(text=word))
    return growing


def test_the_work_is_told_until_the_first_word_comes() -> None:
    growing = GrowingAnswer()
    growing.add(StageEvent(stage="retrieved", elapsed_ms=1.0, says="Reading 5 passages"))
    assert "Reading 5 passages" in draw(growing)
    growing.add(TokenEvent(text="Seven bar."))
    assert "Reading" not in draw(growing) and "Seven bar." in draw(growing)


def test_the_words_are_rendered_as_markdown() -> None:
    drawn = draw(growing_answer("It is **seven", " bar**:\n\n- one\n- two\n"))
    assert "seven bar" in drawn and "**" not in drawn and "- one" not in drawn and "one" in drawn


@pytest.mark.parametrize("count", [1, 30, 3_000])
def test_the_end_of_a_long_answer_is_shown_on_one_screen(count: int) -> None:
    drawn = draw(growing_answer(*(f"Paragraph {number}.\n\n" for number in range(count))))
    assert f"Paragraph {count - 1}." in drawn
    assert len(drawn.splitlines()) < 20


def test_control_characters_of_a_model_are_spelt_out() -> None:
    drawn = draw(growing_answer("\x1b]0;title\x07", "\x1b[2J and \x9b31m and \u202e and [here](https://evil.example)"))
    assert not set(drawn) & set("\x07\x1b\x9b\u202e")
    assert "]0;title" in drawn and "evil.example" in drawn
