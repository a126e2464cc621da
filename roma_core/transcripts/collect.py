"""Collects an answer or a conversation for export: from records of answers, or from turns whose record is gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from roma_core.answers import AnswerRecord, AnswerSummary
from roma_core.errors import AgentFailure, NotFoundError
from roma_core.facts import read_facts
from roma_core.sessions.service import Turn
from roma_core.transcripts.transcript import SourceDocument, Transcript, TranscriptTurn, make_title
from roma_core.types import Citation, Document, Principal, TailorOutput

if TYPE_CHECKING:
    from roma_core.app import Roma
    from roma_core.sessions.service import Reference

MOST_ANSWERS: Final = 1000
"""Answers of a conversation that are read."""


async def collect_answer(roma: Roma, who: Principal, record_id: str, base_url: str = "") -> Transcript:
    """Return the transcript of one answer. Raises ``NotFoundError``.

    Example::

        transcript = await collect_answer(roma, Principal.local(), record_id)
    """
    record = await roma.answer_record(record_id, who)
    return await _make_transcript(roma, who, make_title(record.query.text), [_view_record(record)], base_url)


async def collect_conversation(roma: Roma, who: Principal, session_id: str, base_url: str = "") -> Transcript:
    """Return the transcript of a conversation. Raises ``NotFoundError`` when nothing was asked in it."""
    turns = await roma.turns(session_id, who, limit=MOST_ANSWERS)
    answers = await roma.answers.list(who, session_id, MOST_ANSWERS)
    entries = merge_entries(turns, answers)
    if not entries:
        raise NotFoundError("There is no such conversation, or nothing was asked in it.")
    views: list[TranscriptTurn] = []
    for entry in entries:
        if isinstance(entry, AnswerSummary):
            views.append(_view_record(await roma.answer_record(entry.id, who)))
        else:
            output = await restore_output(roma, who, entry)
            views.append(TranscriptTurn(question=entry.question, asked_at=entry.created_at, output=output))
    title = await _find_title(roma, who, session_id) or make_title(views[0].question)
    return await _make_transcript(roma, who, title, views, base_url)


async def _find_title(roma: Roma, who: Principal, session_id: str) -> str:
    sessions = await roma.sessions.list(who, 1, session_id)
    return next((session.title for session in sessions if session.id == session_id), "")


def _view_record(record: AnswerRecord) -> TranscriptTurn:
    return TranscriptTurn(
        question=record.query.text,
        state=record.state,
        asked_at=record.created_at,
        output=record.output,
        words="" if record.output is not None else record.text,
    )


async def _make_transcript(
    roma: Roma, who: Principal, title: str, turns: Sequence[TranscriptTurn], base_url: str
) -> Transcript:
    citations = [citation for turn in turns if turn.output is not None for citation in turn.output.citations]
    return Transcript(
        title=title,
        turns=tuple(turns),
        sources=await _find_sources(roma, who, citations),
        exported_at=datetime.now(UTC).replace(microsecond=0),
        base_url=base_url.rstrip("/"),
    )


async def _find_sources(roma: Roma, who: Principal, citations: Iterable[Citation]) -> Mapping[str, SourceDocument]:
    """Return facts of the cited documents; a document that is gone, or was changed since, has no hash."""
    spans: dict[str, list[Citation]] = {}
    for citation in citations:
        spans.setdefault(citation.document_id, []).append(citation)
    sources: dict[str, SourceDocument] = {}
    for document_id, cited in spans.items():
        document = await roma.document(document_id, who)
        if isinstance(document, AgentFailure):
            continue
        facts = read_facts(document)
        holds = all(document.text[citation.start : citation.end] == citation.quote for citation in cited)
        sources[document_id] = SourceDocument(
            id=document_id,
            uri=document.uri,
            title=document.title,
            author=facts.author,
            date=facts.date,
            content_sha256=document.content_sha256 if holds else "",
        )
    return sources


def merge_entries(turns: Sequence[Turn], answers: Sequence[AnswerSummary]) -> list[Turn | AnswerSummary]:
    """Return a conversation in its order: records of answers, and turns whose record is gone.

    A question that got no answer and was asked again at once is left out.
    """
    recorded = {answer.answer_id for answer in answers if answer.answer_id}
    entries: list[tuple[str, Turn | AnswerSummary]] = [
        (turn.created_at.isoformat() if turn.created_at else "", turn)
        for turn in turns
        if turn.answer_id not in recorded
    ]
    entries += [((answer.ended_at or answer.created_at).isoformat(), answer) for answer in answers]
    entries.sort(key=lambda entry: entry[0])
    ordered = [entry for _, entry in entries]
    is_asked_again = [
        isinstance(entry, AnswerSummary) and entry.state != "complete" and entry.question == later.question
        for entry, later in pairwise(ordered)
    ]
    is_asked_again.append(False)
    return [entry for entry, again in zip(ordered, is_asked_again, strict=False) if not again]


async def restore_output(roma: Roma, who: Principal, turn: Turn) -> TailorOutput:
    """Return a stored answer whose record is gone. Its citations have no words, which are read again."""
    ids = {reference.document_id for reference in turn.references}
    documents = {id_: await roma.document(id_, who) for id_ in ids}
    return TailorOutput(
        answer=turn.answer,
        citations=tuple(_restore_citation(ref, documents[ref.document_id]) for ref in turn.references),
        answer_id=turn.answer_id,
        model=turn.model,
        answered=turn.answered,
    )


def _restore_citation(reference: Reference, document: Document | AgentFailure) -> Citation:
    quote = document.text[reference.start : reference.end] if isinstance(document, Document) else ""
    return Citation(**reference.model_dump(), quote=quote, chunk_id="", answer_start=0, answer_end=0)
