"""Sets in BEIR form: ``corpus.jsonl`` (or ``.gz``), ``queries.jsonl`` and ``qrels.tsv``, read in place.

Where a ``qa.jsonl`` lies beside them (``id, question, answers, answerable``) its answers become nuggets and its
unanswerable questions become ``no_answer`` cases.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

from roma_core.errors import EvalError
from roma_core.evals.golden.dataset import Evidence, Golden, GoldenCase, Kind, Nugget
from roma_core.evals.measures.values import read_values
from roma_core.types import Document, digest
from roma_core.workspace import private_folder

LONGEST_NAME = 200
"""Characters of a file name; file systems take 255."""
LONGEST_NUGGET = 10
"""Words. Longer answers are prose; whether they are contained in an answer says nothing."""


def load_beir(folder: Path) -> Golden:
    """The questions of a BEIR folder with their relevant documents as evidence. Raises ``EvalError``."""
    qrels = _qrels(folder)
    answers = {str(a["id"]): a for a in _records(folder, "qa.jsonl", optional=True)}
    asked = {str(q["_id"]): str(q["text"]) for q in _records(folder, "queries.jsonl")}
    cases = [_case(i, text, qrels[i], answers.get(i, {})) for i, text in asked.items() if i in qrels]
    cases += [
        GoldenCase(id=i, question=str(a["question"]), kind="no_answer")
        for i, a in answers.items()
        if i not in asked and not a.get("answerable", True)
    ]
    if not cases:
        raise EvalError(f"{folder.name} has no question with a relevant document.")
    return Golden(name=folder.name, cases=tuple(cases))


def write_corpus(folder: Path, target: Path) -> int:
    """Write each document of a BEIR corpus as a text file, so that it is ingested like any other; returns how many."""
    private_folder(target)
    written = 0
    for record in _records(folder, "corpus.jsonl"):
        path = target / file_name(str(record["_id"]))
        data = _join_text(record)
        if not path.is_file() or path.read_text(encoding="utf-8") != data:
            path.write_text(data, encoding="utf-8", newline="\n")
        written += 1
    return written


def _join_text(record: dict[str, Any]) -> str:
    return f"{record.get('title') or ''}\n\n{record['text']}".strip() + "\n"


async def iterate_documents(folder: Path) -> AsyncIterator[Document]:
    """Yield the documents of a BEIR corpus with the ids that they have there; nothing is ingested."""
    for record in _records(folder, "corpus.jsonl"):
        name, text = str(record["_id"]), _join_text(record)
        yield Document(
            id=name,
            uri=file_name(name),
            title=str(record.get("title") or name),
            text=text,
            content_sha256=hashlib.sha256(text.encode()).hexdigest(),
            parser="beir/1",
        )


def document_names(folder: Path) -> dict[str, str]:
    """Return the id of each document of a BEIR corpus by the name of the file that ``write_corpus`` makes of it."""
    names = (str(record["_id"]) for record in _records(folder, "corpus.jsonl"))
    return {file_name(name): name for name in names}


def file_name(document: str) -> str:
    """Return a document's id as a file name: letters, digits and dashes stay, everything else is percent-encoded.

    A percent sign would be encoded once more when the path becomes a URI, so ``=`` stands for it. A dot at the
    beginning would hide the file. A name that file systems refuse as too long ends in its hash instead.

    >>> file_name(".a b")
    '=2Ea=20b.txt'
    """
    name = quote(document, safe="").replace("~", "%7E").replace("%", "=")
    if name.startswith("."):
        name = "=2E" + name[1:]
    if len(name) > LONGEST_NAME:
        name = f"{name[: LONGEST_NAME - 65]}={digest('beir', document)}"
    return name + ".txt"


def _case(name: str, question: str, relevant: dict[str, int], answer: dict[str, Any]) -> GoldenCase:
    kind: Kind = "multi_hop" if len(relevant) > 1 else "single"
    evidence = tuple(Evidence(uri=file_name(document), grade=grade) for document, grade in relevant.items())
    texts = [str(a) for a in answer.get("answers", ())]
    answered = texts[0] if texts else ""
    nuggets = make_nuggets(texts)
    return GoldenCase(id=name, question=question, kind=kind, answer=answered, nuggets=nuggets, evidence=evidence)


def make_nuggets(answers: Sequence[str]) -> tuple[Nugget, ...]:
    """Return the fact that short answers state, the further ones as its spellings; nothing for answers in prose."""
    short = [text for text in answers if 0 < _count_tokens(text) <= LONGEST_NUGGET]
    if not short or len(short) < len(answers):
        return ()
    return (Nugget(fact=short[0], aliases=tuple(short[1:])),)


def _count_tokens(text: str) -> int:
    return sum(token.kind != "break" for token in read_values(text))


def _qrels(folder: Path) -> dict[str, dict[str, int]]:
    """Relevant documents (grade above 0) of each query; a header line is allowed, as in BEIR's own files."""
    path = next((p for p in (folder / "qrels.tsv", folder / "qrels" / "test.tsv") if p.is_file()), None)
    if path is None:
        raise EvalError(f"{folder} has no qrels.tsv (nor qrels/test.tsv).")
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        parts = line.split("\t")
        if len(parts) != 3 or not (parts[2].lstrip("-").isdigit() or number == 1):
            raise EvalError(f"{path.name}, line {number}: expected query, document and grade between tabs.")
        if parts[2].isdigit() and int(parts[2]) > 0:
            found[parts[0]][parts[1]] = int(parts[2])
    return dict(found)


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def _records(folder: Path, name: str, optional: bool = False) -> Iterator[dict[str, Any]]:
    path = next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)
    if path is None:
        if optional:
            return
        raise EvalError(f"{folder} has no {name} (nor {name}.gz).")
    with _open(path) as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield dict(json.loads(line))
            except (ValueError, TypeError):
                raise EvalError(f"{path.name}, line {number}: not a JSON object.") from None
