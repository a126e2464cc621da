"""The path of a query with fakes at the adapters: what streams, what ends it, what happens when a part is away."""

from __future__ import annotations

from typing import Any

from roma_core.agents.build import build_orchestrator
from roma_core.agents.orchestrator import ROMAOrchestrator
from roma_core.chunking import chunk
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.errors import ErrorCode, LLMError
from roma_core.llm.fake import FakeLLM, Reply
from roma_core.rerank import FakeReranker
from roma_core.settings import Settings
from roma_core.store.inmemory import InMemoryStore
from roma_core.types import (
    CompleteEvent,
    Document,
    ErrorEvent,
    Query,
    StageEvent,
    StreamEvent,
    TokenEvent,
    digest,
)

TEXTS = {
    "bridge": "# Rope bridge\n\nThe rope bridge of Quellfeld was built in 1902. It spans 48 metres.\n\n"
    "## Upkeep\n\nThe ropes are replaced every six years by the village council.",
    "mill": "# Water mill\n\nThe mill of Quellfeld grinds rye. It has two wheels and does not run in winter.",
}


class Flaky:
    """Passes calls on to ``inner``; the methods named in ``failures`` raise their errors first, one a call."""

    def __init__(self, inner: Any, **failures: list[Exception]) -> None:
        self.inner = inner
        self.failures = failures
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.inner, name)
        if name not in self.failures:
            return method

        async def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            if self.failures[name]:
                raise self.failures[name].pop(0)
            return await method(*args, **kwargs)

        return call


def document(name: str, text: str) -> Document:
    return Document(
        id=Document.id_for(name), uri=name, title=name.title(), text=text, content_sha256=digest(text), parser="test/1"
    )


async def filled_store(texts: dict[str, str] = TEXTS) -> InMemoryStore:
    store, embedder = InMemoryStore(), FakeEmbedder()
    for name, text in texts.items():
        held = document(name, text)
        chunks = chunk(held, embedder.count_tokens)
        await store.put("default", held, chunks, await embedder.embed([c.indexed_text for c in chunks]))
    return store


def orchestrator(store: Any, llm: Any = None, **parts: Any) -> ROMAOrchestrator:
    adapters = {"embedder": FakeEmbedder(), "reranker": FakeReranker()} | {
        k: parts.pop(k) for k in ("embedder", "reranker") if k in parts
    }
    settings = Settings.load(**({"planner": "off"} | parts))
    return build_orchestrator(settings, store=store, llm=llm or FakeLLM(), **adapters)


async def events_of(
    roma: ROMAOrchestrator, question: str = "When was the rope bridge built?", **fields: Any
) -> list[StreamEvent]:
    return [event async for event in roma.stream_query(Query(text=question, **fields))]


def tokens(events: list[StreamEvent]) -> str:
    return "".join(e.text for e in events if isinstance(e, TokenEvent))


async def test_stream_query_emits_tokens() -> None:
    roma = orchestrator(await filled_store(), FakeLLM(["It was built in 1902 [1]. It spans 48 metres [1]."]))
    events = await events_of(roma)
    pieces = [e.text for e in events if isinstance(e, TokenEvent)]
    assert len(pieces) > 3
    assert "".join(pieces) == "It was built in 1902 [1]. It spans 48 metres [1]."


async def test_stream_query_emits_complete() -> None:
    roma = orchestrator(await filled_store(), FakeLLM(["It was built in 1902 [1]."]))
    events = await events_of(roma)
    assert [type(e) for e in events].count(CompleteEvent) == 1
    last = events[-1]
    assert isinstance(last, CompleteEvent)
    assert last.output.answer == "It was built in 1902 [1]."
    assert [c.verdict for c in last.output.citations] == ["supported"]
    stages = [e.stage for e in events if isinstance(e, StageEvent)]
    assert stages == ["guarded", "planned", "retrieved", "reranked", "writing", "verifying"]
    assert not last.output.degraded


async def test_stream_query_emits_error_on_failure() -> None:
    error = LLMError("The key was refused.", ErrorCode.LLM_AUTH)
    roma = orchestrator(await filled_store(), FakeLLM([Reply("half an answer", error=error, error_after_words=2)]))
    events = await events_of(roma)
    assert [type(e) for e in events if isinstance(e, CompleteEvent | ErrorEvent)] == [ErrorEvent]
    last = events[-1]
    assert isinstance(last, ErrorEvent)
    assert (last.failure.agent, last.failure.code) == ("tailor", ErrorCode.LLM_AUTH)
    assert tokens(events) == "half an"[: len(tokens(events))]
