"""OCR as a service of pages: a job each, read once, gone on with at the next ingest."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from roma_core.errors import AgentFailure, ErrorCode, ParserError
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.images import ocr
from roma_core.parsers.page_reading import PageReader
from roma_core.parsers.sandbox.pool import InlineSandbox
from roma_core.parsers.sandbox.worker import ParseJob, Result, decode_job, encode_job
from roma_core.parsers.service import DolphinParserService
from roma_core.types import Document, RawDocument
from tests.fixtures import make_pdf

SCANS = RawDocument(uri="scans.pdf", data=make_pdf.scans(2))


@dataclass
class Kept:
    """A store of readings in memory."""

    values: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def get(self, kind: str, key: str) -> bytes | None:
        return self.values.get((kind, key))

    def put(self, kind: str, key: str, value: bytes) -> None:
        self.values[kind, key] = value


@dataclass
class PageSandbox:
    """Runs parsers in this process; a page is read as its number, or fails."""

    failing: set[int] = field(default_factory=set)
    pages: list[int] = field(default_factory=list)
    inner: InlineSandbox = field(default_factory=InlineSandbox)

    async def run(self, job: ParseJob) -> Result:
        if not job.target.endswith(":read_page"):
            return await self.inner.run(job)
        [number] = job.options.pages or ()
        self.pages.append(number)
        if number in self.failing:
            return AgentFailure.of("parser", ParserError("It took too long.", ErrorCode.PARSER_TIMEOUT))
        line = ocr.OcrLine(f"Words of scanned page {number}", 50, 100, 300, 112, 0.97)
        return ocr.OcrResult((line,)).to_json().encode()

    async def close(self) -> None:
        return None


@pytest.fixture(autouse=True)
def with_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "available", lambda: True)


def service(sandbox: PageSandbox, **options: Any) -> DolphinParserService:
    return DolphinParserService(sandbox, **options)


async def test_each_scanned_page_is_read_by_a_job_of_its_own() -> None:
    sandbox = PageSandbox()
    document = await service(sandbox).parse(SCANS)
    assert isinstance(document, Document)
    assert sorted(sandbox.pages) == [1, 2] and document.parser.startswith("pdf/")
    assert [page.of(document.text).strip() for page in document.pages] == [
        "Words of scanned page 1",
        "Words of scanned page 2",
    ]
    assert document.warnings == () and "ocr_pages" not in document.metadata


async def test_a_page_that_fails_costs_itself_alone_and_is_tried_again() -> None:
    sandbox, kept = PageSandbox(failing={2}), Kept()
    parsers = service(sandbox, readings=kept)
    document = await parsers.parse(SCANS)
    assert isinstance(document, Document)
    assert document.warnings == ("read 1 of 2 pages by OCR; page 2 wait for the next ingest",)
    assert [(loss.why, loss.place) for loss in document.left_out] == [("ocr_unread", "page 2")]
    assert document.parser not in parsers.parser_ids, "else the next ingest would call it unchanged"
    sandbox.failing.clear()
    sandbox.pages.clear()
    again = await parsers.parse(SCANS)
    assert isinstance(again, Document)
    assert sandbox.pages == [2] and again.parser in parsers.parser_ids and again.warnings == ()


async def test_a_file_none_of_whose_pages_were_read_fails_in_time_and_not_for_good() -> None:
    failure = await service(PageSandbox(failing={1, 2})).parse(SCANS)
    assert isinstance(failure, AgentFailure) and failure.code is ErrorCode.PARSER_TIMEOUT
    assert "read 0 of 2 pages by OCR" in failure.message and "ocr_pages" not in failure.details


async def test_pages_beyond_the_limit_wait_for_the_next_run() -> None:
    sandbox, kept = PageSandbox(), Kept()
    parsers = service(sandbox, readings=kept, max_ocr_pages=1)
    first = await parsers.parse(SCANS)
    second = await parsers.parse(SCANS)
    assert isinstance(first, Document) and isinstance(second, Document)
    assert first.parser not in parsers.parser_ids and second.parser in parsers.parser_ids
    assert sorted(sandbox.pages) == [1, 2]


async def test_a_page_of_another_file_that_shows_the_same_is_not_read_again() -> None:
    sandbox, kept = PageSandbox(), Kept()
    parsers = service(sandbox, readings=kept)
    await parsers.parse(RawDocument(uri="one.pdf", data=make_pdf.scans(1)))
    await parsers.parse(SCANS)
    assert sorted(sandbox.pages) == [1, 2]


async def test_files_with_a_text_layer_need_no_second_parse() -> None:
    jobs: list[str] = []

    class Counting(PageSandbox):
        async def run(self, job: ParseJob) -> Result:
            jobs.append(job.target)
            return await super().run(job)

    await service(Counting()).parse(RawDocument(uri="a.pdf", data=make_pdf.report()))
    assert len(jobs) == 1


async def test_without_ocr_no_page_is_read() -> None:
    sandbox = PageSandbox()
    failure = await service(sandbox).parse(SCANS, ParseOptions(ocr=False))
    assert isinstance(failure, AgentFailure) and failure.code is ErrorCode.PARSER_EMPTY and sandbox.pages == []


async def test_pages_that_are_kept_are_not_read() -> None:
    sandbox, kept = PageSandbox(), Kept()
    reader = PageReader(sandbox, kept, 10)
    first = await reader.read(SCANS, ParseOptions(), {1: "a", 2: "b"})
    assert await reader.read(SCANS, ParseOptions(), {5: "a", 6: "b"}) == {5: first[1], 6: first[2]}
    assert len(sandbox.pages) == 2


def test_readings_cross_to_the_worker_beside_the_file() -> None:
    options = ParseOptions(defer_ocr=True, readings={3: "x" * 2_000_000})
    job = ParseJob(target="a:b", parser_id="pdf/5", media_type="application/pdf", raw=SCANS, options=options)
    header, payload = encode_job(job)
    assert len(json.dumps(header)) < 2_000
    there = decode_job({**header, "size": len(payload)}, payload)
    assert there.options.readings == options.readings and there.raw.data == SCANS.data
    plain = job.model_copy(update={"options": ParseOptions()})
    assert decode_job(*encode_job(plain)).options.readings is None
