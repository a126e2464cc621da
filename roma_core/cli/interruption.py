"""Words for Ctrl-C that are true: what is kept, what was paid, and how to go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from roma_core.types import Usage

if TYPE_CHECKING:
    from roma_core.app import Roma
    from roma_core.ingestion import IngestProgress


@dataclass
class Interruption:
    """The sentence that Ctrl-C ends a command with; the command sets ``describe`` when it knows more."""

    describe: Callable[[], str]


class UsageWatch:
    """The usage of all model calls since it was made.

    >>> watch = UsageWatch(roma)  # doctest: +SKIP
    >>> watch.describe()  # doctest: +SKIP
    'No model was paid.'
    """

    def __init__(self, roma: Roma) -> None:
        self.usage = Usage()
        self.stop = roma.observe_usage(self._add)

    def _add(self, _purpose: str, usage: Usage) -> None:
        self.usage = self.usage + usage

    def describe(self) -> str:
        """Return a sentence on what was paid so far."""
        used = self.usage
        if not used.calls:
            return "No model was paid."
        cost = "at an unknown price" if used.cost_usd is None else f"${used.cost_usd:.4f}"
        calls = "1 model call" if used.calls == 1 else f"{used.calls} model calls"
        counted = "about " if used.estimated else ""
        return f"Paid: {calls}, {counted}{used.input_tokens + used.output_tokens:,} tokens, {cost}."


class ItemWatch:
    """The number of ended items of an ingest, passed on to a progress bar where there is one."""

    def __init__(self, bar: Callable[[IngestProgress], None] | None) -> None:
        self._bar = bar
        self.done = 0

    def __call__(self, progress: IngestProgress) -> None:
        self.done = progress.done
        if self._bar is not None:
            self._bar(progress)

    def describe(self) -> str:
        """Return a sentence on what is kept."""
        if not self.done:
            return "Interrupted before an item was done; run it again to begin."
        items = "1 item is" if self.done == 1 else f"{self.done} items are"
        return f"Interrupted: {items} done and kept; run it again to go on with the rest."


class QuestionWatch:
    """The number of questions of an evaluation that are done, and what they cost."""

    def __init__(self, bar: Callable[[int, int], None] | None, paid: UsageWatch) -> None:
        self._bar = bar
        self._paid = paid
        self.done = self.total = 0

    def __call__(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        if self._bar is not None:
            self._bar(done, total)

    def describe(self) -> str:
        """Return sentences on what is kept and paid."""
        kept = f"{self.done} of {self.total} questions are done and kept" if self.done else "no question was done"
        return f"Interrupted: {kept}; run it again to go on. {self._paid.describe()}"
