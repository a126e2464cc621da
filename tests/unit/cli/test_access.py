"""``roma acl``: grants by hand, and the reasons of a decision."""

import json
from pathlib import Path

import pytest

from roma_core.cli import main

Shown = pytest.CaptureFixture[str]


def run(workspace: Path, *arguments: str) -> int:
    return main([*arguments, "--workspace", str(workspace)])


def test_a_grant_is_listed_and_ended(tmp_path: Path, capsys: Shown) -> None:
    assert run(tmp_path, "acl", "grant", "--collection", "hr", "--group", "people") == 0
    assert "collection 'hr' is granted to group people" in capsys.readouterr().out
    assert run(tmp_path, "acl", "show", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [{"kind": "collection", "name": "hr", "grantees": ["group people"]}]
    assert run(tmp_path, "acl", "revoke", "--collection", "hr", "--group", "people") == 0
    capsys.readouterr()
    assert run(tmp_path, "acl", "show") == 0
    assert "nobody" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--group", "people"],
        ["--collection", "hr"],
        ["--collection", "hr", "--document", "d", "--group", "people"],
        ["--collection", "hr", "--all", "--group", "people"],
        ["--collection", "hr", "--group", "people", "--everyone"],
    ],
)
def test_a_grant_names_one_resource_and_one_grantee(tmp_path: Path, capsys: Shown, arguments: list[str]) -> None:
    assert run(tmp_path, "acl", "grant", *arguments) == 64
    assert "Say wh" in capsys.readouterr().err
    assert not (tmp_path / "grants.sqlite").exists()


@pytest.mark.slow
def test_a_decision_is_explained(tmp_path: Path, capsys: Shown) -> None:
    source = tmp_path / "plan.md"
    source.write_text("# Plan\n\nThe rope bridge is sold.\n", encoding="utf-8")
    workspace = tmp_path / "ws"
    assert run(workspace, "ingest", str(source), "--collection", "board") == 0
    assert run(workspace, "acl", "grant", "--collection", "board", "--user", "anna") == 0
    capsys.readouterr()
    assert run(workspace, "acl", "check", "anna", source.as_uri()) == 0
    assert "anna may read" in capsys.readouterr().out
    assert run(workspace, "acl", "check", "bert", source.as_uri(), "--json") == 2
    decision = json.loads(capsys.readouterr().out)
    assert (decision["permitted"], decision["collection"]) == (False, "board")
    assert decision["reasons"] == ["collection 'board' is granted to user anna alone."]
    assert run(workspace, "acl", "check", "anna", "nothing") == 1
