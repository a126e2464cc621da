"""Two editions of a document: what differs, and which questions mean them."""

from __future__ import annotations

import pytest

from roma_core.markup.questions import read_question
from roma_core.types import Chunk, Document, ScoredChunk
from roma_core.writers import ExtractiveWriter
from roma_core.writers.extractive.editions import EditionChanges, find_changes

OLD = """# Kiln rules

The kiln is fired on two days a week. Glaze is free. Wax is banned.

| Cone | Hours |
|---|---|
| 6 | 9 |
"""
NEW = """# Kiln rules

The kiln is fired on three days a week. Wax is banned. Gloves are worn.

| Cone | Hours |
|---|---|
| 6 | 8 |
"""
OTHER = "# Kiln rules\n\nNobody came to the meeting. The date of the next one is open. Tea was served.\n"


def make_document(name: str, text: str, title: str = "Kiln rules") -> Document:
    uri = f"file:///{name}.md"
    return Document(id=Document.id_for(uri), uri=uri, title=title, text=text, content_sha256=name, parser="x")


EDITIONS = (make_document("kiln-rules-2031", OLD), make_document("kiln-rules-2033", NEW))


def changes(question: str, documents: tuple[Document, ...] = EDITIONS) -> EditionChanges | None:
    return find_changes(read_question(question), documents)


@pytest.mark.parametrize(
    "question",
    [
        "What changed in the kiln rules between 2031 and 2033?",
        "What is new in the kiln rules?",
        "What are the differences between the kiln rules of 2031 and 2033?",
    ],
)
def test_the_sentences_that_differ_are_found(question: str) -> None:
    found = changes(question)
    assert found is not None
    pairs = [(before.of(OLD), after.of(NEW)) for before, after in found.changed]
    assert pairs == [
        ("The kiln is fired on two days a week.", "The kiln is fired on three days a week."), ("6 | 9", "6 | 8")
    ]  # fmt: skip
    assert [sentence.of(NEW) for sentence in found.added] == ["Gloves are worn."]
    assert [sentence.of(OLD) for sentence in found.removed] == ["Glaze is free."]


@pytest.mark.parametrize(
    ("question", "documents"),
    [
        ("How often is the kiln fired?", EDITIONS),
        ("What changed in the boat rules?", EDITIONS),
        ("What changed in the kiln rules?", EDITIONS[:1]),
        ("What changed in the kiln rules?", (EDITIONS[0], make_document("kiln-rules-2032", OTHER))),
        ("What changed in the kiln rules?", (EDITIONS[0], make_document("kiln-rules-2032", OLD))),
        ("What changed in the kiln rules?", (make_document("kiln-rules-a", OLD), make_document("kiln-rules-b", NEW))),
    ],
)
def test_nothing_differs_where_no_two_editions_are_meant(question: str, documents: tuple[Document, ...]) -> None:
    assert changes(question, documents) is None


def test_the_years_of_the_question_choose_the_editions() -> None:
    newest = make_document("kiln-rules-2035", NEW.replace("three", "five"))
    found = changes("What changed in the kiln rules from 2031 to 2035?", (*EDITIONS, newest))
    assert found is not None
    assert (found.old.uri, found.new.uri) == (EDITIONS[0].uri, newest.uri)


def test_versions_order_editions_without_dates() -> None:
    found = changes("What changed in the kiln rules?", (make_document("kiln-v10", NEW), make_document("kiln-v9", OLD)))
    assert found is not None
    assert (found.old.text, found.new.text) == (OLD, NEW)


async def test_each_difference_is_cited_in_its_edition() -> None:
    passages = [
        ScoredChunk(
            chunk=Chunk(
                id=each.id, document_id=each.id, uri=each.uri, title=each.title, text=each.text, start=0,
                end=len(each.text),
            ),
            score=1.0, rank=rank, retriever="test",
        )
        for rank, each in enumerate(EDITIONS, 1)
    ]  # fmt: skip
    answer = await ExtractiveWriter().answer("What changed in the kiln rules since 2031?", passages, EDITIONS)
    text = "".join(answer.pieces)
    assert text.startswith("What differs between “kiln rules 2031” (2031) and “kiln rules 2033” (2033):")
    assert (
        "Before: The kiln is fired on two days a week. [1]\n\nNow: The kiln is fired on three days a week. [2]" in text
    )
    assert text.endswith("Added: Gloves are worn. [2]\n\nRemoved: Glaze is free. [1]")
