"""Media types by content: what a file is, whatever it is called."""

from __future__ import annotations

import io
import zipfile

import pytest

from roma_core.parsers import media
from roma_core.types import RawDocument
from tests.fixtures.make_ole import compound


def zipped(*names: str, first: tuple[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        if first:
            archive.writestr(*first)
        for name in names:
            archive.writestr(name, "x")
    return buffer.getvalue()


def ole(*streams: str, inside: str = "", text: str = "") -> bytes:
    """A compound file of these streams; ``inside`` is a stream in a storage, ``text`` words that a stream holds."""
    tree = {name: text.encode("utf-16-le").ljust(5000, b"\0") for name in streams}
    return compound({**tree, "Attachment": {inside: b"x"}} if inside else tree)


CASES = [
    ("a.txt", b"%PDF-1.4 x", media.PDF),
    ("a.pdf", b"\n\n junk %PDF-1.7", media.PDF),
    ("a.jpg", b"\x89PNG\r\n\x1a\n", media.PNG),
    ("a", b"\xff\xd8\xff\xe0", media.JPEG),
    ("a", b"MM\x00*\x00", media.TIFF),
    ("a", b"RIFF\x00\x00\x00\x00WEBPVP8 ", media.WEBP),
    ("a", b"RIFF\x00\x00\x00\x00WAVEfmt ", media.BINARY),
    ("a.png", b"GIF89a", media.GIF),
    ("a", b"BM" + (30).to_bytes(4, "little") + bytes(24), media.BMP),
    ("bm.txt", b"BM is short for benchmark, of course.", media.TEXT),
    ("a.zip", zipped("[Content_Types].xml", "word/document.xml"), media.DOCX),
    ("a.docx", zipped("[Content_Types].xml", "ppt/presentation.xml"), media.PPTX),
    ("a.bin", zipped("[Content_Types].xml", "xl/workbook.xml"), media.XLSX),
    ("a.xlsx", zipped("xl/workbook.bin", "xl/sheet"), media.XLSB),
    ("a.docx", zipped("word/document.xml", "word/embeddings/xl/workbook.xml"), media.DOCX),
    ("a.docx", zipped("word/document.xml")[:60], media.DOCX),
    ("a", zipped(first=("mimetype", "application/epub+zip")), media.EPUB),
    ("a", zipped("META-INF/container.xml", "OPS/a.xhtml"), media.EPUB),
    ("a", zipped(first=("mimetype", "application/vnd.oasis.opendocument.text")), media.ODT),
    ("a.docx", zipped("readme.txt"), media.ZIP),
    ("a.xls", ole("Workbook"), media.XLS),
    ("a.xls", ole("WordDocument"), media.DOC),
    ("a", ole("PowerPoint Document"), media.PPT),
    ("a", ole("__properties_version1.0"), media.MSG),
    ("a.docx", ole("EncryptedPackage"), media.ENCRYPTED_OFFICE),
    ("a", ole("nothing known"), media.OLE),
    ("a.msg", ole("__properties_version1.0", inside="WordDocument"), media.MSG),
    ("a.msg", ole("__properties_version1.0", text="WordDocument EncryptedPackage Workbook"), media.MSG),
    ("a.doc", ole("WordDocument", inside="Workbook"), media.DOC),
    ("a.doc", ole("WordDocument")[:700], media.OLE),
    ("a.odt", zipped("META-INF/manifest.xml", "content.xml"), media.ODT),
    ("a.txt", b"\x7fELF" + b"a" * 500, media.BINARY),
    ("a.txt", b"MZ\x90\x00" + b"This program cannot be run in DOS mode." * 9, media.BINARY),
    ("a.doc", b"  {\\rtf1 words}", media.RTF),
    ("a.txt", b"<!DOCTYPE html><html><body>x", media.HTML),
    ("a", b"<?xml version='1.0'?><!-- c --><html><p>x", media.HTML),
    ("a.md", b"<div>a page quoted in Markdown</div>", media.MARKDOWN),
    ("a.xml", b"<rss><item/></rss>", media.XML),
    ("a.xml", b"<html><p>x", media.HTML),
    ("a", b"From: a@example.org\nTo: b@example.org\nSubject: x\n\nwords", media.EML),
    ("a", b'From: a@example.org\nContent-Type: multipart/related; type="text/html"\n\nx', media.MHTML),
    ("note.txt", b"Dear: friend\nthis is no mail\n", media.TEXT),
    ("a", b'{"cells": [], "nbformat": 4}', media.IPYNB),
    ("a", b"1\n00:00:01,000 --> 00:00:02,000\nHello\n", media.SRT),
    ("a", b"WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n", media.VTT),
    ("data.CSV", b"a,b\n1,2\n", media.CSV),
    ("https://example.org/data.tsv?x=1#y", b"a\tb\n", media.TSV),
    ("a", "Übergröße".encode("utf-16"), media.TEXT),
    ("a", "plain Latin text".encode("utf-16-le"), media.TEXT),
    ("a", "plain Latin text".encode("utf-32-be"), media.TEXT),
    ("a.txt", bytes(range(256)), media.BINARY),
    ("a.txt", b"\x01\x02\x03\x04" * 20, media.BINARY),
    ("a", b"words", media.TEXT),
]


@pytest.mark.parametrize(("uri", "data", "expected"), CASES, ids=[f"{n}-{c[2]}" for n, c in enumerate(CASES)])
def test_media_type_by_content(uri, data, expected):
    assert media.detect(RawDocument(uri=uri, data=data)) == expected


def test_what_the_source_claims_counts_for_text_alone():
    raw = RawDocument(uri="https://example.org/download", data=b"a,b\n1,2\n", media_type="text/csv; charset=utf-8")
    assert media.detect(raw) == media.CSV
    assert media.detect(raw.model_copy(update={"media_type": "application/pdf"})) == media.TEXT


def test_text_kept_by_shape_without_an_extension():
    assert media.looks_like_text(b"") and not media.looks_like_text(b"\x00\x01")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize(
    "text",
    [
        "第一条\u3000本办法一律适用于本市。\n第二条\u3000每人一份。\n",
        "一つの橋があります。\n二つ目は\u3000長いです。\n",
    ],
    ids=["chinese", "japanese"],
)
def test_text_of_east_asia_without_a_byte_order_mark_is_recognized(text: str, encoding: str) -> None:
    data = text.encode(encoding)
    assert media.find_wide_encoding(data) == encoding
    assert media.detect(RawDocument(uri="a.txt", data=data)) == media.TEXT


def test_a_line_of_chinese_alone_is_wide_text() -> None:
    assert media.find_wide_encoding("第一条本办法，一律适用于本市。".encode("utf-16-le")) == "utf-16-le"


@pytest.mark.parametrize("kind", [media.ODT, media.ODS, media.ODP, media.EPUB])
def test_a_mimetype_that_is_not_the_first_entry_counts(kind: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("META-INF/manifest.xml", "x")
        archive.writestr("mimetype", kind)
        archive.writestr("content.xml", "x")
    assert media.detect(RawDocument(uri="a.zip", data=buffer.getvalue())) == kind


@pytest.mark.parametrize("cut", range(0, 3000, 97))
def test_a_cut_or_twisted_compound_file_has_some_type(cut: int) -> None:
    data = bytearray(ole("WordDocument", "Data", inside="Workbook"))
    data[512 + cut : 512 + cut + 64] = b"\xff" * 64
    assert media.detect(RawDocument(uri="a.doc", data=bytes(data))) in {media.DOC, media.OLE}
    assert media.detect(RawDocument(uri="a.doc", data=bytes(data[: 600 + cut]))) in {media.DOC, media.OLE}
