"""A workspace of shared files, made once and copied for each test."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.fakes.tenants import TENANTS, make_shared


@pytest.fixture(scope="session")
def shared_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of three tenants without folders of their own."""
    base = tmp_path_factory.mktemp("shared")
    asyncio.run(make_shared(base / "ws", base / "papers", TENANTS))
    return base / "ws"


@pytest.fixture
def old(shared_workspace: Path, tmp_path: Path) -> Path:
    """A copy of the shared workspace."""
    shutil.copytree(shared_workspace, tmp_path / "ws")
    return tmp_path / "ws"
