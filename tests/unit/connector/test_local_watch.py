"""Watched folders: bursts are one change, what comes during a sync is not missed, and ROMA's own writes are none."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from roma_core.connectors.local.watch import FolderWatch
from roma_core.telemetry import logs

LONG_S = 60.0
"""Ends a test that waits for a notice that never comes."""


@asynccontextmanager
async def watching(*places: Path, workspace: Path) -> AsyncIterator[FolderWatch]:
    """Watch places; the first notice is waited for, as the system needs a moment to begin."""
    async with FolderWatch(places, workspace) as watch:
        probe = (places[0] if places[0].is_dir() else places[0].parent) / places[0].name
        for number in range(200):
            probe.with_suffix(".probe").write_text(str(number))
            if places[0].is_file():
                places[0].write_text(str(number))
            if await watch.wait(0.3):
                break
        while await watch.wait(1.0):  # until the last of these is noticed too
            pass
        yield watch


async def test_a_burst_of_changes_is_read_as_one(tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    folder.mkdir()
    async with watching(folder, workspace=tmp_path / "ws") as watch:
        for burst in range(5):
            for number in range(20):
                (folder / f"{burst}-{number}.md").write_text("words")
            await asyncio.sleep(0.05)
        assert await watch.wait(LONG_S)
        more = 0
        while await watch.wait(1.0):
            more += 1
        assert more <= 10, "a hundred files are a few changes at most"


async def test_a_change_that_comes_while_nobody_waits_is_not_missed(tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    (folder / "below").mkdir(parents=True)
    async with watching(folder, workspace=tmp_path / "ws") as watch:
        (folder / "below" / "late.md").write_text("words")
        await asyncio.sleep(1.0)
        assert await watch.wait(LONG_S)


async def test_what_changes_all_the_time_is_read_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roma_core.connectors.local.watch.MOST_REST_S", 1.0)
    async with watching(tmp_path, workspace=tmp_path / "ws") as watch:

        async def go_on_writing() -> None:
            while True:
                (tmp_path / "log.md").write_text("words")
                await asyncio.sleep(0.1)

        writer = asyncio.create_task(go_on_writing())
        assert await asyncio.wait_for(watch.wait(LONG_S), LONG_S)
        writer.cancel()


async def test_writes_to_a_workspace_inside_of_the_folder_are_no_change(tmp_path: Path) -> None:
    workspace = tmp_path / ".roma"
    workspace.mkdir()
    async with watching(tmp_path, workspace=workspace) as watch:
        for number in range(5):
            (workspace / f"{number}.db").write_text("a sync writes here")
        assert not await watch.wait(1.5)
        (tmp_path / "one.md").write_text("words")
        assert await watch.wait(LONG_S)


async def test_a_file_that_an_editor_replaces_is_a_change_and_its_neighbour_is_none(tmp_path: Path) -> None:
    file = tmp_path / "notes.md"
    file.write_text("one")
    async with watching(file, workspace=tmp_path / "ws") as watch:
        (tmp_path / "other.md").write_text("words")
        assert not await watch.wait(1.5)
        (tmp_path / "notes.new").write_text("two")
        (tmp_path / "notes.new").replace(file)
        assert await watch.wait(LONG_S)


async def test_without_places_a_wait_ends_with_its_time_out(tmp_path: Path) -> None:
    async with FolderWatch([], tmp_path) as watch:
        assert not await watch.wait(0.05)


async def test_folders_that_the_system_does_not_watch_are_logged_and_looked_at_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> AsyncIterator[None]:
        raise OSError(errno.ENOSPC, "the limit of inotify watches is reached")
        yield

    logs.configure()
    monkeypatch.setattr("watchfiles.awatch", refuse)
    async with FolderWatch([tmp_path], tmp_path / "ws") as watch:
        assert not await watch.wait(0.05)
    assert "not watched" in caplog.text
