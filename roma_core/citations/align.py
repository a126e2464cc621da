"""Alignment of a claim with a passage, word by word: what follows the source, and what differs from it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from roma_core.citations.words import ClaimWord

_MATCH = 10
_CONTENT = 20
_RUN = 6
"""Added for a match that goes on from the one before, so that words are matched where their neighbours are."""


@dataclass(frozen=True)
class Edit:
    """Words between two matches: ``claim`` has the first, the source has the second in their place."""

    claim: tuple[ClaimWord, ...]
    source: tuple[ClaimWord, ...]
    at_start: bool = False
    at_end: bool = False
    claim_index: int = 0
    source_index: int = 0


@dataclass(frozen=True)
class Alignment:
    """Pairs of matched indexes in order, and the edits between them."""

    pairs: tuple[tuple[int, int], ...]
    edits: tuple[Edit, ...]

    @property
    def first(self) -> int:
        """Return the index of the first source word that is matched."""
        return self.pairs[0][1]

    @property
    def last(self) -> int:
        """Return the index of the last source word that is matched."""
        return self.pairs[-1][1]


def align(claim: Sequence[ClaimWord], source: Sequence[ClaimWord]) -> Alignment:
    """Return the alignment of the greatest weight: content counts more than other words, runs more than single ones."""
    pairs = tuple(_best_pairs(claim, source))
    return Alignment(pairs, tuple(_edits(claim, source, pairs)))


def _best_pairs(claim: Sequence[ClaimWord], source: Sequence[ClaimWord]) -> list[tuple[int, int]]:
    rows, columns = len(claim), len(source)
    keys = [word.key for word in source]
    best = [[0] * (columns + 1) for _ in range(rows + 1)]
    runs = [[0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(1, rows + 1):
        word = claim[i - 1]
        key, weight = word.key, _CONTENT if word.is_content else _MATCH
        above, here, runs_above, runs_here = best[i - 1], best[i], runs[i - 1], runs[i]
        for j in range(1, columns + 1):
            value = above[j] if above[j] >= here[j - 1] else here[j - 1]
            if keys[j - 1] == key:
                goes_on = runs_above[j - 1]
                run = weight + max(goes_on + _RUN if goes_on else 0, above[j - 1])
                runs_here[j] = run
                if run > value:
                    value = run
            here[j] = value
    pairs: list[tuple[int, int]] = []
    i, j = rows, columns
    in_run = False
    while i > 0 and j > 0:
        if in_run or (runs[i][j] and runs[i][j] == best[i][j]):
            weight = _CONTENT if claim[i - 1].is_content else _MATCH
            pairs.append((i - 1, j - 1))
            previous = runs[i - 1][j - 1]
            in_run = bool(previous) and runs[i][j] == weight + previous + _RUN
            i, j = i - 1, j - 1
        elif best[i][j] == best[i - 1][j]:
            i -= 1
        else:
            j -= 1
    return pairs[::-1]


def _edits(claim: Sequence[ClaimWord], source: Sequence[ClaimWord], pairs: Sequence[tuple[int, int]]) -> list[Edit]:
    edits: list[Edit] = []
    next_claim = next_source = 0
    for i, j in [*pairs, (len(claim), len(source))]:
        if i > next_claim or j > next_source:
            edits.append(
                Edit(
                    tuple(claim[next_claim:i]),
                    tuple(source[next_source:j]),
                    at_start=next_claim == 0 and (not pairs or (i, j) == pairs[0]),
                    at_end=(i, j) == (len(claim), len(source)),
                    claim_index=next_claim,
                    source_index=next_source,
                )
            )
        next_claim, next_source = i + 1, j + 1
    return edits


def find_run(claim: Sequence[str], source: Sequence[str]) -> int:
    """Return where all keys of the claim stand in the source in one run; -1 where they do not."""
    if not claim:
        return -1
    first, size = claim[0], len(claim)
    for index in range(len(source) - size + 1):
        if source[index] == first and list(source[index : index + size]) == list(claim):
            return index
    return -1


def copied_share(claim: Sequence[str], source: Sequence[str], shortest: int = 3) -> float:
    """Return the share of the claim's words that stand in runs of at least ``shortest`` words of the source."""
    if not claim:
        return 0.0
    places: dict[tuple[str, ...], list[int]] = {}
    for index in range(len(source) - shortest + 1):
        places.setdefault(tuple(source[index : index + shortest]), []).append(index)
    covered = 0
    index = 0
    while index <= len(claim) - shortest:
        longest = 0
        for place in places.get(tuple(claim[index : index + shortest]), ()):
            length = shortest
            while (
                index + length < len(claim)
                and place + length < len(source)
                and claim[index + length] == source[place + length]
            ):
                length += 1
            longest = max(longest, length)
        covered += longest
        index += longest or 1
    return covered / len(claim)
