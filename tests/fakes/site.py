"""A web site on loopback that can also misbehave: bare sockets, so that a test decides on every byte."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


@dataclass(frozen=True)
class Reply:
    body: bytes | str = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = "text/html; charset=utf-8"

    def encode(self) -> bytes:
        body = self.body.encode() if isinstance(self.body, str) else self.body
        headers = {"Content-Type": self.media_type, "Content-Length": str(len(body)), "Connection": "close"}
        lines = [f"HTTP/1.1 {self.status} Status", *(f"{k}: {v}" for k, v in {**headers, **self.headers}.items())]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


Behaviour = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]
"""Writes whatever it likes to the wire."""
Route = Reply | str | bytes | Behaviour | Callable[[Request], Reply]


class Site:
    """``routes`` maps a path (or path with query) to what it answers; ``requests`` records what came in."""

    def __init__(self, routes: dict[str, Route] | None = None) -> None:
        self.routes: dict[str, Route] = routes or {}
        self.fallback: Route = Reply(b"not here", 404)
        """Answers what no route does."""
        self.requests: list[Request] = []
        self.connections = 0
        self.port = 0

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def paths(self) -> list[str]:
        return [r.target for r in self.requests]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            request = await _read(reader)
            self.requests.append(request)
            route = self.routes.get(request.target, self.routes.get(request.path, self.fallback))
            await _answer(route, request, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away, as many of these tests want it to
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, target, headers, body)


async def _answer(route: Route, request: Request, writer: asyncio.StreamWriter) -> None:
    if isinstance(route, str | bytes):
        route = Reply(route)
    if isinstance(route, Reply):
        writer.write(route.encode())
        return
    if asyncio.iscoroutinefunction(route) or asyncio.iscoroutinefunction(getattr(route, "__call__", None)):  # noqa: B004
        await route(request, writer)  # type: ignore[call-arg,misc]
        return
    writer.write(route(request).encode())  # type: ignore[call-arg,union-attr]
