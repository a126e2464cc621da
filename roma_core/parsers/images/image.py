"""Pictures: their text by OCR, their size, and the EXIF data that tells when, where and with what they were made."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder, clean
from roma_core.parsers.images import ocr
from roma_core.parsers.pdf.assemble import assemble
from roma_core.parsers.pdf.page import PageContent
from roma_core.parsers.sandbox import deadline
from roma_core.types import Document, RawDocument

if TYPE_CHECKING:
    from PIL.Image import Exif, Image

MAX_PIXELS = 120_000_000
"""Larger pictures are refused before they are unpacked."""
MAX_SIDE = 2_600
"""Pictures are made smaller than this for OCR."""
PAGE_S = 12.0

_EXIF = {
    270: "description",
    271: "camera_make",
    272: "camera_model",
    305: "software",
    306: "modified",
    315: "author",
    33432: "copyright",
    36867: "created",
}
_GPS, _SUB = 0x8825, 0x8769


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    """Document of a PNG, JPEG, WebP or (each frame a page) TIFF picture.

    Raises ``ParserError``: ``MALFORMED``, ``TOO_LARGE`` (pixels), ``EMPTY`` when neither OCR nor the description that
    the picture carries gives any text.
    """
    picture = _open(raw.data)
    builder = DocumentBuilder(raw, options, "image", raw.media_type or "image/*")
    builder.metadata.update(_facts(picture))
    pages = [page for page in read_pages(picture, options, builder) if page is not None]
    if described := builder.metadata.get("description"):
        builder.page(pages[0].number if pages else 1)
        builder.figure(described, raw.uri)
    if any(page.words for page in pages):
        assemble(builder, pages)
    if builder.is_empty:
        why = "; ".join(builder.warnings) or "OCR found none"
        raise ParserError(f"The picture holds no text that can be read: {why}.", ErrorCode.PARSER_EMPTY)
    return builder.build()


def drawn(data: bytes, number: int, side: int) -> Image:
    """Frame ``number`` (1-based) as shown, at most ``side`` pixels wide and high. Raises ``ParserError``."""
    try:
        frame = _upright(_open(data), number)
    except EOFError:
        raise ParserError(f"There is no page {number}.", ErrorCode.PARSER_EMPTY) from None
    except (OSError, ValueError, SyntaxError) as error:
        raise ParserError("The picture is damaged; save it again.") from error
    frame.thumbnail((side, side))
    return frame


def _open(data: bytes) -> Image:
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        picture = Image.open(io.BytesIO(data))
    except Image.DecompressionBombError:
        raise _too_large() from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise ParserError("The picture is damaged; save it again.") from error
    if picture.width * picture.height > MAX_PIXELS:
        raise _too_large()
    return picture


def _too_large() -> ParserError:
    return ParserError(
        f"The picture has more than {MAX_PIXELS // 1_000_000} million pixels; make it smaller.",
        ErrorCode.PARSER_TOO_LARGE,
    )


def read_pages(picture: Image, options: ParseOptions, builder: DocumentBuilder) -> list[PageContent]:
    """One page a frame. Frames that are damaged, or that time does not suffice for, are named in warnings."""
    frames = int(getattr(picture, "n_frames", 1)) if picture.format == "TIFF" else 1
    builder.metadata["page_count"] = frames
    wanted = [n for n in range(1, frames + 1) if options.pages is None or n in options.pages]
    if not options.ocr or not ocr.available():
        builder.warn("no OCR: it was switched off" if not options.ocr else "no OCR engine is installed (extra 'ocr')")
        return []
    pages: list[PageContent] = []
    for number in wanted:
        if deadline.remaining_s() < PAGE_S:
            builder.warn(f"pages from {number} on were not read: time ran out; raise ROMA_PARSER_TIMEOUT_S")
            break
        page = read_frame(picture, number, builder)
        if page is not None:
            pages.append(page)
    return pages


def _upright(picture: Image, number: int) -> Image:
    from PIL import ImageOps

    picture.seek(number - 1)
    if picture.width * picture.height > MAX_PIXELS:
        raise _too_large()
    return ImageOps.exif_transpose(picture).convert("RGB")


def read_frame(picture: Image, number: int, builder: DocumentBuilder) -> PageContent | None:
    """Return a frame's page as OCR reads it; None, with a warning, for a damaged one. Raises ``ParserError``."""
    try:
        frame = _upright(picture, number)
    except (OSError, EOFError, ValueError, SyntaxError) as error:
        if number == 1:
            raise ParserError("The picture is damaged; save it again.") from error
        builder.warn(f"page {number} is damaged and was left out")
        return None
    page = PageContent(number, float(frame.width), float(frame.height))
    scale = min(1.0, MAX_SIDE / max(frame.size))
    if scale < 1:
        frame = frame.resize((max(1, int(frame.width * scale)), max(1, int(frame.height * scale))))
    result = ocr.read(frame)
    if result.warning:
        builder.warn(f"page {number} {result.warning}")
    ocr.place(result, page, scale)
    return page


def _facts(picture: Image) -> dict[str, Any]:
    facts: dict[str, Any] = {"width": picture.width, "height": picture.height, "format": picture.format}
    try:
        exif = picture.getexif()
    except (OSError, ValueError, SyntaxError) as error:
        raise ParserError("The picture is damaged; save it again.") from error
    for source in (exif, exif.get_ifd(_SUB)):
        for tag, name in _EXIF.items():
            value = source.get(tag)
            if isinstance(value, str) and (words := clean(value).strip()):
                facts.setdefault(name, words[:1000])
    if place := describe_place(exif):
        facts["latitude"], facts["longitude"] = place
    return facts


def describe_place(exif: Exif) -> tuple[float, float] | None:
    """Degrees north and east out of the GPS block (EXIF 2.32, tags 1 to 4), or None."""
    gps = exif.get_ifd(_GPS)
    try:
        return _degrees(gps[2], gps[1] == "S"), _degrees(gps[4], gps[3] == "W")
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


def _degrees(value: Any, negative: bool) -> float:
    degrees, minutes, seconds = (float(part) for part in value)
    result = degrees + minutes / 60 + seconds / 3600
    return round(-result if negative else result, 6)
