"""Stages that lost the failed items of a run: counted for all, shown to those who may read everything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from roma_core.app import build_roma
from roma_core.errors import AccessError, EvalError
from roma_core.evals import evaluate
from roma_core.identity.grants import Grantee, Resource
from roma_core.insights.losses import explain_run
from roma_core.settings import Settings
from roma_core.types import Principal
from tests.unit.exports.conftest import copy_workspace

ANALYST = Principal(subject="ada", roles=("analyst",))
PLANTED = [
    {
        "id": "unstated",
        "question": "When was the rope bridge of Quellfeld built?",
        "kind": "single",
        "answer": "In 1902.",
        "nuggets": [{"fact": "1902"}, {"fact": "a toll of gold"}],
        "evidence": [{"uri": "notes/bridge.md", "anchor": "was built in 1902"}],
    },
    {
        "id": "nowhere",
        "question": "What does a ferry pay for a landing?",
        "kind": "single",
        "answer": "It pays with a song.",
        "nuggets": [{"fact": "a song"}],
        "evidence": [{"uri": "notes/songs.md", "anchor": "pays with a song"}],
    },
]


async def evaluate_planted(settings: Settings, folder: Path) -> str:
    """Score a set whose items fail in known ways, and return the id of the run."""
    path = folder / "planted.json"
    path.write_text(json.dumps(PLANTED), encoding="utf-8")
    async with build_roma(settings) as roma:
        return (await evaluate(path, roma, name="planted")).run_id


async def test_each_failed_item_has_its_stage_and_what_shows_it(settings: Settings, tmp_path: Path) -> None:
    own = copy_workspace(settings, tmp_path)
    run_id = await evaluate_planted(own, tmp_path)
    async with build_roma(own) as roma:
        losses = await explain_run(roma, roma.user, run_id)
        assert losses.refusal == ""
        assert losses.by_case["nowhere"] == ("golden", "there is no document 'notes/songs.md'")
        assert losses.by_case["unstated"][0] == "golden", "its reference answer lacks a fact of its own"
        assert losses.failed == 2 == losses.items
        assert [stage.stage for stage in losses.stages] == ["golden"]
        assert losses.stages[0].points > 0 and "mend the item" in losses.stages[0].advice


async def test_whom_documents_are_withheld_from_sees_stages_without_words(settings: Settings, tmp_path: Path) -> None:
    own = copy_workspace(settings, tmp_path)
    run_id = await evaluate_planted(own, tmp_path)
    async with build_roma(own) as roma:
        roma.grants.grant("default", Resource("collection", "main"), Grantee("user", "bo"), by="local")
        losses = await explain_run(roma, ANALYST, run_id)
        assert {stage for stage, _ in losses.by_case.values()} == {"golden"}
        assert "songs" not in losses.model_dump_json()


async def test_a_set_that_has_changed_names_no_stage(settings: Settings, tmp_path: Path) -> None:
    own = copy_workspace(settings, tmp_path)
    run_id = await evaluate_planted(own, tmp_path)
    (tmp_path / "planted.json").write_text(json.dumps(PLANTED[:1]), encoding="utf-8")
    async with build_roma(own) as roma:
        losses = await explain_run(roma, roma.user, run_id)
        assert "has changed since" in losses.refusal
        assert losses.stages == ()


async def test_readers_and_other_tenants_are_refused(settings: Settings) -> None:
    async with build_roma(settings) as roma:
        with pytest.raises(AccessError):
            await explain_run(roma, Principal(subject="rita", roles=("reader",)), "x")
        with pytest.raises(EvalError):
            await explain_run(roma, Principal(subject="ada", tenant="acme", roles=("admin",)), "x")
