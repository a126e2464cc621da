"""Functions that misbehave inside a worker; imported there by name."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers.base import ParseOptions
from roma_core.types import Document, RawDocument


def document(raw: RawDocument, text: str) -> Document:
    return Document(id="d", uri=raw.uri, title="t", text=text, content_sha256=raw.sha256, parser="x")


def echo(raw: RawDocument, options: ParseOptions) -> Document:
    return document(raw, raw.data.decode())


def crash(raw, options):
    ctypes.string_at(0)


def exit(raw, options):
    os._exit(3)


def babble(raw, options):
    for descriptor in range(3, 20):
        try:
            os.write(descriptor, b"\xff" * 64)
        except OSError:
            continue


def hang(raw, options):
    while True:
        time.sleep(1)


def grow(raw, options):
    held = []
    while True:
        held.append(bytearray(32 << 20))


def kill_self(raw, options):
    os.kill(os.getpid(), signal.SIGKILL)


def recurse(raw, options):
    return recurse(raw, options)


def empty(raw, options):
    return document(raw, " \n ")


def refuse(raw, options):
    raise ParserError("locked", ErrorCode.PARSER_ENCRYPTED)


def defect(raw, options):
    raise ValueError(raw.data.decode())


def connect(raw, options):
    socket.create_connection(("127.0.0.1", 9), timeout=1)


def look_up(raw, options):
    socket.getaddrinfo("example.com", 80)


def spawn(raw, options):
    subprocess.run([sys.executable, "-c", "1"], check=True)


def show_environment(raw, options):
    return repr(dict(os.environ)).encode()


def chatter(raw, options):
    print("noise")
    os.write(1, b"more noise")
    return document(raw, "quiet")


def pid(raw, options):
    return str(os.getpid()).encode()
