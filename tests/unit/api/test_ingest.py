"""Ingest jobs over HTTP with the real ingestion: connectors, sandboxed parsers, ledger and store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
async def real(start: Any) -> AsyncIterator[Any]:
    async with start(real=True, parser_workers=1) as service:
        yield service


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    for n in range(4):
        (folder / f"{n}.md").write_text(f"# Harbour {n}\n\nHarbour {n} was dredged in the year {1900 + n}.\n")
    return folder


async def ended(service: Any, sources: list[str], events_of: Any, **body: Any) -> list[dict[str, Any]]:
    """The job's events from its acceptance to its end."""
    made = await service.client.post("/ingest", json={"sources": sources, **body})
    assert made.status_code == 202, made.text
    watched = await service.client.get(made.headers["location"], headers={"Accept": "text/event-stream"})
    return [event["data"] for event in events_of(watched.text)]


async def test_a_folder_is_ingested_and_reported(real: Any, docs: Path, events_of: Any) -> None:
    job = (await ended(real, [str(docs)], events_of))[-1]
    assert (job["state"], job["failure"]) == ("done", None), job
    assert {item["state"] for item in job["report"]["items"]} == {"added"}
