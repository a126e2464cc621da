"""Sign-in by OpenID Connect: the authorization code with PKCE, and every answer of the provider checked.

Authlib makes the requests and checks the claims of an ID token. Beside it stand here: the algorithms and the one key
that may sign, ``iss`` by RFC 9207, ``userinfo.sub == id_token.sub``, the verified e-mail address, and a guarded
connection for each request. Nothing that the provider or a browser sends is believed before all of it holds.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode, urlsplit

from roma_core.api.access import RateLimiter
from roma_core.api.accounts import ExternalIdentity
from roma_core.api.sso.pending import START_AGAIN, LogoutDemand, PendingSignIn
from roma_core.api.sso.policy import AdmissionPolicy, check_groups
from roma_core.connectors.net.guard import Netguard, Resolve, system_resolve
from roma_core.connectors.web.fetcher import FetchedResponse, Fetcher
from roma_core.errors import AccessError, ConfigError, ConnectorError, ErrorCode
from roma_core.settings import OIDCSettings
from roma_core.telemetry import logs

if TYPE_CHECKING:
    from joserfc.jwk import Key
    from joserfc.jwt import Token

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures that count. None of them uses a secret that both sides know, so no public key can be taken for one."""
_KEY_TYPES: Final = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
_CURVES: Final = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519"}
METADATA_S: Final = 3600.0
"""Seconds for which the provider's description is used before it is asked for again."""
LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
LOGOUT_S: Final = 3600.0
"""Seconds for which a logout token counts at most, whatever it says; two minutes are recommended to providers."""
REFETCHES_PER_MINUTE = 6
LARGEST_ANSWER = 1 << 20
MOST_KEYS = 100
SHORTEST_RSA_BITS = 2048
LONGEST_SUBJECT = 255
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_TRUE: Final = (True, "true", 1, "1")
"""Spellings of a verified address; some providers send the word, Entra ID the number."""
_log = logs.get("sign-in")


@dataclass
class _Keys:
    """The keys of a provider; each with the id that it was published under, which may be none."""

    keys: list[tuple[str | None, Key]] = field(default_factory=list)

    def find(self, key_id: str | None, algorithm: str, key_type: str) -> Key | None:
        """Return the one key that may have signed; None where there is none, and where there are several."""
        fitting = [
            key
            for published_id, key in self.keys
            if key.key_type == key_type
            and key.get("alg", algorithm) == algorithm
            and key.get("crv", _CURVES.get(algorithm)) == _CURVES.get(algorithm)
            and (key_id is None or published_id == key_id)
        ]
        return fitting[0] if len(fitting) == 1 else None


class OIDCProvider:
    """An OpenID provider as one client of it. Raises ``ConfigError`` for settings that cannot work.

    Example::

        provider = OIDCProvider(settings.oidc, "https://roma.example.org")
        address = await provider.begin(pending)
        person = await provider.complete({"state": ..., "code": ...}, pending)
    """

    def __init__(
        self,
        settings: OIDCSettings,
        public_url: str,
        *,
        resolve: Resolve = system_resolve,
        now: Callable[[], float] = time.time,
    ) -> None:
        _require_authlib()
        self._settings = settings
        self.issuer = settings.issuer or ""
        if not settings.client_id:
            raise ConfigError("ROMA_OIDC_CLIENT_ID is needed: the provider gives it when ROMA is registered there.")
        self.policy = AdmissionPolicy(settings)
        self.redirect_uri = f"{public_url}/sign-in/oidc/callback"
        self._signed_out_uri = f"{public_url}/sign-in"
        guard = Netguard(settings.allowed_private_hosts, resolve)
        self._fetcher = Fetcher(guard, timeout_s=settings.timeout_s, max_bytes=LARGEST_ANSWER)
        self._check_endpoint("ROMA_OIDC_ISSUER", self.issuer)
        self._now = now
        self._metadata: dict[str, Any] = {}
        self._metadata_until = -math.inf
        self._keys = _Keys()
        self._refetches = RateLimiter(REFETCHES_PER_MINUTE)

    async def begin(self, pending: PendingSignIn) -> str:
        """Return the address at the provider to which a browser goes.

        Raises ``ConnectorError`` when the provider is unavailable.
        """
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        metadata = await self._load_metadata()
        scopes = dict.fromkeys(("openid", *self._settings.scopes))
        return str(
            prepare_grant_uri(
                metadata["authorization_endpoint"],
                client_id=self._settings.client_id,
                response_type="code",
                redirect_uri=self.redirect_uri,
                scope=" ".join(scopes),
                state=pending.state,
                nonce=pending.nonce,
                code_challenge=create_s256_code_challenge(pending.verifier),
                code_challenge_method="S256",
            )
        )

    async def complete(self, parameters: Mapping[str, str], pending: PendingSignIn) -> ExternalIdentity:
        """Return the person for whom a browser came back with ``parameters``.

        Raises ``AccessError`` for whatever does not hold, and ``ConnectorError`` when the provider is unavailable.
        """
        metadata = await self._load_metadata()
        self._check_response_issuer(parameters, metadata)
        if "error" in parameters:
            raise AccessError(f"The provider did not sign you in ({_shorten(parameters['error'])}): start again.")
        code = parameters.get("code", "")
        if not code:
            raise AccessError(START_AGAIN)
        tokens = await self._redeem(code, pending, metadata)
        claims = await self._check_id_token(tokens["id_token"], tokens["access_token"], pending, metadata)
        userinfo = await self._read_userinfo(tokens["access_token"], claims["sub"], metadata)
        return self._identify(claims, userinfo, tokens["id_token"])

    async def sign_out_url(self, id_token: str | None) -> str | None:
        """Return the address that ends the sign-in at the provider too; None where it has none, or is unavailable."""
        from authlib.common.urls import add_params_to_uri

        try:
            metadata = await self._load_metadata()
        except (ConnectorError, ConfigError, AccessError) as error:
            _log.warning("provider_sign_out_skipped", reason=error.message)
            return None
        endpoint = metadata.get("end_session_endpoint")
        if endpoint is None:
            return None
        fields = {"client_id": self._settings.client_id, "post_logout_redirect_uri": self._signed_out_uri}
        if id_token:
            fields["id_token_hint"] = id_token
        return str(add_params_to_uri(endpoint, list(fields.items())))

    async def read_logout(self, logout_token: str) -> LogoutDemand:
        """Return whose sign-ins the provider demands to end (OpenID Connect Back-Channel Logout 1.0, section 2.6).

        Raises ``AccessError`` for whatever does not hold, and ``ConnectorError`` when the provider's keys are needed
        and it is unavailable. That a token counts once is for the caller to see to.
        """
        metadata = await self._load_metadata()
        token = await self._read_signed(logout_token, metadata, types=("logout+jwt", "application/logout+jwt", "JWT"))
        claims = token.claims
        audience = claims.get("aud")
        if claims.get("iss") != self.issuer:
            raise _refuse("it is of another issuer")
        if self._settings.client_id not in (audience if isinstance(audience, list) else [audience]):
            raise _refuse("it is for another client")
        issued_at, ends_at = claims.get("iat"), claims.get("exp")
        now, leeway_s = self._now(), self._settings.leeway_s
        if issued_at is None or ends_at is None or "nonce" in claims:
            raise _refuse("it is no logout token")
        ends_at = min(ends_at, issued_at + LOGOUT_S) + leeway_s
        if issued_at > now + leeway_s or ends_at <= now:
            raise _refuse("it is not of this moment")
        events = claims.get("events")
        if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
            raise _refuse("it demands no logout")
        named = {name: claims.get(name, "") for name in ("jti", "sub", "sid")}
        if not all(isinstance(value, str) for value in named.values()):
            raise _refuse("its names are no text")
        if not named["jti"] or not (named["sub"] or named["sid"]):
            raise _refuse("it names nobody")
        sessions = (named["sid"],) if named["sid"] else ()
        return LogoutDemand(named["jti"], named["sub"], sessions, datetime.fromtimestamp(ends_at, UTC))

    async def close(self) -> None:
        """Close the connections."""
        await self._fetcher.close()

    # --- the provider's description and keys ---

    async def _load_metadata(self) -> dict[str, Any]:
        """Return the provider's description; that of before while a fresh one cannot be had."""
        if self._now() < self._metadata_until:
            return self._metadata
        try:
            found = await self._fetch_json(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            self._check_metadata(found)
        except ConnectorError as error:
            if not self._metadata:
                raise
            _log.warning("provider_description_not_refreshed", reason=error.message)
            return self._metadata
        self._metadata, self._metadata_until = found, self._now() + METADATA_S
        return found

    def _check_metadata(self, metadata: Mapping[str, Any]) -> None:
        if metadata.get("issuer") != self.issuer:
            raise ConfigError(
                f"The provider calls itself {_shorten(metadata.get('issuer'))}; set ROMA_OIDC_ISSUER to exactly that, "
                "if it is the right provider."
            )
        for name in _ENDPOINTS:
            self._check_endpoint(name, metadata.get(name))
        for name in ("userinfo_endpoint", "end_session_endpoint"):
            if metadata.get(name) is not None:
                self._check_endpoint(name, metadata[name])

    def _check_endpoint(self, name: str, address: object) -> None:
        """Raise ``ConfigError`` unless an address is https, or http of a host that the settings allow."""
        try:
            parts = urlsplit(address if isinstance(address, str) else "")
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            parts, port = urlsplit(""), 0
        is_private = bool(parts.hostname) and self._fetcher.guard.is_allowed((parts.hostname or "").lower(), port)
        is_known = parts.scheme == "https" or (parts.scheme == "http" and is_private)
        if not is_known or not parts.hostname or parts.username or parts.fragment:
            raise ConfigError(
                f"{name} must be an https:// address; http:// is for hosts in ROMA_OIDC_ALLOWED_PRIVATE_HOSTS alone."
            )

    async def _fetch_keys(self, metadata: Mapping[str, Any]) -> None:
        found = await self._fetch_json(metadata["jwks_uri"])
        published = found.get("keys")
        if not isinstance(published, list) or len(published) > MOST_KEYS:
            raise _refuse("its keys cannot be read")
        self._keys = _Keys([entry for data in published if (entry := _import_key(data)) is not None])

    async def _find_key(self, key_id: str | None, algorithm: str, metadata: Mapping[str, Any]) -> Key:
        """Return the key that may have signed; for one that is not known, the keys are fetched again a few times."""
        key_type = _KEY_TYPES[algorithm[:2]]
        key = self._keys.find(key_id, algorithm, key_type)
        if key is None and not self._refetches.wait_s("keys"):
            await self._fetch_keys(metadata)
            key = self._keys.find(key_id, algorithm, key_type)
        if key is None:
            raise _refuse("it is signed with no key that the provider publishes")
        return key

    # --- what the provider says of a sign-in ---

    def _check_response_issuer(self, parameters: Mapping[str, str], metadata: Mapping[str, Any]) -> None:
        """Check ``iss`` of the answer that a browser brought (RFC 9207)."""
        named = parameters.get("iss")
        is_promised = metadata.get("authorization_response_iss_parameter_supported") is True
        if (named is None and is_promised) or (named is not None and named != self.issuer):
            raise _refuse("it is of another issuer")

    async def _redeem(self, code: str, pending: PendingSignIn, metadata: Mapping[str, Any]) -> dict[str, str]:
        """Return the tokens that a code is good for."""
        from authlib.oauth2.rfc6749.parameters import prepare_token_request

        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        body = prepare_token_request(
            "authorization_code", redirect_uri=self.redirect_uri, code=code, code_verifier=pending.verifier
        )
        client_id, secret = self._settings.client_id, self._settings.client_secret
        methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if secret is None:
            body += "&" + urlencode({"client_id": client_id})
        elif "client_secret_basic" in methods:
            pair = f"{quote(client_id, safe='')}:{quote(secret.get_secret_value(), safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"
        elif "client_secret_post" in methods:
            body += "&" + urlencode({"client_id": client_id, "client_secret": secret.get_secret_value()})
        else:
            raise ConfigError("The provider takes a client's secret in no way that ROMA knows (basic or post).")
        response = await self._send("POST", metadata["token_endpoint"], headers, body.encode())
        answer = _parse_json(response)
        if response.status != 200:
            self._raise_token_error(response.status, answer)
        tokens = {name: answer.get(name) for name in ("access_token", "id_token")}
        if str(answer.get("token_type", "")).lower() != "bearer" or not all(
            isinstance(token, str) and token for token in tokens.values()
        ):
            raise _refuse("it holds no ID token and access token")
        return {name: str(token) for name, token in tokens.items()}

    def _raise_token_error(self, status: int, answer: Mapping[str, Any]) -> None:
        reason = _shorten(answer.get("error", status))
        if reason in {"invalid_client", "unauthorized_client"}:
            raise ConfigError(
                f"The provider does not know this client ({reason}): check ROMA_OIDC_CLIENT_ID and "
                "ROMA_OIDC_CLIENT_SECRET."
            )
        if status >= 500 or status == 429:
            raise _unavailable(urlsplit(self.issuer).hostname or "", f"it answered {status}")
        raise AccessError(f"The provider refused the code of this sign-in ({reason}): start it again.")

    async def _check_id_token(
        self, id_token: str, access_token: str, pending: PendingSignIn, metadata: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the claims of an ID token that is signed by the provider, for this client and this sign-in."""
        from authlib.oidc.core import CodeIDToken
        from joserfc.errors import JoseError

        token = await self._read_signed(id_token, metadata, types=("JWT",))
        subject = token.claims.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
            raise _refuse("it does not say who signed in (sub)")
        claims = CodeIDToken(
            token.claims,
            token.header,
            {
                "iss": {"essential": True, "value": self.issuer},
                "aud": {"essential": True, "value": self._settings.client_id},
                "nonce": {"essential": True, "value": pending.nonce},
            },
            {"nonce": pending.nonce, "client_id": self._settings.client_id, "access_token": access_token},
        )
        try:
            claims.validate(now=int(self._now()), leeway=self._settings.leeway_s)
        except JoseError as error:
            raise _refuse(f"its claims do not hold: {_shorten(str(error))}") from None
        if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != self._settings.client_id:
            raise _refuse("it is for several clients, and names none of them as its own (azp)")
        return dict(claims)

    async def _read_signed(self, text: str, metadata: Mapping[str, Any], *, types: Collection[str]) -> Token:
        """Return a token of one of the ``types`` whose signature is the provider's; its claims are of the right kind.

        Raises ``AccessError``.
        """
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jws import JWSRegistry

        header = _read_header(text)
        algorithm, key_id = header.get("alg"), header.get("kid")
        listed = metadata.get("id_token_signing_alg_values_supported")
        is_listed = not isinstance(listed, list) or algorithm in listed
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS or not is_listed:
            raise _refuse("its signature is of a kind that does not count")
        if "crit" in header or str(header.get("typ", "JWT")).upper() not in {name.upper() for name in types}:
            raise _refuse("it is a token of another kind")
        if key_id is not None and not isinstance(key_id, str):
            raise _refuse("its key has no usable id")
        key = await self._find_key(key_id, algorithm, metadata)
        try:
            registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
            token = jwt.decode(text, key, registry=registry)
        except (JoseError, ValueError, TypeError):
            raise _refuse("its signature is not the provider's") from None
        _check_types(token.claims)
        return token

    async def _read_userinfo(self, access_token: str, subject: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the provider adds about the person; it must be the same person."""
        endpoint = metadata.get("userinfo_endpoint")
        if endpoint is None:
            return {}
        headers = {"Authorization": f"Bearer {access_token}", "Accept": "application/json"}
        response = await self._send("GET", endpoint, headers)
        if response.status >= 500 or response.status == 429:
            raise _unavailable(urlsplit(endpoint).hostname or "", f"it answered {response.status}")
        if response.status != 200:
            raise _refuse(f"it refused to say who signed in ({response.status})")
        userinfo = _parse_json(response)
        if userinfo.get("sub") != subject:
            raise _refuse("it tells of another person than it signed in")
        return userinfo

    def _identify(self, claims: Mapping[str, Any], userinfo: Mapping[str, Any], id_token: str) -> ExternalIdentity:
        """Return the person that checked claims are about."""
        settings = self._settings
        merged = {**userinfo, **claims}
        address = ""
        wants_address = settings.name_claim == "email" or self.policy.restricts_domains
        if wants_address:
            address = self._require_address(claims if "email" in claims else userinfo)
            self.policy.check_address(address)
        name = address if settings.name_claim == "email" else _find_claim(merged, settings.name_claim)
        if not isinstance(name, str) or not name.strip():
            raise AccessError(f"The provider sends no {settings.name_claim}; ROMA_OIDC_NAME_CLAIM names another claim.")
        elsewhere = merged.get("_claim_names")
        if isinstance(elsewhere, dict) and settings.groups_claim in elsewhere:
            raise AccessError(
                "The provider left out the groups, since there are too many; let it send only those of ROMA."
            )
        groups = check_groups(_find_claim(merged, settings.groups_claim), "groups")
        return ExternalIdentity(
            provider=self.issuer, subject=claims["sub"], name=name.strip(), groups=groups, id_token=id_token
        )

    def _require_address(self, source: Mapping[str, Any]) -> str:
        """Return an e-mail address that the same source says was verified."""
        address = source.get("email")
        is_address = (
            isinstance(address, str) and address.isascii() and address.isprintable() and address.count("@") == 1
        )
        if not is_address:
            raise AccessError("The provider sends no e-mail address; ROMA_OIDC_NAME_CLAIM names another claim.")
        verified = source.get(self._settings.verified_claim)
        if not any(verified is value or (verified == value and type(verified) is type(value)) for value in _TRUE):
            raise AccessError(
                "The provider does not say that this e-mail address was verified "
                f"({self._settings.verified_claim}); ROMA_OIDC_VERIFIED_CLAIM names the claim that says so."
            )
        return str(address)

    # --- the wire ---

    async def _fetch_json(self, address: str) -> dict[str, Any]:
        response = await self._send("GET", address, {"Accept": "application/json"})
        if response.status != 200:
            raise _unavailable(urlsplit(address).hostname or "", f"it answered {response.status}")
        return _parse_json(response)

    async def _send(self, method: str, address: str, headers: Mapping[str, str], body: bytes = b"") -> FetchedResponse:
        try:
            return await self._fetcher.send(method, address, headers, body=body)
        except ConnectorError as error:
            host = urlsplit(address).hostname or ""
            if error.code is ErrorCode.CONNECTOR_BLOCKED:
                raise ConfigError(
                    f"The provider's address {host} is not public; add it to ROMA_OIDC_ALLOWED_PRIVATE_HOSTS if it is "
                    "the right one."
                ) from None
            raise _unavailable(host, error.message) from None


def _require_authlib() -> None:
    """Raise ``ConfigError`` unless the libraries of single sign-on are installed."""
    try:
        import authlib
        import joserfc  # noqa: F401
    except ImportError:
        raise ConfigError("ROMA_OIDC_ISSUER is set; sign-in by OpenID Connect needs roma-core[sso].") from None
    del authlib


def _import_key(data: object) -> tuple[str | None, Key] | None:
    """Return a published key with its id; None for one that may not check signatures."""
    from joserfc.errors import JoseError
    from joserfc.jwk import JWKRegistry

    if not isinstance(data, dict) or data.get("kty") not in _KEY_TYPES.values() or data.get("use", "sig") != "sig":
        return None
    key_id = data.get("kid")
    try:
        key = JWKRegistry.import_key(data)
        bits = getattr(key.public_key, "key_size", SHORTEST_RSA_BITS)
    except (JoseError, ValueError, TypeError):
        return None
    is_weak = data["kty"] == "RSA" and bits < SHORTEST_RSA_BITS
    return None if is_weak or not isinstance(key_id, str | None) else (key_id, key)


def _read_header(token: str) -> dict[str, Any]:
    """Return the header of a signed token, which proves nothing by itself."""
    parts = token.split(".")
    try:
        padded = parts[0] + "=" * (-len(parts[0]) % 4)
        header = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        header = None
    if len(parts) != 3 or not isinstance(header, dict):
        raise _refuse("it holds no signed ID token")
    return header


def _check_types(claims: Mapping[str, Any]) -> None:
    """Refuse claims of types that comparisons would take for something else."""
    audience = claims.get("aud")
    names = audience if isinstance(audience, list) else [audience]
    if not names or not all(isinstance(name, str) for name in names):
        raise _refuse("it does not say for which client it is (aud)")
    for name in ("exp", "iat", "nbf", "auth_time"):
        value = claims.get(name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if value is not None and not is_number:
            raise _refuse(f"its time {name} is no number")
    for name in ("azp", "nonce", "at_hash"):
        if not isinstance(claims.get(name, ""), str):
            raise _refuse(f"its {name} is no text")


def _find_claim(claims: Mapping[str, Any], name: str) -> object:
    """Return a claim by its name, or else by the path that the dots in it make."""
    if name in claims:
        return claims[name]
    value: object = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _parse_json(response: FetchedResponse) -> dict[str, Any]:
    """Return the JSON object of an answer; an empty one for an error without one. Raises ``AccessError``."""
    try:
        answer = json.loads(response.body)
    except ValueError:
        answer = None
    if isinstance(answer, dict):
        return answer
    if response.status != 200:
        return {}
    raise _refuse("it is no JSON")


def _refuse(reason: str) -> AccessError:
    return AccessError(f"The provider's answer was refused: {reason}.", details={"reason": reason})


def _unavailable(host: str, reason: str) -> ConnectorError:
    return ConnectorError(
        f"The identity provider {host} cannot be reached now ({reason.rstrip('.')}). Who is signed in goes on; "
        "try again in a moment.",
        ErrorCode.CONNECTOR_UNAVAILABLE,
        retry_after_s=5.0,
        details={"host": host},
    )


def _shorten(value: object) -> str:
    """Return what a stranger sent as a short line of plain characters."""
    text = str(value)[:80]
    return "".join(sign if sign.isascii() and sign.isprintable() else "?" for sign in text)
