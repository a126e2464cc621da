"""The page of the agents says what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from roma_core.agents.guardrails import DEFAULTS, RULES
from roma_core.agents.orchestrator import CALLERS_FAULT
from roma_core.agents.pipeline import Pipeline, Stage
from roma_core.agents.prompts import all_prompts
from roma_core.citations.rewordings import KNOWN, ONE_FACT, PARTIAL, STRICTER, SUPPORTED
from roma_core.citations.verdict import COPIES, FOLLOWS, LONG_RUN

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = (DOCS / "02_AGENT_SPECS.md").read_text(encoding="utf-8")


@pytest.fixture
async def pipeline(kit: Any, sessions: Any) -> Pipeline:
    """The pipeline with every agent."""
    built: Pipeline = kit.roma(await kit.store(), sessions=sessions).pipeline
    return built


def rows(title: str) -> list[list[str]]:
    """Cells of the first table below a heading."""
    section = re.split(rf"^#+ {re.escape(title)}$", PAGE, flags=re.MULTILINE)[1]
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert table is not None
    return [[cell.strip() for cell in line.strip("|\n").split("|")] for line in table[0].splitlines()[2:]]


def describe_event(stage: Stage) -> str:
    if stage.start_event:
        return f"`{stage.start_event}` at its start"
    return f"`{stage.event_at_end}` at its end" if stage.event_at_end else "none"


def test_the_table_of_stages_is_the_pipeline(pipeline: Pipeline) -> None:
    table = rows("Stages, and what happens when one fails")
    assert table == [
        [
            f"`{stage.name}`",
            f"`{type(stage.agent).__name__}`",
            describe_event(stage),
            str(stage.recovery.retries + 1),
            stage.recovery.then,
            stage.recovery.instead,
        ]
        for stage in pipeline
    ]
    assert all(code in PAGE for code in CALLERS_FAULT)


def test_the_events_on_the_page_are_the_pipeline_s(pipeline: Pipeline) -> None:
    events = [stage.start_event or stage.event_at_end for stage in pipeline]
    (row,) = [line for line in PAGE.splitlines() if line.startswith("| `StageEvent`")]
    assert all(f"`{event}`" in row for event in events if event)


def test_the_metric_labels_on_the_page_are_the_pipeline_s(pipeline: Pipeline) -> None:
    page = (DOCS / "10_OBSERVABILITY.md").read_text(encoding="utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith("| `roma_stage_seconds`")]
    assert ", ".join(stage.label for stage in pipeline) in row


def test_the_picture_of_the_architecture_is_the_pipeline(pipeline: Pipeline) -> None:
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    assert f"```mermaid\n{pipeline.mermaid()}\n```" in page


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
