"""A workspace with small documents, a fake model, and settings that reach it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from roma_core.app import Roma, build_roma
from roma_core.llm.providers.fake import FakeLLM
from roma_core.settings import Settings

FACTS = {
    "bridge": "# Rope bridge\n\nThe rope bridge of Quellfeld was built in 1902. It spans 48 metres.\n",
    "mill": "# Water mill\n\nThe mill of Quellfeld grinds rye. It has two wheels and stands still in winter.\n",
    "tower": "# Bell tower\n\nThe tower of Quellfeld is 31 metres high. Its bell weighs 800 kilograms.\n",
}


def write_documents(folder: Path, facts: dict[str, str] = FACTS) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in facts.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    return write_documents(tmp_path / "documents")


@pytest.fixture
def make_roma(tmp_path: Path) -> Callable[..., Roma]:
    """Build a system over the workspace of the test; each call is another process's, as far as ROMA can tell."""

    def make(llm: Any = None, **settings: Any) -> Roma:
        chosen = {"embedder": "fake", "reranker": "fake", "planner": "off", **settings}
        return build_roma(Settings(workspace=tmp_path / "workspace", **chosen), llm=llm or FakeLLM())

    return make


@pytest.fixture
async def roma(make_roma: Callable[..., Roma], documents: Path) -> AsyncIterator[Roma]:
    async with make_roma() as made:
        report = await made.ingest(documents)
        assert report.counts()["added"] == len(FACTS)
        yield made
