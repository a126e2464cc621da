"""Back-channel logout: the OpenID provider ends sign-ins without a browser, and nobody else does."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("joserfc", reason="needs roma-core[sso]")

from roma_core.api.sso.oidc import LOGOUT_EVENT
from tests.api.test_oidc import STATE, make_settings, sign_in
from tests.fakes.openid import CLIENT_ID, REMOVED, OpenIDProvider, change, encode, make_key

pytestmark = pytest.mark.slow  # each starts the service
LOGOUT = "/sign-in/oidc/logout"


def now() -> int:
    """Return the seconds of this moment: tests may begin minutes after this module was loaded."""
    return int(time.time())


@pytest.fixture
def provider() -> Iterator[OpenIDProvider]:
    with OpenIDProvider().running() as running:
        yield running


@pytest.fixture
async def service(start: Any, provider: OpenIDProvider) -> AsyncIterator[Any]:
    async with start(**make_settings(provider.issuer)) as made:
        yield made


def make_token(provider: OpenIDProvider, jti: str = "j1", **changes: Any) -> str:
    """Return a logout token of the person that the provider signs in."""
    provider.header = {"typ": "logout+jwt", **provider.header}
    claims = {
        "iss": provider.issuer,
        "aud": CLIENT_ID,
        "iat": now(),
        "exp": now() + 120,
        "jti": jti,
        "sub": "248289",
        "events": {LOGOUT_EVENT: {}},
    }
    token = provider.sign(change(claims, changes))
    provider.header = {}
    return token


async def demand(service: Any, *tokens: str) -> Any:
    """Send logout tokens as the provider's server does: without cookies."""
    kept = dict(service.client.cookies)
    service.client.cookies.clear()
    sent = "&".join(f"logout_token={token}" for token in tokens)
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = await service.client.post(LOGOUT, content=sent, headers=form)
    service.client.cookies.update(kept)
    return answer


async def is_signed_in(service: Any) -> bool:
    return bool((await service.client.get(STATE)).status_code == 200)


async def sign_in_as(service: Any, provider: OpenIDProvider, session: str | None) -> dict[str, str]:
    """Sign in with the provider's name of the session; return the browser's cookies, and forget them."""
    service.client.cookies.clear()
    provider.claims = {} if session is None else {"sid": session}
    await sign_in(service)
    cookies = dict(service.client.cookies)
    service.client.cookies.clear()
    return cookies


async def test_the_provider_ends_all_sign_ins_of_a_person_from_the_next_request_on(
    service: Any, provider: OpenIDProvider
) -> None:
    browsers = [await sign_in_as(service, provider, session) for session in ("s1", "s2", None)]
    ended = await demand(service, make_token(provider))
    assert (ended.status_code, ended.content) == (200, b"")
    assert ended.headers["cache-control"] == "no-store"
    for cookies in browsers:
        service.client.cookies.update(cookies)
        assert not await is_signed_in(service)
    (row,) = service.roma.audit.query("default", who="unknown", action="sign_out")
    assert row.details["way"] == "oidc" and len(row.details["logins"]) == 3


@pytest.mark.parametrize("subject", ["248289", REMOVED], ids=["of a person", "of whoever has it"])
async def test_the_provider_ends_the_one_session_that_it_names(
    service: Any, provider: OpenIDProvider, subject: Any
) -> None:
    first, second = [await sign_in_as(service, provider, session) for session in ("s1", "s2")]
    assert (await demand(service, make_token(provider, sub=subject, sid="s1"))).status_code == 200
    service.client.cookies.update(first)
    assert not await is_signed_in(service)
    service.client.cookies.update(second)
    assert await is_signed_in(service)


async def test_other_people_and_passwords_stay_signed_in(service: Any, provider: OpenIDProvider) -> None:
    accounts = service.app.state.accounts
    await sign_in(service)
    by_password = accounts.sign_in("anna@example.org", address="192.0.2.7")
    provider.user.update({"sub": "7", "email": "bert@example.org"})
    bert = await sign_in_as(service, provider, None)
    assert (await demand(service, make_token(provider))).status_code == 200
    service.client.cookies.update(bert)
    assert await is_signed_in(service)
    service.client.cookies.update({"roma_sign_in": by_password})
    assert await is_signed_in(service)


async def test_a_token_counts_once(service: Any, provider: OpenIDProvider) -> None:
    token = make_token(provider)
    assert (await demand(service, token)).status_code == 200
    await sign_in(service)
    refused = await demand(service, token)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")
    assert await is_signed_in(service)
    assert (await demand(service, make_token(provider, "j2"))).status_code == 200
    assert not await is_signed_in(service)


Forge = Callable[[OpenIDProvider], str]


def forge(**changes: Any) -> Forge:
    return lambda provider: make_token(provider, **changes)


def forge_header(**header: Any) -> Forge:
    def make(provider: OpenIDProvider) -> str:
        provider.header = header
        return make_token(provider)

    return make


def sign_by_another(provider: OpenIDProvider) -> str:
    provider.key = make_key("mallory")
    token = make_token(provider)
    provider.key = make_key()
    return token


def sign_by_public_key(provider: OpenIDProvider) -> str:
    provider.key = make_key().as_pem(private=False)
    provider.header = {"alg": "HS256"}
    token = make_token(provider)
    provider.key = make_key()
    return token


def change_payload(provider: OpenIDProvider) -> str:
    header, _, signature = make_token(provider, sub="7").split(".")
    claims = {"iss": provider.issuer, "aud": CLIENT_ID, "iat": now(), "exp": now() + 120, "jti": "j", "sub": "248289"}
    return f"{header}.{encode({**claims, 'events': {LOGOUT_EVENT: {}}})}.{signature}"


FORGERIES: dict[str, Forge] = {
    "no algorithm": forge_header(alg="none"),
    "a shared secret": forge_header(alg="HS256"),
    "the public key as a shared secret": sign_by_public_key,
    "another key": sign_by_another,
    "a changed payload": change_payload,
    "no signature": lambda provider: make_token(provider).rpartition(".")[0] + ".",
    "an access token": forge_header(typ="at+jwt"),
    "a critical extension": forge_header(crit=["b64"], b64=True),
    "another issuer": forge(iss="https://evil.example"),
    "no issuer": forge(iss=REMOVED),
    "another audience": forge(aud="other"),
    "no audience": forge(aud=REMOVED),
    "an audience that is no text": forge(aud={CLIENT_ID: 1}),
    "an expired one": lambda provider: make_token(provider, iat=now() - 1000, exp=now() - 500),
    "one of yesterday that lasts long": lambda provider: make_token(provider, iat=now() - 86_400, exp=now() + 86_400),
    "one of the future": lambda provider: make_token(provider, iat=now() + 3600, exp=now() + 7200),
    "no time": forge(iat=REMOVED),
    "no end": forge(exp=REMOVED),
    "a time that is text": lambda provider: make_token(provider, iat=str(now())),
    "a nonce, as ID tokens have": forge(nonce="n"),
    "no events": forge(events=REMOVED),
    "another event": forge(events={"http://schemas.openid.net/event/other": {}}),
    "events that are a list": forge(events=[LOGOUT_EVENT]),
    "an event that is no object": forge(events={LOGOUT_EVENT: True}),
    "no id": forge(jti=REMOVED),
    "an id that is no text": forge(jti=7),
    "nobody": forge(sub=REMOVED),
    "a session that is no text": forge(sid=["s1"]),
    "five parts": lambda provider: make_token(provider) + ".x.y",
    "no token": lambda provider: "",
    "no text of a token": lambda provider: "%FF%FE",
}


async def test_a_forged_token_ends_nothing(service: Any, provider: OpenIDProvider) -> None:
    provider.claims = {"sid": "s1"}
    await sign_in(service)
    for name, make in FORGERIES.items():
        refused = await demand(service, make(provider))
        provider.header, provider.key = {}, make_key()
        assert refused.status_code == 400, (name, refused.text)
        assert refused.json()["error"] == "invalid_request", name
        assert await is_signed_in(service), name
    assert (await demand(service)).status_code == 400
    assert (await demand(service, make_token(provider), make_token(provider, "j2"))).status_code == 400
    assert await is_signed_in(service)
    failed = service.roma.audit.query("default", who="unknown", action="sign_in.failed")
    assert len(failed) == len(FORGERIES) + 2
    assert (await demand(service, make_token(provider, "genuine"))).status_code == 200
    assert not await is_signed_in(service)


async def test_a_demand_that_cannot_be_checked_is_not_done(service: Any, provider: OpenIDProvider) -> None:
    provider.is_away = True
    refused = await demand(service, make_token(provider))
    assert refused.status_code == 503
    assert provider.issuer not in refused.text


async def test_without_a_provider_there_is_no_such_page(start: Any) -> None:
    async with start() as service:
        assert (await service.client.post(LOGOUT, content="")).status_code in {401, 404}
