"""Return the memory that LanceDB's threads free to the system, so that an ingest's peak stays flat as the corpus grows.

glibc gives each thread an arena of its own and each keeps what it once had; so does Arrow's own pool. Two arenas and
the system's pool for Arrow cost nothing that can be measured. Low thresholds of ``mallopt(3)``, which map every larger
block by itself, make exact searches five times slower: they are for upkeep alone.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Parameters of ``mallopt(3)``, from ``malloc.h``."""
ARENAS: Final = {_ARENA_MAX: 2}
LOW: Final = {_TRIM_THRESHOLD: 128 << 10, _MMAP_THRESHOLD: 128 << 10}
"""Thresholds with which glibc begins."""
HIGH: Final = {_MMAP_THRESHOLD: 32 << 20, _TRIM_THRESHOLD: 64 << 20}
"""Limits of glibc's own adjustment, which stops once they have been set."""


def limit_pools() -> None:
    """Limit the arenas of glibc and Arrow; call it before LanceDB starts its threads.

    Variables of the environment (``MALLOC_*``, ``ARROW_DEFAULT_MEMORY_POOL``) take precedence.
    """
    import pyarrow as pa

    if "ARROW_DEFAULT_MEMORY_POOL" not in os.environ:
        pa.set_memory_pool(pa.system_memory_pool())
    _set(ARENAS)


@contextmanager
def trim_memory_eagerly() -> Iterator[None]:
    """Return freed blocks at once inside the block, at some cost of speed for the whole process."""
    _set(LOW)
    try:
        yield
    finally:
        _set(HIGH)
        return_freed_memory()


def return_freed_memory() -> bool:
    """Return free memory to the system; False where the C library has no ``malloc_trim(3)`` (macOS, musl, Windows)."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
    trim = _libc("malloc_trim")
    if trim is not None:
        trim(0)
    return trim is not None


def _set(options: Mapping[int, int]) -> None:
    mallopt = _libc("mallopt")
    if mallopt is not None and not any(name.startswith("MALLOC_") for name in os.environ):
        for option, value in options.items():
            mallopt(option, value)


def _libc(name: str) -> Callable[..., int] | None:
    try:
        found: Callable[..., int] = getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):
        return None
    return found
