"""Sets of Ragas and DeepEval as golden sets.

They hold questions, reference answers and texts, and seldom name documents. Their texts are looked for in a corpus by
``place_items``; what is not found there has no evidence, and its retrieval is not scored.
"""

from __future__ import annotations

import ast
import re
import unicodedata
from collections import Counter
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from roma_core.errors import ErrorCode, EvalError
from roma_core.evals.golden import files
from roma_core.evals.golden.beir import make_nuggets
from roma_core.evals.golden.dataset import (
    IMPORTED,
    LONGEST_ID,
    Evidence,
    Golden,
    GoldenCase,
    Kind,
)
from roma_core.evals.golden.evidence import locate, names
from roma_core.types import Document, Noun, digest

ANCHOR_WORDS = 12
DEEPEVAL_DELIMITER = "|"
"""Between the texts in a cell of DeepEval's CSV files."""


class ImportedItem(Noun):
    """A question of another tool's set. ``document`` is the file that it names, if any."""

    id: str
    question: str
    answer: str = ""
    contexts: tuple[str, ...] = ()
    document: str = ""


class PlacedSet(Noun):
    """A set whose texts were looked for in a corpus."""

    golden: Golden
    unplaced: tuple[str, ...] = ()
    """Items with a context that no document holds."""
    doubtful: tuple[str, ...] = ()
    """Items with a context that several documents hold, none of which they name."""


def load_foreign_set(path: Path, form: str) -> Golden:
    """Return a set of ``ragas`` or ``deepeval`` as it is: evidence only where it names documents. ``EvalError``."""
    return make_golden(path.stem, read_items(path, form))


def read_items(path: Path, form: str) -> list[ImportedItem]:
    """Return the items of a set: JSON, JSON Lines or CSV, as the tool itself writes them. Raises ``EvalError``."""
    read = IMPORT_FORMS[form]
    items = [read(path, number, record) for number, record in enumerate(_read_records(path), 1)]
    if not items:
        raise EvalError(f"{path.name} holds no item.", ErrorCode.EVAL_DATASET)
    return _name_apart(items)


def _read_records(path: Path) -> list[Mapping[str, Any]]:
    if path.suffix == ".csv":
        return [row for _, row in files.read_csv(path)]
    data = files.read_items(path)
    if isinstance(data, dict):
        data = data.get("samples", data.get("goldens"))
    if not isinstance(data, list) or not all(isinstance(record, dict) for record in data):
        raise EvalError(f"{path.name} must be a list of items.", ErrorCode.EVAL_DATASET)
    return data


def _read_ragas(path: Path, number: int, record: Mapping[str, Any]) -> ImportedItem:
    sample = record.get("eval_sample")  # as Ragas' own test sets nest it
    fields = {**record, **sample} if isinstance(sample, dict) else dict(record)
    question = fields.get("user_input", fields.get("question"))
    if isinstance(question, list):
        raise _reject(path, number, "conversations of several turns are not scored here")
    contexts = fields.get("reference_contexts") or fields.get("ground_truth_contexts")
    return _make_item(path, number, question, fields.get("reference", fields.get("ground_truth")), contexts)


def _read_deepeval(path: Path, number: int, record: Mapping[str, Any]) -> ImportedItem:
    if record.get("scenario") or record.get("turns"):
        raise _reject(path, number, "conversations of several turns are not scored here")
    contexts = record.get("context")
    if isinstance(contexts, str):
        contexts = contexts.split(DEEPEVAL_DELIMITER)
    item = _make_item(path, number, record.get("input"), record.get("expected_output"), contexts)
    document = str(record.get("source_file") or "").replace("\\", "/")
    name = " ".join(str(record.get("name") or item.id).split())[:LONGEST_ID]
    return item.model_copy(update={"document": document, "id": name or item.id})


IMPORT_FORMS: Mapping[str, Callable[[Path, int, Mapping[str, Any]], ImportedItem]] = {
    "ragas": _read_ragas,
    "deepeval": _read_deepeval,
}
"""The tools whose sets can be read, and how an item of each is read."""


def _make_item(path: Path, number: int, question: Any, answer: Any, contexts: Any) -> ImportedItem:
    if not isinstance(question, str) or not question.strip():
        raise _reject(path, number, "there is no question")
    if isinstance(answer, dict | list):
        raise _reject(path, number, "its reference answer is no text")
    texts = _read_texts(path, number, contexts)
    return ImportedItem(
        id=f"item-{digest('imported', question)[:10]}",
        question=question.strip(),
        answer=str(answer or "").strip(),
        contexts=tuple(text for text in texts if text.strip()),
    )


def _read_texts(path: Path, number: int, value: Any) -> list[str]:
    """Return a list of texts; in CSV files it is written as Python writes it."""
    if value in (None, ""):
        return []
    if isinstance(value, str):
        try:
            value = ast.literal_eval(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise _reject(path, number, "its contexts are no list of texts") from None
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _reject(path, number, "its contexts are no list of texts")
    return value


def _reject(path: Path, number: int, why: str) -> EvalError:
    return EvalError(f"{path.name}, item {number}: {why}.", ErrorCode.EVAL_DATASET)


def _name_apart(items: list[ImportedItem]) -> list[ImportedItem]:
    """Number items of one id: a set may ask the same question twice."""
    seen: Counter[str] = Counter()
    named: list[ImportedItem] = []
    for item in items:
        seen[item.id] += 1
        named.append(item if seen[item.id] == 1 else item.model_copy(update={"id": f"{item.id}-{seen[item.id]}"}))
    return named


def make_golden(
    name: str, items: Iterable[ImportedItem], evidence: Mapping[str, tuple[Evidence, ...]] | None = None
) -> Golden:
    """Return a golden set of items. ``evidence`` is by item; without it, only a file that an item names is some.

    A short reference answer is a fact; one in prose is for a judge.
    """
    cases: list[GoldenCase] = []
    for item in items:
        named = (Evidence(uri=item.document.rpartition("/")[2]),) if item.document else ()
        pieces = (evidence or {}).get(item.id) or named
        kind: Kind = "multi_hop" if len({piece.uri for piece in pieces}) > 1 else "single"
        cases.append(
            GoldenCase(
                id=item.id,
                question=item.question,
                kind=kind,
                answer=item.answer,
                nuggets=make_nuggets([item.answer] if item.answer else []),
                evidence=pieces,
                tags=(IMPORTED,),
            )
        )
    return Golden(name=name, cases=tuple(cases))


async def place_items(name: str, items: Iterable[ImportedItem], documents: AsyncIterable[Document]) -> PlacedSet:
    """Return items as a golden set, with the places of their contexts in a corpus as evidence.

    A context lies where its first words stand in order, whatever the white space and markup between them. Of several
    documents that hold it, the one that the item names counts, else the first.
    """
    held = list(items)
    anchors = {(item.id, i): choose_first_words(text) for item in held for i, text in enumerate(item.contexts)}
    keys = {place: _squeeze(anchor) for place, anchor in anchors.items()}
    named_files = {item.id: Evidence(uri=item.document.rpartition("/")[2]) for item in held if item.document}
    found: dict[tuple[str, int], Evidence] = {}
    named: set[tuple[str, int]] = set()
    holders: Counter[tuple[str, int]] = Counter()
    async for document in documents:
        squeezed = _squeeze(document.text)
        for place, key in keys.items():
            if not key or key not in squeezed or not locate(anchors[place], document.text):
                continue
            holders[place] += 1
            is_named = place[0] in named_files and names(document.uri, named_files[place[0]])
            if place not in found or (is_named and place not in named):
                uri = "/".join(document.uri.split("/")[-2:])
                found[place] = Evidence(uri=uri, anchor=anchors[place])
            if is_named:
                named.add(place)
    evidence = {
        item.id: tuple(dict.fromkeys(found[item.id, i] for i in range(len(item.contexts)) if (item.id, i) in found))
        for item in held
    }
    doubtful = [place[0] for place, count in holders.items() if count > 1 and place not in named]
    return PlacedSet(
        golden=make_golden(name, held, evidence),
        unplaced=tuple(dict.fromkeys(name for name, i in anchors if (name, i) not in found)),
        doubtful=tuple(dict.fromkeys(doubtful)),
    )


def choose_first_words(text: str) -> str:
    """Return the first words of a text, without the markup at their ends.

    >>> choose_first_words("# Ferry\\n\\nA ferry pays 97 EUR.")
    'Ferry A ferry pays 97 EUR.'
    """
    return " ".join(re.sub(r"[#*|]+", " ", text).split()[:ANCHOR_WORDS])


def _squeeze(text: str) -> str:
    return "".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))
