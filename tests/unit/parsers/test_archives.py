"""The gate in front of zip containers, and XML without entities."""

from __future__ import annotations

import io
import zipfile

import pytest

from roma_core.errors import AgentFailure, ErrorCode, ParserError
from roma_core.parsers import xml
from roma_core.parsers.archives import ArchiveLimits, check_archive, read_entry
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.sandbox.worker import ParseJob, outcome
from roma_core.types import RawDocument

SMALL = ArchiveLimits(entries=20, entry_bytes=4096, total_bytes=8192, ratio=10, small_bytes=512, nested=2)


def zipped(*entries: tuple[str, bytes], stored: bool = False) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def code(data: bytes) -> ErrorCode:
    with pytest.raises(ParserError) as caught:
        check_archive(data, SMALL)
    assert caught.value.message.endswith(".")
    return caught.value.code


@pytest.mark.parametrize(
    "data",
    [
        zipped(*[(f"f{n}", b"") for n in range(21)]),
        zipped(("large", bytes(5000)), stored=True),
        zipped(*[(f"f{n}", bytes(4000)) for n in range(3)], stored=True),
        zipped(("tight", bytes(4000))),
        zipped(*[(f"{n}.zip", b"x") for n in range(3)]),
    ],
    ids=["count", "entry", "total", "ratio", "nested"],
)
def test_too_much_is_refused(data):
    assert code(data) is ErrorCode.PARSER_TOO_LARGE


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "C:/x", "..\\x"])
def test_names_that_leave_the_folder_are_refused(name):
    assert code(zipped((name, b"x"))) is ErrorCode.PARSER_MALFORMED


def test_links_and_broken_and_overlapping_archives_are_refused():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "target")
    assert code(buffer.getvalue()) is ErrorCode.PARSER_MALFORMED
    assert code(b"PK\x03\x04 and nothing else") is ErrorCode.PARSER_MALFORMED
    whole = zipped(("one", b"1" * 40), ("two", b"2" * 40), stored=True)
    at = whole.rindex(b"PK\x01\x02") + 42
    assert code(whole[:at] + bytes(4) + whole[at + 4 :]) is ErrorCode.PARSER_MALFORMED


def test_honest_archives_pass_and_entries_are_read_up_to_what_they_declare():
    data = zipped(("word/document.xml", b"<x>" + b"word " * 90 + b"</x>"), ("word/media/a.png", bytes(range(256))))
    check_archive(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert read_entry(archive, "word/media/a.png") == bytes(range(256))
        archive.getinfo("word/document.xml").file_size = 3
        with pytest.raises(ParserError):
            read_entry(archive, "word/document.xml")
        archive.getinfo("word/media/a.png").flag_bits |= 1
        with pytest.raises(ParserError) as caught:
            read_entry(archive, "word/media/a.png")
    assert caught.value.code is ErrorCode.PARSER_ENCRYPTED


def test_every_job_with_a_zip_passes_the_gate_first():
    raw = RawDocument(uri="a.docx", data=zipped(("../x", b"x")))
    job = ParseJob(target="no.such:module", parser_id="x/1", media_type="x", raw=raw, options=ParseOptions())
    result = outcome(job)
    assert isinstance(result, AgentFailure) and result.code is ErrorCode.PARSER_MALFORMED


def test_xml_entities_are_never_expanded():
    for data in (
        b'<!DOCTYPE x [<!ENTITY a "aaa">]><x>&a;</x>',
        b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/hostname">]><x>&f;</x>',
    ):
        with pytest.raises(ParserError):
            xml.parse_xml(data)
    wide = '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x [<!ENTITY a "aaa">]><x>&a;</x>'.encode("utf-16")
    assert "aaa" not in "".join(xml.parse_xml(wide).itertext())


def test_xml_that_is_damaged_empty_or_a_flood_of_attributes_is_refused():
    for data in (b"<x><y></x>", b"", b"<x " + b"a=1 " * 60_000 + b"/>"):
        with pytest.raises(ParserError):
            xml.parse_xml(data)
    assert xml.parse_xml(b"<x><y>1</x>", recover=True).tag == "x"
