"""reStructuredText by docutils, without file access; directives that only Sphinx knows keep their content."""

from __future__ import annotations

import re
import sys
from typing import Any

from roma_core.errors import ParserError
from roma_core.parsers import hyperlinks
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder
from roma_core.parsers.text.encodings import decode
from roma_core.parsers.web import markup
from roma_core.parsers.web.html import parse_html
from roma_core.types import Document, RawDocument

_ROLE = re.compile(r":[\w:+.-]+:`(?:~|!)?([^`<]+?)(?:\s*<[^`>]*>)?`")
_DIRECTIVE = re.compile(r"^([ \t]*)\.\. ([\w:+.-]+)::[ \t]*(.*)((?:\n[ \t]+:[\w -]+:.*)*)", re.MULTILINE)
_SILENT = frozenset("toctree index contents sectnum highlight currentmodule module include raw autosummary".split())
_SETTINGS = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "report_level": 5,
    "halt_level": 5,
    "warning_stream": None,
    "input_encoding": "unicode",
    "output_encoding": "unicode",
    "doctitle_xform": True,
    "initial_header_level": 2,
    "syntax_highlight": "none",
    "embed_stylesheet": False,
    "line_length_limit": sys.maxsize,
    "math_output": "LaTeX",
}


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    """Raises ``MALFORMED`` and ``EMPTY``."""
    from docutils.core import publish_parts
    from docutils.utils import SystemMessage

    warnings: list[str] = []
    text = without_sphinx(decode(raw.data, warn=warnings.append))
    try:
        page = publish_parts(text, writer="html5", settings_overrides=_SETTINGS)["html_body"]
    except (SystemMessage, ValueError, IndexError, AssertionError, AttributeError) as error:
        raise ParserError("The reStructuredText cannot be read; check it with docutils.") from error
    builder = DocumentBuilder(raw, options, "rst", warnings=warnings)
    root = _plain_marks(parse_html(page.encode(), "utf-8"))
    hyperlinks.mark_anchors(root, "", markup.BLOCKS)
    markup.write(builder, markup.read_blocks(root))
    return builder.build()


def _plain_marks(root: Any) -> Any:
    """Turn the classes of docutils into the tags that they stand for."""
    for span in root.iter("span"):
        if "literal" in (span.get("class") or "").split():
            span.tag = "code"
    for block in root.iter("pre"):
        names = (block.get("class") or "").split()
        if names[:1] == ["code"] and len(names) > 1:
            block.set("class", f"language-{names[1]}")
    for listing in list(root.iter("ol")):
        items = list(listing.iterchildren("li"))
        if items and not any("".join(item.itertext()).strip() for item in items):
            _as_numbers(listing, len(items))
    return root


def _as_numbers(listing: Any, count: int) -> None:
    """Turn a list without words into its numbers: "(102)" alone on a line is a number to whoever wrote it."""
    start = int(listing.get("start") or 1)
    for item in list(listing):
        listing.remove(item)
    listing.tag, listing.text = "p", " ".join(f"({start + index})" for index in range(count))


def without_sphinx(text: str) -> str:
    """Roles become literals, and directives that docutils does not know become containers of their content."""
    from docutils.parsers.rst import directives
    from docutils.parsers.rst.languages import en

    known = set(directives._directive_registry) | set(en.directives)

    def plain(match: re.Match[str]) -> str:
        indent, name, argument, _ = match.groups()
        if name in _SILENT:
            return f"{indent}.. {name}"  # a comment, and its body with it
        if name in known or name in {"code-block", "sourcecode"}:
            return match[0]
        return f"{indent}.. container::\n\n{indent}   {argument}\n" if argument else f"{indent}.. container::\n"

    return _DIRECTIVE.sub(plain, _ROLE.sub(r"``\1``", text))
