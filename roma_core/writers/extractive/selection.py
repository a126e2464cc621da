"""Choice of the units that answer a question, and how they are written down. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from roma_core.languages import count_words
from roma_core.markup import escape_markers
from roma_core.writers.extractive.units import QuotableUnit

MOST_SENTENCES = 3
SHORT_WORDS = 40
"""Up to here an answer is given the sentence that goes on from its best one: the answer is often in that."""

_WORD = re.compile(r"[^\W_][\w.+-]*\w|\w")
_NAME_INSIDE = re.compile(r"\d|_|[a-z][A-Z]")


def choose_units(units: Sequence[QuotableUnit], scores: Sequence[float], gap: float) -> list[QuotableUnit]:
    """Return the best unit and up to two more within ``gap`` of it, with the lines they announce, in document order.

    While that is short, the sentence that goes on from the best one comes too. Ties go to the earlier unit.
    """
    order = sorted(range(len(units)), key=lambda i: (-scores[i], i))
    least = scores[order[0]] - gap
    best = [units[i] for i in order[:MOST_SENTENCES] if scores[i] >= least]

    chosen: dict[tuple[str, int], QuotableUnit] = {}
    for unit in best:
        for line in (unit, *unit.follows):
            chosen[line.document_place] = line
    following = best[0].next
    if following is not None:
        words = sum(count_words(unit.quote) for unit in (*chosen.values(), following))
        if words <= SHORT_WORDS:
            chosen.setdefault(following.document_place, following)

    documents = list(dict.fromkeys(unit.document_place[0] for unit in units))
    return sorted(chosen.values(), key=lambda unit: (documents.index(unit.document_place[0]), unit.document_place[1]))


def is_echo(question: str, quote: str) -> bool:
    """True when ``quote`` holds the whole question and little else, as examples and lists of questions do."""
    asked, quoted = (" ".join(["", *re.findall(r"\w+", text.casefold()), ""]) for text in (question, quote))
    return bool(asked.strip()) and asked in quoted and len(quoted) < 2 * len(asked)


def find_names(question: str) -> list[str]:
    """Return the words that name something: capitalised within the sentence, or with a digit, ``_`` or capital inside.

    A question that capitalises most of its words (a title, German nouns) names nothing by it.

    >>> find_names("Which year did NASA trust attrs?")
    ['NASA']
    """
    words = _WORD.findall(question)
    if 2 * sum(word[0].isupper() for word in words) > len(words):
        return []
    return [
        word
        for position, word in enumerate(words)
        if (position and word[0].isupper() and word != "I") or _NAME_INSIDE.search(word)
    ]


def missing_names(question: str, chosen: Sequence[QuotableUnit]) -> list[str]:
    """Return the names in the question that neither the quotes nor their titles and headings hold."""
    text = "\n".join(unit.scored_text for unit in chosen).casefold()
    return [name for name in find_names(question) if name.casefold().rstrip("s.") not in text]


def render_quotes(chosen: Sequence[QuotableUnit]) -> list[str]:
    """Return each quote followed by its marker. Prose runs on; list items, rows and code stand on their own lines."""
    pieces: list[str] = []
    for position, unit in enumerate(chosen):
        runs_on = position > 0 and unit.is_prose and chosen[position - 1].is_prose
        glue = "" if position == 0 else " " if runs_on else "\n\n"
        pieces.append(f"{glue}{_render_quote(unit)} [{unit.passage}]")
    return pieces


def _render_quote(unit: QuotableUnit) -> str:
    if unit.sentence.kind == "code":
        fence = "``" if "`" in unit.quote else "`"
        return f"{fence}{unit.quote}{fence}"
    return escape_markers(unit.quote)
