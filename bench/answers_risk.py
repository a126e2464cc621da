"""Does the risk contract hold? Thresholds by Learn then Test on questions of SQuAD 2.0, and on resamples of them.

``python -m bench.answers_risk [QUESTIONS]``. Three kinds of questions are weighed: answerable ones; ones whose topic is
absent (answerable ones, with the paragraphs of their whole article left out); and near-misses, which SQuAD's authors
wrote to look answerable by a paragraph. What was weighed is kept in a temporary file of the revision, so that a run
that was stopped goes on.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench import beir, report
from bench.answers import CANDIDATES, PASSAGES, SEEN, seen_ids
from bench.retrieval import TENANT, entry_parts
from roma_core.agents.context import Context
from roma_core.evals.abstention import thin
from roma_core.evals.golden.dataset import Nugget
from roma_core.evals.measures.nuggets import states
from roma_core.evals.stats.risk import LabelledAnswer, control_risk, make_grid, trace_curve, walk_grid
from roma_core.rerank import BUNDLED, LocalReranker, mix
from roma_core.store.base import EmbeddedDocument
from roma_core.store.inmemory import InMemoryStore
from roma_core.types import Principal, Query, ScoredChunk, digest
from roma_core.writers import ExtractiveWriter
from roma_core.writers.extractive.calibration import thresholds_of

SET = "squad2_dev"
QUESTIONS = 200
RESAMPLES = 300
RISKS = (0.05, 0.1, 0.2, 0.3, 0.5)
GRID = make_grid(0.0, 24.0)
MIXTURES = {"answerable, topic absent": ("answerable", "absent"), "and near-misses": ("answerable", "absent", "near")}
KEPT = Path(tempfile.gettempdir()) / f"roma-bench-answers-risk-{report.revision()}.jsonl"
NOTE = """Questions of SQuAD 2.0 that nobody looked at, each set's paragraphs in one store, ranked by BM25 and the
cross-encoder. An answer is wrong when the question has none in the store, or when no reference answer is in the quotes.
*Topic absent* are answerable questions with their whole article left out. *Held* is the share of resamples (as many
questions, drawn with replacement) in which the threshold found on the resample keeps the promise on all questions; a
resample without a threshold promises nothing and counts as held. A dash: no threshold keeps the risk, and
*reachable* is the least one that a threshold keeps."""
SHIPPED = thresholds_of(BUNDLED)
assert SHIPPED is not None
CURVE_NOTE = f"""The same questions, answerable and topic absent, at each threshold of the evidence; the shipped one is
{SHIPPED.answer_from}. *Kept* is the share of the answerable questions that are answered, *refused* that of
the others that are not."""

Row = dict[str, Any]


def main(questions: int = QUESTIONS) -> None:
    root = beir.folder()
    if root is None:
        print("bench answers_risk: the collections are not here (ROMA_SHARED); nothing was measured", file=sys.stderr)
        return
    asyncio.run(weigh_all(root, questions))
    weighed = [json.loads(line) for line in KEPT.read_text(encoding="utf-8").splitlines()]
    rows = [measure(name, weighed, parts, risk) for name, parts in MIXTURES.items() for risk in RISKS]
    report.write("answers_risk", "The promised risk of wrong answers", rows, NOTE)
    report.write("answers_curve", "Answers and refusals at each threshold", trace(weighed), CURVE_NOTE)


async def weigh_all(root: Path, questions: int) -> None:
    """Weigh the questions that are not kept yet, and keep them."""
    KEPT.touch()
    kept = {(row["id"], row["part"]) for row in map(json.loads, KEPT.read_text(encoding="utf-8").splitlines())}
    open_questions = [(part, q) for part, q in draw_questions(root, questions) if (q["id"], part) not in kept]
    if not open_questions:
        return
    store, reranker = InMemoryStore(), LocalReranker()
    parts = [entry_parts(key, title, text) for key, (title, text) in beir.load(root, SET).corpus.items()]
    blank = np.zeros((1, 4), dtype=np.float32)
    await store.put_many(TENANT, [EmbeddedDocument(document, [chunk], blank) for document, chunk in parts])
    writer = ExtractiveWriter(reranker, library=store)
    for part, question in open_questions:
        passages = await find_passages(store, reranker, question, part)
        context = Context.begin(Query(text=question["question"], principal=Principal.local(TENANT)))
        answer = await writer.weigh(question["question"], passages, context)
        text = "".join(answer.pieces)
        is_right = part == "answerable" and states(text, make_fact(question["answers"]))
        label = LabelledAnswer(
            kind=answer.kind,
            evidence=answer.evidence,
            is_answer=not answer.is_refusal,
            is_wrong=not answer.is_refusal and not is_right,
        )
        with KEPT.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"id": question["id"], "part": part, "label": label.model_dump()}) + "\n")


def make_fact(answers: Sequence[str]) -> Nugget:
    return Nugget(fact=answers[0], aliases=tuple(answers[1:]))


def draw_questions(root: Path, questions: int) -> list[tuple[str, Row]]:
    """Return as many questions of each part, after those that were looked at."""
    held = [json.loads(line) for line in (root / SET / "qa.jsonl").read_text(encoding="utf-8").splitlines()]
    seen = seen_ids(held, SEEN[SET])
    drawn = sorted((q for q in held if q["id"] not in seen), key=lambda q: digest("answers", q["id"]))
    answerable = [q for q in drawn if q["answerable"]]
    near = [q for q in drawn if not q["answerable"]]
    rows = zip(answerable[:questions], answerable[questions : 2 * questions], near[:questions], strict=False)
    return [(part, q) for row in rows for part, q in zip(("answerable", "absent", "near"), row, strict=True)]


async def find_passages(
    store: InMemoryStore, reranker: LocalReranker, question: Row, part: str
) -> tuple[ScoredChunk, ...]:
    found = await store.lexical(TENANT, question["question"], limit=CANDIDATES if part != "absent" else 6 * CANDIDATES)
    if part == "absent":
        article = question["context_id"].split("#")[0]
        found = [p for p in found if p.chunk.id.split("#")[0] != article][:CANDIDATES]
    scores = await reranker.scores(question["question"], [p.chunk.indexed_text for p in found])
    return tuple(mix(found, scores)[:PASSAGES])


def read_labels(weighed: Sequence[Row], parts: Sequence[str]) -> list[LabelledAnswer]:
    return [LabelledAnswer.model_validate(row["label"]) for row in weighed if row["part"] in parts]


def measure(name: str, weighed: Sequence[Row], parts: Sequence[str], risk: float) -> Row:
    """Return the threshold for a risk on all questions, and how often those of resamples hold."""
    labels = read_labels(weighed, parts)
    true_risk = {point.threshold: point.risk for point in trace_curve(labels, GRID)}
    rng = random.Random(f"{name}{risk}")
    held = 0
    for _ in range(RESAMPLES):
        curve = trace_curve(rng.choices(labels, k=len(labels)), GRID)
        index = walk_grid(curve, risk)
        held += index is None or true_risk[curve[index].threshold] <= risk
    control = control_risk(labels, GRID, risk)
    point = control.point
    is_kept = control.threshold is not None
    return {
        "questions": name,
        "n": len(labels),
        "promise": risk,
        "threshold": f"{control.threshold:.1f}" if control.threshold is not None else None,
        "answered": point.coverage if is_kept else None,
        "wrong": point.risk if is_kept else None,
        "reachable": control.reachable,
        "held": held / RESAMPLES,
    }


def trace(weighed: Sequence[Row]) -> list[Row]:
    """Return the curve of coverage against risk, with what is kept and refused."""
    answerable, absent, near = (read_labels(weighed, [part]) for part in ("answerable", "absent", "near"))
    points = [trace_curve(labels, GRID) for labels in ([*answerable, *absent], answerable, absent, near)]
    return [
        {
            "threshold": f"{both.threshold:.1f}",
            "answered": both.coverage,
            "wrong of these": both.risk,
            "bound": both.bound(),
            "kept": own.coverage,
            "topic absent, refused": 1 - others.coverage,
            "near-misses, refused": 1 - closest.coverage,
        }
        for both, own, others, closest in thin(list(zip(*points, strict=True)))
    ]


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
