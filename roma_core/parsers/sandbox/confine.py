"""Limits that a worker process puts on itself before it touches a file: memory, CPU, files, network, programs.

Each is the strongest that the platform has; macOS, which ignores ``RLIMIT_AS``, gets a watchdog thread instead.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
import threading
import time
from pathlib import Path

from roma_core.environment import count_cores
from roma_core.errors import AgentFailure, ErrorCode

EXIT_MEMORY = 77
"""Exit status of a worker that ended itself because it grew too large."""

PROGRAMS = frozenset({"tesseract"})
"""Programs that a worker may start."""

_NETWORK = frozenset(
    {"socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"}
)
_SPAWN = frozenset({"os.system", "os.exec", "os.spawn", "os.fork", "os.forkpty", "pty.spawn"})
_START = frozenset({"subprocess.Popen", "os.posix_spawn"})  # from Python 3.13 on the first does the second
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000


def confine(memory_mb: float, file_mb: float) -> None:
    """Apply every limit to the calling process; there is no way back."""
    _cut_network()
    sys.addaudithook(refuse_event)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    lower_limit(resource.RLIMIT_FSIZE, int(file_mb) << 20)
    lower_limit(resource.RLIMIT_NOFILE, 512)
    # Counts the user's processes, not the worker's: a low value would stop threads.
    lower_limit(resource.RLIMIT_NPROC, 4096)
    if sys.platform == "darwin" or not lower_limit(resource.RLIMIT_AS, int(memory_mb) << 20):
        threading.Thread(target=watch_memory, args=(memory_mb,), daemon=True).start()


def allow_cpu_seconds(timeout_s: float) -> None:
    """Let the process use ``timeout_s`` more CPU seconds a core; then the kernel ends it (SIGXCPU)."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cores = count_cores()
    lower_limit(resource.RLIMIT_CPU, int(usage.ru_utime + usage.ru_stime + timeout_s * cores) + 2, keep_hard=True)


def peak_mb() -> float:
    """Largest resident size so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if sys.platform == "darwin" else peak / 1024


def resident_mb() -> float:
    """Resident size now, in MiB (the peak where the system does not tell)."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return peak_mb()
    return pages * resource.getpagesize() / (1 << 20)


def is_heavy(memory_mb: float, result: object) -> bool:
    """Tell if the process should be replaced: out of memory just now, or what it keeps is over half of the limit."""
    spent = isinstance(result, AgentFailure) and result.code is ErrorCode.PARSER_MEMORY
    return spent or resident_mb() > memory_mb / 2


def lower_limit(which: int, value: int, *, keep_hard: bool = False) -> bool:
    """Set a limit, never above the hard one. False where the platform refuses."""
    _, hard = resource.getrlimit(which)
    soft = value if hard == resource.RLIM_INFINITY else min(value, hard)
    try:
        resource.setrlimit(which, (soft, hard if keep_hard else soft))
    except (ValueError, OSError):
        return False
    return True


def _cut_network() -> None:
    """A network namespace of its own holds no interface at all. Containers often forbid it: the hook then remains."""
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


def refuse_event(event: str, args: tuple[object, ...]) -> None:
    """Raise ``PermissionError`` for an audit event that a parser has no business with."""
    if event in _NETWORK:
        raise PermissionError("a parser may not use the network")
    if event in _SPAWN:
        raise PermissionError("a parser may not start programs")
    if event in _START and os.path.basename(str(args[0])) not in PROGRAMS:  # noqa: PTH119
        raise PermissionError("a parser may not start programs")


def watch_memory(memory_mb: float) -> None:
    """End the process once it is larger than ``memory_mb``, where the system sets no limit."""
    while True:
        if resident_mb() > memory_mb:
            os._exit(EXIT_MEMORY)
        time.sleep(0.05)
