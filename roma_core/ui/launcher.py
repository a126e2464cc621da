"""Tiles of JupyterLab's launcher, by jupyter-server-proxy: the console, and MLflow over the workspace's runs.

The console is served on an address of its own, because its pages begin at ``/console``; its tile leads there.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from roma_core.settings import Settings
from roma_core.workspace import Workspace

START_S: Final = 120
"""Seconds that a server may take to start: the first one imports much."""
LOOK_S: Final = 0.1
"""Seconds between two looks for the console's port."""


def describe_console() -> dict[str, Any]:
    """Return the tile of the console, for the entry point ``jupyter_serverproxy_servers``.

    >>> describe_console()["launcher_entry"]["title"]
    'ROMA console'
    """
    return {
        "command": [sys.executable, "-m", "roma_core.ui.launcher", "{port}"],
        "timeout": START_S,
        "launcher_entry": {"title": "ROMA console", "category": "ROMA"},
        "new_browser_tab": True,
    }


def describe_mlflow() -> dict[str, Any]:
    """Return the tile of MLflow, over the runs of the workspace."""
    return {
        "command": make_mlflow_command,
        "timeout": START_S,
        "absolute_url": True,
        "launcher_entry": {"title": "MLflow", "category": "ROMA"},
        "new_browser_tab": True,
    }


def make_mlflow_command(port: int, base_url: str) -> list[str]:
    """Return the command that serves MLflow below the lab's own address."""
    settings = Settings.load()
    address = settings.telemetry.mlflow_tracking_uri or Workspace.of(settings).mlflow_uri
    prefix = f"{base_url.rstrip('/')}/mlflow"
    server = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    return [*server, "--static-prefix", prefix, "--backend-store-uri", address]


def make_redirect(address: str) -> type[BaseHTTPRequestHandler]:
    """Return a handler that leads every visitor to one address."""

    class Redirect(BaseHTTPRequestHandler):
        """Answers every request with the address of the console."""

        def do_GET(self) -> None:
            """Lead to the console."""
            self.send_response(HTTPStatus.FOUND)
            self.send_header("Location", address)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing: there is nothing to see."""

    return Redirect


def run(port: int) -> int:
    """Serve the console on the address of the settings, and on ``port`` a page that leads to it, once it is there.

    Return the exit code of a console that does not start. The console ends with this process.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the lab's end is that of the console
    serving = Settings.load().serving
    console = subprocess.Popen([sys.executable, "-m", "roma_core", "serve", "--host", "127.0.0.1"])
    try:
        while not _listens(serving.port):
            if (code := console.poll()) is not None:
                return code
            time.sleep(LOOK_S)
        redirect = make_redirect(f"http://127.0.0.1:{serving.port}/console")
        with ThreadingHTTPServer(("127.0.0.1", port), redirect) as server:
            server.serve_forever()
    except KeyboardInterrupt:
        return 0
    finally:
        console.terminate()
        console.wait()
    return 0


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    raise SystemExit(run(int(sys.argv[1])))
