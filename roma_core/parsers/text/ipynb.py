"""Jupyter notebooks: Markdown cells with their structure, code cells with source and what they printed."""

from __future__ import annotations

import json
from typing import Any

from roma_core.errors import ParserError
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder, clean
from roma_core.parsers.text import markdown
from roma_core.parsers.text.encodings import decode
from roma_core.parsers.web import html, markup
from roma_core.types import Document, RawDocument

CELL_LEVEL = 20
"""Below all headings, so that a heading's section goes on over the code cells that follow it."""
MAX_OUTPUT = 20_000
"""Characters kept of one output: notebooks print whole data sets."""


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    """Parse a notebook of nbformat 3 or 4. Raises ``MALFORMED`` and ``EMPTY``."""
    try:
        notebook = json.loads(decode(raw.data))
    except (ValueError, RecursionError) as error:
        raise ParserError("The notebook is no valid JSON; save it again in Jupyter.") from error
    cells = _cells(notebook)
    builder = DocumentBuilder(raw, options, "ipynb")
    language = _language(notebook)
    builder.metadata = {"language": language, "cells": len(cells)}
    for number, cell in enumerate(cells, start=1):
        if isinstance(cell, dict):
            _write(builder, cell, number, language)
    return builder.build()


def _cells(notebook: Any) -> list[Any]:
    if isinstance(notebook, dict):
        sheets = notebook.get("worksheets")
        first = sheets[0] if isinstance(sheets, list) and sheets and isinstance(sheets[0], dict) else notebook
        cells = first.get("cells")
        if isinstance(cells, list):
            return cells
    raise ParserError("The file is no notebook: it has no list of cells.")


def _language(notebook: dict[str, Any]) -> str:
    metadata = notebook.get("metadata")
    for name in ("kernelspec", "language_info"):
        part = metadata.get(name) if isinstance(metadata, dict) else None
        found = (part.get("language") or part.get("name")) if isinstance(part, dict) else None
        if isinstance(found, str):
            return found
    return "python"


def _text(value: Any) -> str:
    """Return a text that nbformat holds as one string or as a list of lines."""
    return "".join(part for part in value if isinstance(part, str)) if isinstance(value, list) else str(value or "")


def _write(builder: DocumentBuilder, cell: dict[str, Any], number: int, language: str) -> None:
    source = _text(cell.get("source", cell.get("input")))
    kind = cell.get("cell_type")
    if kind == "heading":
        builder.heading(source, int(cell.get("level") or 1))
    elif kind == "markdown":
        write_markdown(builder, source)
    elif kind == "code":
        builder.open_section(f"Cell {number}", "cell", CELL_LEVEL)
        builder.code(source, language)
        for output in cell.get("outputs") or []:
            if isinstance(output, dict):
                _output(builder, output)
        builder.close_sections(CELL_LEVEL)
    else:
        builder.paragraph(source)


def write_markdown(builder: DocumentBuilder, source: str) -> None:
    """Append Markdown as it is, block by block."""
    text = clean(source)
    if not text.strip():
        return
    blocks, sections = markdown.structure(text)
    titles = {section.start: section for section in sections}
    for block in blocks:
        section = titles.get(block.start)
        if block.kind == "heading" and section is not None:
            builder.open_section(section.title, "heading", section.level)
        builder.add(block.kind, block.of(text), level=block.level)


def _output(builder: DocumentBuilder, output: dict[str, Any]) -> None:
    data = output.get("data", output)
    if output.get("output_type") in {"error", "pyerr"}:
        builder.code(f"{output.get('ename', 'Error')}: {_text(output.get('evalue'))}")
    elif isinstance(data, dict) and "<table" in _text(data.get("text/html")):
        page = html.parse_html(_text(data["text/html"]).encode(), "utf-8")
        markup.write(builder, markup.read_blocks(page))
    elif isinstance(data, dict) and data.get("text/markdown"):
        write_markdown(builder, _text(data["text/markdown"]))
    elif isinstance(data, dict):
        text = _text(data.get("text/plain") or data.get("text"))
        if len(text) > MAX_OUTPUT:
            builder.warn("A long output was cut.")
        builder.code(text[:MAX_OUTPUT])
