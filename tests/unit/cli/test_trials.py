"""``roma ab``: a trial from its beginning to its end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from roma_core.audit import AuditLog
from roma_core.cli import main

Shown = pytest.CaptureFixture[str]


def run(workspace: Path, *arguments: str) -> int:
    return main(["ab", *arguments, "--workspace", str(workspace)])


def test_a_trial_is_begun_listed_shown_and_ended(tmp_path: Path, capsys: Shown) -> None:
    assert run(tmp_path, "start", "ranking", "--b", "rerank_weight=0", "--primary", "proof") == 0
    assert "as it is against rerank_weight=0" in capsys.readouterr().out
    assert run(tmp_path, "show", "ranking") == 0
    assert "Undecided" in capsys.readouterr().out
    assert run(tmp_path, "stop", "ranking") == 0
    capsys.readouterr()
    assert run(tmp_path, "list", "--json") == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert listed["name"] == "ranking" and listed["stopped_at"] and "salt" not in listed
    assert [entry.action for entry in AuditLog(tmp_path).query("default")] == ["trial.stop", "trial.start"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([], "same"),
        (["--b", "rerank_wieght=0"], "rerank_weight"),
        (["--b", "chunk_tokens=100"], "roma experiment"),
        (["--b", "rerank_weight"], "NAME=VALUE"),
        (["--b", "rerank_weight=9"], "ROMA_RERANK_WEIGHT"),
    ],
)
def test_a_trial_that_would_try_nothing_is_not_begun(
    tmp_path: Path, capsys: Shown, changes: list[str], said: str
) -> None:
    assert run(tmp_path, "start", "ranking", *changes) != 0
    assert said in capsys.readouterr().err
    assert run(tmp_path, "list", "--json") == 0
    assert json.loads(capsys.readouterr().out) == []


def test_a_trial_that_there_is_not_is_said(tmp_path: Path, capsys: Shown) -> None:
    assert run(tmp_path, "show", "nothing") != 0
    assert "roma ab list" in capsys.readouterr().err
