"""Sentences that say that another source is wrong: "The log says five hours. It was eight." Rules alone, pure.

Such a sentence names the value that it corrects, so it contradicts a source that states this value even where it has
few words of the question, and even where the passage that answers best is the one that corrects.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from roma_core.citations.conflicts import Conflict, correct_report, find_correction
from roma_core.citations.lexicon import DENIALS
from roma_core.markup.questions import LIGHT_WORDS, Question, content_words, holds_all_codes, split_words, stem_word
from roma_core.types import Chunk, ScoredChunk
from roma_core.writers.extractive.answer_types import find_asked_units
from roma_core.writers.extractive.units import QuotableUnit, plain_text, quotable_units

MOST_CORRECTORS: Final = 20
"""Candidates with words of correction that are taken apart into sentences."""
MOST_DENIED_WORDS: Final = 4
REPORTS: Final = re.compile(
    r"\b(?:says?|said|states?|stated|writes?|wrote|written|according to|claims?|claimed|lists?|listed"
    r"|(?:read|heard|hear|told|printed|noted|stands?)\b.{0,40}\b(?:that|in|on))\b",
    re.IGNORECASE,
)
"""Words by which a sentence gives what somebody else says."""
_CORRECTS: Final = re.compile(rf"\b(?:no longer|instead of|rather than)\b|,\s+not\b|{REPORTS.pattern}")
"""For text in small letters: to ignore the case takes twice as long, and it reads all candidates of a question."""
_PUT_ASIDE: Final = re.compile(
    r"(?:\bno longer(?!\b[^.;]*\bthan\b)|\binstead of|\brather than|,\s+not)\s+"
    r"(?P<lead>(?:(?:an?|the|of|in|at|on|by|with|for|from|to|made)\s+)*)(?P<words>[^,.;:!?()]+)",
    re.IGNORECASE,
)
_REBUTS: Final = re.compile(
    r"\W*(?:(?:but|yet|no|in fact|actually)\b,?\s+)?"
    r"(?:(?:that|this|it|which)\s+(?:is|was)\s+"
    r"(?:wrong|false|untrue|a mistake|an error|not\s+(?:so|true|right|correct))"
    r"|(?:we|they|it|he|she|i|there)\s+(?:did|do|does|have|has|had|is|are|was|were|can|could|may|must|will)"
    r"(?P<not>\s+not|n['’]t)?(?=\s*[,.;:!–]|\s*\Z))",
    re.IGNORECASE,
)
"""The sentence that answers a report: "We did, on 28 March." """


@dataclass(frozen=True)
class Correction:
    """The best unit and one that corrects it, or that it corrects; one that reports has the sentence behind it."""

    best: QuotableUnit
    unit: QuotableUnit
    conflict: Conflict


def find_correction_of(
    question: Question, best: QuotableUnit, unit: QuotableUnit, around: Chunk | None
) -> Correction | None:
    """Return how one of two units of two documents corrects what the other one states; None where neither does.

    ``around`` is the passage of ``unit``, which has to speak of the question: in the sentence or in its title, too.
    """
    if around is None or unit.document_place[0] == best.document_place[0]:
        return None
    about = question.words - LIGHT_WORDS
    if not about & content_words(f"{around.title}\n{unit.own_text}"):
        return None
    if not holds_all_codes(question.codes, f"{unit.scored_text}\n{around.text}"):
        return None
    corrected = _correct(question, best, unit)
    if corrected is not None:
        conflict, corrector = corrected
        return Correction(best, corrector, conflict)
    corrected = _correct(question, unit, best)
    if corrected is not None:
        conflict, corrector = corrected
        return Correction(corrector, unit, Conflict(conflict.kind, conflict.second, conflict.first))
    return None


def list_correctors(question: Question, candidates: Sequence[ScoredChunk]) -> list[tuple[QuotableUnit, ScoredChunk]]:
    """Return the sentences of candidates that deny or report a value, each with its passage."""
    about = question.words - LIGHT_WORDS
    correcting = (
        candidate
        for candidate in candidates
        if _CORRECTS.search(candidate.chunk.text.lower()) and about & content_words(candidate.chunk.indexed_text)
    )
    chosen = list(itertools.islice(correcting, MOST_CORRECTORS))
    units = (unit for unit in quotable_units(chosen) if unit.is_prose and _CORRECTS.search(unit.quote.lower()))
    return [(unit, chosen[unit.passage - 1]) for unit in units]


def _correct(question: Question, first: QuotableUnit, second: QuotableUnit) -> tuple[Conflict, QuotableUnit] | None:
    """Return how the second unit corrects the first one, and that unit with all that it takes; None where not."""
    if not second.is_prose:
        return None
    said, other = plain_text(first.quote), plain_text(second.quote)
    units = find_asked_units(question.text)
    conflict = find_correction(said, other, units)
    denied = find_denied(other)
    if conflict is None and _is_asked(question, denied, first, second) and _has_words(said, denied):
        conflict = Conflict("polarity", (denied,), ())
    if conflict is not None:
        return conflict, second
    if second.next is None or REPORTS.search(other) is None:
        return None
    following = plain_text(second.next.quote)
    conflict = correct_report(question.text, said, other, following, units) or _rebut(question, said, other, following)
    return (conflict, replace(second, follows=(second.next,))) if conflict is not None else None


def find_denied(text: str) -> str:
    """Return the thing that a sentence says is not so; nothing where it denies none, or a single word as of a verb.

    >>> find_denied("The capsules are made of a nickel alloy, no longer of beryllium bronze.")
    'beryllium bronze'
    """
    found = _PUT_ASIDE.search(text)
    words = found["words"].split() if found is not None else []
    is_thing = found is not None and (len(words) > 1 or bool(found["lead"]))
    return " ".join(words) if is_thing and len(words) <= MOST_DENIED_WORDS else ""


def _has_words(text: str, phrase: str) -> bool:
    """Return whether a text says a phrase in these words, and does not deny it itself."""
    words, wanted = [stem_word(word) for word in split_words(text)], [stem_word(word) for word in split_words(phrase)]
    spans = range(len(words) - len(wanted) + 1)
    held = any(words[at : at + len(wanted)] == wanted for at in spans)
    return held and bool(content_words(phrase)) and find_denied(text) == ""


def _is_asked(question: Question, denied: str, first: QuotableUnit, second: QuotableUnit) -> bool:
    """Return whether a thing that the second unit denies may answer the question, which both speak of.

    The question does not name it, both units have a word of the question, and one of them has more than half of them.
    What is denied is no such word; nor is one of both titles: all parts of an article about oxygen speak of oxygen.
    """
    about = question.words - LIGHT_WORDS
    held, others = (about & content_words(unit.own_text) for unit in (first, second))
    titles, other_titles = (content_words(unit.surroundings[0]) for unit in (first, second))
    shared = held & others - content_words(denied) - (titles & other_titles)
    most = max(len(about & content_words(unit.scored_text)) for unit in (first, second))
    return bool(content_words(denied) - question.words and shared) and 2 * most > len(about)


def _rebut(question: Question, said: str, report: str, following: str) -> Conflict | None:
    """Return the denial between what one source says and another one reports of it, to say the opposite."""
    rebuttal = _REBUTS.match(following)
    shared = question.words & content_words(said) & content_words(report) - LIGHT_WORDS
    if rebuttal is None or len(shared) < 2 or _denies(said) != _denies(report):
        return None
    if rebuttal["not"] and _denies(report):
        return None
    return Conflict("polarity", (report,), (rebuttal[0].strip(),))


def _denies(text: str) -> bool:
    return bool(DENIALS.intersection(split_words(text)))
