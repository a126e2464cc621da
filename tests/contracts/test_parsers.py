"""What every parser keeps, inline and in the sandbox: one table of formats, then the laws of a document."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import pytest

from roma_core.errors import AgentFailure, ErrorCode
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.images import ocr
from roma_core.parsers.registry import PARSERS, by_media_type
from roma_core.parsers.sandbox.pool import InlineSandbox, ProcessSandbox, WorkerLimits
from roma_core.parsers.service import DolphinParserService
from roma_core.testing.parsers import ParserCase, ParserContract
from roma_core.types import Document, RawDocument
from tests.fixtures import make_pdf


def png() -> bytes:
    buffer = io.BytesIO()
    make_pdf.picture("Ferry tickets are sold at the pier").save(buffer, "PNG")
    return buffer.getvalue()


PAGE = b"""<!DOCTYPE html><html><head><title>Island</title><script>var hidden = 1;</script></head><body>
<nav>Home About</nav><article><h1>The island</h1><p>The ferry to the island goes every day in summer and twice a week
in winter, when the sea allows it and the captain is well.</p><table><tr><th>Route</th><th>Fare</th></tr>
<tr><td>Mill</td><td>5.10</td></tr></table></article></body></html>"""
MAIL = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: Ferry\r\n\r\nThe boat leaves at nine.\r\n"
NOTES = b"# Title\n\nWords.\n\n- one\n- two\n"
FARES = b"Route;Fare\nMill;5,10\nChapel;2,75\n"
OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "PowerPoint Document".encode("utf-16-le")
REPORT = ("# The Island Ferry Report", "## 1.1", "| Harbour to Mill | 7.0")

CASES = (
    ParserCase(
        "report.pdf",
        make_pdf.report(),
        ("# The Island Ferry Report", "## 1.1", "| Harbour to Mill | 7.0"),
        blocks=("table",),
    ),
    ParserCase(
        "furniture.pdf", make_pdf.with_furniture(), ("Unique sentence number 1.", "number 4."), ("Page 2 of 4",)
    ),
    ParserCase("scan.png", png(), ("Ferry tickets are sold at the pier",)),
    ParserCase("page.html", PAGE, ("# The island", "every day", "| Mill | 5.10 |"), ("var hidden",), ("table",)),
    ParserCase(
        "notes.md",
        b"# Title\n\nWords.\n\n- one\n- two\n",
        ("# Title", "Words.", "- two"),
        (),
        ("heading", "list"),
    ),
    ParserCase("notes.txt", "Grüße\n\nvom Hafen.".encode("utf-16"), ("Grüße", "vom Hafen."), ("\ufeff", "\x00")),
    ParserCase(
        "fares.csv",
        b"Route;Fare\nMill;5,10\nChapel;2,75\n",
        ("| Route | Fare |", "| Chapel | 2,75 |"),
        (),
        ("table",),
    ),
    ParserCase("mail.eml", MAIL, ("Ferry", "The boat leaves at nine.")),
)


@pytest.fixture(scope="module", params=["inline", "sandboxed"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def service(kind: str) -> AsyncIterator[DolphinParserService]:
    sandbox = InlineSandbox() if kind == "inline" else ProcessSandbox(1, WorkerLimits(timeout_s=60))
    async with DolphinParserService(sandbox) as made:
        yield made


needs_ocr = pytest.mark.skipif(not ocr.available(), reason="no OCR engine is installed (extra 'ocr')")
MARKED = [pytest.param(case, id=case.name, marks=needs_ocr if case.name.endswith("png") else ()) for case in CASES]


@pytest.mark.parametrize("case", MARKED)
class TestParsers(ParserContract):
    """Every format of the table, inline and in the sandbox."""


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("empty.pdf", b"", ErrorCode.PARSER_EMPTY),
        ("blank.txt", b" \n\t ", ErrorCode.PARSER_EMPTY),
        ("cut.pdf", b"%PDF-1.7 and no more", ErrorCode.PARSER_MALFORMED),
        ("cut.docx", b"PK\x03\x04" + bytes(40), ErrorCode.PARSER_MALFORMED),
        ("noise.bin", bytes(range(256)) * 8, ErrorCode.PARSER_UNSUPPORTED),
        ("cut.png", b"\x89PNG\r\n\x1a\n" + bytes(80), ErrorCode.PARSER_MALFORMED),
        (
            "old.ppt",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "PowerPoint Document".encode("utf-16-le"),
            ErrorCode.PARSER_UNSUPPORTED,
        ),
    ],
)
async def test_failures_are_values_that_say_what_to_do(
    service: DolphinParserService, name: str, data: bytes, code: ErrorCode
) -> None:
    failure = await service.parse(RawDocument(uri=f"file:///{name}", data=data))
    assert isinstance(failure, AgentFailure) and failure.code is code, failure
    assert failure.message.endswith(".") and failure.agent == "parser"


async def test_password_and_pages_reach_the_parser(service: DolphinParserService) -> None:
    locked = RawDocument(uri="a.pdf", data=make_pdf.encrypted("secret"))
    opened = await service.parse(locked, ParseOptions(password="secret", tenant="other"))
    assert isinstance(opened, Document) and opened.id == Document.id_for("a.pdf", "other")


def test_every_parser_is_one_row_with_a_function_that_exists() -> None:
    import importlib

    table = by_media_type()
    assert len({p.name for p in PARSERS}) == len(PARSERS)
    for parser in set(table.values()):
        module, _, name = parser.parse.partition(":")
        assert callable(getattr(importlib.import_module(module), name))
    with pytest.raises(ValueError, match="claimed by both"):
        by_media_type([*PARSERS, PARSERS[0]])
