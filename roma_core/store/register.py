"""The register of a store's tables: which one is in use, by which embedder it was made, and which ones it replaced.

One small file, replaced as a whole. Without it there is the first table alone, as before the first ``reindex``.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from roma_core.errors import ErrorCode, StoreError
from roma_core.store.folder import Stamp, StoreFolder, call_folder

FIRST_TABLE: Final = "passages"
REGISTER_FILE: Final = "tables.json"
LOOK_S: Final = 2.0
"""Longest age of what is known of a store over a network."""
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


def read_register(folder: StoreFolder) -> TableRegister:
    """Return the register of the store in ``folder``. Raises ``StoreError`` (corrupt) when it cannot be read."""
    return _read_with_stamp(folder)[0]


def _read_with_stamp(folder: StoreFolder) -> tuple[TableRegister, Stamp | None]:
    try:
        file = folder.read(REGISTER_FILE)
        if file is None:
            return TableRegister(), None
        values: dict[str, Any] = json.loads(file.text)
        retired = tuple(RetiredTable(**table) for table in values.pop("retired"))
        return TableRegister(**values, retired=retired), file.stamp
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StoreError(
            f"The store's {REGISTER_FILE} cannot be read; put a copy of it back, or move the folder `store` away and "
            "ingest again.",
            ErrorCode.STORAGE_CORRUPT,
        ) from error


def change_register(folder: StoreFolder, change: Callable[[TableRegister], TableRegister]) -> TableRegister:
    """Replace the register by what ``change`` makes of it, and return that.

    After a crash there is the one before or the new one, whole. Raises ``StoreError`` (locked) when another process has
    replaced it meanwhile, and what ``change`` raises.
    """
    register, stamp = _read_with_stamp(folder)
    changed = change(register)
    folder.exchange(REGISTER_FILE, json.dumps(asdict(changed), indent=1), stamp)
    return changed


class RegisterReader:
    """Follows the register of a store, and the identities of its tables, as other processes change them.

    On a disk every look sees what is there now. An object store is asked by ``look``, every ``LOOK_S`` at most, so that
    searches need not wait for it: tables that were replaced stay for longer than that.
    """

    def __init__(self, folder: StoreFolder) -> None:
        self._folder = folder
        self._register = TableRegister()
        self._stamp: Stamp | None = None
        self._identities: dict[str, Stamp | None] = {}
        self._looked_at = -LOOK_S

    async def look(self, *, at_once: bool = False) -> None:
        """Ask an object store again, ``at_once`` or when the last answer is too old."""
        if self._folder.is_remote and (at_once or time.monotonic() - self._looked_at >= LOOK_S):
            await call_folder(self._folder, self._look)

    def _look(self) -> None:
        self._looked_at = time.monotonic()
        self._register, self._stamp = _read_with_stamp(self._folder)
        self._identities = {name: table_folder(self._folder, name).identify() for name in self._identities}

    @property
    def register(self) -> TableRegister:
        """The register. Raises ``StoreError`` (corrupt)."""
        if self._folder.is_remote:
            if self._looked_at < 0:
                self._look()
            return self._register
        if self._folder.find_stamp(REGISTER_FILE) != self._stamp:
            self._register, self._stamp = _read_with_stamp(self._folder)
        return self._register

    def identify(self, name: str) -> Stamp | None:
        """Return the identity of a table; None when it is not there."""
        if not self._folder.is_remote:
            return table_folder(self._folder, name).identify()
        if name not in self._identities:
            self._identities[name] = table_folder(self._folder, name).identify()
        return self._identities[name]


def find_embedder(folder: StoreFolder) -> str:
    """Return the ``ROMA_EMBEDDER`` that the store in ``folder`` was made with by ``reindex``; empty when it was not."""
    return read_register(folder).embedder


def list_unfinished(folder: StoreFolder) -> list[str]:
    """Return the names of tables that no register knows: a ``reindex`` was cut short, or is at work."""
    register = read_register(folder)
    known = {register.current, *(table.name for table in register.retired)}
    return sorted(name for name, _ in _list_tables(folder) if name not in known)


def name_next_table(folder: StoreFolder) -> str:
    """Return a name that no table of the store has or had, as far as its folder shows."""
    register = read_register(folder)
    known = [register.current, *(table.name for table in register.retired)]
    numbers = [number for _, number in _list_tables(folder)]
    numbers += [int(name.rpartition("-")[2]) for name in known if name != FIRST_TABLE]
    return f"{FIRST_TABLE}-{max(numbers, default=1) + 1}"


def remove_table(folder: StoreFolder, name: str) -> None:
    """Remove a table's files; what cannot be removed stays for the next time."""
    table_folder(folder, name).remove()


def table_folder(folder: StoreFolder, name: str) -> StoreFolder:
    """Return the folder of a table."""
    return folder.child(f"{name}.lance")


def _list_tables(folder: StoreFolder) -> Iterator[tuple[str, int]]:
    """Yield the tables that have a folder, each with its number."""
    for name in folder.list_folders():
        match = _TABLE_FOLDER.fullmatch(name)
        if match:
            yield match[1], int(match[2] or 1)
