"""A backend is found by its name, chosen for a file or a format, and named in the parser id."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from roma_core.errors import AgentFailure, ConfigError, ErrorCode
from roma_core.parsers import PARSERS, media
from roma_core.parsers.backends import Backend, find_backend, list_backends
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.sandbox.pool import InlineSandbox
from roma_core.parsers.service import DolphinParserService
from roma_core.settings import BACKEND_FORMATS, Settings
from roma_core.types import Document, RawDocument

ACME = """
from roma_core.parsers.backends import Backend, BackendBlock


def read(raw, options):
    assert raw.media_type == "text/plain"
    yield BackendBlock("heading", "Read by acme")
    yield BackendBlock("paragraph", raw.data.decode().upper())


BACKEND = Backend("acme", 3, ("text/plain",), "roma_acme:read")
"""
RAW = RawDocument(uri="note.txt", data=b"The burrow of Quellfeld is dry.\n")


@pytest.fixture
def acme(install_plugin: Callable[..., None]) -> None:
    install_plugin("roma.backends", "roma-acme", "roma_acme", ACME, acme="roma_acme:BACKEND")


@pytest.mark.usefixtures("acme")
async def test_a_backend_of_another_package_reads_a_file() -> None:
    async with DolphinParserService(InlineSandbox()) as service:
        document = await service.parse(RAW, ParseOptions(backend="acme"))
    assert isinstance(document, Document)
    assert document.text == "# Read by acme\n\nTHE BURROW OF QUELLFELD IS DRY."
    assert document.parser == "text@acme/3"


@pytest.mark.usefixtures("acme")
async def test_a_setting_chooses_the_backend_of_a_format() -> None:
    settings = Settings(parser_text="acme")
    async with DolphinParserService.of(settings) as service:
        assert service.parser_id(RAW) == "text@acme/3"
        assert "text@acme/3" in service.parser_ids and "text/3" not in service.parser_ids
        document = await service.parse(RAW, ParseOptions(backend="own"))
    assert isinstance(document, Document) and document.parser == "text/3"


@pytest.mark.parametrize(
    ("formats", "message"),
    [
        ({"pdf": "pdfplumbr"}, "Did you mean 'pdfplumber'?"),
        ({"pdf": "python-docx"}, "does not read application/pdf; these do: own, docling"),
        ({"pfd": "pdfplumber"}, "Did you mean 'pdf'?"),
    ],
)
def test_a_wrong_choice_is_refused_with_the_right_names(formats: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")):
        DolphinParserService(InlineSandbox(), backends=formats)


async def test_a_file_of_a_format_that_a_backend_does_not_read_is_refused() -> None:
    async with DolphinParserService(InlineSandbox()) as service:
        result = await service.parse(RAW, ParseOptions(backend="pandas"))
    assert isinstance(result, AgentFailure)
    assert result.code is ErrorCode.CONFIG_INVALID and "pandas" in result.message


def test_a_missing_package_is_named_with_the_command_that_installs_it() -> None:
    backend = Backend("acme", 1, (media.PDF,), "acme:read", ("acme-that-nobody-has",), "card")
    assert backend.missing_packages == ("acme-that-nobody-has",)
    with pytest.raises(ConfigError, match=r"pip install 'roma-core\[card\]'"):
        backend.check_installed()


def test_the_id_of_a_backend_holds_the_version_of_its_library() -> None:
    from importlib.metadata import version

    assert find_backend("pdfplumber").id == f"pdfplumber-{version('pdfplumber')}/1"


def test_every_format_that_a_backend_reads_has_a_setting() -> None:
    formats = {media_type: parser.name for parser in PARSERS for media_type in parser.media_types}
    wanted = {formats[media_type] for backend in list_backends() for media_type in backend.media_types}
    assert wanted == set(BACKEND_FORMATS)


def test_the_readers_of_the_card_are_declared() -> None:
    names = {backend.name for backend in list_backends()}
    assert names == {
        *("unstructured", "docling", "pdfplumber", "python-docx", "python-pptx"),
        *("pandas", "ebooklib", "markitdown", "kreuzberg"),
    }
