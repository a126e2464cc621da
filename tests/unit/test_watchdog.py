"""One timer over many awaits: it interrupts only what it guards."""

import asyncio
from contextlib import closing

import pytest

from roma_core.watchdog import Watchdog


def due(seconds: float) -> closing[Watchdog]:
    return closing(Watchdog(asyncio.get_running_loop().time() + seconds))


async def test_an_await_that_outlasts_the_deadline_is_a_timeout() -> None:
    with due(0.01) as watchdog, pytest.raises(TimeoutError), watchdog:
        await asyncio.sleep(60)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_what_is_done_between_guarded_awaits_is_never_interrupted() -> None:
    with due(60) as watchdog:
        with watchdog:
            assert await asyncio.sleep(0, "quick") == "quick"
        watchdog.move(asyncio.get_running_loop().time())
        await asyncio.sleep(0.03)
        with pytest.raises(TimeoutError), watchdog:
            pytest.fail("it began after the deadline")


async def test_a_moved_deadline_holds_instead() -> None:
    with due(0.01) as watchdog:
        watchdog.move(asyncio.get_running_loop().time() + 60)
        with watchdog:
            await asyncio.sleep(0.03)


async def test_it_guards_on_after_an_interruption() -> None:
    with due(60) as watchdog:
        for _ in range(2):
            asyncio.get_running_loop().call_soon(watchdog.expire)
            with pytest.raises(TimeoutError), watchdog:
                await asyncio.sleep(60)
            watchdog.move(asyncio.get_running_loop().time() + 60)
            with watchdog:
                assert await asyncio.sleep(0, "quick") == "quick"


async def test_a_closed_one_interrupts_nothing() -> None:
    with due(0.01) as watchdog:
        pass
    with watchdog:
        await asyncio.sleep(0.03)


async def test_a_cancellation_from_outside_stays_one() -> None:
    async def work() -> None:
        with due(60) as watchdog, watchdog:
            await asyncio.sleep(60)

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("outside_first", [True, False])
async def test_a_cancellation_from_outside_wins_over_the_deadline(outside_first: bool) -> None:
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    when = loop.time() + 0.01  # both in one turn of the loop
    if outside_first:
        loop.call_at(when, task.cancel)
    with closing(Watchdog(when)) as watchdog:
        if not outside_first:
            loop.call_at(when, task.cancel)
        with pytest.raises(asyncio.CancelledError), watchdog:
            await asyncio.sleep(60)
    assert task.uncancel() == 0


async def test_work_that_swallows_the_interruption_is_late_all_the_same() -> None:
    async def stubborn() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "went on"
        return "never"

    with due(0.01) as watchdog, pytest.raises(TimeoutError), watchdog:
        await stubborn()
