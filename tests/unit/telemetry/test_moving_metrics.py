"""Series move when what they count happens in the whole system, and not otherwise."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from roma_core.evals import demo_pdf
from roma_core.llm.providers.server import Script
from roma_core.telemetry import metrics
from roma_core.types import Document, TailorOutput

QUESTION = "When was the rope bridge built?"


def samples() -> dict[tuple[str, ...], float]:
    """Every sample by name and label values, but for buckets and what the process itself does."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in metrics.REGISTRY.collect()
        for sample in family.samples
        if sample.name.startswith("roma_") and not sample.name.endswith(("_bucket", "_created"))
    }


def grown(before: dict[tuple[str, ...], float], name: str) -> dict[tuple[str, ...], float]:
    """By how much each series of ``name`` has grown, without those that have not."""
    now = samples()
    return {
        key[1:]: value - before.get(key, 0)
        for key, value in now.items()
        if key[0] == name and value != before.get(key, 0)
    }


async def test_every_cache_counts_where_it_is_looked_up(whole: Any, corpus: Path) -> None:
    demo_pdf.write(corpus)
    async with whole() as (roma, _):
        before = samples()
        report = await roma.ingest(corpus)
        found = grown(before, "roma_cache_requests_total")
        assert found == {("parse", "miss"): 2, ("embed", "miss"): sum(item.chunks for item in report.items)}
        before = samples()
        await roma.store.delete("default", [item.document_id for item in report.items])
        await roma.ingest(corpus)
        again = {("parse", "hit"): 2, ("embed", "hit"): found["embed", "miss"]}
        assert grown(before, "roma_cache_requests_total") == again
        before = samples()
        for _ in range(2):
            assert isinstance(await roma.query(QUESTION), TailorOutput)
        assert grown(before, "roma_cache_requests_total") == {("llm", "miss"): 1, ("llm", "hit"): 1}
        before = samples()
        paper = await roma.document(next(str(i.document_id) for i in report.items if i.uri.endswith(".pdf")))
        assert isinstance(paper, Document)
        for _ in range(2):
            assert isinstance(await roma.source_page(paper, 1), bytes)
        assert grown(before, "roma_cache_requests_total") == {("page", "miss"): 1, ("page", "hit"): 1}


@pytest.mark.parametrize("mode", ["off", "refresh"])
async def test_a_cache_that_reads_nothing_misses_nothing(whole: Any, corpus: Path, mode: str) -> None:
    before = samples()
    async with whole(cache=mode) as (roma, _):
        await roma.ingest(corpus)
        for _ in range(2):
            await roma.query(QUESTION)
    assert grown(before, "roma_cache_requests_total") == {}


async def test_what_a_fallback_hides_is_an_error_all_the_same(
    whole: Any, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each failed call counts once; also those that an open breaker or a budget refused to make."""
    monkeypatch.setattr("roma_core.retry.sleep", lambda seconds: asyncio.sleep(0))
    async with whole(Script(status=503), cache="off") as (roma, server):
        await roma.ingest(corpus)
        before, asked = samples(), len(server.asked)
        outputs = [await roma.query(QUESTION) for _ in range(4)]
        calls = len(server.asked) - asked
    assert all(isinstance(o, TailorOutput) and o.degraded for o in outputs)
    assert grown(before, "roma_degraded_answers_total") == {(): 4}
    refused = 3  # the third attempt of the second question, and the other two questions
    assert calls == 5
    assert grown(before, "roma_errors_total") == {("llm", "ERR_LLM_UNAVAILABLE"): calls + refused}


async def test_a_model_failure_that_ends_a_query_counts_where_it_ends_and_as_a_call(whole: Any, corpus: Path) -> None:
    async with whole(Script(status=401), llm_fallbacks="none") as (roma, _):
        await roma.ingest(corpus)
        before = samples()
        await roma.query(QUESTION)
    assert grown(before, "roma_errors_total") == {("llm", "ERR_LLM_AUTH"): 1, ("tailor", "ERR_LLM_AUTH"): 1}
