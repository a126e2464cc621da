"""Hard budgets: money is reserved before a call at its worst case and settled after it, so no limit is ever passed.

What sessions and tenants have spent is kept in SQLite in the workspace: several processes draw on one account. A
process that dies in a call leaves its reservation standing, as nobody knows what was billed.
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from roma_core.database import Database, Schema, open_in_memory, transaction
from roma_core.errors import ErrorCode, LLMError

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
    ),
    consequence="no paid call is made",
)
NANO = 1_000_000_000
"""Money is counted in whole billionths of a dollar: sums of floats would drift past a limit."""


@dataclass(frozen=True)
class Account:
    """Who pays: one run, one session or one tenant, with its limit."""

    scope: str
    key: str
    limit_usd: float


@dataclass
class Hold:
    """Money held for one call. Set ``cost_usd`` before it is settled; None means unknown: all of it is spent."""

    accounts: Sequence[Account] = ()
    rows: Sequence[int] = ()
    worst_usd: float = 0.0
    cost_usd: float | None = None


class Budgets:
    """Accounts of a run (this object's lifetime), of sessions and of tenants. Limits of None are not checked."""

    def __init__(
        self,
        path: Path | None = None,
        *,
        run_usd: float | None = None,
        session_usd: float | None = None,
        tenant_usd: float | None = None,
    ) -> None:
        self._limits = {"run": run_usd, "session": session_usd, "tenant": tenant_usd}
        self._lock = threading.Lock()
        self._run: sqlite3.Connection | None = None
        self._shared = None if path is None else Database(path, BUDGETS)

    @property
    def limited(self) -> bool:
        """Whether any limit is set."""
        return any(limit is not None for limit in self._limits.values())

    def accounts(self, session_id: str | None, tenant: str) -> list[Account]:
        """Accounts that a call draws on. A call without a session draws on none of the sessions'."""
        keys = {"run": "run", "session": session_id and f"{tenant}/{session_id}", "tenant": tenant}
        return [
            Account(scope, key, limit)
            for scope, key in keys.items()
            if key and (limit := self._limits[scope]) is not None
        ]

    def reserve(self, accounts: Sequence[Account], worst_usd: float | None, what: str) -> Hold:
        """Hold ``worst_usd`` on every account for a call to ``what``; ``settle`` must follow.

        Raises ``ERR_LLM_BUDGET`` when it does not fit, or when the price of ``what`` is unknown.
        """
        if worst_usd is None:
            raise LLMError(
                f"The price of {what} is not known, so no budget can be kept; state it in ROMA_PRICES_FILE.",
                ErrorCode.LLM_BUDGET,
                details={"model": what},
            )
        with self._lock:
            return Hold(accounts, self._reserve(accounts, _nanos_up(worst_usd)), worst_usd)

    def settle(self, hold: Hold) -> None:
        """Turn the reservation into what the call cost."""
        billed = hold.worst_usd if hold.cost_usd is None else hold.cost_usd
        with self._lock:
            for account, row in zip(hold.accounts, hold.rows, strict=True):
                self._settle(account, row, _nanos_up(billed))

    def spent_usd(self, scope: str, key: str) -> float:
        """What is spent or reserved."""
        with self._lock, self._account(scope) as db:
            return self._taken(db, scope, key) / NANO

    def close(self) -> None:
        with self._lock:
            for held in (self._run, self._shared):
                if held is not None:
                    held.close()
            self._run = None

    def _reserve(self, accounts: Sequence[Account], nanos: int) -> list[int]:
        """Rows of the reservations; all or nothing."""
        rows: list[int] = []
        try:
            for account in accounts:
                rows.append(self._reserve_one(account, nanos))
        except BaseException:
            for earlier, row in zip(accounts, rows, strict=False):
                self._settle(earlier, row, 0)
            raise
        return rows

    def _reserve_one(self, account: Account, nanos: int) -> int:
        with self._account(account.scope) as connection, transaction(connection) as db:
            taken = self._taken(db, account.scope, account.key)
            if taken + nanos > round(account.limit_usd * NANO):
                raise _exhausted(account, taken, nanos)
            row = secrets.randbits(62)  # a count would name another's reservation once a backup is restored
            db.execute("INSERT INTO reserved VALUES (?, ?, ?, ?)", (row, account.scope, account.key, nanos))
            return row

    def _settle(self, account: Account, row: int, nanos: int) -> None:
        with self._account(account.scope) as connection, transaction(connection) as db:
            db.execute("DELETE FROM reserved WHERE id = ?", (row,))
            db.execute(
                "INSERT INTO spent VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET nanos = nanos + excluded.nanos",
                (account.scope, account.key, nanos),
            )

    @staticmethod
    def _taken(connection: sqlite3.Connection, scope: str, key: str) -> int:
        (taken,) = connection.execute(
            "SELECT COALESCE((SELECT nanos FROM spent WHERE scope = :s AND key = :k), 0)"
            " + COALESCE((SELECT SUM(nanos) FROM reserved WHERE scope = :s AND key = :k), 0)",
            {"s": scope, "k": key},
        ).fetchone()
        return int(taken)

    def _account(self, scope: str) -> AbstractContextManager[sqlite3.Connection]:
        """A run's account lives as long as this object; the others outlive the process."""
        if scope != "run" and self._shared is not None:
            return self._shared.connection()
        if self._run is None:
            self._run = open_in_memory(BUDGETS)
        return nullcontext(self._run)


def _nanos_up(usd: float) -> int:
    """Rounded up, never down; the little that floats lose is not a whole unit."""
    whole = round(usd * NANO)
    return whole if whole / NANO >= usd else whole + 1


def _exhausted(account: Account, taken: int, wanted: int) -> LLMError:
    return LLMError(
        f"The {account.scope} budget of ${account.limit_usd:g} has ${max(0.0, account.limit_usd - taken / NANO):.6f} "
        f"left, and the call may cost ${wanted / NANO:.6f}; raise ROMA_BUDGET_{account.scope.upper()}_USD or ask for "
        "less.",
        ErrorCode.LLM_BUDGET,
        details={"scope": account.scope, "limit_usd": account.limit_usd, "spent_usd": taken / NANO},
    )
