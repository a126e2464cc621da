"""``roma cache``: what the caches hold, and how they are emptied."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from roma_core.app import build_roma
from roma_core.cli import main
from roma_core.llm.providers.fake import FakeLLM
from roma_core.settings import Settings
from roma_core.types import TailorOutput


async def ask_twice(workspace: Path, sources: Path) -> None:
    chosen = Settings(workspace=workspace, embedder="fake", reranker="none", planner="off", answer_cache="on")
    async with build_roma(chosen, llm=FakeLLM()) as roma:
        await roma.ingest(sources)
        for _ in range(2):
            assert isinstance(await roma.query("When was the rope bridge built?"), TailorOutput)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "bridge.md").write_text("The rope bridge was built in 1902.\n", encoding="utf-8")
    asyncio.run(ask_twice(tmp_path / "w", sources))
    monkeypatch.setenv("ROMA_WORKSPACE", str(tmp_path / "w"))
    return tmp_path / "w"


def test_what_answers_have_saved_is_shown_and_emptied(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["answers"]["entries"] == shown["answers"]["hits"] == 1
    assert shown["answers"]["saved_calls"] == 1
    assert {kind["kind"] for kind in shown["caches"]} >= {"parse"}

    assert main(["cache", "clear", "--kind", "answer", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"dropped": 1}
    assert main(["cache", "--json"]) == 0
    left = json.loads(capsys.readouterr().out)
    assert left["answers"]["entries"] == 0
    assert left["caches"] == shown["caches"]

    assert main(["cache", "clear"]) == 0
    capsys.readouterr()
    assert main(["cache", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["caches"] == []


def test_a_workspace_without_cached_answers_is_left_without_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROMA_WORKSPACE", str(tmp_path / "w"))
    assert main(["cache", "clear", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"dropped": 0}
    assert not list(tmp_path.glob("w/answer-cache*"))
