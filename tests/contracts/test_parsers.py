"""What every parser keeps, inline and in the sandbox: one table of formats, then the laws of a document."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import pairwise

import pytest

from roma_core.errors import AgentFailure, ErrorCode
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.images import ocr
from roma_core.parsers.registry import PARSERS, by_media_type
from roma_core.parsers.sandbox.pool import InlineSandbox, ProcessSandbox, WorkerLimits
from roma_core.parsers.service import DolphinParserService
from roma_core.types import Document, RawDocument
from tests.fixtures import make_pdf


@dataclass(frozen=True)
class Case:
    """A file of our own words, what its text must hold (in this order), and what it must not."""

    name: str
    make: Callable[[], bytes]
    include: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()


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
    Case(
        "report.pdf",
        make_pdf.report,
        ("# The Island Ferry Report", "## 1.1", "| Harbour to Mill | 7.0"),
        blocks=("table",),
    ),
    Case("furniture.pdf", make_pdf.with_furniture, ("Unique sentence number 1.", "number 4."), ("Page 2 of 4",)),
    Case("scan.png", png, ("Ferry tickets are sold at the pier",)),
    Case("page.html", lambda: PAGE, ("# The island", "every day", "| Mill | 5.10 |"), ("var hidden",), ("table",)),
    Case(
        "notes.md",
        lambda: b"# Title\n\nWords.\n\n- one\n- two\n",
        ("# Title", "Words.", "- two"),
        (),
        ("heading", "list"),
    ),
    Case("notes.txt", lambda: "Grüße\n\nvom Hafen.".encode("utf-16"), ("Grüße", "vom Hafen."), ("\ufeff", "\x00")),
    Case(
        "fares.csv",
        lambda: b"Route;Fare\nMill;5,10\nChapel;2,75\n",
        ("| Route | Fare |", "| Chapel | 2,75 |"),
        (),
        ("table",),
    ),
    Case("mail.eml", lambda: MAIL, ("Ferry", "The boat leaves at nine.")),
)


@pytest.fixture(scope="module", params=["inline", "sandboxed"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def service(kind: str) -> AsyncIterator[DolphinParserService]:
    sandbox = InlineSandbox() if kind == "inline" else ProcessSandbox(1, WorkerLimits(timeout_s=60))
    async with DolphinParserService(sandbox) as made:
        yield made


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
async def test_parser_conformance(service: DolphinParserService, case: Case) -> None:
    if case.name.endswith("png") and not ocr.available():
        pytest.skip("no OCR engine is installed (extra 'ocr')")
    raw = RawDocument(uri=f"file:///corpus/{case.name}", data=case.make())
    document = await service.parse(raw)
    assert isinstance(document, Document), document
    at = 0
    for words in case.include:
        assert words in document.text[at:], f"{words!r} is missing or out of order in {document.text!r}"
        at = document.text.index(words, at)
    for words in case.exclude:
        assert words not in document.text
    assert set(case.blocks) <= {block.kind for block in document.blocks}
    _check_laws(service, raw, document)


def _check_laws(service: DolphinParserService, raw: RawDocument, document: Document) -> None:
    text = document.text
    assert document.id == Document.id_for(raw.uri) and document.content_sha256 == raw.sha256
    assert document.uri == raw.uri and document.title
    assert document.parser == service.parser_id(raw)
    assert "\r" not in text and "\x00" not in text
    for block in document.blocks:
        assert block.of(text).strip(), "a block without text"
    for one, two in pairwise(document.blocks):
        assert one.end <= two.start, "blocks overlap"
    for one, two in pairwise(document.pages):
        assert one.end == two.start and one.number < two.number, "pages leave gaps"
    for section in document.sections:
        assert section.start < section.end and section.title
    assert Document.model_validate_json(document.model_dump_json()) == document


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("empty.pdf", b"", ErrorCode.PARSER_EMPTY),
        ("blank.txt", b" \n\t ", ErrorCode.PARSER_EMPTY),
        ("cut.pdf", b"%PDF-1.7 and no more", ErrorCode.PARSER_MALFORMED),
        ("cut.docx", b"PK\x03\x04" + bytes(40), ErrorCode.PARSER_UNSUPPORTED),
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
