"""The frame of an answer: lines that ROMA itself writes around quotes, which state nothing about the world. Pure.

A writer declares its frame with the answer. It is never guessed from the words: a statement of a model that is phrased
like a line of the frame stays a statement.
"""

from __future__ import annotations

from collections.abc import Iterable

from roma_core.markup.markers import read_markers
from roma_core.types import Span


class Frame(str):
    """A piece of an answer that only announces or names what stands around it."""

    __slots__ = ()


def join_piece(glue: str, piece: str) -> str:
    """Return a piece behind ``glue``; frame stays frame.

    >>> type(join_piece("\\n\\n", Frame("Fares:"))).__name__
    'Frame'
    """
    joined = f"{glue}{piece}"
    return Frame(joined) if isinstance(piece, Frame) else joined


def collect_frame(pieces: Iterable[str]) -> tuple[str, ...]:
    """Return the lines of an answer's pieces that are frame, each once.

    >>> collect_frame(["It spans 48 metres. [1]", Frame("\\n\\nNot answered by these sources: who built it?")])
    ('Not answered by these sources: who built it?',)
    """
    lines = (line.strip() for piece in pieces if isinstance(piece, Frame) for line in piece.splitlines())
    return tuple(dict.fromkeys(line for line in lines if line))


def find_frame(answer: str, lines: Iterable[str]) -> tuple[Span, ...]:
    """Return the places of declared lines in an answer, in order.

    A declared line counts where a line of the answer begins with it and it holds no marker.

    >>> [span.of("Fares:\\n\\n2 euros. [1]") for span in find_frame("Fares:\\n\\n2 euros. [1]", ["Fares:"])]
    ['Fares:']
    """
    declared = sorted({line for line in lines if line}, key=len, reverse=True)
    if not declared:
        return ()
    found: list[Span] = []
    start = 0
    for line in answer.split("\n"):
        begin = start + len(line) - len(line.lstrip())
        frame = next((frame for frame in declared if answer.startswith(frame, begin)), "")
        if frame and not list(read_markers(frame, 999)):
            found.append(Span(start=begin, end=begin + len(frame)))
        start += len(line) + 1
    return tuple(found)
