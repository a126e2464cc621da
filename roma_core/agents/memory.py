"""Memory: from questions to the passages that may answer them.

BM25 and vectors are asked side by side, fused by min-max, and the top is mixed with the cross-encoder's opinion. What
is away is left out and said: without the embedder the lexical order stands, without the reranker the fused one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from roma_core.agents.base import Agent, boundary
from roma_core.embeddings.base import Embedder, charge_to
from roma_core.errors import AgentFailure, InputError, guarded
from roma_core.rerank import Reranker, mix
from roma_core.store.base import ChunkStore
from roma_core.store.fusion import fuse
from roma_core.types import ComponentHealth, ScoredChunk


@dataclass(frozen=True)
class Recall:
    """Candidates for one question, best first, and what was away while they were looked for."""

    question: str
    passages: tuple[ScoredChunk, ...] = ()
    degraded: tuple[str, ...] = ()


AT_ONCE = 16
"""Searches that run at once on an event loop; more of them finish none earlier. Were a thousand queries to search side
by side, no turn of the loop would end for seconds, and connections being made meanwhile would time out."""


class Turns:
    """At most ``at_once`` inside ``async with turns.next():``, first come first served; a queue for each event loop."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._loop: asyncio.AbstractEventLoop | None = None
        self._gate = asyncio.Semaphore(at_once)

    def next(self) -> asyncio.Semaphore:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # a second ``asyncio.run``: who waited in the first waits no more
            self._loop, self._gate = loop, asyncio.Semaphore(self._at_once)
        return self._gate


@dataclass(frozen=True)
class MemoryLimits:
    """How much is fetched and reranked; the defaults of ``Settings`` and where they were measured are in the docs."""

    retrieve: int = 100
    lexical_weight: float = 0.4
    rerank: int = 20
    rerank_weight: float = 0.5


class MemoryAgent(Agent):
    """Finds passages. ``reranker`` None means that the fused order is wanted as it is."""

    name = "memory"

    def __init__(
        self, store: ChunkStore, embedder: Embedder, reranker: Reranker | None, limits: MemoryLimits | None = None
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._reranker = reranker
        self._limits = limits or MemoryLimits()
        self._turns = Turns(AT_ONCE)

    async def health(self) -> ComponentHealth:
        store = await self._store.health()
        return ComponentHealth(name=self.name, state=store.state, reason=store.reason)

    @boundary
    async def retrieve(self, question: str, *, tenant: str, filters: dict[str, Any]) -> Recall | AgentFailure:
        """Candidates by the fused score. Fails only when both ways to look fail, or the filters are wrong."""
        async with self._turns.next():
            lexical, dense = await asyncio.gather(
                guarded(f"{self.name}.lexical", self._lexical(question, tenant, filters)),
                guarded(f"{self.name}.dense", self._dense(question, tenant, filters)),
            )
        failures = [leg for leg in (lexical, dense) if isinstance(leg, AgentFailure)]
        for failure in failures:
            if len(failures) == 2 or failure.code == InputError.default_code:
                return failure.model_copy(update={"agent": self.name})
        found = fuse(
            [] if isinstance(lexical, AgentFailure) else lexical,
            [] if isinstance(dense, AgentFailure) else dense,
            lexical_weight=self._limits.lexical_weight,
            limit=self._limits.retrieve,
        )
        return Recall(question, tuple(found), tuple(_away(f) for f in failures))

    @boundary
    async def rerank(self, recall: Recall, *, limit: int | None = None) -> Recall:
        """The same candidates in the mixed order. Only the first ``limit`` (default: the setting) are looked at."""
        limit = self._limits.rerank if limit is None else min(limit, self._limits.rerank)
        if self._reranker is None or not limit or not recall.passages:
            return recall
        texts = [p.chunk.indexed_text for p in recall.passages[:limit]]
        scores = await guarded(f"{self.name}.rerank", self._reranker.scores(recall.question, texts))
        if isinstance(scores, AgentFailure):
            return replace(recall, degraded=(*recall.degraded, _away(scores)))
        mixed = mix(recall.passages, scores, weight=self._limits.rerank_weight)
        return replace(recall, passages=tuple(mixed))

    @property
    def rerank_limit(self) -> int:
        return self._limits.rerank if self._reranker is not None else 0

    async def _lexical(self, question: str, tenant: str, filters: dict[str, Any]) -> list[ScoredChunk]:
        return await self._store.lexical(tenant, question, limit=self._limits.retrieve, filters=filters)

    async def _dense(self, question: str, tenant: str, filters: dict[str, Any]) -> list[ScoredChunk]:
        with charge_to(tenant):
            embedded = await self._embedder.embed_query(question)
        return await self._store.dense(tenant, embedded.vector, limit=self._limits.retrieve, filters=filters)


def _away(failure: AgentFailure) -> str:
    return f"{failure.agent}: {failure.code}"


def interleave(recalls: Sequence[Recall], top_k: int) -> tuple[ScoredChunk, ...]:
    """The best ``top_k`` passages over several questions: the first of each in turn, then the second, no one twice.

    One question's list is only cut. With several, every question keeps its best passages whatever the scale of the
    others; ``score`` becomes the reciprocal of the rank and the own score stays in ``scores['own']``.
    """
    lists = [r.passages for r in recalls if r.passages]
    if len(lists) < 2:
        return lists[0][:top_k] if lists else ()
    rounds = (passages[i] for i in range(max(map(len, lists))) for passages in lists if i < len(passages))
    picked: dict[str, ScoredChunk] = {}
    for passage in rounds:
        picked.setdefault(passage.chunk.id, passage)
    return tuple(
        p.model_copy(update={"rank": rank, "score": 1 / rank, "scores": {**p.scores, "own": p.score}})
        for rank, p in enumerate(list(picked.values())[:top_k], start=1)
    )
