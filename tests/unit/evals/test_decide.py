"""Deciding: comparisons that say when they cannot tell, and a gate that counts failures as failures."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from roma_core.errors import ErrorCode, EvalError
from roma_core.evals import gate
from roma_core.evals.report.comparison import compare
from roma_core.evals.report.record import EvalReport, EvalRow, MeasureInfo, render_page, words_an_answer

HIGHER = MeasureInfo(name="nugget_recall", source="s")
LOWER = MeasureInfo(name="false_answers", source="s", higher=False)
GRADES = MeasureInfo(name="judge", source="s", scale=(1, 5))


def row(case: str, error: str | None = None, cluster: str = "", **scores: float | None) -> EvalRow:
    return EvalRow(
        case_id=case, question=f"{case}?", kind="single", persona="general", cluster=cluster or case, scores=scores,
        error=error,
    )  # fmt: skip


def report(*rows: EvalRow, fingerprint: str = "f", **fields: Any) -> EvalReport:
    known = {"measures": (HIGHER, LOWER, GRADES), **fields}
    return EvalReport(dataset="d", dataset_sha256="sha", fingerprint=fingerprint, rows=rows, **known)


def run(values: list[float], name: str = "nugget_recall", fingerprint: str = "f", **fields: Any) -> EvalReport:
    rows = (row(f"q{i}", **{name: v}) for i, v in enumerate(values))
    return report(*rows, fingerprint=fingerprint, **fields)


def test_a_clear_gain_is_better_and_the_other_way_round_worse() -> None:
    low, high = run([0.0] * 12), run([1.0] * 11 + [0.0], fingerprint="g")
    (found,) = compare(low, high).measures
    assert found.verdict == "better" and (found.wins, found.losses, found.ties) == (11, 0, 1)
    assert found.difference.mean == pytest.approx(11 / 12) and found.difference.p_value == pytest.approx(2 / 2**11)
    (back,) = compare(high, low).measures
    assert back.verdict == "worse" and back.wins == 0


def test_less_is_better_where_lower_is() -> None:
    high, low = run([1.0] * 12, "false_answers"), run([0.0] * 12, "false_answers")
    (found,) = compare(high, low).measures
    assert found.verdict == "better" and found.wins == 12


def test_too_few_cases_are_undecided_and_say_what_they_could_have_seen() -> None:
    (found,) = compare(run([0, 1, 0, 1.0]), run([1, 1, 0, 1.0])).measures
    assert found.verdict == "undecided" and found.difference.p_value == 1.0
    assert found.difference.detectable > found.difference.mean


def test_cases_in_one_cluster_do_not_count_as_many() -> None:
    def clustered(value: float) -> EvalReport:
        return report(*(row(f"q{i}", cluster=f"c{i % 2}", nugget_recall=value) for i in range(20)))

    (found,) = compare(clustered(0.0), clustered(1.0)).measures
    assert found.difference.clusters == 2 and found.verdict == "undecided"


def test_looking_at_more_measures_asks_for_more() -> None:
    a = report(*(row(f"q{i}", nugget_recall=0.0, judge=3.0) for i in range(6)))
    b = report(*(row(f"q{i}", nugget_recall=1.0, judge=3.0) for i in range(6)))
    found = {m.measure: m for m in compare(a, b).measures}
    assert found["nugget_recall"].difference.p_value == pytest.approx(2 / 64)
    assert found["nugget_recall"].adjusted_p == pytest.approx(4 / 64)
    assert found["nugget_recall"].verdict == "undecided" and found["judge"].ties == 6


def test_unscored_cases_are_left_out_and_counted() -> None:
    a = report(row("q1", nugget_recall=0.0), row("q2", nugget_recall=None), row("q3", nugget_recall=0.5))
    b = report(row("q1", nugget_recall=1.0), row("q2", nugget_recall=1.0), row("q3", nugget_recall=0.5), row("q4"))
    result = compare(a, b)
    (found,) = result.measures
    assert (found.unscored, found.difference.n, result.cases) == (1, 2, 3)
    assert (found.a, found.b) == (0.25, 0.75)


def test_measures_without_a_common_score_are_not_compared() -> None:
    assert compare(report(row("q1", nugget_recall=None)), report(row("q1", nugget_recall=1.0))).measures == ()


def test_what_changed_is_named() -> None:
    a = run([1.0], settings={"top": 1, "same": 1}, prompts={"answer": "a" * 64}, corpus_sha256="c1")
    b = run([1.0], settings={"top": 2, "same": 1}, prompts={"answer": "b" * 64}, corpus_sha256="c1")
    result = compare(a, b)
    assert result.changed == {"prompt answer": ("a" * 12, "b" * 12), "top": ("1", "2")}
    html = result._repr_html_()
    assert "same" in html and "prompt answer" in html
    assert result.to_frame()["verdict"].tolist() == ["same"]
    assert "What changed" not in compare(a, a)._repr_html_()


def test_longer_answers_are_told() -> None:
    short, long = (
        report(row("q", nugget_recall=1.0).model_copy(update={"answer": text, "answered": True}))
        for text in ("one two [1]", "one two three four [1] [2]")
    )
    result = compare(short, long)
    assert result.words == (2.0, 4.0)
    assert "2 in A, 4 in B" in result._repr_html_()
    unknown = row("q", nugget_recall=0.0).model_copy(update={"answer": "I don't know", "answered": False})
    assert math.isnan(words_an_answer([unknown]))


def test_the_page_tells_what_was_missed_and_that_a_judge_is_no_person() -> None:
    noted = row("q", error="ERR_X", nugget_recall=0.0, judge=4.0).model_copy(
        update={"reasons": {"nugget_recall": "missed <2038>"}}
    )
    html = render_page(report(noted))
    assert "nugget_recall: missed &lt;2038&gt;" in html and "ERR_X" in html
    assert ("agree with people" in html) and ("agree with people" not in render_page(run([1.0], measures=(HIGHER,))))


def test_runs_that_cannot_be_compared() -> None:
    with pytest.raises(EvalError, match="no case in common"):
        compare(report(row("a")), report(row("b")))
    other = row("a").model_copy(update={"question": "else?"})
    with pytest.raises(EvalError, match="different questions under the same id: a"):
        compare(report(row("a")), report(other))


def floors(**fields: Any) -> gate.Floors:
    return gate.Floors(dataset_sha256="sha", **fields)


ROWS = (
    row("q1", nugget_recall=1.0, judge=5.0),
    row("q2", nugget_recall=1.0, judge=4.0),
    row("q3", nugget_recall=None, judge=None, error="ERR_TIMEOUT"),
    row("q4", false_answers=0.0, judge=3.0),
    row("q5", false_answers=None, judge=None),
)


def test_the_gate_counts_errors_and_unscored_rows_as_the_worst() -> None:
    held = report(*ROWS)
    assert gate.strict_mean(held, HIGHER) == pytest.approx(2 / 3)
    assert gate.strict_mean(held, LOWER) == pytest.approx(1 / 2)
    assert gate.pass_rate(held) == pytest.approx(2 / 5)
    assert held.mean("nugget_recall") == 1.0  # the mean of the scored alone would have opened the gate


def test_floors_and_ceilings() -> None:
    held = report(*ROWS)
    good = floors(measures={"nugget_recall": 0.6, "false_answers": 0.5}, passed=0.4, max_errors=1)
    result = gate.check(held, good)
    assert result.passed and [r.name for r in result.rules] == ["nugget_recall", "false_answers", "passed", "errors"]
    result.require()
    bad = floors(measures={"nugget_recall": 0.7, "false_answers": 0.4}, passed=0.85)
    result = gate.check(held, bad)
    assert [r.passed for r in result.rules] == [False, False, False, False]
    with pytest.raises(EvalError, match=r"nugget_recall is 0.667, required 0.700") as caught:
        result.require()
    assert caught.value.code is ErrorCode.EVAL_GATE
    assert "failed" in result._repr_html_()


@pytest.mark.parametrize(("good", "passes"), [(85, True), (84, False)])
def test_the_gate_passes_at_85_percent(good: int, passes: bool) -> None:
    grades = [4.0 + i % 2 for i in range(good)] + [None, 3.0] * 8
    rows = [row(f"q{i}", judge=g) for i, g in enumerate(grades[:99])] + [row("failed", error="ERR_TIMEOUT", judge=None)]
    held = report(*rows)
    assert len(held.rows) == 100
    result = gate.check(held, floors(passed=0.85, max_errors=1))
    assert result.passed is passes and result.rules[0].seen == good / 100


def test_no_rows_pass_nothing() -> None:
    assert gate.pass_rate(report()) == 0.0
    assert gate.strict_mean(report(), HIGHER) == 0.0 and gate.strict_mean(report(), LOWER) == 1.0


def test_floors_of_other_questions_or_measures_are_refused() -> None:
    with pytest.raises(EvalError, match="another version"):
        gate.check(report(*ROWS), gate.Floors(dataset_sha256="other"))
    with pytest.raises(EvalError, match="not taken: beauty"):
        gate.check(report(*ROWS), floors(measures={"beauty": 1.0}))


def test_pinning_writes_floors_that_hold_and_never_lowers_them(tmp_path: Path) -> None:
    held = report(*ROWS)
    pinned = gate.pin(held, None, slack=0.01)
    assert pinned.measures == {"nugget_recall": 0.656667, "false_answers": 0.51, "judge": 2.79}
    assert gate.check(held, pinned).passed and pinned.max_errors == 1
    path = tmp_path / "floors.json"
    gate.write_floors(pinned, path)
    assert gate.load_floors(path) == pinned
    worse = report(row("q1", nugget_recall=0.0, judge=1.0), row("q4", false_answers=1.0, judge=1.0))
    with pytest.raises(EvalError, match="gate is closed"):
        gate.pin(worse, pinned)
    assert gate.pin(worse, gate.Floors(dataset_sha256="old", measures={"nugget_recall": 1.0})).max_errors == 0


@pytest.mark.parametrize("content", [None, "{", "{}", '{"dataset_sha256": 1}'])
def test_files_without_floors(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "floors.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(EvalError, match="does not hold floors"):
        gate.load_floors(path)
