"""Bearer tokens: shown once when they are made, stored as SHA-256, compared in constant time.

A token is ``roma_<id>_<secret>`` with 256 random bits, so a fast hash is enough (a slow one protects guessable
passwords). ``id`` finds the row; only the hash of the whole decides.

There are few tokens, so all are in memory: a request costs two look-ups of file times, and a wrong token costs no
more than a right one.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import json
import re
import secrets
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args

from roma_core.api.accounts import Login, UserAccount, check_user_name, hash_secret, select_accounts, select_logins
from roma_core.api.storage import open_accounts
from roma_core.errors import ConfigError, ErrorCode, InputError, NotFoundError, StoreError
from roma_core.types import DEFAULT_TENANT, PERMISSIONS, Noun, Permission, Principal, Role

Scope = Literal["query", "ingest", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
SCOPE_PERMISSIONS: Mapping[Scope, tuple[Permission, ...]] = {
    "query": ("answers.ask",),
    "ingest": ("documents.ingest",),
    "admin": tuple(PERMISSIONS),
}
"""What each scope of a token leaves of its owner's permissions."""
_SCOPE_ROLES: Mapping[Scope, Role] = {"query": "reader", "ingest": "contributor", "admin": "admin"}
"""The roles of a token that no user owns."""
_FORM = re.compile(r"roma_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_TRUST_S = 1.0
_LONGEST_DAYS = 36_500
PASSING = frozenset({ErrorCode.STORAGE_LOCKED, ErrorCode.STORAGE_FULL})
"""While a database is locked or has no room nothing in it changes, so what was read before still holds."""
_COLUMNS = "id, hash, name, scopes, tenant, created_at, expires_at, revoked_at, owner"


class Token(Noun):
    """A token's record; the token itself is not stored."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    tenant: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    owner: str | None = None
    """Name of the user whose token it is; None for one that stands for itself."""

    def valid_at(self, now: datetime) -> bool:
        """Return whether the token is neither revoked nor expired at ``now``."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def principal(self, roles: Iterable[Role] | None = None, groups: Iterable[str] = ()) -> Principal:
        """Return the caller that sends the token: its owner with ``roles`` and ``groups``, else the token itself.

        Its scopes narrow what the roles permit.
        """
        permitted = {permission for scope in self.scopes for permission in SCOPE_PERMISSIONS[scope]}
        return Principal(
            subject=self.owner or f"token:{self.id}",
            tenant=self.tenant,
            groups=tuple(groups),
            roles=tuple(_SCOPE_ROLES[scope] for scope in self.scopes) if roles is None else tuple(roles),
            signed_in_by="token",
            limited_to=tuple(sorted(permitted)),
            token_id=self.id,
        )


@dataclass(frozen=True)
class TokenSnapshot:
    """Tokens as they were last read: hash and token by id. A row that cannot be read matches no secret."""

    hashes_and_tokens: Mapping[str, tuple[str, Token | None]]
    accounts: Mapping[str, UserAccount] = field(default_factory=dict)
    """By name."""
    logins: Mapping[str, Login] = field(default_factory=dict)
    """Sign-ins that were not ended, by the hash of their cookie."""

    @property
    def configured(self) -> bool:
        """Return whether any token or user was ever made. From then on every caller must say who it is."""
        return bool(self.hashes_and_tokens) or bool(self.accounts)

    def identify(self, token: Token) -> Principal | None:
        """Return the caller that sends a valid token; None where its owner is disabled.

        An owner with an account has the roles and groups of the account.
        """
        account = self.accounts.get(token.owner or "")
        if account is None:
            return token.principal()
        if account.disabled_at is not None or not account.belongs_to(token.tenant):
            return None
        return token.principal(account.roles, account.groups)

    def find_login(self, secret: str) -> tuple[Login, Principal] | None:
        """Return the sign-in of a cookie and its user; None when it has ended, or its user is disabled."""
        login = self.logins.get(hash_secret(secret)) if secret else None
        account = self.accounts.get(login.user) if login is not None else None
        if login is None or account is None or account.disabled_at is not None:
            return None
        return (login, account.principal(login.way)) if login.valid_at(datetime.now(UTC)) else None

    def verify(self, secret: str) -> Token | None:
        """Return the valid token that ``secret`` is, or None; in constant time for a wrong secret and a wrong id."""
        form = _FORM.fullmatch(secret)
        token_id = form[1] if form else ""
        expected, token = self.hashes_and_tokens.get(token_id, (_HASH_OF_NOBODY, None))
        is_same = hmac.compare_digest(_hash(secret), expected)
        return token if is_same and token is not None and token.valid_at(datetime.now(UTC)) else None


class TokenStore:
    """Tokens of a workspace, or of the server at ``server_url``.

    Once it has read one, losing the file never opens the service again.

    >>> secret, token = TokenStore(Path(".roma")).create("reader", ["query"], days=30)
    """

    def __init__(self, workspace: Path, server_url: str | None = None) -> None:
        self._database = open_accounts(workspace, server_url)
        self._lock = threading.Lock()
        self._snapshot: TokenSnapshot | None = None
        self._mark: object = None
        self._trusted_until = 0.0
        self._reading: asyncio.Future[TokenSnapshot] | None = None
        self._thread = ThreadPoolExecutor(1, "roma-tokens")
        """Its own: in the one that all share a look would wait behind models at work."""

    def create(
        self,
        name: str,
        scopes: Iterable[Scope] = ("query",),
        *,
        tenant: str = DEFAULT_TENANT,
        days: float | None = None,
        owner: str | None = None,
    ) -> tuple[str, Token]:
        """Make a token; return its secret, which is not stored, and its record.

        A token of an ``owner`` is that user, with no more than its scopes.

        Raises ``InputError`` for an unknown scope, a lifetime that is not positive, and an owner that can be no user.
        """
        wanted = tuple(dict.fromkeys(scopes))
        if not wanted or set(wanted) - set(SCOPES):
            raise InputError(f"Scopes are {', '.join(SCOPES)}; at least one is needed.")
        if days is not None and not 0 < days <= _LONGEST_DAYS:
            raise InputError(f"A token lives for more than 0 and at most {_LONGEST_DAYS} days.")
        if owner is not None:
            check_user_name(owner)
        now = datetime.now(UTC)
        token_id = secrets.token_hex(6)
        secret = f"roma_{token_id}_{secrets.token_urlsafe(32)}"
        expires = None if days is None else now + timedelta(days=days)
        token = Token(
            id=token_id, name=name, scopes=wanted, tenant=tenant, created_at=now, expires_at=expires, owner=owner
        )
        row = (token_id, _hash(secret), name, json.dumps(wanted), tenant, now.isoformat(), _iso(expires), owner)
        columns = "id, hash, name, scopes, tenant, created_at, expires_at, owner"
        with self._database.transaction() as db:
            db.execute(f"INSERT INTO tokens ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)  # noqa: S608
        return secret, token

    def revoke(self, token_id: str) -> None:
        """End a token at once. Raises ``NotFoundError``."""
        with self._database.transaction() as db:
            now = datetime.now(UTC).isoformat()
            done = db.execute("UPDATE tokens SET revoked_at = COALESCE(revoked_at, ?) WHERE id = ?", (now, token_id))
            if not done.rowcount:
                raise NotFoundError(f"There is no token {token_id!r}; `roma token list` shows those that there are.")

    def list(self) -> tuple[Token, ...]:
        """Return all tokens, also those that are expired or revoked; oldest first."""
        with self._database.snapshot() as db:
            return tuple(_as_token(row) for row in db.execute("SELECT * FROM tokens ORDER BY created_at, id"))

    def configured(self) -> bool:
        """Return whether any token was ever made."""
        return self.read().configured

    def verify(self, secret: str) -> Token | None:
        """Return the valid token that ``secret`` is, or None."""
        return self.read().verify(secret)

    async def snapshot(self) -> TokenSnapshot:
        """Run ``read`` in a thread: a slow disk or a locked database would stop every stream of the event loop."""
        fresh = None if self._database.mark_needs_server else self._trusted_snapshot()
        if fresh is not None:
            return fresh
        if self._reading is None or self._reading.done():
            self._reading = asyncio.get_running_loop().run_in_executor(self._thread, self.read)
        return await asyncio.shield(self._reading)

    def read(self) -> TokenSnapshot:
        """Return the tokens, read again when a connection has written, and once a second in any case.

        Raises ``StoreError``.
        """
        with self._lock:
            fresh = self._trusted_snapshot()
            if fresh is not None:
                return fresh
            mark = self._database.read_mark()  # first: what is written meanwhile is read the next time
            self._snapshot = self._read_rows()
            self._mark, self._trusted_until = mark, time.monotonic() + _TRUST_S
            return self._snapshot

    def _trusted_snapshot(self) -> TokenSnapshot | None:
        is_trusted = time.monotonic() < self._trusted_until and self._database.read_mark() == self._mark
        return self._snapshot if is_trusted else None

    def _read_rows(self) -> TokenSnapshot:
        before = self._snapshot
        try:
            now = self._select_rows()
        except StoreError as error:
            if before is None or error.code not in PASSING:
                raise
            return before
        if before is not None and before.configured and not now.configured:
            raise StoreError("The database of accounts (service.db) has lost its tokens; put the right one back.")
        return now

    def _select_rows(self) -> TokenSnapshot:
        with self._database.snapshot() as db:
            rows = db.execute(f"SELECT {_COLUMNS} FROM tokens").fetchall()  # noqa: S608
            hashes_and_tokens = {row["id"]: (row["hash"], _parse_row(row)) for row in rows}
            return TokenSnapshot(hashes_and_tokens, select_accounts(db), select_logins(db))


def find_scope(permission: Permission) -> Scope:
    """Return the scope of a token that gives a permission."""
    return next(scope for scope, permitted in SCOPE_PERMISSIONS.items() if permission in permitted)


def check_bind(host: str, tokens: TokenStore) -> None:
    """Raise ``ConfigError`` when other machines could connect to ``host`` without a token."""
    if not is_loopback(host) and not tokens.configured():
        raise ConfigError(
            f"ROMA_HOST: {host} can be reached from other machines and there is no token yet; "
            "make one (`roma token create NAME`) or an account (`roma user add NAME --role admin` prints the link of "
            "its first sign-in), or bind to 127.0.0.1."
        )


def is_loopback(host: str) -> bool:
    """Return whether ``host`` names this machine alone."""
    bare = host.strip("[]").lower()
    if bare == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


_HASH_OF_NOBODY = _hash("")


def _parse_row(row: Any) -> Token | None:
    try:
        return _as_token(row)
    except ValueError:
        return None


def _as_token(row: Any) -> Token:
    fields = {name: row[name] for name in Token.model_fields}
    return Token(**{**fields, "scopes": tuple(json.loads(row["scopes"]))})
