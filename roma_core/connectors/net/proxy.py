"""A forward proxy on loopback through which Chromium must go, so that the browser too connects only where it may.

Chromium does not resolve names behind a proxy and is told to send even loopback addresses through it; what a page's
sub-resources, redirects, scripts and sockets ask for is judged and pinned by ``Netguard`` here. Where the environment
names an egress proxy, what was judged goes on through that one.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final
from urllib.parse import urlsplit

from roma_core.connectors.net.egress import EgressProxies, ProxyAddress
from roma_core.connectors.net.guard import CONNECT_TIMEOUT_S, Netguard
from roma_core.errors import ConnectorError

HEAD_BYTES: Final = 64 * 1024
PIECE: Final = 64 * 1024
HOP_BY_HOP: Final = ("proxy-", "connection:", "keep-alive:")


class GuardProxy:
    """``async with`` starts and stops it. At most ``max_bytes`` come in between two calls of ``reset``."""

    def __init__(self, guard: Netguard, max_bytes: int, proxies: EgressProxies | None = None) -> None:
        self._guard = guard
        self._proxies = EgressProxies.from_environment() if proxies is None else proxies
        self._max_bytes = max_bytes
        self._tasks: set[asyncio.Task[None]] = set()
        self.received = 0
        self.refused: list[str] = []
        """Hosts that were asked for since ``reset`` and not allowed."""
        self.port = 0

    def reset(self) -> None:
        self.received = 0
        self.refused = []

    async def __aenter__(self) -> GuardProxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=HEAD_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            await self._serve(reader, writer)
        except ConnectorError:
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        except (OSError, EOFError, ValueError, TimeoutError, asyncio.LimitOverrunError):
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *headers = head.rstrip("\r\n").split("\r\n")
        method, address, _ = first.split(" ", 2)
        if method == "CONNECT":
            name, _, number = address.rpartition(":")
            host, port = name.strip("[]"), int(number)
            egress = self._egress(host, f"https://{address}/")
            up_reader, up_writer = await self._connect(host, port, egress)
            if egress is not None:
                await _open_tunnel(up_reader, up_writer, address, egress)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            target = self._target(address)
            egress = self._egress(target[0], address)
            up_reader, up_writer = await self._connect(*target, egress)
            up_writer.write(_request(method, address, headers, egress))
        await self._relay(reader, writer, up_reader, up_writer)

    def _target(self, address: str) -> tuple[str, int]:
        """Host and port of an absolute-form request; WebSockets come as http here."""
        try:
            target = self._guard.check_url(address)
        except ConnectorError:
            self.refused.append(urlsplit(address).netloc)
            raise
        return target.host, target.port

    def _egress(self, host: str, address: str) -> ProxyAddress | None:
        """Return the proxy of the environment for an address; none for hosts that are allowed to be private."""
        try:
            target = self._guard.check_url(address)
        except ConnectorError:
            self.refused.append(host)
            raise
        return None if self._guard.is_allowed(target.host, target.port) else self._proxies.proxy_for(target)

    async def _connect(
        self, host: str, port: int, egress: ProxyAddress | None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            if egress is not None:
                await self._guard.check_resolvable(host, port)
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    return await asyncio.open_connection(egress.host, egress.port)
            addresses = await self._guard.addresses(host, port)
        except ConnectorError:
            self.refused.append(host)
            raise
        for n, address in enumerate(addresses):
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    return await asyncio.open_connection(address, port)
            except OSError:
                if n == len(addresses) - 1:
                    raise
        raise OSError("no address")

    async def _relay(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
    ) -> None:
        upward = asyncio.create_task(self._copy(reader, up_writer, counted=False))
        try:
            await self._copy(up_reader, writer, counted=True)
        finally:
            upward.cancel()
            await asyncio.gather(upward, return_exceptions=True)
            up_writer.close()

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, counted: bool) -> None:
        while piece := await source.read(PIECE):
            if counted:
                self.received += len(piece)
                if self.received > self._max_bytes:
                    return
            sink.write(piece)
            await sink.drain()


async def _open_tunnel(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str, egress: ProxyAddress
) -> None:
    """Ask an egress proxy for a tunnel. Raises ``OSError`` when it refuses."""
    lines = [f"CONNECT {address} HTTP/1.1", f"Host: {address}"]
    lines += [f"{name}: {value}" for name, value in egress.headers.items()]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        head = await reader.readuntil(b"\r\n\r\n")
    if head.split(b" ", 2)[1:2] != [b"200"]:
        raise OSError("the egress proxy refuses")


def _request(method: str, address: str, headers: list[str], egress: ProxyAddress | None) -> bytes:
    """Return the request, one a connection: in origin form for the server itself, whole for an egress proxy."""
    parts = urlsplit(address)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if egress is not None:
        target = address
    upgrade = any(h.lower().startswith("upgrade:") for h in headers)
    kept = [h for h in headers if not h.lower().startswith(HOP_BY_HOP)]
    if egress is not None:
        kept += [f"{name}: {value}" for name, value in egress.headers.items()]
    lines = [f"{method} {target} HTTP/1.1", *kept, f"Connection: {'Upgrade' if upgrade else 'close'}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
