"""Pictures that are damaged, too large or too many for the time; those that say where they were made."""

from __future__ import annotations

import io
import math

import pytest
from PIL import Image

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder
from roma_core.parsers.images import image, ocr
from roma_core.parsers.pdf.page import PageContent
from roma_core.parsers.sandbox import deadline
from roma_core.types import Document, RawDocument


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Reads the same words off every frame; the sizes of the frames that it saw."""
    seen: list[tuple[int, int]] = []

    def read(frame: Image.Image) -> ocr.OcrResult:
        seen.append(frame.size)
        return ocr.OcrResult((ocr.OcrLine("Harbour dues", 10, 10, 200, 40, 0.9),))

    monkeypatch.setattr(ocr, "available", lambda: True)
    monkeypatch.setattr(ocr, "read", read)
    monkeypatch.setattr(deadline, "_end", math.inf)
    return seen


def saved(kind: str = "PNG", size: tuple[int, int] = (300, 200), frames: int = 1, **options: object) -> bytes:
    buffer = io.BytesIO()
    more = {"save_all": True, "append_images": [Image.new("RGB", size, "white")] * (frames - 1)} if frames > 1 else {}
    Image.new("RGB", size, "white").save(buffer, kind, **more, **options)
    return buffer.getvalue()


def parse(data: bytes, **options: object) -> Document:
    return image.parse(RawDocument(uri="a.png", data=data), ParseOptions(**options))


def code(data: bytes, **options: object) -> ErrorCode:
    with pytest.raises(ParserError) as caught:
        parse(data, **options)
    return caught.value.code


class Picture:
    """A picture whose frames are as they are told: a size, or an error when it is sought."""

    format = "TIFF"

    def __init__(self, *frames: tuple[int, int] | Exception) -> None:
        self.frames, self.n_frames = frames, len(frames)

    def seek(self, number: int) -> None:
        at = self.frames[number]
        if isinstance(at, Exception):
            raise at
        self.width, self.height = at

    def getexif(self) -> Image.Exif:
        return Image.Exif()


def builder() -> DocumentBuilder:
    return DocumentBuilder(RawDocument(uri="a.tiff", data=b"x"), ParseOptions(), "image", "image/tiff")


def test_without_ocr_and_description_a_picture_is_empty_and_says_why():
    assert code(saved(), ocr=False) is ErrorCode.PARSER_EMPTY


def test_a_description_is_enough(monkeypatch):
    exif = Image.Exif()
    exif[270], exif[315] = "The harbour at dawn", "  "
    document = parse(saved("JPEG", exif=exif), ocr=False)
    assert "The harbour at dawn" in document.text and "author" not in document.metadata
    assert any("switched off" in warning for warning in document.warnings)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_more_pixels_than_allowed_are_refused_before_they_are_unpacked(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    for limit in (50_000, 20_000):  # a warning of Pillow's, and its error: both end the same
        monkeypatch.setattr(image, "MAX_PIXELS", limit)
        assert code(saved()) is ErrorCode.PARSER_TOO_LARGE


def test_a_later_frame_with_too_many_pixels_is_refused():
    with pytest.raises(ParserError) as caught:
        image.read_frame(Picture((20_000, 20_000)), 1, builder())
    assert caught.value.code is ErrorCode.PARSER_TOO_LARGE


@pytest.mark.parametrize("error", [OSError("cut"), EOFError(), ValueError("bad"), SyntaxError("broken")], ids=repr)
def test_a_damaged_first_frame_is_a_damaged_file_and_a_later_one_a_warning(error):
    with pytest.raises(ParserError) as caught:
        image.read_frame(Picture(error), 1, builder())
    assert caught.value.code is ErrorCode.PARSER_MALFORMED
    made = builder()
    assert image.read_frame(Picture((10, 10), error), 2, made) is None
    assert made.warnings == ["page 2 is damaged and was left out"]


def test_frames_left_out_leave_the_others(monkeypatch):
    def frame(picture: Picture, number: int, made: DocumentBuilder) -> PageContent | None:
        return None if number == 2 else PageContent(number, 10, 10)

    monkeypatch.setattr(image, "read_frame", frame)
    found = image.read_pages(Picture((1, 1), (1, 1), (1, 1)), ParseOptions(), builder())
    assert [page.number for page in found] == [1, 3]


def test_frames_that_time_does_not_suffice_for_are_named(monkeypatch):
    left = iter([60.0, 5.0])
    monkeypatch.setattr(deadline, "remaining_s", lambda: next(left))
    document = parse(saved("TIFF", frames=3))
    assert document.metadata["page_count"] == 3 and [page.number for page in document.pages] == [1]
    assert document.warnings == ("pages from 2 on were not read: time ran out; raise ROMA_PARSER_TIMEOUT_S",)


def test_large_pictures_are_made_smaller_for_ocr_and_boxes_stay_true(engine):
    document = parse(saved(size=(5200, 1000)))
    assert engine == [(2600, 500)] and (document.pages[0].width, document.pages[0].height) == (5200, 1000)
    left, top, right, bottom = document.blocks[0].box
    assert left == pytest.approx(20 / 5200, abs=0.002) and top == pytest.approx(20 / 1000, abs=0.02)
    assert right <= 420 / 5200 and bottom <= 100 / 1000


def test_what_the_engine_warns_of_is_said(monkeypatch):
    result = ocr.OcrResult((ocr.OcrLine("words", 1, 1, 20, 9, 0.9),), warning="is written in Thai")
    monkeypatch.setattr(ocr, "read", lambda frame: result)
    assert parse(saved()).warnings == ("page 1 is written in Thai",)


def test_damaged_exif_is_a_damaged_picture(monkeypatch):
    def damaged(self: Image.Image) -> Image.Exif:
        raise SyntaxError("not a TIFF file")

    monkeypatch.setattr(Image.Image, "getexif", damaged)
    assert code(saved()) is ErrorCode.PARSER_MALFORMED


@pytest.mark.parametrize(
    ("block", "place"),
    [
        ({1: "S", 2: (54.0, 30.0, 0.0), 3: "E", 4: (3.0, 15.0, 36.0)}, (-54.5, 3.26)),
        ({1: "N", 2: (54.0, 30.0, 0.0)}, None),
        ({1: "N", 2: (54.0, 30.0), 3: "E", 4: (3.0, 15.0, 36.0)}, None),
        ({1: "N", 2: 54, 3: "E", 4: 3}, None),
        ({}, None),
    ],
    ids=["south and east", "half", "two parts", "plain numbers", "nothing"],
)
def test_the_place_is_told_where_the_gps_block_is_whole(block, place):
    exif = Image.Exif()
    exif.get_ifd(image._GPS).update(block)
    assert image.describe_place(exif) == place
