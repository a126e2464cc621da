"""LLMService: who answers, how often it is asked, what ends it, and what is told of it afterwards."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import BaseModel, SecretStr

from roma_core.cache import Cache
from roma_core.errors import ErrorCode, LLMError, RomaError
from roma_core.llm.base import FALLBACK, LLMDelta, LLMRequest, Message, sample
from roma_core.llm.control.breaker import Breaker
from roma_core.llm.control.budget import Budgets
from roma_core.llm.control.calls import CallRecord
from roma_core.llm.control.pricing import Price, Prices
from roma_core.llm.providers.anthropic import AnthropicLLM
from roma_core.llm.providers.fake import FakeLLM, Reply
from roma_core.llm.providers.openai import OpenAILLM
from roma_core.llm.providers.server import Asked, FakeModelServer, Script
from roma_core.llm.service import Limits, LLMService
from roma_core.settings import CacheMode
from roma_core.telemetry import logs
from roma_core.types import ComponentHealth, Usage
from tests.fakes.clock import run_at_once

ASK = LLMRequest(messages=(Message(role="system", content="Be brief."), Message(role="user", content="Say hello.")))
KEY = SecretStr("sk-secret-0123456789")
DOWN = LLMError("down", ErrorCode.LLM_UNAVAILABLE)


@pytest.fixture(autouse=True)
def quick_backoff(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits between attempts are noted and skipped."""
    waited: list[float] = []

    async def note(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("roma_core.retry.sleep", note)
    return waited


def cloud(*replies: Reply | str, name: str = "openai:gpt-4o") -> FakeLLM:
    """A scripted provider that is paid for like a real one."""
    return FakeLLM(replies, rule=lambda r: "Hello there.", name=name)


async def failure(service: LLMService, request: LLMRequest = ASK) -> RomaError:
    with pytest.raises(RomaError) as caught:
        await service.complete(request)
    return caught.value


# --- success ---


async def test_llm_service_openai_success() -> None:
    async with FakeModelServer(lambda a: Script("Hello  dear\nworld.")).running() as server:
        service = LLMService([OpenAILLM("gpt-4o", api_key=KEY, base_url=f"{server.url}/v1")])
        deltas = [d async for d in service.stream(ASK)]
        await service.close()
    assert [d.text for d in deltas] == ["Hello", "  dear", "\nworld.", ""]
    last = deltas[-1]
    assert (last.finish_reason, last.provider, last.model, last.reason) == ("stop", "openai", "gpt-4o", "configured")
    assert last.usage is not None
    assert (last.usage.input_tokens, last.usage.output_tokens, last.usage.cached_tokens) == (10, 3, 4)
    assert last.usage.reasoning_tokens == 1
    assert last.usage.cost_usd == pytest.approx((6 * 2.5 + 4 * 1.25 + 3 * 10) / 1e6)
    assert last.request_id == "req-1"
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY.get_secret_value()}"
    assert KEY.get_secret_value() not in str(server.asked[0].body)


async def test_llm_service_anthropic_success() -> None:
    async with FakeModelServer(lambda a: Script("Hello  dear\nworld.")).running() as server:
        service = LLMService([AnthropicLLM("claude-sonnet-3.5", api_key=KEY, base_url=server.url)])
        answer = await service.complete(ASK)
        await service.close()
    assert (answer.text, answer.finish_reason) == ("Hello  dear\nworld.", "stop")
    assert (answer.provider, answer.model) == ("anthropic", "claude-sonnet-5-5")
    assert (answer.usage.input_tokens, answer.usage.cached_tokens, answer.usage.output_tokens) == (10, 4, 3)
    assert answer.usage.cost_usd == pytest.approx((6 * 2 + 4 * 0.1 + 3 * 10) / 1e6)
    assert server.asked[0].body["system"] == "Be brief."


# --- retries ---


@pytest.mark.parametrize(
    ("header", "value", "least"), [("Retry-After", "1", 1.0), ("Retry-After-Ms", "200", 0.2), ("X-None", "1", 0.0)]
)
async def test_llm_service_rate_limit_retry(quick_backoff: list[float], header: str, value: str, least: float) -> None:
    busy = Script(status=429, headers=((header, value),), error={"type": "rate_limit_error", "message": "slow down"})
    async with FakeModelServer([busy, busy, Script("Hello.")]).running() as server:
        service = LLMService([OpenAILLM(api_key=KEY, base_url=f"{server.url}/v1")])
        assert (await service.complete(ASK)).text == "Hello."
        await service.close()
    assert len(server.asked) == 3
    assert all(wait >= least for wait in quick_backoff)
    assert len(quick_backoff) == 2


@pytest.mark.parametrize("status", [401, 403])
async def test_llm_service_invalid_api_key(status: int) -> None:
    wrong = Script(status=status, error={"code": "invalid_api_key", "message": f"Incorrect key: {KEY}"})
    for make, path in ((OpenAILLM, "/v1"), (AnthropicLLM, "")):
        async with FakeModelServer(lambda a: wrong).running() as server:
            service = LLMService([make(api_key=KEY, base_url=server.url + path)])
            error = await failure(service)
            await service.close()
        assert (error.code, error.recoverable, len(server.asked)) == (ErrorCode.LLM_AUTH, False, 1)
        assert "LLM_API_KEY" in error.message
        assert "sk-secret" not in f"{error.message} {error.details}"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
async def test_transient_statuses_are_tried_three_times(status: int) -> None:
    async with FakeModelServer(lambda a: Script(status=status)).running() as server:
        service = LLMService([AnthropicLLM(api_key=KEY, base_url=server.url)])
        assert (await failure(service)).recoverable
        await service.close()
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (Script(status=400, error={"message": "bad"}), ErrorCode.LLM_BAD_REQUEST),
        (Script(status=404, error={"code": "model_not_found"}), ErrorCode.LLM_NOT_FOUND),
        (Script(status=429, error={"code": "insufficient_quota"}), ErrorCode.LLM_QUOTA),
        (Script(status=402, error={"type": "billing_error"}), ErrorCode.LLM_QUOTA),
        (Script(status=400, error={"code": "context_length_exceeded"}), ErrorCode.LLM_CONTEXT_LENGTH),
        (Script(status=400, error={"message": "prompt is too long: 9 tokens"}), ErrorCode.LLM_CONTEXT_LENGTH),
        (Script(status=400, error={"type": "exceed_context_size_error"}), ErrorCode.LLM_CONTEXT_LENGTH),
        (Script(status=400, error={"code": "content_filter"}), ErrorCode.LLM_REFUSED),
    ],
)
async def test_final_errors_are_asked_once(script: Script, code: ErrorCode) -> None:
    async with FakeModelServer(lambda a: script).running() as server:
        service = LLMService([OpenAILLM(api_key=KEY, base_url=f"{server.url}/v1")])
        error = await failure(service)
        await service.close()
    assert (error.code, error.recoverable, len(server.asked)) == (code, False, 1)


async def test_nothing_is_retried_after_the_first_token() -> None:
    first = cloud(Reply("one two", error=DOWN, error_after_words=1), "never asked")
    second = cloud(name="anthropic:x")
    service = LLMService([first, second])
    seen: list[str] = []
    with pytest.raises(LLMError) as caught:
        async for delta in service.stream(ASK):
            seen.append(delta.text)
    assert (seen, first.calls, second.calls) == (["one"], 1, 0)
    assert caught.value.details["partial"] is True


# --- deadlines ---


@pytest.mark.parametrize("make", [OpenAILLM, AnthropicLLM])
async def test_a_server_that_hangs_is_left_for_the_fallback(make: Any) -> None:
    async with FakeModelServer(lambda a: Script(first_wait_s=60)).running() as server:
        hanging = make(base_url=server.url + ("/v1" if make is OpenAILLM else ""))
        service = LLMService([hanging, cloud(name="openai:x")], limits=Limits(first_token_s=1.5))
        answer = await service.complete(ASK)
        assert (answer.model, "ERR_LLM_TIMEOUT" in answer.reason, len(server.asked)) == ("x", True, 1)
        await service.close()


def test_no_first_token_in_time_goes_to_the_fallback() -> None:
    slow = cloud(Reply("late", first_token_wait_s=60))
    service = LLMService([slow, cloud(name="anthropic:x")], limits=Limits(first_token_s=0.05))
    answer = run_at_once(service.complete(ASK))
    assert answer.provider == "anthropic"
    assert answer.reason == f"{FALLBACK}openai:gpt-4o ERR_LLM_TIMEOUT"
    assert (slow.calls, slow.closed) == (1, 1)


def test_an_answer_that_takes_too_long_ends_in_a_typed_failure() -> None:
    service = LLMService([cloud(Reply("a b c d", word_wait_s=0.05))], limits=Limits(total_s=0.08))
    error = run_at_once(failure(service))
    assert (error.code, error.details["partial"]) == (ErrorCode.LLM_TIMEOUT, True)


async def test_a_retry_after_beyond_the_deadline_goes_to_the_fallback_at_once(quick_backoff: list[float]) -> None:
    busy = LLMError("busy", ErrorCode.LLM_RATE_LIMIT, retry_after_s=300)
    first = cloud(Reply(error=busy))
    answer = await LLMService([first, cloud(name="anthropic:x")]).complete(ASK)
    assert (answer.provider, first.calls, quick_backoff) == ("anthropic", 1, [])


async def test_leaving_the_stream_closes_the_call_upstream() -> None:
    async with FakeModelServer(lambda a: Script("a b c", end="stall", end_after_words=3)).running() as server:
        service = LLMService([OpenAILLM(api_key=KEY, base_url=f"{server.url}/v1")])
        async with aclosing(service.stream(ASK)) as stream:  # type: ignore[type-var]
            async for _ in stream:
                break
        async with asyncio.timeout(60):
            while not server.left:  # noqa: ASYNC110  (the server has no event to wait for)
                await asyncio.sleep(0.01)
        assert server.left == 1
        await service.close()


# --- streams that lie ---


@pytest.mark.parametrize("words", [0, 2])
@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("cut", ErrorCode.LLM_TRUNCATED),
        ("reset", ErrorCode.LLM_UNAVAILABLE),
        ("stall", ErrorCode.LLM_TIMEOUT),
        ("broken", ErrorCode.LLM_MALFORMED),
        ("error", ErrorCode.LLM_UNAVAILABLE),
    ],
)
@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
async def test_a_stream_without_its_finish_marker_is_one_typed_failure(
    vendor: str, end: str, code: ErrorCode, words: int
) -> None:
    script = Script("one two three", end=end, end_after_words=words)
    async with FakeModelServer(lambda a: script).running() as server:
        make: Any = OpenAILLM if vendor == "openai" else AnthropicLLM
        url = server.url + ("/v1" if vendor == "openai" else "")
        silence_s = 1.0 if end == "stall" else 60.0
        provider = make(api_key=KEY, base_url=url, first_token_s=silence_s, stall_s=silence_s)
        service = LLMService([provider])
        seen: list[str] = []
        with pytest.raises(LLMError) as caught:
            async for delta in service.stream(ASK):
                seen.append(delta.text)
                assert delta.finish_reason is None
        await service.close()
    assert caught.value.code is code
    assert "".join(seen) == ("one two" if words else "")
    assert len(server.asked) == (1 if words else 3)


async def test_a_provider_that_ends_without_marker_or_text_is_not_believed() -> None:
    cut = LLMService([cloud(Reply("half", finish_reason=None))])
    assert (await failure(cut)).code is ErrorCode.LLM_TRUNCATED
    assert (await failure(LLMService([cloud(Reply(""))]))).code is ErrorCode.LLM_EMPTY
    long = await failure(LLMService([cloud(Reply("", finish_reason="length"))]))
    assert (long.code, "token limit" in long.message) == (ErrorCode.LLM_EMPTY, True)


async def test_refusals_and_cut_answers_are_passed_on_as_what_they_are() -> None:
    for reason in ("refusal", "content_filter", "length"):
        answer = await LLMService([cloud(Reply("I cannot", finish_reason=reason))]).complete(ASK)
        assert (answer.finish_reason, answer.text) == (reason, "I cannot")
    silent = await LLMService([cloud(Reply("", finish_reason="refusal"))]).complete(ASK)
    assert (silent.finish_reason, silent.text) == ("refusal", "")


# --- fallbacks ---


@pytest.mark.parametrize(
    "code", [ErrorCode.LLM_AUTH, ErrorCode.LLM_QUOTA, ErrorCode.LLM_NOT_FOUND, ErrorCode.LLM_EMPTY]
)
async def test_final_errors_of_one_provider_let_the_next_one_answer(code: ErrorCode) -> None:
    first = cloud(Reply(error=LLMError("no", code)))
    answer = await LLMService([first, cloud(name="anthropic:x")]).complete(ASK)
    assert (answer.text, answer.model, first.calls) == ("Hello there.", "x", 1)
    assert answer.reason == f"{FALLBACK}openai:gpt-4o {code.value}"


async def test_a_prompt_that_is_too_long_is_the_callers_to_trim() -> None:
    second = cloud(name="anthropic:x")
    service = LLMService([cloud(Reply(error=LLMError("long", ErrorCode.LLM_CONTEXT_LENGTH))), second])
    assert (await failure(service)).code is ErrorCode.LLM_CONTEXT_LENGTH
    assert second.calls == 0


async def test_the_last_error_says_who_was_tried() -> None:
    wrong = LLMError("no", ErrorCode.LLM_AUTH)
    error = await failure(
        LLMService([cloud(Reply(error=wrong)), cloud(Reply(error=DOWN), Reply(error=DOWN), Reply(error=DOWN))])
    )
    assert error.code is ErrorCode.LLM_UNAVAILABLE
    assert error.details["tried"] == ["openai:gpt-4o ERR_LLM_AUTH"]


async def test_a_failure_names_its_provider() -> None:
    error = await failure(LLMService([cloud(Reply(error=LLMError("no", ErrorCode.LLM_AUTH)))]))
    assert error.details["provider"] == "openai:gpt-4o"


async def test_without_a_provider_only_requests_that_name_their_model_are_answered() -> None:
    service = LLMService([], make=lambda spec: cloud(name=spec))
    assert service.name == ""
    assert (await failure(service)).code is ErrorCode.LLM_BAD_REQUEST
    answer = await service.complete(ASK.model_copy(update={"model": "openai:gpt-4o"}))
    assert (answer.provider, answer.model) == ("openai", "gpt-4o")


async def test_quotes_stand_in_for_models_that_are_unavailable() -> None:
    class Unavailable(FakeLLM):
        async def health(self) -> ComponentHealth:
            return ComponentHealth(state="down", reason="The server does not answer.")

    health = await LLMService([Unavailable()], stand_in="extractive").health()
    assert (health.state, health.reason) == ("degraded", "The server does not answer; extractive answers")
    alone = await LLMService([Unavailable()]).health()
    assert (alone.state, "no other is left" in alone.reason) == ("down", True)


async def test_a_request_may_name_its_model() -> None:
    made: list[str] = []

    def make(spec: str) -> FakeLLM:
        made.append(spec)
        return cloud(name=spec)

    service = LLMService([cloud(), cloud(name="anthropic:x")], make=make)
    for spec, answered in [("gpt-4o", "gpt-4o"), ("anthropic:x", "x"), ("gpt-5", "gpt-5"), ("openai:gpt-5", "gpt-5")]:
        assert (await service.complete(ASK.model_copy(update={"model": spec}))).model == answered
    assert made == ["openai:gpt-5"]
    await service.close()
    alone = LLMService([cloud()])
    assert (await failure(alone, ASK.model_copy(update={"model": "other"}))).code is ErrorCode.LLM_NOT_FOUND


async def test_a_named_model_that_fails_is_not_asked_again_as_its_own_fallback() -> None:
    first, second = cloud(), cloud(Reply(error=LLMError("no", ErrorCode.LLM_AUTH)), name="anthropic:x")
    answer = await LLMService([first, second]).complete(ASK.model_copy(update={"model": "anthropic:x"}))
    assert (answer.provider, second.calls) == ("openai", 1)
    assert answer.reason == f"{FALLBACK}anthropic:x ERR_LLM_AUTH"


# --- breaker ---


async def test_the_circuit_opens_after_five_failures_and_looks_again_after_thirty_seconds() -> None:
    clock = [1000.0]
    first = cloud(*[Reply(error=DOWN)] * 5)
    service = LLMService([first, cloud(name="anthropic:x")], limits=Limits(attempts=1))
    service._lanes[0].breaker = Breaker("openai", now=lambda: clock[0])
    for _ in range(5):
        assert (await service.complete(ASK)).provider == "anthropic"
    assert first.calls == 5
    assert (await service.health()).state == "degraded"
    assert (await service.complete(ASK)).provider == "anthropic"
    assert first.calls == 5
    clock[0] += 30
    assert (await service.complete(ASK)).provider == "openai"
    health = await service.health()
    assert (health.state, health.reason) == ("ok", "configured")
    assert health.details["breakers"] == {"openai:gpt-4o": "closed", "anthropic:x": "closed"}


async def test_health_is_down_when_nobody_is_left() -> None:
    service = LLMService([cloud(*[Reply(error=DOWN)] * 9)], limits=Limits(attempts=1))
    for _ in range(6):
        await failure(service)
    assert (await service.health()).state == "down"
    assert service.why == "configured"


# --- money ---


async def test_a_budget_is_checked_against_the_worst_case_before_the_call(tmp_path: Path) -> None:
    first = cloud()
    budgets = Budgets(tmp_path / "b.sqlite", session_usd=0.01)
    service = LLMService([first], budgets=budgets, limits=Limits(max_output_tokens=2000))
    error = await failure(service, ASK.model_copy(update={"session_id": "s"}))
    assert (error.code, error.recoverable, first.calls) == (ErrorCode.LLM_BUDGET, False, 0)
    assert "ROMA_BUDGET_SESSION_USD" in error.message
    small = ASK.model_copy(update={"session_id": "s", "max_output_tokens": 100})
    answer = await service.complete(small)
    assert answer.usage.cost_usd == pytest.approx(budgets.spent_usd("session", "default/s"), abs=1e-8)
    assert (await service.complete(ASK)).text  # no session, no session budget


async def test_calls_at_once_never_pass_the_budget_together() -> None:
    """Each costs a hundredth of its worst case, so most fit only when the others' reservations are back."""
    price = Price(input_usd=0, output_usd=1)  # type: ignore[arg-type]
    usage = Usage(calls=1, output_tokens=10)
    first = FakeLLM(rule=lambda r: Reply("Hello.", first_token_wait_s=0.01, usage=usage), name="openai:gpt-4o")
    budgets = Budgets(run_usd=3_500 / 1e6)
    held: list[float] = []
    service = LLMService(
        [first],
        budgets=budgets,
        prices=Prices({"openai:gpt-4o": price}),
        limits=Limits(max_output_tokens=1000),
        observers=[lambda record: held.append(budgets.spent_usd("run", "run"))],
    )
    results = await asyncio.gather(*(service.complete(ASK) for _ in range(40)), return_exceptions=True)
    refused = [r for r in results if isinstance(r, RomaError)]
    assert {r.code for r in refused} == {ErrorCode.LLM_BUDGET} and 0 < len(refused) < 38
    assert first.calls == 40 - len(refused) and max(held) <= 3_500 / 1e6
    assert budgets.spent_usd("run", "run") == pytest.approx(first.calls * 10 / 1e6)


async def test_an_exhausted_budget_leaves_the_free_provider(tmp_path: Path) -> None:
    first = cloud()
    service = LLMService([first, FakeLLM(["Hello."])], budgets=Budgets(run_usd=0.0))
    answer = await service.complete(ASK)
    assert (answer.reason, first.calls) == (f"{FALLBACK}openai:gpt-4o ERR_LLM_BUDGET", 0)


async def test_an_account_that_goes_away_during_a_call_does_not_cost_the_answer(tmp_path: Path) -> None:
    """It is paid for; its reservation, the worst case, stays in the account."""
    folder, away = tmp_path / "ws", tmp_path / "away"
    budgets = Budgets(folder / "b.sqlite", tenant_usd=1.0)
    service = LLMService([cloud(), cloud(name="anthropic:x")], budgets=budgets)
    streamed = service.stream(ASK)
    parts = [await anext(streamed)]
    folder.rename(away)
    with structlog.testing.capture_logs() as lines:
        parts += [delta async for delta in streamed]
    assert "".join(part.text for part in parts) == "Hello there."
    assert (parts[-1].finish_reason, parts[-1].provider) == ("stop", "openai")
    assert [line["code"] for line in lines if line["event"] == "budget_not_settled"] == ["ERR_STORAGE_UNAVAILABLE"]
    away.rename(folder)
    assert budgets.spent_usd("tenant", "default") > 0.01


async def test_a_budget_needs_a_known_price() -> None:
    unknown = cloud(name="openai:my-own-model")
    error = await failure(LLMService([unknown], budgets=Budgets(run_usd=5.0)))
    assert (error.code, unknown.calls) == (ErrorCode.LLM_BUDGET, 0)
    assert "ROMA_PRICES_FILE" in error.message
    free = Prices({"openai:my-own-model": Price(input_usd=0, output_usd=0)})  # type: ignore[arg-type]
    assert (await LLMService([unknown], budgets=Budgets(run_usd=5.0), prices=free).complete(ASK)).usage.cost_usd == 0


async def test_an_unknown_price_is_none_and_not_zero() -> None:
    answer = await LLMService([cloud(name="openai:my-own-model")]).complete(ASK)
    assert answer.usage.cost_usd is None


@pytest.mark.parametrize(
    ("reply", "billed"),
    [
        (Reply(error=LLMError("no", ErrorCode.LLM_UNAVAILABLE, details={"status": 503})), False),
        (Reply(error=LLMError("no", ErrorCode.LLM_UNAVAILABLE, details={"sent": False})), False),
        (Reply("half", finish_reason=None), True),
        (Reply("half an", error=DOWN, error_after_words=1), True),
    ],
)
async def test_what_a_failed_call_may_have_cost_is_held_against_the_budget(reply: Reply, billed: bool) -> None:
    budgets = Budgets(run_usd=1.0)
    await failure(LLMService([cloud(reply)], budgets=budgets, limits=Limits(attempts=1)))
    assert (budgets.spent_usd("run", "run") > 0.01) == billed  # the worst case: 1024 tokens at $10 a million


async def test_failed_attempts_are_part_of_what_was_used() -> None:
    late = Reply(error=LLMError("odd", ErrorCode.LLM_MALFORMED))
    answer = await LLMService([cloud(late, "Hello there.")]).complete(ASK)
    assert (answer.usage.calls, answer.usage.estimated) == (2, True)


async def test_usage_that_was_not_reported_is_estimated_and_says_so() -> None:
    async with FakeModelServer(lambda a: Script("Hello there.", usage=False)).running() as server:
        service = LLMService(
            [OpenAILLM("gpt-4o", api_key=KEY, base_url=f"{server.url}/v1")], budgets=Budgets(run_usd=1)
        )
        answer = await service.complete(ASK)
        await service.close()
    assert answer.usage.estimated
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (6, 3)


# --- limits ---


async def test_calls_over_the_limit_fall_back_at_once_instead_of_waiting() -> None:
    first = cloud()
    limits = Limits(requests_per_minute=1, queue_s=5)
    service = LLMService([first, cloud(name="anthropic:x")], limits=limits)
    assert (await service.complete(ASK)).provider == "openai"
    assert (await service.complete(ASK)).reason == f"{FALLBACK}openai:gpt-4o ERR_LLM_RATE_LIMIT"
    assert first.calls == 1


async def test_concurrency_adapts_to_rate_limits() -> None:
    busy = LLMError("busy", ErrorCode.LLM_RATE_LIMIT)
    first = cloud(Reply(error=busy), "one", "two", "three")
    service = LLMService([first], limits=Limits(max_concurrency=8))
    await service.complete(ASK)
    health = await service.health()
    assert health.details["concurrency"] == {"openai:gpt-4o": 4}


# --- cache ---


async def test_the_same_request_is_asked_once_and_played_back_like_a_live_answer(tmp_path: Path) -> None:
    first = cloud("Hello  dear\nworld. ")
    seen: list[CallRecord] = []
    service = LLMService([first], cache=Cache(tmp_path / "c.sqlite"), observers=[seen.append])
    live = [d async for d in service.stream(ASK)]
    kept = [d async for d in service.stream(ASK.model_copy(update={"session_id": "other", "purpose": "judge"}))]
    assert "".join(d.text for d in kept) == "".join(d.text for d in live) == "Hello  dear\nworld. "
    assert len(kept) > 2
    assert (first.calls, kept[-1].cached, kept[-1].finish_reason) == (1, True, "stop")
    cost = live[-1].usage.cost_usd if live[-1].usage else None
    assert kept[-1].usage == Usage(cache_hits=1, saved_usd=cost)
    assert (kept[-1].provider, kept[-1].model) == ("openai", "gpt-4o")
    assert [r.cached for r in seen] == [False, True]


@pytest.mark.parametrize(
    "change",
    [
        {"messages": (Message(role="user", content="Say hello!"),)},
        {"temperature": 0.5},
        {"max_output_tokens": 7},
        {"repeat": 1},
        {"prompt_hash": "other"},
        {"stop": ("x",)},
        {"json_schema": {"type": "object"}},
        {"model": "gpt-5"},
    ],
)
async def test_whatever_decides_the_answer_is_part_of_the_key(tmp_path: Path, change: dict[str, Any]) -> None:
    first = FakeLLM(rule=lambda r: "{}", name="openai:gpt-4o")
    service = LLMService([first], cache=Cache(tmp_path / "c.sqlite"), make=lambda spec: FakeLLM(["new"], name=spec))
    await service.complete(ASK)
    assert not (await service.complete(ASK.model_copy(update=change))).cached


@pytest.mark.parametrize("reason", ["length", "refusal", "content_filter"])
async def test_truncated_and_refused_answers_are_never_kept(tmp_path: Path, reason: Any) -> None:
    first = cloud(Reply("I cannot", finish_reason=reason), "Hello.")
    service = LLMService([first], cache=Cache(tmp_path / "c.sqlite"))
    await service.complete(ASK)
    assert (await service.complete(ASK)).text == "Hello."


async def test_failed_answers_are_never_kept(tmp_path: Path) -> None:
    first = cloud(Reply("half an answer", finish_reason=None), "Hello.")
    service = LLMService([first], cache=Cache(tmp_path / "c.sqlite"))
    await failure(service)
    assert (await service.complete(ASK)).text == "Hello."


async def test_json_that_is_no_json_is_not_kept(tmp_path: Path) -> None:
    class Yes(BaseModel):
        yes: bool

    service = LLMService([cloud("what?", '{"yes": true}')], cache=Cache(tmp_path / "c.sqlite"))
    with pytest.raises(LLMError):
        await service.complete_json(ASK, Yes)
    assert (await service.complete_json(ASK, Yes))[0].yes


@pytest.mark.parametrize(("mode", "calls"), [("off", 2), ("read", 2), ("write", 1), ("refresh", 2)])
async def test_cache_modes(tmp_path: Path, mode: CacheMode, calls: int) -> None:
    first = cloud()
    for _ in range(2):
        await LLMService([first], cache=Cache(tmp_path / "c.sqlite", mode)).complete(ASK)
    assert first.calls == calls
    await LLMService([first], cache=Cache(tmp_path / "c.sqlite")).complete(ASK)
    assert first.calls == calls + (mode in {"off", "read"})


async def test_another_sample_is_asked_past_the_cache_and_kept_in_it(tmp_path: Path) -> None:
    first = cloud()
    service = LLMService([first], cache=Cache(tmp_path / "c.sqlite"))
    for number, calls in ((0, 1), (1, 2), (0, 2), (1, 2), (2, 3)):
        token = sample.set(number)
        await service.complete(ASK)
        sample.reset(token)
        assert first.calls == calls


async def test_a_killed_run_asks_only_what_was_not_answered(tmp_path: Path) -> None:
    """The cache makes runs resumable: answers that were whole before a kill are not asked again."""
    asks = [ASK.model_copy(update={"messages": (Message(role="user", content=f"q{n}"),)}) for n in range(6)]
    before, after = cloud(), cloud()
    killed = LLMService([before], cache=Cache(tmp_path / "c.sqlite"))
    for ask in asks[:3]:
        await killed.complete(ask)
    # Never closed: a kill -9 gives nobody the time.
    resumed = LLMService([after], cache=Cache(tmp_path / "c.sqlite"))
    for ask in asks:
        await resumed.complete(ask)
    assert [r.messages[0].content for r in after.requests] == ["q3", "q4", "q5"]


# --- what is told ---


async def test_why_a_provider_was_passed_over_is_told_once_in_words() -> None:
    wrong = Script(status=401, error={"code": "invalid_api_key", "message": f"Incorrect key: {KEY}"})
    async with FakeModelServer(lambda a: wrong).running() as server:
        service = LLMService([OpenAILLM(api_key=KEY, base_url=f"{server.url}/v1"), cloud(name="anthropic:x")])
        with structlog.testing.capture_logs() as lines:
            for _ in range(2):
                await service.complete(ASK)
        await service.close()
    (told,) = [line for line in lines if line["event"] == "llm_fallback"]
    assert told["reason"] == (
        "openai:gpt-4o-mini refused the key; set LLM_API_KEY to a valid one. "
        'openai:gpt-4o-mini said: "Incorrect key: **********"'
    )
    assert (told["provider"], told["code"]) == ("openai:gpt-4o-mini", "ERR_LLM_AUTH")
    assert told["endpoint"] == f"openai@{server.url}/v1"


async def test_a_server_is_named_to_who_asks_and_its_address_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    cases: list[tuple[Any, str]] = [(OpenAILLM, "openai:m"), (AnthropicLLM, "anthropic:m")]
    logs.configure("WARNING", "json")
    try:
        for make, name in cases:
            service = LLMService([make("m", base_url="http://user:sk-secret@127.0.0.1:9/v1")])
            error = await failure(service)
            await service.close()
            assert error.message == f"{name} cannot be reached; check the network and LLM_BASE_URL."
            assert error.code is ErrorCode.LLM_UNAVAILABLE
            assert "127.0.0.1" not in f"{error.message} {error.details}"
    finally:
        logs.configure()
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["event"], line["agent"]) for line in told] == [("llm_failed", "llm")] * 2
    assert all("127.0.0.1:9" in line["endpoint"] and "sk-secret" not in line["endpoint"] for line in told)


async def test_a_stream_that_breaks_off_is_told_in_a_sentence() -> None:
    async with FakeModelServer(lambda a: Script("a b c", end="cut", end_after_words=1)).running() as server:
        service = LLMService([OpenAILLM("m", base_url=f"{server.url}/v1")])
        assert (await failure(service)).message == "openai:m broke off its answer; ask again."
        await service.close()


async def test_a_call_that_was_refused_before_it_was_sent_is_told_of_too() -> None:
    """Answers that a fallback gave while the breaker is open have failed all the same."""
    seen: list[CallRecord] = []
    service = LLMService([cloud(*[Reply(error=DOWN)] * 5), cloud(name="anthropic:x")], observers=[seen.append])
    for _ in range(3):
        await service.complete(ASK)
    failed = [r for r in seen if r.outcome == "ERR_LLM_UNAVAILABLE"]
    assert [(r.attempt, r.usage.calls) for r in failed] == [(1, 1), (2, 1), (3, 1), (1, 1), (2, 1), (3, 0), (1, 0)]


async def test_an_open_circuit_still_says_what_was_wrong() -> None:
    page = Script(raw=b"<html>login</html>", media_type="text/html")
    async with FakeModelServer(lambda a: page).running() as server:
        service = LLMService([OpenAILLM(base_url=f"{server.url}/v1")])
        for _ in range(3):
            error = await failure(service)
        await service.close()
    assert error.details["breaker"] == "open"
    assert "5 times in a row" in error.message
    assert "check that LLM_BASE_URL is the address of a chat API" in error.message


async def test_every_call_leaves_one_line_without_key_or_text() -> None:
    service = LLMService([cloud(Reply(error=DOWN), "Hello there.")])
    with structlog.testing.capture_logs() as lines:
        await service.complete(ASK)
    calls = [line for line in lines if line["event"] == "llm_call"]
    assert [(c["outcome"], c["attempt"]) for c in calls] == [("ERR_LLM_UNAVAILABLE", 1), ("stop", 2)]
    wanted = {"provider", "model", "purpose", "input_tokens", "output_tokens", "cost_usd", "latency_ms", "ttft_ms"}
    assert wanted | {"provider_request_id", "tenant", "cached"} <= set(calls[1])
    assert all(c["duration_ms"] == c["latency_ms"] for c in calls)
    assert "Say hello" not in str(calls)
    assert "Hello there" not in str(calls)


async def test_texts_are_logged_only_when_asked_for() -> None:
    service = LLMService([cloud()], log_text=True)
    with structlog.testing.capture_logs() as lines:
        await service.complete(ASK)
    assert lines[-1]["prompt"] == "system: Be brief.\nuser: Say hello."
    assert lines[-1]["answer"] == "Hello there."


async def test_a_reader_who_leaves_is_recorded_as_cancelled() -> None:
    seen: list[CallRecord] = []
    service = LLMService([cloud()])
    service.observe(seen.append)
    async with aclosing(service.stream(ASK)) as stream:  # type: ignore[type-var]
        async for _ in stream:
            break
    assert [r.outcome for r in seen] == ["cancelled"]
    assert seen[0].usage.estimated


async def test_text_on_the_last_delta_is_not_lost() -> None:
    class AtOnce(FakeLLM):
        async def stream(self, request: LLMRequest) -> AsyncIterator[LLMDelta]:
            yield LLMDelta(text="all of it", finish_reason="stop")

    answer = await LLMService([AtOnce(name="openai:gpt-4o")]).complete(ASK)
    assert (answer.text, answer.usage.estimated) == ("all of it", True)


def by_path(asked: Asked) -> Script:
    return Script("from anthropic" if asked.anthropic else "from openai")


async def test_both_adapters_work_behind_one_gateway() -> None:
    async with FakeModelServer(by_path).running() as server:
        service = LLMService([OpenAILLM(base_url=f"{server.url}/v1"), AnthropicLLM(base_url=f"{server.url}/v1")])
        assert (await service.complete(ASK)).text == "from openai"
        named = ASK.model_copy(update={"model": "anthropic:claude-sonnet-5-5"})
        assert (await service.complete(named)).text == "from anthropic"
        await service.close()
