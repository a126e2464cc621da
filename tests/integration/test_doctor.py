"""``roma doctor``: a workspace that came apart is described, and mended without losing what a source still has."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from roma_core.app import Roma, build_roma
from roma_core.cli import main
from roma_core.doctor import DoctorReport, examine
from roma_core.settings import Settings
from roma_core.workspace import Workspace

TEXTS = {
    "bridge.md": "# Rope bridge\n\nThe rope bridge of Quellfeld was built in 1902.\n",
    "mill.md": "# Water mill\n\nThe mill of Quellfeld grinds rye.\n",
    "well.txt": "The well of Quellfeld is 31 metres deep.\n",
}


@pytest.fixture
async def place(workspace: Path) -> Workspace:
    """A workspace into which three files were ingested; one stands above it."""
    docs = workspace.parent / "docs"
    docs.mkdir()
    for name, text in TEXTS.items():
        (docs / name).write_text(text)
    async with open_roma(workspace) as roma:
        report = await roma.ingest("docs")
        assert report.counts()["added"] == 3
    return Workspace(workspace)


def open_roma(folder: Path) -> Roma:
    return build_roma(Settings(workspace=folder, embedder="fake", reranker="fake"))


async def diagnose(place: Workspace, *, repair: bool = False) -> DoctorReport:
    async with open_roma(place.folder) as roma:
        return await examine(roma, repair=repair)


async def titles(place: Workspace) -> list[str]:
    async with open_roma(place.folder) as roma:
        return sorted([document.uri.rsplit("/", 1)[1] async for document in roma.store.documents("default")])


def remove(*paths: Path) -> None:
    for path in paths:
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


def messages(report: DoctorReport) -> list[tuple[str, int, int]]:
    return [(diagnosis.part, diagnosis.count, diagnosis.mended) for diagnosis in report.diagnoses]


async def test_a_sound_workspace_and_an_empty_one_have_nothing(place: Workspace, tmp_path: Path) -> None:
    assert await diagnose(place) == DoctorReport()
    assert await diagnose(place, repair=True) == DoctorReport()
    assert await diagnose(Workspace(tmp_path / "empty")) == DoctorReport()
    assert not (tmp_path / "empty").exists()


async def test_a_lost_ledger_is_made_again_and_what_went_meanwhile_goes(place: Workspace) -> None:
    remove(place.ledger)
    (place.folder.parent / "docs" / "mill.md").unlink()
    assert messages(await diagnose(place)) == [("documents", 3, 0)]
    assert await titles(place) == ["bridge.md", "mill.md", "well.txt"], "nothing is changed without repair"
    assert messages(await diagnose(place, repair=True)) == [("documents", 3, 3)]
    assert await titles(place) == ["bridge.md", "well.txt"]
    assert await diagnose(place) == DoctorReport()
    async with open_roma(place.folder) as roma:
        assert (await roma.ingest("docs")).counts()["unchanged"] == 2
        assert await roma.store.counts("default") == (2, 2)


async def test_a_ledger_from_an_older_backup_learns_what_was_stored_since(place: Workspace, tmp_path: Path) -> None:
    remove(tmp_path / "backup.sqlite")
    shutil.copy(place.ledger, tmp_path / "backup.sqlite")
    (place.folder.parent / "docs" / "late.md").write_text("# Late\n\nThe late house of Quellfeld.\n")
    async with open_roma(place.folder) as roma:
        await roma.ingest("docs")
    remove(place.ledger)
    shutil.copy(tmp_path / "backup.sqlite", place.ledger)
    assert messages(await diagnose(place, repair=True)) == [("documents", 1, 1)]
    assert await diagnose(place) == DoctorReport()
    assert "late.md" in await titles(place)


async def test_a_lost_store_is_filled_from_the_sources(place: Workspace) -> None:
    shutil.rmtree(place.store)
    place.store.mkdir()
    assert messages(await diagnose(place)) == [("documents", 3, 0)]
    assert messages(await diagnose(place, repair=True)) == [("documents", 3, 3)]
    assert await titles(place) == ["bridge.md", "mill.md", "well.txt"]


async def test_documents_of_a_folder_that_may_be_unmounted_stay(place: Workspace) -> None:
    remove(place.ledger)
    docs = place.folder.parent / "docs"
    docs.rename(docs.with_name("away"))
    assert messages(await diagnose(place, repair=True)) == [("documents", 3, 0)]
    docs.mkdir()
    assert messages(await diagnose(place, repair=True)) == [("documents", 3, 0)], "an empty mount point"
    assert await titles(place) == ["bridge.md", "mill.md", "well.txt"]


async def test_a_damaged_cache_is_put_aside_and_another_file_is_left_to_a_person(place: Workspace) -> None:
    for path in (place.cache, place.budgets):
        remove(path)
        path.write_bytes(b"no database at all" * 99)
    report = await diagnose(place, repair=True)
    assert [(d.message, d.is_mended) for d in report.diagnoses] == [
        ("cache.sqlite is damaged.", True), ("budgets.sqlite is damaged.", False),
    ]  # fmt: skip
    assert place.cache.with_suffix(".damaged").exists()
    assert place.budgets.read_bytes().startswith(b"no database")


async def test_a_damaged_ledger_is_left_to_a_person_who_is_told_what_to_do(place: Workspace) -> None:
    remove(place.ledger)
    place.ledger.write_bytes(b"no database at all" * 99)
    report = await diagnose(place, repair=True)
    assert [(d.part, d.is_mended) for d in report.diagnoses] == [("databases", False), ("documents", False)]
    assert "move it away" in report.diagnoses[0].advice
    remove(place.ledger)
    assert messages(await diagnose(place, repair=True)) == [("documents", 3, 3)]


async def test_a_store_of_a_newer_roma_is_reported_and_left(place: Workspace) -> None:
    import lancedb

    table = await (await lancedb.connect_async(str(place.store))).open_table("passages")
    newer = {"path": "key", "metadata": {"roma:schema": '{"number": 99, "roma": "9.1.0"}'}}
    await table.update_field_metadata(newer)
    report = await diagnose(place, repair=True)
    assert [d.part for d in report.diagnoses] == ["documents"]
    assert "use ROMA 9.1.0 or newer" in report.diagnoses[0].message


async def test_files_of_killed_processes_go_and_those_in_use_stay(place: Workspace) -> None:
    place.temporary.mkdir()
    old, young = place.temporary / "old", place.temporary / "young"
    for path in (old, young):
        path.write_bytes(b"x" * 1000)
    os.utime(old, (time.time() - 86400,) * 2)
    assert messages(await diagnose(place)) == [("files", 1, 0)]
    assert old.exists()
    assert messages(await diagnose(place, repair=True)) == [("files", 1, 1)]
    assert (old.exists(), young.exists()) == (False, True)


def test_the_command_says_what_is_wrong_and_ends_with_one(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROMA_EMBEDDER", "fake")
    monkeypatch.setenv("ROMA_RERANKER", "fake")
    place = Workspace(workspace)
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"diagnoses": []}
    place.temporary.mkdir(parents=True)
    (place.temporary / "old").touch()
    os.utime(place.temporary / "old", (1, 1))
    assert main(["doctor"]) == 1
    assert "files of killed processes" in capsys.readouterr().out
    assert main(["doctor", "--repair"]) == 0
    assert main(["doctor"]) == 0
