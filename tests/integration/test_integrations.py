"""Retrievers of ROMA in the frameworks themselves.

They are no dependencies of ROMA, so they live in an environment of their own (``make clients``; ``CLIENTS_PYTHON``
names another), which borrows ROMA and pytest from this one. Skipped where there is none.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from roma_core.app import build_roma
from roma_core.settings import Settings
from tests.frameworks import find_python, lend_packages

TEXT = "# Rope bridge\n\nThe rope bridge of Quellfeld was built in 1902. It spans 48 metres.\n"


@pytest.fixture
async def roma(workspace: Path, tmp_path: Path) -> Any:
    (tmp_path / "bridge.md").write_text(TEXT)
    settings = Settings(workspace=workspace, embedder="fake", reranker="none", parser_workers=1)
    async with build_roma(settings) as made:
        await made.ingest(tmp_path / "bridge.md")
        yield made


def check(text: str, metadata: dict[str, Any]) -> None:
    assert "1902" in text
    assert TEXT[metadata["start"] : metadata["end"]] == text
    assert metadata["uri"].endswith("bridge.md")
    assert metadata["rank"] == 1


async def test_a_retriever_of_langchain(roma: Any) -> None:
    pytest.importorskip("langchain_core", reason="langchain-core is not installed")
    from roma_core.integrations.langchain import RomaLangChainRetriever

    retriever = RomaLangChainRetriever(roma=roma, top_k=1)
    (waited,) = await retriever.ainvoke("rope bridge")
    (blocked,) = await asyncio.to_thread(retriever.invoke, "rope bridge")
    check(waited.page_content, waited.metadata)
    assert blocked == waited


async def test_a_retriever_of_llamaindex(roma: Any) -> None:
    pytest.importorskip("llama_index.core", reason="llama-index-core is not installed")
    from roma_core.integrations.llamaindex import RomaLlamaIndexRetriever

    retriever = RomaLlamaIndexRetriever(roma, top_k=1)
    (waited,) = await retriever.aretrieve("rope bridge")
    (blocked,) = await asyncio.to_thread(retriever.retrieve, "rope bridge")
    check(waited.node.text, waited.node.metadata)
    assert blocked.node.node_id == waited.node.node_id


async def test_a_retriever_of_haystack(roma: Any) -> None:
    haystack = pytest.importorskip("haystack", reason="haystack-ai is not installed")
    from roma_core.integrations.haystack import RomaHaystackRetriever

    pipeline = haystack.Pipeline()
    pipeline.add_component("retriever", RomaHaystackRetriever(roma, top_k=1))
    found = await asyncio.to_thread(pipeline.run, {"retriever": {"query": "rope bridge"}})
    (document,) = found["retriever"]["documents"]
    check(document.content, document.meta)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_retrievers_work_in_the_environment_of_the_frameworks(tmp_path: Path) -> None:
    python = find_python("clients")
    lend_packages(tmp_path)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_", "PYTHON"))}
    quiet = {"DO_NOT_TRACK": "1", "HAYSTACK_TELEMETRY_ENABLED": "False", "LANGSMITH_TRACING": "false"}
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "retriever_of", __file__],
        cwd=Path(__file__).parents[2],
        env={**kept, **quiet, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert "3 passed" in done.stdout, done.stdout[-3000:] + done.stderr[-2000:]
