"""Entries with dotted leaders are rows; lines around them stay text."""

from __future__ import annotations

import pytest

from roma_core.parsers.base import ParseOptions
from roma_core.parsers.pdf.layout import Line
from roma_core.parsers.pdf.leaders import leader_tables
from roma_core.parsers.pdf.page import Style, Word
from roma_core.parsers.pdf.parser import parse
from roma_core.types import RawDocument
from tests.fixtures import make_pdf

DOTS = " . . . . . . . . . . "


def page(*texts: str, step: float = 12.0) -> list[Line]:
    """Lines of 10 pt type, ``step`` points apart; the words of each stand two points from one another."""
    made: list[Line] = []
    for row, text in enumerate(texts):
        x, words = 50.0, []
        for part in text.split():
            width = 5.0 * len(part)
            words.append(Word(part, x, 100 + row * step, x + width, 110 + row * step, Style(10.0)))
            x += width + 2
        made.append(Line(tuple(words)))
    return made


def rows(*texts: str, step: float = 12.0) -> list[list[list[str]]]:
    return [table.grid[1:] for table in leader_tables(page(*texts, step=step))]


@pytest.mark.parametrize(
    "value", ["7", "vii", "XII", "A-3", "B2", "12-4", "$4.50", "12.5%", "1,204", "€3", "4–6"], ids=lambda v: f"to {v}"
)
def test_dots_lead_to_a_value(value):
    entry = f"Harbour{DOTS}{value}"
    assert rows(entry, "Mill......... 3", "Chapel … 4") == [[["Harbour", value], ["Mill", "3"], ["Chapel", "4"]]]


@pytest.mark.parametrize(
    "lines",
    [
        [f"Harbour{DOTS}3", f"Mill{DOTS}4"],
        ["Harbour 3", "Mill 4", "Chapel 5"],
        [f"Harbour{DOTS}see below", f"Mill{DOTS}see below", f"Chapel{DOTS}see below"],
        ["He waited ... and left.", "She came ... too late.", "They met ... in 1904"],
        [],
    ],
    ids=["two are too few", "no dots", "no value", "ellipses", "nothing"],
)
def test_other_lines_are_no_table(lines):
    assert leader_tables(page(*lines)) == []


def test_the_header_is_blank_and_every_word_is_taken():
    lines = page(f"Harbour{DOTS}3", f"Mill{DOTS}4", f"Chapel{DOTS}5")
    (table,) = leader_tables(lines)
    assert table.grid[0] == ["", ""]
    assert len(table.words) == sum(len(line.words) for line in lines)
    assert table.rect == (50.0, 100.0, max(line.x1 for line in lines), 134.0)


def test_a_title_that_wraps_is_one_entry():
    got = rows(f"1 Harbour{DOTS}3", "2 A long title that", f"goes on{DOTS}4", f"3 Mill{DOTS}5")
    assert got == [[["1 Harbour", "3"], ["2 A long title that goes on", "4"], ["3 Mill", "5"]]]


def test_a_line_before_a_numbered_entry_is_a_row_of_its_own():
    got = rows(f"1 Harbour{DOTS}3", "The second part", f"2 Mill{DOTS}5", f"Chapter 3 Chapel{DOTS}6")
    assert got == [[["1 Harbour", "3"], ["The second part", ""], ["2 Mill", "5"], ["Chapter 3 Chapel", "6"]]]


def test_text_before_and_after_stays_text():
    lines = page("Words in front", f"A{DOTS}1", f"B{DOTS}2", f"C{DOTS}3", "Words after it", "and more", "and more")
    (table,) = leader_tables(lines)
    taken = {id(word) for word in table.words}
    assert [line.text for line in lines if not taken & {id(w) for w in line.words}] == [
        "Words in front",
        "Words after it",
        "and more",
        "and more",
    ]


def test_a_wide_gap_or_three_lines_between_end_the_list():
    between = [f"A{DOTS}1", f"B{DOTS}2", "one", "two", "three", f"C{DOTS}3", f"D{DOTS}4"]
    assert rows(*between) == []
    assert rows(f"A{DOTS}1", f"B{DOTS}2", "far", f"C{DOTS}3", step=40.0) == []


def test_contents_of_a_file_are_a_table_between_its_heading_and_its_text():
    def draw(canvas):
        y = make_pdf.lines(canvas, 60, 80, ["Contents"], 16, "Helvetica-Bold")
        entries = [f"{n}.{m} Part {n}{m} of the harbour{' .' * 40} {10 * n + m}" for n in (1, 2) for m in (1, 2, 3)]
        y = make_pdf.lines(canvas, 60, y + 10, entries)
        make_pdf.lines(canvas, 60, y + 20, make_pdf.wrapped(make_pdf.HARBOUR, 90))

    document = parse(RawDocument(uri="a.pdf", data=make_pdf.drawn(draw)), ParseOptions(ocr=False))
    assert [b.kind for b in document.blocks] == ["heading", "table", "paragraph"]
    assert "| 2.3 Part 23 of the harbour | 23 |" in document.text and " ." not in document.text.split("\n\n")[1]
