"""The worked example of the documentation is a package that works."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from roma_core.cli import roma as command_line
from roma_core.plugins import GROUPS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "extending.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)


def test_every_group_of_plugins_is_described() -> None:
    assert re.findall(r"^\| [^|]+ \| `(roma\.\w+)` \|", PAGE, re.M) == list(GROUPS)


def test_the_connector_of_the_page_is_ingested_from(
    install_plugin: Callable[..., None], workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [declared] = tomllib.loads(blocks("toml")[0])["project"]["entry-points"].items()
    group, entries = declared
    install_plugin(group, "roma-gopher", "roma_gopher", blocks("python")[0], **entries)
    for name, value in (("ROMA_EMBEDDER", "fake"), ("ROMA_RERANKER", "none"), ("ROMA_PARSER_WORKERS", "1")):
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(command_line, ["ingest", "gopher://host"])
    assert done.exit_code == 0, done.output
    monkeypatch.setenv("ROMA_GOPHER_DETPH", "3")
    refused = CliRunner().invoke(command_line, ["ingest", "gopher://host"])
    assert "Did you mean ROMA_GOPHER_DEPTH?" in refused.output
