"""Encoded pictures as numbers. The bytes were drawn in the sandbox, or are a user's own."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_PIXELS: Final = 50_000_000


@dataclass(frozen=True)
class Preprocessing:
    """Input of a model: sizes in pixels, values as ``(value / 255 - mean) / deviation`` by channel."""

    side: int
    resized: int = 0
    """Length that the shorter side gets before the middle is cut out; 0 squeezes the whole picture into the square."""
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    deviation: tuple[float, float, float] = (0.5, 0.5, 0.5)


def read_pixels(data: bytes, wanted: Preprocessing) -> NDArray[np.float32] | None:
    """Return a picture as (1, 3, side, side), see-through parts on white; None when it cannot be read."""
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    try:
        opened = Image.open(io.BytesIO(data))
        if opened.width * opened.height > MOST_PIXELS:
            return None
        picture = opened.convert("RGBA")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError, EOFError):
        return None
    sheet = Image.new("RGB", picture.size, "white")
    sheet.paste(picture, mask=picture.getchannel("A"))
    squared = _cut_middle(sheet, wanted) if wanted.resized else sheet.resize((wanted.side, wanted.side), _BICUBIC)
    values = np.asarray(squared, dtype=np.float32) / 255
    mean, deviation = (np.asarray(triple, dtype=np.float32) for triple in (wanted.mean, wanted.deviation))
    scaled = (values - mean) / deviation
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[np.newaxis], dtype=np.float32)


_BICUBIC: Final = 3
"""``PIL.Image.Resampling.BICUBIC``, without importing Pillow for it."""


def _cut_middle(picture: _Picture, wanted: Preprocessing) -> _Picture:
    scale = max(wanted.resized, wanted.side) / min(picture.size)
    width, height = (max(wanted.side, round(length * scale)) for length in picture.size)
    left, top = (width - wanted.side) // 2, (height - wanted.side) // 2
    return picture.resize((width, height), _BICUBIC).crop((left, top, left + wanted.side, top + wanted.side))


if TYPE_CHECKING:
    from PIL.Image import Image as _Picture
