"""The words around quotes: what was searched in vain, which sources disagree, and the best passages. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from roma_core.errors import count_noun
from roma_core.facts import find_stated_date
from roma_core.languages import detect_language
from roma_core.markup import Frame, escape_markers, join_piece
from roma_core.markup.compound import drop_topic
from roma_core.markup.function_words import FUNCTION_WORDS
from roma_core.markup.questions import LIGHT_WORDS, Question, content_words, split_words, stem_word
from roma_core.types import Document, ScoredChunk
from roma_core.writers.extractive.answer_types import find_measured_thing
from roma_core.writers.extractive.facts import file_name, find_date, read_newest_date
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
    count = f"{count_noun(len(passages), 'passage')} of {count_noun(len(titles), 'document')}"
    pieces = [f"\n\nSearched: the nearest {count}: {named}."]
    lost = list(dict.fromkeys([*missing, *find_missing(question, passages)]))
    if lost:
        pieces.append(f"\n\nNot found in them: {', '.join(f'“{word}”' for word in lost)}.")
    shown = _nearest_quotes(nearest, passages)
    if shown:
        pieces.append("\n\nNearest to the question:\n")
        pieces += [f"\n- {quote}" for quote in shown]
    return pieces


def find_missing(question: Question, passages: Sequence[ScoredChunk]) -> list[str]:
    """Return the words of a question, as they are written there, that no passage or title holds.

    Left out are small words, verbs that say little ("came") and the parts of a missing name: "455" of "DC-455".
    """
    held = content_words("\n".join(f"{p.chunk.title} {p.chunk.indexed_text}" for p in passages))
    small = FUNCTION_WORDS.get(detect_language(question.text), frozenset())
    written = {stem_word(word): word for word in split_words(question.text) if word not in small}
    names = {stem_word(name.casefold()): name for name in question.names}
    lost = [stem for stem in written if stem in question.words - LIGHT_WORDS and stem not in held]
    words = [names.get(stem, written[stem]) for stem in lost]
    parts = {part for name in words for part in name.split("-") if part != name}
    return [word for word in words if word not in parts]


def find_absent_thing(question: Question, passages: Sequence[ScoredChunk]) -> str:
    """Return the thing of which a question asks how much there is, where no passage or title speaks of it."""
    thing = find_measured_thing(question.text)
    held = content_words("\n".join(f"{p.chunk.title} {p.chunk.indexed_text}" for p in passages)) if thing else set()
    return "" if content_words(thing) <= held else thing


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


def _quote_alone(unit: QuotableUnit) -> list[str]:
    return [render_unit(unit)]


def render_disagreement(
    disagreement: Disagreement,
    documents: Sequence[Document],
    passages: Sequence[ScoredChunk] = (),
    quote: Callable[[QuotableUnit], Sequence[str]] = _quote_alone,
    *,
    is_change: bool = False,
) -> list[str]:
    """Return the quotes of sources that contradict each other, the newest first, each under its title and date.

    ``passages`` date the sources whose document was not read; ``quote`` writes a unit down; ``is_change`` says that the
    question asks how a value changed.
    """
    dates = {passage.chunk.document_id: _read_date(passage) for passage in passages}
    dates |= {document.id: read_newest_date(document) for document in documents}
    ordered = sorted(disagreement.units, key=lambda unit: dates.get(unit.document_place[0], ""), reverse=True)
    shown = [dates.get(unit.document_place[0], "") for unit in ordered]
    pieces: list[str] = [
        Frame(describe_disagreement(disagreement.conflict.kind, is_dated=any(shown), is_change=is_change))
    ]
    for unit, date in zip(ordered, shown, strict=True):
        pieces.append(Frame(f"\n\n{describe_source(unit.surroundings[0], date)}\n\n"))
        if unit.surroundings[2].endswith("?"):
            pieces.append(Frame(f"{escape_markers(unit.surroundings[2])} "))
        pieces += quote(unit)
    return pieces


_ASKS_CHANGE = re.compile(
    r"\bby how (?:much|many)\b|\bhow (?:much|many) (?:more|less|fewer|higher|lower|longer|shorter|bigger|smaller|larger"
    r"|faster|slower|cheaper|dearer|heavier|lighter|older|thicker|thinner)\b|\bdifference between\b"
    r"|\b(?:chang|differ|develop|evolv|r[io]se|fall|fell|gr[eo]w|increas|decreas|drop)\w*\b.*\b(?:from|between|since|to)\b",
    re.IGNORECASE,
)


def asks_change(question: str) -> bool:
    """Return whether a question asks how a value changed or how two differ, so that two values contradict nothing.

    >>> asks_change("By how much did the dues rise?"), asks_change("How high are the dues?")
    (True, False)
    """
    return _ASKS_CHANGE.search(question) is not None


def describe_disagreement(kind: str, *, is_dated: bool, is_change: bool = False) -> str:
    """Return the words above sources that contradict each other, or that state what changed.

    >>> describe_disagreement("number", is_dated=True)
    'The sources disagree on the number, the newest first:'
    >>> describe_disagreement("number", is_dated=True, is_change=True)
    'Stated by several sources, the newest first:'
    """
    order = "the newest first" if is_dated else "no dates are known"
    if is_change:
        return f"Stated by several sources, {order}:"
    about = "" if kind == "polarity" else f" on the {kind}"
    return f"The sources disagree{about}, {order}:"


def describe_source(title: str, date: str) -> str:
    """Return the line above the words of one source.

    >>> describe_source("Fares", "2024-03-01")
    '“Fares” (2024-03-01):'
    """
    return f"“{title}”{f' ({date})' if date else ''}:"


def _read_date(passage: ScoredChunk) -> str:
    chunk = passage.chunk
    return find_stated_date(chunk.text) or chunk.facts.date or find_date(f"{chunk.title} {file_name(chunk.uri)}")


def join_parts(parts: Sequence[str], answers: Sequence[Sequence[str]]) -> list[str]:
    """Return the answers to the parts of a question, and the parts that have none.

    What one part has quoted already is not quoted again.

    >>> join_parts(["Who built it?", "when did it burn (built)?"], [["Ada Kern. [1]"], []])
    ['Ada Kern. [1]', '\\n\\nNot answered by these sources: when did it burn?']
    """
    pieces: list[str] = []
    for answer in answers:
        quoted = "".join(pieces)
        is_prose = not any("|" in piece or piece.rstrip().endswith(":") for piece in answer)
        fresh = [piece for piece in answer if not is_prose or piece.strip() not in quoted]
        if fresh and pieces:
            begun = fresh[0].lstrip()
            fresh = ["\n\n", Frame(begun) if isinstance(fresh[0], Frame) else begun, *fresh[1:]]
        pieces += fresh
    for part, answer in zip(parts, answers, strict=True):
        if not answer:
            pieces.append(Frame(f"\n\nNot answered by these sources: {drop_topic(part)}"))
    return pieces


def render_best_passages(
    question: Question,
    units: Sequence[QuotableUnit],
    scores: Sequence[float],
    quote: Callable[[QuotableUnit], Sequence[str]] = _quote_alone,
) -> list[str]:
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
    pieces: list[str] = [Frame("Best passages for these words:")]
    for unit in chosen.values():
        first, *others = quote(unit)
        pieces += [join_piece("\n\n", first), *others]
    return pieces
