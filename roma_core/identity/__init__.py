"""Who may read which documents: grants on collections and documents, compiled into the scope of a search."""

from __future__ import annotations

from roma_core.identity.grants import (
    MOST_NARROWED,
    AccessDecision,
    Grantee,
    GrantTable,
    Resource,
    ResourceGrants,
    ScopeFinder,
    compile_scope,
    explain_access,
    permit_everything,
)

__all__ = [
    "MOST_NARROWED",
    "AccessDecision",
    "GrantTable",
    "Grantee",
    "Resource",
    "ResourceGrants",
    "ScopeFinder",
    "compile_scope",
    "explain_access",
    "permit_everything",
]
