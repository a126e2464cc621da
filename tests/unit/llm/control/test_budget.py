"""Hard budgets: no interleaving of tasks, threads or processes passes a limit."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from roma_core.database import Database, Schema
from roma_core.errors import ErrorCode, LLMError, StoreError
from roma_core.llm.control.budget import BUDGETS, PERIODS, Account, Budgets
from roma_core.serverdatabase import FileOfBefore
from roma_core.types import Usage
from tests.fakes.disk import fill, small_disk


def spend(budgets: Budgets, accounts: list[Account], worst: float, cost: float | None) -> bool:
    try:
        hold = budgets.reserve(accounts, worst, "m")
    except LLMError as error:
        assert error.code is ErrorCode.LLM_BUDGET
        return False
    hold.cost_usd = cost
    budgets.settle(hold)
    return True


@pytest.fixture(params=["file", "postgres"])
def open_budgets(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Budgets]:
    """Open accounts in a place of the test, each time as another process would."""
    server_url = request.getfixturevalue("plain_url") if request.param == "postgres" else None

    def open_one(**limits: Any) -> Budgets:
        return Budgets(tmp_path / "b.sqlite", server_url=server_url, **limits)

    return open_one


def test_the_worst_case_is_held_and_the_cost_is_kept(open_budgets: Callable[..., Budgets]) -> None:
    budgets = open_budgets(tenant_usd=1.0)
    accounts = budgets.accounts(None, "acme")
    hold = budgets.reserve(accounts, 0.6, "m")
    assert budgets.spent_usd("tenant", "acme") == 0.6
    assert not spend(budgets, accounts, 0.5, 0.1)
    hold.cost_usd = 0.2
    budgets.settle(hold)
    assert budgets.spent_usd("tenant", "acme") == 0.2
    assert spend(budgets, accounts, 0.5, 0.1)
    assert budgets.spent_usd("tenant", "other") == 0.0


def test_an_unknown_cost_counts_as_the_worst_case() -> None:
    budgets = Budgets(run_usd=1.0)
    assert spend(budgets, budgets.accounts(None, "t"), 0.6, None)
    assert budgets.spent_usd("run", "run") == 0.6


def test_sessions_and_tenants_outlive_the_process_and_runs_do_not(open_budgets: Callable[..., Budgets]) -> None:
    limits = {"run_usd": 1.0, "session_usd": 1.0, "tenant_usd": 1.0}
    first = open_budgets(**limits)
    spend(first, first.accounts("s", "t"), 0.5, 0.5)
    first.close()
    second = open_budgets(**limits)
    assert second.spent_usd("tenant", "t") == second.spent_usd("session", "t/s") == 0.5
    assert second.spent_usd("run", "run") == 0.0


def test_a_call_that_fits_one_account_and_not_another_holds_nothing(open_budgets: Callable[..., Budgets]) -> None:
    budgets = open_budgets(run_usd=10.0, session_usd=10.0, tenant_usd=0.1)
    with pytest.raises(LLMError) as caught:
        budgets.reserve(budgets.accounts("s", "t"), 0.5, "m")
    assert caught.value.details["scope"] == "tenant"
    assert budgets.spent_usd("run", "run") == budgets.spent_usd("session", "t/s") == 0.0


class Clock:
    """A time that moves on demand."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


NOON = datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp()
DAY_S = 86_400


def test_a_reservation_of_a_killed_process_is_given_back_when_its_lease_has_run_out(
    open_budgets: Callable[..., Budgets],
) -> None:
    clock = Clock(NOON)
    dead = open_budgets(tenant_usd=1.0, clock=clock)
    dead.reserve(dead.accounts(None, "t"), 0.7, "m", lease_s=60)
    dead.close()
    budgets = open_budgets(tenant_usd=1.0, clock=clock)
    assert not spend(budgets, budgets.accounts(None, "t"), 0.5, 0.5)
    clock.now += 61
    assert budgets.spent_usd("tenant", "t") == 0.0
    assert spend(budgets, budgets.accounts(None, "t"), 0.5, 0.5)


def test_a_call_that_outlives_its_lease_is_still_charged(open_budgets: Callable[..., Budgets]) -> None:
    clock = Clock(NOON)
    budgets = open_budgets(tenant_usd=1.0, clock=clock)
    hold = budgets.reserve(budgets.accounts(None, "t"), 0.7, "m", lease_s=60)
    clock.now += 61
    hold.cost_usd = 0.6
    budgets.settle(hold)
    assert budgets.spent_usd("tenant", "t") == pytest.approx(0.6)


def test_a_day_and_a_month_begin_anew_and_all_time_does_not(open_budgets: Callable[..., Budgets]) -> None:
    clock = Clock(NOON)
    budgets = open_budgets(tenant_day_usd=1.0, tenant_month_usd=1.5, tenant_usd=3.0, clock=clock)
    accounts = budgets.accounts(None, "t")
    assert [spend(budgets, accounts, 1.0, 1.0) for _ in range(2)] == [True, False]
    clock.now += DAY_S  # the first of December
    assert [spend(budgets, accounts, 1.0, 1.0) for _ in range(2)] == [True, False]
    clock.now += DAY_S
    with pytest.raises(LLMError, match=r"tenant budget of this month .*ROMA_BUDGET_TENANT_MONTH_USD"):
        budgets.reserve(accounts, 1.0, "m")
    assert spend(budgets, accounts, 0.5, 0.5)
    assert [budgets.spent_usd("tenant", "t", period) for period in PERIODS] == [0.5, 1.5, 2.5]


def test_a_token_has_a_budget_of_its_own(open_budgets: Callable[..., Budgets]) -> None:
    budgets = open_budgets(token_day_usd=1.0)
    assert spend(budgets, budgets.accounts(None, "t", "ci"), 0.8, 0.8)
    assert not spend(budgets, budgets.accounts(None, "t", "ci"), 0.8, 0.8)
    assert spend(budgets, budgets.accounts(None, "t", "web"), 0.8, 0.8)
    assert budgets.accounts(None, "t") == []


def test_an_account_of_the_version_before_keeps_what_was_spent(tmp_path: Path) -> None:
    path = tmp_path / "b.sqlite"
    older = Database(path, Schema(BUDGETS.name, BUDGETS.title, BUDGETS.steps[:1]))
    with older.transaction() as db:
        db.execute("INSERT INTO spent VALUES ('tenant', 't', 600000000)")
        db.execute("INSERT INTO reserved VALUES (7, 'tenant', 't', 900000000)")
    older.close()
    budgets = Budgets(path, tenant_usd=1.0, tenant_day_usd=1.0)
    assert budgets.spent_usd("tenant", "t") == 0.6
    assert budgets.spent_usd("tenant", "t", "day") == 0.0


def test_limits_are_exact_where_floats_are_not() -> None:
    budgets = Budgets(run_usd=0.3)
    accounts = budgets.accounts(None, "t")
    assert [spend(budgets, accounts, 0.1, 0.1) for _ in range(4)] == [True, True, True, False]


def test_without_limits_there_are_no_accounts() -> None:
    budgets = Budgets()
    assert (budgets.accounts("s", "t"), budgets.limited) == ([], False)


def test_an_account_that_cannot_be_kept_stops_paid_calls(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    budgets = Budgets(tmp_path / "file" / "b.sqlite", tenant_usd=1.0)
    with pytest.raises(StoreError, match="no paid call"):
        budgets.reserve(budgets.accounts(None, "t"), 0.1, "m")


def test_threads_never_pass_the_limit(open_budgets: Callable[..., Budgets]) -> None:
    budgets = open_budgets(tenant_usd=1.0)
    accounts = budgets.accounts(None, "t")
    with ThreadPoolExecutor(8) as pool:
        paid = sum(pool.map(lambda _: spend(budgets, accounts, 0.05, 0.03), range(100)))
    assert budgets.spent_usd("tenant", "t") <= 1.0
    assert paid == pytest.approx(budgets.spent_usd("tenant", "t") / 0.03)
    assert paid >= 30


def _spend_much(path: Path, server_url: str | None) -> None:
    budgets = Budgets(path, tenant_usd=1.0, server_url=server_url)
    for _ in range(40):
        spend(budgets, budgets.accounts(None, "t"), 0.05, 0.03)


@pytest.mark.parametrize("place", ["file", "postgres"])
def test_processes_never_pass_the_limit_together(place: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """On a server each of them has a workspace of its own, as on hosts of their own."""
    server_url = request.getfixturevalue("plain_url") if place == "postgres" else None
    paths = [tmp_path / ("b.sqlite" if server_url is None else f"{number}.sqlite") for number in range(3)]
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_spend_much, args=(path, server_url)) for path in paths]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [w.exitcode for w in workers] == [0, 0, 0]
    assert 0.9 <= Budgets(paths[0], tenant_usd=1.0, server_url=server_url).spent_usd("tenant", "t") <= 1.0


def test_a_server_adds_up_what_workspaces_have_spent_and_counts_nothing_twice(
    tmp_path: Path, plain_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [tmp_path / f"{number}.sqlite" for number in range(2)]
    for path in files:
        before = Budgets(path, tenant_usd=1.0, clock=Clock(NOON))
        assert spend(before, before.accounts(None, "t"), 0.3, 0.25)
        before.reserve(before.accounts(None, "t"), 0.1, "m", lease_s=1e9)
        before.spending.add("t", "", "answer", "openai:m", Usage(calls=1, cost_usd=0.25))
        before.close()
    monkeypatch.setattr(FileOfBefore, "remove", lambda self: None)  # the first process is killed before it removes them
    for path in (files[0], *files):
        shared = Budgets(path, tenant_usd=1.0, server_url=plain_url, clock=Clock(NOON))
        found = shared.spent_usd("tenant", "t")
    assert found == pytest.approx(0.7)
    (row,) = shared.spending.rows(tenant="t")
    assert (row.calls, row.cost_usd) == (2, 0.5)
    assert shared.forget_tenant("t") == 4
    assert (shared.spent_usd("tenant", "t"), shared.spending.rows(tenant="t")) == (0.0, [])


def test_what_was_added_to_a_server_leaves_the_file(tmp_path: Path, plain_url: str) -> None:
    path = tmp_path / "b.sqlite"
    before = Budgets(path, session_usd=1.0, clock=Clock(NOON))
    assert spend(before, before.accounts("s", "t"), 0.3, 0.25)
    before.close()
    shared = Budgets(path, session_usd=1.0, server_url=plain_url, clock=Clock(NOON))
    assert shared.spent_usd("session", "t/s") == 0.25
    assert Budgets(path, session_usd=1.0, clock=Clock(NOON)).spent_usd("session", "t/s") == 0.0
    assert shared.forget_sessions("t", ["s", "other"]) == 1
    assert shared.spent_usd("session", "t/s") == 0.0


def test_a_workspace_that_is_away_stops_paid_calls_and_its_account_goes_on_when_it_is_back(tmp_path: Path) -> None:
    """A fresh account in its place would let the money be spent twice."""
    folder, away = tmp_path / "ws", tmp_path / "away"
    budgets = Budgets(folder / "b.sqlite", tenant_usd=1.0)
    accounts = budgets.accounts(None, "t")
    assert spend(budgets, accounts, 0.6, 0.6)
    folder.rename(away)
    with pytest.raises(StoreError) as caught:
        budgets.reserve(accounts, 0.1, "m")
    assert caught.value.code is ErrorCode.STORAGE_UNAVAILABLE
    assert not folder.exists()
    away.rename(folder)
    assert not spend(budgets, accounts, 0.6, 0.6)
    assert spend(budgets, accounts, 0.3, 0.3)
    assert Budgets(folder / "b.sqlite", tenant_usd=1.0).spent_usd("tenant", "t") == pytest.approx(0.9)


def test_an_account_that_is_restored_under_a_call_keeps_the_reservations_of_others(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "b.sqlite", tmp_path / "backup.sqlite"
    restored = Budgets(theirs, tenant_usd=1.0)
    restored.reserve(restored.accounts(None, "t"), 0.5, "m")
    restored.close()
    budgets = Budgets(ours, tenant_usd=1.0)
    hold = budgets.reserve(budgets.accounts(None, "t"), 0.2, "m")
    for suffix in ("-wal", "-shm"):
        ours.with_name(f"{ours.name}{suffix}").unlink(missing_ok=True)
    theirs.replace(ours)
    hold.cost_usd = 0.1
    budgets.settle(hold)
    assert budgets.spent_usd("tenant", "t") == pytest.approx(0.6)


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2) as disk:
        budgets = Budgets(disk / "b.sqlite", tenant_usd=1.0)
        accounts = budgets.accounts(None, "t")
        assert spend(budgets, accounts, 0.6, 0.6)
        budgets.close()
        ballast = fill(disk)
        with pytest.raises(StoreError, match="no paid call") as caught:
            budgets.reserve(accounts, 0.1, "m")
        assert caught.value.code is ErrorCode.STORAGE_FULL
        assert budgets.spent_usd("tenant", "t") == 0.6
        ballast.unlink()
        assert spend(budgets, accounts, 0.3, 0.3)
