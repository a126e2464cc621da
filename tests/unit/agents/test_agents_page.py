"""The page of the agents says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from roma_core.agents.guardrails import DEFAULTS, RULES
from roma_core.agents.orchestrator import CALLERS_FAULT, RECOVERY
from roma_core.agents.prompts import all_prompts
from roma_core.citations.verdict import COPIES, FOLLOWS, KNOWN, LONG_RUN, ONE_FACT, PARTIAL, STRICTER, SUPPORTED

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "02_AGENT_SPECS.md").read_text(encoding="utf-8")


def rows(title: str) -> list[list[str]]:
    """Cells of the first table below a heading."""
    section = re.split(rf"^#+ {re.escape(title)}$", PAGE, flags=re.MULTILINE)[1]
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert table is not None
    return [[cell.strip() for cell in line.strip("|\n").split("|")] for line in table[0].splitlines()[2:]]


def test_the_recovery_table_is_the_code_s() -> None:
    told = rows("What happens when a step fails")
    assert told == [[step, str(rule.retries + 1), rule.then, rule.instead] for step, rule in RECOVERY.items()]
    assert all(code in PAGE for code in CALLERS_FAULT)


def test_the_rules_are_the_code_s() -> None:
    told = {row[0].strip("`"): row[2] for row in rows("Guardrails")}
    assert told == dict(DEFAULTS)
    assert list(told) == list(RULES)


def test_the_numbers_are_the_code_s() -> None:
    verdicts = {row[0]: row[1] for row in rows("Citations")}
    assert f"at least {SUPPORTED} of its content, the passage {KNOWN}" in verdicts["`supported`"]
    assert f"from {FOLLOWS:.0%} of".replace("%", " %") in " ".join(PAGE.split())
    assert (COPIES, LONG_RUN) == (0.5, 5)
    assert "half of it stands in runs of five words" in " ".join(PAGE.split())
    assert str(PARTIAL) in verdicts["`partial`"]
    assert f"that are {STRICTER} higher" in PAGE
    assert ONE_FACT == 8
    assert "at most eight content words" in " ".join(PAGE.split())


def test_every_persona_prompt_is_told() -> None:
    assert all(f"`{name.removeprefix('persona_')}`" in PAGE for name in all_prompts() if name.startswith("persona_"))
