"""Grants: what they come to, that they are explained, and that a table which cannot be read shuts."""

from __future__ import annotations

from pathlib import Path

import pytest

from roma_core.errors import InputError, StoreError
from roma_core.identity import MOST_NARROWED, Grantee, GrantTable, Resource, compile_scope, explain_access
from roma_core.types import EVERYTHING, NOTHING, Principal, ReadScope
from roma_core.workspace import Workspace

BOARD, TENANT = Resource("collection", "board"), Resource("tenant")
DIRECTORS = Grantee("group", "directors")


def reader(subject: str = "anna", *groups: str) -> Principal:
    return Principal(subject=subject, groups=groups, roles=("reader",))


@pytest.fixture
def grants(tmp_path: Path) -> GrantTable:
    return GrantTable(tmp_path)


async def test_without_a_grant_everything_is_open_and_no_file_is_made(grants: GrantTable, tmp_path: Path) -> None:
    assert await grants.find_scope(reader()) == EVERYTHING
    assert list(tmp_path.iterdir()) == []


async def test_the_first_grant_restricts_a_collection_to_those_who_are_granted_it(grants: GrantTable) -> None:
    grants.grant("default", BOARD, DIRECTORS, by="local")
    assert await grants.find_scope(reader()) == ReadScope(closed=("board",))
    assert await grants.find_scope(reader("anna", "directors")) == EVERYTHING
    assert await grants.find_scope(Principal.local()) == EVERYTHING
    assert await grants.find_scope(Principal(subject="x", tenant="other", roles=("reader",))) == EVERYTHING


async def test_a_revoked_grant_holds_at_once_and_the_collection_stays_shut(grants: GrantTable, tmp_path: Path) -> None:
    served = GrantTable(tmp_path)
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
