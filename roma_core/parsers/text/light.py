"""Light markup (Org, AsciiDoc, MediaWiki): headings, lists, tables, code and prose of each as blocks.

One reader goes through the lines; what differs between the languages is a table of their marks. What only sets type
(bold, links' addresses, comments) goes, words stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from re import Match, Pattern

from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder, ListItem
from roma_core.parsers.text.encodings import decode
from roma_core.types import Document, RawDocument


@dataclass(frozen=True)
class Marks:
    """Marks of one language, each a pattern that a whole line matches."""

    heading: Pattern[str]
    """Group 1 is as long as the heading is deep, group 2 its words."""
    title: Pattern[str]
    code_begin: Pattern[str]
    code_end: Callable[[Match[str]], str]
    """The line that ends the code which the match began."""
    table_begin: Pattern[str] | None
    table_end: Pattern[str]
    comment: Pattern[str]
    item: Pattern[str]
    """Group 1 is the indentation or the repeated mark, ``label`` the number if it has one, the last group the words."""
    inline: tuple[tuple[Pattern[str], str], ...]
    read_rows: Callable[[list[str]], list[list[str]]]
    first_level: int = 1
    note: Pattern[str] | None = None
    """A note that is written inside of the text; group 1 is its words."""


def _never() -> Pattern[str]:
    return re.compile(r"(?!)")


def _cells(line: str, mark: str = "|") -> list[str]:
    return [cell.strip() for cell in line.strip().strip(mark).split(mark)]


def _read_org_rows(lines: list[str]) -> list[list[str]]:
    return [_cells(line) for line in lines if not re.fullmatch(r"\s*\|[-+|\s]*", line)]


def _read_asciidoc_rows(lines: list[str]) -> list[list[str]]:
    """A line holds a row's cells; where each line holds one cell, the first block of lines says how many a row has."""
    body = [line for line in lines if not line.startswith("|===")]
    rows = [[cell.strip() for cell in line.split("|")[1:]] for line in body if line.strip().startswith("|")]
    if all(len(row) == 1 for row in rows) and len(rows) > 1:
        blank = next((n for n, line in enumerate(body) if n and not line.strip()), len(body))
        width = max(1, sum(line.strip().startswith("|") for line in body[:blank]))
        cells = [row[0] for row in rows]
        return [cells[i : i + width] for i in range(0, len(cells), width)]
    return rows


def _read_wiki_rows(lines: list[str]) -> list[list[str]]:
    rows: list[list[str]] = [[]]
    for line in lines:
        text = line.strip()
        if text.startswith("|-"):
            rows.append([])
        elif text.startswith(("|+", "{|", "|}")):
            continue
        elif text.startswith(("|", "!")):
            parts = re.split(r"\|\||!!", text[1:])
            rows[-1] += [re.sub(r"^[^|\[\]]*\|(?!\|)", "", part).strip() for part in parts]
    return [row for row in rows if row]


ORG = Marks(
    heading=re.compile(r"(\*+)\s+(?:(?:TODO|DONE)\s+)?(.*?)(?:\s+:[\w@:]+:)?\s*"),
    title=re.compile(r"#\+title:\s*(.+)", re.IGNORECASE),
    code_begin=re.compile(r"\s*#\+begin_(src|example|verse|export)\b\s*(\S*).*", re.IGNORECASE),
    code_end=lambda match: rf"\s*#\+end_{match[1]}\s*",
    table_begin=re.compile(r"\s*\|.*"),
    table_end=re.compile(r"(?!\s*\|).*"),
    comment=re.compile(r"\s*#(?:\s.*|\+(?!title).*)?|\s*:(?:PROPERTIES|END|[\w-]+):.*", re.IGNORECASE),
    item=re.compile(r"(\s*)(?:[-+]|(?P<label>\d+[.)]))\s+(?P<words>.*)"),
    inline=(
        (re.compile(r"^\[fn:([\w-]+)\]\s+"), r"[^\1]: "),
        (re.compile(r"\[fn:([\w-]+)\]"), r"[^\1]"),
        (re.compile(r"\[\[([^\]\n]+)\]\[([^\]\n]+)\]\]"), r"\2"),
        (re.compile(r"\[\[([^\]\n]+)\]\]"), r"\1"),
        (re.compile(r"(?<!\w)[=~]([^=~\n]+)[=~](?!\w)"), r"`\1`"),
        (re.compile(r"(?<!\w)\*(\S[^*\n]*)\*(?!\w)"), r"**\1**"),
        (re.compile(r"(?<![\w:/])/(\S[^/\n]*)/(?!\w)"), r"*\1*"),
    ),
    read_rows=_read_org_rows,
)

ASCIIDOC = Marks(
    heading=re.compile(r"(={2,6})\s+(.*)"),
    title=re.compile(r"=\s+(.*)"),
    code_begin=re.compile(r"(-{4,}|\.{4,}|`{3,})\s*(\w*)"),
    code_end=lambda match: re.escape(match[1]),
    table_begin=re.compile(r"\|===\s*"),
    table_end=re.compile(r"\|===\s*"),
    comment=re.compile(r"//.*|:[\w-]+:.*|\[[^\]]*\]|\+"),
    item=re.compile(r"\s*([*.-]{1,5}|(?P<label>\d+[.)]))\s+(?P<words>.*)"),
    inline=(
        (re.compile(r"(?:link:|https?://)\S*?\[([^\]\n]+)\]"), r"\1"),
        (re.compile(r"<<[^,>\n]+,\s*([^>\n]+)>>"), r"\1"),
        (re.compile(r"(?<!\w)_(\S[^_\n]*)_(?!\w)"), r"*\1*"),
        (re.compile(r"(?<![\w*])\*(\S[^*\n]*)\*(?![\w*])"), r"**\1**"),
    ),
    read_rows=_read_asciidoc_rows,
    first_level=2,
    note=re.compile(r"footnote:\w*\[([^\]\n]+)\]"),
)

WIKI = Marks(
    heading=re.compile(r"(={1,6})\s*(.*?)\s*=+\s*"),
    title=_never(),
    code_begin=re.compile(r"<(pre|syntaxhighlight|source)\b(?:[^>]*lang=\"(\w+)\")?[^>]*>\s*"),
    code_end=lambda match: rf"\s*</{match[1]}>\s*",
    table_begin=re.compile(r"\s*\{\|.*"),
    table_end=re.compile(r"\s*\|\}.*"),
    comment=re.compile(r"<!--.*?-->|\[\[(?:Category|Kategorie|File|Image|Datei):[^\]]*\]\]|__\w+__", re.IGNORECASE),
    item=re.compile(r"([*#:;]+)\s*(.*)"),
    inline=(
        (re.compile(r"<ref\b[^>]*/>"), ""),
        (re.compile(r"\[\[(?:[^\]|\n]*\|)?([^\]|\n]+)\]\]"), r"\1"),
        (re.compile(r"\[https?://\S+\s+([^\]\n]+)\]"), r"\1"),
        (re.compile(r"'''(.+?)'''"), r"**\1**"),
        (re.compile(r"''(.+?)''"), r"*\1*"),
    ),
    read_rows=_read_wiki_rows,
    first_level=2,
    note=re.compile(r"<ref\b[^>/]*>(.*?)</ref>"),
)


def parse_org(raw: RawDocument, options: ParseOptions) -> Document:
    """Read Org. Raises ``EMPTY``."""
    return _parse(raw, options, "org", ORG)


def parse_asciidoc(raw: RawDocument, options: ParseOptions) -> Document:
    """Read AsciiDoc. Raises ``EMPTY``."""
    return _parse(raw, options, "asciidoc", ASCIIDOC)


def parse_wiki(raw: RawDocument, options: ParseOptions) -> Document:
    """Read MediaWiki's markup. Raises ``EMPTY``."""
    return _parse(raw, options, "wiki", WIKI)


def _parse(raw: RawDocument, options: ParseOptions, name: str, marks: Marks) -> Document:
    builder = DocumentBuilder(raw, options, name)
    text = decode(raw.data, warn=builder.warn)
    _LineReader(builder, marks).read(text.split("\n"))
    return builder.build()


class LineSource:
    """Lines one after the other, of which the last can be put back."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._next = 0

    def __iter__(self) -> Iterator[str]:
        while self._next < len(self._lines):
            self._next += 1
            yield self._lines[self._next - 1]

    def put_back(self, line: str) -> None:
        """Read ``line``, which was the last, once more."""
        self._next -= 1
        self._lines[self._next] = line


@dataclass
class _LineReader:
    """Reads lines; prose and list items wait until something else begins."""

    builder: DocumentBuilder
    marks: Marks
    prose: list[str] = field(default_factory=list)
    items: list[ListItem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def read(self, lines: list[str]) -> None:
        source = LineSource(lines)
        for line in source:
            if self._read_block(line, source):
                continue
            item = self.marks.item.fullmatch(line)
            if item:
                self._flush_prose()
                self.items.append(self._make_item(item))
            elif not line.strip():
                self._flush()
            elif self.items and line.startswith(" "):
                last = self.items.pop()
                self.items.append(ListItem(f"{last.text} {self._plain(line.strip())}", last.depth, last.marker))
            else:
                self._flush_items()
                self.prose.append(self._plain(line))
        self._flush()
        for number, note in enumerate(self.notes, start=1):
            self.builder.footnote(str(number), note)

    def _read_block(self, line: str, source: LineSource) -> bool:
        """Read a title, heading, table, code or comment that begins with ``line``; False when it is none."""
        marks = self.marks
        title = marks.title.fullmatch(line)
        heading = None if title else marks.heading.fullmatch(line)
        code = marks.code_begin.fullmatch(line)
        is_table = marks.table_begin is not None and marks.table_begin.fullmatch(line) is not None
        if not (title or heading or code or is_table or marks.comment.fullmatch(line)):
            return False
        self._flush()
        if title:
            self.builder.title = self._plain(title[1])
            self.builder.heading(self.builder.title, 1, section=False)
        elif heading:
            level = max(1, len(heading[1]) - marks.first_level + 1)
            self.builder.heading(self._plain(heading[2]), level)
        elif code:
            self._read_code(code, source)
        elif is_table:
            self._read_table(line, source)
        else:
            self.builder.leave_out(line, "hidden", place="comment or setting")
        return True

    def _read_code(self, begin: Match[str], source: LineSource) -> None:
        end = re.compile(self.marks.code_end(begin), re.IGNORECASE)
        lines: list[str] = []
        for line in source:
            if end.fullmatch(line):
                break
            lines.append(line)
        self.builder.code("\n".join(lines), (begin[2] or "") if begin.re.groups > 1 else "")

    def _read_table(self, first: str, source: LineSource) -> None:
        lines = [first]
        for line in source:
            if self.marks.table_end.fullmatch(line):
                if not line.strip().startswith("|"):
                    source.put_back(line)
                break
            lines.append(line)
        rows = [[self._plain(cell) for cell in row] for row in self.marks.read_rows(lines)]
        self.builder.table(rows)

    def _make_item(self, match: Match[str]) -> ListItem:
        mark = match[1]
        depth = len(mark) // 2 if not mark.strip() else len(mark) - 1
        groups = match.groupdict()
        label = groups.get("label")
        depth = 0 if mark == label else depth
        return ListItem(self._plain(groups.get("words") or match[match.re.groups]), depth, label or "-")

    def _take_note(self, match: Match[str]) -> str:
        self.notes.append(self._plain(match[1]))
        return f"[^{len(self.notes)}]"

    def _plain(self, text: str) -> str:
        if self.marks.note is not None:
            text = self.marks.note.sub(self._take_note, text)
        for pattern, replacement in self.marks.inline:
            text = pattern.sub(replacement, text)
        return text

    def _flush_prose(self) -> None:
        if self.prose:
            self.builder.paragraph("\n".join(self.prose))
            self.prose = []

    def _flush_items(self) -> None:
        if self.items:
            self.builder.list(self.items)
            self.items = []

    def _flush(self) -> None:
        self._flush_prose()
        self._flush_items()
