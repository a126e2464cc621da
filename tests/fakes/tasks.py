"""Tasks for workers in tests. Each takes and returns bytes; a payload may name a file through which it is watched."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

from roma_core.errors import ParserError


async def echo(payload: bytes) -> bytes:
    """Return the payload."""
    return payload


async def refuse(payload: bytes) -> bytes:
    """Fail on purpose."""
    raise ParserError(f"{payload.decode()} cannot be read.")


async def print_words(payload: bytes) -> bytes:
    """Write to stdout, as a library might."""
    print("words on the pipe")
    return payload


async def die_once(payload: bytes) -> bytes:
    """Kill this process, unless the file that the payload names is there already."""
    mark = Path(payload.decode())
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return b"alive"


async def die(payload: bytes) -> bytes:
    """Kill this process if the payload says so."""
    if payload == b"die":
        os.kill(os.getpid(), signal.SIGKILL)
    return payload


async def wait(payload: bytes) -> bytes:
    """Note the process in a file of the folder that the payload names, and wait for ever."""
    (Path(payload.decode()) / str(os.getpid())).touch()
    await asyncio.sleep(3600)
    return b""


async def describe(payload: bytes) -> bytes:
    """Return the number of the process."""
    return json.dumps({"pid": os.getpid()}).encode()
