"""Ports of the loopback for servers of tests."""

from __future__ import annotations

import random
import socket
from contextlib import suppress

_dice = random.SystemRandom()


def find_port() -> int:
    """Return a port that nobody listens on at the moment, out of those that the system gives to nobody by itself.

    A connection of another test, or a server that lets the system choose, does not take it before it is used.
    """
    for _ in range(1000):
        port = _dice.randrange(10_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port of the loopback is free")
