"""Use of a workspace: what is counted, and whose words are shown to whom."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from roma_core.answers import AnswerFigures
from roma_core.app import build_roma
from roma_core.errors import AccessError
from roma_core.identity.grants import Grantee, Resource
from roma_core.insights.usage import WITHHELD, UsageFigures, find_withheld, join_ratings, read_outcome, read_usage
from roma_core.sessions.service import GivenFeedback
from roma_core.settings import Settings
from roma_core.types import Principal

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
ANALYST = Principal(subject="ada", roles=("analyst",))


def make_answer(number: int, question: str = "When does the ferry go?", **fields: object) -> AnswerFigures:
    given: dict[str, object] = {
        "id": f"r{number}",
        "owner": "anna",
        "session_id": "s",
        "answer_id": f"a{number}",
        "state": "complete",
        "question": question,
        "created_at": NOW - timedelta(hours=number),
        "seconds": float(number),
        "model": "fake:m",
        "answered": "known",
        **fields,
    }
    return AnswerFigures(**given)  # type: ignore[arg-type]


def make_usage(*answers: AnswerFigures, ratings: tuple[GivenFeedback, ...] = ()) -> UsageFigures:
    return UsageFigures(since=NOW - timedelta(days=3), until=NOW, questions=tuple(join_ratings(answers, ratings)))


@pytest.mark.parametrize(
    ("state", "answered", "expected"),
    [
        ("complete", "known", "answered"),
        ("complete", "partly", "partly"),
        ("complete", "unknown", "not answered"),
        ("failed", "", "failed"),
        ("stopped", "", "stopped"),
        ("interrupted", "", "interrupted"),
        ("running", "", "running"),
    ],
)
def test_what_became_of_a_question_is_said_in_words(state: str, answered: str, expected: str) -> None:
    assert read_outcome(make_answer(1, state=state, answered=answered)) == expected


def test_days_without_a_question_are_days_too() -> None:
    usage = make_usage(make_answer(1), make_answer(50, answered="unknown"))
    days = usage.outcomes_by_day
    assert list(days) == [date(2026, 11, 26), date(2026, 11, 27), date(2026, 11, 28)]
    assert days[date(2026, 11, 26)] == {"not answered": 1}
    assert not days[date(2026, 11, 27)]


def test_the_share_of_answered_questions_counts_those_that_came_to_an_end() -> None:
    usage = make_usage(
        make_answer(1), make_answer(2, answered="partly"), make_answer(3, answered="unknown"),
        make_answer(4, state="failed", answered="", code="ERR_TIMEOUT"), make_answer(5, state="running", answered=""),
    )  # fmt: skip
    assert usage.answered_share == 0.5
    assert make_usage().answered_share is None


def test_times_leave_out_what_came_from_the_cache_or_failed() -> None:
    usage = make_usage(
        *(make_answer(number) for number in range(1, 20)),
        make_answer(99, is_reused=True),
        make_answer(98, state="failed"),
    )
    assert (usage.quantile(0.5), usage.quantile(0.95)) == (10.0, 19.0)


def test_a_model_with_one_unknown_price_has_an_unknown_cost() -> None:
    usage = make_usage(
        make_answer(1, cost_usd=0.5), make_answer(2, cost_usd=0.25), make_answer(3, model="other:x", cost_usd=None)
    )
    assert [(found.model, found.answers, found.cost_usd) for found in usage.models] == [
        ("fake:m", 2, 0.75),
        ("other:x", 1, None),
    ]


def test_ratings_belong_to_the_answer_of_the_user_who_gave_them() -> None:
    down = GivenFeedback(answer_id="a1", rating="down", comment="no year", owner="anna")
    other = GivenFeedback(answer_id="a1", rating="up", owner="ben")
    (question,) = make_usage(make_answer(1), ratings=(down, other)).questions
    assert (question.up, question.down, question.comments) == (0, 1, ("no year",))


def test_questions_are_chosen_by_outcome_words_model_and_topic() -> None:
    down = GivenFeedback(answer_id="a1", rating="down", owner="anna")
    usage = make_usage(
        make_answer(1, "What does the ferry cost?"),
        make_answer(2, "ferry cost", answered="unknown"),
        make_answer(3, "Who painted the lighthouse?", model="other:x", state="failed"),
        ratings=(down,),
    )
    chosen = {
        "rated down": usage.choose("rated down"),
        "not answered": usage.choose("not answered"),
        "failed": usage.choose("failed"),
        "words": usage.choose(words="COST ferry"),
        "model": usage.choose(model="other:x"),
        "topic": usage.choose(topic=usage.topics[0].topic.name),
    }
    assert {name: [question.id for question in found] for name, found in chosen.items()} == {
        "rated down": ["r1"],
        "not answered": ["r2"],
        "failed": ["r3"],
        "words": ["r1", "r2"],
        "model": ["r3"],
        "topic": ["r1", "r2"],
    }
    assert (usage.topics[0].questions, usage.topics[0].unanswered, usage.topics[0].down) == (2, 1, 1)


def test_words_made_from_a_withheld_or_an_unknown_document_are_not_shown() -> None:
    answers = [make_answer(1), make_answer(2), make_answer(3), make_answer(4, owner="ada"), make_answer(5, is_cut=True)]
    pairs = [("r1", "open"), ("r2", "open"), ("r2", "secret"), ("r5", "open")]
    assert find_withheld(answers, pairs, frozenset({"open"}), "ada") == {"r2", "r3", "r5"}


def test_a_withheld_question_is_counted_without_its_words() -> None:
    rating = GivenFeedback(answer_id="a1", rating="down", comment="the board's salary is wrong", owner="anna")
    (question,) = join_ratings([make_answer(1, "What does the board earn?")], [rating], frozenset({"r1"}))
    assert (question.question, question.comments, question.down) == (WITHHELD, (), 1)
    usage = UsageFigures(since=NOW, until=NOW, questions=(question, question.model_copy(update={"id": "r2"})))
    assert usage.choose(words="board") == []
    assert usage.topics == []


# --- a real workspace ---


async def test_the_use_of_a_workspace_is_read_from_its_records(settings: Settings) -> None:
    async with build_roma(settings) as roma:
        usage = await read_usage(roma, roma.user)
        assert {question.question for question in usage.questions} == {
            "When was the rope bridge of Quellfeld built?",
            "What does a ferry pay for a landing?",
        }
        assert {question.outcome for question in usage.questions} == {"answered"}
        assert sum(usage.verdicts.values()) >= 2
        assert all(question.seconds is not None and question.seconds >= 0 for question in usage.questions)
        assert [found.model for found in usage.models] == ["extractive"]
        later = await read_usage(roma, roma.user, now=datetime.now(UTC) + timedelta(days=60))
        assert later.questions == ()


async def test_a_reader_sees_no_use(settings: Settings) -> None:
    async with build_roma(settings) as roma:
        with pytest.raises(AccessError, match=r"insights\.read"):
            await read_usage(roma, Principal(subject="rita", roles=("reader",)))


async def test_an_analyst_sees_counts_of_all_and_words_of_permitted_documents(tmp_path: Path) -> None:
    (tmp_path / "board.md").write_text("The salary of the board is 900 EUR.\n")
    (tmp_path / "ferry.md").write_text("The ferry to Quellfeld goes at noon.\n")
    settings = Settings(workspace=tmp_path / "ws", embedder="fake", reranker="none", parser_workers=1)
    async with build_roma(settings) as roma:
        await roma.ingest(tmp_path / "board.md", collection="board")
        await roma.ingest(tmp_path / "ferry.md")
        await roma.query("What is the salary of the board?", filters={"collection": "board"})
        await roma.query("When does the ferry to Quellfeld go?", filters={"collection": "main"})
        before = await read_usage(roma, ANALYST)
        assert not any(question.is_withheld for question in before.questions)
        roma.grants.grant("default", Resource("collection", "board"), Grantee("user", "bo"), by="local")
        usage = await read_usage(roma, ANALYST)
        assert len(usage.questions) == 2
        words = " ".join(question.question for question in usage.questions)
        assert "ferry" in words
        assert "salary" not in words and "board" not in words
        assert (await read_usage(roma, roma.user)).questions == before.questions
