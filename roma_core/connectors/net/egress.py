"""Egress proxies of the environment: ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.request import getproxies, proxy_bypass

from roma_core.connectors.net.guard import Target


@dataclass(frozen=True)
class EgressProxies:
    """The proxy for each scheme, and the hosts that are asked for without one (``no``)."""

    by_scheme: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Addresses may hold a password, so they are not shown."""

    @classmethod
    def from_environment(cls) -> EgressProxies:
        """Return the proxies that the environment names, as ``urllib`` and ``curl`` read it."""
        return cls(getproxies())

    def proxy_for(self, target: Target) -> str | None:
        """Return the address of the proxy for ``target``; None to connect to it without one."""
        proxy = self.by_scheme.get(target.scheme) or self.by_scheme.get("all")
        if not proxy or proxy_bypass(target.authority):
            return None
        return proxy if "://" in proxy else f"http://{proxy}"
