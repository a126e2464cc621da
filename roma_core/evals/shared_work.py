"""Seconds of work that an answer needed and that was done before, for another variant of an experiment.

Without them the first variant of an experiment would look slow and all others quick.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_spared: ContextVar[list[float] | None] = ContextVar("spared", default=None)


def note_spared(seconds: float) -> None:
    """Count the seconds of a piece of work whose result was known; nothing where no answer is being timed."""
    spared = _spared.get()
    if spared is not None:
        spared.append(seconds)


@contextmanager
def count_spared() -> Iterator[list[float]]:
    """Yield a list that grows by the seconds of each piece of work that was known, also in tasks begun inside.

    >>> with count_spared() as spared:
    ...     note_spared(0.5)
    >>> sum(spared)
    0.5
    """
    spared: list[float] = []
    token = _spared.set(spared)
    try:
        yield spared
    finally:
        _spared.reset(token)
