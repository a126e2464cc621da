"""A short stretch of the long proofs of sources: kills at random moments of a sync, and bytes written for a change."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import soak_sync, sources_life

pytestmark = pytest.mark.slow


def test_a_sync_that_is_killed_loses_nothing_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soak_sync, "DOCUMENTS", 40)
    row = soak_sync.soak(2, 11, tmp_path)
    assert (row["lost"], row["stale"], row["lingering"]) == (0, 0, 0)


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="the system does not count written bytes")
async def test_a_changed_document_costs_few_times_its_own_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources_life, "CHANGES", 5)
    row = await sources_life.rewrite(tmp_path, 40)
    assert float(str(row["bytes written / bytes changed"])) < 80
