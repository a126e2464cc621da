"""The dispatcher itself: limits, formats that nobody reads, targets that answer with the wrong thing."""

from __future__ import annotations

import bz2
import gzip
import lzma

import pytest

from roma_core.errors import AgentFailure, ErrorCode
from roma_core.parsers import media
from roma_core.parsers.base import Parser
from roma_core.parsers.registry import PARSERS, by_media_type
from roma_core.parsers.sandbox.pool import InlineSandbox
from roma_core.parsers.sandbox.worker import ParseJob, Result
from roma_core.parsers.service import ADVICE, DolphinParserService, _make_unsupported_error
from roma_core.settings import Settings
from roma_core.types import Document, RawDocument

WORDS = RawDocument(uri="file:///a.txt", data=b"words of a file")
GIF = RawDocument(uri="file:///a.gif", data=b"GIF89a\x01\x00\x01\x00\x00\x00\x00;")
DOCUMENT = Document(id="d", uri="u", title="t", text="text", content_sha256="0" * 64, parser="x/1")


class Canned(InlineSandbox):
    """Answers every job with one thing."""

    def __init__(self, result: Result) -> None:
        self.result, self.jobs, self.closed = result, list[ParseJob](), 0

    async def run(self, job: ParseJob) -> Result:
        self.jobs.append(job)
        return self.result

    async def close(self) -> None:
        self.closed += 1


def code(result: object) -> ErrorCode:
    assert isinstance(result, AgentFailure), result
    return result.code


async def test_limits_come_from_the_settings(tmp_path):
    settings = Settings(parser_max_mb=1, parser_timeout_s=7, parser_memory_mb=512, parser_workers=1)
    async with DolphinParserService.of(settings) as service:
        sandbox = service._sandbox
        assert (sandbox.workers, sandbox.limits.timeout_s, sandbox.limits.memory_mb) == (1, 7, 512)
        large = await service.parse(WORDS.model_copy(update={"content": b"a" * ((1 << 20) + 1)}))
        assert code(large) is ErrorCode.PARSER_TOO_LARGE and large.details["bytes"] == (1 << 20) + 1


@pytest.mark.parametrize("data", [b"", b" \n\t "], ids=["nothing", "blanks"])
async def test_a_file_of_nothing_starts_no_work(data):
    sandbox = Canned(DOCUMENT)
    result = await DolphinParserService(sandbox).parse(RawDocument(uri="a.txt", data=data))
    assert code(result) is ErrorCode.PARSER_EMPTY and sandbox.jobs == []


async def test_formats_without_a_parser_come_with_advice():
    result = await DolphinParserService(Canned(DOCUMENT)).parse(GIF)
    assert code(result) is ErrorCode.PARSER_UNSUPPORTED and "save it as PNG" in result.message
    assert DolphinParserService(Canned(DOCUMENT)).parser_id(GIF) is None


@pytest.mark.parametrize("kind", [*ADVICE, "application/x-unknown"])
def test_every_refusal_says_what_to_do(kind):
    error = _make_unsupported_error(kind, ".bin")
    assert error.code is ErrorCode.PARSER_UNSUPPORTED
    assert ADVICE.get(kind, "convert it to PDF, DOCX, HTML or text") in str(error)


def test_protected_office_files_are_named_as_such():
    assert _make_unsupported_error(media.ENCRYPTED_OFFICE, ".docx").code is ErrorCode.PARSER_ENCRYPTED


@pytest.mark.parametrize("name", ["plan.docx", "plan.PDF", "photo.jpg"])
async def test_bytes_that_are_not_what_the_name_says_are_a_damaged_file(name: str) -> None:
    noise = bytes(range(256)) * 20
    service = DolphinParserService(Canned(DOCUMENT))
    damaged = await service.parse(RawDocument(uri=f"file:///{name}", data=noise))
    assert code(damaged) is ErrorCode.PARSER_MALFORMED
    assert "holds something else" in damaged.message and "Save it again" in damaged.message
    other = await service.parse(RawDocument(uri="file:///plan.bin", data=noise))
    assert code(other) is ErrorCode.PARSER_UNSUPPORTED


async def test_a_parser_that_answers_with_bytes_is_a_defect():
    assert code(await DolphinParserService(Canned(b"PNG")).parse(WORDS)) is ErrorCode.INTERNAL


async def test_a_picture_that_comes_back_as_a_document_is_a_defect():
    service = DolphinParserService(Canned(DOCUMENT))
    assert code(await service.page_image(WORDS, 1)) is ErrorCode.INTERNAL
    assert code(await service.figures(WORDS)) is ErrorCode.INTERNAL


async def test_failures_of_the_worker_are_passed_on_with_the_format():
    failure = AgentFailure(code=ErrorCode.PARSER_TIMEOUT, agent="parser", recoverable=False, message="slow")
    service = DolphinParserService(Canned(failure))
    for result in (await service.parse(WORDS), await service.page_image(WORDS, 1), await service.figures(WORDS)):
        assert code(result) is ErrorCode.PARSER_TIMEOUT and result.details["media_type"] == media.TEXT


async def test_a_defect_of_a_library_counts_as_a_damaged_file():
    failure = AgentFailure(
        code=ErrorCode.INTERNAL, agent="parser", recoverable=False, message="m", details={"exception": "KeyError"}
    )
    result = await DolphinParserService(Canned(failure)).parse(WORDS)
    assert code(result) is ErrorCode.PARSER_MALFORMED and "KeyError" in result.message


async def test_the_page_asked_for_is_the_only_option_that_changes():
    sandbox = Canned(b"PNG")
    assert await DolphinParserService(sandbox).page_image(WORDS, 4) == b"PNG"
    assert sandbox.jobs[0].options.pages == (4,) and sandbox.jobs[0].target.endswith(":draw_page")


async def test_a_file_on_disk_is_read_into_the_job(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"words on disk")
    sandbox = Canned(DOCUMENT)
    service = DolphinParserService(sandbox)
    assert await service.parse(RawDocument(uri="a.txt", path=path)) == DOCUMENT
    assert sandbox.jobs[0].raw.content == b"words on disk" and sandbox.jobs[0].raw.path is None
    await service.close()
    assert sandbox.closed == 1


def test_two_parsers_may_not_claim_one_format():
    assert {parser.id for parser in PARSERS} == DolphinParserService(InlineSandbox()).parser_ids
    twice = (*PARSERS, Parser("other", 1, (media.PDF,), "m:f"))
    with pytest.raises(ValueError, match="claimed by both pdf and other"):
        by_media_type(twice)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress], ids=["gzip", "bzip2", "xz"])
async def test_a_packed_file_is_refused_with_the_word_to_unpack_it(pack):
    result = await DolphinParserService(Canned(DOCUMENT)).parse(
        RawDocument(uri="notes.txt.x", data=pack(b"words " * 99))
    )
    assert code(result) is ErrorCode.PARSER_UNSUPPORTED and "unpack it" in result.message
