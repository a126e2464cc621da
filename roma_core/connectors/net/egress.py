"""Egress proxies of the environment: ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from roma_core.connectors.net.guard import Target
from roma_core.errors import ConfigError


@dataclass(frozen=True)
class ProxyAddress:
    """A proxy that speaks HTTP. ``url`` has no credentials in it."""

    url: str
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def of(cls, address: str) -> ProxyAddress:
        """Return what an address names. Raises ``ConfigError`` for one that is no HTTP proxy, without quoting it."""
        parts = urlsplit(address)
        try:
            host, port = parts.hostname or "", parts.port or 8080
        except ValueError:
            host, port = "", 0
        if parts.scheme not in {"http", "https"} or not host:
            raise ConfigError("The proxy of the environment (HTTPS_PROXY, HTTP_PROXY) has to be an http:// address.")
        shown = f"[{host}]" if ":" in host else host
        url = f"{parts.scheme}://{shown}:{port}"
        return cls(url, host, port, unquote(parts.username or ""), unquote(parts.password or ""))

    @property
    def auth(self) -> tuple[str, str] | None:
        """User and password, when there are any."""
        return (self.user, self.password) if self.user else None

    @property
    def headers(self) -> dict[str, str]:
        """The header that signs in to the proxy."""
        if not self.user:
            return {}
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode("ascii")
        return {"Proxy-Authorization": f"Basic {token}"}


@dataclass(frozen=True)
class EgressProxies:
    """The proxy for each scheme, and the hosts that are asked for without one (``no``)."""

    by_scheme: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Addresses may hold a password, so they are not shown."""

    @classmethod
    def from_environment(cls) -> EgressProxies:
        """Return the proxies that the environment names, as ``urllib`` and ``curl`` read it."""
        return cls(getproxies())

    def proxy_for(self, target: Target) -> ProxyAddress | None:
        """Return the proxy for ``target``; None to connect to it without one. Raises ``ConfigError``."""
        proxy = self.by_scheme.get(target.scheme) or self.by_scheme.get("all")
        if not proxy or proxy_bypass(target.authority):
            return None
        return ProxyAddress.of(proxy if "://" in proxy else f"http://{proxy}")
