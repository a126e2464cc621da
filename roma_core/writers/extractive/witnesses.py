"""Other sources that may say otherwise: candidates of the search beside the passages that are read. Pure.

The second side of a conflict is often not among the best five passages, as its words differ more from the question's.
So the candidates of the search are looked through by rules: the words of the question that the best sentence has, and
its names. What might contradict is read by the ranker then, as the sentences of the passages are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from roma_core.markup.questions import Question, content_words
from roma_core.types import Chunk, ScoredChunk
from roma_core.writers.extractive.selection import (
    ANSWER_GAP,
    count_names,
    find_contradiction,
    find_corrected,
)
from roma_core.writers.extractive.units import QuotableUnit, quotable_units

MOST_WITNESSES: Final = 12
"""Candidates that are taken apart into sentences."""
MOST_READ: Final = 6
"""Sentences of them that the ranker reads."""
MOST_RELATIVES: Final = 2
"""Other editions of a document that are read for their tables."""
LEAST_WITNESS_SHARE: Final = 0.6
"""Share of the question's words which the best sentence has that a candidate needs."""
LEAST_NAME_LETTERS: Final = 4


@dataclass(frozen=True)
class Witness:
    """A sentence of a candidate that may contradict the best one, and its passage."""

    unit: QuotableUnit
    passage: ScoredChunk


def find_witnesses(question: Question, best: QuotableUnit, candidates: Sequence[ScoredChunk]) -> list[Witness]:
    """Return the sentences of other documents that rules say may contradict the best one, the likeliest first."""
    wanted = question.words & content_words(best.scored_text)
    if not wanted:
        return []
    names = count_names(question, best.scored_text)
    shares: list[tuple[float, int]] = []
    for index, candidate in enumerate(candidates):
        chunk = candidate.chunk
        if chunk.document_id == best.document_place[0]:
            continue
        held = f"{chunk.title}\n{chunk.indexed_text}"
        words = content_words(chunk.text) | content_words(f"{chunk.title}\n{chunk.context}")
        share = len(wanted & words) / len(wanted)
        may_list_questions = "?" in chunk.text and bool(question.words & content_words(chunk.title))
        if may_list_questions or (share >= LEAST_WITNESS_SHARE and count_names(question, held) >= names):
            shares.append((-share, index))
    chosen = [candidates[index] for _, index in sorted(shares)[:MOST_WITNESSES]]
    units = [
        unit for unit in quotable_units(chosen) if is_contrary(question, best, unit, chosen[unit.passage - 1].chunk)
    ]
    units.sort(key=lambda unit: -len(question.words & content_words(unit.scored_text)))
    return [Witness(unit, chosen[unit.passage - 1]) for unit in units[:MOST_READ]]


def is_contrary(question: Question, best: QuotableUnit, unit: QuotableUnit, around: Chunk) -> bool:
    """Return whether a sentence contradicts or corrects the best one, were it ranked as an answer."""
    if find_corrected(question, best, unit, around) is not None:
        return True
    return find_contradiction(question, best, unit, ANSWER_GAP, around) is not None


def find_relatives(passages: Sequence[ScoredChunk], candidates: Sequence[ScoredChunk]) -> tuple[str, ...]:
    """Return the ids of other editions of the passages' documents: named alike but for their numbers.

    ``fares-2024.md`` is a relative of ``fares-2025.md``.
    """
    known = {passage.chunk.document_id for passage in passages}
    families = {_read_family(passage) for passage in passages} - {""}
    relatives: dict[str, None] = {}
    for candidate in candidates:
        if candidate.chunk.document_id not in known and _read_family(candidate) in families:
            relatives.setdefault(candidate.chunk.document_id)
    return tuple(relatives)[:MOST_RELATIVES]


def _read_family(passage: ScoredChunk) -> str:
    """Return the name of a passage's file without its numbers; empty where it has none, or nothing else."""
    name = PurePosixPath(unquote(urlsplit(passage.chunk.uri).path)).stem.casefold()
    family, numbers = re.subn(r"\d+", "#", name)
    return family if numbers and sum(char.isalpha() for char in family) >= LEAST_NAME_LETTERS else ""
