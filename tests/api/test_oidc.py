"""Sign-in at an OpenID provider as a browser goes through it, and what ends it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

pytest.importorskip("joserfc", reason="needs roma-core[sso]")

from roma_core.api.accounts import AccountTable
from roma_core.api.sso import SingleSignOn
from roma_core.errors import ConfigError
from roma_core.settings import Settings
from tests.fakes.openid import CLIENT_ID, CLIENT_SECRET, REMOVED, OpenIDProvider

pytestmark = pytest.mark.slow  # each starts the service
HTML = {"accept": "text/html"}
PUBLIC_URL = "http://127.0.0.1:8000"
STATE = "/console/api/state"


@pytest.fixture
def provider() -> Iterator[OpenIDProvider]:
    with OpenIDProvider().running() as running:
        yield running


def make_settings(issuer: str, **changes: Any) -> dict[str, Any]:
    fields = {
        "public_url": PUBLIC_URL,
        "oidc_issuer": issuer,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": CLIENT_SECRET,
        "oidc_allowed_private_hosts": (urlsplit(issuer).netloc,),
        "oidc_roles": ("staff=contributor", "auditors=auditor"),
        "oidc_label": "Sign in at Example",
    }
    return {**fields, **changes}


@pytest.fixture
async def service(start: Any, provider: OpenIDProvider) -> AsyncIterator[Any]:
    async with start(**make_settings(provider.issuer)) as made:
        yield made


Parameters = dict[str, str]


async def go_to_provider(service: Any, place: str = "/console") -> Parameters:
    """Begin a sign-in and return what the provider sends back."""
    begun = await service.client.get("/sign-in/oidc", params={"next": place}, follow_redirects=False)
    assert begun.status_code == 303, begun.text
    agreed = await service.client.get(begun.headers["location"], follow_redirects=False)
    back = urlsplit(agreed.headers["location"])
    assert back.path == "/sign-in/oidc/callback"
    return {name: values[0] for name, values in parse_qs(back.query).items()}


async def come_back(service: Any, answer: Any) -> Any:
    return await service.client.get("/sign-in/oidc/callback", params=answer, follow_redirects=False)


async def sign_in(service: Any, place: str = "/console") -> Any:
    return await come_back(service, await go_to_provider(service, place))


def actions_of(service: Any, who: str) -> list[str]:
    return [entry.action for entry in service.roma.audit.query("default", who=who)]


async def test_a_person_of_the_provider_becomes_a_user_with_the_roles_of_its_groups(service: Any) -> None:
    answer = await sign_in(service)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console")
    attributes = answer.headers["set-cookie"].lower()
    assert "httponly" in attributes
    assert "samesite=lax" in attributes
    state = (await service.client.get(STATE)).json()
    assert state["user"] == {"name": "anna@example.org", "may_sign_out": True}
    assert state["may_ingest"] is True
    (account,) = service.app.state.accounts.list()
    assert (account.roles, account.groups, account.has_password) == (("contributor",), ("staff",), False)
    assert actions_of(service, "anna@example.org")[-2:] == ["sign_in", "account.add"]


async def test_nobody_is_served_before_the_first_sign_in(service: Any) -> None:
    assert (await service.client.get("/search?q=x")).status_code == 401
    led = await service.client.get("/console", headers=HTML, follow_redirects=False)
    assert led.headers["location"] == "/sign-in?next=/console"
    page = await service.client.get("/sign-in?next=/console/c/1f")
    assert 'href="/sign-in/oidc?next=/console/c/1f"' in page.text
    assert "Sign in at Example" in page.text


async def test_the_cookie_opens_the_console_alone(service: Any) -> None:
    await sign_in(service)
    for path in ("/search?q=x", "/sessions", "/ingest", "/metrics"):
        assert (await service.client.get(path)).status_code == 401, path


async def test_groups_and_roles_follow_the_provider_at_the_next_sign_in(service: Any, provider: OpenIDProvider) -> None:
    await sign_in(service)
    provider.user["groups"] = ["auditors"]
    await sign_in(service)
    (account,) = service.app.state.accounts.list()
    assert (account.roles, account.groups) == (("auditor",), ("auditors",))


async def test_who_has_no_role_any_more_is_out_with_its_sign_ins_and_tokens(
    service: Any, provider: OpenIDProvider
) -> None:
    await sign_in(service)
    secret, _ = service.tokens.create("laptop", ["query"], owner="anna@example.org")
    provider.user["groups"] = ["guests"]
    refused = await sign_in(service)
    assert refused.status_code == 403
    assert "no role" in refused.text
    assert (await service.client.get(STATE)).status_code == 401
    bearer = {"authorization": f"Bearer {secret}"}
    assert (await service.client.get("/sessions", headers=bearer)).status_code in {401, 403}


async def test_a_name_that_another_user_has_is_not_taken_over(service: Any, provider: OpenIDProvider) -> None:
    table: AccountTable = service.app.state.accounts
    table.add("Anna@Example.org", roles=["admin"])
    refused = await sign_in(service)
    assert refused.status_code == 403
    assert "already" in refused.text
    assert (await service.client.get(STATE)).status_code == 401
    table.link("Anna@Example.org", provider.issuer, "248289")
    assert (await sign_in(service)).status_code == 303
    assert (await service.client.get(STATE)).json()["user"]["name"] == "Anna@Example.org"


async def test_another_person_with_the_same_address_is_another_person(service: Any, provider: OpenIDProvider) -> None:
    await sign_in(service)
    provider.user["sub"] = "999"
    assert (await sign_in(service)).status_code == 403


async def test_a_person_keeps_its_user_when_its_address_changes(service: Any, provider: OpenIDProvider) -> None:
    await sign_in(service)
    provider.user["email"] = "anna.married@example.org"
    await sign_in(service)
    assert [account.name for account in service.app.state.accounts.list()] == ["anna@example.org"]


async def test_a_disabled_user_cannot_come_back(service: Any) -> None:
    await sign_in(service)
    service.app.state.accounts.disable("anna@example.org")
    assert (await service.client.get(STATE)).status_code == 401
    refused = await sign_in(service)
    assert refused.status_code == 403
    assert "disabled" in refused.text


async def test_a_name_that_no_user_can_have_is_refused(service: Any, provider: OpenIDProvider) -> None:
    provider.user["email"] = "token:abc@example.org"
    assert (await sign_in(service)).status_code == 403
    assert service.app.state.accounts.list() == ()


Change = Callable[[Any, Parameters], Any]


def forget_cookies(service: Any, answer: Parameters) -> Parameters:
    service.client.cookies.clear()
    return answer


CALLBACKS: dict[str, Change] = {
    "no state": lambda service, answer: {name: value for name, value in answer.items() if name != "state"},
    "a made-up state": lambda service, answer: {**answer, "state": "made-up"},
    "another browser": forget_cookies,
    "a state that comes twice": lambda service, answer: [*answer.items(), ("state", answer["state"])],
    "a code that comes twice": lambda service, answer: [*answer.items(), ("code", "other")],
    "no code": lambda service, answer: {name: value for name, value in answer.items() if name != "code"},
    "an error of the provider": lambda service, answer: {"state": answer["state"], "error": "<script>x</script>"},
}


async def test_a_callback_that_does_not_belong_to_this_browser_signs_nobody_in(service: Any) -> None:
    for name, change in CALLBACKS.items():
        answer = await go_to_provider(service)
        refused = await come_back(service, change(service, answer))
        assert refused.status_code == 403, name
        assert "<script>" not in refused.text, name
        assert "roma_sign_in=" not in refused.headers.get("set-cookie", ""), name
        assert (await service.client.get(STATE)).status_code == 401, name
    assert actions_of(service, "unknown") == ["sign_in.failed"] * len(CALLBACKS)


async def test_a_callback_counts_once(service: Any) -> None:
    answer = await go_to_provider(service)
    assert (await come_back(service, answer)).status_code == 303
    assert (await come_back(service, answer)).status_code == 403


async def test_a_refused_callback_has_used_its_state_up(service: Any, provider: OpenIDProvider) -> None:
    answer = await go_to_provider(service)
    cookies = dict(service.client.cookies)
    service.client.cookies.clear()
    assert (await come_back(service, answer)).status_code == 403
    service.client.cookies.update(cookies)
    assert (await come_back(service, answer)).status_code == 403


async def test_two_tabs_can_sign_in_at_once(service: Any) -> None:
    first, second = await go_to_provider(service, "/console/c/1"), await go_to_provider(service, "/console/c/2")
    assert (await come_back(service, first)).headers["location"] == "/console/c/1"
    assert (await come_back(service, second)).headers["location"] == "/console/c/2"


async def test_no_other_place_is_led_to(service: Any) -> None:
    for place in ("https://evil.example", "//evil.example", "/\\evil.example", "/docs", "javascript:x"):
        assert (await sign_in(service, place)).headers["location"] == "/console", place


async def test_a_sign_in_in_the_same_browser_ends_the_one_before(service: Any) -> None:
    await sign_in(service)
    before = service.client.cookies["roma_sign_in"]
    await sign_in(service)
    assert service.client.cookies["roma_sign_in"] != before
    old = await service.client.get(STATE, headers={"cookie": f"roma_sign_in={before}"})
    assert old.status_code in {200, 401}
    service.client.cookies.clear()
    old = await service.client.get(STATE, headers={"cookie": f"roma_sign_in={before}"})
    assert old.status_code == 401


async def test_signing_out_leads_to_the_provider_which_ends_its_own(service: Any, provider: OpenIDProvider) -> None:
    await sign_in(service)
    ended = await service.client.post("/sign-out")
    address = urlsplit(ended.json()["location"])
    fields = parse_qs(address.query)
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{provider.issuer}/end"
    assert fields["client_id"] == [CLIENT_ID]
    assert fields["post_logout_redirect_uri"] == [f"{PUBLIC_URL}/sign-in"]
    assert fields["id_token_hint"][0].count(".") == 2
    assert (await service.client.get(STATE)).status_code == 401
    written = (service.roma.settings.workspace / "service.db").read_bytes()
    assert fields["id_token_hint"][0].encode() not in written


async def test_signing_out_is_of_this_service_where_the_provider_has_no_sign_out(
    service: Any, provider: OpenIDProvider
) -> None:
    provider.metadata = {"end_session_endpoint": REMOVED}
    await sign_in(service)
    assert (await service.client.post("/sign-out")).status_code == 204


async def test_an_auditor_can_sign_out_although_it_may_ask_nothing(service: Any, provider: OpenIDProvider) -> None:
    provider.user["groups"] = ["auditors"]
    await sign_in(service)
    assert (await service.client.get(STATE)).status_code == 403
    assert (await service.client.post("/sign-out")).status_code == 200


async def test_who_is_signed_in_goes_on_while_the_provider_is_unavailable(
    service: Any, provider: OpenIDProvider
) -> None:
    await sign_in(service)
    provider.is_away = True
    assert (await service.client.get(STATE)).status_code == 200
    answer = await go_to_provider_page(service)
    refused = await come_back(service, answer)
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0
    assert "try again in a moment" in refused.text
    assert (await service.client.get(STATE)).status_code == 200


async def go_to_provider_page(service: Any) -> Parameters:
    """Begin a sign-in with a provider that is known, and make up its answer."""
    begun = await service.client.get("/sign-in/oidc", follow_redirects=False)
    asked = parse_qs(urlsplit(begun.headers["location"]).query)
    issuer = "{0.scheme}://{0.netloc}".format(urlsplit(begun.headers["location"]))
    return {"state": asked["state"][0], "code": "c", "iss": issuer}


async def test_a_provider_that_was_never_reached_is_said_so(service: Any, provider: OpenIDProvider) -> None:
    provider.is_away = True
    page = await service.client.get("/sign-in/oidc", follow_redirects=False)
    assert page.status_code == 503
    assert "cannot be reached" in page.text
    assert re.search(r'href="/sign-in/oidc', page.text), "the page offers to try again"


async def test_a_mistake_in_the_settings_is_told_to_the_log_and_not_to_strangers(
    start: Any, provider: OpenIDProvider
) -> None:
    async with start(**make_settings(provider.issuer, oidc_client_secret="wrong")) as service:
        refused = await sign_in(service)
        assert refused.status_code == 500
        assert "ROMA_OIDC" not in refused.text
        (entry,) = service.roma.audit.query("default", who="unknown")
        assert "ROMA_OIDC_CLIENT_SECRET" in entry.details["reason"]


async def test_passwords_beside_a_provider_can_be_switched_off(start: Any, provider: OpenIDProvider) -> None:
    async with start(**make_settings(provider.issuer, password_sign_in=False)) as service:
        table: AccountTable = service.app.state.accounts
        table.set_password(table.add("bert", roles=["admin"]), "correct horse battery")
        assert "password" not in (await service.client.get("/sign-in")).text
        form = {"name": "bert", "password": "correct horse battery"}
        assert (await service.client.post("/sign-in", data=form)).status_code == 403


@pytest.mark.parametrize("address", [None, "", "http://roma.example.org", "https://roma.example.org/x", "ftp://x"])
def test_a_provider_needs_the_address_of_the_service(tmp_path: Path, address: str | None) -> None:
    settings = Settings(workspace=tmp_path, **make_settings("http://127.0.0.1:1", public_url=address))
    with pytest.raises(ConfigError, match="ROMA_PUBLIC_URL"):
        SingleSignOn(settings)


async def test_a_real_provider_signs_in(start: Any) -> None:
    mock = pytest.importorskip("oidc_provider_mock")
    with mock.run_server_in_thread(port=0) as server:
        issuer = f"http://localhost:{server.server_port}"
        settings = make_settings(issuer, oidc_allowed_private_hosts=("localhost",), oidc_default_role="reader")
        async with start(**settings) as service:
            claims = {"email": "anna@example.org", "email_verified": True}
            await service.client.put(f"{issuer}/users/anna", json=claims)
            begun = await service.client.get("/sign-in/oidc", follow_redirects=False)
            agreed = await service.client.post(begun.headers["location"], data={"sub": "anna"}, follow_redirects=False)
            back = urlsplit(agreed.headers["location"])
            answer = await come_back(service, {name: values[0] for name, values in parse_qs(back.query).items()})
            assert answer.status_code == 303, answer.text
            state = (await service.client.get(STATE)).json()
            assert state["user"]["name"] == "anna@example.org"
