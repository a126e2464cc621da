"""Questions of the corpus for an empty conversation."""

from __future__ import annotations

from collections.abc import AsyncIterator

from roma_core.types import Document, Section
from roma_core.ui.chat.suggest import find_questions, find_related, match_questions, suggest_questions


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


def test_questions_match_by_the_beginnings_of_their_words() -> None:
    questions = ["What does the bridge span?", "What does the bridge span?", "Who built the mill?", "Is it a bridge?"]
    assert match_questions("bri", questions) == ["What does the bridge span?", "Is it a bridge?"]
    assert match_questions("the bri", questions) == ["What does the bridge span?"]
    assert match_questions("ridge", questions) == match_questions("  ", questions) == []
    assert match_questions("is it a bridge?", questions) == []


def test_related_questions_share_rare_words_first_and_ask_something_else() -> None:
    known = [
        "Who built the rope bridge?",
        "Which bridge is the longest?",
        "What is a mill?",
        "How long is a rope bridge?",
    ]
    related = find_related("When was the rope bridge closed?", known)
    assert set(related[:2]) == {"Who built the rope bridge?", "How long is a rope bridge?"}
    assert "What is a mill?" not in related
    assert find_related("Who built the rope bridge?", ["Who built the ROPE bridge?"]) == []
    assert find_related("And so?", known) == find_related("", known) == find_related("rope", []) == []
