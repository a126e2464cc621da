"""Decisions of ``compare()`` are as rare and as likely as they promise: a slice of ``bench/soak_compare.py``."""

from __future__ import annotations

import math

import pytest

from bench.soak_compare import DESIGNS, run_cell
from tests.sizes import examples

RUNS = examples(120, whole=400)
ERROR = 3 * math.sqrt(0.05 * 0.95 / RUNS)
"""Three standard errors of a share of 5 % over so many runs."""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("design", "kind"),
    [
        ("100 x 1", "binary"),
        ("20 x 5", "graded"),
        ("10 x 10", "90 % ties"),
        ("40 x 5", "binary"),
        ("half in one", "graded"),
    ],
)
def test_false_decisions_are_rare_and_intervals_cover(design: str, kind: str) -> None:
    cell = run_cell(DESIGNS[design], kind, runs=RUNS, power_runs=0)
    assert cell.false_decisions <= 0.05 + ERROR and cell.false_in_others <= 0.05 + ERROR
    assert cell.coverage >= 0.95 - ERROR


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("design", "kind"), [("100 x 1", "binary"), ("40 x 5", "graded")])
def test_the_announced_effect_is_decided_four_times_in_five(design: str, kind: str) -> None:
    cell = run_cell(DESIGNS[design], kind, runs=1, power_runs=RUNS)
    assert cell.power == pytest.approx(0.8, abs=0.04 + 2 * math.sqrt(0.16 / RUNS))
