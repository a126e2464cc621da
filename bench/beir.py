"""Retrieval collections in BEIR form, read in place beside the checkout."""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import dataclass
from pathlib import Path

from bench import report

SETS = ("squad2_dev", "clapnq", "multihop", "pubmedqa")


@dataclass(frozen=True)
class Collection:
    """``corpus``: id to (title, text); ``queries``: id to text; ``qrels``: query id to {document id: grade}."""

    name: str
    corpus: dict[str, tuple[str, str]]
    queries: dict[str, str]
    qrels: dict[str, dict[str, int]]


def folder() -> Path | None:
    """Where third-party material lies: ``ROMA_SHARED`` or ``../shared``; None when there is none."""
    root = Path(os.environ.get("ROMA_SHARED") or report.ROOT.parent / "shared") / "data"
    return root if root.is_dir() else None


def load(root: Path, name: str) -> Collection:
    with gzip.open(root / name / "corpus.jsonl.gz", "rt", encoding="utf-8") as file:
        documents = [json.loads(line) for line in file]
    queries = [json.loads(line) for line in (root / name / "queries.jsonl").read_text(encoding="utf-8").splitlines()]
    qrels: dict[str, dict[str, int]] = {}
    for line in (root / name / "qrels.tsv").read_text(encoding="utf-8").splitlines():
        query, document, grade = line.split("\t")
        if grade.lstrip("-").isdigit():  # a header is skipped
            qrels.setdefault(query, {})[document] = int(grade)
    return Collection(
        name,
        {d["_id"]: (d.get("title") or "", d["text"]) for d in documents},
        {q["_id"]: q["text"] for q in queries if q["_id"] in qrels},
        qrels,
    )
