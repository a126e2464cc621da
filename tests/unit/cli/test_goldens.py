"""From a thumb down to a golden case, and other tools' sets, by commands alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from roma_core.app import build_roma
from roma_core.cli import roma as command_line
from roma_core.settings import Settings


def run(*words: str) -> Result:
    return CliRunner().invoke(command_line, list(words), standalone_mode=False)


@pytest.fixture
async def rated(workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with an answer that was rated down and a question without an answer."""
    (tmp_path / "bridge.md").write_text("# Rope bridge\n\nThe rope bridge was built in 1902. It spans 48 metres.\n")
    for name, value in (("ROMA_EMBEDDER", "fake"), ("ROMA_RERANKER", "none"), ("ROMA_PARSER_WORKERS", "1")):
        monkeypatch.setenv(name, value)
    async with build_roma(Settings.load()) as roma:
        await roma.ingest(tmp_path / "bridge.md")
        answer = await roma.query("When was the rope bridge built?")
        await roma.rate(answer.answer_id, "down", session_id="s", comment="say the year alone")
        await roma.query("Who painted the lighthouse of Quellfeld?")
    return tmp_path


def test_a_thumb_down_becomes_golden_by_a_reviewer(rated: Path) -> None:
    listed = json.loads(run("golden", "candidates", "--json").stdout)
    assert [each["reasons"] for each in listed] == [["rated down"], ["not answered"]]
    first, second = (each["id"] for each in listed)
    accepted = run("golden", "accept", first, "golden.json", "-a", "In 1902.", "--fact", "1902", "--by", "Ada")
    assert accepted.return_value == 0, accepted.output
    refused = run("golden", "accept", second, "golden.json", "--no-answer")
    assert refused.return_value == 0, refused.output
    assert run("golden", "candidates", "--json").stdout.strip() == "[]"
    assert run("golden", "validate", "golden.json").return_value == 0
    (decision, _) = (json.loads(line) for line in Path(".roma/evals/reviews.jsonl").read_text().splitlines())
    assert (decision["reviewer"], decision["case_id"]) == ("Ada", f"use-{first}")


def test_items_are_asked_for_one_after_another(rated: Path) -> None:
    said = [
        *("rope bridge", "1", "When was the rope bridge built?", "In 1902.", "1910", ""),  # a fact that is not stated
        *("When was the rope bridge built?", "In 1902.", "1902", ""),
        *("rope bridge", "0"),
        *("rope bridge", "1", "When was the bridge built, the rope one?", "", ""),
    ]
    told = CliRunner().invoke(command_line, ["golden", "new", "golden.json"], input="\n".join([*said, ""]))
    assert told.exit_code == 0, told.output
    assert "The answer does not state the fact '1910'." in told.output
    assert "near: new-" in told.output
    first, second = json.loads(Path("golden.json").read_text())["items"]
    assert (first["question"], first["nuggets"][0]["fact"]) == ("When was the rope bridge built?", "1902")
    assert second["kind"] == "no_answer"
    assert "2 new items in golden.json" in told.output


def test_a_question_without_an_answer_needs_no_workspace(workspace: Path) -> None:
    added = run("golden", "new", "golden.json", "--no-answer", "-q", "Who painted the lighthouse?", "--json")
    assert json.loads(added.stdout)["item"]["kind"] == "no_answer"
    refused = CliRunner().invoke(
        command_line, ["golden", "new", "golden.json", "--no-answer", "-q", "Who?", "-a", "Ada."], standalone_mode=False
    )
    assert refused.exit_code or refused.return_value, refused.output
    assert len(json.loads(Path("golden.json").read_text())["items"]) == 1


@pytest.mark.slow
def test_a_dropped_candidate_is_off_the_list(rated: Path) -> None:
    first = json.loads(run("golden", "candidates", "--json").stdout)[0]["id"]
    assert run("golden", "drop", first, "--why", "asked in jest").return_value == 0
    assert first not in run("golden", "candidates").stdout


@pytest.mark.slow
def test_a_candidate_shows_what_was_answered_and_said(rated: Path) -> None:
    first = json.loads(run("golden", "candidates", "--json").stdout)[0]["id"]
    shown = run("golden", "candidates", first).stdout
    assert "comment: say the year alone" in shown
    assert "1902" in shown


def test_a_set_of_ragas_is_imported_with_its_evidence(rated: Path) -> None:
    item = {"user_input": "How long is the rope bridge?", "reference": "48 metres"}
    texts = {"reference_contexts": ["It spans 48 metres."]}
    (rated / "set.jsonl").write_text(json.dumps({**item, **texts}) + "\n")
    done = run("golden", "import", "set.jsonl", "golden.json", "--from", "ragas")
    assert done.return_value == 0, done.output
    (case,) = json.loads((rated / "golden.json").read_text())["items"]
    assert case["evidence"][0]["anchor"] == "It spans 48 metres."


def test_a_stored_document_is_shown_without_a_model(rated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document_id = json.loads(run("ledger", "--json").stdout)[0]["document_id"]
    monkeypatch.setenv("ROMA_EMBEDDER", "no-such-model")
    shown = run("show", document_id)
    assert "built in 1902" in shown.stdout
    assert run("show", "nothing").return_value == 1
