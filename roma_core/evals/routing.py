"""The card of the router: questions that both models answered, and up to which difficulty the cheap one is no worse.

Thresholds are tried from the one that sends the fewest questions to the cheap model on, and the walk ends where the
answers of the routed system could be worse than the strong model's by the margin (fixed-sequence testing: Westfall and
Krishen, J. Stat. Plan. Inference 99, 2001). So the threshold keeps its promise though many were tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import Field, ValidationError

from roma_core.errors import EvalError
from roma_core.evals.stats.inference import compare_pairs
from roma_core.settings.routing import RoutingSettings
from roma_core.telemetry import logs
from roma_core.types import Noun, digest
from roma_core.workspace import private_folder, replace_file
from roma_core.writers.routing import VERSION, RouterRule

if TYPE_CHECKING:
    import pandas as pd

MARGIN: Final = 0.02
"""Share of an answer's facts by which the routed system may be worse than the strong model."""
ALPHA: Final = 0.1
"""Two-sided level of the intervals: one side keeps 5 %."""
GRID: Final = tuple(round(step / 20, 2) for step in range(1, 21))
"""Thresholds that are tried, from few easy questions to all."""
COLUMNS: Final = ("threshold", "to the cheap model", "difference", "at least", "cost", "result")


class RoutedCase(Noun):
    """A question with the worth of both models' answers, in 0..1, and their costs."""

    case_id: str
    group: str
    """The document that it is about, for the statistics."""
    difficulty: float
    cheap: float
    strong: float
    cheap_usd: float | None = 0.0
    strong_usd: float | None = 0.0


class RouterPoint(Noun):
    """A threshold: the share of questions that go to the cheap model, and what that changes."""

    threshold: float
    share: float
    difference: float
    """Mean worth of the routed answers less that of the strong model's."""
    low: float
    """Lower end of the interval of the difference."""
    cost_share: float | None
    """Cost of the routed answers over that of the strong model's; None when a price is not known."""

    def is_no_worse(self, margin: float) -> bool:
        """Return whether the difference is above the margin, its uncertainty counted."""
        return self.low > -margin


class RouterCard(Noun):
    """Worth of two models on one labelled set, question by question."""

    cheap: str
    strong: str
    features: str = VERSION
    """Version of the difficulty."""
    dataset: str
    dataset_sha256: str
    created_at: datetime
    margin: float = MARGIN
    unlabelled: int = 0
    failed: int = 0
    cases: tuple[RoutedCase, ...] = Field(repr=False)

    @property
    def curve(self) -> tuple[RouterPoint, ...]:
        """The thresholds, from the one that sends the fewest questions to the cheap model on."""
        return tuple(self._measure(threshold) for threshold in GRID)

    @property
    def point(self) -> RouterPoint | None:
        """The last threshold of the walk that is no worse; None where the first one could be."""
        passed: RouterPoint | None = None
        for point in self.curve:
            if not point.is_no_worse(self.margin):
                break
            passed = point
        return passed

    @property
    def words(self) -> str:
        """The result in a sentence."""
        point = self.point
        if point is None or point.share == 0:
            return (
                f"no threshold keeps the margin of {self.margin:.0%}: "
                f"{len(self.cases)} questions are too few, or {self.cheap} is worse"
            )
        cost = "" if point.cost_share is None else f", at {point.cost_share:.0%} of its cost"
        return (
            f"up to a difficulty of {point.threshold:g} {self.cheap} writes ({point.share:.0%} of the questions): "
            f"{point.difference:+.3f} (at least {point.low:+.3f}) against {self.strong} alone{cost}"
        )

    def rows(self) -> list[tuple[str, str, str, str, str, str]]:
        """Return a row for each threshold, see ``COLUMNS``."""
        chosen = self.point
        rows = []
        for point in self.curve:
            is_chosen = chosen is not None and point.threshold == chosen.threshold
            verdict = "chosen" if is_chosen else "no worse" if point.is_no_worse(self.margin) else "could be worse"
            cost = "–" if point.cost_share is None else f"{point.cost_share:.0%}"
            numbers = (f"{point.threshold:g}", f"{point.share:.0%}", f"{point.difference:+.3f}", f"{point.low:+.3f}")
            rows.append((*numbers, cost, verdict))
        return rows

    def to_frame(self) -> pd.DataFrame:
        """Return the thresholds as a table, one a row."""
        import pandas as pd

        return pd.DataFrame([point.model_dump() for point in self.curve])

    def _measure(self, threshold: float) -> RouterPoint:
        easy = [case.difficulty <= threshold for case in self.cases]
        strong = [case.strong for case in self.cases]
        routed = [case.cheap if is_easy else case.strong for case, is_easy in zip(self.cases, easy, strict=True)]
        found = compare_pairs(strong, routed, [case.group for case in self.cases], ALPHA)
        costs = [case.cheap_usd if is_easy else case.strong_usd for case, is_easy in zip(self.cases, easy, strict=True)]
        return RouterPoint(
            threshold=threshold,
            share=sum(easy) / len(easy),
            difference=found.mean,
            low=found.low if found.low == found.low else -1.0,  # one cluster has no interval, so nothing is promised
            cost_share=_divide(_add(costs), _add([case.strong_usd for case in self.cases])),
        )


def find_rule(settings: RoutingSettings, cheap: str, strong: str, folder: Path) -> RouterRule:
    """Return when the cheap model is asked: by the setting, else by the card of these two models.

    Raises ``EvalError`` for a card that is unreadable.
    """
    if settings.threshold is not None:
        return RouterRule(settings.mode, settings.threshold, "by ROMA_ROUTER_THRESHOLD")
    card = read_card(cheap, strong, folder)
    if card is None:
        return RouterRule(settings.mode, None)
    if card.features != VERSION:
        logs.get("router").warning("router_card_outdated", card=card.features, features=VERSION)
        return RouterRule(settings.mode, None)
    point = card.point
    if point is None or not point.share:
        return RouterRule(settings.mode, None, f"by the calibration on {card.dataset}, {card.words}")
    return RouterRule(settings.mode, point.threshold, f"calibrated on {card.dataset}")


def write_card(card: RouterCard, folder: Path) -> Path:
    """Keep the card of two models and return its file."""
    private_folder(folder)
    path = folder / _file_name(card.cheap, card.strong)
    replace_file(path, card.model_dump_json(indent=1) + "\n")
    return path


def read_card(cheap: str, strong: str, folder: Path) -> RouterCard | None:
    """Return the card of two models; None when they were never calibrated. Raises ``EvalError`` when unreadable."""
    path = folder / _file_name(cheap, strong)
    try:
        return RouterCard.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EvalError(f"The card of the router {path.name} cannot be read: {error.strerror}.") from None
    except ValidationError:
        raise EvalError(
            f"The card of the router {path} is not of this version of ROMA: "
            "make it again by `roma calibrate router SET`, or delete it."
        ) from None


def _file_name(cheap: str, strong: str) -> str:
    return f"{digest('router', cheap, strong)[:16]}.json"


def _add(costs: Sequence[float | None]) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None


def _divide(cost: float | None, whole: float | None) -> float | None:
    return None if cost is None or not whole else cost / whole
