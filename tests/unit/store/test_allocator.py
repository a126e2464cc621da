"""Freed memory goes back where glibc is; elsewhere nothing happens."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from roma_core.store.allocator import ARENAS, HIGH, LOW, limit_pools, return_freed_memory, trim_memory_eagerly

ROOT = Path(__file__).resolve().parents[3]
glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has malloc_trim and mallopt")


class Libc:
    """Takes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[int, ...]] = []

    def mallopt(self, option: int, value: int) -> int:
        self.told.append((option, value))
        return 1

    def malloc_trim(self, pad: int) -> int:
        self.told.append((pad,))
        return 1


@pytest.fixture
def libc(monkeypatch: pytest.MonkeyPatch) -> Libc:
    for name in [name for name in os.environ if name.startswith(("MALLOC_", "ARROW_"))]:
        monkeypatch.delenv(name)
    made = Libc()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: made)
    return made


@pytest.fixture(autouse=True)
def pool() -> Iterator[None]:
    before = pa.default_memory_pool()
    yield
    pa.set_memory_pool(before)


@glibc
def test_freed_memory_is_returned() -> None:
    assert return_freed_memory()


def test_a_libc_without_it_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert not return_freed_memory()
    with trim_memory_eagerly():
        limit_pools()


def test_thresholds_are_low_only_meanwhile_also_when_it_fails(libc: Libc) -> None:
    with pytest.raises(RuntimeError), trim_memory_eagerly():
        assert libc.told == list(LOW.items())
        raise RuntimeError
    assert libc.told == [*LOW.items(), *HIGH.items(), (0,)]


def test_pools_are_limited_once_lancedb_is_to_be_used(libc: Libc) -> None:
    limit_pools()
    assert libc.told == list(ARENAS.items())
    assert pa.default_memory_pool().backend_name == "system"


def test_what_the_environment_says_holds(libc: Libc, monkeypatch: pytest.MonkeyPatch) -> None:
    before = pa.default_memory_pool().backend_name
    monkeypatch.setenv("MALLOC_ARENA_MAX", "8")
    monkeypatch.setenv("ARROW_DEFAULT_MEMORY_POOL", before)
    limit_pools()
    with trim_memory_eagerly():
        pass
    assert libc.told == [(0,)]
    assert pa.default_memory_pool().backend_name == before


_THREADS = """
import ctypes, threading
from roma_core.store import allocator
{limit}
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
gate = threading.Barrier(9)
def work():
    libc.malloc(1000)
    gate.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
[thread.start() for thread in threads]
gate.wait()
libc.fopen.restype = ctypes.c_void_p
libc.malloc_info(0, ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w")))
libc.fflush(None)
"""


@glibc
def test_threads_share_two_arenas() -> None:
    def arenas(limit: str) -> int:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
        command = [sys.executable, "-c", _THREADS.format(limit=limit)]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
        return done.stdout.count("<heap nr=")

    assert arenas("allocator.limit_pools()") <= 2 < arenas("")
