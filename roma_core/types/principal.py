"""Who asks: a user or a token with its tenant, groups and roles, and what a role permits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

from pydantic import Field

from roma_core.types.base import Noun, digest
from roma_core.workspace import DEFAULT_TENANT

Role = Literal["reader", "contributor", "analyst", "auditor", "admin"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
SignIn = Literal["local", "token", "account", "oidc", "saml"]
"""How a caller is known: as the user of this machine, by a token, a local account, or an identity provider."""
Permission = Literal[
    "answers.ask",
    "documents.ingest",
    "documents.read_all",
    "pii.read",
    "spend.read",
    "metrics.read",
    "insights.read",
    "audit.read",
    "grants.manage",
    "accounts.manage",
    "service.manage",
]
PERMISSIONS: Final[Mapping[Permission, str]] = {
    "answers.ask": "ask, search, read permitted documents; keep conversations and rate answers",
    "documents.ingest": "ingest sources, and see the jobs that one has started",
    "documents.read_all": "read every document of the tenant without a grant, and see all jobs and sources",
    "pii.read": "see personal data that is masked, in documents and on the pages they were made of",
    "spend.read": "see what models have cost",
    "metrics.read": "read the series of `/metrics`",
    "insights.read": "see the dashboards: evaluations, questions and ratings of all users, and the corpus",
    "audit.read": "search and verify the audit log",
    "grants.manage": "change who may read which collection or document",
    "accounts.manage": "add and disable accounts, end sign-ins, make and revoke tokens",
    "service.manage": "use every other route of the service",
}
"""What each permission allows, by its name."""
_READER: Final[frozenset[Permission]] = frozenset({"answers.ask"})
ROLE_PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = {
    "reader": _READER,
    "contributor": _READER | {"documents.ingest"},
    "analyst": _READER | {"spend.read", "metrics.read", "insights.read"},
    "auditor": frozenset({"audit.read", "metrics.read"}),
    "admin": frozenset(PERMISSIONS),
}
"""The one table of what a role permits."""
LOCAL_USER: Final = "local"
"""Subject of whoever uses this machine: the command line, a notebook, and the service while it needs no sign-in."""


class Principal(Noun):
    """A caller. Every entry makes one, and every use case is handed it.

    ``subject`` is the name of a user, ``token:ID`` for a token that no user owns, or ``local``. Conversations, answers
    and feedback belong to it. ``limited_to`` narrows what the roles permit, as the scopes of a token do.

    >>> Principal(subject="anna", roles=("reader",)).may("documents.ingest")
    False
    """

    subject: str = Field(min_length=1, max_length=200)
    tenant: str = DEFAULT_TENANT
    groups: tuple[str, ...] = ()
    roles: tuple[Role, ...] = ()
    signed_in_by: SignIn = "local"
    limited_to: tuple[Permission, ...] | None = None
    token_id: str = ""
    """Id of the token that was sent, by which costs are counted; empty without one."""

    @classmethod
    def local(cls, tenant: str = DEFAULT_TENANT) -> Principal:
        """Return the user of this machine, who may do everything in ``tenant``."""
        return cls(subject=LOCAL_USER, tenant=tenant, roles=("admin",))

    @property
    def pseudonym(self) -> str:
        """Return a name for records that are not to say who it is: the same one for each caller of a tenant."""
        return digest("user", self.tenant, self.subject)[:16]

    @property
    def permissions(self) -> frozenset[Permission]:
        """Return what the roles permit, as far as it is not narrowed."""
        permitted: frozenset[Permission] = frozenset()
        for role in self.roles:
            permitted |= ROLE_PERMISSIONS[role]
        return permitted if self.limited_to is None else permitted & frozenset(self.limited_to)

    def may(self, permission: Permission) -> bool:
        """Return whether the caller has ``permission``."""
        return permission in self.permissions


class ReadScope(Noun):
    """The documents that a principal may read: what its grants come to, compiled for a search.

    ``collections`` None stands for all; ``hidden`` are ids of documents that are withheld although their collection is
    permitted.

    >>> ReadScope(collections=("hr",)).permits("9b1d", "legal")
    False
    """

    collections: tuple[str, ...] | None = None
    closed: tuple[str, ...] = ()
    """Collections that are withheld where ``collections`` is None."""
    hidden: tuple[str, ...] = ()

    @property
    def is_everything(self) -> bool:
        """Return whether nothing is withheld."""
        return self.collections is None and not self.closed and not self.hidden

    def permits(self, document_id: str, collection: str) -> bool:
        """Return whether a document of ``collection`` may be read."""
        if collection in self.closed or document_id in self.hidden:
            return False
        return self.collections is None or collection in self.collections


EVERYTHING: Final = ReadScope()
NOTHING: Final = ReadScope(collections=())
