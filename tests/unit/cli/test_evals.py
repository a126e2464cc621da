"""Runs by the command line: listed, shown, labelled, renamed, removed, compared by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from roma_core.cli import main
from roma_core.evals.report.record import EvalReport, EvalRow, MeasureInfo
from roma_core.evals.runs import RunStore


def make_report(fingerprint: str, scores: list[float | None]) -> EvalReport:
    rows = tuple(
        EvalRow(
            case_id=f"q{i}", question="?", kind="single", persona="general", cluster=f"c{i}", scores={"m": score},
            state="ok" if score is not None else "fallback", why="" if score is not None else "fallback: 503",
        )
        for i, score in enumerate(scores)
    )  # fmt: skip
    return EvalReport(
        dataset="paint", dataset_sha256="x", fingerprint=fingerprint, measures=(MeasureInfo(name="m"),), rows=rows
    )


@pytest.fixture
def runs(workspace: Path) -> RunStore:
    store = RunStore(workspace / "evals")
    store.save(make_report("a", [1.0, 0.0, 1.0]), "base")
    store.save(make_report("b", [1.0, 1.0, None]), "lazy")
    return store


def roma(workspace: Path, *arguments: str) -> int:
    return main([*arguments, "--workspace", str(workspace)])


def test_runs_are_listed_with_their_state(runs: RunStore, workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert roma(workspace, "runs") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("\t")[:2] == ["name", "run"]
    assert [line.split("\t")[0] for line in lines[1:]] == ["base", "lazy"]
    assert "ok" in lines[1] and "1 fallback" in lines[2]
    assert roma(workspace, "runs", "--json") == 0
    assert [card["name"] for card in json.loads(capsys.readouterr().out)] == ["base", "lazy"]


def test_a_run_that_a_fallback_answered_exits_with_2_and_says_why(
    runs: RunStore, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert roma(workspace, "runs", "show", "base") == 0
    assert roma(workspace, "runs", "show", "lazy") == 2
    shown = capsys.readouterr()
    assert "3 cases (1 fallback: unscored)" in shown.out and "1 unscored, fallback: 503" in shown.err


def test_runs_are_labelled_renamed_and_removed(
    runs: RunStore, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert roma(workspace, "runs", "label", "lazy", "winter") == 0
    assert roma(workspace, "runs", "rename", "winter", "brisk") == 0
    assert runs.find("brisk").labels == ("winter",)
    assert roma(workspace, "runs", "rm", "brisk", "base") == 0 and runs.list() == []
    assert roma(workspace, "runs", "rm", "brisk") == 1
    assert "There are none yet" in capsys.readouterr().err


def test_a_name_is_enough_to_compare(runs: RunStore, workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert roma(workspace, "compare", "base", "lazy") == 0
    assert runs.find("base").run_id in capsys.readouterr().out
