"""RTF by striprtf: text, tables by their cell marks, headings by outline level or style, notes and comments.

striprtf leaves notes and comments out, as groups that are no part of the flow: they are cut out before, with a mark in
their place, and read like the body.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder, ListItem, one_line
from roma_core.types import Document, RawDocument

_OUTLINE = re.compile(r"\\outlinelevel([0-8])(?![0-9])")
_STYLE = re.compile(r"\{\\s(\d+)[^{}]*?\b(?:heading|titre|Überschrift) ([1-9])\s*;?\s*\}", re.IGNORECASE)
_STYLED = re.compile(r"\\s(\d+)(?![0-9])")
_INFO = re.compile(r"\{\\(title|author|subject|keywords)\s+([^{}]{1,500})\}")
_LEVEL = re.compile("[\ue001-\ue009]")
_CELL = "\ue00a"
_NOTE = re.compile(r"\{(?:\\\*)?\\(footnote|annotation|atnauthor)(?![a-zA-Z])\s?")
_BRACE = re.compile(r"\\[\\{}]|[{}]")
_CODE_PAGE = re.compile(r"\\ansicpg\d{1,5}")
_BULLET = re.compile(r"^\s*(?:[•·◦▪\uf0b7-]|(\d{1,3}[.)]))\s+(?=\S)")


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    """Raises ``MALFORMED`` and ``EMPTY``."""
    source = raw.data.lstrip(b"\xef\xbb\xbf \r\n\t").decode("latin-1")
    if not source.startswith("{\\rtf"):
        raise ParserError("The file is no RTF; save it again as RTF or DOCX.")
    builder = DocumentBuilder(raw, options, "rtf", metadata=_info(source))
    builder.title = builder.metadata.get("title")
    body, notes = without_notes(source)
    for is_row, lines in groupby(_lines(_plain(body)), key=lambda line: _CELL in line):
        if is_row:
            builder.table([line.split(_CELL)[:-1] for line in lines])
        else:
            _write_text(builder, list(lines))
    for note in notes:
        _write_note(builder, note)
    return builder.build()


@dataclass(frozen=True)
class Note:
    """A footnote or endnote with its label, or (without one) a comment with its author."""

    label: str
    author: str
    source: str


def without_notes(source: str) -> tuple[str, list[Note]]:
    """``source`` with ``[^label]`` in place of each note and nothing in place of each comment; and these."""
    head = _head(source)
    parts: list[str] = []
    notes: list[Note] = []
    at = footnotes = endnotes = 0
    author = ""
    for found in _NOTE.finditer(source):
        if found.start() < at:
            continue
        end = group_end(source, found.start())
        inner = source[found.end() : end - 1]
        parts.append(source[at : found.start()])
        at = end
        label = ""
        if found[1] == "atnauthor":
            author = inner
            continue
        if found[1] == "footnote":
            is_endnote = "\\ftnalt" in inner[:40]
            footnotes, endnotes = footnotes + (not is_endnote), endnotes + is_endnote
            label = f"e{endnotes}" if is_endnote else str(footnotes)
            parts.append(f"[^{label}]")
        notes.append(Note(label, author if not label else "", f"{head}{inner}}}"))
    return "".join([*parts, source[at:]]), notes


def _head(source: str) -> str:
    """The start of a document in the code page and with the fonts of ``source``."""
    page = _CODE_PAGE.search(source)
    fonts = source.find("{\\fonttbl")
    table = source[fonts : group_end(source, fonts)] if fonts >= 0 else ""
    return f"{{\\rtf1\\ansi{page[0] if page else ''}{table} "


def group_end(source: str, start: int) -> int:
    """Return the end of the group that opens at ``start``; the end of ``source`` when it is never closed."""
    depth = 0
    for found in _BRACE.finditer(source, start):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if not depth:
            return found.end()
    return len(source)


def _write_note(builder: DocumentBuilder, note: Note) -> None:
    text = one_line(_LEVEL.sub("", _text(note.source)).replace(_CELL, " "))
    if note.label:
        builder.footnote(note.label, text)
    else:
        builder.comment(one_line(note.author) or None, text)


def _plain(source: str) -> str:
    """Text with a mark in front of headings and after cells. Raises ``MALFORMED`` and ``EMPTY``."""
    styles = {number: int(level) for number, level in _STYLE.findall(source)}
    marked = _OUTLINE.sub(lambda m: f"{m[0]}{chr(0xE001 + int(m[1]))}", source)
    marked = _STYLED.sub(lambda m: f"{m[0]}{chr(0xE000 + styles[m[1]])}" if m[1] in styles else m[0], marked)
    marked = re.sub(r"\\(?:nest)?cell(?![a-z])", lambda m: f"{_CELL}{m[0]}", marked)
    text = _text(marked)
    if not _LEVEL.sub("", text).strip():
        raise ParserError("The file holds no text.", ErrorCode.PARSER_EMPTY)
    return text.replace(f"{_CELL}|", _CELL)


def _text(source: str) -> str:
    """Raises ``MALFORMED``."""
    from striprtf.striprtf import rtf_to_text

    try:
        return str(rtf_to_text(source, encoding="cp1252", errors="replace"))
    except (UnicodeError, ValueError, IndexError, KeyError, LookupError) as error:
        raise ParserError("The RTF file is damaged; save it again as DOCX.") from error


def _lines(text: str) -> Iterator[str]:
    yield from text.split("\n")


def _write_text(builder: DocumentBuilder, lines: list[str]) -> None:
    """Each line of RTF text is a paragraph; those with a bullet are items of a list."""
    for is_item, group in groupby(lines, key=lambda line: _BULLET.match(line) is not None):
        if is_item:
            builder.list([_item(line) for line in group])
            continue
        for line in group:
            level = _LEVEL.search(line)
            words = _LEVEL.sub("", line).strip()
            if level and words:
                builder.heading(words, ord(level[0]) - 0xE000)
            else:
                builder.paragraph(words)


def _item(line: str) -> ListItem:
    mark = _BULLET.match(line)
    return ListItem(line[mark.end() :] if mark else line, 0, (mark[1] if mark else None) or "-")


def _info(source: str) -> dict[str, str]:
    return {name: one_line(value) for name, value in _INFO.findall(source[:65536]) if "\\" not in value}
