"""Accounts: an invitation, a password, a sign-in on the server, and what ends it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from roma_core.api import accounts as module
from roma_core.api.access import RateLimiter
from roma_core.api.accounts import AccountTable
from roma_core.api.tokens import TokenStore
from roma_core.errors import InputError, NotFoundError

pytestmark = pytest.mark.slow  # each starts the service
PASSWORD = "correct horse battery"
HTML = {"accept": "text/html"}


@pytest.fixture
def anna(service: Any) -> str:
    """Name of a user with a password."""
    table: AccountTable = service.app.state.accounts
    return table.set_password(table.add("anna", roles=["contributor"], groups=["people"]), PASSWORD)


async def sign_in(service: Any, name: str = "anna", password: str = PASSWORD, **fields: str) -> Any:
    form = {"name": name, "password": password, **fields}
    answer = await service.client.post("/sign-in", data=form, follow_redirects=False)
    service.client.cookies.clear()  # a test says which cookie it sends
    return answer


def cookie_of(answer: Any) -> dict[str, str]:
    secret = re.match(r"roma_sign_in=([^;]+)", answer.headers["set-cookie"])
    assert secret is not None
    return {"cookie": f"roma_sign_in={secret[1]}"}


async def test_a_signed_in_user_has_the_console_by_a_cookie_that_scripts_cannot_read(service: Any, anna: str) -> None:
    answer = await sign_in(service)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console")
    attributes = answer.headers["set-cookie"].lower()
    assert "httponly" in attributes
    assert "samesite=lax" in attributes
    state = await service.client.get("/console/api/state", headers=cookie_of(answer))
    assert state.json()["user"] == {"name": "anna", "may_sign_out": True}
    assert state.json()["may_ingest"] is True


async def test_the_cookie_opens_the_console_alone(service: Any, anna: str) -> None:
    cookie = cookie_of(await sign_in(service))
    for path in ("/search?q=x", "/sessions", "/ingest", "/metrics"):
        assert (await service.client.get(path, headers=cookie)).status_code == 401, path


async def test_a_stranger_is_led_to_the_form_and_back(service: Any, anna: str) -> None:
    answer = await service.client.get("/console/c/1f", headers=HTML, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/console/c/1f")
    page = await service.client.get("/sign-in?next=/console/c/1f")
    assert 'name="next" value="/console/c/1f"' in page.text
    assert "script" not in page.text
    assert (await sign_in(service, next="/console/c/1f")).headers["location"] == "/console/c/1f"
    called = await service.client.get("/console/api/state")
    assert called.status_code == 401
    assert "www-authenticate" not in called.headers


@pytest.mark.parametrize("place", ["https://evil.example", "//evil.example", "/console/../admin", "/docs", "\\evil"])
async def test_no_other_place_is_led_to(service: Any, anna: str, place: str) -> None:
    assert (await sign_in(service, next=place)).headers["location"] in {"/console", "/console/../admin"}


@pytest.mark.parametrize(("name", "password"), [("anna", "wrong password 1"), ("nobody", PASSWORD), ("anna", "")])
async def test_a_wrong_name_and_a_wrong_password_are_the_same_refusal(
    service: Any, anna: str, name: str, password: str
) -> None:
    answer = await sign_in(service, name, password)
    assert answer.status_code == 403
    assert "do not belong together" in answer.text
    assert "set-cookie" not in answer.headers


async def test_guessing_is_slowed_down(service: Any, anna: str) -> None:
    service.app.state.sign_in_tries = RateLimiter(per_minute=1)
    assert (await sign_in(service, "anna", "wrong password 1")).status_code == 403
    refused = await sign_in(service)
    assert refused.status_code == 429, "the right password is refused too"
    assert float(refused.headers["retry-after"]) > 0


async def test_signing_out_ends_it_for_the_next_request(service: Any, anna: str) -> None:
    cookie = cookie_of(await sign_in(service))
    assert (await service.client.post("/sign-out", headers=cookie)).status_code == 204
    assert (await service.client.get("/console/api/state", headers=cookie)).status_code == 401
    actions = [entry.action for entry in service.roma.audit.query("default", who="anna")]
    assert actions == ["sign_out", "sign_in"]


async def test_another_sites_page_can_neither_sign_in_nor_out(service: Any, anna: str) -> None:
    cookie = cookie_of(await sign_in(service))
    foreign = {**cookie, "origin": "https://evil.example"}
    assert (await service.client.post("/sign-out", headers=foreign)).status_code == 403
    form = {"name": "anna", "password": PASSWORD}
    assert (await service.client.post("/sign-in", data=form, headers=foreign)).status_code == 403
    assert (await service.client.get("/console/api/state", headers=cookie)).status_code == 200


async def test_each_sign_in_has_a_fresh_cookie_and_revoking_one_leaves_the_other(service: Any, anna: str) -> None:
    first, second = cookie_of(await sign_in(service)), cookie_of(await sign_in(service))
    assert first != second
    table: AccountTable = service.app.state.accounts
    newest, oldest = table.list_logins()
    table.sign_out(oldest.id)
    assert (await service.client.get("/console/api/state", headers=first)).status_code == 401
    assert (await service.client.get("/console/api/state", headers=second)).status_code == 200
    assert [login.id for login in table.list_logins()] == [newest.id]


async def test_a_disabled_user_is_out_with_its_tokens(service: Any, anna: str) -> None:
    cookie = cookie_of(await sign_in(service))
    secret, _ = service.tokens.create("laptop", ["query"], owner="anna")
    token = {"authorization": f"Bearer {secret}"}
    assert (await service.client.get("/sessions", headers=token)).status_code == 200
    service.app.state.accounts.disable("anna")
    assert (await service.client.get("/sessions", headers=token)).status_code == 401
    assert (await service.client.get("/console/api/state", headers=cookie)).status_code == 401
    assert (await sign_in(service)).status_code == 403


async def test_a_token_has_the_roles_of_its_owner_and_no_more_than_its_scopes(service: Any, anna: str) -> None:
    wide, _ = service.tokens.create("wide", ["admin"], owner="anna")
    narrow, _ = service.tokens.create("narrow", ["query"], owner="anna")
    codes = {}
    for name, secret in (("wide", wide), ("narrow", narrow)):
        for path in ("/ingest", "/spend"):
            answer = await service.client.get(path, headers={"authorization": f"Bearer {secret}"})
            codes[name, path] = answer.status_code
    assert codes["wide", "/ingest"] == 200
    assert codes["wide", "/spend"] == 403, "a contributor's token of every scope is no admin's"
    assert codes["narrow", "/ingest"] == 403


async def test_an_invitation_is_good_once(service: Any) -> None:
    table: AccountTable = service.app.state.accounts
    secret = table.add("bert", roles=["reader"])
    page = await service.client.get("/sign-in", params={"invitation": secret})
    assert "Choose a password, bert" in page.text
    short = await service.client.post("/sign-in", data={"invitation": secret, "password": "short"})
    assert short.status_code == 400
    chosen = await service.client.post(
        "/sign-in", data={"invitation": secret, "password": PASSWORD}, follow_redirects=False
    )
    assert chosen.status_code == 303
    again = await service.client.post("/sign-in", data={"invitation": secret, "password": PASSWORD})
    assert again.status_code == 404
    assert (await service.client.get("/sign-in", params={"invitation": secret})).status_code == 404


async def test_values_of_the_form_are_escaped(service: Any, anna: str) -> None:
    page = await service.client.get("/sign-in", params={"next": '"><script>alert(1)</script>'})
    assert "<script>" not in page.text
    assert "<script>" not in (await sign_in(service, "<script>x</script>", "y")).text


@pytest.mark.parametrize("days", [0.49, 0.51, 8])
def test_a_sign_in_ends_when_it_is_idle_or_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    table, store = AccountTable(tmp_path), TokenStore(tmp_path)
    table.set_password(table.add("anna", roles=["reader"]), PASSWORD)
    begun = datetime.now(UTC) - timedelta(days=days)
    monkeypatch.setattr(module, "_now", lambda: begun)
    secret = table.sign_in("anna")
    monkeypatch.undo()
    assert (store.read().find_login(secret) is not None) is (days < 0.5)
    if days == 8:
        (login_id,) = [login.id for login in store.read().logins.values()]
        table.touch(login_id)
        assert TokenStore(tmp_path).read().find_login(secret) is None, "used all the time, and too old"


def test_names_roles_and_passwords_are_checked(tmp_path: Path) -> None:
    table = AccountTable(tmp_path)
    for name in ("", "local", "token:abc", "a b", "x" * 129, "../x"):
        with pytest.raises(InputError):
            table.add(name, roles=["reader"])
    with pytest.raises(InputError, match="Roles are"):
        table.add("anna", roles=["king"])  # type: ignore[list-item]
    secret = table.add("anna", roles=["reader"])
    with pytest.raises(InputError, match="already"):
        table.add("anna", roles=["reader"])
    for password in ("short", "x" * 1001):
        with pytest.raises(InputError):
            table.set_password(secret, password)
    with pytest.raises(NotFoundError):
        table.invite("nobody")
    for owner in ("local", "token:0123456789ab", "a b"):
        with pytest.raises(InputError):
            TokenStore(tmp_path).create("laptop", owner=owner)


def test_neither_password_nor_cookie_nor_invitation_is_on_the_disk(tmp_path: Path) -> None:
    table = AccountTable(tmp_path)
    invitation = table.add("anna", roles=["reader"])
    table.set_password(invitation, PASSWORD)
    cookie = table.sign_in("anna")
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for secret in (PASSWORD, invitation, cookie):
        assert secret.encode() not in written
    assert b"argon2id" in written


async def test_without_a_user_nothing_has_changed(service: Any) -> None:
    assert (await service.client.get("/console", headers=HTML)).status_code == 200
    assert (await service.client.get("/console/api/state")).json()["user"]["may_sign_out"] is False


async def test_behind_tls_the_cookie_is_of_this_host_alone_and_browsers_stay_with_tls(start: Any) -> None:
    async with start(public_url="https://roma.example.org") as service:
        table: AccountTable = service.app.state.accounts
        table.set_password(table.add("anna", roles=["reader"]), PASSWORD)
        answer = await sign_in(service)
        secret = re.match(r"__Host-roma_sign_in=([^;]+); .*Path=/;.*Secure", answer.headers["set-cookie"])
        assert secret is not None
        assert "includeSubDomains" in answer.headers["strict-transport-security"]
        state = "/console/api/state"
        known = await service.client.get(state, headers={"cookie": f"__Host-roma_sign_in={secret[1]}"})
        planted = await service.client.get(state, headers={"cookie": f"roma_sign_in={secret[1]}"})
        assert (known.status_code, planted.status_code) == (200, 401)


async def test_a_sign_in_ends_the_one_before_it_in_the_same_browser(service: Any, anna: str) -> None:
    first = cookie_of(await sign_in(service))
    form = {"name": anna, "password": PASSWORD}
    second = cookie_of(await service.client.post("/sign-in", data=form, headers=first, follow_redirects=False))
    service.client.cookies.clear()
    for cookie, status in ((first, 401), (second, 200)):
        assert (await service.client.get("/console/api/state", headers=cookie)).status_code == status
