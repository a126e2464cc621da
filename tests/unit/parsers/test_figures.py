"""Figures: bytes on demand, page images, and descriptions that leave every span exact."""

from __future__ import annotations

import io
import zipfile

import pytest
from PIL import Image

from roma_core.errors import AgentFailure, ErrorCode
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.figures import add_descriptions, extract_figures, unpack_figures
from roma_core.parsers.sandbox.pool import InlineSandbox
from roma_core.parsers.service import DolphinParserService
from roma_core.types import Document, RawDocument
from tests.fixtures import make_pdf

PNG = b"\x89PNG"


@pytest.fixture
def service() -> DolphinParserService:
    return DolphinParserService(InlineSandbox())


def pdf() -> RawDocument:
    return RawDocument(uri="a.pdf", data=make_pdf.with_picture())


async def test_figures_of_a_pdf_carry_the_names_of_their_blocks(service):
    document = await service.parse(pdf())
    (figure,) = await service.figures(pdf())
    (block,) = [b for b in document.blocks if b.kind == "figure"]
    assert figure.name in block.of(document.text) and figure.page == block.page and figure.box == block.box
    assert figure.data.startswith(PNG)


async def test_page_image_is_a_png_of_a_pdf(service):
    assert (await service.page_image(pdf(), 1)).startswith(PNG)
    missing = await service.page_image(pdf(), 9)
    assert isinstance(missing, AgentFailure) and missing.code is ErrorCode.PARSER_EMPTY
    text = await service.page_image(RawDocument(uri="a.txt", data=b"words"), 1)
    assert isinstance(text, AgentFailure) and text.code is ErrorCode.PARSER_UNSUPPORTED
    assert isinstance(await service.figures(RawDocument(uri="a.txt", data=b"words")), AgentFailure)


async def test_page_image_of_a_picture_is_the_frame_as_shown(service):
    frames = [make_pdf.picture("one"), make_pdf.picture("two", turns=1)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "TIFF", save_all=True, append_images=frames[1:])
    raw = RawDocument(uri="a.tiff", data=buffer.getvalue())
    drawn = Image.open(io.BytesIO(await service.page_image(raw, 2)))
    assert drawn.format == "PNG" and drawn.size == (500, 1200)
    missing = await service.page_image(raw, 3)
    assert isinstance(missing, AgentFailure) and missing.code is ErrorCode.PARSER_EMPTY
    torn = await service.page_image(RawDocument(uri="a.tiff", data=buffer.getvalue()[:90]), 1)
    assert isinstance(torn, AgentFailure) and torn.code is ErrorCode.PARSER_MALFORMED


def test_figures_of_a_container_are_its_picture_files():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("word/media/image 1.png", PNG)
        archive.writestr("word/document.xml", "<x/>")
    (figure,) = unpack_figures(extract_figures(RawDocument(uri="a.docx", data=buffer.getvalue()), ParseOptions()))
    assert (figure.name, figure.data) == ("image_1.png", PNG)


async def test_descriptions_move_every_span_and_no_word(service):
    document = await service.parse(pdf())
    assert isinstance(document, Document)
    told = add_descriptions(document, {"page-1-figure-1": "A grey [harbour]\nunder snow", "unknown": "x"})
    assert "![A grey (harbour) under snow](page-1-figure-1)" in told.text
    for before, after in zip(document.blocks, told.blocks, strict=True):
        if before.kind != "figure":
            assert before.of(document.text) == after.of(told.text)
    assert told.pages[-1].end == len(told.text)
    assert add_descriptions(told, {"page-1-figure-1": "again"}).text == told.text  # what is described stays
    assert add_descriptions(document, {}) == document
