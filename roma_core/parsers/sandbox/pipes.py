"""The parent's end of a worker's pipes: reads and writes that end at a deadline, without a thread that watches them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import time
from typing import IO

READ_BYTES = 1 << 16
PIPE_BYTES = 1 << 20
"""Size asked of the kernel for each pipe (the default is 64 KiB), so that most files cross in one piece."""
_F_SETPIPE_SZ = getattr(fcntl, "F_SETPIPE_SZ", None)  # Linux only


class Pipe:
    """Two one-way pipes as one stream. Every call raises ``TimeoutError`` once ``deadline`` (monotonic) has passed."""

    def __init__(self, source: IO[bytes], sink: IO[bytes]) -> None:
        self.deadline = 0.0
        self._ends = (source, sink)
        self._source, self._sink = source.fileno(), sink.fileno()
        self._held = bytearray()
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(self._source, select.POLLIN)
        self._writable.register(self._sink, select.POLLOUT)
        os.set_blocking(self._sink, False)
        for end in (self._source, self._sink):
            _widen(end)

    def allow(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds

    def read(self, size: int) -> bytes:
        """``size`` bytes; fewer when the other side is gone."""
        while len(self._held) < size:
            self._wait(self._readable)
            data = os.read(self._source, max(READ_BYTES, size - len(self._held)))
            if not data:
                break
            self._held += data
        taken = bytes(memoryview(self._held)[:size])
        del self._held[:size]
        return taken

    def write(self, data: bytes) -> None:
        """All of ``data``. Raises ``OSError`` when the other side is gone."""
        rest = memoryview(data)
        while rest:
            self._wait(self._writable)
            with contextlib.suppress(BlockingIOError):  # room for some bytes is not room for all
                rest = rest[os.write(self._sink, rest) :]

    def flush(self) -> None:
        """Nothing waits: ``write`` has handed everything over."""

    def close(self) -> None:
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.close()

    def _wait(self, ready: select.poll) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0 or not ready.poll(1000 * left):
            raise TimeoutError


def _widen(descriptor: int) -> None:
    if _F_SETPIPE_SZ is not None:
        with contextlib.suppress(OSError):  # the user's share of pipe memory may be used up
            fcntl.fcntl(descriptor, _F_SETPIPE_SZ, PIPE_BYTES)
