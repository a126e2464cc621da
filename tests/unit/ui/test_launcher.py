"""Tiles of JupyterLab's launcher."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from http.server import ThreadingHTTPServer
from importlib.metadata import entry_points
from pathlib import Path

import httpx
import pytest

from roma_core.ui.launcher import make_mlflow_command, make_redirect
from tests.ports import find_port


def test_the_tiles_are_declared() -> None:
    tiles = {entry.name: entry.load()() for entry in entry_points(group="jupyter_serverproxy_servers")}
    titles = {tiles[name]["launcher_entry"]["title"] for name in ("roma", "mlflow")}
    assert titles == {"ROMA console", "MLflow"}


def test_mlflow_is_served_below_the_lab_over_the_workspace(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("ROMA_WORKSPACE", str(tmp_path))
    command = make_mlflow_command(5001, "/user/ada/")
    assert command[command.index("--static-prefix") + 1] == "/user/ada/mlflow"
    assert command[command.index("--backend-store-uri") + 1] == f"sqlite:///{tmp_path}/mlflow.db"
    assert command[command.index("--port") + 1] == "5001"


def test_the_tile_of_the_console_leads_to_its_own_address() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), make_redirect("http://127.0.0.1:8000/console")) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        answer = httpx.get(f"http://127.0.0.1:{server.server_port}/anything")
        server.shutdown()
    assert (answer.status_code, answer.headers["location"]) == (302, "http://127.0.0.1:8000/console")


def start_launcher(folder: Path, tile: int, console: int) -> subprocess.Popen[bytes]:
    chosen = {"ROMA_PORT": str(console), "ROMA_EMBEDDER": "fake", "ROMA_RERANKER": "none", "ROMA_WORKSPACE": ".roma"}
    command = [sys.executable, "-m", "roma_core.ui.launcher", str(tile)]
    return subprocess.Popen(command, cwd=folder, env={**os.environ, **chosen}, stderr=subprocess.DEVNULL)


@pytest.mark.slow
def test_the_tile_leads_to_a_console_that_is_there_and_ends_with_the_lab(tmp_path: Path) -> None:
    tile, console = find_port(), find_port()
    launcher = start_launcher(tmp_path, tile, console)
    try:
        answer = None
        while answer is None:
            assert launcher.poll() is None
            try:
                answer = httpx.get(f"http://127.0.0.1:{tile}/", follow_redirects=True, timeout=60)  # as browsers do
            except httpx.ConnectError as error:
                assert error.request.url.port == tile, "the console is there when the tile answers"
                time.sleep(0.05)
        assert answer.status_code == 200 and answer.url.port == console
    finally:
        launcher.terminate()
        assert launcher.wait(60) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{console}/health")
