"""DocumentBuilder: a parser appends blocks and opens pages and sections; the spans come out exact.

Blocks are joined by one blank line. A page or a section begins where the block after it begins and ends where the next
one begins, so that every offset of a paged document has a page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers import hyperlinks, tables
from roma_core.parsers.base import ParseOptions
from roma_core.types import (
    Block,
    BlockKind,
    Box,
    Document,
    LeftOut,
    Link,
    Page,
    RawDocument,
    Section,
    SectionKind,
    WhyLeftOut,
)

GAP = "\n\n"
MAX_LEFT_OUT_CHARS = 1_000_000
"""The loss ledger of one document holds at most this many characters; further entries are counted in a warning."""

_DROPPED = dict.fromkeys([*range(9), *range(14, 32), 0x7F, 0xAD, 0x200B, 0x2060, 0xFEFF, 0xFFFE, 0xFFFF])
_CLEAN = _DROPPED | {0x0B: "\n", 0x0C: "\n", 0x85: "\n", 0x2028: "\n", 0x2029: "\n", 0xA0: " ", 0x202F: " "}
_UNCLEAN = re.compile(f"[\r\ud800-\udfff{''.join(map(re.escape, map(chr, _CLEAN)))}]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BLANKS = re.compile(r"\n\s*\n")
_STRUCTURAL = re.compile(r"^( {0,3}[\U000f0000-\U00100002]*)(#{1,6}\s|```|~~~|\||>)", re.MULTILINE)
_EXPONENT = re.compile(r"\s*[-+−–]?\d{1,4}\s*")
_RAISED = str.maketrans("0123456789+-−–", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁻")
_ORDINAL = re.compile(r"\d{1,9}[.)]")


def clean(text: str) -> str:
    """Text that is safe to store and search: one kind of line break, plain spaces, no control or invisible marks."""
    if _UNCLEAN.search(text) is None:  # nearly always, and quicker than to translate
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_CLEAN)
    return _SURROGATE.sub("\ufffd", text)


def one_line(text: str) -> str:
    """Return cleaned text with each run of white space as one blank."""
    return " ".join(clean(text).split())


def raise_digits(text: str) -> str:
    """A number set above the line, in characters that say so: 10⁶ is not 106. Other text stays as it is."""
    return text.translate(_RAISED) if _EXPONENT.fullmatch(text) else text


def _prose(text: str) -> str:
    """A paragraph's text: no blank lines inside, and what would read as another block is escaped."""
    text = _BLANKS.sub("\n", clean(text)).strip()
    return _STRUCTURAL.sub(r"\1\\\2", text)


@dataclass(frozen=True)
class ListItem:
    """``marker`` is ``-`` or the label that the source shows (``3.``, ``b)``, ``1.2.``); ``depth`` counts from 0."""

    text: str
    depth: int = 0
    marker: str = "-"


def list_markdown(items: Sequence[ListItem]) -> str:
    """Nested Markdown list, four spaces a level; labels that Markdown does not know follow a dash."""
    lines: list[str] = []
    depth = -1
    for item in items:
        depth = min(max(item.depth, 0), depth + 1)
        marker = item.marker if item.marker == "-" or _ORDINAL.fullmatch(item.marker) else f"- {item.marker}"
        indent = " " * 4 * depth
        text = _prose(item.text).replace("\n", f"\n{indent}{' ' * (len(marker) + 1)}")
        lines.append(f"{indent}{marker} {text}".rstrip())
    return "\n".join(lines)


def fence_code(text: str, language: str = "") -> str:
    """A code block whose fence is longer than any inside."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


@dataclass
class _Open:
    start: int
    title: str
    level: int
    kind: SectionKind


@dataclass
class _Loss:
    pages: set[int] = field(default_factory=set)
    places: list[str] = field(default_factory=list)

    def describe_place(self) -> str:
        ranges = page_ranges(self.pages)
        parts = [f"page{'s' if len(self.pages) > 1 else ''} {ranges}"] if ranges else []
        return "; ".join([*parts, *self.places])


def page_ranges(numbers: Iterable[int]) -> str:
    """Return page numbers in order, runs of three or more as ranges.

    >>> page_ranges([1, 2, 3, 7, 8])
    '1-3, 7, 8'
    """
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts: list[str] = []
    for run in runs:
        if len(run) >= 3:
            parts.append(f"{run[0]}-{run[-1]}")
        else:
            parts += map(str, run)
    return ", ".join(parts)


@dataclass
class DocumentBuilder:
    """Collects one document. ``parser`` is the format's name; the worker adds its version and the media type."""

    raw: RawDocument
    options: ParseOptions
    parser: str
    title: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    _parts: list[str] = field(default_factory=list, repr=False)
    _size: int = 0
    _blocks: list[Block] = field(default_factory=list, repr=False)
    _links: list[Link] = field(default_factory=list, repr=False)
    _pages: list[Page] = field(default_factory=list, repr=False)
    _sections: list[Section] = field(default_factory=list, repr=False)
    _open: list[_Open] = field(default_factory=list, repr=False)
    _page: dict[str, Any] | None = field(default=None, repr=False)
    _losses: dict[tuple[str, WhyLeftOut], _Loss] = field(default_factory=dict, repr=False)
    _loss_chars: int = 0
    _losses_dropped: int = 0

    @property
    def position(self) -> int:
        """Offset at which the next block will begin."""
        return self._size + len(GAP) if self._size else 0

    @property
    def is_empty(self) -> bool:
        return not self._size

    def warn(self, message: str) -> None:
        if message not in self.warnings:
            self.warnings.append(message)

    def leave_out(self, text: str, why: WhyLeftOut, *, page: int | None = None, place: str = "") -> None:
        """Record something of the file that does not go into the text. Blank text records nothing.

        The place is ``page`` (1-based), or ``place`` in words. Equal texts with one reason become one entry that names
        all their pages.

        >>> builder = DocumentBuilder(RawDocument(uri="a.pdf", data=b""), ParseOptions(), "pdf")
        >>> _ = builder.add("paragraph", "Sales rose.")
        >>> for page in (3, 4):
        ...     builder.leave_out("Annual report 2024", "furniture", page=page)
        >>> builder.build().left_out
        (LeftOut(text='Annual report 2024', place='pages 3, 4', why='furniture'),)
        """
        words = clean(text).strip()
        if not words:
            return
        loss = self._losses.get((words, why))
        if loss is None:
            if self._loss_chars + len(words) > MAX_LEFT_OUT_CHARS:
                self._losses_dropped += 1
                return
            self._loss_chars += len(words)
            loss = self._losses[words, why] = _Loss()
        if page is not None:
            loss.pages.add(page)
        elif place and place not in loss.places:
            loss.places.append(place)

    def add(
        self,
        kind: BlockKind,
        text: str,
        *,
        level: int | None = None,
        row: int | None = None,
        box: Box | None = None,
        confidence: float | None = None,
    ) -> Block | None:
        """Append ``text`` as it is (already Markdown). Blank text adds nothing and gives None."""
        text, links = hyperlinks.taken(text.strip("\n").rstrip())
        if not text.strip():
            return None
        start = self.position
        if start:
            self._parts.append(GAP)
        self._parts.append(text)
        self._size = start + len(text)
        self._links += [Link(start=start + a, end=start + b, url=url) for a, b, url in links]
        page = self._page["number"] if self._page else None
        block = Block(
            kind=kind, start=start, end=self._size, page=page, box=box, level=level, row=row, confidence=confidence
        )
        self._blocks.append(block)
        return block

    def heading(
        self, text: str, level: int, *, section: bool = True, box: Box | None = None, confidence: float | None = None
    ) -> Block | None:
        """A heading, and (unless ``section`` is False) the section that it opens inside its slide or chapter."""
        words = one_line(text)
        if not words:
            return None
        level = max(1, level)
        if section:
            self.open_section(words, "heading", self._base() + level)
        return self.add("heading", f"{'#' * min(level, 6)} {words}", level=level, box=box, confidence=confidence)

    def _base(self) -> int:
        return max((s.level for s in self._open if s.kind != "heading"), default=0)

    def paragraph(
        self,
        text: str,
        kind: BlockKind = "paragraph",
        *,
        row: int | None = None,
        box: Box | None = None,
        confidence: float | None = None,
    ) -> Block | None:
        return self.add(kind, _prose(text), row=row, box=box, confidence=confidence)

    def list(
        self, items: Sequence[ListItem], *, box: Box | None = None, confidence: float | None = None
    ) -> Block | None:
        kept = [item for item in items if item.text.strip()]
        return self.add("list", list_markdown(kept), box=box, confidence=confidence) if kept else None

    def table(self, rows: tables.Rows, *, row: int | None = None, box: Box | None = None) -> Block | None:
        """``row`` is the number that the first line has in its sheet; each further line is the next row."""
        grid = tables.fill_grid([[clean(text) for text in line] for line in rows])
        return self.add("table", tables.to_markdown(grid), row=row, box=box) if any(map(any, grid)) else None

    def code(self, text: str, language: str = "", *, box: Box | None = None) -> Block | None:
        body = clean(text).strip("\n")
        return self.add("code", fence_code(body, one_line(language)), box=box) if body.strip() else None

    def quote(self, text: str) -> Block | None:
        body = _BLANKS.sub("\n", clean(text)).strip()
        return self.add("quote", "\n".join(f"> {line}" for line in body.split("\n"))) if body else None

    def footnote(self, label: str, text: str, *, box: Box | None = None) -> Block | None:
        """The note itself, as ``[^label]: text``; its mark in the prose is ``[^label]``."""
        return self.add("footnote", f"[^{label}]: {one_line(text)}", box=box) if text.strip() else None

    def comment(self, author: str | None, text: str, *, place: str = "", date: str | None = None) -> Block | None:
        """A remark on the document, with who made it, on which cell and on which day."""
        words = one_line(text)
        head = "Comment" + (f" on {place}" if place else "") + (f" by {author}" if author else "")
        return (
            self.paragraph(f"{head} ({date[:10]}): {words}" if date else f"{head}: {words}", "comment")
            if words
            else None
        )

    def figure(self, alt: str, name: str = "", *, box: Box | None = None) -> Block | None:
        """An image: its description and the name of its file inside the source."""
        words = one_line(alt).replace("[", "(").replace("]", ")")
        return self.add("figure", f"![{words}]({PurePosixPath(name).name.replace(' ', '_')})", box=box)

    def page(self, number: int, at: int | None = None, /, **facts: Any) -> None:
        """Close the open page and begin page ``number`` with the next block, or ``at`` an offset inside the last one.

        ``facts`` are the other fields of ``Page``.
        """
        start = self.position if at is None else at
        self.close_page(start)
        self._page = {"number": number, "start": start, **facts}

    def close_page(self, at: int | None = None) -> None:
        if self._page is not None:
            self._pages.append(Page(end=self.position if at is None else at, **self._page))
            self._page = None

    def open_section(self, title: str, kind: SectionKind, level: int = 1) -> None:
        """Begin a section at the next block; open ones of the same or a deeper level end there."""
        self.close_sections(level)
        self._open.append(_Open(self.position, one_line(hyperlinks.bare(title)), level, kind))

    def close_sections(self, level: int = 1) -> None:
        while self._open and self._open[-1].level >= level:
            done = self._open.pop()
            self._sections.append(
                Section(start=done.start, end=self.position, title=done.title, level=done.level, kind=done.kind)
            )

    def left_out(self) -> tuple[LeftOut, ...]:
        """Return the loss ledger so far, in order of first appearance."""
        return tuple(
            LeftOut(text=text, place=loss.describe_place(), why=why) for (text, why), loss in self._losses.items()
        )

    def build(self) -> Document:
        """The document. Raises ``EMPTY`` when no block was added."""
        if self.is_empty:
            raise ParserError(
                "The file holds no text; check that it is the right file, or that its pages are not only images.",
                ErrorCode.PARSER_EMPTY,
            )
        self.close_sections()
        self.close_page()
        if self._losses_dropped:
            self.warn(f"{self._losses_dropped} more parts were left out than the loss ledger holds")
        return assemble(
            self.raw,
            self.options,
            self.parser,
            "".join(self._parts),
            blocks=self._blocks,
            links=self._links,
            pages=self._pages,
            sections=self._sections,
            title=self.title,
            metadata=self.metadata,
            warnings=self.warnings,
            left_out=self.left_out(),
        )


def assemble(
    raw: RawDocument,
    options: ParseOptions,
    parser: str,
    text: str,
    *,
    blocks: Sequence[Block] = (),
    links: Sequence[Link] = (),
    pages: Sequence[Page] = (),
    sections: Sequence[Section] = (),
    title: str | None = None,
    metadata: dict[str, Any] | None = None,
    warnings: Sequence[str] = (),
    left_out: Sequence[LeftOut] = (),
) -> Document:
    """A document of text whose spans are known. Sections are put outermost first; spans are cut at the text's end."""
    size = len(text)
    ordered = sorted(sections, key=lambda s: (s.start, s.level))
    named = [s.title for s in ordered if s.title and s.kind in {"heading", "slide", "chapter"}]
    return Document(
        id=Document.id_for(raw.uri, options.tenant),
        uri=raw.uri,
        title=title or next(iter(named), None) or raw.title or file_name(raw.uri),
        text=text,
        content_sha256=raw.sha256,
        parser=parser,
        pages=tuple(p.model_copy(update=_within(p.start, p.end, size)) for p in pages),
        sections=tuple(s.model_copy(update=_within(s.start, s.end, size)) for s in ordered),
        blocks=tuple(blocks),
        links=tuple(links),
        metadata=metadata or {},
        warnings=tuple(warnings),
        left_out=tuple(left_out),
    )


def _within(start: int, end: int, size: int) -> dict[str, int]:
    return {"start": min(start, size), "end": min(end, size)}


def file_name(uri: str) -> str:
    """The last step of a path or URL, without its extension: the title of last resort."""
    path = unquote(urlsplit(uri).path) or uri
    return PurePosixPath(path.rstrip("/")).stem or uri
