"""Markdown that grows: finished blocks as safe HTML, each sent once, and the open one as plain text."""

from __future__ import annotations

from typing import Final, NamedTuple

from roma_core.ui.render import render_blocks, split_blocks

GROWTH: Final = 1.1
"""The open block is parsed again when it has grown by a tenth: a block of any length costs linear time."""


class TextUpdate(NamedTuple):
    """The next piece of an answer that is being written.

    ``blocks`` follow those that were sent before. ``text`` is appended to the open block; it is its whole text where
    ``starts_over``.
    """

    blocks: tuple[str, ...]
    text: str
    starts_over: bool


class GrowingText:
    """An answer while it is written.

    >>> growing = GrowingText()
    >>> growing.add("# Rope\\n\\nThe bri")
    TextUpdate(blocks=('<h1>Rope</h1>\\n',), text='The bri', starts_over=True)
    >>> growing.add("dge")
    TextUpdate(blocks=(), text='dge', starts_over=False)
    """

    def __init__(self) -> None:
        self.blocks: list[str] = []
        """Finished blocks as HTML."""
        self._open = ""
        self._parsed_chars = 0
        self._has_new_line = False

    def catch_up(self, blocks: int) -> TextUpdate:
        """Return what a page lacks that has the first ``blocks`` of the finished blocks."""
        return TextUpdate(tuple(self.blocks[blocks:]), self._open, starts_over=True)

    def add(self, text: str) -> TextUpdate:
        """Append ``text`` and return what changes on the screen."""
        self._open += text
        self._has_new_line = self._has_new_line or "\n" in text
        if not self._has_new_line or len(self._open) < self._parsed_chars * GROWTH:
            return TextUpdate((), text, starts_over=False)
        starts = split_blocks(self._open)
        self._has_new_line = False
        if len(starts) < 2:
            self._parsed_chars = len(self._open)
            return TextUpdate((), text, starts_over=False)
        finished, self._open = self._open[: starts[-1]], self._open[starts[-1] :]
        self._parsed_chars = 0
        blocks = tuple(render_blocks(finished))
        self.blocks += blocks
        return TextUpdate(blocks, self._open, starts_over=True)
