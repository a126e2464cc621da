from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import (
    MAX_LEFT_OUT_CHARS,
    DocumentBuilder,
    ListItem,
    clean,
    file_name,
    list_markdown,
    page_ranges,
)
from roma_core.types import Document, LeftOut, RawDocument


def builder(uri: str = "file:///tmp/annual%20report.docx", title: str | None = None) -> DocumentBuilder:
    return DocumentBuilder(RawDocument(uri=uri, data=b"x", title=title), ParseOptions(), "test")


steps = st.lists(
    st.tuples(
        st.sampled_from(["page", "section", "heading", "paragraph", "table", "list", "code"]), st.text(max_size=20)
    ),
    max_size=25,
)


@given(steps)
def test_every_span_is_exact(script: list[tuple[str, str]]) -> None:
    made = builder()
    written = []
    for number, (step, text) in enumerate(script, start=1):
        if step == "page":
            made.page(number)
        elif step == "section":
            made.open_section(text, "chapter", 1 + number % 2)
        elif step == "heading":
            written.append(made.heading(text, 1 + number % 3))
        elif step == "table":
            written.append(made.table([["h", text], [text, "2"]]))
        elif step == "list":
            written.append(made.list([ListItem(text), ListItem(text, 1, "2.")]))
        elif step == "code":
            written.append(made.code(text))
        else:
            written.append(made.paragraph(text))
    written = [block for block in written if block]
    if not written:
        with pytest.raises(ParserError):
            made.build()
        return
    document = made.build()
    assert list(document.blocks) == written
    assert "\n\n".join(block.of(document.text) for block in document.blocks) == document.text
    for earlier, later in zip(document.pages, document.pages[1:], strict=False):
        assert earlier.end == later.start
    for section in document.sections:
        inside = [b for b in document.blocks if section.start <= b.start < section.end]
        assert all(b.end <= section.end for b in inside)
    if document.pages:
        first = document.pages[0].start
        assert all(document.page_at(offset) for offset in range(first, len(document.text)))


def annual() -> Document:
    made = builder()
    made.page(1)
    made.open_section("Start", "slide")
    made.heading("Start", 1, section=False)
    made.paragraph("one")
    made.open_section("Notes", "notes", 2)
    made.paragraph("said aloud", "notes")
    made.page(2)
    made.open_section("Q2", "slide")
    made.heading("Q2", 1, section=False)
    made.heading("Inner", 2)
    made.paragraph("two")
    return made.build()


def test_places_name_slides_and_notes() -> None:
    document = annual()
    assert document.place(document.text.index("one")) == "slide 1"
    assert document.place(document.text.index("said")) == "slide 1, notes"
    assert document.place(document.text.index("two")) == "slide 2"
    assert document.headings_at(document.text.index("two")) == ("Q2", "Inner")
    assert document.title == "Start"


def test_places_name_the_row_of_a_sheet() -> None:
    made = builder()
    made.open_section("Q2", "sheet")
    made.paragraph("Revenue\nof all regions", row=3)
    made.table([["name", "sum"], ["north", "1"], ["south", "2"]], row=13)
    document = made.build()
    assert document.place(document.text.index("regions")) == "sheet “Q2”, row 3"
    assert document.place(document.text.index("name")) == "sheet “Q2”, row 13"
    assert document.place(document.text.index("---")) == "sheet “Q2”, row 13"
    assert document.place(document.text.index("north")) == "sheet “Q2”, row 14"
    assert document.place(document.text.index("2 |")) == "sheet “Q2”, row 15"
    assert document.title == "annual report", "a sheet's name is not the title of the workbook"


def test_nested_lists_keep_the_labels_of_the_source() -> None:
    items = [ListItem("a\nb", 3, "1."), ListItem("c", 1, "b)"), ListItem("d", 9), ListItem("e", 0, "2.")]
    assert list_markdown(items) == "1. a\n   b\n    - b) c\n        - d\n2. e"


def test_prose_that_looks_like_structure_is_escaped() -> None:
    made = builder()
    made.paragraph("# not a heading\n\n\n| not a table\n> nor a quote")
    made.quote("wise\n\nwords")
    made.footnote("1", "small\nprint")
    made.figure("a [red] car", "word/media/image 1.png")
    made.code("```\nx\n```", "python\n")
    assert made.build().text == (
        "\\# not a heading\n\\| not a table\n\\> nor a quote\n\n> wise\n> words\n\n[^1]: small print\n\n"
        "![a (red) car](image_1.png)\n\n````python\n```\nx\n```\n````"
    )


def test_clean_drops_what_cannot_be_searched() -> None:
    assert clean("a\r\nb\rc\x00\u200b\xadd\xa0e\ud800\x0bf") == "a\nb\ncd e\ufffd\nf"


def test_nothing_is_an_error_that_says_what_to_do() -> None:
    made = builder()
    made.page(1)
    assert made.paragraph(" \n ") is None and made.heading("\t", 1) is None and made.table([["", " "]]) is None
    assert made.list([]) is None and made.code("\n") is None and made.quote("") is None
    assert made.footnote("1", " ") is None
    with pytest.raises(ParserError) as error:
        made.build()
    assert error.value.code is ErrorCode.PARSER_EMPTY


def test_titles_of_last_resort() -> None:
    made = builder(title="Given")
    made.paragraph("x")
    made.warn("twice")
    made.warn("twice")
    document = made.build()
    assert (document.title, document.warnings) == ("Given", ("twice",))
    assert file_name("https://example.org/") == "https://example.org/"
    assert file_name("a/b.tar.gz") == "b.tar"


def test_equal_left_out_texts_are_one_entry_that_names_all_pages() -> None:
    made = builder()
    made.paragraph("text")
    for page in (1, 2, 3, 9):
        made.leave_out("Annual report", "furniture", page=page)
    made.leave_out("Annual report", "hidden", page=4)
    assert made.build().left_out == (
        LeftOut(text="Annual report", place="pages 1-3, 9", why="furniture"),
        LeftOut(text="Annual report", place="page 4", why="hidden"),
    )


def test_blank_left_out_text_is_no_entry() -> None:
    made = builder()
    made.paragraph("text")
    made.leave_out(" \n\u200b", "hidden", place="sheet “Q2”")
    assert made.build().left_out == ()


def test_left_out_texts_beyond_the_limit_are_counted_in_a_warning() -> None:
    made = builder()
    made.paragraph("text")
    made.leave_out("a" * MAX_LEFT_OUT_CHARS, "hidden", place="sheet “Q2”")
    made.leave_out("b", "hidden", place="sheet “Q2”")
    document = made.build()
    assert [entry.text[:1] for entry in document.left_out] == ["a"]
    assert document.warnings == ("1 more parts were left out than the loss ledger holds",)


def test_the_summary_counts_the_left_out_texts_by_reason() -> None:
    made = builder()
    made.paragraph("text")
    assert made.build().summarize_left_out() is None
    made.leave_out("one", "hidden_row", place="row 1")
    made.leave_out("two", "hidden_row", place="row 2")
    made.leave_out("scan.pdf", "attachment", place="page 1")
    assert made.build().summarize_left_out() == "left out of the text: 2 hidden row, 1 attachment"


@given(st.sets(st.integers(1, 60)))
def test_page_ranges_name_every_number_once(numbers: set[int]) -> None:
    read: list[int] = []
    for part in filter(None, page_ranges(numbers).split(", ")):
        first, _, last = part.partition("-")
        read += range(int(first), int(last or first) + 1)
    assert read == sorted(numbers)
