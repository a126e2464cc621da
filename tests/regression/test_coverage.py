"""Coverage of the whole test run, read from the report that ``make test`` writes before it asks for this test."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

ASKED_PERCENT = 80
REPORT = os.environ.get("ROMA_TEST_COVERAGE")
"""Path of the report; read here because no ROMA_ variable reaches a test."""


def test_coverage_exceeds_80_percent() -> None:
    if REPORT is None:
        pytest.skip("make test names the coverage report in ROMA_TEST_COVERAGE")
    totals = json.loads(Path(REPORT).read_text("utf-8"))["totals"]
    assert totals["num_branches"] > 0, "branches are counted"
    assert totals["percent_covered"] > ASKED_PERCENT
