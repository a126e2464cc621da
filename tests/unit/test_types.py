"""The nouns: spans lie inside the text, usage adds up, ids are stable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from roma_core.types import Block, Document, IngestionReport, IngestItem, Page, Section, Span, Usage, digest


def document(text: str = "Title\n\nBody text", **fields: object) -> Document:
    base = {"id": "d", "uri": "file:///a", "title": "A", "text": text, "content_sha256": "0", "parser": "text/1"}
    return Document.model_validate({**base, **fields})


def test_digest_frames_its_parts() -> None:
    assert digest("ab", "c") != digest("a", "bc")
    assert digest("ä") == digest("ä".encode())


def test_document_id_names_the_place_and_the_tenant() -> None:
    assert Document.id_for("file:///a") == Document.id_for("file:///a", "default")
    assert Document.id_for("file:///a") != Document.id_for("file:///a", "other")


def test_spans_must_lie_inside_the_text() -> None:
    with pytest.raises(ValidationError, match="outside"):
        document("short", pages=(Page(number=1, start=0, end=99),))
    with pytest.raises(ValidationError, match="ends before"):
        Span(start=3, end=1)


def test_nouns_are_frozen_and_refuse_unknown_fields() -> None:
    doc = document()
    with pytest.raises(ValidationError):
        doc.text = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        document(colour="blue")


@pytest.mark.parametrize(
    ("fields", "offset", "place"),
    [
        ({"pages": [{"number": 1, "start": 0, "end": 5}, {"number": 2, "start": 5, "end": 16}]}, 7, "page 2"),
        ({"pages": [{"number": 1, "label": "iv", "start": 0, "end": 16}]}, 3, "page iv"),
        (
            {
                "pages": [{"number": 3, "start": 0, "end": 16}],
                "sections": [
                    {"title": "Plan", "level": 1, "kind": "slide", "start": 0, "end": 16},
                    {"title": "Notes", "level": 2, "kind": "notes", "start": 7, "end": 16},
                ],
            },
            8,
            "slide 3, notes",
        ),
        ({"sections": [{"title": "Q2", "level": 1, "kind": "sheet", "start": 0, "end": 16}]}, 3, "sheet “Q2”"),
        ({"sections": [{"title": "IV", "level": 1, "kind": "chapter", "start": 0, "end": 16}]}, 3, "chapter “IV”"),
        (
            {
                "sections": [
                    {"title": "One", "level": 1, "start": 0, "end": 16},
                    {"title": "Two", "level": 2, "start": 3, "end": 16},
                ]
            },
            5,
            "“Two”",
        ),
        ({}, 5, ""),
    ],
)
def test_place_says_where(fields: dict[str, object], offset: int, place: str) -> None:
    assert document(**fields).place(offset) == place


def test_headings_are_outermost_first() -> None:
    sections = [Section(title="A", level=1, start=0, end=16), Section(title="B", level=2, start=7, end=16)]
    assert document(sections=sections).headings_at(8) == ("A", "B")
    assert document(sections=sections).headings_at(2) == ("A",)


usages = st.builds(
    Usage,
    calls=st.integers(0, 9),
    input_tokens=st.integers(0, 9),
    output_tokens=st.integers(0, 9),
    cost_usd=st.none() | st.integers(0, 8).map(lambda n: n / 8),
    saved_usd=st.integers(0, 8).map(lambda n: n / 8),
    estimated=st.booleans(),
)


@given(st.lists(usages))
def test_usage_adds_and_an_unknown_price_stays_unknown(parts: list[Usage]) -> None:
    total = Usage.total(parts)
    assert total.input_tokens == sum(p.input_tokens for p in parts)
    assert (total.cost_usd is None) == any(p.cost_usd is None for p in parts)
    assert total.estimated == any(p.estimated for p in parts)
    assert total == Usage.total(reversed(parts))


def test_report_counts_every_state() -> None:
    items = (IngestItem(uri="a", state="added"), IngestItem(uri="b", state="failed"))
    counts = IngestionReport(run_id="r", sources=("s",), items=items).counts()
    assert sum(counts.values()) == len(items) and counts["added"] == counts["failed"] == 1 and counts["skipped"] == 0


def test_tables_are_frames_of_text_that_say_where_they_stand() -> None:
    text = "# Tides\n\nTable 1. Heights\n\n| month | metres |\n| --- | --- |\n| May | 03.40 |\n\nEnd"
    blocks = (
        Block(kind="heading", start=0, end=7, level=1),
        Block(kind="caption", start=9, end=25, page=1),
        Block(kind="table", start=27, end=len(text) - 5, page=1, box=(0.1, 0.2, 0.9, 0.4)),
        Block(kind="paragraph", start=len(text) - 3, end=len(text), page=1),
    )
    (frame,) = document(text, blocks=blocks, pages=(Page(number=1, start=0, end=len(text)),)).tables()
    assert frame.to_dict("records") == [{"month": "May", "metres": "03.40"}]
    assert (frame.attrs["page"], frame.attrs["place"]) == (1, "page 1")
    assert frame.attrs["caption"] == "Table 1. Heights"
    assert text[frame.attrs["start"] : frame.attrs["end"]].startswith("| month")


def test_a_document_without_tables_has_no_frames() -> None:
    assert document().tables() == []
