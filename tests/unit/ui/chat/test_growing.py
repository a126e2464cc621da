"""Answers while they are written: blocks once, open words as text, linear cost."""

from __future__ import annotations

import random

from roma_core.ui.chat.growing import GrowingText
from roma_core.ui.render import render_blocks

TEXT = (
    "# Rope\n\nThe **bridge** spans 48 m.\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"
    "```\ncode\n\nmore\n```\n\nThe end."
)


def grow(text: str, sizes: list[int]) -> tuple[list[str], str, int]:
    growing = GrowingText()
    blocks: list[str] = []
    opened = ""
    sent = at = 0
    for size in sizes:
        update = growing.add(text[at : at + size])
        at += size
        blocks += update.blocks
        opened = update.text if update.starts_over else opened + update.text
        sent += len(update.text) + sum(map(len, update.blocks))
    return blocks, opened, sent


def test_blocks_and_the_open_words_make_the_whole_text() -> None:
    for seed in range(30):
        pieces = random.Random(seed)
        sizes = [pieces.randint(1, 9) for _ in range(len(TEXT))]
        blocks, opened, _ = grow(TEXT, sizes)
        assert "".join(blocks) + "".join(render_blocks(opened)) == "".join(render_blocks(TEXT)), seed


def test_open_words_are_text_and_never_html() -> None:
    growing = GrowingText()
    assert growing.add("<img src=x onerror=alert(1)>").text == "<img src=x onerror=alert(1)>"
    update = growing.add("\n\nnext")
    assert "<img" not in "".join(update.blocks) and update.text == "next"


def test_a_long_answer_is_sent_in_less_than_three_characters_for_each() -> None:
    paragraph = "The keeper of the lighthouse wrote down the weather four times a day. " * 5
    text = "\n\n".join([paragraph] * 115)
    _, _, sent = grow(text, [40] * (len(text) // 40 + 1))
    assert len(text) > 40_000 and sent < 2.5 * len(text)


def test_one_block_of_any_length_is_parsed_a_few_times_only(monkeypatch: object) -> None:
    from roma_core.ui.chat import growing as module

    parsed: list[int] = []
    split = module.split_blocks

    def counted(text: str) -> list[int]:
        parsed.append(len(text))
        return split(text)

    monkeypatch.setattr(module, "split_blocks", counted)  # type: ignore[attr-defined]
    rows = "| a | b |\n|---|---|\n" + "| one cell | another cell |\n" * 1500
    grow(rows, [30] * (len(rows) // 30 + 1))
    assert sum(parsed) < 15 * len(rows)
