"""One timer over many awaits: it interrupts only what it guards."""

import asyncio

import pytest

from roma_core.llm.watchdog import Watchdog


def soon(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_an_await_that_outlasts_the_deadline_is_a_timeout() -> None:
    with Watchdog(soon(0.01)) as watchdog, pytest.raises(TimeoutError):
        await watchdog.guard(asyncio.sleep(60))
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_what_is_done_between_guarded_awaits_is_never_interrupted() -> None:
    with Watchdog(soon(0.01)) as watchdog:
        assert await watchdog.guard(asyncio.sleep(0, "quick")) == "quick"
        await asyncio.sleep(0.03)
        late = asyncio.get_running_loop().create_future()
        with pytest.raises(TimeoutError):
            await watchdog.guard(late)


async def test_a_moved_deadline_holds_instead() -> None:
    with Watchdog(soon(0.01)) as watchdog:
        watchdog.move(soon(5))
        await watchdog.guard(asyncio.sleep(0.03))


async def test_a_cancellation_from_outside_stays_one() -> None:
    async def work() -> None:
        with Watchdog(soon(60)) as watchdog:
            await watchdog.guard(asyncio.sleep(60))

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_work_that_swallows_the_interruption_is_late_all_the_same() -> None:
    async def stubborn() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "went on"
        return "never"

    with Watchdog(soon(0.01)) as watchdog, pytest.raises(TimeoutError):
        await watchdog.guard(stubborn())
