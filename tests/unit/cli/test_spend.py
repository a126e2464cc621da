"""``roma spend``: the account of the workspace, for people and for programs."""

import json
from pathlib import Path

import pytest

from roma_core.cli import main
from roma_core.llm.control.budget import Budgets
from roma_core.types import Usage
from roma_core.workspace import Workspace


@pytest.fixture
def spent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "ws"
    folder.mkdir()
    budgets = Budgets(Workspace(folder).budgets)
    usage = Usage(calls=1, input_tokens=100, output_tokens=20, reasoning_tokens=5, cost_usd=0.25)
    budgets.spending.add("default", "", "answer", "openai:gpt-4o", usage)
    budgets.close()
    return folder


def test_costs_are_shown_with_what_is_taken_of_a_budget(
    spent: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROMA_BUDGET_TENANT_MONTH_USD", "10")
    assert main(["spend", "--by", "model", "--workspace", str(spent)]) == 0
    shown = capsys.readouterr().out
    assert "openai:gpt-4o" in shown
    assert "$0.2500" in shown
    assert "budget of the tenant, month: $0.0000 of $10.0000" in shown


def test_a_program_reads_the_same(spent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spend", "--period", "all", "--json", "--workspace", str(spent)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["cost_usd"], report["rows"][0]["reasoning_tokens"]) == (0.25, 5)


@pytest.mark.parametrize("folder", ["empty", "absent"])
def test_a_workspace_that_has_spent_nothing_says_so_and_shows_its_budgets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROMA_BUDGET_TENANT_MONTH_USD", "10")
    assert main(["spend", "--workspace", folder]) == 0
    shown = capsys.readouterr().out
    assert "default, month: no model was called." in shown
    assert "budget of the tenant, month: $0.0000 of $10.0000" in shown
    assert main(["spend", "--json", "--workspace", folder]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["rows"], report["cost_usd"], report["unpriced_calls"]) == ([], 0.0, 0)
    assert not (tmp_path / "absent").exists(), "looking at costs makes no workspace"
