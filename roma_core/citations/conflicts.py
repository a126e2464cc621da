"""Conflicts between sources, and copies: two sentences about one thing with another number, date or name. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from roma_core.citations.lexicon import DENIALS
from roma_core.citations.words import ClaimWord, read_words

ConflictKind = Literal["number", "date", "name", "polarity"]

LEAST_SHARED = 0.6
"""Share of the content words, numbers and names left out, that two sentences about one thing have in common."""
LEAST_WORDS_APART = 4
"""Content words that both must have where nothing says that their documents are about one thing."""


@dataclass(frozen=True)
class Conflict:
    """What one sentence says and another one denies: the words that differ, of the first and of the second.

    >>> find_conflict("The limit for hotels is 90 €.", "The limit for hotels is 120 €.").kind
    'number'
    """

    kind: ConflictKind
    first: tuple[str, ...]
    second: tuple[str, ...]


def find_conflict(first: str, second: str, *, same_subject: bool = True) -> Conflict | None:
    """Return how two sentences contradict each other; None where they agree, add to each other or differ in subject.

    ``same_subject`` says that their documents are about one thing, so that fewer words need to be shared.
    """
    ones, others = read_words(first), read_words(second)
    words, other_words = _plain_words(ones), _plain_words(others)
    shared = words & other_words
    least = 1 if same_subject else LEAST_WORDS_APART
    if len(shared) < least or len(shared) < LEAST_SHARED * min(len(words), len(other_words)):
        return None
    for kind in ("number", "date"):
        mine, theirs = _values(ones, kind), _values(others, kind)
        if mine and theirs and _differ(mine, theirs):
            return Conflict(kind, tuple(mine.values()), tuple(theirs.values()))
    if len(shared) < 0.75 * max(len(words), len(other_words)):
        return None
    denied, other_denied = _denials(ones), _denials(others)
    if bool(denied) != bool(other_denied) and _values(ones, "number").keys() == _values(others, "number").keys():
        return Conflict("polarity", denied, other_denied)
    names, other_names = _names(ones), _names(others)
    if 1 <= len(names) <= 3 and len(names) == len(other_names) and not names.keys() & other_names.keys():
        return Conflict("name", tuple(names.values()), tuple(other_names.values()))
    return None


def is_near_copy(first: str, second: str) -> bool:
    """True when two texts say the same in nearly the same words: same numbers, names and denials.

    >>> is_near_copy("The fee is 5 €.", "the fee is 5 € ."), is_near_copy("The fee is 5 €.", "The fee is 6 €.")
    (True, False)
    """
    ones, others = read_words(first), read_words(second)
    keys, other_keys = [word.key for word in ones], [word.key for word in others]
    if keys == other_keys:
        return bool(keys)
    if not keys or not other_keys or not 0.8 < len(keys) / len(other_keys) < 1.25:
        return False
    if {w.key for w in ones if w.is_number or w.key in DENIALS} != {
        w.key for w in others if w.is_number or w.key in DENIALS
    }:
        return False
    if _names(ones).keys() != _names(others).keys():
        return False
    pairs, other_pairs = set(pairwise(keys)), set(pairwise(other_keys))
    union = pairs | other_pairs
    return bool(union) and len(pairs & other_pairs) >= 0.85 * len(union)


@dataclass(frozen=True)
class TextSignature:
    """The words of a text in pairs, and its numbers: by these, copies of a long text are found."""

    pairs: frozenset[tuple[str, str]]
    numbers: frozenset[str]

    @classmethod
    def of(cls, text: str) -> TextSignature:
        """Return the signature of a text."""
        keys = [word.casefold() for word in re.findall(r"\w+", text)]
        numbers = frozenset(key for key in keys if any(char.isdigit() for char in key))
        return cls(frozenset(pairwise(keys)), numbers)

    def is_like(self, other: TextSignature) -> bool:
        """Return whether two texts have nearly the same words, whatever their numbers."""
        union = len(self.pairs | other.pairs)
        return bool(union) and len(self.pairs & other.pairs) >= LIKE * union


LIKE = 0.8
"""Share of their pairs of words that two texts have in common from which on one is a copy of the other."""


def _plain_words(words: Sequence[ClaimWord]) -> set[str]:
    return {word.stem or word.key for word in words if word.kind == "word" and word.is_content and not word.is_name}


def _values(words: Sequence[ClaimWord], kind: str) -> dict[str, str]:
    return {word.key: word.text for word in words if word.kind == kind}


def _differ(mine: dict[str, str], theirs: dict[str, str]) -> bool:
    """True when neither side's values hold the other's, and they are of the same units."""
    one, other = set(mine), set(theirs)
    if one <= other or other <= one:
        return False
    only, only_other = one - other, other - one
    units = {key.partition(" ")[2] for key in only}
    return bool(units & {key.partition(" ")[2] for key in only_other})


def _denials(words: Sequence[ClaimWord]) -> tuple[str, ...]:
    return tuple(word.text for word in words if word.key in DENIALS)


def _names(words: Sequence[ClaimWord]) -> dict[str, str]:
    return {word.key: word.text for word in words if word.is_name and word.kind == "word"}
