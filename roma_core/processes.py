"""The identity of a process: whether the one that holds a lease is still there, also when its number is used again."""

from __future__ import annotations

import os
from pathlib import Path


def identify_process(pid: int) -> str:
    """Return what tells a process from a later one with its number; empty for one that is not there.

    >>> identify_process(os.getpid()) != ""
    True
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return str(pid)  # no /proc here: the number alone
    if fields[0] == "Z":  # it has ended, and its status was not asked for yet
        return ""
    return fields[19]
