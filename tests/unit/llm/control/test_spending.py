"""What models have cost: counted by day, tenant, token, purpose and model, and kept in the workspace."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from roma_core.database import Database
from roma_core.errors import InputError
from roma_core.llm.control.budget import BUDGETS
from roma_core.llm.control.spending import Spending
from roma_core.types import Usage

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp()
CALL = Usage(calls=1, input_tokens=100, output_tokens=20, reasoning_tokens=5, cost_usd=0.25)


def spending(path: Path, now: float = NOON) -> Spending:
    database = Database(path / "b.sqlite", BUDGETS)
    return Spending(lambda: database, clock=lambda: now)


def test_calls_are_added_up_by_each_dimension(tmp_path: Path) -> None:
    account = spending(tmp_path)
    account.add("acme", "ci", "answer", "openai:gpt-4o", CALL, 0.05)
    account.add("acme", "web", "answer", "openai:gpt-4o", CALL)
    account.add("acme", "web", "judge", "anthropic:x", CALL.model_copy(update={"cost_usd": 1.0}))
    assert [(row.name, row.calls, row.cost_usd) for row in account.rows(by="model")] == [
        ("anthropic:x", 1, 1.0),
        ("openai:gpt-4o", 2, 0.5),
    ]
    assert [row.name for row in account.rows(by="token")] == ["web", "ci"]
    (day,) = account.rows(by="day")
    assert (day.name, day.input_tokens, day.reasoning_tokens, day.reasoning_usd) == ("2026-11-30", 300, 15, 0.05)


def test_a_price_that_nobody_knows_is_counted_apart(tmp_path: Path) -> None:
    account = spending(tmp_path)
    account.add("t", "", "answer", "openai:mine", CALL.model_copy(update={"cost_usd": None}))
    (row,) = account.rows()
    assert (row.calls, row.unpriced_calls, row.cost_usd) == (1, 1, 0.0)


def test_periods_and_tenants_narrow_it_down(tmp_path: Path) -> None:
    account = spending(tmp_path)
    account.add("acme", "", "answer", "m", CALL)
    account.add("other", "", "answer", "m", CALL)
    account.flush()
    later = spending(tmp_path, NOON + 86_400)
    assert later.rows("day") == []
    assert later.rows("month") == []
    assert [row.calls for row in later.rows("all")] == [2]
    assert [row.calls for row in later.rows("all", tenant="acme")] == [1]


def test_what_cannot_be_written_is_written_later(tmp_path: Path) -> None:
    folder, away = tmp_path / "ws", tmp_path / "away"
    folder.mkdir()
    account = spending(folder)
    account.add("t", "", "answer", "m", CALL)
    account.flush()
    folder.rename(away)
    account.add("t", "", "answer", "m", CALL)
    account.flush()
    away.rename(folder)
    assert [row.calls for row in account.rows()] == [2]


def test_unknown_words_are_answered_with_the_known_ones(tmp_path: Path) -> None:
    account = spending(tmp_path)
    with pytest.raises(InputError, match="month"):
        account.rows("monht")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="model"):
        account.rows(by="modle")  # type: ignore[arg-type]


def test_without_a_workspace_nothing_is_kept() -> None:
    account = Spending(None)
    assert account.add("t", "", "answer", "m", CALL) is False
    assert account.rows() == ()
