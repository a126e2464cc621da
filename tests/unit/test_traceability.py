"""Every requirement of the phases that are built names tests, and those tests exist."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| (P\d[\w.-]*) \| (.+?) \| (.+?) \|$", re.M)
BUILT = [
    "P4-1.1",
    "P4-1.2",
    "P4-1.3",
    "P4-2.1",
    "P4-2.2",
    "P4-2.3",
    "P4-3.1",
    "P4-3.2",
    "P4-4.1",
    "P4-4.2",
    "P4-5.1",
    "P4-6.1",
    "P4-6.2",
    "P4-7.1",
    "P4-7.2",
    "P4-7.3",
    "P4-8.1",
    "P4-8.2",
    "P4-9.1",
    "P4-10.1",
    "P4-X.1",
    "P4-X.2",
]


def test_every_requirement_names_tests_that_exist() -> None:
    page = (ROOT / "docs/traceability.md").read_text("utf-8")
    rows = {key: tests for key, _, tests in ROW.findall(page)}
    assert set(BUILT) <= set(rows), f"no row for {sorted(set(BUILT) - set(rows))}"
    known = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^\s*(?:async )?def (test_\w+)", path.read_text("utf-8"), re.M)
    }
    for key in BUILT:
        named = re.findall(r"`(test_\w+)`", rows[key])
        assert named, f"{key} names no test"
        assert set(named) <= known, f"{key} names tests that do not exist: {sorted(set(named) - known)}"


def test_later_phases_are_listed() -> None:
    page = (ROOT / "docs/traceability.md").read_text("utf-8")
    assert all(re.search(rf"^\| {phase} \|", page, re.M) for phase in ("P5", "P6", "P7", "P8"))
