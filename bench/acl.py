"""Search under grants: what it finds of what is permitted, and what it costs. ``python -m bench.acl [PASSAGES]``.

The corpus is made: clustered vectors of 384 numbers, and short texts. Each collection is a share of it, and
``ROMA_ACL_FOLDER`` keeps it for another run. Exact search over the permitted vectors says what is right; ``hybrid`` is
the whole of both searches with their fusion.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench import report
from roma_core.agents.memory import MemoryAgent
from roma_core.embeddings.base import EmbeddingResult
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.errors import AgentFailure
from roma_core.store import LanceStore
from roma_core.store.base import EmbeddedDocument
from roma_core.types import Chunk, Document, DocumentFacts, Principal, ReadScope, digest

PASSAGES = 100_000
PER_DOCUMENT = 20
DIM, CLUSTERS = 384, 400
SHARES = {"one": 0.01, "five": 0.05, "eighth": 0.125, "quarter": 0.25, "rest": 0.565}
"""Collections with their shares of the documents."""
QUESTIONS = 100
BATCH = 250
NEAREST = 10
TENANT = "t"
WORDS = "bridge harbour yeast ledger granite rope council metre winter orchard copper signal meadow ferry".split()


class Corpus:
    """A made corpus: every passage has a vector near the middle of a cluster, and a few words."""

    def __init__(self, passages: int, seed: int = 7) -> None:
        self._rng = np.random.default_rng(seed)
        middles = self._rng.normal(size=(CLUSTERS, DIM))
        nearby = self._rng.normal(size=(passages, DIM)) * 0.9
        self.vectors = _to_unit(middles[self._rng.integers(CLUSTERS, size=passages)] + nearby)
        self.questions = _to_unit(
            self.vectors[self._rng.integers(passages, size=QUESTIONS)] + 0.05 * nearby[:QUESTIONS]
        )
        bounds = np.cumsum([share * passages for share in SHARES.values()])
        places = self._rng.permutation(passages // PER_DOCUMENT) * PER_DOCUMENT
        names = np.array(list(SHARES))[np.minimum(np.searchsorted(bounds, places, side="right"), len(SHARES) - 1)]
        self.collections = np.repeat(names, PER_DOCUMENT)

    def embedded(self, number: int) -> EmbeddedDocument:
        """Return document ``number`` with its passages."""
        first = number * PER_DOCUMENT
        collection = str(self.collections[first])
        texts = [" ".join(self._rng.choice(WORDS, size=12)) + f" {first + n}" for n in range(PER_DOCUMENT)]
        text = "\n".join(texts)
        uri = f"file:///{number}.md"
        document = Document(
            id=Document.id_for(uri, TENANT),
            uri=uri,
            title=str(number),
            text=text,
            content_sha256=digest(text),
            parser="bench/1",
            collection=collection,
        )
        chunks: list[Chunk] = []
        start = 0
        for n, words in enumerate(texts):
            chunks.append(
                Chunk(
                    id=str(first + n),
                    document_id=document.id,
                    uri=uri,
                    title=document.title,
                    text=words,
                    start=start,
                    end=start + len(words),
                    facts=DocumentFacts(collection=collection),
                )
            )
            start += len(words) + 1
        return EmbeddedDocument(document, chunks, self.vectors[first : first + PER_DOCUMENT])

    def find_nearest(self, question: Any, permitted: Any) -> set[str]:
        """Return the ids of the true nearest passages among the permitted ones."""
        rows = np.flatnonzero(permitted)
        likeness = self.vectors[rows] @ question
        best = rows[np.argsort(-likeness, kind="stable")[:NEAREST]]
        return {str(row) for row in best}


def _to_unit(vectors: Any) -> Any:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


class FixedEmbedder(FakeEmbedder):
    """Embeds a question, which is the number of a made one, as its vector."""

    def __init__(self, questions: Any) -> None:
        super().__init__(dim=DIM)
        self._questions = questions

    async def embed_query(self, text: str) -> EmbeddingResult:
        return EmbeddingResult(self._questions[[int(text.rsplit(maxsplit=1)[-1])]])


async def measure(folder: Path, passages: int) -> list[dict[str, object]]:
    """Return a row for each scope."""
    corpus = Corpus(passages)
    store = LanceStore(folder / "store", fingerprint="bench", dim=DIM)
    documents, _ = await store.counts(TENANT)
    for first in range(0, passages // PER_DOCUMENT, BATCH):
        last = min(first + BATCH, passages // PER_DOCUMENT)
        entries = [corpus.embedded(number) for number in range(first, last)]
        if first >= documents:  # a folder that is given may hold what an earlier run has filled in
            await store.put_many(TENANT, entries)
    if documents < passages // PER_DOCUMENT:
        await store.optimize()
    agent = MemoryAgent(store, FixedEmbedder(corpus.questions), None)
    scopes = {"all": ReadScope()} | {name: ReadScope(collections=(name,)) for name in SHARES}
    hidden = [Document.id_for(f"file:///{n}.md", TENANT) for n in range(0, passages // PER_DOCUMENT, 5)][:1000]
    scopes["all but 1000 documents"] = ReadScope(hidden=tuple(sorted(hidden)))
    made: list[dict[str, object]] = []
    for name, scope in scopes.items():
        permitted = np.array(
            [scope.permits(Document.id_for(f"file:///{n}.md", TENANT), str(corpus.collections[n * PER_DOCUMENT]))
             for n in range(passages // PER_DOCUMENT)]
        ).repeat(PER_DOCUMENT)  # fmt: skip
        made.append(await measure_scope(name, scope, agent, store, corpus, permitted))
        print(made[-1], file=sys.stderr, flush=True)
    await store.close()
    return made


async def measure_scope(
    name: str, scope: ReadScope, agent: MemoryAgent, store: LanceStore, corpus: Corpus, permitted: Any
) -> dict[str, object]:
    """Return recall of the vectors' search, and the times of both searches together."""

    async def find_scope(who: Principal) -> ReadScope:
        return scope

    confined = MemoryAgent(store, agent._embedder, None, find_scope=find_scope)
    who = Principal(subject="anna", tenant=TENANT, roles=("reader",))
    found, leaks, hybrid_ms = 0, 0, []
    for number, question in enumerate(corpus.questions):
        hits = await store.dense(TENANT, question, limit=NEAREST, scope=scope)
        wanted = corpus.find_nearest(question, permitted)
        found += len(wanted & {hit.chunk.id for hit in hits})
        began = time.perf_counter()
        recall = await confined.retrieve(f"bridge harbour {number}", who=who, filters={})
        hybrid_ms.append((time.perf_counter() - began) * 1000)
        if isinstance(recall, AgentFailure):
            raise RuntimeError(recall.message)
        leaks += sum(not permitted[int(passage.chunk.id)] for passage in recall.passages)
    return {
        "permitted": name,
        "passages": int(permitted.sum()),
        "share": f"{permitted.mean():.1%}",
        f"recall@{NEAREST}": round(found / (NEAREST * len(corpus.questions)), 3),
        "forbidden": leaks,
        "hybrid P50 ms": round(float(np.percentile(hybrid_ms, 50)), 1),
        "hybrid P95 ms": round(float(np.percentile(hybrid_ms, 95)), 1),
    }


def main(run: Callable[[Path, int], Any] = measure) -> None:
    """Measure, and write the table."""
    given = [argument for argument in sys.argv[1:] if argument.isdigit()]
    passages = int(given[0]) if given else PASSAGES
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(os.environ.get("ROMA_ACL_FOLDER", temporary))
        rows = asyncio.run(run(folder, passages))
    report.write(
        "acl",
        f"Search under grants: {passages} passages",
        rows,
        f"{CLUSTERS} clusters of vectors, {QUESTIONS} questions. Recall is of the vectors' search, against exact "
        "search among the permitted passages; hybrid is BM25, vectors and fusion.",
        packages=("lancedb",),
    )


if __name__ == "__main__":
    main()
