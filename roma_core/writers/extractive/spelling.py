"""Typing errors in a question, read by the words of the passages that were found. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from roma_core.markup.questions import STOP_WORDS, stem_word

SHORTEST = 4
"""Shorter words have too many neighbours."""
LONG = 8
"""From here on two edits are forgiven."""
_LETTERS = re.compile(r"[^\W\d_]+")


def correct_spelling(question: str, texts: Iterable[str]) -> str:
    """Return the question with each word that no text knows replaced by the commonest word of theirs that is near it.

    >>> correct_spelling("anual leeve days", ["Annual leave is 28 days."])
    'annual leave days'
    """
    known = Counter(word for text in texts for word in _LETTERS.findall(text.casefold()) if len(word) >= 3)
    stems = {stem_word(word) for word in known}

    def corrected(match: re.Match[str]) -> str:
        word = match[0]
        folded = word.casefold()
        is_known = folded in known or stem_word(folded) in stems or folded in STOP_WORDS
        if len(folded) < SHORTEST or is_known or (word != folded and match.start() > 0):
            return word
        return _nearest(folded, known) or word

    return _LETTERS.sub(corrected, question)


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
