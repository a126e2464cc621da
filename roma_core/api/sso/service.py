"""The identity providers that are set up, and the sign-ins that have begun at them."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from roma_core.api.access import RateLimiter
from roma_core.api.sso.oidc import OIDCProvider
from roma_core.api.sso.pending import PendingSignIns
from roma_core.api.sso.saml import SAMLProvider
from roma_core.api.tokens import is_loopback
from roma_core.errors import ConfigError
from roma_core.settings import Settings

TRIES_PER_MINUTE = 300
"""Begun and finished sign-ins of one address."""


@dataclass(frozen=True)
class SignInWay:
    """A way to sign in beside a password, as the page offers it."""

    path: str
    label: str


class SingleSignOn:
    """The providers of a service; none without settings for one. Raises ``ConfigError`` for settings that cannot work.

    >>> SingleSignOn(Settings()).ways
    ()
    """

    def __init__(self, settings: Settings) -> None:
        self.pending = PendingSignIns(settings.workspace, settings.storage.server_url)
        self.tries = RateLimiter(TRIES_PER_MINUTE)
        self.takes_passwords = settings.serving.password_sign_in or not settings.signs_in_by_provider
        self.oidc: OIDCProvider | None = None
        self.saml: SAMLProvider | None = None
        self.ways: tuple[SignInWay, ...] = ()
        if not settings.signs_in_by_provider:
            return
        public_url = check_public_url(settings.serving.public_url)
        if settings.oidc.issuer:
            self.oidc = OIDCProvider(settings.oidc, public_url)
            self.ways += (SignInWay("/sign-in/oidc", settings.oidc.label or "Sign in with OpenID Connect"),)
        if settings.saml.idp_entity_id:
            self.saml = SAMLProvider(settings.saml, public_url)
            self.ways += (SignInWay("/sign-in/saml", settings.saml.label or "Sign in with SAML"),)

    async def close(self) -> None:
        """Close the connections to the providers."""
        if self.oidc is not None:
            await self.oidc.close()


def check_public_url(address: str | None) -> str:
    """Return the address by which browsers reach the service, without a slash at its end. Raises ``ConfigError``.

    >>> check_public_url("https://roma.example.org/")
    'https://roma.example.org'
    """
    said = "ROMA_PUBLIC_URL: sign-in by a provider needs the https:// address by which browsers reach ROMA"
    try:
        parts = urlsplit(address or "")
        is_whole = bool(parts.hostname) and parts.path in {"", "/"} and parts.port != 0
    except ValueError:
        raise ConfigError(f"{said}.") from None
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if not is_whole or not is_safe or parts.query or parts.fragment or parts.username:
        raise ConfigError(f"{said}, without a path; http:// is for 127.0.0.1 and localhost.")
    return f"{parts.scheme}://{parts.netloc}"
