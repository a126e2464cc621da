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

from roma_core.connectors.net.guard import Netguard, PinnedBackend, is_public
from roma_core.connectors.web.fetcher import Fetcher
from roma_core.errors import ConnectorError, ErrorCode
from tests.fakes.site import Reply, Site
from tests.fakes.urls import DNS, FORMS, LITERALS, NAMES, PARSERS, PUBLIC, RANGES, SCHEMES, spellings
from tests.sizes import examples


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
    return Fetcher(Netguard(allowed, wire.resolve), timeout_s=60, max_bytes=1 << 20)


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
        web = Fetcher(Netguard([allowed.format(port=site.port)]), timeout_s=60, max_bytes=1 << 20)
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
        web = Fetcher(Netguard((), resolve), timeout_s=60, max_bytes=1)
        assert (await refused(web, "http://gone.example.org/")).code == code


async def test_backend_opens_no_unix_socket() -> None:
    with pytest.raises(ConnectorError):
        await PinnedBackend(Netguard()).connect_unix_socket("/var/run/docker.sock")


@settings(max_examples=examples(60, whole=500), deadline=None)
@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_nothing_that_python_calls_private_is_public(address: IPv4Address | IPv6Address) -> None:
    if is_public(address):
        assert not address.is_private and not address.is_loopback and not address.is_link_local
        assert not address.is_multicast and not address.is_reserved and not address.is_unspecified


@settings(max_examples=examples(60, whole=500), deadline=None)
@given(st.ip_addresses(v=4, network="10.0.0.0/8"), st.integers(min_value=0, max_value=21))
def test_every_spelling_of_a_private_address_is_refused(address: IPv4Address, form: int) -> None:
    with pytest.raises(ConnectorError) as caught:
        Netguard().check_url(f"http://{spellings(str(address))[form]}/x")
    assert caught.value.code == ErrorCode.CONNECTOR_BLOCKED


def test_public_addresses_are_public() -> None:
    for address in ("1.1.1.1", "8.8.8.8", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e"):
        assert is_public(ip_address(address))
