"""Data trees (JSON, JSON lines, XML) as a document: names as headings, records as tables, the rest as ``name: value``.

Numbers are kept as the file spells them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lxml import etree

from roma_core.errors import ParserError
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder, file_name
from roma_core.parsers.text import jats, plain
from roma_core.parsers.text.encodings import decode
from roma_core.parsers.xml import parse_xml
from roma_core.types import Document, RawDocument

DEEPEST = 60
"""Levels of a tree that are followed; what lies deeper is written as one line of JSON."""
WIDEST_TABLE = 40
"""Columns of a table of records; wider ones are written record by record."""


def parse_json(raw: RawDocument, options: ParseOptions) -> Document:
    """Read JSON or JSON lines. What is neither is kept as plain text, with a warning. Raises ``EMPTY``."""
    warnings: list[str] = []
    tree = _read_json(decode(raw.data, warn=warnings.append))
    if tree is _NO_JSON:
        document = plain.parse(raw, options)
        warning = "the file is no valid JSON and is kept as plain text"
        return document.model_copy(update={"warnings": (*document.warnings, warning)})
    builder = DocumentBuilder(raw, options, "json", title=raw.title or file_name(raw.uri), warnings=warnings)
    write_tree(builder, tree)
    return builder.build()


_NO_JSON = object()


def _load(text: str) -> Any:
    return json.loads(text, parse_float=str, parse_int=str, object_pairs_hook=_keep_repeated)


def _keep_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of which no field is lost: further ones of the same name are numbered."""
    fields: dict[str, Any] = {}
    for name, value in pairs:
        free, number = name, 2
        while free in fields:
            free, number = f"{name} ({number})", number + 1
        fields[free] = value
    return fields


def _read_json(text: str) -> Any:
    try:
        return _load(text)
    except (ValueError, RecursionError):
        pass
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        return [_load(line) for line in lines] if len(lines) > 1 else _NO_JSON
    except (ValueError, RecursionError):
        return _NO_JSON


def write_tree(builder: DocumentBuilder, tree: Any, level: int = 1) -> None:
    """Write a tree at heading ``level``.

    A mapping's scalars are lines ``name: value``; its mappings and lists follow under a heading. A list of flat records
    is a table, a list of scalars a list of lines.
    """
    if level > DEEPEST:
        builder.paragraph(json.dumps(tree, ensure_ascii=False, default=str))
    elif isinstance(tree, Mapping):
        _write_mapping(builder, tree, level)
    elif isinstance(tree, list | tuple):
        _write_list(builder, tree, level)
    else:
        builder.paragraph(_spell(tree))


def _write_mapping(builder: DocumentBuilder, tree: Mapping[str, Any], level: int) -> None:
    lines = [f"{name}: {_spell(value)}" for name, value in tree.items() if _is_scalar(value)]
    if lines:
        builder.paragraph("\n".join(lines))
    for name, value in tree.items():
        if not _is_scalar(value):
            builder.heading(str(name) or "(no name)", level)
            write_tree(builder, value, level + 1)


def _write_list(builder: DocumentBuilder, tree: Sequence[Any], level: int) -> None:
    columns = _record_columns(tree)
    if columns:
        rows = [[_spell(record.get(column)) for column in columns] for record in tree]
        builder.table([columns, *rows])
        return
    if all(_is_scalar(value) for value in tree):
        builder.paragraph("\n".join(_spell(value) for value in tree))
        return
    for value in tree:
        write_tree(builder, value, level)


def _record_columns(tree: Sequence[Any]) -> list[str]:
    """Return the columns of a list of flat records that share most of their names; none when it is no table."""
    if len(tree) < 1 or not all(isinstance(record, Mapping) and record for record in tree):
        return []
    if not all(_is_scalar(value) for record in tree for value in record.values()):
        return []
    counts = Counter(str(name) for record in tree for name in record)
    filled = sum(counts.values()) / (len(counts) * len(tree))
    is_prose = any(len(_spell(value)) > 300 for record in tree[:50] for value in record.values())
    return list(counts) if len(counts) <= WIDEST_TABLE and filled >= 0.5 and not is_prose else []


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, Mapping | list | tuple) or not value


def _spell(value: Any) -> str:
    match value:
        case None:
            return ""
        case True | False:
            return str(value).lower()
        case str():
            return value
        case _:
            return json.dumps(value, ensure_ascii=False)


def parse_xml_file(raw: RawDocument, options: ParseOptions) -> Document:
    """Read XML: articles in JATS by their sections, other files as a tree. Raises ``EMPTY`` and ``MALFORMED``."""
    try:
        root = parse_xml(raw.data)
    except ParserError as error:
        document = plain.parse(raw, options)
        return document.model_copy(update={"warnings": (*document.warnings, f"kept as plain text: {error.message}")})
    if _local_name(root) == "article":
        return jats.parse(raw, root, options)
    builder = DocumentBuilder(raw, options, "xml", title=raw.title or file_name(raw.uri))
    write_tree(builder, {_local_name(root): _TreeReader(builder).read(root)})
    return builder.build()


@dataclass(frozen=True)
class _TreeReader:
    """Reads the elements of an XML file; attributes inside of running text go to the loss ledger."""

    builder: DocumentBuilder

    def read(self, element: Any, depth: int = 0) -> Any:
        """Return an element as a tree: attributes and children by name, repeated ones as a list, mixed as text."""
        children = [child for child in element if isinstance(child.tag, str)]
        has_text = bool((element.text or "").strip()) or any((child.tail or "").strip() for child in element)
        attributes = {name.rpartition("}")[2]: value for name, value in element.attrib.items() if str(value).strip()}
        if not children or has_text or depth > DEEPEST:
            for inner in element.iterdescendants("*"):
                values = [f"{name.rpartition('}')[2]}: {value}" for name, value in inner.attrib.items()]
                self.builder.leave_out(
                    ", ".join(values), "unknown_object", place=f"attributes of <{_local_name(inner)}>"
                )
            text = join_text(element)
            if not attributes:
                return text
            return {**attributes, "text": text} if text else attributes
        tree: dict[str, Any] = dict(attributes)
        for child in children:
            name, value = _local_name(child), self.read(child, depth + 1)
            if name not in tree:
                tree[name] = value
            elif isinstance(tree[name], list):
                tree[name].append(value)
            else:
                tree[name] = [tree[name], value]
        return tree


_TYPESETTING = frozenset("b i u em strong bold italic emph emphasis hi span font mark underline sc".split())
"""Elements that set type inside of a word or a number, in most XML there is."""


def join_text(element: Any) -> str:
    """Return the text of an element on one line; numbers of two elements that are more than type do not become one.

    >>> join_text(etree.fromstring("<row><cell>3</cell><cell>5</cell></row>"))
    '3 5'
    """
    parts: list[str] = []
    for event, node in etree.iterwalk(element, events=("start", "end", "comment", "pi")):
        piece = node.text if event == "start" else node.tail
        if not piece or (event == "end" and node is element):
            continue
        is_apart = event in {"start", "end"} and _local_name(node).lower() not in _TYPESETTING
        if is_apart and parts and parts[-1][-1].isdigit() and piece[0].isdigit():
            parts.append(" ")
        parts.append(piece)
    return " ".join("".join(parts).split())


def _local_name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]
