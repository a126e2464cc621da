"""Forms of server-side request forgery, each of which must be refused before a connection is opened."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import httpcore2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roma_core.connectors.fetcher import Fetcher
from roma_core.connectors.netguard import Netguard, PinnedBackend, is_public
from roma_core.errors import ConnectorError, ErrorCode
from tests.fakes.site import Reply, Site

PUBLIC = "93.184.215.14"
V4_VICTIMS = ("127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.1")


def spellings(address: str) -> list[str]:
    """Ways to write an IPv4 address that some resolver or URL parser understands."""
    a, b, c, d = (int(x) for x in address.split("."))
    number = int(IPv4Address(address))
    return [
        address,
        f"{address}.",
        str(number),
        hex(number),
        oct(number).replace("0o", "0"),
        f"0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}",
        f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
        f"{a}.{b}.{c * 256 + d}",
        f"{a}.{b * 65536 + c * 256 + d}",
        f"{a:03}.{b:03}.{c:03}.{d:03}",
        f"{a}.{b}.{c}.0x{d:x}",
        f"[::ffff:{address}]",
        f"[::ffff:{number >> 16:x}:{number & 0xFFFF:x}]",
        f"[::{address}]",
        f"[64:ff9b::{address}]",
        f"[64:ff9b:1::{address}]",
        f"[2002:{number >> 16:x}:{number & 0xFFFF:x}::1]",
        f"[2001:0:4136:e378:8000:63bf:{(number >> 16) ^ 0xFFFF:x}:{(number & 0xFFFF) ^ 0xFFFF:x}]",
        f"[2606:2800:21f::5efe:{number >> 16:x}:{number & 0xFFFF:x}]",
        "".join(f"%{ord(ch):02x}" for ch in address),
        "".join(chr(ord(ch) + 0xFEE0) if ch.isdigit() else ch for ch in address),
        address.replace(".", "\u3002"),
    ]


LITERALS = [f"http://{form}/" for victim in V4_VICTIMS for form in spellings(victim)]

RANGES = [
    f"http://{host}/"
    for host in (
        *("0.0.0.0", "0", "0.1.2.3", "100.64.0.1", "100.100.100.200", "127.1.2.3", "127.255.255.254", "172.16.0.1"),
        *("172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255"),
        *("198.51.100.1", "203.0.113.1", "224.0.0.1", "224.0.1.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
        *("168.63.129.16", "127.1", "127.0.1", "0x7f.1", "017700000001", "0x7f000001", "1.0x7f"),
        *(
            "[::]",
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[::1%25lo]",
            "[fe80::1]",
            "[fe80::1%25eth0]",
            "[fec0::1]",
            "[fc00::1]",
        ),
        *("[fd00:ec2::254]", "[ff02::1]", "[2001:db8::1]", "[3fff::1]", "[2001:10::1]", "[2001:20::1]", "[100::1]"),
        *("[5f00::1]", "[2620:4f:8000::1]", "[2001:2::1]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]"),
    )
]

NAMES = [
    f"http://{host}/"
    for host in (
        *("localhost", "LOCALHOST", "localhost.", "a.localhost", "localhost.localdomain", "printer.local", "intranet"),
        *("metadata.google.internal", "instance-data", "kubernetes.default.svc.cluster.local", "router.lan"),
        *("nas.home.arpa", "db.intranet", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "loc\u00adalhost", "local\u200bhost", "x.onion"),
    )
]

PARSERS = [
    "http://example.org@127.0.0.1/",
    "http://user:pass@127.0.0.1/",
    "http://user@example.org/",
    "http://@example.org/",
    "http://:@example.org/",
    "http://127.0.0.1\\@example.org/",
    "http://example.org\\@127.0.0.1/",
    "http:\\\\127.0.0.1/",
    "http://example.org\\.127.0.0.1/",
    "http://127.0.0.1#@example.org/",
    "http://127.0.0.1?@example.org/",
    "http://127.0.0.1:80@example.org/",
    "http://example.org:80@127.0.0.1:80/",
    "http://127.0.0.1%23@example.org/",
    "http://127.0.0.1%2f@example.org/",
    "http://example.org%00.127.0.0.1/",
    "http://127.0.0.1%00.example.org/",
    "http://127.0.0.1 .example.org/",
    "http://127.0.0.1\t.example.org/",
    "http://127.0.0.1\r\nHost:example.org/",
    " http://127.0.0.1/",
    "http://127.0.0.1\u00a0/",
    "http:/127.0.0.1/",
    "http:127.0.0.1",
    "//127.0.0.1/",
    "///127.0.0.1/",
    "127.0.0.1",
    "http:///127.0.0.1",
    "http://[::1/",
    "http://::1/",
    "http://[127.0.0.1]/",
    "http://[v1.fe80::]/",
    "http://example.org:99999/",
    "http://example.org:-1/",
    "http://example.org:0x50/",
    "http://" + "a" * 64 + ".org/",
    "http://" + "a." * 130 + "org/",
    "http://ex..ample.org/",
    "http://.example.org/",
    "http://",
    "",
]

SCHEMES = [
    *("file:///etc/passwd", "file://localhost/etc/passwd", "ftp://example.org/", "gopher://127.0.0.1:6379/_INFO"),
    *(
        "dict://127.0.0.1:11211/stat",
        "ldap://127.0.0.1/",
        "data:text/html,<b>",
        "javascript:alert(1)",
        "jar:http://x!/",
    ),
    *(
        "ws://example.org/",
        "unix:///var/run/docker.sock",
        "netdoc:///etc/passwd",
        "tftp://127.0.0.1/x",
        "blob:http://x",
    ),
    *(
        "view-source:http://127.0.0.1/",
        "about:blank",
        "chrome://settings",
        "sftp://example.org/",
        "url:http://127.0.0.1",
    ),
]

PORTS = [
    f"http://example.org:{port}/"
    for port in (0, 1, 21, 22, 23, 25, 53, 110, 111, 139, 143, 389, 445, 465, 587, 873, 2375, 2379, 3306, 5432, 6379)
] + [f"https://example.org:{port}/" for port in (6443, 9200, 10250, 11211, 27017)]

DNS = {
    # One label per answer that a hostile name server may give; ``mixed`` hides a private one among public ones.
    "loop.example.org": ["127.0.0.1"],
    "loop6.example.org": ["::1"],
    "meta.example.org": ["169.254.169.254"],
    "ten.example.org": ["10.0.0.1"],
    "cgnat.example.org": ["100.64.0.1"],
    "mapped.example.org": ["::ffff:127.0.0.1"],
    "nat64.example.org": ["64:ff9b::a00:1"],
    "sixtofour.example.org": ["2002:7f00:1::"],
    "teredo.example.org": ["2001:0:4136:e378:8000:63bf:80ff:fffe"],
    "mixed.example.org": [PUBLIC, "127.0.0.1"],
    "mixed6.example.org": [PUBLIC, "fe80::1"],
    "scoped.example.org": ["fe80::1%eth0"],
    "zero.example.org": ["0.0.0.0"],
    "azure.example.org": ["168.63.129.16"],
    "junk.example.org": ["not an address"],
}
FORMS = [*LITERALS, *RANGES, *NAMES, *PARSERS, *SCHEMES, *PORTS, *(f"http://{name}/" for name in DNS)]


class Wire:
    """Stands for the network: every connect is recorded; public addresses lead to the test's site."""

    def __init__(self, site: Site | None = None) -> None:
        self.site = site
        self.connected: list[str] = []
        self.answers: dict[str, list[list[str]]] = {}

    async def resolve(self, host: str, port: int) -> list[str]:
        scripted = self.answers.get(host)
        if scripted:
            return scripted.pop(0) if len(scripted) > 1 else scripted[0]
        return DNS.get(host, [PUBLIC])


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    wire = Wire()
    connect = httpcore2.AnyIOBackend.connect_tcp

    async def record(backend: Any, host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        wire.connected.append(host)
        if wire.site is None or host != PUBLIC:
            raise httpcore2.ConnectError("nobody is there")
        return await connect(backend, "127.0.0.1", wire.site.port, *args, **kwargs)

    monkeypatch.setattr(httpcore2.AnyIOBackend, "connect_tcp", record)
    yield wire


def fetcher(wire: Wire, *allowed: str) -> Fetcher:
    return Fetcher(Netguard(allowed, wire.resolve), timeout_s=5, max_bytes=1 << 20)


async def refused(web: Fetcher, url: str) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await web.get(url, {})
    return caught.value


def test_there_are_enough_forms() -> None:
    assert len(set(FORMS)) >= 240


@pytest.mark.parametrize("url", FORMS)
async def test_form_is_refused_before_a_connection(url: str, wire: Wire) -> None:
    error = await refused(fetcher(wire), url)
    assert error.code == ErrorCode.CONNECTOR_BLOCKED, error.message
    assert wire.connected == []


@pytest.mark.parametrize("url", [*LITERALS[:30], *RANGES[::4], *NAMES[:6], *SCHEMES[:6], *PARSERS[:8]])
@pytest.mark.parametrize("status", [301, 307])
async def test_redirect_to_a_form_is_refused(url: str, status: int, wire: Wire) -> None:
    async with Site({"/": Reply(status=status, headers={"Location": url.strip().encode().decode("latin-1")})}) as site:
        wire.site = site
        error = await refused(fetcher(wire), "http://example.org/")
    assert error.code == ErrorCode.CONNECTOR_BLOCKED
    assert set(wire.connected) == {PUBLIC}


async def test_rebinding_between_check_and_connect_is_impossible(wire: Wire) -> None:
    wire.answers["flip.example.org"] = [[PUBLIC], ["127.0.0.1"]]
    async with Site({"/": "public"}) as site:
        wire.site = site
        response = await fetcher(wire).get("http://flip.example.org/", {})
    assert response.body == b"public"
    assert wire.connected == [PUBLIC]  # resolved once, connected to what was judged


async def test_rebinding_on_the_next_hop_is_refused(wire: Wire) -> None:
    wire.answers["flip.example.org"] = [[PUBLIC], ["127.0.0.1"]]
    async with Site({"/": Reply(status=302, headers={"Location": "/next"})}) as site:
        wire.site = site
        error = await refused(fetcher(wire), "http://flip.example.org/")
    assert error.code == ErrorCode.CONNECTOR_BLOCKED
    assert wire.connected == [PUBLIC]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "HTTP://EXAMPLE.ORG/",
        "http://example.org./a?b=c#d",
        "http://example.org:8080/",
        "http://example.org:49152/",
        "http://a-b.c_d.example.co.uk/",
        "http://bücher.example.org/ü?q=ü",
        f"http://{PUBLIC}/",
        "http://10.example.org/",
        "http://127.0.0.1.example.org/",
        "http://localhost.example.org/",
        "http://example.org/http://127.0.0.1/",
        "http://example.org/?next=http://user@127.0.0.1/",
        "http://example.org?u=@x",
    ],
)
async def test_legitimate_hosts_pass(url: str, wire: Wire) -> None:
    routes = dict.fromkeys(("/", "/a", "/%C3%BC", "/http://127.0.0.1/"), "hello")
    async with Site(routes) as site:
        wire.site = site
        response = await fetcher(wire).get(url, {})
    assert (response.status, response.body) == (200, b"hello")


async def test_public_ipv6_is_tried_and_the_next_address_is_the_fallback(wire: Wire) -> None:
    wire.answers["dual.example.org"] = [["2606:2800:21f:cb07::1", PUBLIC]]
    async with Site({"/": "hello"}) as site:
        wire.site = site
        assert (await fetcher(wire).get("http://dual.example.org/", {})).body == b"hello"
    assert wire.connected == ["2606:2800:21f:cb07::1", PUBLIC]


@pytest.mark.parametrize("allowed", ["127.0.0.1", "127.0.0.1:{port}"])
async def test_setting_allows_a_private_host(allowed: str) -> None:
    async with Site({"/": "inside", "/away": Reply(status=302, headers={"Location": "http://127.0.0.2/"})}) as site:
        web = Fetcher(Netguard([allowed.format(port=site.port)]), timeout_s=5, max_bytes=1 << 20)
        assert (await web.get(site.base, {})).body == b"inside"
        assert (await refused(web, f"{site.base}/away")).code == ErrorCode.CONNECTOR_BLOCKED
        await web.close()


async def test_allowing_one_port_allows_no_other(wire: Wire) -> None:
    guard = Netguard(["127.0.0.1:8000", "[::1]:9000", "wiki.internal"], wire.resolve)
    for host, port, allowed in [
        ("127.0.0.1", 8000, True),
        ("127.0.0.1", 8001, False),
        ("::1", 9000, True),
        ("::1", 80, False),
        ("wiki.internal", 22, True),
    ]:
        assert guard.is_allowed(host, port) is allowed


async def test_unknown_name_and_resolver_trouble_are_told_apart() -> None:
    async def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    async def later(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "later")

    async def empty(host: str, port: int) -> list[str]:
        return []

    for resolve, code in [
        (unknown, ErrorCode.CONNECTOR_NOT_FOUND),
        (later, ErrorCode.CONNECTOR_UNAVAILABLE),
        (empty, ErrorCode.CONNECTOR_NOT_FOUND),
    ]:
        web = Fetcher(Netguard((), resolve), timeout_s=5, max_bytes=1)
        assert (await refused(web, "http://gone.example.org/")).code == code


async def test_backend_opens_no_unix_socket() -> None:
    with pytest.raises(ConnectorError):
        await PinnedBackend(Netguard()).connect_unix_socket("/var/run/docker.sock")


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_nothing_that_python_calls_private_is_public(address: IPv4Address | IPv6Address) -> None:
    if is_public(address):
        assert not address.is_private and not address.is_loopback and not address.is_link_local
        assert not address.is_multicast and not address.is_reserved and not address.is_unspecified


@settings(max_examples=500, deadline=None)
@given(st.ip_addresses(v=4, network="10.0.0.0/8"), st.integers(min_value=0, max_value=21))
def test_every_spelling_of_a_private_address_is_refused(address: IPv4Address, form: int) -> None:
    with pytest.raises(ConnectorError) as caught:
        Netguard().check_url(f"http://{spellings(str(address))[form]}/x")
    assert caught.value.code == ErrorCode.CONNECTOR_BLOCKED


def test_public_addresses_are_public() -> None:
    for address in ("1.1.1.1", "8.8.8.8", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e"):
        assert is_public(ip_address(address))
