"""Every adapter gives the words, kinds and places of a file, and spans that are exact."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from roma_core.errors import AgentFailure, ErrorCode
from roma_core.parsers.backends import find_backend, list_backends
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.sandbox.pool import InlineSandbox, ProcessSandbox
from roma_core.parsers.service import DolphinParserService
from roma_core.types import Document, RawDocument


def _load_made_files() -> ModuleType:
    spec = importlib.util.spec_from_file_location("made_files", Path(__file__).with_name("made_files.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault("made_files", module)
    spec.loader.exec_module(module)
    return module


MADE = _load_made_files()
SLOW = {"unstructured", "docling"}
PLACED = {("pdfplumber", "pdf"), ("python-pptx", "pptx")}
"""Backends that say where on its page a block stands."""
WITHOUT_SENTENCE = {"xlsx", "csv"}
CASES = [
    ("python-docx", "docx"),
    ("python-pptx", "pptx"),
    ("pandas", "xlsx"),
    ("pandas", "csv"),
    ("ebooklib", "epub"),
    ("pdfplumber", "pdf"),
    *[("unstructured", name) for name in ("docx", "pptx", "xlsx", "csv", "html", "epub", "eml", "md")],
    *[("markitdown", name) for name in ("docx", "pptx", "xlsx", "csv", "html", "epub", "pdf")],
    *[("kreuzberg", name) for name in ("docx", "pptx", "xlsx", "csv", "html", "epub", "eml", "md", "pdf")],
    *[("docling", name) for name in ("docx", "pptx", "xlsx", "csv", "html", "md")],
]


def _param(backend: str, format: str) -> object:
    missing = {one.name: one.missing_packages for one in list_backends()}[backend]
    marks = [pytest.mark.slow] if backend in SLOW else []
    if missing:
        marks.append(pytest.mark.skip(reason=f"{', '.join(missing)} is not installed"))
    return pytest.param(backend, format, marks=marks, id=f"{backend}-{format}")


async def read(backend: str, format: str, **options: object) -> Document:
    raw = RawDocument(uri=f"made.{format}", data=MADE.MAKERS[format]())
    async with DolphinParserService(InlineSandbox()) as service:
        result = await service.parse(raw, ParseOptions(backend=backend, **options))
    assert isinstance(result, Document), result
    return result


@pytest.mark.parametrize(("backend", "format"), [_param(*case) for case in CASES])
async def test_an_adapter_keeps_words_and_rows(backend: str, format: str) -> None:
    document = await read(backend, format)
    text = " ".join(document.text.split())
    if format not in WITHOUT_SENTENCE:
        assert MADE.SENTENCE in text
    if format != "eml":
        assert all(cell in text for row in MADE.ROWS for cell in row)
        has_tables = format != "pdf" or backend == "pdfplumber"
        if has_tables:
            frame = document.tables()[-1]
            rows = [list(frame.columns), *frame.values.tolist()]
            assert [row for row in rows if any(row)] == MADE.ROWS  # a library may put a blank header above


@pytest.mark.parametrize(("backend", "format"), [_param(*case) for case in CASES])
async def test_blocks_of_an_adapter_tile_the_text(backend: str, format: str) -> None:
    document = await read(backend, format)
    assert document.text == "\n\n".join(block.of(document.text) for block in document.blocks)
    assert backend in document.parser
    for page in document.pages:
        blocks = [block for block in document.blocks if block.page == page.number]
        assert all(page.start <= block.start and block.end <= page.end for block in blocks)


@pytest.mark.parametrize(("backend", "format"), [_param(*case) for case in sorted(PLACED)])
async def test_places_are_fractions_of_the_page(backend: str, format: str) -> None:
    document = await read(backend, format)
    boxes = [block.box for block in document.blocks if block.kind != "notes"]
    assert boxes and all(box is not None for box in boxes)
    assert all(0 <= x0 <= x1 <= 1 and 0 <= top <= bottom <= 1 for x0, top, x1, bottom in filter(None, boxes))
    assert [page.number for page in document.pages] == [1, 2]


async def test_python_docx_tells_headings_lists_and_headers_apart() -> None:
    document = await read("python-docx", "docx")
    assert [block.kind for block in document.blocks] == ["heading", "paragraph", "list", "table"]
    assert [(entry.text, entry.why) for entry in document.left_out] == [("Harbour office", "furniture")]


async def test_python_pptx_reads_shapes_from_top_to_bottom() -> None:
    document = await read("python-pptx", "pptx")
    assert document.text.index(MADE.SENTENCE) < document.text.index("Below the sentence")
    assert document.sections[0].kind == "slide" and document.sections[0].title == MADE.HEADING
    assert "notes" in {block.kind for block in document.blocks}


async def test_pdfplumber_takes_large_type_for_a_heading_and_a_table_out_of_the_prose() -> None:
    document = await read("pdfplumber", "pdf")
    assert [block.kind for block in document.blocks] == ["heading", "paragraph", "table", "paragraph"]
    assert document.text.count("3.4") == 1


async def test_pages_that_were_not_asked_for_are_left_out() -> None:
    document = await read("pdfplumber", "pdf", pages=(2,))
    assert [page.number for page in document.pages] == [2]
    assert MADE.SENTENCE not in document.text


async def test_rows_of_a_sheet_keep_their_numbers() -> None:
    document = await read("pandas", "xlsx")
    assert document.place(document.text.index("2.9")) == f"sheet “{MADE.HEADING}”, row 3"


async def test_a_backend_runs_in_the_sandbox() -> None:
    raw = RawDocument(uri="made.docx", data=MADE.make_docx())
    async with DolphinParserService(ProcessSandbox(1)) as service:
        document = await service.parse(raw, ParseOptions(backend="python-docx"))
    assert isinstance(document, Document)
    assert document.parser == f"docx@{find_backend('python-docx').id}"


async def test_a_file_that_a_backend_cannot_read_is_a_failure_that_names_it() -> None:
    raw = RawDocument(uri="broken.pdf", data=b"%PDF-1.7\nnothing follows\n")
    async with DolphinParserService(InlineSandbox()) as service:
        result = await service.parse(raw, ParseOptions(backend="pdfplumber"))
    assert isinstance(result, AgentFailure)
    assert result.code is ErrorCode.PARSER_MALFORMED
    assert "'pdfplumber'" in result.message and "--backend own" in result.message
