"""No exception leaves an agent: every subclass, every public coroutine, every kind of error."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest

import roma_core.agents
from roma_core.agents.base import Agent
from roma_core.agents.citations import CitationAgent, Cited
from roma_core.agents.conversation import ConversationAgent
from roma_core.agents.guardrails import GuardrailsAgent
from roma_core.agents.memory import MemoryAgent, Recall
from roma_core.agents.orchestrator import ROMAOrchestrator
from roma_core.agents.planner import PlannerAgent
from roma_core.errors import AgentFailure, ErrorCode, LLMError, StoreError
from roma_core.types import Principal, Query, TailorOutput

ERRORS = [
    StoreError("away"),
    LLMError("refused", ErrorCode.LLM_AUTH),
    TimeoutError(),
    OSError(28, "full"),
    ValueError("x"),
]
WITHOUT_BOUNDARY = {"health"}
"""Health reports are values by themselves; whoever gathers them guards and time-boxes each."""


def subclasses(kind: type[Agent] = Agent) -> Iterator[type[Agent]]:
    for module in pkgutil.iter_modules(roma_core.agents.__path__):
        importlib.import_module(f"roma_core.agents.{module.name}")
    for sub in kind.__subclasses__():
        yield sub
        yield from subclasses(sub)


def public_methods(kind: type[Agent]) -> Iterator[tuple[str, Any]]:
    for name, method in inspect.getmembers(kind, inspect.isfunction):
        unwrapped = inspect.unwrap(method)
        streams = str(inspect.signature(method).return_annotation).startswith("AsyncGenerator")
        is_async = inspect.iscoroutinefunction(unwrapped) or streams
        if is_async and not name.startswith("_") and name not in WITHOUT_BOUNDARY:
            yield name, method


class Broken:
    """Every attribute is a call that raises: an adapter of which nothing works."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    name = "broken:broken"
    fingerprint = "broken"

    def __getattr__(self, name: str) -> Any:
        return self._raise

    def __getitem__(self, key: Any) -> Any:
        raise self._error

    def _raise(self, *_: Any, **__: Any) -> Any:
        raise self._error

    @property
    def passages(self) -> Any:
        raise self._error


def calls(kit: Any, error: Exception) -> dict[tuple[type[Agent], str], Any]:
    """One call of each public method, on an agent whose adapters all raise ``error``."""
    broken: Any = Broken(error)
    query = Query(text="q", session_id="s")
    passages = [kit.passage("Some text that is cited.")]
    memory = MemoryAgent(broken, broken, broken)
    planner = PlannerAgent(broken)
    guardrails = GuardrailsAgent()
    guardrails._modes = broken  # the rules cannot even be looked up
    talk = ConversationAgent(broken, broken, len)
    roma = kit.roma(broken, broken, embedder=broken, reranker=broken)
    return {
        (MemoryAgent, "retrieve"): lambda: memory.retrieve("q", who=Principal.local("t"), filters={}),
        (MemoryAgent, "explain"): lambda: memory.explain("q", who=Principal.local("t"), filters={}, limit=5),
        (MemoryAgent, "rerank"): lambda: memory.rerank(broken),
        (CitationAgent, "resolve"): lambda: CitationAgent(broken).resolve("Some text [1].", passages, "t"),
        (CitationAgent, "confirm"): lambda: CitationAgent(broken, entailment=broken).confirm(
            "Some text [1].", passages, "t"
        ),
        (PlannerAgent, "plan"): lambda: planner.plan("q", query),
        (PlannerAgent, "find"): lambda: planner.find("q", passages, query),
        (GuardrailsAgent, "question"): lambda: guardrails.question("q"),
        (GuardrailsAgent, "passages"): lambda: guardrails.passages(passages),
        (GuardrailsAgent, "answer"): lambda: guardrails.answer("text", passages),
        (GuardrailsAgent, "citations"): lambda: guardrails.citations(Cited("text", uncited=1)),
        (ConversationAgent, "read_question"): lambda: talk.read_question("q", query),
        (ConversationAgent, "remember"): lambda: talk.remember("q", query, TailorOutput(answer="a")),
        (ROMAOrchestrator, "query"): lambda: roma.query(query.model_copy(update={"filters": {"x": 1}})),
        (ROMAOrchestrator, "stream_query"): lambda: roma.stream_query(query),
    }


async def result_of(outcome: Any) -> Any:
    """The value of a coroutine, or the last item of a stream."""
    if inspect.isasyncgen(outcome):
        return [item async for item in outcome][-1]
    return await outcome


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
async def test_all_agents_return_agent_failure_on_error(kit: Any, error: Exception) -> None:
    for (kind, name), call in calls(kit, error).items():
        if kind is ROMAOrchestrator:
            continue  # its failures are events, as the stages' recovery says; tests/unit/orchestrator tries them
        found = await result_of(call())
        assert isinstance(found, AgentFailure), f"{kind.__name__}.{name} gave {found!r}"
        assert found.agent == kind.name
        assert found.code is AgentFailure.of("x", error).code, f"{kind.__name__}.{name}"


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
async def test_the_orchestrator_ends_in_a_terminal_event_with_everything_broken(kit: Any, error: Exception) -> None:
    for (kind, name), call in calls(kit, error).items():
        if kind is ROMAOrchestrator:
            found = await result_of(call())
            assert getattr(found, "type", "complete") in {"complete", "error"}, name
            assert isinstance(found, TailorOutput) is (name == "query")


def test_every_agent_and_method_is_tried(kit: Any) -> None:
    """A new agent or method must join ``calls``."""
    known = {(kind, name) for kind in set(subclasses()) for name, _ in public_methods(kind)}
    assert known == set(calls(kit, ValueError()))


def test_every_public_coroutine_has_a_boundary() -> None:
    own = {"query", "stream_query"}  # the orchestrator's failures are events
    for kind in set(subclasses()):
        for name, method in public_methods(kind):
            assert getattr(method, "is_boundary", False) or name in own, f"{kind.__name__}.{name}"


async def test_cancellation_is_no_failure(kit: Any) -> None:
    entered = asyncio.Event()

    class Hangs(Broken):
        async def embed_query(self, text: str) -> Any:
            entered.set()
            await asyncio.sleep(60)

        async def lexical(self, *_: Any, **__: Any) -> Any:
            return []

    hangs: Any = Hangs(ValueError())
    task = asyncio.create_task(MemoryAgent(hangs, hangs, None).retrieve("q", who=Principal.local("t"), filters={}))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_health_of_each_agent(kit: Any) -> None:
    roma = kit.roma(await kit.store())
    states = {a.name: (await a.health()).state for a in roma.agents}
    assert states == {"guardrails": "ok", "planner": "ok", "memory": "ok", "tailor": "ok", "citations": "ok"}
    assert (await MemoryAgent(await kit.store(), kit, None).health()).name == "memory"
    assert Recall("q").passages == ()
