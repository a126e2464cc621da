"""Facts in an answer: whether it states them, after both were brought into one spelling."""

from __future__ import annotations

import re
import unicodedata

from roma_core.evals.golden.dataset import GoldenCase, Nugget
from roma_core.markup import remove_markers

_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")


def normalise(text: str) -> str:
    """Words and numbers in one spelling, with a space around each: NFKC, case folded, thousands without commas."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    tokens = (re.sub(r",(?=\d{3}\b)", "", t) for t in _TOKEN.findall(folded))
    return f" {' '.join(tokens)} "


def states(answer: str, nugget: Nugget) -> bool:
    """Return True when the answer holds the fact or one of its aliases, word for word after ``normalise``."""
    said = normalise(answer)
    return any(normalise(spelling) in said for spelling in nugget.spellings)


def missed_facts(case: GoldenCase, answer: str) -> list[str]:
    """Return the facts of the case that the answer does not state."""
    plain = remove_markers(answer)
    return [nugget.fact for nugget in case.nuggets if not states(plain, nugget)]
