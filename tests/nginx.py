"""nginx with the configuration of the deployment, before services on this machine."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.ports import find_port

CONFIGURATION = Path(__file__).parents[1] / "deploy" / "nginx.conf"
WAIT_S = 60


@contextmanager
def nginx_before(ports: Sequence[int], folder: Path) -> Iterator[int]:
    """Run nginx before the services at ``ports``; yield its own. A service that is gone is asked again after 2 s."""
    port = find_port()
    servers = " ".join(f"server 127.0.0.1:{each} max_fails=1 fail_timeout=2s;" for each in ports)
    text = re.sub(r"(?:server roma-\d:8000 [^;]+;\s*)+", f"{servers} ", CONFIGURATION.read_text(encoding="utf-8"))
    text = text.replace("listen 8080;", f"listen 127.0.0.1:{port};").replace("/tmp/nginx", f"{folder}/nginx")
    text = re.sub(r"worker_processes auto;", "worker_processes 1;\nuser root;", text)
    configuration, log = folder / "nginx.conf", folder / "nginx.log"
    configuration.write_text(text, encoding="utf-8")
    with log.open("wb") as said:
        process = subprocess.Popen(["nginx", "-c", str(configuration), "-g", "daemon off;"], stderr=said)
    try:
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            assert process.poll() is None, log.read_text(encoding="utf-8")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(30)
