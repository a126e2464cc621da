"""``roma pii``: findings by document and kind, without a value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from roma_core.cli import main

EMAIL = "zebrafish.quux@example.org"


@pytest.fixture
def masked(workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """A workspace with one masked and one refused document; the id of the masked one."""
    for name, value in {"EMBEDDER": "fake", "RERANKER": "none", "PII_POLICY": "email=mask,card=refuse"}.items():
        monkeypatch.setenv(f"ROMA_{name}", value)
    papers = workspace.parent / "papers"
    papers.mkdir()
    (papers / "a.md").write_text(f"# Harbour\n\nWrite to {EMAIL} or to {EMAIL} about the harbour.\n")
    (papers / "b.md").write_text("# Till\n\nPaid with 4111 1111 1111 1111 at the till.\n")
    assert main(["ingest", str(papers), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    return str(next(item["document_id"] for item in report["items"] if item["state"] == "added"))


def test_the_report_counts_by_document_and_kind(masked: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pii", "report", "--json"]) == 0
    written = capsys.readouterr().out
    assert EMAIL not in written and "4111 1111" not in written
    report = json.loads(written)
    (found,) = report["findings"]
    assert (found["kind"], found["mode"], found["count"], found["document_id"]) == ("email", "mask", 2, masked)
    assert all(end - start == len(EMAIL) for start, end in found["spans"])
    ((uri, reason),) = report["refused"]
    assert uri.endswith("b.md") and reason.startswith("it holds personal data: 1 card")


def test_a_kind_and_a_collection_narrow_the_report(masked: str, capsys: pytest.CaptureFixture[str]) -> None:
    for narrowed in (["--kind", "phone"], ["--collection", "hr"]):
        assert main(["pii", "report", *narrowed, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["findings"] == []


def test_a_person_sees_a_table_without_values(masked: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pii", "report"]) == 0
    shown = capsys.readouterr()
    assert "email" in shown.out and "mask" in shown.out
    assert EMAIL not in shown.out + shown.err
    assert "1 of 1 documents" in shown.err


def test_the_user_of_the_machine_sees_the_original_and_it_is_logged(
    masked: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pii", "show", masked]) == 0
    assert EMAIL in capsys.readouterr().out
    assert main(["audit", "query", "--document", masked, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["action"] for row in rows] == ["unmask"]
