"""Memory: from questions to the passages that may answer them.

BM25 and vectors are searched side by side, fused by min-max, and the top is mixed with the cross-encoder's scores. A
part that is unavailable is left out and reported: without the embedder the lexical order stands, without the reranker
the fused one.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import math
import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from pydantic import ValidationError

from roma_core.agents.base import Agent, boundary, gather_all
from roma_core.agents.context import Context, Lookup
from roma_core.agents.pipeline import Recovery, Stage, Then
from roma_core.citations.conflicts import TextSignature
from roma_core.embeddings.base import Embedder, charge_to
from roma_core.errors import AgentFailure, InputError, explain_invalid, guarded, suggest_name
from roma_core.identity import ScopeFinder, permit_everything
from roma_core.languages import describe_language, detect_language, is_covered
from roma_core.markup.questions import focus_question
from roma_core.markup.windows import cut_windows
from roma_core.perloop import PerLoop
from roma_core.rerank import Reranker, find_languages, mix, score_until_settled
from roma_core.settings import RetrievalSettings
from roma_core.settings.retrieval import RerankDepth
from roma_core.store.base import ChunkStore
from roma_core.store.fusion import fuse
from roma_core.telemetry import logs
from roma_core.types import (
    ComponentHealth,
    Principal,
    ReadScope,
    ScoredChunk,
    SearchHit,
    SearchLeg,
    SearchReport,
)

_DEFAULTS = RetrievalSettings()

CONCURRENT_SEARCHES = 16
"""Searches at once on an event loop; more of them finish none earlier. With a thousand at once no turn of the loop
would end for seconds, and connections that are made meanwhile would time out."""
LEAST_READ = 4
"""Passages that are read for each of several look-ups, or twice as many as it can bring in, if that is more."""
MOST_COPIES = 2
"""Passages of one wording among those of an answer: more of them would crowd out what else there is."""
MOST_COMPARED = 4
"""Candidates that are compared, for each passage that is wanted."""


@dataclass(frozen=True)
class Recall:
    """Passages for one question, best first, and the parts that were unavailable during the search."""

    question: str
    passages: tuple[ScoredChunk, ...] = ()
    degraded: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """Remarks on how the passages were ranked."""


@dataclass(frozen=True)
class RetrievalConfig:
    """Numbers of passages that are fetched and reranked, and weights; the docs say where they were measured.

    One value that a notebook sweeps; its fields are named like the settings::

        for config in RetrievalConfig.grid(lexical_weight=(0.0, 0.4, 1.0), rerank_limit=(0, 20)):
            report = await roma.explain_search("rope bridge", config=config)
    """

    retrieve_limit: int = _DEFAULTS.retrieve_limit
    lexical_weight: float = _DEFAULTS.lexical_weight
    rerank_limit: int = _DEFAULTS.rerank_limit
    rerank_weight: float = _DEFAULTS.rerank_weight

    @classmethod
    def of(cls, settings: RetrievalSettings) -> RetrievalConfig:
        """Return the numbers of ``settings``."""
        return cls(**{field.name: getattr(settings, field.name) for field in fields(cls)})

    @classmethod
    def grid(cls, **values: Sequence[float]) -> list[RetrievalConfig]:
        """Return a config for each combination of the values. Raises ``InputError`` for a name or value that is wrong.

        >>> len(RetrievalConfig.grid(lexical_weight=(0.0, 0.4), rerank_limit=(0, 20)))
        4
        """
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise InputError(f"A search has no number {name!r}. {suggest_name(name, known)}")
        combined = (dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values()))
        return [cls.of(_check_numbers(numbers)) for numbers in combined]

    def as_settings(self) -> dict[str, float]:
        """Return the numbers by the names of their settings: ``settings.replace(config.as_settings())``."""
        return asdict(self)


class MemoryAgent(Agent):
    """Finds passages. ``reranker`` None keeps the fused order."""

    name = "memory"

    def __init__(
        self,
        store: ChunkStore,
        embedder: Embedder,
        reranker: Reranker | None,
        limits: RetrievalConfig | None = None,
        find_scope: ScopeFinder = permit_everything,
        depth: RerankDepth = _DEFAULTS.rerank_depth,
    ) -> None:
        """``find_scope`` finds what the caller of a query may read; both searches are confined to it.

        ``depth`` says whether the reranker reads windows of passages and stops when the order of the best is settled,
        or reads all candidates whole.
        """
        self._find_scope = find_scope
        self._store = store
        self._embedder = embedder
        self._reranker = reranker
        self._limits = limits or RetrievalConfig()
        self._depth = depth
        self._search_slots = PerLoop(functools.partial(asyncio.Semaphore, CONCURRENT_SEARCHES))

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages retrieve, rerank and select."""
        nothing = "no passages, so the answer is that ROMA does not know"
        return (
            Stage(
                "retrieve",
                self._retrieve_lookups,
                Recovery(2, Then.GO_ON_DEGRADED, nothing),
                says="Looking for passages …",
                agent=self,
                event_at_end="retrieved",
                detail=_count_found,
                every_round=True,
                version="1",
                parameters={"limit": self._limits.retrieve_limit, "lexical_weight": self._limits.lexical_weight},
            ),
            Stage(
                "rerank",
                self._rerank_lookups,
                Recovery(2, Then.GO_ON_DEGRADED, "the fused order"),
                says="Ranking {n} passages …",
                agent=self,
                event_at_end="reranked",
                detail=self._count_reranked,
                every_round=True,
                version="4",
                parameters={
                    "limit": self.rerank_limit,
                    "weight": self._limits.rerank_weight,
                    "depth": self._depth,
                },
            ),
            Stage(
                "select",
                self._select_passages,
                Recovery(0, Then.FAIL, "more passages than were asked for are never read"),
                says="Choosing passages …",
                agent=self,
                event_at_start="",
                version="2",
            ),
        )

    async def health(self) -> ComponentHealth:
        store = await self._store.health()
        return ComponentHealth(name=self.name, state=store.state, reason=store.reason)

    @boundary
    async def retrieve(self, question: str, *, who: Principal, filters: dict[str, Any]) -> Recall | AgentFailure:
        """Return passages that ``who`` may read, by the fused score.

        Fails when both searches fail, when the filters are wrong, or when the grants cannot be read.
        """
        scope = await self._find_scope(who)
        async with self._search_slots.get():
            lexical, dense = await asyncio.gather(
                guarded(f"{self.name}.lexical", self._search_words(question, who.tenant, filters, scope)),
                guarded(f"{self.name}.dense", self._search_vectors(question, who.tenant, filters, scope)),
            )
        return self._fuse_legs(question, lexical, dense, scope)

    def _fuse_legs(
        self,
        question: str,
        lexical: list[ScoredChunk] | AgentFailure,
        dense: list[ScoredChunk] | AgentFailure,
        scope: ReadScope,
    ) -> Recall | AgentFailure:
        failures = [search for search in (lexical, dense) if isinstance(search, AgentFailure)]
        for failure in failures:
            if len(failures) == 2 or failure.code == InputError.default_code:
                return failure.model_copy(update={"agent": self.name})
        passages = fuse(
            [] if isinstance(lexical, AgentFailure) else keep_permitted(lexical, scope),
            [] if isinstance(dense, AgentFailure) else keep_permitted(dense, scope),
            lexical_weight=self._limits.lexical_weight,
            limit=self._limits.retrieve_limit,
        )
        return Recall(question, tuple(passages), tuple(_unavailable(failure) for failure in failures))

    @boundary
    async def rerank(self, recall: Recall, *, limit: int | None = None, top: int | None = None) -> Recall:
        """Return the same passages in the mixed order. Only the first ``limit`` (default: the setting) are read.

        With ``top``, the passages that are wanted, no more are read than it takes until their order is settled, see
        ``is_order_settled``, where the setting says so. A question that is longer than a cross-encoder reads is cut to
        what it asks.
        """
        limit = self._limits.rerank_limit if limit is None else min(limit, self._limits.rerank_limit)
        if self._reranker is None or not limit or not recall.passages:
            return recall
        languages = find_languages(self._reranker.name)
        language = await asyncio.to_thread(detect_language, recall.question)
        candidates = recall.passages[:limit]
        readable = [passage for passage in candidates if is_covered(languages, passage.chunk.facts.language)]
        if not is_covered(languages, language) or not readable:
            language = language if not is_covered(languages, language) else candidates[0].chunk.facts.language
            note = f"ranked by fusion alone: the reranker was not measured on {describe_language(language)}"
            return replace(recall, notes=(*recall.notes, note))
        question = focus_question(recall.question)
        chunks = [passage.chunk for passage in readable]
        if self._depth == "full":
            texts = [chunk.indexed_text for chunk in chunks]
        else:
            texts = await asyncio.to_thread(cut_windows, question, chunks)
        weight = self._limits.rerank_weight
        is_whole = len(readable) == len(candidates)
        if top is None or self._depth == "full" or not is_whole:
            scoring = self._reranker.scores(question, texts)
        else:
            own = [passage.score for passage in candidates]
            scoring = score_until_settled(self._reranker, question, texts, own, top=top, weight=weight)
        scores = await guarded(f"{self.name}.rerank", scoring)
        if isinstance(scores, AgentFailure):
            return replace(recall, degraded=(*recall.degraded, _unavailable(scores)))
        if is_whole:
            mixed = mix(recall.passages, scores, weight=weight, window=len(candidates))
            return replace(recall, passages=tuple(mixed))
        ranked = mix(readable, scores, weight=weight)
        return replace(recall, passages=put_in_places(recall.passages, ranked))

    @property
    def rerank_limit(self) -> int:
        """The number of passages that a query reranks, over all of its look-ups."""
        return self._limits.rerank_limit if self._reranker is not None else 0

    @boundary
    async def explain(
        self, question: str, *, who: Principal, filters: dict[str, Any], limit: int
    ) -> SearchReport | AgentFailure:
        """Return the passages for a question as ``retrieve`` and ``rerank`` rank them, and what decided the order."""
        started = time.perf_counter()
        scope = await self._find_scope(who)
        words = self._search_words(question, who.tenant, filters, scope)
        vectors = self._search_vectors(question, who.tenant, filters, scope)
        async with self._search_slots.get():
            lexical, dense = await asyncio.gather(
                _time_leg("bm25", guarded(f"{self.name}.lexical", words)),
                _time_leg("dense", guarded(f"{self.name}.dense", vectors)),
            )
        legs = (lexical, dense)
        fused_from = time.perf_counter()
        recall = self._fuse_legs(question, lexical.outcome, dense.outcome, scope)
        if isinstance(recall, AgentFailure):
            return recall
        reranked_from = time.perf_counter()
        ranked = await self.rerank(recall, top=limit)
        if isinstance(ranked, AgentFailure):
            return ranked
        ended = time.perf_counter()
        read = sum("rerank" in passage.scores for passage in ranked.passages)
        failure = "".join(ranked.degraded[len(recall.degraded) :])
        report_legs = (
            *(leg.report() for leg in legs),
            SearchLeg(name="fusion", found=len(recall.passages), ms=_elapsed_ms(fused_from, reranked_from)),
            SearchLeg(name="rerank", found=read, ms=_elapsed_ms(reranked_from, ended), failure=failure),
        )
        ranks = [_rank_by_id(leg.passages) for leg in (*legs, TimedLeg("fusion", list(recall.passages), 0.0))]
        hits = [_make_hit(rank, passage, ranks) for rank, passage in enumerate(ranked.passages[:limit], start=1)]
        return SearchReport(
            question=question,
            searched=question,
            filters=dict(filters),
            numbers=self._limits.as_settings(),
            legs=report_legs,
            hits=tuple(hits),
            ms=_elapsed_ms(started, ended),
        )

    def with_config(self, config: RetrievalConfig) -> MemoryAgent:
        """Return an agent over the same parts with other numbers."""
        return MemoryAgent(self._store, self._embedder, self._reranker, config, self._find_scope, self._depth)

    async def _retrieve_lookups(self, context: Context) -> AgentFailure | None:
        """Search for all look-ups that can be made now. A retry repeats only those that failed."""
        for lookup in context.waiting_lookups:
            lookup.round = context.round
        missing = [lookup for lookup in context.current_lookups if lookup.passages is None]
        searches = [self._retrieve_lookup(lookup, context) for lookup in missing]
        outcomes = await gather_all(searches)
        context.passages = self._merge(context)
        failures = [outcome for outcome in outcomes if outcome is not None]
        return failures[0] if failures else None

    async def _retrieve_lookup(self, lookup: Lookup, context: Context) -> AgentFailure | None:
        query = context.query
        text = fill_places(lookup, context) or context.standalone
        if not lookup.rank_by:
            text = focus_question(text)
        recall = await self.retrieve(text, who=query.principal, filters=dict(query.filters))
        if isinstance(recall, AgentFailure):
            return recall
        lookup.text = text
        lookup.passages = recall.passages
        context.degraded += recall.degraded
        return None

    async def _rerank_lookups(self, context: Context) -> AgentFailure | None:
        """Rerank this round's look-ups; each has an equal share of the passages that a query wants and may rerank."""
        top = math.ceil(context.query.top_k / len(context.lookups))
        share = self._rerank_share(context)
        fresh = [lookup for lookup in context.current_lookups if lookup.passages and not lookup.is_ranked]
        recalls = [Recall(lookup.rank_by or lookup.text, lookup.passages or ()) for lookup in fresh]
        outcomes = await gather_all([self.rerank(recall, limit=share, top=top) for recall in recalls])
        for lookup, outcome in zip(fresh, outcomes, strict=True):
            if isinstance(outcome, AgentFailure):
                return outcome
            lookup.passages, lookup.is_ranked = outcome.passages, True
            context.degraded += outcome.degraded
            context.notes += [note for note in outcome.notes if note not in context.notes]
        context.passages = self._merge(context)
        return None

    async def _select_passages(self, context: Context) -> None:
        scope = await self._find_scope(context.query.principal)  # a stage of a plug-in may have added passages
        context.passages = tuple(keep_permitted(context.passages, scope))
        context.considered = tuple(passage.chunk.id for passage in context.passages)
        context.passages = prefer_distinct(context.passages, context.query.top_k)

    def _merge(self, context: Context) -> tuple[ScoredChunk, ...]:
        return interleave([lookup.passages or () for lookup in context.lookups], self._limits.retrieve_limit)

    def _rerank_share(self, context: Context) -> int:
        """Return how many passages of a look-up the reranker may read."""
        count = len(context.lookups)
        share = math.ceil(self.rerank_limit / count)
        if count == 1 or self._depth == "full":
            return share
        return min(share, max(LEAST_READ, 2 * math.ceil(context.query.top_k / count)))

    def _count_reranked(self, context: Context) -> dict[str, int]:
        """Return how many passages the reranker has read, or may read where it has not begun."""
        share = self._rerank_share(context)
        counts: list[int] = []
        for lookup in context.current_lookups:
            passages = lookup.passages or ()
            read = sum("rerank" in passage.scores for passage in passages)
            counts.append(read if lookup.is_ranked else min(share, len(passages)))
        return {"n": sum(counts)}

    async def _search_words(
        self, question: str, tenant: str, filters: dict[str, Any], scope: ReadScope
    ) -> list[ScoredChunk]:
        limit = self._limits.retrieve_limit
        return await self._store.lexical(tenant, question, limit=limit, filters=filters, scope=scope)

    async def _search_vectors(
        self, question: str, tenant: str, filters: dict[str, Any], scope: ReadScope
    ) -> list[ScoredChunk]:
        with charge_to(tenant):
            embedded = await self._embedder.embed_query(question)
        limit = self._limits.retrieve_limit
        return await self._store.dense(tenant, embedded.vector, limit=limit, filters=filters, scope=scope)


def keep_permitted(passages: Sequence[ScoredChunk], scope: ReadScope) -> list[ScoredChunk]:
    """Return the passages in ``scope``. A store filters by itself; what it let through all the same is logged."""
    if scope.is_everything:
        return list(passages)
    permitted = [p for p in passages if scope.permits(p.chunk.document_id, p.chunk.facts.collection)]
    if len(permitted) < len(passages):
        logs.get("memory").error("forbidden_passages_dropped", n=len(passages) - len(permitted))
    return permitted


def prefer_distinct(passages: Sequence[ScoredChunk], limit: int) -> tuple[ScoredChunk, ...]:
    """Return the best ``limit`` passages, of which copies of one text are at most ``MOST_COPIES``.

    Copies of it with other numbers may be versions that contradict it, so that one more of them stays. What is left
    out makes room for the passages that follow, and comes back where there are none.
    """
    kept: list[int] = []
    signatures: dict[int, TextSignature] = {}
    copies: dict[int, int] = {}
    for index, passage in enumerate(passages[: MOST_COMPARED * limit]):
        if len(kept) == limit:
            break
        own = TextSignature.of(passage.chunk.text)
        original = next((i for i in copies if signatures[i].is_like(own)), None)
        if original is None:
            copies[index] = 1
        else:
            most = MOST_COPIES if own.numbers == signatures[original].numbers else MOST_COPIES + 1
            if copies[original] >= most:
                continue
            copies[original] += 1
        signatures[index] = own
        kept.append(index)
    chosen = {*kept}
    rest = (index for index in range(len(passages)) if index not in chosen)
    order = sorted([*kept, *itertools.islice(rest, max(0, limit - len(kept)))])
    return tuple(passages[index] for index in order)


def interleave(rankings: Sequence[Sequence[ScoredChunk]], limit: int) -> tuple[ScoredChunk, ...]:
    """Return the best ``limit`` passages of several rankings: the first of each in turn, then the second, none twice.

    One ranking is only cut. Of several, each keeps its best passages whatever the scale of the others; ``score``
    becomes the reciprocal of the rank and the own score stays in ``scores['own']``.
    """
    rankings = [ranking for ranking in rankings if ranking]
    if not rankings:
        return ()
    if len(rankings) == 1:
        return tuple(rankings[0][:limit])

    merged: dict[str, ScoredChunk] = {}
    for same_rank in itertools.zip_longest(*rankings):
        for passage in same_rank:
            if passage is not None:
                merged.setdefault(passage.chunk.id, passage)
    best = list(merged.values())[:limit]
    return tuple(_with_reciprocal_rank(passage, rank) for rank, passage in enumerate(best, start=1))


def put_in_places(passages: Sequence[ScoredChunk], ranked: Sequence[ScoredChunk]) -> tuple[ScoredChunk, ...]:
    """Return ``passages`` with those of ``ranked`` in their new order at the places that they held before.

    The others, which the reranker does not read, keep their places. ``score`` becomes the reciprocal of the rank and
    the own score stays in ``scores['own']``.
    """
    own = {passage.chunk.id for passage in ranked}
    queue = iter(ranked)
    placed: list[ScoredChunk] = []
    for passage in passages:
        is_ranked = passage.chunk.id in own
        placed.append(next(queue) if is_ranked else passage)
    return tuple(_with_reciprocal_rank(passage, rank) for rank, passage in enumerate(placed, start=1))


def fill_places(lookup: Lookup, context: Context) -> str:
    """Return the words of a look-up with the findings that it builds on; a place without a finding is left out."""
    text = lookup.text
    for number in lookup.needs:
        finding = next((other.finding for other in context.lookups if other.number == number), "")
        text = text.replace(f"{{{number}}}", finding or "")
    return " ".join(text.split())


@dataclass(frozen=True)
class TimedLeg:
    """One leg of a search: what it found, or why it failed, and how long it took."""

    name: str
    outcome: list[ScoredChunk] | AgentFailure
    ms: float

    @property
    def passages(self) -> Sequence[ScoredChunk]:
        """What it found; nothing where it failed."""
        return () if isinstance(self.outcome, AgentFailure) else self.outcome

    def report(self) -> SearchLeg:
        """Return the leg as it is reported."""
        failure = self.outcome.code.value if isinstance(self.outcome, AgentFailure) else ""
        return SearchLeg(name=self.name, found=len(self.passages), ms=self.ms, failure=failure)


async def _time_leg(name: str, search: Awaitable[list[ScoredChunk] | AgentFailure]) -> TimedLeg:
    started = time.perf_counter()
    outcome = await search
    return TimedLeg(name, outcome, _elapsed_ms(started, time.perf_counter()))


def _elapsed_ms(started: float, ended: float) -> float:
    return round((ended - started) * 1000, 1)


def _rank_by_id(passages: Sequence[ScoredChunk]) -> dict[str, int]:
    return {passage.chunk.id: rank for rank, passage in enumerate(passages, start=1)}


def _make_hit(rank: int, passage: ScoredChunk, ranks: Sequence[Mapping[str, int]]) -> SearchHit:
    bm25, dense, fused = (found.get(passage.chunk.id) for found in ranks)
    return SearchHit(
        rank=rank,
        passage=passage,
        bm25_rank=bm25,
        dense_rank=dense,
        fused_rank=fused,
        was_reranked="rerank" in passage.scores,
    )


def _check_numbers(numbers: Mapping[str, float]) -> RetrievalSettings:
    """Return settings with these numbers. Raises ``InputError`` for one that is out of its range."""
    try:
        return RetrievalSettings.model_validate(dict(numbers))
    except ValidationError as error:
        raise InputError(f"These numbers cannot be searched with: {explain_invalid(error)}.") from None


def _with_reciprocal_rank(passage: ScoredChunk, rank: int) -> ScoredChunk:
    scores = {**passage.scores, "own": passage.score}
    return passage.model_copy(update={"rank": rank, "score": 1 / rank, "scores": scores})


def _count_found(context: Context) -> dict[str, int]:
    ids = {passage.chunk.id for lookup in context.current_lookups for passage in lookup.passages or ()}
    return {"n": len(ids)}


def _unavailable(failure: AgentFailure) -> str:
    return f"{failure.agent}: {failure.code}"
