"""The workspace of the exports' tests: two documents, two answers, a rating and a run."""

from __future__ import annotations

import asyncio

import pytest

from roma_core.settings import Settings
from tests.unit.exports.conftest import fill


@pytest.fixture(scope="session")
def _read_workspace(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return asyncio.run(fill(tmp_path_factory.mktemp("insights")))


@pytest.fixture
def settings(_read_workspace: Settings) -> Settings:
    """Settings of the workspace; tests read it alone."""
    return _read_workspace
