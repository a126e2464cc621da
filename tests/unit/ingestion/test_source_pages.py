"""Pages of stored documents, drawn from the source that they came from: once, and never from other bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from roma_core import Settings, build_roma
from roma_core.app import Roma
from roma_core.errors import AgentFailure, ErrorCode
from roma_core.evals import demo_pdf
from roma_core.parsers.sandbox.pool import InlineSandbox
from roma_core.parsers.service import DolphinParserService
from roma_core.types import Document

PNG = b"\x89PNG"


@pytest.fixture
async def roma(tmp_path: Path) -> AsyncIterator[Roma]:
    settings = Settings(workspace=tmp_path / "w", embedder="fake", reranker="none")
    async with build_roma(settings, parsers=DolphinParserService(InlineSandbox())) as made:
        yield made


@pytest.fixture
async def document(roma: Roma, tmp_path: Path) -> Document:
    path = demo_pdf.write(tmp_path / "docs")
    await roma.ingest(tmp_path / "docs")
    stored = await roma.document(Document.id_for(path.resolve().as_uri()))
    assert isinstance(stored, Document)
    return stored


async def test_a_page_is_drawn_once(roma: Roma, document: Document, tmp_path: Path) -> None:
    first = await roma.source_page(document, 1)
    assert isinstance(first, bytes) and first.startswith(PNG)
    assert await roma.source_page(document, 2) != first
    (tmp_path / "docs" / demo_pdf.NAME).unlink()
    assert await roma.source_page(document, 1) == first


async def test_other_bytes_are_not_shown(roma: Roma, document: Document, tmp_path: Path) -> None:
    path = tmp_path / "docs" / demo_pdf.NAME
    path.write_bytes(path.read_bytes() + b"%")
    changed = await roma.source_page(document, 1)
    assert isinstance(changed, AgentFailure) and changed.code is ErrorCode.CONNECTOR_CHANGED
    path.unlink()
    gone = await roma.source_page(document, 1)
    assert isinstance(gone, AgentFailure) and gone.code is ErrorCode.CONNECTOR_NOT_FOUND


async def test_what_was_never_listed_or_has_no_such_page(roma: Roma, document: Document) -> None:
    stranger = await roma.source_page(document.model_copy(update={"uri": "file:///x.pdf"}), 1)
    assert isinstance(stranger, AgentFailure) and stranger.code is ErrorCode.NOT_FOUND
    missing = await roma.source_page(document, 9)
    assert isinstance(missing, AgentFailure) and missing.code is ErrorCode.PARSER_EMPTY
    assert isinstance(await roma.source_page(document, 1, "another-tenant"), AgentFailure)
