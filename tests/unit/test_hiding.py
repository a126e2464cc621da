"""Earlier answers lose their words when one of their sources may no longer be read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from roma_core.answers import AnswerRecord, StageSnapshot
from roma_core.hiding import HIDDEN, hide_record, hide_turns, is_hidden
from roma_core.sessions import Turn
from roma_core.sessions.service import Reference
from roma_core.store.inmemory import InMemoryStore
from roma_core.testing.stores import document, put
from roma_core.types import (
    EVERYTHING,
    Chunk,
    Citation,
    CompleteEvent,
    Document,
    Principal,
    Query,
    ReadScope,
    ScoredChunk,
    TailorOutput,
)

WHO = Principal(subject="anna", tenant="t", roles=("reader",))
SHUT = ReadScope(closed=("board",))
SECRET, OPEN = (Document.id_for(f"file:///{name}.md", "t") for name in ("board", "main"))


@pytest.fixture
async def store() -> InMemoryStore:
    made = InMemoryStore()
    for name in ("board", "main"):
        await put(made, document(f"file:///{name}.md", f"Words of {name}.", collection=name))
    return made


def turn(*document_ids: str) -> Turn:
    references = tuple(
        Reference(marker=1, document_id=id_, uri="u", title="Title", start=0, end=5, verdict="verbatim")
        for id_ in document_ids
    )
    return Turn(question="Who?", standalone="Who of Quellfeld?", answer="Said.", answer_id="a", references=references)


def record(cited: str, found: str) -> AnswerRecord:
    chunk = Chunk(id="c", document_id=found, uri="u", title="T", text="Words", start=0, end=5)
    passage = ScoredChunk(chunk=chunk, score=1.0, rank=1, retriever="bm25")
    citation = Citation(
        marker=1, chunk_id="c", document_id=cited, uri="u", title="T", start=0, end=5, quote="Words", answer_start=0,
        answer_end=5, verdict="verbatim",
    )  # fmt: skip
    output = TailorOutput(answer="Said. [1]", citations=(citation,), answer_id="a", follow_ups=("And then?",))
    return AnswerRecord(
        id="r",
        state="complete",
        query=Query(text="Who?", principal=WHO),
        created_at=datetime.now(UTC),
        output=output,
        events=(CompleteEvent(output=output),),
        stages=(StageSnapshot(stage="select", question="Who?", passages=(passage,)),),
    )


async def test_a_turn_that_cites_a_forbidden_document_keeps_the_question_alone(store: InMemoryStore) -> None:
    (hidden, shown) = await hide_turns([turn(SECRET, OPEN), turn(OPEN)], WHO, store, SHUT)
    assert (hidden.question, hidden.standalone, hidden.answer, hidden.references) == ("Who?", "Who?", HIDDEN, ())
    assert shown == turn(OPEN)


async def test_a_turn_whose_source_is_gone_is_hidden_where_anything_is_withheld(store: InMemoryStore) -> None:
    (hidden,) = await hide_turns([turn("gone")], WHO, store, SHUT)
    assert hidden.answer == HIDDEN
    assert await hide_turns([turn("gone")], WHO, store, EVERYTHING) == [turn("gone")]


@pytest.mark.parametrize(("cited", "found"), [(SECRET, OPEN), (OPEN, SECRET)], ids=["cited", "found only"])
async def test_a_record_with_words_of_a_forbidden_document_is_hidden_whole(
    store: InMemoryStore, cited: str, found: str
) -> None:
    whole = record(cited, found)
    hidden = await hide_record(whole, WHO, store, SHUT)
    assert is_hidden(hidden)
    assert hidden.output is not None
    assert (hidden.output.answer, hidden.output.citations, hidden.output.follow_ups) == (HIDDEN, (), ())
    assert (hidden.events, hidden.stages) == ((), ())
    assert await hide_record(whole, WHO, store, EVERYTHING) == whole


async def test_a_record_of_permitted_documents_stays(store: InMemoryStore) -> None:
    shown = await hide_record(record(OPEN, OPEN), WHO, store, SHUT)
    assert shown == record(OPEN, OPEN).model_copy(update={"created_at": shown.created_at})
    assert not is_hidden(shown)
