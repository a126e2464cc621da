"""A comparison decides in one measure, says when it cannot, and lets nothing win by leaving cases out."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from roma_core.errors import EvalError
from roma_core.evals import Decision, EvalReport, compare, compare_variants
from roma_core.evals.report.comparison_page import ForestRow, draw_forest, render_comparison_page
from roma_core.evals.report.record import MeasureInfo, render_page, words_an_answer
from tests.fakes.evals import HIGHER, make_report, make_row, make_run


def test_a_clear_gain_is_better_and_the_other_way_round_worse() -> None:
    low, high = make_run([0.0] * 12), make_run([1.0] * 11 + [0.0], fingerprint="g")
    compared = compare(low, high).of("nugget_recall")
    assert compared.decision is Decision.BETTER and (compared.wins, compared.losses, compared.ties) == (11, 0, 1)
    assert compared.difference.mean == pytest.approx(11 / 12) and compared.role == "primary"
    assert compare(high, low).decision is Decision.WORSE


def test_less_is_better_where_lower_is() -> None:
    high, low = make_run([1.0] * 12, "false_answers"), make_run([0.0] * 12, "false_answers")
    compared = compare(high, low).of("false_answers")
    assert compared.decision is Decision.BETTER and compared.wins == 12 and compared.gain[1] == 1.0


def test_too_few_cases_are_inconclusive_and_say_what_they_could_have_seen() -> None:
    compared = compare(make_run([0, 1, 0, 1.0]), make_run([1, 1, 0, 1.0])).of("nugget_recall")
    assert compared.decision is Decision.INCONCLUSIVE and compared.difference.detectable > compared.difference.mean


@pytest.mark.parametrize(("clusters", "decides"), [(3, False), (6, False), (7, True), (12, True)])
def test_documents_that_all_agree_decide_from_seven_on_and_it_is_said_before(clusters: int, decides: bool) -> None:
    def run(value: float) -> EvalReport:
        return make_report(*(make_row(f"q{i}", cluster=f"c{i % clusters}", nugget_recall=value) for i in range(36)))

    comparison = compare(run(0.0), run(1.0))
    difference = comparison.of("nugget_recall").difference
    assert (comparison.decision is Decision.BETTER) is decides is (difference.smallest_p < 0.05)
    assert math.isfinite(difference.detectable) is decides
    assert any("No result could be significant" in remark for remark in comparison.remarks) is not decides
    assert any("hangs on a few documents" in remark for remark in comparison.remarks) is (clusters < 12)


def test_interval_p_value_and_decision_never_contradict_each_other() -> None:
    rng = np.random.default_rng(5)
    for _ in range(200):
        a, b = (
            make_report(
                *(
                    make_row(f"q{i}", cluster=f"c{i % 11}", nugget_recall=float(x), judge=float(1 + 4 * y))
                    for i, (x, y) in enumerate(rng.random((30, 2)) < 0.5 + 0.2 * side)
                )
            )
            for side in (0, 1)
        )
        for m in compare(a, b).measures:
            excludes = m.difference.low > 0 or m.difference.high < 0
            assert excludes == (m.adjusted_p < 0.05) == (m.decision in {Decision.BETTER, Decision.WORSE})


def test_secondary_measures_are_corrected_among_those_that_moved() -> None:
    def run(value: float) -> EvalReport:
        rows = [make_row(f"q{i}", nugget_recall=0.5, false_answers=1 - value, judge=3.0) for i in range(9)]
        return make_report(*rows)

    moved = compare(run(0.0), run(1.0))
    assert moved.decision is Decision.SAME and moved.of("judge").decision is Decision.SAME
    assert moved.of("false_answers").adjusted_p == moved.of("false_answers").difference.p_value
    assert moved.of("false_answers").decision is Decision.BETTER and moved.measures[0].measure == "nugget_recall"


@pytest.mark.parametrize(
    ("shift", "margin", "decision"),
    [
        (0.0, 0.05, Decision.EQUIVALENT),
        (0.025, 0.05, Decision.NOT_WORSE),
        (-0.025, 0.05, Decision.INCONCLUSIVE),
        (-0.2, 0.05, Decision.WORSE),
        (0.2, 0.05, Decision.BETTER),
        (0.0, None, Decision.INCONCLUSIVE),
    ],
)
def test_a_margin_separates_not_worse_equivalent_and_inconclusive(
    shift: float, margin: float | None, decision: Decision
) -> None:
    wobble = [0.08 * (1 if i % 2 else -1) for i in range(40)]
    a, b = make_run([0.5] * 40), make_run([0.5 + shift + w for w in wobble])
    assert compare(a, b, margin=margin).decision is decision
    assert compare(a, b, margin=margin, primary="nugget_recall").margin == margin


def test_what_only_one_run_scored_is_counted_named_and_not_what_a_decision_rests_on() -> None:
    a = make_run([0.5] * 20 + [1.0] * 20)
    abstains = make_report(
        *(make_row(f"q{i}", nugget_recall=0.9) for i in range(20)), *(make_row(f"q{i}") for i in range(20, 40))
    )
    comparison = compare(a, abstains)
    compared = comparison.of("nugget_recall")
    assert compared.difference.low > 0, "over the cases of both B is better"
    assert (
        compared.decision is Decision.INCONCLUSIVE and compared.remark == "hangs on 20 cases that only one run scored"
    )
    assert len(compared.only_a) == 20 and any("20 cases only in A" in remark for remark in comparison.remarks)


@pytest.mark.parametrize(("gain", "is_fragile"), [(0.02, True), (0.2, False), (-0.02, True)])
def test_a_small_gain_that_few_unseen_cases_would_undo_is_said(gain: float, is_fragile: bool) -> None:
    b = make_run([0.5 + gain * (1 + (i % 3) / 10) for i in range(40)])
    comparison = compare(make_run([0.5] * 40), b)
    assert comparison.decision in {Decision.BETTER, Decision.WORSE}
    assert any("3 cases that go wholly the other way" in remark for remark in comparison.remarks) is is_fragile


def test_a_decision_that_stands_against_the_missing_cases_is_made() -> None:
    b = make_report(*(make_row(f"q{i}", nugget_recall=1.0) for i in range(39)), make_row("q39", nugget_recall=None))
    comparison = compare(make_run([0.0] * 40), b)
    assert comparison.decision is Decision.BETTER and comparison.of("nugget_recall").only_a == ("q39",)


def test_answers_that_are_not_the_systems_own_are_said_by_name() -> None:
    b = make_report(*(make_row(f"q{i}", "fallback" if i < 3 else "ok", nugget_recall=None if i < 3 else 1.0)
                      for i in range(20)))  # fmt: skip
    comparison = compare(make_run([0.0] * 20), b)
    assert any("3 answers of B not its own (fallback) and unscored: q0, q1, q2" in r for r in comparison.remarks)


def test_a_run_without_an_answer_of_its_own_is_refused() -> None:
    outage = make_report(*(make_row(f"q{i}", "fallback", nugget_recall=None) for i in range(3)))
    with pytest.raises(EvalError, match=r"has no answer of its own \(3 fallback\); run it again"):
        compare(make_run([1.0] * 3), outage)


def test_cases_of_one_run_alone_are_said() -> None:
    comparison = compare(make_run([0.0] * 12), make_run([1.0] * 14))
    assert comparison.cases == 12 and "2 cases in B alone and not compared: q12, q13." in comparison.remarks


def test_the_primary_measure_is_named_or_the_preferred_one() -> None:
    a = make_report(*(make_row(f"q{i}", nugget_recall=0.0, judge=3.0) for i in range(9)))
    b = make_report(*(make_row(f"q{i}", nugget_recall=0.0, judge=4.0) for i in range(9)))
    assert compare(a, b).primary == "nugget_recall"
    assert compare(a, b, primary="judge").decision is Decision.BETTER
    for name in ("beauty", "length"):
        with pytest.raises(EvalError, match="cannot decide"):
            compare(a, b, primary=name)
    with pytest.raises(EvalError, match="margin is greater than 0"):
        compare(a, b, margin=0)


def test_a_set_without_facts_is_decided_by_what_should_not_have_been_answered() -> None:
    rows = [make_row(f"q{i}", support=1.0, false_answers=float(i % 2)) for i in range(9)]
    names = {"support": True, "false_answers": False}
    infos = tuple(MeasureInfo(name=name, higher=higher) for name, higher in names.items())
    report = make_report(*rows, measures=infos)
    assert compare(report, report).primary == "false_answers"


def test_two_versions_of_a_set_are_told_apart_and_a_part_of_one_is_not() -> None:
    a, b = make_run([1.0] * 12, dataset_sha256="a" * 64), make_run([1.0] * 12, dataset_sha256="b" * 64)
    assert any(remark.startswith("The runs are of two versions of the set") for remark in compare(a, b).remarks)
    part = make_run([1.0] * 9, dataset_sha256="c" * 64)
    assert not any("two versions" in remark for remark in compare(a, part).remarks)
    assert not any("two versions" in remark for remark in compare(a, a).remarks)


def test_a_measure_without_a_direction_is_described_and_not_decided() -> None:
    a = make_report(*(make_row(f"q{i}", nugget_recall=0.0, length=50.0 + i) for i in range(9)))
    b = make_report(*(make_row(f"q{i}", nugget_recall=0.0, length=250.0 + i) for i in range(9)))
    compared = compare(a, b).of("length")
    assert (compared.role, compared.decision) == ("descriptive", Decision.DIFFERENT)


def test_runs_without_a_common_score_or_case_or_question_are_refused() -> None:
    with pytest.raises(EvalError, match="no score in common"):
        compare(make_run([None]), make_run([1.0]))
    with pytest.raises(EvalError, match="no case in common"):
        compare(make_report(make_row("a")), make_report(make_row("b")))
    other = make_row("a").model_copy(update={"question": "else?"})
    with pytest.raises(EvalError, match="different questions under the same id: a"):
        compare(make_report(make_row("a")), make_report(other))


def made_by(**fields: Any) -> EvalReport:
    known = {"settings": {"top": 1, "same": 1}, "prompts": {"answer": "a" * 64}, "index_sha256": "i1"}
    return make_run([1.0] * 3, **{**known, **fields})


def test_everything_that_differs_is_named() -> None:
    same = made_by()
    assert compare(same, same).changed == {}
    for fields, changed in (
        ({"settings": {"top": 2, "same": 1}}, {"top": ("1", "2")}),
        ({"prompts": {"answer": "b" * 64}}, {"prompt answer": ("a" * 12, "b" * 12)}),
        ({"index_sha256": "i2"}, {"index": ("i1", "i2")}),
        ({"top_k": 2}, {"top_k": ("5", "2")}),
        ({"code_sha256": "c2"}, {"ROMA's code": ("", "c2")}),
        ({"measures": (HIGHER.model_copy(update={"identity": "m2"}),)}, {"measure nugget_recall": ("", "m2")}),
    ):
        assert compare(same, made_by(**fields)).changed.items() >= changed.items(), fields


def test_a_chunk_size_that_was_not_ingested_is_said() -> None:
    a, b = (made_by(settings={"chunk_tokens": tokens}) for tokens in (200, 32))
    assert any("chunk_tokens differs, but both runs searched the same index" in r for r in compare(a, b).remarks)
    moved = made_by(settings={"chunk_tokens": 32}, index_sha256="i2")
    assert not any("same index" in r for r in compare(a, moved).remarks)


def test_a_prompt_that_no_model_read_is_said() -> None:
    lazy = {"answer": "b" * 64}
    quoted = [made_by(settings={"llm": "none"}), made_by(settings={"llm": "none"}, prompts=lazy)]
    assert any("prompt answer differs, but no model answered" in r for r in compare(*quoted).remarks)
    written = [made_by(settings={"llm": "m"}), made_by(settings={"llm": "m"}, prompts=lazy)]
    assert not any("no model answered" in r for r in compare(*written).remarks)
    graded = [made_by(settings={"llm": "none"}, prompts={"judge": sha * 64}) for sha in "ab"]
    assert not any("no model answered" in r for r in compare(*graded).remarks)


def test_the_page_needs_nothing_else_and_shows_the_plot_and_the_changed_cases() -> None:
    a = make_report(*(make_row(f"<q{i}>", cluster=f"c{i % 5}", nugget_recall=i / 20, judge=3.0) for i in range(20)))
    b = make_report(*(make_row(f"<q{i}>", cluster=f"c{i % 5}", nugget_recall=1.0, judge=3.0) for i in range(20)))
    html = render_comparison_page(compare(a, b, margin=0.05))
    assert html.startswith("<!doctype html>") and "<svg" in html and "<script" not in html and "http" not in html
    assert "&lt;q0&gt;" in html and "<q0>" not in html and "nugget_recall" in html and "⚠" in html


def read_plot(html: str) -> tuple[float, list[tuple[float, str, int, str]]]:
    """Return the width of a plot, and x, anchor, size and words of each text in it."""
    width = re.search(r'<svg role="img" aria-label="Forest plot" width="(\d+)"', html)
    assert width is not None
    texts = re.findall(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="(\w+)" font-size="(\d+)"[^>]*>(.*?)</text>', html)
    words = [(float(x), anchor, int(size), re.sub("<title>.*?</title>", "", text)) for x, anchor, size, text in texts]
    return float(width[1]), words


@pytest.mark.parametrize("decision", ["better", "inconclusive", "not worse", ""])
@pytest.mark.parametrize(
    "label", ["RR@5", "citation_precision_strict", "a label that nobody has ever made so long " * 3]
)
def test_no_text_of_a_forest_plot_is_cut_by_its_edge(decision: str, label: str) -> None:
    html = draw_forest([ForestRow(label, -0.123, -0.001, 0.123, decision)], margin=0.02)
    width, texts = read_plot(html)
    assert any(decision in words for *_, words in texts)
    for x, anchor, size, words in texts:
        taken = len(words) * size * 0.64  # of a wide font, as DejaVu Sans is
        start = {"start": x, "middle": x - taken / 2, "end": x - taken}[anchor]
        assert start >= 0 and start + taken <= width, words


def test_a_narrow_page_shows_the_whole_forest_plot_smaller() -> None:
    html = draw_forest([ForestRow("RR@5", -0.1, 0.0, 0.1, "inconclusive")])
    width, _ = read_plot(html)
    assert f'viewBox="0 0 {width:.0f} ' in html and "max-width:100%;height:auto" in html


def test_the_frame_has_a_row_a_measure_and_the_changed_cases_come_by_size() -> None:
    comparison = compare(make_run([0.0, 0.5, 0.9, 1.0]), make_run([1.0, 1.0, 1.0, 1.0]))
    assert comparison.to_frame()["decision"].tolist() == ["inconclusive"]
    assert [pair.case_id for pair in comparison.changed_cases] == ["q0", "q1", "q2"]


def test_longer_answers_are_reported() -> None:
    short, long = (
        make_report(make_row("q", nugget_recall=1.0).model_copy(update={"answer": text, "answered": True}))
        for text in ("one two [1]", "one two three four [1] [2]")
    )
    comparison = compare(short, long)
    assert comparison.words == (2.0, 4.0) and "2 in A, 4 in B" in comparison._repr_html_()
    unknown = make_row("q", nugget_recall=0.0).model_copy(update={"answer": "I don't know", "answered": False})
    assert math.isnan(words_an_answer([unknown]))


def test_the_noise_of_one_system_stands_beside_the_difference() -> None:
    a, b = make_run([0.5] * 20), make_run([0.52] * 20)
    calm, moody = [make_run([0.5] * 20)], [make_run([0.6] * 20), make_run([0.4] * 20)]
    assert compare(a, b).of("nugget_recall").noise is None
    quiet = compare(a, b, samples_a=calm)
    assert quiet.of("nugget_recall").noise == 0.0 and "the difference is larger." in quiet.remarks[-1]
    loud = compare(a, b, samples_a=moody)
    assert loud.of("nugget_recall").noise == pytest.approx(0.4 / 3) and "no larger" in loud.remarks[-1]


def test_many_variants_have_one_correction() -> None:
    rng = np.random.default_rng(1)
    base = make_run(rng.integers(0, 2, 60).tolist())
    lucky = make_run([min(1.0, row.scores["nugget_recall"] + (i < 6)) for i, row in enumerate(base.rows)])  # type: ignore[operator]
    alone = compare(base, lucky).of("nugget_recall")
    noise = {
        f"v{i}": make_run(rng.permutation([r.scores["nugget_recall"] for r in base.rows]).tolist()) for i in range(19)
    }
    experiment = compare_variants(base, {"lucky": lucky, **noise})
    decided = {variant.name: variant for variant in experiment.variants}
    assert decided["lucky"].adjusted_p > alone.difference.p_value
    for variant in experiment.variants:
        compared = variant.comparison.of(experiment.primary)
        assert compared.difference.is_significant == (variant.adjusted_p < 0.05)
    assert experiment.to_frame()["variant"].tolist()[0] == "lucky" and "<svg" in experiment._repr_html_()
    with pytest.raises(EvalError, match="no variant"):
        compare_variants(base, {})


def test_a_remark_on_one_variant_names_it_and_one_on_all_does_not() -> None:
    base = make_run([0.5] * 8)
    failing = make_report(*(make_row(f"q{i}", nugget_recall=0.5 if i else None) for i in range(8)))
    remarks = compare_variants(base, {"calm": make_run([0.5] * 8), "failing": failing}).remarks
    assert [r for r in remarks if r.startswith("failing: nugget_recall is scored for 1 case only in A")]
    assert "8 cases in 8 clusters, counted as 8.0: the result hangs on a few documents." not in remarks
    shared = compare_variants(base, {"calm": make_run([0.5] * 8), "mild": make_run([0.6] * 8)}).remarks
    assert "8 cases in 8 clusters, counted as 8.0: the result hangs on a few documents." in shared


def test_the_page_of_a_run_says_what_was_missed_and_that_a_judge_is_no_person() -> None:
    noted = make_row("q", "failed", nugget_recall=0.0, judge=4.0).model_copy(
        update={"reasons": {"nugget_recall": "missed <2038>"}}
    )
    html = render_page(make_report(noted))
    assert "nugget_recall: missed &lt;2038&gt;" in html and "ERR_TIMEOUT" in html
    assert "agree with people" in html and "agree with people" not in render_page(make_run([1.0], measures=(HIGHER,)))
