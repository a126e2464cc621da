"""OpenDocument packages (ODT, ODS, ODP): content, metadata and the text of an element."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers.archives import open_archive, read_entry
from roma_core.parsers.hyperlinks import linked
from roma_core.parsers.office.ooxml import local
from roma_core.parsers.xml import parse_xml

_NAMES = "urn:oasis:names:tc:opendocument:xmlns:"
OFFICE = f"{{{_NAMES}office:1.0}}"
TEXT = f"{{{_NAMES}text:1.0}}"
TABLE = f"{{{_NAMES}table:1.0}}"
STYLE = f"{{{_NAMES}style:1.0}}"
XLINK = "{http://www.w3.org/1999/xlink}"
_FIELDS = {"title": "title", "creator": "author", "initial-creator": "author", "subject": "subject", "date": "modified",
           "creation-date": "created", "language": "language", "description": "description"}  # fmt: skip
_SILENT = frozenset("annotation note tracked-changes bookmark annotation-end soft-page-break deletion".split())


class Odf:
    """An opened package. Raises ``MALFORMED`` and ``ENCRYPTED``."""

    def __init__(self, data: bytes) -> None:
        self._zip = open_archive(data)
        if b"encryption-data" in self._bytes("META-INF/manifest.xml"):
            raise ParserError("The file is protected by a password; save it without one.", ErrorCode.PARSER_ENCRYPTED)
        self.content = self._part("content.xml")
        if self.content is None:
            raise ParserError("The file has no content; it is damaged or of another kind than its name says.")

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


def text_of(element: Any) -> str:
    """The paragraphs of an element as lines, without notes and comments."""
    lines = [inline(p) for p in element.iter(f"{TEXT}p", f"{TEXT}h") if not _inside_silent(p, element)]
    return "\n".join(line for line in lines if line.strip())


def _inside_silent(node: Any, stop: Any) -> bool:
    parent = node.getparent()
    while parent is not None and parent is not stop:
        if local(parent) in _SILENT:
            return True
        parent = parent.getparent()
    return False


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
    return linked(text, address)
