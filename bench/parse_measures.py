"""How true a reading of a PDF is to its text layer and to the structure of its tables. Pure functions.

*Line continuations*: of the layer's lines of prose whose next line goes on in lower case, how many stand together in
the text. *Rows and cells*: of a table whose structure is known, how many rows have exactly its cells in order, and how
many cells are there. *Lost words*: words and numbers of the layer that neither the text nor the loss ledger has.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

from bench.parse_scores import pipe_tables

LEAST_PAIRS = 15
"""A file with fewer pairs of lines says nothing about continuations."""
_NOT_ALNUM = re.compile(r"[\W_]+")
_LOWER_END = re.compile(r"[a-z]$")
_PLACE = re.compile(r"pages? (\d+(?:-\d+)?(?:, \d+(?:-\d+)?)*)")


def squash(text: str) -> str:
    """Return the letters and digits of a text in one case and one form.

    >>> squash("The **Ofﬁce**")
    'theoffice'
    """
    return _NOT_ALNUM.sub("", unicodedata.normalize("NFKC", text).casefold())


def layer_lines(data: bytes) -> list[list[str]]:
    """Return the lines of each page's text layer in the order of the file. Raises ``PdfiumError``."""
    import pypdfium2

    document = pypdfium2.PdfDocument(data)
    try:
        texts = [page.get_textpage().get_text_range() for page in document]
    finally:
        document.close()
    return [[line.strip() for line in text.replace("\r", "").split("\n")] for text in texts]


def doubled_letters(data: bytes) -> str:
    """Return the letters that a PDF draws again in (nearly) the same place, to look bold: they are one letter each."""
    import pypdfium2
    import pypdfium2.raw as pdf

    document = pypdfium2.PdfDocument(data)
    doubled: list[str] = []
    near_pt = range(-1, 2)
    try:
        for page in document:
            text = page.get_textpage()
            places: set[tuple[int, int, int]] = set()
            for index in range(text.count_chars()):
                code = pdf.FPDFText_GetUnicode(text, index)
                left, bottom, _, _ = text.get_charbox(index)
                near = [(code, round(left) + dx, round(bottom) + dy) for dx in near_pt for dy in near_pt]
                if any(place in places for place in near) and chr(code).isalnum():
                    doubled.append(chr(code))
                places.add((code, round(left), round(bottom)))
    finally:
        document.close()
    return "".join(doubled)


def joints(lines: Sequence[str]) -> Iterator[str]:
    """Yield the end of each line of prose with the beginning of the next, where that goes on in lower case."""
    for first, second in pairwise(lines):
        before, after = first.split(), second.split()
        if len(before) < 6 or len(after) < 4 or sum(char.isdigit() for char in first + second) >= 6:
            continue
        if after[0][0].islower() and _LOWER_END.search(first):
            yield squash(" ".join(before[-3:]) + " ".join(after[:3]))


@dataclass(frozen=True)
class Continuations:
    """Pairs of lines of one file that belong together, and how many of them stand together in a text."""

    kept: int
    pairs: int

    @property
    def share(self) -> float:
        return self.kept / self.pairs if self.pairs else 1.0

    @property
    def counts(self) -> bool:
        """Return whether the file has enough pairs to say anything."""
        return self.pairs >= LEAST_PAIRS


def continuations(pages: Iterable[Sequence[str]], text: str) -> Continuations:
    """Return how many line continuations of a text layer a text keeps."""
    squashed = squash(text)
    found = [joint in squashed for lines in pages for joint in joints(lines)]
    return Continuations(sum(found), len(found))


Row = tuple[str, ...]


def rows_of(grid: Iterable[Iterable[str]]) -> list[Row]:
    """Return the filled cells of each row, squashed; a cell that is repeated beside itself counts once."""
    rows: list[Row] = []
    for line in grid:
        cells: list[str] = []
        for text in line:
            key = squash(text)
            if key and (not cells or cells[-1] != key):
                cells.append(key)
        if cells:
            rows.append(tuple(cells))
    return rows


def rows_of_structure(path: Path) -> list[Row]:
    """Return the rows of the tables of an ICDAR structure file."""
    rows: list[Row] = []
    for region in ElementTree.parse(path).getroot().iter("region"):
        lines: dict[int, dict[int, str]] = defaultdict(dict)
        for cell in region.iter("cell"):
            y, x = int(cell.get("start-row") or 0), int(cell.get("start-col") or 0)
            lines[y][x] = f"{lines[y].get(x, '')} {cell.findtext('content') or ''}"
        rows += rows_of([lines[y][x] for x in sorted(lines[y])] for y in sorted(lines))
    return rows


@dataclass(frozen=True)
class TableScore:
    """Rows and cells of one file's tables: wanted, had, and how many of the wanted are there."""

    rows: int
    rows_found: int
    rows_read: int
    cells: int
    cells_found: int


def score_tables(text: str, wanted: Sequence[Row]) -> TableScore:
    """Return how many of the wanted rows and cells the Markdown tables of ``text`` have."""
    read = [row for grid in pipe_tables(text) for row in rows_of(grid)]
    cells, cells_read = (Counter(cell for row in rows for cell in row) for rows in (wanted, read))
    return TableScore(
        rows=len(wanted),
        rows_found=(Counter(wanted) & Counter(read)).total(),
        rows_read=len(read),
        cells=cells.total(),
        cells_found=(cells & cells_read).total(),
    )


def count_pages(place: str) -> int:
    """Return on how many pages an entry of the loss ledger stands; 1 where it names none.

    >>> count_pages("pages 1-3, 7")
    4
    """
    named = _PLACE.match(place)
    if named is None:
        return 1
    total = 0
    for part in named[1].split(", "):
        first, _, last = part.partition("-")
        total += int(last or first) - int(first) + 1
    return total


def lost_words(pages: Iterable[Sequence[str]], known: str, doubled: str = "") -> list[str]:
    """Return the words of a text layer that are not in ``known``: the text and the loss ledger.

    A word counts as often as it stands there. It is lost when ``known`` has neither the word nor its letters to spare:
    a layer spells some words in another order (Arabic) or cuts them elsewhere (hyphens) than a text does. ``doubled``
    are letters that the page draws twice.
    """
    lines = [line for page in pages for line in page]
    missing = Counter(squash(" ".join(lines))) - Counter(squash(known)) - Counter(squash(doubled))
    tokens = Counter(squash(word) for word in known.split())
    lost: list[str] = []
    for word in (word for line in lines for word in line.split()):
        key = squash(word)
        if tokens[key] > 0:
            tokens[key] -= 1
        elif key and not Counter(key) - missing:
            lost.append(word)
            missing -= Counter(key)
    return lost
