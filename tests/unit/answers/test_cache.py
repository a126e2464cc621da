"""The cache of answers: used while nothing has changed, never afterwards, once for many who ask at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roma_core.agents.context import Context
from roma_core.agents.pipeline import Stage
from roma_core.answers import AnswerCache, AnswerFile, AnswerIdentity, AnswerInputs
from roma_core.answers.cache import make_key, normalise_question
from roma_core.app import Roma, build_roma
from roma_core.errors import AgentFailure, ErrorCode, LLMError, RomaError
from roma_core.identity import Grantee, Resource
from roma_core.llm.base import LLMDelta, LLMRequest
from roma_core.llm.providers.fake import FakeLLM
from roma_core.settings import Settings
from roma_core.telemetry import metrics
from roma_core.types import (
    CompleteEvent,
    Document,
    Exchange,
    Principal,
    Query,
    StageEvent,
    TailorOutput,
    TokenEvent,
    digest,
)
from tests.sizes import examples

QUESTION = "When was the rope bridge built?"


class SlowLLM(FakeLLM):
    """A model that is slow enough for equal questions to meet. ``has_begun`` is set by its first call."""

    def __init__(self, wait_s: float = 0.02, error: RomaError | None = None) -> None:
        super().__init__()
        self._wait_s = wait_s
        self._error = error
        self.has_begun = asyncio.Event()

    async def stream(self, request: LLMRequest) -> AsyncGenerator[LLMDelta]:
        self.has_begun.set()
        await asyncio.sleep(self._wait_s)
        if self._error is not None:
            raise self._error
        async with aclosing(super().stream(request)) as deltas:
            async for delta in deltas:
                yield delta


@pytest.fixture
async def cached(make_roma: Callable[..., Roma], documents: Path) -> AsyncIterator[Roma]:
    async with make_roma(SlowLLM(), answer_cache="on") as made:
        await made.ingest(documents)
        yield made


def calls(roma: Roma) -> int:
    model = roma.llm
    assert isinstance(model, FakeLLM)
    return model.calls


async def ask(roma: Roma, question: str = QUESTION, **fields: object) -> TailorOutput:
    output = await roma.query(Query.model_validate({"text": question, **fields}))
    assert isinstance(output, TailorOutput)
    return output


async def test_a_repeated_question_is_answered_without_a_call_and_says_what_that_saved(cached: Roma) -> None:
    first = await ask(cached)
    again = await ask(cached)
    assert calls(cached) == 1
    assert first.saved is None
    assert again.saved is not None
    assert again.saved.calls == first.usage.calls == 1
    assert (again.saved.input_tokens, again.saved.output_tokens) == (
        first.usage.input_tokens,
        first.usage.output_tokens,
    )
    assert again.saved.cost_usd == first.usage.cost_usd == again.usage.saved_usd
    assert (again.usage.calls, again.usage.cost_usd, again.usage.cache_hits) == (0, 0.0, 1)
    changed = {"saved": None, "usage": first.usage}
    assert again.model_copy(update=changed).model_dump() == first.model_dump()
    assert again.considered == first.considered
    assert again.saved.words.startswith("from the cache of answers, which saved 1 call, ")


async def test_off_by_default(roma: Roma) -> None:
    await ask(roma)
    again = await ask(roma)
    assert again.saved is None
    assert calls(roma) == 2


async def test_a_hundred_equal_questions_at_once_are_one_call(cached: Roma) -> None:
    outputs = await asyncio.gather(*(ask(cached) for _ in range(100)))
    assert calls(cached) == 1
    assert len({output.answer for output in outputs}) == 1
    assert sum(output.saved is None for output in outputs) == 1


async def test_a_hit_streams_the_answer_after_an_event_that_says_so(cached: Roma) -> None:
    await ask(cached)
    events = [event async for event in cached.stream_query(QUESTION, record_id="hit")]
    stage, token, complete = events
    assert isinstance(stage, StageEvent)
    assert stage.stage == "cached"
    assert stage.detail["calls"] == 1
    assert isinstance(complete, CompleteEvent)
    assert isinstance(token, TokenEvent)
    assert token.text == complete.output.answer
    record = await cached.answers.get(Principal.local(), "hit")
    assert record.output is not None
    assert record.output.model_dump() == complete.output.model_dump()


async def test_another_process_finds_the_answer(cached: Roma, make_roma: Callable[..., Roma]) -> None:
    await ask(cached)
    async with make_roma(SlowLLM(), answer_cache="on") as other:
        assert (await ask(other)).saved is not None
        assert calls(other) == 0


@pytest.mark.parametrize(
    "fields",
    [{"persona": "executive"}, {"top_k": 2}, {"filters": {"title": "x"}}, {"filters": {"uri_prefix": "file:"}}],
    ids=str,
)
async def test_whatever_decides_the_answer_is_part_of_its_name(fields: dict[str, object]) -> None:
    one = Query(text=QUESTION)
    other = Query.model_validate({"text": QUESTION, **fields})
    identity = AnswerIdentity()
    assert make_key(one, identity, "1") != make_key(other, identity, "1")
    assert make_key(one, identity, "1") != make_key(one, identity, "2")
    assert make_key(one, identity, "1") != make_key(one, AnswerIdentity(prompts={"answer": "other"}), "1")


async def test_tenants_share_nothing(cached: Roma, documents: Path) -> None:
    await cached.ingest(documents, tenant="b")
    await ask(cached)
    assert (await ask(cached, principal=Principal.local("b"))).saved is None


async def test_settings_models_and_prompts_of_another_name_find_nothing(
    cached: Roma, make_roma: Callable[..., Roma], tmp_path: Path
) -> None:
    await ask(cached)
    prompt = tmp_path / "answer.md"
    own = cached.prompt_library.own["answer"]
    prompt.write_text(own.text + "\nBe brief.\n", encoding="utf-8")
    for changed in ({"lexical_weight": 0.1}, {"citations": "strict"}, {"prompts": f"answer={prompt}"}):
        async with make_roma(SlowLLM(), answer_cache="on", **changed) as other:
            assert (await ask(other)).saved is None, changed


async def test_a_turn_that_follows_another_is_answered_anew_and_a_first_one_is_remembered(cached: Roma) -> None:
    await ask(cached)
    first = await ask(cached, session_id="s")
    assert first.saved is not None
    turns = await cached.sessions.turns(Principal.local(), "s")
    assert [(turn.question, turn.answer) for turn in turns] == [(QUESTION, first.answer)]
    assert (await ask(cached, session_id="s")).saved is None
    assert (await ask(cached, history=(Exchange(question="What is it?", answer="A bridge."),))).saved is None


async def test_evaluations_are_never_answered_from_the_cache(cached: Roma) -> None:
    await ask(cached)
    output = await cached.query(QUESTION, keep=False)
    assert isinstance(output, TailorOutput)
    assert output.saved is None


async def test_a_stage_without_a_version_keeps_the_pipeline_out_of_the_cache(cached: Roma) -> None:
    extra = ["stone"]

    async def widen(context: Context) -> None:
        context.look_up(extra[0])

    plain = cached.pipeline
    cached.pipeline = plain.insert_before("retrieve", widen)
    await ask(cached)
    assert (await ask(cached)).saved is None
    cached.pipeline = plain.insert_before("retrieve", Stage("widen", widen, version="1"))
    await ask(cached)
    assert (await ask(cached)).saved is not None


async def test_when_the_one_who_asked_first_goes_away_the_next_one_writes_the_answer(
    make_roma: Callable[..., Roma], documents: Path
) -> None:
    llm = SlowLLM(wait_s=0.3)
    async with make_roma(llm, answer_cache="on") as roma:
        await roma.ingest(documents)
        first = asyncio.create_task(ask(roma))
        await llm.has_begun.wait()
        others = [asyncio.create_task(ask(roma)) for _ in range(5)]
        await asyncio.sleep(0.1)
        first.cancel()
        outputs = await asyncio.gather(*others)
        assert sum(output.saved is None for output in outputs) == 1
        assert (await ask(roma)).saved is not None


async def test_a_failure_is_not_kept_and_those_who_waited_for_it_ask_themselves(
    make_roma: Callable[..., Roma], documents: Path
) -> None:
    llm = SlowLLM(error=LLMError("It is off.", ErrorCode.LLM_AUTH))
    async with make_roma(llm, answer_cache="on") as roma:
        await roma.ingest(documents)
        outcomes = await asyncio.gather(*(roma.query(QUESTION) for _ in range(3)))
        assert [outcome.code for outcome in outcomes if isinstance(outcome, AgentFailure)] == [ErrorCode.LLM_AUTH] * 3
        assert roma.answer_cache is not None
        assert roma.answer_cache.stats().entries == 0


async def test_forgetting_a_document_takes_its_words_out_of_the_file(cached: Roma, tmp_path: Path) -> None:
    await ask(cached, top_k=1)
    files = list((tmp_path / "workspace").glob("answer-cache.sqlite*"))
    assert any(b"in 1902" in path.read_bytes() for path in files)
    document = next(iter(await cached.store.contents("default")))
    await cached.forget(document_ids=[document])
    assert not any(b"in 1902" in path.read_bytes() for path in files)


async def test_a_hit_is_counted_and_never_charged(cached: Roma) -> None:
    first = await ask(cached)
    before = await cached.spend("all")
    rendered = metrics.render_series().decode()
    await ask(cached)
    assert await cached.spend("all") == before
    name = 'roma_cache_requests_total{cache="answer",result="hit"}'
    assert count(metrics.render_series().decode(), name) == count(rendered, name) + 1
    assert first.usage.calls == 1


def count(rendered: str, name: str) -> float:
    return sum(float(line.rsplit(" ", 1)[1]) for line in rendered.splitlines() if line.startswith(name))


def test_an_old_entry_is_not_used_and_the_least_recently_used_go_first(tmp_path: Path) -> None:
    time_s = [1000.0]
    cache = AnswerCache(AnswerFile(tmp_path / "c.sqlite", 0.02), ttl_s=60, now=lambda: time_s[0])
    cache.put("old", "t", TailorOutput(answer="old"))
    assert cache.get("old") is not None
    time_s[0] += 61
    assert cache.get("old") is None
    for number in range(10):
        time_s[0] += 1
        cache.put(str(number), "t", TailorOutput(answer=f"{number} " + "x" * 4000))
        assert cache.get("0") is not None  # used all the while
    assert cache.get("1") is None
    assert cache.get("9") is not None
    assert cache.stats().bytes <= 0.02 * (1 << 20)


def test_a_damaged_file_is_a_miss(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    path.write_bytes(b"this is no database" * 100)
    cache = AnswerCache(AnswerFile(path), ttl_s=60)
    reuse = cache.open(Query(text="?"), no_inputs())
    assert asyncio.run(reuse.find()) is None
    asyncio.run(reuse.keep(TailorOutput(answer="fresh")))


def no_inputs() -> AnswerInputs:
    async def version() -> str:
        return "1"

    async def has_history() -> bool:
        return False

    return AnswerInputs(AnswerIdentity, version, has_history)


def test_a_question_is_compared_without_its_blanks_but_with_its_case_and_its_code() -> None:
    assert normalise_question("  who \t built\u00a0it? ") == "who built it?"
    assert normalise_question("cafe\u0301") == normalise_question("caf\u00e9")
    assert normalise_question("US") != normalise_question("us")
    assert normalise_question("is `a  b` it?") != normalise_question("is `a b` it?")
    assert normalise_question("if x:\n  y") != normalise_question("if x:\ny")


# A cache that answers like none

WORDS = ["granite", "timber", "copper", "limestone"]
SUBJECTS = ["bridge", "mill", "tower"]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from(SUBJECTS), st.sampled_from(WORDS)),
        st.tuples(st.just("delete"), st.sampled_from(SUBJECTS), st.just("")),
        st.tuples(st.just("prompt"), st.sampled_from(["", "Be brief.", "Be kind."]), st.just("")),
        st.tuples(st.sampled_from(["grant", "revoke"]), st.sampled_from(SUBJECTS), st.sampled_from(["anna", "bert"])),
        st.tuples(st.just("ask"), st.sampled_from(SUBJECTS), st.sampled_from(["anna", "bert"])),
        st.tuples(st.just("ask"), st.sampled_from(SUBJECTS), st.sampled_from(["anna", "bert"])),
    ),
    min_size=4,
    max_size=14,
)


async def compare_with_none(folder: Path, steps: list[tuple[str, str, str]]) -> int:
    """Run ``steps`` over one workspace with the cache and return the hits; each must equal a fresh answer."""
    sources = folder / "sources"
    sources.mkdir(parents=True)
    hits, prompts = 0, {}
    common = {"embedder": "fake", "reranker": "fake", "planner": "off"}

    def make(cache: str) -> Roma:
        chosen = Settings(workspace=folder / "w", answer_cache=cache, **common, **prompts)
        return build_roma(chosen, llm=FakeLLM(rule=repeat_prompt))

    roma, plain = make("on"), make("off")
    for action, subject, word in steps:
        path = sources / f"{subject}.md"
        if action == "write":
            path.write_text(f"# The {subject}\n\nThe {subject} is made of {word}.\n", encoding="utf-8")
            await roma.ingest(sources)
        elif action == "delete":
            path.unlink(missing_ok=True)
            await roma.ingest(sources, prune=True)
        elif action == "prompt":
            own = roma.prompt_library.own["answer"].text
            file = folder / "answer.md"
            file.write_text(own + subject, encoding="utf-8")
            prompts = {"prompts": f"answer={file}"}
            await roma.close()
            await plain.close()
            roma, plain = make("on"), make("off")
        elif action in {"grant", "revoke"}:
            resource = Resource("document", Document.id_for((sources / f"{subject}.md").as_uri(), "default"))
            if action == "grant":
                roma.grants.grant("default", resource, Grantee("user", word), by="local")
            else:
                roma.grants.revoke("default", resource, Grantee("user", word))
        else:
            caller = Principal(subject=word, roles=("reader",)) if word else Principal.local()
            query = Query(text=f"What is the {subject} made of?", principal=caller)
            answer, fresh = await roma.query(query), await plain.query(query)
            assert not isinstance(answer, AgentFailure)
            assert not isinstance(fresh, AgentFailure)
            hits += answer.saved is not None
            ours = answer.model_dump(exclude={"saved", "usage"})
            assert ours == fresh.model_dump(exclude={"saved", "usage"})
    await roma.close()
    await plain.close()
    return hits


def repeat_prompt(request: LLMRequest) -> str:
    """Return an answer that differs with every word of the prompt."""
    words = "".join(message.content for message in request.messages)
    return f"It is {digest(words)[:8]} [1]."


@pytest.mark.slow
@settings(
    max_examples=examples(5, whole=15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_no_order_of_ingests_deletions_prompts_and_grants_leaves_a_stale_answer(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, str]]
) -> None:
    asyncio.run(compare_with_none(tmp_path_factory.mktemp("stale"), steps))


def test_the_comparison_with_no_cache_sees_hits(tmp_path: Path) -> None:
    steps = [("write", "bridge", "granite"), ("ask", "bridge", ""), ("ask", "bridge", ""), ("ask", "bridge", "anna")]
    steps += [("write", "bridge", "copper"), ("ask", "bridge", ""), ("delete", "bridge", ""), ("ask", "bridge", "")]
    assert asyncio.run(compare_with_none(tmp_path, steps)) == 2


def test_a_grant_that_is_revoked_takes_the_cached_answer_with_it(tmp_path: Path) -> None:
    ask_both = [("ask", "bridge", "anna"), ("ask", "bridge", "bert")]
    steps = [("write", "bridge", "granite"), ("grant", "bridge", "anna"), *ask_both, *ask_both]
    steps += [("revoke", "bridge", "anna"), *ask_both]
    # Bert, who may read nothing of it, has the same scope as Anna after the revocation: one answer serves both.
    assert asyncio.run(compare_with_none(tmp_path, steps)) == 4
