"""Tiles of JupyterLab's launcher."""

from __future__ import annotations

import threading
from http.server import ThreadingHTTPServer
from importlib.metadata import entry_points

import httpx
import pytest

from roma_core.ui.launcher import make_mlflow_command, make_redirect


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
