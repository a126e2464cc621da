"""Tables of answers in ``answers.sqlite``, and the statements on them. Blocking; the service calls them in a thread.

An answer is a row, its events are appended in pieces, and each of its passages is a row of its own: so a document that
is forgotten takes its words out of every record. Every statement names a tenant, and those that
show an answer its owner.
"""

from __future__ import annotations

import builtins
import functools
import json
import os
import socket
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from roma_core.answers.codec import (
    dump_events,
    load_events,
    mask_secrets,
    mask_value,
    pack,
    pack_masked,
    pack_stages,
    unpack,
    unpack_stages,
)
from roma_core.answers.record import (
    FORGOTTEN,
    AnswerIdentity,
    AnswerRecord,
    AnswerState,
    AnswerSummary,
    StageSnapshot,
    is_terminal,
    make_ending,
)
from roma_core.database import Database, Schema, SqlConnection, StateDatabase
from roma_core.errors import AgentFailure, InputError, NotFoundError
from roma_core.processes import identify_process
from roma_core.serverdatabase import FileOfBefore, share_server
from roma_core.types import (
    Answered,
    Chunk,
    CitationVerdict,
    CompleteEvent,
    ErrorEvent,
    Principal,
    Query,
    StreamEvent,
    TailorOutput,
)

LEASE_S = 15.0
"""Age of a record's last renewal after which its process counts as gone."""
MOST_EVENT_BYTES = 4 << 20
MOST_PASSAGE_BYTES = 8 << 20
"""Room for the passages of one answer; those that the writer was not given are left out first."""
SHORTEST_PREFIX = 4

_TABLES = """
CREATE TABLE answers (
    tenant TEXT NOT NULL, id TEXT NOT NULL, session_id TEXT, state TEXT NOT NULL, query TEXT NOT NULL,
    identity TEXT NOT NULL, answer_id TEXT NOT NULL DEFAULT '', created_at TEXT NOT NULL, ended_at TEXT,
    host TEXT NOT NULL, pid INTEGER NOT NULL, process TEXT NOT NULL, lease_until REAL NOT NULL,
    stop INTEGER NOT NULL DEFAULT 0, stages BLOB, output TEXT, failure TEXT, forgotten TEXT NOT NULL DEFAULT '[]',
    is_cut INTEGER NOT NULL DEFAULT 0, size_bytes INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (tenant, id));
CREATE INDEX answers_of_session ON answers (tenant, session_id, created_at);
CREATE INDEX answers_by_content ON answers (tenant, answer_id);
CREATE INDEX answers_by_time ON answers (created_at);
CREATE TABLE answer_events (
    tenant TEXT NOT NULL, id TEXT NOT NULL, first INTEGER NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (tenant, id, first));
CREATE TABLE answer_passages (
    tenant TEXT NOT NULL, id TEXT NOT NULL, chunk_id TEXT NOT NULL, document_id TEXT NOT NULL, uri TEXT NOT NULL,
    was_read INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (tenant, id, chunk_id));
CREATE INDEX answer_passages_of_document ON answer_passages (tenant, document_id);
"""
_OWNERS = """
ALTER TABLE answers ADD COLUMN owner TEXT NOT NULL DEFAULT 'local';
UPDATE answers SET owner = substr(session_id, 1, 18) WHERE session_id LIKE 'token:____________:%';
DROP INDEX answers_of_session;
CREATE INDEX answers_of_session ON answers (tenant, owner, session_id, created_at);
"""
"""What was asked in the console begins with a token; all else belongs to the user of this machine."""
ANSWERS = Schema(
    "answers",
    "The database of answers",
    (_TABLES, _OWNERS),
    consequence="what made an answer cannot be kept",
    not_copied=("answer_events", "answer_passages"),
)
_OWN = "tenant = ? AND owner = ?"
_SUMMARY = "id, state, query, session_id, answer_id, created_at, ended_at, host, pid, process, lease_until"


_FACTS: Final = ("model", "answered", "usage.cost_usd", "statements", "removed", "degraded", "saved")
_NO_FACTS = json.dumps([None] * len(_FACTS))
_FACT_PATHS = ", ".join(f"'$.{name}'" for name in _FACTS)
_SELECT_FIGURES = (
    f"SELECT {_SUMMARY}, owner, is_cut, json_extract(query, '$.text') AS question, "  # noqa: S608
    f"json_extract(output, {_FACT_PATHS}) AS facts, "
    "json_extract(failure, '$.code') AS code FROM answers "
    "WHERE tenant = ? AND created_at >= ? ORDER BY created_at DESC, id LIMIT ?"
)
"""Several values are read out of the JSON at once: parsing it takes most of the time."""
_SELECT_WHOLE = (
    f"SELECT {_SUMMARY}, owner, is_cut, output, failure FROM answers "  # noqa: S608
    "WHERE tenant = ? AND created_at >= ? ORDER BY created_at DESC, id LIMIT ?"
)
"""The same for PostgreSQL, whose own functions refuse JSON that holds the character NUL."""
TABLES: Final = ("answers", "answer_events", "answer_passages")


class NewEvents(NamedTuple):
    """Events of a running answer that are to be stored; ``first`` is the number of the first."""

    tenant: str
    id: str
    first: int
    events: Sequence[StreamEvent]


class AnswerFigures(NamedTuple):
    """An answer as the dashboard of use counts it: what became of a question, how long it took, what it cost."""

    id: str
    owner: str
    session_id: str | None
    answer_id: str
    state: AnswerState
    question: str
    created_at: datetime
    seconds: float | None
    """None for an answer without an end."""
    model: str = ""
    answered: str = ""
    """A value of ``Answered``; empty without an answer."""
    verdicts: Mapping[CitationVerdict, int] = {}
    """Number of statements by verdict, those that were taken out included."""
    cost_usd: float | None = None
    """None without an answer, and where a price is unknown."""
    is_degraded: bool = False
    is_reused: bool = False
    """True for an answer from the cache."""
    code: str = ""
    """Code of the failure."""
    is_cut: bool = False


class StoredEvents(NamedTuple):
    """Events of a stored answer and its state."""

    state: AnswerState
    events: list[StreamEvent]


@lru_cache(maxsize=4)
def _own_process(pid: int) -> tuple[str, int, str]:
    return socket.gethostname(), pid, identify_process(pid)


class AnswerStore:
    """The database of answers. Every method is one transaction and raises ``StoreError``.

    With a ``server_url`` it is PostgreSQL, where replicas share it.
    """

    def __init__(self, path: Path, server_url: str | None = None) -> None:
        self._file = Database(path, ANSWERS, pragmas=("secure_delete = ON",))
        self._server = None if server_url is None else share_server(server_url, ANSWERS)
        self._moving = threading.Lock()
        self._has_moved = False

    @property
    def _database(self) -> StateDatabase:
        """The file, or the server, which has taken over what the file held."""
        if self._server is None:
            return self._file
        with self._moving:
            if not self._has_moved:
                FileOfBefore(self._file, TABLES).move_to(self._server)
                self._has_moved = True
        return self._server

    def insert(self, record_id: str, query: Query, identity: AnswerIdentity, created_at: datetime) -> bool:
        """Begin a record. Return False when there is one with this id that is not to be asked again.

        What failed or was interrupted is asked again under its id. Raises ``InputError`` when the id belongs to
        another question.
        """
        values = (
            query.tenant,
            query.principal.subject,
            record_id,
            query.session_id,
            _dump_query(query),
            identity.model_dump_json(),
            created_at.isoformat(),
            *_own_process(os.getpid()),
            time.time() + LEASE_S,
        )
        with self._database.transaction() as db:
            row = _find(db, query.tenant, record_id)
            if row is not None:
                if row["owner"] != query.principal.subject or _asks_otherwise(row["query"], query):
                    raise InputError("This idempotency key was used for another question; use a fresh one.")
                if _state_of(row) not in {"failed", "interrupted"}:
                    return False
                _delete(db, [(query.tenant, record_id)])
            db.execute(
                "INSERT INTO answers (tenant, owner, id, session_id, state, query, identity, created_at, host, pid, "
                "process, lease_until) VALUES (?, ?, ?, ?, 'running', ?, ?, ?, ?, ?, ?, ?)",
                values,
            )
        return True

    def append(self, pieces: Iterable[NewEvents], beating: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Store new events, and renew the leases of ``beating`` (tenant, id); return those that are to be stopped."""
        rows = [(piece.tenant, piece.id, piece.first, dump_events(piece.events)) for piece in pieces]
        until = time.time() + LEASE_S
        stops: set[tuple[str, str]] = set()
        with self._database.transaction() as db:
            for tenant, record_id, first, data in rows:
                row = _find(db, tenant, record_id)
                if row is not None and row["state"] == "running":
                    _append_events(db, tenant, record_id, first, data)
            for tenant, record_id in beating:
                asked = db.execute(
                    "UPDATE answers SET lease_until = ? WHERE tenant = ? AND id = ? RETURNING stop",
                    (until, tenant, record_id),
                ).fetchone()
                if asked is not None and asked["stop"]:
                    stops.add((tenant, record_id))
        return stops

    def finish(
        self,
        last: NewEvents,
        state: AnswerState,
        stages: Sequence[StageSnapshot],
        ended_at: datetime,
    ) -> None:
        """Store the end of an answer: its last events, what its stages saw, and the output or the failure."""
        packed = pack_stages(stages)
        events = dump_events(last.events)
        data = pack(packed.as_json())
        passages, is_cut = _choose_passages(packed.chunks, packed.read)
        ending = last.events[-1] if last.events else None
        output = ending.output if isinstance(ending, CompleteEvent) else None
        failure = ending.failure if isinstance(ending, ErrorEvent) else None
        size = len(events) + len(data) + sum(len(row[-1]) for row in passages)
        with self._database.transaction() as db:
            if _find(db, last.tenant, last.id) is None:  # removed while it was written
                return
            db.execute(
                "DELETE FROM answer_events WHERE tenant = ? AND id = ? AND first >= ?",
                (last.tenant, last.id, last.first),
            )
            is_cut = not _append_events(db, last.tenant, last.id, last.first, events) or is_cut
            db.execute(
                "UPDATE answers SET state = ?, ended_at = ?, stages = ?, output = ?, failure = ?, answer_id = ?, "
                "is_cut = ?, size_bytes = size_bytes + ? WHERE tenant = ? AND id = ?",
                (
                    state,
                    ended_at.isoformat(),
                    data,
                    None if output is None else _dump_output(output),
                    None if failure is None else mask_secrets(failure.model_dump_json()),
                    "" if output is None else output.answer_id,
                    int(is_cut),
                    size,
                    last.tenant,
                    last.id,
                ),
            )
            db.executemany(
                "INSERT INTO answer_passages VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, id, chunk_id) "
                "DO UPDATE SET was_read = excluded.was_read, data = excluded.data",
                ((last.tenant, last.id, *row) for row in passages),
            )

    def request_stop(self, who: Principal, record_id: str) -> None:
        """Ask the process that writes an answer to stop. Raises ``NotFoundError``."""
        with self._database.transaction() as db:
            _require_own(db, who, record_id)
            db.execute("UPDATE answers SET stop = 1 WHERE tenant = ? AND id = ?", (who.tenant, record_id))

    def load(self, who: Principal, record_id: str) -> AnswerRecord:
        """Return a record. Raises ``NotFoundError``, also for another user's."""
        with self._database.snapshot() as db:
            row = _require_own(db, who, record_id)
            pieces = _select_events(db, who.tenant, record_id)
            stages = _select_stages(db, who.tenant, row)
        output = _load_output(row["output"], stages) if row["output"] else None
        events = _with_output(_join_events(pieces, 0, _state_of(row)), output)
        return AnswerRecord(
            id=row["id"],
            state=_state_of(row),
            query=_load_query(row["query"], who),
            identity=AnswerIdentity.model_validate_json(row["identity"]),
            created_at=datetime.fromisoformat(row["created_at"]),
            ended_at=datetime.fromisoformat(row["ended_at"]) if row["ended_at"] else None,
            events=tuple(events),
            stages=stages,
            output=output,
            failure=AgentFailure.model_validate_json(row["failure"]) if row["failure"] else None,
            forgotten=tuple(json.loads(row["forgotten"])),
            is_cut=bool(row["is_cut"]),
        )

    def events(self, who: Principal, record_id: str, first: int) -> StoredEvents:
        """Return the stored events from number ``first`` on. Raises ``NotFoundError``."""
        with self._database.snapshot() as db:
            row = _require_own(db, who, record_id)
            state = _state_of(row)
            events = _join_events(_select_events(db, who.tenant, record_id), first, state)
            if row["output"] and events and isinstance(events[-1], CompleteEvent):
                events = _with_output(events, _load_output(row["output"], _select_stages(db, who.tenant, row)))
        return StoredEvents(state, events)

    def find_session(self, who: Principal, record_id: str) -> str | None:
        """Return the conversation of an answer, None for one without. Raises ``NotFoundError``."""
        with self._database.snapshot() as db:
            session_id: str | None = _require_own(db, who, record_id)["session_id"]
        return session_id

    def find_id(self, who: Principal, name: str) -> str:
        """Return the id of the answer that ``name`` means: its id, the beginning of it, its ``answer_id``, or ``last``.

        Raises ``NotFoundError``, and ``InputError`` for a beginning that several have.
        """
        own = (who.tenant, who.subject)
        select = f"SELECT id FROM answers WHERE {_OWN}"  # noqa: S608
        newest_first = "ORDER BY created_at DESC, id"
        with self._database.snapshot() as db:
            if name == "last":
                rows = db.execute(f"{select} {newest_first} LIMIT 1", own).fetchall()
            else:
                rows = db.execute(f"{select} AND id = ?", (*own, name)).fetchall()
                by_content = f"{select} AND answer_id = ? {newest_first} LIMIT 1"
                rows = rows or db.execute(by_content, (*own, name)).fetchall()
            if not rows and len(name) >= SHORTEST_PREFIX:
                by_beginning = f"{select} AND substr(id, 1, ?) = ? LIMIT 2"
                rows = db.execute(by_beginning, (*own, len(name), name)).fetchall()
        if not rows:
            raise NotFoundError(f"There is no answer {name!r}; `roma answers` lists those that are kept.")
        if len(rows) > 1:
            raise InputError(f"Several answers begin with {name!r}; give more of the id.")
        return str(rows[0]["id"])

    def list(self, who: Principal, session_id: str | None = None, limit: int = 100) -> list[AnswerSummary]:
        """Return the answers of a user, the newest first, of one conversation when it is given."""
        where, values = _OWN, [who.tenant, who.subject]
        if session_id is not None:
            where, values = f"{where} AND session_id = ?", [*values, session_id]
        with self._database.snapshot() as db:
            rows = db.execute(
                f"SELECT {_SUMMARY} FROM answers WHERE {where} ORDER BY created_at DESC, id LIMIT ?",  # noqa: S608
                (*values, limit),
            ).fetchall()
        return [_summarise(row) for row in rows]

    def list_ids(self, tenant: str) -> builtins.list[tuple[str, str]]:
        """Return the owner and the id of each answer of a tenant, the oldest first."""
        statement = "SELECT owner, id FROM answers WHERE tenant = ? ORDER BY created_at, id"
        with self._database.snapshot() as db:
            rows = db.execute(statement, (tenant,)).fetchall()
        return [(str(row["owner"]), str(row["id"])) for row in rows]

    def figures(self, tenant: str, since: datetime | None = None, limit: int = 20_000) -> builtins.list[AnswerFigures]:
        """Return the figures of the newest answers of a tenant, the newest first. No passage or event is read."""
        values = (tenant, "" if since is None else since.astimezone(UTC).isoformat(), limit)
        statement = _SELECT_FIGURES if self._server is None else _SELECT_WHOLE
        with self._database.snapshot() as db:
            rows = db.execute(statement, values).fetchall()
        return [_make_figures(row, _read_facts(row, is_whole=self._server is not None)) for row in rows]

    def documents_of_answers(self, tenant: str) -> builtins.list[tuple[str, str]]:
        """Return the id of each answer of a tenant with that of each document that it has words of."""
        statement = "SELECT DISTINCT id, document_id FROM answer_passages WHERE tenant = ?"
        with self._database.snapshot() as db:
            rows = db.execute(statement, (tenant,)).fetchall()
        return [(str(row["id"]), str(row["document_id"])) for row in rows]

    def forget_documents(self, tenant: str, document_ids: Sequence[str]) -> int:
        """Take the words of documents out of all records; return how many answers were blanked.

        Their passages go. An answer, a prompt and events that were written from one of them go whole: their
        words cannot be told apart by source. The addresses of what is gone stay.
        """
        marks = ", ".join("?" * len(document_ids))
        with self._database.transaction() as db:
            rows = db.execute(
                "SELECT id, uri, max(was_read) AS was_read FROM answer_passages "  # noqa: S608
                f"WHERE tenant = ? AND document_id IN ({marks}) GROUP BY id, uri",
                (tenant, *document_ids),
            ).fetchall()
            gone: dict[str, list[str]] = {}
            blank: set[str] = set()
            for row in rows:
                gone.setdefault(row["id"], []).append(row["uri"])
                blank |= {row["id"]} if row["was_read"] else set()
            db.execute(
                f"DELETE FROM answer_passages WHERE tenant = ? AND document_id IN ({marks})",  # noqa: S608
                (tenant, *document_ids),
            )
            for record_id, uris in gone.items():
                _note_forgotten(db, tenant, record_id, uris, blank=record_id in blank)
        if gone and self._server is None:
            with self._file.connection() as db:
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return len(blank)

    def delete_session(self, who: Principal, session_id: str) -> int:
        """Remove the answers of a conversation; return how many there were."""
        with self._database.transaction() as db:
            rows = db.execute(
                f"SELECT tenant, id FROM answers WHERE {_OWN} AND session_id = ?",  # noqa: S608
                (who.tenant, who.subject, session_id),
            ).fetchall()
            _delete(db, [tuple(row) for row in rows])
        return len(rows)

    def list_tenants(self) -> set[str]:
        """Return the tenants that have answers."""
        with self._database.snapshot() as db:
            return {row["tenant"] for row in db.execute("SELECT DISTINCT tenant FROM answers")}

    def list_sessions(self, who: Principal) -> builtins.list[str]:
        """Return the ids of the conversations in which a user was answered."""
        statement = f"SELECT DISTINCT session_id FROM answers WHERE {_OWN} AND session_id IS NOT NULL"  # noqa: S608
        with self._database.snapshot() as db:
            rows = db.execute(statement, (who.tenant, who.subject)).fetchall()
        return [str(row["session_id"]) for row in rows]

    def forget_user(self, who: Principal) -> int:
        """Remove every answer of a user; return how many there were."""
        with self._database.transaction() as db:
            rows = db.execute(f"SELECT tenant, id FROM answers WHERE {_OWN}", (who.tenant, who.subject)).fetchall()  # noqa: S608
            _delete(db, [(row["tenant"], row["id"]) for row in rows])
        return len(rows)

    def forget_tenant(self, tenant: str) -> int:
        """Remove every answer of a tenant; return how many there were."""
        with self._database.transaction() as db:
            rows = db.execute("SELECT tenant, id FROM answers WHERE tenant = ?", (tenant,)).fetchall()
            _delete(db, [(row["tenant"], row["id"]) for row in rows])
        return len(rows)

    def delete_before(
        self, tenant: str, moment: datetime, owners_on_hold: frozenset[str], *, counts_only: bool = False
    ) -> int:
        """Remove a tenant's answers from before ``moment``, but for those of ``owners_on_hold``; return how many.

        ``counts_only`` removes none.
        """
        statement = "SELECT tenant, id, owner FROM answers WHERE tenant = ? AND created_at < ?"
        with self._database.transaction() as db:
            rows = db.execute(statement, (tenant, moment.isoformat())).fetchall()
            gone = [(row["tenant"], row["id"]) for row in rows if row["owner"] not in owners_on_hold]
            _delete(db, [] if counts_only else gone)
        return len(gone)

    def find_last_uses(self, tenant: str) -> dict[str, datetime]:
        """Return when an answer was last written from each document, by document id."""
        statement = (
            "SELECT passages.document_id AS document_id, max(answers.created_at) AS used_at "
            "FROM answer_passages AS passages JOIN answers "
            "ON answers.tenant = passages.tenant AND answers.id = passages.id "
            "WHERE passages.tenant = ? GROUP BY passages.document_id"
        )
        with self._database.snapshot() as db:
            rows = db.execute(statement, (tenant,)).fetchall()
        return {row["document_id"]: datetime.fromisoformat(row["used_at"]) for row in rows}

    def prune(self, days: int, most_bytes: int, now: datetime) -> int:
        """Remove answers that are older than ``days``, and the oldest ones beyond ``most_bytes``; return how many."""
        oldest = (now - timedelta(days=days)).isoformat()
        with self._database.transaction() as db:
            rows = db.execute("SELECT tenant, id FROM answers WHERE created_at < ?", (oldest,)).fetchall()
            total = 0
            newest = "SELECT tenant, id, size_bytes FROM answers WHERE created_at >= ? ORDER BY created_at DESC, id"
            for row in db.execute(newest, (oldest,)).fetchall():
                total += row["size_bytes"]
                if total > most_bytes:
                    rows.append(row)
            _delete(db, [(row["tenant"], row["id"]) for row in rows])
        return len(rows)

    def mark_interrupted(self) -> int:
        """Give every record whose process is gone its end; return how many there were. It makes no database."""
        if self._server is None and not self._file.path.exists():
            return 0
        with self._database.transaction() as db:
            rows = db.execute(f"SELECT tenant, {_SUMMARY} FROM answers WHERE state = 'running'").fetchall()  # noqa: S608
            dead = [(row["tenant"], row["id"]) for row in rows if _state_of(row) == "interrupted"]
            now = datetime.now(UTC).isoformat()
            for tenant, record_id in dead:
                db.execute(
                    "UPDATE answers SET state = 'interrupted', ended_at = ? WHERE tenant = ? AND id = ?",
                    (now, tenant, record_id),
                )
        return len(dead)

    def check(self) -> None:
        """Raise ``StoreError`` when the database cannot be read."""
        with self._database.snapshot() as db:
            db.execute("SELECT 1 FROM answers LIMIT 1").fetchone()

    def close(self) -> None:
        """Close the file or the connections; the next use opens them again."""
        self._database.close()


class _StoredFacts(NamedTuple):
    """What the JSON of an answer says of its use."""

    question: str | None
    values: list[Any]
    """Of ``_FACTS``."""
    code: str | None


def _read_facts(row: sqlite3.Row, *, is_whole: bool) -> _StoredFacts:
    """Return what was read out of the JSON by the database, or read it out of the whole."""
    if not is_whole:
        return _StoredFacts(row["question"], json.loads(row["facts"] or _NO_FACTS), row["code"])
    output = json.loads(row["output"] or "{}")
    values = [functools.reduce(lambda held, name: (held or {}).get(name), fact.split("."), output) for fact in _FACTS]
    failure = json.loads(row["failure"] or "{}")
    return _StoredFacts(json.loads(row["query"])["text"], values, failure.get("code"))


def _make_figures(row: sqlite3.Row, facts: _StoredFacts) -> AnswerFigures:
    created_at = datetime.fromisoformat(row["created_at"])
    ended_at = datetime.fromisoformat(row["ended_at"]) if row["ended_at"] else None
    model, answered, cost_usd, statements, removed, degraded, saved = facts.values
    verdicts = Counter(statement["verdict"] for statement in (*(statements or ()), *(removed or ())))
    return AnswerFigures(
        id=row["id"],
        owner=row["owner"],
        session_id=row["session_id"],
        answer_id=row["answer_id"],
        state=_state_of(row),
        question=facts.question or "",
        created_at=created_at,
        seconds=None if ended_at is None else (ended_at - created_at).total_seconds(),
        model=model or "",
        answered=_read_answered(answered),
        verdicts=verdicts,
        cost_usd=cost_usd,
        is_degraded=bool(degraded),
        is_reused=bool(saved),
        code=facts.code or "",
        is_cut=bool(row["is_cut"]),
    )


def _read_answered(value: str | bool | None) -> str:
    """Return a value of ``Answered`` also for an answer that was stored when it was true or false."""
    if isinstance(value, bool | int):
        return (Answered.KNOWN if value else Answered.UNKNOWN).value
    return value or ""


def _find(db: SqlConnection, tenant: str, record_id: str) -> sqlite3.Row | None:
    found: sqlite3.Row | None = db.execute(
        "SELECT * FROM answers WHERE tenant = ? AND id = ?", (tenant, record_id)
    ).fetchone()
    return found


def _require(db: SqlConnection, tenant: str, record_id: str) -> sqlite3.Row:
    row = _find(db, tenant, record_id)
    if row is None:
        raise NotFoundError("There is no such answer.")
    return row


def _require_own(db: SqlConnection, who: Principal, record_id: str) -> sqlite3.Row:
    """Return the row of an answer of ``who``; another user's is missing like one that there never was."""
    row = _require(db, who.tenant, record_id)
    if row["owner"] != who.subject:
        raise NotFoundError("There is no such answer.")
    return row


def _state_of(row: sqlite3.Row) -> AnswerState:
    """Return the state of a row; one that runs in a process that is gone was interrupted."""
    state: AnswerState = row["state"]
    if state != "running":
        return state
    if row["host"] == socket.gethostname():
        is_there = identify_process(row["pid"]) == row["process"]
        return "running" if is_there else "interrupted"
    return "running" if row["lease_until"] >= time.time() else "interrupted"


def _asks_otherwise(stored: str, query: Query) -> bool:
    return _dump_query(_load_query(stored, query.principal)) != _dump_query(query)


def _dump_query(query: Query) -> str:
    """Return a question as it is stored: of its caller the tenant alone, since the row has the owner."""
    asked = query.model_copy(update={"principal": Principal.local(query.tenant)})
    return json.dumps(mask_value(asked.model_dump(mode="json")), ensure_ascii=False, sort_keys=True)


def _load_query(data: str, who: Principal) -> Query:
    """Return a stored question of ``who``; those of before principals hold a tenant."""
    fields = {name: value for name, value in json.loads(data).items() if name not in {"tenant", "principal"}}
    return Query(**fields, principal=who)


def _dump_output(output: TailorOutput) -> str:
    return json.dumps(mask_value(output.model_dump(mode="json", exclude={"passages"})), ensure_ascii=False)


def _load_output(data: str, stages: Sequence[StageSnapshot]) -> TailorOutput:
    output = TailorOutput.model_validate_json(data)
    return output.model_copy(update={"passages": stages[-1].passages if stages else ()})


def _with_output(events: list[StreamEvent], output: TailorOutput | None) -> list[StreamEvent]:
    """Return the events; the last one has the output with its passages."""
    if output is not None and events and isinstance(events[-1], CompleteEvent):
        return [*events[:-1], CompleteEvent(output=output)]
    return events


def _append_events(db: SqlConnection, tenant: str, record_id: str, first: int, data: bytes) -> bool:
    """Store a piece of events, unless the record has grown too large; return whether it is stored."""
    stored = db.execute(
        "SELECT coalesce(sum(length(data)), 0) AS size FROM answer_events WHERE tenant = ? AND id = ?",
        (tenant, record_id),
    ).fetchone()
    if stored["size"] + len(data) > MOST_EVENT_BYTES:
        return False
    db.execute(
        "INSERT INTO answer_events VALUES (?, ?, ?, ?) "
        "ON CONFLICT (tenant, id, first) DO UPDATE SET data = excluded.data",
        (tenant, record_id, first, data),
    )
    return True


def _select_events(db: SqlConnection, tenant: str, record_id: str) -> list[sqlite3.Row]:
    pieces: list[sqlite3.Row] = db.execute(
        "SELECT first, data FROM answer_events WHERE tenant = ? AND id = ? ORDER BY first", (tenant, record_id)
    ).fetchall()
    return pieces


def _select_stages(db: SqlConnection, tenant: str, row: sqlite3.Row) -> tuple[StageSnapshot, ...]:
    """Return the stages of a record with their passages."""
    if not row["stages"]:
        return ()
    select = "SELECT chunk_id, data FROM answer_passages WHERE tenant = ? AND id = ?"
    passages = db.execute(select, (tenant, row["id"])).fetchall()
    chunks = {passage["chunk_id"]: Chunk.model_validate(unpack(passage["data"])) for passage in passages}
    return unpack_stages(unpack(row["stages"]), chunks)


def _join_events(pieces: Sequence[sqlite3.Row], first: int, state: AnswerState) -> list[StreamEvent]:
    """Return the events from number ``first`` on; what ended without a last event gets the one of its state."""
    events = [event for piece in pieces for event in load_events(piece["data"])]
    if state in {"stopped", "interrupted", "failed"} and not (events and is_terminal(events[-1])):
        events.append(make_ending(state))
    return events[first:]


def _choose_passages(
    chunks: Mapping[str, Chunk], read: frozenset[str]
) -> tuple[list[tuple[str, str, str, int, bytes]], bool]:
    """Return the rows of passages that there is room for, those that were read first, and whether some are left out."""
    rows: list[tuple[str, str, str, int, bytes]] = []
    size = 0
    for chunk in sorted(chunks.values(), key=lambda chunk: chunk.id not in read):
        data = pack_masked(chunk.model_dump_json())
        size += len(data)
        if size > MOST_PASSAGE_BYTES:
            return rows, True
        rows.append((chunk.id, chunk.document_id, chunk.uri, int(chunk.id in read), data))
    return rows, False


def _note_forgotten(db: SqlConnection, tenant: str, record_id: str, uris: Sequence[str], *, blank: bool) -> None:
    row = _require(db, tenant, record_id)
    gone = sorted({*json.loads(row["forgotten"]), *uris})
    db.execute("UPDATE answers SET forgotten = ? WHERE tenant = ? AND id = ?", (json.dumps(gone), tenant, record_id))
    if not blank:
        return
    output = None
    if row["output"]:
        whole = TailorOutput.model_validate_json(row["output"])
        output = TailorOutput(answer=FORGOTTEN, answer_id=whole.answer_id, persona=whole.persona, model=whole.model)
    db.execute(
        "UPDATE answers SET output = ?, stages = NULL WHERE tenant = ? AND id = ?",
        (None if output is None else output.model_dump_json(exclude={"passages"}), tenant, record_id),
    )
    db.execute("DELETE FROM answer_events WHERE tenant = ? AND id = ?", (tenant, record_id))
    db.execute("DELETE FROM answer_passages WHERE tenant = ? AND id = ?", (tenant, record_id))
    if output is not None:
        last = dump_events([CompleteEvent(output=output)])
        db.execute("INSERT INTO answer_events VALUES (?, ?, 0, ?)", (tenant, record_id, last))


def _delete(db: SqlConnection, keys: Sequence[tuple[str, str]]) -> None:
    for table in ("answer_events", "answer_passages", "answers"):
        db.executemany(f"DELETE FROM {table} WHERE tenant = ? AND id = ?", keys)  # noqa: S608


def _summarise(row: sqlite3.Row) -> AnswerSummary:
    return AnswerSummary(
        id=row["id"],
        state=_state_of(row),
        question=json.loads(row["query"])["text"],
        session_id=row["session_id"],
        answer_id=row["answer_id"],
        created_at=datetime.fromisoformat(row["created_at"]),
        ended_at=datetime.fromisoformat(row["ended_at"]) if row["ended_at"] else None,
    )
