"""Crawls as evidence: what makes a listing incomplete, what a site wants left out, and how a crawl goes on."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from roma_core.connectors.base import Listing, ListingEnd
from roma_core.connectors.warc import WarcConnector
from roma_core.connectors.web.connector import WebConnector
from roma_core.connectors.web.crawl import Crawl
from roma_core.errors import AgentFailure, ErrorCode
from roma_core.settings import Settings
from roma_core.types import RawDocument, Source
from tests.fakes.site import Reply, Request, Site
from tests.unit.connector.test_web_connector import article, html

SPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site() as site:
        yield site


def settings(site: Site, folder: Path, **options: object) -> Settings:
    defaults = {
        "workspace": folder / "ws",
        "web_allowed_private_hosts": (f"127.0.0.1:{site.port}",),
        "web_rate_per_s": 500.0,
        "web_render": "never",
        "web_concurrency": 1,
    }
    return Settings(**(defaults | options))  # type: ignore[arg-type]


@pytest.fixture
async def connector(site: Site, tmp_path: Path) -> AsyncIterator[WebConnector]:
    connector = WebConnector(settings(site, tmp_path))
    yield connector
    await connector.close()


class Seen:
    """A listing, taken apart."""

    def __init__(self, values: list[Listing | AgentFailure | ListingEnd], base: str) -> None:
        listings = [value for value in values if isinstance(value, Listing)]
        ends = [value for value in values if isinstance(value, ListingEnd)]
        self.paths = [listing.uri.removeprefix(base) for listing in listings if listing.skip is None]
        self.skips = {listing.uri.removeprefix(base): listing.skip for listing in listings if listing.skip}
        self.deferred = {listing.uri.removeprefix(base) for listing in listings if listing.deferred}
        self.versions = {listing.uri.removeprefix(base): listing.version for listing in listings}
        self.end = ends[-1] if ends else ListingEnd()
        self.listings = listings


async def crawl(connector: WebConnector, site: Site, path: str, **options: object) -> Seen:
    source = Source(uri=f"{site.base}{path}", kind="web", options=options)
    return Seen([value async for value in connector.list(source)], site.base)


def urlset(*entries: tuple[str, str]) -> Reply:
    urls = "".join(f"<url><loc>{url}</loc><lastmod>{modified}</lastmod></url>" for url, modified in entries)
    return Reply(f"<urlset {SPACE}>{urls}</urlset>", media_type="application/xml")


def a_site() -> dict[str, object]:
    return {
        "/": article("home", '<a href="/one">1</a> <a href="/two">2</a>'),
        "/one": article("one", '<a href="/deep">d</a>'),
        "/two": article("two"),
        "/deep": article("deep"),
    }


@pytest.mark.parametrize(
    ("path", "status"), [("/", 503), ("/", 404), ("/", 500), ("/robots.txt", 500), ("/robots.txt", 429), ("/one", 503)]
)
async def test_a_page_that_could_lead_on_and_fails_makes_the_listing_incomplete(
    site: Site, connector: WebConnector, path: str, status: int
) -> None:
    site.routes = a_site() | {path: Reply("no", status=status)}  # type: ignore[assignment]
    seen = await crawl(connector, site, "/?depth=2")
    assert not seen.end.is_complete
    assert seen.end.errors


@pytest.mark.parametrize(("path", "status"), [("/two", 503), ("/one", 404), ("/one", 410)])
async def test_a_leaf_that_fails_and_a_page_that_is_gone_leave_the_listing_complete(
    site: Site, connector: WebConnector, path: str, status: int
) -> None:
    site.routes = a_site() | {path: Reply("no", status=status)}  # type: ignore[assignment]
    depth = 1 if path == "/two" else 2
    assert (await crawl(connector, site, f"/?depth={depth}")).end.is_complete


async def test_a_sitemap_that_cannot_be_read_makes_the_listing_incomplete(site: Site, connector: WebConnector) -> None:
    base = site.base
    index = "".join(f"<sitemap><loc>{base}/{name}.xml</loc></sitemap>" for name in "ab")
    site.routes = a_site() | {  # type: ignore[assignment]
        "/i.xml": Reply(f"<sitemapindex {SPACE}>{index}</sitemapindex>", media_type="application/xml"),
        "/a.xml": Reply("no", status=503),
        "/b.xml": urlset((f"{base}/one", "")),
    }
    seen = await crawl(connector, site, "/i.xml")
    assert seen.paths == ["/a.xml", "/one"]
    assert not seen.end.is_complete
    site.routes["/a.xml"] = urlset((f"{base}/two", ""))
    assert (await crawl(connector, site, "/i.xml")).end.is_complete


async def test_pages_over_the_limit_are_deferred_and_the_end_says_so(site: Site, tmp_path: Path) -> None:
    site.routes = a_site()  # type: ignore[assignment]
    connector = WebConnector(settings(site, tmp_path, web_max_pages=2))
    seen = await crawl(connector, site, "/?depth=2")
    await connector.close()
    assert seen.end.limit_reached and not seen.end.is_complete
    assert seen.deferred == {"/two", "/deep"}


async def test_a_sitemap_that_is_cut_off_makes_the_listing_incomplete_until_it_is_whole(
    site: Site, connector: WebConnector
) -> None:
    entries = "".join(f"<url><loc>{site.base}/{n}</loc><lastmod>2026-01-0{n}</lastmod></url>" for n in (1, 2))
    index = f"<sitemap><loc>{site.base}/part.xml</loc><lastmod>2026-01-01</lastmod></sitemap>"
    site.routes = {
        "/map.xml": Reply(f"<sitemapindex>{index}</sitemapindex>", media_type="application/xml"),
        "/part.xml": Reply(f"<urlset>{entries}"[:-60], media_type="application/xml"),
        "/1": article("herons"),
        "/2": article("otters"),
    }
    cut = await crawl(connector, site, "/map.xml", depth=0)
    assert cut.paths[:1] == ["/1"]
    assert not cut.end.is_complete
    site.routes["/part.xml"] = Reply(f"<urlset>{entries}</urlset>", media_type="application/xml")
    whole = await crawl(connector, site, "/map.xml", depth=0, state=cut.end.state)
    assert (whole.paths, whole.end.is_complete) == (["/1", "/2"], True)


async def test_a_page_that_robots_txt_forbids_now_is_deferred(site: Site, connector: WebConnector) -> None:
    site.routes = a_site()  # type: ignore[assignment]
    assert (await crawl(connector, site, "/?depth=2")).paths == ["/", "/one", "/two", "/deep"]
    site.routes["/robots.txt"] = Reply("User-agent: *\nDisallow: /one\n", media_type="text/plain")
    async with Again(connector, site) as fresh:
        seen = await crawl(fresh, site, "/?depth=2")
    assert seen.deferred == {"/one"}
    assert not seen.end.is_complete, "the page was read before, so what it named is unknown now"


class Again:
    """A connector of a later process over the same workspace."""

    def __init__(self, connector: WebConnector, site: Site) -> None:
        self.fresh = WebConnector(connector._settings)

    async def __aenter__(self) -> WebConnector:
        return self.fresh

    async def __aexit__(self, *_: object) -> None:
        await self.fresh.close()


async def test_pages_that_only_robots_txts_sitemap_names_are_met(site: Site, connector: WebConnector) -> None:
    site.routes = a_site() | {  # type: ignore[assignment]
        "/robots.txt": Reply(f"User-agent: *\nSitemap: {site.base}/map.xml\nSitemap: {site.base}/none.xml\n"),
        "/map.xml": urlset((f"{site.base}/orphan", ""), (f"{site.base}/one", "")),
        "/orphan": article("orphan"),
    }
    seen = await crawl(connector, site, "/?depth=1")
    assert set(seen.paths) == {"/", "/one", "/two", "/orphan"}
    assert seen.end.is_complete
    assert "sitemap" in (seen.skips["/none.xml"] or "")
    assert "/orphan" not in (await crawl(connector, site, "/one?depth=1")).paths, "not a crawl of the site"


async def test_the_sites_page_for_missing_addresses_is_not_taken(site: Site, connector: WebConnector) -> None:
    def missing(request: Request) -> Reply:
        return Reply(html(f"<main><h1>Sorry</h1><p>The page {request.path} does not exist.</p></main>"))

    site.routes = a_site() | {"/": article("home", '<a href="/gone">g</a><a href="/one">1</a>')}  # type: ignore[assignment]
    site.fallback = missing
    seen = await crawl(connector, site, "/?depth=1")
    assert seen.paths == ["/", "/one"]
    assert "soft 404" in (seen.skips["/gone"] or "")
    probes = [path for path in site.paths() if len(path) == 25]
    assert len(probes) == 1, "one address that cannot exist, once a host"


async def test_an_application_that_answers_everything_with_one_page_is_still_taken(
    site: Site, connector: WebConnector
) -> None:
    site.fallback = article("app", '<a href="/one">1</a>')
    assert (await crawl(connector, site, "/?depth=1")).paths == ["/"]


@pytest.mark.parametrize(
    ("head", "header", "taken"),
    [
        ("<meta name=robots content=noindex>", "", False),
        ("<meta name=ROBOTS content='NONE'>", "", False),
        ("<meta name=romabot content='noindex'>", "", False),
        ("<meta name=googlebot content='noindex'>", "", True),
        ("", "noindex", False),
        ("", "otherbot: noindex", True),
        ("", "ROMAbot: noindex, nofollow", False),
        ("", "unavailable_after: 25 Jun 2030 15:00:00 PST", True),
    ],
)
async def test_a_page_that_asks_not_to_be_indexed_is_left_out(
    site: Site, connector: WebConnector, head: str, header: str, taken: bool
) -> None:
    headers = {"X-Robots-Tag": header} if header else {}
    site.routes = a_site() | {"/one": Reply(article("one", head=head), headers=headers)}  # type: ignore[assignment]
    for _ in range(2):
        seen = await crawl(connector, site, "/?depth=1")
        assert ("/one" in seen.paths) is taken
        assert ("noindex" in (seen.skips.get("/one") or "")) is not taken


async def test_a_token_in_a_link_is_no_change_and_a_changed_word_is(site: Site, connector: WebConnector) -> None:
    token = iter(range(100))

    def page(words: str) -> object:
        def answer(request: Request) -> Reply:
            number = next(token)
            text = article("one", f"<p>{words}</p><a href='/x?session={number}'>next</a>")
            return Reply(text.replace("<nav>", f"<nav data-t='{number}'><a href='/?s={number}'>you {number}</a>"))

        return answer

    site.routes = {"/one": page("first")}  # type: ignore[dict-item]
    first = (await crawl(connector, site, "/one")).versions
    assert (await crawl(connector, site, "/one")).versions == first
    site.routes = {"/one": page("second")}  # type: ignore[dict-item]
    assert (await crawl(connector, site, "/one")).versions != first


async def test_an_address_is_gone_only_when_the_site_says_so(site: Site, connector: WebConnector) -> None:
    site.routes = a_site() | {"/away": Reply("no", status=503), "/lost": Reply("no", status=410)}  # type: ignore[assignment]
    source = Source(uri=f"{site.base}/?depth=1", kind="web")
    gone = {
        path: await connector.is_gone(source, Listing(uri=f"{site.base}{path}"))
        for path in ("/one", "/lost", "/never", "/away")
    }
    away = gone.pop("/away")
    assert gone == {"/one": False, "/lost": True, "/never": True}
    assert isinstance(away, AgentFailure)
    assert away.code is ErrorCode.CONNECTOR_UNAVAILABLE


async def test_pages_that_their_sitemap_calls_unchanged_are_not_asked_for(site: Site, connector: WebConnector) -> None:
    site.routes = a_site() | {  # type: ignore[assignment]
        "/map.xml": urlset((f"{site.base}/one", "2026-01-01"), (f"{site.base}/two", "2026-01-01")),
    }
    first = await crawl(connector, site, "/map.xml")
    site.requests.clear()
    again = await crawl(connector, site, "/map.xml", state=first.end.state)
    assert site.paths() == ["/map.xml"]
    assert again.versions == first.versions
    site.routes["/map.xml"] = urlset((f"{site.base}/one", "2026-01-01"), (f"{site.base}/two", "2026-02-02"))
    site.requests.clear()
    await crawl(connector, site, "/map.xml", state=again.end.state or first.end.state)
    assert site.paths() == ["/map.xml", "/two"]
    (one,) = [listing for listing in first.listings if listing.uri.endswith("/one")]
    raw = await connector.fetch(Source(uri=f"{site.base}/map.xml", kind="web"), one)
    assert isinstance(raw, RawDocument)


async def test_sitemaps_that_their_index_calls_unchanged_are_not_asked_for(site: Site, connector: WebConnector) -> None:
    def index(*changed: str) -> Reply:
        entries = (
            f"<sitemap><loc>{site.base}/{n}.xml</loc><lastmod>{time_}</lastmod></sitemap>"
            for n, time_ in enumerate(changed)
        )
        return Reply(f"<sitemapindex {SPACE}>{''.join(entries)}</sitemapindex>", media_type="application/xml")

    site.routes = a_site() | {  # type: ignore[assignment]
        "/map.xml": index("2026-01-01", "2026-01-01"),
        "/0.xml": urlset((f"{site.base}/one", "2026-01-01")),
        "/1.xml": urlset((f"{site.base}/two", "2026-01-01")),
    }
    first = await crawl(connector, site, "/map.xml")
    site.requests.clear()
    again = await crawl(connector, site, "/map.xml", state=first.end.state)
    assert site.paths() == ["/map.xml"]
    assert again.versions == first.versions
    assert again.end.state == first.end.state
    site.routes["/map.xml"] = index("2026-01-01", "2026-03-03")
    site.routes["/1.xml"] = urlset((f"{site.base}/two", "2026-01-01"), (f"{site.base}/deep", "2026-03-03"))
    site.requests.clear()
    third = await crawl(connector, site, "/map.xml", state=again.end.state)
    assert site.paths() == ["/map.xml", "/1.xml", "/deep"]
    assert set(third.paths) == {*first.paths, "/deep"}


async def test_a_crawl_that_was_cut_off_goes_on_from_its_frontier(site: Site, connector: WebConnector) -> None:
    site.routes = a_site()  # type: ignore[assignment]
    source = Source(uri=f"{site.base}/?depth=2", kind="web")
    values = connector.list(source)
    cut = [await anext(values), await anext(values)]  # type: ignore[call-overload]
    await values.aclose()  # type: ignore[attr-defined]
    await connector.close()
    read = [path for path in site.paths() if path in site.routes]
    site.requests.clear()
    async with Again(connector, site) as fresh:
        seen = await crawl(fresh, site, "/?depth=2")
        assert [listing.uri for listing in seen.listings[: len(cut)]] == [value.uri for value in cut]
        assert seen.paths == ["/", "/one", "/two", "/deep"]
        assert not {path for path in site.paths() if path in site.routes} & set(read[: len(cut)])
        raw = await fresh.fetch(source, seen.listings[0])
        assert isinstance(raw, RawDocument)
        assert b"home fact" in raw.data
        site.requests.clear()
        assert (await crawl(fresh, site, "/?depth=2")).paths == seen.paths
        assert "/" in site.paths(), "a crawl that came to its end begins at its start"


def test_a_crawl_is_the_same_after_it_was_saved() -> None:
    crawl = Crawl(2, {"a.example"}, "https://a.example/")
    crawl.add("https://a.example/", 0)
    crawl.add("https://a.example/map", 1, is_list=True, modified="2026")
    crawl.sketches.append(("https://a.example/", frozenset({1, 2})))
    crawl.listed.append(Listing(uri="https://a.example/x", skip="why", deferred=True))
    assert Crawl.from_json(crawl.to_json()) == crawl


async def test_cookies_and_headers_go_to_their_hosts_alone(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SITE_TOKEN", "Bearer s3cret")
    jar = tmp_path / "cookies.txt"
    jar.write_text("# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tsession\tabc\n")
    async with Site({"/in": article("elsewhere")}) as other:
        site.routes = {"/in": article("inside"), "/out": Reply(status=302, headers={"Location": f"{other.base}/in"})}
        hosts = (f"127.0.0.1:{site.port}", f"localhost:{other.port}")
        site.routes["/out"] = Reply(status=302, headers={"Location": f"http://localhost:{other.port}/in"})
        connector = WebConnector(settings(site, tmp_path, web_allowed_private_hosts=hosts))
        options = {"cookies": str(jar), "headers": {"Authorization": "env:SITE_TOKEN"}}
        await crawl(connector, site, "/in", **options)
        await crawl(connector, site, "/out", **options)
        await connector.close()
    (sent,) = [request.headers for request in site.requests if request.path == "/in"]
    assert (sent["authorization"], sent["cookie"]) == ("Bearer s3cret", "session=abc")
    followed = [request.headers for request in other.requests if request.path == "/in"]
    assert followed and all("authorization" not in headers and "cookie" not in headers for headers in followed)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"cookies": "/nowhere/cookies.txt"}, ErrorCode.CONFIG_INVALID),
        ({"headers": {"Authorization": "env:NO_SUCH_VARIABLE"}}, ErrorCode.CONFIG_INVALID),
        ({"headers": {"Host": "x"}}, ErrorCode.INPUT_INVALID),
        ({"headers": {"X-A": "1\r\nX-B: 2"}}, ErrorCode.INPUT_INVALID),
    ],
)
async def test_a_sign_in_that_cannot_be_used_is_typed(
    site: Site, connector: WebConnector, options: dict[str, object], code: ErrorCode
) -> None:
    source = Source(uri=f"{site.base}/", kind="web", options=options)
    (failure,) = [value async for value in connector.list(source)]
    assert isinstance(failure, AgentFailure)
    assert failure.code is code
    assert site.requests == []


async def test_a_proxy_of_the_environment_is_used_and_private_addresses_are_refused_before_it(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(await reader.readline())
        body = article("proxied").encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("no_proxy", "")

    async def resolve(host: str, port: int) -> list[str]:
        return ["10.0.0.7"] if host == "inside.example.org" else ["93.184.216.34"]

    connector = WebConnector(settings(site, tmp_path), resolve=resolve)
    source = Source(uri="http://public.example.org/page", kind="web")
    listings = [value async for value in connector.list(source) if isinstance(value, Listing)]
    assert (await connector.fetch(source, listings[0])).uri == "http://public.example.org/page"  # type: ignore[union-attr]
    assert lines[-1].startswith(b"GET http://public.example.org:80/page ")
    lines.clear()
    source = Source(uri="http://inside.example.org/", kind="web")
    listings = [value async for value in connector.list(source) if isinstance(value, Listing)]
    failure = await connector.fetch(source, listings[0])
    assert isinstance(failure, AgentFailure)
    assert failure.code is ErrorCode.CONNECTOR_BLOCKED
    assert lines == []
    await connector.close()
    server.close()


async def test_fetched_pages_are_written_into_an_archive_without_what_signs_in(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SITE_TOKEN", "Bearer s3cret")
    site.routes = {"/in": Reply(article("inside").encode(), headers={"Set-Cookie": "session=abc"})}
    connector = WebConnector(settings(site, tmp_path, web_warc=str(tmp_path / "archive")))
    await crawl(connector, site, "/in", headers={"Authorization": "env:SITE_TOKEN"})
    await connector.close()
    (path,) = (tmp_path / "archive").iterdir()
    unpacked = gzip.decompress(path.read_bytes())
    assert b"s3cret" not in unpacked and b"session=abc" not in unpacked
    reader = WarcConnector(Settings(workspace=tmp_path / "ws"))
    source = Source(uri=f"warc://{path}", kind="warc")
    listings = [item async for item in reader.list(source) if isinstance(item, Listing)]
    raws = [await reader.fetch(source, listing) for listing in listings]
    pages = [raw.data for raw in raws if isinstance(raw, RawDocument) and raw.metadata["url"].endswith("/in")]
    assert len(pages) == 1 and b"inside" in pages[0]
