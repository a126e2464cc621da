"""An assertion that was forged, changed, moved or meant for someone else signs nobody in; a true one does."""

from __future__ import annotations

import base64
import copy
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onelogin", reason="needs roma-core[sso]")

from lxml import etree

from roma_core.api.sso.saml import CheckedAssertion, SAMLProvider
from roma_core.errors import AccessError, ConfigError
from roma_core.settings import SAMLSettings
from tests.fakes.saml import (
    AUDIENCE,
    CONSUMER_URL,
    IDP,
    NAMES,
    PUBLIC_URL,
    SHA1,
    SSO_URL,
    Statement,
    at,
    make_key,
    write_certificate,
)

REQUEST = "ONELOGIN_0123456789abcdef"
DS = f"{{{NAMES['ds']}}}"
A = f"{{{NAMES['a']}}}"
P = f"{{{NAMES['p']}}}"


@pytest.fixture
def provider(tmp_path: Path) -> SAMLProvider:
    return make_provider(tmp_path)


def make_provider(folder: Path, **changes: Any) -> SAMLProvider:
    fields = {
        "idp_entity_id": IDP,
        "idp_sso_url": SSO_URL,
        "idp_certificates": (str(write_certificate(folder)),),
        "roles": ("staff=reader",),
    }
    return SAMLProvider(SAMLSettings(**{**fields, **changes}), PUBLIC_URL)


def check(provider: SAMLProvider, statement: Statement) -> CheckedAssertion:
    return provider.check(provider.read(statement.encode()))


def find(document: Any, path: str) -> Any:
    return document.find(path, NAMES)


def rename_person(document: Any) -> None:
    find(document, ".//a:NameID").text = "admin@example.org"


def add_group(document: Any) -> None:
    find(document, ".//a:AttributeValue").text = "admins"


def move_audience(document: Any) -> None:
    find(document, ".//a:Audience").text = AUDIENCE


def drop_signature(document: Any) -> None:
    signature = find(document, ".//ds:Signature")
    signature.getparent().remove(signature)


def make_evil(document: Any, new_id: str) -> tuple[Any, Any]:
    """Return the signed assertion and a copy that speaks of somebody else, without a signature."""
    honest = find(document, "a:Assertion")
    evil = copy.deepcopy(honest)
    evil.set("ID", new_id)
    find(evil, ".//a:NameID").text = "admin@example.org"
    evil.remove(find(evil, "ds:Signature"))
    return honest, evil


def wrap_before(document: Any) -> None:
    honest, evil = make_evil(document, "_evil")
    honest.addprevious(evil)


def wrap_after(document: Any) -> None:
    honest, evil = make_evil(document, "_evil")
    honest.addnext(evil)


def wrap_around(document: Any) -> None:
    honest, evil = make_evil(document, "_evil")
    document.replace(honest, evil)
    evil.append(honest)


def wrap_with_moved_signature(document: Any) -> None:
    honest, evil = make_evil(document, "_evil")
    signature = find(honest, "ds:Signature")
    document.replace(honest, evil)
    evil.insert(1, signature)
    document.append(honest)


def wrap_inside_signature(document: Any) -> None:
    honest, evil = make_evil(document, "_evil")
    signature = find(honest, "ds:Signature")
    document.replace(honest, evil)
    evil.insert(1, signature)
    signature.append(honest)


def wrap_in_object(document: Any) -> None:
    honest, evil = make_evil(document, "_evil")
    signature = find(honest, "ds:Signature")
    document.replace(honest, evil)
    evil.insert(1, signature)
    holder = etree.SubElement(signature, f"{DS}Object")
    holder.append(honest)


def wrap_in_extensions(document: Any) -> None:
    honest, evil = make_evil(document, honest_id(document))
    holder = etree.Element(f"{P}Extensions")
    document.insert(1, holder)
    holder.append(honest)
    document.append(evil)


def wrap_under_one_id(document: Any) -> None:
    honest, evil = make_evil(document, honest_id(document))
    honest.addprevious(evil)


def wrap_response(document: Any) -> None:
    """Put the signed response into a changed one."""
    inner = copy.deepcopy(document)
    signature = find(document, "ds:Signature")
    document.set("ID", "_evil")
    rename_person(document)
    holder = etree.SubElement(signature, f"{DS}Object")
    holder.append(inner)


def honest_id(document: Any) -> str:
    return str(find(document, "a:Assertion").get("ID"))


def encrypt(document: Any) -> None:
    honest = find(document, "a:Assertion")
    document.replace(honest, etree.Element(f"{A}EncryptedAssertion"))


def cut_name(text: str) -> str:
    return text.replace("admin@example.org.evil.example", "admin@example.org<!---->.evil.example")


def add_entity(text: str) -> str:
    head = '<!DOCTYPE r [<!ENTITY who SYSTEM "file:///etc/hostname">]>'
    return head + text.replace("anna@example.org", "&who;")


def add_bomb(text: str) -> str:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 9))
    return f'<!DOCTYPE r [<!ENTITY e0 "x">{entities}]>' + text.replace("anna@example.org", "&e8;")


def add_type(text: str) -> str:
    return f"<!DOCTYPE r>{text}"


def add_instruction(text: str) -> str:
    return text.replace("anna@example.org", "anna<?x y?>@example.org")


def make(**changes: Any) -> Statement:
    return Statement(**{"request_id": REQUEST, **changes})


LIES: dict[str, dict[str, Any]] = {
    "no signature": {"signs_assertion": False},
    "a signature that was taken away": {"edit": drop_signature},
    "a signed response around an unsigned assertion": {"signs_assertion": False, "signs_response": True},
    "another key": {"key": "mallory"},
    "a signature by SHA-1": {"algorithms": SHA1},
    "another person": {"edit": rename_person},
    "another group": {"edit": add_group},
    "an audience that was changed": {"audiences": ("https://other.example",), "edit": move_audience},
    "wrapped: a second assertion before it": {"edit": wrap_before},
    "wrapped: a second assertion after it": {"edit": wrap_after},
    "wrapped: inside another assertion": {"edit": wrap_around},
    "wrapped: the signature moved to another": {"edit": wrap_with_moved_signature},
    "wrapped: inside its moved signature": {"edit": wrap_inside_signature},
    "wrapped: in an object of its signature": {"edit": wrap_in_object},
    "wrapped: in extensions": {"edit": wrap_in_extensions},
    "wrapped: two of one id": {"edit": wrap_under_one_id},
    "wrapped: a signed response in another": {"signs_response": True, "edit": wrap_response},
    "a name that a comment cuts": {"name_id": "admin@example.org.evil.example", "edit_text": cut_name},
    "a file of the machine": {"edit_text": add_entity},
    "a bomb of entities": {"edit_text": add_bomb},
    "a document type": {"edit_text": add_type},
    "an instruction": {"edit_text": add_instruction},
    "an expired assertion": {"not_before": at(-60), "not_after": at(-20)},
    "an expired confirmation": {"confirmed_until": at(-20)},
    "no end of the confirmation": {"confirmed_until": None},
    "an assertion of the future": {"not_before": at(60 * 24), "not_after": at(60 * 25)},
    "another audience": {"audiences": ("https://other.example/metadata",)},
    "no audience": {"audiences": ()},
    "another recipient": {"recipient": "https://evil.example/acs"},
    "a recipient around the right one": {"recipient": f"https://evil.example/?{CONSUMER_URL}"},
    "no recipient": {"recipient": None},
    "another destination": {"destination": "https://evil.example/acs"},
    "a destination that goes on": {"destination": f"{CONSUMER_URL}.evil.example"},
    "another issuer": {"issuer": "https://evil.example"},
    "an answer that nobody asked for": {"request_id": None},
    "an assertion for another request": {"confirmed_request_id": "ONELOGIN_other"},
    "an assertion for no request": {"confirmed_request_id": None},
    "another way to confirm": {"method": "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"},
    "a failure": {"status": "urn:oasis:names:tc:SAML:2.0:status:Responder"},
    "an encrypted assertion": {"edit": encrypt},
    "a name for this time alone": {"name_format": "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"},
    "no name": {"name_id": ""},
    "groups twice": {"attributes": (("groups", ("staff",)), ("groups", ("admins",)))},
}


@pytest.mark.parametrize("signs_response", [False, True])
def test_a_true_assertion_signs_its_person_in(provider: SAMLProvider, signs_response: bool) -> None:
    checked = check(provider, make(signs_response=signs_response))
    person = checked.person
    assert (person.provider, person.subject, person.name) == (IDP, "anna@example.org", "anna@example.org")
    assert (person.groups, person.way) == (("staff",), "saml")
    assert provider.policy.find_roles(person.groups) == ("reader",)


@pytest.mark.parametrize("lie", list(LIES))
def test_a_lie_signs_nobody_in(provider: SAMLProvider, lie: str) -> None:
    with pytest.raises(AccessError) as refused:
        check(provider, make(**LIES[lie]))
    assert "root:" not in refused.value.message


@pytest.mark.parametrize("encoded", ["", "!!!", base64.b64encode(b"no xml").decode(), "A" * 400_000, "PGE+"])
def test_what_is_no_response_is_refused(provider: SAMLProvider, encoded: str) -> None:
    with pytest.raises(AccessError):
        provider.read(encoded)


def test_a_second_certificate_counts_while_a_provider_changes_its_key(tmp_path: Path) -> None:
    paths = tuple(str(write_certificate(tmp_path, name)) for name in ("idp", "next"))
    provider = make_provider(tmp_path, idp_certificates=paths)
    for key in ("idp", "next"):
        assert check(provider, make(key=key)).person.subject == "anna@example.org"


def test_an_attribute_can_name_the_user(tmp_path: Path) -> None:
    provider = make_provider(tmp_path, name_attribute="mail")
    named = make(name_id="opaque-7", attributes=(("mail", ("anna@example.org",)), ("groups", ("staff",))))
    person = check(provider, named).person
    assert (person.subject, person.name) == ("opaque-7", "anna@example.org")
    with pytest.raises(AccessError, match="ROMA_SAML_NAME_ATTRIBUTE"):
        check(provider, make(attributes=(("mail", ("a@example.org", "b@example.org")),)))


def test_the_metadata_says_where_answers_go_and_that_assertions_are_signed(provider: SAMLProvider) -> None:
    document = etree.fromstring(provider.describe())
    assert document.get("entityID") == AUDIENCE
    role = document.find(".//{*}SPSSODescriptor")
    assert role is not None
    assert role.get("WantAssertionsSigned") == "true"
    service = document.find(".//{*}AssertionConsumerService")
    assert service is not None
    assert service.get("Location") == CONSUMER_URL


def test_settings_that_cannot_work_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "text.pem").write_text("no certificate")
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"idp_certificates": ()}, "ROMA_SAML_IDP_CERTIFICATES"),
        ({"idp_certificates": (str(tmp_path / "missing.pem"),)}, "missing.pem"),
        ({"idp_certificates": (str(tmp_path / "text.pem"),)}, "no certificate"),
        ({"idp_sso_url": "http://id.example.org/sso"}, "ROMA_SAML_IDP_SSO_URL"),
        ({"roles": ("staff",)}, "ROMA_SAML_ROLES"),
    ]
    for changes, said in wrong:
        with pytest.raises(ConfigError, match=said):
            make_provider(tmp_path, **changes)
    assert make_key("idp")[1].startswith("-----BEGIN CERTIFICATE")
