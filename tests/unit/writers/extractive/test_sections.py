"""What a version brought, and the steps of a task: all that stands under their heading."""

from __future__ import annotations

import pytest

from roma_core.markup.questions import read_question
from roma_core.parsers.text.markdown import structure
from roma_core.types import Chunk, Document, ScoredChunk
from roma_core.writers import ExtractiveWriter
from roma_core.writers.extractive.sections import answer_from_sections

NOTES = """# Plover release notes

## 4.2.0 (2025-01-07)

- Added drafts for letters.
- Fixed a lost footer (PLV-77).
- Fixed the wrong order of pages.

## 4.1.0

Letters are sent as PDF. The old format was dropped.

## Cleaning

1. Switch the press off.
2. Remove the tray.
3. Wipe the roller with a dry cloth.

## Parts

- roller
- tray
"""


def document(text: str = NOTES) -> Document:
    blocks, sections = structure(text)
    return Document(
        id=Document.id_for("file:///notes.md"), uri="file:///notes.md", title="Plover release notes", text=text,
        content_sha256="", parser="x", blocks=tuple(blocks),
        sections=tuple(sorted(sections, key=lambda section: section.start)),
    )  # fmt: skip


def lines(question: str) -> list[str]:
    found = answer_from_sections(read_question(question), [document()])
    return [found.items.text_of(index) for index in found.chosen] if found is not None else []


@pytest.mark.parametrize(
    ("question", "first", "count"),
    [
        ("What changed in version 4.2.0?", "Added drafts for letters.", 3),
        ("What is new in Plover 4.2.0?", "Added drafts for letters.", 3),
        ("What was fixed in 4.2.0?", "Fixed a lost footer (PLV-77).", 2),
        ("What did release 4.1.0 change?", "Letters are sent as PDF.", 2),
        ("How do I clean the press?", "Switch the press off.", 3),
        ("How is the press cleaned?", "Switch the press off.", 3),
        ("What are the steps to clean the press?", "Switch the press off.", 3),
    ],
)
def test_all_that_is_asked_for_stands_under_the_heading(question: str, first: str, count: int) -> None:
    found = lines(question)
    assert found[:1] == [first]
    assert len(found) == count


@pytest.mark.parametrize(
    "question",
    [
        "What changed in version 4.2.1?",
        "Who wrote version 4.2.0?",  # asks for more than what the version brought
        "How do I clean the oven?",
        "How do I order parts?",
        "What is the roller?",
    ],
)
def test_what_no_heading_is_about_is_not_answered_by_a_section(question: str) -> None:
    assert lines(question) == []


async def write(question: str) -> str:
    held = document()
    spans = [(section.start, section.end) for section in held.sections if section.level == 2]
    passages = [
        ScoredChunk(
            chunk=Chunk(
                id=str(rank), document_id=held.id, uri=held.uri, title=held.title, text=held.text[start:end],
                start=start, end=end, headings=held.headings_at(start + 4),
            ),
            score=1.0 / rank, rank=rank, retriever="test",
        )
        for rank, (start, end) in enumerate(spans, 1)
    ]  # fmt: skip
    return "".join((await ExtractiveWriter().answer(question, passages, [held])).pieces)


async def test_steps_keep_their_numbers_and_changes_their_heading() -> None:
    assert "3 of 3:\n\n1. Switch the press off. [" in await write("How do I clean the press?")
    changed = await write("What was fixed in 4.2.0?")
    assert changed.startswith("4.2.0 (2025-01-07) [")
    assert "2 of 3 with “fixed”" in changed


async def test_which_version_it_was_stands_in_the_heading() -> None:
    assert (await write("Which version added drafts for letters?")).startswith("4.2.0 (2025-01-07) [")


@pytest.mark.parametrize(
    ("question", "quoted"),
    [
        ("What is the second step of cleaning?", ["Remove the tray."]),
        ("What is the last step of the cleaning of the plover?", ["Wipe the roller with a dry cloth."]),
        ("What does step 1 of cleaning say?", ["Switch the press off."]),
        ("What is the 3rd step of cleaning?", ["Wipe the roller with a dry cloth."]),
        ("What is the fourth step of cleaning?", []),
        ("What is the first step of the repair?", []),
        ("What is the first part?", []),
    ],
)
def test_a_step_is_quoted_by_its_number(question: str, quoted: list[str]) -> None:
    assert lines(question) == quoted


OCCASIONS = """# Skerrow Sailing Club

## Before you launch

- Sign the log
- Put on a buoyancy aid

## Clubhouse

After a party:

- Wash up
- Lock the bar
"""


@pytest.mark.parametrize(
    ("question", "items"),
    [
        ("What should I do before I launch?", ["Sign the log", "Put on a buoyancy aid"]),
        ("What must be done after a party?", ["Wash up", "Lock the bar"]),
        ("What do I have to do after I launch?", []),
        ("What must be done before a party?", []),
        ("What should I do before I race?", []),
        ("What should I do?", []),
    ],
)
def test_what_is_to_be_done_on_an_occasion_is_the_list_under_it(question: str, items: list[str]) -> None:
    found = answer_from_sections(read_question(question), [document(OCCASIONS)])
    assert [found.items.text_of(index) for index in found.chosen] == items if found is not None else not items
