"""Windows of a minute, adaptive concurrency, and the circuit breaker."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.errors import ErrorCode, LLMError
from roma_core.llm.control.breaker import Breaker
from roma_core.llm.control.limits import Limiter, MinuteWindow


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 40)), max_size=60), st.integers(1, 100))
def test_no_minute_ever_holds_more_than_the_limit(calls: list[tuple[float, int]], limit: int) -> None:
    window, now = MinuteWindow(limit), 0.0
    taken: list[tuple[float, int]] = []
    for pause, amount in calls:
        now += pause
        now += window.wait_s(amount, now)
        assert window.wait_s(amount, now) == pytest.approx(0.0, abs=1e-6)
        window.add(amount, now)
        taken.append((now, amount))
    for when, amount in taken:
        inside = sum(a for t, a in taken if when - 60 + 1e-6 < t <= when)
        assert inside <= max(limit, amount)


def test_a_settled_amount_makes_room() -> None:
    window = MinuteWindow(100)
    entry = window.add(90, 0.0)
    assert window.wait_s(50, 10.0) == 50.0
    window.settle(entry, 20)
    assert window.wait_s(50, 10.0) == 0.0
    assert window.wait_s(500, 10.0) == 50.0  # more than the limit: alone in its window
    assert window.wait_s(50, 70.0) == 0.0
    window.settle(entry, 90)  # after it was forgotten
    assert window.wait_s(100, 70.0) == 0.0
    assert MinuteWindow(None).wait_s(10**9, 0.0) == 0.0


def soon(seconds: float = 30.0) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_no_more_calls_at_once_than_allowed() -> None:
    limiter, running, most = Limiter("x", max_concurrency=3), 0, 0

    async def call() -> None:
        nonlocal running, most
        async with limiter.slot(1, soon()) as slot:
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.001)
            running -= 1
            slot.succeeded = True

    await asyncio.gather(*(call() for _ in range(30)))
    assert most == 3


async def test_a_429_halves_the_concurrency_once_per_burst_and_successes_win_it_back() -> None:
    limiter = Limiter("x", max_concurrency=16)
    async with limiter.slot(1, soon()) as a, limiter.slot(1, soon()) as b:
        a.limited = b.limited = True
    assert limiter.allowed == 8
    for _ in range(200):
        async with limiter.slot(1, soon()) as slot:
            slot.succeeded = True
    assert limiter.allowed == 16
    for _ in range(9):
        async with limiter.slot(1, soon()) as slot:
            slot.limited = True
    assert limiter.allowed == 1


async def test_a_retry_after_holds_everybody_back() -> None:
    limiter = Limiter("x")
    async with limiter.slot(1, soon()) as slot:
        slot.limited, slot.pause_s = True, 0.05
    before = asyncio.get_running_loop().time()
    async with limiter.slot(1, soon()):
        assert asyncio.get_running_loop().time() - before >= 0.045
    async with limiter.slot(1, soon()) as slot:
        slot.limited, slot.pause_s = True, 4_294_967.0
    with pytest.raises(LLMError) as caught:
        async with limiter.slot(1, soon()):
            raise AssertionError("must not be admitted")
    assert caught.value.code is ErrorCode.LLM_RATE_LIMIT
    assert caught.value.retry_after_s == pytest.approx(60, abs=1)


async def test_waiting_for_a_turn_ends_at_the_deadline() -> None:
    limiter = Limiter("x", max_concurrency=1)
    async with limiter.slot(1, soon()):
        with pytest.raises(LLMError) as caught:
            async with limiter.slot(1, soon(0.02)):
                raise AssertionError("must not be admitted")
    assert caught.value.details == {"limit": "local"}
    async with limiter.slot(1, soon(0.02)):
        pass


async def test_tokens_a_minute_are_settled_to_what_was_used() -> None:
    limiter = Limiter("x", tokens_per_minute=100)
    async with limiter.slot(80, soon()) as slot:
        slot.tokens = 10
    async with limiter.slot(80, soon()):
        pass
    with pytest.raises(LLMError):
        async with limiter.slot(80, soon()):
            raise AssertionError("must not be admitted")


def test_a_second_event_loop_starts_with_an_empty_queue() -> None:
    limiter = Limiter("x", max_concurrency=1)

    async def crowd() -> int:
        async def call() -> int:
            async with limiter.slot(1, soon()):
                await asyncio.sleep(0)
                return 1

        return sum(await asyncio.gather(*(call() for _ in range(5))))

    assert [asyncio.run(crowd()) for _ in range(2)] == [5, 5]


async def test_a_slot_of_a_loop_that_is_gone_counts_for_nothing() -> None:
    limiter = Limiter("x", max_concurrency=1)
    async with limiter.slot(1, soon()) as slot:
        slot.loop = asyncio.new_event_loop()
        slot.loop.close()
    assert limiter._in_flight == 1


class TestBreaker:
    def breaker(self) -> tuple[Breaker, list[float]]:
        clock = [0.0]
        return Breaker("x", now=lambda: clock[0]), clock

    def test_failures_in_a_row_open_it_and_time_half_opens_it(self) -> None:
        breaker, clock = self.breaker()
        for _ in range(4):
            breaker.note_failure(ErrorCode.LLM_TIMEOUT)
        breaker.note_success()
        for _ in range(5):
            breaker.admit()
            breaker.note_failure(ErrorCode.LLM_UNAVAILABLE)
        with pytest.raises(LLMError) as caught:
            breaker.admit()
        assert (caught.value.code, caught.value.retry_after_s) == (ErrorCode.LLM_UNAVAILABLE, 30.0)
        clock[0] = 30.0
        assert breaker.state == "half_open"

    def test_one_probe_decides(self) -> None:
        breaker, clock = self.breaker()
        for _ in range(5):
            breaker.note_failure(ErrorCode.LLM_UNAVAILABLE)
        clock[0] = 31.0
        breaker.admit()
        with pytest.raises(LLMError):
            breaker.admit()
        breaker.note_failure(ErrorCode.LLM_UNAVAILABLE)
        assert breaker.state == "open"
        clock[0] = 62.0
        breaker.admit()
        breaker.note_abandoned()
        breaker.admit()
        breaker.note_success()
        assert breaker.state == "closed"

    @pytest.mark.parametrize("code", [ErrorCode.LLM_AUTH, ErrorCode.LLM_RATE_LIMIT, ErrorCode.LLM_BAD_REQUEST])
    def test_errors_that_are_not_the_providers_do_not_count(self, code: ErrorCode) -> None:
        breaker, _ = self.breaker()
        for _ in range(9):
            breaker.note_failure(code)
        assert breaker.state == "closed"
