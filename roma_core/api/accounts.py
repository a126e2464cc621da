"""Accounts of people without an identity provider: passwords, invitations and sign-ins.

A password is stored by argon2id, everything else that lets someone in by its SHA-256: it has 256 random bits. A sign-in
lives on the server, so that ending it holds for the next request.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from roma_core.api.storage import open_accounts
from roma_core.database import SqlConnection
from roma_core.errors import AccessError, InputError, NotFoundError
from roma_core.types import DEFAULT_TENANT, LOCAL_USER, ROLES, Noun, Principal, Role, SignIn

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 1000
INVITATION: Final = timedelta(hours=24)
IDLE: Final = timedelta(hours=12)
"""A sign-in that is not used for so long ends."""
ABSOLUTE: Final = timedelta(days=7)
"""A sign-in ends after so long, used or not."""
TOUCH: Final = timedelta(minutes=1)
"""How exactly the last use of a sign-in is kept."""
LONGEST_NAME: Final = 128
_LINK: Final = (
    "INSERT INTO identities VALUES (?, ?, ?) ON CONFLICT (provider, subject) DO UPDATE SET user = excluded.user"
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]*")


class UserAccount(Noun):
    """A user with its roles and groups; ``has_password`` is False until the invitation was used."""

    name: str
    tenant: str
    roles: tuple[Role, ...]
    groups: tuple[str, ...] = ()
    has_password: bool = False
    is_linked: bool = False
    """True when a person of an identity provider is this user."""
    created_at: datetime
    disabled_at: datetime | None = None

    def principal(self, signed_in_by: SignIn = "account") -> Principal:
        """Return the caller that this user is when it has signed in."""
        return Principal(
            subject=self.name, tenant=self.tenant, groups=self.groups, roles=self.roles, signed_in_by=signed_in_by
        )

    def belongs_to(self, tenant: str) -> bool:
        """Return whether this is a user of ``tenant``."""
        return self.tenant == tenant


class ExternalIdentity(Noun):
    """A person as an identity provider vouches for it. ``subject`` never changes there; the name may.

    >>> ExternalIdentity(provider="https://id.example.org", subject="248289", name="anna@example.org").way
    'oidc'
    """

    provider: str
    subject: str
    name: str
    groups: tuple[str, ...] = ()
    way: SignIn = "oidc"
    id_token: str | None = Field(default=None, repr=False)
    """As OpenID Connect gave it, by which the provider recognises the sign-in that is to end."""


class Login(Noun):
    """A sign-in of a user in one browser."""

    id: str
    user: str
    created_at: datetime
    seen_at: datetime
    ended_at: datetime | None = None
    address: str = ""
    way: SignIn = "account"
    """The way of signing in: with a password, or at an identity provider."""

    def valid_at(self, now: datetime) -> bool:
        """Return whether the sign-in has neither ended nor grown too old at ``now``."""
        is_fresh = now < self.seen_at + IDLE and now < self.created_at + ABSOLUTE
        return self.ended_at is None and is_fresh


class AccountTable:
    """The accounts of a workspace, or of the server at ``server_url``.

    Every method is one transaction and raises ``StoreError``.

    >>> accounts = AccountTable(Path(".roma"))
    >>> invitation = accounts.add("anna", roles=["admin"])
    >>> accounts.set_password(invitation, "correct horse battery")
    'anna'
    """

    def __init__(self, workspace: Path, server_url: str | None = None) -> None:
        self._database = open_accounts(workspace, server_url)

    def add(self, name: str, *, roles: Iterable[Role], groups: Iterable[str] = (), tenant: str = DEFAULT_TENANT) -> str:
        """Add a user and return the secret of an invitation to choose a password. Raises ``InputError``."""
        wanted, member_of = tuple(dict.fromkeys(roles)), tuple(dict.fromkeys(groups))
        check_user_name(name)
        if not wanted or set(wanted) - set(ROLES):
            raise InputError(f"Roles are {', '.join(ROLES)}; a user has at least one.")
        row = (name, tenant, json.dumps(wanted), json.dumps(member_of), _now().isoformat())
        with self._database.transaction() as db:
            if db.execute("SELECT 1 FROM users WHERE name = ?", (name,)).fetchone():
                raise InputError(f"There is a user {name!r} already; `roma user invite {name}` lets it choose again.")
            db.execute("INSERT INTO users (name, tenant, roles, groups, created_at) VALUES (?, ?, ?, ?, ?)", row)
            return _invite(db, name)

    def invite(self, name: str) -> str:
        """Return a fresh invitation for a user, who chooses a new password with it; earlier ones end.

        Raises ``NotFoundError``.
        """
        with self._database.transaction() as db:
            _require_user(db, name)
            return _invite(db, name)

    def disable(self, name: str) -> None:
        """Let a user in no more, by no sign-in and by none of its tokens. Raises ``NotFoundError``."""
        with self._database.transaction() as db:
            _require_user(db, name)
            now = _now().isoformat()
            db.execute("UPDATE users SET disabled_at = COALESCE(disabled_at, ?) WHERE name = ?", (now, name))
            _end_logins(db, name)
            db.execute("DELETE FROM invitations WHERE user = ?", (name,))

    def list(self) -> tuple[UserAccount, ...]:
        """Return all accounts by name, those that are disabled included."""
        with self._database.snapshot() as db:
            return tuple(select_accounts(db).values())

    def check_invitation(self, secret: str) -> str:
        """Return the user whom an invitation is for. Raises ``NotFoundError`` for one that is used or too old."""
        with self._database.snapshot() as db:
            return _find_invited(db, secret)

    def set_password(self, secret: str, password: str) -> str:
        """Use an invitation: give its user a password, end its sign-ins, and return its name.

        Raises ``NotFoundError`` for an invitation that is used or too old, ``InputError`` for a weak password.
        """
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            raise InputError(f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.")
        hashed = _hasher().hash(password)
        with self._database.transaction() as db:
            name = _find_invited(db, secret)
            db.execute("UPDATE users SET password = ? WHERE name = ?", (hashed, name))
            db.execute("DELETE FROM invitations WHERE user = ?", (name,))
            _end_logins(db, name)
        return name

    def check_password(self, name: str, password: str) -> bool:
        """Return whether ``password`` is that of an enabled user; a user that there is not takes as long."""
        from argon2.exceptions import InvalidHashError, VerificationError

        with self._database.snapshot() as db:
            row = db.execute("SELECT password FROM users WHERE name = ? AND disabled_at IS NULL", (name,)).fetchone()
        known = row["password"] if row is not None else None
        try:
            return _hasher().verify(known or _hash_of_nobody(), password[:LONGEST_PASSWORD]) and known is not None
        except (VerificationError, InvalidHashError):
            return False

    def check_admission(self, person: ExternalIdentity, roles: Iterable[Role]) -> tuple[str, bool]:
        """Return the name of the user that a provider's person is or will be, and whether it will be added.

        Raises ``AccessError`` for a person who is given no role, whose user is disabled, or whose name is another
        user's. Someone who was given roles before and is given none now loses them, with the sign-ins.
        """
        given, refusal = tuple(roles), ""
        with self._database.transaction() as db:
            known = _find_linked(db, person)
            name = known or person.name.lower()
            if known is None and given:
                _check_new_name(db, person, name)
            if known is not None and not given:
                db.execute("UPDATE users SET roles = '[]', groups = '[]' WHERE name = ?", (name,))
                _end_logins(db, name)
            if known is not None and _is_disabled(db, name):
                refusal = f"The account {name} is disabled."
        if not given:
            refusal = f"{name} has no role here; an administrator gives one to a group of the provider."
        if refusal:
            raise AccessError(refusal)
        return name, known is None

    def admit(self, person: ExternalIdentity, roles: Iterable[Role], *, tenant: str = DEFAULT_TENANT) -> str:
        """Return the name of the user that a provider's person is; the first time it is added.

        Its groups and roles become those that the provider gives now. Raises as ``check_admission`` does.
        """
        given = tuple(dict.fromkeys(roles))
        self.check_admission(person, given)
        with self._database.transaction() as db:
            known = _find_linked(db, person)
            name = known or person.name.lower()
            if known is None:
                _check_new_name(db, person, name)  # another sign-in may have come between
                db.execute(
                    "INSERT INTO users (name, tenant, roles, groups, created_at) VALUES (?, ?, '[]', '[]', ?)",
                    (name, tenant, _now().isoformat()),
                )
                db.execute(_LINK, (person.provider, person.subject, name))
            db.execute(
                "UPDATE users SET roles = ?, groups = ? WHERE name = ?",
                (json.dumps(given), json.dumps(person.groups), name),
            )
        return name

    def link(self, name: str, provider: str, subject: str) -> None:
        """Let a provider's person be the user ``name``. Raises ``NotFoundError``, and ``InputError`` for another's."""
        with self._database.transaction() as db:
            _require_user(db, name)
            taken = db.execute(
                "SELECT user FROM identities WHERE provider = ? AND subject = ?", (provider, subject)
            ).fetchone()
            if taken is not None and taken["user"] != name:
                raise InputError(f"This person of the provider is the user {taken['user']!r} already.")
            db.execute(_LINK, (provider, subject, name))

    def sign_in(self, name: str, *, address: str = "", way: SignIn = "account", id_token: str | None = None) -> str:
        """Begin a sign-in of a user and return the secret of its cookie, which is not stored.

        Each sign-in has a fresh one, so that nobody can hand out a known one. Raises ``NotFoundError``.
        """
        secret, now = secrets.token_urlsafe(32), _now().isoformat()
        with self._database.transaction() as db:
            _require_user(db, name)
            db.execute(
                "INSERT INTO logins (id, hash, user, created_at, seen_at, address, way, id_token) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (secrets.token_hex(6), hash_secret(secret), name, now, now, address, way, id_token),
            )
        return secret

    def find_id_token(self, login_id: str) -> str | None:
        """Return the provider's token of a sign-in that goes on; None without one."""
        with self._database.snapshot() as db:
            row = db.execute("SELECT id_token FROM logins WHERE id = ?", (login_id,)).fetchone()
        return None if row is None else row["id_token"]

    def touch(self, login_id: str) -> None:
        """Note that a sign-in is in use."""
        with self._database.transaction() as db:
            db.execute("UPDATE logins SET seen_at = ? WHERE id = ?", (_now().isoformat(), login_id))

    def sign_out(self, login_id: str) -> None:
        """End a sign-in from the next request on. Raises ``NotFoundError``."""
        with self._database.transaction() as db:
            ended = "UPDATE logins SET ended_at = COALESCE(ended_at, ?), id_token = NULL WHERE id = ?"
            if not db.execute(ended, (_now().isoformat(), login_id)).rowcount:
                raise NotFoundError(f"There is no sign-in {login_id!r}; `roma login list` shows those that there are.")

    def end_provider_logins(
        self, provider: str, subject: str, sessions: Sequence[str] = (), *, way: SignIn
    ) -> tuple[str, ...]:
        """End the sign-ins of a provider's person, of these ``sessions`` of the provider or all; return their ids.

        Without a ``subject`` the ``sessions`` alone say which sign-ins end.
        """
        wanted = {*sessions, None} if subject else {*sessions}
        with self._database.transaction() as db:
            rows = db.execute(
                "SELECT logins.id, logins.id_token FROM logins JOIN identities ON identities.user = logins.user "
                "WHERE identities.provider = ? AND (identities.subject = ? OR ? = '') AND logins.way = ? "
                "AND logins.ended_at IS NULL",
                (provider, subject, subject, way),
            ).fetchall()
            is_everywhere = bool(subject) and not sessions
            meant = tuple(row["id"] for row in rows if is_everywhere or _name_session(way, row["id_token"]) in wanted)
            ended = "UPDATE logins SET ended_at = ?, id_token = NULL WHERE id = ?"
            db.executemany(ended, [(_now().isoformat(), login_id) for login_id in meant])
        return meant

    def list_logins(self) -> tuple[Login, ...]:
        """Return the sign-ins that are in force, the newest first."""
        now = _now()
        with self._database.snapshot() as db:
            found = [login for login in select_logins(db).values() if login.valid_at(now)]
        return tuple(sorted(found, key=lambda login: login.created_at, reverse=True))


def _name_session(way: SignIn, token: str | None) -> str | None:
    """Return the provider's name of a sign-in; None where it gave none, so that it cannot be told from others."""
    if token is None:
        return None
    if way == "saml":
        held, name = token, "session"
    else:
        held, name = base64.urlsafe_b64decode(token.split(".")[1] + "==").decode(), "sid"
    session = json.loads(held).get(name)
    return session if isinstance(session, str) else None


def select_accounts(db: SqlConnection) -> dict[str, UserAccount]:
    """Return the accounts by name."""
    linked = "EXISTS (SELECT 1 FROM identities WHERE identities.user = users.name) AS is_linked"
    rows = db.execute(f"SELECT users.*, {linked} FROM users ORDER BY name")  # noqa: S608
    return {row["name"]: _parse_account(row) for row in rows}


def select_logins(db: SqlConnection) -> dict[str, Login]:
    """Return the sign-ins that were not ended by the hash of their cookie."""
    rows = db.execute("SELECT * FROM logins WHERE ended_at IS NULL")
    return {row["hash"]: Login(**{name: row[name] for name in Login.model_fields}) for row in rows}


def check_user_name(name: str) -> None:
    """Raise ``InputError`` for what is no name of a user: none may look like a token or the user of the machine."""
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME or name == LOCAL_USER:
        raise InputError(f"{name[:40]!r} is no name of a user: letters, digits and _ . @ + -, at most {LONGEST_NAME}.")


def hash_secret(secret: str) -> str:
    """Return the hash by which a secret of 256 random bits is stored."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _parse_account(row: Mapping[str, Any]) -> UserAccount:
    return UserAccount(
        name=row["name"],
        tenant=row["tenant"],
        roles=tuple(json.loads(row["roles"])),
        groups=tuple(json.loads(row["groups"])),
        has_password=row["password"] is not None,
        is_linked=bool(row["is_linked"]),
        created_at=row["created_at"],
        disabled_at=row["disabled_at"],
    )


def _require_user(db: SqlConnection, name: str) -> None:
    """Raise ``NotFoundError`` unless there is an enabled user ``name``."""
    if not db.execute("SELECT 1 FROM users WHERE name = ? AND disabled_at IS NULL", (name,)).fetchone():
        raise NotFoundError(f"There is no user {name[:40]!r}; `roma user list` shows those that there are.")


def _end_logins(db: SqlConnection, name: str) -> None:
    ended = "UPDATE logins SET ended_at = COALESCE(ended_at, ?), id_token = NULL WHERE user = ?"
    db.execute(ended, (_now().isoformat(), name))


def _find_linked(db: SqlConnection, person: ExternalIdentity) -> str | None:
    """Return the user that a provider's person is; None for one who was never here, or whose user was removed."""
    row = db.execute(
        "SELECT users.name FROM identities JOIN users ON users.name = identities.user "
        "WHERE identities.provider = ? AND identities.subject = ?",
        (person.provider, person.subject),
    ).fetchone()
    return None if row is None else str(row["name"])


def _check_new_name(db: SqlConnection, person: ExternalIdentity, name: str) -> None:
    """Raise ``AccessError`` for a name that is another user's in any spelling, or that no user can have."""
    try:
        check_user_name(name)
    except InputError as error:
        raise AccessError(f"{error.message} ROMA_OIDC_NAME_CLAIM or ROMA_SAML_NAME_ATTRIBUTE chooses it.") from None
    if db.execute("SELECT 1 FROM users WHERE lower(name) = ?", (name,)).fetchone():
        raise AccessError(
            f"There is a user {name!r} already, who does not sign in this way; an administrator links the two with "
            f"`roma user link {name} --provider {person.provider} --subject {person.subject}`."
        )


def _is_disabled(db: SqlConnection, name: str) -> bool:
    row = db.execute("SELECT disabled_at FROM users WHERE name = ?", (name,)).fetchone()
    return row is not None and row["disabled_at"] is not None


def _invite(db: SqlConnection, name: str) -> str:
    secret = secrets.token_urlsafe(32)
    db.execute("DELETE FROM invitations WHERE user = ?", (name,))
    row = (hash_secret(secret), name, (_now() + INVITATION).isoformat())
    db.execute("INSERT INTO invitations (hash, user, expires_at) VALUES (?, ?, ?)", row)
    return secret


def _find_invited(db: SqlConnection, secret: str) -> str:
    row = db.execute("SELECT user, expires_at FROM invitations WHERE hash = ?", (hash_secret(secret),)).fetchone()
    if row is None or datetime.fromisoformat(row["expires_at"]) <= _now():
        raise NotFoundError("This invitation was used or is too old; `roma user invite NAME` makes another one.")
    return str(row["user"])


@cache
def _hasher() -> PasswordHasher:
    """Return argon2id with the library's parameters (RFC 9106, low memory): some 30 ms and 64 MB a password."""
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _hash_of_nobody() -> str:
    return _hasher().hash(secrets.token_urlsafe(32))


def _now() -> datetime:
    return datetime.now(UTC)
