"""Follow-up questions of a model, split from the stream of its answer. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

MARK = "<<<follow-ups>>>"
"""The line that a generative model puts between its answer and its follow-up questions."""
MOST = 3
_LONGEST = 200
_BULLET = re.compile(r"^\s*(?:[-*+•]|\d+[.)])\s*")
_MARKUP = re.compile(r"[\[\]<>`*_]|https?://\S+")


class AnswerSplitter:
    """Passes the answer on while it streams and keeps back what follows ``MARK``.

    White space and anything that may become the mark are held until more is known, so that nothing behind the answer
    is ever shown.
    """

    def __init__(self) -> None:
        self._held = ""
        self._tail: str | None = None

    def feed(self, text: str) -> str:
        """Return the part of the stream that is certainly answer."""
        if self._tail is not None:
            self._tail += text
            return ""
        if not self._held and text and "<" not in text and not text[-1].isspace():
            return text  # as almost every piece is
        self._held += text
        before, found, after = self._held.partition(MARK)
        if found:
            self._held, self._tail = "", after
            return before.rstrip()
        keep = _held_length(self._held)
        shown = self._held[: len(self._held) - keep]
        self._held = self._held[len(self._held) - keep :]
        return shown

    def rest(self) -> str:
        """Return the text held when the stream ended: answer after all, without white space at its end."""
        return self._held.rstrip()

    def questions(self) -> tuple[str, ...]:
        return tuple(_questions(self._tail or ""))


def _held_length(text: str) -> int:
    """Length of the longest end of ``text`` that is white space and a beginning of the mark."""
    longest = min(len(MARK) - 1, len(text)) if MARK[0] in text[1 - len(MARK) :] else 0
    start = next((n for n in range(longest, 0, -1) if text.endswith(MARK[:n])), 0)
    body = text[: len(text) - start]
    return start + len(body) - len(body.rstrip())


def _questions(tail: str) -> Iterator[str]:
    lines = dict.fromkeys(_MARKUP.sub("", _BULLET.sub("", line)).strip() for line in tail.splitlines())
    yield from [line for line in lines if line.endswith(("?", "？")) and len(line) <= _LONGEST][:MOST]
