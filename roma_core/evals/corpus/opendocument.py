"""Manuscripts as ODT and ODS."""

from __future__ import annotations

from roma_core.evals.corpus.manuscript import Manuscript, ManuscriptBlock
from roma_core.evals.corpus.office import Parts, ReadPicture
from roma_core.evals.corpus.packing import number_of, pack, xml

_NAMES = " ".join(
    f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for short, name in (
        ("office", "office"),
        ("text", "text"),
        ("table", "table"),
        ("draw", "drawing"),
        ("svg", "svg-compatible"),
        ("meta", "meta"),
    )
)
_NAMES += ' xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:dc="http://purl.org/dc/elements/1.1/"'
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def write_odt(manuscript: Manuscript, read_picture: ReadPicture) -> bytes:
    """Return the manuscript as a text document."""
    body = "".join(_text_block(block) for block in manuscript.blocks)
    pictures = {block.path: read_picture(block.path) for block in manuscript.blocks if block.kind == "figure"}
    parts: Parts = {f"Pictures/{path.rpartition('/')[2]}": data for path, data in pictures.items()}
    return _pack_document(manuscript, "text", f"<office:text>{body}</office:text>", parts)


def write_ods(manuscript: Manuscript) -> bytes:
    """Return the manuscript's tables as a workbook, one sheet for each heading of level 1."""
    sheets = ""
    for name, blocks in manuscript.parts():
        rows = "".join(_row(row) for block in blocks for row in block.rows)
        sheets += f'<table:table table:name="{xml(name)}">{rows}</table:table>'
    return _pack_document(manuscript, "spreadsheet", f"<office:spreadsheet>{sheets}</office:spreadsheet>", {})


def _text_block(block: ManuscriptBlock) -> str:
    if block.kind == "heading":
        return f'<text:h text:outline-level="{block.level}">{xml(block.text)}</text:h>'
    if block.kind == "list":
        items = "".join(f"<text:list-item><text:p>{xml(item)}</text:p></text:list-item>" for item in block.items)
        return f"<text:list>{items}</text:list>"
    if block.kind == "table":
        return f"<table:table>{''.join(map(_row, block.rows))}</table:table>"
    if block.kind == "figure":
        name = block.path.rpartition("/")[2]
        return (
            f'<text:p><draw:frame draw:name="{xml(name)}" svg:width="12cm" svg:height="7.5cm">'
            f'<draw:image xlink:href="Pictures/{xml(name)}"/><svg:desc>{xml(block.text)}</svg:desc></draw:frame>'
            "</text:p>"
        )
    return f"<text:p>{xml(block.text)}</text:p>"


def _row(row: tuple[str, ...]) -> str:
    cells = ""
    for value in row:
        number = number_of(value)
        kind = (
            'office:value-type="string"' if number is None else f'office:value-type="float" office:value="{xml(value)}"'
        )
        cells += f"<table:table-cell {kind}><text:p>{xml(value)}</text:p></table:table-cell>"
    return f"<table:table-row>{cells}</table:table-row>"


def _pack_document(manuscript: Manuscript, kind: str, body: str, parts: Parts) -> bytes:
    mime = f"application/vnd.oasis.opendocument.{kind}"
    day = f"{manuscript.date}T09:00:00" if manuscript.date else ""
    dated = f"<meta:creation-date>{day}</meta:creation-date><dc:date>{day}</dc:date>" if day else ""
    meta = (
        f"<dc:title>{xml(manuscript.title)}</dc:title><meta:initial-creator>{xml(manuscript.author)}"
        f"</meta:initial-creator><dc:creator>{xml(manuscript.author)}</dc:creator>{dated}"
        f"<dc:language>{xml(manuscript.language)}</dc:language>"
    )
    entries = "".join(
        f'<manifest:file-entry manifest:full-path="{name}" manifest:media-type="{media_type}"/>'
        for name, media_type in (
            ("/", mime),
            ("content.xml", "text/xml"),
            ("meta.xml", "text/xml"),
            *((name, "image/png") for name in parts),
        )
    )
    return pack(
        {
            "mimetype": mime,
            "content.xml": f'{_HEAD}<office:document-content {_NAMES} office:version="1.3"><office:body>{body}'
            "</office:body></office:document-content>",
            "meta.xml": f'{_HEAD}<office:document-meta {_NAMES} office:version="1.3"><office:meta>{meta}</office:meta>'
            "</office:document-meta>",
            **parts,
            "META-INF/manifest.xml": f"{_HEAD}<manifest:manifest "
            'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" manifest:version="1.3">'
            f"{entries}</manifest:manifest>",
        }
    )
