"""What a set can decide is said before it is asked, by the test that will decide."""

from __future__ import annotations

import math

import pytest

from roma_core.errors import EvalError
from roma_core.evals import Golden, GoldenCase, plan_study
from roma_core.evals.measures import default_measures
from roma_core.evals.measures.answers import answered, false_answers
from roma_core.evals.report.record import EvalReport, RunFacts
from roma_core.evals.stats.inference import ALPHA, ClusterDesign
from roma_core.types import Usage
from tests.fakes.evals import make_report, make_row


def make_golden(sizes: list[int]) -> Golden:
    """A set with so many questions about each document."""
    cases = [
        GoldenCase.model_validate(
            {
                "id": f"{d}-{i}",
                "question": "?",
                "kind": "single",
                "nuggets": [{"fact": "x"}],
                "evidence": [{"uri": str(d)}],
            }
        )
        for d, size in enumerate(sizes)
        for i in range(size)
    ]
    return Golden(name="g", cases=tuple(cases))


def run_of(golden: Golden, fingerprint: str, every: int) -> EvalReport:
    rows = [make_row(c.id, cluster=c.group, nugget_recall=float(i % every == 0)) for i, c in enumerate(golden.cases)]
    return make_report(*rows, fingerprint=fingerprint, dataset_sha256=golden.sha256)


def test_the_primary_measure_comes_first_with_its_level_and_effect() -> None:
    golden = make_golden([1] * 100)
    plan = plan_study(golden, default_measures(5), primary="nugget_recall", sd=0.5, icc=0.0)
    first, second = plan.measures[:2]
    others = sum(m.role == "secondary" for m in plan.measures)
    assert (first.measure, first.role, first.level, first.items) == ("nugget_recall", "primary", ALPHA, 100)
    assert first.detectable == pytest.approx(ClusterDesign((1,) * 100).detectable(0.05))
    assert second.role == "secondary" and second.level == pytest.approx(ALPHA / others)
    assert second.detectable > first.detectable and plan.remarks == ()
    assert plan.to_frame()["measure"].tolist()[0] == "nugget_recall" and "nugget_recall" in plan._repr_html_()


def test_few_or_unequal_documents_are_said_before_the_run() -> None:
    plan = plan_study(make_golden([60] + [2] * 20), default_measures(5))
    assert plan.measures[0].effective_clusters == pytest.approx(2.717, abs=1e-3)
    assert any("counted as 2.7" in remark for remark in plan.remarks)
    hopeless = plan_study(make_golden([20] * 5), default_measures(5))
    assert not hopeless.measures[0].can_decide and math.isinf(hopeless.measures[0].detectable)
    assert any("Nothing can be decided: 5 clusters" in remark for remark in hopeless.remarks)


def test_a_primary_measure_that_no_item_has_is_said_before_the_run() -> None:
    traps = tuple(GoldenCase(id=f"t{i}", question="?", kind="no_answer") for i in range(4))
    plan = plan_study(Golden(name="g", cases=traps), default_measures(5))
    assert len(plan.remarks) == 1
    assert plan.remarks[0].startswith("nugget_recall is taken on no item of the set: name another measure by --primary")


def test_measures_count_the_items_that_they_apply_to() -> None:
    golden = make_golden([1] * 10)
    traps = tuple(GoldenCase(id=f"t{i}", question="?", kind="no_answer") for i in range(4))
    plan = plan_study(golden.model_copy(update={"cases": golden.cases + traps}), [answered, false_answers])
    assert {m.measure: m.items for m in plan.measures} == {"answered": 10, "false_answers": 4}


def test_the_spread_comes_from_runs_of_the_same_set_where_there_are_any() -> None:
    golden = make_golden([1] * 60)
    measures = default_measures(5)
    one, two, other = run_of(golden, "a", 2), run_of(golden, "b", 3), run_of(make_golden([1] * 50), "c", 2)
    assert plan_study(golden, measures, runs=[other]).measures[0].basis == "assumed"
    assert plan_study(golden, measures, runs=[one]).measures[0].basis == "one run"
    assert plan_study(golden, measures, runs=[one, two]).measures[0].basis == "two runs"
    assert plan_study(golden, measures, runs=[one, one]).measures[0].basis == "assumed", "they do not differ"


def test_the_cost_is_that_of_a_run_that_asked_everything() -> None:
    facts = RunFacts(asked=60, seconds=12.0, usage={"answer": Usage(calls=60, cost_usd=0.5), "judge": Usage(calls=60)})
    plan = plan_study(make_golden([1] * 60), default_measures(5), facts=facts)
    assert plan.usage is not None and (plan.usage.calls, plan.usage.cost_usd, plan.seconds) == (120, 0.5, 12.0)
    assert plan_study(make_golden([1] * 60), default_measures(5)).usage is None


def test_a_primary_measure_that_is_not_taken_is_refused() -> None:
    with pytest.raises(EvalError, match="'beauty' cannot decide"):
        plan_study(make_golden([1] * 9), default_measures(5), primary="beauty")
