"""Hard budgets: money is reserved before a call at its worst case and settled after it, so no limit is ever passed.

A budget has a holder (a run, a session, a tenant, an API token) and a period (a day, a month, all time; days and months
are those of UTC). What is spent is kept in SQLite in the workspace, or in the PostgreSQL that replicas share: several
processes, or hosts, draw on one account. A reservation is a lease: when its process dies in a call, the money is free
again once the lease has run out.
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from roma_core.database import Database, Schema, SqlConnection, StateDatabase, open_in_memory, transaction
from roma_core.errors import ErrorCode, LLMError
from roma_core.serverdatabase import FileOfBefore, ServerDatabase, share_server
from roma_core.types import digest

if TYPE_CHECKING:
    from roma_core.llm.control.spending import Dimension, Spending, SpendReport

BUDGETS = Schema(
    "budgets",
    "The account of model costs",
    (
        """
        CREATE TABLE IF NOT EXISTS spent (scope TEXT, key TEXT, nanos INTEGER NOT NULL, PRIMARY KEY (scope, key));
        CREATE TABLE IF NOT EXISTS reserved (
            id INTEGER PRIMARY KEY AUTOINCREMENT, scope TEXT NOT NULL, key TEXT NOT NULL, nanos INTEGER NOT NULL);
        CREATE INDEX IF NOT EXISTS reserved_by ON reserved (scope, key);
        """,
        """
        ALTER TABLE spent RENAME TO spent_of_all_days;
        CREATE TABLE spent (
            scope TEXT NOT NULL, key TEXT NOT NULL, day TEXT NOT NULL, nanos INTEGER NOT NULL,
            PRIMARY KEY (scope, key, day));
        INSERT INTO spent SELECT scope, key, '', nanos FROM spent_of_all_days;
        DROP TABLE spent_of_all_days;
        ALTER TABLE reserved ADD COLUMN expires_at REAL NOT NULL DEFAULT 0;
        CREATE TABLE spend (
            day TEXT NOT NULL, tenant TEXT NOT NULL, token TEXT NOT NULL, purpose TEXT NOT NULL, model TEXT NOT NULL,
            calls INTEGER NOT NULL, unpriced INTEGER NOT NULL, input_tokens INTEGER NOT NULL,
            cached_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL,
            nanos INTEGER NOT NULL, reasoning_nanos INTEGER NOT NULL, saved_nanos INTEGER NOT NULL,
            PRIMARY KEY (day, tenant, token, purpose, model));
        """,
    ),
    consequence="no paid call is made",
)
TABLES = ("spent", "reserved", "spend")
TAKEN_OVER = "taken over"
"""Scope of rows that name, by hash, what a server was given; no budget is called so."""
_ADD_SPENT = """INSERT INTO spent VALUES (?, ?, ?, ?)
  ON CONFLICT (scope, key, day) DO UPDATE SET nanos = spent.nanos + excluded.nanos"""
_RESERVE = "INSERT INTO reserved (id, scope, key, nanos, expires_at) VALUES (?, ?, ?, ?, ?)"
Scope = Literal["run", "session", "tenant", "token"]
Period = Literal["day", "month", "all"]
PERIODS: tuple[Period, ...] = ("day", "month", "all")

LEASE_S = 900.0
"""Money stays reserved this long for a call that is not settled; no call may last longer without saying so."""

payer: ContextVar[str] = ContextVar("roma_payer", default="")
"""Name of the API token that the work is done for; set once by the API, empty elsewhere."""

NANO = 1_000_000_000
"""Money is counted in whole billionths of a dollar: sums of floats would drift past a limit."""


@dataclass(frozen=True)
class Account:
    """One holder of budgets (a run, a session, a tenant or a token), with its limit for each period that has one."""

    scope: Scope
    key: str
    limits_usd: tuple[tuple[Period, float], ...]


@dataclass
class Hold:
    """Money held for one call. Set ``cost_usd`` before it is settled; None means unknown: all of it is spent."""

    accounts: Sequence[Account] = ()
    rows: Sequence[int] = ()
    worst_usd: float = 0.0
    cost_usd: float | None = None


class Budgets:
    """Accounts of a run (this object's lifetime), of sessions, tenants and tokens. Limits of None are not checked.

    ::

        budgets = Budgets(path, tenant_month_usd=50.0)
        hold = budgets.reserve(budgets.accounts(None, "acme"), 0.02, "openai:gpt-4o")
        hold.cost_usd = 0.004
        budgets.settle(hold)
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        run_usd: float | None = None,
        session_usd: float | None = None,
        tenant_usd: float | None = None,
        tenant_month_usd: float | None = None,
        tenant_day_usd: float | None = None,
        token_usd: float | None = None,
        token_month_usd: float | None = None,
        token_day_usd: float | None = None,
        server_url: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """With a ``server_url`` the accounts are kept there, and what the file at ``path`` holds is added to them."""
        limits: dict[Scope, dict[Period, float | None]] = {
            "run": {"all": run_usd},
            "session": {"all": session_usd},
            "tenant": {"day": tenant_day_usd, "month": tenant_month_usd, "all": tenant_usd},
            "token": {"day": token_day_usd, "month": token_month_usd, "all": token_usd},
        }
        self._limits: dict[Scope, tuple[tuple[Period, float], ...]] = {
            scope: tuple((period, usd) for period, usd in periods.items() if usd is not None)
            for scope, periods in limits.items()
        }
        self._clock = clock
        self._lock = threading.Lock()
        self._run: sqlite3.Connection | None = None
        self._file = None if path is None else Database(path, BUDGETS)
        self._server = None if server_url is None else share_server(server_url, BUDGETS)
        self._has_moved = False

    @property
    def _shared(self) -> StateDatabase | None:
        """The file, or the server, to which what the file held was added; None for a run alone."""
        if self._server is None or self._file is None:
            return self._file
        if not self._has_moved:
            add_to_server(self._file, self._server)
            self._has_moved = True
        return self._server

    @cached_property
    def spending(self) -> Spending:
        """Return the account of all calls, with and without a limit, in the same database."""
        from roma_core.llm.control.spending import Spending

        return Spending(None if self._file is None else lambda: self._shared, self._clock)

    @property
    def limited(self) -> bool:
        """Return whether any limit is set."""
        return any(self._limits.values())

    def accounts(self, session_id: str | None, tenant: str, token: str = "") -> list[Account]:
        """Return the accounts that a call draws on. A call without a session draws on none of the sessions'."""
        keys: dict[Scope, str] = {
            "run": "run",
            "session": f"{tenant}/{session_id}" if session_id else "",
            "tenant": tenant,
            "token": token,
        }
        return [Account(scope, key, self._limits[scope]) for scope, key in keys.items() if key and self._limits[scope]]

    def reserve(
        self, accounts: Sequence[Account], worst_usd: float | None, what: str, lease_s: float = LEASE_S
    ) -> Hold:
        """Hold ``worst_usd`` on every account for a call to ``what``; ``settle`` must follow within ``lease_s``.

        Raises ``ERR_LLM_BUDGET`` when it does not fit, or when the price of ``what`` is unknown.
        """
        if worst_usd is None:
            raise LLMError(
                f"The price of {what} is not known, so no budget can be kept; state it in ROMA_PRICES_FILE.",
                ErrorCode.LLM_BUDGET,
                details={"model": what},
            )
        with self._lock:
            return Hold(accounts, self._reserve(accounts, _nanos_up(worst_usd), lease_s), worst_usd)

    def settle(self, hold: Hold) -> None:
        """Turn the reservation into what the call cost, also when its lease has run out meanwhile."""
        billed = hold.worst_usd if hold.cost_usd is None else hold.cost_usd
        with self._lock:
            for account, row in zip(hold.accounts, hold.rows, strict=True):
                self._settle(account, row, _nanos_up(billed))

    def report(self, tenant: str, period: Period = "month", by: Dimension = "day") -> SpendReport:
        """Return what ``tenant`` has spent in the period that runs now, and its limits. Blocking.

        Raises ``InputError`` for a period or a dimension that does not exist.
        """
        from roma_core.llm.control.spending import BudgetState, SpendReport

        rows = tuple(self.spending.rows(period, by, tenant))
        states = [
            BudgetState(
                scope="tenant", period=part, limit_usd=limit_usd, taken_usd=self.spent_usd("tenant", tenant, part)
            )
            for part, limit_usd in self._limits["tenant"]
        ]
        return SpendReport(period=period, by=by, tenant=tenant, rows=rows, budgets=tuple(states))

    def spent_usd(self, scope: Scope, key: str, period: Period = "all") -> float:
        """Return what is spent or reserved in the period that runs now. Makes no file."""
        with self._lock, self._read(scope) as db:
            return self._sum_taken(db, scope, key, period) / NANO

    def forget_sessions(self, tenant: str, session_ids: Sequence[str]) -> int:
        """Remove what conversations have spent, since their ids may be words; sums of the tenant stay."""
        shared = self._shared
        if shared is None or not session_ids:
            return 0
        removed = 0
        with shared.transaction() as db:
            for table in ("spent", "reserved"):
                delete = f"DELETE FROM {table} WHERE scope = 'session' AND key = ?"  # noqa: S608
                removed += sum(db.execute(delete, (f"{tenant}/{session_id}",)).rowcount for session_id in session_ids)
        return int(removed)

    def forget_tenant(self, tenant: str) -> int:
        """Remove all that a tenant and its conversations have spent; return how many rows there were."""
        shared = self._shared
        if shared is None:
            return 0
        removed = 0
        with shared.transaction() as db:
            for table in ("spent", "reserved"):
                delete = (
                    f"DELETE FROM {table} WHERE (scope = 'tenant' AND key = :tenant) "  # noqa: S608
                    "OR (scope = 'session' AND substr(key, 1, :length) = :beginning)"
                )
                given = {"tenant": tenant, "beginning": f"{tenant}/", "length": len(tenant) + 1}
                removed += db.execute(delete, given).rowcount
            removed += db.execute("DELETE FROM spend WHERE tenant = ?", (tenant,)).rowcount
        return int(removed)

    def close(self) -> None:
        self.spending.flush()
        with self._lock:
            for held in (self._run, self._file, self._server):
                if held is not None:
                    held.close()
            self._run = None

    def _reserve(self, accounts: Sequence[Account], nanos: int, lease_s: float) -> list[int]:
        """Return the rows of the reservations; all or nothing."""
        rows: list[int] = []
        try:
            for account in accounts:
                rows.append(self._reserve_one(account, nanos, lease_s))
        except BaseException:
            for earlier, row in zip(accounts, rows, strict=False):
                self._settle(earlier, row, 0)
            raise
        return rows

    def _reserve_one(self, account: Account, nanos: int, lease_s: float) -> int:
        with self._write(account.scope) as db:
            for period, limit_usd in account.limits_usd:
                taken = self._sum_taken(db, account.scope, account.key, period)
                if taken + nanos > round(limit_usd * NANO):
                    raise _make_exhausted(account, period, limit_usd, taken, nanos)
            row = secrets.randbits(62)  # a count would name another's reservation once a backup is restored
            db.execute(
                _RESERVE,
                (row, account.scope, account.key, nanos, self._clock() + lease_s),
            )
            return row

    def _settle(self, account: Account, row: int, nanos: int) -> None:
        with self._write(account.scope) as db:
            db.execute("DELETE FROM reserved WHERE id = ? OR expires_at < ?", (row, self._clock()))
            db.execute(
                _ADD_SPENT,
                (account.scope, account.key, day_of(self._clock()), nanos),
            )

    def _sum_taken(self, db: SqlConnection, scope: Scope, key: str, period: Period) -> int:
        now = self._clock()
        values = {"s": scope, "k": key, "first": first_day(period, now), "now": now}
        (taken,) = db.execute(
            "SELECT COALESCE((SELECT SUM(nanos) FROM spent WHERE scope = :s AND key = :k AND day >= :first), 0)"
            " + COALESCE((SELECT SUM(nanos) FROM reserved WHERE scope = :s AND key = :k AND expires_at >= :now), 0)",
            values,
        ).fetchone()
        return int(taken)

    def _write(self, scope: Scope) -> AbstractContextManager[SqlConnection]:
        """Return a transaction on an account. A run's lives as long as this object; others outlive the process."""
        shared = None if scope == "run" else self._shared
        return transaction(self._open_run()) if shared is None else shared.transaction()

    def _read(self, scope: Scope) -> AbstractContextManager[SqlConnection]:
        shared = None if scope == "run" else self._shared
        return nullcontext(self._open_run()) if shared is None else shared.snapshot()

    def _open_run(self) -> sqlite3.Connection:
        if self._run is None:
            self._run = open_in_memory(BUDGETS)
        return self._run


def add_to_server(file: Database, server: ServerDatabase) -> None:
    """Add what a file holds to the accounts of a server, and remove it here: no sum is lost, and none counts twice.

    The server remembers the hash of what it was given, so that a process that was killed in between may do it again.
    """
    from roma_core.llm.control.spending import ADD_SPEND

    before = FileOfBefore(file, TABLES)
    if not before.count():
        return
    with file.snapshot() as db:
        found = {table: db.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in TABLES}  # noqa: S608
        rows = {table: list(map(tuple, cursor)) for table, cursor in found.items()}
    given = digest(*map(repr, rows.values()))
    with server.transaction() as db:
        if db.execute("SELECT 1 FROM spent WHERE scope = ? AND key = ?", (TAKEN_OVER, given)).fetchone() is None:
            db.executemany(_ADD_SPENT, rows["spent"])
            db.executemany(
                "INSERT INTO reserved (id, scope, key, nanos, expires_at) VALUES (?, ?, ?, ?, ?)", rows["reserved"]
            )
            db.executemany(ADD_SPEND, rows["spend"])
            db.execute(_ADD_SPENT, (TAKEN_OVER, given, "", 0))
    before.remove()


def day_of(now: float) -> str:
    """Return the day in UTC, as in ``2026-11-28``."""
    return datetime.fromtimestamp(now, UTC).date().isoformat()


def first_day(period: Period, now: float) -> str:
    """Return the first day of the period that runs now; days compare as text, and all time begins with nothing.

    >>> first_day("month", 0)
    '1970-01-01'
    """
    day = day_of(now)
    return {"day": day, "month": f"{day[:7]}-01", "all": ""}[period]


def _nanos_up(usd: float) -> int:
    """Rounded up, never down; the little that floats lose is not a whole unit."""
    whole = round(usd * NANO)
    return whole if whole / NANO >= usd else whole + 1


_PERIOD_WORDS: dict[Period, str] = {"day": " of today", "month": " of this month", "all": ""}


def _make_exhausted(account: Account, period: Period, limit_usd: float, taken: int, wanted: int) -> LLMError:
    part = "" if period == "all" else f"_{period.upper()}"
    return LLMError(
        f"The {account.scope} budget{_PERIOD_WORDS[period]} of ${limit_usd:g} has "
        f"${max(0.0, limit_usd - taken / NANO):.6f} left, and the call may cost ${wanted / NANO:.6f}; "
        f"raise ROMA_BUDGET_{account.scope.upper()}{part}_USD or ask for less.",
        ErrorCode.LLM_BUDGET,
        details={"scope": account.scope, "period": period, "limit_usd": limit_usd, "spent_usd": taken / NANO},
    )
