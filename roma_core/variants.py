"""Variants of a ``Roma``: other settings, prompts and stages over one workspace; work in common is done once.

Questions are embedded once, each search is made once, each passage is ranked once for a question, whichever variant
asks; model calls are shared by the cache of answers. A variant whose settings shape the index (``chunk_tokens``, the
embedder, the parsers) has an index of its own below ``variants`` in the workspace, made from the same sources.
"""

from __future__ import annotations

import json
import math
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from roma_core.embeddings.base import Embedder, EmbedderOver, EmbeddingResult
from roma_core.errors import EvalError
from roma_core.evals.report.comparison import INDEX_SECTIONS
from roma_core.evals.shared_work import note_spared
from roma_core.rerank import Reranker
from roma_core.settings import Settings, own_settings
from roma_core.store.base import ChunkStore, Filters
from roma_core.types import EVERYTHING, ComponentHealth, ReadScope, ScoredChunk, digest
from roma_core.workspace import Workspace

if TYPE_CHECKING:
    from roma_core.agents.pipeline import Pipeline
    from roma_core.app import Roma
    from roma_core.types import Vector

T = TypeVar("T")
INDEX_SETTINGS = frozenset({"embedder"})
"""Settings of other sections that act when documents are ingested."""
MODEL_SECTIONS = ("llm", "openai", "anthropic", "budgets")
MOST_KEPT = 4000
"""Searches, and rankings of one question, that are remembered; the oldest is forgotten first."""


class Memo(Generic[T]):
    """The last ``MOST_KEPT`` results by their key, with the seconds that each took."""

    def __init__(self) -> None:
        self._values: OrderedDict[object, tuple[T, float]] = OrderedDict()

    async def get(self, key: object, make: Callable[[], Awaitable[T]]) -> T:
        """Return the value of ``key``, made at the first call. A failure is not kept."""
        if key in self._values:
            self._values.move_to_end(key)
            value, seconds = self._values[key]
            note_spared(seconds)
            return value
        started = time.perf_counter()
        value = await make()
        self._values[key] = value, time.perf_counter() - started
        if len(self._values) > MOST_KEPT:
            self._values.popitem(last=False)
        return value


class SharedEmbedder(EmbedderOver):
    """``Embedder`` over another one that embeds each question once."""

    def __init__(self, embedder: Embedder) -> None:
        super().__init__(embedder)
        self._questions: Memo[EmbeddingResult] = Memo()
        self.observe = getattr(embedder, "observe", None)

    async def embed(self, texts: Sequence[str]) -> EmbeddingResult:
        return await self._embedder.embed(texts)

    async def embed_query(self, text: str) -> EmbeddingResult:
        return await self._questions.get(text, lambda: self._embedder.embed_query(text))


class SharedReranker:
    """``Reranker`` over another one that scores each text once for a question."""

    def __init__(self, reranker: Reranker) -> None:
        self._reranker = reranker
        self._scores: Memo[dict[str, tuple[float, float]]] = Memo()
        """Score of each text of a question, and the seconds that it took."""

    @property
    def name(self) -> str:
        return self._reranker.name

    @property
    def fingerprint(self) -> str:
        return self._reranker.fingerprint

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        known = await self._scores.get(question, _empty)
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        note_spared(math.fsum(known[text][1] for text in set(texts).difference(missing)))
        if missing:
            started = time.perf_counter()
            scores = await self._reranker.scores(question, missing)
            each_s = (time.perf_counter() - started) / len(missing)
            known.update((text, (score, each_s)) for text, score in zip(missing, scores, strict=True))
        return [known[text][0] for text in texts]

    async def health(self) -> ComponentHealth:
        return await self._reranker.health()


async def _empty() -> dict[str, tuple[float, float]]:
    return {}


class SharedStore:
    """``ChunkStore`` over another one that makes each search once. Everything else is the other one's."""

    def __init__(self, store: ChunkStore) -> None:
        self._store = store
        self._searches: Memo[list[ScoredChunk]] = Memo()

    def __getattr__(self, name: str) -> Any:
        if name == "close":
            raise AttributeError(name)
        return getattr(self._store, name)

    async def lexical(
        self, tenant: str, text: str, *, limit: int, filters: Filters | None = None, scope: ReadScope = EVERYTHING
    ) -> list[ScoredChunk]:
        key = ("words", tenant, text, limit, json.dumps(filters, sort_keys=True), scope)

        async def search() -> list[ScoredChunk]:
            return await self._store.lexical(tenant, text, limit=limit, filters=filters, scope=scope)

        return list(await self._searches.get(key, search))

    async def dense(
        self, tenant: str, vector: Vector, *, limit: int, filters: Filters | None = None, scope: ReadScope = EVERYTHING
    ) -> list[ScoredChunk]:
        key = ("vector", tenant, vector.tobytes(), limit, json.dumps(filters, sort_keys=True), scope)

        async def search() -> list[ScoredChunk]:
            return await self._store.dense(tenant, vector, limit=limit, filters=filters, scope=scope)

        return list(await self._searches.get(key, search))


class VariantFactory:
    """Makes variants of one ``Roma``. What they have in common is made once, and closed with the ``Roma``."""

    def __init__(self, roma: Roma) -> None:
        self._roma = roma
        self._embedder = SharedEmbedder(roma.embedder)
        self._reranker = SharedReranker(roma.reranker) if roma.reranker is not None else None
        self._stores: dict[str, SharedStore] = {"": SharedStore(roma.store)}
        self._indexed: dict[str, Roma] = {}

    def open(
        self,
        settings: Mapping[str, object],
        prompts: Mapping[str, str | Path],
        pipeline: Callable[[Pipeline], Pipeline] | None,
        sources: Sequence[str],
    ) -> AbstractAsyncContextManager[Roma]:
        """Return a context with the variant. Raises ``ConfigError`` at once for wrong settings and prompts.

        Entering raises ``EvalError`` when it cannot be indexed.
        """
        varied = self._roma.settings.replace(settings)
        self._roma.prompt_library.resolve({**varied.answering.prompts, **prompts})
        return self._open(varied, prompts, pipeline, sources)

    @asynccontextmanager
    async def _open(
        self,
        varied: Settings,
        prompts: Mapping[str, str | Path],
        pipeline: Callable[[Pipeline], Pipeline] | None,
        sources: Sequence[str],
    ) -> AsyncIterator[Roma]:
        base = self._roma
        given: dict[str, Any] = {"cache": base.cache, "budgets": base.budgets, "sessions": base.sessions}
        indexer = await self._index(varied, sources)
        given["store"] = self._stores[_index_key(varied) if indexer else ""]
        given["embedder"] = SharedEmbedder(indexer.embedder) if indexer else self._embedder
        same_reranker = varied.retrieval.reranker == base.settings.retrieval.reranker
        if self._reranker is not None and same_reranker and varied.retrieval.rerank_limit:
            given["reranker"] = self._reranker
        if _section_values(varied, MODEL_SECTIONS) == _section_values(base.settings, MODEL_SECTIONS):
            given["llm"] = base.llm
            given["judge_llm"] = base.judge_llm
        if pipeline is None:
            pipeline = cast("Callable[[Pipeline], Pipeline] | None", base.initial_pipeline)
        before = base.settings.answering.prompts
        changed = {name for name, version in varied.answering.prompts.items() if before.get(name) != version}
        kept = {name: path for name, path in base.chosen_prompts.items() if name not in changed}
        variant = type(base)(varied, prompt_files={**kept, **prompts}, pipeline=pipeline, **given)
        try:
            yield variant
        finally:
            await variant.close(keep=tuple(given))

    async def close(self) -> None:
        """Close the indexes that were made for variants."""
        for indexer in self._indexed.values():
            await indexer.close()

    async def _index(self, settings: Settings, sources: Sequence[str]) -> Roma | None:
        """Return the ``Roma`` that has the variant's index, up to date; None when it is the base's own."""
        base = self._roma
        key = _index_key(settings)
        if key == _index_key(base.settings):
            return None
        if key not in self._indexed:
            folder = Workspace.of(base.settings).variants / key[:12]
            same_embedder = settings.retrieval.embedder == base.settings.retrieval.embedder
            given: dict[str, Any] = {"embedder": base.embedder} if same_embedder else {}
            indexer = type(base)(
                settings.model_copy(update={"workspace": folder}), cache=base.cache, budgets=base.budgets, **given
            )
            self._indexed[key] = indexer
            await self._ingest(indexer, sources)
            self._stores[key] = SharedStore(indexer.store)
        return self._indexed[key]

    async def _ingest(self, indexer: Roma, sources: Sequence[str]) -> None:
        tenant = self._roma.settings.tenant
        if sources:
            await indexer.ingest(*sources, tenant=tenant)
        else:
            known = await self._roma.sources.all(tenant)
            if not known:
                raise EvalError("A variant has settings of the index, and there is no source to make one of.")
            for source in known:
                await indexer.sources.add(source.uri, name=source.name, options=source.options, tenant=tenant)
            await indexer.sync(*[source.uri for source in known], tenant=tenant)
        documents, _ = await indexer.store.counts(tenant)
        if not documents:
            raise EvalError("The sources gave no document to a variant's index; see its ledger in `variants`.")


def _index_key(settings: Settings) -> str:
    """Return the hash of what shapes an index."""
    shaping = {
        setting.name: str(value)
        for setting, value in settings.items()
        if setting.section in INDEX_SECTIONS or setting.name in INDEX_SETTINGS
        if setting.decides_answers
    }
    return digest("index settings", json.dumps(shaping, sort_keys=True))


def _section_values(settings: Settings, sections: Sequence[str]) -> list[object]:
    return [settings.value(setting) for setting in own_settings() if setting.section in sections]
