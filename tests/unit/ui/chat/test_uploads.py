"""Files that people bring: their names, their rights, and the ledger's word on each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from roma_core.api.jobs import Job, JobReport
from roma_core.errors import AccessError, InputError
from roma_core.types import IngestItem, Principal
from roma_core.ui.chat.uploads import choose_name, find_upload_path, require_right, view_job, write_upload


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/cron.d/report.pdf", "report.pdf"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("a\x00b\u202e.md", "a_b_.md"),
        ("الجسر.docx", "الجسر.docx"),
        ("x" * 300 + ".md", "x" * 100 + ".md"),
    ],
)
def test_a_name_has_no_folders_and_no_controls(given: str, kept: str) -> None:
    assert choose_name(given) == kept


@pytest.mark.parametrize("name", ["", "..", ".bashrc", "noending", "///", "_.md"])
def test_a_name_without_a_stem_or_an_ending_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="ending"):
        choose_name(name)


def test_a_person_who_may_only_ask_brings_no_files() -> None:
    require_right(Principal(subject="anna", roles=("contributor",)))
    with pytest.raises(AccessError, match="ingest"):
        require_right(Principal(subject="ben", roles=("reader",)))


def test_the_files_of_people_and_tenants_lie_apart(tmp_path: Path) -> None:
    people = [Principal(subject="anna"), Principal(subject="ben"), Principal(subject="anna", tenant="acme")]
    paths = [find_upload_path(tmp_path, who, "report.pdf") for who in people]
    assert len(set(paths)) == 3 and all(path.is_relative_to(tmp_path / "uploads") for path in paths)
    assert find_upload_path(tmp_path, people[0], "a/report.pdf") == paths[0], "a new version of it"


async def parts(*given: bytes, failing: bool = False) -> AsyncIterator[bytes]:
    for part in given:
        yield part
    if failing:
        raise ConnectionError


async def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "person" / "report.md"
    await write_upload(path, parts(b"one ", b"two"))
    assert path.read_bytes() == b"one two"
    with pytest.raises(ConnectionError):
        await write_upload(path, parts(b"thr", failing=True))
    with pytest.raises(InputError, match="empty"):
        await write_upload(path, parts())
    assert path.read_bytes() == b"one two" and list(path.parent.iterdir()) == [path]


def job(state: str, *items: IngestItem) -> Job:
    report = JobReport(run_id="r", seconds=1.0, items_total=len(items), failures_total=0, failures=(), items=items)
    fields: dict[str, Any] = {"id": "j", "tenant": "default", "sources": (), "sources_total": 1, "state": state}
    return Job(**fields, created_at=datetime.now(UTC), report=report if items else None)


def item(state: str, **fields: Any) -> IngestItem:
    return IngestItem.model_validate({"uri": "file:///a.md", "state": state, "document_id": "d1", **fields})


def test_the_ledgers_word_is_said_with_what_was_lost() -> None:
    added = view_job(job("done", item("added", warnings=("Page 3 is a picture without words.",))))
    assert added["is_good"] and added["document"] == "d1"
    assert added["words"] == "It can be asked about now. Page 3 is a picture without words."
    failed = view_job(job("failed", item("failed", reason="The file is damaged.")))
    assert failed["is_good"] is False and failed["words"] == "The file is damaged." and failed["document"] is None


def test_an_upload_that_has_not_ended_has_no_verdict_and_an_archive_counts() -> None:
    assert view_job(job("running"))["is_good"] is None
    assert view_job(job("cancelled")) == view_job(job("cancelled")) and view_job(job("cancelled"))["is_good"] is False
    mixed = view_job(job("done", item("failed", reason="It needs a password."), item("added"), item("added")))
    assert mixed["words"].startswith("2 of 3 documents") and "password" in mixed["words"] and not mixed["is_good"]
