"""RTF of several writers: code pages, hidden text, tables in tables, lists, boxes, links, tracked changes."""

from __future__ import annotations

import pytest

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.office.rtf import find_code_page, parse
from roma_core.types import Document, RawDocument


def read(source: bytes, **options: object) -> Document:
    return parse(RawDocument(uri="a.rtf", data=source), ParseOptions.model_validate(options))


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (rb"{\rtf1\mac Caf\'8e costs 3\par}", "Café costs 3"),
        (rb"{\rtf1\ansi\ansicpg1251 \'cf\'f0\'e8.\par}", "При."),
        (rb"{\rtf1\ansi{\fonttbl{\f0\fcharset0 A;}{\f1\fcharset204 B;}}\f0 \'e9 \f1 \'e9\par}", "é й"),
        (rb"{\rtf1\ansi{\fonttbl{\f0\fcharset128 A;}}\f0 \'93\'fa\'96\'7b\par}", "日本"),
        (rb"{\rtf1\uc1 \u8364? and \u-10179\'3f\u-8704\'3f\par}", "€ and 😀"),
        (rb"{\rtf1 {\upr{?}{\*\ud{\u28450?\u23383?}}}\par}", "漢字"),
        (rb"{\rtf1 10{\super 6} m{\up6 2} and H{\sub 2}O\par}", "10⁶ m² and H2O"),
        (rb"{\rtf1 a\tab b\~c\_d\-e \emdash f\line g\par}", "a b c‑de —f\ng"),
        (rb"{\rtf1 kept {\pict\pngblip 89504e47} {\*\unknown gone 9}words\par}", "kept words"),
        (rb"{\rtf1 before \bin3 {}}after\par}", "before after"),
        (b"{\\rtf1 one\\\ntwo\\par}", "one\n\ntwo"),
    ],
)
def test_characters_are_those_that_a_reader_sees(source: bytes, text: str) -> None:
    assert " ".join(read(source).text.split(" ")).replace("  ", " ") == text


def test_hidden_text_and_furniture_are_left_out_by_name() -> None:
    document = read(rb"{\rtf1{\header \pard Draft 12\par}{\v secret 99}Seen.\par}")
    assert document.text == "Seen."
    assert [(entry.text, entry.why) for entry in document.left_out] == [
        ("Draft 12", "furniture"),
        ("secret 99", "hidden"),
    ]


@pytest.mark.parametrize(
    ("reading", "text"),
    [("accepted", "Fee 250."), ("original", "Fee 100."), ("both", "Fee {--100--}{++250++}.")],
)
def test_tracked_changes_are_read_as_asked(reading: str, text: str) -> None:
    source = rb"{\rtf1 Fee {\deleted 100}{\revised 250}.\par}"
    assert read(source, tracked_changes=reading).text == text


def test_tables_in_tables_are_lines_of_their_cell() -> None:
    source = (
        rb"{\rtf1\trowd\cellx1\cellx2\pard\intbl Outer\cell \pard\intbl\itap2 a 1\nestcell b 2\nestcell"
        rb"{\*\nesttableprops\trowd\cellx1\nestrow}{\nonesttables\par}\pard\intbl End\cell\row"
        rb"\trowd\cellx1\cellx2\pard\intbl 3\par 4\cell 5\cell\row\pard After.\par}"
    )
    assert read(source).text == ("| Outer | a 1 \\| b 2<br>End |\n| --- | --- |\n| 3<br>4 | 5 |\n\nAfter.")


def test_lists_keep_their_labels_and_headings_their_levels() -> None:
    source = (
        rb"{\rtf1{\stylesheet{\s0 Normal;}{\s3\outlinelevel1 Kapitel;}}\pard\s3 Part\par"
        rb"\pard{\listtext\tab 1.\tab}First\par\pard\ilvl1{\listtext a)\tab}Inner\par{\pntext\'B7\tab}Dot\par}"
    )
    assert read(source).text == "## Part\n\n1. First\n    - a) Inner\n    - Dot"


def test_links_boxes_and_authors_are_kept() -> None:
    source = (
        rb'{\rtf1{\info{\title The Plan}{\author Ann}}See {\field{\*\fldinst HYPERLINK "https://e.org/x"}{\fldrslt here}}'
        rb".{\shp{\*\shpinst{\sp{\sn a}{\sv 7}}{\shptxt \pard Box 55\par}}{\shprslt dup}}\par}"
    )
    document = read(source)
    assert document.text == "See here.\n\nBox 55"
    assert [link.url for link in document.links] == ["https://e.org/x"]
    assert document.title == "The Plan" and document.metadata["author"] == "Ann"


def test_what_nests_without_end_or_holds_nothing_is_refused() -> None:
    with pytest.raises(ParserError) as deep:
        read(b"{\\rtf1" + b"{" * 100_000)
    with pytest.raises(ParserError) as empty:
        read(rb"{\rtf1{\*\generator X}}")
    assert deep.value.code == ErrorCode.PARSER_MALFORMED and empty.value.code == ErrorCode.PARSER_EMPTY


def test_code_pages_that_python_does_not_know_are_none() -> None:
    assert find_code_page(10000) == "mac-roman" and find_code_page(99) is None
