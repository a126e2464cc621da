"""Sign-in at a SAML provider as a browser goes through it: from the form to the provider's page, and back."""

from __future__ import annotations

import base64
import shutil
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

pytest.importorskip("onelogin", reason="needs roma-core[sso]")

from lxml import etree

from roma_core.api.sso.pending import PendingSignIns
from tests.fakes.saml import IDP, SSO_URL, Statement, make_key, write_certificate

pytestmark = pytest.mark.slow  # each starts the service
PUBLIC_URL = "http://127.0.0.1:8000"
CONSUMER_URL = f"{PUBLIC_URL}/sign-in/saml/acs"
AUDIENCE = f"{PUBLIC_URL}/sign-in/saml/metadata"
STATE = "/console/api/state"


def make_settings(folder: Path, **changes: Any) -> dict[str, Any]:
    fields = {
        "public_url": PUBLIC_URL,
        "saml_idp_entity_id": IDP,
        "saml_idp_sso_url": SSO_URL,
        "saml_idp_certificates": (str(write_certificate(folder)),),
        "saml_roles": ("staff=contributor",),
    }
    return {**fields, **changes}


@pytest.fixture
async def service(start: Any, tmp_path: Path) -> AsyncIterator[Any]:
    async with start(**make_settings(tmp_path)) as made:
        yield made


async def begin(service: Any, place: str = "/console") -> str:
    """Go to the provider and return the id of the request that it is sent."""
    begun = await service.client.get("/sign-in/saml", params={"next": place}, follow_redirects=False)
    assert begun.status_code == 303, begun.text
    address = begun.headers["location"]
    assert address.startswith(f"{SSO_URL}?")
    sent = base64.b64decode(parse_qs(urlsplit(address).query)["SAMLRequest"][0])
    request = etree.fromstring(zlib.decompress(sent, -15))
    assert request.get("AssertionConsumerServiceURL") == CONSUMER_URL
    return str(request.get("ID"))


def speak(request_id: str, **changes: Any) -> str:
    fields = {"destination": CONSUMER_URL, "recipient": CONSUMER_URL, "audiences": (AUDIENCE,)}
    return Statement(request_id, **{**fields, **changes}).encode()


async def post(service: Any, encoded: str) -> Any:
    """Post an answer from the provider's page: with its origin, and without cookies, as SameSite=Lax has it."""
    kept = dict(service.client.cookies)
    service.client.cookies.clear()
    headers = {"origin": "https://id.example.org", "sec-fetch-site": "cross-site", "sec-fetch-dest": "document"}
    posted = await service.client.post(
        "/sign-in/saml/acs", data={"SAMLResponse": encoded}, headers=headers, follow_redirects=False
    )
    service.client.cookies.update(kept)
    return posted


async def follow(service: Any, posted: Any) -> Any:
    assert posted.status_code == 303, posted.text
    assert "set-cookie" not in posted.headers
    return await service.client.get(posted.headers["location"], follow_redirects=False)


async def test_a_person_of_the_provider_becomes_a_user(service: Any) -> None:
    request_id = await begin(service, "/console/c/7")
    finished = await follow(service, await post(service, speak(request_id)))
    assert (finished.status_code, finished.headers["location"]) == (303, "/console/c/7")
    state = (await service.client.get(STATE)).json()
    assert state["user"] == {"name": "anna@example.org", "may_sign_out": True}
    assert state["may_ingest"] is True
    entries = service.roma.audit.query("default", who="anna@example.org")
    assert [entry.action for entry in entries][-2:] == ["sign_in", "account.add"]
    assert entries[-2].details["way"] == "saml"
    assert (await service.client.post("/sign-out")).status_code == 204
    assert (await service.client.get(STATE)).status_code == 401


async def test_an_answer_counts_once(service: Any) -> None:
    encoded = speak(await begin(service))
    await follow(service, await post(service, encoded))
    assert (await post(service, encoded)).status_code == 403


async def test_an_assertion_counts_once_even_for_two_requests_of_one_id(service: Any) -> None:
    request_id = await begin(service)
    encoded = speak(request_id)
    await follow(service, await post(service, encoded))
    PendingSignIns(service.roma.settings.workspace).begin("saml", "/console", state=request_id)
    refused = await post(service, encoded)
    assert refused.status_code == 403
    assert "used before" in refused.text


async def test_an_answer_that_nobody_asked_for_is_refused(service: Any) -> None:
    assert (await post(service, speak("ONELOGIN_made_up"))).status_code == 403


async def test_an_answer_counts_in_the_browser_in_which_the_sign_in_began(service: Any) -> None:
    posted = await post(service, speak(await begin(service)))
    service.client.cookies.clear()
    refused = await follow(service, posted)
    assert refused.status_code == 403
    assert (await service.client.get(STATE)).status_code == 401


async def test_nobody_finishes_a_sign_in_that_the_provider_did_not_answer(service: Any) -> None:
    for query in ("", "?flow={id}&ticket={id}"):
        request_id = await begin(service)
        finished = await service.client.get("/sign-in/saml/finish" + query.replace("{id}", request_id))
        assert finished.status_code == 403, query
        assert (await service.client.get(STATE)).status_code == 401, query


async def test_a_forged_answer_uses_no_sign_in_up(service: Any) -> None:
    request_id = await begin(service)
    assert (await post(service, speak(request_id, key="mallory"))).status_code == 403
    finished = await follow(service, await post(service, speak(request_id)))
    assert finished.status_code == 303


async def test_the_page_of_the_provider_can_post_nowhere_else(service: Any) -> None:
    headers = {"origin": "https://id.example.org"}
    for path in ("/sign-in", "/sign-out", "/sign-in/saml/finish", "/sign-in/saml/acs/"):
        refused = await service.client.post(path, headers=headers, follow_redirects=False)
        assert refused.status_code == 403, path


async def test_the_metadata_is_there_for_the_provider(service: Any) -> None:
    answer = await service.client.get("/sign-in/saml/metadata")
    assert answer.headers["content-type"] == "application/samlmetadata+xml"
    assert etree.fromstring(answer.content).get("entityID") == AUDIENCE


async def test_a_real_provider_signs_in(start: Any, tmp_path: Path) -> None:
    saml2 = pytest.importorskip("saml2")
    program = shutil.which("xmlsec1")
    if program is None:
        pytest.skip("no xmlsec1 on this machine (Debian: apt-get install xmlsec1)")
    async with start(**make_settings(tmp_path)) as service:
        (tmp_path / "sp.xml").write_bytes((await service.client.get("/sign-in/saml/metadata")).content)
        (tmp_path / "key.pem").write_text(make_key("idp")[0])
        idp = make_real_provider(saml2, tmp_path, program)
        begun = await service.client.get("/sign-in/saml", follow_redirects=False)
        asked = parse_qs(urlsplit(begun.headers["location"]).query)["SAMLRequest"][0]
        request = idp.parse_authn_request(asked, saml2.BINDING_HTTP_REDIRECT).message
        from saml2.saml import NAMEID_FORMAT_PERSISTENT, NameID

        answer = idp.create_authn_response(
            {"groups": ["staff"]},
            request.id,
            request.assertion_consumer_service_url,
            AUDIENCE,
            name_id=NameID(format=NAMEID_FORMAT_PERSISTENT, text="anna@example.org"),
            sign_assertion=True,
            sign_alg="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            digest_alg="http://www.w3.org/2001/04/xmlenc#sha256",
            authn={"class_ref": "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"},
        )
        finished = await follow(service, await post(service, base64.b64encode(str(answer).encode()).decode()))
        assert finished.status_code == 303
        assert (await service.client.get(STATE)).json()["user"]["name"] == "anna@example.org"


def make_real_provider(saml2: Any, folder: Path, program: str) -> Any:
    from saml2.config import IdPConfig
    from saml2.saml import NAME_FORMAT_BASIC
    from saml2.server import Server

    config = IdPConfig().load(
        {
            "entityid": IDP,
            "xmlsec_binary": program,
            "key_file": str(folder / "key.pem"),
            "cert_file": str(folder / "idp.pem"),
            "metadata": {"local": [str(folder / "sp.xml")]},
            "service": {
                "idp": {
                    "endpoints": {"single_sign_on_service": [(SSO_URL, saml2.BINDING_HTTP_REDIRECT)]},
                    "sign_assertion": True,
                    "policy": {"default": {"lifetime": {"minutes": 10}, "name_form": NAME_FORMAT_BASIC}},
                }
            },
        }
    )
    return Server(config=config)
