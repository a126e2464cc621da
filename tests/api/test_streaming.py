"""The streams by themselves: keep-alive, clients that take nothing, what is kept and for how long, the wire format."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.api import sse
from roma_core.api.sse import AnswerResponse, StreamClient, Streams, encode_event, make_stopping_error
from roma_core.types import CompleteEvent, StreamEvent, TailorOutput, TokenEvent

DONE = CompleteEvent(output=TailorOutput(answer="x"))


class Client:
    """Takes messages; with ``shut`` it takes none, as a socket whose buffer is full."""

    def __init__(self, shut: bool = False) -> None:
        self.got: list[bytes] = []
        self.shut = shut
        self.left = asyncio.Event()

    async def send(self, message: Any) -> None:
        if self.shut:
            await asyncio.Event().wait()
        self.got.append(message.get("body", b""))

    async def receive(self) -> Any:
        await self.left.wait()
        return {"type": "http.disconnect"}


async def silent(closed: list[bool]) -> AsyncGenerator[StreamEvent]:
    try:
        yield TokenEvent(text="x")
        await asyncio.Event().wait()
    finally:
        closed.append(True)


async def of(*events: StreamEvent) -> AsyncGenerator[StreamEvent]:
    for event in events:
        yield event


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@given(st.text())
def test_any_text_is_one_event_and_comes_back(text: str) -> None:
    if any(0xD800 <= ord(c) <= 0xDFFF for c in text):
        return
    lines = encode_event(TokenEvent(text=text), "s:1").decode().split("\n")
    assert lines[:2] == ["id: s:1", "event: token"]
    assert lines[3:] == ["", ""]
    assert json.loads(lines[2].removeprefix("data: ")) == {"type": "token", "text": text}


async def test_an_idle_stream_is_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    streams, client, closed = Streams(), Client(), []  # type: ignore[var-annotated]
    stream = streams.start(silent(closed), "me", 0)
    await stream.attach(StreamClient(client.send), 0)
    await settle()
    await stream.beat(stream.last_write + sse.KEEP_ALIVE_S - 1)
    assert client.got[-1].startswith(b"id:")
    await stream.beat(stream.last_write + sse.KEEP_ALIVE_S + 1)
    assert client.got[-1] == b": keep-alive\n\n"
    await streams.close()
    assert closed == [True]


async def test_a_client_that_takes_nothing_is_given_up_and_stops_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "STALLED_S", 0.02)
    streams, client, closed = Streams(), Client(shut=True), []  # type: ignore[var-annotated]
    reader = StreamClient(client.send)
    stream = streams.start(silent(closed), "me", 30)
    await stream.attach(reader, 0)
    await asyncio.wait({stream.task}, timeout=60)
    assert closed == [True]
    assert reader.over.result().code == "ERR_STOPPED"
    assert b"ERR_LLM_TRUNCATED" in stream.sent[-1]


async def test_who_resumes_gets_everything_while_the_connection_before_is_stalled() -> None:
    """The first client takes nothing, so an event hangs on its way to it; the second gets it and all that follow."""
    more = asyncio.Event()

    async def events() -> AsyncGenerator[StreamEvent]:
        yield TokenEvent(text="a")
        await more.wait()
        yield TokenEvent(text="b")
        yield DONE

    streams, stalled, fresh = Streams(), Client(shut=True), Client()
    stream = streams.start(events(), "me", 30)
    before = StreamClient(stalled.send)
    await stream.attach(before, 0)
    await settle()
    await stream.attach(StreamClient(fresh.send), 0)
    more.set()
    await asyncio.wait({stream.task}, timeout=60)
    assert b"".join(fresh.got) == b"".join(stream.sent)
    assert [b"event: " + kind in b"".join(fresh.got) for kind in (b"token", b"complete")] == [True, True]
    assert before.over.result().code == "ERR_STOPPED"


async def test_a_clock_that_ran_for_one_absence_does_not_end_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    streams, closed = Streams(), []  # type: ignore[var-annotated]
    stream = streams.start(silent(closed), "me", 0.05)
    first, second = StreamClient(Client().send), StreamClient(Client().send)
    await stream.attach(first, 0)
    stream.leave(first)
    await stream.attach(second, 0)
    await asyncio.sleep(0.08)
    assert closed == []
    await streams.close()


async def test_the_end_of_the_service_is_told_to_who_reads() -> None:
    streams, client, shut, closed = Streams(), Client(), Client(shut=True), []  # type: ignore[var-annotated]
    for reads in (client, shut):
        await streams.start(silent(closed), "me", 30).attach(StreamClient(reads.send), 0)
    await settle()
    await streams.close()
    assert closed == [True, True]
    assert b"event: error" in client.got[-1] and make_stopping_error().message.encode() in client.got[-1]
    assert streams.closing.is_set()


async def test_events_that_end_without_a_terminal_one_get_one() -> None:
    streams = Streams()
    stream = streams.start(of(TokenEvent(text="x")), "me", 0)
    await asyncio.wait({stream.task})
    assert b"event: error" in stream.sent[-1]
    assert len(stream.sent) == 2


async def test_a_defect_in_the_source_is_an_error_event_without_its_words() -> None:
    async def broken() -> AsyncGenerator[StreamEvent]:
        yield TokenEvent(text="x")
        raise ZeroDivisionError("the words of a document")

    stream = Streams().start(broken(), "me", 0)
    await asyncio.wait({stream.task})
    assert b"ERR_INTERNAL" in stream.sent[-1]
    assert b"words of a document" not in stream.sent[-1]


async def test_answers_are_forgotten_after_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    naps: list[float] = []

    async def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) > 2:
            raise asyncio.CancelledError

    streams = Streams()
    stream = streams.start(of(DONE), "me", 0)
    await asyncio.wait({stream.task})
    assert streams.find(f"{stream.id}:0", "me") == (stream, 1)
    assert streams.find(f"{stream.id}:0", "you") is None
    monkeypatch.setattr(sse, "WINDOW_S", -1.0)
    monkeypatch.setattr("asyncio.sleep", nap)
    with pytest.raises(asyncio.CancelledError):
        await streams.run()
    assert streams.find(f"{stream.id}:0", "me") is None


async def test_the_number_of_kept_answers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MOST_STREAMS", 2)
    streams, closed = Streams(), []  # type: ignore[var-annotated]
    running = streams.start(silent(closed), "me", 0)
    ended = [streams.start(of(DONE), "me", 0) for _ in range(1)]
    await asyncio.wait({ended[0].task})
    another = streams.start(silent(closed), "me", 0)
    more = streams.start(silent(closed), "me", 0)
    await settle()
    assert streams.find(f"{ended[0].id}:0", "me") is None
    assert all(streams.find(f"{s.id}:0", "me") for s in (running, another, more)), "what is written is never dropped"
    await streams.close()


async def test_a_second_reader_takes_over_and_the_first_is_told() -> None:
    streams, first, second, closed = Streams(), Client(), Client(), []  # type: ignore[var-annotated]
    stream = streams.start(silent(closed), "me", 0)
    one = asyncio.create_task(AnswerResponse(stream)({}, first.receive, first.send))
    await settle()
    two = asyncio.create_task(AnswerResponse(stream, 0)({}, second.receive, second.send))
    await one
    assert first.got[-1].startswith(b"event: error\ndata: ") and b"ERR_STOPPED" in first.got[-1]
    await settle()
    assert closed == []
    second.left.set()
    await two
    await asyncio.wait({stream.task}, timeout=60)
    assert closed == [True]
