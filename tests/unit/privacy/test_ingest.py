"""Personal data at ingest, through the front door: where it is masked, who sees it, and what is left out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from roma_core.app import Roma, build_roma
from roma_core.errors import AgentFailure, ErrorCode
from roma_core.privacy import MASK
from roma_core.settings import Settings
from roma_core.types import Document, IngestionReport, Principal, TailorOutput
from roma_core.types.privacy import read_findings
from tests.fakes.traces import find_traces

EMAIL, CARD = "zebrafish.quux@example.org", "4111 1111 1111 1111"
TEXT = f"""# The harbour

The keeper of the harbour is reached at {EMAIL} on weekdays.

The harbour was dredged in 1931, and it paid with card {CARD}.
"""
READER = Principal(subject="anna", roles=("reader",))


@asynccontextmanager
async def opened(folder: Path, policy: str = "") -> AsyncIterator[Roma]:
    settings = Settings(workspace=folder / "w", embedder="fake", reranker="none", pii_policy=policy)
    async with build_roma(settings) as roma:
        yield roma


async def ingest(roma: Roma, source: Path) -> IngestionReport:
    report = await roma.ingest(source)
    assert not report.failures, report.failures
    return report


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "harbour.md").write_text(TEXT)
    return folder


def the_id(report: IngestionReport) -> str:
    (item,) = report.items
    assert item.document_id is not None
    return item.document_id


async def read(call: Callable[..., Awaitable[Any]], document_id: str, *who: Principal) -> Document:
    found = await call(document_id, *who)
    assert isinstance(found, Document), found
    return found


async def test_what_is_masked_is_nowhere_but_apart(tmp_path: Path, source: Path) -> None:
    async with opened(tmp_path, "email=mask,card=flag") as roma:
        report = await ingest(roma, source)
        assert any(warning.startswith("personal data masked: 1 email") for _, warning in report.warnings())
        answer = await roma.query("How is the keeper of the harbour reached?")
        assert isinstance(answer, TailorOutput)
        assert EMAIL not in answer.model_dump_json()
        found = await roma.search("zebrafish.quux")
        assert not isinstance(found, AgentFailure)
        assert all(EMAIL not in passage.chunk.text for passage in found)
    assert find_traces(tmp_path / "w", [EMAIL], without=["originals.sqlite"]) == {}
    assert "originals.sqlite" in find_traces(tmp_path / "w", [EMAIL])


async def test_every_citation_points_to_the_same_place_in_the_original(tmp_path: Path, source: Path) -> None:
    async with opened(tmp_path, "email=mask") as roma:
        document_id = the_id(await ingest(roma, source))
        answer = await roma.query("When was the harbour dredged?")
        assert isinstance(answer, TailorOutput) and answer.citations
        masked, original = await read(roma.document, document_id), await read(roma.unmasked, document_id)
        assert original.text.replace(EMAIL, MASK * len(EMAIL)) == masked.text
        for citation in answer.citations:
            assert masked.text[citation.start : citation.end] == citation.quote
            assert "1931" in original.text[citation.start : citation.end]


async def test_the_original_takes_the_permission(tmp_path: Path, source: Path) -> None:
    async with opened(tmp_path, "email=mask") as roma:
        document_id = the_id(await ingest(roma, source))
        shown = await read(roma.document, document_id, READER)
        assert EMAIL not in shown.model_dump_json()
        for refused in (await roma.unmasked(document_id, READER), await roma.original(shown, READER)):
            assert isinstance(refused, AgentFailure)
            assert refused.code is ErrorCode.ACCESS_FORBIDDEN
        assert EMAIL in (await read(roma.unmasked, document_id)).text
        file = await roma.original(shown)
        assert not isinstance(file, AgentFailure) and EMAIL.encode() in file.data
        assert [row.who for row in roma.audit.query("default", action="unmask")] == ["local", "local"]
        missing = await roma.unmasked("nowhere", READER)
        assert isinstance(missing, AgentFailure) and missing.code is ErrorCode.NOT_FOUND


async def test_without_masks_everyone_reads_the_original(tmp_path: Path, source: Path) -> None:
    async with opened(tmp_path, "email=flag") as roma:
        document_id = the_id(await ingest(roma, source))
        assert EMAIL in (await read(roma.document, document_id, READER)).text
        assert (await read(roma.unmasked, document_id)).text == (await read(roma.document, document_id)).text
    assert not (tmp_path / "w" / "originals.sqlite").exists()


async def test_a_policy_that_is_switched_on_masks_what_is_stored(tmp_path: Path, source: Path) -> None:
    async with opened(tmp_path) as roma:
        await ingest(roma, source)
        asked = await roma.query("How is the keeper of the harbour reached?", session_id="s")
        assert isinstance(asked, TailorOutput)
    assert find_traces(tmp_path / "w", [EMAIL])
    async with opened(tmp_path, "email=mask") as roma:
        report = await ingest(roma, source)
        assert [item.state for item in report.items] == ["updated"]
        assert report.items[0].reason == "chunking, embedding, masks or collection changed"
        assert len(report.newly_masked) == 1
    assert find_traces(tmp_path / "w", [EMAIL], without=["originals.sqlite"]) == {}
    async with opened(tmp_path, "email=mask") as roma:
        again = await ingest(roma, source)
        assert [item.state for item in again.items] == ["unchanged"]
    async with opened(tmp_path) as roma:
        back = await ingest(roma, source)
        assert [item.state for item in back.items] == ["updated"]
    assert find_traces(tmp_path / "w", [EMAIL]).keys() & {"originals.sqlite"} == set()


async def test_a_refused_document_is_left_out_and_an_older_version_goes(tmp_path: Path, source: Path) -> None:
    async with opened(tmp_path) as roma:
        await ingest(roma, source)
    async with opened(tmp_path, "card=refuse") as roma:
        report = await ingest(roma, source)
        (item,) = report.items
        assert item.state == "skipped"
        assert item.reason.startswith("it holds personal data: 1 card")
        assert CARD not in item.reason
        assert await roma.count_documents() == (0, 0)
    assert find_traces(tmp_path / "w", [CARD]) == {}


async def test_a_file_cannot_say_of_itself_what_was_found(tmp_path: Path, source: Path) -> None:
    (source / "harbour.md").write_text('---\nroma.personal_data: [{"kind": "email", "mode": "mask"}]\n---\n' + TEXT)
    async with opened(tmp_path) as roma:
        document_id = the_id(await ingest(roma, source))
        assert read_findings(await read(roma.document, document_id)) == ()


async def test_a_forgotten_document_leaves_no_original(tmp_path: Path, source: Path) -> None:
    async with opened(tmp_path, "email=mask") as roma:
        document_id = the_id(await ingest(roma, source))
        await roma.forget(document_ids=[document_id])
    assert find_traces(tmp_path / "w", [EMAIL]) == {}


async def test_a_deleted_document_leaves_no_original(tmp_path: Path, source: Path) -> None:
    (source / "other.md").write_text("# Tides\n\nThe tide comes twice a day.\n")
    async with opened(tmp_path, "email=mask") as roma:
        await ingest(roma, source)
        (source / "harbour.md").unlink()
        await roma.ingest(source, prune=True)
    assert find_traces(tmp_path / "w", [EMAIL]) == {}
