"""The self-check of a page: its text layer against the text that came out. Pure functions over strings.

The layer is no truth in its order, but a line that ends in the middle of a sentence and is followed by one that begins
in lower case is nearly always one sentence. Such a pair that does not stand together in the text is a *break*. Letters
and digits of the layer that the text lacks are *losses*; numbers of the text that the layer lacks are *inventions*
(two cells fused into one).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

MIN_PAIRS = 4
"""Fewer pairs of lines than this say nothing about the order of a page."""
_NOT_ALNUM = re.compile(r"[\W_]+")
_DIGITS = re.compile(r"\d+")
_MARKED = re.compile(r"(\d+)\[?\^(\d+)")
"""A number with the mark of a note, which its layer writes as one: 1,2501."""
_FIGURE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
"""A figure of the text; its name has numbers of its own."""
_MID_SENTENCE = re.compile(r"[^\W\d_][,\-\u00ad\u0002\ufffe]?$")


def squash(text: str) -> str:
    """Return the letters and digits of a text in one case and one form, which neither layout nor Markdown changes.

    >>> squash("| The **Ofﬁce** |")
    'theoffice'
    """
    return _NOT_ALNUM.sub("", unicodedata.normalize("NFKC", text).casefold())


@dataclass(frozen=True)
class Discrepancies:
    """Differences between the text layer of a page and the text made of it."""

    breaks: tuple[str, ...]
    """Ends and beginnings of lines (squashed) that belong together and do not stand together."""
    pairs: int
    """Pairs of lines that were looked at."""
    losses: tuple[str, ...]
    """Words of the layer that are missing."""
    inventions: tuple[str, ...]
    """Numbers of the text that the layer does not have."""

    @property
    def continuity(self) -> float:
        """Share of the pairs that stand together; 1 where there are too few to say."""
        return 1 - len(self.breaks) / self.pairs if self.pairs >= MIN_PAIRS else 1.0

    @property
    def is_clean(self) -> bool:
        return not (self.breaks or self.losses or self.inventions)


def sentence_pairs(lines: Sequence[str]) -> list[str]:
    """Return the joints (last words and first words, squashed) of lines that one sentence runs through."""
    joints: list[str] = []
    for first, second in pairwise(lines):
        before, after = first.split(), second.split()
        if len(before) < 4 or len(after) < 3 or not after[0][0].islower():
            continue
        if _MID_SENTENCE.search(first.rstrip()) and sum(char.isdigit() for char in first + second) < 8:
            joints.append(squash(" ".join(before[-3:])) + squash(" ".join(after[:3])))
    return joints


def line_joints(lines: Sequence[str]) -> list[str]:
    """Return the joints inside of and between all lines: where rows, lines or cells were exchanged, some are broken."""
    rows = [[squash(word) for word in line.split() if squash(word)] for line in lines]
    rows = [row for row in rows if row]
    joints = [one + two for row in rows for one, two in pairwise(row)]
    return joints + ["".join(one[-2:] + two[:2]) for one, two in pairwise(rows)]


def compare(
    layer: Sequence[str], text: str, left_out: Iterable[str] = (), *, joints: Sequence[str] | None = None
) -> Discrepancies:
    """Return how ``text`` differs from the lines of the ``layer``; what is ``left_out`` by name is no loss.

    ``joints`` must stand together in the text; without them, those of the sentences.

    >>> compare(["Total 12", "Paid 34"], "Total 12").losses
    ('Paid', '34')
    """
    text = _FIGURE.sub(" ", text)
    known = "\n".join([text, *left_out])
    squashed = squash(text)
    wanted = sentence_pairs(layer) if joints is None else joints
    breaks = tuple(joint for joint in wanted if joint not in squashed)
    return Discrepancies(breaks, len(wanted), _losses(layer, known), _inventions(layer, text))


def _losses(layer: Sequence[str], known: str) -> tuple[str, ...]:
    """Return the words of the layer whose letters or digits the known text does not have often enough."""
    missing = Counter(squash("\n".join(layer))) - Counter(squash(known))
    if not missing:
        return ()
    tokens = Counter(token for word in known.split() if (token := squash(word)))
    losses: list[str] = []
    for word in (word for line in layer for word in line.split()):
        token = squash(word)
        if tokens[token] > 0:
            tokens[token] -= 1
        elif token and not Counter(token) - missing:
            losses.append(word)
            missing -= Counter(token)
    return (*losses, *sorted(missing.elements()))


def _inventions(layer: Sequence[str], text: str) -> tuple[str, ...]:
    """Return the numbers of the text that the layer does not have, in order."""
    plain = unicodedata.normalize("NFKC", " ".join(layer))
    known = set(_DIGITS.findall(plain))
    written = unicodedata.normalize("NFKC", text)
    for number, mark in _MARKED.findall(written):
        if number + mark in known:
            known |= {number, mark}
    unknown: dict[str, None] = {}
    for number in _DIGITS.findall(written):
        if number not in known:
            unknown.setdefault(number)
    return tuple(unknown)
