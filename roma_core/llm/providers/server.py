"""A model server on loopback that speaks both vendors' APIs and fails as told: the wire under tests and benchmarks.

It writes its HTTP by hand, because what it is for is what servers do wrong: cut, reset, stall, drip and lie.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

End = str
"""The end of a stream: ``whole``, ``cut`` (clean close without marker), ``reset`` (RST), ``stall`` (silence),
``broken`` (half a JSON line), ``error`` (an error event inside the 200)."""


@dataclass(frozen=True)
class Script:
    """The reply to one request. A status other than 200, or ``raw``, is sent instead of a stream."""

    text: str = "Hello there."
    finish: str = "stop"
    """stop, length, refusal or content_filter."""
    usage: bool = True
    end: End = "whole"
    end_after_words: int = 0
    error: dict[str, Any] = field(default_factory=lambda: {"type": "server_error", "message": "boom"})
    first_wait_s: float = 0.0
    word_wait_s: float = 0.0
    pings: int = 0
    """Keep-alive lines before each word, ``word_wait_s`` apart."""
    piece_bytes: int = 0
    """The stream comes in HTTP chunks of this size, which cut lines and characters; 0: one for each event."""
    strange: bool = False
    """An event of an unknown kind comes first."""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    raw: bytes | None = None
    media_type: str = "application/json"


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    number: int
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    method: str = "POST"

    @property
    def anthropic(self) -> bool:
        return self.path.partition("?")[0].endswith("/messages")


ScriptRule = Callable[[Asked], Script]

MODELS = ("m", "gpt-4o", "gpt-4o-mini", "claude-sonnet-5-5", "claude-opus-5-5")
"""The list of models of a server that is given none."""


class FakeModelServer:
    """``asked`` holds every request, ``left`` counts clients that hung up before their answer was whole.

    ``GET .../models`` is answered by ``models``, which may be set anew at any time; the rest by the rule.
    """

    def __init__(self, rule: ScriptRule | Iterable[Script], models: Script | None = None) -> None:
        self.models = models or Script(raw=_json({"object": "list", "data": [{"id": name} for name in MODELS]}))
        scripts = None if callable(rule) else iter(rule)
        self._rule: ScriptRule = rule if callable(rule) else lambda asked: next(scripts)  # type: ignore[arg-type]
        self.asked: list[Asked] = []
        self.left = 0
        self.url = ""
        self._open: dict[asyncio.Future[None], asyncio.StreamWriter] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[FakeModelServer]:
        """Serve on a free port of loopback; ``url`` is its root."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=4096)
        host, port = server.sockets[0].getsockname()[:2]
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            server.close()
            for task, writer in self._open.items():
                writer.transport.abort()
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._open[task] = writer
        task.add_done_callback(self._open.pop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while asked := await self._read(reader):
                listed = asked.method == "GET" and asked.path.partition("?")[0].endswith("/models")
                script = self.models if listed else self._rule(asked)
                if not await self._answer(asked, script, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left += 1
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Asked | None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError:
            return None
        line, *fields = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (f.partition(":") for f in fields if f)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        method, path, _ = line.split(" ", 2)
        asked = Asked(len(self.asked) + 1, path, headers, json.loads(body or b"{}"), method)
        self.asked.append(asked)
        return asked

    async def _answer(
        self, asked: Asked, script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Play ``script``; True when the connection may serve another request."""
        await asyncio.sleep(script.first_wait_s)
        if script.raw is not None or script.status != 200:
            body = script.raw if script.raw is not None else json.dumps({"error": script.error}).encode()
            writer.write(_head(script, script.media_type, f"Content-Length: {len(body)}") + body)
            await writer.drain()
            return True
        writer.write(_head(script, "text/event-stream", "Transfer-Encoding: chunked"))
        events = _anthropic_events(script, asked.body) if asked.anthropic else _openai_events(script, asked.body)
        for wait_s, event in events:
            if wait_s:
                await asyncio.sleep(wait_s)
            if writer.is_closing() or reader.at_eof():
                raise ConnectionResetError
            for piece in _pieces(event, script.piece_bytes):
                writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                await writer.drain()
        return await self._end(script, reader, writer)

    async def _end(self, script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if script.end == "reset":
            writer.transport.abort()
            return False
        if script.end == "stall":
            # Until the client hangs up: whatever it sends now is its end.
            await reader.read()
            raise ConnectionResetError
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


def _head(script: Script, media_type: str, length: str) -> bytes:
    lines = [f"HTTP/1.1 {script.status} X", f"Content-Type: {media_type}", length, "x-request-id: req-1"]
    lines += ["request-id: req-1", *(f"{name}: {value}" for name, value in script.headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _pieces(event: bytes, size: int) -> Iterator[bytes]:
    size = size or len(event)
    return (event[start : start + size] for start in range(0, len(event), size))


def _json(value: object) -> bytes:
    """Return JSON as vendors write it: characters as they are, not escaped."""
    return json.dumps(value, ensure_ascii=False).encode()


def _words(script: Script) -> list[str]:
    """The words that are sent before the stream ends as told."""
    words = re.findall(r"\s*\S+(?:\s+$)?", script.text)
    return words if script.end == "whole" else words[: script.end_after_words]


def _prompt_tokens(body: dict[str, Any]) -> int:
    """Return the tokens of a prompt: one for four characters, and ten at least."""
    contents = [body.get("system", ""), *(message.get("content", "") for message in body.get("messages", ()))]
    parts = [part for content in contents for part in (content if isinstance(content, list) else [{"text": content}])]
    return max(10, sum(len(part.get("text") or "") for part in parts) // 4)


def _last(script: Script, data: Callable[[dict[str, Any]], bytes]) -> Iterator[tuple[float, bytes]]:
    if script.end == "broken":
        yield 0.0, b'data: {"choices": [{"del\n\n'
    if script.end == "error":
        yield 0.0, data(script.error)


def _openai_events(script: Script, body: dict[str, Any]) -> Iterator[tuple[float, bytes]]:
    whole = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m"}

    def data(value: dict[str, Any]) -> bytes:
        return b"data: " + _json(value) + b"\n\n"

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return data(whole | {"choices": [choice]})

    if script.strange:
        yield 0.0, b"event: weather\n" + data({"outlook": "fair"})
    yield 0.0, chunk({"role": "assistant", "content": ""})
    for word in _words(script):
        for _ in range(script.pings):
            yield script.word_wait_s, b": ping\n\n"
        yield script.word_wait_s, chunk({"refusal" if script.finish == "refusal" else "content": word})
    yield from _last(script, lambda error: data({"error": error}))
    if script.end != "whole":
        return
    yield 0.0, chunk({}, "stop" if script.finish == "refusal" else script.finish)
    if script.usage and body.get("stream_options", {}).get("include_usage"):
        counted = len(script.text.split())
        asked = _prompt_tokens(body)
        usage = {
            "prompt_tokens": asked,
            "completion_tokens": counted,
            "total_tokens": asked + counted,
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 1},
        }
        yield (
            0.0,
            data(
                {
                    "id": "c",
                    "object": "chat.completion.chunk",
                    "created": 0,
                    "model": "m",
                    "choices": [],
                    "usage": usage,
                }
            ),
        )
    yield 0.0, b"data: [DONE]\n\n"


_ANTHROPIC_FINISH = {"stop": "end_turn", "length": "max_tokens", "refusal": "refusal", "content_filter": "refusal"}


def _anthropic_events(script: Script, body: dict[str, Any]) -> Iterator[tuple[float, bytes]]:
    def event(kind: str, **fields: Any) -> bytes:
        return f"event: {kind}\ndata: ".encode() + _json({"type": kind, **fields}) + b"\n\n"

    fresh = _prompt_tokens(body) - 4
    usage = {"input_tokens": fresh, "output_tokens": 1, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 0}
    message: dict[str, Any] = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
    }
    if script.strange:
        yield 0.0, event("weather", outlook="fair")
    yield 0.0, event("message_start", message=message | ({"usage": usage} if script.usage else {}))
    yield 0.0, event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    for word in _words(script):
        for _ in range(script.pings):
            yield script.word_wait_s, event("ping")
        yield script.word_wait_s, event("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
    if script.end == "broken":
        yield 0.0, b'event: content_block_delta\ndata: {"type": "content_bl\n\n'
    if script.end == "error":
        yield 0.0, event("error", error=script.error)
    if script.end != "whole":
        return
    counted = {"usage": {"output_tokens": len(script.text.split())}} if script.usage else {}
    yield 0.0, event("content_block_stop", index=0)
    reason = _ANTHROPIC_FINISH.get(script.finish, script.finish)
    yield 0.0, event("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, **counted)
    yield 0.0, event("message_stop")
