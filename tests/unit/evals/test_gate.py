"""The gate: failures count as failures, chance does not close it, and a run passes what was pinned on itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from roma_core.errors import ErrorCode, EvalError
from roma_core.evals import EvalReport
from roma_core.evals.gate import (
    Baseline,
    check_gate,
    load_baseline,
    pass_rate,
    pin_baseline,
    reference_rate,
    strict_scores,
    write_baseline,
)
from tests.fakes.evals import HIGHER, LOWER, make_report, make_row, make_run

ROWS = (
    make_row("q1", nugget_recall=1.0, judge=5.0),
    make_row("q2", nugget_recall=1.0, judge=4.0),
    make_row("q3", "failed", nugget_recall=None, judge=None),
    make_row("q4", false_answers=0.0, judge=3.0),
    make_row("q5", false_answers=None, judge=None),
)


def test_errors_and_unscored_rows_count_as_the_worst() -> None:
    report = make_report(*ROWS)
    assert sorted(strict_scores(report, HIGHER).values()) == [0.0, 1.0, 1.0]
    assert sorted(strict_scores(report, LOWER).values()) == [0.0, 1.0]
    assert pass_rate(report).mean == pytest.approx(2 / 5)
    assert report.mean("nugget_recall") == 1.0, "the mean of the scored alone would have opened the gate"


@pytest.mark.parametrize("size", range(1, 60))
def test_a_run_passes_the_gate_that_was_pinned_on_itself(size: int, tmp_path: Path) -> None:
    report = make_run([(i * 7 % 13) / 13 for i in range(size)])
    path = tmp_path / "baseline.json"
    write_baseline(pin_baseline(report), path)
    pinned = load_baseline(path)
    assert check_gate(report, pinned).passed
    assert pin_baseline(report, pinned) == pinned


def test_a_significant_regression_closes_the_gate_and_is_named() -> None:
    good, bad = make_run([1.0] * 40), make_run([1.0] * 25 + [0.0] * 15)
    result = check_gate(bad, pin_baseline(good))
    assert not result.passed and "nugget_recall is 0.625" in result.missed
    with pytest.raises(EvalError, match="The gate is closed: nugget_recall") as caught:
        result.require()
    assert caught.value.code is ErrorCode.EVAL_GATE and "failed" in result._repr_html_()


def test_an_equally_good_system_is_let_through() -> None:
    first = make_run([float(i % 5 > 0) for i in range(100)])
    other = make_run([float((i + 2) % 5 > 0) for i in range(100)])
    assert check_gate(other, pin_baseline(first)).passed


def test_less_is_better_where_lower_is() -> None:
    good, bad = make_run([0.0] * 40, "false_answers"), make_run([1.0] * 15 + [0.0] * 25, "false_answers")
    assert not check_gate(bad, pin_baseline(good)).passed and check_gate(good, pin_baseline(bad)).passed


def test_failing_on_what_is_hard_does_not_pass() -> None:
    good = make_run([1.0] * 30 + [0.0] * 10)
    fails = make_report(
        *(make_row(f"q{i}", nugget_recall=1.0) for i in range(15)),
        *(make_row(f"q{i}", "failed", nugget_recall=None) for i in range(15, 40)),
    )
    result = check_gate(fails, pin_baseline(good))
    assert [r.passed for r in result.rules] == [False, False] and "errors is 25" in result.missed


def with_floors(**floors: float) -> Baseline:
    return Baseline(dataset="d", dataset_sha256="sha", floors=floors, max_errors=1)


def graded(good: int) -> EvalReport:
    grades: list[float | None] = [4.0 + i % 2 for i in range(good)] + [None, 3.0] * 50
    rows = [make_row(f"q{i}", judge=g) for i, g in enumerate(grades[:99])]
    return make_report(*rows, make_row("failed", "failed", judge=None))


@pytest.mark.parametrize(("good", "passes"), [(93, True), (85, False)])
def test_the_gate_passes_at_85_percent(good: int, passes: bool) -> None:
    """Of all cases at least 85 % pass, beyond chance: by the lower bound of the interval."""
    result = check_gate(graded(good), with_floors(passed=0.85))
    assert result.passed is passes
    assert result.rules[0].name == "lower bound of passed"
    assert pass_rate(graded(good)).mean == good / 100


def test_floors_hold_the_bound_and_not_the_mean() -> None:
    report = make_run([1.0] * 18 + [0.0] * 2)
    assert check_gate(report, with_floors(nugget_recall=0.6)).passed
    result = check_gate(report, with_floors(nugget_recall=0.85))
    assert not result.passed and "lower bound of nugget_recall" in result.missed
    ceiling = check_gate(make_run([0.0] * 18 + [1.0] * 2, "false_answers"), with_floors(false_answers=0.4))
    assert ceiling.passed and ceiling.rules[0].name == "upper bound of false_answers"


def test_a_lower_mean_is_pinned_only_on_purpose() -> None:
    good, bad = make_run([1.0] * 40), make_run([1.0] * 39 + [0.0])
    pinned = pin_baseline(good)
    with pytest.raises(EvalError, match=r"would lower the baseline \(nugget_recall 1.000 -> 0.975\).*--lower"):
        pin_baseline(bad, pinned)
    assert pin_baseline(bad, pinned, lower=True).mean("nugget_recall") == pytest.approx(0.975)
    assert pin_baseline(bad, pinned.model_copy(update={"dataset_sha256": "old"})).run_id == bad.run_id


def test_floors_outlive_a_new_baseline() -> None:
    old = pin_baseline(make_run([0.5] * 10)).model_copy(update={"floors": {"nugget_recall": 0.4}})
    assert pin_baseline(make_run([1.0] * 10), old).floors == {"nugget_recall": 0.4}


def test_only_whole_runs_are_pinned() -> None:
    with pytest.raises(EvalError, match="failed or are not its own"):
        pin_baseline(make_report(make_row("q", "fallback", nugget_recall=None)))


def test_measures_without_a_worst_score_are_not_gated() -> None:
    report = make_report(*(make_row(f"q{i}", nugget_recall=1.0, length=50.0) for i in range(5)))
    assert set(pin_baseline(report).scores) == {"nugget_recall"}


def test_baselines_of_other_questions_or_measures_are_refused() -> None:
    report = make_run([1.0])
    with pytest.raises(EvalError, match="another version"):
        check_gate(report, Baseline(dataset="d", dataset_sha256="other"))
    with pytest.raises(EvalError, match="not taken: beauty"):
        check_gate(report, with_floors(beauty=1.0))


@pytest.mark.parametrize("content", [None, "{", "{}", '{"dataset_sha256": 1}'])
def test_a_file_without_a_baseline_says_how_to_make_one(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "baseline.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(EvalError, match="`roma gate pin RUN` makes one"):
        load_baseline(path)


def test_the_reference_judge_wants_every_fact_no_contradiction_and_no_false_answer() -> None:
    report = make_report(
        make_row("right", nugget_recall=1.0, contradicted=0.0, citation_validity=1.0),
        make_row("half", nugget_recall=0.5, contradicted=0.0, citation_validity=1.0),
        make_row("contradicted", nugget_recall=1.0, contradicted=0.5, citation_validity=1.0),
        make_row("unproven", nugget_recall=1.0, contradicted=0.0, citation_validity=0.5),
        make_row("declined", false_answers=0.0),
        make_row("invented", false_answers=1.0),
        make_row("unscored", nugget_recall=None),
        make_row("no measure"),
    )
    assert reference_rate(report).mean == pytest.approx(2 / 8)


def test_a_floor_for_the_reference_judge_is_held_against_its_lower_bound() -> None:
    report = make_run([1.0] * 40)
    pinned = pin_baseline(report)
    low = reference_rate(report).low
    assert check_gate(report, pinned.model_copy(update={"floors": {"reference": low - 0.01}})).passed
    result = check_gate(report, pinned.model_copy(update={"floors": {"reference": low + 0.01}}))
    assert "lower bound of reference" in result.missed
