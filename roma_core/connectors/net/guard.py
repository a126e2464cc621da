"""Guard of the network: every outgoing connection that a document or a user's URL asks for passes here.

A URL is read by one parser, its host is resolved once, every address is judged, and the connection is made to the
address that was judged (so a name cannot change its answer in between). This happens at each connect, which covers
redirects, robots.txt, sitemaps and what a page in Chromium asks for. Refusals are ``ERR_CONNECTOR_BLOCKED`` and come
before any connection is opened.
"""

from __future__ import annotations

import asyncio
import socket
import unicodedata
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

import httpcore2
import httpx2

from roma_core.errors import ConnectorError, ErrorCode

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to address literals. Raises ``OSError`` when there is none."""

CONNECT_TIMEOUT_S: Final = 5.0
"""For one address; the next one is tried after it."""

PORTS: Final = {"http": 80, "https": 443}

REFUSED_V4: Final = tuple(
    IPv4Network(n)
    for n in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
        *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        "168.63.129.16/32",  # Azure's wire server has a public number
    )
)
"""IANA's special-purpose registry (RFC 6890 and successors), multicast, reserved, and one cloud's metadata."""

PUBLIC_V6: Final = IPv6Network("2000::/3")
REFUSED_V6: Final = tuple(
    IPv6Network(n)
    for n in (
        *("2001::/23", "2001:db8::/32", "3fff::/20"),  # protocol assignments with Teredo and ORCHID; documentation
        "2002::/16",  # 6to4 carries an IPv4 address
        "2620:4f:8000::/48",  # AS112 direct delegation
    )
)
"""What is not to be trusted inside of the only range that is global unicast. Everything outside of ``PUBLIC_V6``
(loopback, mapped and translated IPv4, link-local, unique local, site-local, multicast) is refused anyway."""

REFUSED_PORTS: Final = frozenset(
    # Well-known services above 1023 that answer to HTTP or can be confused by it (WHATWG's bad ports, databases, ...).
    {1433, 1521, 1719, 1720, 1723, 2049, 2181, 2375, 2376, 2379, 2380, 3306, 3389, 3659, 4045, 4190, 4369, 5060, 5061}
    | {5432, 5672, 5984, 6000, 6379, 6443, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 7001, 8500, 9042, 9092}
    | {9200, 9300, 10080, 10250, 10255, 11211, 15672, 27017, 50070}
)

LOCAL_SUFFIXES: Final = ("localhost", "local", "localdomain", "internal", "intranet", "lan", "home.arpa", "onion")


@dataclass(frozen=True)
class Target:
    """A URL that may be asked for. ``path`` holds path and query as they go on the wire; ``url`` has no fragment."""

    url: str
    scheme: str
    host: str
    port: int
    path: bytes

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.authority}"


async def system_resolve(host: str, port: int) -> list[str]:
    """Addresses by the system's resolver, in its order, each once."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Netguard:
    """``allowed`` are ``host`` or ``host:port`` that may be private (``Settings.web_allowed_private_hosts``)."""

    def __init__(self, allowed: Iterable[str] = (), resolve: Resolve = system_resolve) -> None:
        self._allowed = frozenset(entry.lower() for entry in allowed)
        self._resolve = resolve

    def check_url(self, url: str) -> Target:
        """``url`` taken apart. Raises ``ConnectorError`` (blocked) when it must not be asked for."""
        if any(ord(c) <= 0x20 or c in '\\<>"{}|^`' or unicodedata.category(c) in {"Cc", "Cf"} for c in url):
            raise _make_refusal("The address holds spaces, backslashes or invisible characters")
        try:
            parsed = httpx2.URL(url)
            host, port = parsed.raw_host.decode("ascii").lower().rstrip("."), parsed.port
        except (httpx2.InvalidURL, ValueError, UnicodeError):
            raise _make_refusal("The address cannot be read as a URL") from None
        if parsed.scheme not in PORTS or not url[len(parsed.scheme) :].startswith("://"):
            raise _make_refusal("Only http:// and https:// addresses are fetched")
        if parsed.userinfo or "@" in _authority(url):
            raise _make_refusal("Addresses with a user name or password are not fetched")
        port = PORTS[parsed.scheme] if port is None else port
        self.check_host(host, port)
        shown = str(parsed.copy_with(host=host, fragment=None))
        return Target(shown, parsed.scheme, host, port, parsed.raw_path)

    def check_host(self, host: str, port: int) -> None:
        """Raises ``ConnectorError`` (blocked) for a name or number that no public site has."""
        if self.is_allowed(host, port):
            return
        literal = _literal(host)
        if literal is not None:
            self._check_address(literal)
        elif not _is_public_name(host):
            raise _make_refusal("The address does not name a public host", host)
        if (port < 1024 and port not in PORTS.values()) or port in REFUSED_PORTS or port > 65535:
            raise _make_refusal(f"Port {port} is not one of the web", host)

    def is_allowed(self, host: str, port: int) -> bool:
        bare = f"[{host}]" if ":" in host else host
        return bool({host, bare, f"{bare}:{port}"} & self._allowed)

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses to connect to. Raises ``ConnectorError`` when any of them is not public: such a name lies."""
        host = host.lower().rstrip(".")
        self.check_host(host, port)
        try:
            found = [host] if _literal(host) is not None else list(await self._resolve(host, port))
        except OSError as error:
            raise _make_unresolved(host, error) from None
        if not self.is_allowed(host, port):
            for address in found:
                self._check_address(_literal(address), host)
        if not found:
            raise _make_unresolved(host, socket.gaierror(socket.EAI_NONAME, ""))
        return found

    async def check_resolvable(self, host: str, port: int) -> None:
        """Judge a host that an egress proxy will connect to. Raises ``ConnectorError`` (blocked) when it is not public.

        Where names are resolved by the proxy alone, the name itself is all that can be judged here.
        """
        try:
            await self.addresses(host, port)
        except ConnectorError as error:
            if error.code == ErrorCode.CONNECTOR_BLOCKED:
                raise

    @staticmethod
    def _check_address(address: IPv4Address | IPv6Address | None, host: str = "") -> None:
        if address is None or not is_public(address):
            raise _make_refusal("The address leads to a host that is not public", host)


class PinnedBackend(httpcore2.AsyncNetworkBackend):
    """Connects to the addresses that the guard has judged; TLS still names and verifies the host."""

    def __init__(self, guard: Netguard) -> None:
        self._guard = guard
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        addresses = await self._guard.addresses(host, port)
        for n, address in enumerate(addresses):
            try:
                return await self._inner.connect_tcp(
                    address, port, timeout or CONNECT_TIMEOUT_S, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if n == len(addresses) - 1:
                    raise
        raise AssertionError("unreachable: the guard returns at least one address")

    async def connect_unix_socket(self, path: str, *args: Any, **options: Any) -> httpcore2.AsyncNetworkStream:
        raise _make_refusal("Sockets of this machine are not web hosts")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Tell if an address is reachable by everyone, so that a request to it cannot enter a private network."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in REFUSED_V4)
    # ISATAP (RFC 5214) carries an IPv4 address in its last 32 bits behind 0000:5efe or 0200:5efe.
    isatap = (int(address) >> 32) & 0xFDFFFFFF == 0x00005EFE
    zoned = address.scope_id is not None
    return address in PUBLIC_V6 and not (isatap or zoned or any(address in network for network in REFUSED_V6))


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


def _is_public_name(host: str) -> bool:
    """Letters, digits, hyphens; at least two labels; the last not a number (``0x7f.1`` is one for many resolvers)."""
    labels = host.split(".")
    well_formed = all(
        0 < len(label) <= 63 and label.isascii() and label.replace("-", "a").replace("_", "a").isalnum()
        for label in labels
    )
    if not well_formed or len(host) > 253 or len(labels) < 2 or not labels[-1][0].isalpha():
        return False
    return not any(host == suffix or host.endswith(f".{suffix}") for suffix in LOCAL_SUFFIXES)


def _authority(url: str) -> str:
    rest = url.partition("://")[2]
    return rest[: min((i for i in (rest.find(c) for c in "/?#") if i >= 0), default=len(rest))]


def _make_refusal(why: str, host: str = "") -> ConnectorError:
    hint = "; add it to ROMA_WEB_ALLOWED_PRIVATE_HOSTS if you trust it" if host else ""
    return ConnectorError(
        f"{why}{f' ({host})' if host else ''}: refused{hint}.",
        ErrorCode.CONNECTOR_BLOCKED,
        details={"host": host} if host else {},
    )


def _make_unresolved(host: str, error: OSError) -> ConnectorError:
    if getattr(error, "errno", None) == socket.EAI_AGAIN:
        return ConnectorError(f"The name {host} cannot be looked up now.", details={"host": host})
    return ConnectorError(f"There is no host {host}.", ErrorCode.CONNECTOR_NOT_FOUND, details={"host": host})
