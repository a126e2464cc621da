"""From a question of use to a golden case, by a reviewer on the dashboard of use."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from roma_core.answers import AnswerRecord
from roma_core.errors import AccessError, ErrorCode, InputError, NotFoundError
from roma_core.evals.golden.authoring import write_case
from roma_core.evals.golden.candidates import (
    GoldenCandidate,
    ReviewDecision,
    accept_candidate,
    append_decision,
    collect_candidates,
    name_candidate,
    refuse_candidate,
)
from roma_core.insights.usage import AskedQuestion
from roma_core.types import Principal
from roma_core.workspace import Workspace, private_folder

if TYPE_CHECKING:
    from roma_core.app import Roma
    from roma_core.evals.golden.dataset import GoldenCase

SET_NAME = re.compile(r"[\w-][\w.-]{0,79}")


async def open_candidate(roma: Roma, who: Principal, questions: Sequence[AskedQuestion], name: str) -> GoldenCandidate:
    """Return the candidate of the questions with the same words as that of the answer ``name``.

    Raises ``AccessError`` for a viewer who may not review, and ``NotFoundError`` where nothing went wrong with it.
    """
    _require_reviewer(who)
    asked = next((question for question in questions if question.id == name and not question.is_withheld), None)
    if asked is None:
        raise NotFoundError("This question is not among those that are shown.")
    wanted = name_candidate(asked.question)
    same = [each for each in questions if not each.is_withheld and name_candidate(each.question) == wanted]
    ratings = await roma.sessions.all_feedback(who.tenant, rating="down", limit=20_000)
    candidates = await collect_candidates(_iterate_records(roma, who, same), ratings)
    if not candidates:
        raise NotFoundError("Nothing went wrong with this question, as far as is known.")
    return candidates[0]


async def make_golden(
    roma: Roma,
    who: Principal,
    candidate: GoldenCandidate,
    dataset: str,
    *,
    question: str = "",
    answer: str = "",
    facts: Sequence[str] = (),
) -> tuple[GoldenCase, Path]:
    """Write a golden case of a candidate into a set of the workspace; return it and its file.

    Without an answer the case says that the corpus does not answer the question. Raises ``AccessError``,
    ``InputError`` for a name that is no file's, and ``EvalError`` when no passage that was found states a fact.
    """
    _require_reviewer(who)
    if not SET_NAME.fullmatch(dataset):
        raise InputError("Name the golden set by letters, digits and . _ - alone; it is a file of the workspace.")
    if bool(answer.strip()) != bool(facts):
        raise InputError("Give an answer with at least one fact, or neither where the corpus does not answer.")
    if answer.strip():
        case = accept_candidate(candidate, answer.strip(), facts, question=question.strip())
    else:
        case = refuse_candidate(candidate, question=question.strip())
    workspace = Workspace.of(roma.settings)
    path = workspace.goldens / f"{dataset.removesuffix('.json')}.json"
    decision = ReviewDecision(
        candidate=candidate.id,
        decision="accepted",
        at=datetime.now(UTC),
        tenant=who.tenant,
        reviewer=who.subject,
        question=candidate.question,
        dataset=str(path),
        case_id=case.id,
        answers=candidate.answers,
    )

    def write() -> None:
        private_folder(path.parent)
        write_case(path, case)
        append_decision(workspace.reviews, decision)

    await asyncio.to_thread(write)
    return case, path


def may_review(who: Principal) -> bool:
    """Return whether ``who`` may write golden cases into the workspace."""
    return who.may("service.manage")


def _require_reviewer(who: Principal) -> None:
    if not may_review(who):
        raise AccessError(
            "Golden cases are written by who manages the service (service.manage); others hand the id of a candidate "
            "on (roma golden candidates).",
            ErrorCode.ACCESS_FORBIDDEN,
        )


async def _iterate_records(roma: Roma, who: Principal, same: Sequence[AskedQuestion]) -> AsyncIterator[AnswerRecord]:
    for question in reversed(same):
        owner = who.model_copy(update={"subject": question.owner})
        try:
            yield await roma.answers.get(owner, question.id)
        except NotFoundError:
            continue
