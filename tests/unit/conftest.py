"""A small corpus, an orchestrator over fakes, and adapters that fail on demand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from roma_core.agents.build import build_orchestrator
from roma_core.agents.orchestrator import ROMAOrchestrator
from roma_core.chunking import chunk
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.llm.providers.fake import FakeLLM
from roma_core.rerank import FakeReranker
from roma_core.settings import Settings
from roma_core.store.inmemory import InMemoryStore
from roma_core.types import Chunk, Document, Query, ScoredChunk, StreamEvent, TokenEvent, digest

TEXTS = {
    "bridge": "# Rope bridge\n\nThe rope bridge of Quellfeld was built in 1902. It spans 48 metres.\n\n"
    "## Upkeep\n\nThe ropes are replaced every six years by the village council.",
    "mill": "# Water mill\n\nThe mill of Quellfeld grinds rye. It has two wheels and does not run in winter.",
}


class Flaky:
    """Passes calls on to ``inner``; the methods named in ``failures`` raise their errors first, one a call."""

    def __init__(self, inner: Any, **failures: list[BaseException]) -> None:
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


class Kit:
    """What the tests of this folder build with."""

    Flaky = Flaky

    @staticmethod
    def document(name: str, text: str) -> Document:
        return Document(
            id=Document.id_for(name),
            uri=name,
            title=name.title(),
            text=text,
            content_sha256=digest(text),
            parser="test/1",
        )

    async def put(self, store: InMemoryStore, name: str, text: str, tenant: str = "default") -> Document:
        held, embedder = self.document(name, text), FakeEmbedder()
        chunks = chunk(held, embedder.count_tokens)
        await store.put(tenant, held, chunks, (await embedder.embed([c.indexed_text for c in chunks])).vectors)
        return held

    async def store(self, texts: dict[str, str] | None = None) -> InMemoryStore:
        store = InMemoryStore()
        for name, text in (TEXTS if texts is None else texts).items():
            await self.put(store, name, text)
        return store

    def passage(self, text: str, *, rank: int = 1, name: str = "doc", start: int = 0, **fields: Any) -> ScoredChunk:
        held = Chunk(
            id=digest(name, text)[:16],
            document_id=Document.id_for(name),
            uri=name,
            title=fields.pop("title", name.title()),
            text=text,
            start=start,
            end=start + len(text),
            **fields,
        )
        return ScoredChunk(chunk=held, score=1.0, rank=rank, retriever="test")

    def roma(self, store: Any, llm: Any = None, **parts: Any) -> ROMAOrchestrator:
        names = ("embedder", "reranker", "sessions", "prompts", "writers")
        adapters: dict[str, Any] = {"embedder": FakeEmbedder(), "reranker": FakeReranker()}
        adapters |= {name: parts.pop(name) for name in names if name in parts}
        settings = Settings.load(**({"planner": "off"} | parts))
        llm = None if "writers" in adapters else llm or FakeLLM()
        return build_orchestrator(settings, store=store, llm=llm, **adapters)

    async def events(
        self, roma: ROMAOrchestrator, question: str = "When was the rope bridge built?", **fields: Any
    ) -> list[StreamEvent]:
        return [event async for event in roma.stream_query(Query(text=question, **fields))]

    @staticmethod
    def tokens(events: list[StreamEvent]) -> str:
        return "".join(e.text for e in events if isinstance(e, TokenEvent))


@pytest.fixture
def kit() -> Kit:
    return Kit()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries wait in earnest; tests look at how often, not at how long."""
    monkeypatch.setattr("roma_core.agents.orchestrator.FIRST_WAIT_S", 0.0)


@pytest.fixture(params=["sqlite", "postgresql"])
def sessions_url(request: Any, tmp_path: Path) -> Iterator[str]:
    """An empty database of either kind; PostgreSQL's is a schema of its own that goes when the test ends."""
    from roma_core.sessions.service import database_url

    if request.param == "sqlite":
        yield database_url(tmp_path / "workspace")
        return
    yield request.getfixturevalue("postgres_url")


@pytest.fixture
async def sessions(sessions_url: str) -> AsyncIterator[Any]:
    from roma_core.sessions.service import Sessions

    held = Sessions(sessions_url)
    yield held
    await held.close()
