"""PowerPoint's binary format of 1997 to 2003 ([MS-PPT]): slides in order, their text as it stands on them, and notes.

A file holds every version that was saved; the directories of persistent objects say which records are the newest.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder, ListItem, one_line
from roma_core.parsers.office.ole_file import CUT_WARNING, open_ole
from roma_core.parsers.office.slide_order import Rectangle, reading_order
from roma_core.types import Document, RawDocument

# Types of records ([MS-PPT] 2.13.24, [MS-ODRAW] 2.2).
_DIRECTORY, _USER_EDIT, _SLIDE_LIST, _SLIDE_ENTRY = 0x1772, 0x0FF5, 0x0FF0, 0x03F3
_TEXT_KIND, _TEXT_UNITS, _TEXT_BYTES, _TEXT_REFERENCE = 0x0F9F, 0x0FA0, 0x0FA8, 0x0F9E
_SLIDE_FACTS, _SHOW_FACTS, _DRAWING = 0x03EF, 0x03F9, 0x040C
_GROUP, _SHAPE, _CHILD_PLACE, _PLACE, _TEXT_BOX = 0xF003, 0xF004, 0xF00F, 0xF010, 0xF00D
_MORE_OPTIONS, _TABLE_OPTION = 0xF122, 0x039F
_TITLES: Final = frozenset({0, 6})
_BODIES: Final = frozenset({1, 5, 7, 8})
_NOTES: Final = 2
_ENCRYPTED_TOKEN: Final = 0xF3D1C4DF
_MAX_DEPTH: Final = 40
_MAX_EDITS: Final = 10_000
_MAX_TABLE_CELLS: Final = 20_000
"""Places in the grid of a table; PowerPoint makes tables of at most 75 rows and columns."""
_BREAKS: Final = str.maketrans({"\x0b": "\n", "\t": " "})


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    """PPT. Raises ``MALFORMED``, ``ENCRYPTED`` and ``EMPTY``."""
    builder = DocumentBuilder(raw, options, "ppt")
    with open_ole(raw.data, options.password) as container:
        builder.metadata = container.metadata()
        builder.title = builder.metadata.get("title")
        try:
            presentation = _Presentation(container.read("PowerPoint Document"), container.read("Current User"))
            if container.is_cut:
                builder.warn(CUT_WARNING)
            for number, slide in enumerate(presentation.slides, start=1):
                if options.pages is None or number in options.pages:
                    _write_slide(builder, presentation, slide, number)
        except (struct.error, IndexError, ValueError, OverflowError) as error:
            raise ParserError(
                "The presentation is damaged; open it in PowerPoint or LibreOffice and save it as .pptx."
            ) from error
    return builder.build()


class _BinaryRecord(NamedTuple):
    """A record: its type, its instance, and where its content is."""

    kind: int
    instance: int
    start: int
    end: int
    is_container: bool


@dataclass
class _SlideText:
    """A text of a slide: what it is for, and its paragraphs."""

    kind: int
    lines: list[str]
    place: Rectangle | None = None
    rows: list[list[str]] = field(default_factory=list)
    """Cells of a table; empty for other shapes."""


@dataclass
class _Slide:
    """A slide's number among the stored objects, its own number, and the texts of its outline."""

    object_id: int
    slide_id: int
    outline: list[_SlideText] = field(default_factory=list)


class _Presentation:
    """The newest version of a presentation."""

    def __init__(self, data: bytes, user: bytes) -> None:
        self.data = data
        token, edit = struct.unpack_from("<II", user, 12)
        if token == _ENCRYPTED_TOKEN:
            raise ParserError(
                "The presentation is protected by a password; give the password.", ErrorCode.PARSER_ENCRYPTED
            )
        self.offsets, document = self._read_directories(edit)
        root = self.record_at(self.offsets[document])
        lists = [record for record in self.children(root) if record.kind == _SLIDE_LIST]
        listed = [slide for record in lists if record.instance == 0 for slide in self._read_list(record)]
        self.slides = list({slide.object_id: slide for slide in listed}.values())
        notes = [slide for record in lists if record.instance == 2 for slide in self._read_list(record)]
        self.notes = {note.slide_id: note for note in notes}

    def _read_directories(self, edit: int) -> tuple[dict[int, int], int]:
        """Return the offset of each stored object, and the number of the document; newer edits come first."""
        offsets: dict[int, int] = {}
        document: int | None = None
        seen: set[int] = set()
        while edit and edit not in seen and len(seen) < _MAX_EDITS:
            seen.add(edit)
            record = self.record_at(edit)
            if record.kind != _USER_EDIT:
                raise ValueError("no edit where one is expected")
            _, _, before, directory, own = struct.unpack_from("<IIIII", self.data, record.start)
            document = own if document is None else document
            for number, offset in self._read_directory(self.record_at(directory)):
                offsets.setdefault(number, offset)
            edit = before
        if document is None:
            raise ValueError("no edit")
        return offsets, document

    def _read_directory(self, record: _BinaryRecord) -> Iterator[tuple[int, int]]:
        at = record.start
        while record.kind == _DIRECTORY and at + 4 <= record.end:
            (head,) = struct.unpack_from("<I", self.data, at)
            first, count = head & 0xFFFFF, head >> 20
            values = struct.unpack_from(f"<{count}I", self.data, at + 4)
            yield from enumerate(values, start=first)
            at += 4 + 4 * count

    def record_at(self, offset: int, limit: int | None = None) -> _BinaryRecord:
        """Return the record that begins at an offset; it ends at ``limit`` at the latest."""
        head, kind, size = struct.unpack_from("<HHI", self.data, offset)
        end = min(offset + 8 + size, len(self.data) if limit is None else limit)
        return _BinaryRecord(kind, head >> 4, offset + 8, end, head & 0xF == 0xF)

    def children(self, parent: _BinaryRecord) -> Iterator[_BinaryRecord]:
        """Yield the records inside of another."""
        at = parent.start
        while at + 8 <= parent.end:
            record = self.record_at(at, parent.end)
            yield record
            at = record.end

    def find(self, parent: _BinaryRecord, kind: int) -> _BinaryRecord | None:
        """Return the first record of a kind inside of another."""
        return next((record for record in self.children(parent) if record.kind == kind), None)

    def _read_list(self, record: _BinaryRecord) -> Iterator[_Slide]:
        """Yield the slides of a list, each with the texts that follow its entry."""
        slide: _Slide | None = None
        for entry in self.children(record):
            if entry.kind == _SLIDE_ENTRY:
                if slide is not None:
                    yield slide
                object_id, _, _, slide_id = struct.unpack_from("<IIII", self.data, entry.start)
                slide = _Slide(object_id, slide_id)
            elif slide is not None:
                self._take_text(slide.outline, entry)
        if slide is not None:
            yield slide

    def _take_text(self, texts: list[_SlideText], record: _BinaryRecord) -> None:
        if record.kind == _TEXT_KIND:
            texts.append(_SlideText(struct.unpack_from("<I", self.data, record.start)[0], []))
        elif record.kind in {_TEXT_UNITS, _TEXT_BYTES}:
            if not texts:
                texts.append(_SlideText(4, []))
            texts[-1].lines += _paragraphs(self.data[record.start : record.end], record.kind)

    def texts_of(self, slide: _Slide) -> list[_SlideText]:
        """Return the texts of a slide in reading order; those that no shape shows follow."""
        root = self.record_at(self.offsets[slide.object_id])
        drawing = self.find(root, _DRAWING)
        shown: list[_SlideText] = []
        used: set[int] = set()
        if drawing is not None:
            for record in self.children(drawing):
                self._read_shapes(record, slide, shown, used, 0)
        order = reading_order([text.place for text in shown])
        ordered = [shown[index] for index in order]
        return ordered + [text for index, text in enumerate(slide.outline) if index not in used]

    def _read_shapes(
        self, parent: _BinaryRecord, slide: _Slide, texts: list[_SlideText], used: set[int], depth: int
    ) -> None:
        if depth > _MAX_DEPTH:
            return
        for record in self.children(parent):
            if record.kind == _SHAPE:
                text = self._read_shape(record, slide, used)
                if text is not None:
                    texts.append(text)
            elif record.kind == _GROUP:
                inner: list[_SlideText] = []
                self._read_shapes(record, slide, inner, used, depth + 1)
                texts += [_as_table(inner)] if self._is_table(record) and inner else inner
            elif record.is_container:
                self._read_shapes(record, slide, texts, used, depth + 1)

    def _is_table(self, group: _BinaryRecord) -> bool:
        first = self.find(group, _SHAPE)
        options = self.find(first, _MORE_OPTIONS) if first is not None else None
        if options is None:
            return False
        entries = range(options.start, min(options.start + 6 * options.instance, options.end - 5), 6)
        return any(struct.unpack_from("<H", self.data, at)[0] & 0x3FFF == _TABLE_OPTION for at in entries)

    def _read_shape(self, shape: _BinaryRecord, slide: _Slide, used: set[int]) -> _SlideText | None:
        box = self.find(shape, _TEXT_BOX)
        if box is None:
            return None
        texts: list[_SlideText] = []
        for record in self.children(box):
            if record.kind == _TEXT_REFERENCE:
                (index,) = struct.unpack_from("<I", self.data, record.start)
                if index < len(slide.outline):
                    used.add(index)
                    texts.append(slide.outline[index])
            else:
                self._take_text(texts, record)
        if not texts:
            return None
        lines = [line for text in texts for line in text.lines]
        return _SlideText(texts[0].kind, lines, self._place_of(shape))

    def _place_of(self, shape: _BinaryRecord) -> Rectangle | None:
        for record in self.children(shape):
            size = record.end - record.start
            if record.kind == _CHILD_PLACE and size >= 16:
                return Rectangle(*struct.unpack_from("<4i", self.data, record.start))
            if record.kind == _PLACE and size in {8, 16}:
                top, left, right, bottom = struct.unpack_from("<4h" if size == 8 else "<4i", self.data, record.start)
                return Rectangle(left, top, right, bottom)
        return None

    def notes_of(self, slide: _Slide) -> list[str]:
        """Return the lines of a slide's notes."""
        root = self.record_at(self.offsets[slide.object_id])
        facts = self.find(root, _SLIDE_FACTS)
        number = struct.unpack_from("<I", self.data, facts.start + 16)[0] if facts is not None else 0
        note = self.notes.get(number)
        if note is None:
            return []
        return [line for text in self.texts_of(note) if text.kind == _NOTES for line in text.lines]

    def is_hidden(self, slide: _Slide) -> bool:
        """Return whether a slide is left out when the presentation is shown."""
        facts = self.find(self.record_at(self.offsets[slide.object_id]), _SHOW_FACTS)
        return facts is not None and bool(struct.unpack_from("<H", self.data, facts.start + 10)[0] & 0x4)


def _paragraphs(data: bytes, kind: int) -> list[str]:
    text = data.decode("utf-16-le", "replace") if kind == _TEXT_UNITS else data.decode("latin-1")
    return [line.translate(_BREAKS).strip() for line in text.split("\r")]


def _as_table(cells: Sequence[_SlideText]) -> _SlideText:
    """Return the cells of a table as rows; a cell over several columns or rows repeats its text in each."""
    placed = [(cell.place, "\n".join(filter(None, cell.lines))) for cell in cells if cell.place is not None]
    if not placed:
        return _SlideText(4, [line for cell in cells for line in cell.lines])
    lefts = sorted({place.left for place, _ in placed})
    tops = sorted({place.top for place, _ in placed})
    spans = [
        (
            range(bisect_left(tops, place.top), max(bisect_left(tops, place.bottom), 1)),
            range(bisect_left(lefts, place.left), max(bisect_left(lefts, place.right), 1)),
        )
        for place, _ in placed
    ]
    covered = sum(len(rows) * len(columns) for rows, columns in spans)
    if max(covered, len(lefts) * len(tops)) > _MAX_TABLE_CELLS:
        return _SlideText(4, [line for cell in cells for line in cell.lines])
    grid = [[""] * len(lefts) for _ in tops]
    for (_, text), (rows, columns) in zip(placed, spans, strict=True):
        for y in rows:
            for x in columns:
                grid[y][x] = grid[y][x] or text
    around = Rectangle(
        lefts[0], tops[0], max(place.right for place, _ in placed), max(place.bottom for place, _ in placed)
    )
    return _SlideText(4, [], around, rows=grid)


def _write_slide(builder: DocumentBuilder, presentation: _Presentation, slide: _Slide, number: int) -> None:
    builder.page(number)
    texts = presentation.texts_of(slide)
    titled = next((text for text in texts if text.kind in _TITLES and any(text.lines)), None)
    title = one_line(" ".join(titled.lines)) if titled is not None else ""
    builder.open_section(title or f"Slide {number}", "slide")
    if title:
        builder.heading(title, 1, section=False)
    if presentation.is_hidden(slide):
        builder.paragraph("(hidden slide)")
    for text in texts:
        if text is titled:
            continue
        if text.rows:
            builder.table(text.rows)
        elif text.kind in _BODIES and len(text.lines) > 1:
            builder.list([ListItem(line) for line in text.lines])
        else:
            for line in text.lines:
                builder.paragraph(line)
    notes = [line for line in presentation.notes_of(slide) if line]
    if notes:
        builder.open_section("Notes", "notes", 2)
        for line in notes:
            builder.paragraph(line, "notes")
