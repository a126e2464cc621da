"""Blocks of a backend to a document: the one place where what other readers say becomes text with exact offsets."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from roma_core.parsers.backends.base import GROUP, Backend, BackendBlock, ReadBlocks
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder, ListItem
from roma_core.plugins import load_specs
from roma_core.types import Box, Document, RawDocument

_HASHES = re.compile(r"^\s*#{1,6}\s+|\s+#+\s*$")
_UNDERLINE = re.compile(r"\n\s*(?:=+|-+)\s*$")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+.!|<>~-])")


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    """Return the document that the backend of ``options.backend`` reads. Raises what it raises, or ``EMPTY``."""
    backend = load_specs(GROUP, Backend).require(options.backend or "")
    backend.check_installed()
    module, _, name = backend.read.partition(":")
    read: ReadBlocks = getattr(importlib.import_module(module), name)
    return write_blocks(raw, options, backend.name, read(raw, options))


def write_blocks(raw: RawDocument, options: ParseOptions, name: str, blocks: Iterable[BackendBlock]) -> Document:
    """Return the document of ``blocks``, on the pages asked for. Raises ``EMPTY`` when they hold no text.

    >>> raw = RawDocument(uri="tides.pdf", data=b"%PDF")
    >>> write_blocks(raw, ParseOptions(), "acme", [BackendBlock("heading", "Tides")]).text
    '# Tides'
    """
    builder = DocumentBuilder(raw, options, name)
    for page, on_page in groupby(_in_order(blocks, options), key=lambda block: block.page):
        if page is not None:
            builder.page(page)
        for is_list, run in groupby(on_page, key=_is_plain_item):
            if is_list:
                _write_list(builder, list(run))
            else:
                for block in run:
                    _write(builder, block)
    return builder.build()


def _in_order(blocks: Iterable[BackendBlock], options: ParseOptions) -> Sequence[BackendBlock]:
    """Return the blocks of the pages asked for, by page. A block without a page stays behind the one before it."""
    placed: list[BackendBlock] = []
    page: int | None = None
    for block in blocks:
        page = block.page if block.page is not None else page
        if options.pages is None or page is None or page in options.pages:
            placed.append(replace(block, page=page))
    return sorted(placed, key=lambda block: block.page or 0)


def _is_plain_item(block: BackendBlock) -> bool:
    return block.kind == "list" and not block.is_markdown and block.left_out is None


def _write_list(builder: DocumentBuilder, items: Sequence[BackendBlock]) -> None:
    boxes = [item.box for item in items if item.box is not None]
    box = _hull(boxes) if len(boxes) == len(items) else None
    builder.list([ListItem(item.text, item.level) for item in items], box=box)


def _hull(boxes: Sequence[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _write(builder: DocumentBuilder, block: BackendBlock) -> None:
    if block.left_out is not None:
        builder.leave_out(block.text, block.left_out, page=block.page)
    elif block.kind == "heading":
        _write_heading(builder, block)
    elif block.rows:
        builder.table(block.rows, row=block.first_row, box=block.box)
    elif block.is_markdown:
        builder.add(block.kind, block.text, box=block.box)
    elif block.kind == "code":
        builder.code(block.text, box=block.box)
    elif block.kind == "quote":
        builder.quote(block.text)
    elif block.kind == "figure":
        if block.text.strip():
            builder.figure(block.text, box=block.box)
    else:
        builder.paragraph(block.text, block.kind, box=block.box)


def _write_heading(builder: DocumentBuilder, block: BackendBlock) -> None:
    words = plain_heading(block.text) if block.is_markdown else block.text
    if block.section == "heading":
        builder.heading(words, block.level, box=block.box)
        return
    builder.open_section(words, block.section)
    builder.heading(words, block.level, section=False, box=block.box)


def plain_heading(markdown: str) -> str:
    """Return the words of a Markdown heading, of either style.

    >>> plain_heading("## Tides and weather")
    'Tides and weather'
    """
    return _ESCAPED.sub(r"\1", _UNDERLINE.sub("", _HASHES.sub("", markdown)))


def blocks_of_markdown(text: str, page: int | None = None) -> Iterator[BackendBlock]:
    """Yield the blocks of Markdown that a library wrote."""
    from roma_core.parsers.text.markdown import structure

    for block in structure(text)[0]:
        words = block.of(text)
        yield BackendBlock(block.kind, words, page=page, level=block.level or 1, is_markdown=True)


def blocks_of_html(data: bytes, charset: str | None = None) -> Iterator[BackendBlock]:
    """Yield the blocks of HTML that a library hands out: a chapter of a book, or the cells of a table."""
    from roma_core.parsers.web.html import parse_html
    from roma_core.parsers.web.markup import read_blocks

    root = parse_html(data, charset)
    for block in read_blocks(next(root.iter("body"), root)):
        if block.kind == "anchor":
            continue
        if block.kind == "list":
            for item in block.items:
                yield BackendBlock("list", item.text, level=item.depth)
        elif block.kind == "definitions":
            yield BackendBlock("list", block.text, is_markdown=True)
        else:
            yield BackendBlock(block.kind, block.text, level=block.level or 1, rows=block.rows)
