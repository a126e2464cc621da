"""Headings: what the outline names first, then what is set like a heading."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from roma_core.parsers.pdf.blocks import CAPTION, LEADER, Item, is_numbered, marker
from roma_core.parsers.pdf.page import PageContent

LARGER = 1.13
"""A heading without bold type is at least this much larger than the body."""
NEARLY = 0.93
"""A heading in type of its own is at least this large against the body."""
MAX_CHARS = 220

_NUMBER = re.compile(
    r"^(?:(?:chapter|section|part|appendix|kapitel|abschnitt)\s+)?(\d{1,2}(?:\.\d{1,2}){0,4}|[IVX]{1,5}|[A-Z])[.)]?\s+\S",
    re.IGNORECASE,
)
_DECIMAL = re.compile(r"^(\d{1,2}(?:\.\d{1,2}){1,4})\.?\s+\S")
_LETTERS = re.compile(r"[^\W\d_]")
_PLAIN = re.compile(r"[\W_]+")
_LABEL = re.compile(r"\d+|chapter|section|appendix|[a-z]$")
_CODE = re.compile(r"[;=]|<[^>]*>|\(\)")
_CAPTION_END = re.compile(r"[,;]$")

StyleKey = tuple[float, bool]


@dataclass(frozen=True)
class Entry:
    """One line of the outline. ``page`` is 1-based, ``level`` counts from 1."""

    title: str
    level: int
    page: int | None


def body_size(pages: Iterable[PageContent]) -> tuple[float, bool]:
    """Size (half points) that most characters of the document have, and whether most are bold."""
    sizes: Counter[float] = Counter()
    bold = total = 0
    for page in pages:
        for word in page.words:
            length = len(word.text)
            sizes[round(word.size * 2) / 2] += length
            total += length
            bold += length if word.style.bold else 0
    return (sizes.most_common(1)[0][0] if sizes else 10.0), 2 * bold > total


def mark_headings(items: list[Item], outline: Sequence[Entry], body: float, body_bold: bool) -> None:
    """Set ``kind`` and ``level`` of the items that are headings (in place)."""
    named = _named_by_outline(items, outline)
    candidates = [i for i in items if id(i) in named or _looks_like(i, items, body, body_bold)]
    levels = _levels(candidates, named)
    for item in candidates:
        item.kind = "heading"
        item.level = levels[id(item)]
    _join_wrapped(items)


def _join_wrapped(items: list[Item]) -> None:
    """A title that was set on several lines far apart is one heading (in place)."""
    at = 0
    while at + 1 < len(items):
        one, two = items[at], items[at + 1]
        gap = two.rect[1] - one.rect[3]
        same = one.kind == two.kind == "heading" and (one.page, one.region) == (two.page, two.region)
        if same and _style(one) == _style(two) and -one.size < gap < 0.7 * one.size and not _NUMBER.match(two.text):
            one.lines += two.lines
            one.rect = (min(one.rect[0], two.rect[0]), one.rect[1], max(one.rect[2], two.rect[2]), two.rect[3])
            del items[at + 1]
        else:
            at += 1


def _plain(text: str) -> str:
    return _PLAIN.sub("", text).casefold()


def _named_by_outline(items: Sequence[Item], outline: Sequence[Entry]) -> dict[int, int]:
    """Level by id of the items that the outline names, each entry once, on its page or the next."""
    short = [i for i in items if i.kind in {"paragraph", "list"} and len(i.text) <= MAX_CHARS]
    texts = [(item, _plain(item.text)) for item in short]
    named: dict[int, int] = {}
    for entry in outline:
        title = _plain(entry.title)
        if len(title) < 2:
            continue
        for item, text in texts:
            near = entry.page is None or item.page in {entry.page, entry.page + 1}
            if near and id(item) not in named and _same_title(title, text):
                named[id(item)] = entry.level
                break
    return named


def _same_title(title: str, text: str) -> bool:
    """Equal, or equal but for a number in front of either (``Introduction`` and ``1 Introduction``)."""
    if title == text:
        return True
    longer, shorter = (text, title) if len(text) > len(title) else (title, text)
    rest = longer.removesuffix(shorter)
    return len(shorter) >= 4 and longer != rest and len(rest) <= 10 and not _LABEL.sub("", rest)


def _looks_like(item: Item, items: Sequence[Item], body: float, body_bold: bool) -> bool:
    """Return whether an item is set like a heading: by larger, bold, capital, own or numbered type."""
    if not _may_be_heading(item):
        return False
    if item.size >= LARGER * body and not _is_long_item(item, body):
        return not (item.text.endswith(".") and len(item.lines) > 2)
    if _is_bold(item) and not body_bold and item.size >= NEARLY * body:
        return _is_bold_heading(item)
    if _is_capital_line(item, body):
        return _leads_prose(item, items)
    if item.size >= NEARLY * body and len(item.text) <= 90 and _own_face(item, items):
        return _starts_well(item.text) and not item.text.endswith((".", ":"))
    return _is_numbered_line(item, body)


def _may_be_heading(item: Item) -> bool:
    """Return whether the words of an item could be a heading: short, mostly letters, no caption, code or bullet."""
    text = item.text
    if item.kind not in {"paragraph", "list"} or len(text) > MAX_CHARS or len(item.lines) > 4:
        return False
    letters = len(_LETTERS.findall(text))
    if letters < 2 or 2 * letters < len(text.replace(" ", "")):
        return False
    if item.kind == "list" and (marker(text) == "-" or not (_NUMBER.match(text) or is_numbered(text))):
        return False
    return not any(pattern.search(text) for pattern in (_CAPTION_END, _CODE, LEADER)) and not CAPTION.match(text)


def _is_long_item(item: Item, body: float) -> bool:
    """Return whether an item of a list is a sentence in type that is hardly larger than the body's."""
    return item.kind == "list" and item.size < 1.2 * body and len(item.text) > 90


def _is_bold(item: Item) -> bool:
    return all(line.share("bold") > 0.9 for line in item.lines)


def _is_bold_heading(item: Item) -> bool:
    """Return whether bold words of the body's size are a heading: a short title, or one with a number."""
    if len(item.lines) > 2:
        return False
    is_title = len(item.text) <= 120 and _starts_well(item.text) and not item.text.endswith((".", ":"))
    return is_title or bool(_DECIMAL.match(item.text))


def _is_capital_line(item: Item, body: float) -> bool:
    letters = len(_LETTERS.findall(item.text))
    is_short = len(item.lines) == 1 and len(item.text) <= 80
    return item.text.isupper() and letters >= 5 and is_short and item.size >= 0.98 * body


def _is_numbered_line(item: Item, body: float) -> bool:
    """Return whether a line has a number of several parts (``2.1``) and is italic or a little larger."""
    if not _DECIMAL.match(item.text) or len(item.text) > 90 or len(item.lines) != 1:
        return False
    return all(line.share("italic") > 0.9 for line in item.lines) or item.size > 1.04 * body


def _starts_well(text: str) -> bool:
    return (not text[0].islower() and text[0] not in "([{&|=<>+•") or is_numbered(text)


def _own_face(item: Item, items: Sequence[Item]) -> bool:
    """One or two short lines in one font, and right after them a paragraph in another."""
    faces = {line.face for line in item.lines}
    if len(item.lines) > 2 or len(faces) != 1 or None in faces or (item.slack < 0.12 and not is_numbered(item.text)):
        return False
    at = next(i for i, other in enumerate(items) if other is item)
    after = next(iter(items[at + 1 : at + 2]), None)
    if after is None or after.kind != "paragraph" or after.region != item.region or len(after.text) < 60:
        return False
    return not faces & {w.style.face for line in after.lines[:2] for w in line.words[:3]}


def _leads_prose(item: Item, items: Sequence[Item]) -> bool:
    """Return whether a paragraph of some length follows."""
    at = next(i for i, other in enumerate(items) if other is item)
    after = items[at + 1 : at + 2]
    return bool(after) and after[0].kind == "paragraph" and len(after[0].text) > 80


def _style(item: Item) -> StyleKey:
    return round(item.size * 2) / 2, all(line.share("bold") > 0.5 for line in item.lines)


def _levels(headings: Sequence[Item], named: dict[int, int]) -> dict[int, int]:
    """Level by id: the outline's where it names the heading or one set alike, else by rank of the style and number."""
    known: dict[StyleKey, int] = {}
    for item in headings:
        if id(item) in named:
            style = _style(item)
            known[style] = min(known.get(style, 9), named[id(item)])
    ranks = _ranks(headings)
    tops = [_depth(i.text) for i in headings]
    levels: dict[int, int] = {}
    first = {1: 1}
    for item, depth in zip(headings, tops, strict=True):
        style = _style(item)
        level = named.get(id(item)) or known.get(style) or ranks[style]
        if id(item) not in named and depth > 1:
            level = max(first[1] + depth - 1, 2)
        elif depth == 1:
            first[1] = level
        levels[id(item)] = level
    return levels


def _ranks(headings: Sequence[Item]) -> dict[StyleKey, int]:
    """1 for the largest type, then down; sizes within 4 % of one another are one rank, bold before plain."""
    ranks: dict[StyleKey, int] = {}
    rank, last = 0, (0.0, False)
    for style in sorted({_style(i) for i in headings}, key=lambda s: (-s[0], not s[1])):
        if not rank or style[0] < 0.96 * last[0] or style[1] != last[1]:
            rank += 1
            last = style
        ranks[style] = min(rank, 6)
    return ranks


def _depth(text: str) -> int:
    """Number of parts of the leading number: 2 for ``3.1 Method``; 1 for ``3 Method``; 0 without a number."""
    found = re.match(r"^(\d{1,2}(?:\.\d{1,2})*)\.?\s+\S", text)
    return found[1].count(".") + 1 if found else 0
