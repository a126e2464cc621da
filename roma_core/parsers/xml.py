"""XML and HTML from strangers: no entities, no DTD, no network, bounded depth. The only place that makes parsers."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

from roma_core.errors import ParserError

_DOCTYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_ATTRIBUTES = re.compile(rb"<[^<>]{200000,}")
"""libxml2 takes quadratic time over a tag with 100 000 attributes."""


def _refuse(data: bytes) -> None:
    if _ATTRIBUTES.search(data):
        raise ParserError("A tag of the file is longer than 200 000 characters; it is not opened.")
    if _DOCTYPE.search(data[:65536]) and b"<!ENTITY" in data.upper():
        raise ParserError("The file's XML defines entities; it is not opened. Save it without a DTD.")


def iter_xml(data: bytes, *tags: str) -> Iterator[Any]:
    """Elements with one of the tags as they end, each forgotten after its turn: for parts too large for a tree.

    Raises ``ParserError`` as ``parse_xml`` does.
    """
    _refuse(data)
    events = etree.iterparse(
        io.BytesIO(data), events=("end",), tag=tags, resolve_entities=False, no_network=True, load_dtd=False
    )
    try:
        for _, element in events:
            yield element
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
    except etree.XMLSyntaxError as error:
        raise ParserError("The file's XML is damaged; save it again in the program it came from.") from error


def parse_xml(data: bytes, *, recover: bool = False) -> Any:
    """Root element (lxml) of ``data``. Entities are never expanded, nothing is loaded from disk or network.

    ``recover`` reads past errors (EPUB chapters are rarely well-formed). Raises ``ParserError`` where nothing is left.
    """
    _refuse(data)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False, recover=recover
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ParserError("The file's XML is damaged; save it again in the program it came from.") from error
    if root is None:
        raise ParserError("The file's XML is empty.")
    return root
