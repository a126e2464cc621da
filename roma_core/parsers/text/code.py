"""Source code and configuration: the text is kept as it is; definitions and top-level keys are its sections."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from pygments.lexers import get_lexer_for_filename
from pygments.token import Token
from pygments.util import ClassNotFound

from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import assemble, file_name
from roma_core.parsers.text.encodings import decode
from roma_core.parsers.text.plain import paragraphs
from roma_core.types import Block, Document, RawDocument, Section

_YAML_KEY = re.compile(r"^(?:\"([^\"\n]+)\"|'([^'\n]+)'|([A-Za-z_][\w .-]*?))[ \t]*:(?=[ \t\n])", re.MULTILINE)
_TOML_TABLE = re.compile(r"^[ \t]*\[{1,2}[ \t]*([^\]\n]+?)[ \t]*\]{1,2}[ \t]*(?:#.*)?$", re.MULTILINE)
_TAB_WIDTH = 4
DECLARATIONS = frozenset(
    "class def function func fn fun struct interface trait enum impl module type record object protocol".split()
)
"""Keywords after which a name is defined."""


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    """Read source code; pygments finds its classes and functions. Raises ``EMPTY``."""
    warnings: list[str] = []
    text = decode(raw.data, warn=warnings.append)
    name = PurePosixPath(raw.uri).name
    sections = _nest(text, list(_find_definitions(text, name)))
    return _assemble(raw, options, "code", text, sections, warnings)


def parse_yaml(raw: RawDocument, options: ParseOptions) -> Document:
    """Read YAML: a section for each key at the margin. Raises ``EMPTY``."""
    warnings: list[str] = []
    text = decode(raw.data, warn=warnings.append)
    keys = [(match.start(), 1, match[1] or match[2] or match[3]) for match in _YAML_KEY.finditer(text)]
    return _assemble(raw, options, "yaml", text, _nest(text, keys), warnings)


def parse_toml(raw: RawDocument, options: ParseOptions) -> Document:
    """Read TOML: a section for each table. Raises ``EMPTY``."""
    warnings: list[str] = []
    text = decode(raw.data, warn=warnings.append)
    tables = [(match.start(), 1 + match[1].count("."), match[1]) for match in _TOML_TABLE.finditer(text)]
    return _assemble(raw, options, "toml", text, _nest(text, tables), warnings)


def _assemble(
    raw: RawDocument, options: ParseOptions, name: str, text: str, sections: list[Section], warnings: list[str]
) -> Document:
    blocks = [Block(kind="code", start=block.start, end=block.end) for block in paragraphs(text)]
    title = raw.title or PurePosixPath(raw.uri).name or file_name(raw.uri)
    return assemble(raw, options, name, text, blocks=blocks, sections=sections, title=title, warnings=warnings)


def _find_definitions(text: str, name: str) -> Iterator[tuple[int, int, str]]:
    """Return offset, level and name of each class and function; levels count the indentation of the line.

    A name is defined where a declaring keyword stands before it, or where the lexer says function and a body follows.
    """
    lexer = _find_lexer(text, name)
    if lexer is None:
        return
    keyword, depth = "", 0
    for offset, kind, word in lexer.get_tokens_unprocessed(text):
        if not word.strip() or kind in Token.Comment:
            continue
        if kind in Token.Punctuation or kind in Token.Operator:
            depth = max(0, depth + word.count("(") - word.count(")"))
            keyword = keyword if keyword == "func" or word == "*" else ""  # Go names a receiver before the method
        elif kind in Token.Keyword:
            keyword = word if word in DECLARATIONS else ""
        elif kind in Token.Name and depth == 0:
            if keyword or kind in Token.Name.Class or (kind in Token.Name.Function and _has_body(text, offset)):
                yield _line_start(text, offset), 1 + _indent(text, offset) // _TAB_WIDTH, word
            keyword = ""


def _has_body(text: str, offset: int) -> bool:
    """Return whether a name at ``offset`` begins a definition: arguments, then a block."""
    closing = text.find(")", offset, offset + 1000)
    return closing >= 0 and re.match(r"\)[\w\s:<>&*,]*(?:\{|=>)", text[closing : closing + 200]) is not None


def _line_start(text: str, offset: int) -> int:
    return text.rfind("\n", 0, offset) + 1


def _indent(text: str, offset: int) -> int:
    line = text[_line_start(text, offset) : offset].expandtabs(_TAB_WIDTH)
    return len(line) - len(line.lstrip())


def _find_lexer(text: str, name: str) -> Any | None:
    try:
        return get_lexer_for_filename(name, text[:1000])
    except ClassNotFound:
        return None


def _nest(text: str, marks: list[tuple[int, int, str]]) -> list[Section]:
    """Return sections that end where the next one of the same or a higher level begins."""
    sections: list[Section] = []
    for index, (start, level, title) in enumerate(marks):
        later = (mark[0] for mark in marks[index + 1 :] if mark[1] <= level)
        sections.append(Section(start=start, end=next(later, len(text)), title=title, level=level))
    return sections
