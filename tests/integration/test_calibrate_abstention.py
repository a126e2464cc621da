"""Calibrating when ROMA answers: labelled questions become a card, and answers follow it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from roma_core.cli import main

NAMES = [
    onset + ending
    for onset in ("Bal", "Cor", "Dun", "Fel", "Nor")
    for ending in ("by", "combe", "dale", "ford", "ham", "ley", "mere", "stow", "ton", "wick")
]
NEARLY = "Who painted the Norton bridge?"


@pytest.fixture
def golden(tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A corpus of bridges in the workspace, and questions about them and about what it does not say."""
    monkeypatch.setenv("ROMA_EMBEDDER", "fake")
    monkeypatch.setenv("ROMA_RERANKER", "none")
    monkeypatch.setenv("ROMA_PARSER_WORKERS", "1")
    sentences = [f"The {name} bridge spans {200 + number} metres." for number, name in enumerate(NAMES)]
    corpus = tmp_path / "bridges.md"
    corpus.write_text("\n\n".join(["# Spans", *sentences]) + "\n")
    items: list[dict[str, Any]] = []
    for number, name in enumerate(NAMES):
        items.append(
            {
                "id": name, "question": f"How many metres does the {name} bridge span?", "kind": "single",
                "nuggets": [{"fact": f"{200 + number} metres"}], "evidence": [{"uri": "bridges.md"}],
            }
        )  # fmt: skip
        if number % 4 == 0:
            items.append({"id": f"not {name}", "question": f"Who painted the {name} bridge?", "kind": "no_answer"})
    path = tmp_path / "bridges.json"
    path.write_text(json.dumps(items))
    assert main(["ingest", str(corpus), "--workspace", str(workspace)]) == 0
    return path


def ask(workspace: Path, question: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return the answer of a fresh process's worth of ROMA."""
    capsys.readouterr()
    main(["ask", question, "--workspace", str(workspace), "--json"])
    return dict(json.loads(capsys.readouterr().out))


def test_answers_follow_the_threshold_that_keeps_the_risk(
    golden: Path, workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(workspace, NEARLY, capsys)["answered"] == "known"
    monkeypatch.setenv("ROMA_ANSWER_RISK", "0.1")
    assert main(["calibrate", "abstention", str(golden), "--workspace", str(workspace)]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == ["kind", "all", "how_many", "who"]
    assert (rows[1][1], rows[1][-1]) == ("63", "kept")
    assert rows[2][-1].startswith("pooled")

    assert "249 metres" in ask(workspace, "How many metres does the Norwick bridge span?", capsys)["answer"]
    refused = ask(workspace, NEARLY, capsys)
    assert refused["answered"] == "unknown"
    assert "calibrated on bridges" in refused["model_reason"]

    monkeypatch.setenv("ROMA_ANSWER_RISK", "0.6")
    assert ask(workspace, NEARLY, capsys)["answered"] == "known"
    monkeypatch.setenv("ROMA_ANSWER_RISK", "0.01")
    broken = ask(workspace, "How many metres does the Norwick bridge span?", capsys)
    assert "of such answers are wrong, not 1 %" in broken["model_reason"]
