"""Manuscripts as PDF: one or two columns, ruled tables, figures, and scans that hold no letter of text.

Written by hand, so that no library's version decides the bytes: streams are not compressed, and pictures are taken out
of their PNG files as they are.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from roma_core.evals.corpus.manuscript import Manuscript, ManuscriptBlock
from roma_core.evals.corpus.office import ReadPicture

WIDTH, HEIGHT, MARGIN, GAP = 595, 842, 60, 24
_WIDTHS = {
    "F1": "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 "
    "556 278 278 584 584 584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 667 778 "
    "722 667 611 722 667 944 667 667 611 278 278 278 469 556 333 556 556 500 556 556 278 556 556 222 222 "
    "500 222 833 556 556 556 556 333 500 278 556 500 722 500 500 500 334 260 334 584",
    "F2": "278 333 474 556 556 889 722 238 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 "
    "556 333 333 584 584 584 611 975 722 722 722 722 667 611 778 722 278 556 722 611 833 722 778 667 778 "
    "722 667 611 722 667 944 667 667 611 333 278 333 584 556 333 556 611 556 611 556 333 611 611 278 278 "
    "556 278 889 611 611 611 611 389 556 333 611 556 778 556 556 500 389 280 389 584",
}
"""Widths of the letters from the space to the tilde in Helvetica and Helvetica bold, in thousandths of the size."""
_LETTERS = {font: tuple(map(int, widths.split())) for font, widths in _WIDTHS.items()}
_OTHER = 556


@dataclass
class _PdfPage:
    marks: list[str] = field(default_factory=list)
    pictures: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _PngPicture:
    width: int
    height: int
    colours: int
    data: bytes


class _ColumnLayout:
    """Puts blocks below each other, column by column and page by page."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.width = (WIDTH - 2 * MARGIN - GAP * (columns - 1)) / columns
        self.pages = [_PdfPage()]
        self.column = 0
        self.top = HEIGHT - MARGIN
        self.y = float(self.top)

    @property
    def x(self) -> float:
        return MARGIN + self.column * (self.width + GAP)

    @property
    def page(self) -> _PdfPage:
        return self.pages[-1]

    def demand(self, height: float) -> None:
        """Go to the next column or page where ``height`` does not fit any more."""
        if self.y - height >= MARGIN:
            return
        if self.column + 1 < self.columns:
            self.column += 1
            self.y = self.top
            return
        self.pages.append(_PdfPage())
        self.column, self.top = 0, HEIGHT - MARGIN
        self.y = self.top

    def write(self, text: str, font: str, size: float, indent: float = 0.0, width: float | None = None) -> None:
        """Set a paragraph."""
        for line in _break_lines(text, font, size, (width or self.width) - indent):
            self.demand(size * 1.3)
            self.y -= size * 1.3
            self.page.marks.append(_set_text(line, font, size, self.x + indent, self.y))

    def close_title(self) -> None:
        """Begin the columns below what was written across the page."""
        self.top = int(self.y - 10)
        self.y = self.top


def write_pdf(manuscript: Manuscript, read_picture: ReadPicture) -> bytes:
    """Return the manuscript as PDF. ``columns: 2`` and ``scan: picture.png`` in its front matter are heeded."""
    pictures: list[_PngPicture] = []
    scan = manuscript.facts.get("scan", "")
    if scan:
        pictures.append(_read_png(read_picture(scan)))
        page = _PdfPage([f"q {WIDTH} 0 0 {HEIGHT} 0 0 cm /P0 Do Q"], {"P0": 0})
        return _assemble(manuscript, [page], pictures)
    layout = _ColumnLayout(int(manuscript.facts.get("columns", "1")))
    for number, block in enumerate(manuscript.blocks):
        _lay_out(layout, block, number == 0, pictures, read_picture)
    for number, page in enumerate(layout.pages, 1):
        page.marks.append(_set_text(f"{manuscript.title} - page {number}", "F1", 8, MARGIN, 32))
    return _assemble(manuscript, layout.pages, pictures)


def _lay_out(
    layout: _ColumnLayout,
    block: ManuscriptBlock,
    is_first: bool,
    pictures: list[_PngPicture],
    read_picture: ReadPicture,
) -> None:
    if block.kind == "heading" and is_first:
        layout.write(block.text, "F2", 18, width=WIDTH - 2 * MARGIN)
        layout.close_title()
    elif block.kind == "heading":
        layout.demand(50)
        layout.y -= 8
        layout.write(block.text, "F2", 13)
        layout.y -= 3
    elif block.kind == "list":
        for item in block.items:
            layout.write(f"•  {item}", "F1", 10, indent=8)
        layout.y -= 5
    elif block.kind == "table":
        _draw_table(layout, block.rows)
    elif block.kind == "figure":
        picture = _read_png(read_picture(block.path))
        height = layout.width * picture.height / picture.width
        layout.demand(height + 10)
        layout.y -= height
        name = f"P{len(pictures)}"
        layout.page.pictures[name] = len(pictures)
        layout.page.marks.append(f"q {layout.width:.1f} 0 0 {height:.1f} {layout.x:.1f} {layout.y:.1f} cm /{name} Do Q")
        pictures.append(picture)
        layout.y -= 6
    else:
        layout.write(block.text, "F1", 10)
        layout.y -= 6


def _draw_table(layout: _ColumnLayout, rows: tuple[tuple[str, ...], ...]) -> None:
    widest = [max(_width(row[i], "F2", 9) for row in rows) + 10 for i in range(len(rows[0]))]
    scale = min(1.0, layout.width / sum(widest))
    widths = [width * scale for width in widest]
    heights = []
    lines_of: list[list[list[str]]] = []
    for row in rows:
        cells = [list(_break_lines(cell, "F1", 9, width - 8)) for cell, width in zip(row, widths, strict=True)]
        lines_of.append(cells)
        heights.append(max(map(len, cells)) * 12 + 6)
    layout.demand(sum(heights) + 10)
    for number, (cells, height) in enumerate(zip(lines_of, heights, strict=True)):
        x = layout.x
        for lines, width in zip(cells, widths, strict=True):
            layout.page.marks.append(f"0.5 w {x:.1f} {layout.y - height:.1f} {width:.1f} {height:.1f} re S")
            for i, line in enumerate(lines):
                font = "F1" if number else "F2"
                layout.page.marks.append(_set_text(line, font, 9, x + 4, layout.y - 12 * (i + 1)))
            x += width
        layout.y -= height
    layout.y -= 10


def _break_lines(text: str, font: str, size: float, width: float) -> Iterator[str]:
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and _width(longer, font, size) > width:
            yield line
            line = word
        else:
            line = longer
    if line or not text:
        yield line


def _width(text: str, font: str, size: float) -> float:
    letters = _LETTERS[font]
    total = sum(letters[ord(sign) - 32] if 32 <= ord(sign) < 127 else _OTHER for sign in text)
    return total * size / 1000


def _set_text(text: str, font: str, size: float, x: float, y: float) -> str:
    return f"BT /{font} {size:g} Tf {x:.1f} {y:.1f} Td {_literal(text)} Tj ET"


def _literal(text: str) -> str:
    data = text.encode("cp1252")
    letters = (chr(b) if 32 <= b < 127 and b not in b"()\\" else f"\\{b:03o}" for b in data)
    return f"({''.join(letters)})"


def _read_png(data: bytes) -> _PngPicture:
    """Take the picture out of a PNG of 8 bits in grey or colour: PDF knows the same compression and filters."""
    place, stream, width, height, colours = 8, b"", 0, 0, 1
    while place < len(data):
        size, kind = struct.unpack(">I4s", data[place : place + 8])
        body = data[place + 8 : place + 8 + size]
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", body)
            if depth != 8 or colour not in {0, 2} or interlaced:
                raise ValueError("Pictures of the corpus are PNG files of 8 bits, grey or colour, not interlaced.")
            colours = 3 if colour == 2 else 1
        elif kind == b"IDAT":
            stream += body
        place += size + 12
    return _PngPicture(width, height, colours, stream)


def _assemble(manuscript: Manuscript, pages: list[_PdfPage], pictures: list[_PngPicture]) -> bytes:
    """Return the file: catalog, pages, fonts, properties, pictures, and for each page itself and its marks."""
    first_picture = 6
    first_page = first_picture + len(pictures)
    kids = " ".join(f"{first_page + 2 * i} 0 R" for i in range(len(pages)))
    stamp = f" /CreationDate (D:{manuscript.date.replace('-', '')}090000Z)" if manuscript.date else ""
    objects: list[bytes] = [
        f"<< /Type /Catalog /Pages 2 0 R /Lang {_literal(manuscript.language)} >>".encode(),
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        *(
            f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>".encode()
            for name in ("Helvetica", "Helvetica-Bold")
        ),
        f"<< /Title {_literal(manuscript.title)} /Author {_literal(manuscript.author)}{stamp} >>".encode(),
    ]
    for picture in pictures:
        space = "/DeviceRGB" if picture.colours == 3 else "/DeviceGray"
        head = (
            f"<< /Type /XObject /Subtype /Image /Width {picture.width} /Height {picture.height} /ColorSpace {space} "
            f"/BitsPerComponent 8 /Filter /FlateDecode /DecodeParms << /Predictor 15 /Colors {picture.colours} "
            f"/Columns {picture.width} >> /Length {len(picture.data)} >>\nstream\n"
        )
        objects.append(head.encode() + picture.data + b"\nendstream")
    for i, page in enumerate(pages):
        images = " ".join(f"/{name} {first_picture + number} 0 R" for name, number in page.pictures.items())
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}] /Contents {first_page + 2 * i + 1} 0 R "
            f"/Resources << /Font << /F1 3 0 R /F2 4 0 R >> /XObject << {images} >> >> >>".encode()
        )
        marks = "\n".join(page.marks).encode("ascii")
        objects.append(f"<< /Length {len(marks)} >>\nstream\n".encode() + marks + b"\nendstream")
    file = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(file))
        file += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    size = len(objects) + 1
    tail = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<< /Size {size} /Root 1 0 R /Info 5 0 R >>\n"
    return file + f"{tail}startxref\n{len(file)}\n%%EOF\n".encode()
