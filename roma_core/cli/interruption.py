"""Words for Ctrl-C that are true: what is kept, what was paid, and how to go on; and the signals that end a command."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

from roma_core.errors import count_noun
from roma_core.types import Usage

if TYPE_CHECKING:
    from roma_core.app import Roma
    from roma_core.ingestion import IngestProgress


@dataclass
class Interruption:
    """The sentence that Ctrl-C ends a command with; the command sets ``describe`` when it knows more."""

    describe: Callable[[], str]


@contextmanager
def cancelled_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP cancel the running task as Ctrl-C does, so that what it has open is closed.

    A second signal ends the process at once. A signal that the caller ignores (``nohup``) stays ignored.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()

    def cancel(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        if task is not None:
            loop.call_soon_threadsafe(task.cancel)

    numbers = [number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None]
    if threading.current_thread() is not threading.main_thread():  # Python takes signals in its main thread alone
        numbers = []
    taken = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, cancel)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


class UsageWatch:
    """The usage of all model calls since it was made.

    Example::

        watch = UsageWatch(roma)
        watch.describe()  # 'No model was paid.'
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
        calls, counted = count_noun(used.calls, "model call"), "about " if used.estimated else ""
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
