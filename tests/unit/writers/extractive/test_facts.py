"""Questions about documents themselves: authors and dates as the file states them."""

from __future__ import annotations

from typing import Any

import pytest

from roma_core.citations.resolve import states_fact
from roma_core.types import Chunk, Document, ScoredChunk
from roma_core.writers import ExtractiveWriter

TEXT = "# Leave policy\n\nLeave must be taken until the end of March."


def make_document(**metadata: Any) -> tuple[Document, ScoredChunk]:
    uri = "file:///leave.md"
    made = {"uri": uri, "title": "Leave policy"}
    document = Document(
        id=Document.id_for(uri), text=TEXT, content_sha256="1", parser="markdown/1", metadata=metadata, **made
    )
    held = Chunk(id="1", document_id=document.id, text=TEXT, start=0, end=len(TEXT), **made)
    return document, ScoredChunk(chunk=held, score=1.0, rank=1, retriever="test")


@pytest.mark.parametrize(
    ("question", "metadata", "expected"),
    [
        ("Who wrote the leave policy?", {"from": "Jane Doe <jane@example.org>"}, "Author of “Leave policy”: Jane Doe"),
        ("Who wrote the leave policy?", {"dc:creator": "Jane Doe"}, "Author of “Leave policy”: Jane Doe"),
        ("Who is the author of the leave policy?", {"authors": ["A. Roe", {"name": "M. Roe"}]}, "A. Roe, M. Roe"),
        ("When was the leave policy published?", {"CreationDate": "2024-03-01"}, "Published of “Leave policy”: 2024"),
        ("When was the leave policy last updated?", {"ModDate": "2025", "date": "2024"}, "Modified of"),
        ("When was the leave policy published?", {"modified": "2025"}, "Modified of “Leave policy”: 2025"),
    ],
)  # fmt: skip
async def test_facts_are_stated_whatever_the_file_calls_them(
    question: str, metadata: dict[str, Any], expected: str
) -> None:
    document, passage = make_document(**metadata)
    answer = await ExtractiveWriter().answer(question, [passage], [document])
    said = answer.pieces[0].removesuffix(" [1]")
    assert expected in said
    assert states_fact(said, document)


async def test_a_file_that_states_no_author_has_none() -> None:
    document, passage = make_document(title="Leave policy")
    answer = await ExtractiveWriter().answer("Who wrote the leave policy?", [passage], [document])
    assert "Author of" not in "".join(answer.pieces)


def make_edition(name: str, title: str, author: str) -> tuple[Document, ScoredChunk]:
    uri, text = f"file:///{name}.md", f"# {title}\n\nLeave is granted."
    made = {"uri": uri, "title": title}
    document = Document(
        id=Document.id_for(uri),
        text=text,
        content_sha256=name,
        parser="markdown/1",
        metadata={"author": author},
        **made,
    )
    held = Chunk(id=name, document_id=document.id, text=text, start=0, end=len(text), **made)
    return document, ScoredChunk(chunk=held, score=1.0, rank=1, retriever="test")


EDITIONS = (make_edition("old", "Leave policy (2022)", "Al Roe"), make_edition("new", "Leave policy", "Mia Doe"))


@pytest.mark.parametrize(
    ("question", "author"),
    [("Who wrote the leave policy?", "Mia Doe"), ("Who wrote the leave policy of 2022?", "Al Roe")],
)
async def test_the_document_with_just_this_title_is_meant(question: str, author: str) -> None:
    documents, passages = zip(*EDITIONS, strict=True)
    answer = await ExtractiveWriter().answer(question, passages, documents)
    assert author in answer.pieces[0]


async def test_documents_of_an_author_are_listed() -> None:
    documents, passages = zip(*EDITIONS, strict=True)
    answer = await ExtractiveWriter().answer("Which documents are by Al Roe?", passages, documents)
    assert "Leave policy (2022)" in "".join(answer.pieces)
    assert len(answer.pieces) == 2
