"""Grants: which users, groups and roles may read the tenant, a collection, or a document.

A resource that nobody has restricted is open to every reader of its tenant. The first grant on it restricts it to those
who are granted; it stays restricted when the last grant is revoked. A collection without a restriction of its own
follows its tenant, and a document may narrow its collection, never widen it. Where ROMA follows the permissions of a
source (``ROMA_GDRIVE_ACL=on``), its readers there narrow a document likewise.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from roma_core.database import Database, Schema, SqlConnection, StateDatabase, storage_error
from roma_core.errors import InputError, StoreError
from roma_core.serverdatabase import FileOfBefore, ServerDatabase, share_server
from roma_core.types import EVERYTHING, NOTHING, ROLES, Noun, Permission, Principal, ReadScope
from roma_core.workspace import CORPUS_PREFIX, Workspace, private_file, replace_file

ResourceKind = Literal["tenant", "collection", "document", "source"]
"""``source`` is a document as its source shares it: those who may read it there."""
GranteeKind = Literal["user", "group", "domain", "role", "everyone"]
MOST_NARROWED = 1000
"""Documents of a tenant that may have grants of their own: a search names each that is withheld."""
MOST_FOLLOWED = 20_000
"""Documents of a tenant whose readers at their source are followed."""
NARROWING: Final[frozenset[ResourceKind]] = frozenset({"document", "source"})
"""Kinds of resources that narrow one document."""
_LONGEST_NAME = 200
_TABLES = """
CREATE TABLE resources (
    tenant TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, restricted_at TEXT NOT NULL,
    PRIMARY KEY (tenant, kind, name)) WITHOUT ROWID;
CREATE TABLE grants (
    tenant TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, grantee_kind TEXT NOT NULL, grantee TEXT NOT NULL,
    granted_by TEXT NOT NULL, granted_at TEXT NOT NULL, PRIMARY KEY (tenant, kind, name, grantee_kind, grantee))
    WITHOUT ROWID;
"""
_FOLLOWED = """
CREATE TABLE followed (
    tenant TEXT NOT NULL, document_id TEXT NOT NULL, readers TEXT NOT NULL, PRIMARY KEY (tenant, document_id))
    WITHOUT ROWID;
"""
"""Readers of documents at their source, as JSON."""
TABLES: Final = ("resources", "grants", "followed")
ON_SERVER: Final = "server"
"""What the mark of a workspace holds whose grants lie in PostgreSQL."""
GRANTS = Schema(
    "grants",
    "The table of grants",
    (_TABLES, _FOLLOWED),
    consequence="no restricted document is shown",
)


@dataclass(frozen=True, order=True)
class Resource:
    """What a grant is on: a collection or a document by its name, or the whole tenant."""

    kind: ResourceKind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r}" if self.name else "the tenant"


@dataclass(frozen=True, order=True)
class Grantee:
    """Who is granted something: a user, a group or a role by its name, or everyone of the tenant."""

    kind: GranteeKind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" if self.name else self.kind


ScopeFinder = Callable[[Principal], Awaitable[ReadScope]]
"""Finds the documents that a principal may read at this moment."""
Restrictions = Mapping[Resource, frozenset[Grantee]]
"""The restricted resources of a tenant, each with those who are granted it."""


class ResourceGrants(Noun):
    """A restricted resource with those who may read it; none of them is a closed one."""

    kind: ResourceKind
    name: str
    grantees: tuple[str, ...]


class AccessDecision(Noun):
    """Whether a principal may read a document, and the sentences that say why."""

    permitted: bool
    reasons: tuple[str, ...]


async def permit_everything(who: Principal) -> ReadScope:
    """Return the scope of a system without grants: everything in the tenant of ``who``."""
    return EVERYTHING


def compile_scope(who: Principal, restrictions: Restrictions, permission: Permission = "answers.ask") -> ReadScope:
    """Return the documents for which ``who`` may use ``permission`` under the restrictions of its tenant.

    >>> board = {Resource("collection", "board"): frozenset({Grantee("group", "directors")})}
    >>> compile_scope(Principal(subject="anna", roles=("reader",)), board).closed
    ('board',)
    """
    if who.may("documents.read_all"):
        return EVERYTHING
    if not who.may(permission):
        return NOTHING
    own, at_sources = _own_grantees(who), _grantees_at_sources(who)
    granted = {
        resource
        for resource, grantees in restrictions.items()
        if (at_sources if resource.kind == "source" else own) & grantees
    }
    withheld = restrictions.keys() - granted
    hidden = tuple(sorted({resource.name for resource in withheld if resource.kind in NARROWING}))
    if Resource("tenant") in withheld:
        named = tuple(sorted(resource.name for resource in granted if resource.kind == "collection"))
        return ReadScope(collections=named, hidden=hidden)
    closed = tuple(sorted(resource.name for resource in withheld if resource.kind == "collection"))
    return ReadScope(closed=closed, hidden=hidden)


def explain_access(who: Principal, restrictions: Restrictions, document_id: str, collection: str) -> AccessDecision:
    """Return whether ``who`` may read a document of ``collection``, and each reason that decided it."""
    if who.may("documents.read_all"):
        return AccessDecision(permitted=True, reasons=("The role admin reads every document of its tenant.",))
    if not who.may("answers.ask"):
        return AccessDecision(permitted=False, reasons=("No role of this user reads documents.",))
    own = _own_grantees(who)
    of_collection, of_tenant, of_document = (
        Resource("collection", collection),
        Resource("tenant"),
        Resource("document", document_id),
    )
    decisive = of_collection if of_collection in restrictions else of_tenant
    reasons: list[str] = []
    if decisive not in restrictions:
        reasons.append(f"{of_collection} is not restricted.")
    for resource in (decisive, of_document):
        if resource in restrictions:
            reasons.append(_explain_resource(resource, own, restrictions[resource]))
    at_source = Resource("source", document_id)
    if at_source in restrictions:
        reasons.append(_explain_resource(at_source, _grantees_at_sources(who), restrictions[at_source]))
    scope = compile_scope(who, restrictions)
    return AccessDecision(permitted=scope.permits(document_id, collection), reasons=tuple(reasons))


def _explain_resource(resource: Resource, own: frozenset[Grantee], grantees: frozenset[Grantee]) -> str:
    shared = sorted(own & grantees)
    if shared:
        return f"{resource} is granted to {', '.join(map(str, shared))}."
    others = ", ".join(map(str, sorted(grantees))) or "nobody"
    return f"{resource} is granted to {others} alone."


def _own_grantees(who: Principal) -> frozenset[Grantee]:
    groups = (Grantee("group", group) for group in who.groups)
    roles = (Grantee("role", role) for role in who.roles)
    return frozenset({Grantee("everyone"), Grantee("user", who.subject), *groups, *roles})


def _grantees_at_sources(who: Principal) -> frozenset[Grantee]:
    """Return whom a caller is at a source, where users are addresses, and groups and domains are names."""
    name = who.subject.lower()
    domain = name.partition("@")[2]
    groups = (Grantee("group", group.lower()) for group in who.groups)
    domains = (Grantee("domain", domain),) if domain else ()
    return frozenset({Grantee("everyone"), Grantee("user", name), *groups, *domains})


def parse_reader(reader: str) -> Grantee | None:
    """Return the grantee that a source's reader is: ``user:...``, ``group:...``, ``domain:...``, ``anyone``.

    None for one of another kind, to whom nothing is granted.

    >>> parse_reader("domain:example.org")
    Grantee(kind='domain', name='example.org')
    """
    if reader == "anyone":
        return Grantee("everyone")
    kind, _, name = reader.partition(":")
    kinds: dict[str, GranteeKind] = {"user": "user", "group": "group", "domain": "domain"}
    return Grantee(kinds[kind], name.lower()) if kind in kinds and name else None


class GrantTable:
    """The grants of a workspace. Without a file nothing is restricted; one that cannot be read shuts.

    With a ``server_url`` they lie in PostgreSQL, where replicas share them: a grant that ends at one has ended at all
    for their next question. What the workspace's file holds is brought there at the first use, and removed in the file.

    A table of one ``tenant`` refuses the questions and changes of every other one, whose grants lie elsewhere.

    >>> grants = GrantTable(Path(".roma"))
    >>> grants.grant("default", Resource("collection", "hr"), Grantee("group", "people"), by="local")
    """

    def __init__(self, workspace: Path, tenant: str | None = None, server_url: str | None = None) -> None:
        self._tenant = tenant
        self._path = Workspace(workspace).grants
        self._mark = self._path.with_suffix(".restricted")
        self._file = Database(self._path, GRANTS, synchronous="FULL", pragmas=("secure_delete = ON",))
        self._server = None if server_url is None else share_server(server_url, GRANTS)
        self._database: StateDatabase = self._server or self._file
        self._lock = threading.Lock()
        self._taking_over = threading.Lock()
        self._has_taken_over = False
        self._read_at: object = None
        self._by_tenant: dict[str, Restrictions] = {}

    def grant(self, tenant: str, resource: Resource, grantee: Grantee, *, by: str) -> None:
        """Let ``grantee`` read ``resource``, and restrict it to those who are granted it. Raises ``InputError``."""
        self._require_own(tenant)
        _check_names(resource, grantee)
        now = datetime.now(UTC).isoformat()
        self._require_mark()
        with self._database.transaction() as db:
            _restrict(db, tenant, resource, now)
            db.execute(
                "INSERT INTO grants VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (tenant, resource.kind, resource.name, grantee.kind, grantee.name, by, now),
            )

    def revoke(self, tenant: str, resource: Resource, grantee: Grantee) -> bool:
        """End a grant; return False where there was none. A resource that was open is restricted from then on."""
        self._require_own(tenant)
        _check_names(resource, grantee)
        self._require_mark()
        with self._database.transaction() as db:
            _restrict(db, tenant, resource, datetime.now(UTC).isoformat())
            ended = db.execute(
                "DELETE FROM grants WHERE tenant = ? AND kind = ? AND name = ? AND grantee_kind = ? AND grantee = ?",
                (tenant, resource.kind, resource.name, grantee.kind, grantee.name),
            )
        return bool(ended.rowcount)

    def follow(self, tenant: str, readers: Mapping[str, Sequence[str] | None]) -> None:
        """Let documents be read, from now on, by their readers at their source alone.

        None, readers that are not known, and an empty list shut a document for all but admins. Raises ``InputError``
        for more documents than can be followed; then none of these may be stored.

        >>> grants = GrantTable(Path(".roma"))
        >>> grants.follow("default", {"9b1d": ["user:anna@example.org"]})
        """
        self._require_own(tenant)
        fresh = {document_id: json.dumps(sorted(set(named or ()))) for document_id, named in readers.items()}
        if not fresh or self._has_followed(tenant, fresh):
            return
        self._require_mark()
        rows = [(tenant, document_id, text) for document_id, text in fresh.items()]
        with self._database.transaction() as db:
            db.executemany(
                "INSERT INTO followed VALUES (?, ?, ?) "
                "ON CONFLICT (tenant, document_id) DO UPDATE SET readers = excluded.readers",
                rows,
            )
            (count,) = db.execute("SELECT count(*) FROM followed WHERE tenant = ?", (tenant,)).fetchone()
            if count > MOST_FOLLOWED:
                raise InputError(
                    f"The permissions of {MOST_FOLLOWED} documents at most are followed (ROMA_GDRIVE_ACL); "
                    "bring the others into another tenant."
                )

    def unfollow(self, tenant: str, document_ids: Iterable[str]) -> int:
        """Follow the readers of documents at their source no more; return of how many they were followed."""
        followed = {resource.name for resource in self.read(tenant) if resource.kind == "source"}
        ended = sorted(followed.intersection(document_ids))
        if ended:
            with self._database.transaction() as db:
                db.executemany(
                    "DELETE FROM followed WHERE tenant = ? AND document_id = ?", [(tenant, name) for name in ended]
                )
        return len(ended)

    def _has_followed(self, tenant: str, fresh: Mapping[str, str]) -> bool:
        if self._is_missing():
            return False
        with self._database.snapshot() as db:
            statement = "SELECT readers FROM followed WHERE tenant = ? AND document_id = ?"
            held = [db.execute(statement, (tenant, document_id)).fetchone() for document_id in fresh]
        return all(row is not None and row["readers"] == text for row, text in zip(held, fresh.values(), strict=True))

    def forget_user(self, tenant: str, subject: str) -> int:
        """Remove the grants to a user, and its name from those that it made; return how many rows changed.

        What is restricted stays restricted.
        """
        if self._is_missing():
            return 0
        with self._database.transaction() as db:
            ended = db.execute(
                "DELETE FROM grants WHERE tenant = ? AND grantee_kind = 'user' AND grantee = ?", (tenant, subject)
            ).rowcount
            made = db.execute(
                "UPDATE grants SET granted_by = '' WHERE tenant = ? AND granted_by = ?", (tenant, subject)
            ).rowcount
        return int(ended + made)

    def forget_tenant(self, tenant: str) -> int:
        """Remove all restrictions and grants of a tenant that is being removed; return how many rows there were."""
        if self._is_missing():
            return 0
        with self._database.transaction() as db:
            return sum(
                int(db.execute(f"DELETE FROM {table} WHERE tenant = ?", (tenant,)).rowcount)  # noqa: S608
                for table in TABLES
            )

    def list(self, tenant: str) -> tuple[ResourceGrants, ...]:
        """Return the restricted resources of a tenant with their grantees."""
        restrictions = self.read(tenant)
        return tuple(
            ResourceGrants(kind=resource.kind, name=resource.name, grantees=tuple(map(str, sorted(grantees))))
            for resource, grantees in sorted(restrictions.items())
        )

    def read(self, tenant: str) -> Restrictions:
        """Return the restrictions of a tenant as they are now. Raises ``StoreError``: then nothing may be shown."""
        self._require_own(tenant)
        with self._lock:
            if self._server is not None:
                self._read_server(self._server)
            elif self._is_missing():
                return {}
            else:
                self._read_file()
            return self._by_tenant.get(tenant, {})

    def _read_file(self) -> None:
        with self._file.snapshot() as db:
            version = tuple(db.execute("PRAGMA data_version").fetchone()), db.total_changes, id(db)
            if version != self._read_at:
                self._by_tenant = _select_restrictions(db)
                self._read_at = version

    def _read_server(self, server: ServerDatabase) -> None:
        mark = self._require_whole(server)  # first: what is written meanwhile is read the next time
        if mark != self._read_at:
            with server.snapshot() as db:
                self._by_tenant = _select_restrictions(db)
            self._read_at = mark

    async def find_scope(self, who: Principal, permission: Permission = "answers.ask") -> ReadScope:
        """Return the documents for which ``who`` may use ``permission`` now: by default, to read them.

        Raises ``StoreError`` when the grants cannot be read.
        """
        if who.may("documents.read_all"):
            return EVERYTHING
        return compile_scope(who, await asyncio.to_thread(self.read, who.tenant), permission)

    def close(self) -> None:
        """Close the file or the connections; the next use opens them again."""
        self._database.close()

    def _require_own(self, tenant: str) -> None:
        """Raise ``StoreError`` for a tenant whose grants lie elsewhere: then nothing may be shown."""
        if self._tenant not in {None, tenant} and not tenant.startswith(CORPUS_PREFIX):
            raise StoreError(
                f"The grants of tenant {tenant!r} are not those of {self._tenant!r}: use `roma.of_tenant({tenant!r})`."
            )

    def _is_missing(self) -> bool:
        """Return whether no grant was ever made. Raises ``StoreError`` where one was, and the table is gone."""
        if self._server is not None:
            self._require_whole(self._server)
            return False
        self._refuse_moved()
        return self._has_no_file()

    def _refuse_moved(self) -> None:
        """Raise ``StoreError`` for a workspace whose grants were brought to a server that is not named here."""
        if self._is_moved():
            raise StoreError(
                "The grants of this workspace lie in the database of ROMA_DATABASE_URL: set it, so that they hold."
            )

    def _has_no_file(self) -> bool:
        """Return whether the workspace never had grants. Raises ``StoreError`` where it had, and the file is gone."""
        try:
            if self._path.exists() and self._path.stat().st_size > 0:
                return False
            if not self._mark.exists():
                return True
        except OSError as error:
            raise storage_error(error, GRANTS, self._path) from None
        raise StoreError(f"The table of grants is gone; put {self._path.name} back into the workspace.")

    def _is_moved(self) -> bool:
        """Return whether the mark says that the grants were brought to a server."""
        try:
            return self._mark.exists() and self._mark.read_text("utf-8") == ON_SERVER
        except OSError as error:
            raise storage_error(error, GRANTS, self._mark) from None

    def _require_whole(self, server: ServerDatabase) -> object:
        """Bring the file's rows to the server, and return its mark.

        Raises ``StoreError`` for a server that has lost those of before.
        """
        with self._taking_over:
            if not self._has_taken_over and not self._is_moved() and not self._has_no_file():
                before = FileOfBefore(self._file, TABLES)
                with server.transaction() as db:
                    before.copy_to(db, merges=True)
                self._note_move()
                before.remove()
            self._has_taken_over = True
        mark = server.read_mark()
        if not mark and self._is_moved():
            raise StoreError(
                "The grants are not in the database of ROMA_DATABASE_URL; put its copy back, or name the one that has "
                "them."
            )
        return mark

    def _note_move(self) -> None:
        private_file(self._mark)
        replace_file(self._mark, ON_SERVER)

    def _require_mark(self) -> None:
        """Note in the workspace that there are grants, so that losing them shuts and does not open."""
        if self._server is None:
            self._refuse_moved()
            private_file(self._mark)
            return
        self._require_whole(self._server)
        if not self._is_moved():
            self._note_move()


def _restrict(db: SqlConnection, tenant: str, resource: Resource, now: str) -> None:
    known = (tenant, resource.kind, resource.name)
    is_restricted = db.execute("SELECT 1 FROM resources WHERE tenant = ? AND kind = ? AND name = ?", known).fetchone()
    if is_restricted:
        return
    if resource.kind == "document":
        narrowed = db.execute("SELECT count(*) FROM resources WHERE tenant = ? AND kind = 'document'", (tenant,))
        if narrowed.fetchone()[0] >= MOST_NARROWED:
            raise InputError(
                f"{MOST_NARROWED} documents have grants of their own already; put such documents into a collection."
            )
    db.execute("INSERT INTO resources VALUES (?, ?, ?, ?)", (*known, now))


def _select_restrictions(db: SqlConnection) -> dict[str, Restrictions]:
    found: dict[str, dict[Resource, set[Grantee]]] = {}
    for row in db.execute("SELECT tenant, kind, name FROM resources"):
        found.setdefault(row["tenant"], {})[Resource(row["kind"], row["name"])] = set()
    for row in db.execute("SELECT tenant, kind, name, grantee_kind, grantee FROM grants"):
        grantee = Grantee(row["grantee_kind"], row["grantee"])
        found[row["tenant"]][Resource(row["kind"], row["name"])].add(grantee)
    for row in db.execute("SELECT tenant, document_id, readers FROM followed"):
        readers = {parse_reader(reader) for reader in json.loads(row["readers"])}
        resource = Resource("source", row["document_id"])
        found.setdefault(row["tenant"], {})[resource] = {reader for reader in readers if reader is not None}
    return {
        tenant: {resource: frozenset(grantees) for resource, grantees in restricted.items()}
        for tenant, restricted in found.items()
    }


def _check_names(resource: Resource, grantee: Grantee) -> None:
    """Raise ``InputError`` for a name that cannot be meant."""
    if (resource.kind == "tenant") is bool(resource.name):
        raise InputError("A grant is on one collection, on one document, or on the whole tenant.")
    if (grantee.kind == "everyone") is bool(grantee.name):
        raise InputError("A grant is to one user, group or role, or to everyone.")
    if resource.kind == "source" or grantee.kind == "domain":
        raise InputError("The readers at a source are changed there, and followed at the next sync.")
    if grantee.kind == "role" and grantee.name not in ROLES:
        raise InputError(f"Roles are {', '.join(ROLES)}; there is no {grantee.name[:40]!r}.")
    names: Sequence[str] = (resource.name, grantee.name)
    if any(len(name) > _LONGEST_NAME or any(ord(sign) < 32 for sign in name) for name in names):
        raise InputError(f"A name has at most {_LONGEST_NAME} characters and no control characters.")
