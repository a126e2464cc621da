"""OpenDocument packages (ODT, ODS, ODP): content, metadata and the text of an element."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers import revisions
from roma_core.parsers.archives import open_archive, read_entry
from roma_core.parsers.builder import DocumentBuilder, raise_digits
from roma_core.parsers.hyperlinks import link_text
from roma_core.parsers.office.ooxml import local
from roma_core.parsers.xml import parse_xml

_NAMES = "urn:oasis:names:tc:opendocument:xmlns:"
OFFICE = f"{{{_NAMES}office:1.0}}"
TEXT = f"{{{_NAMES}text:1.0}}"
TABLE = f"{{{_NAMES}table:1.0}}"
STYLE = f"{{{_NAMES}style:1.0}}"
DRAW = f"{{{_NAMES}drawing:1.0}}"
XML_ID = "{http://www.w3.org/XML/1998/namespace}id"
_REGION = f"{TEXT}changed-region"
MAX_DEPTH = 60
XLINK = "{http://www.w3.org/1999/xlink}"
_FIELDS = {"title": "title", "creator": "author", "initial-creator": "author", "subject": "subject", "date": "modified",
           "creation-date": "created", "language": "language", "description": "description"}  # fmt: skip
_SILENT = frozenset(
    "annotation note tracked-changes change-info bookmark annotation-end soft-page-break deletion hidden-text"
    " ruby-text".split()
)


class Odf:
    """An opened package. Raises ``MALFORMED`` and ``ENCRYPTED``."""

    def __init__(self, data: bytes) -> None:
        self._zip = open_archive(data)
        if b"encryption-data" in self._bytes("META-INF/manifest.xml"):
            raise ParserError("The file is protected by a password; save it without one.", ErrorCode.PARSER_ENCRYPTED)
        self.content = self._part("content.xml")
        if self.content is None:
            raise ParserError("The file has no content; it is damaged or of another kind than its name says.")
        self._mark_raised()

    def _mark_raised(self) -> None:
        """Write numbers that are set above the line in characters that say so."""
        names = {style.get(f"{STYLE}name") for style in self.styles() if _is_raised(style)}
        for span in self.content.iter(f"{TEXT}span") if names else ():
            if span.get(f"{TEXT}style-name") in names and span.text and not len(span):
                span.text = raise_digits(span.text)

    def _bytes(self, name: str) -> bytes:
        try:
            return read_entry(self._zip, name)
        except KeyError:
            return b""

    def _part(self, name: str) -> Any:
        data = self._bytes(name)
        return parse_xml(data) if data else None

    def body(self, kind: str) -> Any:
        """The office body of this kind (``text``, ``spreadsheet``, ``presentation``). Raises ``MALFORMED``."""
        found = self.content.find(f"{OFFICE}body/{OFFICE}{kind}")
        if found is None:
            raise ParserError(f"The file holds no {kind}; it is of another kind than its name says.")
        return found

    def metadata(self) -> dict[str, str]:
        root = self._part("meta.xml")
        found = root.iter() if root is not None else ()
        return {
            _FIELDS[n]: (e.text or "").strip() for e in found if (n := local(e)) in _FIELDS and (e.text or "").strip()
        }

    def styles(self) -> Iterator[Any]:
        for root in (self._part("styles.xml"), self.content):
            yield from root.iter(f"{STYLE}style") if root is not None else ()

    def hidden_tables(self) -> set[str]:
        """Names of the table styles that hide a sheet."""
        hidden = set()
        for style in self.styles():
            properties = style.find(f"{STYLE}table-properties")
            if properties is not None and properties.get(f"{TABLE}display") == "false":
                hidden.add(style.get(f"{STYLE}name") or "")
        return hidden


def _is_raised(style: Any) -> bool:
    """Return whether a style sets text above the line: ``super``, or by a share of its height."""
    properties = style.find(f"{STYLE}text-properties")
    position = (properties.get(f"{STYLE}text-position") or "") if properties is not None else ""
    return position.startswith("super") or re.match(r"[1-9]\d{0,2}(?:\.\d+)?%", position) is not None


def text_of(element: Any) -> str:
    """The paragraphs of an element as lines, without notes and comments; a row of a table inside is one line."""
    return "\n".join(line for line in _lines(element, 0) if line.strip())


def _lines(element: Any, depth: int) -> Iterator[str]:
    for child in element:
        name = local(child)
        if name in {"p", "h"}:
            yield inline(child)
            for frame in child.iter(f"{DRAW}text-box"):
                yield from _lines(frame, depth + 1) if depth < MAX_DEPTH else ()
        elif name == "table-row":
            cells = [text_of(cell).replace("\n", " ") for cell in child.iterchildren(f"{TABLE}table-cell")]
            yield " | ".join(cells)
        elif name and name not in _SILENT:
            yield from _lines(child, depth + 1) if depth < MAX_DEPTH else ()


def resolve_changes(body: Any, builder: DocumentBuilder) -> None:
    """Put into ``body`` what the reading that is wanted shows of its tracked changes, and take out what it does not."""
    regions = {region.get(f"{TEXT}id") or region.get(XML_ID) or "": region for region in body.iter(_REGION)}
    if not regions:
        return
    deleted = {name: region.find(f"{TEXT}deletion") for name, region in regions.items()}
    insertions = {name for name, region in regions.items() if region.find(f"{TEXT}insertion") is not None}
    is_original = not revisions.shows(builder, "inserted")
    taken: list[str] = []
    inside: set[str] = set()
    """Insertions that are open; a change of the format has a start and an end as well, and takes nothing out."""
    for event, element in etree.iterwalk(body, events=("start", "end")):
        name, change = local(element), element.get(f"{TEXT}change-id") or ""
        if event == "start":
            if inside and is_original and element.text:
                taken.append(element.text)
                element.text = None
            continue
        if name == "change":
            region = deleted.get(change)
            text = text_of(region) if region is not None else ""
            shown = revisions.write_change(builder, "deleted", text)
            if inside and is_original:  # what was put in and taken out again was never in the original
                taken.append(text)
                shown = ""
            element.tail = shown + (element.tail or "")
        elif name == "change-start" and change in insertions:
            inside.add(change)
            _mark_insertion(builder, element, "{++")
        elif name == "change-end" and change in inside:
            inside.remove(change)
            _mark_insertion(builder, element, "++}")
            if not inside:
                builder.leave_out("".join(taken), "inserted", place="tracked changes")
                taken.clear()
        if inside and is_original and element.tail:
            taken.append(element.tail)
            element.tail = None
    builder.leave_out("".join(taken), "inserted", place="tracked changes")  # the file does not say where it ends


def _mark_insertion(builder: DocumentBuilder, element: Any, mark: str) -> None:
    if builder.options.tracked_changes == "both":
        element.tail = mark + (element.tail or "")


def inline(element: Any) -> str:
    """Text of a paragraph: spaces, tabs and line breaks are elements; the marks of notes stand at its end."""
    marks = (note.findtext(f"{TEXT}note-citation") or "" for note in element.iter(f"{TEXT}note"))
    text = "".join(_pieces(element)).strip()
    return text + "".join(f"[^{mark}]" for mark in marks) if text else ""


def _pieces(element: Any) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        name = local(child)
        if name == "s":
            count = child.get(f"{TEXT}c") or "1"
            yield " " * min(int(count) if count.isdecimal() else 1, 100)
        elif name == "tab":
            yield " "
        elif name == "line-break":
            yield "\n"
        elif name == "a":
            yield link(child)
        elif name and name not in _SILENT and name not in {"frame", "p", "list"}:
            yield from _pieces(child)
        yield child.tail or ""


def link(element: Any) -> str:
    """Return a hyperlink as Markdown."""
    text, address = "".join(_pieces(element)), element.get(f"{XLINK}href") or ""
    return link_text(text, address)
