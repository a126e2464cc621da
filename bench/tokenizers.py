"""Words of Chinese, Japanese and Thai for BM25: LanceDB's ICU beside the dictionaries that cut such texts best.

Reads ``xquad.zh.json``, ``xquad.th.json`` (XQuAD) and ``valid-v1.3.json`` (JSQuAD) in the folder ``ROMA_XQUAD``. The
references (jieba, fugashi with unidic-lite, pythainlp) are no dependencies of ROMA; a language whose reference is
not installed is left out.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
import math
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench import report
from roma_core.chunking import chunk
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.store import LanceStore
from roma_core.store.base import EmbeddedDocument
from roma_core.types import Document

REFERENCES = {"zh": "jieba", "ja": "fugashi", "th": "pythainlp"}
FILES = {"zh": "xquad.zh.json", "ja": "valid-v1.3.json", "th": "xquad.th.json"}
EVERY = 5
PASSAGES = 240
K1, B = 1.2, 0.75

Cut = Callable[[str], Sequence[str]]


def main() -> None:
    folder = os.environ.get("ROMA_XQUAD")
    if not folder:
        print("ROMA_XQUAD names no folder with xquad.*.json: tokenizers are not measured", file=sys.stderr)
        return
    rows: list[dict[str, Any]] = []
    for language, reference in REFERENCES.items():
        path = Path(folder) / FILES[language]
        if path.exists() and importlib.util.find_spec(reference):
            articles = json.loads(path.read_text("utf-8"))["data"]
            rows.append(asyncio.run(measure(language, load_cutter(reference), articles)))
        else:
            print(f"{language} is left out: {reference} or {path.name} is missing", file=sys.stderr)
    report.write(
        "tokenizers",
        "Words of scripts without spaces, for BM25",
        rows,
        "XQuAD, and JSQuAD for Japanese: the first 240 passages of a language, every fifth question: the share whose "
        "passage is first, and among the first five. Reference: BM25 over the words that a dictionary cuts.",
        packages=("lancedb", *(name for name in REFERENCES.values() if importlib.util.find_spec(name))),
    )


def load_cutter(name: str) -> Cut:
    """Return the function of a reference that cuts a text into words."""
    module: Any = importlib.import_module(name)
    if name == "fugashi":
        tagger = module.Tagger()
        return lambda text: [word.surface for word in tagger(text)]
    if name == "pythainlp":
        return lambda text: list(module.word_tokenize(text, keep_whitespace=False))
    return lambda text: list(module.cut_for_search(text))


async def measure(language: str, cut: Cut, articles: Sequence[Any]) -> dict[str, Any]:
    """Return the row of one language."""
    paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]][:PASSAGES]
    asked = [(q["question"], number) for number, paragraph in enumerate(paragraphs) for q in paragraph["qas"]][::EVERY]
    texts = [paragraph["context"] for paragraph in paragraphs]
    counter = FakeEmbedder()
    entries: list[EmbeddedDocument] = []
    for number, text in enumerate(texts):
        document = Document(
            id=f"{number:03}", uri=f"file:///{number}", title="", text=text, content_sha256="", parser="text/1"
        )
        chunks = chunk(document, counter.count_tokens, 10_000)
        entries.append(EmbeddedDocument(document, chunks, np.eye(len(chunks), counter.dim, dtype=np.float32)))
    with tempfile.TemporaryDirectory() as place:
        store = LanceStore(Path(place), fingerprint="", dim=counter.dim)
        await store.put_many("t", entries)
        await store.optimize()
        found = [[h.chunk.document_id for h in await store.lexical("t", q, limit=5)] for q, _ in asked]
        await store.close()
    index = Bm25([cut(text) for text in texts])
    best = [index.rank(cut(question))[:5] for question, _ in asked]
    own = {
        n: np.mean([f"{wanted:03}" in ids[:n] for ids, (_, wanted) in zip(found, asked, strict=True)]) for n in (1, 5)
    }
    reference = {n: np.mean([wanted in ids[:n] for ids, (_, wanted) in zip(best, asked, strict=True)]) for n in (1, 5)}
    return {
        "language": language,
        "reference": REFERENCES[language],
        "questions": len(asked),
        "hit@1, ICU": float(own[1]),
        "hit@1, reference": float(reference[1]),
        "hit@5, ICU": float(own[5]),
        "hit@5, reference": float(reference[5]),
        "ICU of reference": float(own[1] / reference[1]),
    }


class Bm25:
    """BM25 in Lucene's form over texts that are cut into words."""

    def __init__(self, texts: Sequence[Sequence[str]]) -> None:
        self._counts = [Counter(word.casefold() for word in text) for text in texts]
        self._lengths = np.array([max(1, len(text)) for text in texts]) / np.mean([len(text) for text in texts])
        self._holders = Counter(word for counts in self._counts for word in counts)

    def rank(self, words: Sequence[str]) -> list[int]:
        """Return the texts' numbers, best first."""
        scores = np.zeros(len(self._counts))
        for word in {word.casefold() for word in words}:
            held = self._holders[word]
            weight = math.log1p((len(self._counts) - held + 0.5) / (held + 0.5))
            often = np.array([counts[word] for counts in self._counts])
            scores += weight * often / (often + K1 * (1 - B + B * self._lengths))
        return [int(number) for number in np.argsort(-scores, kind="stable")]
