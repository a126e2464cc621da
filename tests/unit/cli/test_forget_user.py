"""``roma forget --user`` and ``roma retention`` in the terminal, with an account, a token and jobs of the service."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from roma_core.api.accounts import AccountTable
from roma_core.api.jobqueue import JobQueue
from roma_core.api.storage import open_service
from roma_core.api.tokens import TokenStore
from roma_core.cli import main
from roma_core.telemetry import logs
from tests.fakes.traces import find_traces

Shown = pytest.CaptureFixture[str]


@pytest.fixture
def service(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace whose service knows the user wolpertinger."""
    for name, value in {"EMBEDDER": "fake", "RERANKER": "none"}.items():
        monkeypatch.setenv(f"ROMA_{name}", value)
    accounts = AccountTable(workspace)
    invitation = accounts.add("wolpertinger", roles=["reader"])
    accounts.set_password(invitation, "correct horse battery")
    accounts.sign_in("wolpertinger", address="192.0.2.7")
    accounts.add("bert", roles=["reader"])
    with open_service(workspace).transaction() as db:
        db.execute("INSERT INTO identities VALUES ('oidc', 'subject-7', 'wolpertinger')")
    TokenStore(workspace).create("laptop", ["query"], owner="wolpertinger")
    jobs = JobQueue(workspace)
    jobs.add(["papers"], "default", submitter="wolpertinger")
    return workspace


def test_a_user_is_forgotten_with_account_tokens_and_jobs(service: Path, tmp_path: Path, capsys: Shown) -> None:
    assert "service.db" in find_traces(service, ["wolpertinger"])
    target = tmp_path / "proof.json"
    assert main(["forget", "--user", "wolpertinger", "--certificate", str(target), "--json"]) == 0
    certificate = json.loads(capsys.readouterr().out)
    assert json.loads(target.read_text()) == certificate
    removed = {place["place"]: place["removed"] for place in certificate["places"]}
    assert (removed["account and sign-ins"], removed["tokens"]) == (3, 1)
    assert find_traces(service, ["wolpertinger", "subject-7"]) == {}
    assert [account.name for account in AccountTable(service).list()] == ["bert"]
    assert "wolpertinger" not in target.read_text()


def test_log_lines_of_the_workspace_go_with_the_user_and_the_document(
    service: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Shown
) -> None:
    monkeypatch.setenv("ROMA_LOG_DAYS", "3")
    monkeypatch.setenv("ROMA_LOG_LEVEL", "DEBUG")
    paper = tmp_path / "papers" / "quaggazebu.md"
    paper.parent.mkdir()
    paper.write_text("# The bridge\n\nThe bridge spans 120 metres.\n")
    try:
        assert main(["ingest", str(paper.parent)]) == 0
        logs.get("test").warning("page not read", uri=paper.as_uri())
        logs.get("test").warning("refused", name="wolpertinger")
        held = {name for name in find_traces(service, ["quaggazebu", "wolpertinger"]) if name.startswith("logs/")}
        assert len(held) == 1
        capsys.readouterr()
        assert main(["forget", str(paper), "--json"]) == 0
        certificate = json.loads(capsys.readouterr().out)["certificate"]
        removed = {place["place"]: place["removed"] for place in certificate["places"]}
        assert removed["log lines"] >= 1
        assert main(["forget", "--user", "wolpertinger"]) == 0
        assert find_traces(service, ["quaggazebu", "wolpertinger"], without=["audit/"]) == {}
        assert (service / next(iter(held))).stat().st_size > 0, "other lines stay"
    finally:
        logs.configure()


def test_a_user_and_documents_are_forgotten_one_at_a_time(service: Path, capsys: Shown) -> None:
    assert main(["forget", "notes.md", "--user", "bert"]) == 64
    assert "either a user or documents" in capsys.readouterr().err


def test_a_hold_is_placed_listed_and_released(service: Path, capsys: Shown) -> None:
    assert main(["retention", "hold", "--user", "wolpertinger", "--reason", "case 12", "--json"]) == 0
    hold = json.loads(capsys.readouterr().out)
    assert main(["forget", "--user", "wolpertinger"]) == 64
    assert "case 12" in capsys.readouterr().err
    assert main(["retention", "hold"]) == 0
    assert "case 12" in capsys.readouterr().out
    assert main(["retention", "hold", "--release", hold["id"]]) == 0
    assert main(["forget", "--user", "wolpertinger"]) == 0
    capsys.readouterr()
    assert main(["audit", "query", "--action", "retention", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2


@pytest.mark.parametrize("arguments", [["--user", "bert"], ["--user", "bert", "--tenant", "--reason", "x"]])
def test_a_hold_names_one_thing_and_a_reason(service: Path, capsys: Shown, arguments: list[str]) -> None:
    assert main(["retention", "hold", *arguments]) == 64
    assert capsys.readouterr().err


def test_a_plan_shows_what_would_go(service: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["retention", "plan"]) == 0
    assert "removes anything" in capsys.readouterr().out
    monkeypatch.setenv("ROMA_RETENTION_RULES", "jobs=30d,answers=30d")
    assert main(["retention", "plan", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {removal["record"] for removal in report["removals"]} == {"answers", "jobs"}
    assert report["is_applied"] is False
    assert main(["retention", "apply"]) == 0
    assert "removed" in capsys.readouterr().out
