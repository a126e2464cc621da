"""Retention by the server: once a day, for every tenant with records, jobs included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from roma_core.api.erasure import remove_jobs_before
from roma_core.api.jobqueue import JobQueue
from roma_core.api.jobs import JobOutcome
from roma_core.api.retention import RetentionSchedule
from roma_core.app import build_roma
from roma_core.settings import Settings
from roma_core.types import Principal, TailorOutput


async def test_each_tenant_with_records_has_its_turn_once_a_day(tmp_path: Path) -> None:
    (tmp_path / "bridge.md").write_text("# The bridge\n\nThe bridge spans 120 metres.\n")
    rules = "answers=0d,acme/*/answers=forever"
    settings = Settings(workspace=tmp_path / "w", embedder="fake", reranker="none", retention_rules=rules)
    async with build_roma(settings) as roma:
        who = {name: Principal(subject="anna", tenant=name, roles=("reader",)) for name in ("beta", "acme")}
        for name, principal in who.items():
            await roma.ingest(tmp_path / "bridge.md", tenant=name)
            assert isinstance(await roma.query("What does the bridge span?", principal=principal), TailorOutput)
        schedule = RetentionSchedule(roma)
        assert await schedule.apply_due() == 3  # acme keeps its answers; the tenant of the settings has none
        assert await roma.of_tenant("beta").answers.list(who["beta"]) == []
        assert len(await roma.of_tenant("acme").answers.list(who["acme"])) == 1
        assert await schedule.apply_due() == 0


async def test_without_rules_nothing_is_looked_for(tmp_path: Path) -> None:
    async with build_roma(Settings(workspace=tmp_path / "w", embedder="fake", reranker="none")) as roma:
        assert await RetentionSchedule(roma).apply_due() == 0
    assert not (tmp_path / "w" / "ledger.sqlite").exists()


async def test_jobs_that_ended_before_go_and_others_stay(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path)
    done, waiting = (queue.add([name], "default").id for name in ("papers", "letters"))
    claimed = queue.claim("worker")
    assert claimed is not None and claimed.id == done
    assert queue.finish(done, "worker", JobOutcome("done"))
    remove = remove_jobs_before(Settings(workspace=tmp_path))
    later = datetime.now(UTC) + timedelta(days=1)
    assert await remove("default", later, True) == 1
    assert len(queue.list("default")) == 2
    assert await remove("default", later, False) == 1
    assert [job.id for job in queue.list("default")] == [waiting]
    missing = remove_jobs_before(Settings(workspace=tmp_path / "none"))
    assert await missing("default", later, False) == 0
    assert not (tmp_path / "none").exists()
