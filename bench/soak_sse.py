"""A thousand answers streamed at once: are all whole, what does one cost, and does the memory come back?

Servers, each in its own process, against the same model server (a process of its own, 30 tokens a second): ROMA, a
plain FastAPI relay of the model's stream, ROMA with its fake model inside, and that one again without the record and
the check of each answer, which a relay does not have either. What an answer costs is measured in
turns, so that the machine's other work falls on all alike; then each has its crowd. Clients are bare sockets in this
process. Each client's tokens name the client and their place, so that a missing, doubled or swapped one is seen.
"""

from __future__ import annotations

import asyncio
import gc
import json
import multiprocessing
import os
import random
import re
import resource
import socket
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from bench.report import write

CLIENTS, SLOW, ABORTS = 1000, 100, 300
TOKENS, PER_S = 25, 30
SEQUENTIAL, ROUNDS = 150, 4
GOAL_MS = 6
PATIENCE_S = 180
WINDOW_S = 5.0
"""How long answers can be replayed here; shorter than usual, to see the memory come back without waiting."""


def words(client: str) -> list[str]:
    """Return the words of a client's answer: plain words, each of which names the client and its place."""
    return [f"{_spell(int(client))}x{_spell(i)}" for i in range(TOKENS)]


def _spell(number: int) -> str:
    """Return a number in letters."""
    return "".join("abcdefghij"[int(digit)] for digit in str(number))


def asker(text: str) -> str:
    return re.findall(r"client (\d+)\b", text)[-1]


# --- the servers, each in a process of its own -----------------------------------------------------------------------


def model_process(pipe: Any) -> None:
    """The model server: chat completions at ``PER_S`` tokens a second."""
    from roma_core.llm.providers.server import Asked, FakeModelServer, Script

    def rule(asked: Asked) -> Script:
        said = " ".join(words(asker(json.dumps(asked.body))))
        return Script(text=said, word_wait_s=1 / PER_S)

    async def run() -> None:
        async with FakeModelServer(rule).running() as server:
            pipe.send(server.url)
            await asyncio.Event().wait()

    _run(run())


def bare_process(pipe: Any, model_url: str | None, workspace: str) -> None:
    """ROMA that keeps no answers and checks no citations."""
    roma_process(pipe, model_url, workspace, {"answer_days": 0, "citations": "off"})


def roma_process(pipe: Any, model_url: str | None, workspace: str, changes: Mapping[str, Any] | None = None) -> None:
    """The whole of ROMA as ``roma serve`` runs it, over a store in memory and a hash embedder."""
    from roma_core.api import sse
    from roma_core.api.serve import server
    from roma_core.app import Roma
    from roma_core.chunking import chunk
    from roma_core.embeddings.fake import FakeEmbedder
    from roma_core.llm.providers import fake
    from roma_core.settings import Settings
    from roma_core.store.inmemory import InMemoryStore
    from roma_core.types import Document, digest

    def inside(request: Any) -> fake.Reply:
        return fake.Reply(" ".join(words(asker(fake.read_question(request)))), word_wait_s=1 / PER_S)

    sse.WINDOW_S = WINDOW_S
    fake.first_passage = inside  # what the fake model says, asked through the whole LLM service

    async def run() -> None:
        wire = {"llm_provider": "openai", "llm_model": "gpt-4o-mini", "llm_base_url": f"{model_url}/v1"}
        settings = Settings(
            workspace=Path(workspace),
            cache="off",
            planner="off",
            reranker="none",
            rate_limit_per_minute=10**6,
            llm_first_token_s=PATIENCE_S,
            llm_total_s=PATIENCE_S,
            query_timeout_s=PATIENCE_S,
            llm_stall_timeout_s=PATIENCE_S,
            llm_max_concurrency=CLIENTS,
            llm_fallbacks=(),
            **(wire if model_url else {"llm_provider": "fake"}),
            **(changes or {}),
        )
        store, embedder = InMemoryStore(), FakeEmbedder()
        for i in range(20):
            uri, text = (
                f"n{i}",
                f"# Note {i}\n\nWhat client {i} wants to know is written in note {i}, for every client.",
            )
            facts = {"uri": uri, "title": f"Note {i}", "content_sha256": digest(text), "parser": "bench/1"}
            held = Document(id=Document.id_for(uri), text=text, **facts)
            chunks = chunk(held, embedder.count_tokens)
            await store.put("default", held, chunks, (await embedder.embed([c.indexed_text for c in chunks])).vectors)
        roma = Roma(settings, store=store, embedder=embedder)
        await _serve(server(roma, port=0), pipe)

    _run(run())


class Ask(BaseModel):
    """The relay's request; at module level, where FastAPI finds it."""

    text: str
    stream: bool = True


def relay_process(pipe: Any, model_url: str, _workspace: str) -> None:
    """What one writes in an afternoon: FastAPI, an HTTP client, and the model's lines passed on."""
    import httpx2
    import uvicorn
    from fastapi import FastAPI
    from fastapi.responses import StreamingResponse

    app = FastAPI()
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=CLIENTS)
    client = httpx2.AsyncClient(timeout=PATIENCE_S, limits=limits, trust_env=False)

    @app.post("/query")
    async def query(ask: Ask) -> StreamingResponse:
        async def relayed() -> AsyncIterator[str]:
            body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": ask.text}]}
            async with client.stream("POST", f"{model_url}/v1/chat/completions", json=body) as reply:
                async for line in reply.aiter_lines():
                    if line.startswith("data: {"):
                        chunk = json.loads(line[6:])
                        if chunk["choices"] and (text := chunk["choices"][0]["delta"].get("content")):
                            yield f"event: token\ndata: {json.dumps({'type': 'token', 'text': text})}\n\n"
            yield "event: complete\ndata: {}\n\n"

        return StreamingResponse(relayed(), media_type="text/event-stream")

    config = uvicorn.Config(app, port=0, log_level="warning", access_log=False, backlog=2048)
    _run(_serve(uvicorn.Server(config), pipe))


async def _serve(server: Any, pipe: Any) -> None:
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    gc.collect()
    gc.freeze()  # as roma serve does
    pipe.send(server.servers[0].sockets[0].getsockname()[1])
    await task


def _run(main: Any) -> None:
    import uvloop

    uvloop.run(main)


@contextmanager
def process(target: Callable[..., None], *args: Any) -> Iterator[tuple[Any, int]]:
    """What the process sends when it is ready, and its id."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=target, args=(theirs, *args), daemon=True)
    child.start()
    try:
        yield ours.recv(), child.pid or 0
    finally:
        child.kill()
        child.join()


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


# --- the clients -----------------------------------------------------------------------------------------------------


@dataclass
class Seen:
    """What one client saw."""

    client: int
    kind: str
    tokens: list[str] = field(default_factory=list)
    ended: str = "dropped"
    first_s: float | None = None


async def ask(port: int, client: int, kind: str) -> Seen:
    """``kind``: reader, slow (takes few bytes at a time out of a small buffer) or abort (leaves after some tokens)."""
    seen, start = Seen(client, kind), time.perf_counter()
    sock = socket.socket()
    if kind == "slow":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=256 if kind == "slow" else 2**16)
    body = json.dumps({"text": f"What does client {client} want to know?", "stream": True}).encode()
    head = (
        f"POST /query HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    )
    writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
    leave_after = random.Random(client).randint(1, TOKENS - 5) if kind == "abort" else None
    try:
        await _read(reader, seen, start, leave_after)
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()
    return seen


async def _read(reader: asyncio.StreamReader, seen: Seen, start: float, leave_after: int | None) -> None:
    held = b""
    while piece := await reader.read(200 if seen.kind == "slow" else 65536):
        held += piece
        if seen.kind == "slow":
            await asyncio.sleep(0.02)
        *blocks, held = held.split(b"\n\n")
        for block in blocks:
            if b"event: token" in block:
                if seen.first_s is None:
                    seen.first_s = time.perf_counter() - start
                data = block[block.index(b"data: ") + 6 :].partition(b"\r\n")[0]
                seen.tokens += json.loads(data)["text"].split()
            elif b"event: complete" in block or b"event: error" in block:
                code = re.search(rb"ERR_\w+", block)
                seen.ended = "complete" if b"event: complete" in block else code[0].decode() if code else "error"
            if leave_after is not None and len(seen.tokens) >= leave_after:
                seen.ended = "left"
                return


def verdict(seen: Seen) -> str:
    """ok, or what is wrong with what a client saw."""
    wanted = words(str(seen.client))
    if seen.kind == "abort":
        return "ok" if seen.ended == "left" and seen.tokens == wanted[: len(seen.tokens)] else "wrong before it left"
    if seen.ended != "complete":
        return seen.ended
    if seen.tokens == wanted:
        return "ok"
    if any(n > 1 for n in Counter(seen.tokens).values()):
        return "doubled"
    return "missing" if set(seen.tokens) < set(wanted) else "swapped"


def kinds() -> list[str]:
    mixed = ["slow"] * SLOW + ["abort"] * ABORTS + ["reader"] * (CLIENTS - SLOW - ABORTS)
    random.Random(7).shuffle(mixed)
    return mixed


# --- the runs --------------------------------------------------------------------------------------------------------


async def cost(port: int, pid: int) -> float:
    """CPU milliseconds of the server for one answer of ``TOKENS`` tokens, over ``SEQUENTIAL`` with 50 at once."""
    gate = asyncio.Semaphore(50)

    async def one(i: int) -> Seen:
        async with gate:
            return await ask(port, i, "reader")

    before = cpu_s(pid)
    seen = await asyncio.gather(*(one(i) for i in range(SEQUENTIAL)))
    wrong = Counter(map(verdict, seen))
    assert wrong == {"ok": SEQUENTIAL}, wrong
    return (cpu_s(pid) - before) / SEQUENTIAL * 1000


async def crowd(port: int, pid: int) -> tuple[list[Seen], float, float]:
    """All clients at once; the server's peak memory and the seconds it took."""
    peak, start = 0.0, time.perf_counter()
    running = asyncio.gather(*(ask(port, i, kind) for i, kind in enumerate(kinds())))
    while not running.done():
        peak = max(peak, rss_mb(pid))
        await asyncio.wait({running}, timeout=0.2)
    return running.result(), peak, time.perf_counter() - start


async def costs(servers: Mapping[str, tuple[int, int]]) -> dict[str, float]:
    """The median of ``ROUNDS`` by server (port, process id), measured in turns; one more round before warms them up."""
    found: dict[str, list[float]] = {name: [] for name in servers}
    for _ in range(ROUNDS + 1):
        for name, (port, pid) in servers.items():
            found[name].append(await cost(port, pid))
    return {name: statistics.median(rounds[1:]) for name, rounds in found.items()}


async def measure(port: int, pid: int) -> dict[str, object]:
    """What a second crowd meets and leaves behind."""
    forgotten_s = WINDOW_S + 3  # what can be replayed is kept that long
    await crowd(port, pid)  # the first crowd grows pools and caches that every later one uses
    await asyncio.sleep(forgotten_s)
    before = rss_mb(pid)
    cpu_before = cpu_s(pid)
    seen, peak, seconds = await crowd(port, pid)
    spent = cpu_s(pid) - cpu_before
    await asyncio.sleep(forgotten_s)
    wrong = Counter(map(verdict, seen))
    firsts = sorted(s.first_s for s in seen if s.first_s is not None)
    after = rss_mb(pid)
    return {
        "answers whole": f"{wrong['ok']} of {CLIENTS}",
        "wrong": ", ".join(f"{n} {what}" for what, n in wrong.items() if what != "ok") or "none",
        "P95 first token, s": firsts[int(len(firsts) * 0.95)] if firsts else None,
        "all done, s": seconds,
        "CPU s of the crowd": spent,
        "RSS before, MiB": before,
        "peak": peak,
        "after": after,
        "after / before": after / before,
    }


async def table(servers: Mapping[str, tuple[int, int]], reference: str) -> list[dict[str, object]]:
    cpu_ms = await costs(servers)
    rows = []
    for name, (port, pid) in servers.items():
        times = {"times the relay's": cpu_ms[name] / cpu_ms[reference]} if reference in cpu_ms else {}
        row = {"server": name, f"CPU ms per {TOKENS}-token answer": cpu_ms[name], **times, **await measure(port, pid)}
        print(row, file=sys.stderr, flush=True)
        rows.append(row)
    return rows


def main() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    wanted = os.environ.get("SOAK_SSE", "wire,relay,inside,bare").split(",")
    with ExitStack() as stack:
        model_url, _ = stack.enter_context(process(model_process))
        servers: dict[str, tuple[str, Callable[..., None], str | None]] = {
            "wire": ("ROMA, whole, model over HTTP", roma_process, model_url),
            "relay": ("plain FastAPI relay, model over HTTP", relay_process, model_url),
            "inside": ("ROMA, whole, fake model inside", roma_process, None),
            "bare": ("the same without records and checks", bare_process, None),
        }
        running: dict[str, tuple[int, int]] = {}
        for name in wanted:
            title, target, url = servers[name]
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            running[title] = stack.enter_context(process(target, url, folder))
        rows = asyncio.run(table(running, servers["relay"][0]))
    write(
        "sse",
        f"{CLIENTS} streamed answers at once",
        rows,
        f"{SLOW} of the clients read slowly, {ABORTS} leave in the middle; the model writes {PER_S} tokens a second. "
        "ROMA's CPU holds everything: gate, guardrails, retrieval, the check of each statement, the record of each "
        "answer on the disk, events, and over HTTP the vendor's SDK. "
        f"It is the median of {ROUNDS} rounds of {SEQUENTIAL} answers, the servers taking turns; the goal is at most "
        f"{GOAL_MS} ms with the model inside. Raised for the crowd: as many model calls at once as clients, every "
        f"deadline {PATIENCE_S} s, no limit on requests a minute. All processes share "
        "the cores: the model server and the clients take most of them while a crowd is served.",
        ["fastapi", "uvicorn", "openai"],
    )


if __name__ == "__main__":
    main()
