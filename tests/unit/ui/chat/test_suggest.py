"""Questions of the corpus for an empty conversation."""

from __future__ import annotations

from collections.abc import AsyncIterator

from roma_core.types import Document, Section
from roma_core.ui.chat.suggest import find_questions, suggest_questions


def document(title: str, text: str, *headings: str) -> Document:
    sections = tuple(Section(title=heading, level=2, start=0, end=len(text)) for heading in headings)
    return Document(id=title, uri=title, title=title, text=text, content_sha256="0", parser="t/1", sections=sections)


async def listed(*documents: Document) -> AsyncIterator[Document]:
    for one in documents:
        yield one


def test_a_heading_that_asks_is_a_question_and_a_plain_one_is_none() -> None:
    found = find_questions(document("Manual", "Text.", "How is the valve cleaned?", "Introduction", "1.2 Upkeep"))
    assert found[0] == "How is the valve cleaned?"
    assert "What does “Manual” say about “Upkeep”?" in found
    assert not any("Introduction" in question for question in found)


def test_what_a_document_defines_is_asked_for() -> None:
    assert "What is Tenacity?" in find_questions(document("T", "Tenacity is a library for retrying. It is a thing."))
    assert not any("What is It" in question for question in find_questions(document("T", "It is a thing.")))


async def test_four_questions_come_from_different_documents_first() -> None:
    documents = [document(name, "Text.", f"{name} upkeep", f"{name} costs") for name in ("One", "Two", "Three")]
    found = await suggest_questions(listed(*documents))
    assert len(found) == 4 and [q.split("“")[1].split("”")[0] for q in found[:3]] == ["One", "Two", "Three"]


async def test_an_empty_corpus_suggests_nothing() -> None:
    assert await suggest_questions(listed()) == []
