"""The register of a store's tables: which one is in use, by which embedder it was made, and which ones it replaced.

One small file, replaced as a whole. Without it there is the first table alone, as before the first ``reindex``.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from roma_core.errors import ErrorCode, StoreError
from roma_core.workspace import identity, replace_file

FIRST_TABLE: Final = "passages"
REGISTER_FILE: Final = "tables.json"
_TABLE_FOLDER: Final = re.compile(rf"({FIRST_TABLE}(?:-(\d+))?)\.lance")


@dataclass(frozen=True)
class RetiredTable:
    """A table that another one has replaced; processes with its embedder still read it."""

    name: str
    fingerprint: str
    retired_at: float
    """Seconds since the epoch."""


@dataclass(frozen=True)
class TableRegister:
    """Names of a store's tables. ``fingerprint`` and ``embedder`` are empty for a table that was never replaced.

    >>> TableRegister().choose("any")
    'passages'
    """

    current: str = FIRST_TABLE
    fingerprint: str = ""
    embedder: str = ""
    """The value of ``ROMA_EMBEDDER`` that the table in use was made with."""
    retired: tuple[RetiredTable, ...] = ()

    def choose(self, fingerprint: str) -> str:
        """Return the table to read with this embedder: the one in use, or the last one that was made with it."""
        if self.fingerprint in {"", fingerprint}:
            return self.current
        former = [table.name for table in self.retired if table.fingerprint == fingerprint]
        return former[-1] if former else self.current

    def replace_current(self, name: str, *, was: str, fingerprint: str, embedder: str) -> TableRegister:
        """Return the register with ``name`` in use; ``was`` is the fingerprint of the table that it replaces."""
        former = RetiredTable(self.current, was, time.time())
        return TableRegister(name, fingerprint, embedder, (*self.retired, former))

    def without(self, name: str) -> TableRegister:
        """Return the register without a retired table."""
        return replace(self, retired=tuple(table for table in self.retired if table.name != name))


def read_register(folder: Path) -> TableRegister:
    """Return the register of the store in ``folder``. Raises ``StoreError`` (corrupt) when it cannot be read."""
    path = folder / REGISTER_FILE
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        retired = tuple(RetiredTable(**table) for table in values.pop("retired"))
        return TableRegister(**values, retired=retired)
    except FileNotFoundError:
        return TableRegister()
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StoreError(
            f"The store's {REGISTER_FILE} cannot be read; put a copy of it back, or move the folder `store` away and "
            "ingest again.",
            ErrorCode.STORAGE_CORRUPT,
        ) from error


def write_register(folder: Path, register: TableRegister) -> None:
    """Replace the register. After a crash there is the one before or this one, whole."""
    replace_file(folder / REGISTER_FILE, json.dumps(asdict(register), indent=1))


def find_embedder(folder: Path) -> str:
    """Return the ``ROMA_EMBEDDER`` that the store in ``folder`` was made with by ``reindex``; empty when it was not."""
    return read_register(folder).embedder if (folder / REGISTER_FILE).exists() else ""


def list_unfinished(folder: Path) -> list[str]:
    """Return the names of tables that no register knows: a ``reindex`` was cut short, or is at work."""
    register = read_register(folder)
    known = {register.current, *(table.name for table in register.retired)}
    return sorted(name for name, _ in _list_tables(folder) if name not in known)


def name_next_table(folder: Path) -> str:
    """Return a name that no table of the store has or had, as far as its folder shows."""
    register = read_register(folder)
    known = [register.current, *(table.name for table in register.retired)]
    numbers = [number for _, number in _list_tables(folder)]
    numbers += [int(name.rpartition("-")[2]) for name in known if name != FIRST_TABLE]
    return f"{FIRST_TABLE}-{max(numbers, default=1) + 1}"


def remove_table(folder: Path, name: str) -> None:
    """Remove a table's files; what cannot be removed stays for the next time."""
    shutil.rmtree(table_folder(folder, name), ignore_errors=True)


def table_folder(folder: Path, name: str) -> Path:
    """Return the folder of a table."""
    return folder / f"{name}.lance"


def read_stamp(folder: Path) -> tuple[int, int] | None:
    """Return what changes whenever the register is replaced; None without one."""
    return identity(folder / REGISTER_FILE)


def _list_tables(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield the tables that have a folder, each with its number."""
    for place in folder.glob(f"{FIRST_TABLE}*.lance"):
        match = _TABLE_FOLDER.fullmatch(place.name)
        if match:
            yield match[1], int(match[2] or 1)
