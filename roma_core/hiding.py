"""What is kept of earlier answers, without the words of documents that may no longer be read.

A grant that is revoked holds for the next request, also for what was answered before: an answer may quote any passage
that its writer was given, so it is hidden whole when one of them may no longer be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from roma_core.answers import AnswerRecord
from roma_core.sessions import Turn
from roma_core.types import Principal, ReadScope, TailorOutput

HIDDEN: Final = "This answer quoted a document that you may no longer read."
"""Stands for the words of an answer whose source is no longer permitted."""


class PermittedDocuments(Protocol):
    """The part of a store that says which documents are in a scope."""

    async def permitted_ids(self, tenant: str, document_ids: Iterable[str], scope: ReadScope) -> frozenset[str]:
        """Return which of the documents are there and in ``scope``."""
        ...


async def hide_turns(turns: Sequence[Turn], who: Principal, store: PermittedDocuments, scope: ReadScope) -> list[Turn]:
    """Return the turns of ``who``; the answer of one that cites a document outside of ``scope`` is hidden."""
    if scope.is_everything:
        return list(turns)
    cited = {reference.document_id for turn in turns for reference in turn.references}
    permitted = await store.permitted_ids(who.tenant, cited, scope)
    return [_hide_turn(turn, permitted) for turn in turns]


async def hide_record(
    record: AnswerRecord, who: Principal, store: PermittedDocuments, scope: ReadScope
) -> AnswerRecord:
    """Return a record of ``who``, without its answer and all that made it when a source is outside of ``scope``."""
    if scope.is_everything:
        return record
    used = list_documents(record)
    if used <= await store.permitted_ids(who.tenant, used, scope):
        return record
    output = None if record.output is None else TailorOutput(answer=HIDDEN, answer_id=record.output.answer_id)
    return record.model_copy(update={"output": output, "events": (), "stages": (), "failure": None})


def is_hidden(record: AnswerRecord) -> bool:
    """Return whether ``hide_record`` has taken the words out of a record."""
    return record.output is not None and record.output.answer == HIDDEN and not record.events


def list_documents(record: AnswerRecord) -> frozenset[str]:
    """Return the ids of all documents that a record has words of."""
    ids = {passage.chunk.document_id for passage in record.candidates}
    if record.output is not None:
        ids |= {citation.document_id for citation in record.output.citations}
        ids |= {passage.chunk.document_id for passage in record.output.passages}
    return frozenset(ids)


def _hide_turn(turn: Turn, permitted: frozenset[str]) -> Turn:
    if all(reference.document_id in permitted for reference in turn.references):
        return turn
    return turn.model_copy(update={"answer": HIDDEN, "standalone": turn.question, "references": ()})
