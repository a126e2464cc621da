"""What a question in German, French or Spanish asks beside its topic, and a sentence on the topic lacks. Pure.

"Welches Möbel ist am schwersten?" shares its only other word with "Auf alle Möbel geben wir Garantie".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from roma_core.languages import MONTH_WORDS, detect_language
from roma_core.markup.function_words import leave_out_small_words
from roma_core.writers.extractive.foreign_questions import find_frames
from roma_core.writers.extractive.foreign_types import find_foreign_type

_SUPERLATIVES: Final = frozenset(
    "cheapest fewest heaviest highest largest latest lightest longest lowest newest oldest shortest slowest smallest"
    " fastest earliest".split()
) | {"most expensive", "most"}
_ENGLISH_SUPERLATIVE: Final = re.compile(r"\b(?!(?:interest|request|forest|harvest|rest|test|guest|west)\b)\w{2,}est\b")
_LIMITS: Final = frozenset({"more than", "less than", "at least", "at most"})
_ASKS_WHICH: Final = re.compile(r"\A\W*(?:welche|quels?|quelles?|qué|cuáles|which|what)\b", re.IGNORECASE)
_NOUN: Final = re.compile(r"(?<=[a-zß-ÿ,] )[A-ZÄÖÜ][\w-]{2,}")
_ENDING: Final = re.compile(r"(?:(?:(?<!i)e?s)?te[nrms]?|est)$")
_LEAST_ROOT: Final = 3
_MONTH: Final = re.compile(rf"\b(?:{'|'.join(MONTH_WORDS)})\b", re.IGNORECASE)
_DATE: Final = re.compile(r"(?<!\d)\d{1,2}[./](?P<month>\d{1,2})[./](?:(?:19|20)?\d\d)?|(?:19|20)\d\d-(?P<iso>\d\d)")
_DEED: Final = re.compile(
    r"\A\W*(?:Was|was|Qué|qué|Que|que)\s+(?P<deed>(?!(?:mach|tu|tut|sag|ist|war|fait|est|hace|es)\w{0,2}\b)[^\W\d_A-ZÄÖÜ]\w{2,})\s+"
    r"[^\W\d_a-zß-ÿ][\w'’-]+(?:\s+[^\W\d_a-zß-ÿ][\w'’-]+)+\W*\Z"
)
"""What somebody does whose first and last name stand behind it: "Was verdient Ada Moor?"."""


def find_unmet(
    question: str, languages: AbstractSet[str], texts: Sequence[str], holds: Callable[[str, str], bool]
) -> str:
    """Return what a question asks that none of the quoted texts says, in its words; nothing where all is said.

    It is a superlative, the limit of a filter, a month, what somebody does who is named, or in German the nouns where
    none of them is said. ``languages`` are those of the question and the texts; ``holds`` tells whether a text has one
    of some words in any form.
    """
    text = "\n".join(texts)
    own = detect_language(question)
    spoken = (own, *sorted(languages - {own}))
    frames = find_frames(question, spoken)
    superlatives = [said for said, english in frames if english in _SUPERLATIVES]
    if own == "en":
        superlatives += _ENGLISH_SUPERLATIVE.findall(question)
    for said in superlatives:
        words = leave_out_small_words(said, frozenset(spoken))
        if words.strip() and not (holds(words, text) or any(_has_root(word, text) for word in words.split())):
            return said
    limits = [said for said, english in frames if english in _LIMITS]
    numbers = re.findall(r"\d+", question)
    if limits and _ASKS_WHICH.match(question) and not any(re.search(rf"\b{number}\b", text) for number in numbers):
        return limits[0]
    is_of_value = find_foreign_type(question) is not None
    month = _MONTH.search(question)
    if month is not None and not is_of_value and not _covers_month(MONTH_WORDS[month[0].casefold()], text):
        return month[0]
    if not is_of_value and own == "de":
        nouns = [noun for noun in _NOUN.findall(question) if noun.casefold() not in MONTH_WORDS]
        if nouns and not any(holds(noun, text) for noun in nouns):
            return str(nouns[-1])
    found = _DEED.match(question)
    return found["deed"] if found is not None and not holds(found["deed"], text) else ""


def _has_root(superlative: str, text: str) -> bool:
    """Return whether a text has a word with the root of a superlative.

    >>> _has_root("schwersten", "Das schwerste Möbel"), _has_root("älteste", "ein alter Schrank")
    (True, False)
    """
    root = _ENDING.sub("", superlative.casefold())
    return len(root) >= _LEAST_ROOT and re.search(rf"\b{re.escape(root)}", text.casefold()) is not None


def _covers_month(month: int, text: str) -> bool:
    """Return whether a text names a month, or a span of months that may have it."""
    named = {MONTH_WORDS[found[0].casefold()] for found in _MONTH.finditer(text)}
    named |= {int(found["month"] or found["iso"]) for found in _DATE.finditer(text)}
    return month in named or len(named) > 1
