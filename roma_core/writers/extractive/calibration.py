"""The meaning of a ranker's scores: thresholds measured for one model, worthless for any other.

Shipped thresholds are the default. ``roma calibrate abstention`` finds others on labelled questions, which promise a
risk: a ``RiskContract``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class ScoreThresholds:
    """Thresholds for the scores of one ranker."""

    refuse_below: float
    """Best passage score under which the passages are about something else."""
    answer_from: float
    """Least evidence for an answer; evidence is the best passage's score, plus the best sentence's, less ``missing``
    for each name in the question that nothing quoted is about, plus ``coverage``."""
    confident_from: float
    """Evidence from which the answer is not called uncertain."""
    missing: float
    gap: float
    """How far below the best sentence another one may score and still be quoted."""
    passage_gap: float
    """How far below the best passage another one may score and still be read."""
    near_from: float = -math.inf
    """Score of the best passage below which none is near the question, so that all may be read whatever their gap."""
    coverage: float = 0.0
    """Evidence for an answer that has all the words of the question; a part of it for a part of them."""
    stands_out: float = 0.0
    """Evidence for each logit by which a sentence of a terse note scores above its passage, which is about many things;
    0 where the scale of the ranker is not known."""
    evidence_range: tuple[float, float] | None = None
    """The evidence between which a threshold is looked for; None where the scale of the ranker is not known."""


THRESHOLDS: dict[str, ScoreThresholds] = {
    # Logits of ms-marco-MiniLM-L-12-v2 (int8); docs/12_EXTRACTIVE.md.
    "ms-marco-MiniLM-L-12": ScoreThresholds(
        refuse_below=-6.0,
        answer_from=4.5,
        confident_from=10.0,
        missing=4.0,
        gap=3.0,
        passage_gap=4.0,
        near_from=0.0,
        coverage=6.0,
        stands_out=2.0,
        evidence_range=(0.0, 24.0),
    ),
    # Share of the question's content words found: nothing found is nothing known.
    "overlap": ScoreThresholds(
        refuse_below=0.01,
        answer_from=0.0,
        confident_from=1.2,
        missing=0.0,
        gap=0.2,
        passage_gap=1.0,
        evidence_range=(0.0, 2.0),
    ),
}


@dataclass(frozen=True)
class AgreementWeights:
    """Weights of the evidence that two models give together: the ranker, and an embedder that finds the same unit.

    The evidence is the ranker's score of the unit, plus ``margin`` for each 1.0 by which its cosine with the question
    is above that of the next unit, plus ``words`` for all of the question's words in it, less ``offset``.
    """

    margin: float
    words: float
    offset: float


AGREEMENTS: Final[dict[str, AgreementWeights]] = {
    # Cosines of bge-small-en-v1.5 beside logits of ms-marco-MiniLM-L-12-v2; docs/12_EXTRACTIVE.md.
    "bge-small-en-v1.5-int8": AgreementWeights(margin=160.0, words=24.0, offset=9.5),
}
UNCALIBRATED = ScoreThresholds(-math.inf, -math.inf, -math.inf, 0.0, 0.0, math.inf)
"""For a ranker that was never measured: the best sentence whatever its score, and no refusal."""


SHIPPED: Final = "shipped with ROMA"
POOLED: Final = ""
"""Name of the threshold for the kinds of questions that have none of their own."""


@dataclass(frozen=True)
class KindThreshold:
    """The least evidence for an answer to one kind of question, and a remark where it breaks the promise."""

    answer_from: float
    remark: str = ""
    origin: str = SHIPPED
    """Origin of the threshold."""


@dataclass(frozen=True)
class RiskContract:
    """Thresholds by kind of question that keep a share of wrong answers, found on labelled questions.

    ``identity`` is the hash of the labels and the risk: answers are cached by it.
    """

    risk: float
    thresholds: Mapping[str, KindThreshold] = field(hash=False)
    identity: str = ""

    def find_threshold(self, kind: str) -> KindThreshold:
        """Return the threshold of a kind of question, or the pooled one."""
        return self.thresholds.get(kind, self.thresholds[POOLED])


def thresholds_of(ranker_name: str) -> ScoreThresholds | None:
    """Return the thresholds whose model is named in ``ranker_name``; None for models that were never measured.

    >>> thresholds_of("Xenova/ms-marco-MiniLM-L-12-v2").refuse_below
    -6.0
    """
    wanted = _letters(ranker_name)
    for model, thresholds in THRESHOLDS.items():
        if _letters(model) in wanted:
            return thresholds
    return None


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold().replace("l-12", "l12"))
