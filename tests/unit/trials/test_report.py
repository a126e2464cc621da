"""The report of a trial: each conversation counts once, and the decision names what to do."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from roma_core.evals.stats.sequential import Arm
from roma_core.sessions.service import GivenFeedback
from roma_core.trials import Trial, TrialOutcome, make_report, name_conversation

START = datetime(2026, 11, 1, tzinfo=UTC)
TRIAL = Trial(
    name="lazy", tenant="default", a={}, b={"rerank_weight": "0"}, salt="s", started_at=START, started_by="local"
)
BY_PROOF = TRIAL.model_copy(update={"primary": "proof"})


def outcome(session: str, answer: str = "1", owner: str = "anna", **fields: object) -> TrialOutcome:
    name = name_conversation(owner, session)
    base = TrialOutcome(name, TRIAL.assign(name), answer, "complete", 1.0, 0.01, 1.0)
    return base._replace(**fields)


def thumb(session: str, rating: str, minute: int, answer: str = "1", owner: str = "anna") -> GivenFeedback:
    moment = START + timedelta(minutes=minute)
    return GivenFeedback.model_validate(
        {"answer_id": answer, "rating": rating, "session_id": session, "owner": owner, "created_at": moment}
    )


def test_a_conversation_counts_once_by_its_first_thumb_and_its_first_answer() -> None:
    outcomes = [outcome("s", "1", proof=0.0), outcome("s", "2", proof=1.0)]
    given = [thumb("s", "up", 5, "2"), thumb("s", "down", 3, "1"), thumb("elsewhere", "up", 1)]
    report = make_report(TRIAL, outcomes, {}, given)
    assert report.thumbs.n_a + report.thumbs.n_b == report.proof.n_a + report.proof.n_b == 1
    arm = next(one for one in report.arms if one.arm == outcomes[0].arm)
    assert (arm.thumbs_up, arm.thumbs_down, arm.proof, arm.answers) == (0, 1, 0.0, 2)


def test_conversations_of_two_people_with_one_name_are_two() -> None:
    report = make_report(TRIAL, [outcome("s"), outcome("s", owner="ben")], {}, [thumb("s", "up", 1, owner="ben")])
    assert report.proof.n_a + report.proof.n_b == 2 and report.thumbs.n_a + report.thumbs.n_b == 1


def test_a_failed_answer_is_counted_and_the_next_one_speaks() -> None:
    report = make_report(TRIAL, [outcome("s", "", state="failed", proof=None), outcome("s", "2", proof=0.5)], {}, [])
    assert sum(arm.failed for arm in report.arms) == 1 and report.proof.n_a + report.proof.n_b == 1


def simulate(rate: dict[Arm, float], n: int) -> tuple[list[TrialOutcome], list[GivenFeedback]]:
    drawn = random.Random(1)
    outcomes = [outcome(str(number)) for number in range(n)]
    ratings = ["up" if drawn.random() < rate[one.arm] else "down" for one in outcomes]
    return outcomes, [thumb(str(number), rating, number) for number, rating in enumerate(ratings)]


def test_the_better_variant_is_named_with_what_to_do() -> None:
    report = make_report(TRIAL, *_with_sizes(simulate({"a": 0.4, "b": 0.8}, 400)))
    assert report.verdict == "b is better" and "make b's settings yours" in report.sentence
    worse = make_report(TRIAL, *_with_sizes(simulate({"a": 0.8, "b": 0.4}, 400)))
    assert worse.verdict == "a is better" and "keep a" in worse.sentence


def test_without_enough_it_is_undecided_and_without_anything_it_says_so() -> None:
    few = make_report(TRIAL, *_with_sizes(simulate({"a": 0.5, "b": 0.6}, 30)))
    assert few.verdict == "undecided" and "as often as you like" in few.sentence
    nothing = make_report(TRIAL, [], {}, [])
    assert nothing.verdict == "undecided" and "no thumbs that are up to compare yet" in nothing.sentence


def test_variants_that_do_the_same_come_to_an_end_too() -> None:
    outcomes = [outcome(str(number), proof=0.8) for number in range(3000)]
    report = make_report(BY_PROOF, outcomes, {}, [])
    assert report.verdict == "no difference that matters" and report.primary is report.proof


def test_seconds_and_costs_are_compared_and_do_not_decide() -> None:
    outcomes = [outcome(str(number)) for number in range(300)]
    slow = [one._replace(seconds=9.0 if one.arm == "b" else 1.0, cost_usd=None) for one in outcomes]
    report = make_report(TRIAL, slow, {}, [])
    assert report.seconds_p_value < 0.001 and report.cost_p_value == 1.0 and report.verdict == "undecided"


def _with_sizes(
    made: tuple[list[TrialOutcome], list[GivenFeedback]],
) -> tuple[list[TrialOutcome], dict[Arm, int], list[GivenFeedback]]:
    return made[0], {"a": 0, "b": 0}, made[1]
