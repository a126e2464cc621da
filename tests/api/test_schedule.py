"""Sources that a server syncs by itself, and the route that shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from roma_core.api.jobqueue import JobQueue
from roma_core.api.schedule import SyncSchedule
from roma_core.app import Roma, build_roma
from roma_core.settings import Settings
from roma_core.types import SourceOptions


class Bell:
    """Stands for the worker that is woken."""

    rung = 0

    def wake(self) -> None:
        self.rung += 1


@pytest.fixture
async def roma(tmp_path: Path) -> Any:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# A\n\nSome words about harbours.")
    settings = Settings(workspace=tmp_path / "ws", embedder="fake", reranker="none", parser_workers=1)
    async with build_roma(settings) as roma:
        yield roma


async def test_a_source_whose_time_has_come_becomes_one_job(roma: Roma, tmp_path: Path) -> None:
    queue, bell = JobQueue(roma.settings.workspace), Bell()
    schedule = SyncSchedule(roma, queue, bell)  # type: ignore[arg-type]
    await roma.sources.add(str(tmp_path / "docs"), name="docs", options=SourceOptions(schedule_s=3600))
    assert await schedule.enqueue_due() == 1
    assert await schedule.enqueue_due() == 1, "still due, and the same job"
    (job,) = queue.list("default")
    assert job.sources == ((tmp_path / "docs").as_uri(),)
    assert bell.rung == 2
    await roma.sync("docs")
    assert await schedule.enqueue_due() == 0


async def test_looking_for_sources_makes_no_workspace(tmp_path: Path) -> None:
    roma = build_roma(Settings(workspace=tmp_path / "ws", embedder="fake", reranker="none"))
    folder = tmp_path / "queue"
    assert await SyncSchedule(roma, JobQueue(folder), Bell()).enqueue_due() == 0  # type: ignore[arg-type]
    assert not (tmp_path / "ws").exists()
    await roma.close()


async def test_sources_of_a_file_beside_the_workspace_are_synced(roma: Roma, tmp_path: Path) -> None:
    (tmp_path / "roma.toml").write_text('[[sources]]\nname = "docs"\nuri = "docs"\nevery = "1h"\n')
    roma.settings.workspace.mkdir(exist_ok=True)
    queue = JobQueue(roma.settings.workspace)
    assert await SyncSchedule(roma, queue, Bell()).enqueue_due() == 1  # type: ignore[arg-type]
    assert (await roma.sync()).counts()["added"] == 1


async def test_the_route_shows_sources_without_their_secrets(start: Any, tmp_path: Path) -> None:
    async with start(real=True, parser_workers=1) as service:
        (tmp_path / "notes").mkdir()
        options = SourceOptions(headers={"Authorization": "Bearer s3cret"}, cookies="/home/me/cookies.txt")
        await service.roma.sources.add(str(tmp_path / "notes"), name="notes", options=options)
        reply = await service.client.get("/ingest/sources")
        assert reply.status_code == 200
        (source,) = reply.json()
        assert (source["name"], source["items"]) == ("notes", 0)
        assert "s3cret" not in reply.text and "cookies.txt" not in reply.text
