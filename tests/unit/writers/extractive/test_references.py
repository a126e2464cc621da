"""Numbered parts of a text that a question names: clauses, sections, paragraphs."""

from __future__ import annotations

import pytest

from roma_core.types import Chunk, Document, ScoredChunk
from roma_core.writers import ExtractiveWriter
from roma_core.writers.extractive.references import answer_from_reference

LEASE = """# Lease of the boathouse

## 1. Rent

The rent is 90 euros a month.

## 2. Keys

The tenant gets two keys. A lost key costs 15 euros.

## 3. Term

The lease ends in May.
"""
BYLAWS = """Satzung des Ruderclubs

§ 1 Name
Der Club heißt Welle.

§ 2 Beiträge
(1) Der Beitrag beträgt 40 Euro.
(2) Kinder zahlen nichts.

§ 12 Auflösung
Das Vermögen erhält die Gemeinde.
"""
RULES = "# Rules\n\nArticle 1: The gate is shut at ten.\n\nArticle 2: Dogs stay outside.\n"


def make_document(text: str, title: str) -> Document:
    return Document(id=title, uri=f"file:///{title}.md", title=title, text=text, content_sha256="", parser="x")


DOCUMENTS = (
    make_document(LEASE, "Lease of the boathouse"),
    make_document(BYLAWS, "Satzung"),
    make_document(RULES, "Rules"),
)


def quoted(question: str) -> list[str]:
    found = answer_from_reference(question, DOCUMENTS)
    return [found.items.text_of(index) for index in found.chosen] if found is not None else []


@pytest.mark.parametrize(
    ("question", "quotes"),
    [
        ("What does clause 2 say?", ["The tenant gets two keys.", "A lost key costs 15 euros."]),
        ("what is in section 3 of the lease", ["The lease ends in May."]),
        ("Was steht in § 2 Abs. 2?", ["(2) Kinder zahlen nichts."]),
        ("Was regelt § 1?", ["§ 1 Name Der Club heißt Welle."]),
        ("What does § 12 of the Satzung say?", ["§ 12 Auflösung Das Vermögen erhält die Gemeinde."]),
        ("What does article 2 say?", ["Article 2: Dogs stay outside."]),
        ("What does clause 9 say?", []),
        ("What does § 3 say?", []),
        ("Was steht in § 2 Abs. 7?", []),
        ("What does a key cost under clause 2?", []),
        ("What does clause 2 of the insurance say?", []),
        ("What does the lease say?", []),
    ],
)
def test_the_part_with_the_number_is_quoted_whole(question: str, quotes: list[str]) -> None:
    assert quoted(question) == quotes


async def test_a_part_in_a_language_that_the_ranker_does_not_read_is_quoted_too() -> None:
    [document] = [each for each in DOCUMENTS if each.title == "Satzung"]
    chunk = Chunk(
        id="c", document_id=document.id, uri=document.uri, title=document.title, text=BYLAWS, start=0, end=len(BYLAWS)
    )
    passage = ScoredChunk(chunk=chunk, score=1.0, rank=1, retriever="test")
    answer = await ExtractiveWriter().answer("Was steht in § 2 Absatz 1?", [passage], [document])
    assert "".join(answer.pieces) == "§ 2 Beiträge [1]\n\n\n- (1) Der Beitrag beträgt 40 Euro. [1]"
