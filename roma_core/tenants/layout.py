"""The move of a workspace in which all tenants shared their files to one with a folder for each tenant.

It is done once, by the first process that opens such a workspace, and goes on where it was killed: the plan is written
first, what is copied appears under its name when it is whole, and rows are removed from the shared files at the end.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from roma_core.database import scrub
from roma_core.errors import DISK_FULL, ErrorCode, StoreError
from roma_core.telemetry import logs
from roma_core.workspace import (
    CORPUS_PREFIX,
    DEFAULT_TENANT,
    Placement,
    Workspace,
    name_tenant_folder,
    private_file,
    private_folder,
    replace_file,
)

OnStep = Callable[[str], None]
WAIT_S: Final = 600.0
"""How long a process waits for another one that is moving the workspace."""
FORMAT: Final = 1
_SPENDING: Final = """
    (scope = 'tenant' AND key {is_of_tenant})
    OR (scope = 'session' AND substr(key, 1, instr(key, '/') - 1) {is_of_tenant})
    OR (scope = 'token' AND key IN (SELECT token FROM spend WHERE tenant {is_of_tenant}))
"""
FOLLOWING: Final[Mapping[str, tuple[str, str]]] = {
    "history": ("runs", "run_id NOT IN (SELECT run_id FROM runs)"),
    "leases": ("sources", "source_id NOT IN (SELECT id FROM sources)"),
}
"""Tables without a tenant whose rows go with those of another table, by name, with which rows go."""
SCOPED: Final = ("spent", "reserved")
"""Tables that name a tenant in a key."""
_log = logs.get("tenants")


@dataclass(frozen=True)
class MovePlan:
    """Which tenant keeps the workspace's own folder, and which ones get folders of their own."""

    home: str
    moving: tuple[str, ...]


def bring_layout_up_to_date(settings: Placement, on_step: OnStep = lambda step: None) -> None:
    """Give each tenant of an older workspace its own folder. Returns at once for a workspace that has them, or is new.

    ``on_step`` is told each step before it is done. Raises ``StoreError`` when something cannot be moved; then running
    it again goes on. Servers of an older ROMA must not run meanwhile.
    """
    workspace = Workspace(settings.workspace)
    if workspace.layout.exists() or not any(path.exists() for path in _list_databases(workspace)):
        return
    try:
        plan = _read_plan(workspace) or _make_plan(workspace, settings.tenant)
    except sqlite3.Error as error:
        # A damaged file is reported by what uses it, and mended by `roma doctor`; until then nothing is moved.
        _log.warning("tenants_unknown", reason=type(error).__name__)
        return
    try:
        if plan.moving:
            _move_under_lock(workspace, plan, on_step)
        elif os.access(workspace.folder, os.W_OK):
            _write_json(workspace.layout, {"format": FORMAT, "home": plan.home})
    except (OSError, sqlite3.Error) as error:
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise StoreError(DISK_FULL, ErrorCode.STORAGE_FULL) from error
        raise StoreError(
            f"The tenants cannot be moved into folders of their own ({type(error).__name__}); run it again.",
            ErrorCode.STORAGE_UNAVAILABLE,
        ) from error


def find_shared_tenants(workspace: Workspace) -> set[str]:
    """Return the tenants that have rows in the databases of a folder. Raises ``sqlite3.Error``."""
    found: set[str] = set()
    for path in _list_databases(workspace):
        with closing(_open(path)) as db:
            for table in _list_tables(db):
                if "tenant" in _list_columns(db, table):
                    found |= {row[0] for row in db.execute(f'SELECT DISTINCT tenant FROM "{table}"')}  # noqa: S608
    return found


# Planning


def _make_plan(workspace: Workspace, own: str) -> MovePlan:
    """Return the plan: ``default`` keeps the folder, else the tenant that the process works for, else the first."""
    found = sorted(tenant for tenant in find_shared_tenants(workspace) if not tenant.startswith(CORPUS_PREFIX))
    wanted = [tenant for tenant in (DEFAULT_TENANT, own, *found) if tenant in found]
    home = wanted[0] if wanted else DEFAULT_TENANT
    return MovePlan(home, tuple(tenant for tenant in found if tenant != home))


def _plan_path(workspace: Workspace) -> Path:
    return workspace.layout.with_suffix(".moving")


def _read_plan(workspace: Workspace) -> MovePlan | None:
    """Return the plan of a move that was cut short; None without one."""
    try:
        held = json.loads(_plan_path(workspace).read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StoreError(f"{_plan_path(workspace)} cannot be read ({type(error).__name__}).") from error
    return MovePlan(held["home"], tuple(held["moving"]))


def _write_json(path: Path, value: object) -> None:
    replace_file(path, json.dumps(value), private=True)


# Moving


def _move_under_lock(workspace: Workspace, plan: MovePlan, on_step: OnStep) -> None:
    from filelock import FileLock, Timeout

    try:
        with FileLock(str(workspace.folder / "layout.lock"), timeout=WAIT_S):
            if workspace.layout.exists():  # another process has done it meanwhile
                return
            plan = _read_plan(workspace) or plan
            _write_json(_plan_path(workspace), {"home": plan.home, "moving": list(plan.moving)})
            _log.info("tenants_moving", home=plan.home, tenants=len(plan.moving))
            for step, work in _list_steps(workspace, plan):
                on_step(step)
                work()
            _write_json(workspace.layout, {"format": FORMAT, "home": plan.home})
            _plan_path(workspace).unlink(missing_ok=True)
            _log.info("tenants_moved", tenants=len(plan.moving))
    except Timeout as error:
        raise StoreError(
            f"Another process has been moving the workspace's tenants for {WAIT_S:g} s; try again when it is done.",
            ErrorCode.STORAGE_LOCKED,
        ) from error


def _list_steps(workspace: Workspace, plan: MovePlan) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the steps in their order. Each may be done again."""
    databases = _list_databases(workspace)
    for tenant in plan.moving:
        own = Workspace(workspace.tenants / name_tenant_folder(tenant))
        for path in databases:
            target = own.folder / path.relative_to(workspace.folder)
            yield f"copy {path.name}", partial(_copy_rows, path, target, tenant)
        yield "copy store", partial(_copy_store, workspace.store, own.store, tenant)
        yield "move certificates", partial(_move_certificates, workspace, own, tenant)
        yield "copy mark of grants", partial(_copy_mark, workspace, own)
    for path in databases:
        yield f"clean {path.name}", partial(_remove_rows, path, plan.moving)
    yield "clean store", partial(_clean_store, workspace.store, plan.moving)
    yield "remove shared caches", partial(_remove_caches, workspace)


def _list_databases(workspace: Workspace) -> list[Path]:
    """Return the databases of a folder that hold rows of tenants, as far as they are there."""
    named = [
        workspace.ledger,
        workspace.budgets,
        workspace.grants,
        workspace.sessions,
        workspace.trials,
        workspace.answers,
        workspace.pictures,
        workspace.originals,
        workspace.retention,
    ]
    months = sorted(workspace.audit.glob("*.sqlite")) if workspace.audit.is_dir() else []
    return [path for path in (*named, *months) if path.is_file() and path.stat().st_size]


def _copy_rows(path: Path, target: Path, tenant: str) -> None:
    """Make ``target`` with the rows of one tenant. It appears when it is whole."""
    if target.exists():
        return
    fresh = target.with_name(f"{target.name}.new")
    fresh.unlink(missing_ok=True)
    private_file(fresh)
    with closing(_open(path)) as source, closing(sqlite3.connect(fresh)) as copy:
        source.backup(copy)
    _delete(fresh, f"<> {_quote(tenant)}")
    scrub(fresh)
    with closing(_open(fresh)) as db:
        db.execute("PRAGMA journal_mode = DELETE")  # one file, which is renamed as a whole
    fresh.replace(target)


def _remove_rows(path: Path, tenants: Sequence[str]) -> None:
    """Remove the rows of tenants from a shared file, and write it again without them."""
    _delete(path, f"IN ({', '.join(map(_quote, tenants))})")
    scrub(path)


def _delete(path: Path, is_meant: str) -> None:
    """Delete the rows whose tenant ``is_meant``, and those that go with them."""
    with closing(_open(path)) as db:
        db.execute("PRAGMA secure_delete = ON")
        db.execute("BEGIN IMMEDIATE")
        tables = _list_tables(db)
        if "spend" in tables:
            for table in SCOPED:
                db.execute(f"DELETE FROM {table} WHERE {_SPENDING.format(is_of_tenant=is_meant)}")  # noqa: S608
        for table in tables:
            if "tenant" in _list_columns(db, table):
                db.execute(f'DELETE FROM "{table}" WHERE tenant {is_meant}')  # noqa: S608
        for table, (owner, goes) in FOLLOWING.items():
            if table in tables and owner in tables:
                db.execute(f"DELETE FROM {table} WHERE {goes}")  # noqa: S608
        db.execute("COMMIT")


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=30.0, isolation_level=None)


def _list_tables(db: sqlite3.Connection) -> list[str]:
    return [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]


def _list_columns(db: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in db.execute(f'PRAGMA table_info("{table}")')}


def _copy_store(store: Path, target: Path, tenant: str) -> None:
    """Make ``target`` with the passages of one tenant; their vectors stay as they are."""
    if target.exists() or not any(store.glob("*.lance")):
        return
    from roma_core.store.tenant_rows import keep_tenant

    fresh = target.with_name(f"{target.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    private_folder(fresh.parent)
    shutil.copytree(store, fresh, ignore=shutil.ignore_patterns(".*.lock", "*.lock"))
    _run(keep_tenant(fresh, tenant))
    fresh.replace(target)


def _clean_store(store: Path, tenants: Sequence[str]) -> None:
    if any(store.glob("*.lance")):
        from roma_core.store.tenant_rows import remove_tenants

        _run(remove_tenants(store, tenants))


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end, also where an event loop runs already: in a thread of its own."""
    with ThreadPoolExecutor(1, "roma-tenants") as thread:
        thread.submit(asyncio.run, work).result()


def _move_certificates(workspace: Workspace, own: Workspace, tenant: str) -> None:
    """Move certificates and journals of erasures that name the tenant."""
    for path in sorted(workspace.certificates.glob("*")) if workspace.certificates.is_dir() else []:
        if json.loads(path.read_text("utf-8")).get("tenant") == tenant:
            private_folder(own.certificates)
            path.replace(own.certificates / path.name)


def _copy_mark(workspace: Workspace, own: Workspace) -> None:
    """Keep the mark without which a lost table of grants would count as none."""
    if workspace.grants.with_suffix(".restricted").exists():
        private_file(own.grants.with_suffix(".restricted"))


def _remove_caches(workspace: Workspace) -> None:
    """Remove the caches that all tenants shared: they do not say whose an entry is."""
    for path in workspace.rebuildable:
        for beside in (path, *(path.with_name(f"{path.name}{suffix}") for suffix in ("-wal", "-shm"))):
            beside.unlink(missing_ok=True)
