"""How good are quoted answers? ROMA's choice of sentences and its refusals, on questions that people asked.

``python -m bench.answers [QUESTIONS]``. The passages come by BM25 and the reranker; measured is the choice among them.
The first ``SEEN`` questions of each set (by hash) were looked at while the rules and thresholds were chosen; the ones
after them were not.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench import beir, report
from bench.retrieval import TENANT, entry_parts
from roma_core.evals.golden.dataset import Nugget
from roma_core.evals.measures.nuggets import states
from roma_core.evals.stats.inference import interval
from roma_core.llm.base import I_DONT_KNOW
from roma_core.rerank import LocalReranker, mix
from roma_core.store.base import EmbeddedDocument
from roma_core.store.inmemory import InMemoryStore
from roma_core.types import ScoredChunk, digest
from roma_core.writers import ExtractiveWriter
from roma_core.writers.extractive.units import quotable_units

SEEN = {"squad2_dev": 100, "clapnq": 70}
"""Answerable, and as many unanswerable, questions of each set that were looked at."""
QUESTIONS = 60
CANDIDATES, PASSAGES = 10, 5
MOST_NEAR = 60
"""Candidates from which those of one article are taken out."""
SHORT = 40
"""Words of a short answer."""
NOTE = """Questions of SQuAD 2.0 (adversarial: the near-misses were written to look answerable by the very passage) and
CLAPNQ (real questions; no short answers, so only refusals count), each set's passages in one store. *Holds the answer*:
one of the reference answers is in the quotes, word for word after normalisation; *in short* where the answer has 40
words at most. *Topic absent*: the answerable questions with their whole article left out of the store. *Bare best
sentence* is the sentence that the same cross-encoder scores highest without its surroundings; it never refuses. None of
these questions was looked at while rules and thresholds were chosen. 95 % intervals."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A question with its passages; ``answers`` empty when there is none to hold."""

    question: str
    answerable: bool
    answers: tuple[str, ...]
    passages: tuple[ScoredChunk, ...]
    is_absent: bool = False
    """True where the article that answers it was left out."""


def main(questions: int = QUESTIONS) -> None:
    root = beir.folder()
    if root is None:
        print("bench answers: the collections are not here (ROMA_SHARED); nothing was measured", file=sys.stderr)
        return
    rows = [row for name in SEEN for row in asyncio.run(measured(root, name, questions))]
    report.write("answers", "Quoted answers and refusals", rows, NOTE)


async def measured(root: Path, name: str, questions: int) -> list[Row]:
    reranker = LocalReranker()
    asked = await found(root, name, unseen(root, name, questions), reranker)
    ours = ExtractiveWriter(reranker)
    bare = [await bare_best(reranker, item) for item in asked]
    quoted = ["".join((await ours.answer(item.question, item.passages)).pieces) for item in asked]
    return [scored(name, "bare best sentence", asked, bare), scored(name, "ROMA", asked, quoted)]


def unseen(root: Path, name: str, questions: int) -> list[Row]:
    """The same number of answerable and unanswerable questions, after those that were looked at."""
    lines = (root / name / "qa.jsonl").read_text(encoding="utf-8").splitlines()
    drawn = sorted(map(json.loads, lines), key=lambda q: digest("answers", q["id"]))
    seen = seen_ids(drawn, SEEN[name])
    fresh = [q for q in drawn if q["id"] not in seen]
    kinds = ([q for q in fresh if q["answerable"] is wanted][:questions] for wanted in (True, False))
    return [q for kind in kinds for q in kind]


def seen_ids(questions: Sequence[Row], most: int) -> set[str]:
    """Those that were looked at: the first of each kind by the plain SHA-256 of their id."""
    import hashlib

    ranked = sorted(questions, key=lambda q: hashlib.sha256(q["id"].encode()).hexdigest())
    return {q["id"] for wanted in (True, False) for q in [q for q in ranked if q["answerable"] is wanted][:most]}


async def found(root: Path, name: str, questions: Sequence[Row], reranker: LocalReranker) -> list[Asked]:
    """Return the questions with the best passages of the whole set, and without those of the article that answers."""
    store = InMemoryStore()
    parts = [entry_parts(key, title, text) for key, (title, text) in beir.load(root, name).corpus.items()]
    blank = np.zeros((1, 4), dtype=np.float32)
    await store.put_many(TENANT, [EmbeddedDocument(document, [chunk], blank) for document, chunk in parts])
    asked = []
    for q in questions:
        near = await store.lexical(TENANT, q["question"], limit=MOST_NEAR)
        short = tuple(q["answers"]) if name == "squad2_dev" else ()
        passages = await rank(reranker, q["question"], near)
        asked.append(Asked(q["question"], q["answerable"], short, passages))
        if q["answerable"] and name == "squad2_dev":
            article = q["context_id"].split("#")[0]
            others = [passage for passage in near if passage.chunk.id.split("#")[0] != article]
            passages = await rank(reranker, q["question"], others)
            asked.append(Asked(q["question"], answerable=False, answers=(), passages=passages, is_absent=True))
    return asked


async def rank(reranker: LocalReranker, question: str, near: Sequence[ScoredChunk]) -> tuple[ScoredChunk, ...]:
    """Return the best passages of the first candidates."""
    candidates = near[:CANDIDATES]
    scores = await reranker.scores(question, [passage.chunk.indexed_text for passage in candidates])
    return tuple(mix(candidates, scores)[:PASSAGES])


async def bare_best(reranker: LocalReranker, item: Asked) -> str:
    quotes = [unit.quote for unit in quotable_units(item.passages)]
    scores = await reranker.scores(item.question, quotes)
    return quotes[max(range(len(quotes)), key=scores.__getitem__)] if quotes else I_DONT_KNOW


def scored(name: str, system: str, asked: Sequence[Asked], answers: Sequence[str]) -> Row:
    pairs = list(zip(asked, answers, strict=True))

    def refused(text: str) -> bool:
        return text.startswith(I_DONT_KNOW)

    def count(text: str) -> int:
        return len(re.sub(r"\[\d\]", "", text).split())

    words = [count(a) for _, a in pairs if not refused(a)]
    answerable = [(q, a) for q, a in pairs if q.answers]
    holds = [
        float(not refused(a) and states(a, Nugget(fact=q.answers[0], aliases=q.answers[1:]))) for q, a in answerable
    ]
    in_short = [held * (count(a) <= SHORT) for held, (_, a) in zip(holds, answerable, strict=True)]
    return {
        "set": name,
        "answer": system,
        "n": len(pairs),
        "holds the answer": share(holds),
        "in short": share(in_short),
        "answerable, answered": share([float(not refused(a)) for q, a in pairs if q.answerable]),
        "topic absent, refused": share([float(refused(a)) for q, a in pairs if q.is_absent]),
        "near-misses, refused": share([float(refused(a)) for q, a in pairs if not q.answerable and not q.is_absent]),
        "words": sum(words) / max(1, len(words)),
    }


def share(values: Sequence[float]) -> str | None:
    if not values:
        return None
    seen = interval(values)
    return f"{seen.mean:.2f} ({seen.low:.2f}–{seen.high:.2f})"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
