"""From use to golden cases: questions that went wrong, the reviewer's decision on each, and where a case came from.

A candidate is a question that a person rated down, that ROMA did not answer, or that failed. Nothing becomes golden by
itself: a reviewer accepts a candidate with a reference answer and facts, or drops it with a reason. Decisions are
appended to a file of the workspace and never rewritten.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from roma_core.answers import AnswerRecord
from roma_core.errors import ErrorCode, EvalError, suggest_name
from roma_core.evals.golden.authoring import make_case, make_unanswerable
from roma_core.evals.golden.dataset import GoldenCase, Nugget
from roma_core.evals.measures.nuggets import states
from roma_core.sessions.service import Feedback
from roma_core.types import Noun, Persona, ScoredChunk, digest
from roma_core.workspace import private_file

Reason = Literal["rated down", "not answered", "failed"]
REASONS: tuple[Reason, ...] = ("rated down", "not answered", "failed")
"""The gravest first: a person's word counts more than ROMA's own."""
REVIEWED = "reviewed"
"""Tag of cases that were candidates."""


class GoldenCandidate(Noun):
    """A question that may become a golden case. Questions of the same words are one candidate."""

    id: str
    question: str
    persona: Persona = "general"
    reasons: tuple[Reason, ...]
    times: int = 1
    """How often it was asked and went wrong."""
    comments: tuple[str, ...] = ()
    """What people wrote when they rated the answers."""
    answer: str = ""
    """The last answer."""
    answers: tuple[str, ...] = ()
    """Ids of the records of its answers, the oldest first."""
    last_at: datetime
    passages: tuple[ScoredChunk, ...] = Field(default=(), repr=False)
    """Passages that were found for the last one, best first."""


class ReviewDecision(Noun):
    """A reviewer's word on a candidate."""

    candidate: str
    decision: Literal["accepted", "dropped"]
    at: datetime
    tenant: str
    reviewer: str = ""
    why: str = ""
    """The reason for which it was dropped."""
    question: str = ""
    dataset: str = ""
    """The golden set that it was added to."""
    case_id: str = ""
    answers: tuple[str, ...] = ()
    """Ids of the records that it came from."""


async def collect_candidates(
    records: AsyncIterable[AnswerRecord], ratings: Iterable[Feedback], decisions: Sequence[ReviewDecision] = ()
) -> list[GoldenCandidate]:
    """Return the open candidates, those that people rated down first, then the most frequent.

    One that was decided on comes back when its question goes wrong again after that.
    """
    down: dict[str, list[Feedback]] = {}
    for rating in ratings:
        if rating.rating == "down":
            down.setdefault(rating.answer_id, []).append(rating)
    decided = {decision.candidate: decision.at for decision in decisions}
    groups: dict[str, list[tuple[AnswerRecord, Reason]]] = {}
    opinions: dict[str, list[Feedback]] = {}
    async for record in records:
        rated = down.get(record.output.answer_id, []) if record.output else []
        reason = find_reason(record, is_rated_down=bool(rated))
        name = name_candidate(record.query.text)
        last = max([_aware(record.created_at), *(_aware(each.created_at) for each in rated if each.created_at)])
        if reason is None or (name in decided and last <= decided[name]):
            continue
        groups.setdefault(name, []).append((record, reason))
        opinions.setdefault(name, []).extend(rated)
    candidates = [_make_candidate(name, held, opinions[name]) for name, held in groups.items()]
    return sorted(candidates, key=lambda each: (REASONS.index(each.reasons[0]), -each.times, each.id))


def find_reason(record: AnswerRecord, *, is_rated_down: bool) -> Reason | None:
    """Return why a recorded answer is a candidate; None for one that is not."""
    if is_rated_down:
        return "rated down"
    if record.state == "failed":
        return "failed"
    if record.output is not None and not record.output.answered:
        return "not answered"
    return None


def name_candidate(question: str) -> str:
    """Return the id of the candidate that a question belongs to: case, order and punctuation of its words do not count.

    >>> name_candidate("Who built it?") == name_candidate("who built it")
    True
    """
    return digest("candidate", *sorted(set(re.findall(r"\w+", question.casefold()))))[:10]


def _make_candidate(
    name: str, held: Sequence[tuple[AnswerRecord, Reason]], opinions: Sequence[Feedback]
) -> GoldenCandidate:
    last, _ = held[-1]
    reasons = {reason for _, reason in held}
    passages = last.candidates or (last.output.passages if last.output else ())
    return GoldenCandidate(
        id=name,
        question=last.query.text,
        persona=last.query.persona,
        reasons=tuple(reason for reason in REASONS if reason in reasons),
        times=len(held),
        comments=tuple(dict.fromkeys(opinion.comment for opinion in opinions if opinion.comment)),
        answer=last.text,
        answers=tuple(record.id for record, _ in held),
        last_at=last.created_at,
        passages=tuple(passages),
    )


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def find_candidate(candidates: Sequence[GoldenCandidate], name: str) -> GoldenCandidate:
    """Return a candidate by its id or the beginning of it. Raises ``EvalError``."""
    matching = [candidate for candidate in candidates if name and candidate.id.startswith(name)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise EvalError(f"Several candidates begin with {name!r}; give more of the id.", ErrorCode.NOT_FOUND)
    hint = suggest_name(name, [candidate.id for candidate in candidates]) if candidates else "There is none."
    raise EvalError(f"There is no open candidate {name!r}. {hint}", ErrorCode.NOT_FOUND)


def accept_candidate(
    candidate: GoldenCandidate,
    answer: str,
    facts: Sequence[str],
    *,
    question: str = "",
    passages: Sequence[ScoredChunk] = (),
    anchor: str = "",
    tags: Sequence[str] = (),
) -> GoldenCase:
    """Return the golden case that a reviewer makes of a candidate, with the passage that states its facts as evidence.

    ``passages`` are looked through in place of those that were found for the question. Raises ``EvalError`` when none
    of them states a fact: evidence is never guessed.
    """
    nuggets = [Nugget(fact=fact) for fact in facts]
    known = tuple(passages) or candidate.passages
    stating = [passage for passage in known if any(states(passage.chunk.text, nugget) for nugget in nuggets)]
    if not stating:
        raise EvalError(
            f"None of the {len(known)} passages that were found states a fact of yours: name words of the right one "
            "with --passage.",
            ErrorCode.EVAL_DATASET,
        )
    asked = question or candidate.question
    case = make_case(stating[0], asked, answer, facts, persona=candidate.persona, tags=(REVIEWED, *tags), anchor=anchor)
    return case.model_copy(update={"id": f"use-{candidate.id}"})


def refuse_candidate(candidate: GoldenCandidate, *, question: str = "", tags: Sequence[str] = ()) -> GoldenCase:
    """Return the golden case of a question that the corpus does not answer: *I don't know* is right."""
    asked = question or candidate.question
    case = make_unanswerable(asked, persona=candidate.persona, tags=(REVIEWED, *tags))
    return case.model_copy(update={"id": f"use-{candidate.id}"})


def read_decisions(path: Path, tenant: str) -> list[ReviewDecision]:
    """Return the decisions on a tenant's candidates, the oldest first. Raises ``EvalError`` for a damaged file."""
    if not path.is_file():
        return []
    decisions: list[ReviewDecision] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            decisions.append(ReviewDecision.model_validate_json(line))
        except ValidationError:
            raise EvalError(f"{path.name}, line {number}: no decision of a reviewer.", ErrorCode.EVAL_DATASET) from None
    return [decision for decision in decisions if decision.tenant == tenant]


def append_decision(path: Path, decision: ReviewDecision) -> None:
    """Add a decision to the file."""
    private_file(path)
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps(decision.model_dump(mode="json"), ensure_ascii=False) + "\n")
