"""Conversations and feedback on disk: SQLite in the workspace, or the database that an SQLAlchemy URL names.

Every row has its tenant and its owner, and every call names a principal, who sees its own rows alone. Text is redacted
before it is stored, so an answer's offsets would not hold: citations are kept as references (document and offsets),
whose words the store of documents still has.
"""

from __future__ import annotations

import asyncio
import builtins
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import Field, field_validator

from roma_core.database import storage_error
from roma_core.errors import AccessError, AgentFailure, ErrorCode, NotFoundError, guarded
from roma_core.redaction.rules import redact
from roma_core.rowsecurity import is_exempt_from_policies
from roma_core.types import DEFAULT_TENANT, Citation, CitationVerdict, ComponentHealth, Noun, Principal
from roma_core.workspace import Workspace

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

T = TypeVar("T")
N = TypeVar("N", bound=Noun)

Rating = Literal["up", "down"]
EXEMPT = (
    "PostgreSQL does not part the tenants for this role, since it is a superuser or has BYPASSRLS; ROMA's own "
    "conditions do. Give ROMA_DATABASE_URL a role of its own."
)
_TITLE_LENGTH = 80
FORGOTTEN = "This answer quoted a document that was forgotten."
"""Stands for the words of an answer whose source was removed on demand."""


class Reference(Noun):
    """A citation without its words: ``document.text[start:end]`` has them."""

    marker: int
    document_id: str
    uri: str
    title: str
    page: int | None = None
    place: str = ""
    start: int
    end: int
    verdict: CitationVerdict

    @field_validator("verdict", mode="before")
    @classmethod
    def _current_name(cls, verdict: object) -> object:
        """Read a conversation that was stored when *unchecked* was called *unverified*."""
        return "unchecked" if verdict == "unverified" else verdict

    @classmethod
    def of(cls, citation: Citation) -> Reference:
        """Make a reference from a citation, without its quote and claim."""
        return cls(**citation.model_dump(include=set(cls.model_fields)))


class Turn(Noun):
    """One question with its answer. ``standalone`` is the question as it was looked up."""

    question: str
    standalone: str
    answer: str
    answer_id: str
    answered: bool = True
    model: str = ""
    references: tuple[Reference, ...] = ()
    created_at: datetime | None = None


class SessionSummary(Noun):
    """A conversation in a list."""

    id: str
    title: str
    turns: int
    created_at: datetime
    updated_at: datetime


class Feedback(Noun):
    """A rating of an answer. A session has one for each answer; the last one counts."""

    answer_id: str
    rating: Rating
    comment: str = Field(default="", max_length=4000)
    session_id: str = ""
    created_at: datetime | None = None


class GivenFeedback(Feedback):
    """A rating with the user who gave it and the question that was asked, where its conversation is kept."""

    owner: str = ""
    question: str = ""
    answered: bool | None = None


def database_url(workspace: Path, url: str | None = None) -> str:
    """Return ``url``, or the address of the SQLite file in the workspace."""
    return url or f"sqlite:///{Workspace(workspace).sessions}"


class Sessions:
    """Database of conversations. Raises ``StoreError`` when it cannot be used.

    >>> sessions = Sessions(database_url(Path(".roma")))
    >>> asyncio.run(sessions.turns(Principal.local(), "first"))
    []
    """

    def __init__(self, url: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._url = url
        self._now = now
        self._lock = threading.Lock()
        self._open_engine: Engine | None = None

    async def append(self, who: Principal, session_id: str, turn: Turn) -> None:
        """Add a turn; the first one makes the session and gives it its title."""
        now = self._now()
        row = {
            **_own(who),
            "session_id": session_id,
            "created_at": turn.created_at or now,
            **{name: _redact_text(getattr(turn, name)) for name in ("question", "standalone", "answer", "model")},
            "answer_id": turn.answer_id,
            "answered": turn.answered,
            "references": [reference.model_dump() for reference in turn.references],
        }
        title = _make_title(str(row["question"]))
        session = {**_own(who), "id": session_id, "title": title, "created_at": now, "updated_at": now}

        def work(db: Connection) -> None:
            t = _tables()
            t.upsert(db, t.sessions, session, ("updated_at",))
            db.execute(t.turns.insert().values(**row))

        await self._run(who.tenant, work)

    async def turns(self, who: Principal, session_id: str, limit: int = 200) -> list[Turn]:
        """Return the last ``limit`` turns, oldest first; none for a session that does not exist."""

        def work(db: Connection) -> list[Turn]:
            t = _tables()
            statement = t.turns.select().where(*t.match_session(who, session_id))
            rows = db.execute(statement.order_by(t.turns.c.position.desc()).limit(limit)).mappings().all()
            return [_parse_row(Turn, t.with_utc_times(row)) for row in reversed(rows)]

        return await self._run(who.tenant, work)

    async def list(self, who: Principal, limit: int = 100, prefix: str = "") -> list[SessionSummary]:
        """Return the sessions of a user, the one used last first, of those whose id begins with ``prefix``."""
        return await self._run(
            who.tenant, lambda db: [SessionSummary(**row) for row in _tables().select_summaries(db, who, limit, prefix)]
        )

    async def rename(self, who: Principal, session_id: str, title: str) -> None:
        """Give a session another title. Raises ``NotFoundError``."""

        def work(db: Connection) -> int:
            t = _tables()
            is_session = t.is_own(t.sessions, who) & (t.sessions.c.id == session_id)
            new_title = _make_title(_redact_text(title))
            return db.execute(t.sessions.update().where(is_session).values(title=new_title)).rowcount

        if not await self._run(who.tenant, work):
            raise NotFoundError("There is no such session.")

    async def delete(self, who: Principal, session_id: str) -> None:
        """Remove a session with its turns and ratings. Raises ``NotFoundError``."""

        def work(db: Connection) -> int:
            t = _tables()
            db.execute(t.turns.delete().where(*t.match_session(who, session_id)))
            is_about_it = t.is_own(t.feedback, who) & (t.feedback.c.session_id == session_id)
            db.execute(t.feedback.delete().where(is_about_it))
            is_session = t.is_own(t.sessions, who) & (t.sessions.c.id == session_id)
            return db.execute(t.sessions.delete().where(is_session)).rowcount

        if not await self._run(who.tenant, work):
            raise NotFoundError("There is no such session.")

    async def forget_documents(self, tenant: str, document_ids: builtins.list[str]) -> int:
        """Blank the answers that cite one of these documents, since they quote it; return how many."""
        forgotten = set(document_ids)

        def work(db: Connection) -> int:
            t = _tables()
            blanked = 0
            statement = t.turns.select().where(t.turns.c.tenant == tenant)
            for row in db.execute(statement).mappings().all():
                references = row["references"]
                kept = [reference for reference in references if reference["document_id"] not in forgotten]
                if len(kept) < len(references):
                    is_turn = t.turns.c.position == row["position"]
                    db.execute(t.turns.update().where(is_turn).values(answer=FORGOTTEN, references=kept))
                    blanked += 1
            return blanked

        return await self._run(tenant, work)

    async def list_ids(self, who: Principal) -> builtins.list[str]:
        """Return the ids of all conversations of a user."""

        def work(db: Connection) -> list[str]:
            t = _tables()
            own = t.sessions.select().with_only_columns(t.sessions.c.id).where(t.is_own(t.sessions, who))
            return [row[0] for row in db.execute(own.order_by(t.sessions.c.id))]

        return await self._run(who.tenant, work)

    async def list_tenants(self) -> set[str]:
        """Return the tenants that have conversations."""

        def work(db: Connection) -> set[str]:
            t = _tables()
            return {row[0] for row in db.execute(t.sessions.select().with_only_columns(t.sessions.c.tenant).distinct())}

        return await self._run(None, work)

    async def forget_user(self, who: Principal) -> int:
        """Remove every conversation and rating of a user; return how many turns and ratings there were."""

        def work(db: Connection) -> int:
            t = _tables()
            removed = db.execute(t.turns.delete().where(t.is_own(t.turns, who))).rowcount
            removed += db.execute(t.feedback.delete().where(t.is_own(t.feedback, who))).rowcount
            db.execute(t.sessions.delete().where(t.is_own(t.sessions, who)))
            return int(removed)

        return await self._run(who.tenant, work)

    async def forget_tenant(self, tenant: str) -> int:
        """Remove every conversation and rating of a tenant; return how many turns and ratings there were."""

        def work(db: Connection) -> int:
            t = _tables()
            removed = 0
            for table in (t.turns, t.feedback, t.sessions):
                rows = db.execute(table.delete().where(table.c.tenant == tenant)).rowcount
                removed += rows if table is not t.sessions else 0
            return int(removed)

        return await self._run(tenant, work)

    async def delete_before(
        self, tenant: str, moment: datetime, owners_on_hold: frozenset[str], *, counts_only: bool = False
    ) -> int:
        """Remove conversations that were last used before ``moment``, with their ratings; return how many.

        Those of ``owners_on_hold`` stay. ``counts_only`` removes none.
        """

        def work(db: Connection) -> int:
            t = _tables()
            is_old = (t.sessions.c.tenant == tenant) & (t.sessions.c.updated_at < moment)
            rows = db.execute(t.sessions.select().where(is_old)).mappings().all()
            gone = [row for row in rows if row["owner"] not in owners_on_hold]
            for row in gone if not counts_only else ():
                for table, column in ((t.turns, "session_id"), (t.feedback, "session_id"), (t.sessions, "id")):
                    is_of_it = (table.c.tenant == tenant) & (table.c.owner == row["owner"])
                    db.execute(table.delete().where(is_of_it & (table.c[column] == row["id"])))
            return len(gone)

        return await self._run(tenant, work)

    async def rate(self, who: Principal, feedback: Feedback) -> None:
        """Store a rating; a later one of the same session for the same answer replaces it."""
        row = {
            **feedback.model_dump(),
            **_own(who),
            "comment": _redact_text(feedback.comment),
            "created_at": feedback.created_at or self._now(),
        }
        await self._run(
            who.tenant, lambda db: _tables().upsert(db, _tables().feedback, row, ("rating", "comment", "created_at"))
        )

    async def feedback(
        self,
        who: Principal,
        answer_id: str | None = None,
        limit: int = 1000,
        session_id: str | None = None,
        *,
        everyone: bool = False,
    ) -> builtins.list[Feedback]:
        """Return the ratings of a user, the newest first; of one answer or one session when it is given.

        ``everyone``: those of all users of the tenant, for who manages the service. Raises ``AccessError``.
        """
        if everyone and not who.may("service.manage"):
            raise AccessError("Ratings of all users are for who manages the service.", ErrorCode.ACCESS_FORBIDDEN)

        def work(db: Connection) -> list[Feedback]:
            table = _tables().feedback
            statement = table.select().where(table.c.tenant == who.tenant if everyone else _tables().is_own(table, who))
            if answer_id is not None:
                statement = statement.where(table.c.answer_id == answer_id)
            if session_id is not None:
                statement = statement.where(table.c.session_id == session_id)
            newest = statement.order_by(table.c.created_at.desc(), table.c.answer_id).limit(limit)
            return [_parse_row(Feedback, _tables().with_utc_times(row)) for row in db.execute(newest).mappings()]

        return await self._run(who.tenant, work)

    async def all_feedback(
        self, tenant: str, *, rating: Rating | None = None, limit: int = 1000
    ) -> builtins.list[GivenFeedback]:
        """Return the ratings of all users of a tenant, the newest first: for whoever looks after it.

        >>> await roma.sessions.all_feedback("default", rating="down")  # doctest: +SKIP
        """

        def work(db: Connection) -> list[GivenFeedback]:
            rows = _tables().select_feedback(db, tenant, rating, limit)
            return [_parse_row(GivenFeedback, _tables().with_utc_times(row)) for row in rows]

        return await self._run(tenant, work)

    async def health(self) -> ComponentHealth:
        """Report the database as down when a query fails; conversations need it, single questions do not."""

        def work(db: Connection) -> bool:
            db.exec_driver_sql("select 1")
            return is_exempt_from_policies(db)

        is_exempt = await guarded("sessions", self._run(DEFAULT_TENANT, work))
        if isinstance(is_exempt, AgentFailure):
            return ComponentHealth(name="sessions", state="down", reason=is_exempt.message)
        if is_exempt:
            return ComponentHealth(name="sessions", reason=EXEMPT)
        return ComponentHealth(name="sessions", state="ok")

    async def close(self) -> None:
        """Close the connections; the next call opens them again."""
        with self._lock:
            engine, self._open_engine = self._open_engine, None
        if engine is not None:
            await asyncio.to_thread(engine.dispose)

    async def _run(self, tenant: str | None, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a thread, in one transaction that sees the rows of ``tenant``; of all for None."""
        return await asyncio.to_thread(self._transact, tenant, work)

    def _transact(self, tenant: str | None, work: Callable[[Connection], T]) -> T:
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with self._engine().begin() as connection:
                _tables().enter_tenant(connection, tenant)
                return work(connection)
        except (SQLAlchemyError, OSError) as error:
            cause = getattr(error, "orig", None) or error
            raise storage_error(cause, _tables().SESSIONS, _find_file(self._url)) from None

    def _engine(self) -> Engine:
        with self._lock:
            if self._open_engine is None:
                self._open_engine = _tables().connect(self._url)
            return self._open_engine


def _own(who: Principal) -> dict[str, str]:
    """Return the columns that say whose a row is."""
    return {"tenant": who.tenant, "owner": who.subject}


def _tables() -> ModuleType:
    """Import the tables. SQLAlchemy takes a moment to import, and a single question never needs it."""
    from roma_core.sessions import tables

    return tables


def _find_file(url: str) -> Path | None:
    """Return the SQLite file that an address names; None for a server, and for what is no address."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        path: Path | None = _tables().find_file(make_url(url))
    except ArgumentError:
        return None
    return path


def _parse_row(kind: type[N], row: Mapping[str, Any]) -> N:
    return kind(**{name: value for name, value in row.items() if name in kind.model_fields})


def _redact_text(text: str) -> str:
    """Return ``text`` as it is stored: redacted, and without U+0000, which PostgreSQL rejects."""
    return redact(text.replace("\x00", ""))


def _make_title(question: str) -> str:
    line = " ".join(question.split())
    return line if len(line) <= _TITLE_LENGTH else line[: _TITLE_LENGTH - 1].rstrip() + "…"
