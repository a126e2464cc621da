"""How long a key-less answer takes, and what reading fewer pairs costs in quality: both ways in turns, in one run.

``python -m bench.keyless [QUESTIONS [FOLDER [SET...]]]``; the store is kept in FOLDER for later runs. The passages of
the shared collections (or SET...) lie in one LanceDB. Every question goes through the whole pipeline with ROMA's own
embedder and reranker, once with ``ROMA_RERANK_DEPTH=full`` and once with ``adaptive``, the two taking turns in going
first. ``bench.retrieval`` has nDCG@10 of both.
"""

from __future__ import annotations

import asyncio
import math
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench import beir, report
from bench.processors import freeze_garbage
from roma_core.app import Roma, build_roma
from roma_core.chunking import chunk
from roma_core.embeddings.local import LocalEmbedder
from roma_core.evals.stats.inference import compare_pairs
from roma_core.rerank import LocalReranker
from roma_core.settings import Settings
from roma_core.store.base import EmbeddedDocument
from roma_core.store.lance import LanceStore
from roma_core.types import Document, Query, TailorOutput, digest

QUESTIONS, WARM = 60, 2
TOP = 5
DEPTHS = ("full", "adaptive")
DOCUMENTS_A_COMMIT = 200
TENANT = "default"


def make_documents(collections: Sequence[beir.Collection]) -> list[Document]:
    """Return each passage of the collections as a document."""
    documents: dict[str, Document] = {}
    for collection in collections:
        for key, (title, text) in collection.corpus.items():
            uri = f"bench://{collection.name}/{key}"
            made = {"uri": uri, "title": title, "text": text, "content_sha256": digest(text), "parser": "bench/1"}
            documents[uri] = Document(id=digest("keyless", uri)[:32], **made)
    return list(documents.values())


async def fill(store: LanceStore, embedder: LocalEmbedder, documents: Sequence[Document]) -> int:
    """Cut, embed and store the documents; return the number of passages."""
    total = 0
    for at in range(0, len(documents), DOCUMENTS_A_COMMIT):
        entries: list[EmbeddedDocument] = []
        for document in documents[at : at + DOCUMENTS_A_COMMIT]:
            chunks = chunk(document, embedder.count_tokens)
            if chunks:
                vectors = (await embedder.embed([each.indexed_text for each in chunks])).vectors
                entries.append(EmbeddedDocument(document, chunks, vectors))
                total += len(chunks)
        await store.put_many(TENANT, entries)
    await store.optimize()
    return total


@dataclass(frozen=True)
class Asked:
    """A question and the grades of documents by their address."""

    text: str
    grades: dict[str, int]


def draw_questions(collections: Sequence[beir.Collection], count: int) -> list[Asked]:
    """Return as many questions of each collection, mixed."""
    rng = random.Random(8)
    drawn = []
    for collection in collections:
        for key in rng.sample(sorted(collection.queries), count):
            grades = {f"bench://{collection.name}/{id_}": grade for id_, grade in collection.qrels[key].items()}
            drawn.append(Asked(collection.queries[key], grades))
    rng.shuffle(drawn)
    return drawn


def measure_ndcg(uris: Sequence[str], grades: Mapping[str, int]) -> float:
    """Return nDCG at the number of passages of an answer; a document counts once."""
    found = [grades.get(uri, 0) for uri in dict.fromkeys(uris)]
    best = sorted(grades.values(), reverse=True)[:TOP]
    gain = sum(grade / math.log2(rank + 1) for rank, grade in enumerate(found, 1))
    most = sum(grade / math.log2(rank + 1) for rank, grade in enumerate(best, 1))
    return gain / most if most else 0.0


async def ask(roma: Roma, question: str) -> tuple[TailorOutput, float, float]:
    """Return the answer and the milliseconds that it took, by the clock and of the processor."""
    began, cpu = time.perf_counter(), time.process_time()
    output = await roma.query(Query(text=question), keep=False)
    taken, used = 1000 * (time.perf_counter() - began), 1000 * (time.process_time() - cpu)
    assert isinstance(output, TailorOutput), output
    return output, taken, used


async def measure(
    folder: Path, root: Path, count: int, names: Sequence[str]
) -> tuple[list[dict[str, object]], str, int]:
    collections = [beir.load(root, name) for name in names]
    embedder, reranker = LocalEmbedder(), LocalReranker()
    store = LanceStore(folder / "store", fingerprint=embedder.fingerprint, dim=embedder.dim, model=embedder.name)
    total = (await store.counts(TENANT))[1] or await fill(store, embedder, make_documents(collections))
    settings = Settings({"workspace": folder / "w", "llm_provider": "extractive", "cache": "off"})
    romas = {
        depth: build_roma(settings.replace(rerank_depth=depth), store=store, embedder=embedder, reranker=reranker)
        for depth in DEPTHS
    }
    taken, used, answered, ndcg = ({depth: list[float]() for depth in DEPTHS} for _ in range(4))
    same: list[float] = []
    for number, asked in enumerate(draw_questions(collections, count)):
        if number == WARM:
            freeze_garbage()
        outputs: dict[str, TailorOutput] = {}
        for depth in DEPTHS if number % 2 else DEPTHS[::-1]:
            outputs[depth], ms, cpu_ms = await ask(romas[depth], asked.text)
            ndcg[depth].append(measure_ndcg([p.chunk.uri for p in outputs[depth].passages], asked.grades))
            if number >= WARM:
                taken[depth].append(ms)
                used[depth].append(cpu_ms)
                answered[depth].append(float(bool(outputs[depth].answered)))
        same.append(float(outputs["full"].answer == outputs["adaptive"].answer))
    rows: list[dict[str, object]] = []
    for depth in DEPTHS:
        p95 = float(np.percentile(taken[depth], 95))
        rows.append(
            {
                "depth": depth,
                "questions": len(taken[depth]),
                "P50 ms": statistics.median(taken[depth]),
                "P95 ms": p95,
                "P95 of full": p95 / float(np.percentile(taken["full"], 95)),
                "processor P50 ms": statistics.median(used[depth]),
                "processor P95 ms": float(np.percentile(used[depth], 95)),
                f"nDCG@{TOP}": statistics.mean(ndcg[depth]),
                "answered": statistics.mean(answered[depth]),
                "same answer": statistics.mean(same) if depth != "full" else None,
            }
        )
    for roma in romas.values():
        await roma.close(keep=("store", "embedder", "reranker"))
    await store.close()
    reranker.close()
    changed = compare_pairs(ndcg["full"], ndcg["adaptive"])
    quality = (
        f"nDCG@{TOP} of adaptive less that of full: {changed.mean:+.3f} ({changed.low:+.3f} to {changed.high:+.3f})."
    )
    return rows, quality, total


def main(questions: str = str(QUESTIONS), folder: str = "", *names: str) -> int:
    root = beir.folder()
    if root is None:
        print("bench.keyless: the collections are not beside this checkout; nothing was measured.", file=sys.stderr)
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        rows, quality, total = asyncio.run(measure(Path(folder or temporary), root, int(questions), names or beir.SETS))
    note = (
        "Both depths answer every question in turns, one at a time; the goal is a P95 of 250 ms on two quiet cores. "
        f"On a machine that others use too, read processor time and ratios. {quality}"
    )
    report.write("keyless", f"Key-less answers over {total:,} passages", rows, note, ["lancedb", "onnxruntime"])
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
