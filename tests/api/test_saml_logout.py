"""Single logout by SAML: a sign-out here ends the sign-in at the provider, and the provider's ends those here."""

from __future__ import annotations

import base64
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

pytest.importorskip("onelogin", reason="needs roma-core[sso]")

from lxml import etree

from roma_core.api.sso import SingleSignOn
from roma_core.errors import ConfigError
from roma_core.settings import Settings
from tests.fakes.saml import (
    IDP,
    NAMES,
    RSA_SHA1,
    SLO_URL,
    SSO_URL,
    Logout,
    Statement,
    at,
    write_certificate,
    write_key,
    write_logout_answer,
)

pytestmark = pytest.mark.slow  # each starts the service
PUBLIC_URL = "http://127.0.0.1:8000"
LOGOUT_URL = f"{PUBLIC_URL}/sign-in/saml/slo"
STATE = "/console/api/state"
FORGERIES: dict[str, dict[str, Any]] = {
    "unsigned": {"key": None},
    "signed by another key": {"key": "mallory"},
    "signed with SHA-1": {"algorithm": RSA_SHA1},
    "of another issuer": {"issuer": "https://evil.example.org"},
    "for another destination": {"destination": "https://roma.example.net/sign-in/saml/slo"},
    "expired": {"until": at(-60), "issued_at": at(-120)},
    "of yesterday": {"issued_at": at(-1500), "until": None},
    "of tomorrow": {"issued_at": at(1500)},
    "with a comment in the name": {"name_id": "anna@example.org<!---->.evil"},
    "with a document type": {"edit": lambda text: "<!DOCTYPE x [<!ENTITY e 'anna'>]>" + text},
    "no XML": {"edit": lambda text: text[:-30]},
    "another document": {"edit": lambda text: text.replace("LogoutRequest", "AuthnRequest")},
}


def make_settings(folder: Path, **changes: Any) -> dict[str, Any]:
    fields = {
        "public_url": PUBLIC_URL,
        "saml_idp_entity_id": IDP,
        "saml_idp_sso_url": SSO_URL,
        "saml_idp_slo_url": SLO_URL,
        "saml_idp_certificates": (str(write_certificate(folder)),),
        "saml_sp_certificate": str(write_certificate(folder, "sp")),
        "saml_sp_key": str(write_key(folder)),
        "saml_roles": ("staff=contributor",),
    }
    return {**fields, **changes}


@pytest.fixture
async def service(start: Any, tmp_path: Path) -> AsyncIterator[Any]:
    async with start(**make_settings(tmp_path)) as made:
        yield made


async def sign_in(service: Any, session: str | None = "_s1", name: str = "anna@example.org") -> dict[str, str]:
    """Sign in as a browser does; return its cookies, and forget them."""
    begun = await service.client.get("/sign-in/saml", follow_redirects=False)
    request_id = read_message(begun.headers["location"], "SAMLRequest").get("ID")
    said = Statement(
        request_id,
        name_id=name,
        destination=f"{PUBLIC_URL}/sign-in/saml/acs",
        recipient=f"{PUBLIC_URL}/sign-in/saml/acs",
        audiences=(f"{PUBLIC_URL}/sign-in/saml/metadata",),
        assertion_id=f"_a{request_id}",
        session_index=session,
    )
    answer = {"SAMLResponse": said.encode()}
    posted = await service.client.post("/sign-in/saml/acs", data=answer, follow_redirects=False)
    finished = await service.client.get(posted.headers["location"], follow_redirects=False)
    assert finished.status_code == 303, finished.text
    cookies = dict(service.client.cookies)
    service.client.cookies.clear()
    return cookies


def read_message(address: str, name: str) -> Any:
    packed = base64.b64decode(parse_qs(urlsplit(address).query)[name][0])
    return etree.fromstring(zlib.decompress(packed, -15))


async def is_signed_in(service: Any, cookies: dict[str, str]) -> bool:
    service.client.cookies.clear()
    service.client.cookies.update(cookies)
    status = (await service.client.get(STATE)).status_code
    service.client.cookies.clear()
    return bool(status == 200)


async def demand(service: Any, **changes: Any) -> Any:
    query = Logout(**{"destination": LOGOUT_URL, **changes}).write_query()
    return await service.client.get(f"/sign-in/saml/slo?{query}", follow_redirects=False)


async def test_a_sign_out_here_goes_on_to_the_provider_with_a_signed_request(service: Any) -> None:
    cookies = await sign_in(service)
    service.client.cookies.update(cookies)
    signed_out = await service.client.post("/sign-out")
    address = signed_out.json()["location"]
    assert address.startswith(f"{SLO_URL}?")
    assert {"SAMLRequest", "SigAlg", "Signature"} <= set(parse_qs(urlsplit(address).query))
    request = read_message(address, "SAMLRequest")
    assert request.findtext("a:NameID", namespaces=NAMES) == "anna@example.org"
    assert request.findtext("p:SessionIndex", namespaces=NAMES) == "_s1"
    assert not await is_signed_in(service, cookies)
    for key, said in (("idp", True), ("mallory", False), (None, False)):
        query = write_logout_answer(str(request.get("ID")), key=key, destination=LOGOUT_URL)
        page = await service.client.get(f"/sign-in/saml/slo?{query}")
        assert page.status_code == 200
        assert ("has not confirmed" not in page.text) is said, key


async def test_the_provider_ends_the_sign_ins_of_a_person_and_no_other(service: Any) -> None:
    anna, again, bert = await sign_in(service), await sign_in(service, "_s2"), await sign_in(service, "_s1", "bert")
    answered = await demand(service)
    assert answered.status_code == 303, answered.text
    assert answered.headers["location"].startswith(f"{SLO_URL}?")
    assert "Signature" in parse_qs(urlsplit(answered.headers["location"]).query)
    answer = read_message(answered.headers["location"], "SAMLResponse")
    assert answer.get("InResponseTo") == "_l1"
    assert [await is_signed_in(service, cookies) for cookies in (anna, again, bert)] == [False, False, True]


async def test_the_provider_ends_one_session_of_a_person(service: Any) -> None:
    first, second, unnamed = await sign_in(service), await sign_in(service, "_s2"), await sign_in(service, None)
    assert (await demand(service, session_index="_s2")).status_code == 303
    alive = [await is_signed_in(service, cookies) for cookies in (first, second, unnamed)]
    assert alive == [True, False, False], "one that has no name cannot be told from the one that is meant"


async def test_a_demand_counts_once(service: Any) -> None:
    await sign_in(service)
    assert (await demand(service)).status_code == 303
    later = await sign_in(service, "_s2")
    assert (await demand(service)).status_code == 403
    assert await is_signed_in(service, later)


async def test_a_forged_demand_ends_nothing(service: Any) -> None:
    cookies = await sign_in(service)
    for name, changes in FORGERIES.items():
        refused = await demand(service, **{"id": f"_f{len(name)}{name[0]}", **changes})
        assert refused.status_code == 403, (name, refused.headers)
        assert await is_signed_in(service, cookies), name
    assert (await demand(service, id="_positive")).status_code == 303
    assert not await is_signed_in(service, cookies)


async def test_without_single_logout_a_sign_out_ends_here(start: Any, tmp_path: Path) -> None:
    own = make_settings(tmp_path, saml_idp_slo_url="", saml_sp_key="", saml_sp_certificate="")
    async with start(**own) as service:
        cookies = await sign_in(service)
        assert (await demand(service)).status_code == 404
        service.client.cookies.update(cookies)
        assert (await service.client.post("/sign-out")).status_code == 204


async def test_the_metadata_names_the_address_of_single_logout(service: Any) -> None:
    document = etree.fromstring((await service.client.get("/sign-in/saml/metadata")).content)
    places = document.xpath("//*[local-name() = 'SingleLogoutService']/@Location")
    assert places == [LOGOUT_URL]
    assert document.xpath("//*[local-name() = 'X509Certificate']")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"saml_sp_key": ""}, "set ROMA_SAML_SP_KEY and ROMA_SAML_SP_CERTIFICATE"),
        ({"saml_sp_key": "nowhere.key"}, "ROMA_SAML_SP_KEY: nowhere.key cannot be read"),
        ({"saml_idp_slo_url": "http://id.example.org/slo"}, "ROMA_SAML_IDP_SLO_URL must be the https:// address"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    fields = {**make_settings(tmp_path), **changes}
    with pytest.raises(ConfigError, match=said):
        SingleSignOn(Settings(workspace=tmp_path / "ws", **fields))
