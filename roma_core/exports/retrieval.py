"""Rankings and relevance for the tools of information retrieval: TREC files, and sets in BEIR form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import unquote

from roma_core.errors import name_some
from roma_core.evals.golden.beir import document_names
from roma_core.evals.golden.evidence import Corpus, Place, find
from roma_core.exports.records import ScoredRun, WorkspaceReader, tenant_of
from roma_core.types import ScoredChunk

Unit = Literal["document", "passage"]
UNITS: tuple[Unit, ...] = get_args(Unit)
Judgements = dict[str, dict[str, int]]
"""Grade of each relevant document or passage, by question."""


async def write_trec(reader: WorkspaceReader, folder: Path, unit: Unit) -> dict[str, int]:
    """Write ``run.trec`` and ``qrels.trec`` of one run; return the number of lines of each.

    The score of a line is 1 / rank: evaluators sort by it, and ties of ROMA's own scores would be put in another order.
    """
    run = reader.require_run()
    names = _names_of(run)
    lines = 0
    with (folder / "run.trec").open("w", encoding="utf-8", newline="\n") as file:
        for row in run.report.rows:
            ids = _rank_ids(row.passages, unit, names)
            for rank, each in enumerate(ids, start=1):
                file.write(f"{_word(row.case_id)} Q0 {_word(each)} {rank} {1 / rank:.8f} {_word(run.name)}\n")
            lines += len(ids)
    judgements = await judge_relevance(reader, run, unit)
    count = 0
    with (folder / "qrels.trec").open("w", encoding="utf-8", newline="\n") as file:
        for question, grades in judgements.items():
            for each, grade in sorted(grades.items()):
                file.write(f"{_word(question)} 0 {_word(each)} {grade}\n")
                count += 1
    return {"run.trec": lines, "qrels.trec": count}


async def write_beir(reader: WorkspaceReader, folder: Path, unit: Unit) -> dict[str, int]:
    """Write the corpus, the questions and the relevance of a run's golden set as a set in BEIR form.

    The corpus is that of the workspace, ``unit`` by ``unit``. Questions without a relevant one have no place in the
    form; a ``qa.jsonl`` beside it holds the reference answers, and which questions have none.
    """
    run = reader.require_run()
    golden = run.require_golden()
    judgements = await judge_relevance(reader, run, unit)
    corpus = await _write_corpus(reader, run, folder / "corpus.jsonl", unit)
    asked = [case for case in golden.cases if judgements.get(case.id)]
    with (folder / "queries.jsonl").open("w", encoding="utf-8", newline="\n") as file:
        for case in asked:
            metadata = {"persona": case.persona, "kind": case.kind}
            file.write(_line({"_id": case.id, "text": case.question, "metadata": metadata}))
    (folder / "qrels").mkdir()
    judged = 0
    with (folder / "qrels" / "test.tsv").open("w", encoding="utf-8", newline="\n") as file:
        file.write("query-id\tcorpus-id\tscore\n")
        for case in asked:
            for each, grade in sorted(judgements[case.id].items()):
                file.write(f"{_cell(case.id)}\t{_cell(each)}\t{grade}\n")
                judged += 1
    with (folder / "qa.jsonl").open("w", encoding="utf-8", newline="\n") as file:
        for case in golden.cases:
            answers = [case.answer] if case.answer else []
            answerable = case.kind != "no_answer"
            record = {"id": case.id, "question": case.question, "answers": answers, "answerable": answerable}
            file.write(_line(record))
    return {
        "corpus.jsonl": corpus,
        "queries.jsonl": len(asked),
        "qrels/test.tsv": judged,
        "qa.jsonl": len(golden.cases),
    }


async def judge_relevance(reader: WorkspaceReader, run: ScoredRun, unit: Unit) -> Judgements:
    """Return the grades of a run's golden set: evidence is found in the corpus again, and kept by its place.

    The grade of what holds several pieces of evidence is the highest of theirs. Raises ``EvalError``.
    """
    golden = run.require_golden()
    corpus = await find(golden.cases, reader.documents_of(run)())
    grades = {case.id: [piece.grade for piece in case.evidence] for case in golden.cases}
    _note_missing(reader, corpus)
    by_document: dict[str, list[tuple[str, int, Place]]] = {}
    for case_id, evidence in corpus.places.items():
        for grade, places in zip(grades[case_id], evidence, strict=True):
            for place in places:
                by_document.setdefault(place.document_id, []).append((case_id, grade, place))
    judgements: Judgements = {case.id: {} for case in golden.cases}
    if unit == "document":
        for document_id, marks in by_document.items():
            for case_id, grade, _ in marks:
                _raise_grade(judgements[case_id], document_id, grade)
        return judgements
    names = _names_of(run)
    async for chunk in reader.store.passages(tenant_of(run, reader.tenant)):
        document = names.get(_file_name(chunk.uri), chunk.document_id)
        for case_id, grade, place in by_document.get(document, ()):
            if chunk.start < place.end and place.start < chunk.end:
                _raise_grade(judgements[case_id], chunk.id, grade)
    return judgements


def _raise_grade(grades: dict[str, int], name: str, grade: int) -> None:
    grades[name] = max(grade, grades.get(name, 0))


def _note_missing(reader: WorkspaceReader, corpus: Corpus) -> None:
    missing = list(dict.fromkeys(case for case, _ in corpus.missing))
    if missing:
        reader.notes.append(f"evidence that the corpus does not hold has no judgement: {name_some(missing)}")


def _names_of(run: ScoredRun) -> Mapping[str, str]:
    """Return the ids of a BEIR set's documents by file name; nothing for other sets."""
    return document_names(run.beir_folder) if run.beir_folder is not None else {}


def _rank_ids(passages: Iterable[ScoredChunk], unit: Unit, names: Mapping[str, str]) -> list[str]:
    """Return the ids of a ranking, each once, at its best rank."""
    if unit == "passage":
        return list(dict.fromkeys(passage.chunk.id for passage in passages))
    ids = (names.get(_file_name(passage.chunk.uri), passage.chunk.document_id) for passage in passages)
    return list(dict.fromkeys(ids))


async def _write_corpus(reader: WorkspaceReader, run: ScoredRun, path: Path, unit: Unit) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        if unit == "document":
            async for document in reader.documents_of(run)():
                metadata = {"uri": document.uri, "content_sha256": document.content_sha256}
                record = {"_id": document.id, "title": document.title, "text": document.text, "metadata": metadata}
                file.write(_line(record))
                count += 1
            return count
        async for chunk in reader.store.passages(tenant_of(run, reader.tenant)):
            metadata = chunk.model_dump(include={"uri", "document_id", "start", "end", "page", "place"})
            file.write(_line({"_id": chunk.id, "title": chunk.title, "text": chunk.text, "metadata": metadata}))
            count += 1
    return count


def _line(record: Mapping[str, object]) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"


def _file_name(uri: str) -> str:
    return unquote(uri.rpartition("/")[2])


def _word(name: str) -> str:
    """Return a name as one word: columns of TREC files end at a blank.

    >>> _word("my run")
    'my%20run'
    """
    return re.sub(r"\s", lambda match: f"%{ord(match.group()):02X}", name) or "-"


def _cell(name: str) -> str:
    return re.sub(r"[\t\r\n]", " ", name)
