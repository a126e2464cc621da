"""The edge of the server: heads that are too large or never end, connections of one address, ends of the service."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from roma_core.api import edge
from roma_core.app import Roma
from roma_core.parts import Part

QUESTION = {"text": "When was the rope bridge built?"}


@asynccontextmanager
async def connected(service: Any) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(service.client.base_url.host, service.client.base_url.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def read_reply(reader: asyncio.StreamReader) -> tuple[int, Any]:
    """Status and JSON body of a reply behind which the server closes."""
    raw = await asyncio.wait_for(reader.read(), 60)
    head, _, body = raw.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


async def send_until_refused(writer: asyncio.StreamWriter, piece: bytes, most_bytes: int) -> int:
    """Send ``piece`` again and again until the server closes; return the bytes that went out."""
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < most_bytes:
            writer.write(piece)
            await writer.drain()
            sent += len(piece)
            await asyncio.sleep(0)
    return sent


LINE = b"X-Filler: " + b"a" * 4000 + b"\r\n"
TOO_LONG = {
    "many headers": (b"GET /health HTTP/1.1\r\nHost: x\r\n", LINE),
    "one header without an end": (b"GET /health HTTP/1.1\r\nHost: x\r\nX-Filler: ", b"a" * 4096),
    "one name without an end": (b"GET /health HTTP/1.1\r\nHost: x\r\n", b"a" * 4096),
    "an address without an end": (b"GET /", b"a" * 4096),
    "a method without an end": (b"", b"\r\n" * 2048),
    "trailers": (b"POST /query HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", LINE),
    "a trailer without an end": (
        b"POST /query HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Filler: ",
        b"a" * 4096,
    ),
    "an extension of a chunk": (
        b"POST /query HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;x=",
        b"a" * 4096,
    ),
}


@pytest.mark.parametrize("what", TOO_LONG)
async def test_a_head_ends_at_64_kilobytes(service: Any, what: str) -> None:
    begin, piece = TOO_LONG[what]
    async with connected(service) as (_, writer):
        writer.write(begin)
        sent = await send_until_refused(writer, piece, 16 << 20)
    assert sent < 8 << 20, "what is under way in the sockets is some megabytes"
    assert (await service.client.get("/health")).status_code == 200


@pytest.mark.parametrize("size, status", [(60_000, 200), (66_000, 431)])
async def test_a_head_of_nearly_64_kilobytes_is_read_and_a_larger_one_is_a_problem(
    service: Any, size: int, status: int
) -> None:
    reply = await service.client.get("/health", headers={"X-Filler": "a" * size})
    assert reply.status_code == status
    if status != 200:
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json()["failure"]["code"] == "ERR_INPUT_INVALID"
        assert "64 kB" in reply.json()["detail"]


async def test_bodies_are_not_limited_by_the_head(service: Any) -> None:
    reply = await service.client.post("/query", json={**QUESTION, "text": "bridge " * 14_000})
    assert reply.status_code == 422
    assert "over" in reply.text or "long" in reply.text


async def test_what_is_no_http_is_a_problem(service: Any) -> None:
    async with connected(service) as (reader, writer):
        writer.write(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
        status, body = await read_reply(reader)
    assert (status, body["failure"]["code"]) == (400, "ERR_INPUT_INVALID")


@pytest.mark.parametrize("begun", [b"", b"GET /health HT", b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: b\r\n"])
async def test_a_head_that_never_ends_is_closed(service: Any, begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "HEAD_TIMEOUT_S", 0.2)
    async with connected(service) as (reader, writer):
        writer.write(begun)
        status, body = await read_reply(reader)
    assert (status, body["failure"]["code"]) == (408, "ERR_INPUT_INVALID")


async def test_a_head_that_drips_does_not_move_its_deadline(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "HEAD_TIMEOUT_S", 0.3)
    async with connected(service) as (reader, writer):
        reply = asyncio.ensure_future(read_reply(reader))
        with contextlib.suppress(ConnectionError):
            for byte in b"GET /health HTTP/1.1\r\n" + b"X-A: b\r\n" * 1000:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.01)
                if reply.done():
                    break
        status, _ = await reply
    assert status == 408


async def test_a_refusal_arrives_at_a_client_that_goes_on_sending(
    service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "HEAD_TIMEOUT_S", 0.1)
    monkeypatch.setattr(edge, "LINGER_S", 60.0)
    async with connected(service) as (reader, writer):
        writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n")
        await asyncio.sleep(0.3)
        for _ in range(3):
            writer.write(LINE)
            await writer.drain()
            await asyncio.sleep(0.05)
        status, body = await read_reply(reader)
    assert (status, body["failure"]["code"]) == (408, "ERR_INPUT_INVALID")


async def test_a_refused_connection_is_closed_when_it_never_ends(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "HEAD_TIMEOUT_S", 0.1)
    monkeypatch.setattr(edge, "LINGER_S", 0.1)
    async with connected(service) as (reader, writer):
        assert (await read_reply(reader))[0] == 408
        with pytest.raises(ConnectionError):
            for _ in range(600):
                writer.write(b"a")
                await writer.drain()
                await asyncio.sleep(0.05)


async def test_the_time_for_a_head_ends_neither_answers_nor_idle_connections(
    service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "HEAD_TIMEOUT_S", 1.0)
    async with connected(service) as (reader, writer):
        for _ in range(2):
            writer.write(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
            length = next(line for line in head.lower().splitlines() if line.startswith(b"content-length"))
            await reader.readexactly(int(length.split()[1]))
            assert head.startswith(b"HTTP/1.1 200")
            await asyncio.sleep(1.2)


async def test_an_address_has_a_number_of_connections(start: Any, until: Any) -> None:
    async with start(connections_per_address=3) as service:
        async with contextlib.AsyncExitStack() as held:
            for _ in range(3):
                await held.enter_async_context(connected(service))
            await until(lambda: len(service.server.server_state.connections) == 3)
            async with connected(service) as (reader, _):
                status, body = await read_reply(reader)
            assert (status, body["failure"]["code"]) == (429, "ERR_ACCESS_RATE_LIMIT")
            assert "ROMA_CONNECTIONS_PER_ADDRESS" in body["detail"]
        await until(lambda: not service.server.server_state.connections)
        assert (await service.client.get("/health")).status_code == 200


async def test_who_waits_for_libraries_when_the_service_ends_gets_a_problem(
    start: Any, until: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("roma_core.api.serve.ANSWERS_S", 0.1)
    loading, done = threading.Event(), threading.Event()

    def build_slowly(roma: Roma) -> None:
        loading.set()
        assert done.wait(60)

    slow = Part(build_slowly, is_quick_to_build=True)
    slow.__set_name__(Roma, "slow")
    monkeypatch.setattr(Roma, "slow", slow, raising=False)
    async with start(warm=False) as service:
        try:
            asked = [
                asyncio.create_task(service.client.post("/query", json=QUESTION)),
                asyncio.create_task(service.client.post("/query", json={**QUESTION, "stream": True})),
                asyncio.create_task(service.client.get("/sessions")),
                asyncio.create_task(service.client.get("/ingest")),
            ]
            await until(lambda: len(service.server.server_state.tasks) == 4)
            service.server.should_exit = True
            replies = await asyncio.gather(*asked)
        finally:
            done.set()
    for reply in replies:
        assert (reply.status_code, reply.headers["content-type"]) == (503, "application/problem+json")
        assert reply.json()["failure"]["code"] == "ERR_STOPPED"
        assert reply.json()["failure"]["recoverable"]
    assert "Traceback" not in caplog.text


async def test_whatever_uvicorn_cancels_at_the_end_gets_a_problem(
    start: Any, until: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("roma_core.api.serve.SHUTDOWN_S", 1)
    async with start() as service:

        async def wait_for_ever() -> None:
            await asyncio.Event().wait()

        service.app.add_api_route("/stuck", wait_for_ever)
        asked = asyncio.create_task(service.client.get("/stuck"))
        await until(lambda: service.server.server_state.tasks)
        service.server.should_exit = True
        reply = await asked
    assert (reply.status_code, reply.json()["failure"]["code"]) == (503, "ERR_STOPPED")
    assert "Traceback" not in caplog.text


async def test_an_event_id_past_the_end_is_an_error_and_the_last_one_has_nothing_behind_it(
    service: Any, events_of: Any
) -> None:
    events = events_of((await service.client.post("/query", json={**QUESTION, "stream": True})).text)
    stream, _, last = events[-1]["id"].partition(":")
    for past in (int(last) + 1, 10**8, 10**20):
        reply = await service.client.post("/query", json=QUESTION, headers={"Last-Event-ID": f"{stream}:{past}"})
        assert (reply.status_code, reply.json()["failure"]["code"]) == (422, "ERR_INPUT_INVALID")
    end = await service.client.post("/query", json=QUESTION, headers={"Last-Event-ID": events[-1]["id"]})
    assert (end.status_code, end.content) == (204, b"")
    assert len(service.model.asked) == 1
