"""The cost of models by day, tenant, token, purpose and model: the figures of ``roma spend`` and ``GET /spend``.

Every call is counted, with and without budgets. Counts are gathered in memory and written in one go, so that no answer
waits for the disk; a process that is killed loses those of the last second.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, computed_field

from roma_core.database import StateDatabase
from roma_core.errors import InputError, StoreError, suggest_name
from roma_core.llm.control.budget import NANO, PERIODS, Period, day_of, first_day
from roma_core.telemetry import logs
from roma_core.types import Usage

Dimension = Literal["day", "tenant", "token", "purpose", "model"]
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
FLUSH_S = 1.0
"""Counts are written when the last writing is this long ago, and when the account is read or closed."""

log = logs.get("llm")

_SUMS = (
    "calls",
    "unpriced",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "reasoning_tokens",
    "nanos",
    "reasoning_nanos",
    "saved_nanos",
)


ADD_SPEND = (
    f"INSERT INTO spend VALUES ({', '.join('?' * (len(DIMENSIONS) + len(_SUMS)))}) "  # noqa: S608
    f"ON CONFLICT ({', '.join(DIMENSIONS)}) DO UPDATE SET "
    + ", ".join(f"{name} = spend.{name} + excluded.{name}" for name in _SUMS)
)
"""Statement that adds counts to those of their day, tenant, token, purpose and model."""


class SpendRow(BaseModel):
    """The costs of one day, or of one tenant, token, purpose or model."""

    model_config = ConfigDict(frozen=True)

    name: str
    """The day, tenant, token, purpose or model; empty for work without one."""
    calls: int
    unpriced_calls: int
    """Calls of models whose price is not known: not in ``cost_usd``."""
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_usd: float
    reasoning_usd: float
    """The part of the cost that went into thoughts."""
    saved_usd: float
    """The cost that answers from the cache have saved."""


class BudgetState(BaseModel):
    """A hard limit and how much of it is taken, by money spent and reserved."""

    model_config = ConfigDict(frozen=True)

    scope: str
    period: Period
    limit_usd: float
    taken_usd: float


class SpendReport(BaseModel):
    """The costs of a period, and the limits of the tenant."""

    model_config = ConfigDict(frozen=True)

    period: Period
    by: Dimension
    tenant: str
    rows: tuple[SpendRow, ...]
    budgets: tuple[BudgetState, ...] = ()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def cost_usd(self) -> float:
        """The sum of all rows."""
        return sum(row.cost_usd for row in self.rows)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def unpriced_calls(self) -> int:
        return sum(row.unpriced_calls for row in self.rows)


class Spending:
    """The account of all calls of a workspace.

    ::

        spending = budgets.spending
        spending.add("acme", "ci", "answer", "openai:gpt-4o", usage)
        spending.rows("month", by="model")
    """

    def __init__(
        self, find_database: Callable[[], StateDatabase | None] | None, clock: Callable[[], float] = time.time
    ) -> None:
        """``find_database`` is called where the account is written or read; without it nothing is kept."""
        self._find_database = find_database
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, str, str, str, str], list[int]] = {}
        self._written_at = 0.0

    def add(
        self, tenant: str, token: str, purpose: str, model: str, usage: Usage, reasoning_usd: float | None = None
    ) -> bool:
        """Count one call. Returns whether ``flush`` is due, which blocks."""
        if self._find_database is None:
            return False
        key = (day_of(self._clock()), tenant, token, purpose, model)
        counts = [
            usage.calls,
            usage.calls if usage.cost_usd is None else 0,
            usage.input_tokens,
            usage.cached_tokens,
            usage.output_tokens,
            usage.reasoning_tokens,
            round((usage.cost_usd or 0.0) * NANO),
            round((reasoning_usd or 0.0) * NANO),
            round((usage.saved_usd or 0.0) * NANO),
        ]
        with self._lock:
            sums = self._waiting.setdefault(key, [0] * len(_SUMS))
            for place, count in enumerate(counts):
                sums[place] += count
            return time.monotonic() - self._written_at >= FLUSH_S

    def flush(self) -> None:
        """Write what was counted. What cannot be written is kept for the next time, with a line in the log."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
            self._written_at = time.monotonic()
        try:
            database = self._open() if waiting else None
            if database is None:
                return
            with database.transaction() as db:
                db.executemany(ADD_SPEND, [(*key, *sums) for key, sums in waiting.items()])
        except StoreError as error:
            log.warning("spend_not_written", code=error.code.value)
            with self._lock:
                for key, sums in waiting.items():
                    later = self._waiting.setdefault(key, [0] * len(_SUMS))
                    for place, count in enumerate(sums):
                        later[place] += count

    def rows(self, period: Period = "month", by: Dimension = "day", tenant: str | None = None) -> Sequence[SpendRow]:
        """Return the sums of the period that runs now, dearest first, days in order. Blocking.

        ``tenant`` None adds up all tenants. Raises ``InputError`` for a period or dimension that does not exist.
        """
        if period not in PERIODS:
            raise InputError(f"There is no period {period!r}. {suggest_name(period, PERIODS)}")
        if by not in DIMENSIONS:
            raise InputError(f"Spending is not kept by {by!r}. {suggest_name(by, DIMENSIONS)}")
        database = self._open()
        if database is None:
            return ()
        self.flush()
        order = "name" if by == "day" else f"SUM({_SUMS[6]}) DESC, name"
        sums = ", ".join(f"SUM({name})" for name in _SUMS)
        with database.snapshot() as db:
            found = db.execute(
                f"SELECT {by} AS name, {sums} FROM spend WHERE day >= :first "  # noqa: S608
                "AND (CAST(:tenant AS TEXT) IS NULL OR tenant = :tenant)"
                f" GROUP BY {by} ORDER BY {order}",
                {"first": first_day(period, self._clock()), "tenant": tenant},
            ).fetchall()
        return [_row_of(tuple(row)) for row in found]

    def _open(self) -> StateDatabase | None:
        return None if self._find_database is None else self._find_database()


def _row_of(row: tuple[object, ...]) -> SpendRow:
    name, *sums = row
    counts = dict(zip(_SUMS, (int(str(count)) for count in sums), strict=True))
    return SpendRow(
        name=str(name),
        calls=counts["calls"],
        unpriced_calls=counts["unpriced"],
        input_tokens=counts["input_tokens"],
        cached_tokens=counts["cached_tokens"],
        output_tokens=counts["output_tokens"],
        reasoning_tokens=counts["reasoning_tokens"],
        cost_usd=counts["nanos"] / NANO,
        reasoning_usd=counts["reasoning_nanos"] / NANO,
        saved_usd=counts["saved_nanos"] / NANO,
    )
