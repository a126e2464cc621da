"""Server-sent events: an answer as it is written, resumable, stopped when its client has gone.

The task that reads ROMA's events writes them to the client itself, so a token costs no hand-over between tasks. Sent
events are kept for ``WINDOW_S`` so that ``Last-Event-ID`` can replay them (https://html.spec.whatwg.org, section
"Server-sent events"). Event ids are ``<stream>:<number>``.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from roma_core.answers import Answers
from roma_core.errors import AgentFailure, ErrorCode, InputError, LLMError, RomaError, guarded, request_id
from roma_core.telemetry import logs, metrics
from roma_core.types import CompleteEvent, ErrorEvent, Principal, StreamEvent, TokenEvent
from roma_core.watchdog import Watchdog

WINDOW_S = 60.0
KEEP_ALIVE_S = 15.0
STALLED_S = 60.0
"""A client that takes nothing for this long counts as gone."""
FOLLOWED_S = 0.5
"""Seconds between two looks for followers of an answer without a reader."""
LAST_WORDS_S = 1.0
"""How long a client may take to be told that its answer was stopped."""
MOST_STREAMS = 4096
ANSWER_ID = "X-Answer-ID"
"""Header that names the record of the answer."""
_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
_COMMENT = b": keep-alive\n\n"
_log = logs.get("api")
_quote = json.encoder.encode_basestring  # what json.dumps does with a str, without its options


Encoder = Callable[[StreamEvent, str], bytes]
"""Makes the bytes of an event from it and its id; none where a protocol has no word for it."""


def encode_event(event: StreamEvent, event_id: str) -> bytes:
    """Return one event as it is sent. Without an id a client that resumes goes on behind the last one that has one."""
    if isinstance(event, TokenEvent):
        data = '{"type":"token","text":' + _quote(event.text) + "}"
    elif isinstance(event, CompleteEvent):
        data = event.model_dump_json(exclude={"output": {"passages"}})
    else:
        data = event.model_dump_json()
    head = f"id: {event_id}\n" if event_id else ""
    return f"{head}event: {event.type}\ndata: {data}\n\n".encode()


class StreamClient:
    """One client of a stream. ``over`` holds the reason once another client replaces it or it stops reading."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.over: asyncio.Future[RomaError] = asyncio.get_running_loop().create_future()

    async def take(self, data: bytes, *, more: bool = True) -> None:
        """Send ``data``; waits for a slow client."""
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    def end(self, why: RomaError) -> None:
        """Set the reason, unless there is one."""
        if not self.over.done():
            self.over.set_result(why)


class AnswerStream:
    """One answer: the events so far, and its present reader."""

    def __init__(
        self,
        events: AsyncGenerator[StreamEvent],
        owner: str,
        linger_s: float,
        encode: Encoder = encode_event,
        stream_id: str = "",
        is_followed: Callable[[], bool] = lambda: False,
    ) -> None:
        self._now = asyncio.get_running_loop().time
        self.encode = encode
        self.begun = asyncio.Event()
        """Set once there is something to send, or the answer has failed."""
        self.failure: AgentFailure | None = None
        """Why there is no answer."""
        self.id = stream_id or uuid.uuid4().hex
        self.owner = owner
        self._is_followed = is_followed
        self.sent: list[bytes] = []
        self.tokens = 0
        self.last_write = self._now()
        self._linger_s = linger_s
        self._reader: StreamClient | None = None
        self._alone: asyncio.TimerHandle | None = None
        self._patience_s = STALLED_S
        self._patience = Watchdog(self.last_write + STALLED_S)
        self._why: RomaError = LLMError(
            "The client went away, so the answer was stopped; ask again.", ErrorCode.LLM_TRUNCATED
        )
        self._request_id = request_id.get()
        self.task = asyncio.create_task(self._pump(events), name="answer")

    @property
    def done(self) -> bool:
        """Return whether the answer is complete, failed or stopped."""
        return self.task.done()

    async def _pump(self, events: AsyncGenerator[StreamEvent]) -> None:
        with metrics.open_stream():
            try:
                ended = await guarded("api", self._relay(events))
                if isinstance(ended, AgentFailure):
                    await self._write(ErrorEvent(failure=ended))
            except asyncio.CancelledError:
                # Kept for clients that resume, and sent to the one that reads now.
                await self._write(ErrorEvent(failure=AgentFailure.of("api", self._why)))
                raise
            finally:
                self._patience.close()

    async def _relay(self, events: AsyncGenerator[StreamEvent]) -> None:
        async with aclosing(events) as source:
            async for event in source:
                await self._write(event)
                if isinstance(event, CompleteEvent | ErrorEvent):
                    return
        raise LLMError("The answer ended before it was complete; ask again.", ErrorCode.LLM_TRUNCATED)

    async def _write(self, event: StreamEvent) -> None:
        data = self.encode(event, f"{self.id}:{len(self.sent)}")
        if isinstance(event, ErrorEvent):
            self.failure = event.failure
        if not data:
            return
        self.sent.append(data)
        self.begun.set()
        self.tokens += isinstance(event, TokenEvent)
        if self._reader is not None:
            await self._pass_on(self._reader, data)

    async def _pass_on(self, reader: StreamClient, data: bytes) -> None:
        """Send ``data`` to the reader; one that takes nothing for too long loses the stream."""
        self.last_write = now = self._now()
        self._patience.move(now + self._patience_s)
        try:
            with self._patience:
                await reader.take(data)
        except TimeoutError:
            if reader is self._reader:  # else another one has taken its place
                reader.end(_make_stop_error("The client takes nothing, so the answer was stopped; ask again."))
                self._leave(reader, 0)

    async def attach(self, reader: StreamClient, first: int) -> None:
        """Send the events from number ``first`` on, then new ones as they come. An earlier reader is ended."""
        while first < len(self.sent):
            missed = b"".join(self.sent[first:])
            first = len(self.sent)
            await reader.take(missed)
        before, self._reader = self._reader, reader  # nothing was awaited since the last look: no event lies between
        if self._alone is not None:
            self._alone.cancel()
        if before is not None:
            before.end(_make_stop_error("Another connection reads this answer now."))
            self._patience.expire()  # should an event be on its way to who takes nothing

    def leave(self, reader: StreamClient) -> None:
        """Detach a reader whose client has gone; without another one within ``linger_s`` the answer stops."""
        self._leave(reader, self._linger_s)

    def _leave(self, reader: StreamClient, linger_s: float) -> None:
        if self._reader is reader and not self.done:
            self._reader = None
            log_client_gone(self.tokens, request_id.get() or self._request_id)
            self._alone = asyncio.get_running_loop().call_later(linger_s, self._stop_unread, linger_s)

    def _stop_unread(self, linger_s: float) -> None:
        """Stop the answer, unless other clients follow it by its id."""
        if self._is_followed():
            wait_s = max(linger_s, FOLLOWED_S)
            self._alone = asyncio.get_running_loop().call_later(wait_s, self._stop_unread, linger_s)
        else:
            self.task.cancel()

    def stop(self, why: RomaError) -> None:
        """End the answer with the error ``why``, which its reader gets unless it takes too long."""
        self._why, self._patience_s = why, LAST_WORDS_S
        self.task.cancel()

    async def beat(self, now: float) -> None:
        """Keep an idle connection open. ``now`` is the loop's time."""
        if self._reader is None or self.done or now - self.last_write <= KEEP_ALIVE_S:
            return
        self.last_write = now
        try:  # one client that takes nothing must not hold up the beat of the others
            async with asyncio.timeout(0.1):
                await self._reader.take(_COMMENT)
        except TimeoutError:
            return


def log_client_gone(tokens: int, request: str | None) -> None:
    """Count and log a client that left before its answer was whole, ``tokens`` pieces into it."""
    metrics.count_client_gone()
    _log.info("client_gone", tokens=tokens, request_id=request)


def _make_stop_error(why: str) -> RomaError:
    return RomaError(why, ErrorCode.STOPPED)


def make_stopping_error() -> RomaError:
    """Return the error for clients whose answer is not complete when the service ends."""
    return _make_stop_error("ROMA is being stopped; ask again in a moment.")


class Streams:
    """Answers of the last minute. ``run`` beats for all of them: one timer for a thousand streams."""

    def __init__(self) -> None:
        self._streams: OrderedDict[str, AnswerStream] = OrderedDict()
        self.closing = asyncio.Event()
        """Set when the service ends and no answer may go on."""

    def start(
        self,
        events: AsyncGenerator[StreamEvent],
        owner: str,
        linger_s: float,
        encode: Encoder = encode_event,
        stream_id: str = "",
        is_followed: Callable[[], bool] = lambda: False,
    ) -> AnswerStream:
        """Begin to read ``events``. Only ``owner`` can resume."""
        stream = AnswerStream(events, owner, linger_s, encode, stream_id, is_followed)
        self._streams[stream.id] = stream
        while len(self._streams) > MOST_STREAMS:
            oldest = next((s for s in self._streams.values() if s.done), None)
            if oldest is None:
                break
            del self._streams[oldest.id]
        return stream

    def find(self, last_event_id: str, owner: str) -> tuple[AnswerStream, int] | None:
        """Return the stream that ``last_event_id`` belongs to and the next event's number, or None.

        Raises ``InputError`` for an event that the stream has not sent.
        """
        stream_id, _, number = last_event_id.partition(":")
        stream = self._streams.get(stream_id)
        if stream is None or stream.owner != owner or not number.isascii() or not number.isdigit():
            return None
        following = int(number[:9]) + 1
        if following > len(stream.sent):
            raise InputError(
                f"This stream has sent {len(stream.sent)} events, numbered from 0; send the id of one of them as "
                "Last-Event-ID."
            )
        return stream, following

    def is_of_another(self, stream_id: str, owner: str) -> bool:
        """Return whether a stream that is kept belongs to somebody else."""
        stream = self._streams.get(stream_id)
        return stream is not None and stream.owner != owner

    async def run(self) -> None:
        """Beat until cancelled."""
        time = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(1.0)
            now = time()
            for stream in list(self._streams.values()):
                if stream.done and now - stream.last_write > WINDOW_S:
                    del self._streams[stream.id]
                else:
                    await stream.beat(now)

    async def close(self) -> None:
        """End every answer that is being written; its reader gets an ``ErrorEvent``."""
        self.closing.set()
        running = [s for s in self._streams.values() if not s.done]
        for stream in running:
            stream.stop(make_stopping_error())
        await asyncio.gather(*(stream.task for stream in running), return_exceptions=True)


class AnswerResponse(Response):
    """Response that sends ``stream`` from event ``first`` on and detaches when the client goes away."""

    def __init__(self, stream: AnswerStream, first: int = 0) -> None:
        self.stream = stream
        self.first = first
        self.background = None
        self.status_code = 200
        self.headers_sent = [*_HEADERS, (ANSWER_ID.lower().encode(), stream.id.encode())]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events until the answer, the reader or the client ends."""
        await send({"type": "http.response.start", "status": 200, "headers": self.headers_sent})
        reader = StreamClient(scope.get("state", {}).get("wire", send))
        gone = asyncio.create_task(wait_until_gone(receive), name="client")
        try:
            await self.stream.attach(reader, self.first)
            ends: set[asyncio.Future[Any]] = {self.stream.task, gone, reader.over}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if reader.over.done():
                await _send_last_words(reader, self.stream.encode)
            elif not gone.done():
                await reader.take(b"", more=False)
        finally:
            self.stream.leave(reader)
            gone.cancel()


class EventResponse(Response, ABC):
    """Response that sends events until their end. A client that goes away stops nothing.

    ``closing`` ends it when the service ends. A subclass says what is sent in ``send_events``.
    """

    def __init__(self, closing: asyncio.Event, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        self.background = None
        self.status_code = 200
        self._closing = closing
        self._more_headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events until the answer or the client ends."""
        headers = [*_HEADERS, *self._more_headers]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        reader = StreamClient(scope.get("state", {}).get("wire", send))
        ends = [
            asyncio.create_task(wait_until_gone(receive), name="client"),
            asyncio.create_task(self._closing.wait(), name="closing"),
        ]
        sending = asyncio.create_task(self.send_events(reader), name="follow")
        try:
            while not sending.done():
                done, _ = await asyncio.wait(
                    {sending, *ends}, timeout=KEEP_ALIVE_S, return_when=asyncio.FIRST_COMPLETED
                )
                if done - {sending}:
                    break
                if not done:
                    await reader.take(_COMMENT)
            if sending.done():
                await sending
                await reader.take(b"", more=False)
            elif not ends[0].done():
                reader.end(make_stopping_error())
                await _send_last_words(reader, encode_event)
        finally:
            for task in (sending, *ends):
                task.cancel()

    @abstractmethod
    async def send_events(self, reader: StreamClient) -> None:
        """Send all events, from the first that is asked for to the last one."""


class FollowResponse(EventResponse):
    """Response that sends the events of a recorded answer from event ``first`` on."""

    def __init__(self, answers: Answers, who: Principal, record_id: str, first: int, closing: asyncio.Event) -> None:
        super().__init__(closing, [(ANSWER_ID.lower().encode(), record_id.encode())])
        self._answers = answers
        self._who = who
        self._record_id = record_id
        self._first = first

    async def send_events(self, reader: StreamClient) -> None:
        """Send the recorded events, each with its id."""
        events = self._answers.follow(self._who, self._record_id, self._first)
        async with aclosing(events) as numbered:
            async for number, event in numbered:
                await reader.take(encode_event(event, f"{self._record_id}:{number}"))


async def _send_last_words(reader: StreamClient, encode: Encoder) -> None:
    """Send a client the reason why its stream ends. The event has no id: resuming continues after the last one."""
    failure = AgentFailure.of("api", reader.over.result())
    try:
        async with asyncio.timeout(LAST_WORDS_S):
            await reader.take(encode(ErrorEvent(failure=failure), ""), more=False)
    except TimeoutError:
        return


async def wait_until_gone(receive: Receive) -> None:
    """Wait until the client has closed its connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
