"""Pipe tables of a document at exact offsets: rows, header and caption. Pure.

A row alone says nothing: what its cells mean stands in the header, and what they are about in the caption. So a row is
cited together with both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from roma_core.types import Block, Document

MOST_CAPTION_CHARS = 300
MOST_FRAMED_CHARS = 2000
"""Characters from the caption of a table to a row up to which they are one quote. A row farther down is quoted alone;
its header is a quote of its own."""

_ROW = re.compile(r"^[ \t]*\|(?P<body>.*?)\|?[ \t]*$")
_RULE = re.compile(r"^[ \t]*\|?(?:[ \t]*:?-+:?[ \t]*\|)*[ \t]*:?-+:?[ \t]*\|?[ \t]*$")
_CELL_END = re.compile(r"(?<!\\)\|")
_CAPTION = re.compile(r"(?:table|tab\.|tabelle|figure)\s*\w*\d|.*[:：]\s*$", re.IGNORECASE)
_CAPTION_BELOW = re.compile(r"[*_]*(?:table|tab\.|tabelle)\s*\w{0,2}\d", re.IGNORECASE)
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+(?P<title>.*?)\s*#*\s*$")
_MOST_BLANK_LINES = 1
"""Blank lines between a table and its caption."""


@dataclass(frozen=True)
class TableRow:
    """A line of a table: ``document.text[start:end]`` is the whole line."""

    start: int
    end: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class TableCaption:
    """The line that says what a table shows: ``document.text[start:end]``, and its words."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Table:
    """A table of a document with the words that it stands under."""

    document: Document
    header: TableRow
    rows: tuple[TableRow, ...]
    headings: tuple[str, ...]
    captioned_by: TableCaption | None = None
    """Its caption, above or below it."""

    @property
    def caption(self) -> str:
        """The words of the caption; empty where it has none."""
        return self.captioned_by.text if self.captioned_by is not None else ""

    @property
    def about(self) -> str:
        """The words that say what the table is about, its header left out."""
        return "\n".join((self.document.title, *self.headings, self.caption))

    def find_span(self, rows: tuple[TableRow, ...]) -> tuple[int, int]:
        """Return the one span that holds the caption, the header and ``rows``."""
        places = [(self.header.start, self.header.end), *((row.start, row.end) for row in rows)]
        if self.captioned_by is not None:
            places.append((self.captioned_by.start, self.captioned_by.end))
        return min(start for start, _ in places), max(end for _, end in places)


def read_tables(document: Document) -> list[Table]:
    """Return the pipe tables of a document that have a header of several columns and a row, in order.

    >>> text = "| Tool | Price |\\n| --- | --- |\\n| saw | 9 € |\\n| wet saw | 31 € |"
    >>> document = Document(id="1", uri="a.md", title="A", text=text, content_sha256="", parser="markdown/1")
    >>> [table.header.cells for table in read_tables(document)]
    [('Tool', 'Price')]
    """
    return list(_read_tables(document))


def _read_tables(document: Document) -> Iterator[Table]:
    captions = _PlacedCaptions.of(document)
    group: list[tuple[int, str]] = []
    for start, line in _lines_of(document.text):
        if is_table_row(line):
            group.append((start, line))
        elif group:
            yield from _make_tables(document, group, captions)
            group = []
    yield from _make_tables(document, group, captions)


def _lines_of(text: str) -> Iterator[tuple[int, str]]:
    offset = 0
    for line in text.split("\n"):
        yield offset, line
        offset += len(line) + 1


def _make_tables(document: Document, lines: Sequence[tuple[int, str]], captions: _PlacedCaptions) -> Iterator[Table]:
    rows = [_read_row(start, line) for start, line in lines if not _RULE.match(line)]
    if len(rows) >= 2 and len(rows[0].cells) >= 2:
        header = rows[0]
        last_start, last_line = lines[-1]
        caption = _find_caption(document.text, captions, lines[0][0], last_start + len(last_line))
        yield Table(document, header, tuple(rows[1:]), document.headings_at(header.start), caption)


def is_table_row(line: str) -> bool:
    """Return whether a line is a row of a pipe table.

    >>> is_table_row("| pear | 3 |"), is_table_row("either | or")
    (True, False)
    """
    return line.lstrip().startswith("|") and line.count("|") >= 2


def split_cells(line: str) -> tuple[str, ...]:
    """Return the cells of a row, with or without the bars around it.

    >>> split_cells("| wet saw | 31 € |"), split_cells("wet saw | 31 €")
    (('wet saw', '31 €'), ('wet saw', '31 €'))
    """
    match = _ROW.match(line)
    body = match["body"] if match else line
    return tuple(cell.strip().replace("\\|", "|") for cell in _CELL_END.split(body))


def _read_row(start: int, line: str) -> TableRow:
    indent = len(line) - len(line.lstrip())
    return TableRow(start + indent, start + len(line.rstrip()), split_cells(line))


@dataclass(frozen=True)
class _PlacedCaptions:
    """The captions that the parser found, and whether those of this document stand below their tables."""

    blocks: tuple[Block, ...]
    are_below: bool

    @staticmethod
    def of(document: Document) -> _PlacedCaptions:
        """Return the captions of a document. Most tables decide: between two of them a caption is beside both."""
        blocks = document.blocks
        above = below = 0
        for at, block in enumerate(blocks):
            if block.kind == "table":
                above += at > 0 and blocks[at - 1].kind == "caption"
                below += at + 1 < len(blocks) and blocks[at + 1].kind == "caption"
        return _PlacedCaptions(tuple(block for block in blocks if block.kind == "caption"), below > above)

    def find(self, text: str, start: int, end: int) -> Block | None:
        """Return the caption of the table in ``text[start:end]``."""
        short = [block for block in self.blocks if block.end - block.start <= MOST_CAPTION_CHARS]
        above = next((b for b in short if b.end <= start and not text[b.end : start].strip()), None)
        below = next((b for b in short if b.start >= end and not text[end : b.start].strip()), None)
        if self.are_below:
            return below or above
        return above or (below if below is not None and not _leads_to_table(text, below.end) else None)


def _find_caption(text: str, captions: _PlacedCaptions, start: int, end: int) -> TableCaption | None:
    """Return the caption of the table in ``text[start:end]``: as the parser found it, else by its words."""
    block = captions.find(text, start, end)
    if block is not None:
        return TableCaption(block.start, block.end, " ".join(block.of(text).split()))
    above = _line_above(text, start)
    if above is not None:
        heading = _HEADING.match(text[slice(*above)])
        if heading:
            return TableCaption(*above, heading["title"])
        plain = text[slice(*above)].strip("*_ ")
        if len(plain) <= MOST_CAPTION_CHARS and _CAPTION.match(plain):
            return TableCaption(*above, plain)
    below = _line_below(text, end)
    if below is not None:
        plain = text[slice(*below)].strip("*_ ")
        if len(plain) <= MOST_CAPTION_CHARS and _CAPTION_BELOW.match(plain) and not _leads_to_table(text, below[1]):
            return TableCaption(*below, plain)
    return None


def _leads_to_table(text: str, end: int) -> bool:
    """Return whether a table follows the line that ends here: what stands above a table belongs to that one."""
    below = _line_below(text, _line_end(text, end))
    return below is not None and is_table_row(text[slice(*below)])


def _line_above(text: str, start: int) -> tuple[int, int] | None:
    """Return the line above an offset, at most one blank line away, without the blanks around it."""
    end = text.rfind("\n", 0, start)
    for _ in range(_MOST_BLANK_LINES + 1):
        if end < 0:
            return None
        begin = text.rfind("\n", 0, end) + 1
        line = text[begin:end]
        if line.strip():
            return begin + len(line) - len(line.lstrip()), begin + len(line.rstrip())
        end = begin - 1
    return None


def _line_below(text: str, end: int) -> tuple[int, int] | None:
    """Return the line below an offset that ends a line, at most one blank line away."""
    begin = text.find("\n", end) + 1
    for _ in range(_MOST_BLANK_LINES + 1):
        if begin <= 0 or begin >= len(text):
            return None
        stop = text.find("\n", begin)
        stop = len(text) if stop < 0 else stop
        line = text[begin:stop]
        if line.strip():
            return begin + len(line) - len(line.lstrip()), begin + len(line.rstrip())
        begin = stop + 1
    return None


def frame_rows(document: Document, start: int, end: int, least: int, most: int) -> tuple[int, int]:
    """Return the span of rows of a table together with its header and caption, within ``least`` and ``most``.

    Anything else than rows is returned as it is, and so is a row that is too far below its header.

    >>> text = "| Tool | Price |\\n| --- | --- |\\n| wet saw | 31 € |"
    >>> document = Document(id="1", uri="a.md", title="A", text=text, content_sha256="", parser="markdown/1")
    >>> frame_rows(document, text.index("wet"), len(text), 0, len(text)) == (0, len(text))
    True
    """
    text = document.text
    first, last = _line_start(text, start), _line_end(text, max(start, end - 1))
    if not all(is_table_row(line) for line in text[first:last].split("\n")):
        return start, end
    header = _find_first_row(text, first, least)
    if header is None or last > most or last - header > MOST_FRAMED_CHARS:
        return start, end
    below = _find_last_end(text, last, most)
    caption = _find_caption(text, _PlacedCaptions.of(document), header, below)
    if caption is None:
        return header, last
    framed = min(header, caption.start), max(last, caption.end)
    fits = least <= framed[0] and framed[1] <= most and framed[1] - framed[0] <= MOST_FRAMED_CHARS
    return framed if fits else (header, last)


def _find_first_row(text: str, start: int, least: int) -> int | None:
    """Return the offset of the header above a row; None where a rule does not say that there is one."""
    at = start
    while at > least:
        before = _line_start(text, at - 1)
        if before < least or not is_table_row(text[before : at - 1]):
            break
        if start - before > MOST_FRAMED_CHARS:
            return None
        at = before
    under = _line_end(text, at) + 1
    has_rule = under < len(text) and _RULE.match(text[under : _line_end(text, under)]) is not None
    return at if has_rule else None


def _find_last_end(text: str, end: int, most: int) -> int:
    """Return the end of the last row of the table that continues after ``end``."""
    at = end
    while at + 1 < most:
        stop = _line_end(text, at + 1)
        if not is_table_row(text[at + 1 : stop]):
            break
        at = stop
    return at


def _line_start(text: str, place: int) -> int:
    return text.rfind("\n", 0, place) + 1


def _line_end(text: str, place: int) -> int:
    end = text.find("\n", place)
    return len(text) if end < 0 else end


def read_cited_words(quote: str) -> str:
    """Return the words that a quote is cited for: of a table its last row, else all of it.

    >>> read_cited_words("| Tool | Price |\\n| --- | --- |\\n| wet saw | 31 € |")
    '| wet saw | 31 € |'
    """
    rows = [line for line in quote.split("\n") if is_table_row(line)]
    return rows[-1] if rows else quote


def skip_rows(quote: str) -> str:
    """Return a quote for display: of a table its caption, its header and the last row, which is the cited one.

    A quote that ends behind the table, with a caption below it, stays whole: any of its rows may be the cited one.

    >>> print(skip_rows("| Tool | Price |\\n| --- | --- |\\n| hammer | 9 € |\\n| saw | 2 € |\\n| wet saw | 31 € |"))
    | Tool | Price |
    | --- | --- |
    | … |
    | wet saw | 31 € |
    """
    lines = quote.split("\n")
    rule = next((at for at, line in enumerate(lines) if at > 0 and _RULE.match(line) and is_table_row(line)), None)
    if rule is None:
        return quote
    rows = [at for at in range(rule + 1, len(lines)) if is_table_row(lines[at])]
    if len(rows) < 3 or any(line.strip() for line in lines[rows[-1] + 1 :]):
        return quote
    return "\n".join([*lines[: rows[0]], "| … |", *lines[rows[-1] :]])
