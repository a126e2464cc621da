"""Grants: what they come to, that they are explained, and that a table which cannot be read shuts."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy

from roma_core.errors import InputError, StoreError
from roma_core.identity import MOST_NARROWED, Grantee, GrantTable, Resource, compile_scope, explain_access
from roma_core.identity import grants as module
from roma_core.serverdatabase import share_server
from roma_core.types import EVERYTHING, NOTHING, Principal, ReadScope
from roma_core.workspace import Workspace

BOARD, TENANT = Resource("collection", "board"), Resource("tenant")
DIRECTORS = Grantee("group", "directors")


def reader(subject: str = "anna", *groups: str) -> Principal:
    return Principal(subject=subject, groups=groups, roles=("reader",))


@pytest.fixture(params=["sqlite", "postgresql"])
def server_url(request: pytest.FixtureRequest) -> str | None:
    """Where grants lie: in the workspace, or in a PostgreSQL that replicas share."""
    return None if request.param == "sqlite" else request.getfixturevalue("plain_url")


@pytest.fixture
def grants(tmp_path: Path, server_url: str | None) -> GrantTable:
    return GrantTable(tmp_path, server_url=server_url)


async def test_without_a_grant_everything_is_open_and_no_file_is_made(grants: GrantTable, tmp_path: Path) -> None:
    assert await grants.find_scope(reader()) == EVERYTHING
    assert list(tmp_path.iterdir()) == []


async def test_the_first_grant_restricts_a_collection_to_those_who_are_granted_it(grants: GrantTable) -> None:
    grants.grant("default", BOARD, DIRECTORS, by="local")
    assert await grants.find_scope(reader()) == ReadScope(closed=("board",))
    assert await grants.find_scope(reader("anna", "directors")) == EVERYTHING
    assert await grants.find_scope(Principal.local()) == EVERYTHING
    assert await grants.find_scope(Principal(subject="x", tenant="other", roles=("reader",))) == EVERYTHING


async def test_a_revoked_grant_holds_at_once_and_the_collection_stays_shut(
    grants: GrantTable, tmp_path: Path, server_url: str | None
) -> None:
    folder = tmp_path if server_url is None else tmp_path / "of another replica"
    served = GrantTable(folder, server_url=server_url)
    grants.grant("default", BOARD, Grantee("user", "anna"), by="local")
    assert (await served.find_scope(reader())).permits("any", "board")
    assert grants.revoke("default", BOARD, Grantee("user", "anna"))
    assert not (await served.find_scope(reader())).permits("any", "board"), "another process has revoked it"
    assert not grants.revoke("default", BOARD, Grantee("user", "anna"))


async def test_a_document_narrows_its_collection_and_never_widens_it(grants: GrantTable) -> None:
    grants.grant("default", BOARD, DIRECTORS, by="local")
    grants.grant("default", Resource("document", "d"), Grantee("user", "anna"), by="local")
    assert not (await grants.find_scope(reader("anna"))).permits("d", "board"), "granted, in a collection that is not"
    assert (await grants.find_scope(reader("anna", "directors"))).permits("d", "board")
    bert = await grants.find_scope(reader("bert", "directors"))
    assert not bert.permits("d", "board")
    assert bert.permits("e", "board")


async def test_a_restricted_tenant_opens_what_is_granted_alone(grants: GrantTable) -> None:
    grants.grant("default", TENANT, Grantee("role", "analyst"), by="local")
    grants.grant("default", Resource("collection", "news"), Grantee("everyone"), by="local")
    assert await grants.find_scope(reader()) == ReadScope(collections=("news",))
    analyst = Principal(subject="bert", roles=("analyst",))
    assert (await grants.find_scope(analyst)).permits("any", "whatever comes")


async def test_a_caller_that_may_not_ask_reads_nothing(grants: GrantTable) -> None:
    assert await grants.find_scope(Principal(subject="eve", roles=("auditor",))) == NOTHING


@pytest.mark.parametrize("harm", ["gone", "empty", "damaged"])
async def test_a_table_that_cannot_be_read_shuts(tmp_path: Path, harm: str) -> None:
    before = GrantTable(tmp_path)
    before.grant("default", BOARD, DIRECTORS, by="local")
    before.close()
    path = Workspace(tmp_path).grants
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(b"" if harm == "empty" else b"no database at all" * 1000)
    with pytest.raises(StoreError):
        await GrantTable(tmp_path).find_scope(reader())


@pytest.mark.parametrize(
    ("resource", "grantee"),
    [
        (Resource("collection"), DIRECTORS),
        (Resource("tenant", "board"), DIRECTORS),
        (BOARD, Grantee("everyone", "all")),
        (BOARD, Grantee("group")),
        (BOARD, Grantee("role", "king")),
        (BOARD, Grantee("user", "a\nb")),
        (Resource("document", "x" * 201), DIRECTORS),
    ],
    ids=str,
)
async def test_a_grant_that_means_nothing_is_refused(grants: GrantTable, resource: Resource, grantee: Grantee) -> None:
    with pytest.raises(InputError):
        grants.grant("default", resource, grantee, by="local")
    assert await grants.find_scope(reader()) == EVERYTHING


def test_too_many_documents_with_grants_of_their_own_are_refused(grants: GrantTable) -> None:
    with grants._database.transaction() as db:  # a thousand calls would take seconds
        rows = (("default", "document", str(number), "") for number in range(MOST_NARROWED))
        db.executemany("INSERT INTO resources VALUES (?, ?, ?, ?)", rows)
    with pytest.raises(InputError, match="collection"):
        grants.grant("default", Resource("document", "one more"), DIRECTORS, by="local")
    grants.grant("default", Resource("document", "7"), DIRECTORS, by="local")


@pytest.mark.parametrize(
    ("who", "document_id", "collection", "permitted", "reason"),
    [
        (Principal.local(), "d", "board", True, "admin"),
        (Principal(subject="eve", roles=("auditor",)), "d", "board", False, "No role"),
        (reader("anna", "directors"), "d", "board", True, "granted to group directors"),
        (reader(), "d", "board", False, "granted to group directors alone"),
        (reader(), "d", "main", True, "not restricted"),
        (reader(), "narrow", "main", False, "document 'narrow' is granted to user bert alone"),
    ],
)
def test_a_decision_is_explained_and_agrees_with_the_scope(
    who: Principal, document_id: str, collection: str, permitted: bool, reason: str
) -> None:
    restrictions = {
        BOARD: frozenset({DIRECTORS}),
        Resource("document", "narrow"): frozenset({Grantee("user", "bert")}),
    }
    decision = explain_access(who, restrictions, document_id, collection)
    assert decision.permitted is permitted
    assert reason in " ".join(decision.reasons)
    assert compile_scope(who, restrictions).permits(document_id, collection) is permitted


def test_restricted_resources_are_listed_with_their_grantees(grants: GrantTable) -> None:
    grants.grant("default", BOARD, DIRECTORS, by="local")
    grants.grant("default", BOARD, Grantee("user", "anna"), by="local")
    grants.revoke("default", Resource("collection", "shut"), Grantee("everyone"))
    listed = [(entry.name, entry.grantees) for entry in grants.list("default")]
    assert listed == [("board", ("group directors", "user anna")), ("shut", ())]
    assert grants.list("other") == ()


async def test_readers_at_a_source_are_followed_and_no_more(grants: GrantTable) -> None:
    grants.follow("default", {"d": ["user:anna@example.org"], "e": None})
    grants.follow("default", {"d": ["user:anna@example.org"]})
    anna, bert = reader("anna@example.org"), reader("bert@example.org")
    assert (await grants.find_scope(anna)).permits("d", "any")
    assert not (await grants.find_scope(bert)).permits("d", "any")
    grants.follow("default", {"d": ["user:bert@example.org"]})
    assert not (await grants.find_scope(anna)).permits("d", "any")
    assert grants.unfollow("default", ["d", "e", "f"]) == 2
    assert await grants.find_scope(anna) == EVERYTHING


def test_a_user_is_forgotten_and_a_tenant_with_all_that_it_has(grants: GrantTable) -> None:
    assert grants.forget_user("default", "anna") == 0
    grants.grant("default", BOARD, Grantee("user", "anna"), by="anna")
    grants.grant("default", BOARD, DIRECTORS, by="anna")
    grants.grant("lab", BOARD, DIRECTORS, by="bert")
    assert grants.forget_user("default", "anna") == 2
    assert [entry.grantees for entry in grants.list("default")] == [("group directors",)]
    assert grants.forget_tenant("default") == 2
    assert grants.list("default") == ()
    assert len(grants.list("lab")) == 1


async def test_a_server_takes_over_the_grants_of_each_workspace(tmp_path: Path, plain_url: str) -> None:
    for tenant in ("default", "lab"):
        of_before = GrantTable(tmp_path / tenant)
        of_before.grant(tenant, BOARD, DIRECTORS, by="local")
        of_before.close()
        shared = GrantTable(tmp_path / tenant, tenant, plain_url)
        assert not (await shared.find_scope(Principal(subject="x", tenant=tenant, roles=("reader",)))).permits(
            "d", "board"
        )
        assert_no_rows_are_left(tmp_path / tenant)
    elsewhere = GrantTable(tmp_path / "new", None, plain_url)
    assert [len(elsewhere.list(tenant)) for tenant in ("default", "lab")] == [1, 1]


async def test_grants_on_a_server_shut_a_workspace_that_does_not_name_it(tmp_path: Path, plain_url: str) -> None:
    GrantTable(tmp_path, None, plain_url).grant("default", BOARD, DIRECTORS, by="local")
    without = GrantTable(tmp_path)
    with pytest.raises(StoreError, match="ROMA_DATABASE_URL"):
        await without.find_scope(reader())
    with pytest.raises(StoreError, match="ROMA_DATABASE_URL"):
        without.grant("default", BOARD, Grantee("everyone"), by="local")


async def test_a_file_that_is_gone_shuts_on_a_server_too(tmp_path: Path, plain_url: str) -> None:
    of_before = GrantTable(tmp_path)
    of_before.grant("default", BOARD, DIRECTORS, by="local")
    of_before.close()
    Workspace(tmp_path).grants.unlink()
    with pytest.raises(StoreError, match="gone"):
        await GrantTable(tmp_path, None, plain_url).find_scope(reader())


def assert_no_rows_are_left(folder: Path) -> None:
    with closing(sqlite3.connect(Workspace(folder).grants)) as db:
        assert [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in module.TABLES] == [0, 0, 0]


async def test_a_server_that_has_lost_its_grants_shuts(tmp_path: Path, plain_url: str, postgres_url: str) -> None:
    GrantTable(tmp_path, None, plain_url).grant("default", BOARD, DIRECTORS, by="local")
    engine = sqlalchemy.create_engine(plain_url)
    with engine.begin() as db:
        for table in ("roma_grants", "roma_resources", "roma_followed", "roma_state_marks", "roma_schema_versions"):
            db.execute(sqlalchemy.text(f"DROP TABLE IF EXISTS {table}"))
    engine.dispose()
    share_server.cache_clear()
    with pytest.raises(StoreError, match="ROMA_DATABASE_URL"):
        await GrantTable(tmp_path, None, plain_url).find_scope(reader())
