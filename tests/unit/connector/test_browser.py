"""Pages drawn by JavaScript, through real Chromium; and the proxy that keeps Chromium where it may be."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil
import pytest

from roma_core.connectors.base import Listing
from roma_core.connectors.net.egress import EgressProxies
from roma_core.connectors.net.guard import Netguard
from roma_core.connectors.net.proxy import GuardProxy
from roma_core.connectors.web.browser import Browser, find_chromium
from roma_core.connectors.web.connector import WebConnector
from roma_core.errors import AgentFailure, ConfigError, ConnectorError, ErrorCode
from roma_core.scratch import PREFIX
from roma_core.settings import Settings
from roma_core.types import RawDocument, Source
from tests.fakes.site import Reply, Request, Site
from tests.fakes.urls import DNS, FORMS, LITERALS, NAMES, RANGES

SCRIPT = """
const facts = ["herons", "otters", "pike"].map(n => `<p>Word of the ${n} by the lake, drawn by a script.</p>`);
document.getElementById("app").innerHTML = "<h1>Drawn</h1>" + facts.join("") + facts.join("");
"""
SHELL = '<!doctype html><title>App</title><div id="app"></div><script src="/app.js"></script>'


def connector(site: Site, tmp_path: Path, **settings: Any) -> WebConnector:
    defaults = {
        "workspace": tmp_path,
        "web_allowed_private_hosts": (f"127.0.0.1:{site.port}",),
        "web_rate_per_s": 500.0,
    }
    return WebConnector(Settings(**(defaults | settings)))


async def read(web: WebConnector, url: str) -> RawDocument | AgentFailure:
    return await web.fetch(Source(uri=url, kind="web"), Listing(uri=url))


@pytest.mark.browser
async def test_page_drawn_by_javascript_is_read_and_reaches_nothing_else(tmp_path: Path) -> None:
    async with Site() as inside, Site() as site:
        inside.routes["/"] = "internal"
        probes = "".join(
            f'<img src="{inside.base}/{kind}"><script src="{inside.base}/s"></script>'
            f'<iframe src="{inside.base}/f"></iframe>'
            for kind in ("img",)
        )
        asks = f"""
        fetch("{inside.base}/fetch", {{mode: "no-cors"}}).catch(() => 0);
        fetch("http://localhost:{inside.port}/name", {{mode: "no-cors"}}).catch(() => 0);
        new WebSocket("ws://127.0.0.1:{inside.port}/ws");
        navigator.sendBeacon("{inside.base}/beacon", "x");
        """
        site.routes = {
            "/": SHELL + probes + f"<script>{asks}</script>",
            "/app.js": Reply(SCRIPT, media_type="text/javascript"),
            "/plain": f"<title>Plain</title><p>{'plain words ' * 30}<script>1</script>",
            "/away": f"<script>location = '{inside.base}/away'</script>",
        }
        web = connector(site, tmp_path)
        raw = await read(web, f"{site.base}/")
        assert isinstance(raw, RawDocument), raw
        assert b"Word of the otters by the lake" in raw.data
        assert b"<script" not in raw.data
        assert raw.metadata["rendered"] is True
        assert set(web._browser.refused) >= {f"localhost:{inside.port}", f"127.0.0.1:{inside.port}"}

        plain = await read(web, f"{site.base}/plain")
        assert isinstance(plain, RawDocument)
        assert plain.metadata["rendered"] is False  # a page with text costs no browser

        await read(web, f"{site.base}/away")
        await web.close()
        assert inside.connections == 0


@pytest.mark.browser
async def test_always_and_never(tmp_path: Path) -> None:
    page = f"<title>T</title><p>{'words of the page ' * 20}</p><p id=x>plain</p><script>x.textContent='drawn'</script>"
    async with Site({"/": page, "/shell": SHELL, "/app.js": Reply(SCRIPT, media_type="text/javascript")}) as site:
        always = connector(site, tmp_path, web_render="always")
        drawn = await read(always, f"{site.base}/")
        assert isinstance(drawn, RawDocument) and b"drawn" in drawn.data
        await always.close()
        never = connector(site, tmp_path, web_render="never")
        empty = await read(never, f"{site.base}/shell")
        assert isinstance(empty, RawDocument) and b"otters" not in empty.data
        await never.close()


@pytest.mark.browser
async def test_closing_leaves_no_process_behind(tmp_path: Path) -> None:
    """Neither Chromium nor the driver that talks to it: a server that crawls every hour would drown in them."""
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    async with Site({"/": SHELL, "/app.js": Reply(SCRIPT, media_type="text/javascript")}) as site:
        web = connector(site, tmp_path, web_render="always")
        assert isinstance(await read(web, f"{site.base}/"), RawDocument)
        assert {p.pid for p in psutil.Process().children(recursive=True)} - before
        await web.close()
    left = [p for p in psutil.Process().children(recursive=True) if p.pid not in before]
    assert psutil.wait_procs(left, timeout=60)[1] == []


@pytest.mark.browser
async def test_page_cannot_leave_a_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    click = "<a id=a download=evil.txt href='/evil'>x</a><script>a.click()</script>"
    async with Site({"/": SHELL + click, "/app.js": Reply(SCRIPT, media_type="text/javascript")}) as site:
        site.routes["/evil"] = Reply("evil", headers={"Content-Disposition": "attachment"}, media_type="text/plain")
        web = connector(site, tmp_path / "ws")
        raw = await read(web, f"{site.base}/")
        assert isinstance(raw, RawDocument) and b"otters" in raw.data
        await web.close()
    assert not list(tmp_path.rglob("evil*"))
    assert not list(Path(tempfile.gettempdir()).glob(f"{PREFIX}chromium-*/**/evil*"))


@pytest.mark.browser
async def test_crash_of_the_browser_costs_one_page_at_most(tmp_path: Path) -> None:
    async with Site({"/": SHELL, "/app.js": Reply(SCRIPT, media_type="text/javascript")}) as site:
        web = connector(site, tmp_path)
        assert isinstance(await read(web, f"{site.base}/"), RawDocument)
        process = web._browser._process
        assert process is not None
        process.kill()
        await process.wait()
        again = await read(web, f"{site.base}/")
        assert isinstance(again, RawDocument) and b"otters" in again.data
        await web.close()


@pytest.mark.browser
async def test_page_that_never_ends_and_page_that_is_too_large(tmp_path: Path) -> None:
    async def hang(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    grow = "<div id=a></div><script>a.textContent = 'x'.repeat(3e6)</script>"
    async with Site({"/hang": SHELL.replace("/app.js", "/never.js"), "/never.js": hang, "/grow": grow}) as site:
        web = connector(site, tmp_path, web_timeout_s=4.0, web_max_mb=1)
        slow = await read(web, f"{site.base}/hang")
        assert isinstance(slow, AgentFailure)
        assert slow.code in {ErrorCode.CONNECTOR_TIMEOUT, ErrorCode.CONNECTOR_UNAVAILABLE}
        await web.close()
        web = connector(site, tmp_path, web_max_mb=1)
        large = await read(web, f"{site.base}/grow")
        assert isinstance(large, AgentFailure)
        assert large.code == ErrorCode.CONNECTOR_TOO_LARGE
        await web.close()


def test_missing_chromium_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for configured in (None, "/no/such/chromium"):
        with pytest.raises(ConfigError) as caught:
            find_chromium(configured)
        assert "ROMA_WEB_CHROMIUM" in caught.value.message


async def test_program_that_is_no_chromium(tmp_path: Path) -> None:
    browser = Browser(Netguard(["127.0.0.1"]), chromium=sys.executable, timeout_s=5, max_bytes=1000, folder=tmp_path)
    with pytest.raises(ConnectorError) as caught:
        await browser.render("http://127.0.0.1:1/", "test")
    assert "did not start" in caught.value.message
    await browser.close()


async def test_browser_is_not_even_started_for_a_forbidden_address(tmp_path: Path) -> None:
    browser = Browser(Netguard(), chromium="/no/such/chromium", timeout_s=5, max_bytes=1000, folder=tmp_path)
    with pytest.raises(ConnectorError) as caught:
        await browser.render("http://169.254.169.254/", "test")
    assert caught.value.code == ErrorCode.CONNECTOR_BLOCKED


async def ask(proxy: GuardProxy, request: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(request.encode("latin-1"))
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    return answer


async def test_proxy_passes_what_is_allowed_and_refuses_the_rest() -> None:
    async with Site({"/a?b=c": "hello"}) as site, GuardProxy(Netguard([f"127.0.0.1:{site.port}"]), 1000) as proxy:
        host = f"127.0.0.1:{site.port}"
        answer = await ask(proxy, f"GET http://{host}/a?b=c HTTP/1.1\r\nHost: {host}\r\nProxy-Auth: x\r\n\r\n")
        assert answer.endswith(b"hello")
        assert site.requests[0].target == "/a?b=c"
        assert "proxy-auth" not in site.requests[0].headers
        tunnel = await ask(proxy, f"CONNECT {host} HTTP/1.1\r\n\r\nGET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n")
        assert tunnel.startswith(b"HTTP/1.1 200") and tunnel.endswith(b"hello")
        for forbidden in (
            "GET http://127.0.0.1:1/ HTTP/1.1",
            "GET http://localhost/ HTTP/1.1",
            "GET file:///etc/passwd HTTP/1.1",
            "CONNECT 127.0.0.1:22 HTTP/1.1",
            "CONNECT [::1]:443 HTTP/1.1",
            "CONNECT metadata.google.internal:80 HTTP/1.1",
        ):
            assert (await ask(proxy, f"{forbidden}\r\n\r\n")).startswith(b"HTTP/1.1 403"), forbidden
        for broken in ("CONNECT host HTTP/1.1", "nonsense", "GET " + "x" * 99_999):
            assert (await ask(proxy, f"{broken}\r\n\r\n")).startswith(b"HTTP/1.1 502"), broken[:20]
        assert "localhost" in proxy.refused
        proxy.reset()
        assert (proxy.refused, proxy.received) == ([], 0)


async def test_proxy_refuses_every_form_of_forgery() -> None:
    async def public(host: str, port: int) -> list[str]:
        return DNS.get(host, ["93.184.215.14"])

    async with GuardProxy(Netguard((), public), 1000) as proxy:
        hosts = [url.partition("://")[2].strip("/") for url in (*LITERALS, *RANGES, *NAMES)]
        asked = [f"GET {url}" for url in FORMS] + [f"CONNECT {host}:443" for host in (*hosts, *DNS)]
        for request in asked:
            wire = f"{request} HTTP/1.1".encode("utf-8", "replace").decode("latin-1")
            answer = await ask(proxy, wire + "\r\n\r\n")
            assert answer[:12] in {b"HTTP/1.1 403", b"HTTP/1.1 502"}, request


async def test_proxy_cuts_what_one_page_loads() -> None:
    async with Site({"/": "x" * 500_000}) as site, GuardProxy(Netguard(["127.0.0.1"]), 100_000) as proxy:
        answer = await ask(proxy, f"GET {site.base}/ HTTP/1.1\r\nHost: x\r\n\r\n")
        assert len(answer) <= 100_000


async def test_proxy_tells_when_nobody_listens() -> None:
    async with Site() as site:
        pass
    async with GuardProxy(Netguard(["127.0.0.1"]), 1000) as proxy:
        assert (await ask(proxy, f"GET {site.base}/ HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 502")


async def test_what_chromium_asks_for_goes_through_the_proxy_of_the_environment() -> None:
    heads: list[bytes] = []

    async def egress(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        if heads[-1].startswith(b"CONNECT"):
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await reader.read(10)
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nproxied")
        await writer.drain()
        writer.close()

    async def public(host: str, port: int) -> list[str]:
        return ["10.1.1.1"] if host == "inside.example.org" else ["93.184.215.14"]

    server = await asyncio.start_server(egress, "127.0.0.1", 0)
    proxies = EgressProxies({"all": f"http://ada:s3cret@127.0.0.1:{server.sockets[0].getsockname()[1]}"})
    assert "s3cret" not in repr(proxies)
    async with GuardProxy(Netguard((), public), 1000, proxies) as proxy:
        plain = await ask(proxy, "GET http://pages.example.org/a HTTP/1.1\r\nHost: pages.example.org\r\n\r\n")
        tunnel = await ask(proxy, "CONNECT pages.example.org:443 HTTP/1.1\r\n\r\n0123456789")
        refused = await ask(proxy, "CONNECT inside.example.org:443 HTTP/1.1\r\n\r\n")
        assert proxy.refused == ["inside.example.org"]
    server.close()
    assert plain.endswith(b"proxied") and tunnel.endswith(b"proxied")
    assert refused.startswith(b"HTTP/1.1 403")
    assert [head.split(b" HTTP")[0] for head in heads] == [
        b"GET http://pages.example.org/a",
        b"CONNECT pages.example.org:443",
    ]
    assert all(b"Proxy-Authorization: Basic YWRhOnMzY3JldA==" in head for head in heads)
