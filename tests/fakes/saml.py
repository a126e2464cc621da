"""A SAML identity provider that signs what a test has it say."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from lxml import etree

IDP = "https://id.example.org/saml"
SSO_URL = "https://id.example.org/sso"
PUBLIC_URL = "https://roma.example.org"
AUDIENCE = f"{PUBLIC_URL}/sign-in/saml/metadata"
CONSUMER_URL = f"{PUBLIC_URL}/sign-in/saml/acs"
NAMES = {
    "p": "urn:oasis:names:tc:SAML:2.0:protocol",
    "a": "urn:oasis:names:tc:SAML:2.0:assertion",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
}
SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2001/04/xmlenc#sha256"
SHA1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1", "http://www.w3.org/2000/09/xmldsig#sha1"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"


@cache
def make_key(name: str) -> tuple[str, str]:
    """Return a private key and its certificate (PEM); the same for the same name."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


def write_certificate(folder: Path, name: str = "idp") -> Path:
    path = folder / f"{name}.pem"
    path.write_text(make_key(name)[1])
    return path


def at(minutes: float) -> str:
    return f"{datetime.now(UTC) + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


@dataclass
class Statement:
    """What a response says; an attribute that is None is left out. ``edit`` changes the document after signing."""

    request_id: str | None
    destination: str | None = CONSUMER_URL
    issuer: str = IDP
    status: str = SUCCESS
    assertion_id: str = "_a1"
    name_id: str = "anna@example.org"
    name_format: str = PERSISTENT
    audiences: tuple[str, ...] = (AUDIENCE,)
    method: str = BEARER
    recipient: str | None = CONSUMER_URL
    confirmed_request_id: str | None = "same"
    confirmed_until: str | None = field(default_factory=lambda: at(5))
    not_before: str = field(default_factory=lambda: at(-5))
    not_after: str = field(default_factory=lambda: at(5))
    attributes: tuple[tuple[str, tuple[str, ...]], ...] = (("groups", ("staff",)),)
    session_index: str | None = None
    key: str = "idp"
    algorithms: tuple[str, str] = SHA256
    signs_assertion: bool = True
    signs_response: bool = False
    edit: Callable[[Any], None] | None = None
    edit_text: Callable[[str], str] | None = None

    def encode(self) -> str:
        """Return the response as a browser posts it."""
        return base64.b64encode(self.write().encode()).decode()

    def write(self) -> str:
        """Return the response as XML."""
        assertion = self._sign(self._assertion()) if self.signs_assertion else self._assertion()
        answered = _attribute("InResponseTo", self.request_id)
        text = (
            f'<p:Response xmlns:p="{NAMES["p"]}" xmlns:a="{NAMES["a"]}" ID="_r1" Version="2.0" '
            f'IssueInstant="{at(0)}"{_attribute("Destination", self.destination)}{answered}>'
            f"<a:Issuer>{self.issuer}</a:Issuer>"
            f'<p:Status><p:StatusCode Value="{self.status}"/></p:Status>{assertion}</p:Response>'
        )
        if self.signs_response:
            text = self._sign(text)
        if self.edit is not None:
            document = etree.fromstring(text.encode())
            self.edit(document)
            text = etree.tostring(document).decode()
        return self.edit_text(text) if self.edit_text is not None else text

    def _assertion(self) -> str:
        confirmed = self.request_id if self.confirmed_request_id == "same" else self.confirmed_request_id
        data = "".join(
            (
                _attribute("Recipient", self.recipient),
                _attribute("InResponseTo", confirmed),
                _attribute("NotOnOrAfter", self.confirmed_until),
            )
        )
        audiences = "".join(f"<a:Audience>{name}</a:Audience>" for name in self.audiences)
        restriction = f"<a:AudienceRestriction>{audiences}</a:AudienceRestriction>" if audiences else ""
        statements = "".join(
            f'<a:Attribute Name="{name}">'
            + "".join(f"<a:AttributeValue>{value}</a:AttributeValue>" for value in values)
            + "</a:Attribute>"
            for name, values in self.attributes
        )
        session = _attribute("SessionIndex", self.session_index)
        return (
            f'<a:Assertion xmlns:a="{NAMES["a"]}" ID="{self.assertion_id}" Version="2.0" IssueInstant="{at(0)}">'
            f"<a:Issuer>{self.issuer}</a:Issuer>"
            f'<a:Subject><a:NameID Format="{self.name_format}">{self.name_id}</a:NameID>'
            f'<a:SubjectConfirmation Method="{self.method}"><a:SubjectConfirmationData{data}/></a:SubjectConfirmation>'
            f'</a:Subject><a:Conditions NotBefore="{self.not_before}" NotOnOrAfter="{self.not_after}">{restriction}'
            f'</a:Conditions><a:AuthnStatement AuthnInstant="{at(0)}"{session}><a:AuthnContext><a:AuthnContextClassRef>'
            "urn:oasis:names:tc:SAML:2.0:ac:classes:Password</a:AuthnContextClassRef></a:AuthnContext>"
            f"</a:AuthnStatement><a:AttributeStatement>{statements}</a:AttributeStatement></a:Assertion>"
        )

    def _sign(self, text: str) -> str:
        from onelogin.saml2.utils import OneLogin_Saml2_Utils

        private, certificate = make_key(self.key)
        signed = OneLogin_Saml2_Utils.add_sign(text, private, certificate, False, *self.algorithms)
        return signed.decode() if isinstance(signed, bytes) else signed


def _attribute(name: str, value: str | None) -> str:
    return "" if value is None else f' {name}="{value}"'


SLO_URL = "https://id.example.org/slo"
LOGOUT_URL = f"{PUBLIC_URL}/sign-in/saml/slo"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
RSA_SHA1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"


def write_key(folder: Path, name: str = "sp") -> Path:
    path = folder / f"{name}.key"
    path.write_text(make_key(name)[0])
    return path


@dataclass
class Logout:
    """A demand of the provider to end sign-ins, as a browser carries it; None leaves something out."""

    destination: str | None = LOGOUT_URL
    issuer: str = IDP
    name_id: str = "anna@example.org"
    session_index: str | None = None
    id: str = "_l1"
    issued_at: str = field(default_factory=lambda: at(0))
    until: str | None = field(default_factory=lambda: at(5))
    key: str | None = "idp"
    algorithm: str = RSA_SHA256
    edit: Callable[[str], str] = str
    """Changes the document before it is signed."""

    def write_query(self) -> str:
        """Return the query of the address."""
        session = f"<p:SessionIndex>{self.session_index}</p:SessionIndex>" if self.session_index else ""
        text = (
            f'<p:LogoutRequest xmlns:p="{NAMES["p"]}" xmlns:a="{NAMES["a"]}" ID="{self.id}" Version="2.0" '
            f'IssueInstant="{self.issued_at}"{_attribute("Destination", self.destination)}'
            f"{_attribute('NotOnOrAfter', self.until)}><a:Issuer>{self.issuer}</a:Issuer>"
            f'<a:NameID Format="{PERSISTENT}">{self.name_id}</a:NameID>{session}</p:LogoutRequest>'
        )
        return sign_query("SAMLRequest", self.edit(text), self.key, self.algorithm)


def write_logout_answer(request_id: str, *, key: str | None = "idp", status: str = SUCCESS, destination: str) -> str:
    """Return the query with which the provider answers a sign-out that began at ROMA."""
    text = (
        f'<p:LogoutResponse xmlns:p="{NAMES["p"]}" xmlns:a="{NAMES["a"]}" ID="_o1" Version="2.0" '
        f'IssueInstant="{at(0)}" Destination="{destination}" InResponseTo="{request_id}"><a:Issuer>{IDP}</a:Issuer>'
        f'<p:Status><p:StatusCode Value="{status}"/></p:Status></p:LogoutResponse>'
    )
    return sign_query("SAMLResponse", text, key, RSA_SHA256)


def sign_query(name: str, text: str, key: str | None, algorithm: str) -> str:
    """Return a query of the redirect binding: the document, compressed, and a signature over both parameters."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(text.encode()) + packer.flush()
    query = urlencode({name: base64.b64encode(packed).decode()})
    if key is None:
        return query
    query += "&" + urlencode({"SigAlg": algorithm})
    private = serialization.load_pem_private_key(make_key(key)[0].encode(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    hashing = hashes.SHA1() if algorithm == RSA_SHA1 else hashes.SHA256()
    signature = private.sign(query.encode(), padding.PKCS1v15(), hashing)
    return query + "&" + urlencode({"Signature": base64.b64encode(signature).decode()})
