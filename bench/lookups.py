"""What answers cost without a key, and what further look-ups and witnesses add, in one run.

``python -m bench.lookups WORKSPACE [QUESTIONS]``; WORKSPACE is one that ``roma demo`` has made. Questions of the golden
set go through the whole pipeline. Compound and bridge questions do so with ``ROMA_PLANNER=auto`` and ``off``, in turns.
Then the passages of questions after values are quoted with and without the other candidates of the search, in which
sources are looked for that say otherwise. *Beyond the reranker* is the processor time without that of the model.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from bench import report
from roma_core.app import Roma, build_roma
from roma_core.citations.conflicts import asks_value
from roma_core.errors import AgentFailure
from roma_core.evals.golden.dataset import load_golden
from roma_core.markup.compound import list_lookups
from roma_core.rerank import LocalReranker
from roma_core.settings import Settings
from roma_core.types import Document, Query, ScoredChunk, TailorOutput
from roma_core.writers import ExtractiveWriter

QUESTIONS, WARM, SEED = 40, 3, 12
GOLDEN = report.ROOT / "datasets" / "golden" / "golden_dataset.json"
TOP, MOST_RESULTS = 5, 50

T = TypeVar("T")
Row = dict[str, object]


class CountingReranker(LocalReranker):
    """The bundled cross-encoder; ``pairs`` are those that it has read, ``used_ms`` the processor's time for them."""

    pairs = 0
    used_ms = 0.0
    _running = 0
    _began = 0.0

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """Return the scores, and count the pairs and the time; of calls side by side the time counts once."""
        self.pairs += len(texts)
        if not self._running:
            self._began = time.process_time()
        self._running += 1
        try:
            return await super().scores(question, texts)
        finally:
            self._running -= 1
            if not self._running:
                self.used_ms += 1000 * (time.process_time() - self._began)


class Timings:
    """Milliseconds by the clock and of the processor, pairs that were read, and look-ups of one way."""

    def __init__(self) -> None:
        self.taken: list[float] = []
        self.used: list[float] = []
        self.beyond: list[float] = []
        self.pairs: list[int] = []
        self.lookups: list[int] = []

    async def run(self, reranker: CountingReranker, work: Callable[[], Awaitable[T]]) -> T:
        """Return what ``work`` returns, with its cost added."""
        pairs, read_ms = reranker.pairs, reranker.used_ms
        began, cpu = time.perf_counter(), time.process_time()
        result = await work()
        self.taken.append(1000 * (time.perf_counter() - began))
        self.used.append(1000 * (time.process_time() - cpu))
        self.beyond.append(self.used[-1] - (reranker.used_ms - read_ms))
        self.pairs.append(reranker.pairs - pairs)
        return result

    def row(self, questions: str, way: str, changed: float | None) -> Row:
        """Return the row of the table, without the first questions."""
        taken, used, beyond, pairs = (each[WARM:] for each in (self.taken, self.used, self.beyond, self.pairs))
        return {
            "questions": questions,
            "way": way,
            "n": len(taken),
            "look-ups": statistics.mean(self.lookups[WARM:]) if self.lookups else None,
            "pairs read": statistics.mean(pairs),
            "P50 ms": statistics.median(taken),
            "P95 ms": float(np.percentile(taken, 95)),
            "processor P50 ms": statistics.median(used),
            "processor P95 ms": float(np.percentile(used, 95)),
            "beyond the reranker P50 ms": statistics.median(beyond),
            "beyond the reranker P95 ms": float(np.percentile(beyond, 95)),
            "answers changed": changed,
        }


async def measure(workspace: Path, count: int) -> list[Row]:
    """Return the rows of all parts."""
    questions = [case.question for case in load_golden(GOLDEN).cases]
    random.Random(SEED).shuffle(questions)
    compound = [question for question in questions if list_lookups(question)]
    valued = [question for question in questions if asks_value(question) and question not in compound]
    reranker = CountingReranker()
    settings = Settings.load(workspace=workspace, cache="off", llm_provider="extractive")
    rows = await _measure_any(settings, reranker, questions[: count + WARM])
    rows += await _measure_lookups(settings, reranker, compound[: count + WARM])
    rows += await _measure_witnesses(settings, reranker, valued[: count + WARM])
    reranker.close()
    return rows


async def _measure_any(settings: Settings, reranker: CountingReranker, questions: Sequence[str]) -> list[Row]:
    timings = Timings()
    roma = build_roma(settings, reranker=reranker)
    for question in questions:
        await timings.run(reranker, partial(_ask, roma, question))
    await roma.close(keep=("reranker",))
    return [timings.row("any", "as shipped", None)]


async def _measure_lookups(settings: Settings, reranker: CountingReranker, questions: Sequence[str]) -> list[Row]:
    timings = {planner: Timings() for planner in ("off", "auto")}
    romas = {planner: build_roma(settings.replace(planner=planner), reranker=reranker) for planner in timings}
    changed: list[float] = []
    for number, question in enumerate(questions):
        outputs: dict[str, TailorOutput] = {}
        for planner in sorted(timings, reverse=bool(number % 2)):
            output = await timings[planner].run(reranker, partial(_ask, romas[planner], question))
            outputs[planner] = output
        timings["off"].lookups.append(1)
        timings["auto"].lookups.append(1 + len(list_lookups(question)))
        changed.append(float(outputs["off"].answer != outputs["auto"].answer))
    for roma in romas.values():
        await roma.close(keep=("reranker",))
    name = "two things or sides"
    return [
        timings["off"].row(name, "one look-up", None),
        timings["auto"].row(name, "each part looked up", statistics.mean(changed[WARM:])),
    ]


async def _measure_witnesses(settings: Settings, reranker: CountingReranker, questions: Sequence[str]) -> list[Row]:
    without, with_them = Timings(), Timings()
    writer = ExtractiveWriter(reranker)
    changed: list[float] = []
    async with build_roma(settings, reranker=reranker) as roma:
        for number, question in enumerate(questions):
            passages = await _find(roma, question)
            documents = await _read(roma, passages[:TOP])
            answers: dict[bool, tuple[str, ...]] = {}
            for looks in (True, False) if number % 2 else (False, True):
                others = passages[TOP:] if looks else []
                timing = with_them if looks else without
                answer = await timing.run(reranker, partial(writer.answer, question, passages[:TOP], documents, others))
                answers[looks] = answer.pieces
            changed.append(float(answers[True] != answers[False]))
    name = "values; quoting alone"
    return [
        without.row(name, "passages alone", None),
        with_them.row(name, "witnesses looked for", statistics.mean(changed[WARM:])),
    ]


async def _ask(roma: Roma, question: str) -> TailorOutput:
    output = await roma.query(Query(text=question), keep=False)
    assert isinstance(output, TailorOutput), output
    return output


async def _find(roma: Roma, question: str) -> list[ScoredChunk]:
    explained = await roma.explain_search(question, limit=MOST_RESULTS)
    assert not isinstance(explained, AgentFailure), explained
    return list(explained.passages)


async def _read(roma: Roma, passages: Sequence[ScoredChunk]) -> list[Document]:
    ids = dict.fromkeys(passage.chunk.document_id for passage in passages)
    found = [await roma.store.document(roma.settings.tenant, id_) for id_ in ids]
    return [document for document in found if document is not None]


def main(workspace: str = "", questions: str = str(QUESTIONS)) -> int:
    if not workspace or not Path(workspace).is_dir():
        print("bench.lookups: name a workspace that `roma demo` has made; nothing was measured.", file=sys.stderr)
        return 0
    rows = asyncio.run(measure(Path(workspace), int(questions)))
    note = (
        "Questions of the golden set over the frozen corpus, one at a time, both ways in turns where there are two; "
        "the goal is 600 ms of processor time beyond the reranker at the median. All look-ups of a question share the "
        "passages that the reranker may read, so that the pairs stay about as many; a witness is read where rules find "
        "that it may contradict. On a machine that others use too, read processor time and ratios."
    )
    report.write(
        "lookups",
        "Cost of answers without a key, of further look-ups and of witnesses",
        rows,
        note,
        ["lancedb", "onnxruntime"],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
