"""Hostile bodies end early: bombs, endless and dripping answers, loops, lies about length and encoding."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from roma_core.connectors.net.egress import EgressProxies
from roma_core.connectors.net.guard import Netguard
from roma_core.connectors.web.fetcher import Fetcher, read_bounded
from roma_core.errors import ConnectorError, ErrorCode
from tests.fakes.certificate import sign_own
from tests.fakes.site import Reply, Request, Site
from tests.ports import find_port

MIB = 1 << 20


def fetcher(timeout_s: float = 60, max_bytes: int = MIB, **options: object) -> Fetcher:
    return Fetcher(Netguard(["127.0.0.1"]), timeout_s=timeout_s, max_bytes=max_bytes, **options)


async def outcome(site: Site, path: str, **options: object) -> ErrorCode | bytes:
    web = fetcher(**options)
    try:
        return (await web.get(site.base + path, {})).body
    except ConnectorError as error:
        return error.code
    finally:
        await web.close()


def encoded(body: bytes, encoding: str) -> Reply:
    return Reply(body, headers={"Content-Encoding": encoding})


async def test_encodings_are_undone() -> None:
    text = b"words " * 1000
    bare = zlib.compressobj(wbits=-15)
    routes = {
        "/gzip": encoded(gzip.compress(text), "gzip"),
        "/x-gzip": encoded(gzip.compress(text), "x-gzip"),
        "/zlib": encoded(zlib.compress(text), "deflate"),
        "/bare": encoded(bare.compress(text) + bare.flush(), "deflate"),
        "/members": encoded(gzip.compress(text[:100]) + gzip.compress(text[100:]), "gzip"),
        "/identity": encoded(text, "identity"),
    }
    async with Site(routes) as site:
        for path in routes:
            assert await outcome(site, path) == text


async def test_broken_encodings_are_corrupt() -> None:
    text = gzip.compress(b"words " * 1000)
    routes = {
        "/cut": encoded(text[:-20], "gzip"),
        "/noise": encoded(b"\xff\xfe not gzip", "gzip"),
        "/flipped": encoded(text[:20] + b"\xff" * 9 + text[29:], "gzip"),
        "/unasked": encoded(b"..", "br"),
    }
    async with Site(routes) as site:
        for path in routes:
            assert await outcome(site, path) == ErrorCode.CONNECTOR_CORRUPT, path


async def test_gzip_bomb_is_cut_within_its_limit() -> None:
    async def bomb() -> AsyncIterator[bytes]:
        squeeze = zlib.compressobj(9, wbits=31)
        for _ in range(1024):
            if chunk := squeeze.compress(bytes(MIB)):
                yield chunk
        yield squeeze.flush()

    tracemalloc.start()
    with pytest.raises(ConnectorError) as caught:
        await read_bounded(bomb(), {"content-encoding": "gzip"}, 10 * MIB, "host")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.code == ErrorCode.CONNECTOR_TOO_LARGE
    assert peak < 100 * MIB


async def test_bomb_in_one_small_chunk_is_cut() -> None:
    nested = gzip.compress(bytes(200 * MIB), compresslevel=1)

    async def one() -> AsyncIterator[bytes]:
        yield nested

    tracemalloc.start()
    with pytest.raises(ConnectorError):
        await read_bounded(one(), {"content-encoding": "gzip"}, 10 * MIB, "host")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 * MIB


async def endless(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def drip(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def endless_headers(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Filler: " + b"y" * 1000 + b"\r\n")
        await writer.drain()


async def silent(request: Request, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def short(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")


async def nonsense(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x16\x03\x01 what\r\n\r\n")


@pytest.mark.parametrize(
    ("route", "code"),
    [
        (endless, ErrorCode.CONNECTOR_TOO_LARGE),
        (drip, ErrorCode.CONNECTOR_TIMEOUT),
        (silent, ErrorCode.CONNECTOR_TIMEOUT),
        (endless_headers, ErrorCode.CONNECTOR_UNAVAILABLE),
        (short, ErrorCode.CONNECTOR_UNAVAILABLE),
        (nonsense, ErrorCode.CONNECTOR_UNAVAILABLE),
        (Reply(headers={"Content-Length": str(MIB + 1)}), ErrorCode.CONNECTOR_TOO_LARGE),
        (Reply(status=302, headers={"Location": "/"}), ErrorCode.CONNECTOR_UNAVAILABLE),
        (
            lambda request: Reply(status=302, headers={"Location": f"/?{len(request.target)}" + request.target[-99:]}),
            ErrorCode.CONNECTOR_UNAVAILABLE,
        ),
    ],
)
async def test_hostile_answer_ends(route: object, code: ErrorCode) -> None:
    async with Site({"/": route}) as site:
        patience_s = 0.5 if code is ErrorCode.CONNECTOR_TIMEOUT else 60.0
        assert await outcome(site, "/", timeout_s=patience_s) == code


async def test_nobody_listens() -> None:
    async with Site() as site:
        pass
    assert await outcome(site, "/") == ErrorCode.CONNECTOR_UNAVAILABLE


async def test_redirect_gives_the_final_address_and_time_is_shared_by_hops() -> None:
    async def slow(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        writer.write(Reply(status=302, headers={"Location": request.target + "x"}).encode())

    routes = {"/a": Reply(status=302, headers={"Location": "b?q=1#part"}), "/b": "end", "/s": slow, "/sx": slow}
    async with Site({**routes, "/sxx": slow}) as site:
        web = fetcher()
        response = await web.get(f"{site.base}/a#top", {})
        assert (response.url, response.body) == (f"{site.base}/b?q=1", b"end")
        assert await outcome(site, "/s", timeout_s=0.7) == ErrorCode.CONNECTOR_TIMEOUT
        await web.close()


async def test_redirect_without_location_is_an_answer() -> None:
    async with Site({"/": Reply(b"choose", status=302)}) as site:
        assert await outcome(site, "/") == b"choose"


def certificate(folder: Path, host: str) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    cert = sign_own(key, host, x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    (folder / "c.pem").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "k.pem").write_bytes(key.private_bytes(*form))
    return folder / "c.pem", folder / "k.pem"


async def test_tls_is_verified_for_the_name_although_the_address_is_pinned(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "good.example.org")
    server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_tls.load_cert_chain(cert, key)
    asked: list[str | None] = []
    server_tls.sni_callback = lambda sock, name, context: asked.append(name)  # type: ignore[assignment]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(Reply("secret").encode())
        await writer.drain()
        writer.close()

    async def loopback(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_tls)
    port = server.sockets[0].getsockname()[1]
    guard = Netguard(["good.example.org", "other.example.org"], loopback)
    web = Fetcher(guard, timeout_s=60, max_bytes=MIB, ssl_context=ssl.create_default_context(cafile=str(cert)))
    assert (await web.get(f"https://good.example.org:{port}/", {})).body == b"secret"
    with pytest.raises(ConnectorError) as caught:
        await web.get(f"https://other.example.org:{port}/", {})
    assert caught.value.code == ErrorCode.CONNECTOR_UNAVAILABLE
    assert asked == ["good.example.org", "other.example.org"]
    await web.close()
    server.close()


async def test_a_proxy_that_is_away_is_named_by_its_variables() -> None:
    proxies = EgressProxies({"all": f"http://127.0.0.1:{find_port()}"})

    async def resolve(_host: str, _port: int) -> list[str]:
        return ["93.184.216.34"]

    web = Fetcher(Netguard((), resolve), timeout_s=60, max_bytes=MIB, proxies=proxies)
    with pytest.raises(ConnectorError, match=r"example\.org: The connection through the proxy of HTTPS_PROXY"):
        await web.get("http://example.org/", {})
    await web.close()
