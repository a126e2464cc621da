"""Files inside of files, by the kind of container: each with its bytes, its name and the limits of all."""

from __future__ import annotations

import io
import struct
import zipfile
from email.message import EmailMessage

import pypdfium2
import pytest

from roma_core.errors import AgentFailure
from roma_core.parsers import containers
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.sandbox.pool import InlineSandbox
from roma_core.parsers.service import DolphinParserService
from roma_core.types import Document, RawDocument
from tests.fixtures import make_office, make_ole, make_pdf

SHEET = b"id,value\n1,4711\n"


def native(name: str, data: bytes) -> bytes:
    """An Ole10Native stream ([MS-OLEDS] 2.3.6) in a compound file: what Word makes of a dropped file."""
    path = f"C:\\data\\{name}".encode()
    body = struct.pack("<H", 2) + name.encode() + b"\0" + path + b"\0" + struct.pack("<II", 3, len(path)) + path
    body += struct.pack("<I", len(data)) + data
    return make_ole.compound({"\x01Ole10Native": struct.pack("<I", len(body)) + body})


def portfolio() -> bytes:
    file = pypdfium2.PdfDocument(make_pdf.report())
    file.new_attachment("fares 2026.csv").set_data(SHEET)
    out = io.BytesIO()
    file.save(out)
    return out.getvalue()


def mail() -> bytes:
    message = EmailMessage()
    message["Subject"] = "Fares"
    message.set_content("See the fares.")
    message.add_attachment(SHEET, "text", "csv", filename="fares 2026.csv")
    return bytes(message)


def outlook() -> bytes:
    attachment = {0x3701: SHEET, 0x3707: "fares 2026.csv", 0x3704: "fares.csv", 0x370E: "text/csv", 0x3705: 1}
    return make_ole.msg({0x0037: "Fares", 0x1000: "See the fares."}, attachments=[attachment])


def word() -> bytes:
    embedded = '<o:OLEObject xmlns:o="urn:schemas-microsoft-com:office:office" r:id="rId9"/>'
    shown = f"<w:p><w:r><w:object>{embedded}</w:object></w:r></w:p>"
    parts = {"word/embeddings/oleObject1.bin": native("fares 2026.csv", SHEET)}
    return make_office.docx(make_office.p("See the fares.") + shown, parts, rId9="oleObject:embeddings/oleObject1.bin")


def archive(name: str = "fares 2026.csv", data: bytes = SHEET) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(name, data)
    return buffer.getvalue()


def mailbox() -> bytes:
    return b"From a@b.c Mon Jan  1 10:00:00 2024\n" + mail()


def service() -> DolphinParserService:
    return DolphinParserService(InlineSandbox())


async def parts_of(raw: RawDocument) -> tuple[RawDocument, ...]:
    found = await service().parts(raw)
    assert not isinstance(found, AgentFailure), found
    return found


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.pdf", portfolio()),
        ("a.eml", mail()),
        ("a.msg", outlook()),
        ("a.docx", word()),
        ("a.zip", archive()),
    ],
    ids=["portfolio", "mail", "outlook", "word", "archive"],
)
async def test_a_file_inside_is_a_document_with_its_name_and_its_bytes(name: str, data: bytes) -> None:
    raw = RawDocument(uri=f"file:///{name}", data=data)
    document = await service().parse(raw, ParseOptions(parts_apart=True, ocr=False))
    assert isinstance(document, Document), document
    assert containers.has_parts(document)
    assert any(
        "fares" in entry.text or ".bin" in entry.text for entry in document.left_out if entry.why == "attachment"
    )
    (part,) = await parts_of(raw)
    assert (part.data, part.uri) == (SHEET, f"file:///{name}#fares%202026.csv")
    inner = await service().parse(part)
    assert isinstance(inner, Document) and "| 1 | 4711 |" in inner.text


async def test_the_cover_sheet_of_a_portfolio_is_read_and_each_of_its_files_is_a_document() -> None:
    files = {f"report {number:03}.csv": SHEET + str(number).encode() for number in range(70)}
    raw = RawDocument(uri="file:///a.pdf", data=make_pdf.portfolio(files))
    document = await service().parse(raw, ParseOptions(parts_apart=True, ocr=False))
    assert isinstance(document, Document), document
    assert document.text == make_pdf.COVER
    assert {entry.text for entry in document.left_out if entry.why == "attachment"} == files.keys()
    assert {part.title: part.data for part in await parts_of(raw)} == files


async def test_containers_nest_and_each_opens_the_next() -> None:
    outer = RawDocument(uri="file:///a.zip", data=archive("box.mbox", mailbox()))
    (box,) = await parts_of(outer)
    (message,) = await parts_of(box)
    (sheet,) = await parts_of(message)
    assert sheet.data == SHEET and message.title == "Fares"


@pytest.mark.parametrize(("limit", "value"), [("MAX_PARTS", 2), ("MAX_TOTAL_BYTES", 2 * len(SHEET))])
async def test_what_is_over_a_limit_stays_in_the_container(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(containers, limit, value)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for number in range(4):
            file.writestr(f"{number}.csv", SHEET)
    found = await parts_of(RawDocument(uri="file:///a.zip", data=buffer.getvalue()))
    assert [part.uri.rpartition("#")[2] for part in found] == ["0.csv", "1.csv"]


async def test_an_object_of_another_program_is_kept_as_it_is() -> None:
    data = make_ole.compound({"Contents of X": b"words"})
    assert containers.open_object("object.bin", data) == ("object.bin", data)
    cut = native("fares.csv", SHEET)
    assert containers.open_object("object.bin", cut)[1] == SHEET
