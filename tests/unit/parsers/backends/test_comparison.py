"""A comparison names what only one reading has, and tells a torn order from a missing paragraph."""

from __future__ import annotations

import pytest

from roma_core.errors import AgentFailure, ConfigError, ErrorCode, InputError
from roma_core.parsers.backends import BackendReport, compare_backends
from roma_core.parsers.backends.comparison import find_differences
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder
from roma_core.parsers.media import detect
from roma_core.types import Document, RawDocument

LEFT = "The tide turns twice a day."
RIGHT = "The ferry waits for it."


def document(*parts: str | list[list[str]], heading: str = "", uri: str = "a.pdf") -> Document:
    builder = DocumentBuilder(RawDocument(uri=uri, data=b"%PDF"), ParseOptions(), "test")
    if heading:
        builder.heading(heading, 1)
    for part in parts:
        if isinstance(part, str):
            builder.paragraph(part)
        else:
            builder.table(part)
    return builder.build()


class FakeService:
    """Reads every file into the document of the backend that is asked for."""

    def __init__(self, **documents: Document | AgentFailure) -> None:
        self.documents = documents

    def detect(self, raw: RawDocument) -> str:
        return detect(raw)

    async def parse(self, raw: RawDocument, options: ParseOptions | None = None) -> Document | AgentFailure:
        assert options is not None and options.backend is not None
        return self.documents[options.backend]


async def compare(**documents: Document | AgentFailure) -> BackendReport:
    files = [RawDocument(uri="a.pdf", data=b"%PDF-1.7")]
    return await compare_backends(FakeService(**documents), files, list(documents))


def test_equal_readings_have_no_difference() -> None:
    assert find_differences(document(LEFT, heading="Tides"), document(LEFT, heading="TIDES")).is_same


def test_another_order_tears_continuations_and_loses_no_word() -> None:
    found = find_differences(document(LEFT, RIGHT), document(RIGHT, LEFT))
    assert found.only_first["words"].total == 0
    assert found.only_first["continuations"].examples == {"day the": 1}


def test_a_missing_paragraph_loses_words_and_tears_nothing() -> None:
    found = find_differences(document(LEFT, RIGHT), document(LEFT))
    assert found.only_first["words"].examples.keys() == {"the", "ferry", "waits", "for", "it"}
    assert found.only_first["continuations"].total == 0


def test_headings_and_cells_are_counted_by_their_text() -> None:
    table = [["Month", "Metres"], ["May", "3.4"]]
    found = find_differences(document(table, heading="Tides"), document("Tides", [["Month", "Metres"], ["May", "34"]]))
    assert found.only_first["headings"].examples == {"tides": 1}
    assert found.only_first["cells"].examples == {"3 4": 1}
    assert found.only_other["cells"].examples == {"34": 1}


async def test_a_report_has_a_row_a_file_and_backend() -> None:
    report = await compare(own=document(LEFT, RIGHT), pdfplumber=document(LEFT))
    frame = report.to_frame()
    assert list(frame["backend"]) == ["own", "pdfplumber"]
    assert list(frame["words missing"].fillna(-1)) == [-1, 5]
    assert "pdfplumber lacks 5 words" in report.to_markdown()
    assert "<table" in report._repr_html_()


async def test_a_backend_that_fails_is_a_row_with_its_reason() -> None:
    failure = AgentFailure(agent="parser", code=ErrorCode.PARSER_MALFORMED, message="It is damaged.", recoverable=False)
    report = await compare(own=document(LEFT), pdfplumber=failure)
    assert [row["not read"] for row in report.totals()] == [0, 1]
    assert "pdfplumber: ERR_PARSER_MALFORMED: It is damaged." in report.to_markdown()


async def test_files_that_only_one_of_them_reads_are_skipped() -> None:
    files = [RawDocument(uri="a.txt", data=b"words")]
    report = await compare_backends(FakeService(), files, ["own", "pdfplumber"])
    assert (report.files, report.skipped) == ((), ("a.txt",))


async def test_one_backend_is_no_comparison() -> None:
    with pytest.raises(InputError, match="two backends"):
        await compare_backends(FakeService(), [], ["own", "own"])


async def test_an_unknown_backend_is_refused_before_any_file_is_read() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'pandas'"):
        await compare_backends(FakeService(), [], ["own", "panda"])
