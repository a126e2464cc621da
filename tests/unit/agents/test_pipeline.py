"""A pipeline is a value: what can be edited, what is refused, and what is derived from it."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from roma_core.agents import Context, Pipeline, Recovery, Stage, StageSpec, Then
from roma_core.agents.orchestrator import MOST_ROUNDS
from roma_core.app import build_roma
from roma_core.errors import AgentFailure, ConfigError, ErrorCode, LLMError, StoreError
from roma_core.llm.base import LLMDelta, LLMRequest, Message, complete
from roma_core.llm.providers.fake import FakeLLM, Reply
from roma_core.llm.service import LLMService
from roma_core.plugins import forget_specs
from roma_core.settings import Settings
from roma_core.types import CompleteEvent, ErrorEvent, Query, StageEvent, StreamEvent, TailorOutput, TokenEvent

BUILT = "The rope bridge of Quellfeld was built in 1902 [1]."


async def nothing(context: Context) -> None:
    """Do nothing."""


async def other(context: Context) -> None:
    """Do nothing either."""


LETTERS = Pipeline([Stage("a", nothing), Stage("b", nothing), Stage("c", nothing)])


async def output(roma: Any, question: str = "When was the rope bridge built?", **fields: Any) -> TailorOutput:
    found = await roma.query(Query(text=question, **fields))
    assert isinstance(found, TailorOutput), found
    return found


def stages_of(events: list[StreamEvent]) -> list[str]:
    return [event.stage for event in events if isinstance(event, StageEvent)]


# --- the value ---


def test_an_edit_gives_another_pipeline_and_leaves_the_first() -> None:
    assert LETTERS.insert_after("a", other).names == ("a", "other", "b", "c")
    assert LETTERS.insert_before("a", Stage("x", nothing), Stage("y", nothing)).names == ("x", "y", "a", "b", "c")
    assert LETTERS.without("a", "c").names == ("b",)
    assert LETTERS.replace("b", Stage("x", nothing)).names == ("a", "x", "c")
    assert LETTERS.names == ("a", "b", "c")


def test_stages_are_found_by_name_and_place() -> None:
    assert LETTERS["b"] is LETTERS[1]
    assert "b" in LETTERS
    assert "x" not in LETTERS
    assert (len(LETTERS), [stage.name for stage in LETTERS]) == (3, ["a", "b", "c"])
    assert repr(LETTERS) == "Pipeline(a, b, c)"
    assert "<td" in LETTERS._repr_html_()


def test_a_function_takes_the_place_of_a_stage_with_its_name_and_events() -> None:
    old = Stage("b", nothing, Recovery(2, Then.FAIL, "x"), says="Doing b …", event_at_end="done", version="1")
    new = Pipeline([old]).replace("b", other)["b"]
    assert (new.run, new.recovery, new.says, new.event_at_end) == (other, old.recovery, old.says, "done")
    assert new.fingerprint != old.fingerprint


@pytest.mark.parametrize(
    "edit",
    [
        lambda p: p.replace("rerenk", other),
        lambda p: p.insert_after("rerenk", other),
        lambda p: p.insert_before("rerenk", other),
        lambda p: p.without("rerenk"),
        lambda p: p["rerenk"],
    ],
)
def test_an_unknown_name_lists_the_known_ones(edit: Any) -> None:
    pipeline = Pipeline([Stage("retrieve", nothing), Stage("rerank", nothing)])
    with pytest.raises(ConfigError, match=r"no stage 'rerenk'. Did you mean 'rerank'\? Known: rerank, retrieve"):
        edit(pipeline)


def test_two_stages_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="two stages called 'a'"):
        LETTERS.insert_after("c", Stage("a", nothing))


def test_a_pipeline_without_a_stage_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs a stage"):
        LETTERS.without("a", "b", "c")


@pytest.mark.parametrize("name", ["", "Hyde", "my stage", "1st", "x" * 41])
def test_a_name_that_no_metric_could_have_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be called"):
        Stage(name, nothing)


def test_a_stage_is_announced_when_it_begins_unless_it_says_otherwise() -> None:
    assert (Stage("a", nothing).start_event, Stage("a", nothing).label) == ("a", "a")
    assert Stage("a", nothing, event_at_end="done").start_event == ""
    assert Stage("a", nothing, event_at_end="done").label == "done"
    assert Stage("a", nothing, event_at_start="").label == "a"


def test_the_words_after_a_stage_are_the_next_ones() -> None:
    pipeline = Pipeline([Stage("a", nothing), Stage("b", nothing), Stage("c", nothing, says="Ranking {n} of {m} …")])
    assert pipeline.words_after(0, {"n": 3}) == "Ranking 3 of the …"
    assert pipeline.words_after(2, {}) == ""


# --- identity ---


def test_version_parameters_and_source_identify_a_stage() -> None:
    same = [Stage("s", nothing).fingerprint for _ in range(2)]
    assert same[0] == same[1]
    different = {
        Stage("s", nothing).fingerprint,
        Stage("s", other).fingerprint,
        Stage("s", nothing, version="2").fingerprint,
        Stage("s", nothing, parameters={"k": 1}).fingerprint,
        Stage("s", nothing, parameters={"k": 2}).fingerprint,
    }
    assert len(different) == 5


async def test_the_pipeline_is_part_of_what_identifies_an_evaluation(workspace: Path) -> None:
    settings = Settings(workspace=workspace, embedder="fake", reranker="none")
    async with build_roma(settings, llm=LLMService([FakeLLM()])) as roma:
        plain = dict(roma.fingerprints)
        roma.pipeline = roma.pipeline.insert_before("retrieve", nothing)
        mine = dict(roma.fingerprints)
        roma.pipeline = roma.pipeline.replace("nothing", Stage("nothing", other))
        changed = dict(roma.fingerprints)
    assert "stage.nothing" not in plain and "stage.retrieve" in plain
    assert mine["pipeline"] != plain["pipeline"]
    assert mine["stage.nothing"] != changed["stage.nothing"]


async def test_a_pipeline_can_be_edited_while_it_is_built(workspace: Path) -> None:
    settings = Settings(workspace=workspace, embedder="fake", reranker="none")
    parts: dict[str, Any] = {"llm": LLMService([FakeLLM()])}
    async with build_roma(settings, pipeline=lambda p: p.without("plan"), **parts) as roma:
        assert "plan" not in roma.pipeline


# --- the driver over stages of one's own ---


async def test_a_stage_of_ones_own_is_seen_by_its_name_and_words(kit: Any) -> None:
    roma = kit.roma(await kit.store(), FakeLLM([BUILT]))
    roma.pipeline = roma.pipeline.insert_before("retrieve", Stage("hyde", nothing, says="Imagining an answer …"))
    events = await kit.events(roma)
    assert stages_of(events) == ["guarded", "planned", "hyde", "retrieved", "reranked", "writing", "verifying"]
    (own,) = [e for e in events if isinstance(e, StageEvent) and e.stage == "hyde"]
    assert own.says == "Imagining an answer …"


async def test_the_built_in_events_say_what_goes_on(kit: Any) -> None:
    events = await kit.events(kit.roma(await kit.store(), FakeLLM([BUILT])))
    says = {event.stage: event.says for event in events if isinstance(event, StageEvent)}
    found = next(e for e in events if isinstance(e, StageEvent) and e.stage == "retrieved").detail["n"]
    assert says == {
        "guarded": "Understanding the question …",
        "planned": "Looking for passages …",
        "retrieved": f"Ranking {found} passages …",
        "reranked": "Choosing passages …",
        "writing": "Writing …",
        "verifying": "Checking citations …",
    }


async def test_hyde_in_ten_lines(kit: Any) -> None:
    llm = FakeLLM(["The bridge was made of ropes.", BUILT])

    async def hyde(context: Context) -> None:
        prompt = Message(role="user", content=f"Write a short passage that answers: {context.question}")
        reply = await complete(llm, LLMRequest(messages=(prompt,)))
        context.look_up(reply.text, rank_by=context.question)

    asked: list[str] = []
    store = await kit.store()
    searched = store.lexical

    async def lexical(tenant: str, question: str, **options: Any) -> Any:
        asked.append(question)
        return await searched(tenant, question, **options)

    store.lexical = lexical
    roma = kit.roma(store, llm)
    roma.pipeline = roma.pipeline.insert_before("retrieve", hyde)
    found = await output(roma)
    assert asked == ["When was the rope bridge built?", "The bridge was made of ropes."]
    assert (found.answer, found.degraded) == (BUILT, False)


async def test_a_look_up_that_is_added_after_retrieving_gets_a_round_of_its_own(kit: Any) -> None:
    async def more(context: Context) -> None:
        context.look_up("What does the mill grind?")

    roma = kit.roma(await kit.store(), FakeLLM([BUILT]))
    roma.pipeline = roma.pipeline.insert_after("retrieve", more)
    events = await kit.events(roma)
    assert stages_of(events).count("retrieved") == 2
    assert stages_of(events).count("more") == 1
    last = events[-1]
    assert isinstance(last, CompleteEvent)
    assert {passage.chunk.uri for passage in last.output.passages} == {"bridge", "mill"}


async def test_a_stage_that_adds_look_ups_in_every_round_comes_to_an_end(kit: Any) -> None:
    async def endless(context: Context) -> None:
        context.look_up(f"What is {context.round}?")

    roma = kit.roma(await kit.store(), FakeLLM([BUILT]))
    roma.pipeline = roma.pipeline.insert_after("retrieve", Stage("endless", endless, every_round=True))
    events = await kit.events(roma)
    assert stages_of(events).count("retrieved") == MOST_ROUNDS
    assert isinstance(events[-1], CompleteEvent)


async def test_a_replaced_rerank_decides_the_order(kit: Any) -> None:
    async def backwards(context: Context) -> None:
        context.passages = tuple(reversed(context.passages))

    roma = kit.roma(await kit.store(), FakeLLM(rule=lambda _: BUILT))
    plain = await output(roma, top_k=50)
    roma.pipeline = roma.pipeline.replace("rerank", backwards)
    events = await kit.events(roma, top_k=50)
    assert "reranked" in stages_of(events)
    assert len(plain.passages) > 1
    last = events[-1]
    assert isinstance(last, CompleteEvent)
    assert {p.chunk.id for p in last.output.passages} == {p.chunk.id for p in plain.passages}
    assert "rerank" not in last.output.passages[0].scores
    assert last.output.passages[-1].scores["hybrid"] == max(p.scores["hybrid"] for p in plain.passages)


@pytest.mark.parametrize("name", ["plan", "rerank", "find", "guard_passages", "guard_answer", "guard_citations"])
async def test_an_answer_comes_without_a_stage(kit: Any, name: str) -> None:
    roma = kit.roma(await kit.store(), FakeLLM([BUILT]))
    roma.pipeline = roma.pipeline.without(name)
    assert (await output(roma)).answer == BUILT


async def test_without_verifying_nothing_is_cited(kit: Any) -> None:
    roma = kit.roma(await kit.store(), FakeLLM([BUILT]))
    roma.pipeline = roma.pipeline.without("verify")
    found = await output(roma)
    assert (found.answer, found.citations) == (BUILT.replace(" [1]", ""), ())


async def test_without_composing_there_is_an_error_that_says_so(kit: Any) -> None:
    roma = kit.roma(await kit.store(), FakeLLM([BUILT]))
    roma.pipeline = roma.pipeline.without("compose")
    found = await roma.query(Query(text="When was the rope bridge built?"))
    assert isinstance(found, AgentFailure)
    assert (found.code, "'compose'" in found.message) == (ErrorCode.CONFIG_INVALID, True)


async def test_a_failing_stage_of_ones_own_degrades_the_answer_and_is_named(kit: Any) -> None:
    async def broken(context: Context) -> None:
        raise LLMError("away")

    roma = kit.roma(await kit.store(), FakeLLM([BUILT]))
    roma.pipeline = roma.pipeline.insert_before("retrieve", broken)
    found = await output(roma)
    assert (found.answer, found.degraded_reasons) == (BUILT, ("broken: ERR_LLM_UNAVAILABLE",))


async def test_a_stage_is_tried_as_often_as_its_recovery_says(kit: Any) -> None:
    tries = 0

    async def flaky(context: Context) -> AgentFailure | None:
        nonlocal tries
        tries += 1
        return AgentFailure.of("flaky", StoreError("away")) if tries < 3 else None

    roma = kit.roma(await kit.store(), FakeLLM([BUILT]))
    roma.pipeline = roma.pipeline.insert_before("retrieve", Stage("flaky", flaky, Recovery(2)))
    assert (await output(roma)).degraded is False
    assert tries == 3


async def test_a_stage_that_must_not_fail_ends_the_query(kit: Any) -> None:
    async def broken(context: Context) -> None:
        raise StoreError("away")

    roma = kit.roma(await kit.store(), FakeLLM([BUILT]))
    strict = Stage("strict", broken, Recovery(0, Then.FAIL, "nothing"))
    roma.pipeline = roma.pipeline.insert_before("retrieve", strict)
    events = await kit.events(roma)
    last = events[-1]
    assert isinstance(last, ErrorEvent)
    assert (last.failure.agent, last.failure.code) == ("strict", ErrorCode.STORAGE_UNAVAILABLE)


async def test_a_plain_function_is_refused_in_words(kit: Any) -> None:
    def plain(context: Context) -> None:
        return None

    roma = kit.roma(await kit.store(), FakeLLM([BUILT]))
    roma.pipeline = roma.pipeline.insert_before("retrieve", plain)  # type: ignore[arg-type]
    found = await roma.query(Query(text="When?"))
    assert isinstance(found, AgentFailure)
    assert "async def" in found.message


async def test_the_deadline_holds_for_stages_of_ones_own(kit: Any) -> None:
    async def slow(context: Context) -> None:
        await asyncio.sleep(60)

    roma = kit.roma(await kit.store(), FakeLLM([BUILT]), query_timeout_s=0.05)
    roma.pipeline = roma.pipeline.insert_before("retrieve", slow)
    events = await kit.events(roma)
    last = events[-1]
    assert isinstance(last, ErrorEvent)
    assert last.failure.code is ErrorCode.TIMEOUT


async def test_a_writer_of_ones_own_streams(kit: Any) -> None:
    from roma_core.writers import Draft

    async def write(context: Context) -> AsyncIterator[str | Draft]:
        yield "It was built "
        yield "in 1902 [1]."
        yield Draft("It was built in 1902 [1].", "mine", passages_read=len(context.passages))

    roma = kit.roma(await kit.store(), FakeLLM())
    roma.pipeline = roma.pipeline.replace("write", write)
    events = await kit.events(roma)
    assert [event.text for event in events if isinstance(event, TokenEvent)] == ["It was built ", "in 1902 [1]."]
    last = events[-1]
    assert isinstance(last, CompleteEvent)
    assert last.output.model == "mine"


async def test_queries_under_way_keep_their_pipeline(kit: Any) -> None:
    roma = kit.roma(await kit.store(), FakeLLM([BUILT]))
    async with aclosing(roma.stream_query(Query(text="When was the rope bridge built?"))) as events:
        first = await anext(events)
        roma.pipeline = roma.pipeline.without("retrieve", "write", "compose")
        rest = [event async for event in events]
    assert isinstance(first, StageEvent)
    assert isinstance(rest[-1], CompleteEvent)


# --- a package's stage ---


@pytest.fixture
def installed_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A separate package with one stage: one file, and one line of its metadata."""
    (tmp_path / "roma_shout.py").write_text(
        "from roma_core.agents import Stage, StageSpec\n"
        "async def shout(context):\n"
        "    context.flags.append('shouted')\n"
        "SPEC = StageSpec('shout', lambda parts: Stage('shout', shout, says='Shouting …'), after='write')\n"
    )
    info = tmp_path / "roma_shout-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: roma-shout\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[roma.stages]\nshout = roma_shout:SPEC\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    forget_specs()


async def test_a_package_adds_a_stage_with_one_file_and_one_line(
    kit: Any, installed_stage: None, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(forget_specs)
    roma = kit.roma(await kit.store(), FakeLLM([BUILT]))
    events = await kit.events(roma)
    assert stages_of(events)[-2:] == ["shout", "verifying"]
    last = events[-1]
    assert isinstance(last, CompleteEvent)
    assert last.output.flags == ("shouted",)
    assert "source" in roma.pipeline.fingerprints["stage.shout"]


@pytest.mark.parametrize("places", [{}, {"after": "write", "before": "plan"}])
def test_a_spec_names_one_place(places: dict[str, str]) -> None:
    spec = StageSpec("s", lambda parts: Stage("s", nothing), **places)
    with pytest.raises(ConfigError, match="one stage that it goes after or before"):
        spec.insert_into(LETTERS, None)


# --- the way of a token ---


def generators_on_the_stack() -> list[str]:
    """Names of ROMA's async generators that a token passes, from the innermost."""
    names: list[str] = []
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if code.co_flags & inspect.CO_ASYNC_GENERATOR:
            names.append(code.co_qualname)
        frame = frame.f_back  # type: ignore[assignment]
    return names


async def test_a_token_passes_at_most_four_generators(workspace: Path, kit: Any) -> None:
    seen: list[list[str]] = []

    class Counting(FakeLLM):
        async def stream(self, request: LLMRequest) -> AsyncIterator[LLMDelta]:
            async for delta in super().stream(request):
                names = generators_on_the_stack()
                seen.append([name for name in names if "Counting" not in name])
                yield delta

    settings = Settings(workspace=workspace, embedder="fake", reranker="none", planner="off")
    llm = LLMService([Counting([Reply("It was built in 1902 [1].")])])
    async with build_roma(settings, llm=llm, store=await kit.store()) as roma:
        events = [event async for event in roma.stream_query("When was the rope bridge built?")]
    assert isinstance(events[-1], CompleteEvent)
    assert len(seen) > 3
    service_writer_driver = ["LLMService._attempt", "GenerativeWriter.write", "ROMAOrchestrator.stream_query"]
    assert all(names == service_writer_driver for names in seen)


def test_partial_functions_need_a_name() -> None:
    with pytest.raises(ConfigError, match="cannot be called"):
        LETTERS.insert_after("a", functools.partial(nothing))
