"""Pages of 16 kinds of layout, made here, so that the order of their lines is known: columns, bands, boxes, figures.

Each line of prose begins with its name, ``c2l7`` for line 7 of the third block in reading order. A page is written in
three orders: block by block, line by line across the page, and shuffled, as programs do all three.
"""

from __future__ import annotations

import io
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

WORDS = (
    "the tide harbour vessel of a captain crew mast rope under above because while storm quiet deep winter cargo "
    "manifest signed they would have seen it before every morning and then returned to their work without delay"
).split()
STREAMS = ("blocks", "rows", "shuffled")
_NAME = re.compile(r"c\d+l\d+")


@dataclass(frozen=True)
class MadePage:
    """A PDF of one page with the names of its lines in reading order."""

    kind: str
    stream: str
    data: bytes
    names: tuple[str, ...]

    def is_read_in_order(self, text: str) -> bool:
        """Return whether a text has every line, once and in order."""
        return tuple(_NAME.findall(text)) == self.names


@dataclass(frozen=True)
class _PlacedLine:
    x: float
    y: float
    size: float
    text: str


@dataclass
class _Layout:
    """A page under construction: lines in reading order, and drawings."""

    dice: random.Random
    font: str
    lines: list[_PlacedLine] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    pictures: list[tuple[float, float, float, float]] = field(default_factory=list)
    shades: list[tuple[float, float, float, float]] = field(default_factory=list)
    rules: list[tuple[float, float, float, float]] = field(default_factory=list)
    blocks: int = 0

    def prose(self, x: float, y: float, width: float, count: int, size: float = 9.0) -> float:
        """Add ``count`` lines of prose from ``y`` down; return where the next line would stand."""
        from reportlab.pdfbase.pdfmetrics import stringWidth

        block, words = self.blocks, self._sentences()
        self.blocks += 1
        waiting: list[str] = []
        for number in range(count):
            line = [f"c{block}l{number}", *waiting]
            waiting = []
            while not waiting:
                word = next(words)
                if stringWidth(" ".join([*line, word]), self.font, size) > width:
                    waiting = [word]
                else:
                    line.append(word)
            self.names.append(line[0])
            self.lines.append(_PlacedLine(x, y - number * size * 1.25, size, " ".join(line)))
        return y - count * size * 1.25

    def title(self, x: float, y: float, words: str, size: float = 14.0) -> None:
        """Add one line that stands alone."""
        name = f"c{self.blocks}l0"
        self.blocks += 1
        self.names.append(name)
        self.lines.append(_PlacedLine(x, y, size, f"{name} {words}"))

    def columns(self, count: int, gutter: float, y: float, lines: int, size: float, step: float = 0.0) -> float:
        """Add columns of equal width; each begins ``step`` below the one before."""
        width = (495 - gutter * (count - 1)) / count
        ends = [self.prose(50 + at * (width + gutter), y - at * step, width, lines, size) for at in range(count)]
        return min(ends)

    def _sentences(self) -> Iterator[str]:
        while True:
            length = self.dice.randint(8, 22)
            for at in range(length):
                word = self.dice.choice(WORDS)
                word = word.capitalize() if at == 0 else word
                yield f"{word}." if at == length - 1 else word


def _title_over_two(page: _Layout) -> None:
    page.title(90, 800, "A title that goes over both of the columns")
    page.columns(2, 18, 770, 40, 9.5)


def _bands(page: _Layout) -> None:
    end = page.columns(2, 18, 790, 18, 9.5)
    page.title(60, end - 24, "A heading between the two bands of this page")
    page.columns(3, 14, end - 50, 25, 8)


def _bands_without_heading(page: _Layout) -> None:
    end = page.columns(2, 18, 790, 18, 9.5)
    page.columns(3, 14, end - 40, 25, 8)


def _spanning_figure(page: _Layout) -> None:
    end = page.columns(2, 18, 790, 20, 9.5)
    page.pictures.append((60, end - 160, 470, 140))
    page.title(60, end - 175, "Figure 1. The caption of a figure that goes over both columns", 8)
    page.columns(2, 18, end - 200, 18, 9.5)


def _figure_over_two_of_three(page: _Layout) -> None:
    page.prose(50, 790, 155, 55, 8.5)
    page.pictures.append((220, 640, 325, 150))
    page.title(220, 628, "Figure 2. A caption below a figure of two columns", 8)
    page.prose(220, 600, 155, 38, 8.5)
    page.prose(390, 600, 155, 38, 8.5)


def _sidebar_left(page: _Layout) -> None:
    page.prose(40, 780, 110, 30, 8)
    page.prose(170, 790, 375, 45, 10)


def _sidebar_right(page: _Layout) -> None:
    page.shades.append((425, 500, 130, 300))
    page.prose(50, 790, 355, 50, 10)
    page.prose(432, 780, 115, 28, 8)


def _footnote_in_a_column(page: _Layout) -> None:
    page.prose(50, 790, 240, 46, 9.5)
    page.rules.append((50, 230, 130, 230))
    page.prose(50, 220, 240, 4, 7.5)
    page.prose(305, 790, 240, 52, 9.5)


def _footnote_over_the_page(page: _Layout) -> None:
    page.columns(2, 18, 790, 50, 9.5)
    page.rules.append((50, 170, 130, 170))
    page.prose(50, 158, 495, 3, 7.5)


def _abstract_over_two(page: _Layout) -> None:
    page.title(130, 805, "A paper about harbours", 17)
    end = page.prose(110, 780, 375, 7, 8.5)
    page.columns(2, 18, end - 20, 42, 9.5)


def _two_articles(page: _Layout) -> None:
    page.prose(50, 790, 180, 22, 9)
    page.prose(250, 790, 295, 22, 9)
    page.title(50, 490, "Second article of the page with its own title set wide")
    page.prose(50, 465, 295, 25, 9)
    page.prose(365, 465, 180, 25, 9)


def _short_last_column(page: _Layout) -> None:
    width = 154.0
    page.prose(50, 780, width, 45, 8.5)
    page.prose(50 + width + 16, 780, width, 45, 8.5)
    page.prose(50 + 2 * (width + 16), 780, width, 15, 8.5)


KINDS: dict[str, Callable[[_Layout], object]] = {
    "two columns": lambda page: page.columns(2, 20, 780, 45, 9.5),
    "two columns, narrow gutter, uneven tops": lambda page: page.columns(2, 9, 780, 45, 9.5, step=4),
    "three columns": lambda page: page.columns(3, 12, 780, 45, 8),
    "four columns": lambda page: page.columns(4, 12, 780, 45, 7),
    "title over two columns": _title_over_two,
    "bands of two and three columns": _bands,
    "bands without a heading": _bands_without_heading,
    "figure over both columns": _spanning_figure,
    "figure over two of three columns": _figure_over_two_of_three,
    "sidebar on the left": _sidebar_left,
    "shaded sidebar on the right": _sidebar_right,
    "footnote in a column": _footnote_in_a_column,
    "footnote over the page": _footnote_over_the_page,
    "abstract over two columns": _abstract_over_two,
    "two articles": _two_articles,
    "short last column": _short_last_column,
}


def make_pages(seed: int = 1) -> Iterator[MadePage]:
    """Yield each kind in each of the three orders of its stream; another ``seed`` gives other words."""
    for number, (kind, draw) in enumerate(KINDS.items()):
        font = "Times-Roman" if number % 2 else "Helvetica"
        layout = _Layout(random.Random(100 * seed + number), font)  # not a secret
        draw(layout)
        for stream in STREAMS:
            yield MadePage(kind, stream, _write(layout, stream), tuple(layout.names))


def _write(layout: _Layout, stream: str) -> bytes:
    from PIL import Image
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen import canvas

    lines = list(layout.lines)
    if stream == "rows":
        lines.sort(key=lambda line: (-round(line.y), line.x))
    elif stream == "shuffled":
        random.Random(5).shuffle(lines)
    buffer = io.BytesIO()
    page = canvas.Canvas(buffer, pagesize=A4)
    picture = ImageReader(Image.new("RGB", (40, 40), (120, 160, 200)))
    for x, y, width, height in layout.pictures:
        page.drawImage(picture, x, y, width, height)
    for x, y, width, height in layout.shades:
        page.setFillGray(0.9)
        page.rect(x, y, width, height, stroke=0, fill=1)
        page.setFillGray(0)
    for rule in layout.rules:
        page.line(*rule)
    for line in lines:
        page.setFont(layout.font, line.size)
        page.drawString(line.x, line.y, line.text)
    page.showPage()
    page.save()
    return buffer.getvalue()
