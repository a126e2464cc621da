"""A PostgreSQL for tests: the one that ``ROMA_TEST_POSTGRES_URL`` names, else one of the machine's own programs."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.ports import find_port

GIVEN = os.environ.get("ROMA_TEST_POSTGRES_URL", "")
"""A server whose user may make schemas; read here because no ROMA_ variable reaches a test."""
ROLE = "postgres"
"""The superuser, named like that of PostgreSQL's own image."""
START_S = 60.0


@contextmanager
def run_postgres(*, is_durable: bool = False) -> Iterator[str]:
    """Yield the address of a server; an empty one where there is none. It listens on loopback, and its files go.

    One that is durable waits for the disk at each commit, as servers do that are no test's.
    """
    programs = _find_programs()
    if GIVEN or programs is None:
        yield GIVEN
        return
    with tempfile.TemporaryDirectory(prefix="roma-postgres-", ignore_cleanup_errors=True) as name:
        folder = Path(name) / "data"
        user = _choose_user(Path(name))
        made = subprocess.run(
            [programs / "initdb", "-D", folder, "-U", ROLE, "--auth=trust", "--encoding=UTF8", "--no-sync"],
            check=False, capture_output=True, cwd=name, **user,
        )  # fmt: skip
        if made.returncode:
            yield ""
            return
        port = find_port()
        command = [programs / "postgres", "-D", folder, "-h", "127.0.0.1", "-p", str(port), "-k", name]
        command += [] if is_durable else ["-F"]
        with (Path(name) / "log").open("wb") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log, cwd=name, **user)
        try:
            yield f"postgresql+psycopg://{ROLE}@127.0.0.1:{port}/postgres" if _is_ready(server, port) else ""
        finally:
            server.send_signal(signal.SIGINT)  # "fast": it does not wait for connections that a test left open
            server.wait(timeout=60)


@functools.cache
def _find_programs() -> Path | None:
    """Return the folder of ``initdb`` and ``postgres``; Debian keeps them out of the path."""
    on_path = shutil.which("initdb")
    found = [Path(on_path).resolve().parent] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return found[-1] if found and (found[-1] / "postgres").exists() else None


def _choose_user(folder: Path) -> dict[str, Any]:
    """Return the user that the server runs as, who owns ``folder``: it refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    shutil.chown(folder, "nobody", "nogroup")
    return {"user": "nobody", "group": "nogroup"}


def _is_ready(server: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until the server takes connections; False when it ended or takes too long."""
    until = time.monotonic() + START_S
    while time.monotonic() < until and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.05)
    return False
