"""Columns, bands, titles, figures, sidebars and notes are read in order, whatever order the file draws them in."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from roma_core.parsers.pdf.columns import column_gutters, find_gutters, regions
from roma_core.parsers.pdf.layout import Line, rows_of, segments_of
from roma_core.parsers.pdf.page import Rect, Word
from tests.fixtures.make_lines import PLAIN, line, sized, words

WORDS = "the tide and harbour of vessels carried a crew under quiet winter rain before they returned".split()


class Sheet:
    """A page in the making. Each line begins with a name that tells its place in the reading order."""

    def __init__(self) -> None:
        self.lines: list[list[Word]] = []
        self.obstacles: list[Rect] = []
        self.expected: list[str] = []
        self.dice = random.Random(4)

    def prose(self, x: float, top: float, width: float, count: int, size: float = 10.0) -> None:
        for n in range(count):
            name = f"n{len(self.expected)}"
            text = name
            while 0.5 * size * (len(text) + 10) < width:
                text += " " + self.dice.choice(WORDS)
            self.expected.append(name)
            self.lines.append(words(text, x, top + 1.2 * size * n, sized(PLAIN, size)))

    def title(self, x: float, top: float, text: str) -> None:
        name = f"n{len(self.expected)}"
        self.expected.append(name)
        self.lines.append(words(f"{name} {text}", x, top, sized(PLAIN, 14.0)))

    def read(self, drawn: str) -> list[str]:
        """Return the names in the order in which the page is read when it is ``drawn`` so."""
        if drawn == "by row":
            self.lines.sort(key=lambda row: (round(row[0].top), row[0].x0))
        elif drawn == "anyhow":
            random.Random(1).shuffle(self.lines)
        flat = [replace(word, order=order) for order, word in enumerate(w for row in self.lines for w in row)]
        gutters = find_gutters(flat, self.obstacles)

        def parted(left: Word, right: Word) -> bool:
            return any(gutter.parts(left, right) for gutter in gutters)

        segments = [piece for row in rows_of(flat) for piece in segments_of(row, breaks=parted)]
        parts = regions(segments, column_gutters(gutters, segments))
        names = [word.text for part in parts for piece in part for word in piece.words]
        return [name for name in names if name in set(self.expected)]


def columns(count: int, gap: float, step: float = 0.0) -> Callable[[Sheet], None]:
    def draw(sheet: Sheet) -> None:
        width = (500 - gap * (count - 1)) / count
        for n in range(count):
            sheet.prose(50 + n * (width + gap), 80 + n * step, width, 20, 8.0)

    return draw


def title_over_columns(sheet: Sheet) -> None:
    sheet.title(60, 50, "a title over both of the columns of this page as wide as all")
    sheet.prose(50, 80, 240, 20)
    sheet.prose(310, 80, 240, 20)


def bands(sheet: Sheet) -> None:
    sheet.prose(50, 60, 240, 10)
    sheet.prose(310, 60, 240, 10)
    sheet.title(60, 200, "a heading between two bands that is as wide as all of them are")
    for n in range(3):
        sheet.prose(50 + 172 * n, 240, 155, 14, 8.0)


def bands_without_heading(sheet: Sheet) -> None:
    for n in range(3):
        sheet.prose(50 + 172 * n, 60, 155, 14, 8.0)
    sheet.prose(50, 260, 240, 10)
    sheet.prose(310, 260, 240, 10)


def figure_over_columns(sheet: Sheet) -> None:
    sheet.prose(50, 60, 240, 10)
    sheet.prose(310, 60, 240, 10)
    sheet.obstacles.append((60.0, 200.0, 540.0, 330.0))
    sheet.title(60, 340, "a caption that is as wide as the figure over the columns")
    sheet.prose(50, 380, 240, 10)
    sheet.prose(310, 380, 240, 10)


def figure_over_two_of_three(sheet: Sheet) -> None:
    sheet.prose(50, 60, 155, 40, 8.0)
    sheet.obstacles.append((222.0, 60.0, 549.0, 180.0))
    sheet.prose(222, 200, 155, 25, 8.0)
    sheet.prose(394, 200, 155, 25, 8.0)


def sidebar(sheet: Sheet) -> None:
    sheet.prose(50, 60, 110, 22, 8.0)
    sheet.prose(180, 64, 370, 40)


def footnote_over_columns(sheet: Sheet) -> None:
    sheet.prose(50, 60, 240, 30)
    sheet.prose(310, 60, 240, 30)
    sheet.prose(50, 460, 500, 3, 7.0)


def short_last_column(sheet: Sheet) -> None:
    sheet.prose(50, 60, 155, 30, 8.0)
    sheet.prose(222, 60, 155, 30, 8.0)
    sheet.prose(394, 60, 155, 6, 8.0)


def two_articles(sheet: Sheet) -> None:
    sheet.prose(50, 60, 180, 14)
    sheet.prose(250, 60, 300, 14)
    sheet.prose(50, 260, 300, 14)
    sheet.prose(370, 260, 180, 14)


def wide_text_around_columns(sheet: Sheet) -> None:
    sheet.prose(50, 60, 500, 6)
    sheet.prose(50, 150, 240, 12)
    sheet.prose(310, 150, 240, 12)
    sheet.prose(50, 320, 500, 6)


KINDS = {
    "two columns": columns(2, 20),
    "two near columns": columns(2, 8),
    "two columns out of step": columns(2, 14, 4),
    "three columns": columns(3, 20),
    "three near columns": columns(3, 8),
    "three columns out of step": columns(3, 14, 3),
    "four columns": columns(4, 14),
    "title over columns": title_over_columns,
    "bands": bands,
    "bands without heading": bands_without_heading,
    "figure over columns": figure_over_columns,
    "figure over two of three columns": figure_over_two_of_three,
    "sidebar": sidebar,
    "footnote over columns": footnote_over_columns,
    "short last column": short_last_column,
    "two articles": two_articles,
    "wide text around columns": wide_text_around_columns,
    "one column": lambda sheet: sheet.prose(50, 60, 500, 30),
}


@pytest.mark.parametrize("drawn", ["in order", "by row", "anyhow"])
@pytest.mark.parametrize("kind", KINDS)
def test_pages_are_read_in_order(kind, drawn):
    sheet = Sheet()
    KINDS[kind](sheet)
    assert sheet.read(drawn) == sheet.expected


def read(lines: list[Line]) -> list[list[Line]]:
    drawn = [Line(tuple(replace(w, order=n) for w in one.words)) for n, one in enumerate(lines)]
    return regions(drawn, column_gutters(find_gutters([w for one in drawn for w in one.words]), drawn))


def test_no_lines_are_no_region():
    assert read([]) == []


def test_columns_of_a_right_to_left_page_begin_at_the_right():
    text = "كتب الحارس الطقس كل يوم"
    left = [Line(tuple(words(text, 200, 100 + 12 * n, rtl=True))) for n in range(6)]
    right = [Line(tuple(words(text, 450, 100 + 12 * n, rtl=True))) for n in range(6)]
    assert [{part.x1 for part in region} for region in read([*left, *right])] == [{450}, {200}]


def test_numbers_beside_one_another_are_no_columns():
    cells = [line(text, x, 100 + 12 * n) for n in range(6) for x, text in ((50, "12"), (150, "4"), (300, "7.5"))]
    assert len(read(cells)) == 1


def test_rows_of_short_texts_are_no_columns():
    names = [
        "Mill to Chapel",
        "Pier to Mill",
        "Harbour to Lighthouse",
        "Quay to Pier",
        "Chapel to Quay",
        "North to Mill",
    ]
    cells = [line(name, x, 100 + 12 * n) for n, name in enumerate(names) for x in (50, 250)]
    assert len(read(cells)) == 1


def test_narrow_pieces_beside_one_another_are_no_columns():
    tiny = sized(PLAIN, 4.0)
    cells = [line("a b c", x, 100 + 5 * n, tiny) for n in range(5) for x in (50, 70)]
    assert len(read(cells)) == 1


def test_a_box_of_labels_beside_prose_is_read_apart_from_it():
    prose = [line("the keeper wrote down the weather four times", 50, 100 + 12 * n) for n in range(12)]
    box = [line(f"Label {n}", 360, 104 + 15 * n) for n in range(8)]
    got = read([*prose, *box])
    assert [len(part) for part in got] == [12, 8]
