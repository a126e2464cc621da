"""Server-sent events: an answer as it is written, resumable, stopped when nobody listens.

The task that reads ROMA's events writes them to the client itself, so a token costs no hand-over between tasks; what
was sent is kept for ``WINDOW_S`` so that ``Last-Event-ID`` can replay it (https://html.spec.whatwg.org, section
"Server-sent events"). Event ids are ``<stream>:<number>``.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from roma_core.errors import AgentFailure, ErrorCode, LLMError, guarded, request_id
from roma_core.telemetry import logs, metrics
from roma_core.types import CompleteEvent, ErrorEvent, StreamEvent, TokenEvent

WINDOW_S = 60.0
KEEP_ALIVE_S = 15.0
STALLED_S = 60.0
"""A client that takes nothing for this long counts as gone."""
MOST_STREAMS = 4096
_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
_COMMENT = b": keep-alive\n\n"
_log = logs.get("api")
_quote = json.encoder.encode_basestring  # what json.dumps does with a str, without its options


def encode(event: StreamEvent, event_id: str) -> bytes:
    """One event on the wire."""
    if isinstance(event, TokenEvent):
        data = '{"type":"token","text":' + _quote(event.text) + "}"
    elif isinstance(event, CompleteEvent):
        data = event.model_dump_json(exclude={"output": {"passages"}})
    else:
        data = event.model_dump_json()
    return f"id: {event_id}\nevent: {event.type}\ndata: {data}\n\n".encode()


class AnswerStream:
    """One answer: what was written so far, and who reads it now."""

    def __init__(self, events: AsyncGenerator[StreamEvent], owner: str, linger_s: float) -> None:
        self.id = uuid.uuid4().hex
        self.owner = owner
        self.sent: list[bytes] = []
        self.tokens = 0
        self.linger_s = linger_s
        self.last_write = time.monotonic()
        self.writing_since: float | None = None
        self._reader: Send | None = None
        self._request_id = request_id.get()
        self.task = asyncio.create_task(self._pump(events), name="answer")

    @property
    def done(self) -> bool:
        return self.task.done()

    async def _pump(self, events: AsyncGenerator[StreamEvent]) -> None:
        with metrics.open_stream():
            try:
                ended = await guarded("api", self._relay(events))
                if isinstance(ended, AgentFailure):
                    await self._write(ErrorEvent(failure=ended))
            except asyncio.CancelledError:
                # Whoever resumes is told; nobody reads now, so it is only kept.
                self._reader = None
                await self._write(ErrorEvent(failure=AgentFailure.of("api", _gone())))
                raise

    async def _relay(self, events: AsyncGenerator[StreamEvent]) -> None:
        async with aclosing(events) as source:
            async for event in source:
                await self._write(event)
                if isinstance(event, CompleteEvent | ErrorEvent):
                    return
        raise LLMError("The answer ended before it was complete; ask again.", ErrorCode.LLM_TRUNCATED)

    async def _write(self, event: StreamEvent) -> None:
        data = encode(event, f"{self.id}:{len(self.sent)}")
        self.sent.append(data)
        self.tokens += isinstance(event, TokenEvent)
        self.last_write = time.monotonic()
        if self._reader is not None:
            self.writing_since = self.last_write
            await self._reader({"type": "http.response.body", "body": data, "more_body": True})
            self.writing_since = None

    async def attach(self, send: Send, first: int) -> None:
        """Send what was written from event ``first`` on, then everything as it comes."""
        while first < len(self.sent):
            data = self.sent[first]
            first += 1
            await send({"type": "http.response.body", "body": data, "more_body": True})
        self._reader = send  # nothing was awaited since the last look, so no event lies between

    def leave(self, send: Send) -> None:
        """The client of ``send`` has gone; unless another comes within ``linger_s`` the answer stops."""
        if self._reader is send and not self.done:
            self._reader = None
            client_gone(self.tokens, request_id.get() or self._request_id)
            asyncio.get_running_loop().call_later(self.linger_s, self._stop_alone)

    def _stop_alone(self) -> None:
        if self._reader is None:
            self.task.cancel()

    async def beat(self, now: float) -> None:
        """Keep an idle connection open; give up on a client that takes nothing."""
        if self._reader is None or self.done:
            return
        if self.writing_since is not None:
            if now - self.writing_since > STALLED_S:
                self.leave(self._reader)
                self._stop_alone()
        elif now - self.last_write > KEEP_ALIVE_S:
            self.last_write = now
            with suppress(TimeoutError):  # one client that takes nothing must not hold up the beat of the others
                async with asyncio.timeout(0.1):
                    await self._reader({"type": "http.response.body", "body": _COMMENT, "more_body": True})


def client_gone(tokens: int, request: str | None) -> None:
    """Count and log a client that left before its answer was whole, ``tokens`` pieces into it."""
    metrics.count_client_gone()
    _log.info("client_gone", tokens=tokens, request_id=request)


def _gone() -> LLMError:
    return LLMError("The client went away, so the answer was stopped; ask again.", ErrorCode.LLM_TRUNCATED)


class Streams:
    """The answers of the last minute. ``run`` beats for all of them; one timer for a thousand streams."""

    def __init__(self) -> None:
        self._streams: OrderedDict[str, AnswerStream] = OrderedDict()

    def start(self, events: AsyncGenerator[StreamEvent], owner: str, linger_s: float) -> AnswerStream:
        """Begin to read ``events``. Only ``owner`` can resume."""
        stream = AnswerStream(events, owner, linger_s)
        self._streams[stream.id] = stream
        while len(self._streams) > MOST_STREAMS:
            oldest = next((s for s in self._streams.values() if s.done), None)
            if oldest is None:
                break
            del self._streams[oldest.id]
        return stream

    def find(self, last_event_id: str, owner: str) -> tuple[AnswerStream, int] | None:
        """The stream that ``last_event_id`` belongs to and the next event's number, while it is kept."""
        stream_id, _, number = last_event_id.partition(":")
        stream = self._streams.get(stream_id)
        if stream is None or stream.owner != owner or not number.isascii() or not number.isdigit():
            return None
        return stream, int(number[:9]) + 1

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            await asyncio.sleep(1.0)
            now = time.monotonic()
            for stream in list(self._streams.values()):
                if stream.done and now - stream.last_write > WINDOW_S:
                    del self._streams[stream.id]
                else:
                    await stream.beat(now)

    async def close(self) -> None:
        """Stop every answer that is being written."""
        running = [s.task for s in self._streams.values() if not s.done]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._streams.clear()


class AnswerResponse(Response):
    """Streams ``stream`` from event ``first`` on, and tells it when the client goes away."""

    def __init__(self, stream: AnswerStream, first: int = 0) -> None:
        self.stream = stream
        self.first = first
        self.background = None
        self.status_code = 200

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
        await self.stream.attach(send, self.first)
        gone = asyncio.create_task(until_gone(receive), name="client")
        try:
            await asyncio.wait({self.stream.task, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not gone.done():
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self.stream.leave(send)
            gone.cancel()


async def until_gone(receive: Receive) -> None:
    """Returns when the client has closed its connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
