"""A file format is one row of a table, ROMA's own or that of any package."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from roma_core.errors import AgentFailure
from roma_core.parsers.registry import PARSERS, ParserTable
from roma_core.parsers.sandbox.pool import InlineSandbox
from roma_core.parsers.service import DolphinParserService
from roma_core.types import Document, RawDocument

GEMINI = """
from roma_core.parsers import DocumentBuilder, Parser, ParserSpec


def parse(raw, options):
    builder = DocumentBuilder(raw, options, "gemini")
    for line in raw.data.decode().splitlines():
        if line.startswith("# "):
            builder.heading(line[2:], 1)
        elif line:
            builder.paragraph(line)
    return builder.build()


SPEC = ParserSpec((Parser("gemini", 1, ("text/gemini",), "roma_gemini:parse", suffixes=(".gmi",), magic=(b"GMI1",)),))
"""
Install = Callable[..., None]


@pytest.fixture
def gemini(install_plugin: Install) -> None:
    install_plugin("roma.parsers", "roma-gemini", "roma_gemini", GEMINI, gemini="roma_gemini:SPEC")


@pytest.mark.usefixtures("gemini")
@pytest.mark.parametrize("uri", ["page.gmi", "file:///a/PAGE.GMI"])
async def test_a_format_of_another_package_is_read(uri: str) -> None:
    service = DolphinParserService(InlineSandbox())
    document = await service.parse(RawDocument(uri=uri, data=b"# Burrow\nThe burrow of Quellfeld is dry.\n"))
    assert isinstance(document, Document)
    assert (document.parser, document.media_type) == ("gemini/1", "text/gemini")
    assert "The burrow of Quellfeld is dry." in document.text
    assert "gemini/1" in service.parser_ids


@pytest.mark.usefixtures("gemini")
async def test_a_format_of_another_package_is_known_by_its_first_bytes() -> None:
    assert ParserTable.installed().detect(RawDocument(uri="page", data=b"GMI1\nwords")) == "text/gemini"


@pytest.mark.usefixtures("gemini")
def test_what_is_known_by_its_content_is_not_taken_over() -> None:
    assert ParserTable.installed().detect(RawDocument(uri="page.gmi", data=b"%PDF-1.7\n")) == "application/pdf"


def test_without_plugins_the_table_is_romas_own() -> None:
    table = ParserTable.installed()
    assert set(table.by_type.values()) == set(PARSERS)
    assert table.broken == ()


async def test_a_format_that_two_packages_read_is_reported(install_plugin: Install) -> None:
    source = GEMINI.replace('"text/gemini"', '"application/pdf"')
    install_plugin("roma.parsers", "roma-gemini", "roma_gemini", source, gemini="roma_gemini:SPEC")
    table = ParserTable.installed()
    assert table.by_type["application/pdf"].name == "pdf"
    [broken] = table.broken
    assert (broken.name, "pdf" in broken.reason) == ("gemini", True)


async def test_a_defect_of_a_plugin_costs_its_file_alone(install_plugin: Install) -> None:
    source = GEMINI.replace("builder = ", "builder = 1 / 0 or ")
    install_plugin("roma.parsers", "roma-gemini", "roma_gemini", source, gemini="roma_gemini:SPEC")
    failure = await DolphinParserService(InlineSandbox()).parse(RawDocument(uri="page.gmi", data=b"words"))
    assert isinstance(failure, AgentFailure)
    assert failure.code == "ERR_PARSER_MALFORMED"
