"""A workspace whose tenants shared its files gives each its own folder, once, wherever it is killed."""

from __future__ import annotations

import asyncio
import errno
import multiprocessing
import os
from pathlib import Path

import pytest

from roma_core.app import build_roma
from roma_core.errors import ErrorCode, StoreError
from roma_core.identity import Resource
from roma_core.tenants import bring_layout_up_to_date
from roma_core.types import Principal, TailorOutput
from roma_core.workspace import Workspace, list_tenant_folders
from tests.fakes.tenants import MARKS, TENANTS, make_settings, make_shared

KILLED_AT = ("copy ledger.sqlite", "copy store", "copy mark of grants", "clean ledger.sqlite", "clean store")


def holds_mark(folder: Path, mark: str, without: Path | None = None) -> list[str]:
    """Return the files of a folder whose bytes hold a mark."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    outside = [path for path in files if without is None or not path.is_relative_to(without)]
    return [str(path.relative_to(folder)) for path in outside if mark.encode() in path.read_bytes()]


async def require_whole(folder: Path, tenant: str) -> None:
    """Assert that a tenant has all that it had, and nothing of another one."""
    mark, others = MARKS[tenant], [mark for name, mark in MARKS.items() if name != tenant]
    async with build_roma(make_settings(folder)) as host:
        roma = host.of_tenant(tenant)
        who = Principal(subject=f"anna{mark}", tenant=tenant, roles=("admin",), signed_in_by="account")
        assert await roma.store.counts(tenant) == (1, 1)
        assert [await roma.store.counts(name) for name in TENANTS if name != tenant] == [(0, 0), (0, 0)]
        (turn,) = await roma.sessions.turns(who, "first")
        assert mark in turn.question
        assert [given.comment for given in await roma.sessions.feedback(who)] == [f"right {mark}"]
        (summary,) = await roma.answers.list(who)
        assert (await roma.answers.get(who, summary.id)).output is not None
        assert set(roma.grants.read(tenant)) == {Resource("collection", mark)}
        assert [hold.reason for hold in roma.holds.list_holds(tenant)] == [f"case {mark}"]
        assert roma.budgets.spent_usd("tenant", tenant) == pytest.approx(0.25)
        assert roma.budgets.spent_usd("session", f"{tenant}/first") == pytest.approx(0.25)
        check = roma.audit.verify(tenant)
        assert check.rows > 0 and check.broken_at is None
        (item,) = await roma.ingestion.ledger_items(tenant)
        assert item.state == "added" and mark in item.uri
        assert len(await roma.ingestion.runs(tenant)) == 1
        again = await roma.ingest(Path(item.uri.removeprefix("file://")).parent, tenant=tenant)
        assert again.counts()["unchanged"] == 1, "the ledger knows what is there"
        answer = await roma.query(f"When was the rope bridge of {mark} built?", principal=who)
        assert isinstance(answer, TailorOutput) and "1902" in answer.answer
        own = Workspace.of(roma.settings).folder
    inside = Workspace(folder).tenants if own == folder else None
    assert [holds_mark(own, other, inside) for other in others] == [[], []]


@pytest.mark.parametrize("tenant", TENANTS)
async def test_a_tenant_keeps_all_that_it_had_in_a_folder_of_its_own(old: Path, tenant: str) -> None:
    await require_whole(old, tenant)


def test_the_home_tenant_keeps_the_folder_and_the_others_get_theirs(old: Path) -> None:
    bring_layout_up_to_date(make_settings(old))
    workspace = Workspace(old)
    assert workspace.home_tenant == "default"
    assert list_tenant_folders(workspace) == ["Søn & Co", "lab"]
    assert not workspace.cache.exists(), "it does not say whose an entry is"
    before = {path: path.stat().st_mtime_ns for path in old.rglob("*")}
    bring_layout_up_to_date(make_settings(old))
    assert {path: path.stat().st_mtime_ns for path in old.rglob("*")} == before, "it is done once"


async def test_what_was_embedded_is_not_embedded_again(old: Path) -> None:
    async with build_roma(make_settings(old)) as roma:
        assert await roma.store.index_sha256("default")
    from roma_core.store.lance import open_for_reading

    store = open_for_reading(Workspace(old).of_tenant("lab").store)
    try:
        assert await store.index_sha256("lab")
        assert await store.counts("lab") == (1, 1)
    finally:
        await store.close()  # type: ignore[attr-defined]


class Killed(Exception):
    """Stands for the end of the process."""


def test_a_move_that_is_cut_short_at_any_step_goes_on(old: Path) -> None:
    """Each run is cut one step later than the one before it."""
    for allowed in range(200):
        left = allowed

        def stop(step: str) -> None:
            nonlocal left
            if not left:
                raise Killed(step)
            left -= 1

        try:
            bring_layout_up_to_date(make_settings(old), stop)
        except Killed:
            assert not Workspace(old).layout.exists()
            continue
        break
    assert allowed > 20
    asyncio.run(require_whole(old, "lab"))
    asyncio.run(require_whole(old, "default"))


def _move_and_die(folder: str, at: str) -> None:
    def die(step: str) -> None:
        if step == at:
            os._exit(9)

    bring_layout_up_to_date(make_settings(Path(folder)), die)


@pytest.mark.slow
def test_a_killed_process_leaves_a_move_that_the_next_one_finishes(old: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    for step in KILLED_AT:
        process = spawn.Process(target=_move_and_die, args=(str(old), step))
        process.start()
        process.join()
        assert process.exitcode == 9, step
    for tenant in TENANTS:
        asyncio.run(require_whole(old, tenant))


def test_a_workspace_of_one_tenant_stays_where_it_is(tmp_path: Path) -> None:
    asyncio.run(make_shared(tmp_path / "ws", tmp_path / "papers", ("lab",)))
    before = sorted(path.name for path in (tmp_path / "ws").iterdir())
    bring_layout_up_to_date(make_settings(tmp_path / "ws"))
    workspace = Workspace(tmp_path / "ws")
    assert workspace.home_tenant == "lab"
    assert Workspace.of(make_settings(tmp_path / "ws", tenant="lab")).ledger == workspace.ledger
    assert sorted(path.name for path in workspace.folder.iterdir()) == sorted([*before, "layout.json"])


def test_looking_at_a_new_or_missing_workspace_writes_nothing(tmp_path: Path) -> None:
    bring_layout_up_to_date(make_settings(tmp_path / "none"))
    bring_layout_up_to_date(make_settings(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_stops_no_command(old: Path) -> None:
    Workspace(old).ledger.write_bytes(b"no database" * 400)
    bring_layout_up_to_date(make_settings(old))
    assert not Workspace(old).layout.exists() and not Workspace(old).tenants.exists()


def test_a_full_disk_is_called_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(make_shared(tmp_path / "ws", tmp_path / "papers", ("lab",)))

    def refuse(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StoreError, match="The disk is full") as caught:
        bring_layout_up_to_date(make_settings(tmp_path / "ws"))
    assert caught.value.code is ErrorCode.STORAGE_FULL
