"""Scans made here: known sentences as pictures, level, aslant, upside down, sideways, in columns, with a stamp."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.parse_scores import holds

SENTENCES = (
    "The harbour of the small island was built in three summers by people who had never seen a crane.",
    "They carried the stones in baskets and wrote the name of each family on the wall.",
    "Later a lighthouse was added on the northern cliff above the landing place.",
    "Its keeper wrote down the weather four times a day for forty years.",
    "His notebooks are now the longest unbroken series of observations on that coast.",
    "The ferry leaves at six twenty and costs 8.40 in summer and 6.15 in winter.",
    "In 1938 a storm took the western mole and with it the winch house.",
    "A new mole of 212 metres was finished only after the war.",
)
WIDTH, HEIGHT = 1240, 1754
"""A4 at 150 dots an inch."""


@dataclass(frozen=True)
class MadeScan:
    """A PDF of one page that is a picture, with the words that must be read from it."""

    kind: str
    data: bytes
    phrases: tuple[str, ...]

    def count_read(self, text: str) -> int:
        """Return the number of phrases that a text holds."""
        return sum(holds(text, phrase) for phrase in self.phrases)


def _phrases() -> tuple[str, ...]:
    """Return four words in a row out of the beginning and the end of each sentence, whichever line they fall on."""
    parts: list[str] = []
    for sentence in SENTENCES:
        words = sentence.rstrip(".").split()
        parts += [" ".join(words[:4]), " ".join(words[-4:])]
    return tuple(parts)


def make_scans() -> Iterator[MadeScan]:
    """Yield one scan of each kind."""
    kinds = {
        "level": (1, 0.0),
        "3 degrees aslant": (1, 3.0),
        "4 degrees the other way, two columns": (2, -4.0),
        "8 degrees aslant": (1, 8.0),
        "on its head": (1, 180.0),
        "on its side": (1, 90.0),
    }
    for kind, (columns, angle) in kinds.items():
        yield MadeScan(kind, _pdf(_picture(columns, angle)), _phrases())
    stamp = "Case 1:23-cv-00456 Document 12 Filed 03/04/2025 Page 1 of 9 PageID 4711"
    yield MadeScan("level, with a digital stamp", _pdf(_picture(1, 0.0), stamp), _phrases())


def _picture(columns: int, angle: float) -> object:
    import reportlab
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.truetype(str(Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"), 22)
    picture = Image.new("L", (WIDTH, HEIGHT), 255)
    draw = ImageDraw.Draw(picture)
    width = 1040 // columns
    lines = textwrap.wrap(" ".join(SENTENCES), int(width / 13) - 2)
    share = -(-len(lines) // columns)
    for at, line in enumerate(lines):
        column, row = divmod(at, share)
        draw.text((100 + column * (width + 20), 200 + row * 36), line, font=font, fill=0)
    expand = angle % 90 == 0
    return picture.rotate(angle, expand=expand, fillcolor=255, resample=Image.Resampling.BICUBIC)


def _pdf(picture: object, stamp: str = "") -> bytes:
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen import canvas

    image = ImageReader(picture)
    width, height = (value * 72 / 150 for value in image.getSize())
    buffer = io.BytesIO()
    page = canvas.Canvas(buffer, pagesize=(width, height))
    page.drawImage(image, 0, 0, width, height)
    if stamp:
        page.setFont("Helvetica", 9)
        page.drawString(60, height - 22, stamp)
    page.showPage()
    page.save()
    return buffer.getvalue()
