"""Clauses of a long sentence: the part of it that is quoted where the whole is more than a short answer. Pure.

A part is cut at commas and the like, and only where it says no more than its sentence: what is left out holds no
condition, denial or attribution, and ROMA's own check of citations calls the part verbatim.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import replace

from roma_core.citations import verify_claim
from roma_core.citations.lexicon import ATTRIBUTIONS, CONDITIONS, DENIALS, REPORTING
from roma_core.citations.words import read_words
from roma_core.languages import count_words
from roma_core.markup.questions import Question, content_words, holds_all_codes
from roma_core.markup.sentences import Sentence
from roma_core.writers.extractive.expectations import states_asked
from roma_core.writers.extractive.selection import SHORT_WORDS
from roma_core.writers.extractive.units import QuotableUnit

LEAST_WORDS = 6
"""Words that a part needs: fewer are a member of a list without what is said of it."""
MOST_PARTS = 20
"""Parts of one sentence that the ranker reads."""
MOST_LOSS = 2.0
"""How far below its sentence a part may score."""
BEGINS = 0.5
"""Logits that a part gains that begins its sentence."""
_GOVERNING = DENIALS | CONDITIONS | ATTRIBUTIONS
"""Words that may govern what stands behind them in a sentence."""
_LIMITING = CONDITIONS | REPORTING
"""Words that may limit what stands before them."""
LACKING_LOSS = 1.0
"""The same of a part that lacks one word of the question which its sentence has."""
_BREAK = re.compile(
    r"[,;:]\s+|\s*—\s*|\s+–\s+|\s+(?=\()|(?<=\))\s+|\s+(?=(?:while|whereas|but)\s)"
    r"|\s+(?=and\s+(?:also|are|became|began|can|could|did|does|eventually|gave|had|has|have|is|later|led|made|may|must|still"
    r"|subsequently|then|took|was|went|were|will|would)\s)"
)
_STATES = re.compile(
    r"\b(?:member|united|nation|nations|other|these|those|both|two|all|several|many|most|eu|gulf|baltic)\s+[Ss]tates\b"
    r"|(?<!,\s)\b[Ss]tates\b(?!\s+(?:that|how|the|an?|it|he|she|they|there|this|in|clearly|explicitly|also)\b|\s*[:“\"])"
)
"""States that are countries, and report nothing: nothing that is said follows."""
_ONE_THING = re.compile(
    r"\b(?:what|which)(?:'s|\s+(?:is|was|one|the|single|main|exact|an?))*\s+(?:[\w-]+\s+)?(?:type|kind|sort|condition|step|stage"
    r"|phase|reason|requirement|feature|item|option|rule|part|topic|principle|benefit|advantage|disadvantage|risk|task"
    r"|example|way|method|goal|objective|value|role|name|course|department|language|algorithm|plan|change|exception"
    r"|event|location|product|parameter|model|city|country|thing|field|project)\b",
    re.IGNORECASE,
)
"""A question for one thing by a word that names members of a list: "what type of", "what was the objective of"."""


def list_parts(question: Question, unit: QuotableUnit) -> list[QuotableUnit]:
    """Return the parts of a long sentence that may be quoted in its place, each as long as a short answer can be.

    Those with all words of the question that the sentence has come first; the others lack one, no name and no number.
    None where the sentence is short, or where the question asks for several things, which it may list.
    """
    is_long = unit.is_prose and not unit.follows and count_words(unit.quote) > SHORT_WORDS
    if not is_long or _asks_more(question):
        return []
    starts, ends = [0], []
    for found in _BREAK.finditer(unit.quote):
        starts.append(found.end())
        if not found[0].startswith(":"):  # what a colon announces belongs to what stands before it
            ends.append(found.start())
    ends.append(len(unit.quote))
    complete: list[QuotableUnit] = []
    lacking: list[QuotableUnit] = []
    for start in starts:
        for end in (end for end in reversed(ends) if end > start):
            text = unit.quote[start:end]
            marks = (start > 0) + (end < len(unit.quote))
            if not LEAST_WORDS <= count_words(text) <= SHORT_WORDS - marks:
                continue
            lost = _find_lost(question, text, unit)
            if not lost:
                complete.append(_cut(unit, start, end))
            elif len(lost) == 1 and not lost & _find_named(question):
                lacking.append(_cut(unit, start, end))
    parts = (*complete, *lacking)[:MOST_PARTS]
    return [part for part in parts if _can_stand_for(question, part, unit)]


def _find_lost(question: Question, text: str, unit: QuotableUnit) -> Set[str]:
    """Return the words of a question that a sentence has and a part of it lacks."""
    return (question.words & content_words(unit.quote)) - content_words(text)


def _find_named(question: Question) -> set[str]:
    """Return the words of a question that are names or numbers."""
    named = {word for name in question.names for word in content_words(name)}
    return named | {word for word in question.words if any(sign.isdigit() for sign in word)}


def _can_stand_for(question: Question, part: QuotableUnit, unit: QuotableUnit) -> bool:
    """Return whether a part has the codes and the value that its sentence has, and says nothing else than it."""
    if not holds_all_codes(question.codes, part.scored_text):
        return False
    if states_asked(question, unit) and not states_asked(question, part):
        return False
    start = part.sentence.start - unit.sentence.start
    if question.kind == "when" and any(word.date is not None for word in read_words(unit.quote[:start])):
        return False  # "In 2014, ..." says when
    return is_honest(unit.quote, start, start + len(part.quote))


def _asks_more(question: Question) -> bool:
    """Return whether a question asks for several things."""
    is_list = question.kind == "list" and _ONE_THING.search(question.text) is None
    return is_list or question.asks_several or question.is_compound or question.kind == "comparison"


def choose_part(
    question: Question, unit: QuotableUnit, whole: float, parts: Sequence[QuotableUnit], scores: Sequence[float]
) -> QuotableUnit:
    """Return the part of ``unit`` that answers best, or the unit, which scores ``whole``, where no part is as good.

    A part that begins the sentence goes before another that answers hardly better, and one with all words of the
    question before one that lacks some.
    """
    fitting = [index for index in range(len(parts)) if scores[index] >= whole - MOST_LOSS]
    complete = [index for index in fitting if not _find_lost(question, parts[index].quote, unit)]
    fitting = complete or [index for index in fitting if scores[index] >= whole - LACKING_LOSS]
    best = min(fitting, key=lambda i: (-scores[i] - BEGINS * (not parts[i].is_cut_before), i), default=None)
    return unit if best is None else parts[best]


def is_honest(sentence: str, start: int, end: int) -> bool:
    """Return whether ``sentence[start:end]`` says nothing that the sentence does not say.

    >>> is_honest("The hall is free, if it is booked in time.", 0, 16)
    False
    """
    governing = sentence[:start].rpartition(";")[2]
    around = (_STATES.sub(" ", text).casefold() for text in (governing, sentence[end:]))
    before, after = (set(re.findall(r"\w+", text)) for text in around)
    if before & _GOVERNING or after & _LIMITING:
        return False
    return verify_claim(sentence[start:end], sentence).verdict == "verbatim"


def _cut(unit: QuotableUnit, start: int, end: int) -> QuotableUnit:
    quote = unit.quote[start:end]
    return replace(
        unit,
        sentence=Sentence(start=unit.sentence.start + start, end=unit.sentence.start + end, kind=unit.sentence.kind),
        quote=quote,
        document_place=(unit.document_place[0], unit.document_place[1] + start),
        is_cut_before=start > 0,
        is_cut_after=end < len(unit.quote),
        next=None,
    )
