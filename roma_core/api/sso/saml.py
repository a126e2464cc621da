"""Sign-in by SAML 2.0: python3-saml in strict mode, and what it leaves open.

The library checks the schema, the signature of the assertion, the issuer and the times (clocks may differ by five
minutes). Beside it stand here: no document type, comment or instruction in the document; an audience, a recipient, an
end and the request that is answered *inside* the signed assertion, each compared as a whole; no unsolicited answer.
An assertion counts once, which ``PendingSignIns`` sees to.

With single logout a sign-out here ends the sign-in at the provider, and the other way round: every message of it is
signed, by the redirect binding, and one of the provider's counts once and for some minutes.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from lxml import etree

from roma_core.api.accounts import ExternalIdentity
from roma_core.api.sso.pending import LogoutDemand
from roma_core.api.sso.policy import AdmissionPolicy, check_groups
from roma_core.errors import AccessError, ConfigError
from roma_core.settings import SAMLSettings

if TYPE_CHECKING:
    from onelogin.saml2.auth import OneLogin_Saml2_Auth

LARGEST_RESPONSE = 256 << 10
DRIFT: Final = timedelta(minutes=5)
"""By which clocks may differ: the library's own."""
LONGEST_SUBJECT = 255
_NAMES: Final = {"p": "urn:oasis:names:tc:SAML:2.0:protocol", "a": "urn:oasis:names:tc:SAML:2.0:assertion"}
_POST: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
_REDIRECT: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
_UNREADABLE: Final = (ValueError, zlib.error, etree.LxmlError)
"""Errors that the library lets through for a message that is neither compressed nor XML."""
RSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256: Final = "http://www.w3.org/2001/04/xmlenc#sha256"
_UNSPECIFIED: Final = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
_TRANSIENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
_BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"


class SAMLResponse(NamedTuple):
    """An answer of a provider that was read, and proves nothing yet."""

    encoded: str
    document: Any
    request_id: str
    """Id of the request that it says it answers."""


class CheckedAssertion(NamedTuple):
    """A person for whom a provider has vouched, by an assertion that may be used once."""

    person: ExternalIdentity
    assertion_id: str
    expires_at: datetime


class SAMLProvider:
    """A SAML identity provider as one service provider of it. Raises ``ConfigError`` for settings that cannot work.

    Example::

        provider = SAMLProvider(settings.saml, "https://roma.example.org")
        request_id, address = provider.begin()
        checked = provider.check(provider.read(form["SAMLResponse"]))
    """

    def __init__(self, settings: SAMLSettings, public_url: str) -> None:
        _require_library()
        from onelogin.saml2.errors import OneLogin_Saml2_Error
        from onelogin.saml2.settings import OneLogin_Saml2_Settings

        self._settings = settings
        self.policy = AdmissionPolicy(settings)
        self.entity_id = f"{public_url}/sign-in/saml/metadata"
        self.consumer_url = f"{public_url}/sign-in/saml/acs"
        self.issuer = settings.idp_entity_id or ""
        self.logout_url = f"{public_url}/sign-in/saml/slo"
        self._host = urlsplit(public_url).netloc
        self._is_https = public_url.startswith("https://")
        if urlsplit(settings.idp_sso_url).scheme != "https" and not _is_local(settings.idp_sso_url):
            raise ConfigError("ROMA_SAML_IDP_SSO_URL must be the https:// address of the single sign-on service.")
        self.ends_everywhere = bool(settings.idp_slo_url)
        """True when single logout is set up."""
        logout_url = settings.idp_slo_url
        if logout_url and urlsplit(logout_url).scheme != "https" and not _is_local(logout_url):
            raise ConfigError("ROMA_SAML_IDP_SLO_URL must be the https:// address of the single logout service.")
        if logout_url and not (settings.sp_key and settings.sp_certificate):
            raise ConfigError("ROMA_SAML_IDP_SLO_URL is signed for: set ROMA_SAML_SP_KEY and ROMA_SAML_SP_CERTIFICATE.")
        certificates = [_read_certificate(path) for path in settings.idp_certificates]
        if not certificates:
            raise ConfigError("ROMA_SAML_IDP_CERTIFICATES must name a file with the provider's certificate (PEM).")
        try:
            self._library = OneLogin_Saml2_Settings(self._describe(certificates))
            self._logout_library = OneLogin_Saml2_Settings(self._describe_logout(certificates))
        except OneLogin_Saml2_Error as error:
            raise ConfigError(f"The settings ROMA_SAML_* cannot be used: {error}") from None

    def begin(self) -> tuple[str, str]:
        """Return the id of a new request, and the address at the provider to which a browser goes with it."""
        auth = self._make_auth({})
        address = auth.login(return_to="")
        return str(auth.get_last_request_id()), str(address)

    def describe(self) -> bytes:
        """Return the metadata by which a provider learns of ROMA."""
        metadata = self._library.get_sp_metadata()
        return metadata if isinstance(metadata, bytes) else str(metadata).encode()

    def read(self, encoded: str) -> SAMLResponse:
        """Return the answer that a browser brought. Raises ``AccessError`` for what is none, or hides something."""
        if not encoded or len(encoded) > LARGEST_RESPONSE:
            raise _refuse("it is missing or too large")
        try:
            data = base64.b64decode("".join(encoded.split()), validate=True)
        except (binascii.Error, ValueError):
            raise _refuse("it is no XML") from None
        document = _parse(data)
        request_id = document.get("InResponseTo")
        if not request_id:
            raise _refuse("nobody asked for it; sign-ins begin here")
        return SAMLResponse(encoded, document, request_id)

    def check(self, response: SAMLResponse) -> CheckedAssertion:
        """Return the person that a signed assertion is about. Raises ``AccessError`` for whatever does not hold."""
        from onelogin.saml2.errors import OneLogin_Saml2_Error, OneLogin_Saml2_ValidationError

        auth = self._make_auth({"SAMLResponse": response.encoded})
        try:
            auth.process_response(request_id=response.request_id)
        except (OneLogin_Saml2_Error, OneLogin_Saml2_ValidationError) as error:
            raise _refuse(str(error)) from None
        if not auth.is_authenticated():
            raise _refuse(str(auth.get_last_error_reason() or "it does not hold"))
        expires_at = self._check_assertion(response)
        return CheckedAssertion(self._identify(auth), str(auth.get_last_assertion_id()), expires_at + DRIFT)

    def sign_out_url(self, token: str | None) -> str | None:
        """Return the address at the provider that ends a sign-in there, which ``token`` names; None without one."""
        if not self.ends_everywhere or not token:
            return None
        names = json.loads(token)
        auth = self._make_auth({}, logout=True)
        address = auth.logout(
            return_to="",
            name_id=names["subject"],
            name_id_format=names["format"],
            nq=names["qualifier"],
            session_index=names["session"],
        )
        return str(address)

    def read_logout(self, query: str) -> LogoutDemand:
        """Return what a provider's signed demand asks for. Raises ``AccessError`` for whatever does not hold."""
        from onelogin.saml2.errors import OneLogin_Saml2_Error, OneLogin_Saml2_ValidationError
        from onelogin.saml2.logout_request import OneLogin_Saml2_Logout_Request

        auth = self._make_auth({}, logout=True, query=query)
        try:
            reply = auth.process_slo(keep_local_session=True)
        except (OneLogin_Saml2_Error, OneLogin_Saml2_ValidationError, *_UNREADABLE) as error:
            raise _refuse(str(error)) from None
        if auth.get_errors() or not reply:
            raise _refuse(str(auth.get_last_error_reason() or "its signature does not hold"))
        text = auth.get_last_request_xml()
        document = _parse(text.encode() if isinstance(text, str) else text)
        issued_at, ends_at = (_parse_time(document.get(name)) for name in ("IssueInstant", "NotOnOrAfter"))
        now = datetime.now(UTC)
        if issued_at is None or abs(now - issued_at) > DRIFT:
            raise _refuse("it is not of this moment")
        subject = OneLogin_Saml2_Logout_Request.get_nameid(text)
        sessions = OneLogin_Saml2_Logout_Request.get_session_indexes(text)
        expires_at = max(issued_at + DRIFT, ends_at or issued_at) + DRIFT
        return LogoutDemand(str(document.get("ID")), str(subject), tuple(map(str, sessions)), expires_at, str(reply))

    def is_logout_confirmed(self, query: str) -> bool:
        """Return whether the provider's signed answer says that the sign-in there has ended."""
        from onelogin.saml2.errors import OneLogin_Saml2_Error, OneLogin_Saml2_ValidationError

        auth = self._make_auth({}, logout=True, query=query)
        try:
            auth.process_slo(keep_local_session=True)
        except (OneLogin_Saml2_Error, OneLogin_Saml2_ValidationError, *_UNREADABLE):
            return False
        return not auth.get_errors()

    def _check_assertion(self, response: SAMLResponse) -> datetime:
        """Check what must stand inside the signed assertion, and return until when it counts."""
        document = response.document
        destination = document.get("Destination")
        if destination is not None and destination != self.consumer_url:
            raise _refuse("it is for another destination")
        (assertion,) = document.xpath("/p:Response/a:Assertion", namespaces=_NAMES) or (None,)
        if assertion is None:
            raise _refuse("it holds no assertion")
        restrictions = assertion.xpath("a:Conditions/a:AudienceRestriction", namespaces=_NAMES)
        audiences = [restriction.xpath("a:Audience/text()", namespaces=_NAMES) for restriction in restrictions]
        if not audiences or any(self.entity_id not in names for names in audiences):
            raise _refuse("it is for another audience")
        ends = []
        for data in assertion.xpath(
            "a:Subject/a:SubjectConfirmation[@Method=$bearer]/a:SubjectConfirmationData",
            namespaces=_NAMES,
            bearer=_BEARER,
        ):
            is_ours = data.get("Recipient") == self.consumer_url and data.get("InResponseTo") == response.request_id
            end = _parse_time(data.get("NotOnOrAfter"))
            if is_ours and end is not None and end > datetime.now(UTC) - DRIFT:
                ends.append(end)
        if not ends:
            raise _refuse("its subject is not confirmed for this request, this recipient and this moment")
        return max(ends)

    def _identify(self, auth: OneLogin_Saml2_Auth) -> ExternalIdentity:
        """Return the person that a checked assertion is about."""
        settings, subject = self._settings, auth.get_nameid()
        if auth.get_nameid_format() == _TRANSIENT:
            raise _refuse("its NameID is another one each time; let the provider send a persistent one")
        if not isinstance(subject, str) or not 0 < len(subject.strip()) <= LONGEST_SUBJECT:
            raise _refuse("it does not say who signed in (NameID)")
        attributes = auth.get_attributes()
        name: object = subject
        if settings.name_attribute:
            values = attributes.get(settings.name_attribute, [])
            name = values[0] if len(values) == 1 else None
        if not isinstance(name, str) or not name.strip():
            raise AccessError(
                f"The provider sends no single {settings.name_attribute}; ROMA_SAML_NAME_ATTRIBUTE names another one."
            )
        if self.policy.restricts_domains:
            self.policy.check_address(name.strip())
        groups = check_groups(attributes.get(settings.groups_attribute), "groups")
        names = {
            "subject": subject,
            "format": auth.get_nameid_format(),
            "qualifier": auth.get_nameid_nq(),
            "session": auth.get_session_index(),
        }
        return ExternalIdentity(
            provider=settings.idp_entity_id or "",
            subject=subject,
            name=name.strip(),
            groups=groups,
            way="saml",
            id_token=json.dumps(names) if self.ends_everywhere else None,
        )

    def _make_auth(self, form: dict[str, str], *, logout: bool = False, query: str = "") -> OneLogin_Saml2_Auth:
        """Return the library's view of a request. The address is that of the settings, whatever the request says."""
        from onelogin.saml2.auth import OneLogin_Saml2_Auth

        request = {
            "https": "on" if self._is_https else "off",
            "http_host": self._host,
            "script_name": "/sign-in/saml/slo" if logout else "/sign-in/saml/acs",
            "get_data": dict(parse_qsl(query, max_num_fields=10)),
            "post_data": form,
            "query_string": query,
            "validate_signature_from_qs": True,
        }
        return OneLogin_Saml2_Auth(request, old_settings=self._logout_library if logout else self._library)

    def _describe_logout(self, certificates: list[str]) -> dict[str, Any]:
        """Return the settings of single logout, of which every message must be signed."""
        described = self._describe(certificates)
        if self.ends_everywhere:
            signed = dict.fromkeys(("logoutRequestSigned", "logoutResponseSigned", "wantMessagesSigned"), True)
            described["security"] |= {**signed, "signatureAlgorithm": RSA_SHA256, "digestAlgorithm": SHA256}
        return described

    def _describe(self, certificates: list[str]) -> dict[str, Any]:
        settings = self._settings
        logout: dict[str, Any] = {}
        keys: dict[str, str] = {}
        if self.ends_everywhere:
            logout = {"singleLogoutService": {"url": self.logout_url, "binding": _REDIRECT}}
            keys = {
                "x509cert": _read_pem(settings.sp_certificate, "ROMA_SAML_SP_CERTIFICATE"),
                "privateKey": _read_pem(settings.sp_key, "ROMA_SAML_SP_KEY"),
            }
        of_provider = {"singleLogoutService": {"url": settings.idp_slo_url, "binding": _REDIRECT}} if logout else {}
        return {
            "strict": True,
            "debug": False,
            "sp": {
                "entityId": self.entity_id,
                "assertionConsumerService": {"url": self.consumer_url, "binding": _POST},
                "NameIDFormat": _UNSPECIFIED,
                **logout,
                **keys,
            },
            "idp": {
                "entityId": self._settings.idp_entity_id,
                "singleSignOnService": {"url": self._settings.idp_sso_url, "binding": _REDIRECT},
                **of_provider,
                "x509certMulti": {"signing": certificates, "encryption": []},
            },
            "security": {
                "wantAssertionsSigned": True,
                "wantNameId": True,
                "wantAttributeStatement": False,
                "rejectDeprecatedAlgorithm": True,
                "requestedAuthnContext": False,
                "allowSingleLabelDomains": True,
                "allowRepeatAttributeName": False,
            },
        }


def _require_library() -> None:
    """Raise ``ConfigError`` unless the library of SAML is installed."""
    try:
        import onelogin.saml2.auth  # noqa: F401
    except ImportError:
        raise ConfigError("ROMA_SAML_IDP_ENTITY_ID is set; sign-in by SAML needs roma-core[sso].") from None


def _parse(data: bytes) -> Any:
    """Return a document that hides nothing. Raises ``AccessError``."""
    try:
        document = etree.fromstring(data, _make_parser())
    except (ValueError, etree.XMLSyntaxError):
        raise _refuse("it is no XML") from None
    hidden = document.xpath("//comment() | //processing-instruction()")
    has_entities = any(isinstance(node, etree._Entity) for node in document.iter())
    if document.getroottree().docinfo.doctype or hidden or has_entities:
        raise _refuse("it holds a document type, a comment or an instruction")
    return document


def _read_pem(path: str, name: str) -> str:
    """Return a key or a certificate. Raises ``ConfigError``."""
    try:
        return Path(path).expanduser().read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{name}: {path} cannot be read.") from None


def _read_certificate(path: str) -> str:
    """Return the certificate of a PEM file as the library takes it. Raises ``ConfigError``."""
    try:
        lines = Path(path).expanduser().read_text(encoding="ascii").split("\n")
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"ROMA_SAML_IDP_CERTIFICATES: {path} cannot be read.") from None
    body = "".join(line.strip() for line in lines if "-----" not in line)
    if not any("BEGIN CERTIFICATE" in line for line in lines) or not body:
        raise ConfigError(f"ROMA_SAML_IDP_CERTIFICATES: {path} holds no certificate (PEM).")
    return body


def _is_local(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"}


def _make_parser() -> etree.XMLParser:
    """Return a parser that keeps comments, to refuse them, and loads nothing."""
    return etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=False,
        remove_pis=False,
    )


def _parse_time(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _refuse(reason: str) -> AccessError:
    plain = "".join(sign if sign.isprintable() else " " for sign in reason)[:200].rstrip(".")
    return AccessError(f"The provider's answer was refused: {plain}.", details={"reason": plain})
