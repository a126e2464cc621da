"""A question that went wrong becomes a golden case, by a reviewer alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from roma_core.app import build_roma
from roma_core.errors import AccessError, EvalError, InputError, NotFoundError
from roma_core.evals import load_golden
from roma_core.evals.golden.candidates import read_decisions
from roma_core.insights import make_golden, open_candidate, read_usage
from roma_core.settings import Settings
from roma_core.types import Principal
from roma_core.workspace import Workspace
from tests.unit.exports.conftest import copy_workspace


@pytest.fixture
def workspace_settings(settings: Settings, tmp_path: Path) -> Settings:
    return copy_workspace(settings, tmp_path)


async def test_a_question_that_was_rated_down_becomes_a_case_with_its_lineage(workspace_settings: Settings) -> None:
    async with build_roma(workspace_settings) as roma:
        questions = (await read_usage(roma, roma.user)).questions
        (down,) = [question for question in questions if question.down]
        candidate = await open_candidate(roma, roma.user, questions, down.id)
        assert (candidate.reasons, candidate.comments) == (("rated down",), ("no year of repair",))
        case, path = await make_golden(
            roma, roma.user, candidate, "use", answer="It was built in 1902.", facts=["1902"]
        )
        (item,) = load_golden(str(path)).cases
        assert item.id == case.id
        assert item.evidence[0].uri.endswith("bridge.md")
        (decision,) = read_decisions(Workspace(workspace_settings.workspace).reviews, "default")
        assert (decision.case_id, decision.reviewer, decision.answers) == (case.id, "local", candidate.answers)
        with pytest.raises(EvalError):
            await make_golden(roma, roma.user, candidate, "use", answer="It was built in 1902.", facts=["1902"])


async def test_nothing_is_guessed_and_no_other_place_is_written(workspace_settings: Settings) -> None:
    async with build_roma(workspace_settings) as roma:
        questions = (await read_usage(roma, roma.user)).questions
        (down,) = [question for question in questions if question.down]
        candidate = await open_candidate(roma, roma.user, questions, down.id)
        for name in ("../escape", "/tmp/x", "a/b", "", ".hidden"):
            with pytest.raises(InputError):
                await make_golden(roma, roma.user, candidate, name, answer="1902", facts=["1902"])
        with pytest.raises(InputError):
            await make_golden(roma, roma.user, candidate, "use", answer="In 1902.")
        with pytest.raises(EvalError):
            await make_golden(roma, roma.user, candidate, "use", answer="In 1887.", facts=["1887"])
        assert not Workspace(workspace_settings.workspace).goldens.exists()


async def test_who_does_not_manage_the_service_writes_no_case(settings: Settings) -> None:
    analyst = Principal(subject="ada", roles=("analyst",))
    async with build_roma(settings) as roma:
        questions = (await read_usage(roma, analyst)).questions
        with pytest.raises(AccessError, match="golden candidates"):
            await open_candidate(roma, analyst, questions, questions[0].id)


async def test_a_question_that_went_well_is_no_candidate(settings: Settings) -> None:
    async with build_roma(settings) as roma:
        questions = (await read_usage(roma, roma.user)).questions
        (well,) = [question for question in questions if not question.down]
        with pytest.raises(NotFoundError):
            await open_candidate(roma, roma.user, questions, well.id)
        with pytest.raises(NotFoundError):
            await open_candidate(roma, roma.user, questions, "no-such-answer")
