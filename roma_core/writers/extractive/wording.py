"""The words around quotes: what was searched in vain, which sources disagree, and the best passages. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from roma_core.markup.questions import Question, content_words, split_words, stem_word
from roma_core.types import Document, ScoredChunk
from roma_core.writers.extractive.facts import file_name, read_newest_date
from roma_core.writers.extractive.selection import Disagreement, render_unit
from roma_core.writers.extractive.units import QuotableUnit, plain_text

MOST_NEAREST = 3
MOST_NEAREST_CHARS = 200
MOST_TITLES = 5
MOST_BEST = 3


def describe_unknown(
    question: Question, passages: Sequence[ScoredChunk], nearest: Sequence[QuotableUnit], missing: Sequence[str] = ()
) -> list[str]:
    """Return what follows "I don't know": what was searched, the words that are missing, and the nearest sentences."""
    if not passages:
        return ["\n\nSearched: no passage was found."]
    titles = list(dict.fromkeys(passage.chunk.title or file_name(passage.chunk.uri) for passage in passages))
    named = ", ".join(f"“{title}”" for title in titles[:MOST_TITLES])
    count = f"{_plural(len(passages), 'passage')} of {_plural(len(titles), 'document')}"
    pieces = [f"\n\nSearched: the nearest {count}: {named}."]
    lost = list(dict.fromkeys([*missing, *find_missing(question, passages)]))
    if lost:
        pieces.append(f"\n\nNot found in them: {', '.join(f'“{word}”' for word in lost)}.")
    shown = _nearest_quotes(nearest, passages)
    if shown:
        pieces.append("\n\nNearest to the question:\n")
        pieces += [f"\n- {quote}" for quote in shown]
    return pieces


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def find_missing(question: Question, passages: Sequence[ScoredChunk]) -> list[str]:
    """Return the words of a question, as they are written there, that no passage or title holds."""
    held = content_words("\n".join(f"{p.chunk.title} {p.chunk.indexed_text}" for p in passages))
    written = {stem_word(word): word for word in split_words(question.text)}
    names = {stem_word(name.casefold()): name for name in question.names}
    return [names.get(stem, written[stem]) for stem in written if stem in question.words and stem not in held]


def _nearest_quotes(units: Sequence[QuotableUnit], passages: Sequence[ScoredChunk]) -> list[str]:
    quotes: dict[int, str] = {}
    for unit in units:
        if unit.passage > len(passages) or unit.passage in quotes:
            continue
        chunk = passages[unit.passage - 1].chunk
        text = plain_text(unit.quote).replace("[", "(").replace("]", ")")
        if len(text) > MOST_NEAREST_CHARS:
            text = text[: MOST_NEAREST_CHARS - 1].rstrip() + "…"
        place = f"{chunk.title}, {chunk.place}" if chunk.place and chunk.place != f"“{chunk.title}”" else chunk.title
        quotes[unit.passage] = f"{place}: “{text}”"
        if len(quotes) == MOST_NEAREST:
            break
    return list(quotes.values())


def render_disagreement(disagreement: Disagreement, documents: Sequence[Document]) -> list[str]:
    """Return the quotes of sources that contradict each other, the newest first, each under its title and date."""
    by_id = {document.id: document for document in documents}
    dates = {
        unit.document_place[0]: read_newest_date(document) if (document := by_id.get(unit.document_place[0])) else ""
        for unit in disagreement.units
    }
    ordered = sorted(disagreement.units, key=lambda unit: dates[unit.document_place[0]], reverse=True)
    is_dated = any(dates.values())
    order = "the newest first" if is_dated else "no dates are known"
    pieces = [f"The sources disagree on the {disagreement.conflict.kind}, {order}:"]
    for unit in ordered:
        date = dates[unit.document_place[0]]
        title = unit.surroundings[0]
        pieces.append(f"\n\n“{title}”{f' ({date})' if date else ''}:\n\n{render_unit(unit)}")
    return pieces


def render_best_passages(question: Question, units: Sequence[QuotableUnit], scores: Sequence[float]) -> list[str]:
    """Return the best sentence of each of the best passages, for words that ask nothing.

    Sentences with more of the words come first.
    """
    wanted = question.words
    ranked = sorted(
        range(len(units)), key=lambda i: (-len(wanted & content_words(units[i].scored_text)), -scores[i], i)
    )
    chosen: dict[int, QuotableUnit] = {}
    for index in ranked:
        chosen.setdefault(units[index].passage, units[index])
        if len(chosen) == MOST_BEST:
            break
    pieces = ["Best passages for these words:"]
    pieces += [f"\n\n{render_unit(unit)}" for unit in chosen.values()]
    return pieces
