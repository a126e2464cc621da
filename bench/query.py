"""What ROMA adds to a question: all of ``stream_query`` over 10 000 passages, with a model that answers at once.

A real LanceDB in a folder, documents as the Markdown parser makes them, the real embedder for the question, the default
settings but no reranker, and a scripted model behind the whole LLM service, which plans, rewrites and writes without
taking any time. What is left is everything but the model and the reranker. The steps of it are timed alone besides.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import numpy as np

from bench import report
from bench.core import TENANT, store_at, timed, words
from roma_core.app import Roma, build_roma
from roma_core.cache import Cache
from roma_core.chunking import chunk
from roma_core.embeddings.local import LocalEmbedder
from roma_core.llm.base import LLMRequest
from roma_core.llm.providers.fake import FakeLLM, Reply, read_passages
from roma_core.llm.service import LLMService
from roma_core.markup.sentences import split_sentences
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.text import markdown
from roma_core.rerank import LocalReranker, mix
from roma_core.settings import Settings
from roma_core.store.base import EmbeddedDocument
from roma_core.store.fusion import fuse
from roma_core.store.lance import LanceStore
from roma_core.types import CompleteEvent, RawDocument, ScoredChunk, StageEvent

PASSAGES = 10_000
QUERIES = 60
WARM = 5
RERANKED = 15
WORDS_ASKED = 6
TURNS = 20
"""In the session's history when its first question is timed."""


def handbook(rng: random.Random, number: int) -> str:
    """Markdown of some forty passages: sections of paragraphs, lists and a table in made-up words."""
    parts = [f"# Handbook {number}"]
    for section in range(12):
        parts.append(f"## {' '.join(words(rng, 3)).capitalize()} {section}")
        parts += [" ".join(_sentence(rng) for _ in range(6)) for _ in range(2)]
        parts.append("\n".join(f"- {_sentence(rng)}" for _ in range(4)))
    return "\n\n".join(parts)


def _sentence(rng: random.Random) -> str:
    return " ".join(words(rng, rng.randint(8, 16))).capitalize() + "."


async def fill(store: LanceStore, embedder: LocalEmbedder) -> list[str]:
    """``PASSAGES`` passages with random unit vectors; returns questions made of the words of some."""
    rng, vectors = random.Random(2), np.random.default_rng(1)
    entries: list[EmbeddedDocument] = []
    total = 0
    while total < PASSAGES:
        number = len(entries)
        raw = RawDocument(uri=f"file:///handbooks/{number}.md", data=handbook(rng, number).encode())
        document = markdown.parse(raw, ParseOptions(tenant=TENANT))
        chunks = chunk(document, embedder.count_tokens)[: PASSAGES - total]
        rows = vectors.normal(size=(len(chunks), embedder.dim)).astype(np.float32)
        entries.append(EmbeddedDocument(document, chunks, rows / np.linalg.norm(rows, axis=1, keepdims=True)))
        total += len(chunks)
    await store.put_many(TENANT, entries)
    await store.optimize()
    known = [sorted(set(re.findall(r"[a-z]{3,}", c.text))) for entry in entries for c in entry.chunks]
    asked = rng.choices([own for own in known if len(own) >= WORDS_ASKED], k=2 * (QUERIES + WARM) + TURNS)
    return [f"What is said of {' '.join(rng.sample(own, WORDS_ASKED))}?" for own in asked]


def answer(request: LLMRequest) -> Reply:
    """The model: the plan of one step, the question as it is, or a sentence of each of the first three passages."""
    asked = request.messages[-1].content
    if request.purpose == "plan":
        return Reply(json.dumps({"sub_questions": [{"id": 1, "question": asked[:500]}]}))
    if request.purpose == "rewrite":
        return Reply(asked.rpartition("New question: ")[2])
    quoted = [split_sentences(text)[-1].of(text) for text in read_passages(request)[:3]]
    return Reply(" ".join(f"{text} [{n}]" for n, text in enumerate(quoted, start=1)))


@asynccontextmanager
async def asked_about(workspace: Path, store: LanceStore, embedder: LocalEmbedder) -> AsyncIterator[Roma]:
    """ROMA with its default settings over ``store``, but the model that takes no time and no reranker."""
    model = LLMService([FakeLLM(rule=answer)], cache=Cache(workspace / "cache.sqlite"))
    settings = Settings(workspace=workspace, reranker="none")
    async with build_roma(settings, store=store, embedder=embedder, llm=model) as roma:
        yield roma


async def path_row(name: str, roma: Roma, questions: list[str], session: str | None) -> dict[str, object]:
    """Wall and processor time of whole answers, after ``WARM`` that warm up, and where the wall time went."""
    taken: list[float] = []
    stages: dict[str, list[float]] = defaultdict(list)
    cpu = 0.0
    for number, question in enumerate(questions[: QUERIES + WARM]):
        began, cpu = time.perf_counter(), time.process_time() if number == WARM else cpu
        last = began
        async with aclosing(roma.stream_query(question, session_id=session)) as events:
            async for event in events:
                now = time.perf_counter()
                if isinstance(event, StageEvent | CompleteEvent):
                    stages[event.stage if isinstance(event, StageEvent) else "complete"].append(1000 * (now - last))
                    last = now
                if isinstance(event, CompleteEvent):
                    assert event.output.citations and not event.output.degraded, event.output
        taken.append(1000 * (time.perf_counter() - began))
    cpu = time.process_time() - cpu
    told = [f"{stage} {statistics.median(ms[WARM:]):.3g}" for stage, ms in stages.items()]
    return {
        **_row(name, taken[WARM:]),
        "processor ms": 1000 * cpu / QUERIES,
        "median ms to each event": ", ".join(told),
    }


def _row(name: str, taken: list[float]) -> dict[str, object]:
    return {"step": name, "P50 ms": statistics.median(taken), "P95 ms": float(np.percentile(taken, 95))}


async def step_rows(store: LanceStore, embedder: LocalEmbedder, questions: list[str]) -> list[dict[str, object]]:
    settings, reranker = Settings(), LocalReranker()
    limit = settings.retrieval.retrieve_limit
    vectors = {q: (await embedder.embed_query(q)).vector for q in questions}

    async def own(question: str) -> list[ScoredChunk]:
        lexical, dense = await asyncio.gather(
            store.lexical(TENANT, question, limit=limit), store.dense(TENANT, vectors[question], limit=limit)
        )
        return fuse(lexical, dense, lexical_weight=settings.retrieval.lexical_weight, limit=limit)

    async def reranked(question: str) -> list[ScoredChunk]:
        await embedder.embed_query(question)
        hybrid = await own(question)
        top = [hit.chunk.text for hit in hybrid[: settings.retrieval.rerank_limit]]
        return mix(hybrid, await reranker.scores(question, top), weight=settings.retrieval.rerank_weight)

    steps: dict[str, Callable[[str], Awaitable[object]]] = {
        "BM25": lambda q: store.lexical(TENANT, q, limit=limit),
        "vectors": lambda q: store.dense(TENANT, vectors[q], limit=limit),
        "both and fusion": own,
        "embedding of the question": embedder.embed_query,
        "retrieval with the reranker over 20": reranked,
    }
    rows = []
    for name, work in steps.items():
        rows.append(_row(name, await timed(work, questions[: RERANKED if work is reranked else QUERIES])))
    reranker.close()
    return rows


async def run(base: Path) -> None:
    embedder = LocalEmbedder()
    store = store_at(base / "s", embedder)
    questions = await fill(store, embedder)
    said, first, second = questions[:TURNS], questions[TURNS : -QUERIES - WARM], questions[-QUERIES - WARM :]
    async with asked_about(base / "w", store, embedder) as roma:
        for question in said:
            await roma.query(question, session_id="talk")
        rows = [await path_row("the whole path, without a session", roma, first, None)]
        rows.append(await path_row(f"the whole path, in a session of {TURNS} turns and more", roma, second, "talk"))
        rows += await step_rows(store, embedder, first)
    note = (
        "The whole path is `stream_query` to its last event: guardrails, history, plan, search, prompt, answer, "
        "citations, telemetry and the turn that is kept. The model and the reranker are taken out: a scripted model "
        "answers at once, in a session three times. The goal is a P95 of at most 100 ms. Wall times are of one "
        "question at a time on a machine that others use too; processor time is what one takes of all cores."
    )
    title = f"What ROMA adds to a question, at {PASSAGES:,} passages"
    report.write("core_query", title, rows, note, ["lancedb", "fastembed", "onnxruntime"])


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
