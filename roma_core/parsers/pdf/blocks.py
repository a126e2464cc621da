"""Lines to blocks: paragraphs, list items, captions, footnotes and code, with hyphenation undone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Literal

from roma_core.parsers.builder import ListItem
from roma_core.parsers.pdf.layout import Line, is_rtl, is_wide
from roma_core.parsers.pdf.page import Rect
from roma_core.parsers.tables import Grid

Kind = Literal["paragraph", "heading", "list", "table", "caption", "footnote", "code", "figure", "comment"]

BULLET = re.compile(r"^(?:[•●○▪■◦‣⁃∙·❖➢➤✓►▶\uf0b7\uf0a7\uf0d8]|[-–—*](?=\s))\s*")
NUMBERED = re.compile(r"^(\(?(?:\d{1,3}|[a-zA-Z]|[ivx]{1,5})[.)]|\[\d{1,3}\])\s+(?=\S)")
CAPTION = re.compile(
    r"^(?:fig(?:ure|\.)?|tab(?:le|\.)?|chart|exhibit|scheme|plate|algorithm|listing|abb(?:ildung|\.)|tabelle)"
    r"\s*[A-Z]?\d+[a-z]?(?:[.\-–]\d+)*\s*(?:[.:|–—-]|\s(?=[A-Z(])|$)",
    re.IGNORECASE,
)
NOTE = re.compile(r"^(\d{1,3}(?!\d)|[*†‡§¶])(?=\s*\S)\)?\s*")
_NOTE_NUMBER = re.compile(r"^(\d{1,3})\)?\s+[^\W\d_]")
_CODE = re.compile(r"[;{}=$<>]|\(\)|^[-=_*]{6,}$|^\s*#")
_TITLE_NUMBER = re.compile(r"^\d{1,2}(?:\.\d{1,2})*\.?\s+[^\W\d_a-z]")
LEADER = re.compile(r"(?:\.\s?){5,}\s*(?:\d{1,4}|[ivxlc]{1,6})$|…{2,}\s*\d{1,4}$")
"""Dots that lead from a title to its page number."""
_BRACKETED = re.compile(r"^\(\d{1,2}\)\s*\S")
_END = re.compile(r"[.!?:;。！？]['\"”’)\]]*$")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")


@dataclass
class Item:
    """One block of the document in the making. ``page`` is 1-based; ``rect`` in the page's reading frame."""

    kind: Kind
    page: int
    rect: Rect
    lines: list[Line] = field(default_factory=list)
    grid: Grid = field(default_factory=list)
    level: int = 0
    region: int = 0
    """Number of the column or band on its page."""
    note: tuple[str, str] | None = None
    """Author and words of a remark."""
    slack: float = 0.0
    """Share of the column that its last line leaves free."""

    @property
    def text(self) -> str:
        return join_lines([line.text for line in self.lines], [line.hyphenated for line in self.lines])

    @property
    def size(self) -> float:
        return median(line.size for line in self.lines)

    @property
    def confidence(self) -> float | None:
        values = [w.confidence for line in self.lines for w in line.words if w.confidence is not None]
        return round(sum(values) / len(values), 3) if values else None


def join_lines(lines: Sequence[str], hyphens: Sequence[bool] = (), known: Collection[str] = ()) -> str:
    """Lines as one string: words broken by a hyphen made whole, CJK joined without a blank.

    The hyphen of a compound (``self-`` / ``locking``) stays when ``known`` (words of the document, lower case) has the
    compound and not the closed form.
    """
    text = ""
    for index, line in enumerate(lines):
        if not text:
            text = line
        elif text[-1] == "-" and len(text) > 1 and text[-2].isalpha() and line[:1].isalpha():
            soft = bool(hyphens) and hyphens[index - 1]
            text = _mend(text, line, soft, known)
        elif is_wide(text[-1]) and is_wide(line[0]):
            text += line
        else:
            text += " " + line
    return text


def _mend(text: str, line: str, soft: bool, known: Collection[str]) -> str:
    before = _WORD.findall(text[:-1].rsplit(None, 1)[-1] if text[:-1].split() else "")
    after = _WORD.match(line)
    if not before or after is None:
        return text + line
    closed, open_form = (before[-1] + after[0]).lower(), f"{before[-1]}-{after[0]}".lower()
    keep = (open_form in known and closed not in known) or not line[0].islower()
    return text + line if keep or not (soft or line[0].islower()) else text[:-1] + line


def vocabulary(lines: Sequence[Line]) -> set[str]:
    """Words of the document that stand inside of lines, lower case, with hyphens."""
    words: set[str] = set()
    for line in lines:
        words.update(m.lower() for w in line.words[:-1] for m in _WORD.findall(w.text))
    return words


@dataclass(frozen=True)
class RegionMargins:
    """Margins of a region and which way it is read; distances are from the margin where lines begin or end."""

    left: float
    right: float
    rtl: bool

    def indent(self, line: Line) -> float:
        return self.right - line.x1 if self.rtl else line.x0 - self.left

    def slack(self, line: Line) -> float:
        return line.x0 - self.left if self.rtl else self.right - line.x1

    @property
    def width(self) -> float:
        return self.right - self.left


def paragraphs(lines: list[Line], page: int, region: int) -> list[Item]:
    """Lines of one region (top to bottom) as paragraphs, list items, captions and code."""
    if not lines:
        return []
    rtl = is_rtl("".join(line.text for line in lines))
    measure = RegionMargins(min(line.x0 for line in lines), max(line.x1 for line in lines), rtl)
    pitch = _pitches(lines)
    groups: list[list[Line]] = []
    for line in lines:
        if groups and not _breaks(groups[-1], line, pitch, measure):
            groups[-1].append(line)
        else:
            groups.append([line])
    return [_item(group, page, region, measure) for group in groups]


def _pitches(lines: list[Line]) -> dict[int, float]:
    """Usual distance of baselines by type size (rounded): the most common small one."""
    found: dict[int, list[float]] = {}
    for above, below in pairwise(lines):
        if abs(above.size - below.size) < 0.6:
            step = below.bottom - above.bottom
            if 0.7 * below.size < step < 2.2 * below.size:
                found.setdefault(round(below.size), []).append(step)
    usual: dict[int, float] = {}
    for size, steps in found.items():
        counts = Counter(round(step * 2) / 2 for step in steps)
        best = max(counts.values())
        usual[size] = min(step for step, count in counts.items() if 2 * count >= best)
    return usual


def _breaks(group: list[Line], line: Line, pitch: dict[int, float], measure: RegionMargins) -> bool:
    """Return whether ``line`` begins a new block after ``group``."""
    last = group[-1]
    size = max(last.size, line.size, 1.0)
    step = line.bottom - last.bottom
    if step > 1.28 * pitch.get(round(line.size), 1.35 * size) + 0.5 or step < -size:
        return True
    if abs(last.size - line.size) > 0.08 * size + 0.3 or _mono(last) != _mono(line):
        return True
    if _mono(line):
        return False
    if LEADER.search(last.text):
        return True  # an entry of a table of contents
    if (last.share("bold") > 0.9) != (line.share("bold") > 0.9) and len(group) <= 3 and _whole(last, line):
        return True
    if _other_face(group, line, measure) or _next_note(group, line):
        return True
    if _begins_item(group, line) or (_TITLE_NUMBER.match(line.text) and line.share("bold") > 0.9):
        return True
    if marker(group[0].text):
        outdented = measure.indent(line) < measure.indent(group[0]) - 0.5 * size
        return outdented or (measure.indent(line) <= measure.indent(group[0]) + 1 and bool(_END.search(last.text)))
    return _new_paragraph(group, line, measure, size)


def _other_face(group: list[Line], line: Line, measure: RegionMargins) -> bool:
    """A short line or two (or one that is numbered) all in one font, then text without it: a heading by its font."""
    one, two = {line.face for line in group}, {word.style.face for word in line.words}
    short = measure.slack(group[-1]) > 0.12 * measure.width or (len(group) == 1 and is_numbered(group[0].text))
    return len(group) <= 2 and len(one) == 1 and None not in one and not one & two and short


def _next_note(group: list[Line], line: Line) -> bool:
    """Return whether both begin with a number at the margin, the second with the next one: two notes."""
    one, two = _NOTE_NUMBER.match(group[0].text), _NOTE_NUMBER.match(line.text)
    aligned = abs(group[0].x0 - line.x0) < 0.5 * line.size
    return one is not None and two is not None and aligned and int(two[1]) == int(one[1]) + 1


def _begins_item(group: list[Line], line: Line) -> bool:
    if not (marker(line.text) or CAPTION.match(line.text)):
        return False
    if line.text[0] in "·∙*-–—" and line.text[0] in group[-1].text.split():
        return False  # a separator that happens to wrap
    return bool(BULLET.match(line.text)) or line.x0 <= group[0].x0 + 1.2 * line.size or not marker(group[0].text)


def _new_paragraph(group: list[Line], line: Line, measure: RegionMargins, size: float) -> bool:
    """By the indent of the first line, or because the line before ends early with the end of a sentence."""
    last = group[-1]
    indent, before = measure.indent(line), measure.indent(last)
    centred = abs((line.x0 + line.x1) - (last.x0 + last.x1)) < size and before > size
    ended = bool(_END.search(last.text))
    if not centred and before < 0.5 * size and before + 0.8 * size < indent < 6 * size:
        return ended or measure.slack(last) > 2 * size or len(group) > 1
    short = measure.slack(last) > 0.15 * measure.width
    return not centred and short and ended and not line.text[:1].islower() and len(group) > 1


def _whole(last: Line, line: Line) -> bool:
    return last.share("bold") > 0.9 or line.share("bold") > 0.9


def _mono(line: Line) -> bool:
    return line.share("mono") > 0.8


def marker(text: str) -> str | None:
    """The bullet or number that a list item begins with, as Markdown shows it, or None."""
    if BULLET.match(text):
        return "-"
    found = NUMBERED.match(text)
    return found[1] if found else None


def is_numbered(text: str) -> bool:
    """``(1) Words``, as parts of a text are numbered; lists rarely are."""
    return _BRACKETED.match(text) is not None


def _item(group: list[Line], page: int, region: int, measure: RegionMargins) -> Item:
    rect = (
        min(line.x0 for line in group),
        min(line.top for line in group),
        max(line.x1 for line in group),
        max(line.bottom for line in group),
    )
    slack = measure.slack(group[-1]) / max(measure.width, 1.0)
    return Item(_kind(group), page, rect, group, region=region, slack=slack)


def _kind(group: list[Line]) -> Kind:
    text = group[0].text
    if all(map(_mono, group)) and (len(group) > 1 or _CODE.search(text)):
        return "code"
    if CAPTION.match(text) and len(group) <= 12:
        return "caption"
    return "list" if marker(text) else "paragraph"


def continues(one: Item, two: Item) -> bool:
    """Return whether paragraph ``two``, the next block in another column or on another page, goes on with ``one``."""
    elsewhere = (one.page, one.region) != (two.page, two.region)
    if not elsewhere or one.kind != "paragraph" or two.kind != "paragraph" or abs(one.size - two.size) > 0.5:
        return False
    end, start = one.text, two.text
    if _END.search(end) or marker(start):
        return False
    return start[0].islower() or one.lines[-1].hyphenated or (end[-1] in ",(" and start[0].isalnum())


def list_item(item: Item, left: float, known: Collection[str]) -> ListItem:
    """The item without its bullet; its depth from how far it is indented."""
    text = join_lines([line.text for line in item.lines], [line.hyphenated for line in item.lines], known)
    label = marker(text) or "-"
    body = BULLET.sub("", text, count=1) if label == "-" else NUMBERED.sub("", text, count=1)
    depth = max(0, round((item.rect[0] - left) / max(1.6 * item.size, 1.0)))
    return ListItem(body, depth, label)


def code_text(lines: Sequence[Line]) -> str:
    """Monospaced lines with their indentation, by the width of a character."""
    left = min(line.x0 for line in lines)
    widths = [(w.x1 - w.x0) / len(w.text) for line in lines for w in line.words if w.text]
    step = median(widths) or 1.0
    made: list[str] = []
    for line in lines:
        text, right = "", left
        for word in line.words:
            text += " " * max(round((word.x0 - right) / step), 1 if text else 0) + word.text
            right = word.x1
        made.append(text.replace("\u00ad", "-"))
    return "\n".join(made)


def note_of(text: str) -> tuple[str, str] | None:
    """Label and words of a footnote, or None."""
    found = NOTE.match(text)
    words = text[found.end() :] if found else ""
    return (found[1], words) if found and sum(c.isalpha() for c in words) >= 4 else None
