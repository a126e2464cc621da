"""What a role permits, and what a scope of reading lets through."""

from __future__ import annotations

import pytest

from roma_core.types import EVERYTHING, NOTHING, PERMISSIONS, ROLE_PERMISSIONS, ROLES, Principal, ReadScope


def test_every_role_stands_in_the_table_and_only_an_admin_has_everything() -> None:
    assert set(ROLE_PERMISSIONS) == set(ROLES)
    assert [role for role in ROLES if ROLE_PERMISSIONS[role] == set(PERMISSIONS)] == ["admin"]


@pytest.mark.parametrize(
    ("roles", "permission", "expected"),
    [
        (("reader",), "answers.ask", True),
        (("reader",), "documents.ingest", False),
        (("contributor",), "documents.ingest", True),
        (("analyst",), "spend.read", True),
        (("analyst",), "insights.read", True),
        (("reader",), "insights.read", False),
        (("auditor",), "insights.read", False),
        (("auditor",), "audit.read", True),
        (("auditor",), "answers.ask", False),
        (("auditor", "reader"), "answers.ask", True),
        ((), "answers.ask", False),
    ],
)
def test_a_principal_may_what_one_of_its_roles_permits(roles: tuple, permission: str, expected: bool) -> None:  # type: ignore[type-arg]
    assert Principal(subject="anna", roles=roles).may(permission) is expected  # type: ignore[arg-type]


def test_a_limit_narrows_roles_and_adds_nothing() -> None:
    limited = Principal(subject="anna", roles=("reader",), limited_to=("answers.ask", "documents.ingest"))
    assert limited.permissions == {"answers.ask"}


def test_a_scope_of_collections_lets_through_those_alone() -> None:
    scope = ReadScope(collections=("hr",), hidden=("secret",))
    assert scope.permits("any", "hr")
    assert not scope.permits("secret", "hr")
    assert not scope.permits("any", "legal")
    assert not scope.is_everything


def test_a_closed_collection_is_withheld_where_all_others_are_permitted() -> None:
    scope = ReadScope(closed=("board",))
    assert scope.permits("any", "hr")
    assert not scope.permits("any", "board")
    assert not scope.is_everything


def test_everything_and_nothing_are_what_they_say() -> None:
    assert EVERYTHING.is_everything
    assert EVERYTHING.permits("any", "any")
    assert not NOTHING.permits("any", "any")
