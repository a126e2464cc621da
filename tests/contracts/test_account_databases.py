"""Accounts, tokens and sign-ins that have begun: what holds whether they lie in a workspace or in PostgreSQL."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from roma_core.api.accounts import AccountTable, ExternalIdentity
from roma_core.api.erasure import list_service_steps, list_tenant_steps
from roma_core.api.sso.pending import PendingSignIns
from roma_core.api.storage import open_accounts, open_service
from roma_core.api.tokens import TokenStore
from roma_core.errors import AccessError, InputError, NotFoundError, StoreError
from roma_core.settings import Settings
from roma_core.types import Principal

PASSWORD = "correct horse battery"
ANNA = ExternalIdentity(provider="https://id.example.org", subject="7", name="Anna@example.org", groups=("staff",))


class Place(NamedTuple):
    """Where accounts lie: in a folder, or on a server."""

    folder: Path
    url: str | None

    @property
    def accounts(self) -> AccountTable:
        return AccountTable(self.folder, self.url)

    @property
    def tokens(self) -> TokenStore:
        return TokenStore(self.folder, self.url)

    @property
    def pending(self) -> PendingSignIns:
        return PendingSignIns(self.folder, self.url)

    @property
    def settings(self) -> Settings:
        return Settings(workspace=self.folder, database_url=self.url)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: Any, tmp_path: Path) -> Place:
    url = None if request.param == "sqlite" else request.getfixturevalue("plain_url")
    return Place(tmp_path / "w", url)


def test_an_invitation_gives_a_password_once_and_ends_sign_ins(place: Place) -> None:
    accounts = place.accounts
    invitation = accounts.add("anna", roles=["contributor"], groups=["people"])
    assert accounts.check_invitation(invitation) == "anna"
    accounts.sign_in("anna", address="192.0.2.7")
    assert accounts.set_password(invitation, PASSWORD) == "anna"
    assert accounts.list_logins() == ()
    with pytest.raises(NotFoundError):
        accounts.check_invitation(invitation)
    assert accounts.check_password("anna", PASSWORD) and not accounts.check_password("anna", "another one, wrong")
    assert not accounts.check_password("nobody", PASSWORD)
    (account,) = accounts.list()
    assert (account.roles, account.groups, account.has_password) == (("contributor",), ("people",), True)
    with pytest.raises(InputError, match="already"):
        accounts.add("anna", roles=["admin"])


def test_a_disabled_user_is_out_with_sign_ins_and_tokens(place: Place) -> None:
    accounts, tokens = place.accounts, place.tokens
    accounts.add("anna", roles=["reader"])
    cookie = accounts.sign_in("anna")
    secret, _ = tokens.create("laptop", ["query"], owner="anna")
    assert tokens.read().find_login(cookie) is not None
    accounts.disable("anna")
    snapshot = tokens.read()
    token = snapshot.verify(secret)
    assert snapshot.find_login(cookie) is None
    assert token is not None and snapshot.identify(token) is None
    with pytest.raises(NotFoundError):
        accounts.disable("nobody")


async def test_what_is_ended_anywhere_is_ended_for_the_next_look(place: Place) -> None:
    """As the gate of one server sees what another one, or a command, has done."""
    here, there = place.tokens, place.tokens
    secret, token = there.create("ci", ["query"], days=1)
    assert (await here.snapshot()).verify(secret) is not None
    await asyncio.to_thread(there.revoke, token.id)
    assert (await here.snapshot()).verify(secret) is None
    assert [held.id for held in here.list()] == [token.id]
    with pytest.raises(NotFoundError):
        there.revoke("none")


def test_a_look_at_what_has_not_changed_reads_no_rows(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roma_core.api.tokens._TRUST_S", 3600.0)
    tokens = place.tokens
    tokens.create("ci", ["query"])
    first = tokens.read()
    assert tokens.read() is first
    place.accounts.add("anna", roles=["reader"])
    assert tokens.read() is not first


def test_sign_ins_are_listed_touched_and_ended(place: Place) -> None:
    accounts = place.accounts
    accounts.add("anna", roles=["reader"])
    for address in ("192.0.2.7", "192.0.2.8"):
        accounts.sign_in("anna", address=address, way="oidc", id_token=f"token of {address}")
    newest, oldest = accounts.list_logins()
    assert (newest.address, oldest.address) == ("192.0.2.8", "192.0.2.7")
    accounts.touch(oldest.id)
    assert {login.id: login.seen_at for login in accounts.list_logins()}[oldest.id] > oldest.seen_at
    assert accounts.find_id_token(newest.id) == "token of 192.0.2.8"
    accounts.sign_out(newest.id)
    assert accounts.find_id_token(newest.id) is None
    assert [login.id for login in accounts.list_logins()] == [oldest.id]
    with pytest.raises(NotFoundError):
        accounts.sign_out("none")


def test_a_person_of_a_provider_becomes_a_user_and_loses_its_roles(place: Place) -> None:
    accounts = place.accounts
    assert accounts.check_admission(ANNA, ["reader"]) == ("anna@example.org", True)
    assert accounts.admit(ANNA, ["reader"]) == "anna@example.org"
    renamed = ANNA.model_copy(update={"name": "married@example.org"})
    assert accounts.admit(renamed, ["analyst"]) == "anna@example.org"
    (account,) = accounts.list()
    assert (account.roles, account.is_linked) == (("analyst",), True)
    other = ANNA.model_copy(update={"subject": "8"})
    with pytest.raises(AccessError, match="already"):
        accounts.admit(other, ["reader"])
    accounts.link("anna@example.org", other.provider, "8")
    accounts.link("anna@example.org", other.provider, "8")
    assert accounts.admit(other, ["reader"]) == "anna@example.org"
    accounts.sign_in("anna@example.org", way="saml", id_token='{"session": "s1"}')
    assert len(accounts.end_provider_logins(ANNA.provider, "7", ["s1"], way="saml")) == 1
    with pytest.raises(AccessError, match="no role"):
        accounts.admit(ANNA, [])
    assert accounts.list()[0].roles == ()


def test_a_sign_in_that_has_begun_is_taken_once_and_by_its_browser(place: Place) -> None:
    pending = place.pending
    begun = pending.begin("oidc", "/console/c/1")
    taken = pending.take("oidc", begun.state, begun.browser)
    assert (taken.place, taken.nonce, taken.verifier) == ("/console/c/1", begun.nonce, begun.verifier)
    with pytest.raises(AccessError):
        pending.take("oidc", begun.state, begun.browser)
    stolen = pending.begin("saml", "/console")
    ticket = pending.answer("saml", stolen.state, ANNA)
    with pytest.raises(AccessError):
        pending.answer("saml", stolen.state, ANNA)
    with pytest.raises(AccessError):
        pending.take("saml", ticket, "another browser")


def test_as_many_sign_ins_wait_as_are_kept(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roma_core.api.sso.pending.MOST", 3)
    pending = place.pending
    begun = [pending.begin("oidc", f"/console/c/{number}") for number in range(5)]
    with pytest.raises(AccessError):
        pending.take("oidc", begun[1].state, begun[1].browser)
    assert pending.take("oidc", begun[2].state, begun[2].browser).place == "/console/c/2"


def test_an_assertion_counts_once_for_all_servers(place: Place) -> None:
    accepted: list[int] = []
    until = datetime.now(UTC) + timedelta(minutes=5)

    def spend(number: int) -> None:
        try:
            place.pending.spend("assertion-1", until)
        except AccessError:
            return
        accepted.append(number)

    threads = [threading.Thread(target=spend, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(accepted) == 1


async def test_a_user_and_a_tenant_are_forgotten(place: Place) -> None:
    accounts, tokens = place.accounts, place.tokens
    for name, tenant in (("anna", "default"), ("bert", "default"), ("carl", "lab")):
        accounts.add(name, roles=["reader"], tenant=tenant)
        accounts.sign_in(name)
        tokens.create(f"of {name}", ["query"], owner=name, tenant=tenant)
    accounts.link("anna", ANNA.provider, ANNA.subject)
    steps = list_service_steps(place.settings, Principal(subject="anna"))
    removed = {step.place: await step.work() for step in steps}
    assert (removed["account and sign-ins"], removed["tokens"]) == (3, 1)
    assert [account.name for account in accounts.list()] == ["bert", "carl"]
    removed = {step.place: await step.work() for step in list_tenant_steps(place.settings, "lab")}
    assert (removed["accounts and sign-ins"], removed["tokens"]) == (1, 1)
    assert [account.name for account in accounts.list()] == ["bert"]
    assert [token.owner for token in tokens.list()] == ["bert"]
    assert [login.user for login in accounts.list_logins()] == ["bert"]


def test_a_change_that_fails_halfway_changes_nothing(place: Place) -> None:
    place.accounts.add("anna", roles=["reader"])
    with pytest.raises(InputError), open_accounts(place.folder, place.url).transaction() as db:
        db.execute("UPDATE users SET roles = '[]' WHERE name = ?", ("anna",))
        raise InputError("Halfway.")
    assert place.accounts.list()[0].roles == ("reader",)


# Taking over


def test_a_server_takes_over_what_a_workspace_holds_and_removes_it_there(tmp_path: Path, plain_url: str) -> None:
    before, after = Place(tmp_path / "w", None), Place(tmp_path / "w", plain_url)
    before.accounts.set_password(before.accounts.add("anna", roles=["admin"]), PASSWORD)
    cookie = before.accounts.sign_in("anna")
    secret, _ = before.tokens.create("ci", ["query"])
    assert after.tokens.read().verify(secret) is not None
    assert after.tokens.read().find_login(cookie) is not None
    assert after.accounts.check_password("anna", PASSWORD)
    with closing(sqlite3.connect(tmp_path / "w" / "service.db")) as db:
        assert db.execute("SELECT count(*) FROM users").fetchone() == (0,)
    assert b"anna" not in (tmp_path / "w" / "service.db").read_bytes()


def test_rows_of_another_workspace_are_left_alone_once_the_server_has_its_own(
    tmp_path: Path, plain_url: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    Place(tmp_path / "w", plain_url).accounts.add("anna", roles=["admin"])
    other = Place(tmp_path / "other", None)
    other.accounts.add("bert", roles=["admin"])
    moved = Place(tmp_path / "other", plain_url)
    assert [account.name for account in moved.accounts.list()] == ["anna"]
    assert [account.name for account in other.accounts.list()] == ["bert"]
    assert "rows_beside_the_database" in caplog.text


def test_a_workspace_is_not_made_for_accounts_on_a_server(tmp_path: Path, plain_url: str) -> None:
    Place(tmp_path / "w", plain_url).accounts.add("anna", roles=["admin"])
    assert not (tmp_path / "w").exists()


def test_a_server_that_cannot_be_reached_is_named_and_lets_nobody_in(tmp_path: Path) -> None:
    tokens = Place(tmp_path / "w", "postgresql+psycopg://roma@127.0.0.1:1/roma").tokens
    with pytest.raises(StoreError, match="ROMA_DATABASE_URL"):
        tokens.read()


def test_jobs_of_the_workspace_are_taken_over_with_their_order(tmp_path: Path, plain_url: str) -> None:
    from roma_core.api.jobqueue import JobQueue

    before = JobQueue(tmp_path / "w")
    first, second = (before.add([name], "default").id for name in ("papers", "notes"))
    queue = JobQueue(tmp_path / "w", server_url=plain_url)
    third = queue.add(["more"], "default").id
    claimed = [queue.claim("x") for _ in range(3)]
    assert [job and job.id for job in claimed] == [first, second, third]
    assert before.counts()["queued"] == 0
    with open_service(tmp_path / "w").snapshot() as db:
        assert db.execute("SELECT count(*) FROM ingest_jobs").fetchone()[0] == 0
