"""Measures of what an answer states: facts found, answers given, answers that should not have been given."""

from __future__ import annotations

from roma_core.evals.golden.dataset import GoldenCase
from roma_core.evals.measures.base import CaseOutcome, Score, measure
from roma_core.evals.measures.nuggets import missed_facts
from roma_core.evals.measures.values import read_values
from roma_core.llm.base import I_DONT_KNOW
from roma_core.markup import remove_markers, says_unknown


def has_nuggets(case: GoldenCase) -> bool:
    """Return True for cases that name the facts of a complete answer."""
    return bool(case.nuggets)


def is_answerable(case: GoldenCase) -> bool:
    """Return True for cases that the corpus answers."""
    return case.kind != "no_answer"


def is_unanswerable(case: GoldenCase) -> bool:
    """Return True for cases that the corpus does not answer."""
    return case.kind == "no_answer"


def _find_missed(case: GoldenCase, outcome: CaseOutcome) -> list[str]:
    """Return the vital facts that an answer does not state: all of them where it says that it does not know.

    Such an answer shows the nearest sentences, which may hold a fact without answering.
    """
    abstains = not outcome.answered and (outcome.answer.startswith(I_DONT_KNOW) or says_unknown(outcome.answer))
    return [nugget.fact for nugget in case.vital_nuggets] if abstains else missed_facts(case, outcome.answer)


@measure(
    source="Voorhees, TREC 2003 QA nuggets; recall of the vital ones",
    applies=has_nuggets,
    length_sensitive=True,
    sees=(
        "negate", "echo", "swap_numbers", "drop_half", "answer_another", "truncate", "say_not_so", "nudge_numbers",
        "take_value", "drop_item",
    ),
)  # fmt: skip
def nugget_recall(case: GoldenCase, outcome: CaseOutcome) -> Score:
    """Share of the vital facts that the answer states; an abstention states none, whatever it shows beside."""
    missed = _find_missed(case, outcome)
    reason = f"missed {', '.join(missed)}" if missed else ""
    return Score(1 - len(missed) / len(case.vital_nuggets), reason)


ALLOWANCE_CHARS = 250
"""Characters that an answer may have for each fact: a sentence with what it needs to be understood."""
BETA = 3.0
"""Weight of recall against precision, as in TREC 2004."""


@measure(
    source="nugget F (beta 3) of Voorhees, TREC 2003-2004, with a length allowance for each fact",
    applies=has_nuggets,
    sees=(
        "negate", "dump", "echo", "swap_numbers", "drop_half", "repeat", "answer_another", "truncate", "pad", "hedge",
        "say_not_so", "add_year", "nudge_numbers", "take_value", "drop_item", "add_item",
    ),
)  # fmt: skip
def nugget_f(case: GoldenCase, outcome: CaseOutcome) -> Score:
    """Facts stated, weighed against the length that it took: a dump of the sources takes far too many words."""
    missed = _find_missed(case, outcome)
    recall = 1 - len(missed) / len(case.vital_nuggets)
    allowance = ALLOWANCE_CHARS * len(case.nuggets)
    length = len("".join(remove_markers(outcome.answer).split()))
    precision = 1.0 if length <= allowance else allowance / length
    # Within the allowance the length weighs little: of two answers with the same facts the shorter wins.
    precision *= 1 - 0.05 * min(1.0, length / allowance)
    if recall == 0:
        return Score(0.0, "states none of the facts")
    value = (1 + BETA**2) * precision * recall / (BETA**2 * precision + recall)
    return Score(value, f"{length} characters for {len(case.nuggets)} facts, {allowance} allowed")


@measure(source="share of unanswerable questions that got an answer", applies=is_unanswerable, higher=False)
def false_answers(case: GoldenCase, outcome: CaseOutcome) -> Score:
    """1 when a question that the corpus does not answer got an answer."""
    return Score(float(outcome.answered))


@measure(source="share of answerable questions that got an answer", applies=is_answerable, length_sensitive=True)
def answered(case: GoldenCase, outcome: CaseOutcome) -> Score:
    """1 when an answerable question got an answer, right or wrong."""
    return Score(float(outcome.answered))


@measure(source="words without markers; neither direction is better", higher=None, scale=None)
def answer_words(case: GoldenCase, outcome: CaseOutcome) -> Score:
    """Length of an answer in words."""
    if not outcome.answered:
        return Score.not_applicable()
    return Score(float(len(remove_markers(outcome.answer).split())))


REPEATED_WORDS = 4
"""Length of the runs of words whose repetition is counted."""


@measure(
    source="rep-n of Welleck et al., Neural Text Generation with Unlikelihood Training, ICLR 2020, n = 4",
    higher=False,
    sees=("repeat",),
)
def repetition(case: GoldenCase, outcome: CaseOutcome) -> Score:
    """Share of the runs of four words that the answer has said before."""
    words = [sorted(token.values) for token in read_values(remove_markers(outcome.answer)) if token.kind != "break"]
    runs = [tuple(map(str, words[i : i + REPEATED_WORDS])) for i in range(len(words) - REPEATED_WORDS + 1)]
    if not outcome.answered or not words:
        return Score.not_applicable()
    return Score(1 - len(set(runs)) / len(runs) if runs else 0.0)
