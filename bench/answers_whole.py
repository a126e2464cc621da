"""How often a whole answer without a key is right, and how often an absent topic is refused, on SQuAD 2.0.

``python -m bench.answers_whole [QUESTIONS]``. Unlike ``bench.answers``, which measures the choice among passages that
BM25 found, every question goes through the product: both legs, fusion, the cross-encoder, the writer. A third of the
articles is left out of the store; questions about them are the absent topics.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench import beir, report
from bench.answers import Asked, Row, scored
from bench.keyless import fill, make_documents
from roma_core.app import build_roma
from roma_core.embeddings.local import LocalEmbedder
from roma_core.settings import Settings
from roma_core.store.lance import LanceStore
from roma_core.types import Query, TailorOutput, digest

SET = "squad2_dev"
QUESTIONS = 300
UNTOUCHED_FROM = 1500
"""Place among the questions of each kind, by hash, from which on none was looked at while rules were made."""
LEFT_OUT = 3
"""One article in so many is left out."""
NOTE = f"""Questions of SQuAD 2.0, asked through the whole pipeline over the passages of two thirds of its articles.
*Topic absent*: answerable questions about the other articles. *Near-misses* were written to look answerable by the very
passage. The rest as above. No question before place {UNTOUCHED_FROM:,} of its kind is asked: rules were made with some
of those. 95 % intervals."""


def is_left_out(context: str) -> bool:
    """Return whether the article of a passage is left out."""
    return int(digest("left out", context.split("#", maxsplit=1)[0])[:8], 16) % LEFT_OUT == 0


def draw(path: Path, count: int) -> list[Asked]:
    """Return as many answerable questions, near-misses and questions about what is left out."""
    rows = [json.loads(line) for line in (path / "qa.jsonl").read_text(encoding="utf-8").splitlines()]
    rows.sort(key=lambda row: digest("answers", row["id"]))
    drawn: list[Asked] = []
    for is_answerable in (True, False):
        kind = [row for row in rows if row["answerable"] is is_answerable][UNTOUCHED_FROM:]
        kept = [row for row in kind if not is_left_out(row["context_id"])][:count]
        absent = [row for row in kind if is_left_out(row["context_id"])][:count] if is_answerable else []
        drawn += [Asked(row["question"], is_answerable, tuple(row["answers"]), ()) for row in kept]
        drawn += [Asked(row["question"], False, (), (), is_absent=True) for row in absent]
    return drawn


async def measure(root: Path, folder: Path, asked: Sequence[Asked]) -> Row:
    """Ask all and return the row."""
    whole = beir.load(root, SET)
    collection = replace(whole, corpus={key: text for key, text in whole.corpus.items() if not is_left_out(key)})
    embedder = LocalEmbedder()
    store = LanceStore(folder / "store", fingerprint=embedder.fingerprint, dim=embedder.dim, model=embedder.name)
    await fill(store, embedder, make_documents([collection]))
    settings = Settings({"workspace": folder / "w", "llm_provider": "extractive", "cache": "off"})
    answers: list[str] = []
    async with build_roma(settings, store=store, embedder=embedder) as roma:
        for question in asked:
            output = await roma.query(Query(text=question.question), keep=False)
            assert isinstance(output, TailorOutput), output
            answers.append(output.answer)
    return scored(SET, "ROMA, whole", asked, answers)


def main(questions: int = QUESTIONS) -> None:
    root = beir.folder()
    if root is None:
        print("bench answers_whole: the collections are not here (ROMA_SHARED); nothing measured", file=sys.stderr)
        return
    asked = draw(root / SET, questions)
    with tempfile.TemporaryDirectory() as folder:
        row = asyncio.run(measure(root, Path(folder), asked))
    report.write("answers_whole", "Whole answers and refusals", [row], NOTE)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
