"""Freed memory goes back where glibc is, and what the environment says is left alone."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator

import pyarrow as pa
import pytest

from roma_core.store.allocator import return_freed_memory


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith(("MALLOC_", "ARROW_DEFAULT_")):
            monkeypatch.delenv(name)
    return_freed_memory.cache_clear()
    before = pa.default_memory_pool()
    yield
    pa.set_memory_pool(before)
    return_freed_memory.cache_clear()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these options")
def test_freed_memory_is_returned() -> None:
    assert return_freed_memory()
    assert pa.default_memory_pool().backend_name == "system"


def test_the_environment_has_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    before = pa.default_memory_pool().backend_name
    monkeypatch.setenv("MALLOC_ARENA_MAX", "4")
    assert not return_freed_memory()
    assert pa.default_memory_pool().backend_name == before


def test_a_libc_without_options_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert not return_freed_memory()
