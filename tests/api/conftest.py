"""The service as it is deployed: real uvicorn on loopback, a Roma of fakes, a model server that speaks the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn

from roma_core.api.serve import server as make_server
from roma_core.api.tokens import TokenStore
from roma_core.app import Roma
from roma_core.chunking import chunk
from roma_core.embeddings.base import Embedder
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.ingestion import IngestProgress, OnProgress
from roma_core.llm.providers.server import FakeModelServer, Script
from roma_core.settings import Settings
from roma_core.store.base import ChunkStore
from roma_core.store.inmemory import InMemoryStore
from roma_core.types import Document, IngestionReport, IngestItem, digest

ANSWER = "The rope bridge of Quellfeld was built in 1902. [1]"
TEXT = (
    "# Rope bridge\n\nThe rope bridge of Quellfeld was built in 1902. It spans 48 metres.\n\n"
    "## Upkeep\n\nThe ropes are replaced every six years by the village council."
)
QUESTION = {"text": "When was the rope bridge built?"}


def document(name: str = "bridge", text: str = TEXT, tenant: str = "default") -> Document:
    return Document(
        id=Document.id_for(name, tenant),
        uri=name,
        title=name.title(),
        text=text,
        content_sha256=digest(text),
        parser="t/1",
    )


@dataclass
class FakeIngestion:
    """Ingests by waiting; ``steps`` are progress reports, ``effects`` what was done."""

    steps: int = 2
    step_s: float = 0.0
    effects: list[tuple[str, ...]] = field(default_factory=list)
    error: Exception | None = None

    async def ingest(
        self, sources: list[str], *, tenant: str, progress: OnProgress | None = None, **_: Any
    ) -> IngestionReport:
        for step in range(self.steps):
            if progress is not None:
                progress(IngestProgress(self.steps, step == 0, {"added": step}, per_s=1.0, uri=sources[0]))
            await asyncio.sleep(self.step_s)
        if self.error is not None:
            raise self.error
        self.effects.append(tuple(sources))
        items = tuple(IngestItem(uri=s, state="added", chunks=1) for s in sources)
        return IngestionReport(run_id="r", sources=tuple(sources), items=items)


@dataclass
class Service:
    """A running server with its parts and a client."""

    roma: Roma
    model: FakeModelServer
    client: httpx2.AsyncClient
    server: uvicorn.Server
    ingestion: FakeIngestion
    tokens: TokenStore

    @property
    def app(self) -> Any:
        return self.server.config.app


async def reached(true: Callable[[], Any], seconds: float = 60.0) -> None:
    """Wait until ``true()``; the parts under test have no event to wait for."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.fixture
def until() -> Callable[..., Any]:
    return reached


Start = Callable[..., Any]


@asynccontextmanager
async def running(
    workspace: Path,
    script: Script | None = None,
    *,
    real: bool = False,
    embedder: Embedder | None = None,
    store: ChunkStore | None = None,
    **settings: Any,
) -> AsyncIterator[Service]:
    """``real``: ingestion with its own connectors, parsers and ledger; only the embedder and the store are small."""
    said = script or Script(text=ANSWER)
    real_store, warm = settings.pop("real_store", False), settings.pop("warm", True)
    async with FakeModelServer(lambda asked: said).running() as model:
        chosen = Settings(
            workspace=workspace,
            llm_provider="openai",
            llm_model=settings.pop("llm_model", "gpt-4o-mini"),
            llm_base_url=f"{model.url}/v1",
            cache=settings.pop("cache", "off"),
            planner="off",
            rate_limit_per_minute=settings.pop("rate_limit_per_minute", 100_000),
            **settings,
        )
        store, embedder = store or InMemoryStore(), embedder or FakeEmbedder()
        held = document()
        chunks = chunk(held, embedder.count_tokens)
        if not real:
            await store.put("default", held, chunks, (await embedder.embed([c.indexed_text for c in chunks])).vectors)
        ingestion = FakeIngestion()
        parts = {"store": None if real_store else store, "embedder": embedder}
        parts |= {} if real else {"ingestion": ingestion}
        roma = Roma(chosen, **parts)
        roma.__dict__["reranker"] = None
        server = make_server(roma, port=0)
        task = asyncio.create_task(server.serve())
        await reached(lambda: server.started)
        if warm:
            await roma.warm()
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=120, trust_env=False) as client:
                yield Service(roma, model, client, server, ingestion, TokenStore(workspace, chosen.storage.server_url))
        finally:
            server.should_exit = True
            await task
            await roma.close()


@pytest.fixture
def start(workspace: Path) -> Start:
    """``async with start(...) as service``."""
    return lambda **options: running(workspace, **options)


@pytest.fixture
async def service(workspace: Path) -> AsyncIterator[Service]:
    async with running(workspace) as made:
        yield made


def parse_events(text: str) -> list[dict[str, Any]]:
    """Server-sent events: ``id``, ``event`` and ``data`` as JSON; comments are left out."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append({**fields, "data": json.loads(fields["data"])})
    return found


@pytest.fixture
def events_of() -> Callable[[str], list[dict[str, Any]]]:
    return parse_events


@pytest.fixture
def auth() -> Callable[[str], dict[str, str]]:
    return lambda secret: {"Authorization": f"Bearer {secret}"}


@pytest.fixture
def start_at() -> Start:
    """``async with start_at(workspace, ...) as service``."""
    return running
