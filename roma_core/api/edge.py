"""Limits on connections before a request is read: the size of its head, the time for it, connections per address.

Everything behind the head of a request is guarded by the gate. Uvicorn itself reads heads without a limit, so that a
stranger without a token could fill the memory with headers (CVE-2025-48956 is of this kind).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from roma_core.api.problems import MEDIA_TYPE, describe_problem, make_refusal
from roma_core.errors import ErrorCode
from roma_core.telemetry import logs, metrics

MOST_HEAD_BYTES = 64 * 1024
"""Largest head of a request: its first line, its headers, and the trailers behind a chunked body."""
HEAD_TIMEOUT_S = 10.0
"""Longest time from the first byte of a request, or from an opened connection, to the end of the head."""
LINGER_S = 2.0
"""Longest time that a refused connection is still read, so that its refusal arrives."""
MOST_LINGER_BYTES = 1024 * 1024
"""Most bytes that are read of a refused connection, for the same reason."""
_log = logs.get("edge")


class EdgeLimits:
    """The limits that all connections of a server share, and how many connections each address holds."""

    def __init__(self, connections_per_address: int) -> None:
        self.connections_per_address = connections_per_address
        self._open: Counter[str] = Counter()

    def admit(self, address: str) -> bool:
        """Count a connection of ``address``; False when it has as many as it may."""
        if self._open[address] >= self.connections_per_address:
            return False
        self._open[address] += 1
        return True

    def release(self, address: str) -> None:
        """Forget a connection that was admitted."""
        self._open[address] -= 1
        if self._open[address] <= 0:
            del self._open[address]


class EdgeProtocol(HttpToolsProtocol):
    """Uvicorn's HTTP protocol with limits on what comes before the body of a request."""

    limits: EdgeLimits

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._head_bytes = 0
        self._silent_bytes = 0
        self._progress = 0
        self._is_admitted = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._linger_timer: asyncio.TimerHandle | None = None
        self._linger_bytes = 0
        self._refusal: tuple[HTTPStatus, str] | None = None

    # --- the connection ---

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._is_admitted = self.limits.admit(self._address)
        if self._is_admitted:
            self._start_head_timer()
        else:
            self._refuse(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"This address has {self.limits.connections_per_address} connections already; close some, or raise "
                "ROMA_CONNECTIONS_PER_ADDRESS.",
            )

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        if self._linger_timer is not None:
            self._linger_timer.cancel()
        self._release()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        # The connection gets another protocol, which never says when it ends. The gate wants a token for it.
        self._stop_head_timer()
        self._release()
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._linger_timer is not None:
            self._linger_bytes += len(data)
            if self._linger_bytes > MOST_LINGER_BYTES:
                self.transport.close()
            return
        before = self._progress
        super().data_received(data)
        # A part of a head or of a trailer that never ends is kept by the parser without a word to us.
        self._silent_bytes = self._silent_bytes + len(data) if self._progress == before else 0
        if self._silent_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            self._refuse_long_head()

    # --- the parser's callbacks ---

    def on_message_begin(self) -> None:
        self._progress += 1
        self._head_bytes = 0
        self._start_head_timer()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + len(b": \r\n"))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._progress += 1
        self._stop_head_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._progress += 1
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, or what ``_count`` found too long."""
        status, sentence = self._refusal or (HTTPStatus.BAD_REQUEST, msg)
        self._refuse(status, sentence)

    # --- limits ---

    @property
    def _address(self) -> str:
        return str(self.client[0]) if self.client else ""

    def _count(self, size_bytes: int) -> None:
        self._progress += 1
        self._head_bytes += size_bytes
        if self._head_bytes > MOST_HEAD_BYTES:
            self._refusal = (HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TOO_LONG)
            raise ValueError(_TOO_LONG)  # ends the parser, which then has us send the refusal

    def _refuse_long_head(self) -> None:
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TOO_LONG)

    def _start_head_timer(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._end_late_head)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _end_late_head(self) -> None:
        self._head_timer = None
        if self.cycle is not None and not self.cycle.response_complete:
            # A second request came in behind one that is still answered, which must not be cut for it.
            self.cycle.keep_alive = False
            self.flow.pause_reading()
            return
        self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"The head of a request must be sent within {HEAD_TIMEOUT_S:g} s.")

    def _refuse(self, status: HTTPStatus, sentence: str) -> None:
        """Answer with a problem where no response is under way, and close the connection."""
        if self.transport.is_closing() or self._linger_timer is not None:
            return
        self._stop_head_timer()
        code = ErrorCode.ACCESS_RATE_LIMIT if status == HTTPStatus.TOO_MANY_REQUESTS else ErrorCode.INPUT_INVALID
        failure = make_refusal(sentence, code)
        metrics.count_failure(failure)
        _log.info("connection_refused", status=status.value, reason=sentence)
        if self.cycle is None or self.cycle.response_complete:
            body = describe_problem(failure, status).model_dump_json().encode()
            head = (
                f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: {MEDIA_TYPE}\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
            if self._is_admitted:
                self._linger()
                return
        self.transport.close()

    def _linger(self) -> None:
        """End our side and throw away what still arrives, until the client closes or has had its time.

        Closing at once over bytes that nobody read resets the connection, and the client's system then drops the
        refusal before the client could read it (RFC 9112, section 9.6). Connections above the limit of an address are
        closed at once all the same: they are not counted, so that nothing bounds how many would linger.
        """
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._linger_timer = self.loop.call_later(LINGER_S, self.transport.close)

    def _release(self) -> None:
        if self._is_admitted:
            self._is_admitted = False
            self.limits.release(self._address)


_TOO_LONG = f"The head of a request holds at most {MOST_HEAD_BYTES // 1024} kB."


def limit_connections(connections_per_address: int) -> type[EdgeProtocol]:
    """Return the protocol of one server, whose connections are counted together."""

    class LimitedProtocol(EdgeProtocol):
        limits = EdgeLimits(connections_per_address)

    return LimitedProtocol
