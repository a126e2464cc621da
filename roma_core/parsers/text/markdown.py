"""Markdown: the text is kept as it is; markdown-it's line map says where its blocks and sections are."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.front_matter import front_matter_plugin

from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import assemble, one_line
from roma_core.parsers.text.encodings import decode
from roma_core.types import Block, BlockKind, Document, RawDocument, Section

_KINDS: dict[str, BlockKind] = {
    "heading_open": "heading",
    "paragraph_open": "paragraph",
    "bullet_list_open": "list",
    "ordered_list_open": "list",
    "table_open": "table",
    "fence": "code",
    "code_block": "code",
    "front_matter": "code",
    "blockquote_open": "quote",
    "html_block": "paragraph",
}
_FOOTNOTE = re.compile(r"\[\^[^\]\s]+\]:")
_HEAD = re.compile(r"---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_FIELD = re.compile(r"^(title|author|date|description|lang|language|tags)\s*:\s*(.+)$", re.IGNORECASE | re.MULTILINE)


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    """Raises ``EMPTY``."""
    warnings: list[str] = []
    text = decode(raw.data, warn=warnings.append)
    blocks, sections = structure(text)
    metadata = front_matter(text)
    title = metadata.get("title")
    return assemble(
        raw,
        options,
        "markdown",
        text,
        blocks=blocks,
        sections=sections,
        title=title,
        metadata=metadata,
        warnings=warnings,
    )


def _tokens(text: str) -> tuple[list[Token], MarkdownIt]:
    reader = MarkdownIt("commonmark").enable("table").use(front_matter_plugin)
    reader.core.ruler.disable("inline")  # only headings are read further
    return reader.parse(text), reader


def structure(text: str) -> tuple[list[Block], list[Section]]:
    """Blocks and sections of ``text``: spans from the first character of a block's first line to its last one."""
    tokens, reader = _tokens(text)
    lines = text.split("\n")
    starts = [0, *accumulate(len(line) + 1 for line in lines)]
    blocks: list[Block] = []
    headings: list[tuple[int, int, str]] = []
    for index, token in enumerate(tokens):
        kind = _KINDS.get(token.type)
        if token.level or token.map is None or kind is None:
            continue
        start, end = starts[token.map[0]], min(starts[token.map[1]], len(text))
        end -= len(text[start:end]) - len(text[start:end].rstrip())
        if end <= start:
            continue
        level = int(token.tag[1]) if kind == "heading" else None
        if level is not None:
            headings.append((start, level, _plain(tokens[index + 1].content, reader)))
        if kind == "paragraph" and _FOOTNOTE.match(text, start):
            kind = "footnote"
        blocks.append(Block(kind=kind, start=start, end=end, level=level))
    return blocks, sections_of(headings, len(text))


def sections_of(headings: list[tuple[int, int, str]], size: int) -> list[Section]:
    """Sections from headings (start, level, title): each lasts to the next of its own or a higher level."""
    sections: list[Section] = []
    open_: list[tuple[int, int, str]] = []

    def close(level: int, end: int) -> None:
        while open_ and open_[-1][1] >= level:
            start, depth, title = open_.pop()
            sections.append(Section(start=start, end=end, title=title, level=depth))

    for heading in headings:
        close(heading[1], heading[0])
        if heading[2]:
            open_.append(heading)
    close(1, size)
    return sections


def _plain(content: str, reader: MarkdownIt) -> str:
    """A heading's words without their markup."""
    reader.core.ruler.enable("inline")
    inline = reader.parseInline(content)
    reader.core.ruler.disable("inline")
    return one_line("".join(_words(token) for token in (inline[0].children or [])))


def _words(token: Token) -> str:
    if token.type == "image":
        return "".join(_words(child) for child in token.children or [])
    return " " if token.type.endswith("break") else token.content if token.type in {"text", "code_inline"} else ""


def front_matter(text: str) -> dict[str, Any]:
    """The fields of a YAML head that say something of the document."""
    found = _HEAD.match(text)
    fields = _FIELD.findall(found[1]) if found else []
    return {name.lower(): value.strip().strip("\"'") for name, value in fields}
