"""Use of a workspace: what is asked, what became of it, what people think of the answers, what it costs."""

from __future__ import annotations

import asyncio
import calendar
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from pydantic import Field

from roma_core.answers import AnswerFigures
from roma_core.errors import AccessError, ErrorCode
from roma_core.evals.runs import find_quantile
from roma_core.insights.topics import Topic, cluster_questions
from roma_core.llm.control.spending import SpendReport
from roma_core.sessions.service import GivenFeedback
from roma_core.types import CitationVerdict, Noun, Principal

if TYPE_CHECKING:
    from roma_core.app import Roma

Outcome = Literal["answered", "partly", "not answered", "failed", "stopped", "interrupted", "running"]
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)
Selection = Literal["all", "not answered", "failed", "rated down", "rated up"]
SELECTIONS: Final[tuple[Selection, ...]] = get_args(Selection)
DAYS: Final[Mapping[str, int]] = {"7 days": 7, "30 days": 30, "90 days": 90, "365 days": 365}
"""Periods that can be looked at, by name."""
MOST_ANSWERS: Final = 20_000
"""Newest answers of a period that are counted; the page says where there are more."""
MOST_RATINGS: Final = 20_000
WITHHELD: Final = "(about documents that you may not read)"
"""Stands for words that come from documents which are withheld from the viewer."""
_OUTCOME_OF: Final[Mapping[str, Outcome]] = {"known": "answered", "partly": "partly", "unknown": "not answered"}


class AskedQuestion(Noun):
    """One question, what became of it, and what people said to the answer."""

    id: str
    answer_id: str
    owner: str
    question: str
    asked_at: datetime
    outcome: Outcome
    code: str = ""
    """Code of a failure."""
    model: str = ""
    seconds: float | None = None
    cost_usd: float | None = None
    is_reused: bool = False
    verdicts: dict[CitationVerdict, int] = Field(default_factory=dict)
    up: int = 0
    down: int = 0
    comments: tuple[str, ...] = ()
    is_withheld: bool = False
    """True where the words are not shown to this viewer."""


class ModelFigures(Noun):
    """The answers of one model."""

    model: str
    answers: int
    unanswered: int
    median_s: float | None
    cost_usd: float | None
    """None where a price is unknown."""
    down: int


class TopicFigures(Noun):
    """The questions of one topic."""

    topic: Topic
    questions: int
    unanswered: int
    down: int


class UsageFigures(Noun):
    """The questions of a period, newest first, and what is counted of them."""

    since: datetime
    until: datetime
    questions: tuple[AskedQuestion, ...] = Field(default=(), repr=False)
    spend_by_day: SpendReport | None = None
    spend_by_model: SpendReport | None = None
    spend_by_purpose: SpendReport | None = None
    is_cut: bool = False
    """True where there are more answers than were counted."""

    @property
    def outcomes_by_day(self) -> dict[date, Counter[Outcome]]:
        """Number of questions of each outcome by day (UTC), days without a question included."""
        first, last = self.since.date(), self.until.date()
        if self.questions:
            first = max(first, self.questions[-1].asked_at.date())
        days = {first + timedelta(days=number): Counter[Outcome]() for number in range((last - first).days + 1)}
        for question in self.questions:
            days.setdefault(question.asked_at.date(), Counter())[question.outcome] += 1
        return dict(sorted(days.items()))

    @property
    def outcomes(self) -> Counter[Outcome]:
        """Number of questions of each outcome."""
        return Counter(question.outcome for question in self.questions)

    @property
    def verdicts(self) -> Counter[CitationVerdict]:
        """Number of statements of each verdict."""
        counts: Counter[CitationVerdict] = Counter()
        for question in self.questions:
            counts.update(question.verdicts)
        return counts

    @property
    def answered_share(self) -> float | None:
        """Share of the questions with an answer, of those that came to an end."""
        ended = [question for question in self.questions if question.outcome in _ENDED]
        answered = sum(question.outcome in {"answered", "partly"} for question in ended)
        return answered / len(ended) if ended else None

    def quantile(self, share: float) -> float | None:
        """Return the seconds within which a share of the answers was there; those from the cache are left out."""
        return find_quantile(_list_seconds(self.questions), share)

    @property
    def models(self) -> tuple[ModelFigures, ...]:
        """The answers by model, the most used first."""
        groups: dict[str, list[AskedQuestion]] = {}
        for question in self.questions:
            if question.model:
                groups.setdefault(question.model, []).append(question)
        figures = [_count_model(model, held) for model, held in groups.items()]
        return tuple(sorted(figures, key=lambda found: (-found.answers, found.model)))

    @cached_property
    def topics(self) -> Sequence[TopicFigures]:
        """Return the topics of the questions whose words are shown, the largest first."""
        shown = [question for question in self.questions if not question.is_withheld]
        return [_count_topic(topic, shown) for topic in cluster_questions([each.question for each in shown])]

    def choose(self, selection: str = "all", words: str = "", model: str = "", topic: str = "") -> list[AskedQuestion]:
        """Return the questions of a selection that hold all of some words, the newest first.

        >>> now = datetime.now(UTC)
        >>> fields = {"id": "1", "answer_id": "1", "owner": "anna", "asked_at": now, "outcome": "not answered"}
        >>> figures = UsageFigures(since=now, until=now, questions=(AskedQuestion(question="A ferry?", **fields),))
        >>> [asked.question for asked in figures.choose("not answered", words="ferry")]
        ['A ferry?']
        """
        chosen = [question for question in self.questions if _is_selected(question, selection)]
        wanted = words.casefold().split()
        if wanted:
            chosen = [question for question in chosen if _holds(question, wanted)]
        if model:
            chosen = [question for question in chosen if question.model == model]
        if topic:
            members = _list_members(self.topics, self.questions, topic)
            chosen = [question for question in chosen if question.id in members]
        return chosen

    @property
    def month(self) -> tuple[float, float] | None:
        """What models have cost this month, and its end if the rest goes like the part that is over."""
        if self.spend_by_day is None:
            return None
        start = self.until.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        days_over = max((self.until - start).total_seconds() / 86_400, 1 / 24)
        days = calendar.monthrange(self.until.year, self.until.month)[1]
        return self.spend_by_day.cost_usd, self.spend_by_day.cost_usd * days / days_over


_ENDED: Final[frozenset[Outcome]] = frozenset({"answered", "partly", "not answered", "failed"})


async def read_usage(roma: Roma, who: Principal, *, days: int = 30, now: datetime | None = None) -> UsageFigures:
    """Return the use of a tenant in the last days, with words only where ``who`` may read what they are about.

    Raises ``AccessError`` without the permission ``insights.read``, and ``StoreError``.

    >>> figures = await read_usage(roma, roma.user, days=7)  # doctest: +SKIP
    """
    if not who.may("insights.read"):
        raise AccessError("The use of all users needs the permission insights.read.", ErrorCode.ACCESS_FORBIDDEN)
    until = now or datetime.now(UTC)
    since = until - timedelta(days=days)
    answers = await roma.answers.figures(who, since, MOST_ANSWERS + 1)
    ratings = await roma.sessions.all_feedback(who.tenant, limit=MOST_RATINGS)
    withheld = await _find_withheld(roma, who, answers)
    questions = await asyncio.to_thread(join_ratings, answers[:MOST_ANSWERS], ratings, withheld)
    spend = await _read_spend(roma, who)
    return UsageFigures(
        since=since, until=until, questions=tuple(questions), is_cut=len(answers) > MOST_ANSWERS, **spend
    )


async def _read_spend(roma: Roma, who: Principal) -> dict[str, SpendReport | None]:
    if not who.may("spend.read"):
        return {}
    found = {}
    for name in ("day", "model", "purpose"):
        report: Any = await roma.spend("month", by=name, tenant=who.tenant)
        found[f"spend_by_{name}"] = report if isinstance(report, SpendReport) else None
    return found


async def _find_withheld(roma: Roma, who: Principal, answers: Sequence[AnswerFigures]) -> frozenset[str]:
    """Return the ids of the answers whose words ``who`` may not see: a document of theirs is withheld, or unknown."""
    scope = await roma.grants.find_scope(who)
    if scope.is_everything:
        return frozenset()
    permitted = frozenset(await roma.store.facts(who.tenant, scope))
    pairs = await roma.answers.documents_of_answers(who.tenant)
    return find_withheld(answers, pairs, permitted, who.subject)


def find_withheld(
    answers: Iterable[AnswerFigures], pairs: Iterable[tuple[str, str]], permitted: frozenset[str], own: str
) -> frozenset[str]:
    """Return the ids of the answers whose words are not to be shown to the user ``own``.

    These are the answers made from a document outside of ``permitted``, and those of others of which it is not known
    from which documents they were made.
    """
    known: set[str] = set()
    closed: set[str] = set()
    for answer_id, document_id in pairs:
        known.add(answer_id)
        if document_id not in permitted:
            closed.add(answer_id)
    unclear = {each.id for each in answers if each.owner != own and (each.id not in known or each.is_cut)}
    return frozenset(closed | unclear)


def join_ratings(
    answers: Iterable[AnswerFigures], ratings: Iterable[GivenFeedback], withheld: frozenset[str] = frozenset()
) -> list[AskedQuestion]:
    """Return the questions with people's ratings of their answers; words of withheld ones are left out."""
    by_answer: dict[tuple[str, str], list[GivenFeedback]] = {}
    for rating in ratings:
        by_answer.setdefault((rating.owner, rating.answer_id), []).append(rating)
    questions: list[AskedQuestion] = []
    for answer in answers:
        given = by_answer.get((answer.owner, answer.answer_id), []) if answer.answer_id else []
        is_withheld = answer.id in withheld
        questions.append(
            AskedQuestion(
                id=answer.id,
                answer_id=answer.answer_id,
                owner=answer.owner,
                question=WITHHELD if is_withheld else answer.question,
                asked_at=answer.created_at,
                outcome=read_outcome(answer),
                code=answer.code,
                model=answer.model,
                seconds=answer.seconds,
                cost_usd=answer.cost_usd,
                is_reused=answer.is_reused,
                verdicts=dict(answer.verdicts),
                up=sum(rating.rating == "up" for rating in given),
                down=sum(rating.rating == "down" for rating in given),
                comments=() if is_withheld else tuple(rating.comment for rating in given if rating.comment),
                is_withheld=is_withheld,
            )
        )
    return questions


def read_outcome(answer: AnswerFigures) -> Outcome:
    """Return what became of a question, in a person's words."""
    if answer.state == "complete":
        return _OUTCOME_OF.get(answer.answered, "not answered")
    return answer.state


def _list_seconds(questions: Iterable[AskedQuestion]) -> list[float]:
    return sorted(
        each.seconds
        for each in questions
        if each.seconds is not None and not each.is_reused and each.outcome in {"answered", "partly", "not answered"}
    )


def _count_model(model: str, held: Sequence[AskedQuestion]) -> ModelFigures:
    costs = [question.cost_usd for question in held]
    known = [cost for cost in costs if cost is not None]
    return ModelFigures(
        model=model,
        answers=len(held),
        unanswered=sum(question.outcome == "not answered" for question in held),
        median_s=find_quantile(_list_seconds(held), 0.5),
        cost_usd=sum(known) if len(known) == len(costs) else None,
        down=sum(question.down > 0 for question in held),
    )


def _count_topic(topic: Topic, shown: Sequence[AskedQuestion]) -> TopicFigures:
    held = [shown[place] for place in topic.members]
    return TopicFigures(
        topic=topic,
        questions=len(held),
        unanswered=sum(question.outcome == "not answered" for question in held),
        down=sum(question.down > 0 for question in held),
    )


def _is_selected(question: AskedQuestion, selection: str) -> bool:
    if selection == "rated down":
        return question.down > 0
    if selection == "rated up":
        return question.up > 0
    return selection == "all" or question.outcome == selection


def _holds(question: AskedQuestion, wanted: Sequence[str]) -> bool:
    text = question.question.casefold()
    return not question.is_withheld and all(word in text for word in wanted)


def _list_members(topics: Iterable[TopicFigures], questions: Iterable[AskedQuestion], name: str) -> frozenset[str]:
    shown = [question for question in questions if not question.is_withheld]
    members = [shown[place].id for found in topics if found.topic.name == name for place in found.topic.members]
    return frozenset(members)
