"""A short stretch of the long proofs of sources: kills at random moments of a sync, and bytes written for a change."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from bench import soak_sync

pytestmark = pytest.mark.slow


def test_a_sync_that_is_killed_loses_nothing_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soak_sync, "DOCUMENTS", 40)
    row = soak_sync.soak(2, 11, tmp_path)
    assert (row["lost"], row["stale"], row["lingering"]) == (0, 0, 0)


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="the system does not count written bytes")
def test_a_changed_document_costs_few_times_its_own_bytes(tmp_path: Path) -> None:
    """Count in a process of its own: in this one, the threads of other tests write too."""
    row_of = "asyncio.run(rewrite(pathlib.Path(sys.argv[1]), documents=40, changes=5))"
    count = f"import asyncio, pathlib, sys; from bench.sources_life import rewrite; print({row_of})"
    printed = subprocess.run(
        [sys.executable, "-c", count, str(tmp_path)], check=True, capture_output=True, text=True
    ).stdout
    row = ast.literal_eval(printed.splitlines()[-1])
    assert row["bytes written / bytes changed"] < 80
