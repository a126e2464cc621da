"""Running headers, footers and page numbers: what repeats at the edges of the pages and is no part of the text."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from roma_core.parsers.pdf.layout import rows_of, segments_of
from roma_core.parsers.pdf.page import PageContent, Word

ZONE = 0.12
"""Share of the page's height at the top and at the bottom where furniture stands."""

Key = tuple[str, int]

_DIGITS = re.compile(r"\d+")
_NUMBER = re.compile(
    r"^[-–—|\s]*(?:page|seite|p\.)?\s*(?:\d{1,4}|[ivxlc]{1,6})(?:\s*(?:/|of|von|de|sur)\s*\d{1,4})?[-–—|\s]*$",
    re.IGNORECASE,
)


def remove_furniture(pages: Sequence[PageContent]) -> list[str]:
    """Take the furniture out of ``pages`` (in place) and return its distinct texts in order of appearance."""
    zones = [(page, _zone_rows(page)) for page in pages]
    needed = _needed(len(pages))
    counts: Counter[Key] = Counter()
    for page, rows in zones:
        counts.update({_key(page, row) for row in rows})
    repeated = {key for key, count in counts.items() if len(pages) > 1 and count >= needed}
    numbered = sum(any(_NUMBER.match(_text(row)) for row in rows) for _, rows in zones) >= max(2, len(pages) // 2)
    usual = _usual_size(pages)
    removed: dict[str, None] = {}
    for page, rows in zones:
        dropped = [r for r in rows if _is_furniture(page, r, rows, repeated, numbered, usual)]
        gone = {id(w) for row in dropped for w in row}
        left = [w for w in page.words if id(w) not in gone]
        # A page that would be left (nearly) blank is not a page of furniture: titles of slides, forms, labels.
        if len(left) > len(gone) or all(_NUMBER.match(_text(row)) for row in dropped):
            page.words = left
            removed.update(dict.fromkeys(_text(row) for row in dropped))
    _remove_stamps(pages, needed, removed)
    return list(removed)


def _is_furniture(
    page: PageContent, row: list[Word], rows: list[list[Word]], repeated: set[Key], numbered: bool, usual: float
) -> bool:
    if _key(page, row) in repeated and (max(w.size for w in row) <= 1.1 * usual or not _DIGITS.search(_text(row))):
        return True
    return (numbered and bool(_NUMBER.match(_text(row)))) or _lonely_header(page, row, rows)


def _usual_size(pages: Sequence[PageContent]) -> float:
    sizes: Counter[float] = Counter()
    for page in pages:
        for word in page.words:
            sizes[word.size] += len(word.text)
    return sizes.most_common(1)[0][0] if sizes else 10.0


def _needed(pages: int) -> int:
    """On how many pages a line must stand to be furniture; left and right pages may have their own."""
    return 2 if pages <= 4 else max(3, pages // 5)


def _zone_rows(page: PageContent) -> list[list[Word]]:
    """Segments of the outermost rows: at most three at either end."""
    height = page.frame[1]
    rows: list[list[Word]] = []
    for edge in ("top", "bottom"):
        inside = [w for w in page.words if _in_zone(w, height, edge)]
        found = rows_of(inside)
        for row in found[:3] if edge == "top" else found[-3:]:
            rows += [list(segment.words) for segment in segments_of(row, 1.5)]
    return rows


def _in_zone(word: Word, height: float, edge: str) -> bool:
    return word.bottom < ZONE * height if edge == "top" else word.top > (1 - ZONE) * height


def _key(page: PageContent, row: list[Word]) -> Key:
    """Text with its numbers (less the page's own, so that page numbers are equal), and the height in steps of 2 %."""
    text = _DIGITS.sub(lambda m: f"#{int(m[0][:9]) - page.number}", _text(row)).casefold()
    middle = (row[0].top + row[0].bottom) / 2
    return text, round(middle / max(page.frame[1], 1) * 50)


def _text(row: Sequence[Word]) -> str:
    return " ".join(w.text for w in row)


def _lonely_header(page: PageContent, row: list[Word], rows: list[list[Word]]) -> bool:
    """A line beside a page number in the outermost row, apart from the text and not larger; also on one page."""
    height = page.frame[1]
    top = min(w.top for w in row)
    same = [r for r in rows if abs(min(w.top for w in r) - top) < 4]
    numbers = [r for r in same if re.fullmatch(r"\d{1,4}", _text(r))]
    if not numbers or len(same) < 2 or len(same) > 3:
        return False
    bottom = max(w.bottom for w in row)
    others = [w for w in page.words if not any(w is x for r in same for x in r)]
    if not others:
        return False
    usual = Counter(w.size for w in others).most_common(1)[0][0]
    if max(w.size for w in row) > usual:
        return False
    if bottom < ZONE * height:
        return min(w.top for w in others) > bottom + 0.8 * usual
    return max(w.bottom for w in others) < top - 0.8 * usual


def _remove_stamps(pages: Sequence[PageContent], needed: int, removed: dict[str, None]) -> None:
    """Text at an angle that stands on many pages: watermarks and margin stamps."""
    if len(pages) < 2:
        return
    seen: dict[str, int] = defaultdict(int)
    for page in pages:
        seen[_text(page.strays)] += bool(page.strays)
    for page in pages:
        text = _text(page.strays)
        if page.strays and seen[text] >= max(needed, 2):
            removed.setdefault(text)
            page.strays = []
