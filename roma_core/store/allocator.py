"""Memory that LanceDB's threads free goes back to the system.

glibc and Arrow's pool keep what they once had, so the peak of an ingest would grow with the number of commits. Trimming
after each commit prevents that; lower thresholds of ``mallopt`` would too, but make exact searches five times slower.
"""

from __future__ import annotations

import ctypes


def return_freed_memory() -> bool:
    """Give back what is free; False where the C library has no ``malloc_trim(3)`` (macOS, musl, Windows)."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return False
    trim(0)
    return True
