"""Two editions of one document, sentence by sentence: what was changed, added and removed. Pure.

"What changed in the travel policy between 2024 and 2026?" is answered by no sentence, but by the pairs that differ.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from roma_core.markup.questions import STOP_WORDS, Question, split_words, stem_word
from roma_core.markup.sentences import Sentence, split_sentences
from roma_core.markup.tables import split_cells
from roma_core.types import Document
from roma_core.writers.extractive.facts import match_title, read_newest_date

LEAST_ALIKE: Final = 0.4
"""Share of the words of two sentences together that they have in common, from which on one is the other, changed."""
LEAST_KEPT: Final = 0.3
"""Share of the sentences of the shorter edition that the other one has, changed or not. The minutes of two meetings are
no editions of one document."""
_ASKS_CHANGES: Final = re.compile(
    r"\bwhat(?:['’]s| is| are| was| were| has| have)?(?: been)? (?:the )?"
    r"(?:chang\w+|new|different|updated|revised|added|removed|amended)\b"
    r"|\b(?:differences?|changes?) (?:between|from|since|in|of|to)\b|\bhow (?:do|does|did) .* differ\b|\bcompare\b",
    re.IGNORECASE,
)
_FRAME: Final = frozenset(
    stem_word(word)
    for word in """
    change changes changed new old different difference differences updated revised added removed amended between since
    compare compared differ edition editions version versions previous current last latest year document and
    """.split()
)


@dataclass(frozen=True)
class EditionChanges:
    """What differs between two editions: pairs of sentences, those only in the new one, those only in the old one."""

    old: Document
    new: Document
    changed: tuple[tuple[Sentence, Sentence], ...]
    added: tuple[Sentence, ...]
    removed: tuple[Sentence, ...]


def find_changes(question: Question, documents: Sequence[Document]) -> EditionChanges | None:
    """Return what differs between the two editions that a question means; None where it means none.

    They are called alike but for numbers. Of more than two the years of the question choose, else the newest two.
    """
    if not _ASKS_CHANGES.search(question.text) or question.codes:
        return None
    words = {word for word in question.words if word not in _FRAME and not word.isdigit()}
    families: dict[str, list[Document]] = {}
    for document in documents:
        if not words or match_title(words, document) >= 1.0:
            families.setdefault(_read_family(document), []).append(document)
    editions = next((family for name, family in families.items() if name and len(family) > 1), [])
    dated = sorted((document for document in editions if read_newest_date(document)), key=read_newest_date)
    if len(dated) < len(editions):
        dated = sorted(editions, key=_read_numbers)
    years = set(re.findall(r"(?:19|20)\d\d", question.text))
    asked = [document for document in dated if years & {read_newest_date(document)[:4]}]
    pair = asked if len(asked) == 2 else dated[-2:]
    return _compare(*pair) if len(pair) == 2 and (words or len(editions) == len(documents)) else None


def _read_family(document: Document) -> str:
    """Return the name of a document's file and its title, without numbers."""
    name = PurePosixPath(unquote(urlsplit(document.uri).path)).stem
    return re.sub(r"[\W\d_]+", " ", f"{name} {document.title}").casefold().strip()


def _read_numbers(document: Document) -> list[int]:
    """Return the numbers of a document's file name and title: those of its version."""
    name = PurePosixPath(unquote(urlsplit(document.uri).path)).stem
    return [int(number) for number in re.findall(r"\d+", f"{name} {document.title}")]


def _compare(old: Document, new: Document) -> EditionChanges | None:
    ones = {_normalise(unit.of(old.text)): unit for unit in split_sentences(old.text) if unit.kind != "heading"}
    others = {_normalise(unit.of(new.text)): unit for unit in split_sentences(new.text) if unit.kind != "heading"}
    gone = [unit for text, unit in ones.items() if text not in others]
    come = [unit for text, unit in others.items() if text not in ones]
    pairs = _pair_sentences(old, gone, new, come)
    kept = len(ones) - len(gone) + len(pairs)
    if kept < LEAST_KEPT * min(len(ones), len(others)):
        return None
    changed = tuple((gone[i], come[j]) for i, j in sorted(pairs.items()))
    removed = tuple(unit for i, unit in enumerate(gone) if i not in pairs)
    added = tuple(unit for j, unit in enumerate(come) if j not in pairs.values())
    return EditionChanges(old, new, changed, added, removed) if changed or added or removed else None


def _pair_sentences(old: Document, gone: Sequence[Sentence], new: Document, come: Sequence[Sentence]) -> dict[int, int]:
    """Return which sentence of the new edition came in place of which of the old one, the likest pairs first."""
    likeness = [
        (-alike, i, j)
        for i, one in enumerate(gone)
        for j, other in enumerate(come)
        if (alike := _measure_likeness(old, one, new, other)) >= LEAST_ALIKE
    ]
    pairs: dict[int, int] = {}
    for _, i, j in sorted(likeness):
        if i not in pairs and j not in pairs.values():
            pairs[i] = j
    return pairs


def _normalise(text: str) -> str:
    return " ".join(text.split()).casefold()


def _measure_likeness(old: Document, one: Sentence, new: Document, other: Sentence) -> float:
    """Return the share of the words of both that two sentences have in common (0..1); 1 for rows that begin alike."""
    first, second = one.of(old.text), other.of(new.text)
    if one.kind != other.kind:
        return 0.0
    if one.kind == "table":
        return float(split_cells(first)[0].casefold() == split_cells(second)[0].casefold())
    words, others = _read_words(first), _read_words(second)
    union = words | others
    return len(words & others) / len(union) if union else 0.0


def _read_words(text: str) -> set[str]:
    return {stem_word(word) for word in split_words(text) if word not in STOP_WORDS}
