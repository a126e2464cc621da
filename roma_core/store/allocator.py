"""Memory that LanceDB's threads free goes back to the system.

By default glibc gives each thread arenas of its own and raises the size from which blocks are mapped by themselves, and
Arrow's own pool keeps what it once had: the peak of an ingest then grows with the number of commits.
"""

from __future__ import annotations

import ctypes
import functools
import os

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Parameters of ``mallopt(3)``, from ``malloc.h``."""
_OPTIONS = {_TRIM_THRESHOLD: 128 << 10, _MMAP_THRESHOLD: 128 << 10, _ARENA_MAX: 2}
"""glibc's own first thresholds, which setting them keeps from growing."""


@functools.cache
def return_freed_memory() -> bool:
    """Set both so, once a process; False without glibc, and where the environment already says how."""
    if any(name.startswith(("MALLOC_", "ARROW_DEFAULT_")) for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS, musl; Windows
        return False
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())
    accepted = [mallopt(option, value) for option, value in _OPTIONS.items()]  # each, whatever became of the others
    return all(accepted)
