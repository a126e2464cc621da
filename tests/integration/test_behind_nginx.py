"""What passes the nginx of the deployment: events one by one, websockets, and the smoke test."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from roma_core.cli import main
from tests.unit.test_smoke import STEPS, serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed"),
]
CONFIGURATION = (Path(__file__).parents[2] / "deploy" / "nginx.conf").read_text(encoding="utf-8")


def find_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def nginx_before(port: int, folder: Path) -> Iterator[str]:
    """Run nginx with the configuration of the deployment before the service at ``port``; yield its address."""
    listen = find_port()
    text = CONFIGURATION.replace("server roma:8000;", f"server 127.0.0.1:{port};")
    text = text.replace("listen 8080;", f"listen 127.0.0.1:{listen};").replace("/tmp/nginx", f"{folder}/nginx")
    text = re.sub(r"worker_processes auto;", "worker_processes 1;\nuser root;", text)
    configuration = folder / "nginx.conf"
    configuration.write_text(text, encoding="utf-8")
    process = subprocess.Popen(["nginx", "-c", str(configuration), "-g", "daemon off;"], stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", listen)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{listen}"
    finally:
        process.terminate()
        process.communicate(timeout=30)


async def test_events_and_websockets_pass_as_they_come(tmp_path: Path) -> None:
    import uvicorn
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
    port = find_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  (uvicorn has no event for it)
        await asyncio.sleep(0.02)
    try:
        with nginx_before(port, tmp_path) as url:
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
    finally:
        server.should_exit = True
        await running


def test_roma_passes_its_smoke_test_behind_nginx(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    create = ["token", "create", "smoke", "--scope", "query", "--scope", "ingest", "--workspace", str(tmp_path / "w")]
    assert main([*create, "--json"]) == 0
    monkeypatch.setenv("ROMA_TOKEN", json.loads(capsys.readouterr().out)["token"])
    with (
        serving(tmp_path / "w", ROMA_INGEST_ROOTS=str(tmp_path)) as url,
        nginx_before(int(url.rpartition(":")[2]), tmp_path) as front,
    ):
        code = main(["smoke", front, "--folder", str(tmp_path), "--json"])
    report = json.loads(capsys.readouterr().out)
    assert [step["name"] for step in report["steps"]] == STEPS, report
    assert code == 0, report
