"""The card of abstention: labelled answers of one ranker, and from which evidence on a question is answered.

The labels are kept, so that the thresholds of another risk are found without asking again. Kinds of questions with too
few labels use the pooled threshold, whose promise holds for the mixture of all kinds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from pydantic import Field, ValidationError

from roma_core import display
from roma_core.errors import EvalError
from roma_core.evals.golden.dataset import GoldenCase
from roma_core.evals.measures.nuggets import missed_facts
from roma_core.evals.stats.risk import DELTA, LabelledAnswer, RiskControl, control_risk, make_grid
from roma_core.types import Noun, digest
from roma_core.workspace import private_folder, replace_file
from roma_core.writers.extractive import QuotedAnswer
from roma_core.writers.extractive.calibration import POOLED, KindThreshold, RiskContract

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")

LEAST_LABELLED: Final = 100
"""Labelled questions from which a kind has a threshold of its own: without an error fewer cannot promise 5 %."""
PLACED_ON: Final = 5
"""One answer in so many places the grid where the scale of the ranker is not known; it is then left out of the test."""
COLUMNS: Final = ("kind", "questions", "threshold", "answered", "wrong", "bound", "result")


class AbstentionCard(Noun):
    """Worth of a ranker's evidence on a labelled set."""

    ranker: str
    scorer: str
    """Identity of the evidence: the writer's version and its ranker."""
    dataset: str
    dataset_sha256: str
    created_at: datetime
    risk: float
    """The risk that was asked for when the card was made."""
    delta: float = DELTA
    evidence_range: tuple[float, float]
    """The evidence between which thresholds are looked for."""
    placed_on: int = 0
    """Answers that placed this range and are not among ``answers``; 0 where it was known before."""
    unlabelled: int = 0
    """Questions without facts by which an answer is right or wrong."""
    failed: int = 0
    """Questions that could not be asked."""
    answers: tuple[LabelledAnswer, ...] = Field(repr=False)

    @property
    def counts(self) -> dict[str, int]:
        """Labelled questions by kind, the most frequent kind first."""
        counts = Counter(answer.kind for answer in self.answers)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def control(self, risk: float | None = None) -> dict[str, RiskControl]:
        """Return the threshold for a risk (default: the card's own), pooled and of each kind with enough labels."""
        risk = self.risk if risk is None else risk
        grid = make_grid(*self.evidence_range)
        controls = {POOLED: control_risk(self.answers, grid, risk, delta=self.delta)}
        for kind, count in self.counts.items():
            if count >= LEAST_LABELLED:
                own = [answer for answer in self.answers if answer.kind == kind]
                controls[kind] = control_risk(own, grid, risk, delta=self.delta)
        return controls

    def make_contract(self, risk: float, shipped: float) -> RiskContract:
        """Return the thresholds that the writer uses; ``shipped`` stands in where nothing can be promised."""
        thresholds = {kind: self._make_threshold(control, shipped) for kind, control in self.control(risk).items()}
        return RiskContract(risk, thresholds, digest("contract", self.model_dump_json(), str(risk)))

    def _make_threshold(self, control: RiskControl, shipped: float) -> KindThreshold:
        origin = f"calibrated on {self.dataset}"
        asked = f"{control.risk * 100:.3g} %"
        if control.threshold is not None:
            return KindThreshold(control.threshold, origin=origin)
        if control.reachable >= 1:
            return KindThreshold(shipped, f"too few labelled questions to promise {asked} wrong answers at most")
        kept = f"{control.reachable * 100:.3g} %"
        return KindThreshold(control.reachable_from, f"up to {kept} of such answers are wrong, not {asked}", origin)

    def rows(self, risk: float | None = None) -> list[tuple[str, str, str, str, str, str, str]]:
        """Return a row for all questions and for each kind, see ``COLUMNS``."""
        controls = self.control(risk)
        rows = [_describe("all", controls[POOLED], len(self.answers))]
        for kind, count in self.counts.items():
            if kind in controls:
                rows.append(_describe(kind, controls[kind], count))
            else:
                rows.append((kind, str(count), "–", "–", "–", "–", f"pooled: fewer than {LEAST_LABELLED} labelled"))
        return rows

    def to_frame(self, risk: float | None = None) -> pd.DataFrame:
        """Return the curve: coverage against risk at each threshold, over all kinds and for each with enough labels."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "kind": kind or "all",
                    "threshold": point.threshold,
                    "coverage": point.coverage,
                    "risk": point.risk,
                    "bound": point.bound(self.delta),
                    "answered": point.answered,
                    "wrong": point.wrong,
                }
                for kind, control in self.control(risk).items()
                for point in control.curve
            ]
        )

    def _repr_html_(self) -> str:
        title = f"Evidence by {self.ranker} on {self.dataset}: at most {self.risk * 100:.3g} % wrong answers"
        curve = [
            (point.threshold, point.coverage, point.risk, point.bound(self.delta))
            for point in thin(self.control()[POOLED].curve)
        ]
        return display.box(
            display.heading(title),
            display.table([column.capitalize() for column in COLUMNS], self.rows()),
            display.heading("Coverage against risk"),
            display.table(("Threshold", "Coverage", "Risk", "Bound"), curve),
        )


def thin(curve: Sequence[T], most: int = 13) -> list[T]:
    """Return at most ``most`` points of a curve, evenly spread, with its ends.

    >>> thin(range(100), most=3)
    [0, 50, 99]
    """
    if len(curve) <= most:
        return list(curve)
    return [curve[round(i * (len(curve) - 1) / (most - 1))] for i in range(most)]


def label_answer(case: GoldenCase, answer: QuotedAnswer) -> LabelledAnswer | None:
    """Return whether an answer is wrong; None for a case without facts to tell it by.

    Wrong is any answer to a question that the documents do not answer, and one that states less than half of the
    facts of one that they do.
    """
    if case.kind != "no_answer" and not case.nuggets:
        return None
    text = "".join(answer.pieces)
    is_answer = not answer.is_refusal
    if case.kind == "no_answer":
        is_wrong = is_answer
    else:
        is_wrong = is_answer and 2 * len(missed_facts(case, text)) > len(case.nuggets)
    return LabelledAnswer(kind=answer.kind, evidence=answer.evidence, is_answer=is_answer, is_wrong=is_wrong)


def place_range(
    labelled: Mapping[str, LabelledAnswer], known: tuple[float, float] | None
) -> tuple[tuple[float, float], list[LabelledAnswer], int]:
    """Return the range of thresholds, the answers to test on, and how many placed the range.

    ``labelled`` is by the id of the case. Where the range is not known, one answer in ``PLACED_ON`` (by the hash of its
    id) shows it: a grid that the tested answers had placed would break the promise. Raises ``EvalError``.
    """
    if not labelled:
        raise EvalError("No question of the set has facts by which an answer is right or wrong, nor is unanswerable.")
    if known is not None:
        return known, list(labelled.values()), 0
    placing = sorted(labelled, key=lambda name: digest("place", name))[: max(1, len(labelled) // PLACED_ON)]
    scores = [score for name in placing if (score := labelled[name].evidence) is not None]
    if not scores:
        raise EvalError("The ranker's evidence decides none of these questions: there is no threshold to look for.")
    return (min(scores), max(scores)), [labelled[name] for name in labelled if name not in placing], len(placing)


def write_card(card: AbstentionCard, folder: Path) -> Path:
    """Keep the card of a ranker and return its file."""
    private_folder(folder)
    path = folder / _file_name(card.ranker)
    replace_file(path, card.model_dump_json(indent=1) + "\n")
    return path


def read_card(ranker: str, folder: Path) -> AbstentionCard | None:
    """Return the card of a ranker; None when it was never calibrated. Raises ``EvalError`` for one that is unreadable.

    An unreadable card is no missing card: with it the promise that was asked for would be gone without a word.
    """
    path = folder / _file_name(ranker)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EvalError(f"The card of abstention {path.name} cannot be read: {error.strerror}.") from None
    try:
        return AbstentionCard.model_validate_json(data)
    except ValidationError:
        raise EvalError(
            f"The card of abstention {path} is not of this version of ROMA: "
            "make it again by `roma calibrate abstention SET`, or delete it."
        ) from None


def _describe(kind: str, control: RiskControl, count: int) -> tuple[str, str, str, str, str, str, str]:
    point = control.point
    return (
        kind,
        str(count),
        f"{point.threshold:g}",
        f"{point.coverage:.2f}",
        f"{point.risk:.3f}",
        f"{point.bound(control.delta):.3f}",
        "kept" if control.threshold is not None else control.words,
    )


def _file_name(ranker: str) -> str:
    return f"{digest('ranker', ranker)[:16]}.json"
