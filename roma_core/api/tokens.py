"""Bearer tokens: made once, shown once, stored as SHA-256, compared in constant time.

A token is ``roma_<id>_<secret>`` with 256 random bits, so a fast hash is enough (a slow one protects guessable
passwords). ``id`` finds the row; only the hash of the whole decides.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import re
import secrets
import sqlite3
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

from roma_core.api.database import FILE, connection
from roma_core.errors import ConfigError, InputError, NotFoundError
from roma_core.types import DEFAULT_TENANT, Noun

Scope = Literal["query", "ingest", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
_FORM = re.compile(r"roma_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_TRUST_S = 1.0
_SCHEMA = """CREATE TABLE IF NOT EXISTS tokens (id TEXT PRIMARY KEY, hash TEXT NOT NULL, name TEXT NOT NULL,
scopes TEXT NOT NULL, tenant TEXT NOT NULL, created_at TEXT NOT NULL, expires_at TEXT, revoked_at TEXT)"""


class Token(Noun):
    """What is known of a token; the token itself is not."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    tenant: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def valid_at(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def allows(self, scope: Scope) -> bool:
        return scope in self.scopes or "admin" in self.scopes


class TokenStore:
    """The tokens of a workspace."""

    def __init__(self, workspace: Path) -> None:
        self._folder = workspace
        self._known: dict[str, Token] = {}
        self._configured = False
        self._seen: tuple[object, ...] | None = None
        self._until = 0.0

    def create(
        self,
        name: str,
        scopes: Iterable[Scope] = ("query",),
        *,
        tenant: str = DEFAULT_TENANT,
        days: float | None = None,
    ) -> tuple[str, Token]:
        """A new token and what is stored of it. The first value is never seen again.

        Raises ``InputError`` for an unknown scope or a lifetime that is not positive.
        """
        wanted = tuple(dict.fromkeys(scopes))
        if not wanted or set(wanted) - set(SCOPES):
            raise InputError(f"Scopes are {', '.join(SCOPES)}; at least one is needed.")
        if days is not None and days <= 0:
            raise InputError("A token lives for more than 0 days.")
        now = datetime.now(UTC)
        token_id = secrets.token_hex(6)
        secret = f"roma_{token_id}_{secrets.token_urlsafe(32)}"
        expires = None if days is None else now + timedelta(days=days)
        token = Token(id=token_id, name=name, scopes=wanted, tenant=tenant, created_at=now, expires_at=expires)
        row = (token_id, _hash(secret), name, json.dumps(wanted), tenant, now.isoformat(), _iso(expires))
        with connection(self._folder, _SCHEMA) as db:
            db.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", row)
        return secret, token

    def revoke(self, token_id: str) -> None:
        """Take back a token at once. Raises ``NotFoundError``."""
        with connection(self._folder, _SCHEMA) as db:
            now = datetime.now(UTC).isoformat()
            done = db.execute("UPDATE tokens SET revoked_at = COALESCE(revoked_at, ?) WHERE id = ?", (now, token_id))
            if not done.rowcount:
                raise NotFoundError(f"There is no token {token_id!r}; `roma token list` shows those that there are.")

    def list(self) -> tuple[Token, ...]:
        """All tokens, also those that are expired or revoked; oldest first."""
        with connection(self._folder, _SCHEMA, write=False) as db:
            return tuple(_read(row) for row in db.execute("SELECT * FROM tokens ORDER BY created_at, id"))

    def configured(self) -> bool:
        """Whether a token was ever made. From then on everybody needs one: revoking the last opens nothing."""
        self._refresh()
        return self._configured

    def verify(self, secret: str) -> Token | None:
        """The valid token that ``secret`` is, or None. Takes as long for a wrong secret as for a wrong id."""
        self._refresh()
        hashed = _hash(secret)
        if hashed not in self._known:
            found = self._find(secret, hashed)
            if found is None:
                return None  # not remembered: there is no end of wrong secrets
            self._known[hashed] = found
        token = self._known[hashed]
        return token if token.valid_at(datetime.now(UTC)) else None

    def _find(self, secret: str, hashed: str) -> Token | None:
        form = _FORM.fullmatch(secret)
        with connection(self._folder, _SCHEMA, write=False) as db:
            row = db.execute("SELECT * FROM tokens WHERE id = ?", (form[1] if form else "",)).fetchone()
        same = hmac.compare_digest(hashed, row["hash"] if row else _hash(""))
        return _read(row) if row is not None and same else None

    def _refresh(self) -> None:
        """Forget what was read when another connection has written, and once a second in any case.

        Two look-ups of file times cost a hundredth of opening the database, which each request would pay twice.
        """
        now, state = time.monotonic(), _state(self._folder)
        if state == self._seen and now < self._until:
            return
        with connection(self._folder, _SCHEMA, write=False) as db:
            self._configured = db.execute("SELECT 1 FROM tokens LIMIT 1").fetchone() is not None
        self._known.clear()
        self._seen, self._until = _state(self._folder), now + _TRUST_S


def _state(folder: Path) -> tuple[object, ...]:
    """Changes with every write to the database."""
    found: list[object] = []
    for path in (folder / FILE, folder / f"{FILE}-wal"):
        try:
            stat = path.stat()
        except OSError:
            found.append(None)
        else:
            found.append((stat.st_ino, stat.st_mtime_ns, stat.st_size))
    return tuple(found)


def check_bind(host: str, tokens: TokenStore) -> None:
    """Without a token only this machine may connect. Raises ``ConfigError`` that says what to do."""
    if not is_loopback(host) and not tokens.configured():
        raise ConfigError(
            f"ROMA_HOST: {host} can be reached from other machines and there is no token yet; "
            "make one (`roma token create NAME`) or bind to 127.0.0.1."
        )


def is_loopback(host: str) -> bool:
    """Whether ``host`` names this machine alone."""
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


def _read(row: sqlite3.Row) -> Token:
    fields = {name: row[name] for name in Token.model_fields}
    return Token(**{**fields, "scopes": tuple(json.loads(row["scopes"]))})
