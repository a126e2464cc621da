"""Every requirement of the phases that are built names tests, and those tests exist."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| (P\d[\w.-]*) \| (.+?) \| (.+?) \|$", re.M)
BUILT = {
    *(f"P4-{k}" for k in ("1.1", "1.2", "1.3", "2.1", "2.2", "2.3", "3.1", "3.2", "4.1", "4.2", "5.1", "6.1", "6.2")),
    *(f"P4-{k}" for k in ("7.1", "7.2", "7.3", "8.1", "8.2", "9.1", "10.1", "X.1", "X.2")),
}


def test_every_requirement_names_tests_that_exist() -> None:
    page = (ROOT / "docs/traceability.md").read_text("utf-8")
    rows = {key: tests for key, _, tests in ROW.findall(page)}
    assert set(rows) >= BUILT, f"no row for {sorted(BUILT - set(rows))}"
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
