"""Table of trials: their variants, the conversations in them, and the ends of their answers. Blocking."""

from __future__ import annotations

import builtins
import hashlib
import json
import re
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from roma_core.database import Database, Schema
from roma_core.errors import InputError, NotFoundError
from roma_core.evals.stats.sequential import Arm
from roma_core.types import Noun, TailorOutput, digest
from roma_core.workspace import Workspace

Primary = Literal["thumbs", "proof"]
"""What decides a trial: the share of thumbs that are up, or of statements that are proven."""
ARMS: Final[tuple[Arm, ...]] = ("a", "b")
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
"""Names stand in addresses."""
_TABLES = """
CREATE TABLE trials (
    tenant TEXT NOT NULL, name TEXT NOT NULL, a TEXT NOT NULL, b TEXT NOT NULL, primary_measure TEXT NOT NULL,
    margin REAL NOT NULL, salt TEXT NOT NULL, started_at TEXT NOT NULL, started_by TEXT NOT NULL, stopped_at TEXT,
    PRIMARY KEY (tenant, name)) WITHOUT ROWID;
CREATE TABLE conversations (
    tenant TEXT NOT NULL, trial TEXT NOT NULL, conversation TEXT NOT NULL, arm TEXT NOT NULL, assigned_at TEXT NOT NULL,
    PRIMARY KEY (tenant, trial, conversation)) WITHOUT ROWID;
CREATE TABLE outcomes (
    number INTEGER PRIMARY KEY, tenant TEXT NOT NULL, trial TEXT NOT NULL, conversation TEXT NOT NULL,
    answer_id TEXT NOT NULL, state TEXT NOT NULL, proof REAL, cost_usd REAL, seconds REAL, ended_at TEXT NOT NULL);
CREATE INDEX outcomes_of_trial ON outcomes (tenant, trial, number);
"""
TRIALS: Final = Schema("trials", "The table of trials", (_TABLES,), consequence="no conversation is assigned")


def name_conversation(owner: str, session_id: str) -> str:
    """Return the name of a user's conversation in a trial, which tells nothing of either."""
    return digest("trial conversation", owner, session_id)[:32]


class Trial(Noun):
    """A trial: the changes of settings of both variants; none of ``a`` are the settings as they are."""

    name: str
    tenant: str
    a: dict[str, str]
    b: dict[str, str]
    primary: Primary = "thumbs"
    margin: float = 0.05
    """A difference of the primary measure that would not matter."""
    salt: str
    started_at: datetime
    started_by: str
    stopped_at: datetime | None = None

    @property
    def is_running(self) -> bool:
        """Return whether conversations are assigned."""
        return self.stopped_at is None

    def assign(self, conversation: str) -> Arm:
        """Return the variant of a conversation: always the same, and each for half of them."""
        drawn = hashlib.sha256(f"{self.salt}\0{conversation}".encode()).digest()
        return ARMS[drawn[0] % 2]

    def changes(self, arm: Arm) -> dict[str, str]:
        """Return the changes of settings of a variant."""
        return self.a if arm == "a" else self.b


class TrialOutcome(NamedTuple):
    """The end of an answer of a conversation in a trial. ``proof`` is None without statements."""

    conversation: str
    arm: Arm
    answer_id: str
    state: str
    proof: float | None
    cost_usd: float | None
    seconds: float | None


class TrialTable:
    """The trials of a workspace. Every method is one transaction and raises ``StoreError``.

    >>> TrialTable(Path(".roma")).list("default")
    ()
    """

    def __init__(self, workspace: Path) -> None:
        self._path = Workspace(workspace).trials
        self._database = Database(self._path, TRIALS, stays_open=False)

    @property
    def exists(self) -> bool:
        """Return whether there has ever been a trial: cheap, for every question."""
        return self._path.exists()

    def forget_user(self, tenant: str, subject: str, session_ids: Sequence[str]) -> int:
        """Remove what trials know of a user's conversations, and its name from those it began; return how many."""
        if not self.exists:
            return 0
        keys = [(tenant, name_conversation(subject, session_id)) for session_id in session_ids]
        removed = 0
        with self._database.transaction() as db:
            db.execute("PRAGMA secure_delete = ON")
            for table in ("conversations", "outcomes"):
                statement = f"DELETE FROM {table} WHERE tenant = ? AND conversation = ?"  # noqa: S608
                removed += db.executemany(statement, keys).rowcount if keys else 0
            db.execute("UPDATE trials SET started_by = '' WHERE tenant = ? AND started_by = ?", (tenant, subject))
        return int(removed)

    def start(
        self,
        tenant: str,
        name: str,
        a: Mapping[str, str],
        b: Mapping[str, str],
        *,
        primary: Primary = "thumbs",
        margin: float = 0.05,
        by: str,
    ) -> Trial:
        """Begin a trial. Raises ``InputError`` for a name that is taken, and while another one runs."""
        if not NAME.fullmatch(name):
            raise InputError(f"{name!r} is no name of a trial; use letters, digits, dots and dashes, at most 60.")
        if a == b:
            raise InputError("The variants are the same; give --b (or --a) a change of a setting.")
        trial = Trial(
            name=name,
            tenant=tenant,
            a=dict(a),
            b=dict(b),
            primary=primary,
            margin=margin,
            salt=secrets.token_hex(16),
            started_at=datetime.now(UTC),
            started_by=by,
        )
        with self._database.transaction() as db:
            known = _select(db, tenant)
            running = next((one.name for one in known if one.is_running), None)
            if running is not None:
                raise InputError(f"The trial {running!r} runs; one at a time. `roma ab stop {running}` ends it.")
            if any(one.name == name for one in known):
                raise InputError(f"There was a trial {name!r} already; choose another name.")
            db.execute(
                "INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
                (
                    tenant,
                    name,
                    json.dumps(trial.a),
                    json.dumps(trial.b),
                    primary,
                    margin,
                    trial.salt,
                    trial.started_at.isoformat(),
                    by,
                ),
            )
        return trial

    def stop(self, tenant: str, name: str) -> Trial:
        """End a trial; its outcomes stay. Raises ``NotFoundError``."""
        with self._database.transaction() as db:
            _find(_select(db, tenant), name)
            db.execute(
                "UPDATE trials SET stopped_at = COALESCE(stopped_at, ?) WHERE tenant = ? AND name = ?",
                (datetime.now(UTC).isoformat(), tenant, name),
            )
            return _find(_select(db, tenant), name)

    def list(self, tenant: str) -> tuple[Trial, ...]:
        """Return the trials of a tenant, the newest first."""
        if not self.exists:
            return ()
        with self._database.snapshot() as db:
            return _select(db, tenant)

    def find(self, tenant: str, name: str) -> Trial:
        """Return a trial. Raises ``NotFoundError``."""
        return _find(self.list(tenant), name)

    def find_arm(self, tenant: str, conversation: str) -> tuple[Trial, Arm, bool] | None:
        """Return the running trial, a conversation's variant, and whether it is in the trial; None without a trial."""
        if not self.exists:
            return None
        with self._database.snapshot() as db:
            running = next((one for one in _select(db, tenant) if one.is_running), None)
            if running is None:
                return None
            known = db.execute(
                "SELECT 1 FROM conversations WHERE tenant = ? AND trial = ? AND conversation = ?",
                (tenant, running.name, conversation),
            ).fetchone()
        return running, running.assign(conversation), known is not None

    def enrol(self, trial: Trial, conversation: str) -> None:
        """Take a conversation into a trial."""
        with self._database.transaction() as db:
            db.execute(
                "INSERT OR IGNORE INTO conversations VALUES (?, ?, ?, ?, ?)",
                (trial.tenant, trial.name, conversation, trial.assign(conversation), datetime.now(UTC).isoformat()),
            )

    def note_outcome(self, trial: Trial, conversation: str, output: TailorOutput | None, seconds: float) -> None:
        """Note the end of an answer; ``output`` None is a failure. An answer from the cache has no time and no cost."""
        proof = cost_usd = None
        is_cached = output is not None and output.saved is not None
        if output is not None:
            counts = output.verdicts
            total = sum(counts.values())
            proven = counts.get("verbatim", 0) + counts.get("supported", 0)
            proof = proven / total if total else None
            cost_usd = None if is_cached else output.usage.cost_usd
        with self._database.transaction() as db:
            db.execute(
                "INSERT INTO outcomes (tenant, trial, conversation, answer_id, state, proof, cost_usd, seconds, "
                "ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    trial.tenant,
                    trial.name,
                    conversation,
                    output.answer_id if output is not None else "",
                    "failed" if output is None else "complete",
                    proof,
                    cost_usd,
                    None if is_cached else seconds,
                    datetime.now(UTC).isoformat(),
                ),
            )

    def outcomes(self, trial: Trial) -> tuple[builtins.list[TrialOutcome], dict[Arm, int]]:
        """Return the ends of all answers in their order, and how many conversations each variant has."""
        asked = (trial.tenant, trial.name)
        with self._database.snapshot() as db:
            rows = db.execute("SELECT * FROM outcomes WHERE tenant = ? AND trial = ? ORDER BY number", asked).fetchall()
            sizes = db.execute(
                "SELECT arm, count(*) FROM conversations WHERE tenant = ? AND trial = ? GROUP BY arm", asked
            ).fetchall()
        found = [
            TrialOutcome(
                row["conversation"],
                trial.assign(row["conversation"]),
                row["answer_id"],
                row["state"],
                row["proof"],
                row["cost_usd"],
                row["seconds"],
            )
            for row in rows
        ]
        return found, {**dict.fromkeys(ARMS, 0), **{row[0]: row[1] for row in sizes}}


def _select(db: sqlite3.Connection, tenant: str) -> tuple[Trial, ...]:
    rows = db.execute("SELECT * FROM trials WHERE tenant = ? ORDER BY started_at DESC", (tenant,)).fetchall()
    return tuple(_parse(row) for row in rows)


def _parse(row: sqlite3.Row) -> Trial:
    fields: dict[str, Any] = {name: row[name] for name in row.keys()}  # noqa: SIM118
    fields["primary"] = fields.pop("primary_measure")
    return Trial.model_validate({**fields, "a": json.loads(fields["a"]), "b": json.loads(fields["b"])})


def _find(trials: Sequence[Trial], name: str) -> Trial:
    found = next((one for one in trials if one.name == name), None)
    if found is None:
        raise NotFoundError(f"There is no trial {name!r}; `roma ab list` names them.")
    return found
