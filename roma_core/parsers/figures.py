"""Pictures inside of documents: their bytes on demand, and descriptions of them put into the text.

Parsing leaves a ``figure`` block where a picture stands and does not carry its bytes. ``extract_figures`` fetches them
(in the sandbox); ``add_descriptions`` puts what a vision model, or a person, says of them into the block, with every
span kept exact.
"""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, TypeVar

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers import media
from roma_core.parsers.archives import read_entry
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import one_line
from roma_core.types import Box, Document, Noun, RawDocument, Span

DPI = 110
MAX_FIGURES = 200
MAX_PIXELS = 20_000_000
MAX_SIDE = 1_400
"""Of a drawn picture, in pixels: enough to lay boxes over."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp")

MODEL_SIDE = 1_024
"""Of a picture for a model, in pixels: what a larger one shows more is not worth its tokens."""
MIN_SIDE = 48
"""Smaller pictures are icons and lines."""
FORMATS = frozenset({media.PDF, media.DOCX, media.PPTX, media.EPUB, media.ODT, media.ODP})
"""Whose figures can be taken out."""

_IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)]*)\)")
_FILE_NAME = re.compile(r".{1,200}\.(png|jpe?g|gif|bmp|tiff?|webp|emf|wmf|svg)", re.IGNORECASE)
S = TypeVar("S", bound=Span)


class Figure(Noun):
    """A picture of a document. ``name`` is the one that its figure block carries; PDF figures are PNG."""

    name: str
    data: bytes
    page: int | None = None
    box: Box | None = None


def draw_page(raw: RawDocument, options: ParseOptions) -> bytes:
    """Return a PNG of the first page asked for, of a PDF or of a picture.

    Raises ``ParserError``: ``UNSUPPORTED`` for other files, ``EMPTY`` when there is no such page.
    """
    kind = media.detect(raw)
    if kind.startswith("image/"):
        from roma_core.parsers.images import image

        return _png(image.drawn(raw.data, (options.pages or (1,))[0], MAX_SIDE))
    if kind != media.PDF:
        raise ParserError(
            "Only pages of PDF files and pictures can be drawn; look at the file in its own program.",
            ErrorCode.PARSER_UNSUPPORTED,
        )
    return _pdf_page(raw, options)


def _pdf_page(raw: RawDocument, options: ParseOptions) -> bytes:
    import pypdfium2 as pdfium

    from roma_core.parsers.pdf.parser import open_pdf, wanted_pages

    document = open_pdf(raw.data, options.password)
    try:
        page = document.get_page(wanted_pages(len(document), options)[0])
        width, height = page.get_size()
        scale = min(DPI / 72, (MAX_PIXELS / max(1.0, width * height)) ** 0.5)
        return _png(page.render(scale=scale).to_pil())
    except pdfium.PdfiumError:
        raise ParserError("The page is damaged and cannot be drawn; look at the file in its own program.") from None
    finally:
        document.close()


def extract_figures(raw: RawDocument, options: ParseOptions) -> bytes:
    """Return all figures, packed to leave the sandbox (``unpack_figures`` reads it). Raises ``ParserError``."""
    found = _in_pdf(raw, options) if b"%PDF-" in raw.data[:1024] else _in_zip(raw.data)
    return _pack(found)


def draw_pictures(raw: RawDocument, options: ParseOptions) -> bytes:
    """Return all figures as PNG for a model, packed: made small; icons and what cannot be drawn (EMF, SVG) left out."""
    return _pack([figure.model_dump() for figure in _draw_figures(raw, options) if figure.data])


def draw_all_pictures(raw: RawDocument, options: ParseOptions) -> bytes:
    """Return what ``draw_pictures`` does, with what cannot be drawn by its name, without data."""
    return _pack([figure.model_dump() for figure in _draw_figures(raw, options)])


def _draw_figures(raw: RawDocument, options: ParseOptions) -> Iterator[Figure]:
    """Yield the figures, small, without icons; one that cannot be drawn has no data."""
    for figure in unpack_figures(extract_figures(raw, options)):
        drawn = _for_model(figure.data)
        if drawn is not None:
            yield figure.model_copy(update={"data": drawn})


def unpack_figures(data: bytes) -> tuple[Figure, ...]:
    """Return the figures that ``_pack`` wrote."""
    return tuple(Figure(**{**f, "data": base64.b64decode(f["data"])}) for f in json.loads(data))


def _pack(found: Sequence[Mapping[str, Any]]) -> bytes:
    return json.dumps([{**f, "data": base64.b64encode(f["data"]).decode()} for f in found]).encode()


def _for_model(data: bytes) -> bytes | None:
    """Return a PNG of the picture on white; empty when it is damaged, None when it is too small to tell anything."""
    from PIL import Image, UnidentifiedImageError

    try:
        picture = Image.open(io.BytesIO(data)).convert("RGBA")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError):
        return b""
    if min(picture.size) < MIN_SIDE:
        return None
    picture.thumbnail((MODEL_SIDE, MODEL_SIDE))
    sheet = Image.new("RGB", picture.size, "white")
    sheet.paste(picture, mask=picture)
    return _png(sheet)


def _in_pdf(raw: RawDocument, options: ParseOptions) -> list[dict[str, Any]]:
    """Cut figures out of the drawn page, so that masks, soft edges and overlaid labels look as the reader sees them."""
    from roma_core.parsers.pdf.parser import open_pdf, parse

    made = parse(raw, options)
    blocks = [b for b in made.blocks if b.kind == "figure" and b.box and b.page]
    document = open_pdf(raw.data, options.password)
    found: list[dict[str, Any]] = []
    drawn: tuple[int, Any] = (0, None)
    for block in blocks[:MAX_FIGURES]:
        if drawn[0] != block.page:
            drawn = (block.page or 0, document.get_page((block.page or 1) - 1).render(scale=2.0).to_pil())
        left, top, right, bottom = block.box or (0.0, 0.0, 1.0, 1.0)
        width, height = drawn[1].size
        piece = drawn[1].crop((int(left * width), int(top * height), int(right * width), int(bottom * height)))
        name = _IMAGE.sub(r"\2", block.of(made.text))
        if piece.width and piece.height:
            found.append({"name": name, "data": _png(piece), "page": block.page, "box": block.box})
    document.close()
    return found


def _in_zip(data: bytes) -> list[dict[str, Any]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [n for n in archive.namelist() if n.lower().endswith(SUFFIXES)][:MAX_FIGURES]
            return [{"name": PurePosixPath(n).name.replace(" ", "_"), "data": read_entry(archive, n)} for n in names]
    except zipfile.BadZipFile:
        raise ParserError("Only PDF, DOCX, PPTX and EPUB files hold figures.", ErrorCode.PARSER_UNSUPPORTED) from None


def _png(image: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def list_undescribed(document: Document) -> tuple[str, ...]:
    """Return the names of the figures that have no words yet and that ``extract_figures`` can take out."""
    if document.media_type not in FORMATS:
        return ()
    found = (_IMAGE.search(document.text, b.start, b.end) for b in document.blocks if b.kind == "figure")
    return tuple(image[2] for image in found if image and image[2] and _says_nothing(image[1]))


def add_descriptions(document: Document, descriptions: Mapping[str, str]) -> Document:
    """Return the document with ``descriptions`` (by figure name) as the alternative text of figures.

    A figure keeps a text that it has, unless that is only the name of a file, as PowerPoint leaves it there.

    Every page, section and block keeps the words that it had: spans after a description move by what it adds.
    """
    text, told = document.text, []
    for block in sorted((b for b in document.blocks if b.kind == "figure"), key=lambda b: b.start):
        image = _IMAGE.search(text, block.start, block.end)
        words = one_line(descriptions.get(image[2], "")).replace("[", "(").replace("]", ")") if image else ""
        if image and words and _says_nothing(image[1]):
            told.append((image.span(1), words))
    pieces, at = [], 0
    for (start, end), words in told:
        pieces += [text[at:start], words]
        at = end
    moves = [(start, len(words) - (end - start)) for (start, end), words in told]
    return document.model_copy(
        update={
            "text": "".join([*pieces, text[at:]]),
            "pages": _move_spans(document.pages, moves),
            "sections": _move_spans(document.sections, moves),
            "blocks": _move_spans(document.blocks, moves),
            "links": _move_spans(document.links, moves),
        }
    )


def _says_nothing(alt: str) -> bool:
    return not alt or _FILE_NAME.fullmatch(alt) is not None


def _move_spans(spans: Sequence[S], moves: Sequence[tuple[int, int]]) -> tuple[S, ...]:
    def move(offset: int) -> int:
        return offset + sum(length for place, length in moves if place < offset)

    return tuple(span.model_copy(update={"start": move(span.start), "end": move(span.end)}) for span in spans)
