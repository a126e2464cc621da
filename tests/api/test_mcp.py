"""ROMA's tools for agents through the official SDK's client, over streamable HTTP and over the standard streams."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

pytest.importorskip("mcp", reason="the extra 'doors' brings the SDK")

from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

import roma_core
from roma_core.api.tokens import TokenStore
from roma_core.llm.providers.server import Script
from tests.api.conftest import document

QUESTION = "When was the rope bridge built?"
TOOLS = ["ask", "get_document", "list_collections", "search"]


@asynccontextmanager
async def agent_of(service: Any, secret: str = "", **options: Any) -> Any:
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    address = str(service.client.base_url).rstrip("/")
    async with httpx2.AsyncClient(headers=headers, timeout=30, trust_env=False) as http:
        transport = streamable_http_client(f"{address}/mcp", http_client=http)
        async with Client(transport, **options) as client:
            yield client


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_tools_are_listed_and_described(service: Any, mode: str) -> None:
    async with agent_of(service, mode=mode) as client:
        tools = (await client.list_tools()).tools
    assert sorted(tool.name for tool in tools) == TOOLS
    assert all(tool.description and tool.output_schema for tool in tools)
    asked = next(tool for tool in tools if tool.name == "ask")
    assert set(asked.input_schema["properties"]) == {"question", "persona", "session_id"}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_answer_is_that_of_query(service: Any, mode: str) -> None:
    whole = (await service.client.post("/query", json={"text": QUESTION})).json()
    async with agent_of(service, mode=mode) as client:
        answer = (await client.call_tool("ask", {"question": QUESTION})).structured_content
    assert answer["answer"] == whole["answer"]
    assert answer["answered"] == "known"
    (citation,) = answer["citations"]
    assert citation == {name: whole["citations"][0][name] for name in citation}


async def test_the_stages_of_an_answer_are_its_progress(service: Any) -> None:
    said: list[str] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        said.append(message or "")

    async with agent_of(service, mode="legacy") as client:
        await client.call_tool("ask", {"question": QUESTION}, progress_callback=note)
    assert any("passages" in sentence for sentence in said)


async def test_what_was_found_can_be_read_in_its_document(service: Any) -> None:
    async with agent_of(service) as client:
        found = (await client.call_tool("search", {"query": "rope bridge", "limit": 1})).structured_content
        (passage,) = found["passages"]
        span = {"start": passage["start"], "end": passage["end"]}
        text = (
            await client.call_tool("get_document", {"document_id": passage["document_id"], **span})
        ).structured_content
        part = (
            await client.call_tool("get_document", {"document_id": passage["document_id"], "offset": 2, "length": 4})
        ).structured_content
        collections = (await client.call_tool("list_collections", {})).structured_content["collections"]
    assert text["cited"]["quote"] == passage["text"]
    assert part["text"] == "Rope"
    assert [(c["name"], c["documents"]) for c in collections] == [("main", 1)]
    assert len(service.model.asked) == 0, "searching asks no model"


@pytest.mark.parametrize(
    "tool, arguments, code",
    [
        ("get_document", {"document_id": "nothing"}, "ERR_NOT_FOUND"),
        ("get_document", {"document_id": document().id, "start": 5, "end": 3}, "ERR_INPUT_INVALID"),
        ("ask", {"question": "  "}, "ERR_GUARDRAIL_EMPTY"),
        ("ask", {"question": "x", "persona": "wizard"}, "persona"),
        ("search", {"query": "x", "limit": 0}, "limit"),
    ],
)
async def test_what_cannot_be_done_is_an_error_with_its_code(
    service: Any, tool: str, arguments: dict[str, Any], code: str
) -> None:
    async with agent_of(service) as client:
        result = await client.call_tool(tool, arguments)
    assert result.is_error
    assert code in result.content[0].text


async def test_a_failing_model_is_an_error_of_the_tool(start: Any) -> None:
    async with start(script=Script(status=401, raw=b"{}"), llm_fallbacks=()) as service, agent_of(service) as client:
        result = await client.call_tool("ask", {"question": QUESTION})
    assert result.is_error
    assert "ERR_LLM_AUTH" in result.content[0].text


async def test_tokens_scopes_and_tenants_hold(service: Any) -> None:
    query, _ = service.tokens.create("q", ("query",), tenant="default")
    ingest, _ = service.tokens.create("i", ("ingest",), tenant="default")
    other, _ = service.tokens.create("o", ("query",), tenant="other")
    async with agent_of(service, query) as mine, agent_of(service, other) as theirs:
        # In turns, as requests of several callers come to one server.
        answers = await asyncio.gather(
            *(client.call_tool("search", {"query": "rope bridge"}) for client in (mine, theirs) * 5)
        )
        hidden = await theirs.call_tool("get_document", {"document_id": document().id})
    assert [bool(answer.structured_content["passages"]) for answer in answers] == [True, False] * 5
    assert hidden.is_error
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accept = {"Accept": "application/json, text/event-stream"}
    for secret, status in (("", 401), ("roma_wrong", 401), (ingest, 403)):
        headers = {**accept, **({"Authorization": f"Bearer {secret}"} if secret else {})}
        assert (await service.client.post("/mcp", json=body, headers=headers)).status_code == status


async def test_pages_of_other_sites_are_strangers(service: Any) -> None:
    headers = {"Accept": "application/json, text/event-stream", "Origin": "https://evil.example"}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    assert (await service.client.post("/mcp", json=body, headers=headers)).status_code == 401


COMMAND = [sys.executable, "-m", "roma_core"]


def environment() -> dict[str, str]:
    """Variables of a process of ``roma``."""
    return {**os.environ, "PYTHONPATH": str(Path(roma_core.__file__).parents[1]), "ROMA_LOG_LEVEL": "INFO"}


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose workspace holds one document."""
    folder = tmp_path_factory.mktemp("bridge")
    (folder / "bridge.md").write_text("# Rope bridge\n\nThe rope bridge of Quellfeld was built in 1902.\n")
    subprocess.run([*COMMAND, "ingest", "bridge.md"], cwd=folder, env=environment(), check=True, capture_output=True)
    return folder


async def try_tools(client: Any) -> None:
    """Ask, and read the document that the answer cites."""
    assert sorted(tool.name for tool in (await client.list_tools()).tools) == TOOLS
    answer = (await client.call_tool("ask", {"question": QUESTION})).structured_content
    assert "1902" in answer["answer"]
    document_id = answer["citations"][0]["document_id"]
    text = (await client.call_tool("get_document", {"document_id": document_id})).structured_content
    assert text["text"].startswith("# Rope bridge")


@pytest.mark.slow
async def test_the_same_tools_over_the_standard_streams(bridge: Path) -> None:
    server = StdioServerParameters(command=COMMAND[0], args=[*COMMAND[1:], "mcp"], cwd=bridge, env=environment())
    async with Client(server, read_timeout_seconds=120) as client:
        await try_tools(client)


@pytest.mark.slow
async def test_the_same_tools_by_a_process_that_serves_http_and_ends_when_it_is_asked_to(bridge: Path) -> None:
    secret, token = TokenStore(bridge / ".roma").create("agent")
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "mcp", "--http", "--port", "0", cwd=bridge, env=environment(), stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    address, lines = None, []
    while address is None:
        line = (await asyncio.wait_for(process.stderr.readline(), 120)).decode()
        assert line, f"the server ended: {lines}"
        lines.append(line)
        address = re.search(r"http://127\.0\.0\.1:\d+", line)
    reading = asyncio.create_task(process.stderr.read())  # a full pipe would stop the server
    try:
        async with httpx2.AsyncClient(timeout=60, trust_env=False) as stranger:
            assert (await stranger.post(f"{address[0]}/mcp", json={})).status_code == 401
        headers = {"Authorization": f"Bearer {secret}"}
        async with httpx2.AsyncClient(headers=headers, timeout=120, trust_env=False) as http:
            transport = streamable_http_client(f"{address[0]}/mcp", http_client=http)
            async with Client(transport) as client:
                await try_tools(client)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 60) in {0, -signal.SIGTERM}
        assert b"Application shutdown complete" in await reading
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading
        TokenStore(bridge / ".roma").revoke(token.id)
