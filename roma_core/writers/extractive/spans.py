"""Quotes in languages on which the ranker was not measured: by the words that a sentence shares with the question.

Words count without their last letters, and scripts without spaces by pairs of signs, or by fours of letters. On
questions of twelve languages the best two sentences hold the answer of nine in ten (``docs/benchmarks.md``), and
``LEAST_SHARE`` refuses most questions whose topic is absent. Pure.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

import regex

from roma_core.languages import UNSPACED, UNSPACED_ALPHABETS, detect_language, is_covered
from roma_core.markup.function_words import drop_function_words
from roma_core.types import ScoredChunk
from roma_core.writers.extractive.selection import choose_close_units, is_echo
from roma_core.writers.extractive.units import QuotableUnit, quotable_units

LEAST_SHARE: Final = 0.3
LEAST_SHARE_OF_LETTERS: Final = 0.25
"""Share of a question that the best sentence has to hold, and the lower one for questions in alphabets without spaces:
of their fours of letters, which reach across words, fewer come again. Chosen on other passages than those measured."""
WHOLE_SHARE: Final = 0.999
"""Share from which on the best sentence is quoted alone: it has every word of the question."""
GAP: Final = 0.2
PASSAGE_FAVOUR: Final = 0.5
"""How far below the best a sentence may score, and what the sentences of the best passage are given."""

COMPOUNDING: Final = frozenset({"de", "nl", "sv", "da", "no", "fi", "is"})
"""Languages that write compounds as one word."""
LEAST_FIRST_PART: Final = 4
LEAST_LAST_PART: Final = 5
LEAST_BEFORE: Final = 3
"""Letters of the first and of the last part of a compound, without its ending, and of the rest of it."""

_WORD: Final = regex.compile(r"[\p{L}\p{M}\p{N}]+")
_LETTERS: Final = 4
"""Letters that are looked up together in alphabets without spaces: about a word."""
_WHOLE: Final = 4
_ENDING: Final = 3
"""Letters that a word keeps, and letters that an ending may have."""


class SpanQuotes(NamedTuple):
    """Chosen sentences, and the share of the question that the best of them holds."""

    units: list[QuotableUnit]
    share: float


def find_foreign_language(languages: AbstractSet[str] | None, question: str, passages: Sequence[ScoredChunk]) -> str:
    """Return the language of the question or of the first passage, where it is none of ``languages``; else nothing."""
    found = (detect_language(question), passages[0].chunk.facts.language)
    return next((language for language in found if not is_covered(languages, language)), "")


def quote_by_spans(question: str, passages: Sequence[ScoredChunk]) -> SpanQuotes:
    """Return the sentences that share most words with the question; those of better passages come sooner."""
    units = [unit for unit in quotable_units(passages) if not is_echo(question, unit.quote)]
    if not units:
        return SpanQuotes([], 0.0)
    shares = score_spans(question, [unit.scored_text for unit in units])
    highest = max(passage.score for passage in passages)
    favours = [_favour(passages[unit.passage - 1].score, highest) for unit in units]
    scores = [share + favour for share, favour in zip(shares, favours, strict=True)]
    best = max(range(len(units)), key=lambda index: scores[index])
    if shares[best] >= WHOLE_SHARE:
        return SpanQuotes([units[best], *units[best].follows], shares[best])
    return SpanQuotes(choose_close_units(units, scores, GAP), shares[best])


def score_spans(question: str, texts: Sequence[str]) -> list[float]:
    """Return the share of the question's spans that each text holds (0..1), weighted by ``ln(1 + n / df)``.

    >>> score_spans("年假几天？", ["年假为二十天。", "午饭免费。"])[1]
    0.0
    """
    wanted = sorted(split_spans(drop_function_words(question)))
    held = [split_spans(text) for text in texts]
    compounds = detect_language(question) in COMPOUNDING
    found = [
        {span for span in wanted if span in spans or (compounds and _is_in_compound(span, spans))} for spans in held
    ]
    weights = {span: math.log1p(len(texts) / max(1, sum(span in spans for spans in found))) for span in wanted}
    whole = math.fsum(weights.values()) or 1.0
    return [math.fsum(weight for span, weight in weights.items() if span in spans) / whole for spans in found]


def _is_in_compound(span: str, spans: AbstractSet[str]) -> bool:
    """Return whether a word is the first or last part of a compound of a text, or a word of a text is a part of it.

    >>> _is_in_compound("parkauswe", {"auswe"}), _is_in_compound("fahr", {"fahrradkel"})
    (True, True)
    """
    for other in spans:
        part, whole = sorted((span, other), key=len)
        if len(whole) < len(part) + LEAST_BEFORE:
            continue
        if (len(part) >= LEAST_LAST_PART and whole.endswith(part)) or (
            len(part) >= LEAST_FIRST_PART and whole.startswith(part)
        ):
            return True
    return False


def split_spans(text: str) -> set[str]:
    """Return words without their last letters, and in scripts without spaces neighbours: two signs, or four letters.

    >>> sorted(split_spans("Urlaubstagen ab 年假为"))
    ['ab', 'urlaubsta', '假为', '年假']
    """
    folded = unicodedata.normalize("NFC", text.casefold())
    spans = {_drop_ending(word) for word in _WORD.findall(UNSPACED.sub(" ", folded))}
    for run in UNSPACED.findall(folded):
        for letters in UNSPACED_ALPHABETS.findall(run):
            spans.update(_list_neighbours(letters, _LETTERS))
        for signs in UNSPACED_ALPHABETS.split(run):
            spans.update(_list_neighbours(signs, 2))
    return spans


def find_least_share(question: str) -> float:
    """Return the share of a question that the best sentence has to hold for an answer.

    >>> find_least_share("年假几天？"), find_least_share("ลาพักร้อนได้กี่วัน")
    (0.3, 0.25)
    """
    letters = sum(len(run) for run in UNSPACED_ALPHABETS.findall(question))
    others = sum(len(word) for word in _WORD.findall(UNSPACED_ALPHABETS.sub(" ", question)))
    return LEAST_SHARE_OF_LETTERS if letters > others else LEAST_SHARE


def _list_neighbours(run: str, count: int) -> list[str]:
    """Return the parts of a run with ``count`` characters; a shorter run whole."""
    return [run[at : at + count] for at in range(max(1, len(run) - count + 1))] if run else []


def _drop_ending(word: str) -> str:
    is_whole = len(word) < _WHOLE or word.isdigit()
    return word if is_whole else word[: max(_WHOLE, len(word) - _ENDING)]


def _favour(score: float, highest: float) -> float:
    return PASSAGE_FAVOUR * max(0.0, score / highest) if highest > 0 else 0.0
