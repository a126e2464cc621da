"""``roma serve`` as a process of its own: started, waited for, stopped and killed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2

START_S = 90.0


@dataclass
class ServedRoma:
    """A process of ROMA that listens on a port of this machine. ``words`` are its command, as after ``roma``."""

    name: str
    words: Sequence[str]
    port: int
    folder: Path
    environment: dict[str, str]
    stop_s: float = 60.0
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def run(self, *words: str) -> bytes:
        """Return the output of another command with the same settings, as ``docker compose exec`` runs it."""
        command = [sys.executable, "-m", "roma_core", *words]
        return subprocess.run(command, env=self.environment, cwd=self.folder, check=True, capture_output=True).stdout

    def start(self) -> None:
        """Start the process; ``wait`` returns when it answers."""
        command = [sys.executable, "-m", "roma_core", *self.words]
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(command, env=self.environment, cwd=self.folder, stdout=log, stderr=log)

    def wait(self) -> None:
        """Wait until it says that it is well. Raises ``AssertionError`` with its log where it does not."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, self.read_log()
            try:
                if httpx2.get(f"{self.url}/health", trust_env=False, timeout=10).status_code == 200:
                    return
            except httpx2.HTTPError:
                time.sleep(0.2)
        raise AssertionError(self.read_log())

    def stop(self) -> None:
        """End the process in order; one that does not end in ``stop_s`` is killed."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(self.stop_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the process without a word, as a machine that is gone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def read_log(self) -> str:
        """Return what it has written."""
        return (self.folder / f"{self.name}.log").read_text(encoding="utf-8")
