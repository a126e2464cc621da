"""Typing errors in a question, read by the words of the passages that were found. Pure.

A word of the language is no typing error, whether a passage has it or not: "share" is not read as "spare".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from roma_core.markup.questions import STOP_WORDS, stem_word

SHORTEST = 4
"""Shorter words have too many neighbours."""
LONG = 8
"""From here on two edits are forgiven."""
_LETTERS = re.compile(r"[^\W\d_]+")


LEAST_MISSPELT = 6
"""Letters of a word from which one of them may be wrong in any language."""


def correct_spelling(question: str, texts: Iterable[str], language: Collection[str] = ()) -> str:
    """Return the question with each word that no text knows replaced by the commonest word of theirs that is near it.

    ``language`` has words, in small letters, that are right whatever the texts say.

    >>> correct_spelling("anual leeve days", ["Annual leave is 28 days."])
    'annual leave days'
    >>> correct_spelling("the share of tyres", ["A spare tyre."], {"share"})
    'the share of tyres'
    """
    known = Counter(word for text in texts for word in _LETTERS.findall(text.casefold()) if len(word) >= 3)
    stems = {stem_word(word) for word in known}

    def corrected(match: re.Match[str]) -> str:
        word = match[0]
        folded = word.casefold()
        is_known = folded in known or stem_word(folded) in stems or folded in STOP_WORDS
        is_known = is_known or any(form in language for form in _list_forms(folded))
        if len(folded) < SHORTEST or is_known or (word != folded and match.start() > 0):
            return word
        return _nearest(folded, known) or word

    return _LETTERS.sub(corrected, question)


def _list_forms(word: str) -> Iterator[str]:
    """Yield a word and what it may be an ending of: a list of words seldom has all forms."""
    yield word
    for suffix in ("s", "es", "d", "ed", "ing", "ly", "er", "ers"):
        root = word.removesuffix(suffix)
        if root != word and len(root) >= SHORTEST:
            yield root
            if suffix in {"ing", "ed", "er"}:
                yield f"{root}e"
    if word.endswith(("ies", "ied")):
        yield f"{word[:-3]}y"


def _nearest(word: str, known: Counter[str]) -> str:
    edits = 2 if len(word) >= LONG else 1
    near = [
        (other, d)
        for other in known
        if abs(len(other) - len(word)) <= edits
        and other[0] == word[0]
        and len(other) >= SHORTEST
        and (d := count_edits(word, other, edits)) <= edits
    ]
    if not near:
        return ""
    return min(near, key=lambda pair: (pair[1], -known[pair[0]], pair[0]))[0]


def find_misspelt(word: str, known: Collection[str]) -> str:
    """Return the first word of ``known`` that another one is with one letter wrong; nothing without one.

    Both begin alike, and short words are left alone.

    >>> find_misspelt("arosage", ["arroser", "arrosage"]), find_misspelt("lac", ["sac"])
    ('arrosage', '')
    """
    if len(word) < LEAST_MISSPELT or not word.isalpha():
        return ""
    alike = (other for other in known if other[:1] == word[:1] and abs(len(other) - len(word)) <= 1)
    return next((other for other in alike if count_edits(word, other, 1) == 1), "")


def count_edits(one: str, other: str, most: int) -> int:
    """Return the number of letters to insert, drop, change or swap with the next one; ``most + 1`` for more of them.

    >>> count_edits("anual", "annual", 2), count_edits("taht", "that", 2)
    (1, 1)
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        current = [i]
        for j, wanted in enumerate(other, start=1):
            cost = min(row[j] + 1, current[-1] + 1, row[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, before[j - 2] + 1)
            current.append(cost)
        if min(current) > most:
            return most + 1
        before, row = row, current
    return min(row[-1], most + 1)
