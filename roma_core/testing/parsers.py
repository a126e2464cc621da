"""Conformance class of parsers: the promises about the documents that they make."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from roma_core.errors import AgentFailure
from roma_core.parsers.service import DolphinParserService
from roma_core.types import Document, RawDocument


@dataclass(frozen=True)
class ParserCase:
    """A file, what its text must hold in this order, what it must not, and the kinds of blocks that it has."""

    name: str
    data: bytes
    include: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()


class ParserContract:
    """Conformance of a parser. Inherit it and give the fixtures ``service`` and ``case``.

    ``service`` reads the format (with a plug-in installed, ``DolphinParserService(InlineSandbox())`` does).
    """

    async def test_text_is_whole_and_in_order(self, service: DolphinParserService, case: ParserCase) -> None:
        document = await parse(service, case)
        at = 0
        for words in case.include:
            assert words in document.text[at:], f"{words!r} is missing or out of order in {document.text!r}"
            at = document.text.index(words, at)
        for words in case.exclude:
            assert words not in document.text
        assert set(case.blocks) <= {block.kind for block in document.blocks}

    async def test_places_are_exact(self, service: DolphinParserService, case: ParserCase) -> None:
        check_document(service, raw_of(case), await parse(service, case))

    async def test_the_same_file_gives_the_same_document(self, service: DolphinParserService, case: ParserCase) -> None:
        assert await parse(service, case) == await parse(service, case)

    async def test_a_file_that_is_cut_is_a_value(self, service: DolphinParserService, case: ParserCase) -> None:
        cut = RawDocument(uri=f"file:///corpus/{case.name}", data=case.data[: len(case.data) // 2])
        result = await service.parse(cut)
        assert isinstance(result, AgentFailure | Document)


def raw_of(case: ParserCase) -> RawDocument:
    """Return the file of ``case`` as a connector would."""
    return RawDocument(uri=f"file:///corpus/{case.name}", data=case.data)


async def parse(service: DolphinParserService, case: ParserCase) -> Document:
    """Return the document of ``case``; fails when there is none."""
    document = await service.parse(raw_of(case))
    assert isinstance(document, Document), document
    return document


def check_document(service: DolphinParserService, raw: RawDocument, document: Document) -> None:
    """Check identity, offsets, and the order of blocks, pages and sections."""
    text = document.text
    assert document.id == Document.id_for(raw.uri) and document.content_sha256 == raw.sha256
    assert document.uri == raw.uri and document.title
    assert document.parser == service.parser_id(raw)
    assert "\r" not in text and "\x00" not in text
    for block in document.blocks:
        assert block.of(text).strip(), "a block without text"
    for one, two in pairwise(document.blocks):
        assert one.end <= two.start, "blocks overlap"
    for before, after in pairwise(document.pages):
        assert before.end == after.start, "pages leave gaps"
        assert before.number < after.number, "pages are out of order"
    for section in document.sections:
        assert section.start < section.end and section.title
    assert Document.model_validate_json(document.model_dump_json()) == document
