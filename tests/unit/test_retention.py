"""Retention: what is old enough goes, by its rule, and nothing that is held; a plan removes nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from roma_core.app import Roma, build_roma
from roma_core.audit import AuditLog
from roma_core.errors import ConfigError, InputError, NotFoundError
from roma_core.privacy.holds import RETIRED, RetentionLedger
from roma_core.retention import Retention, RetentionReport
from roma_core.settings import Settings
from roma_core.telemetry import logs
from roma_core.types import Document, Principal, TailorOutput, digest
from roma_core.workspace import Workspace
from tests.fakes.traces import find_traces

ANNA = Principal(subject="anna", roles=("reader",), signed_in_by="account")
BERT = Principal(subject="bert", roles=("reader",), signed_in_by="account")


def in_days(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


@asynccontextmanager
async def opened(folder: Path, rules: str, **settings: object) -> AsyncIterator[Roma]:
    given = {"embedder": "fake", "reranker": "none", "retention_rules": rules, **settings}
    async with build_roma(Settings(workspace=folder / "w", **given)) as roma:
        yield roma


def at(roma: Roma, days: float) -> Retention:
    """Retention as it is so many days from now."""
    return Retention(roma, now=lambda: in_days(days))


def counts(report: RetentionReport) -> dict[str, tuple[int, int]]:
    return {removal.record: (removal.count, removal.kept) for removal in report.removals}


async def ask(roma: Roma, who: Principal, session_id: str) -> None:
    answer = await roma.query("What does the bridge span?", principal=who, session_id=session_id)
    assert isinstance(answer, TailorOutput), answer


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "bridge.md").write_text("# The bridge\n\nThe bridge spans 120 metres, says quaggazebu.\n")
    (folder / "tower.md").write_text("# The tower\n\nThe tower is 80 metres high.\n")
    return folder


async def test_without_rules_nothing_goes_and_nothing_is_written(tmp_path: Path, source: Path) -> None:
    async with opened(tmp_path, "") as roma:
        await roma.ingest(source)
        await ask(roma, ANNA, "s")
        assert (await at(roma, 5000).plan("default")).removals == ()
        assert not await at(roma, 5000).is_due("default", timedelta(days=1))
    assert not (tmp_path / "w" / "retention.sqlite").exists()


async def test_a_plan_removes_nothing_and_applying_removes_what_it_says(tmp_path: Path, source: Path) -> None:
    async with opened(tmp_path, "conversations=30d,answers=10d,caches=5d") as roma:
        await roma.ingest(source)
        await ask(roma, ANNA, "s")
        assert counts(await at(roma, 0).plan("default")) == {
            "conversations": (0, 0),
            "answers": (0, 0),
            "caches": (0, 0),
        }
        planned = counts(await at(roma, 11).plan("default"))
        assert planned["conversations"] == (0, 0) and planned["answers"] == (1, 0) and planned["caches"][0] > 0
        assert len(await roma.turns("s", ANNA)) == 1 and len(await roma.answers.list(ANNA)) == 1
        assert counts(await at(roma, 11).apply("default")) == planned
        assert len(await roma.turns("s", ANNA)) == 1 and await roma.answers.list(ANNA) == []
        assert counts(await at(roma, 11).plan("default"))["answers"] == (0, 0)
        await at(roma, 31).apply("default")
        assert await roma.turns("s", ANNA) == []


async def test_the_last_rule_that_fits_counts_and_other_tenants_are_left_alone(tmp_path: Path, source: Path) -> None:
    async with opened(tmp_path, "answers=10d,default/*/answers=forever") as roma:
        await roma.ingest(source)
        await ask(roma, ANNA, "s")
        assert counts(await at(roma, 100).apply("default")) == {}
        assert counts(await at(roma, 100).apply("acme")) == {"answers": (0, 0)}
        assert len(await roma.answers.list(ANNA)) == 1


async def test_old_documents_go_with_every_trace_and_do_not_come_back(tmp_path: Path, source: Path) -> None:
    async with opened(tmp_path, "documents=30d") as roma:
        await roma.ingest(source)
        assert counts(await at(roma, 29).plan("default")) == {"documents": (0, 0)}
        report = await at(roma, 31).apply("default")
        assert counts(report) == {"documents": (2, 0)}
        assert len(report.certificates) == 1
        assert find_traces(tmp_path / "w", ["quaggazebu"]) == {}
        again = await roma.ingest(source)
        assert {(item.state, item.reason) for item in again.items} == {("skipped", RETIRED)}
        (source / "bridge.md").write_text("# The bridge\n\nThe bridge is new.\n")
        changed = await roma.ingest(source)
        assert sorted(item.state for item in changed.items) == ["added", "skipped"]


async def test_documents_in_use_stay_where_the_last_use_counts(tmp_path: Path, source: Path) -> None:
    async with opened(tmp_path, "documents=30d:unused") as roma:
        await roma.ingest(source)
        await ask(roma, ANNA, "s")
        used = await roma.answers.find_last_uses("default")
        assert used
        report = await Retention(roma, now=lambda: min(used.values()) + timedelta(days=30)).plan("default")
        assert counts(report)["documents"][0] == 2 - len(used)


async def test_a_collection_has_its_own_rule(tmp_path: Path, source: Path) -> None:
    async with opened(tmp_path, "documents=forever,hr/documents=10d") as roma:
        await roma.ingest(source / "bridge.md", collection="hr")
        await roma.ingest(source / "tower.md")
        report = await at(roma, 11).apply("default")
        assert [(removal.collection, removal.count) for removal in report.removals] == [("hr", 1)]
        assert await roma.count_documents() == (1, 1)


@pytest.mark.parametrize(
    ("kind", "name", "kept"),
    [
        ("document", "", True),
        ("collection", "hr", False),
        pytest.param("tenant", "default", True, marks=pytest.mark.slow),
        pytest.param("collection", "main", True, marks=pytest.mark.slow),
    ],
)
async def test_what_is_held_stays_and_cannot_be_forgotten(
    tmp_path: Path, source: Path, kind: str, name: str, kept: bool
) -> None:
    async with opened(tmp_path, "documents=1d") as roma:
        await roma.ingest(source / "bridge.md")
        (document,) = [document async for document in roma.store.documents("default")]
        hold = roma.holds.place("default", kind, name or document.id, reason="case 12", by="local")  # type: ignore[arg-type]
        assert counts(await at(roma, 2).apply("default")) == {"documents": (0, 1) if kept else (1, 0)}
        if kept:
            with pytest.raises(InputError, match="case 12"):
                await roma.forget(document_ids=[document.id])
            roma.holds.release(hold.id, "default")
            assert counts(await at(roma, 2).apply("default")) == {"documents": (1, 0)}


async def test_a_users_records_are_held(tmp_path: Path, source: Path) -> None:
    async with opened(tmp_path, "conversations=1d,answers=1d") as roma:
        await roma.ingest(source)
        for who in (ANNA, BERT):
            await ask(roma, who, "s")
        roma.holds.place("default", "user", "anna", reason="case 12", by="local")
        assert counts(await at(roma, 2).apply("default")) == {"conversations": (1, 0), "answers": (1, 0)}
        assert len(await roma.turns("s", ANNA)) == 1 and await roma.turns("s", BERT) == []
        with pytest.raises(InputError, match="case 12"):
            await roma.forget_user("anna")


async def test_lines_that_are_old_enough_go_by_their_rule(tmp_path: Path, source: Path) -> None:
    async with opened(tmp_path, "logs=30d") as roma:
        await roma.ingest(source)
        logs.configure("INFO")
        logs.configure_files(Workspace(tmp_path / "w"), days=90)
        try:
            for who in (ANNA, BERT):
                with logs.request():
                    logs.serve(who)
                    await ask(roma, who, "s")
        finally:
            logs.configure()
        (path,) = (tmp_path / "w" / "logs").iterdir()
        users = [json.loads(line)["user"] for line in path.read_text().splitlines()]
        assert users == [ANNA.pseudonym, BERT.pseudonym]
        assert counts(await at(roma, 29).plan("default")) == {"logs": (0, 0)}
        whole = roma.holds.place("default", "tenant", "default", reason="case", by="local")
        assert counts(await at(roma, 31).apply("default")) == {"logs": (0, 2)}
        roma.holds.release(whole.id, "default")
        roma.holds.place("default", "user", "bert", reason="case", by="local")
        assert counts(await at(roma, 31).plan("default")) == {"logs": (1, 0)}
        assert counts(await at(roma, 31).apply("default")) == {"logs": (1, 0)}
        assert BERT.pseudonym in path.read_text() and ANNA.pseudonym not in path.read_text()


async def test_the_log_can_be_read_after_its_beginning_was_removed(tmp_path: Path, source: Path) -> None:
    async with opened(tmp_path, "audit=30d", audit="all") as roma:
        await roma.ingest(source)
        for number in range(3):
            await ask(roma, ANNA, f"s{number}")
        log = AuditLog(tmp_path / "w")
        rows = log.verify("default").rows
        assert counts(await at(roma, 31).apply("default")) == {"audit": (rows, 0)}
        check = log.verify("default")
        assert check.is_whole and check.removed == rows
        await ask(roma, ANNA, "later")
        assert log.verify("default").is_whole
        log.close()
        (month,) = (tmp_path / "w" / "audit").glob("*.sqlite")
        import sqlite3

        with sqlite3.connect(month) as db:
            db.execute("DELETE FROM entries WHERE number = ?", (rows + 2,))
        assert not AuditLog(tmp_path / "w").verify("default").is_whole


async def test_it_is_due_once_a_day(tmp_path: Path, source: Path) -> None:
    day = timedelta(days=1)
    async with opened(tmp_path, "answers=10d") as roma:
        assert await at(roma, 0).is_due("default", day)
        await at(roma, 0).apply("default")
        assert not await at(roma, 0.5).is_due("default", day)
        assert await at(roma, 1.1).is_due("default", day)


def test_a_hold_needs_a_reason_and_is_released_once(tmp_path: Path) -> None:
    holds = RetentionLedger(tmp_path / "retention.sqlite")
    with pytest.raises(InputError):
        holds.place("t", "user", "anna", reason=" ", by="local")
    hold = holds.place("t", "user", "anna", reason="case", by="local")
    with pytest.raises(NotFoundError):
        holds.release(hold.id, "u")
    holds.release(hold.id, "t")
    with pytest.raises(NotFoundError):
        holds.release(hold.id, "t")
    assert holds.list_holds("t") == []


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ("answers=30", "90d"),
        ("letters=30d", "conversations"),
        ("hr/answers=30d", "only documents"),
        ("answers=30d:unused", "only documents"),
    ],
)
def test_a_wrong_rule_is_refused_with_what_to_write(rule: str, named: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Settings(retention_rules=rule)
    assert refused.value.message.startswith("ROMA_RETENTION_RULES") and named in refused.value.message


async def test_files_that_were_brought_go_by_a_rule_of_their_own_and_their_documents_stay(tmp_path: Path) -> None:
    async with opened(tmp_path, "uploads=30d") as roma:
        brought = {name: Workspace(tmp_path / "w").uploads / digest("default", name)[:16] for name in ("anna", "bert")}
        for name, folder in brought.items():
            folder.mkdir(parents=True)
            (folder / "memo.md").write_text(f"# Memo\n\nThe memo of {name} is of 1907.\n")
        (brought["anna"] / "held.md").write_text("# Letter\n\nThe letter is of 1908.\n")
        held = Document.id_for((brought["anna"] / "held.md").as_uri())
        await roma.ingest(*brought.values())
        assert counts(await at(roma, 29).plan("default")) == {"uploads": (0, 0)}
        whole = roma.holds.place("default", "collection", "main", reason="case", by="local")
        assert counts(await at(roma, 31).plan("default")) == {"uploads": (0, 0)}
        roma.holds.release(whole.id, "default")
        roma.holds.place("default", "user", "bert", reason="case", by="local")
        roma.holds.place("default", "document", held, reason="case", by="local")
        assert counts(await at(roma, 31).plan("default")) == {"uploads": (1, 0)}
        assert (brought["anna"] / "memo.md").exists()
        assert counts(await at(roma, 31).apply("default")) == {"uploads": (1, 0)}
        assert sorted(path.name for path in (tmp_path / "w" / "uploads").rglob("*.md")) == ["held.md", "memo.md"]
        assert await roma.count_documents() == (3, 3)
