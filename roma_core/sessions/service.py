"""Conversations and feedback on disk: SQLite in the workspace, or whatever database an SQLAlchemy URL names.

Every row has its tenant and every call is told one. Text is redacted before it is stored, so an answer's offsets would
not hold: citations are kept as references (document and offsets), whose words the store of documents still has.
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

from pydantic import Field

from roma_core.database import storage_error
from roma_core.errors import AgentFailure, NotFoundError, guarded
from roma_core.redaction.rules import redact
from roma_core.types import Citation, ComponentHealth, Noun, Verdict
from roma_core.workspace import Workspace

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

T = TypeVar("T")
N = TypeVar("N", bound=Noun)

Rating = Literal["up", "down"]
_TITLE_LENGTH = 80


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
    verdict: Verdict

    @classmethod
    def of(cls, citation: Citation) -> Reference:
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
    """What somebody thought of an answer; one opinion for each answer and session, the last one counts."""

    answer_id: str
    rating: Rating
    comment: str = Field(default="", max_length=4000)
    session_id: str = ""
    created_at: datetime | None = None


def database_url(workspace: Path, url: str | None = None) -> str:
    """``url``, or the SQLite file in the workspace."""
    return url or f"sqlite:///{Workspace(workspace).sessions}"


class Sessions:
    """The database. Raises ``StoreError`` when it is away and ``NotFoundError`` for a session that is not there."""

    def __init__(self, url: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._url = url
        self._now = now
        self._lock = threading.Lock()
        self._opened: Engine | None = None

    async def append(self, tenant: str, session_id: str, turn: Turn) -> None:
        """Add a turn; the first one makes the session and gives it its title."""
        now = self._now()
        row = {
            "tenant": tenant,
            "session_id": session_id,
            "created_at": turn.created_at or now,
            **{name: _kept(getattr(turn, name)) for name in ("question", "standalone", "answer", "model")},
            "answer_id": turn.answer_id,
            "answered": turn.answered,
            "references": [reference.model_dump() for reference in turn.references],
        }
        title = _title(str(row["question"]))
        session = {"tenant": tenant, "id": session_id, "title": title, "created_at": now, "updated_at": now}

        def work(db: Connection) -> None:
            t = _tables()
            t.upsert(db, t.sessions, session, ("updated_at",))
            db.execute(t.turns.insert().values(**row))

        await self._do(work)

    async def turns(self, tenant: str, session_id: str, limit: int = 200) -> list[Turn]:
        """The last ``limit`` turns, oldest first; none for a session that is not there."""

        def work(db: Connection) -> list[Turn]:
            t = _tables()
            statement = t.turns.select().where(*t.of_session(tenant, session_id))
            rows = db.execute(statement.order_by(t.turns.c.position.desc()).limit(limit)).mappings().all()
            return [_read(Turn, t.in_utc(row)) for row in reversed(rows)]

        return await self._do(work)

    async def list(self, tenant: str, limit: int = 100, prefix: str = "") -> list[SessionSummary]:
        """The tenant's sessions, the one used last first; ``prefix`` picks those whose id begins with it."""
        return await self._do(
            lambda db: [SessionSummary(**row) for row in _tables().summaries(db, tenant, limit, prefix)]
        )

    async def rename(self, tenant: str, session_id: str, title: str) -> None:
        def work(db: Connection) -> int:
            t = _tables()
            found = (t.sessions.c.tenant == tenant) & (t.sessions.c.id == session_id)
            return db.execute(t.sessions.update().where(found).values(title=_title(_kept(title)))).rowcount

        if not await self._do(work):
            raise NotFoundError("There is no such session.")

    async def delete(self, tenant: str, session_id: str) -> None:
        """Remove the session with its turns and what was thought of them."""

        def work(db: Connection) -> int:
            t = _tables()
            db.execute(t.turns.delete().where(*t.of_session(tenant, session_id)))
            about = (t.feedback.c.tenant == tenant) & (t.feedback.c.session_id == session_id)
            db.execute(t.feedback.delete().where(about))
            found = (t.sessions.c.tenant == tenant) & (t.sessions.c.id == session_id)
            return db.execute(t.sessions.delete().where(found)).rowcount

        if not await self._do(work):
            raise NotFoundError("There is no such session.")

    async def rate(self, tenant: str, feedback: Feedback) -> None:
        """Keep an opinion; a later one of the same session about the same answer takes its place."""
        row = {
            **feedback.model_dump(),
            "tenant": tenant,
            "comment": _kept(feedback.comment),
            "created_at": feedback.created_at or self._now(),
        }
        await self._do(lambda db: _tables().upsert(db, _tables().feedback, row, ("rating", "comment", "created_at")))

    async def feedback(
        self, tenant: str, answer_id: str | None = None, limit: int = 1000, session_id: str | None = None
    ) -> builtins.list[Feedback]:
        """Opinions, the newest first; about one answer, or of one session, when it is named."""

        def work(db: Connection) -> list[Feedback]:
            table = _tables().feedback
            statement = table.select().where(table.c.tenant == tenant)
            if answer_id is not None:
                statement = statement.where(table.c.answer_id == answer_id)
            if session_id is not None:
                statement = statement.where(table.c.session_id == session_id)
            newest = statement.order_by(table.c.created_at.desc(), table.c.answer_id).limit(limit)
            return [_read(Feedback, _tables().in_utc(row)) for row in db.execute(newest).mappings()]

        return await self._do(work)

    async def health(self) -> ComponentHealth:
        """Down when the database cannot be asked; conversations need it, single questions do not."""
        asked = await guarded("sessions", self._do(lambda db: db.exec_driver_sql("select 1").scalar()))
        if isinstance(asked, AgentFailure):
            return ComponentHealth(name="sessions", state="down", reason=asked.message)
        return ComponentHealth(name="sessions", state="ok")

    async def close(self) -> None:
        """Give the connections back. The next call opens them again."""
        with self._lock:
            engine, self._opened = self._opened, None
        if engine is not None:
            await asyncio.to_thread(engine.dispose)

    async def _do(self, work: Callable[[Connection], T]) -> T:
        """``work`` in one transaction, in a thread."""
        return await asyncio.to_thread(self._transact, work)

    def _transact(self, work: Callable[[Connection], T]) -> T:
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with self._engine().begin() as connection:
                return work(connection)
        except (SQLAlchemyError, OSError) as error:
            cause = getattr(error, "orig", None) or error
            raise storage_error(cause, _tables().SESSIONS, _file_of(self._opened)) from None

    def _engine(self) -> Engine:
        with self._lock:
            if self._opened is None:
                self._opened = _tables().connect(self._url)
            return self._opened


def _tables() -> ModuleType:
    """SQLAlchemy takes a moment to import, and a single question never needs it."""
    from roma_core.sessions import tables

    return tables


def _file_of(engine: Engine | None) -> Path | None:
    """The SQLite file behind ``engine``."""
    found: Path | None = None if engine is None else _tables().file_of(engine.url)
    return found


def _read(kind: type[N], row: Mapping[str, Any]) -> N:
    return kind(**{name: value for name, value in row.items() if name in kind.model_fields})


def _kept(text: str) -> str:
    """What is stored of ``text``: redacted, and without U+0000, which PostgreSQL refuses."""
    return redact(text.replace("\x00", ""))


def _title(question: str) -> str:
    line = " ".join(question.split())
    return line if len(line) <= _TITLE_LENGTH else line[: _TITLE_LENGTH - 1].rstrip() + "…"
