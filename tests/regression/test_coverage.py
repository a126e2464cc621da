"""Coverage of the whole test run, read from the report that ``make test`` writes before it asks for this test."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

ASKED_PERCENT = 80


def test_coverage_exceeds_80_percent() -> None:
    report = os.environ.get("ROMA_TEST_COVERAGE")
    if report is None:
        pytest.skip("make test names the coverage report in ROMA_TEST_COVERAGE")
    totals = json.loads(Path(report).read_text("utf-8"))["totals"]
    assert totals["num_branches"] > 0, "branches are counted"
    assert totals["percent_covered"] > ASKED_PERCENT
