"""One parse of Markdown by markdown-it-py, with the exact offsets that its inline tokens lack.

Every reader of an answer asks the same parser, so that they agree on what is code, what is a link and what is text.
Pure; the parser is imported at the first use.
"""

from __future__ import annotations

import functools
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from roma_core.types import BlockKind

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

SpanKind = Literal["code", "link", "image", "escape"]

_RULES: dict[str, SpanKind] = {
    "backticks": "code",
    "link": "link",
    "autolink": "link",
    "image": "image",
    "escape": "escape",
}
"""Inline rules of markdown-it whose matches are no plain text."""
_RECORDED = "roma_recorded"


@dataclass(frozen=True)
class MarkedSpan:
    """``text[start:end]`` is code, a link, an image or an escaped sign; ``target`` is where a link leads."""

    kind: SpanKind
    start: int
    end: int
    target: str = ""


@dataclass(frozen=True)
class InlineBlock:
    """The words of one block. ``offsets[i]`` is where the i-th character of ``content`` stands in the text."""

    kind: BlockKind
    content: str
    offsets: tuple[int, ...]
    spans: tuple[MarkedSpan, ...]
    start: int
    end: int


@functools.cache
def markdown() -> MarkdownIt:
    """Return the parser that shows answers and documents: CommonMark with tables and strikethrough, without HTML."""
    return new_parser()


def new_parser() -> MarkdownIt:
    """Return a parser of its own, which may be given further rules."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])


@functools.cache
def _recording_parser() -> MarkdownIt:
    """Return a parser whose inline rules note in ``env`` what they matched and where.

    It knows no link definitions: ``[1]`` stays a marker where an answer ends in a list like ``[1]: https://a.example``.
    """
    parser = new_parser().disable("reference")
    parser.core.ruler.enableOnly(["normalize", "block"])
    rules = dict(zip(parser.inline.ruler.get_active_rules(), parser.inline.ruler.getRules(""), strict=True))
    for name, kind in _RULES.items():
        parser.inline.ruler.at(name, _recording(rules[name], kind))
    return parser


def _recording(rule: Callable[[StateInline, bool], bool], kind: SpanKind) -> Callable[[StateInline, bool], bool]:
    def record(state: StateInline, silent: bool) -> bool:
        start, level = state.pos, len(state.tokens)
        matched = rule(state, silent)
        recorded: _Recorded | None = state.env.get(_RECORDED)
        if matched and not silent and recorded is not None and recorded.content is state.src:
            opening = state.tokens[level] if len(state.tokens) > level else None
            target = _target(state.tokens[level:]) if opening else ""
            if kind != "code" or any(token.type == "code_inline" for token in state.tokens[level:]):
                recorded.spans.append((kind, start, state.pos, target))
        return matched

    return record


def _target(tokens: Sequence[Token]) -> str:
    for token in tokens:
        if token.type in {"link_open", "image"}:
            return str(token.attrs.get("href") or token.attrs.get("src") or "")
    return ""


@dataclass
class _Recorded:
    """Return the spans that the inline rules matched in ``content``; an image's label is parsed apart."""

    content: str
    spans: list[tuple[SpanKind, int, int, str]]


@functools.lru_cache(maxsize=256)
def parse_blocks(text: str) -> tuple[InlineBlock, ...]:
    """Return the blocks of ``text`` that hold words or code, in order, each with exact offsets."""
    return tuple(_each_block(text))


def _each_block(text: str) -> Iterator[InlineBlock]:
    # The parser would turn "\r\n" into one character and move every offset behind it.
    same_length = text.replace("\r\n", " \n").replace("\r", "\n").replace("\0", "\ufffd")
    env: dict[str, Any] = {}
    lines = _Lines(same_length)
    containers: list[str] = []
    for token in _recording_parser().parse(same_length, env):
        if token.nesting == 1:
            containers.append(token.type.removesuffix("_open"))
        elif token.nesting == -1:
            containers.pop()
        elif token.map is None:
            continue
        elif token.type in {"fence", "code_block"}:
            start, end = lines.span(*token.map)
            code = MarkedSpan("code", start, end)
            yield InlineBlock("code", text[start:end], tuple(range(start, end + 1)), (code,), start, end)
        elif token.type == "inline" and token.content:
            first, last = token.map
            offsets = lines.locate(token.content, first, last, in_table="table" in containers)
            spans = tuple(_inline_spans(token.content, offsets))
            yield InlineBlock(_kind_of(containers), token.content, offsets, spans, offsets[0], offsets[-1])


def _inline_spans(content: str, offsets: Sequence[int]) -> Iterator[MarkedSpan]:
    parser = _recording_parser()
    recorded = _Recorded(content, [])
    parser.inline.parse(content, parser, {_RECORDED: recorded}, [])
    for kind, start, end, target in sorted(recorded.spans, key=lambda span: (span[1], -span[2])):
        yield MarkedSpan(kind, offsets[start], offsets[end - 1] + 1, target)


def _kind_of(containers: Sequence[str]) -> BlockKind:
    if "table" in containers:
        return "table"
    if "heading" in containers:
        return "heading"
    if "list_item" in containers:
        return "list"
    return "quote" if "blockquote" in containers else "paragraph"


class _Lines:
    """Finds the content of a block in the lines it came from: indents and marks of lists and quotes are not in it."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line) + 1)
        self._cells: tuple[int, int] = (-1, 0)
        self._size = len(text)

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Return the offsets of the lines from ``first`` until ``last``, without the last newline."""
        return self._starts[first], min(self._starts[last] - 1, self._size)

    def locate(self, content: str, first: int, last: int, *, in_table: bool) -> tuple[int, ...]:
        """Return the offset of each character of ``content``, and of the end."""
        offsets: list[int] = []
        for number, part in enumerate(content.split("\n"), start=first):
            line = self._lines[min(number, last - 1, len(self._lines) - 1)]
            base = self._starts[min(number, last - 1)]
            if in_table:
                row, column = self._cells
                column = column if row == number else 0
            else:
                tail = line.rstrip()
                column = len(tail) - len(part.rstrip()) if tail.endswith(part.rstrip()) else 0
            columns = _columns(part, line, column)
            if in_table:
                self._cells = (number, columns[-1])
            offsets += [base + c for c in columns]
        return tuple(offsets)


def _columns(part: str, line: str, begin: int) -> list[int]:
    """Return where each character of ``part`` stands in ``line`` from ``begin`` on, and the end behind the last."""
    start = line.find(part, begin)
    if start >= 0:
        return list(range(start, start + len(part) + 1))
    columns: list[int] = []  # an escaped "|" of a cell has lost its backslash, a tab became blanks
    at = begin
    for char in part:
        found = line.find(char, at)
        if found >= 0:
            columns.append(found)
            at = found + 1
        else:
            columns.append(min(at, max(len(line) - 1, 0)))
    return [*columns, min(at, len(line))]


def covering(spans: Sequence[MarkedSpan], start: int, end: int) -> MarkedSpan | None:
    """Return the first of the sorted ``spans`` that overlaps ``[start, end)``."""
    index = bisect_right([span.start for span in spans], start) - 1
    for span in spans[max(index, 0) :]:
        if span.start >= end:
            return None
        if span.end > start:
            return span
    return None
