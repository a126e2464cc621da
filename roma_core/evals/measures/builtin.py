"""What is measured, each measure a value that knows its name, its source and what it applies to.

Scores are in 0..1. NaN means *unscored*: the measure applies, but could not be taken (the task failed, the evidence is
not in the corpus); such rows are counted apart and never become 0. None means that it does not apply.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from roma_core.errors import AgentFailure
from roma_core.evals.golden.dataset import GoldenCase, Nugget
from roma_core.evals.golden.evidence import Places
from roma_core.markup import Claim, read_statements, remove_markers
from roma_core.types import Citation, Noun, ScoredChunk, TailorOutput

Score = float | None


class Outcome(Noun):
    """What became of one case: an answer with the proofs of its citations, or a failure.

    ``proofs[i]`` tells whether ``document.text[start:end] == quote`` holds for the i-th citation; None when the cited
    document could not be read.
    """

    output: TailorOutput | None = None
    failure: AgentFailure | None = None
    proofs: tuple[bool | None, ...] = ()
    evidence: tuple[Places, ...] = ()


@dataclass(frozen=True)
class Measure:
    """A named function of a case and its outcome; ``higher`` tells which way is better, ``scale`` its range."""

    name: str
    source: str
    score: Callable[[GoldenCase, Outcome], Score]
    higher: bool = True
    scale: tuple[float, float] = (0.0, 1.0)

    def __repr__(self) -> str:
        return self.name


# --- retrieval -------------------------------------------------------------------------------------------------------


def gains(passages: Sequence[ScoredChunk], evidence: Sequence[Places], grades: Sequence[int]) -> list[int]:
    """Gain of each rank: the grades of the evidence that its passage is the first to overlap.

    A second passage with the same evidence gains nothing, so that overlapping chunks cannot raise a score.
    """
    left = set(range(len(evidence)))
    found = []
    for passage in passages:
        chunk = passage.chunk
        new = {i for i in left if any(p.holds(chunk.document_id, chunk.start, chunk.end) for p in evidence[i])}
        left -= new
        found.append(sum(grades[i] for i in new))
    return found


def subtopic_recall(passages: Sequence[ScoredChunk], evidence: Sequence[Places], k: int) -> float:
    """Share of the evidence that the first ``k`` passages overlap."""
    return sum(gains(passages[:k], evidence, [1] * len(evidence))) / len(evidence)


def ranked(measure: Any, gained: Sequence[int], missed: Sequence[int]) -> float:
    """An ir-measures measure of one ranking, given the gain of each rank and the grades of what was not found."""
    import ir_measures

    qrels = {f"rank{i:04}": g for i, g in enumerate(gained) if g} | {f"missed{i}": g for i, g in enumerate(missed)}
    run = {f"rank{i:04}": float(-i) for i in range(len(gained))} or {"nothing": 0.0}
    return float(next(iter(ir_measures.iter_calc([measure], {"q": qrels}, {"q": run}))).value)


def _retrieval(score: Callable[[GoldenCase, Sequence[ScoredChunk], Sequence[Places]], float]) -> Any:
    def guarded_score(case: GoldenCase, outcome: Outcome) -> Score:
        if not case.evidence:
            return None
        if outcome.output is None or not outcome.evidence or not all(outcome.evidence):
            return math.nan
        return score(case, outcome.output.passages, outcome.evidence)

    return guarded_score


def _by_rank(name: str, k: int) -> Callable[[GoldenCase, Sequence[ScoredChunk], Sequence[Places]], float]:
    def score(case: GoldenCase, passages: Sequence[ScoredChunk], evidence: Sequence[Places]) -> float:
        import ir_measures

        grades = [e.grade for e in case.evidence]
        found = gains(passages, evidence, grades)
        holds = [any(_overlaps(p, at) for p in passages) for at in evidence]
        missed = [g for g, hit in zip(grades, holds, strict=True) if not hit]
        return ranked(getattr(ir_measures, name) @ k, found, missed)

    return score


def _overlaps(passage: ScoredChunk, places: Places) -> bool:
    return any(p.holds(passage.chunk.document_id, passage.chunk.start, passage.chunk.end) for p in places)


def recall_at(k: int) -> Measure:
    return Measure(
        f"R@{k}",
        "subtopic recall, Zhai, Cohen & Lafferty, SIGIR 2003; a subtopic is a piece of evidence",
        _retrieval(lambda case, passages, evidence: subtopic_recall(passages, evidence, k)),
    )


def reciprocal_rank_at(k: int) -> Measure:
    return Measure(f"RR@{k}", "Voorhees, TREC-8 1999, by ir-measures", _retrieval(_by_rank("RR", k)))


def ndcg_at(k: int) -> Measure:
    return Measure(f"nDCG@{k}", "Järvelin & Kekäläinen, TOIS 2002, by ir-measures", _retrieval(_by_rank("nDCG", k)))


# --- answers ---------------------------------------------------------------------------------------------------------

_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")


def normalise(text: str) -> str:
    """Words and numbers in one spelling, with a space around each: NFKC, case folded, thousands without commas."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    tokens = (re.sub(r",(?=\d{3}\b)", "", t) for t in _TOKEN.findall(folded))
    return f" {' '.join(tokens)} "


def states(answer: str, nugget: Nugget) -> bool:
    """Whether the answer holds the fact or one of its aliases, word for word after ``normalise``."""
    said = normalise(answer)
    return any(normalise(spelling) in said for spelling in nugget.spellings)


def missed(case: GoldenCase, answer: str) -> list[str]:
    """The facts of the case that the answer does not state."""
    said = remove_markers(answer)
    return [nugget.fact for nugget in case.nuggets if not states(said, nugget)]


def _nugget_recall(case: GoldenCase, outcome: Outcome) -> Score:
    if not case.nuggets:
        return None
    if outcome.output is None:
        return math.nan
    return 1 - len(missed(case, outcome.output.answer)) / len(case.nuggets)


def _supports(citation: Citation, claim: Claim) -> bool:
    return citation.answer_start < claim.end and claim.start < citation.answer_end


def _citation_coverage(case: GoldenCase, outcome: Outcome) -> Score:
    if outcome.output is None:
        return math.nan
    if not outcome.output.answered:
        return None
    stated = read_statements(outcome.output.answer)
    if not stated:
        return None
    proven = [c for c, proof in zip(outcome.output.citations, outcome.proofs, strict=True) if proof]
    return sum(any(_supports(c, claim) for c in proven) for claim in stated) / len(stated)


def _cited(case: GoldenCase, outcome: Outcome) -> Score:
    if outcome.output is None:
        return math.nan
    return float(any(outcome.proofs)) if outcome.output.answered else None


def _citation_validity(case: GoldenCase, outcome: Outcome) -> Score:
    if outcome.output is None or None in outcome.proofs:
        return math.nan
    if not outcome.proofs:
        return None
    return sum(map(bool, outcome.proofs)) / len(outcome.proofs)


def _false_answer(case: GoldenCase, outcome: Outcome) -> Score:
    if case.kind != "no_answer":
        return None
    return math.nan if outcome.output is None else float(outcome.output.answered)


def _answered(case: GoldenCase, outcome: Outcome) -> Score:
    if case.kind == "no_answer":
        return None
    return math.nan if outcome.output is None else float(outcome.output.answered)


NUGGET_RECALL = Measure("nugget_recall", "Voorhees, TREC 2003 QA nuggets; all nuggets vital", _nugget_recall)
CITATION_COVERAGE = Measure(
    "citation_coverage", "citation recall of Gao et al. (ALCE), EMNLP 2023, with offset proof", _citation_coverage
)
CITATION_VALIDITY = Measure(
    "citation_validity", "share of citations with document.text[start:end] == quote", _citation_validity
)
CITED = Measure("cited", "share of answers with at least one proven citation", _cited)
FALSE_ANSWERS = Measure(
    "false_answers", "share of unanswerable questions that got an answer", _false_answer, higher=False
)
ANSWERED = Measure("answered", "share of answerable questions that got an answer", _answered)


def default_measures(k: int) -> tuple[Measure, ...]:
    """The measures of a run in which each question is shown ``k`` passages."""
    retrieval = (recall_at(k), reciprocal_rank_at(k), ndcg_at(k))
    return (*retrieval, NUGGET_RECALL, CITED, CITATION_COVERAGE, CITATION_VALIDITY, FALSE_ANSWERS, ANSWERED)
