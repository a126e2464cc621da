"""What passes the nginx of the deployment: events one by one, websockets, and the smoke test."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from roma_core.cli import main
from tests.nginx import nginx_before
from tests.ports import find_port
from tests.unit.test_smoke import STEPS, serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed"),
]


@asynccontextmanager
async def serve_app(app: Any) -> AsyncIterator[int]:
    """Serve an application; yield its port."""
    import uvicorn

    port = find_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  (uvicorn has no event for it)
        await asyncio.sleep(0.02)
    try:
        yield port
    finally:
        server.should_exit = True
        await running


async def test_events_and_websockets_pass_as_they_come(tmp_path: Path) -> None:
    import websockets
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import StreamingResponse
    from starlette.routing import Route, WebSocketRoute
    from starlette.websockets import WebSocket

    first_was_read = asyncio.Event()

    async def stream(_: Request) -> StreamingResponse:
        async def events() -> AsyncIterator[str]:
            yield "data: first\n\n"
            await asyncio.wait_for(first_was_read.wait(), 60)
            yield "data: second\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text() + f" at {socket.headers['host']}")
        await socket.close()

    app = Starlette(routes=[Route("/stream", stream), WebSocketRoute("/ws", echo)])
    async with serve_app(app) as port:
        with nginx_before([port], tmp_path) as front:
            url = f"http://127.0.0.1:{front}"
            seen = []
            async with (
                httpx2.AsyncClient(base_url=url, timeout=60, trust_env=False) as client,
                client.stream("GET", "/stream") as response,
            ):
                async for line in response.aiter_lines():
                    seen += [line] if line else []
                    first_was_read.set()  # the second event is sent only when the first was read
            assert seen == ["data: first", "data: second"]
            address = url.removeprefix("http://")
            async with websockets.connect(f"ws://{address}/ws", proxy=None) as connection:
                await connection.send("hello")
                assert await connection.recv() == f"hello at {address}"


def test_roma_passes_its_smoke_test_behind_nginx(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    create = ["token", "create", "smoke", "--scope", "query", "--scope", "ingest", "--workspace", str(tmp_path / "w")]
    assert main([*create, "--json"]) == 0
    monkeypatch.setenv("ROMA_TOKEN", json.loads(capsys.readouterr().out)["token"])
    with (
        serving(tmp_path / "w", ROMA_INGEST_ROOTS=str(tmp_path)) as url,
        nginx_before([int(url.rpartition(":")[2])], tmp_path) as port,
    ):
        code = main(["smoke", f"http://127.0.0.1:{port}", "--folder", str(tmp_path), "--json"])
    report = json.loads(capsys.readouterr().out)
    assert [step["name"] for step in report["steps"]] == STEPS, report
    assert code == 0, report


async def test_a_visitor_of_the_console_stays_at_one_replica_and_questions_go_to_both(tmp_path: Path) -> None:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse

    async def say_port(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(request.scope["server"][1]))

    app = Starlette()
    app.add_route("/{path:path}", say_port)
    async with AsyncExitStack() as stack:
        second = await stack.enter_async_context(serve_app(app))
        async with serve_app(app) as first:
            front = stack.enter_context(nginx_before([first, second], tmp_path))
            base = f"http://127.0.0.1:{front}"

            async def visit(path: str, person: int) -> str:
                headers = {"Cookie": f"theme=dark; __Host-roma_sign_in=person-{person}; last=1"}
                async with httpx2.AsyncClient(base_url=base, headers=headers, trust_env=False) as client:
                    return (await client.get(path)).text

            people = range(24)
            console = {person: {await visit("/console/usage", person) for _ in range(4)} for person in people}
            assert all(len(seen) == 1 for seen in console.values())
            assert set.union(*console.values()) == {str(first), str(second)}
            assert {await visit("/query", 1) for _ in range(4)} == {str(first), str(second)}
        assert {await visit("/console/usage", person) for person in people} == {str(second)}
