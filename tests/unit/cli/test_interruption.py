"""What Ctrl-C says is true: what is kept, and what was paid."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

import pytest

from roma_core.app import Roma
from roma_core.cli.interruption import ItemWatch, QuestionWatch, UsageWatch, cancelled_by_signals
from roma_core.ingestion import IngestProgress
from roma_core.types import Usage


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGHUP")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
async def test_a_signal_to_end_closes_what_a_command_has_open(name: str) -> None:
    signal.signal(getattr(signal, name), signal.SIG_DFL)  # whoever runs the tests may ignore it (nohup)
    closed: list[str] = []

    async def work() -> None:
        with cancelled_by_signals():
            try:
                os.kill(os.getpid(), getattr(signal, name))
                await asyncio.sleep(30)
            finally:
                closed.append(name)

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(work())
    assert closed == [name]
    assert signal.getsignal(getattr(signal, name)) is signal.SIG_DFL


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGHUP")
async def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with cancelled_by_signals():
            os.kill(os.getpid(), signal.SIGHUP)
            await asyncio.sleep(0)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


class Meter(Roma):
    """A workbench whose calls of models are made by the test."""

    def __init__(self) -> None:
        self.report: Callable[[str, Usage], None]

    def observe_usage(self, observer: Callable[[str, Usage], None]) -> Callable[[], None]:
        self.report = observer
        return lambda: None


def progress(done: int) -> IngestProgress:
    return IngestProgress(listed=9, listing=False, counts={"added": done, "missing": 3}, per_s=1.0)


@pytest.mark.parametrize(
    ("usages", "said"),
    [
        ([], "No model was paid."),
        ([Usage(calls=1, input_tokens=900, output_tokens=134, cost_usd=0.002)], "1 model call, 1,034 tokens, $0.0020."),
        ([Usage(calls=1, input_tokens=1, cost_usd=0.1)] * 2, "2 model calls, 2 tokens, $0.2000."),
        ([Usage(calls=1, cost_usd=0.1), Usage(calls=1, cost_usd=None)], "at an unknown price"),
        ([Usage(calls=1, input_tokens=7, estimated=True)], "about 7 tokens"),
        ([Usage(cache_hits=2, saved_usd=0.2)], "No model was paid."),
    ],
)
def test_what_was_paid_is_the_sum_of_the_calls(usages: list[Usage], said: str) -> None:
    meter = Meter()
    watch = UsageWatch(meter)
    for usage in usages:
        meter.report("answer", usage)
    assert said in watch.describe()


def test_an_ingest_tells_how_many_items_are_kept() -> None:
    watch = ItemWatch(None)
    assert "before an item was done" in watch.describe()
    watch(progress(4))
    assert "4 items are done and kept" in watch.describe()


def test_an_evaluation_tells_how_many_questions_are_kept_and_paid() -> None:
    meter, seen = Meter(), list[tuple[int, int]]()
    watch = QuestionWatch(lambda done, total: seen.append((done, total)), UsageWatch(meter))
    assert "no question was done" in watch.describe() and "No model was paid" in watch.describe()
    watch(3, 96)
    meter.report("judge", Usage(calls=3, cost_usd=0.03))
    assert "3 of 96 questions are done and kept" in watch.describe() and "$0.0300" in watch.describe()
    assert seen == [(3, 96)]
