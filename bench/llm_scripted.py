"""Three scripted models through the whole pipeline: what of their statements is proven, and what is falsely so."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.report import ROOT, write
from roma_core.app import build_roma
from roma_core.chunking import chunk
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.llm.providers.server import FakeModelServer
from roma_core.settings import Settings
from roma_core.store.inmemory import InMemoryStore
from roma_core.types import Document, TailorOutput, digest
from tests.scripted import MANNERS, Counts, ScriptedModel

SHARED = Path(os.environ.get("ROMA_SHARED") or ROOT.parent / "shared") / "data" / "squad2_dev"
QUESTIONS = 60
PASSAGES = 600
SEED = 7
NOTE = """Each model reads the passages out of the prompt that it is sent and takes sentences of them, so that the truth
about each statement is known. *Obedient*: true statements, half of them in another form, marked as asked.
*Weak*: one of fourteen styles of citation, statements without, with a wrong or with an invented marker, some
false ones, thoughts and introductions. *Adversarial*: three statements of five are altered (numbers, names,
negations, splices: the families of `tests/attacks.py`) and marked with the passage they were made from; half
of the true ones are marked with another. The passages come by BM25 from SQuAD 2.0. *Proven*: the verdict is
verbatim or supported. The goal is below 2 % of *false attributions*: citations that are called proven
although their passage does not say it. The last column counts answers without a proven citation whose
`answered` is *known*: it must be 0."""

Row = dict[str, Any]


def main(questions: int = QUESTIONS) -> None:
    if not SHARED.is_dir():
        print("bench llm_scripted: the passages are not here (ROMA_SHARED); nothing was measured", file=sys.stderr)
        return
    documents, asked = read_corpus(questions)
    rows: list[Row] = []
    for name in MANNERS:
        counts = asyncio.run(count_answers(name, documents, asked))
        rows.append({"model": name, **counts.row()})
    write("llm_scripted", "Scripted models: proven citations and false attributions", rows, NOTE)


def read_corpus(questions: int) -> tuple[list[Document], list[str]]:
    """Return the first passages of the collection, and questions about them in an order by their ids."""
    with gzip.open(SHARED / "corpus.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for _, line in zip(range(PASSAGES), file, strict=False)]
    known = {row["_id"] for row in rows}
    lines = (SHARED / "qa.jsonl").read_text(encoding="utf-8").splitlines()
    about = [q for q in map(json.loads, lines) if q["context_id"] in known]
    about.sort(key=lambda q: digest("scripted", q["id"]))
    return [make_document(row["_id"], row["title"], row["text"]) for row in rows], [
        q["question"] for q in about[:questions]
    ]


def make_document(key: str, title: str, text: str) -> Document:
    return Document(
        id=Document.id_for(key, "default"),
        uri=key,
        title=title,
        text=text,
        content_sha256=digest(text),
        parser="bench/1",
    )


async def fill_store(documents: Sequence[Document]) -> tuple[InMemoryStore, FakeEmbedder]:
    """Return a store in memory with ``documents``, and the embedder that it was filled by."""
    store, embedder = InMemoryStore(), FakeEmbedder()
    for document in documents:
        pieces = chunk(document, embedder.count_tokens)
        vectors = (await embedder.embed([piece.indexed_text for piece in pieces])).vectors
        await store.put("default", document, pieces, vectors)
    return store, embedder


async def count_answers(name: str, documents: Sequence[Document], questions: Sequence[str]) -> Counts:
    """Ask ``questions`` of a ROMA whose answers the scripted model ``name`` writes."""
    model = ScriptedModel(MANNERS[name], SEED)
    counts = Counts()
    store, embedder = await fill_store(documents)
    with tempfile.TemporaryDirectory() as workspace:
        async with FakeModelServer(model).running() as server:
            settings = Settings(
                workspace=Path(workspace),
                embedder="fake",
                reranker="none",
                lexical_weight=1.0,
                llm_provider="openai",
                llm_model="m",
                llm_base_url=f"{server.url}/v1",
                llm_fallbacks="none",
                cache="off",
                planner="off",
                log_level="ERROR",
            )
            async with build_roma(settings, store=store, embedder=embedder) as roma:
                for question in questions:
                    output = await roma.query(question)
                    if isinstance(output, TailorOutput) and model.claims:
                        counts.add(output, model.claims)
    return counts


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
