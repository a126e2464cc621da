"""Every requirement of the phases that are built names tests, and those tests exist."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| (P\d[\w.-]*) \| (.+?) \| (.+?) \|$", re.M)
BUILT = {
    *(f"P4-{k}" for k in ("1.1", "1.2", "1.3", "2.1", "2.2", "2.3", "3.1", "3.2", "4.1", "4.2", "5.1", "6.1", "6.2")),
    *(f"P4-{k}" for k in ("7.1", "7.2", "7.3", "8.1", "8.2", "9.1", "10.1", "X.1", "X.2", "E")),
}


def list_tests() -> set[str]:
    """Return the names of all tests."""
    return {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^\s*(?:async )?def (test_\w+)", path.read_text("utf-8"), re.M)
    }


def test_every_requirement_names_tests_that_exist() -> None:
    page = (ROOT / "docs/traceability.md").read_text("utf-8")
    rows = {key: tests for key, _, tests in ROW.findall(page)}
    assert set(rows) >= BUILT, f"no row for {sorted(BUILT - set(rows))}"
    known = list_tests()
    for key in BUILT:
        named = re.findall(r"`(test_\w+)`", rows[key])
        assert named, f"{key} names no test"
        assert set(named) <= known, f"{key} names tests that do not exist: {sorted(set(named) - known)}"


LATER = {"P5": 6, "P6": 6, "P7": 7, "P8": 6}
"""Number of objectives of each later phase; each has a row of its own."""
UNTESTED = "no test yet"


def test_every_objective_of_later_phases_names_its_tests_or_says_that_it_has_none() -> None:
    page = (ROOT / "docs/traceability.md").read_text("utf-8")
    rows = {key: tests for key, _, tests in ROW.findall(page)}
    wanted = {f"{phase}.{number}" for phase, count in LATER.items() for number in range(1, count + 1)}
    assert {key for key in rows if not key.startswith("P4")} == wanted
    known = list_tests()
    for key in wanted:
        named = re.findall(r"`(test_\w+)`", rows[key])
        assert named or UNTESTED in rows[key], f"{key} names no test"
        assert set(named) <= known, f"{key} names tests that do not exist: {sorted(set(named) - known)}"


def test_every_file_that_the_plan_names_is_there() -> None:
    names = (ROOT / "docs/traceability.md").read_text("utf-8").partition("## Names of the plan")[2]
    rows = [line for line in names.splitlines() if line.startswith("| ")][2:]
    assert len(rows) >= 15
    files = [name for row in rows for name in re.findall(r"`([^`/][^`]*)`", row.split("|")[2])]
    assert [name for name in files if not (ROOT / name).exists()] == []


def test_every_requirement_has_one_row() -> None:
    keys = [key for key, _, _ in ROW.findall((ROOT / "docs/traceability.md").read_text("utf-8"))]
    assert sorted(keys) == sorted(set(keys))
