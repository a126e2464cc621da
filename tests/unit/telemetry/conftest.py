"""A whole ``Roma`` of real parts on disk: LanceDB, the sandbox, the databases, a model server that speaks the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from roma_core.app import Roma, build_roma
from roma_core.llm.providers.server import FakeModelServer, Script, ScriptRule
from roma_core.settings import Settings

ANSWER = "The rope bridge of Quellfeld was built in 1902. [1]"
TEXT = "# Rope bridge\n\nThe rope bridge of Quellfeld was built in 1902. It spans 48 metres.\n"

Whole = Callable[..., AbstractAsyncContextManager[tuple[Roma, FakeModelServer]]]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "bridge.md").write_text(TEXT, encoding="utf-8")
    return folder


@pytest.fixture
def whole(workspace: Path) -> Whole:
    """``async with whole(script_or_rule, **settings) as (roma, model_server)``."""

    @asynccontextmanager
    async def make(
        said: Script | ScriptRule | None = None, **settings: Any
    ) -> AsyncIterator[tuple[Roma, FakeModelServer]]:
        said = said or Script(text=ANSWER)
        async with FakeModelServer(said if callable(said) else lambda asked: said).running() as server:
            chosen: dict[str, Any] = {
                "workspace": workspace,
                "llm_provider": "openai",
                "llm_base_url": f"{server.url}/v1",
                "embedder": "fake",
                "reranker": "none",
                "planner": "off",
                "parser_workers": 1,
                **settings,
            }
            async with build_roma(Settings(**chosen)) as roma:  # type: ignore[call-arg]
                yield roma, server

    return make
