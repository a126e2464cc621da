"""The wire corpus through the whole pipeline: what a user of ROMA sees of each response that servers send."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from roma_core.app import Roma, build_roma
from roma_core.chunking import chunk
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.errors import AgentFailure
from roma_core.llm.providers.server import Asked, FakeModelServer, Script
from roma_core.settings import Settings
from roma_core.store.inmemory import InMemoryStore
from roma_core.types import Document, TailorOutput, digest
from tests.contracts.test_wire import CASES, Case

TEXT = "# Tides\n\nTides follow the moon. The moon pulls the water of the sea towards itself."
QUESTION = "What do tides follow?"
SAMPLE_STEP = 5
"""Each fifth response of a server goes through the pipeline in every run, all of them in the long one."""
SERVERS = sorted({case.server for case in CASES})


@asynccontextmanager
async def roma_with(server: FakeModelServer, workspace: Path) -> AsyncIterator[Roma]:
    """Open a ROMA that has one document, whose answers ``server`` writes and nobody else."""
    settings = Settings(
        workspace=workspace,
        embedder="fake",
        reranker="none",
        llm_provider="openai",
        llm_model="m",
        llm_base_url=f"{server.url}/v1",
        llm_fallbacks="none",
        llm_max_attempts=1,
        cache="off",
        planner="off",
    )
    store, embedder = InMemoryStore(), FakeEmbedder()
    document = Document(
        id=Document.id_for("tides", "default"),
        uri="tides",
        title="Tides",
        text=TEXT,
        content_sha256=digest(TEXT),
        parser="t/1",
    )
    pieces = chunk(document, embedder.count_tokens)
    vectors = (await embedder.embed([piece.indexed_text for piece in pieces])).vectors
    await store.put("default", document, pieces, vectors)
    async with build_roma(settings, store=store, embedder=embedder) as roma:
        yield roma


def script_of(case: Case) -> Script:
    kind = case.headers.get("content-type", "")
    headers = tuple((name, value) for name, value in case.headers.items() if name != "content-type")
    return Script(raw=case.body, status=case.status, media_type=kind, headers=headers)


def check(case: Case, outcome: TailorOutput | AgentFailure) -> None:
    expect, where = case.expect, f"{case.server}: {case.name}"
    if "error" in expect:
        assert isinstance(outcome, AgentFailure), where
        assert outcome.code.value == expect["error"], f"{where}: {outcome.message}"
        assert (expect.get("advice") or "") in outcome.message, where
        return
    if not expect["text"] and expect["finish"] not in {"refusal", "content_filter"}:
        assert isinstance(outcome, AgentFailure), where
        assert outcome.code.value == "ERR_LLM_EMPTY", where
        return
    assert isinstance(outcome, TailorOutput), f"{where}: {outcome}"
    if expect["finish"] == "stop" and "[1]" in expect["text"] and "`" not in expect["text"]:
        assert outcome.answer == expect["text"].strip(), where
        assert [citation.marker for citation in outcome.citations] == [1], where
        assert not outcome.degraded, f"{where}: {outcome.degraded_reasons}"
    if expect["finish"] in {"length", "refusal", "content_filter"}:
        assert outcome.degraded, where
    assert "<think" not in outcome.answer.replace("`<think>`", ""), where
    assert expect.get("note", "") in outcome.model_reason, where


async def check_through_pipeline(cases: Sequence[Case], workspace: Path) -> None:
    script = Script()

    def rule(asked: Asked) -> Script:
        return script

    async with FakeModelServer(rule).running() as server:
        for case in cases:
            script = script_of(case)
            # A ROMA of its own for each: five failures in a row would open the circuit.
            async with roma_with(server, workspace) as roma:
                check(case, await roma.query(QUESTION))


@pytest.mark.parametrize("name", SERVERS)
async def test_a_sample_of_responses_reaches_the_user_as_what_they_are(name: str, tmp_path: Path) -> None:
    await check_through_pipeline([case for case in CASES if case.server == name][::SAMPLE_STEP], tmp_path / "ws")


@pytest.mark.soak
@pytest.mark.parametrize("name", SERVERS)
async def test_each_response_reaches_the_user_as_what_it_is(name: str, tmp_path: Path) -> None:
    await check_through_pipeline([case for case in CASES if case.server == name], tmp_path / "ws")
