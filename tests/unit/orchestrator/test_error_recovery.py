"""The path of a query with fakes at the adapters: what streams, what ends it, what happens when a part is away."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from roma_core.agents.context import is_unknown
from roma_core.agents.pipeline import Then
from roma_core.agents.tailor import answer_id
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.errors import AgentFailure, EmbeddingError, ErrorCode, InputError, LLMError, StoreError
from roma_core.llm.base import FALLBACK, I_DONT_KNOW, LLMRequest
from roma_core.llm.providers.fake import FakeLLM, Reply
from roma_core.store.lance import LanceStore
from roma_core.types import CompleteEvent, Document, ErrorEvent, Principal, Query, StageEvent, TailorOutput, TokenEvent
from roma_core.writers.extractive import ExtractiveWriter
from tests.fakes.clock import StoppedClock

BUILT = "The rope bridge of Quellfeld was built in 1902 [1]."
AWAY = StoreError("The store is away.")


async def output(kit: Any, roma: Any, question: str = "When was the rope bridge built?", **fields: Any) -> TailorOutput:
    found = await roma.query(Query(text=question, **fields))
    assert isinstance(found, TailorOutput), found
    return found


async def test_stream_query_emits_tokens(kit: Any) -> None:
    text = "It was built in 1902 [1]. It spans 48 metres [1]."
    events = await kit.events(kit.roma(await kit.store(), FakeLLM([text])))
    assert len([e for e in events if isinstance(e, TokenEvent)]) > 3
    assert kit.tokens(events) == text


async def test_stream_query_emits_complete(kit: Any) -> None:
    events = await kit.events(kit.roma(await kit.store(), FakeLLM([BUILT])))
    assert [type(e) for e in events].count(CompleteEvent) == 1
    last = events[-1]
    assert isinstance(last, CompleteEvent)
    assert last.output.answer == BUILT
    assert [c.verdict for c in last.output.citations] == ["verbatim"]
    assert not last.output.degraded
    stages = [e.stage for e in events if isinstance(e, StageEvent)]
    assert stages == ["guarded", "planned", "retrieved", "reranked", "writing", "verifying"]
    times = [e.elapsed_ms for e in events if isinstance(e, StageEvent)]
    assert times == sorted(times)
    assert times[0] >= 0


async def test_stream_query_emits_error_on_failure(kit: Any) -> None:
    error = LLMError("The key was refused.", ErrorCode.LLM_AUTH)
    llm = FakeLLM([Reply("half an answer", error=error, error_after_words=2)])
    events = await kit.events(kit.roma(await kit.store(), llm))
    assert [type(e) for e in events if isinstance(e, CompleteEvent | ErrorEvent)] == [ErrorEvent]
    last = events[-1]
    assert isinstance(last, ErrorEvent)
    assert (last.failure.agent, last.failure.code) == ("tailor", ErrorCode.LLM_AUTH)
    assert llm.calls == 1, "after the first token nothing is asked again"


async def test_a_model_that_reads_less_answers_from_less_and_says_so(kit: Any) -> None:
    too_long = Reply(error=LLMError("The prompt is too long.", ErrorCode.LLM_CONTEXT_LENGTH))
    texts = {f"d{n}": f"The rope bridge of Quellfeld was built in 190{n}." for n in range(4)}
    found = await output(kit, kit.roma(await kit.store(texts), FakeLLM([too_long, "Built long ago [1] [4]."])))
    assert (len(found.passages), [c.marker for c in found.citations]) == (2, [1])
    assert found.degraded_reasons == ("llm: the model reads no more than 2 of 4 passages",)


async def test_a_cut_stream_is_an_error_not_an_answer(kit: Any) -> None:
    events = await kit.events(kit.roma(await kit.store(), FakeLLM([Reply(BUILT, finish_reason=None)])))
    assert isinstance(events[-1], ErrorEvent)
    assert events[-1].failure.code is ErrorCode.LLM_TRUNCATED


async def test_an_empty_answer_is_an_error(kit: Any) -> None:
    found = await kit.roma(await kit.store(), FakeLLM(["   "])).query(Query(text="rope bridge"))
    assert isinstance(found, AgentFailure)
    assert found.code is ErrorCode.LLM_EMPTY


async def test_orchestrator_retries_timeout(kit: Any) -> None:
    store = kit.Flaky(await kit.store(), lexical=[TimeoutError()], dense=[TimeoutError()])
    found = await output(kit, kit.roma(store, FakeLLM([BUILT])))
    assert found.answered and not found.degraded
    assert store.calls.count("lexical") == 2


async def test_orchestrator_skips_auth_failure(kit: Any) -> None:
    """A planner whose key is refused is not asked again: the question is looked up as it stands."""
    refused = Reply(error=LLMError("The key was refused.", ErrorCode.LLM_AUTH))
    llm = FakeLLM([refused, BUILT])
    found = await output(kit, kit.roma(await kit.store(), llm, planner="auto"))
    assert [r.purpose for r in llm.requests] == ["plan", "answer"]
    assert found.answer == BUILT
    assert not found.degraded


async def test_orchestrator_fallback_on_memory_failure(kit: Any) -> None:
    store = kit.Flaky(await kit.store(), lexical=[AWAY] * 9, dense=[AWAY] * 9)
    llm = FakeLLM()
    roma = kit.roma(store, llm)
    events = await kit.events(roma)
    last = events[-1]
    assert isinstance(last, CompleteEvent)
    found = last.output
    assert (found.answer, bool(found.answered), found.degraded, found.citations) == (I_DONT_KNOW, False, True, ())
    assert found.degraded_reasons == (f"memory: {ErrorCode.STORAGE_UNAVAILABLE}",)
    assert kit.tokens(events) == I_DONT_KNOW
    assert llm.calls == 0, "nothing to write from, so no model is paid"
    assert store.calls.count("lexical") == 1 + roma.pipeline["retrieve"].recovery.retries


async def test_a_store_on_disk_that_is_away_is_tried_again_and_answers_when_it_is_back(
    kit: Any, tmp_path: Path
) -> None:
    embedder = FakeEmbedder()
    disk = LanceStore(tmp_path / "store", fingerprint=embedder.fingerprint, dim=embedder.dim)
    await kit.put(disk, "bridge", "The rope bridge of Quellfeld was built in 1902.")
    store = kit.Flaky(disk, lexical=[])
    roma = kit.roma(store, FakeLLM(rule=lambda _: BUILT))
    assert (await output(kit, roma)).answer == BUILT
    (tmp_path / "store").rename(tmp_path / "away")
    store.calls.clear()
    lost = await output(kit, roma)
    assert (lost.answer, lost.degraded_reasons) == (I_DONT_KNOW, (f"memory: {ErrorCode.STORAGE_UNAVAILABLE}",))
    assert store.calls.count("lexical") == 1 + roma.pipeline["retrieve"].recovery.retries
    (tmp_path / "away").rename(tmp_path / "store")
    back = await output(kit, roma)
    assert (back.answer, back.degraded) == (BUILT, False)


async def test_a_final_failure_of_memory_is_not_tried_again(kit: Any) -> None:
    broken = StoreError("The table is corrupt.", ErrorCode.STORAGE_CORRUPT)
    store = kit.Flaky(await kit.store(), lexical=[broken] * 9, dense=[broken] * 9)
    found = await output(kit, kit.roma(store))
    assert found.degraded
    assert store.calls.count("lexical") == 1


async def test_a_wrong_filter_is_the_callers_fault(kit: Any) -> None:
    found = await kit.roma(await kit.store()).query(Query(text="bridge", filters={"colour": "red"}))
    assert isinstance(found, AgentFailure)
    assert found.code is InputError.default_code


async def test_without_the_embedder_the_lexical_order_stands(kit: Any) -> None:
    embedder = kit.Flaky(FakeEmbedder(), embed_query=[EmbeddingError("The model is away.")] * 9)
    found = await output(kit, kit.roma(await kit.store(), FakeLLM([BUILT]), embedder=embedder))
    assert found.answered and found.degraded
    assert found.degraded_reasons == (f"memory.dense: {ErrorCode.EMBEDDING_UNAVAILABLE}",)


async def test_without_the_reranker_the_fused_order_stands(kit: Any) -> None:
    from roma_core.rerank import FakeReranker

    reranker = kit.Flaky(FakeReranker(), scores=[EmbeddingError("The model is away.")] * 9)
    found = await output(kit, kit.roma(await kit.store(), FakeLLM([BUILT]), reranker=reranker))
    assert found.answered
    assert found.degraded_reasons == (f"memory.rerank: {ErrorCode.EMBEDDING_UNAVAILABLE}",)
    assert "rerank" not in found.passages[0].scores
    assert "hybrid" in found.passages[0].scores


async def test_an_unanswerable_question_gets_i_dont_know(kit: Any) -> None:
    found = await output(kit, kit.roma(await kit.store(), writers=[ExtractiveWriter()]), "What does a zebra weigh?")
    assert found.answer.startswith(I_DONT_KNOW)
    assert (bool(found.answered), found.degraded, found.citations, found.follow_ups) == (False, False, (), ())


async def test_an_empty_store_gets_i_dont_know_without_a_model_call(kit: Any) -> None:
    llm = FakeLLM()
    found = await output(kit, kit.roma(await kit.store({}), llm))
    assert (bool(found.answered), found.degraded, llm.calls) == (False, False, 0)


async def test_extractive_answers_are_quoted_word_for_word(kit: Any) -> None:
    store = await kit.store()
    found = await output(kit, kit.roma(store, writers=[ExtractiveWriter()]))
    assert found.answer.startswith("The rope bridge of Quellfeld was built in 1902.")
    assert found.model == "extractive"
    assert found.prompt_hash == ""
    (citation, *_) = found.citations
    held = await store.document("default", citation.document_id)
    assert held is not None
    assert (
        held.text[citation.start : citation.end] == citation.quote == "The rope bridge of Quellfeld was built in 1902."
    )
    assert citation.verdict == "verbatim"


async def test_a_document_that_changed_meanwhile_is_not_cited(kit: Any) -> None:
    store = await kit.store()

    class Changing(FakeLLM):
        async def stream(self, request: Any) -> Any:
            await kit.put(store, "bridge", "The bridge was torn down.")
            async for delta in super().stream(request):
                yield delta

    found = await output(kit, kit.roma(store, Changing([BUILT])))
    assert found.citations == ()
    assert "[1]" not in found.answer
    assert found.degraded
    assert "changed" in found.degraded_reasons[0]


async def test_a_store_that_leaves_while_writing_costs_the_citations_only(kit: Any) -> None:
    store = kit.Flaky(await kit.store(), document=[AWAY] * 99)
    roma = kit.roma(store, FakeLLM([BUILT]))
    found = await output(kit, roma)
    assert found.answer == "The rope bridge of Quellfeld was built in 1902."
    assert found.citations == ()
    assert found.degraded_reasons == (f"citations: {ErrorCode.STORAGE_UNAVAILABLE}",)
    assert store.calls.count("document") == 1 + roma.pipeline["verify"].recovery.retries


async def test_the_deadline_ends_a_query(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = StoppedClock(monkeypatch)

    def think_for_long(request: LLMRequest) -> Reply:
        clock.move(4.0)
        return Reply(BUILT, first_token_wait_s=30)

    llm = FakeLLM(rule=think_for_long)
    last = (await kit.events(kit.roma(await kit.store(), llm, query_timeout_s=3.0)))[-1]
    assert isinstance(last, ErrorEvent)
    assert last.failure.code is ErrorCode.TIMEOUT
    assert "ROMA_QUERY_TIMEOUT_S" in last.failure.message
    assert last.failure.recoverable
    assert llm.closed == 1


async def test_the_readers_own_time_does_not_count(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = StoppedClock(monkeypatch)
    roma = kit.roma(await kit.store(), FakeLLM([BUILT]), query_timeout_s=2.5)
    events = []
    async for event in roma.stream_query(Query(text="When was the rope bridge built?")):
        clock.move(2.6)
        await asyncio.sleep(0)
        events.append(event)
    assert isinstance(events[-1], CompleteEvent)


async def test_closing_the_stream_stops_the_model(kit: Any) -> None:
    llm = FakeLLM([Reply("one two three four five six", word_wait_s=5)])
    stream = kit.roma(await kit.store(), llm).stream_query(Query(text="rope bridge"))
    async for event in stream:
        if isinstance(event, TokenEvent):
            break
    await stream.aclose()
    assert llm.closed == 1


async def test_cancelling_the_consumer_stops_the_model(kit: Any) -> None:
    llm = FakeLLM([Reply("one two three", first_token_wait_s=30)])
    task = asyncio.create_task(kit.events(kit.roma(await kit.store(), llm)))
    while not llm.calls:  # noqa: ASYNC110  (the fake has no event to wait for)
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert llm.closed == 1


async def test_a_planned_question_is_looked_up_in_order(kit: Any) -> None:
    plan = '{"sub_questions": [{"id": 1, "question": "Which village has a rope bridge?", "needs": []},'
    plan += ' {"id": 2, "question": "What does the mill of {1} grind?", "needs": [1]}]}'
    llm = FakeLLM([plan, "Quellfeld.", "Rye [1]."])
    events = await kit.events(
        kit.roma(await kit.store(), llm, planner="auto"), "What does the mill near the bridge grind?"
    )
    assert [r.purpose for r in llm.requests] == ["plan", "find", "answer"]
    planned = next(e for e in events if isinstance(e, StageEvent) and e.stage == "planned")
    assert planned.detail["questions"] == [
        "What does the mill near the bridge grind?",
        "Which village has a rope bridge?",
        "What does the mill of {1} grind?",
    ]
    assert [e.stage for e in events if isinstance(e, StageEvent)].count("retrieved") == 2
    last = events[-1]
    assert isinstance(last, CompleteEvent)
    assert {p.chunk.uri for p in last.output.passages} == {"bridge", "mill"}
    assert last.output.usage.calls == 3


@pytest.mark.parametrize(
    "bad", ["no json", '{"sub_questions": []}', '{"sub_questions": [{"id": 1, "question": "{1}"}]}']
)
async def test_a_bad_plan_means_the_question_as_it_stands(kit: Any, bad: str) -> None:
    events = await kit.events(kit.roma(await kit.store(), FakeLLM([bad, BUILT]), planner="auto"))
    planned = next(e for e in events if isinstance(e, StageEvent) and e.stage == "planned")
    assert planned.detail["questions"] == ["When was the rope bridge built?"]
    assert isinstance(events[-1], CompleteEvent)
    assert not events[-1].output.degraded


async def test_without_a_model_nothing_is_planned_and_the_event_still_comes(kit: Any) -> None:
    events = await kit.events(kit.roma(await kit.store(), writers=[ExtractiveWriter()], planner="auto"))
    planned = next(e for e in events if isinstance(e, StageEvent) and e.stage == "planned")
    assert planned.detail["questions"] == ["When was the rope bridge built?"]
    assert isinstance(events[-1], CompleteEvent)


@pytest.mark.parametrize("reason", ["refusal", "content_filter"])
async def test_a_refusal_without_a_word_is_said_in_words(kit: Any, reason: Any) -> None:
    found = await output(kit, kit.roma(await kit.store(), FakeLLM([Reply("", finish_reason=reason)])))
    assert found.answer == "The model declined to answer this question."
    assert not found.answered
    assert found.citations == ()
    assert found.degraded


async def test_a_refusal_is_shown_as_such(kit: Any) -> None:
    llm = FakeLLM([Reply("I cannot help with that.", finish_reason="refusal")])
    found = await output(kit, kit.roma(await kit.store(), llm))
    assert not found.answered
    assert found.citations == ()
    assert "declined" in found.degraded_reasons[0]


async def test_an_answer_of_a_fallback_is_degraded(kit: Any) -> None:
    class Fallen(FakeLLM):
        async def stream(self, request: Any) -> Any:
            async for delta in super().stream(request):
                said = {"reason": f"{FALLBACK}openai:gpt-4o ERR_LLM_AUTH", "model": "second"}
                yield delta._replace(**said) if delta.finish_reason else delta

    found = await output(kit, kit.roma(await kit.store(), Fallen([BUILT])))
    assert found.answered and found.degraded
    assert found.degraded_reasons == ("llm: fallback: openai:gpt-4o ERR_LLM_AUTH",)
    assert found.model == "fake:second"


async def test_a_cut_off_answer_is_degraded(kit: Any) -> None:
    found = await output(kit, kit.roma(await kit.store(), FakeLLM([Reply(BUILT, finish_reason="length")])))
    assert found.answered
    assert "longest" in found.degraded_reasons[0]


async def test_the_same_question_gives_the_same_bytes(kit: Any) -> None:
    first = await output(kit, kit.roma(await kit.store(), FakeLLM([BUILT])))
    second = await output(kit, kit.roma(await kit.store(), FakeLLM([BUILT])))
    assert first.model_dump_json() == second.model_dump_json()
    other = await output(kit, kit.roma(await kit.store(), FakeLLM([BUILT])), persona="technical")
    assert other.answer_id != first.answer_id


async def test_another_tenants_documents_are_not_seen(kit: Any) -> None:
    found = await output(kit, kit.roma(await kit.store()), principal=Principal.local("somebody"))
    assert (bool(found.answered), found.passages) == (False, ())


async def test_filters_limit_what_is_used(kit: Any) -> None:
    mill = Document.id_for("mill")
    found = await output(kit, kit.roma(await kit.store(), FakeLLM(["Rye."])), filters={"document_id": mill})
    assert {p.chunk.document_id for p in found.passages} == {mill}


async def test_top_k_limits_the_passages(kit: Any) -> None:
    found = await output(kit, kit.roma(await kit.store(), FakeLLM([BUILT])), top_k=1)
    assert len(found.passages) == 1


async def test_an_unforeseen_error_is_an_event_too(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a secret text")

    monkeypatch.setattr("roma_core.agents.tailor.answer_id", broken)
    events = await kit.events(kit.roma(await kit.store()))
    last = events[-1]
    assert isinstance(last, ErrorEvent)
    assert last.failure.code is ErrorCode.INTERNAL
    assert "secret" not in last.failure.message


async def test_guardrails_fail_closed(kit: Any) -> None:
    pipeline = kit.roma(await kit.store()).pipeline
    guards = [stage for stage in pipeline if stage.name.startswith("guard_")]
    assert len(guards) == 4
    assert all(stage.recovery.then is Then.FAIL and not stage.recovery.retries for stage in guards)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (I_DONT_KNOW, True),
        ("I don’t know.", True),
        (f"{I_DONT_KNOW} [1]", True),
        ("I don't know the day, but it was built in 1902 [1].", False),
        ("It is known [1].", False),
        ("", False),
    ],
)
def test_is_unknown(text: str, expected: bool) -> None:
    assert is_unknown(text, 3) is expected


def test_answer_id_depends_on_the_evidence() -> None:
    from roma_core.agents.citations import Cited

    query = Query(text="q")
    assert answer_id(query, Cited("a"), "m") == answer_id(query, Cited("a"), "m")
    assert answer_id(query, Cited("a"), "m") != answer_id(query, Cited("b"), "m")
    assert answer_id(query, Cited("a"), "m") != answer_id(query, Cited("a"), "n")
