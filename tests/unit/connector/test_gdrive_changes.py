"""Listings of Drive that are brought up to date by its logs of changes."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from roma_core.connectors.base import ListingEnd
from roma_core.connectors.gdrive import changes
from roma_core.connectors.gdrive.connector import GDriveConnector
from roma_core.errors import AgentFailure
from roma_core.settings import Settings
from roma_core.types import Source
from tests.fakes.drive import FOLDER, Entry, FakeDrive, error

TOP = "gdrive://folder/top"


class Watcher:
    """A source that is listed again and again, as the ledger does it: the state of one listing goes into the next."""

    def __init__(self, drive: FakeDrive, connector: GDriveConnector, uri: str) -> None:
        self.drive = drive
        self.connector = connector
        self.uri = uri
        self.state: dict[str, Any] = {}
        self.calls: list[str] = []

    async def look(self) -> dict[str, str | None]:
        """List once; return the version (or the reason to skip) of each file."""
        before = len(self.drive.calls)
        source = Source(uri=self.uri, kind="gdrive", options={"state": self.state} if self.state else {})
        items: dict[str, str | None] = {}
        async for item in self.connector.list(source):
            assert not isinstance(item, AgentFailure), item
            if isinstance(item, ListingEnd):
                assert item.is_complete
                self.state = json.loads(json.dumps(item.state)) if item.state is not None else self.state
            else:
                assert item.uri not in items
                items[item.uri.removeprefix("gdrive://file/")] = item.skip or item.version
        self.calls = self.drive.calls[before:]
        return items


@pytest.fixture
async def drive() -> AsyncIterator[FakeDrive]:
    async with FakeDrive(Entry("top", "Top", FOLDER), Entry("sub", "Sub", FOLDER, parent="top")) as drive:
        drive.add(*(Entry(f"f{n}", f"{n}.txt", content=b"%d" % n, parent="top") for n in range(6)))
        drive.add(Entry("deep", "deep.txt", content=b"deep", parent="sub"))
        yield drive


def watcher(drive: FakeDrive, folder: Path, uri: str = TOP) -> Watcher:
    settings = Settings(
        workspace=folder, gdrive_api_endpoint=drive.base, gdrive_credentials=json.dumps(drive.service_account())
    )
    return Watcher(drive, GDriveConnector(settings), uri)


async def test_an_unchanged_folder_costs_one_call(drive: FakeDrive, tmp_path: Path) -> None:
    own = watcher(drive, tmp_path)
    first = await own.look()
    assert len(first) == 7
    assert await own.look() == first
    assert own.calls == ["changes"]


async def test_changed_new_moved_and_removed_files_are_seen_without_listing(drive: FakeDrive, tmp_path: Path) -> None:
    own = watcher(drive, tmp_path)
    first = await own.look()
    drive.put(
        Entry("f0", "0.txt", content=b"other", parent="top"),
        Entry("new", "new.txt", content=b"new", parent="sub"),
        Entry("f1", "1.txt", content=b"1", parent="elsewhere"),
        Entry("f2", "2.txt", content=b"2", parent="top", trashed=True),
        Entry("stranger", "s.txt", content=b"s", parent="elsewhere"),
    )
    drive.remove("f3")
    second = await own.look()
    assert own.calls == ["changes"]
    assert set(second) == {"f0", "f4", "f5", "deep", "new"}
    assert second["f0"] != first["f0"]
    assert await watcher(drive, tmp_path).look() == second


@pytest.mark.parametrize(
    "entry",
    [
        Entry("fresh", "Fresh", FOLDER, parent="top"),
        Entry("sub", "Sub", FOLDER, parent="elsewhere"),
        Entry("sub", "Sub", FOLDER, parent="top", trashed=True),
        Entry("link", "link", parent="top", target="far"),
    ],
    ids=["a new folder", "a folder that was moved", "a folder in the trash", "a new shortcut"],
)
async def test_what_could_move_many_files_lists_all_again(drive: FakeDrive, tmp_path: Path, entry: Entry) -> None:
    own = watcher(drive, tmp_path)
    drive.add(Entry("far", "far.txt", content=b"far", parent="elsewhere"))
    drive.add(Entry("inside", "inside.txt", content=b"inside", parent="fresh"))
    await own.look()
    drive.put(entry)
    assert await own.look() == await watcher(drive, tmp_path).look()
    assert "list" in own.calls
    await own.look()
    assert own.calls == ["changes"]


async def test_an_expired_token_lists_all_again(drive: FakeDrive, tmp_path: Path) -> None:
    own = watcher(drive, tmp_path)
    await own.look()
    drive.put(Entry("new", "new.txt", content=b"new", parent="top"))
    drive.oldest = 1
    assert "new" in await own.look()
    assert "list" in own.calls


async def test_a_log_that_fails_is_a_failure_and_changes_nothing(
    drive: FakeDrive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = watcher(drive, tmp_path)
    await own.look()
    drive.faults["changes"] = [error(403, "dailyLimitExceeded")]
    source = Source(uri=TOP, kind="gdrive", options={"state": own.state})
    (item,) = [item async for item in own.connector.list(source)]
    assert isinstance(item, AgentFailure)
    assert item.details["uri"] == TOP


async def test_files_of_another_drive_behind_a_shortcut_have_a_log_of_their_own(
    drive: FakeDrive, tmp_path: Path
) -> None:
    drive.add(
        Entry("link", "link", parent="top", target="team"),
        Entry("team", "Team", FOLDER, parent="other", drive="SHARED"),
        Entry("plan", "plan.txt", content=b"plan", parent="team", drive="SHARED"),
    )
    own = watcher(drive, tmp_path)
    first = await own.look()
    assert await own.look() == first  # the log of the shared drive is known from now on
    drive.put(Entry("plan", "plan.txt", content=b"other plan", parent="team", drive="SHARED"))
    third = await own.look()
    assert own.calls == ["changes", "changes"]
    assert third["plan"] != first["plan"]


async def test_a_listing_is_not_trusted_for_ever(
    drive: FakeDrive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = watcher(drive, tmp_path)
    await own.look()
    monkeypatch.setattr(changes, "LIST_AGAIN_AFTER_S", 0.0)
    await own.look()
    assert "list" in own.calls


@pytest.mark.parametrize("state", [{"drive": 1}, {"drive": {"files": 3}}, {"logs": "no"}, {"pages": {}}])
async def test_a_state_of_another_shape_counts_as_none(drive: FakeDrive, tmp_path: Path, state: dict[str, Any]) -> None:
    own = watcher(drive, tmp_path)
    own.state = state
    assert len(await own.look()) == 7


@pytest.mark.parametrize(("seed", "uri"), [(1, TOP), (2, "gdrive://drive/SHARED")])
async def test_changes_lead_to_what_a_whole_listing_shows(tmp_path: Path, seed: int, uri: str) -> None:
    dice = random.Random(seed)
    shared = "SHARED" if "drive/" in uri else ""
    async with FakeDrive(Entry("top", "Top", FOLDER, drive=shared)) as drive:
        own, other = watcher(drive, tmp_path, uri), watcher(drive, tmp_path, uri)
        for _ in range(15):
            for _ in range(dice.randrange(4)):
                _happen(drive, dice, shared)
            other.state = {}
            assert await own.look() == await other.look()


def _happen(drive: FakeDrive, dice: random.Random, shared: str) -> None:
    """Do one thing to a Drive, and write it into its log as Drive does: of a folder alone, not of what lies in it."""
    folders = [e.id for e in drive.entries.values() if e.mime == FOLDER] + ["elsewhere"]
    files = [e.id for e in drive.entries.values() if e.mime != FOLDER]
    name = f"e{dice.randrange(1000)}"
    match dice.randrange(6):
        case 0 | 1:
            drive.put(Entry(name, name, content=name.encode(), parent=dice.choice(folders), drive=shared))
        case 2:
            drive.put(Entry(f"d{name}", name, FOLDER, parent=dice.choice(folders), drive=shared))
        case 3 if files:
            old = drive.entries[dice.choice(files)]
            drive.put(Entry(old.id, old.name, content=name.encode(), parent=dice.choice(folders), drive=shared))
        case 4 if files:
            drive.remove(dice.choice(files))
        case 5 if len(folders) > 2:
            gone = dice.choice(folders[1:-1])
            for entry in list(drive.entries.values()):
                if entry.parent == gone and entry.mime != FOLDER:
                    drive.entries.pop(entry.id)
            if gone in drive.entries and not any(e.parent == gone for e in drive.entries.values()):
                drive.remove(gone)
