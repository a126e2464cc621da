"""Reranking: scores of passages for a question, by a model that reads both."""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Protocol

from roma_core.errors import ConfigError
from roma_core.models import (
    LazyObjects,
    ModelFiles,
    OnnxModel,
    find_bundled_files,
    make_model_error,
    spread,
    verify_files,
    width,
)
from roma_core.plugins import Specs, load_specs
from roma_core.ranking import minmax, ranked
from roma_core.settings import RetrievalSettings, Settings, SettingsSection
from roma_core.types import ComponentHealth, ScoredChunk, digest

_DEFAULTS = RetrievalSettings()

BUNDLED = "ms-marco-MiniLM-L-12-v2-int8"
PAIR_TOKENS = 256
"""Longest question plus passage that the model reads; more costs time and gains nothing (``docs/benchmarks``)."""
RERANK_WEIGHT = _DEFAULTS.rerank_weight
"""Mixing gains a point of nDCG@10 over the hybrid and loses nowhere; replacing its order by the model's loses one."""


class Reranker(Protocol):
    """Scorer of pairs. Higher is better; the scale is the model's: thresholds are stored with its fingerprint."""

    @property
    def name(self) -> str:
        """Return the name of the model, for people and messages."""
        ...

    @property
    def fingerprint(self) -> str:
        """Return the hash of everything that decides a score."""
        ...

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """Return one raw score (logit) for each text, in the order given. Raises ``EmbeddingError``."""
        ...

    async def health(self) -> ComponentHealth:
        """Return whether it can score now. May raise ``EmbeddingError``."""
        ...


_MEASURED: Final[dict[str, frozenset[str] | None]] = {
    "ms-marco": frozenset({"en"}),
    "jina-reranker-v1": frozenset({"en"}),
    "jina-reranker-v2-base-multilingual": None,
    "bge-reranker-v2-m3": None,
    "bge-reranker": frozenset({"en", "zh"}),
}
"""Languages on which rerankers were trained and measured, by a part of their name; None: all. The first one counts."""


def find_languages(name: str) -> frozenset[str] | None:
    """Return the languages that a reranker was measured on; None for all, and for one that is not known here.

    >>> sorted(find_languages("Xenova/ms-marco-MiniLM-L-6-v2"))
    ['en']
    """
    return next((languages for part, languages in _MEASURED.items() if part in name.casefold()), None)


def mix(
    candidates: Sequence[ScoredChunk], scores: Sequence[float], *, weight: float = RERANK_WEIGHT
) -> list[ScoredChunk]:
    """Reorder the first ``len(scores)`` candidates by ``weight`` x min-max(score) + the rest x min-max(own score).

    The candidates without a score follow in their own order. Their score continues on that scale (0 from the model, so
    at most 0 in all), hence ``score`` falls along the whole list. ``scores`` gains ``rerank`` (raw) and ``mixed``.
    """
    if not scores:
        return list(candidates)
    seen, unseen = candidates[: len(scores)], candidates[len(scores) :]
    own = minmax([c.score for c in seen])
    model = minmax(scores)
    mixed = [
        (c.chunk, m, {**c.scores, "rerank": raw, "mixed": m})
        for c, raw, m in zip(
            seen, scores, (weight * b + (1 - weight) * a for a, b in zip(own, model, strict=True)), strict=True
        )
    ]
    top = ranked(mixed, "rerank")
    low = min(c.score for c in seen)
    spread = (max(c.score for c in seen) - low) or 1.0
    below = [
        c.model_copy(
            update={"score": (1 - weight) * min(0.0, (c.score - low) / spread), "rank": rank, "retriever": "rerank"}
        )
        for rank, c in enumerate(unseen, start=len(top) + 1)
    ]
    return [*top, *below]


class FakeReranker:
    """``Reranker`` without a model: the share of the question's words in the text, scaled to -5..5 like a logit."""

    @property
    def name(self) -> str:
        """Return ``fake``."""
        return "fake"

    @property
    def fingerprint(self) -> str:
        """Return a constant hash."""
        return digest("fake-reranker", "1")

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """Return the scores of texts, see ``Reranker``."""
        wanted = set(re.findall(r"\w+", question.lower()))
        return [_measure_overlap(wanted, set(re.findall(r"\w+", text.lower()))) * 10.0 - 5.0 for text in texts]

    async def health(self) -> ComponentHealth:
        """Return ``ok``."""
        return ComponentHealth()


def _measure_overlap(wanted: set[str], present: set[str]) -> float:
    return len(wanted & present) / len(wanted) if wanted else 0.0


class LocalReranker:
    """``Reranker`` by ``model``: None for the bundled ms-marco-MiniLM-L-12-v2 (int8), else one that fastembed lists.

    One pair a call, cut to ``PAIR_TOKENS``; calls side by side on ``threads``. Models are loaded at first use.
    """

    def __init__(self, model: str | None = None, *, threads: int = 0) -> None:
        self._hub = model
        self._width = width(threads)
        self._pool = ThreadPoolExecutor(self._width, thread_name_prefix="rerank")

    @property
    def name(self) -> str:
        """Return the name of the model."""
        return self._hub or BUNDLED

    @property
    def fingerprint(self) -> str:
        """Return the hash of the weights (or the hub's name) and of the length that is read."""
        return digest("local-reranker", "1", self._hub or _find_files().fingerprint, str(PAIR_TOKENS))

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """Return the scores of texts, see ``Reranker``."""
        return await spread(self._pool, self._width, functools.partial(self._score, question), texts, cost=len)

    async def health(self) -> ComponentHealth:
        """Check the bundled model's files, once; a model from the hub is checked at its first use."""
        if self._hub is None:
            await asyncio.to_thread(lambda: verify_files(_find_files()))
        return ComponentHealth()

    def close(self) -> None:
        """Stop the threads; queued texts are dropped."""
        self._pool.shutdown(cancel_futures=True)

    def _score(self, question: str, text: str) -> float:
        if self._hub is None:
            return float(_bundled(None).run(question, text)[0])
        return float(next(iter(_hub(self._hub).rerank(question, [text], batch_size=1))))


@functools.cache
def _find_files() -> ModelFiles:
    return find_bundled_files("reranker_en")


def _load_hub(name: str) -> Any:
    """Load a model with its tokenizer set to short pairs."""
    from fastembed.rerank.cross_encoder import TextCrossEncoder

    try:
        model = TextCrossEncoder(name, threads=1)
    except (ValueError, OSError, RuntimeError) as error:  # not listed; no network; damaged download
        raise make_model_error(name, error) from error
    tokenizer = model.model.tokenizer
    limit = min(PAIR_TOKENS, tokenizer.truncation["max_length"]) if tokenizer.truncation else PAIR_TOKENS
    tokenizer.enable_truncation(max_length=limit)
    return model


_bundled: LazyObjects[None, OnnxModel] = LazyObjects(lambda _: OnnxModel(_find_files(), PAIR_TOKENS))
_hub: LazyObjects[str, Any] = LazyObjects(_load_hub)


@dataclass(frozen=True)
class RerankerSpec:
    """The declaration of a reranker: one entry point of the group ``roma.rerankers``, named like ``name``.

    ``ROMA_RERANKER=name:model`` has ``make`` called with the settings and ``model`` (empty when none is named).
    """

    name: str
    make: Callable[[Settings, str], Reranker]
    settings: type[SettingsSection] | None = None


def reranker_specs() -> Specs[RerankerSpec]:
    """Return every installed reranker's spec by its name."""
    return load_specs("roma.rerankers", RerankerSpec)


def make_reranker(settings: Settings) -> Reranker | None:
    """Return the reranker that ``ROMA_RERANKER`` names; None when reranking is off.

    Cheap: models are loaded at their first use. Raises ``ConfigError`` for an unknown name.

    Cheap: models are loaded at their first use. Raises ``ConfigError`` for an unknown name.
    """
    chosen = settings.retrieval.reranker
    if chosen == "none" or settings.retrieval.rerank_limit == 0:
        return None
    name, _, model = chosen.partition(":")
    if name not in reranker_specs() and "/" in chosen:
        return LOCAL.make(settings, chosen)
    try:
        spec = reranker_specs().require(name)
    except ConfigError as error:
        raise ConfigError(f"ROMA_RERANKER: {error.message}") from None
    return spec.make(settings, model)


LOCAL = RerankerSpec(
    "local", make=lambda settings, model: LocalReranker(model or None, threads=settings.retrieval.embed_threads)
)
FAKE = RerankerSpec("fake", make=lambda settings, model: FakeReranker())
