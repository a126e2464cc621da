"""One PDF page as words and rules: PDFium's characters with their place, size and style.

Coordinates are points in the *reading frame*: origin top left, turned so that most of the text stands upright whatever
``/Rotate`` or the text matrix say. ``PageContent.box`` maps back to the page as it is shown.
"""

from __future__ import annotations

import ctypes
import functools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pypdfium2.raw as pdf

from roma_core.types import Box

Rect = tuple[float, float, float, float]
"""Left, top, right, bottom."""

MAX_CHARS = 400_000
"""More characters on a page than this are a hostile file's: the rest is left out with a warning."""
MAX_RULES = 6_000
MAX_FILLS = 2_000
MAX_NOTES = 1_000
_REMARKS = frozenset(
    {
        pdf.FPDF_ANNOT_TEXT,
        pdf.FPDF_ANNOT_FREETEXT,
        pdf.FPDF_ANNOT_HIGHLIGHT,
        pdf.FPDF_ANNOT_UNDERLINE,
        pdf.FPDF_ANNOT_SQUIGGLY,
        pdf.FPDF_ANNOT_STRIKEOUT,
        pdf.FPDF_ANNOT_STAMP,
        pdf.FPDF_ANNOT_CARET,
    }
)
_NEAR = 3.0
"""Sides of filled boxes nearer than this are one."""

_HYPHENS = {0x02, 0xFFFE}
"""What PDFium reports for a hyphen at a line's end that it takes for a hyphenation."""
SOFT_HYPHEN = "\u00ad"
_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
_BLANK = {0x20, 0x09, 0x0A, 0x0D, 0xA0, 0x2002, 0x2003, 0x2009, 0x3000}
_ALEFS = frozenset("\u0622\u0623\u0625\u0627\u0671")
_object_address = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)(
    ctypes.cast(pdf.FPDFText_GetTextObject, ctypes.c_void_p).value or 0
)
"""``FPDFText_GetTextObject`` that gives a number: the typed pointer costs as much as all else for a character."""
_MIN_RULE = 6.0
_THIN = 2.5
_NARROW = 0.15
"""In ems: no letter of a text face is narrower."""


@dataclass(frozen=True, slots=True)
class Style:
    """Type of a run of characters. ``size`` in points, ``turn`` in degrees clockwise as shown."""

    size: float
    bold: bool = False
    italic: bool = False
    mono: bool = False
    turn: int = 0
    face: str = ""
    """The font's name."""
    ink: Literal["", "none"] = ""
    """``none`` when it is not painted: a text layer over a scan, or hidden."""


@dataclass(frozen=True, slots=True)
class Word:
    """Characters without a blank between them."""

    text: str
    x0: float
    top: float
    x1: float
    bottom: float
    style: Style
    confidence: float | None = None
    """Of OCR, 0..1; None for text that the file holds."""
    glued: bool = False
    """Whether no blank stands before it: it begins because the type changes or a gap is wide."""
    order: int = 0
    """Place in the order in which the file draws its words."""

    @property
    def size(self) -> float:
        return self.style.size


@dataclass(frozen=True, slots=True)
class RulingLine:
    """A drawn line, horizontal or vertical."""

    x0: float
    top: float
    x1: float
    bottom: float

    @property
    def horizontal(self) -> bool:
        return self.x1 - self.x0 >= self.bottom - self.top


@dataclass
class PageContent:
    """Words, lines and pictures of page ``number``.

    ``width`` and ``height`` are those of the page as shown, ``turns`` the quarter turns (clockwise) from there to the
    reading frame.
    """

    number: int
    width: float
    height: float
    turns: int = 0
    words: list[Word] = field(default_factory=list)
    strays: list[Word] = field(default_factory=list)
    """Words at another angle than most, in a frame where they stand upright."""
    spots: dict[int, Rect] = field(default_factory=dict)
    """Where each stray (by ``id``) stands in the reading frame."""
    rules: list[RulingLine] = field(default_factory=list)
    images: list[Rect] = field(default_factory=list)
    label: str | None = None
    warnings: list[str] = field(default_factory=list)
    map_errors: int = 0
    """Characters that the font maps to no Unicode value."""
    layer: list[str] = field(default_factory=list)
    """Lines of the text layer as PDFium gives them: the raw truth that the self-check compares with."""
    joints: list[str] = field(default_factory=list)
    """Squashed ends and beginnings of lines that one sentence runs through (``stream.stream_joints``)."""
    doubled: list[str] = field(default_factory=list)
    """Words of the layer that are drawn again in the same place, to look bold or to cast a shadow."""
    notes: list[tuple[str, str]] = field(default_factory=list)
    """Author and words of the remarks that readers put on the page."""
    hidden: list[str] = field(default_factory=list)
    """Text of the layer that the page does not show."""

    @property
    def frame(self) -> tuple[float, float]:
        return _turned_size((self.width, self.height), self.turns)

    def box(self, rect: Rect) -> Box:
        """``rect`` of the reading frame as fractions of the page as shown."""
        width, height = self.frame
        x0, y0, x1, y1 = _turn_rect(rect, width, height, -self.turns % 4)
        w, h = max(self.width, 1.0), max(self.height, 1.0)
        return (_unit(x0 / w), _unit(y0 / h), _unit(x1 / w), _unit(y1 / h))


def _unit(value: float) -> float:
    return round(min(max(value, 0.0), 1.0), 5)


def _turned_size(size: tuple[float, float], turns: int) -> tuple[float, float]:
    return (size[1], size[0]) if turns % 2 else size


def _turn_rect(rect: Rect, width: float, height: float, turns: int) -> Rect:
    """``rect`` of a ``width`` x ``height`` frame after ``turns`` quarter turns clockwise of that frame."""
    x0, y0, x1, y1 = rect
    if turns == 1:
        return height - y1, x0, height - y0, x1
    if turns == 2:
        return width - x1, height - y1, width - x0, height - y0
    if turns == 3:
        return y0, width - x1, y1, width - x0
    return rect


@dataclass(slots=True)
class _Char:
    text: str
    rect: Rect
    style: Style


def read_page(document: Any, index: int) -> PageContent:
    """Content of page ``index`` (0-based). Raises ``PdfiumError`` where PDFium cannot load it."""
    page = document.get_page(index)
    try:
        if document.formenv is not None and pdf.FPDFPage_GetAnnotCount(page) > 0:
            page.flatten()  # what is written in form fields becomes text
            page = document.get_page(index)
        return _read(page, index + 1)
    finally:
        page.close()


def _read(page: Any, number: int) -> PageContent:
    left, bottom, right, top = page.get_bbox()
    width, height = max(right - left, 1.0), max(top - bottom, 1.0)
    rotation = page.get_rotation() // 90
    shown = (height, width) if rotation % 2 else (width, height)
    content = PageContent(number, *shown)
    chars = list(_chars(page, content, left, top, rotation))
    turns = _dominant_turn(chars)
    content.turns = -turns % 4
    total = (rotation + content.turns) % 4

    def to_frame(rect: Rect, turn: int = total) -> Rect:
        return _turn_rect(rect, width, height, turn)

    upright = [c for c in chars if c is None or c.style.turn == turns * 90]
    frame_width, frame_height = content.frame
    words = _once(_words(upright, to_frame), content.doubled)
    # What lies off the page is not shown (the other half of a cut spread, hidden text).
    for word in words:
        if word.x1 > 0 and word.x0 < frame_width and word.bottom > 0 and word.top < frame_height:
            content.words.append(word)
        else:
            content.hidden.append(word.text)
    for angle in sorted({c.style.turn for c in chars if c is not None} - {turns * 90}):
        quarter = round(angle / 90) % 4
        group = [c for c in chars if c is None or c.style.turn == angle]
        frame = (rotation - quarter) % 4
        strays = list(_words(group, functools.partial(to_frame, turn=frame)))
        size = _turned_size((width, height), frame)
        for word in strays:
            rect = (word.x0, word.top, word.x1, word.bottom)
            content.spots[id(word)] = _turn_rect(rect, *size, (total - frame) % 4)
        content.strays += strays
    content.rules = [RulingLine(*to_frame(rect)) for rect in _rules(page, left, top)]
    content.images = [to_frame(rect) for rect in _images(page, left, top)]
    if any(word.style.ink for word in content.words):
        content.hidden += _take_hidden(content)
    content.notes = list(_notes(page))
    return content


def _take_hidden(content: PageContent) -> list[str]:
    """Take the words that are not painted out of a page (in place) and return them.

    Over a picture they are the text layer of a scan. On a page without any painted word they are all that it says.
    """
    if all(word.style.ink == "none" for word in content.words):
        return []
    shown: list[Word] = []
    hidden: list[str] = []
    for word in content.words:
        x, y = (word.x0 + word.x1) / 2, (word.top + word.bottom) / 2
        over_picture = any(x0 <= x <= x1 and top <= y <= bottom for x0, top, x1, bottom in content.images)
        if not word.style.ink or over_picture:
            shown.append(word)
        else:
            hidden.append(word.text)
    content.words = shown
    return hidden


def _notes(page: Any) -> Iterator[tuple[str, str]]:
    """Yield author and words of the remarks on a page: sticky notes, free text, marked passages, stamps."""
    for index in range(min(pdf.FPDFPage_GetAnnotCount(page), MAX_NOTES)):
        annotation = pdf.FPDFPage_GetAnnot(page, index)
        if not annotation:
            continue
        if pdf.FPDFAnnot_GetSubtype(annotation) in _REMARKS:
            words = _annotation_text(annotation, b"Contents")
            if words.strip():
                yield _annotation_text(annotation, b"T"), words
        pdf.FPDFPage_CloseAnnot(annotation)


def _annotation_text(annotation: Any, key: bytes) -> str:
    size = pdf.FPDFAnnot_GetStringValue(annotation, key, None, 0)
    if size <= 2:
        return ""
    buffer = (ctypes.c_ushort * (size // 2))()
    pdf.FPDFAnnot_GetStringValue(annotation, key, buffer, size)
    return bytes(buffer).decode("utf-16-le", "replace").rstrip("\0")


def _dominant_turn(chars: list[_Char | None]) -> int:
    counts = Counter(c.style.turn for c in chars if c is not None and c.style.turn % 90 == 0)
    return counts.most_common(1)[0][0] // 90 if counts else 0


def _chars(page: Any, content: PageContent, left: float, top: float, rotation: int) -> Iterator[_Char | None]:
    """Characters in the order of the content; None where a blank or a line break is."""
    textpage = page.get_textpage()
    raw, count = textpage.raw, textpage.count_chars()
    if count > MAX_CHARS:
        content.warnings.append(f"page {content.number}: only the first {MAX_CHARS} of {count} characters were read")
    rect = pdf.FS_RECTF()
    styles: dict[int | None, Style] = {}
    pending = 0
    for i in range(min(count, MAX_CHARS)):
        code = pdf.FPDFText_GetUnicode(raw, i)
        if code in _BLANK or code == 0:
            content.map_errors += code == 0
            yield None
            continue
        if 0xD800 <= code < 0xDC00:
            pending = code
            continue
        if 0xDC00 <= code < 0xE000 and pending:
            code, pending = 0x10000 + ((pending - 0xD800) << 10) + (code - 0xDC00), 0
        if not pdf.FPDFText_GetLooseCharBox(raw, i, ctypes.byref(rect)):
            continue
        key = _object_address(raw, i)
        style = styles.get(key)
        if style is None:
            style = styles[key] = _style(raw, i, rotation)
        content.map_errors += pdf.FPDFText_HasUnicodeMapError(raw, i) == 1
        text = SOFT_HYPHEN if code in _HYPHENS else _LIGATURES.get(code) or chr(code)
        yield _Char(text, (rect.left - left, top - rect.top, rect.right - left, top - rect.bottom), style)
    if count:
        content.layer = textpage.get_text_range(0, min(count, MAX_CHARS)).replace("\r\n", "\n").split("\n")
    textpage.close()


def _style(raw: Any, index: int, rotation: int) -> Style:
    matrix = pdf.FS_MATRIX()
    scale, turn = 1.0, 0
    if pdf.FPDFText_GetMatrix(raw, index, ctypes.byref(matrix)):
        scale = math.hypot(matrix.c, matrix.d) or 1.0
        degrees = -math.degrees(math.atan2(matrix.b, matrix.a)) + rotation * 90
        turn = round(degrees / 5) * 5 % 360
    size = pdf.FPDFText_GetFontSize(raw, index) * scale
    face, bold, italic, mono = _font(raw, index)
    return Style(round(size, 1), bold, italic, mono, turn, face, _ink(raw, index))


def _ink(raw: Any, index: int) -> Literal["", "none"]:
    mode = pdf.FPDFTextObj_GetTextRenderMode(pdf.FPDFText_GetTextObject(raw, index))
    return "none" if mode in {pdf.FPDF_TEXTRENDERMODE_INVISIBLE, pdf.FPDF_TEXTRENDERMODE_CLIP} else ""


def _font(raw: Any, index: int) -> tuple[str, bool, bool, bool]:
    """Name, bold, italic, monospaced: from the font's name, weight and descriptor flags (ISO 32000-1 table 123)."""
    flags = ctypes.c_int()
    buffer = ctypes.create_string_buffer(256)
    pdf.FPDFText_GetFontInfo(raw, index, buffer, 256, ctypes.byref(flags))
    name = buffer.value.decode("utf-8", "replace").partition("+")[2] or buffer.value.decode("utf-8", "replace")
    low = name.lower()
    weight = pdf.FPDFText_GetFontWeight(raw, index)
    heavy = any(part in low for part in ("bold", "black", "heavy", "demi", "-medi", "cmbx", "sfbx"))
    bold = heavy or (weight >= 600 and "light" not in low) or bool(flags.value & (1 << 18))
    italic = any(part in low for part in ("italic", "oblique", "slanted")) or bool(flags.value & (1 << 6))
    mono = any(part in low for part in ("mono", "courier", "consol", "cmtt", "typewriter")) or bool(flags.value & 1)
    return name, bold, italic, mono


def _words(chars: list[_Char | None], to_frame: Callable[[Rect], Rect]) -> Iterator[Word]:
    """Words in content order: cut at blanks, gaps, jumps and changes of size or font."""
    run: list[tuple[str, Rect]] = []
    style: Style | None = None
    glued = False
    order = 0
    for char in chars:
        if char is None:
            if run and style:
                yield _word(run, style, glued, order)
                order += 1
            run, glued = [], False
            continue
        rect = to_frame(char.rect)
        if run and style and (char.style != style or _apart(run[-1][1], rect, style.size)):
            yield _word(run, style, glued, order)
            order += 1
            run, glued = [], True
        if not run:
            style = char.style
        run.append((char.text, rect))
    if run and style:
        yield _word(run, style, glued, order)


def _once(words: Iterable[Word], doubled: list[str]) -> Iterator[Word]:
    """Yield the words without those that are set again in (nearly) the same place, which go to ``doubled``.

    Places are compared on a grid as fine as the type is small, so only among words of one size.
    """
    seen: set[tuple[str, float, int, int]] = set()
    for word in words:
        size = round(word.size, 1)
        step = max(0.25 * size, 0.5)
        x, y = round(word.x0 / step), round(word.top / step)
        if any((word.text, size, x + dx, y + dy) in seen for dx in (-1, 0, 1) for dy in (-1, 0, 1)):
            doubled.append(word.text)
            continue
        seen.add((word.text, size, x, y))
        yield word


def _apart(one: Rect, two: Rect, size: float) -> bool:
    gap = _gap(one, two)
    height = max(one[3] - one[1], 1.0)
    return gap > 0.3 * max(size, 1.0) or abs((one[1] + one[3]) - (two[1] + two[3])) > height


def _word(run: list[tuple[str, Rect]], style: Style, glued: bool, order: int) -> Word:
    rects = [rect for _, rect in run]
    top, bottom = min(r[1] for r in rects), max(r[3] for r in rects)
    left, right = min(r[0] for r in rects), max(r[2] for r in rects)
    return Word(
        _in_order(_restore_repeated(run, style.size)), left, top, right, bottom, style, glued=glued, order=order
    )


def _restore_repeated(run: list[tuple[str, Rect]], size: float) -> list[tuple[str, Rect]]:
    """The run with the letters that PDFium took for a second drawing of the one before them.

    It leaves out a character that stands closer than 0.07 em to an equal one, which very narrow glyphs do. Letters of
    a joined script touch: where a narrow one leaves a gap inside of a word, its repetition was left out.
    """
    whole: list[tuple[str, Rect]] = []
    for i, (text, rect) in enumerate(run):
        whole.append((text, rect))
        width = rect[2] - rect[0]
        if width < _NARROW * size and "\u0620" <= text <= "\u06d3":
            gaps = [_gap(rect, run[j][1]) for j in (i - 1, i + 1) if 0 <= j < len(run)]
            if max(gaps, default=0.0) > 0.25 * width:
                whole.append((text, rect))
    return whole


def _gap(one: Rect, two: Rect) -> float:
    return max(two[0] - one[2], one[0] - two[2])


def _in_order(run: list[tuple[str, Rect]]) -> str:
    """Text of a run. PDFium gives the letters of an Arabic ligature (one box, lam-alef) in the order of the eye."""
    letters = [text for text, _ in run]
    for i in range(len(run) - 1):
        if run[i][1] == run[i + 1][1] and letters[i] in _ALEFS and letters[i + 1] == "\u0644":
            letters[i], letters[i + 1] = letters[i + 1], letters[i]
    return "".join(letters)


def _rules(page: Any, left: float, top: float) -> list[Rect]:
    """Return drawn lines, at most ``MAX_RULES``, and the sides of filled boxes that tile a grid.

    Shading draws no line: a stripe behind every other row says nothing about cells.
    """
    lines: list[Rect] = []
    fills: list[Rect] = []
    for item in page.get_objects(filter=(pdf.FPDF_PAGEOBJ_PATH,), max_depth=4):
        drawn = _path_rules(item)
        if drawn is None:
            x0, y0, x1, y1 = item.get_bounds()
            fills.append((x0 - left, top - y1, x1 - left, top - y0))
            continue
        for x0, y0, x1, y1 in drawn:
            if max(x1 - x0, y1 - y0) >= _MIN_RULE:
                lines.append((x0 - left, top - y1, x1 - left, top - y0))
        if len(lines) >= MAX_RULES:
            return lines[:MAX_RULES]
    for box in dict.fromkeys([*_tiles(fills), *_choose_framed(fills, lines)]):
        lines += _sides(*box)
    return lines[:MAX_RULES]


def _path_rules(item: Any) -> Iterable[Rect] | None:
    """Return the straight pieces of one path in page coordinates; a filled sliver is one. None for a filled box."""
    x0, y0, x1, y1 = item.get_bounds()
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    pdf.FPDFPath_GetDrawMode(item, ctypes.byref(fill), ctypes.byref(stroke))
    if min(x1 - x0, y1 - y0) <= _THIN:
        return [(x0, y0, x1, y1)] if fill.value or stroke.value else []
    if stroke.value:
        return _segments(item)
    return None if fill.value and pdf.FPDFPath_CountSegments(item) <= 6 else []


def _tiles(fills: list[Rect]) -> list[Rect]:
    """Return the filled boxes that have an equal neighbour beside and one above or below: the cells of a grid."""
    boxes = list(dict.fromkeys(fills))[:MAX_FILLS]
    beside = {(round(x0 / _NEAR), round(top / _NEAR), round(bottom / _NEAR)) for x0, top, _, bottom in boxes}
    below = {(round(top / _NEAR), round(x0 / _NEAR), round(x1 / _NEAR)) for x0, top, x1, _ in boxes}
    rights: set[Rect] = set()
    downs: set[Rect] = set()
    for box in boxes:
        x0, top, x1, bottom = box
        if any((round(x1 / _NEAR) + d, round(top / _NEAR), round(bottom / _NEAR)) in beside for d in (0, 1)):
            rights.add(box)
        if any((round(bottom / _NEAR) + d, round(x0 / _NEAR), round(x1 / _NEAR)) in below for d in (0, 1)):
            downs.add(box)
    if len(rights) < 2 or len(downs) < 2:
        return []
    rows = {(round(box[1] / _NEAR), round(box[3] / _NEAR)) for box in rights}
    columns = {(round(box[0] / _NEAR), round(box[2] / _NEAR)) for box in downs}
    return [
        box
        for box in boxes
        if (round(box[1] / _NEAR), round(box[3] / _NEAR)) in rows
        and (round(box[0] / _NEAR), round(box[2] / _NEAR)) in columns
    ]


def _choose_framed(fills: list[Rect], lines: Sequence[Rect]) -> list[Rect]:
    """Return the filled boxes that go on with a drawn grid: shaded heads whose sides meet its lines."""
    xs = {round(x / _NEAR) + d for line in lines for x in (line[0], line[2]) for d in (-1, 0, 1)}
    ys = {round(y / _NEAR) + d for line in lines for y in (line[1], line[3]) for d in (-1, 0, 1)}
    framed: list[Rect] = []
    for box in fills[:MAX_FILLS]:
        x0, top, x1, bottom = (round(value / _NEAR) for value in box)
        if x0 in xs and x1 in xs and (top in ys or bottom in ys):
            framed.append(box)
    return framed


def _sides(x0: float, y0: float, x1: float, y1: float) -> Iterator[Rect]:
    yield from ((x0, y0, x1, y0), (x0, y1, x1, y1), (x0, y0, x0, y1), (x1, y0, x1, y1))


def _segments(item: Any) -> Iterator[Rect]:
    matrix = item.get_matrix()
    if getattr(item, "container", None) is not None:
        matrix = matrix.multiply(item.container.get_matrix())
    x, y = ctypes.c_float(), ctypes.c_float()
    last: tuple[float, float] | None = None
    first: tuple[float, float] | None = None
    for i in range(min(pdf.FPDFPath_CountSegments(item), 2000)):
        segment = pdf.FPDFPath_GetPathSegment(item, i)
        pdf.FPDFPathSegment_GetPoint(segment, ctypes.byref(x), ctypes.byref(y))
        point = matrix.on_point(x.value, y.value)
        kind = pdf.FPDFPathSegment_GetType(segment)
        if kind == pdf.FPDF_SEGMENT_LINETO and last is not None:
            yield from _straight(last, point)
        if kind == pdf.FPDF_SEGMENT_MOVETO:
            first = point
        last = point
        if pdf.FPDFPathSegment_GetClose(segment) and first is not None:
            yield from _straight(last, first)
            last = first


def _straight(one: tuple[float, float], two: tuple[float, float]) -> Iterator[Rect]:
    rect = (min(one[0], two[0]), min(one[1], two[1]), max(one[0], two[0]), max(one[1], two[1]))
    if min(rect[2] - rect[0], rect[3] - rect[1]) <= _THIN:
        yield rect


def _images(page: Any, left: float, top: float) -> Iterator[Rect]:
    for item in page.get_objects(filter=(pdf.FPDF_PAGEOBJ_IMAGE,), max_depth=4):
        x0, y0, x1, y1 = item.get_bounds()
        yield x0 - left, top - y1, x1 - left, top - y0
