"""Answers that people graded: labelled blind out of a run, or read from a file.

A plain CSV has the columns ``question``, ``answer`` and ``grade`` (1 to 5), and may have ``reference``, ``facts``
(one a line), ``rater``, ``cluster``, ``case_id``, ``kind`` and ``run``. Several raters of one answer are several rows.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from roma_core.errors import ErrorCode, EvalError, explain_invalid
from roma_core.evals.golden import files
from roma_core.evals.golden.dataset import Evidence, Golden, GoldenCase, Kind, Nugget
from roma_core.evals.measures.base import CaseOutcome
from roma_core.evals.report.record import EvalReport, EvalRow
from roma_core.types import Noun, ScoredChunk, TailorOutput, digest
from roma_core.workspace import private_folder

COLUMNS = ("item", "case_id", "kind", "question", "reference", "facts", "answer", "grade", "rater", "cluster", "run")
ENOUGH = 50
"""Labels that a first calibration asks for."""


class LabelItem(Noun):
    """An answer to be graded, with all that a rater may see. Which run it is of is not shown."""

    question: str = Field(min_length=1)
    answer: str
    reference: str = ""
    facts: tuple[str, ...] = ()
    kind: Kind = "single"
    case_id: str = ""
    cluster: str = ""
    run: str = ""
    passages: tuple[ScoredChunk, ...] = Field(default=(), repr=False)

    @property
    def id(self) -> str:
        """Hash of question and answer: the same answer of two runs is graded once."""
        return digest("label", self.question, self.answer)[:16]

    @property
    def group(self) -> str:
        """Its cluster; the question when none is known."""
        return self.cluster or self.case_id or self.question

    @property
    def case(self) -> GoldenCase:
        """The question as a golden case, for a judge."""
        evidence = () if self.kind == "no_answer" else (Evidence(uri="labels"),) * 2
        nuggets = () if self.kind == "no_answer" else tuple(Nugget(fact=fact) for fact in self.facts)
        return GoldenCase(
            id=self.id,
            question=self.question,
            kind=self.kind,
            answer=self.reference,
            nuggets=nuggets,
            evidence=evidence,
        )

    @property
    def outcome(self) -> CaseOutcome:
        """The answer as an outcome, for a judge."""
        return CaseOutcome(output=TailorOutput(answer=self.answer, passages=self.passages))


class Label(Noun):
    """The grade of one person for one answer."""

    item: LabelItem
    grade: float = Field(ge=1, le=5)
    rater: str = ""


class Preference(Noun):
    """Two answers to one question, and which a person finds better: ``first``, ``second`` or ``tie``."""

    question: str
    first: str
    second: str
    better: str
    reference: str = ""

    @property
    def case(self) -> GoldenCase:
        """The question as a golden case, for a judge."""
        return LabelItem(question=self.question, answer=self.first, reference=self.reference).case


def draw_items(report: EvalReport, golden: Golden | None = None, n: int = ENOUGH) -> list[LabelItem]:
    """Return ``n`` answers of a run to grade: drawn by hash, whatever a judge thinks of them.

    A draw by the judge's grades would bias its sensitivity and specificity.
    """
    cases = {case.id: case for case in golden.cases} if golden else {}
    rows = [row for row in report.rows if row.state == "ok" and row.answer is not None]
    items = [make_item(row, cases.get(row.case_id), report.run_id) for row in rows]
    return sorted({item.id: item for item in items}.values(), key=lambda item: digest("draw", item.id))[:n]


def make_item(row: EvalRow, case: GoldenCase | None, run: str = "") -> LabelItem:
    """Return the answer of a row as it is graded."""
    return LabelItem(
        question=row.question,
        answer=row.answer or "",
        reference=case.answer if case else "",
        facts=tuple(nugget.fact for nugget in case.nuggets) if case else (),
        kind=row.kind,
        case_id=row.case_id,
        cluster=row.cluster,
        run=run,
        passages=row.passages,
    )


class LabelFile:
    """Labels in a CSV file: appended one by one, so that none is lost when a rater stops."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Label]:
        """Return all labels; none when there is no file yet. Raises ``EvalError``."""
        return load_labels(self.path) if self.path.is_file() else []

    def left(self, items: Iterable[LabelItem], rater: str) -> list[LabelItem]:
        """Return the items that ``rater`` has not graded yet."""
        done = {label.item.id for label in self.read() if label.rater == rater}
        return [item for item in items if item.id not in done]

    def add(self, label: Label) -> None:
        """Append one label."""
        private_folder(self.path.parent)
        is_new = not self.path.is_file()
        with self.path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            if is_new:
                writer.writeheader()
            item = label.item
            writer.writerow(
                {
                    "item": item.id,
                    "case_id": item.case_id,
                    "kind": item.kind,
                    "question": item.question,
                    "reference": item.reference,
                    "facts": "\n".join(item.facts),
                    "answer": item.answer,
                    "grade": f"{label.grade:g}",
                    "rater": label.rater,
                    "cluster": item.cluster,
                    "run": item.run,
                }
            )


def load_labels(path: Path) -> list[Label]:
    """Return the labels of a CSV file. Raises ``EvalError`` that names the line and what is wrong."""
    rows = list(files.read_csv(path, "Labels"))
    missing = {"question", "answer", "grade"} - set(rows[0][1] if rows else ())
    if rows and missing:
        raise EvalError(f"{path.name} lacks the columns {', '.join(sorted(missing))}.", ErrorCode.EVAL_DATASET)
    if not rows:
        raise EvalError(
            f"{path.name} holds no label: it needs the columns question, answer and grade, and a row for each.",
            ErrorCode.EVAL_DATASET,
        )
    return [_read_label(path, line, row) for line, row in rows]


def _read_label(path: Path, line: int, row: Mapping[str, str]) -> Label:
    def value(name: str) -> str:
        return row.get(name, "").strip()

    facts = tuple(fact.strip() for fact in value("facts").splitlines() if fact.strip())
    fields = {name: value(name) for name in ("reference", "case_id", "cluster", "run")}
    # As they were written: the id of the item is their hash, and an item of another id would be asked for again.
    texts = {name: row[name] for name in ("question", "answer")}
    try:
        item = LabelItem(**texts, **fields, facts=facts, kind=value("kind") or "single")
        return Label(item=item, grade=value("grade"), rater=value("rater"))
    except ValidationError as error:
        raise EvalError(f"{path.name}, line {line}: {explain_invalid(error)}", ErrorCode.EVAL_DATASET) from None


def load_preferences(path: Path) -> list[Preference]:
    """Return pairs with a person's preference, of LLMBar (JSON) or of RAGChecker's meta-evaluation (JSON, JSON lines).

    LLMBar: ``input``, ``output_1``, ``output_2``, ``label`` (1 or 2). RAGChecker: ``query``, ``gt_answer``, the answers
    in ``model1`` and ``model2``, and ``overall_label``, below 0 for the first and above 0 for the second. A file may be
    packed with gzip. Raises ``EvalError``.
    """
    try:
        records = list(_read_records(path))
        pairs = [_read_pair(record) for record in records]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EvalError(
            f"{path.name} is neither a file of LLMBar nor of RAGChecker ({type(error).__name__}: {error}).",
            ErrorCode.EVAL_DATASET,
        ) from None
    if not pairs:
        raise EvalError(f"{path.name} holds no pair.", ErrorCode.EVAL_DATASET)
    return pairs


def _read_records(path: Path) -> Iterator[dict[str, Any]]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
    if text.lstrip().startswith("["):
        yield from files.parse_json(text, path.name)
        return
    for _, record in files.parse_json_lines(text, path.name):
        yield record


def _read_pair(record: dict[str, Any]) -> Preference:
    if "output_1" in record:
        better = {1: "first", 2: "second"}[int(record["label"])]
        return Preference(question=record["input"], first=record["output_1"], second=record["output_2"], better=better)
    preferred = _read_preference(record["overall_label"])
    return Preference(
        question=record["query"],
        first=_read_answer(record["model1"]),
        second=_read_answer(record["model2"]),
        better="tie" if preferred == 0 else "second" if preferred > 0 else "first",
        reference=str(record.get("gt_answer") or ""),
    )


def _read_answer(model: object) -> str:
    return str(model["response"]) if isinstance(model, dict) else str(model)


def _read_preference(label: object) -> float:
    """Return a preference for the second answer above 0, for the first below; the mean of several people's."""
    votes: Sequence[object] = (
        list(label.values()) if isinstance(label, dict) else label if isinstance(label, list) else [label]
    )
    numbers = [float(str(vote)) for vote in votes]
    return sum(numbers) / len(numbers)
