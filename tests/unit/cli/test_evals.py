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


def test_a_run_over_other_documents_says_that_its_evidence_is_not_there(
    runs: RunStore, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs.save(make_report("c", [0.0, 1.0]).model_copy(update={"missing_evidence": ("q0",)}), "elsewhere")
    roma(workspace, "runs", "show", "elsewhere")
    assert "1 of 2 cases rest on words that no document of this workspace has (q0)" in capsys.readouterr().err


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
    assert "3 questions: lazy (B) against base (A)" in capsys.readouterr().out
    page = next((workspace / "evals" / "comparisons").glob("*.html")).read_text()
    assert "lazy (B) against base (A)" in page and f"A is run {runs.find('base').run_id}" in page and "<svg" in page


def test_runs_that_nobody_named_are_compared_by_their_ids(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    reports = [make_report("a", [1.0, 0.0, 1.0]), make_report("b", [1.0, 1.0, 1.0])]
    for file, report in zip(files, reports, strict=True):
        file.write_bytes(report.canonical())
    assert roma(workspace, "compare", *map(str, files)) == 0
    shown = capsys.readouterr().out
    assert f"{reports[1].run_id} (B) against {reports[0].run_id} (A)" in shown


def test_several_runs_are_compared_under_one_correction(
    runs: RunStore, workspace: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    runs.save(make_report("c", [0.0, 1.0, 1.0]), "brisk")
    page = tmp_path / "out" / "page.html"
    assert roma(workspace, "compare", "base", "lazy", "brisk", "--primary", "m", "--html", str(page), "--json") == 0
    experiment = json.loads(capsys.readouterr().out)
    assert [v["name"] for v in experiment["variants"]] == ["lazy", "brisk"] and "brisk" in page.read_text()


def test_the_primary_measure_is_the_one_that_was_named_before_the_run(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = RunStore(workspace / "evals")
    store.save(make_report("a", [1.0, 0.0, 1.0]), "base")
    store.save(make_report("b", [1.0, 1.0, 1.0]), "lazy", primary="m")
    assert roma(workspace, "compare", "base", "lazy", "--margin", "0.9", "--json") == 0
    comparison = json.loads(capsys.readouterr().out)
    assert comparison["primary"] == "m" and comparison["margin"] == 0.9
    assert roma(workspace, "compare", "base", "lazy", "--primary", "beauty") == 1
    assert "cannot decide" in capsys.readouterr().err


def test_a_baseline_is_pinned_and_holds(
    runs: RunStore, workspace: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    baseline = str(tmp_path / "baseline.json")
    assert roma(workspace, "gate", "check", "base", "--baseline", baseline) == 1
    assert "`roma gate pin RUN` makes one" in capsys.readouterr().err
    assert roma(workspace, "gate", "pin", "base", "--baseline", baseline) == 0
    assert roma(workspace, "gate", "check", "base", "--baseline", baseline) == 0
    assert roma(workspace, "gate", "pin", "lazy", "--baseline", baseline) == 1, "it is not whole"
    runs.save(make_report("c", [0.0, 0.0, 0.0]), "poor")
    capsys.readouterr()
    assert roma(workspace, "gate", "pin", "poor", "--baseline", baseline) == 1
    assert "--lower" in capsys.readouterr().err
    assert roma(workspace, "gate", "pin", "poor", "--baseline", baseline, "--lower") == 0


def write_golden(path: Path, items: int, documents: int) -> str:
    """Write a set of questions about some documents in turn; return its path."""
    cases = [
        {
            "id": f"q{i}",
            "question": "?",
            "kind": "single",
            "nuggets": [{"fact": "x"}],
            "evidence": [{"uri": f"d{i % documents}"}],
        }
        for i in range(items)
    ]
    path.write_text(json.dumps(cases))
    return str(path)


def test_a_plan_asks_nothing(workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    golden = write_golden(tmp_path / "golden.json", items=9, documents=3)
    assert roma(workspace, "eval", golden, "--plan", "--primary", "cited") == 0
    shown = capsys.readouterr()
    assert "decided by cited" in shown.out and "Nothing can be decided: 3 clusters" in shown.err
    assert "no difference could be called significant" in shown.out
    assert "even if every answer" not in shown.out


def test_a_plan_tells_too_few_questions_from_no_decision_at_all(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    golden = write_golden(tmp_path / "golden.json", items=11, documents=8)
    assert roma(workspace, "eval", golden, "--plan", "--primary", "nugget_recall") == 0
    shown = capsys.readouterr()
    assert "even if every answer that is expected to change got better" in shown.out
    assert "Nothing can be decided" not in shown.err
