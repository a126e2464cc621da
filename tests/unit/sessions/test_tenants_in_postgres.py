"""PostgreSQL parts the tenants itself: a statement without a condition sees nothing of anybody else."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError

from roma_core import database
from roma_core.sessions import tables
from roma_core.sessions.service import Feedback, Sessions, Turn
from roma_core.types import Principal

ANNA, BEN = Principal(subject="anna", tenant="one"), Principal(subject="ben", tenant="two")
TABLES = ("roma_sessions", "roma_turns", "roma_feedback")


def ask(question: str) -> Turn:
    return Turn(question=question, standalone=question, answer="In 1902.", answer_id="id")


async def fill(sessions: Sessions) -> None:
    for who in (ANNA, BEN):
        await sessions.append(who, "s", ask(f"What does {who.subject} ask?"))
        await sessions.rate(who, Feedback(answer_id="id", rating="up", session_id="s"))


def list_tenants(db: Connection, table: str) -> set[str]:
    return {row[0] for row in db.execute(text(f"SELECT tenant FROM {table}"))}


async def run_as(url: str, tenant: str, statement: str) -> Any:
    engine = create_engine(url)
    with engine.begin() as db:
        tables.enter_tenant(db, tenant)
        found = db.execute(text(statement)).rowcount
    engine.dispose()
    return found


async def test_a_statement_without_a_condition_sees_its_tenants_rows_alone(plain_url: str) -> None:
    sessions = Sessions(plain_url)
    await fill(sessions)
    engine = create_engine(plain_url)
    for table in TABLES:
        with engine.begin() as db:
            assert list_tenants(db, table) == set()
            tables.enter_tenant(db, "one")
            assert list_tenants(db, table) == {"one"}
    engine.dispose()
    await sessions.close()


@pytest.mark.parametrize("table", TABLES)
async def test_nothing_of_another_tenant_is_changed_or_removed(plain_url: str, table: str) -> None:
    sessions = Sessions(plain_url)
    await fill(sessions)
    assert await run_as(plain_url, "one", f"DELETE FROM {table} WHERE tenant = 'two'") == 0
    assert await run_as(plain_url, "one", f"UPDATE {table} SET owner = owner WHERE tenant = 'two'") == 0
    assert await sessions.list_tenants() == {"one", "two"}
    await sessions.close()


async def test_a_row_of_another_tenant_is_refused(plain_url: str) -> None:
    sessions = Sessions(plain_url)
    await fill(sessions)
    with pytest.raises(DBAPIError, match="row-level security"):
        await run_as(plain_url, "one", "UPDATE roma_feedback SET tenant = 'two'")
    await sessions.close()


async def test_the_service_works_under_the_policy(plain_url: str) -> None:
    sessions = Sessions(plain_url)
    await fill(sessions)
    assert [turn.question for turn in await sessions.turns(ANNA, "s")] == ["What does anna ask?"]
    assert [turn.question for turn in await sessions.turns(BEN, "s")] == ["What does ben ask?"]
    assert await sessions.forget_user(ANNA) == 2
    assert await sessions.list_tenants() == {"two"}
    health = await sessions.health()
    assert (health.state, health.reason) == ("ok", "")
    await sessions.close()


async def test_a_role_that_no_policy_holds_for_is_said_in_health(postgres_url: str) -> None:
    sessions = Sessions(postgres_url)
    assert "BYPASSRLS" in (await sessions.health()).reason
    await sessions.close()


async def test_tables_of_before_get_the_policy_with_their_rows(plain_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = database.Schema(
        tables.SESSIONS.name, tables.SESSIONS.title, tables.SESSIONS.steps[:2], consequence="nothing is kept"
    )
    with monkeypatch.context() as old:
        old.setattr(tables, "SESSIONS", before)
        await fill(Sessions(plain_url))
    sessions = Sessions(plain_url)
    assert await sessions.list_tenants() == {"one", "two"}
    engine = create_engine(plain_url)
    with engine.begin() as db:
        assert list_tenants(db, "roma_turns") == set()
    engine.dispose()
    await sessions.close()


async def test_a_tenant_is_forgotten_and_the_other_one_stays(plain_url: str) -> None:
    sessions = Sessions(plain_url)
    await fill(sessions)
    await sessions.rate(ANNA, Feedback(answer_id="elsewhere", rating="down", session_id="never asked in"))
    assert await sessions.forget_tenant("one") == 3
    assert await sessions.list_tenants() == {"two"}
    assert await sessions.feedback(ANNA) == []
    assert len(await sessions.feedback(BEN)) == len(await sessions.turns(BEN, "s")) == 1
    await sessions.close()
