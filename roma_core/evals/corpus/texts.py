"""Manuscripts as EPUB, RTF and Jupyter notebooks."""

from __future__ import annotations

import json

from roma_core.evals.corpus.manuscript import Manuscript, ManuscriptBlock
from roma_core.evals.corpus.packing import pack, xml

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def write_epub(manuscript: Manuscript) -> bytes:
    """Return the manuscript as a book, one chapter for each heading of level 1."""
    chapters = list(manuscript.parts())
    names = [f"chapter{number}.xhtml" for number in range(1, len(chapters) + 1)]
    items = "".join(
        f'<item id="c{i}" href="{name}" media-type="application/xhtml+xml"/>' for i, name in enumerate(names)
    )
    spine = "".join(f'<itemref idref="c{i}"/>' for i, _ in enumerate(names))
    contents = "".join(
        f'<li><a href="{name}">{xml(title)}</a></li>' for name, (title, _) in zip(names, chapters, strict=True)
    )
    package = (
        f'{_HEAD}<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        f'<dc:identifier id="id">urn:roma:{xml(manuscript.title)}</dc:identifier><dc:title>{xml(manuscript.title)}'
        f"</dc:title><dc:creator>{xml(manuscript.author)}</dc:creator><dc:date>{manuscript.date}</dc:date>"
        f'<dc:language>{manuscript.language}</dc:language></metadata><manifest>{items}<item id="nav" '
        'href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/></manifest>'
        f"<spine>{spine}</spine></package>"
    )
    pages = {
        f"OEBPS/{name}": _page(f"<h1>{xml(title)}</h1>" + "".join(map(_html_block, blocks)), title)
        for name, (title, blocks) in zip(names, chapters, strict=True)
    }
    return pack(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": f'{_HEAD}<container version="1.0" '
            'xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="OEBPS/book.opf" '
            'media-type="application/oebps-package+xml"/></rootfiles></container>',
            "OEBPS/book.opf": package,
            "OEBPS/nav.xhtml": _page(f'<nav epub:type="toc"><ol>{contents}</ol></nav>', "Contents"),
            **pages,
        }
    )


def _page(body: str, title: str) -> str:
    return (
        f'{_HEAD}<!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops">'
        f"<head><title>{xml(title)}</title></head><body>{body}</body></html>"
    )


def _html_block(block: ManuscriptBlock) -> str:
    if block.kind == "heading":
        return f"<h{block.level}>{xml(block.text)}</h{block.level}>"
    if block.kind == "list":
        return "<ul>" + "".join(f"<li>{xml(item)}</li>" for item in block.items) + "</ul>"
    if block.kind == "table":
        rows = "".join("<tr>" + "".join(f"<td>{xml(cell)}</td>" for cell in row) + "</tr>" for row in block.rows)
        return f"<table>{rows}</table>"
    return f"<p>{xml(block.text)}</p>"


def write_rtf(manuscript: Manuscript) -> bytes:
    """Return the manuscript as RTF, with its letters beyond ASCII as escapes."""
    year, month, day = (manuscript.date or "2000-01-01").split("-")
    info = (
        rf"{{\info{{\title {_rtf(manuscript.title)}}}{{\author {_rtf(manuscript.author)}}}"
        rf"{{\creatim\yr{int(year)}\mo{int(month)}\dy{int(day)}}}}}"
    )
    lines = [rf"{{\rtf1\ansi\ansicpg1252\deff0{{\fonttbl{{\f0 Helvetica;}}}}{info}"]
    for block in manuscript.blocks:
        if block.kind == "heading":
            lines.append(
                rf"\pard\outlinelevel{block.level - 1}\b\fs{36 - 4 * block.level} {_rtf(block.text)}\b0\fs22\par"
            )
        else:
            lines += [rf"\pard\fs22 {_rtf(text)}\par" for text in (block.items or (block.text,))]
    return "\n".join([*lines, "}"]).encode("ascii")


def _rtf(text: str) -> str:
    escaped = ""
    for letter in text:
        if letter in "\\{}":
            escaped += f"\\{letter}"
        elif ord(letter) < 128:
            escaped += letter
        else:
            escaped += rf"\u{ord(letter)}?"
    return escaped


def write_ipynb(manuscript: Manuscript) -> bytes:
    """Return the manuscript as a notebook: prose in Markdown cells, code in code cells."""
    cells: list[dict[str, object]] = []
    for number, block in enumerate(manuscript.blocks):
        cell: dict[str, object] = {"id": f"cell-{number}", "metadata": {}}
        if block.kind == "code":
            cell |= {"cell_type": "code", "execution_count": None, "outputs": [], "source": block.text}
        else:
            text = f"{'#' * block.level} {block.text}" if block.kind == "heading" else block.text
            cell |= {"cell_type": "markdown", "source": text}
        cells.append(cell)
    facts = {"title": manuscript.title, "authors": [{"name": manuscript.author}], "date": manuscript.date}
    book = {"cells": cells, "metadata": facts, "nbformat": 4, "nbformat_minor": 5}
    return (json.dumps(book, indent=1, ensure_ascii=False) + "\n").encode()
