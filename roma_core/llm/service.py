"""The service over all providers: deadlines, retries, fallbacks, limits, budgets and the cache of answers.

``stream`` is the primitive. It tries the configured provider and then the fallbacks; within one provider ``retry.py``
decides. Nothing is retried and no other provider is asked once the first token is out: what was shown stays shown, and
the stream ends in one typed error.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from roma_core.cache import Cache
from roma_core.errors import AgentFailure, ErrorCode, LLMError, RomaError, StoreError, guarded
from roma_core.llm import base
from roma_core.llm.base import Learns, LLMDelta, LLMRequest, LLMResponse, M, Provider
from roma_core.llm.control.attempt import Attempt, CallStream, Lane, Limits
from roma_core.llm.control.breaker import Breaker
from roma_core.llm.control.budget import Budgets, Hold, payer
from roma_core.llm.control.cache import CachedResponse, ResponseCache, may_be_kept, replay, request_key
from roma_core.llm.control.calls import CallRecord
from roma_core.llm.control.limits import Limiter, Slot
from roma_core.llm.control.pricing import Prices
from roma_core.plugins import declared_names
from roma_core.retry import RetryPolicy, is_recoverable, retrying
from roma_core.streams import OpeningStream
from roma_core.telemetry import logs
from roma_core.telemetry.health import NOT_IMPLEMENTED
from roma_core.types import ComponentHealth, Usage

log = logs.get("llm")

MOST_FAILURES = 3
"""After so many failures in a row of plans, rewrites or verdicts the health report says so."""
LEASE_SPARE_S = 60.0
"""Money is reserved this much longer than a call may last."""

Observer = Callable[[CallRecord], None]
Deltas = AsyncGenerator[LLMDelta, None]


class LLMService:
    """Providers in the order in which they are asked. ``why`` says how the first one was chosen.

    Without a provider it answers no request that does not name its model. ``stand_in`` names the writer that answers
    questions when no model can, for the health report.
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        *,
        why: str = "configured",
        stand_in: str = "",
        limits: Limits | None = None,
        make: Callable[[str], Provider] | None = None,
        prices: Prices | None = None,
        budgets: Budgets | None = None,
        cache: Cache | None = None,
        log_text: bool = False,
        observers: Sequence[Observer] = (),
    ) -> None:
        self._why = why
        self._stand_in = stand_in
        self._limits = limits or Limits()
        self._make = make
        self._prices = prices or Prices()
        self._budgets = budgets or Budgets()
        self.spending = self._budgets.spending
        self._answers = ResponseCache(cache) if cache is not None and (cache.reads or cache.writes) else None
        self._log_text = log_text
        self._observers = list(observers)
        self._breakers: dict[str, Breaker] = {}
        self._limiters: dict[str, Limiter] = {}
        self._named: dict[str, Lane] = {}
        self._streaks: dict[str, tuple[int, str]] = {}
        self._warned: set[tuple[str, ErrorCode]] = set()
        self._warmed = False
        self._lanes = [self._lane(provider) for provider in providers]

    @property
    def name(self) -> str:
        """``provider:model`` of the first provider; empty where there is none."""
        return self._lanes[0].provider.name if self._lanes else ""

    @property
    def stand_in(self) -> str:
        """The writer that answers questions when no model can; empty where there is none."""
        return self._stand_in

    @property
    def why(self) -> str:
        """Return the reason for which the first provider was chosen."""
        return self._why

    def find_price(self, model: str, usage: Usage) -> float | None:
        """Return the dollars that ``usage`` costs with ``provider:model``; None when that is not known."""
        provider, _, name = model.partition(":")
        return self._prices.cost_usd(provider, name, usage)

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Report every call to ``observer`` (metrics, traces) until the returned function is called."""
        self._observers.append(observer)
        return partial(self._observers.remove, observer)

    def note_outcome(self, purpose: str, error: LLMError | None) -> None:
        """Count failures in a row of work beside the answer; a success ends the count."""
        if error is None:
            self._streaks.pop(purpose, None)
            return
        count = self._streaks.get(purpose, (0, ""))[0] + 1
        self._streaks[purpose] = (count, error.message)
        if count == MOST_FAILURES:
            log.warning("llm_purpose_fails", purpose=purpose, code=error.code.value, reason=error.message)

    def trouble(self, purpose: str) -> str:
        """Return why work of ``purpose`` keeps failing; empty unless it has failed three times in a row."""
        count, message = self._streaks.get(purpose, (0, ""))
        if count < MOST_FAILURES:
            return ""
        # No running number: the same trouble reads the same in every answer and in every run of an evaluation.
        return f"{purpose} failed at least {MOST_FAILURES} times in a row: {message}"

    async def complete(self, request: LLMRequest) -> LLMResponse:
        """The whole answer. Raises ``LLMError``."""
        return await base.complete(self, request)

    async def complete_json(self, request: LLMRequest, schema: type[M]) -> tuple[M, LLMResponse]:
        """An answer that fits ``schema``. Raises ``LLMError``."""
        return await base.complete_json(self, request, schema)

    def stream(self, request: LLMRequest) -> AsyncIterator[LLMDelta]:
        """Return the answer in pieces; the last delta says who answered and why.

        Raises ``LLMError``: of the first provider that failed after its first token, or else of the last one asked.
        """
        return OpeningStream(partial(self._open, request))

    async def _open(self, request: LLMRequest) -> tuple[LLMDelta, Deltas]:
        """Return the first delta and the others, of the first provider that begins to answer."""
        if request.max_output_tokens is None:
            request = request.model_copy(update={"max_output_tokens": self._limits.max_output_tokens})
        if drawn := base.sample.get():
            request = request.model_copy(update={"repeat": request.repeat or drawn})
        failures: list[str] = []
        spent: list[Usage] = []
        lanes = self._lanes_for(request)
        for lane in lanes:
            reason = f"{base.FALLBACK}{', '.join(failures)}" if failures else self._why
            try:
                return await self._begin(lane, request, reason, spent, failures)
            except RomaError as error:
                if error.code is ErrorCode.LLM_CONTEXT_LENGTH or lane is lanes[-1]:
                    self._report_failure(lane, error, failures)
                    raise
                self._warn(lane, error, "llm_fallback")
                failures.append(f"{lane.provider.name} {error.code.value}")
        raise LLMError(
            "No language model is configured: set LLM_PROVIDER, or LLM_API_KEY, or LLM_BASE_URL.",
            ErrorCode.LLM_BAD_REQUEST,
        )

    def _report_failure(
        self, lane: Lane, error: RomaError, failures: Sequence[str], *, is_partial: bool = False
    ) -> None:
        """Note in ``error`` whose it is and which providers had failed before, and log it."""
        self._warn(lane, error, "llm_failed")
        error.details["provider"] = lane.provider.name
        if is_partial:
            error.details["partial"] = True
        if failures:
            error.details["tried"] = list(failures)

    def _warn(self, lane: Lane, error: RomaError, event: str) -> None:
        """Log once what is wrong with a provider, and where it is.

        The client learns neither its address nor, when another provider answers, more than the code.
        """
        provider, code = lane.provider, error.code.value
        if (provider.name, error.code) not in self._warned:
            self._warned.add((provider.name, error.code))
            log.warning(event, provider=provider.name, endpoint=provider.endpoint, code=code, reason=error.message)

    async def ready(self) -> None:
        """Load what the first call of each provider needs; makes no call."""
        for lane in self._lanes:
            await lane.provider.ready()

    async def health(self) -> ComponentHealth:
        """Return whether questions are answered, and by whom. Asks no model, so it costs nothing.

        ``degraded`` when one of the providers is unavailable and another answers, ``down`` when none does.
        """
        if not self._lanes:
            details = {"provider": self._stand_in, "model": "", "prices": self._prices.source}
            return ComponentHealth(name="llm", state="ok", reason=self._why, details=details)
        found = await asyncio.gather(*(_state_of(lane) for lane in self._lanes))
        states = {lane.provider.name: status for lane, status in zip(self._lanes, found, strict=True)}
        away = [status.reason.rstrip(".") for status in found if status.state != "ok"]
        answers = next((name for name, status in states.items() if status.state != "down"), self._stand_in)
        then = [f"{answers} answers" if answers else "no other is left"] if self.name != answers else []
        troubles = [*filter(None, map(self.trouble, self._streaks)), *filter(None, map(_cut_prompts, self._lanes))]
        is_whole = not away and not troubles
        return ComponentHealth(
            name="llm",
            state="ok" if is_whole else "degraded" if answers else "down",
            reason="; ".join([*away, *then, *troubles]) or self._why,
            details={
                "provider": self._lanes[0].vendor,
                "model": self._lanes[0].model,
                "providers": {name: status.state for name, status in states.items()},
                "breakers": {lane.provider.name: lane.breaker.state for lane in self._lanes},
                "concurrency": {lane.provider.name: lane.limiter.allowed for lane in self._lanes},
                "waiting": {lane.provider.name: lane.limiter.waiting for lane in self._lanes if lane.limiter.waiting},
                "cut_prompts": {lane.provider.name: lane.cut_prompts for lane in self._lanes if lane.cut_prompts},
                "traits": {lane.provider.name: traits for lane in self._lanes if (traits := _traits(lane))},
                "unread_bytes": {lane.provider.name: lane.unread_bytes for lane in self._lanes if lane.unread_bytes},
                "prices": self._prices.source,
            },
        )

    async def close(self) -> None:
        for lane in (*self._lanes, *self._named.values()):
            await lane.provider.aclose()
        await asyncio.to_thread(self._budgets.close)
        if self._answers is not None:
            self._answers.close()

    def _lane(self, provider: Provider) -> Lane:
        key, limits = provider.endpoint, self._limits
        breaker = self._breakers.setdefault(key, Breaker(provider.name.partition(":")[0], rest_s=limits.breaker_rest_s))
        limiter = self._limiters.get(key)
        if limiter is None:
            limiter = self._limiters[key] = Limiter(
                provider.name.partition(":")[0],
                limits.requests_per_minute,
                limits.tokens_per_minute,
                limits.max_concurrency,
            )
        return Lane(provider, breaker, limiter)

    def _lanes_for(self, request: LLMRequest) -> list[Lane]:
        """Return who is asked, in order."""
        configured = {self.name, self._lanes[0].model} if self._lanes else set()
        if request.model is None or request.model in configured:
            return self._lanes
        named = self._by_name(request.model)
        return [named, *(lane for lane in self._lanes if lane is not named)]

    def _by_name(self, spec: str) -> Lane:
        """The lane of ``provider:model``, or of a model of the first provider."""
        vendor = spec.partition(":")[0]
        full = (
            spec if vendor in declared_names("roma.providers") or not self._lanes else f"{self._lanes[0].vendor}:{spec}"
        )
        for lane in self._lanes:
            if lane.provider.name == full:
                return lane
        if full not in self._named:
            if self._make is None:
                raise LLMError(f"This service has no model {spec}.", ErrorCode.LLM_NOT_FOUND)
            self._named[full] = self._lane(self._make(full))
        return self._named[full]

    async def _begin(
        self, lane: Lane, request: LLMRequest, reason: str, spent: list[Usage], failures: Sequence[str]
    ) -> tuple[LLMDelta, Deltas]:
        """First delta and rest of one provider's answer: kept, or given after as many attempts as the policy allows."""
        key = request_key(lane.provider.fingerprint, request) if self._answers else ""
        kept = await asyncio.to_thread(self._answers.get, key) if self._answers and self._answers.reads else None
        if kept is not None:
            replayed = self._replay(lane, request, kept, reason)
            return await anext(replayed), replayed
        await lane.provider.ready()
        numbers = itertools.count(1)
        queue_until = asyncio.get_running_loop().time() + self._limits.queue_s

        async def start() -> tuple[LLMDelta, Deltas]:
            attempt = Attempt(lane, request, next(numbers), self._limits, queue_until)
            stream = self._attempt(attempt, reason, key, spent, failures)
            try:
                return await anext(stream), stream
            except BaseException as error:
                await stream.aclose()
                if isinstance(error, RomaError) and not attempt.outcome:  # breaker, limits or budget: never sent
                    attempt.outcome = error.code.value
                    self._record_call(attempt, Usage())
                raise

        policy = RetryPolicy(attempts=self._limits.attempts)
        last_start = queue_until + self._limits.first_token_s
        return await retrying(start, policy=policy, deadline=last_start, retry_if=_may_retry)

    async def _attempt(
        self, attempt: Attempt, reason: str, key: str, spent: list[Usage], failures: Sequence[str]
    ) -> Deltas:
        """One call with all that is taken before and given back after it. The last delta carries the finish marker.

        Thoughts that use up the whole limit are followed by a second call with room for them.
        """
        lane = attempt.lane
        lane.breaker.admit()
        second: Attempt | None = attempt
        try:
            while second is not None:
                attempt, second = second, None
                tokens = attempt.most_in // 4 + attempt.most_out
                async with (
                    lane.limiter.slot(tokens, attempt.queue_until) as slot,
                    self._reserve_money(attempt) as money,
                ):
                    warming = self._warm_prices(lane)
                    attempt.begin()
                    try:
                        async with CallStream(attempt) as deltas:
                            while (delta := await deltas.next()) is not None:
                                if delta.text or delta.reasoning or delta.restart:
                                    yield delta if delta.finish_reason is None else LLMDelta(delta.text)
                        await warming
                        done = self._account_answer(attempt, slot, money, reason, spent)
                    except RomaError as error:
                        self._account_failure(attempt, slot, money, error, spent)
                        second = self._plan_second(attempt, error, failures)
                        if second is None:
                            raise
                    except BaseException as error:
                        self._account_failure(attempt, slot, money, error, spent)
                        raise
            if self._answers is not None and may_be_kept(attempt.request, attempt.text, done.finish_reason or ""):
                await asyncio.to_thread(self._answers.put, key, attempt.as_cached_response())
            yield done
        finally:
            if attempt.outcome == "":  # stopped before it was sent
                lane.breaker.note_abandoned()

    def _plan_second(self, attempt: Attempt, error: RomaError, failures: Sequence[str]) -> Attempt | None:
        """Return the call that follows on a failed one, if any. A failure behind the first words is reported."""
        second = attempt.second_attempt(error)
        if second is None and (attempt.parts or attempt.thoughts):
            self._report_failure(attempt.lane, error, failures, is_partial=True)
        return second

    @asynccontextmanager
    async def _reserve_money(self, attempt: Attempt) -> AsyncIterator[Hold]:
        """Money for the call, reserved at its worst case. SQLite is waited for in a thread."""
        accounts = self._budgets.accounts(attempt.request.session_id, attempt.request.tenant, payer.get())
        if not accounts:
            yield Hold()
            return
        lane = attempt.lane
        await self._warm_prices(lane)
        worst = self._prices.worst_usd(lane.vendor, lane.model, attempt.most_in, attempt.most_out)
        limits = self._limits
        lease_s = LEASE_SPARE_S + limits.first_token_s + limits.thinking_s + limits.total_s
        reserving = asyncio.ensure_future(
            asyncio.to_thread(self._budgets.reserve, accounts, worst, lane.provider.name, lease_s)
        )
        try:
            hold = await asyncio.shield(reserving)
        except asyncio.CancelledError:
            reserving.add_done_callback(self._release_money)
            raise
        try:
            yield hold
        finally:
            await self._settle_money(hold)

    async def _settle_money(self, hold: Hold) -> None:
        """Settle a reservation. One that cannot be written stays at its worst case: the answer was paid for."""
        try:
            await asyncio.shield(asyncio.to_thread(self._budgets.settle, hold))
        except StoreError as error:
            log.warning("budget_not_settled", code=error.code.value, reserved_usd=hold.worst_usd)

    def _warm_prices(self, lane: Lane) -> asyncio.Future[None]:
        """Have the price table read beside the first call rather than after it."""
        loop = asyncio.get_running_loop()
        if self._warmed:
            done = loop.create_future()
            done.set_result(None)
            return done
        self._warmed = True
        return loop.run_in_executor(None, self._prices.warm)

    def _release_money(self, reserving: asyncio.Future[Hold]) -> None:
        """The caller left while the money was being reserved: nothing was called."""
        if not reserving.cancelled() and reserving.exception() is None:
            hold = reserving.result()
            hold.cost_usd = 0.0
            self._budgets.settle(hold)

    def _account_answer(self, attempt: Attempt, slot: Slot, money: Hold, reason: str, spent: list[Usage]) -> LLMDelta:
        """Account for a stream that ended by itself. Raises ``LLMError`` when it is no whole answer."""
        lane, finish = attempt.lane, attempt.finish
        if finish is None or finish.finish_reason is None:
            raise LLMError(f"{lane.provider.name} broke off its answer.", ErrorCode.LLM_TRUNCATED)
        if not attempt.parts and finish.finish_reason not in {"refusal", "content_filter"}:
            raise _empty(attempt, finish)
        usage = self._with_cost(lane, attempt.usage())
        notes = [reason, finish.reason, self._compare_prompt(attempt, usage)]
        money.cost_usd = self._billed_usd(attempt, usage)
        slot.tokens, slot.succeeded = usage.input_tokens + usage.output_tokens, True
        lane.breaker.note_success()
        attempt.outcome = finish.finish_reason
        self._record_call(attempt, usage)
        attempt.own_usage = usage
        return finish._replace(
            text="",
            usage=Usage.total((*spent, usage)),
            provider=finish.provider or lane.vendor,
            model=finish.model or lane.model,
            reason="; ".join(note for note in notes if note),
        )

    def _compare_prompt(self, attempt: Attempt, usage: Usage) -> str:
        """Return what is to be said when the server has read only a part of the prompt; mostly nothing."""
        lane = attempt.lane
        if usage.estimated or attempt.has_pictures or not lane.note_prompt(attempt.prompt_chars, usage.input_tokens):
            return ""
        note = (
            f"{lane.provider.name} counted {usage.input_tokens} tokens for a prompt of {attempt.prompt_chars} "
            "characters, so it has read only a part; give it a longer context (Ollama: num_ctx)"
        )
        if lane.cut_prompts == 1:
            log.warning("llm_prompt_cut", provider=lane.provider.name, endpoint=lane.provider.endpoint, reason=note)
        return note

    def _account_failure(
        self, attempt: Attempt, slot: Slot, money: Hold, error: BaseException, spent: list[Usage]
    ) -> None:
        """Account for a call that ended in ``error`` or was left by its reader."""
        lane = attempt.lane
        attempt.outcome = error.code.value if isinstance(error, RomaError) else "cancelled"
        if isinstance(error, RomaError):
            lane.breaker.note_failure(error.code, error.message)
            slot.limited = error.code is ErrorCode.LLM_RATE_LIMIT
            slot.pause_s = error.retry_after_s
        elif attempt.parts:
            lane.breaker.note_success()
        else:
            lane.breaker.note_abandoned()
        usage = Usage()
        if not (isinstance(error, RomaError) and _not_billed(error)):
            usage = self._with_cost(lane, attempt.usage())
            money.cost_usd = usage.cost_usd if not usage.estimated else None
            spent.append(usage)
        else:
            money.cost_usd = 0.0
            slot.tokens = 0
        self._record_call(attempt, usage)

    def _with_cost(self, lane: Lane, usage: Usage) -> Usage:
        return usage.model_copy(update={"cost_usd": self._prices.cost_usd(lane.vendor, lane.model, usage)})

    def _billed_usd(self, attempt: Attempt, usage: Usage) -> float | None:
        """Return the charge of the budgets; where usage was only estimated, the most that it can have been."""
        if not usage.estimated:
            return usage.cost_usd
        lane, most_out = attempt.lane, len(attempt.text.encode())
        return self._prices.worst_usd(lane.vendor, lane.model, attempt.most_in, most_out)

    def _record_call(self, attempt: Attempt, usage: Usage) -> None:
        finish, request = attempt.finish, attempt.request
        first = attempt.first_token
        unread_bytes = finish.unread_bytes if finish else 0
        if unread_bytes:
            self._note_unread(attempt.lane, unread_bytes)
        record = CallRecord(
            provider=attempt.lane.vendor,
            model=attempt.lane.model,
            purpose=request.purpose,
            outcome=attempt.outcome,
            attempt=attempt.number,
            latency_ms=(time.monotonic() - attempt.started) * 1000,
            ttft_ms=None if first is None else (first - attempt.started) * 1000,
            usage=usage,
            provider_request_id=finish.request_id if finish else None,
            endpoint=attempt.lane.provider.endpoint,
            tenant=request.tenant,
            session_id=request.session_id,
            unread_bytes=unread_bytes,
        )
        self._publish(record, request, attempt.text)
        self._count_spending(record)

    def _count_spending(self, record: CallRecord) -> None:
        """Add a call to the account of the workspace; nothing waits for the disk."""
        usage = record.usage
        thoughts = Usage(output_tokens=usage.reasoning_tokens)
        reasoning_usd = self._prices.cost_usd(record.provider, record.model, thoughts) if usage.reasoning_tokens else 0
        model = ":".join(part for part in (record.provider, record.model) if part)
        due = self.spending.add(record.tenant, payer.get(), record.purpose, model, usage, reasoning_usd)
        if due:
            asyncio.get_running_loop().run_in_executor(None, self.spending.flush)

    def _note_unread(self, lane: Lane, size_bytes: int) -> None:
        """Count what of a response could not be understood; the first time for a server it is a warning."""
        if lane.unread_bytes == 0:
            log.warning(
                "llm_unread_bytes",
                provider=lane.provider.name,
                endpoint=lane.provider.endpoint,
                unread_bytes=size_bytes,
                reason="Parts of the response were not understood; compare the answer with the server's own log.",
            )
        lane.unread_bytes += size_bytes

    async def _replay(self, lane: Lane, request: LLMRequest, kept: CachedResponse, reason: str) -> Deltas:
        started = time.monotonic()
        usage = Usage()
        for delta in replay(kept):
            usage = delta.usage or usage
            said = "; ".join(part for part in (reason, kept.reason) if part)
            yield delta if delta.finish_reason is None else delta._replace(reason=said)
        record = CallRecord(
            provider=kept.provider,
            model=kept.model,
            purpose=request.purpose,
            outcome="stop",
            attempt=0,
            latency_ms=(time.monotonic() - started) * 1000,
            ttft_ms=0.0,
            usage=usage,
            tenant=request.tenant,
            session_id=request.session_id,
            cached=True,
        )
        self._publish(record, request, kept.text)
        self._count_spending(record)

    def _publish(self, record: CallRecord, request: LLMRequest, answer: str) -> None:
        prompt = "\n".join(f"{m.role}: {m.content}" for m in request.messages)
        record.log(**({"prompt": prompt, "answer": answer} if self._log_text else {}))
        for observer in self._observers:
            observer(record)


_NO_LIST = frozenset({403, 404, 405, NOT_IMPLEMENTED})
"""Statuses with which a server, or a key that may do nothing but answer, keeps its list of models to itself."""


async def _state_of(lane: Lane) -> ComponentHealth:
    """Return the health of a provider: by the calls that were made, else by its server."""
    if lane.breaker.state != "closed":
        return ComponentHealth(
            state="down" if lane.breaker.state == "open" else "degraded", reason=lane.breaker.trouble
        )
    asked = await guarded("llm", lane.provider.health())
    if isinstance(asked, AgentFailure):
        return ComponentHealth(state="down", reason=asked.message)
    if asked.details.get("status") not in _NO_LIST:
        return asked
    if lane.breaker.proven:
        return ComponentHealth(details=asked.details)
    silent = f"{lane.provider.name} has no list of models; is LLM_BASE_URL right (most end in /v1)?"
    return ComponentHealth(state="degraded", reason=asked.reason or silent)


def _cut_prompts(lane: Lane) -> str:
    """Return that a server reads only a part of its prompts; empty while none was."""
    if not lane.cut_prompts:
        return ""
    return f"{lane.provider.name} has read only a part of {lane.cut_prompts} prompts; give it a longer context"


def _traits(lane: Lane) -> Mapping[str, Any]:
    """Return what a provider has learned about its model, where it learns."""
    return lane.provider.traits if isinstance(lane.provider, Learns) else {}


def _empty(attempt: Attempt, finish: LLMDelta) -> LLMError:
    """Return the error for an answer without a word: what used up the limit, and what to do."""
    name, cut = attempt.lane.provider.name, finish.finish_reason == "length"
    reasoning = finish.usage.reasoning_tokens if finish.usage else 0
    if attempt.thoughts or reasoning:
        message = f"{name} thought" + (" until its token limit was used up" if cut else ", but sent no answer")
        advice = "raise ROMA_LLM_THINKING_TOKENS or lower ROMA_LLM_EFFORT"
    elif cut:
        message, advice = f"{name} sent no text within its token limit", "raise ROMA_LLM_MAX_OUTPUT_TOKENS"
    else:
        message, advice = f"{name} sent no text", "ask again, or set LLM_MODEL to another model"
    return LLMError(
        f"{message}; {advice}.", ErrorCode.LLM_EMPTY, details={"thought": bool(attempt.thoughts or reasoning)}
    )


def _may_retry(error: BaseException) -> bool:
    """Not when our own breaker, limiter or patience said no: another provider is quicker than waiting."""
    local = isinstance(error, RomaError) and ("breaker" in error.details or "limit" in error.details)
    return is_recoverable(error) and not local


def _not_billed(error: RomaError) -> bool:
    """Refused with an error status, or never sent: vendors charge for neither."""
    return error.details.get("status", 0) >= 400 or error.details.get("sent") is False
