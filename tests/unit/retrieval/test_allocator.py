"""Freed memory goes back where glibc is; elsewhere nothing happens."""

from __future__ import annotations

import ctypes
import platform

import pytest

from roma_core.store.allocator import return_freed_memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has malloc_trim")
def test_freed_memory_is_returned() -> None:
    assert return_freed_memory()


def test_a_libc_without_it_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert not return_freed_memory()
