"""Addresses of web sources: the pages that they ask for, and when two of them name one page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2

from roma_core.connectors.net.guard import PORTS
from roma_core.errors import InputError
from roma_core.types import Source

_DRIVE: Final = re.compile(
    r"https?://drive\.google\.com/(?:drive/(?:u/\d+/)?(?P<folder>folders)|file/d)/(?P<id>[A-Za-z0-9_-]+)", re.IGNORECASE
)
TRACKING: Final = re.compile(r"utm_\w+|gclid|fbclid|msclkid|mc_[ce]id|igshid|_hs(enc|mi)", re.IGNORECASE)
NOT_PAGES: Final = re.compile(
    r"\.(png|jpe?g|gif|webp|avif|svg|ico|bmp|tiff?|css|m?js|map|json|woff2?|ttf|otf|eot|mp[34]|m4[av]|webm|og[gv]|wav"
    r"|mov|avi|zip|gz|tgz|bz2|xz|7z|rar|tar|exe|msi|dmg|deb|rpm|apk|iso|whl|jar|rss|atom)$",
    re.IGNORECASE,
)
"""Links that a crawl leaves out: what a page is made of, and what is no document."""


@dataclass(frozen=True)
class Plan:
    """A start address and how many links away from it pages may be."""

    url: str
    depth: int


def plan_of(source: Source, max_depth: int) -> Plan:
    """Read ``#depth=N``, ``options["depth"]`` or ``?depth=N``, in this order; the first that is there counts.

    ``depth`` in the query is taken out of the address. A site that has a parameter of that name itself is reached by
    giving one of the other two: then the query is left as it is. Raises ``InputError`` for a depth over the limit.
    """
    url, _, fragment = source.uri.partition("#")
    if found := re.fullmatch(r"depth=(\d{1,3})", fragment):
        depth = int(found[1])
    elif "depth" in source.options:
        depth = int(source.options["depth"])
    else:
        url, depth = _take_depth(url)
    if not 0 <= depth <= max_depth:
        raise InputError(f"A crawl of depth {depth} is over the limit (ROMA_WEB_MAX_DEPTH={max_depth}).")
    return Plan(url, depth)


def _take_depth(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    fields = parts.query.split("&") if parts.query else []
    depths = [f for f in fields if re.fullmatch(r"depth=\d{1,3}", f)]
    if len(depths) != 1:
        return url, 0
    rest = "&".join(f for f in fields if f not in depths)
    return parts._replace(query=rest).geturl(), int(depths[0].removeprefix("depth="))


def canonical(url: str) -> str:
    """One spelling per page: lower-case host, no default port, fragment, dot segments or tracking parameters.

    Raises ``httpx2.InvalidURL`` or ``ValueError`` for what is no URL.
    """
    parsed = httpx2.URL(url).copy_with(fragment=None)
    query = parsed.query.decode("ascii")
    if any(TRACKING.fullmatch(name) for name, _ in parse_qsl(query, keep_blank_values=True)):
        kept = [(k, v) for k, v in parse_qsl(query, keep_blank_values=True) if not TRACKING.fullmatch(k)]
        parsed = parsed.copy_with(query=urlencode(kept).encode("ascii") or None)
    host = parsed.raw_host.decode("ascii").lower().rstrip(".")
    return str(parsed.copy_with(host=host, path=parsed.path or "/"))


def canonical_or_none(url: str) -> str | None:
    """As ``canonical``; None for what is no web address."""
    try:
        parsed = httpx2.URL(url)
        return canonical(url) if parsed.scheme in PORTS and parsed.host else None
    except (httpx2.InvalidURL, ValueError, UnicodeError):
        return None


def demand_page(url: str) -> None:
    """Raise ``InputError`` for an address that no page can have, and for a file or folder of Drive.

    >>> demand_page("https://example.org/handbook")
    """
    if canonical_or_none(url) is None or not _has_sound_host(url):
        raise InputError(f"{url[:80]!r} is no address of a page; it has to be like https://example.org/page.")
    found = _DRIVE.match(url)
    if found is not None:
        kind = "folder" if found["folder"] else "file"
        raise InputError(f"This is a {kind} of Google Drive; ingest it as gdrive://{kind}/{found['id']}.")


def _has_sound_host(url: str) -> bool:
    """Return whether the host has no blanks and the port is a number that there is."""
    try:
        parts = urlsplit(url)
        return parts.port != 0 and not any(letter.isspace() for letter in parts.netloc)
    except ValueError:
        return False


def page_link(url: str) -> str | None:
    """The canonical address of a link that may lead to a document, else None."""
    target = canonical_or_none(url)
    return target if target is not None and not NOT_PAGES.search(httpx2.URL(target).path) else None


def host_of(url: str) -> str:
    """Return the host of a URL in lower case and ASCII (IDNA), without a final dot."""
    return httpx2.URL(url).raw_host.decode("ascii").lower().rstrip(".")


def in_domain(host: str, domains: tuple[str, ...]) -> bool:
    """Return whether ``host`` is one of ``domains`` or below one."""
    return any(host == d or host.endswith(f".{d}") for d in (d.lower().lstrip("*.") for d in domains))
