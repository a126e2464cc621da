"""``roma documents``, ``roma open`` and ``roma feedback`` over a small workspace."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click
import pytest

from roma_core.cli import main
from roma_core.sessions.service import Feedback, Sessions, Turn, database_url
from roma_core.types import Principal

DUES = "# Harbour dues\n\nA ferry pays 97 EUR for a landing.\n"


@pytest.fixture
def library(workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with two documents and an answer, and nothing that opens a browser."""
    monkeypatch.setenv("ROMA_WORKSPACE", str(workspace))
    monkeypatch.setenv("ROMA_EMBEDDER", "fake")
    monkeypatch.setenv("ROMA_RERANKER", "none")
    monkeypatch.setenv("ROMA_PARSER_WORKERS", "1")
    monkeypatch.setenv("ROMA_PORT", "9")  # nothing listens there
    papers = tmp_path / "papers"
    papers.mkdir()
    (papers / "dues.md").write_text(DUES)
    (papers / "bridge.md").write_text("# The rope bridge\n\nIt spans 40 metres.\n")
    assert main(["ingest", str(papers), "--json"]) == 0
    assert main(["ask", "What does a ferry pay for a landing?", "--json"]) == 0
    return papers


def test_documents_and_their_sources_are_found(
    library: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    launched: list[str] = []
    monkeypatch.setattr(click, "launch", launched.append)
    capsys.readouterr()

    assert main(["documents", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [document["title"] for document in listed] == ["Harbour dues", "The rope bridge"]

    assert main(["documents", "ROPE", "bridge"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 2 and rows[1].startswith("The rope bridge\tmarkdown\ten\tmain\t")

    dues = listed[0]["id"]
    assert main(["open", "last", "--print"]) == 0
    address = capsys.readouterr().out.strip()
    start, end = (int(part.split("=")[1]) for part in address.split("?")[1].split("&"))
    assert address.startswith(f"http://127.0.0.1:9/read/{dues}?") and "97 EUR" in DUES[start:end]

    assert main(["open", dues, "--original"]) == 0
    assert launched == [str(library / "dues.md")]

    assert main(["open", dues]) == 1
    assert "No server answers at 127.0.0.1:9" in capsys.readouterr().err and len(launched) == 1

    assert main(["open", "last", "7"]) == 64
    assert "no source number 7: it cites 1" in capsys.readouterr().err


def test_feedback_of_all_users_is_shown_with_its_question(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROMA_WORKSPACE", str(workspace))
    workspace.mkdir()

    async def rate() -> None:
        sessions = Sessions(database_url(workspace))
        for name, rating, comment in (("anna", "up", "Just right."), ("ben", "down", "Cites the\told \x1b[2J page.")):
            who = Principal(subject=name)
            question = f"What did {name} ask?"
            turn = Turn(question=question, standalone=question, answer="So.", answer_id="a1")
            for _ in range(2):  # the same answer twice in one conversation is one row
                await sessions.append(who, "s", turn)
            await sessions.rate(who, Feedback(answer_id="a1", rating=rating, comment=comment, session_id="s"))
        await sessions.rate(Principal(subject="eve", tenant="other"), Feedback(answer_id="a1", rating="down"))
        await sessions.close()

    asyncio.run(rate())
    assert main(["feedback", "--json"]) == 0
    given = json.loads(capsys.readouterr().out)
    assert {(row["owner"], row["rating"], row["question"]) for row in given} == {
        ("anna", "up", "What did anna ask?"),
        ("ben", "down", "What did ben ask?"),
    }
    assert main(["feedback", "--rating", "down"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 2 and rows[1].startswith("down\tWhat did ben ask?\tCites the old \\x1b[2J page.\tben\t")


def test_a_document_is_shown_by_the_beginning_of_its_id(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["documents", "--json"]) == 0
    ids = sorted(document["id"] for document in json.loads(capsys.readouterr().out))
    assert len(ids) == 2
    length = next(length for length in range(1, 32) if ids[0][:length] != ids[1][:length])
    assert main(["show", ids[0][:length], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == ids[0]
    assert main(["show", "zz"]) == 1
    assert "`roma documents` lists those that there are" in capsys.readouterr().err


def test_an_ingest_that_finds_no_file_says_where(
    library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "nothing").mkdir()
    capsys.readouterr()
    assert main(["ingest", str(tmp_path / "nothing")]) == 0
    assert "There is no file to ingest in " in capsys.readouterr().err
    assert main(["ingest", str(library)]) == 0
    assert "There is no file" not in capsys.readouterr().err
