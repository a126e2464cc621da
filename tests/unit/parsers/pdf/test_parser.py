"""PDF through the one dispatcher: structure, place, limits and failures."""

from __future__ import annotations

import io
import random
from collections import Counter

import pypdfium2 as pdfium
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roma_core.errors import AgentFailure, ErrorCode
from roma_core.parsers import tables
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.images import ocr
from roma_core.parsers.pdf.parser import parse as parse_pdf
from roma_core.parsers.sandbox.pool import InlineSandbox
from roma_core.parsers.service import DolphinParserService
from roma_core.types import Document, RawDocument
from tests.fixtures import make_pdf
from tests.sizes import examples

URI = "file:///corpus/island.pdf"
needs_ocr = pytest.mark.skipif(not ocr.available(), reason="no OCR engine is installed (extra 'ocr')")


@pytest.fixture
def service() -> DolphinParserService:
    return DolphinParserService(InlineSandbox())


async def parse(service: DolphinParserService, data: bytes, **options: object) -> Document:
    result = await service.parse(RawDocument(uri=URI, data=data), ParseOptions(**options))
    assert isinstance(result, Document), result
    for block in result.blocks:
        assert result.text[block.start : block.end].strip()
        assert block.box is None or (0 <= block.box[0] <= block.box[2] <= 1 and 0 <= block.box[1] <= block.box[3] <= 1)
    return result


async def failure(service: DolphinParserService, data: bytes, **options: object) -> AgentFailure:
    result = await service.parse(RawDocument(uri=URI, data=data), ParseOptions(**options))
    assert isinstance(result, AgentFailure), result
    return result


def grids(document: Document) -> list[tables.Grid]:
    return [tables.from_markdown(b.of(document.text)) for b in document.blocks if b.kind == "table"]


def kinds(document: Document, kind: str) -> list[str]:
    return [b.of(document.text) for b in document.blocks if b.kind == kind]


async def test_parse_pdf_with_tables(service):
    ruled = await parse(service, make_pdf.report())
    assert grids(ruled) == [make_pdf.FARES]
    unruled = await parse(service, make_pdf.unruled_table())
    assert grids(unruled) == [make_pdf.FARES]
    assert make_pdf.HARBOUR.strip() in unruled.text and make_pdf.LIGHT.strip() in unruled.text
    assert [b.kind for b in unruled.blocks] == ["paragraph", "table", "paragraph"]


async def test_headings_have_levels_and_sections(service):
    document = await parse(service, make_pdf.report())
    assert kinds(document, "heading") == [
        "# The Island Ferry Report",
        "# 1 History",
        "## 1.1 The Lighthouse",
        "# 2 Rules",
    ]
    at = document.text.index("Later a lighthouse")
    assert document.headings_at(at) == ("1 History", "1.1 The Lighthouse")
    assert document.title == "Ferry report of the island"
    assert document.metadata["author"] == "Harbour office" and document.metadata["page_count"] == 2


async def test_pages_and_lists_and_captions_keep_their_place(service):
    document = await parse(service, make_pdf.report())
    assert [p.number for p in document.pages] == [1, 2]
    assert document.page_at(document.text.index("2 Rules")).number == 2
    assert document.place(document.text.index("Dogs")).startswith("page 2")
    assert kinds(document, "list") == ["- Dogs travel free.\n- Bicycles need a ticket."]
    assert kinds(document, "caption") == ["Table 1. Fares of the ferry."]
    assert document.pages[0].width == pytest.approx(make_pdf.WIDTH, abs=0.1)


async def test_outline_names_headings_that_type_does_not(service):
    document = await parse(service, make_pdf.outlined())
    assert kinds(document, "heading") == ["# Alpha part", "# Beta part"]


async def test_columns_are_read_one_after_the_other_and_words_made_whole(service):
    document = await parse(service, make_pdf.two_columns())
    text = document.text
    assert text.startswith("# A Title Over Both Columns")
    assert (
        text.index("Left begins here")
        < text.index("lighthouse road which ends at the cliff.")
        < text.index("Right goes")
    )
    assert text.count("down the hill.") == 4


async def test_running_headers_and_page_numbers_are_dropped(service):
    document = await parse(service, make_pdf.with_furniture())
    assert "Annual Report of the Harbour Office" not in document.text and "of 4" not in document.text
    assert {(e.text, e.place) for e in document.left_out if "Annual" in e.text} == {
        ("Annual Report of the Harbour Office", "pages 1-4")
    }
    assert all(entry.why == "furniture" for entry in document.left_out)
    assert all(f"Unique sentence number {n}." in document.text for n in (1, 2, 3, 4))


async def test_paragraph_over_a_page_is_one_and_the_page_begins_inside(service):
    document = await parse(service, make_pdf.with_furniture())
    joined = "and the story of this page goes on after the page with its very last sentence."
    assert joined in document.text
    assert document.page_at(document.text.index("goes on after")).number == 4
    page = document.page_at(document.text.index("after the page"))
    assert page.number == 5 and document.text[page.start :].startswith("after the page")
    assert all(a.end == b.start for a, b in zip(document.pages, document.pages[1:], strict=False))


async def test_turned_pages_are_read_upright(service):
    document = await parse(service, make_pdf.rotated())
    assert "Turned by the page dictionary second line of the turned page" in document.text
    assert "Drawn upwards by its matrix second line drawn upwards too" in document.text
    assert (document.pages[0].width, document.pages[0].height) == (595.28, 841.89)  # as shown
    for block in document.blocks:  # both are shown as tall boxes: the block lies where it is seen
        left, top, right, bottom = block.box
        assert right - left < bottom - top


async def test_code_caption_and_footnote_are_told_apart(service):
    document = await parse(service, make_pdf.code_and_notes())
    assert kinds(document, "code") == ["```\ndef fare(km):\n    return 2 + km / 2\nprint(fare(12))\n```"]
    assert kinds(document, "caption") == ["Figure 3. The harbour in winter."]
    assert kinds(document, "footnote") == ["[^1]: The notebooks are kept in the chapel."]


async def test_pictures_and_form_fields_are_kept(service):
    document = await parse(service, make_pdf.with_picture())
    assert [b.kind for b in document.blocks] == ["paragraph", "figure", "caption", "paragraph"]
    assert "Grey Heron" in (await parse(service, make_pdf.form())).text


async def test_only_the_pages_asked_for_are_read(service):
    document = await parse(service, make_pdf.with_furniture(), pages=(2, 3, 99))
    assert [p.number for p in document.pages] == [2, 3]
    assert "number 2." in document.text and "number 1." not in document.text
    assert (await failure(service, make_pdf.report(), pages=(9,))).code is ErrorCode.PARSER_EMPTY


async def test_blank_pages_keep_the_numbering(service):
    document = await parse(service, make_pdf.blank_and_text())
    assert [p.number for p in document.pages] == [1, 2, 3]
    assert document.page_at(document.text.index("Third")).number == 3


async def test_encrypted_pdf_opens_with_empty_or_right_password_only(service):
    data = make_pdf.encrypted("secret")
    refused = await failure(service, data)
    assert refused.code is ErrorCode.PARSER_ENCRYPTED and "password" in refused.message
    assert (await failure(service, data, password="wrong")).code is ErrorCode.PARSER_ENCRYPTED
    assert "Behind the lock" in (await parse(service, data, password="secret")).text
    assert "Behind the lock" in (await parse(service, make_pdf.encrypted(""))).text


@pytest.mark.parametrize(
    "data",
    [
        b"%PDF-1.7\n",
        b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF",
        make_pdf.report()[:900],
        b"%PDF-1.5\n" + bytes(range(256)) * 40,
    ],
    ids=["header", "no pages", "cut", "noise"],
)
async def test_parse_malformed_pdf(service, data):
    result = await failure(service, data)
    assert result.code in {ErrorCode.PARSER_MALFORMED, ErrorCode.PARSER_EMPTY}
    assert result.message and result.agent == "parser" and not result.recoverable
    assert result.details["media_type"] == "application/pdf"


async def test_flipped_bytes_never_raise(service):
    data, rng = bytearray(make_pdf.report()), random.Random(7)
    for _ in range(30):
        broken = bytearray(data)
        for _ in range(20):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        result = await service.parse(RawDocument(uri=URI, data=bytes(broken)))
        assert isinstance(result, Document) or result.code.value.startswith("ERR_PARSER_")


async def test_one_damaged_page_is_a_warning(service):
    document = await parse(service, make_pdf.one_broken_page())
    assert "Sentence of page 1" in document.text and "Sentence of page 3" in document.text


async def test_scan_without_ocr_says_why_it_is_empty(service):
    result = await failure(service, make_pdf.scan(), ocr=False)
    assert result.code is ErrorCode.PARSER_EMPTY and "OCR was switched off" in result.message


@needs_ocr
async def test_scan_is_read_by_ocr_with_confidence(service):
    document = await parse(service, make_pdf.scan())
    assert "Harbour dues are payable in advance" in document.text
    assert 0.5 < document.pages[0].ocr_confidence <= 1
    assert document.blocks[0].confidence > 0.5


async def test_too_large_is_refused_before_any_work():
    service = DolphinParserService(InlineSandbox(), max_bytes=100)
    assert (await failure(service, make_pdf.report())).code is ErrorCode.PARSER_TOO_LARGE


async def test_parsing_twice_gives_the_same_bytes(service):
    one, two = [await parse(service, make_pdf.report()) for _ in range(2)]
    assert one == two and one.parser == service.parser_id(RawDocument(uri=URI, data=make_pdf.report()))


@needs_ocr
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
async def test_pictures_of_words_are_read(service, kind):
    buffer = io.BytesIO()
    make_pdf.picture("Ferry tickets are sold at the pier").save(buffer, kind)
    document = await parse(service, buffer.getvalue())
    assert "Ferry tickets are sold at the pier" in document.text
    assert (document.metadata["width"], document.metadata["height"]) == (1200, 500)
    assert document.media_type == f"image/{kind.lower()}"


@settings(max_examples=examples(10, whole=25), deadline=None)
@given(
    st.lists(
        st.lists(st.from_regex(r"[a-z]{1,6}|[0-9]{1,7}(?:[.,][0-9]{2})?%?", fullmatch=True), max_size=9),
        min_size=1,
        max_size=30,
    )
)
def test_the_digits_of_the_text_are_those_of_the_file(rows: list[list[str]]) -> None:
    def draw(canvas):
        make_pdf.lines(canvas, 60, 60, ["Values"])
        for y, row in enumerate(rows):
            for x, text in enumerate(row):
                make_pdf.lines(canvas, 60 + 52 * x, 90 + 15 * y, [text])

    document = parse_pdf(RawDocument(uri="digits.pdf", data=make_pdf.drawn(draw)), ParseOptions(ocr=False))
    wanted = Counter(char for row in rows for text in row for char in text if char.isdigit())
    assert Counter(char for char in document.text if char.isdigit()) == wanted
    assert document.warnings == ()


async def test_a_note_on_a_number_does_not_change_it(service):
    def draw(canvas):
        for y, (text, mark) in enumerate((("Total debt 1,250", "1"), ("Growth of 12%", "2"), ("A load of 10", "3"))):
            make_pdf.lines(canvas, 60, 90 + 20 * y, [text])
            x = 60 + canvas.stringWidth(text, "Helvetica", 10)
            make_pdf.lines(canvas, x, 86 + 20 * y, [mark], size=6.5)
            make_pdf.lines(canvas, x + 6, 90 + 20 * y, ["at the end of the year as the board has it."])
        make_pdf.lines(canvas, 60, 700, ["1 Includes leases.", "2 Full-time equivalents."], size=8)

    document = await parse(service, make_pdf.drawn(draw))
    assert "1,250^1 at" in document.text and "12%^2 at" in document.text and "10^3 at" in document.text
    assert "[^1]: Includes leases.\n\n[^2]: Full-time equivalents." in document.text


async def test_a_page_whose_sentences_would_be_torn_is_read_in_the_order_of_the_file(service):
    left = make_pdf.wrapped(make_pdf.HARBOUR, 28)
    right = make_pdf.wrapped(make_pdf.LIGHT, 28)

    def draw(canvas):
        # The edge between the two runs aslant over the page: no upright gutter parts them.
        for shift, texts in ((0, left), (200, right)):
            for n, text in enumerate(texts):
                make_pdf.lines(canvas, 40 + shift + 14 * n, 60 + 13 * n, [text])

    document = await parse(service, make_pdf.drawn(draw))
    text = " ".join(document.text.split())
    assert " ".join(left) in text and " ".join(right) in text
    assert not document.warnings


async def test_a_table_over_two_pages_is_one_with_its_head_once(service):
    def draw(canvas):
        for page in range(2):
            xs, ys = [60, 200, 320], [700 - 20 * n for n in range(5)]
            canvas.grid(xs, ys)
            make_pdf.lines(canvas, 70, make_pdf.HEIGHT - 686, ["Route"], font="Helvetica-Bold")
            make_pdf.lines(canvas, 210, make_pdf.HEIGHT - 686, ["Fare"], font="Helvetica-Bold")
            for n in range(1, 4):
                y = make_pdf.HEIGHT - 686 + 20 * n
                make_pdf.lines(canvas, 70, y, [f"Mill {page}{n}"])
                make_pdf.lines(canvas, 210, y, [f"{page}.{n}0"])
            canvas.showPage()

    document = await parse(service, make_pdf.drawn(draw))
    (block,) = [block for block in document.blocks if block.kind == "table"]
    rows = [["Route", "Fare"], *([f"Mill {p}{n}", f"{p}.{n}0"] for p in range(2) for n in range(1, 4))]
    assert tables.from_markdown(block.of(document.text)) == rows
    assert document.pages[1].of(document.text).startswith("| Mill 11 |")
    assert [(e.text, e.place, e.why) for e in document.left_out] == [("Route | Fare", "page 2", "furniture")]
    assert document.warnings == ()


async def test_shading_behind_rows_draws_no_cells(service):
    def draw(canvas):
        for n in range(6):
            if n % 2:
                canvas.setFillGray(0.9)
                canvas.rect(60, make_pdf.HEIGHT - 114 - 20 * n, 300, 20, stroke=0, fill=1)
                canvas.setFillGray(0)
            for x, text in ((70, f"Mill {n}"), (200, f"{n}.50"), (300, f"1{n}.25")):
                make_pdf.lines(canvas, x, 108 + 20 * n, [text])

    document = await parse(service, make_pdf.drawn(draw))
    assert kinds(document, "table") == [tables.to_markdown([[f"Mill {n}", f"{n}.50", f"1{n}.25"] for n in range(6)])]


async def test_text_that_is_not_painted_is_left_out_as_hidden(service):
    def draw(canvas):
        make_pdf.lines(canvas, 60, 80, make_pdf.wrapped(make_pdf.HARBOUR, 80))
        text = canvas.beginText(60, 500)
        text.setTextRenderMode(3)
        text.textLine("Unpainted words of the harbour")
        canvas.drawText(text)

    document = await parse(service, make_pdf.drawn(draw))
    assert "Unpainted" not in document.text and document.warnings == ()
    (loss,) = document.left_out
    assert (loss.why, loss.text) == ("hidden", "Unpainted words of the harbour")


async def test_remarks_on_a_page_are_comments_and_attachments_are_named(service):
    def draw(canvas):
        make_pdf.lines(canvas, 60, 80, make_pdf.wrapped(make_pdf.HARBOUR, 80))
        canvas.textAnnotation("Check the year with the archive", (60, 600, 80, 620))

    file = pdfium.PdfDocument(make_pdf.drawn(draw))
    file.new_attachment("fares.csv").set_data(b"a,b")
    buffer = io.BytesIO()
    file.save(buffer)
    document = await parse(service, buffer.getvalue())
    (note,) = kinds(document, "comment")
    assert "Check the year with the archive" in note
    assert [(loss.text, loss.why) for loss in document.left_out] == [("fares.csv", "attachment")]


async def test_columns_end_at_a_ruled_table_below_them(service):
    """The gap of the columns above goes on between two columns of the table; its rules say that it is one table."""

    def draw(canvas):
        for number, x in ((1, 72), (2, 320)):
            text = f"Column {number} begins here and tells of region {number}, whose sales of {number},500 units grew. "
            make_pdf.lines(canvas, x, 100, make_pdf.wrapped(text * 4, 45))
        for row, cells in enumerate(
            (("Region", "2023", "2024"), ("North", "1,200", "1,344"), ("South", "3,1", "3,472"))
        ):
            for column, cell in enumerate(cells):
                make_pdf.lines(canvas, 72 + 150 * column, 400 + 18 * row, [cell])
        for y in (388, 405, 445):
            canvas.line(72, make_pdf.HEIGHT - y, 520, make_pdf.HEIGHT - y)

    document = await parse(service, make_pdf.drawn(draw))
    assert "| Region | 2023 | 2024 |\n| --- | --- | --- |\n| North | 1,200 | 1,344 |" in document.text
    assert document.text.index("Column 1") < document.text.index("Column 2") < document.text.index("| Region")
