"""Log lines in files: each tenant's in its folder, by the day, removed by age, user and document."""

from __future__ import annotations

import errno
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from roma_core.telemetry import log_files, logs
from roma_core.types import Principal
from roma_core.workspace import Workspace

ANNA = Principal(subject="anna", tenant="lab", roles=("reader",), signed_in_by="account")
BERT = Principal(subject="bert", tenant="lab", roles=("reader",), signed_in_by="account")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace with the tenant lab, whose lines are kept for three days."""
    made = Workspace(tmp_path / "w")
    made.of_tenant("lab").folder.mkdir(parents=True)
    logs.configure("INFO")
    logs.configure_files(made, days=3)
    yield made
    logs.configure()


def read_lines(workspace: Workspace) -> list[dict[str, Any]]:
    texts = [path.read_text("utf-8") for path in sorted(workspace.logs.glob("*.jsonl"))]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def write_day(workspace: Workspace, days_ago: float, *events: str, **fields: object) -> Path:
    """Write the file of a day with a line for each event."""
    at = datetime.now(UTC) - timedelta(days=days_ago)
    path = workspace.logs / f"{at.date().isoformat()}.jsonl"
    workspace.logs.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps({"event": event, "timestamp": at.isoformat(), **fields}, ensure_ascii=False) for event in events
    ]
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))
    return path


def test_lines_of_a_tenants_callers_lie_in_its_folder_under_their_pseudonym(workspace: Workspace) -> None:
    with logs.request("abc-1"):
        logs.serve(ANNA)
        logs.get("memory").info("retrieved", n=20, contact="bob@example.org")
        with logs.detach_request():
            logs.get("serve").info("background")
    logs.get("serve").info("outside")
    logging.getLogger("some.library").warning("from %s", "a library")
    (line,) = read_lines(workspace.of_tenant("lab"))
    assert (line["request_id"], line["agent"], line["event"], line["n"]) == ("abc-1", "memory", "retrieved", 20)
    assert (line["user"], line["contact"]) == (ANNA.pseudonym, "[redacted:email]")
    assert [(line["event"], "user" in line) for line in read_lines(workspace)] == [
        ("background", False),
        ("outside", False),
        ("from a library", False),
    ]
    (path,) = workspace.logs.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600


def test_lines_on_stderr_name_no_user(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    with logs.request():
        logs.serve(ANNA)
        logs.get("memory").info("retrieved")
    shown = capsys.readouterr().err
    assert "retrieved" in shown and ANNA.pseudonym not in shown


def test_a_workspace_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    logs.configure("INFO")
    logs.configure_files(Workspace(tmp_path / "w"), days=3)
    try:
        logs.get("cli").info("health")
    finally:
        logs.configure()
    assert not (tmp_path / "w").exists()


def test_a_file_that_cannot_be_written_is_one_warning_until_it_can(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.logs.write_text("in the way")
    for number in range(3):
        logs.get("cli").info("told", number=number)
    workspace.logs.unlink()
    logs.get("cli").info("back")
    shown = capsys.readouterr().err
    assert shown.count("log_file_failed") == 1 and shown.count("told") == 3
    assert "defect" not in shown
    assert [line["event"] for line in read_lines(workspace)] == ["back"]


def test_a_full_disk_stops_nothing(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(log_files, "private_file", refuse)
    logs.get("cli").info("told")
    assert capsys.readouterr().err.count("log_file_failed") == 1
    assert read_lines(workspace) == []


def test_files_of_days_long_ago_go_when_a_new_one_is_begun(workspace: Workspace) -> None:
    old, young = write_day(workspace, 5, "old"), write_day(workspace, 2, "young")
    logs.get("cli").info("now")
    assert not old.exists() and young.exists()
    assert [line["event"] for line in read_lines(workspace)] == ["young", "now"]


def test_lines_from_before_a_moment_are_counted_and_removed_but_for_users_who_are_held(workspace: Workspace) -> None:
    write_day(workspace, 5, "old", "older")
    write_day(workspace, 5, "held", user=ANNA.pseudonym)
    write_day(workspace, 2, "young")
    moment = datetime.now(UTC) - timedelta(days=3)
    held = [ANNA.pseudonym]
    assert log_files.remove_before(workspace.logs, moment, held_users=held, counts_only=True) == 2
    assert len(read_lines(workspace)) == 4
    assert log_files.remove_before(workspace.logs, moment, held_users=held) == 2
    assert [line["event"] for line in read_lines(workspace)] == ["held", "young"]
    assert log_files.remove_before(workspace.logs, moment) == 1
    assert [path.name for path in workspace.logs.iterdir()] == [write_day(workspace, 2).name]


def test_lines_of_a_user_and_those_with_the_name_are_removed(workspace: Workspace) -> None:
    write_day(workspace, 1, "of anna", user=ANNA.pseudonym)
    write_day(workspace, 1, "account_added", name="anna")
    write_day(workspace, 1, "of bert", user=BERT.pseudonym)
    write_day(workspace, 1, "susanna signed in")
    assert log_files.forget_user(workspace.logs, "anna", ANNA.pseudonym) == 2
    assert [line["event"] for line in read_lines(workspace)] == ["of bert", "susanna signed in"]


def test_lines_that_name_a_document_or_hold_texts_are_removed(workspace: Workspace) -> None:
    named = ['file:///srv/an "old" größe.md', "9f8e7d", "file:///srv/bob@example.org.md"]
    write_day(workspace, 1, "page not read by OCR", uri=named[0])
    write_day(workspace, 1, "by id", document=named[1])
    write_day(workspace, 1, "redacted", uri="file:///srv/[redacted:email]")
    write_day(workspace, 1, "llm_call", prompt="The bridge spans 120 metres.", answer="120 metres")
    write_day(workspace, 1, "kept")
    assert log_files.forget_documents(workspace.logs, named) == 4
    assert [line["event"] for line in read_lines(workspace)] == ["kept"]


def test_lines_about_a_tenant_are_removed(workspace: Workspace) -> None:
    write_day(workspace, 1, "retention_applied", tenant="lab")
    write_day(workspace, 1, "retention_applied", tenant="default")
    assert log_files.forget_tenant(workspace.logs, "lab") == 1
    assert [line["tenant"] for line in read_lines(workspace)] == ["default"]


def test_a_line_that_was_torn_goes_with_the_first_removal(workspace: Workspace) -> None:
    path = write_day(workspace, 1, "whole")
    with path.open("a") as file:
        file.write('{"event": "to\n[1]\n')
    assert log_files.forget_tenant(workspace.logs, "lab") == 2
    assert [line["event"] for line in read_lines(workspace)] == ["whole"]


def test_lines_that_come_while_a_file_is_written_again_are_kept(workspace: Workspace) -> None:
    """A file is written again in place under a lock, so that whoever has it open appends to the same one."""
    logs.get("cli").info("first", tenant="lab")
    (path,) = workspace.logs.iterdir()
    before = path.stat().st_ino
    assert log_files.forget_tenant(workspace.logs, "lab") == 1
    logs.get("cli").info("second")
    assert path.stat().st_ino == before
    assert [line["event"] for line in read_lines(workspace)] == ["second"]


def test_without_files_there_is_nothing_to_remove(tmp_path: Path) -> None:
    assert log_files.forget_tenant(tmp_path / "logs", "lab") == 0
