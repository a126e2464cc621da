"""Routing of OCR by script and confidence: tesseract is a script on PATH, rapidocr is told what to see."""

from __future__ import annotations

import io
import math
import stat
import sys
from pathlib import Path

import pytest
from PIL import Image

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.images import image, ocr
from roma_core.parsers.pdf import scans
from roma_core.parsers.pdf.page import PageContent, Style, Word
from roma_core.parsers.pdf.parser import parse as parse_pdf
from roma_core.parsers.sandbox import deadline
from roma_core.types import RawDocument
from tests.fixtures import make_pdf

PICTURE = Image.new("RGB", (300, 200), "white")


def lines(text: str, confidence: float) -> list[ocr.OcrLine]:
    return [ocr.OcrLine(text, 10, 10, 200, 40, confidence)]


@pytest.fixture(autouse=True)
def fresh():
    ocr.tesseract_languages.cache_clear()
    yield
    ocr.tesseract_languages.cache_clear()


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """``engines(script=..., packs=..., tess=(text, confidence), rapid=(text, confidence))`` installs fakes."""

    def install(script="Latin", packs=(), tess=("", 0), rapid=None, rotate=0, upside_down=None):
        row = "5\t1\t1\t1\t1\t1\t10\t10\t90\t20\t{}\t{}"
        table = "header\n" + "\n".join(row.format(tess[1], word) for word in tess[0].split())
        osd = f"Rotate: {rotate}\nOrientation confidence: 9.1\nScript: {script}\nScript confidence: 4.2\n"
        listing = "\n".join(["List of available languages (2):", *packs, "osd"])
        program = tmp_path / "tesseract"
        program.write_text(
            f"#!{sys.executable}\nimport sys\na = sys.argv\n"
            f"print({listing!r} if '--list-langs' in a else {osd!r} if '0' in a else {table!r})\n"
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(ocr, "_has_rapidocr", lambda: rapid is not None)
        seen = iter([rapid, upside_down or rapid])
        monkeypatch.setattr(ocr, "_rapidocr", lambda picture: lines(*next(seen)) if rapid else [])
        ocr.tesseract_languages.cache_clear()

    return install


def texts(result: ocr.OcrResult) -> list[str]:
    return [line.text for line in result.lines]


def test_latin_goes_to_rapidocr(engines):
    engines(rapid=("Harbour dues", 0.98))
    result = ocr.read(PICTURE)
    assert texts(result) == ["Harbour dues"] and result.warning is None


def test_other_script_goes_to_tesseract_when_the_pack_is_there(engines):
    engines("Cyrillic", ("rus",), tess=("Все люди", 91), rapid=("Bce", 0.7))
    result = ocr.read(PICTURE)
    assert texts(result) == ["Все люди"] and result.confidence == pytest.approx(0.91) and result.warning is None


def test_script_that_no_engine_reads_is_said_and_noise_is_not_kept(engines):
    engines("Thai", ("eng",), rapid=("nl3u", 0.8))
    result = ocr.read(PICTURE)
    assert texts(result) == [] and "Thai" in result.warning and "'tha'" in result.warning


def test_wrong_script_detection_is_overruled_by_confidence(engines):
    engines("Cyrillic", (), rapid=("SEATTLE GENERAL", 0.98))
    assert texts(ocr.read(PICTURE)) == ["SEATTLE GENERAL"]


def test_tesseract_alone_reads_latin(engines):
    engines("Latin", ("eng",), tess=("Harbour dues", 88))
    assert texts(ocr.read(PICTURE)) == ["Harbour dues"] and ocr.available()


def test_page_upside_down_is_turned(engines):
    engines(rapid=("sǝnp", 0.55), upside_down=("Harbour dues", 0.97))
    result = ocr.read(PICTURE)
    assert texts(result) == ["Harbour dues"] and result.turns == 2


def test_turn_that_detection_is_sure_of_is_taken(engines):
    engines(rapid=("Harbour dues", 0.97), rotate=90)
    assert ocr.read(PICTURE).turns == 1


def test_nothing_readable_is_a_warning(engines):
    engines(rapid=("x", 0.52))
    assert "hardly" in ocr.read(PICTURE).warning


def test_lines_become_words_with_place_and_even_sizes():
    page = PageContent(1, 600, 800)
    normal = ocr.OcrLine("two words", 100, 100, 280, 120, 0.9)
    result = ocr.OcrResult((normal, ocr.OcrLine("BIG", 100, 10, 300, 90, 0.8)))
    ocr.place(result, page, scale=2.0)
    first, second, big = page.words
    assert (first.text, second.text, big.text) == ("two", "words", "BIG")
    assert first.x0 == 50 and second.x1 == pytest.approx(140) and first.x1 < second.x0
    assert first.confidence == 0.9 and big.size > first.size


def words(count: int, text: str = "xqzt") -> list[Word]:
    return [Word(text, 10, 10, 40, 20, Style(10)) for _ in range(count)]


SCAN = [(0.0, 0.0, 600.0, 800.0)]


def test_which_pages_need_ocr():
    assert scans.needs_ocr(PageContent(1, 600, 800, images=SCAN))
    assert not scans.needs_ocr(PageContent(1, 600, 800))  # blank
    assert not scans.needs_ocr(PageContent(1, 600, 800, words=[*words(70), *words(9, "the")], images=SCAN))
    assert scans.needs_ocr(PageContent(1, 600, 800, words=words(20), map_errors=90))


def test_a_scan_with_a_stamp_needs_ocr_and_one_with_a_text_layer_does_not():
    stamp = [Word("Filed03/04/2025", 50, 10, 120, 20, Style(9)) for _ in range(5)]
    assert scans.needs_ocr(PageContent(1, 600, 800, words=stamp, images=SCAN))
    assert not scans.needs_ocr(PageContent(1, 600, 800, words=words(90, "harbour"), images=SCAN))


def test_a_page_of_text_with_a_small_picture_needs_no_ocr():
    assert not scans.needs_ocr(PageContent(1, 600, 800, words=words(50, "harbour"), images=[(50, 50, 250, 250)]))


PROSE = "The keeper wrote down the weather four times a day and his books are now the longest series on that coast " * 3


@pytest.mark.parametrize("shift", [1, -1, 3, -29])
def test_a_text_layer_shifted_by_a_wrong_font_map_is_found(shift):
    shifted = "".join(char if char == " " else chr(ord(char) + shift) for char in PROSE)
    assert scans.has_wrong_map(PageContent(1, 600, 800, words=[Word(w, 0, 0, 1, 1, Style(9)) for w in shifted.split()]))


@pytest.mark.parametrize(
    "text",
    [
        PROSE,
        PROSE.upper(),
        "Talven tullen meri jäätyy ja saaren asukkaat kulkevat jään yli mantereelle hakemaan ruokaa sekä postia " * 4,
        "Kış gelince deniz donar ve adanın sakinleri yiyecek almak için buzun üzerinden karaya doğru yürürler " * 4,
        "Zimą morze zamarza, a mieszkańcy wyspy chodzą po lodzie na stały ląd po jedzenie oraz listy z poczty " * 4,
    ],
    ids=["English", "capitals", "Finnish", "Turkish", "Polish"],
)
def test_a_text_layer_in_a_language_is_no_wrong_map(text):
    assert not scans.has_wrong_map(
        PageContent(1, 600, 800, words=[Word(w, 0, 0, 1, 1, Style(9)) for w in text.split()])
    )


def quads(degrees: float, count: int = 5) -> list[list[tuple[float, float]]]:
    rise = math.tan(math.radians(degrees))
    return [
        [(100, 50 + 40 * n), (500, 50 + 40 * n + 400 * rise), (500, 70 + 40 * n + 400 * rise), (100, 70 + 40 * n)]
        for n in range(count)
    ]


@pytest.mark.parametrize(("degrees", "found"), [(4.0, 4.0), (-7.0, -7.0), (0.1, 0.0), (40.0, 0.0)])
def test_the_skew_of_a_page_is_that_of_its_long_lines(degrees, found):
    assert math.degrees(ocr.skew(quads(degrees))) == pytest.approx(found, abs=0.01)


def test_two_lines_say_nothing_about_skew():
    assert ocr.skew(quads(4.0, count=2)) == 0.0


def test_a_reading_comes_back_from_json():
    result = ocr.OcrResult(tuple(lines("Harbour dues", 0.98)), 3, "hardly")
    assert ocr.OcrResult.from_json(result.to_json()) == result


def test_pages_that_time_does_not_suffice_for_are_named(monkeypatch):
    monkeypatch.setattr(ocr, "available", lambda: True)
    deadline.start(0.5)
    try:
        with pytest.raises(ParserError) as caught:
            parse_pdf(RawDocument(uri="a.pdf", data=make_pdf.scan()), ParseOptions())
    finally:
        deadline.start(float("inf"))
    assert caught.value.code is ErrorCode.PARSER_TIMEOUT and "read 0 of 1 pages by OCR" in str(caught.value)


def tiff(count: int) -> bytes:
    buffer = io.BytesIO()
    frames = [make_pdf.picture(f"Frame number {n}") for n in range(1, count + 1)]
    frames[0].save(buffer, "TIFF", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def test_each_frame_of_a_tiff_is_a_page(monkeypatch):
    monkeypatch.setattr(ocr, "available", lambda: True)
    told = iter("abc")
    monkeypatch.setattr(ocr, "read", lambda frame: ocr.OcrResult(tuple(lines(f"Frame {next(told)} text", 0.9))))
    document = image.parse(RawDocument(uri="a.tiff", data=tiff(3)), ParseOptions(pages=(1, 3)))
    assert [p.number for p in document.pages] == [1, 3] and document.metadata["page_count"] == 3
    assert document.page_at(document.text.index("Frame b")).number == 3


def test_exif_that_matters_is_kept_and_a_description_is_text(monkeypatch):
    monkeypatch.setattr(ocr, "available", lambda: False)
    exif = Image.Exif()
    exif[270], exif[271], exif[306] = "The harbour at dawn", "Lumen", "2024:05:01 06:00:00"
    exif.get_ifd(0x8825).update({1: "N", 2: (54.0, 30.0, 0.0), 3: "W", 4: (3.0, 15.0, 36.0)})
    buffer = io.BytesIO()
    PICTURE.save(buffer, "JPEG", exif=exif)
    document = image.parse(RawDocument(uri="a.jpg", data=buffer.getvalue()), ParseOptions())
    assert "The harbour at dawn" in document.text and document.blocks[0].kind == "figure"
    assert document.metadata["camera_make"] == "Lumen" and document.metadata["modified"].startswith("2024")
    assert (document.metadata["latitude"], document.metadata["longitude"]) == (54.5, -3.26)


def test_pictures_that_cannot_be_read_are_typed(monkeypatch):
    def code(data: bytes) -> ErrorCode:
        with pytest.raises(ParserError) as caught:
            image.parse(RawDocument(uri="a.png", data=data), ParseOptions())
        return caught.value.code

    buffer = io.BytesIO()
    PICTURE.save(buffer, "PNG")
    monkeypatch.setattr(ocr, "available", lambda: False)
    assert code(buffer.getvalue()) is ErrorCode.PARSER_EMPTY
    assert code(b"\x89PNG\r\n\x1a\n" + bytes(50)) is ErrorCode.PARSER_MALFORMED
    monkeypatch.setattr(ocr, "available", lambda: True)
    assert code(buffer.getvalue()[:-40]) in {ErrorCode.PARSER_MALFORMED, ErrorCode.PARSER_EMPTY}
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # what the parser sets for its process is undone
    monkeypatch.setattr(image, "MAX_PIXELS", 100)
    assert code(buffer.getvalue()) is ErrorCode.PARSER_TOO_LARGE
