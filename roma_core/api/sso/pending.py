"""Sign-ins that have begun at an identity provider: kept on the server, good once, for ten minutes, in one browser."""

from __future__ import annotations

import hmac
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from roma_core.api.accounts import ExternalIdentity, hash_secret
from roma_core.api.storage import open_accounts
from roma_core.errors import AccessError
from roma_core.types import Noun, SignIn

LIFETIME: Final = timedelta(minutes=10)
MOST = 10_000
"""Sign-ins that may have begun; beyond them the oldest are forgotten."""
START_AGAIN = "This sign-in was used, is too old, or began in another browser: start it again."


class PendingSignIn(Noun):
    """A sign-in that has begun: what only the provider's true answer to it can match."""

    way: SignIn
    state: str
    """Goes to the provider and comes back."""
    browser: str
    """Secret of the cookie of the browser in which the sign-in began; its hash where the record was read."""
    nonce: str
    verifier: str
    place: str
    """Path of the console to go on to."""
    person: ExternalIdentity | None = None
    """For whom the provider has vouched, where the browser comes back only afterwards (SAML)."""


class LogoutDemand(NamedTuple):
    """A provider's signed demand to end the sign-ins of a person; without a ``subject`` of the ``sessions`` alone."""

    id: str
    subject: str
    sessions: tuple[str, ...]
    """The provider's names of the sign-ins; empty for all of them."""
    expires_at: datetime
    """From then on the demand is refused for its age."""
    reply: str = ""
    """Address at the provider to which a browser goes on, where one brought the demand."""


class PendingSignIns:
    """The sign-ins of a workspace that have begun. Every method is one transaction and raises ``StoreError``.

    >>> pending = PendingSignIns(Path(".roma"))
    >>> begun = pending.begin("oidc", "/console")
    >>> pending.take("oidc", begun.state, begun.browser).place
    '/console'
    """

    def __init__(self, workspace: Path, server_url: str | None = None) -> None:
        self._database = open_accounts(workspace, server_url)

    def begin(self, way: SignIn, place: str, *, state: str | None = None) -> PendingSignIn:
        """Keep a new sign-in and return it; a ``state`` is given where the protocol makes it."""
        pending = PendingSignIn(
            way=way,
            state=state or secrets.token_urlsafe(32),
            browser=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
            place=place,
        )
        now = datetime.now(UTC)
        row = (
            hash_secret(pending.state),
            way,
            hash_secret(pending.browser),
            pending.nonce,
            pending.verifier,
            place,
            now.isoformat(),
        )
        with self._database.transaction() as db:
            db.execute("DELETE FROM pending_sign_ins WHERE created_at < ?", ((now - LIFETIME).isoformat(),))
            db.execute(
                "DELETE FROM pending_sign_ins WHERE state IN "
                "(SELECT state FROM pending_sign_ins ORDER BY created_at DESC LIMIT ? OFFSET ?)",
                (MOST, MOST - 1),
            )
            db.execute("INSERT INTO pending_sign_ins VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", row)
        return pending

    def answer(self, way: SignIn, state: str, person: ExternalIdentity) -> str:
        """Keep for whom the provider vouched, and return the secret by which the browser comes for it.

        Raises ``AccessError`` for a sign-in that was answered, is too old, or never began.
        """
        ticket = secrets.token_urlsafe(32)
        oldest = (datetime.now(UTC) - LIFETIME).isoformat()
        with self._database.transaction() as db:
            answered = db.execute(
                "UPDATE pending_sign_ins SET state = ?, person = ? "
                "WHERE state = ? AND way = ? AND person IS NULL AND created_at >= ?",
                (hash_secret(ticket), person.model_dump_json(), hash_secret(state), way, oldest),
            )
        if not answered.rowcount:
            raise AccessError(START_AGAIN)
        return ticket

    def take(self, way: SignIn, state: str, browser: str) -> PendingSignIn:
        """Return the sign-in of ``state`` and forget it. Raises ``AccessError`` for a second time and another browser.

        A wrong browser uses it up too: nobody can try cookies.
        """
        key = hash_secret(state)
        with self._database.transaction() as db:
            row = db.execute("SELECT * FROM pending_sign_ins WHERE state = ? AND way = ?", (key, way)).fetchone()
            db.execute("DELETE FROM pending_sign_ins WHERE state = ?", (key,))
        if row is None or datetime.fromisoformat(row["created_at"]) < datetime.now(UTC) - LIFETIME:
            raise AccessError(START_AGAIN)
        if not browser or not hmac.compare_digest(row["browser"], hash_secret(browser)):
            raise AccessError(START_AGAIN)
        fields = {name: row[name] for name in ("nonce", "verifier", "place", "browser")}
        person = None if row["person"] is None else ExternalIdentity.model_validate_json(row["person"])
        return PendingSignIn(way=way, state=state, person=person, **fields)

    def spend(self, assertion_id: str, until: datetime) -> None:
        """Note that an assertion was used. Raises ``AccessError`` for one that was used before.

        It is remembered ``until`` it could not be accepted for its age anyway.
        """
        with self._database.transaction() as db:
            db.execute("DELETE FROM spent_assertions WHERE expires_at < ?", (datetime.now(UTC).isoformat(),))
            key = hash_secret(assertion_id)
            added = db.execute(
                "INSERT INTO spent_assertions VALUES (?, ?) ON CONFLICT (id) DO NOTHING", (key, until.isoformat())
            )
        if not added.rowcount:
            raise AccessError("The provider's answer was used before: start the sign-in again.")
