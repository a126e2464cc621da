"""Peers in an environment of their own: each is a process that reads one file after the other, within a time limit."""

from __future__ import annotations

import json
import os
import select
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
SECONDS_A_FILE = 120.0
"""Wall time after which a peer is ended and the file counts as not read."""


@dataclass(frozen=True)
class PeerReading:
    """What a peer made of a file. ``error`` is empty when it read it."""

    text: str
    cpu_s: float
    error: str = ""


def python() -> Path | None:
    """Return the interpreter of the peers' environment (``make peers``, or ``ROMA_BENCH_PEERS``), or None."""
    named = os.environ.get("ROMA_BENCH_PEERS")
    found = Path(named) if named else HERE / ".peers" / "bin" / "python"
    return found if found.is_file() else None


class Peer:
    """One peer. ``missing`` says why it cannot be measured."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.version = ""
        self.missing = "" if python() else "the environment of the peers is not there (make peers)"
        self._process: subprocess.Popen[str] | None = None
        if not self.missing:
            self._start()

    def read(self, path: Path) -> PeerReading:
        """Return what the peer makes of a file; a hang or a crash is an error, and the next file has a new process."""
        if self._process is None:
            self._start()
        process = self._process
        assert process is not None and process.stdin is not None
        process.stdin.write(f"{path}\n")
        process.stdin.flush()
        answer = self._answer()
        if answer is None:
            ended = process.poll() is not None
            self.close()
            return PeerReading("", SECONDS_A_FILE if not ended else 0.0, "crashed" if ended else "took too long")
        return PeerReading(str(answer["text"]), float(str(answer["cpu_s"])), str(answer.get("error", "")))

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _start(self) -> None:
        program = python()
        assert program is not None
        self._process = subprocess.Popen(
            [str(program), str(HERE / "peer.py"), self.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        first = self._answer() or {"missing": "it does not start"}
        self.version = str(first.get("version", ""))
        self.missing = str(first.get("missing", ""))

    def _answer(self) -> dict[str, object] | None:
        assert self._process is not None and self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], SECONDS_A_FILE)
        line = self._process.stdout.readline() if ready else ""
        return json.loads(line) if line.strip() else None
