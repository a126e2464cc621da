"""A file or folder that is written whole or not at all, beside its place and then put there in one step."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from roma_core.errors import InputError
from roma_core.exports.records import ExportedFile

MARK = ".partial"


@contextmanager
def whole_or_nothing(target: Path, *, replace: bool) -> Iterator[Path]:
    """Yield a place to write to; it becomes ``target`` at the end, and is removed when anything fails.

    Raises ``InputError`` when something is at ``target`` and ``replace`` is not set. What is replaced stays until the
    new one is complete.
    """
    target = target.absolute()
    if os.path.lexists(target) and not replace:
        raise InputError(f"{target} exists; name another place, or replace it with --replace.")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}{MARK}")
    _remove(partial)
    try:
        yield partial
        _put_in_place(partial, target)
    finally:
        _remove(partial)


def _put_in_place(partial: Path, target: Path) -> None:
    if partial.is_dir() and target.is_dir():
        former = target.with_name(f".{target.name}.{os.getpid()}.former")
        target.rename(former)
        try:
            partial.rename(target)
        except OSError:
            former.rename(target)
            raise
        shutil.rmtree(former)
        return
    if target.is_dir() != partial.is_dir() and os.path.lexists(target):
        raise InputError(f"{target} is {'a folder' if target.is_dir() else 'a file'}; this export is the other kind.")
    partial.replace(target)


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def describe_file(path: Path, name: str, rows: int) -> ExportedFile:
    """Return the size and the hash of a file that was written."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return ExportedFile(name=name, rows=rows, size_bytes=path.stat().st_size, sha256=sha256)
