"""The store's folder or the model server goes away while queries run: each query ends, and the service recovers."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from roma_core.api.serve import server as make_server
from roma_core.app import Roma
from roma_core.chunking import chunk
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.llm.build import build_llm
from roma_core.llm.control.attempt import Limits
from roma_core.llm.providers.server import FakeModelServer, Script
from roma_core.settings import Settings
from roma_core.store.lance import LanceStore
from roma_core.types import Document, digest

TEXT = "# Rope bridge\n\nThe rope bridge of Quellfeld was built in 1902. It spans 48 metres.\n"
ANSWER = "The rope bridge of Quellfeld was built in 1902. [1]"
CUT = "ERR_LLM_UNAVAILABLE"
"""What an answer ends with whose model went away in the middle of it: no other model may go on in its place."""
ENDS = {
    "model": {"answered", "degraded", CUT},
    "store": {"answered", "degraded"},
    "both": {"answered", "degraded", CUT},
}


class Model:
    """A model server that can be shut down and started again on the same port."""

    def __init__(self) -> None:
        self.fake = FakeModelServer(lambda asked: Script(text=ANSWER, word_wait_s=0.02))
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def up(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with suppress(ConnectionError):
            await self.fake._serve(reader, writer)
        self._writers.discard(writer)

    def down(self) -> None:
        """As after ``kill -9``: the port is shut and every connection reset."""
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()


async def ask(client: Any, n: int) -> str:
    """The terminal event of one streamed query, or what came instead."""
    body = {"text": f"When was the rope bridge built? ({n})", "stream": True}
    reply = await client.post("/query", json=body)
    ends = [line for line in reply.text.splitlines() if line in {"event: complete", "event: error"}]
    if len(ends) != 1:
        return f"{len(ends)} terminal events"
    last = json.loads(reply.text.rpartition("data: ")[2])
    if last["type"] == "error":
        return str(last["failure"]["code"])
    return (
        "degraded"
        if last["output"]["degraded"]
        else "answered"
        if last["output"]["answered"] != "unknown"
        else "unanswered"
    )


@pytest.mark.slow
@pytest.mark.parametrize("what", ["model", "store", "both"])
async def test_every_query_ends_and_the_service_recovers(
    workspace: Path, what: str, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import httpx2

    monkeypatch.setattr("roma_core.llm.build.Limits", partial(Limits, breaker_rest_s=2.0))
    model, embedder = Model(), FakeEmbedder()
    await model.up()
    settings = Settings( workspace=workspace, llm_provider="openai", llm_model="gpt-4o-mini", cache="off",
        llm_base_url=f"http://127.0.0.1:{model.port}/v1", planner="off", rate_limit_per_minute=10**6,
        llm_fallbacks=("extractive",), llm_max_attempts=2,
    )  # fmt: skip
    folder = workspace / "store"
    store = LanceStore(folder, fingerprint=embedder.fingerprint, dim=embedder.dim, model=embedder.name)
    held = Document(
        id=Document.id_for("b"), uri="b", title="Bridge", text=TEXT, content_sha256=digest(TEXT), parser="t/1"
    )
    chunks = chunk(held, embedder.count_tokens)
    await store.put("default", held, chunks, (await embedder.embed([c.indexed_text for c in chunks])).vectors)
    roma = Roma(settings, store=store, embedder=embedder, llm=build_llm(settings))
    roma.__dict__["reranker"] = None
    server = make_server(roma, port=0)
    task = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    away = folder.with_name("away")
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
            assert await ask(client, 0) == "answered"
            queries = [asyncio.create_task(_later(client, n)) for n in range(40)]
            await asyncio.sleep(0.3)
            if what in {"model", "both"}:
                model.down()
            if what in {"store", "both"}:
                folder.rename(away)
            ends = Counter(await asyncio.gather(*queries))
            assert sum(ends.values()) == 40
            assert ends.keys() <= ENDS[what], ends
            assert ends["degraded"], "nothing was asked while it was away"
            state = (await client.get("/health")).json()["state"]
            assert state == ("degraded" if what == "model" else "down"), "extractive answers need no model server"
            if what in {"model", "both"}:
                await model.up()
            if what in {"store", "both"}:
                with suppress(OSError):  # something may have been written where the folder was
                    folder.rename(folder.with_name("debris"))
                away.rename(folder)
            async with asyncio.timeout(60):
                while await ask(client, 99) != "answered":  # noqa: ASYNC110
                    await asyncio.sleep(0.5)
    finally:
        server.should_exit = True
        await task
        await roma.close()
        model.down()


async def _later(client: Any, n: int) -> str:
    await asyncio.sleep(n * 0.03)
    return await ask(client, n)
