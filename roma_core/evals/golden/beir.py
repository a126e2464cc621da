"""Sets in BEIR form: ``corpus.jsonl`` (or ``.gz``), ``queries.jsonl`` and ``qrels.tsv``, read in place.

Where a ``qa.jsonl`` lies beside them (``id, question, answers, answerable``) its answers become nuggets and its
unanswerable questions become ``no_answer`` cases.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

from pydantic import ValidationError

from roma_core.errors import EvalError, name_some
from roma_core.evals.golden.dataset import (
    HIGHEST_GRADE,
    Evidence,
    Golden,
    GoldenCase,
    Kind,
    Nugget,
    explain_case,
)
from roma_core.evals.golden.files import parse_json, read_text
from roma_core.evals.measures.values import read_values
from roma_core.types import Document, digest
from roma_core.workspace import private_folder

LONGEST_NAME = 200
"""Characters of a file name; file systems take 255."""
_GRADE = re.compile(r"(-?[0-9]{1,3})(?:\.0+)?")
"""A grade below 1000, as ``1`` or ``1.0``."""
LONGEST_NUGGET = 10
"""Words. Longer answers are prose; whether they are contained in an answer says nothing."""


def load_beir(folder: Path) -> Golden:
    """The questions of a BEIR folder with their relevant documents as evidence. Raises ``EvalError``."""
    qrels = _qrels(folder)
    answers = {record.text("id"): record for record in _records(folder, "qa.jsonl", optional=True)}
    cases: list[GoldenCase] = []
    asked: set[str] = set()
    for query in _records(folder, "queries.jsonl"):
        name = query.text("_id")
        if name in asked:
            raise query.reject(f"the question {name} is there twice")
        asked.add(name)
        if name in qrels:
            cases.append(query.make(_case, name, query.text("text"), qrels[name], answers.get(name)))
    for name, answer in answers.items():
        if name not in asked and not answer.data.get("answerable", True):
            cases.append(answer.make(_unanswerable, name, answer.text("question")))
    if not cases:
        judged = f"{name_some(qrels) or 'none'}; the questions are {name_some(asked) or 'none'}"
        raise EvalError(f"{folder.name} has no question with a relevant document: qrels.tsv has {judged}.")
    return Golden(name=folder.name, cases=tuple(cases))


def write_corpus(folder: Path, target: Path) -> int:
    """Write each document of a BEIR corpus as a text file, so that it is ingested like any other; returns how many."""
    private_folder(target)
    written: set[str] = set()
    for record in _records(folder, "corpus.jsonl"):
        name = record.text("_id")
        if name in written:
            raise record.reject(f"the document {name} is there twice")
        written.add(name)
        path = target / file_name(name)
        data = _join_text(record)
        if not path.is_file() or path.read_text(encoding="utf-8") != data:
            path.write_text(data, encoding="utf-8", newline="\n")
    return len(written)


def _join_text(record: _BeirRow) -> str:
    return f"{record.data.get('title') or ''}\n\n{record.text('text', may_be_empty=True)}".strip() + "\n"


async def iterate_documents(folder: Path) -> AsyncIterator[Document]:
    """Yield the documents of a BEIR corpus with the ids that they have there; nothing is ingested."""
    for record in _records(folder, "corpus.jsonl"):
        name, text = record.text("_id"), _join_text(record)
        yield Document(
            id=name,
            uri=file_name(name),
            title=str(record.data.get("title") or name),
            text=text,
            content_sha256=hashlib.sha256(text.encode()).hexdigest(),
            parser="beir/1",
        )


def document_names(folder: Path) -> dict[str, str]:
    """Return the id of each document of a BEIR corpus by the name of the file that ``write_corpus`` makes of it."""
    names = (record.text("_id") for record in _records(folder, "corpus.jsonl"))
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


def _unanswerable(name: str, question: str) -> GoldenCase:
    return GoldenCase(id=name, question=question, kind="no_answer")


def _case(name: str, question: str, relevant: dict[str, int], answer: _BeirRow | None) -> GoldenCase:
    kind: Kind = "multi_hop" if len(relevant) > 1 else "single"
    evidence = tuple(Evidence(uri=file_name(document), grade=grade) for document, grade in relevant.items())
    texts = answer.texts("answers") if answer is not None else []
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
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        parts = line.rstrip("\r").split("\t")
        grade = _GRADE.fullmatch(parts[2].strip()) if len(parts) == 3 else None
        if grade is None and len(parts) == 3 and number == 1:
            continue  # a header
        if grade is None:
            raise EvalError(
                f"{path.name}, line {number}: expected query, document and a whole grade below {HIGHEST_GRADE} between "
                "tabs."
            )
        if int(grade[1]) > 0:
            found[parts[0]][parts[1]] = int(grade[1])
    return dict(found)


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig")
    return path.open(encoding="utf-8-sig")


@dataclass(frozen=True)
class _BeirRow:
    """A line of a JSON Lines file, with the place that errors name."""

    place: str
    data: dict[str, Any]

    def text(self, field: str, *, may_be_empty: bool = False) -> str:
        """Return a field as text; a number is one. Raises ``EvalError``."""
        value = self.data.get(field)
        if isinstance(value, bool) or not isinstance(value, str | int) or not (may_be_empty or str(value).strip()):
            raise self.reject(f"the field {field!r} is missing or no text")
        return str(value)

    def texts(self, field: str) -> list[str]:
        """Return a field that is a list of texts, or one text; empty where it is missing. Raises ``EvalError``."""
        value = self.data.get(field)
        if value is None:
            return []
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or not all(isinstance(each, str | int | float) for each in found):
            raise self.reject(f"the field {field!r} is no list of texts")
        return [str(each) for each in found]

    def make(self, make: Callable[..., GoldenCase], *values: Any) -> GoldenCase:
        """Return the item that ``make`` makes of the values. Raises ``EvalError`` that names the line."""
        try:
            return make(*values)
        except ValidationError as error:
            raise self.reject(explain_case(error)) from None

    def reject(self, why: str) -> EvalError:
        """Return the error that says what is wrong with this line."""
        return EvalError(f"{self.place}: {why}.")


def _records(folder: Path, name: str, optional: bool = False) -> Iterator[_BeirRow]:
    path = next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)
    if path is None:
        if optional:
            return
        raise EvalError(f"{folder} has no {name} (nor {name}.gz).")
    for number, line in _iterate_lines(path):
        place = f"{path.name}, line {number}"
        data = parse_json(line, place)
        if not isinstance(data, dict):
            raise EvalError(f"{place} is no JSON object.")
        yield _BeirRow(place, data)


def _iterate_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line that is not blank. Raises ``EvalError`` for a file that is damaged."""
    number = 0
    try:
        with _open(path) as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, line
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        why = str(error) or type(error).__name__
        raise EvalError(f"{path.name} cannot be read behind line {number}: {why}") from None
