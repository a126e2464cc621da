"""A disk that is really small, and a process that the system allows no more bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, size_mb: int) -> Iterator[Path]:
    """A tmpfs at ``folder``, or the test is skipped."""
    folder.mkdir()
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("no small disk can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def make_read_only(folder: Path) -> None:
    """Mount a small disk again, for reading alone."""
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take every byte; what is taken is given back by deleting the file."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for block in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(block))
            except OSError:
                continue
    assert shutil.disk_usage(folder).free == 0
    return ballast


NO_BYTES = """
import resource, shutil
from collections import namedtuple
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
usage = namedtuple("usage", "total used free")
shutil.disk_usage = lambda _: usage(1 << 30, 1 << 30, 0)
"""
"""Python that leaves its process as a full disk would: no file grows. Only for a process of its own with its output in
a pipe; needs no rights, and refuses with another errno than a full disk does."""
