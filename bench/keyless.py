"""How long a key-less answer takes, and what reading fewer pairs costs in quality: both ways in turns, in one run.

``python -m bench.keyless [QUESTIONS [FOLDER]]``; the store is kept in FOLDER for later runs. The passages of all shared
collections lie in one LanceDB; every question goes through the whole pipeline with ROMA's own embedder and reranker,
once with ``ROMA_RERANK_DEPTH=full`` and once with ``adaptive``, the two taking turns in going first. What the order of
the passages loses is in ``bench.retrieval``.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench import beir, report
from roma_core.app import Roma, build_roma
from roma_core.chunking import chunk
from roma_core.embeddings.local import LocalEmbedder
from roma_core.rerank import LocalReranker
from roma_core.settings import Settings
from roma_core.store.base import EmbeddedDocument
from roma_core.store.lance import LanceStore
from roma_core.types import Document, Query, TailorOutput, digest

QUESTIONS, WARM = 60, 4
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


def draw_questions(collections: Sequence[beir.Collection], count: int) -> list[tuple[str, str]]:
    """Return the collection and the text of questions, as many of each collection, mixed."""
    rng = random.Random(8)
    drawn = [(c.name, text) for c in collections for text in rng.sample(sorted(c.queries.values()), count)]
    rng.shuffle(drawn)
    return drawn


async def ask(roma: Roma, question: str) -> tuple[TailorOutput, float]:
    """Return the answer and the milliseconds that it took."""
    began = time.perf_counter()
    output = await roma.query(Query(text=question), keep=False)
    taken = 1000 * (time.perf_counter() - began)
    assert isinstance(output, TailorOutput), output
    return output, taken


async def measure(folder: Path, root: Path, count: int) -> tuple[list[dict[str, object]], int]:
    collections = [beir.load(root, name) for name in beir.SETS]
    embedder, reranker = LocalEmbedder(), LocalReranker()
    store = LanceStore(folder / "store", fingerprint=embedder.fingerprint, dim=embedder.dim, model=embedder.name)
    total = (await store.counts(TENANT))[1] or await fill(store, embedder, make_documents(collections))
    settings = Settings(workspace=folder / "w", llm_provider="extractive", cache="off")  # type: ignore[call-arg]
    romas = {
        depth: build_roma(settings.replace(rerank_depth=depth), store=store, embedder=embedder, reranker=reranker)
        for depth in DEPTHS
    }
    taken: dict[str, list[float]] = {depth: [] for depth in DEPTHS}
    same: list[float] = []
    answered: dict[str, list[float]] = {depth: [] for depth in DEPTHS}
    for number, (_, question) in enumerate(draw_questions(collections, count)):
        outputs: dict[str, TailorOutput] = {}
        for depth in DEPTHS if number % 2 else DEPTHS[::-1]:
            outputs[depth], ms = await ask(romas[depth], question)
            if number >= WARM:
                taken[depth].append(ms)
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
                "answered": statistics.mean(answered[depth]),
                "same answer": statistics.mean(same) if depth != "full" else None,
            }
        )
    for roma in romas.values():
        await roma.close(keep=("store", "embedder", "reranker"))
    await store.close()
    reranker.close()
    return rows, total


def main(questions: str = str(QUESTIONS), folder: str = "") -> int:
    root = beir.folder()
    if root is None:
        print("bench.keyless: the collections are not beside this checkout; nothing was measured.", file=sys.stderr)
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        rows, total = asyncio.run(measure(Path(folder or temporary), root, int(questions)))
    note = "Both depths answer every question in turns, one at a time; the goal is a P95 of 250 ms on two quiet cores."
    report.write("keyless", f"Key-less answers over {total:,} passages", rows, note, ["lancedb", "onnxruntime"])
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
