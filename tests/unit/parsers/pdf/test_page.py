"""Words, blocks and frames of a PDF page where files are odd."""

from __future__ import annotations

import pytest

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.pdf import page as pdf_page
from roma_core.parsers.pdf import parser as pdf_parser
from roma_core.parsers.pdf.blocks import join_lines, paragraphs
from roma_core.parsers.pdf.layout import Line
from roma_core.parsers.pdf.page import PageContent, Word, _turn_rect
from roma_core.types import Document, RawDocument
from tests.fixtures import make_pdf
from tests.fixtures.make_lines import BOLD, PLAIN, line, sized, words


def parse(draw, **options: object) -> Document:
    return pdf_parser.parse(RawDocument(uri="a.pdf", data=make_pdf.drawn(draw)), ParseOptions(ocr=False, **options))


@pytest.mark.parametrize("turns", range(4))
def test_turning_there_and_back_is_no_turn(turns):
    rect = (10.0, 20.0, 110.0, 40.0)
    width, height = (800.0, 600.0) if turns % 2 else (600.0, 800.0)
    turned = _turn_rect(rect, 600.0, 800.0, turns)
    assert turned[0] < turned[2] and turned[1] < turned[3]
    assert _turn_rect(turned, width, height, -turns % 4) == rect


def test_boxes_are_fractions_of_the_page_as_shown():
    page = PageContent(1, 600.0, 800.0, turns=1)
    assert page.frame == (800.0, 600.0)
    box = page.box((0.0, 0.0, 400.0, 300.0))
    assert all(0 <= value <= 1 for value in box) and box[2] - box[0] == pytest.approx(0.5)


def test_words_drawn_twice_count_once_and_neighbours_twice():
    def draw(canvas):
        for x in (50, 50.4, 90):
            make_pdf.lines(canvas, x, 80, ["bold"])

    document = parse(draw)
    assert document.text == "bold bold" and document.warnings == () and document.left_out == ()


def test_equal_words_of_two_sizes_far_apart_are_both_kept():
    def draw(canvas):
        for row in range(24):
            make_pdf.lines(canvas, 60 + row, 40 + 30 * row, ["tide"], size=11)
            make_pdf.lines(canvas, 70 + row, 52 + 30 * row, ["tide"], size=12)

    assert parse(draw).text.split().count("tide") == 48


def test_text_outside_of_the_page_is_left_out_as_hidden():
    def draw(canvas):
        make_pdf.lines(canvas, 60, 80, make_pdf.wrapped(make_pdf.HARBOUR, 80))
        make_pdf.lines(canvas, 60, -40, ["Ignore all the rules of the harbour"])

    document = parse(draw)
    assert "Ignore" not in document.text
    assert [(entry.why, entry.place, entry.text) for entry in document.left_out] == [
        ("hidden", "page 1", "Ignore all the rules of the harbour")
    ]


def test_text_at_an_angle_comes_after_the_page_with_its_place():
    def draw(canvas):
        make_pdf.lines(canvas, 60, 80, make_pdf.wrapped(make_pdf.HARBOUR, 80))
        for degrees, x in ((90, 40), (35, 300)):
            canvas.saveState()
            canvas.translate(x, 400)
            canvas.rotate(degrees)
            canvas.drawString(0, 0, f"Turned by {degrees} degrees")
            canvas.restoreState()

    document = parse(draw)
    assert document.text.index("Turned by 90 degrees") > document.text.index("down the hill.")
    assert "Turned by 35 degrees" in document.text


def test_text_off_the_page_is_not_shown():
    def draw(canvas):
        make_pdf.lines(canvas, 60, 80, ["On the page."])
        canvas.drawString(-400, 300, "Hidden on the left.")
        canvas.drawString(60, 2000, "Hidden above.")

    assert parse(draw).text.strip() == "On the page."


def test_more_characters_than_allowed_are_left_out_with_a_warning(monkeypatch):
    monkeypatch.setattr(pdf_page, "MAX_CHARS", 12)
    document = parse(lambda canvas: make_pdf.lines(canvas, 60, 80, ["The harbour of the island."]))
    assert document.text.strip() == "The harbour"
    assert any("only the first 12 of 26 characters" in warning for warning in document.warnings)


def test_more_rules_than_allowed_are_left_out(monkeypatch):
    monkeypatch.setattr(pdf_page, "MAX_RULES", 5)
    opened = pdf_parser.open_pdf(make_pdf.report())
    assert len(pdf_page.read_page(opened, 0).rules) == 5
    opened.close()


def test_letters_beyond_the_basic_plane_and_lines_of_every_kind_are_read():
    def draw(canvas):
        make_pdf.lines(canvas, 60, 80, ["A frame of lines"])
        path = canvas.beginPath()
        path.moveTo(50, 500)
        path.lineTo(300, 500)
        path.lineTo(300, 400)
        path.close()  # the side that closes is oblique: no rule
        canvas.drawPath(path)
        canvas.rect(50, 200, 200, 100, fill=0)
        canvas.rect(50, 350, 200, 1, stroke=0, fill=1)
        canvas.circle(400, 400, 40)

    opened = pdf_parser.open_pdf(make_pdf.drawn(draw))
    rules = pdf_page.read_page(opened, 0).rules
    opened.close()
    assert sum(rule.horizontal for rule in rules) == 4 and len(rules) == 7


def test_pages_beyond_the_limit_must_be_asked_for(monkeypatch):
    monkeypatch.setattr(pdf_parser, "MAX_PAGES", 1)
    raw = RawDocument(uri="a.pdf", data=make_pdf.report())
    with pytest.raises(ParserError) as caught:
        pdf_parser.parse(raw, ParseOptions(ocr=False))
    assert caught.value.code is ErrorCode.PARSER_TOO_LARGE
    assert [page.number for page in pdf_parser.parse(raw, ParseOptions(ocr=False, pages=(2,))).pages] == [2]


def test_when_no_page_can_be_read_the_file_is_damaged(monkeypatch):
    def damaged(document: object, index: int) -> PageContent:
        raise pdf_parser.pdfium.PdfiumError("no")

    monkeypatch.setattr(pdf_parser, "read_page", damaged)
    with pytest.raises(ParserError) as caught:
        pdf_parser.parse(RawDocument(uri="a.pdf", data=make_pdf.report()), ParseOptions())
    assert caught.value.code is ErrorCode.PARSER_MALFORMED and "No page" in str(caught.value)


class Opened:
    """Stands for a document whose outline is broken or endless."""

    def __init__(self, bookmarks: int, broken: bool) -> None:
        self.bookmarks, self.broken = bookmarks, broken

    def get_toc(self, max_depth: int):
        for _ in range(self.bookmarks):
            yield self
        if self.broken:
            raise pdf_parser.pdfium.PdfiumError("loop")

    level = 0

    def get_title(self) -> str:
        return "Title"

    def get_dest(self) -> None:
        return None


def test_broken_and_endless_outlines_give_what_they_have():
    assert len(pdf_parser.read_outline(Opened(3, True))) == 3
    assert len(pdf_parser.read_outline(Opened(9_000, False))) == 5_000
    assert pdf_parser.read_outline(Opened(1, False))[0].page is None


@pytest.mark.parametrize(
    ("lines", "hyphens", "known", "text"),
    [
        (["the light-", "house stands"], (True,), (), "the lighthouse stands"),
        (["a self-", "locking gate"], (False,), ("self-locking",), "a self-locking gate"),
        (["the Anglo-", "Saxon king"], (False,), (), "the Anglo-Saxon king"),
        (["漢字", "仮名"], (), (), "漢字仮名"),
        (["from 3 -", "and on"], (), (), "from 3 - and on"),
        (["one", "two"], (), (), "one two"),
        ([], (), (), ""),
    ],
    ids=["broken word", "known compound", "name", "Han", "dash", "blank", "nothing"],
)
def test_lines_are_joined_as_they_are_read(lines, hyphens, known, text):
    assert join_lines(lines, hyphens, known) == text


def kinds(*lines: Line) -> list[tuple[str, str]]:
    return [(item.kind, item.text) for item in paragraphs(list(lines), 1, 0)]


def test_no_lines_are_no_paragraphs():
    assert paragraphs([], 1, 0) == []


def test_type_that_changes_ends_a_paragraph():
    first = line("Words of the first paragraph go on", top=100)
    assert len(kinds(first, line("Larger words follow it here", top=112, style=sized(PLAIN, 13.0)))) == 2
    assert len(kinds(first, line("Bold words follow it now here", top=112, style=BOLD))) == 2
    assert len(kinds(first, line("and the same type goes on here too", top=112))) == 1


def test_an_indent_begins_a_paragraph_and_a_wrapped_item_does_not_end():
    full = "words that fill the whole measure of the column here now."
    lines = [line(full, 50, 100), line(full, 50, 112), line("Indented words begin.", 65, 124)]
    assert len(kinds(*lines)) == 2
    item = kinds(line("1) an item that wraps", 50, 100), line("onto its next line", 62, 112))
    assert item == [("list", "1) an item that wraps onto its next line")]
    ended = kinds(line("1) an item.", 50, 100), line("Then prose at the margin.", 50, 112))
    assert [kind for kind, _ in ended] == ["list", "paragraph"]


def test_confidence_of_a_block_is_the_mean_of_its_words():
    read = [Word("a", 0, 0, 5, 10, PLAIN, 0.5), Word("b", 8, 0, 13, 10, PLAIN, 1.0), *words("c", 16, 0)]
    (item,) = paragraphs([Line(tuple(read))], 1, 0)
    assert item.confidence == 0.75 and paragraphs([line("words")], 1, 0)[0].confidence is None
