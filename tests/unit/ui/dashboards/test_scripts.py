"""The dashboards' own files run as ``panel serve`` runs them, each in a fresh workspace."""

from __future__ import annotations

from pathlib import Path

import pytest
from panel.io.application import Application
from panel.io.handlers import ScriptHandler

SCRIPTS = sorted((Path(__file__).parents[4] / "dashboards").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
async def test_a_dashboard_is_served_without_an_error(script: Path, workspace: Path) -> None:
    handler = ScriptHandler(filename=str(script))
    Application(handler).create_document()
    assert handler.error_detail is None
