"""Sign-in to a site: cookies and headers of a source, sent to the hosts that they are for and never logged.

A source names a cookie file (Netscape format, as browsers' extensions and ``curl -c`` write it) and headers; a header's
value may be ``env:NAME``, so that a secret stands in the environment alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import LoadError, MozillaCookieJar
from pathlib import Path
from typing import Any, Final
from urllib.request import Request

from roma_core.connectors.net.guard import Target
from roma_core.errors import ConfigError, InputError

FROM_ENVIRONMENT: Final = "env:"
_NOT_OURS: Final = frozenset({"host", "content-length", "connection", "transfer-encoding", "accept-encoding"})


@dataclass(frozen=True)
class SiteAccess:
    """Headers (for ``host`` alone) and cookies (for their domains) sent to a site beside the usual ones."""

    host: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    cookies: MozillaCookieJar | None = field(default=None, repr=False)

    def headers_for(self, target: Target) -> dict[str, str]:
        """Return the headers for one hop; another host than the source's gets none of them."""
        headers = dict(self.headers) if target.host == self.host else {}
        if self.cookies is not None:
            request = Request(target.url)  # noqa: S310  (never opened: the jar wants its type)
            self.cookies.add_cookie_header(request)
            cookie = request.get_header("Cookie")
            if cookie:
                headers["Cookie"] = cookie
        return headers


def load_access(options: Mapping[str, Any], host: str) -> SiteAccess:
    """Return the access that a source's options (``cookies``, ``headers``) give. Reads a file: call it in a thread.

    Raises ``ConfigError`` for a cookie file that cannot be read and an environment variable that is not set,
    ``InputError`` for a header that a source may not set.
    """
    cookies = options.get("cookies")
    headers: dict[str, str] = {}
    for name, value in dict(options.get("headers") or {}).items():
        if name.lower() in _NOT_OURS or any(c in f"{name}{value}" for c in "\r\n\0"):
            raise InputError(f"A source cannot set the header {name[:40]!r}.")
        headers[name] = _value_of(name, str(value))
    return SiteAccess(host, headers, _load_cookies(Path(cookies)) if cookies else None)


def _value_of(name: str, value: str) -> str:
    if not value.startswith(FROM_ENVIRONMENT):
        return value
    variable = value.removeprefix(FROM_ENVIRONMENT)
    found = os.environ.get(variable)
    if not found:
        raise ConfigError(f"The header {name} of this source is in the variable {variable}, which is not set.")
    return found


def _load_cookies(path: Path) -> MozillaCookieJar:
    jar = MozillaCookieJar(path.expanduser())
    try:
        jar.load(ignore_discard=True, ignore_expires=True)  # one that has expired is not sent
    except (OSError, LoadError):  # their words may quote the file
        raise ConfigError(f"The cookie file {path} cannot be read; it has to be in Netscape format.") from None
    for cookie in jar:
        if cookie.expires == 0:  # how curl writes a cookie of the session
            cookie.expires = None
    return jar
