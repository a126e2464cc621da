"""Word's binary format of 1997 to 2003 ([MS-DOC]): text by its piece table, with the properties that say what it is.

Read by ROMA's own code over olefile, because no kept library reads it without another program: the pieces say where the
characters are, two tables of 512-byte pages say which are hidden, deleted, raised, headings, cells and rows.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Final

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers import revisions
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder, ListItem, one_line, raise_digits
from roma_core.parsers.hyperlinks import link_text
from roma_core.parsers.office.ole_file import CUT_WARNING, OleContainer, open_ole
from roma_core.types import Document, RawDocument

_WORD_97: Final = 0xA5EC
_FIRST_VERSION: Final = 101
"""``nFib`` of the first version with this layout (Word 97 beta)."""
_PAGE: Final = 512
_MAX_FIELDS: Final = 100
"""Fields in one another that are followed; an honest file has three."""
_MAX_PAGES: Final = 200_000
"""Pages of properties that are followed; a document of 1,000 printed pages has some hundreds."""

# Places of the tables that are read in FibRgFcLcb ([MS-DOC] 2.5.6).
_NOTE_MARKS, _NOTE_TEXTS, _COMMENT_MARKS, _COMMENT_TEXTS = 2, 3, 4, 5
_CHARACTER_PAGES, _PARAGRAPH_PAGES, _PIECES, _END_MARKS, _END_TEXTS = 12, 13, 33, 46, 47

# Properties ([MS-DOC] 2.6) and the sizes of their operands by the top three bits.
_OPERAND_SIZES: Final = (1, 1, 2, 4, 2, 2, None, 3)
_DELETED, _INSERTED, _HIDDEN, _SCRIPT, _HEIGHT = 0x0800, 0x0801, 0x083C, 0x2A48, 0x4845
_IN_TABLE, _ROW_END, _INNER_CELL, _INNER_ROW_END, _DEPTH = 0x2416, 0x2417, 0x244B, 0x244C, 0x6649
_OUTLINE, _LIST_LEVEL, _LIST = 0x2640, 0x260A, 0x460B
_LONG_OPERANDS: Final = frozenset({0xD606, 0xD608})
"""Properties of tables whose operand begins with its size in two bytes, less one."""

_LINK: Final = "HYPERLINK"
_BREAKS: Final = {"\x0b": "\n", "\x0c": "\n", "\x0e": "\n", "\x1e": "\u2011", "\x1f": "", "\xa0": " ", "\t": " "}
_SILENT: Final = frozenset("\x00\x01\x02\x03\x04\x05\x06\x08\x0f\x10\x13\x14\x15")


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    """DOC. Raises ``MALFORMED``, ``ENCRYPTED``, ``UNSUPPORTED`` (Word 95 and older) and ``EMPTY``."""
    builder = DocumentBuilder(raw, options, "doc")
    with open_ole(raw.data, options.password) as container:
        builder.metadata = container.metadata()
        builder.title = builder.metadata.get("title")
        for name in container.embedded("ObjectPool"):
            builder.leave_out(name, "attachment", place="embedded object")
        try:
            file = _WordFile(container)
            if file.is_damaged or container.is_cut:
                builder.warn(CUT_WARNING)
            _WordFileWriter(builder, file).write()
        except (struct.error, IndexError, ValueError, OverflowError) as error:
            raise ParserError(
                "The Word file is damaged; open it in Word or LibreOffice and save it as .docx."
            ) from error
    return builder.build()


@dataclass(frozen=True)
class _Look:
    """Properties of a run of characters or of a paragraph."""

    is_hidden: bool = False
    is_deleted: bool = False
    is_inserted: bool = False
    is_raised: bool = False
    is_in_table: bool = False
    is_row_end: bool = False
    is_inner_cell: bool = False
    is_inner_row_end: bool = False
    depth: int = 0
    level: int = 0
    list_level: int | None = None


@dataclass(frozen=True)
class _Looks:
    """Properties by ranges of file offsets, in order."""

    starts: Sequence[int]
    looks: Sequence[_Look]

    def at(self, offset: int) -> _Look:
        index = bisect_right(self.starts, offset) - 1
        return self.looks[index] if index >= 0 else _Look()


class _WordFile:
    """The text of a file and what belongs to each character. Raises ``ParserError`` for what cannot be read."""

    def __init__(self, container: OleContainer) -> None:
        self.data = container.read("WordDocument")
        magic, version = struct.unpack_from("<HH", self.data)
        (flags,) = struct.unpack_from("<H", self.data, 10)
        if magic != _WORD_97 or version < _FIRST_VERSION:
            raise ParserError(
                "The file was saved by Word 95 or older; open it in Word or LibreOffice and save it as .docx.",
                ErrorCode.PARSER_UNSUPPORTED,
            )
        if flags & 0x0100:
            raise ParserError("The file is protected by a password; give the password.", ErrorCode.PARSER_ENCRYPTED)
        self.table = container.read("1Table" if flags & 0x0200 else "0Table")
        words = struct.unpack_from("<H", self.data, 32)[0]
        at = 34 + 2 * words
        numbers = struct.unpack_from("<H", self.data, at)[0]
        self.lengths = struct.unpack_from(f"<{numbers}I", self.data, at + 2)
        self._places_at = at + 2 + 4 * numbers + 2
        self._places_count = struct.unpack_from("<H", self.data, self._places_at - 2)[0]
        self.is_damaged = False
        """A part of the text is not where the file says."""
        self.text, self.offsets = self._read_pieces()
        self.characters = self._read_looks(_CHARACTER_PAGES, is_paragraph=False)
        self.paragraphs = self._read_looks(_PARAGRAPH_PAGES, is_paragraph=True)

    def part(self, index: int) -> tuple[int, int]:
        """Return the range of a part of the text.

        0 is the body, 1 footnotes, 2 headers, 3 macros, 4 comments, 5 endnotes, 6 and 7 text boxes.
        """
        sizes = [min(size, len(self.text)) for size in self.lengths[3:11]]
        start = sum(sizes[:index])
        return start, start + sizes[index]

    def table_of(self, index: int) -> bytes:
        """Return a table of the file; empty when there is none."""
        if index >= self._places_count:
            return b""
        start, size = struct.unpack_from("<II", self.data, self._places_at + 8 * index)
        return self.table[start : start + size]

    def positions(self, index: int, size: int) -> list[int]:
        """Return the character positions of a table whose entries have ``size`` further bytes each.

        Positions go up; what follows one that does not is damage.
        """
        data = self.table_of(index)
        count = max(0, (len(data) - 4) // (4 + size))
        positions = struct.unpack_from(f"<{count + 1}I", data) if len(data) >= 4 else ()
        falls = (number for number, (one, two) in enumerate(pairwise(positions), start=1) if two < one)
        return list(positions[: next(falls, len(positions))])

    def _read_pieces(self) -> tuple[str, list[int]]:
        """Return all text, and the offset of each character in the file."""
        data = self.table_of(_PIECES)
        at = 0
        while at < len(data) and data[at] == 1:
            at += 3 + struct.unpack_from("<H", data, at + 1)[0]
        if at >= len(data) or data[at] != 2:
            raise ValueError("no piece table")
        size = struct.unpack_from("<I", data, at + 1)[0]
        pieces = data[at + 5 : at + 5 + size]
        count = (len(pieces) - 4) // 12
        limits = struct.unpack_from(f"<{count + 1}I", pieces)
        texts: list[str] = []
        offsets: list[int] = []
        left_over = len(self.data)  # no byte belongs to two pieces
        for index in range(count):
            length = limits[index + 1] - limits[index]
            (place,) = struct.unpack_from("<I", pieces, 4 * (count + 1) + 8 * index + 2)
            is_packed = bool(place & 0x40000000)
            start = (place & 0x3FFFFFFF) // (2 if is_packed else 1)
            width = 1 if is_packed else 2
            if length < 0:
                self.is_damaged = True
                break
            size = min(length, left_over // width)
            left_over -= size * width
            part = self.data[start : start + size * width]
            self.is_damaged |= len(part) < length * width
            text = part.decode("cp1252", "replace") if is_packed else decode_units(part)
            text = text.ljust(size, "\0")  # so that the positions of what follows count as the file counts them
            texts.append(text)
            offsets += range(start, start + len(text) * width, width)
            if size < length:
                break
        return "".join(texts), offsets

    def _read_looks(self, index: int, *, is_paragraph: bool) -> _Looks:
        data = self.table_of(index)
        count = min((len(data) - 4) // 8, _MAX_PAGES)
        numbers = struct.unpack_from(f"<{count}I", data, 4 * (count + 1)) if count > 0 else ()
        found: dict[int, _Look] = {}
        for number in numbers:
            page = self.data[(number & 0x3FFFFF) * _PAGE :][:_PAGE]
            if len(page) == _PAGE:
                found |= dict(_read_page(page, is_paragraph=is_paragraph))
        starts = sorted(found)
        return _Looks(starts, [found[start] for start in starts])


def decode_units(data: bytes) -> str:
    """Return UTF-16 text in which each unit is one character, so that positions count as the file counts them."""
    return "".join(map(chr, struct.unpack(f"<{len(data) // 2}H", data[: len(data) // 2 * 2])))


def _read_page(page: bytes, *, is_paragraph: bool) -> Iterator[tuple[int, _Look]]:
    """Yield the offset at which each run begins and its properties; the end of a page has those of nothing."""
    count = page[-1]
    width = 13 if is_paragraph else 1
    limits = struct.unpack_from(f"<{count + 1}I", page)
    for index in range(count):
        place = page[4 * (count + 1) + width * index] * 2
        look = _Look()
        if place and is_paragraph:
            size = 2 * page[place] - 1 if page[place] else 2 * page[place + 1]
            start = place + (1 if page[place] else 2)
            (style,) = struct.unpack_from("<H", page, start)
            look = replace(look, level=style if 1 <= style <= 9 else 0)
            look = _apply(page[start + 2 : start + size], look)
        elif place:
            look = _apply(page[place + 1 : place + 1 + page[place]], look)
        yield limits[index], look


def _apply(properties: bytes, look: _Look) -> _Look:
    """Return ``look`` with a list of properties applied to it."""
    changes: dict[str, Any] = {}
    at = 0
    while at + 2 <= len(properties):
        (code,) = struct.unpack_from("<H", properties, at)
        at += 2
        size = _OPERAND_SIZES[code >> 13]
        if code in _LONG_OPERANDS:
            size = struct.unpack_from("<H", properties, at)[0] + 1
        elif size is None:
            size = 1 + properties[at] if at < len(properties) else 1
        operand = int.from_bytes(properties[at : at + min(size, 4)], "little")
        at += size
        name = _FLAGS.get(code)
        if name is not None:
            changes[name] = bool(operand & 1)
        elif code == _SCRIPT:
            changes["is_raised"] = operand == 1
        elif code == _HEIGHT:
            changes["is_raised"] = 0 < operand < 0x8000
        elif code == _DEPTH:
            changes["depth"] = min(operand, 20)
        elif code == _OUTLINE:
            changes["level"] = operand + 1 if operand <= 8 else 0
        elif code == _LIST_LEVEL:
            changes["list_level"] = min(operand, 8)
        elif code == _LIST and operand not in {0, 0xF801}:
            changes.setdefault("list_level", look.list_level or 0)
    return replace(look, **changes) if changes else look


_FLAGS: Final = {
    _DELETED: "is_deleted",
    _INSERTED: "is_inserted",
    _HIDDEN: "is_hidden",
    _IN_TABLE: "is_in_table",
    _ROW_END: "is_row_end",
    _INNER_CELL: "is_inner_cell",
    _INNER_ROW_END: "is_inner_row_end",
}


@dataclass
class _WordParagraph:
    """A paragraph: its text, the character that ends it, and its properties."""

    text: str
    end: str
    look: _Look


@dataclass
class _WordFileWriter:
    """Writes the parts of a document to a builder."""

    builder: DocumentBuilder
    file: _WordFile
    _marks: dict[int, str] = field(default_factory=dict)
    _items: list[ListItem] = field(default_factory=list)
    _rows: list[list[str]] = field(default_factory=list)
    _cells: list[str] = field(default_factory=list)
    _cell: list[str] = field(default_factory=list)
    _inner: list[str] = field(default_factory=list)

    def write(self) -> None:
        notes = [*self._notes(_NOTE_MARKS, _NOTE_TEXTS, 1, ""), *self._notes(_END_MARKS, _END_TEXTS, 5, "e")]
        for line in self._lines(*self.file.part(0)):
            self._write_line(line)
        self._flush()
        for index in (6, 7):
            for line in self._lines(*self.file.part(index)):
                self._write_line(line)
            self._flush()
        for label, text in notes:
            self.builder.footnote(label, text)
        for author, text in self._comments():
            self.builder.comment(author, text)
        for line in self._lines(*self.file.part(2)):
            self.builder.leave_out(line.text, "furniture", place="header or footer")

    def _notes(self, marks: int, texts: int, part: int, prefix: str) -> list[tuple[str, str]]:
        """Return label and text of each note, and remember where its mark stands."""
        notes: list[tuple[str, str]] = []
        start, _ = self.file.part(part)
        limits = self.file.positions(texts, 0)
        for number, place in enumerate(self.file.positions(marks, 2)[:-1], start=1):
            if number >= len(limits):
                break
            label = f"{prefix}{number}"
            self._marks[place] = f"[^{label}]"
            lines = self._lines(start + limits[number - 1], start + limits[number])
            notes.append((label, " ".join(line.text for line in lines)))
        return notes

    def _comments(self) -> Iterator[tuple[str | None, str]]:
        start, _ = self.file.part(4)
        limits = self.file.positions(_COMMENT_TEXTS, 0)
        marks = self.file.table_of(_COMMENT_MARKS)
        count = max(0, (len(marks) - 4) // 34)
        for number in range(min(count, len(limits) - 1)):
            entry = marks[4 * (count + 1) + 30 * number :][:30]
            initials = decode_units(entry[2 : 2 + 2 * min(entry[0], 9)]) if entry else ""
            lines = self._lines(start + limits[number], start + limits[number + 1])
            yield one_line(initials) or None, " ".join(line.text for line in lines)

    def _lines(self, start: int, end: int) -> Iterator[_WordParagraph]:
        """Yield the paragraphs between two positions."""
        end = min(end, len(self.file.text))
        begin = start
        for position in range(start, end):
            if self.file.text[position] in "\r\x07":
                look = self.file.paragraphs.at(self.file.offsets[position])
                yield _WordParagraph(self._read(begin, position), self.file.text[position], look)
                begin = position + 1
        if begin < end:
            yield _WordParagraph(self._read(begin, end), "\r", self.file.paragraphs.at(self.file.offsets[end - 1]))

    def _read(self, start: int, end: int) -> str:
        """Return the text between two positions as a reader sees it: fields by what they show."""
        parts: list[str] = []
        fields: list[tuple[int, str]] = []
        code: list[str] = []
        in_code = 0
        for begin, stop, look in self._runs(start, end):
            plain: list[str] = []
            for position in range(begin, stop):
                char = self.file.text[position]
                if char == "\x13" and len(fields) < _MAX_FIELDS:
                    in_code += 1
                    code.clear()
                    _put(parts, plain, look, self.builder)
                    fields.append((len(parts), ""))
                elif char == "\x14" and fields:
                    in_code = max(0, in_code - 1)
                    fields[-1] = (len(parts), "".join(code))
                elif char == "\x15" and fields:
                    _put(parts, plain, look, self.builder)
                    at, instruction = fields.pop()
                    in_code = in_code if instruction else max(0, in_code - 1)
                    parts[at:] = [_link("".join(parts[at:]), instruction)]
                elif in_code:
                    code.append(char)
                elif position in self._marks:
                    plain.append(self._marks[position])
                elif char not in _SILENT:
                    plain.append(_BREAKS.get(char, char))
            _put(parts, plain, look, self.builder)
        text = "".join(parts)
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").strip()

    def _runs(self, start: int, end: int) -> Iterator[tuple[int, int, _Look]]:
        """Yield the runs of characters with the same properties between two positions."""
        begin = start
        look: _Look | None = None
        for position in range(start, end):
            own = self.file.characters.at(self.file.offsets[position])
            if look is not None and own != look:
                yield begin, position, look
                begin = position
            look = own
        if look is not None:
            yield begin, end, look

    def _write_line(self, line: _WordParagraph) -> None:
        if line.look.is_in_table or line.end == "\x07":
            self._write_cell(line)
            return
        self._flush_rows()
        if line.text and line.look.level:
            self._flush()
            self.builder.heading(line.text, line.look.level)
        elif line.text and line.look.list_level is not None:
            self.builder.warn("the numbers of automatic lists are not read from .doc files")
            self._items.append(ListItem(line.text, line.look.list_level))
        elif line.text:
            self._flush()
            self.builder.paragraph(line.text)

    def _write_cell(self, line: _WordParagraph) -> None:
        """Collect a table: a mark ends each cell and each row; a table inside a cell is lines of it."""
        self._flush_items()
        look = line.look
        if line.end == "\x07" and look.is_row_end:
            self._rows.append(self._cells)
            self._cells = []
        elif line.end == "\x07":
            self._cells.append("\n".join(filter(None, [*self._cell, line.text])))
            self._cell = []
        elif look.is_inner_row_end:
            self._cell.append(" | ".join(self._inner))
            self._inner = []
        elif look.is_inner_cell:
            self._inner.append(line.text)
        elif line.text:
            self._cell.append(line.text)

    def _flush_rows(self) -> None:
        rows = [*self._rows, self._cells] if self._cells else self._rows
        self._rows, self._cells = [], []
        if rows:
            self.builder.table(rows)

    def _flush_items(self) -> None:
        if self._items:
            self.builder.list(self._items)
            self._items = []

    def _flush(self) -> None:
        self._flush_rows()
        self._flush_items()


def _put(parts: list[str], plain: list[str], look: _Look, builder: DocumentBuilder) -> None:
    """Move the characters in ``plain`` to ``parts``, as their properties say."""
    text = "".join(plain)
    plain.clear()
    if not text:
        return
    if look.is_hidden:
        builder.leave_out(text, "hidden", place="hidden text")
        return
    text = raise_digits(text) if look.is_raised else text
    if look.is_deleted or look.is_inserted:
        text = revisions.write_change(builder, "deleted" if look.is_deleted else "inserted", text)
    parts.append(text)


def _link(text: str, instruction: str) -> str:
    _, found, rest = instruction.partition(_LINK)
    words = rest.split('"')
    return link_text(text, words[1]) if found and len(words) > 1 else text
