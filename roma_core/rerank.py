"""Reranking: scores of passages for a question, by a model that reads both."""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Protocol

from roma_core.engines import (
    EXECUTION_RULES,
    PROBE_QUESTIONS,
    PROBE_TEXTS,
    REFERENCE,
    Agreement,
    ChosenEngine,
    choose_engine,
    compare_scores,
)
from roma_core.errors import ConfigError
from roma_core.models import (
    LazyObjects,
    ModelFiles,
    OnnxModel,
    find_bundled_files,
    identify_graph,
    open_listed,
    spread_batches,
    verify_files,
    width,
)
from roma_core.plugins import Specs, load_specs
from roma_core.ranking import minmax, rank_chunks
from roma_core.settings import RetrievalSettings, Settings, SettingsSection
from roma_core.settings.retrieval import ExecutionProvider
from roma_core.types import ComponentHealth, ScoredChunk, digest

_DEFAULTS = RetrievalSettings()

BUNDLED = "ms-marco-MiniLM-L-12-v2-int8"
RERANKER_FILES: Final = "reranker_en"
"""Name of its files in the package that carries them."""
PAIR_TOKENS = 256
"""Longest question plus passage that the model reads; more costs time and gains nothing (``docs/benchmarks``)."""
LEAST_DEPTH: Final = 6
"""Pairs that are read whatever they score. With 5 nDCG@5 fell by 1.4 points (95 %: 0.2 to 2.6) on 158 questions over
7,658 passages."""
DEPTH_STEP: Final = 2
"""Pairs that are read before it is looked again whether the order of the best is settled: as many as two cores read
side by side. With 3 nDCG@5 on these questions is 0.2 points higher (95 %: -0.2 to 0.8)."""
SETTLED_TOP: Final = 3
"""Passages whose order has to be settled. On 240 questions over 7,658 passages of four collections 7 or 8 of 20 pairs
are read then, and with windows nDCG@10 changes by -0.4 points (95 %: -1.3 to +0.5)."""
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
    candidates: Sequence[ScoredChunk],
    scores: Sequence[float],
    *,
    weight: float = RERANK_WEIGHT,
    window: int | None = None,
) -> list[ScoredChunk]:
    """Reorder the first ``len(scores)`` candidates by ``weight`` x min-max(score) + the rest x min-max(own score).

    The candidates without a score follow in their own order. Their score continues on that scale (0 from the model, so
    at most 0 in all), hence ``score`` falls along the whole list. ``scores`` gains ``rerank`` (raw) and ``mixed``.

    ``window`` is the number of candidates whose own scores set that scale; by default those that have a score.
    """
    if not scores:
        return list(candidates)
    seen, unseen = candidates[: len(scores)], candidates[len(scores) :]
    compared = candidates[: max(window or 0, len(scores))]
    own = minmax([c.score for c in compared])
    mixed = [
        (c.chunk, m, {**c.scores, "rerank": raw, "mixed": m})
        for c, raw, m in zip(seen, scores, _mix_scores(own, scores, weight), strict=True)
    ]
    top = rank_chunks(mixed, "rerank")
    low = min(c.score for c in compared)
    spread = (max(c.score for c in compared) - low) or 1.0
    least = top[-1].score if len(compared) > len(seen) else 0.0
    below = [
        c.model_copy(
            update={
                "score": min(least, (1 - weight) * min(1.0, (c.score - low) / spread)),
                "rank": rank,
                "retriever": "rerank",
            }
        )
        for rank, c in enumerate(unseen, start=len(top) + 1)
    ]
    return [*top, *below]


def _mix_scores(own: Sequence[float], scores: Sequence[float], weight: float) -> list[float]:
    """Return the mixed score of each candidate that the model has read; ``own`` are scaled, ``scores`` are raw."""
    model = minmax(scores)
    return [weight * b + (1 - weight) * a for a, b in zip(own[: len(scores)], model, strict=True)]


def is_order_settled(own: Sequence[float], scores: Sequence[float], *, weight: float = RERANK_WEIGHT) -> bool:
    """Return whether the last ``DEPTH_STEP`` candidates that were read brought none among the best ``SETTLED_TOP``.

    ``own`` are the own scores of all candidates, best first; ``scores`` are the model's for the first of them. Those
    that follow are worse by their own score than what was read in vain.

    >>> is_order_settled([1.0, 0.9, 0.8, 0.2, 0.1, 0.1, 0.1, 0.0], [5.0, 4.0, 3.0, -5.0, -5.0, -5.0, -5.0])
    True
    """
    if len(scores) >= len(own):
        return True
    mixed = _mix_scores(minmax(own), scores, weight)
    best = sorted(range(len(mixed)), key=lambda place: (-mixed[place], place))[:SETTLED_TOP]
    return all(place < len(scores) - DEPTH_STEP for place in best)


async def score_until_settled(
    reranker: Reranker,
    question: str,
    texts: Sequence[str],
    own: Sequence[float],
    *,
    top: int,
    weight: float = RERANK_WEIGHT,
) -> list[float]:
    """Return the scores of the first texts, as many as it takes until their order is settled, but ``top`` at least.

    They are read in steps of ``DEPTH_STEP``, whatever the machine: the same question always costs the same pairs.
    """
    scores = await reranker.scores(question, texts[: max(top, LEAST_DEPTH)])
    while not is_order_settled(own, scores, weight=weight):
        scores += await reranker.scores(question, texts[len(scores) : len(scores) + DEPTH_STEP])
    return scores


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

    One pair a call on the CPU, cut to ``PAIR_TOKENS``; calls side by side on ``threads``. Models are loaded at first
    use. A ``provider`` that does not agree with the CPU is not used, and health says so.
    """

    def __init__(self, model: str | None = None, *, threads: int = 0, provider: ExecutionProvider = REFERENCE) -> None:
        self._hub = model
        self._provider = provider
        self._width = width(threads, provider)
        self._batch = EXECUTION_RULES[provider].batch
        self._pool = ThreadPoolExecutor(self._width, thread_name_prefix="rerank")

    @property
    def name(self) -> str:
        """Return the name of the model."""
        return self._hub or BUNDLED

    @property
    def fingerprint(self) -> str:
        """Return the hash of weights and graph (or of the hub's name) and of the length that is read."""
        return digest("local-reranker", "1", self._hub or identify_graph(_find_files()), str(PAIR_TOKENS))

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """Return the scores of texts, see ``Reranker``."""
        work = functools.partial(self._score, question)
        return await spread_batches(self._pool, self._width, work, texts, cost=len, batch=self._batch)

    async def health(self) -> ComponentHealth:
        """Check the bundled model's files, once, and a provider beside the CPU; one of the hub at its first use."""
        if self._provider != REFERENCE:
            chosen = await asyncio.to_thread(_load, (self._hub, self._provider))
            return chosen.describe()
        if self._hub is None:
            await asyncio.to_thread(lambda: verify_files(_find_files()))
        return ComponentHealth()

    def close(self) -> None:
        """Stop the threads; queued texts are dropped."""
        self._pool.shutdown(cancel_futures=True)

    def _score(self, question: str, texts: Sequence[str]) -> list[float]:
        return _load((self._hub, self._provider)).engine.score(question, texts)


class BundledEngine:
    """The bundled cross-encoder on one execution provider."""

    def __init__(self, provider: ExecutionProvider) -> None:
        self._model = OnnxModel(_find_files(), PAIR_TOKENS, provider)

    def score(self, question: str, texts: Sequence[str]) -> list[float]:
        """Return the scores of texts, in one call."""
        return [float(output[0]) for output in self._model.run_batch([(question, text) for text in texts])]


class HubEngine:
    """A cross-encoder that fastembed lists, on one execution provider, set to short pairs."""

    def __init__(self, name: str, provider: ExecutionProvider) -> None:
        from fastembed.rerank.cross_encoder import TextCrossEncoder

        self._model = open_listed(TextCrossEncoder, name, provider)
        tokenizer = self._model.model.tokenizer
        limit = min(PAIR_TOKENS, tokenizer.truncation["max_length"]) if tokenizer.truncation else PAIR_TOKENS
        tokenizer.enable_truncation(max_length=limit)

    def score(self, question: str, texts: Sequence[str]) -> list[float]:
        """Return the scores of texts, in one call."""
        return [float(score) for score in self._model.rerank(question, list(texts), batch_size=len(texts))]


Engine = BundledEngine | HubEngine


@functools.cache
def _find_files() -> ModelFiles:
    return find_bundled_files(RERANKER_FILES)


def _choose_engine(wanted: tuple[str | None, ExecutionProvider]) -> ChosenEngine[Engine]:
    hub, provider = wanted

    def make(provider: ExecutionProvider) -> Engine:
        return BundledEngine(provider) if hub is None else HubEngine(hub, provider)

    return choose_engine(provider, make, _compare)


def _compare(one: Engine, other: Engine) -> Agreement:
    """Return how well two engines agree on the probes, the first one in a batch."""
    ours = [one.score(question, PROBE_TEXTS) for question in PROBE_QUESTIONS]
    theirs = [[other.score(question, [text])[0] for text in PROBE_TEXTS] for question in PROBE_QUESTIONS]
    return compare_scores(ours, theirs)


_load: LazyObjects[tuple[str | None, ExecutionProvider], ChosenEngine[Engine]] = LazyObjects(_choose_engine)


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


def _make_local(settings: Settings, model: str) -> Reranker:
    retrieval = settings.retrieval
    return LocalReranker(model or None, threads=retrieval.embed_threads, provider=retrieval.execution_provider)


LOCAL = RerankerSpec("local", make=_make_local)
FAKE = RerankerSpec("fake", make=lambda settings, model: FakeReranker())
