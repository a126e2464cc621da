"""The writer without a language model: the sentences that answer best, quoted word for word and cited.

The cross-encoder reads every sentence of the passages that are near the best one, each in its surroundings
(``units``). The best is quoted, with up to two more close to it and the sentence that goes on from it. The tuning and
its results on questions that nothing was tuned on are in ``docs/12_EXTRACTIVE.md``. It is no judge of questions that
the passages nearly answer: relevance is not answerability.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from roma_core.cache import Cache
from roma_core.languages import describe_language, is_covered
from roma_core.llm.base import I_DONT_KNOW
from roma_core.rerank import find_languages
from roma_core.types import ComponentHealth, ScoredChunk, Usage, digest
from roma_core.writers.base import Draft, WritingContext
from roma_core.writers.extractive.calibration import UNCALIBRATED, thresholds_of
from roma_core.writers.extractive.overlap import OverlapRanker
from roma_core.writers.extractive.selection import choose_units, is_echo, missing_names, render_quotes
from roma_core.writers.extractive.spans import LEAST_SHARE, find_foreign_language, quote_by_spans
from roma_core.writers.extractive.units import quotable_units
from roma_core.writers.followups import from_headings

VERSION = "4"
CACHE_KIND = "quotes"
MOST_PASSAGES = 5


class SentenceRanker(Protocol):
    """The part of a reranker that this writer needs: its name, and a score a text, higher is better."""

    @property
    def name(self) -> str: ...

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]: ...


class QuotedAnswer(BaseModel):
    """The pieces of a quoted answer in order, and a remark on its certainty."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pieces: tuple[str, ...]
    remark: str = ""


class ExtractiveWriter:
    """Writer that quotes what ``ranker`` finds best; None ranks by shared words.

    ``why`` says why answers are quoted::

        writer = ExtractiveWriter(LocalReranker())
        pieces = [piece async for piece in writer.write("When was it built?", passages, context)]

    ``cache`` keeps answers by everything that decides them.
    """

    name = "extractive"

    def __init__(self, ranker: SentenceRanker | None = None, *, why: str = "", cache: Cache | None = None) -> None:
        self._ranker: SentenceRanker = ranker or OverlapRanker()
        self._ranks_by_words = ranker is None
        self._thresholds = thresholds_of(self._ranker.name)
        self._languages = frozenset({"en"}) if ranker is None else find_languages(self._ranker.name)
        self._why = why
        self._cache = cache

    @property
    def fingerprint(self) -> str:
        return f"extractive/{VERSION}:{self._ranker.name}"

    async def health(self) -> ComponentHealth:
        """The ranker reports its own health as ``reranker``."""
        return ComponentHealth()

    async def write(
        self, question: str, passages: Sequence[ScoredChunk], context: WritingContext
    ) -> AsyncGenerator[str | Draft, None]:
        """Yield quotes with their markers, or the sentence that ROMA does not know. Raises the ranker's error."""
        asked = _with_reading(question, context.reading)
        answer, is_cached = await self._cached_answer(asked, passages)
        for piece in answer.pieces:
            yield piece
        yield Draft(
            text="".join(answer.pieces),
            model=self.name,
            reason="; ".join(part for part in (self._why, answer.remark) if part),
            follow_ups=from_headings(question, passages),
            usage=Usage(cache_hits=1) if is_cached else Usage(),
            passages_read=len(passages),
        )

    async def _cached_answer(self, question: str, passages: Sequence[ScoredChunk]) -> tuple[QuotedAnswer, bool]:
        """Return the answer and True when it came out of the cache."""
        cache = self._cache
        if cache is None or not (cache.reads or cache.writes):
            return await self.answer(question, passages), False
        key = self._key(question, passages)
        data = await asyncio.to_thread(cache.get, CACHE_KIND, key)
        kept = _read_answer(data)
        if kept is not None:
            return kept, True
        answer = await self.answer(question, passages)
        await asyncio.to_thread(cache.put, CACHE_KIND, key, answer.model_dump_json().encode())
        return answer, False

    async def answer(self, question: str, passages: Sequence[ScoredChunk]) -> QuotedAnswer:
        """Return the quotes that answer ``question``, or the refusal with the score that decided it."""
        thresholds = self._thresholds or UNCALIBRATED
        considered = passages[:MOST_PASSAGES]
        if not considered:
            return _refusal("no passages")
        foreign = await asyncio.to_thread(find_foreign_language, self._languages, question, considered)
        if foreign:
            return await self._quote_by_spans(question, considered, foreign)
        considered = [passage for passage in considered if is_covered(self._languages, passage.chunk.facts.language)]
        passage_scores = await self._passage_scores(question, considered)
        best = max(passage_scores)
        if best < thresholds.refuse_below:
            return _refusal(f"best passage scores {best:.1f}, below {thresholds.refuse_below}")

        units = [unit for unit in quotable_units(considered) if not is_echo(question, unit.quote)]
        least = best - thresholds.passage_gap
        near = [unit for unit in units if passage_scores[unit.passage - 1] >= least]
        units = near or units
        if not units:
            return _refusal("the passages hold no sentence to quote")

        scores = await self._ranker.scores(question, [unit.scored_text for unit in units])
        chosen = choose_units(units, scores, thresholds.gap)
        missing = missing_names(question, chosen)
        evidence = best + max(scores) - thresholds.missing * len(missing)
        if evidence < thresholds.answer_from:
            return _refusal(f"the evidence scores {evidence:.1f}, below {thresholds.answer_from}")

        remark = "" if evidence >= thresholds.confident_from else "low confidence"
        if self._thresholds is None:
            remark = f"uncalibrated reranker {self._ranker.name or 'without a name'}: never refuses"
        return QuotedAnswer(pieces=tuple(render_quotes(chosen)), remark=remark)

    async def _quote_by_spans(self, question: str, passages: Sequence[ScoredChunk], language: str) -> QuotedAnswer:
        """Return quotes without the ranker, which was not measured on ``language``; the remark says so."""
        note = f"quoted by shared words: {self._ranker.name} was not measured on {describe_language(language)}"
        quotes = await asyncio.to_thread(quote_by_spans, question, passages)
        if quotes.share < LEAST_SHARE:
            return _refusal(
                f"{note}; the best sentence shares {quotes.share:.0%} of the question, below {LEAST_SHARE:.0%}"
            )
        return QuotedAnswer(pieces=tuple(render_quotes(quotes.units)), remark=note)

    async def _passage_scores(self, question: str, passages: Sequence[ScoredChunk]) -> list[float]:
        """Return the scores that retrieval already paid for, if the same reranker gave them to all."""
        known = [passage.scores["rerank"] for passage in passages if "rerank" in passage.scores]
        if len(known) == len(passages) and not self._ranks_by_words:
            return known
        return await self._ranker.scores(question, [passage.chunk.text for passage in passages])

    def _key(self, question: str, passages: Sequence[ScoredChunk]) -> str:
        """Return the hash of everything that decides the answer."""
        parts: list[str] = []
        for passage in passages[:MOST_PASSAGES]:
            parts += [passage.chunk.model_dump_json(), str(passage.scores.get("rerank"))]
        return digest(CACHE_KIND, self.fingerprint, question, *parts)


def _with_reading(question: str, reading: str) -> str:
    """Return the words to rank by: the question, with the reading of the conversation where that adds to it."""
    if not reading:
        return question
    return reading if question in reading else f"{question} ({reading})"


def _refusal(remark: str) -> QuotedAnswer:
    return QuotedAnswer(pieces=(I_DONT_KNOW,), remark=remark)


def _read_answer(data: bytes | None) -> QuotedAnswer | None:
    """Return a cached answer; None for one that another version wrote."""
    if data is None:
        return None
    try:
        return QuotedAnswer.model_validate_json(data)
    except ValidationError:
        return None
