"""Models that think: their thoughts are events, never the answer, and a failure while thinking leaves the fallbacks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from roma_core.agents.prompts import all_prompts
from roma_core.errors import ErrorCode, LLMError
from roma_core.llm.base import LLMDelta, LLMRequest
from roma_core.llm.providers.fake import FakeLLM, Reply
from roma_core.llm.service import LLMService
from roma_core.types import CompleteEvent, Query, StageEvent, StreamEvent, TokenEvent
from roma_core.writers import ExtractiveWriter, GenerativeWriter

QUESTION = "When was the rope bridge built?"
ANSWER = "Built in 1902 [1]."


def thinking(**fields: Any) -> FakeLLM:
    return FakeLLM([Reply(ANSWER, thoughts="It says 1902 [2].", **fields)], name="openai:m")


async def events_of(kit: Any, model: FakeLLM, **query: Any) -> list[StreamEvent]:
    writers = [GenerativeWriter(LLMService([model]), all_prompts()), ExtractiveWriter()]
    roma = kit.roma(await kit.store(), writers=writers)
    return [event async for event in roma.stream_query(Query(text=QUESTION, **query))]


def stages(events: list[StreamEvent]) -> list[StageEvent]:
    return [event for event in events if isinstance(event, StageEvent)]


async def test_thoughts_are_an_event_and_no_part_of_the_answer(kit: Any) -> None:
    events = await events_of(kit, thinking())
    (event,) = [event for event in stages(events) if event.stage == "thinking"]
    assert (set(event.detail), event.says) == ({"seconds"}, "Thinking for 0 s …")
    assert events.index(event) < next(n for n, e in enumerate(events) if isinstance(e, TokenEvent))
    last = events[-1]
    assert isinstance(last, CompleteEvent)
    assert (last.output.answer, len(last.output.citations)) == (ANSWER, 1)


async def test_their_text_is_sent_on_request(kit: Any) -> None:
    events = await events_of(kit, thinking(), show_thinking=True)
    (event,) = [event for event in stages(events) if event.stage == "thinking"]
    assert event.detail["text"] == "It"


async def test_signs_of_thinking_come_a_second_apart(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0
    monkeypatch.setattr("roma_core.writers.generative.time", SimpleNamespace(monotonic=lambda: now_s))

    class Slow(FakeLLM):
        async def stream(self, request: LLMRequest):  # type: ignore[no-untyped-def, override]
            nonlocal now_s
            async for delta in super().stream(request):
                now_s += 0.35
                yield delta

    slow = Slow([Reply(ANSWER, thoughts="one two three four five six")], name="openai:m")
    events = await events_of(kit, slow, show_thinking=True)
    signs = [event.detail for event in stages(events) if event.stage == "thinking"]
    assert [sign["text"] for sign in signs] == ["one", " two three four"]
    assert signs[1]["seconds"] >= 1


async def test_a_model_that_fails_while_it_thinks_leaves_the_answer_to_quotes(kit: Any) -> None:
    class Breaking(FakeLLM):
        async def stream(self, request: LLMRequest):  # type: ignore[no-untyped-def, override]
            yield LLMDelta(reasoning="Hm")
            raise LLMError("It broke off.", ErrorCode.LLM_TRUNCATED)

    last = (await events_of(kit, Breaking(name="openai:m")))[-1]
    assert isinstance(last, CompleteEvent)
    assert last.output.model == "extractive"
    assert "openai:m ERR_LLM_TRUNCATED" in last.output.model_reason


async def test_words_before_a_late_mark_of_thinking_are_not_the_answer(kit: Any) -> None:
    class Late(FakeLLM):
        async def stream(self, request: LLMRequest):  # type: ignore[no-untyped-def, override]
            yield LLMDelta("It says 1902 [2].")
            yield LLMDelta(restart=True)
            yield LLMDelta(ANSWER)
            yield LLMDelta(finish_reason="stop", provider="openai", model="m")

    last = (await events_of(kit, Late(name="openai:m")))[-1]
    assert isinstance(last, CompleteEvent)
    assert last.output.answer == ANSWER


async def test_plans_that_keep_failing_are_said_in_the_answer(kit: Any) -> None:
    class Planless(FakeLLM):
        async def stream(self, request: LLMRequest):  # type: ignore[no-untyped-def, override]
            text = ANSWER if request.purpose == "answer" else "no plan"
            yield LLMDelta(text)
            yield LLMDelta(finish_reason="stop", provider="openai", model="m")

    service = LLMService([Planless(name="openai:m")])
    roma = kit.roma(await kit.store(), llm=service, planner="auto")
    outputs = [await roma.query(Query(text=QUESTION)) for _ in range(3)]
    assert [output.degraded for output in outputs] == [False, False, True]
    assert outputs[2].degraded_reasons[0].startswith("planner: plan failed at least 3 times in a row: ")
