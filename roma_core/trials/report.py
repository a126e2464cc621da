"""Report of a trial: what came of the conversations of each variant, and the decision. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Literal

from roma_core.evals.stats.sequential import Arm, ArmComparison, Observation, compare_arms, rank_outcomes
from roma_core.sessions.service import GivenFeedback
from roma_core.trials.table import ARMS, Trial, TrialOutcome, name_conversation
from roma_core.types import Noun

Verdict = Literal["a is better", "b is better", "no difference that matters", "undecided"]


class ArmSummary(Noun):
    """What came of the conversations of one variant. Medians are None where nothing is known."""

    arm: Arm
    changes: dict[str, str]
    conversations: int
    answers: int
    failed: int
    thumbs_up: int
    thumbs_down: int
    proof: float | None
    median_seconds: float | None
    mean_cost_usd: float | None


class TrialReport(Noun):
    """A trial with its decision. ``verdict`` is about the primary measure alone; the others are for information."""

    trial: Trial
    arms: tuple[ArmSummary, ArmSummary]
    thumbs: ArmComparison
    proof: ArmComparison
    seconds_p_value: float
    cost_p_value: float
    verdict: Verdict
    sentence: str

    @property
    def primary(self) -> ArmComparison:
        """Return the comparison that decides."""
        return self.thumbs if self.trial.primary == "thumbs" else self.proof


def make_report(
    trial: Trial, outcomes: Sequence[TrialOutcome], sizes: Mapping[Arm, int], feedback: Iterable[GivenFeedback]
) -> TrialReport:
    """Return what a trial says now. It may be asked for after every answer: the decision stays valid."""
    first: dict[str, TrialOutcome] = {}
    for outcome in outcomes:
        if outcome.state == "complete":
            first.setdefault(outcome.conversation, outcome)
    thumbs = _observe_thumbs(trial, outcomes, feedback)
    proof = [Observation(one.arm, one.proof) for one in first.values() if one.proof is not None]
    seconds = [Observation(one.arm, one.seconds) for one in first.values() if one.seconds is not None]
    costs = [Observation(one.arm, one.cost_usd) for one in first.values() if one.cost_usd is not None]
    by_thumbs, by_proof = compare_arms(thumbs), compare_arms(proof)
    primary = by_thumbs if trial.primary == "thumbs" else by_proof
    verdict = _decide(primary, trial.margin)
    arms = tuple(
        ArmSummary(
            arm=arm,
            changes=trial.changes(arm),
            conversations=sizes.get(arm, 0),
            answers=sum(one.arm == arm for one in outcomes),
            failed=sum(one.arm == arm and one.state == "failed" for one in outcomes),
            thumbs_up=sum(one.arm == arm and one.value == 1 for one in thumbs),
            thumbs_down=sum(one.arm == arm and one.value == 0 for one in thumbs),
            proof=_mean(one.value for one in proof if one.arm == arm),
            median_seconds=_median(one.value for one in seconds if one.arm == arm),
            mean_cost_usd=_mean(one.value for one in costs if one.arm == arm),
        )
        for arm in ARMS
    )
    return TrialReport(
        trial=trial,
        arms=(arms[0], arms[1]),
        thumbs=by_thumbs,
        proof=by_proof,
        seconds_p_value=compare_arms(rank_outcomes(seconds)).p_value,
        cost_p_value=compare_arms(rank_outcomes(costs)).p_value,
        verdict=verdict,
        sentence=_describe(trial, primary, verdict),
    )


def _observe_thumbs(
    trial: Trial, outcomes: Sequence[TrialOutcome], feedback: Iterable[GivenFeedback]
) -> list[Observation]:
    """Return the first thumb of each conversation in the trial, in the order in which they were given."""
    answers = {(one.conversation, one.answer_id): one.arm for one in outcomes if one.answer_id}
    given = sorted(feedback, key=lambda one: (one.created_at or trial.started_at, one.session_id, one.answer_id))
    thumbs: dict[str, Observation] = {}
    for opinion in given:
        conversation = name_conversation(opinion.owner, opinion.session_id)
        arm = answers.get((conversation, opinion.answer_id))
        if arm is not None:
            thumbs.setdefault(conversation, Observation(arm, float(opinion.rating == "up")))
    return list(thumbs.values())


def _decide(primary: ArmComparison, margin: float) -> Verdict:
    if primary.decided_after is not None:
        return "b is better" if primary.difference > 0 else "a is better"
    if -margin < primary.low and primary.high < margin:
        return "no difference that matters"
    return "undecided"


def _describe(trial: Trial, primary: ArmComparison, verdict: Verdict) -> str:
    noun = {"thumbs": "thumbs that are up", "proof": "statements that are proven"}[trial.primary]
    counted = f"{primary.n_a} and {primary.n_b} conversations"
    if not primary.n_a or not primary.n_b:
        return f"Undecided: no {noun} to compare yet ({counted} of a and b have some)."
    shares = f"share of {noun}: {primary.mean_a:.0%} of a, {primary.mean_b:.0%} of b"
    bounds = f"{primary.confidence:.0%} interval {primary.low:+.1%} to {primary.high:+.1%}"
    interval = f"difference {primary.difference:+.1%}, {bounds}"
    advice = {
        "a is better": "Stop the trial and keep a.",
        "b is better": "Stop the trial and make b's settings yours.",
        "no difference that matters": f"It is below {trial.margin:.0%}; stop the trial and keep the cheaper one.",
        "undecided": "Let it run; you may look as often as you like.",
    }[verdict]
    return f"{verdict.capitalize()}: {shares} ({interval}; {counted}). {advice}"


def _mean(values: Iterable[float]) -> float | None:
    known = list(values)
    return sum(known) / len(known) if known else None


def _median(values: Iterable[float]) -> float | None:
    known = list(values)
    return median(known) if known else None
