"""The tables of a workspace: a declaration of columns each, and where their rows come from.

Offsets are half-open ranges of code points of ``documents.text``; hashes are those that ROMA itself keeps, so that what
was exported can be checked against the workspace, and against the text that travels with it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from roma_core.exports.records import ScoredRun, WorkspaceReader
from roma_core.facts import read_facts
from roma_core.types import Citation, DocumentFacts, ScoredChunk

Column = str | list[Any] | dict[str, Any]
"""A kind of value (``text``, ``int``, ``float``, ``bool``, ``time``, ``json``), a list of one, or fields by name."""
Row = dict[str, Any]

FACTS: Mapping[str, Column] = dict.fromkeys(DocumentFacts.model_fields, "text")
CITATION: Mapping[str, Column] = {
    "marker": "int",
    "chunk_id": "text",
    "document_id": "text",
    "uri": "text",
    "title": "text",
    "page": "int",
    "place": "text",
    "start": "int",
    "end": "int",
    "quote": "text",
    "answer_start": "int",
    "answer_end": "int",
    "verdict": "text",
    "score": "float",
    "decided_by": ["text"],
    "found_by": "text",
}
PASSAGE: Mapping[str, Column] = {
    "rank": "int",
    "score": "float",
    "retriever": "text",
    "scores": "json",
    "chunk_id": "text",
    "document_id": "text",
    "uri": "text",
    "title": "text",
    "page": "int",
    "place": "text",
    "start": "int",
    "end": "int",
    "text": "text",
}
EVIDENCE: Mapping[str, Column] = {"uri": "text", "anchor": "text", "grade": "int"}
NUGGET: Mapping[str, Column] = {"fact": "text", "aliases": ["text"], "vital": "bool"}
SCORE: Mapping[str, Column] = {"measure": "text", "value": "float", "reason": "text"}
SPAN: Mapping[str, Column] = {"start": "int", "end": "int"}


@dataclass(frozen=True)
class ExportTable:
    """A table that can be exported. ``reads_store``: its rows come from the documents of the workspace."""

    name: str
    about: str
    columns: Mapping[str, Column]
    rows: Callable[[WorkspaceReader], AsyncIterator[Row]]
    reads_store: bool = False


async def iterate_documents(reader: WorkspaceReader) -> AsyncIterator[Row]:
    """Yield the stored documents by id."""
    async for document in reader.store.documents(reader.tenant):
        yield {
            "id": document.id,
            "uri": document.uri,
            "title": document.title,
            "text": document.text,
            "content_sha256": document.content_sha256,
            "parser": document.parser,
            "media_type": document.media_type,
            **read_facts(document).model_dump(),
            "pages": [page.model_dump(include={"number", "label", "start", "end"}) for page in document.pages],
            "sections": [section.model_dump() for section in document.sections],
            "warnings": list(document.warnings),
            "left_out": [entry.model_dump() for entry in document.left_out],
            "metadata": document.metadata,
        }


async def iterate_passages(reader: WorkspaceReader) -> AsyncIterator[Row]:
    """Yield the passages by document and start, each with the hash of its document's content."""
    contents = await reader.store.contents(reader.tenant)
    async for chunk in reader.store.passages(reader.tenant):
        yield {
            **chunk.model_dump(exclude={"facts", "headings"}),
            "headings": list(chunk.headings),
            **chunk.facts.model_dump(),
            "content_sha256": contents.get(chunk.document_id, ""),
        }


async def iterate_answers(reader: WorkspaceReader) -> AsyncIterator[Row]:
    """Yield the recorded answers, the oldest first, with people's opinions of them."""
    opinions: dict[str, list[Row]] = {}
    for opinion in await reader.list_ratings():
        held = opinions.setdefault(opinion.answer_id, [])
        held.append({"rating": opinion.rating, "comment": opinion.comment, "created_at": opinion.created_at})
    async for record in reader.iterate_answers():
        output = record.output
        yield {
            "id": record.id,
            "owner": record.query.principal.subject,
            "answer_id": output.answer_id if output else "",
            "state": record.state,
            "question": record.query.text,
            "persona": record.query.persona,
            "top_k": record.query.top_k,
            "filters": record.query.filters,
            "created_at": record.created_at,
            "ended_at": record.ended_at,
            "answer": record.text,
            "answered": str(output.answered) if output else None,
            "model": output.model if output else "",
            "prompt_hash": output.prompt_hash if output else "",
            "degraded_reasons": list(output.degraded_reasons) if output else [],
            "citations": [describe_citation(citation) for citation in output.citations] if output else [],
            "passages": [describe_passage(passage) for passage in output.passages] if output else [],
            "input_tokens": output.usage.input_tokens if output else 0,
            "output_tokens": output.usage.output_tokens if output else 0,
            "cost_usd": output.usage.cost_usd if output else None,
            "error": record.failure.code.value if record.failure else None,
            "forgotten": list(record.forgotten),
            "feedback": opinions.get(output.answer_id, []) if output else [],
            "settings": record.identity.settings,
            "models": record.identity.fingerprints,
            "prompts": record.identity.prompts,
        }


async def iterate_rows(reader: WorkspaceReader) -> AsyncIterator[Row]:
    """Yield the rows of the runs. What the golden set expects is empty where the set cannot be found as it was."""
    for run in reader.runs:
        if run.golden is None:
            reader.notes.append(f"{run.name}: its golden set is not found as it was, so references are empty")
        for row in make_rows(run):
            yield row


def make_rows(run: ScoredRun) -> list[Row]:
    """Return the rows of a run with the references of its golden set."""
    report = run.report
    cases = {case.id: case for case in run.golden.cases} if run.golden else {}
    rows: list[Row] = []
    for row in report.rows:
        case = cases.get(row.case_id)
        scores = [
            {"measure": measure, "value": value, "reason": row.reasons.get(measure, "")}
            for measure, value in row.scores.items()
        ]
        rows.append(
            {
                "run": run.name,
                "run_id": report.run_id,
                "dataset": report.dataset,
                "dataset_sha256": report.dataset_sha256,
                "index_sha256": report.index_sha256,
                **row.model_dump(include={"case_id", "question", "kind", "persona", "cluster", "state", "why"}),
                "answer": row.answer,
                "answered": row.answered,
                "model": row.model,
                "citations": [describe_citation(citation) for citation in row.citations],
                "proofs": list(row.proofs),
                "passages": [describe_passage(passage) for passage in row.passages],
                "considered": list(row.considered),
                "scores": scores,
                "error": row.error,
                "reference": case.answer if case else None,
                "nuggets": [nugget.model_dump(mode="json") for nugget in case.nuggets] if case else [],
                "evidence": [piece.model_dump() for piece in case.evidence] if case else [],
            }
        )
    return rows


def describe_citation(citation: Citation) -> Row:
    """Return a citation as a row: ``documents.text[start:end]`` is its quote."""
    fields = citation.model_dump(include=set(CITATION))
    return {**fields, "decided_by": list(citation.decided_by)}


def describe_passage(passage: ScoredChunk) -> Row:
    """Return a ranked passage as a row: ``documents.text[start:end]`` are its words."""
    chunk = passage.chunk
    ranked = {name: getattr(passage, name) for name in ("rank", "score", "retriever", "scores")}
    placed = {name: getattr(chunk, name) for name in PASSAGE if name not in ranked and name != "chunk_id"}
    return {**ranked, "chunk_id": chunk.id, **placed}


_DOCUMENT_COLUMNS: Mapping[str, Column] = {
    **dict.fromkeys(("id", "uri", "title", "text", "content_sha256", "parser", "media_type"), "text"),
    **FACTS,
    "pages": [{"number": "int", "label": "text", **SPAN}],
    "sections": [{"title": "text", "level": "int", "kind": "text", **SPAN}],
    "warnings": ["text"],
    "left_out": [{"text": "text", "place": "text", "why": "text"}],
    "metadata": "json",
}
_PASSAGE_COLUMNS: Mapping[str, Column] = {
    **dict.fromkeys(("id", "document_id", "uri", "title", "text"), "text"),
    **SPAN,
    "page": "int",
    "place": "text",
    "headings": ["text"],
    "context": "text",
    **FACTS,
    "content_sha256": "text",
}
_ANSWER_COLUMNS: Mapping[str, Column] = {
    **dict.fromkeys(("id", "owner", "answer_id", "state", "question", "persona"), "text"),
    "top_k": "int",
    "filters": "json",
    "created_at": "time",
    "ended_at": "time",
    **dict.fromkeys(("answer", "answered", "model", "prompt_hash"), "text"),
    "degraded_reasons": ["text"],
    "citations": [CITATION],
    "passages": [PASSAGE],
    "input_tokens": "int",
    "output_tokens": "int",
    "cost_usd": "float",
    "error": "text",
    "forgotten": ["text"],
    "feedback": [{"rating": "text", "comment": "text", "created_at": "time"}],
    **dict.fromkeys(("settings", "models", "prompts"), "json"),
}
_ROW_COLUMNS: Mapping[str, Column] = {
    **dict.fromkeys(("run", "run_id", "dataset", "dataset_sha256", "index_sha256"), "text"),
    **dict.fromkeys(("case_id", "question", "kind", "persona", "cluster", "state", "why", "answer"), "text"),
    "answered": "bool",
    "model": "text",
    "citations": [CITATION],
    "proofs": ["bool"],
    "passages": [PASSAGE],
    "considered": ["text"],
    "scores": [SCORE],
    "error": "text",
    "reference": "text",
    "nuggets": [NUGGET],
    "evidence": [EVIDENCE],
}
TABLES: Mapping[str, ExportTable] = {
    table.name: table
    for table in (
        ExportTable("documents", "the stored documents with their text", _DOCUMENT_COLUMNS, iterate_documents, True),
        ExportTable(
            "passages", "the passages that are searched, with their offsets", _PASSAGE_COLUMNS, iterate_passages, True
        ),
        ExportTable(
            "answers", "the recorded answers with citations, passages and feedback", _ANSWER_COLUMNS, iterate_answers
        ),
        ExportTable("rows", "the rows of evaluations with scores and references", _ROW_COLUMNS, iterate_rows),
    )
}
"""Every table by its name."""
