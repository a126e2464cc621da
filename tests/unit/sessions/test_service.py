"""Conversations on disk: kept, listed, renamed, deleted, redacted, apart by tenant, safe under several writers."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from roma_core.errors import ConfigError, ErrorCode, NotFoundError, StoreError
from roma_core.sessions.service import Feedback, Reference, Sessions, Turn, database_url
from roma_core.types import Citation, Principal
from tests.fakes.disk import fill, small_disk

KEY = "sk-ant-" + "a1B2c3D4e5F6g7H8"

T, ONE, TWO, THREE = (Principal.local(tenant) for tenant in ("t", "one", "two", "three"))


def turn(question: str = "When was it built?", answer: str = "In 1902 [1].", **fields: Any) -> Turn:
    return Turn(question=question, standalone=question, answer=answer, answer_id="id", **fields)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


async def test_what_is_appended_is_read_back(sessions: Sessions) -> None:
    citation = Citation(
        marker=1, chunk_id="c", document_id="d", uri="u", title="T", start=3, end=9, quote="quoted", answer_start=0,
        answer_end=4, verdict="verbatim",
    )  # fmt: skip
    reference = Reference.of(citation)
    await sessions.append(T, "s", turn(references=(reference,), answered=False, model="fake:fake"))
    (found,) = await sessions.turns(T, "s")
    assert found.question == "When was it built?"
    assert found.references == (reference,)
    assert (found.answered, found.model) == (False, "fake:fake")
    assert found.created_at is not None
    assert found.created_at.tzinfo is not None
    assert "quote" not in reference.model_dump()


async def test_turns_keep_their_order_and_the_last_ones_win(sessions: Sessions) -> None:
    for i in range(5):
        await sessions.append(T, "s", turn(f"q{i}"))
    assert [t.question for t in await sessions.turns(T, "s")] == [f"q{i}" for i in range(5)]
    assert [t.question for t in await sessions.turns(T, "s", limit=2)] == ["q3", "q4"]
    assert await sessions.turns(T, "other") == []


async def test_sessions_are_listed_renamed_and_deleted(sessions_url: str) -> None:
    sessions = Sessions(sessions_url, now=Clock())
    await sessions.append(T, "a", turn("First question of a?"))
    await sessions.append(T, "b", turn("x" * 200))
    await sessions.append(T, "a", turn("Second"))
    listed = await sessions.list(T)
    assert [(s.id, s.turns) for s in listed] == [("a", 2), ("b", 1)]
    assert listed[0].title == "First question of a?"
    assert len(listed[1].title) == 80
    assert listed[0].updated_at > listed[0].created_at
    assert [s.id for s in await sessions.list(T, limit=1)] == ["a"]
    await sessions.rename(T, "b", " A better\n name ")
    assert (await sessions.list(T))[1].title == "A better name"
    await sessions.rate(T, Feedback(answer_id="id", rating="up", session_id="a"))
    await sessions.delete(T, "a")
    assert [s.id for s in await sessions.list(T)] == ["b"]
    assert await sessions.turns(T, "a") == []
    assert await sessions.feedback(T) == []
    await sessions.close()


async def test_sessions_are_listed_by_how_their_ids_begin(sessions: Sessions) -> None:
    for session_id in ("token:1:a", "token:11:b", "token_1:c", "TOKEN:1:d", "%:e"):
        await sessions.append(T, session_id, turn())
    for prefix, found in (("token:1:", ["token:1:a"]), ("%", ["%:e"]), ("token_1:", ["token_1:c"]), ("none", [])):
        assert [s.id for s in await sessions.list(T, prefix=prefix)] == found
    assert len(await sessions.list(T)) == 5


@pytest.mark.parametrize("call", ["rename", "delete"])
async def test_what_is_not_there_is_said(sessions: Sessions, call: str) -> None:
    arguments = (T, "nothing", "title") if call == "rename" else (T, "nothing")
    with pytest.raises(NotFoundError):
        await getattr(sessions, call)(*arguments)


async def test_tenants_are_apart(sessions: Sessions) -> None:
    await sessions.append(ONE, "s", turn("of one"))
    await sessions.append(TWO, "s", turn("of two"))
    await sessions.rate(ONE, Feedback(answer_id="id", rating="up", session_id="s"))
    assert [t.question for t in await sessions.turns(ONE, "s")] == ["of one"]
    assert await sessions.feedback(TWO) == []
    with pytest.raises(NotFoundError):
        await sessions.delete(THREE, "s")
    await sessions.delete(TWO, "s")
    assert [t.question for t in await sessions.turns(ONE, "s")] == ["of one"]
    assert len(await sessions.feedback(ONE)) == 1


async def test_secrets_and_personal_data_never_reach_the_disk(tmp_path: Path) -> None:
    sessions = Sessions(database_url(tmp_path))
    text = f"my key {KEY} and mail jane.doe@example.org"
    await sessions.append(T, "s", turn(text, text))
    await sessions.rename(T, "s", text)
    await sessions.rate(T, Feedback(answer_id="id", rating="down", comment=text))
    await sessions.close()
    written = b"".join(path.read_bytes() for path in tmp_path.glob("sessions.db*"))
    assert b"redacted:api_key" in written
    assert KEY.encode() not in written
    assert b"jane.doe" not in written


async def test_the_last_opinion_counts(sessions: Sessions) -> None:
    await sessions.rate(T, Feedback(answer_id="a", rating="up"))
    await sessions.rate(T, Feedback(answer_id="a", rating="down", comment="wrong year"))
    await sessions.rate(T, Feedback(answer_id="b", rating="up"))
    assert len(await sessions.feedback(T)) == 2
    (found,) = await sessions.feedback(T, "a")
    assert (found.rating, found.comment) == ("down", "wrong year")
    await sessions.rate(T, Feedback(answer_id="a", rating="up", session_id="s"))
    assert [(f.answer_id, f.rating) for f in await sessions.feedback(T, session_id="s")] == [("a", "up")]


async def test_several_writers_lose_nothing(sessions_url: str) -> None:
    """Several handles on one empty database, as several processes have, and many tasks."""
    handles = [Sessions(sessions_url) for _ in range(4)]
    await asyncio.gather(*(handles[i % 4].append(T, f"s{i % 3}", turn(f"q{i}")) for i in range(60)))
    listed = await handles[0].list(T)
    assert sum(s.turns for s in listed) == 60
    said = [t.question for s in listed for t in await handles[1].turns(T, s.id)]
    assert sorted(said) == sorted(f"q{i}" for i in range(60))
    for handle in handles:
        await handle.close()


async def test_characters_that_databases_refuse_are_left_out(sessions: Sessions) -> None:
    """A question may hold U+0000 (JSON can spell it), which PostgreSQL cannot store."""
    await sessions.append(T, "s", turn("a\x00b", "c\x00d"))
    await sessions.rename(T, "s", "e\x00f")
    await sessions.rate(T, Feedback(answer_id="id", rating="up", comment="g\x00h"))
    (found,) = await sessions.turns(T, "s")
    assert (found.question, found.standalone, found.answer) == ("ab", "ab", "cd")
    assert (await sessions.list(T))[0].title == "ef"
    assert (await sessions.feedback(T))[0].comment == "gh"


async def test_closing_twice_and_opening_again(sessions: Sessions) -> None:
    await sessions.append(T, "s", turn())
    await sessions.close()
    await sessions.close()
    assert len(await sessions.turns(T, "s")) == 1


async def test_a_broken_file_is_a_typed_error_without_its_text(tmp_path: Path) -> None:
    (tmp_path / "sessions.db").write_bytes(b"this is not a database at all" * 200)
    sessions = Sessions(database_url(tmp_path))
    with pytest.raises(StoreError) as raised:
        await sessions.append(T, "s", turn("a very private question"))
    assert raised.value.code is ErrorCode.STORAGE_CORRUPT
    assert "private" not in raised.value.message
    health = await sessions.health()
    assert (health.name, health.state) == ("sessions", "down")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("database is locked", ErrorCode.STORAGE_LOCKED),
        ("database or disk is full", ErrorCode.STORAGE_FULL),
        ("connection refused", ErrorCode.STORAGE_UNAVAILABLE),
    ],
)
async def test_what_the_driver_says_decides_the_code(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch, words: str, code: ErrorCode
) -> None:
    def refuse(*_: Any) -> None:
        raise OperationalError("insert private text", {}, Exception(words))

    monkeypatch.setattr("roma_core.sessions.tables.connect", refuse)
    with pytest.raises(StoreError) as raised:
        await sessions.turns(T, "s")
    assert raised.value.code is code
    assert raised.value.recoverable


async def test_health(sessions: Sessions) -> None:
    assert (await sessions.health()).state == "ok"


def test_another_database_can_be_named(tmp_path: Path) -> None:
    assert database_url(tmp_path, "postgresql+psycopg://host/db") == "postgresql+psycopg://host/db"
    assert database_url(tmp_path).endswith("/sessions.db")


def test_the_statements_are_portable() -> None:
    """The same statements compile for PostgreSQL."""
    from sqlalchemy.dialects import postgresql
    from sqlalchemy.schema import CreateTable

    from roma_core.sessions import tables

    made = [str(CreateTable(t).compile(dialect=postgresql.dialect())) for t in tables.metadata.sorted_tables]
    assert any("position SERIAL" in statement for statement in made)
    assert all("CREATE TABLE roma_" in statement for statement in made)


async def test_a_workspace_that_is_away_and_comes_back(tmp_path: Path) -> None:
    """What is said meanwhile is refused and never written to the file that was moved; then all goes on."""
    folder, away = tmp_path / "ws", tmp_path / "away"
    sessions = Sessions(database_url(folder))
    await asyncio.gather(*(sessions.append(T, "s", turn(f"before {i}")) for i in range(8)))
    folder.rename(away)
    for call in (lambda: sessions.append(T, "s", turn("lost")), lambda: sessions.list(T)):
        with pytest.raises(StoreError) as caught:
            await call()
        assert caught.value.code is ErrorCode.STORAGE_UNAVAILABLE
    assert ((await sessions.health()).state, folder.exists()) == ("down", False)
    away.rename(folder)
    await sessions.append(T, "s", turn("after"))
    assert [t.question for t in await sessions.turns(T, "s")][8:] == ["after"]
    assert (await sessions.list(T))[0].turns == 9
    await sessions.close()


async def test_a_database_that_is_deleted_or_replaced(tmp_path: Path) -> None:
    sessions, other = Sessions(database_url(tmp_path / "ws")), Sessions(database_url(tmp_path / "backup"))
    await sessions.append(T, "s", turn("old"))
    await other.append(T, "s", turn("restored"))
    await other.close()
    for path in (tmp_path / "ws").iterdir():
        path.unlink()
    with pytest.raises(StoreError):
        await sessions.append(T, "s", turn("lost"))
    assert list((tmp_path / "ws").iterdir()) == [], "an empty one would hide what comes back"
    (tmp_path / "backup" / "sessions.db").rename(tmp_path / "ws" / "sessions.db")
    await sessions.append(T, "s", turn("new"))
    assert [t.question for t in await sessions.turns(T, "s")] == ["restored", "new"]
    await sessions.close()


@pytest.mark.parametrize("opened_before", [True, False])
async def test_a_full_disk_can_be_read_and_is_named(tmp_path: Path, opened_before: bool) -> None:
    with small_disk(tmp_path / "disk", 4) as disk:
        sessions = Sessions(database_url(disk))
        await sessions.append(T, "s", turn("before"))
        if not opened_before:
            await sessions.close()
        ballast = fill(disk)
        assert (await sessions.health()).state == "ok"
        lists = await asyncio.gather(*(sessions.list(T) for _ in range(8)))
        assert {found[0].turns for found in lists} == {1}
        with pytest.raises(StoreError, match="disk is full") as caught:
            await sessions.append(T, "s", turn("more " * 10_000))
        assert caught.value.code is ErrorCode.STORAGE_FULL
        ballast.unlink()
        await sessions.append(T, "s", turn("after"))
        assert [t.question for t in await sessions.turns(T, "s")] == ["before", "after"]
        await sessions.close()


def test_the_file_is_private(tmp_path: Path) -> None:
    asyncio.run(Sessions(database_url(tmp_path / "ws")).list(T))
    assert (tmp_path / "ws" / "sessions.db").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "ws").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql+psycopg://joe:pw-of-joe@host/db", r"pip install 'roma-core\[postgres\]'"),
        ("mysql+nosuchdriver://joe:pw-of-joe@host/db", "no SQLAlchemy URL"),
        ("joe:pw-of-joe@host", "no SQLAlchemy URL"),
    ],
)
async def test_an_address_that_cannot_be_used_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch, url: str, says: str
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError, match=says) as caught:
        await Sessions(url).list(T)
    assert "pw-of-joe" not in caught.value.message
    health = await Sessions(url).health()
    assert (health.state, health.reason) == ("down", caught.value.message)


async def test_the_steps_make_the_tables_that_the_statements_need(sessions_url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from roma_core.sessions import tables

    engine = tables.connect(sessions_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_name": lambda name, kind, _: (kind, name) != ("table", "roma_schema")}
        )
        assert compare_metadata(context, tables.metadata) == []
    engine.dispose()


async def test_a_database_of_a_newer_roma_is_refused(sessions_url: str) -> None:
    from roma_core.sessions import tables

    engine = tables.connect(sessions_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO roma_schema VALUES ('sessions', 99, '9.1.0', '')")
    engine.dispose()
    sessions = Sessions(sessions_url)
    with pytest.raises(StoreError, match=r"ROMA 9\.1\.0 or newer") as caught:
        await sessions.list(T)
    assert caught.value.code is ErrorCode.STORAGE_NEWER
    assert (await sessions.health()).state == "down"


async def test_a_process_that_has_the_file_open_stops_when_a_newer_roma_changes_it(tmp_path: Path) -> None:
    sessions = Sessions(database_url(tmp_path))
    assert await sessions.list(T) == []
    with sqlite3.connect(tmp_path / "sessions.db") as db:
        db.execute("INSERT INTO roma_schema VALUES ('sessions', 99, '9.1.0', '')")
    db.close()
    with pytest.raises(StoreError) as caught:
        await sessions.list(T)
    assert caught.value.code is ErrorCode.STORAGE_NEWER
    await sessions.close()


ANNA, BERT = (Principal(subject=name, tenant="t", roles=("reader",)) for name in ("anna", "bert"))


async def test_a_conversation_belongs_to_its_user_within_the_tenant(sessions: Sessions) -> None:
    await sessions.append(ANNA, "s", turn("of anna"))
    await sessions.append(BERT, "s", turn("of bert"))
    await sessions.rate(ANNA, Feedback(answer_id="id", rating="up", session_id="s"))
    assert [t.question for t in await sessions.turns(BERT, "s")] == ["of bert"], "one id, two conversations"
    assert [s.title for s in await sessions.list(ANNA)] == ["of anna"]
    assert await sessions.feedback(BERT) == []
    await sessions.rename(BERT, "s", "renamed")
    await sessions.delete(BERT, "s")
    assert [t.question for t in await sessions.turns(ANNA, "s")] == ["of anna"]
    assert (await sessions.list(ANNA))[0].title == "of anna"
    assert len(await sessions.feedback(ANNA)) == 1


async def test_conversations_of_before_owners_go_to_their_token_or_to_the_user_of_the_machine(tmp_path: Path) -> None:
    from roma_core.database import connect
    from roma_core.sessions.tables import SESSIONS

    before = replace(SESSIONS, steps=SESSIONS.steps[:1])
    db = connect(tmp_path / "sessions.db", before)
    now = "2026-11-01 10:00:00"
    for session_id in ("demo", "token:4f9a61c0de77:chat"):
        db.execute("INSERT INTO roma_sessions VALUES ('t', ?, 'Title', ?, ?)", (session_id, now, now))
        for question in ("first", "second"):
            row = ("t", session_id, question, question, "answer", "id", 1, "", "[]", now)
            db.execute(
                "INSERT INTO roma_turns (tenant, session_id, question, standalone, answer, answer_id, answered, model, "
                '"references", created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
                row,
            )
        db.execute("INSERT INTO roma_feedback VALUES ('t', 'id', ?, 'up', '', ?)", (session_id, now))
    db.close()
    sessions = Sessions(database_url(tmp_path))
    token = Principal(subject="token:4f9a61c0de77", tenant="t")
    for who, session_id in ((T, "demo"), (token, "token:4f9a61c0de77:chat")):
        assert [s.id for s in await sessions.list(who)] == [session_id]
        assert [t.question for t in await sessions.turns(who, session_id)] == ["first", "second"]
        assert [f.session_id for f in await sessions.feedback(who)] == [session_id]
    assert await sessions.list(ANNA) == []
