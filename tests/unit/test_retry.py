"""The retry policy: what is retried, how long it waits, when it stops. Sleeps are recorded, never slept."""

import time
from datetime import UTC, datetime

import pytest

from roma_core.errors import ConnectorError, ErrorCode, LLMError
from roma_core.retry import RetryPolicy, is_recoverable, retry_after_s, retrying


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []

    async def note(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("roma_core.retry.sleep", note)
    return waited


class Flaky:
    """Raises what it is given, in turn, then returns."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


BUSY = LLMError("busy", ErrorCode.LLM_RATE_LIMIT)


async def test_recoverable_errors_are_tried_again_with_full_jitter_that_doubles(sleeps: list[float]) -> None:
    work = Flaky(BUSY, ConnectorError("down"))
    told: list[tuple[int, float]] = []
    assert await retrying(work, on_retry=lambda e, n, s: told.append((n, s))) == "done"
    assert work.calls == 3
    assert 0 <= sleeps[0] <= 0.5
    assert 0 <= sleeps[1] <= 1.0
    assert told == [(1, sleeps[0]), (2, sleeps[1])]


async def test_jitter_spreads_over_the_whole_window(sleeps: list[float]) -> None:
    for _ in range(60):
        await retrying(Flaky(BUSY))
    assert min(sleeps) < 0.1
    assert max(sleeps) > 0.4


@pytest.mark.parametrize("code", [ErrorCode.LLM_AUTH, ErrorCode.LLM_QUOTA, ErrorCode.LLM_BAD_REQUEST])
async def test_final_errors_are_raised_at_once(sleeps: list[float], code: ErrorCode) -> None:
    work = Flaky(LLMError("no", code))
    with pytest.raises(LLMError) as caught:
        await retrying(work)
    assert (caught.value.code, work.calls, sleeps) == (code, 1, [])


async def test_foreign_errors_are_not_retried(sleeps: list[float]) -> None:
    work = Flaky(ValueError("a defect"))
    with pytest.raises(ValueError, match="a defect"):
        await retrying(work)
    assert work.calls == 1
    assert not is_recoverable(ValueError())


async def test_the_last_error_is_raised_after_the_last_attempt(sleeps: list[float]) -> None:
    last = LLMError("third")
    work = Flaky(LLMError("first"), LLMError("second"), last)
    with pytest.raises(LLMError) as caught:
        await retrying(work, policy=RetryPolicy(attempts=3))
    assert caught.value is last
    assert work.calls == 3


async def test_retry_after_is_honoured_and_never_undercut(sleeps: list[float]) -> None:
    await retrying(Flaky(LLMError("busy", ErrorCode.LLM_RATE_LIMIT, retry_after_s=3.0)))
    assert 3.0 <= sleeps[0] <= 3.1


async def test_a_longer_pause_than_the_cap_ends_the_retries(sleeps: list[float]) -> None:
    work = Flaky(LLMError("busy", ErrorCode.LLM_RATE_LIMIT, retry_after_s=31.0))
    with pytest.raises(LLMError) as caught:
        await retrying(work)
    assert (caught.value.retry_after_s, work.calls, sleeps) == (31.0, 1, [])


async def test_a_pause_beyond_the_deadline_is_not_waited_for(sleeps: list[float]) -> None:
    work = Flaky(LLMError("busy", ErrorCode.LLM_RATE_LIMIT, retry_after_s=5.0))
    with pytest.raises(LLMError):
        await retrying(work, deadline=time.monotonic() + 4.0)
    assert (work.calls, sleeps) == (1, [])
    work = Flaky(LLMError("busy", ErrorCode.LLM_RATE_LIMIT, retry_after_s=5.0))
    assert await retrying(work, deadline=time.monotonic() + 60.0) == "done"


NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({"Retry-After": "2"}, 2.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"Retry-After-Ms": "250", "Retry-After": "9"}, 0.25),
        ({"Retry-After": "Sun, 22 Nov 2026 12:00:07 GMT"}, 7.0),
        ({"Retry-After": "Sun, 22 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"Retry-After": "-4"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"retry-after-ms": "x", "retry-after": "3"}, 3.0),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(headers: dict[str, str], wanted: float | None) -> None:
    assert retry_after_s(headers, NOW) == wanted
