"""OOXML packages (DOCX, PPTX, XLSX): parts, relationships and properties, strict or transitional."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from roma_core.errors import ParserError
from roma_core.parsers.archives import open_archive, read_entry
from roma_core.parsers.xml import iter_xml, parse_xml

_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/(\w+)")
_RELATIONSHIP = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
_EMBEDDING = frozenset({"oleObject", "package"})
"""Kinds of relationships that lead to embedded files."""
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_PROPERTIES = {"title": "title", "creator": "author", "subject": "subject", "keywords": "keywords"} | {
    name: name for name in ("description", "created", "modified", "language", "category")
}


@dataclass(frozen=True)
class Relation:
    """``target`` is a part's name, or the address of something outside when ``external``."""

    kind: str
    target: str
    external: bool


class Package:
    """An opened package. Raises ``MALFORMED`` when the container cannot be read."""

    def __init__(self, data: bytes) -> None:
        self._zip = open_archive(data)
        self._names = {name.replace("\\", "/").lstrip("/").lower(): name for name in self._zip.namelist()}
        self._relations: dict[str, dict[str, Relation]] = {}

    def embedded(self) -> list[str]:
        """Return the names of the files that the package embeds; the data behind its charts is none of them."""
        found: dict[str, None] = {}
        for entry in self._names.values() if any("embeddings/" in name for name in self._names) else ():
            name = entry.replace("\\", "/").lstrip("/")
            if "charts/" in name or not name.lower().endswith(".xml"):
                continue
            for relation in self.relations(name).values():
                if relation.kind in _EMBEDDING and not relation.external:
                    found[relation.target] = None
        return list(found)

    def bytes_of(self, name: str) -> bytes | None:
        """Content of a part; None when there is none of that name. Raises ``MALFORMED`` when it cannot be unpacked."""
        entry = self._names.get(name.lower())
        if entry is None:
            return None
        try:
            return read_entry(self._zip, entry)
        except (OSError, RuntimeError) as error:
            raise ParserError("A part of the file is damaged; save it again in the program it came from.") from error

    def part(self, name: str | None) -> Any:
        """Root element of an XML part, in the transitional namespaces; None when the part is missing."""
        data = self.bytes_of(name) if name else None
        return parse_xml(_transitional(data)) if data else None

    def stream(self, name: str, *tags: str) -> Iterator[Any]:
        """Elements of a large XML part, one at a time; none when the part is missing."""
        data = self.bytes_of(name)
        yield from iter_xml(_transitional(data), *tags) if data else ()

    def relations(self, name: str) -> dict[str, Relation]:
        """Relationships of a part by id; ``""`` is the package itself."""
        if name not in self._relations:
            folder, _, base = name.rpartition("/")
            root = self.part(posixpath.join(folder, "_rels", f"{base}.rels"))
            found = root.iter(_RELATIONSHIP) if root is not None else ()
            self._relations[name] = {rel.get("Id") or "": _relation(folder, rel) for rel in found}
        return self._relations[name]

    def related(self, name: str, kind: str) -> list[str]:
        """Names of the parts that ``name`` points to by a relationship of this kind, in order."""
        return [rel.target for rel in self.relations(name).values() if rel.kind == kind and not rel.external]

    def main(self, fallback: str) -> str:
        """Name of the main part. Raises ``MALFORMED`` when the package has none."""
        names = [*self.related("", "officeDocument"), fallback]
        name = next((name for name in names if name.lower() in self._names), None)
        if name is None:
            raise ParserError("The file has no main part; it is damaged or of another kind than its name says.")
        return name

    def properties(self) -> dict[str, str]:
        """Title, author, dates, ... as the program that saved the file noted them."""
        names = self.related("", "core-properties") or ["docProps/core.xml"]
        try:
            root = self.part(names[0])
        except ParserError:
            return {}
        fields = ((local(child), (child.text or "").strip()) for child in (root if root is not None else ()))
        return {_PROPERTIES[name]: value for name, value in fields if value and name in _PROPERTIES}


def _transitional(data: bytes) -> bytes:
    if b"purl.oclc.org" not in data:
        return data
    return _STRICT.sub(rb"http://schemas.openxmlformats.org/\1/2006/\2", data)


def _relation(folder: str, element: Any) -> Relation:
    target = element.get("Target") or ""
    external = element.get("TargetMode") == "External"
    if not external:
        path = unquote(target.partition("#")[0])
        target = path.lstrip("/") if path.startswith("/") else posixpath.normpath(posixpath.join(folder, path))
    return Relation((element.get("Type") or "").rpartition("/")[2], target, external)


def local(element: Any) -> str:
    """Name of an element without its namespace; "" for comments."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def walk(element: Any, *wanted: str) -> Iterator[Any]:
    """Descendants with one of the local names, in document order; of alternatives only the preferred is entered."""
    for child in alternatives(element):
        if local(child) in wanted:
            yield child
        else:
            yield from walk(child, *wanted)


def alternatives(element: Any) -> Iterator[Any]:
    """Children, with ``mc:AlternateContent`` replaced by the content of its first choice."""
    for child in element:
        if child.tag == f"{MC}AlternateContent":
            branches = [*child.iterchildren(f"{MC}Choice"), *child.iterchildren(f"{MC}Fallback")]
            for branch in branches[:1]:
                yield from alternatives(branch)
        elif isinstance(child.tag, str):
            yield child
