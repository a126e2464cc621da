"""A workspace with two documents, two answers and a run on a golden set of three questions."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from roma_core.app import build_roma
from roma_core.evals import evaluate
from roma_core.settings import Settings

BRIDGE = "# Rope bridge\n\nThe rope bridge of Quellfeld was built in 1902. It spans 48 metres.\n"
FERRY = "# Fähre\n\nA ferry pays 97 EUR for a landing since January 2024.\n"
ITEMS = [
    {
        "id": "bridge",
        "question": "When was the rope bridge of Quellfeld built?",
        "kind": "single",
        "answer": "In 1902.",
        "nuggets": [{"fact": "1902"}],
        "evidence": [{"uri": "notes/bridge.md", "anchor": "was built in 1902"}],
    },
    {
        "id": "ferry",
        "question": "What does a ferry pay for a landing?",
        "kind": "single",
        "answer": "97 EUR.",
        "nuggets": [{"fact": "97 EUR"}],
        "evidence": [{"uri": "notes/fähre.md", "anchor": "A ferry pays 97 EUR", "grade": 2}],
    },
    {"id": "painter", "question": "Who painted the lighthouse?", "kind": "no_answer"},
]


async def fill(folder: Path) -> Settings:
    """Fill a workspace below ``folder`` and return its settings."""
    (folder / "notes").mkdir()
    (folder / "notes" / "bridge.md").write_text(BRIDGE, encoding="utf-8")
    (folder / "notes" / "fähre.md").write_text(FERRY, encoding="utf-8")
    golden = folder / "golden.json"
    golden.write_text(json.dumps(ITEMS), encoding="utf-8")
    settings = Settings(workspace=folder / ".roma", embedder="fake", reranker="none", parser_workers=1)
    async with build_roma(settings) as roma:
        await roma.ingest(folder / "notes")
        answer = await roma.query(ITEMS[0]["question"])
        await roma.rate(answer.answer_id, "down", session_id="s", comment="no year of repair")
        await roma.query("What does a ferry pay for a landing?")
        await evaluate(golden, roma, name="base")
    return settings


def copy_workspace(settings: Settings, folder: Path) -> Settings:
    """Copy a filled workspace into ``folder``, for a test that writes, and return its settings."""
    shutil.copytree(settings.workspace, folder / ".roma")
    return settings.model_copy(update={"workspace": folder / ".roma"})


@pytest.fixture(scope="session")
def _filled(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return asyncio.run(fill(tmp_path_factory.mktemp("export")))


@pytest.fixture
def settings(_filled: Settings) -> Settings:
    """Settings of the workspace; tests read it alone."""
    return _filled
