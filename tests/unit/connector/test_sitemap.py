"""Lists of addresses in every form that sites publish them in."""

from __future__ import annotations

import gzip

import pytest

from roma_core.connectors.web.sitemap import read_sitemap, unpack_sitemap
from roma_core.errors import ConnectorError, ErrorCode

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
SPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
PAGE = "https://a.example/p"
URLSET = f"<urlset {SPACE}><url><loc> {PAGE} </loc><lastmod>2026-01-02</lastmod></url></urlset>"


@pytest.mark.parametrize(
    "body",
    [
        URLSET,
        DECLARATION + '<?xml-stylesheet type="text/xsl" href="/wp-sitemap.xsl" ?>' + URLSET,
        f"\ufeff{DECLARATION}{URLSET}",
        f"\n\n{DECLARATION}{URLSET}",
        f"{DECLARATION}<!DOCTYPE urlset>{URLSET}",
        f"{DECLARATION}<!-- made by a plug-in -->{URLSET}",
        URLSET.replace("<url>", "<url><image:image xmlns:image='i'><image:loc>https://a.example/i.png</image:loc>", 1)
        .replace("</url>", "</image:image></url>")
        .replace("</image:image></url>", "</url>")
        .replace(f"<loc> {PAGE}", f"</image:image><loc> {PAGE}"),
        f"<s:urlset xmlns:s='x'><s:url><s:loc>{PAGE}</s:loc><s:lastmod>2026-01-02</s:lastmod></s:url></s:urlset>",
        (DECLARATION.replace("UTF-8", "UTF-16") + URLSET).encode("utf-16"),
        URLSET.replace("</urlset>", "<url>"),
    ],
)
def test_a_sitemap_is_read_whatever_stands_before_its_root(body: str | bytes) -> None:
    sitemap = read_sitemap(body.encode() if isinstance(body, str) else body)
    assert sitemap is not None
    assert (sitemap.urls, sitemap.entries[0].modified, sitemap.is_index) == ((PAGE,), "2026-01-02", False)


def test_an_index_names_sitemaps_with_the_time_of_their_change() -> None:
    body = f"<sitemapindex {SPACE}><sitemap><loc>{PAGE}.xml</loc><lastmod>2026</lastmod></sitemap></sitemapindex>"
    sitemap = read_sitemap(body.encode())
    assert sitemap is not None
    assert sitemap.is_index
    assert [(entry.url, entry.modified) for entry in sitemap.entries] == [(f"{PAGE}.xml", "2026")]


RSS = (
    "<rss version='2.0'><channel><title>t</title><link>https://a.example/</link>"
    f"<item><link>{PAGE}/1</link><pubDate>Mon</pubDate></item><item><guid>{PAGE}/2</guid></item>"
    "<item><guid isPermaLink='false'>id-3</guid></item></channel></rss>"
)
RDF = (
    "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns='http://purl.org/rss/1.0/'>"
    f"<channel><link>https://a.example/</link></channel><item><link>{PAGE}/1</link></item></rdf:RDF>"
)
ATOM = (
    "<feed xmlns='http://www.w3.org/2005/Atom'><link href='/'/><entry><link rel='edit' href='/e'/>"
    "<link href='/p/1'/></entry></feed>"
)


@pytest.mark.parametrize(
    ("body", "urls"), [(RSS, (f"{PAGE}/1", f"{PAGE}/2")), (RDF, (f"{PAGE}/1",)), (ATOM, (f"{PAGE}/1",))]
)
def test_feeds_are_lists_of_their_entries(body: str, urls: tuple[str, ...]) -> None:
    feed = read_sitemap(body.encode(), "https://a.example/feed")
    assert feed is not None
    assert (feed.urls, feed.noun) == (urls, "feed")


def test_a_text_sitemap_holds_nothing_but_addresses() -> None:
    text = read_sitemap(f"\ufeff{PAGE}/1\r\n\n{PAGE}/2\n{PAGE}/1\n".encode(), "", "text/plain; charset=utf-8")
    assert text is not None
    assert text.urls == (f"{PAGE}/1", f"{PAGE}/2")
    assert read_sitemap(f"See {PAGE}".encode(), "", "text/plain") is None
    assert read_sitemap(f"{PAGE}/1\n".encode(), "", "text/html") is None


@pytest.mark.parametrize(
    "body",
    [
        "<!DOCTYPE html><html><body>urlset</body></html>",
        "<html><body><urlset></urlset></body></html>",
        "",
        "<",
        "plain words",
        '<!DOCTYPE x [<!ENTITY a "aaaa">]><urlset><url><loc>&a;</loc></url></urlset>',
    ],
)
def test_what_is_no_list_is_an_ordinary_document(body: str) -> None:
    assert read_sitemap(body.encode()) is None


@pytest.mark.parametrize("body", [b"\x1f\x8b broken", gzip.compress(b"words" * 999)[:-12]], ids=["no gzip", "cut off"])
def test_a_compressed_sitemap_that_is_broken_is_typed(body: bytes) -> None:
    assert unpack_sitemap(gzip.compress(b"words")) == b"words"
    with pytest.raises(ConnectorError) as caught:
        unpack_sitemap(body)
    assert caught.value.code is ErrorCode.CONNECTOR_CORRUPT


def test_a_compressed_sitemap_that_is_too_large_is_not_read_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roma_core.connectors.web.sitemap.MAX_BYTES", 1000)
    with pytest.raises(ConnectorError) as caught:
        unpack_sitemap(gzip.compress(b"w" * 1001))
    assert caught.value.code is ErrorCode.CONNECTOR_TOO_LARGE


@pytest.mark.parametrize("end", ["", "<url><loc>https://a.exam", "<url", "<url><loc>https://a.example/q</loc></url>"])
def test_a_list_without_its_end_is_not_whole(end: str) -> None:
    cut = read_sitemap((URLSET.removesuffix("</urlset>") + end).encode())
    assert cut is not None
    assert cut.urls[0] == PAGE
    assert not cut.is_whole
    whole = read_sitemap(
        URLSET.replace("</urlset>", "<url><loc>https://a.example/?a=1&b=2</loc></url></urlset>").encode()
    )
    assert whole is not None and whole.is_whole
    for body in (b"<urlset/>", URLSET.encode("utf-16"), (URLSET + "<!-- made today -->\n").encode()):
        read = read_sitemap(body)
        assert read is not None and read.is_whole


@pytest.mark.parametrize(
    ("body", "urls"),
    [
        (
            "<urlset><url><loc>/a</loc></url><url><loc>b</loc></url></urlset>",
            ("https://a.example/a", "https://a.example/x/b"),
        ),
        (
            "<feed xmlns='http://www.w3.org/2005/Atom' xml:base='https://b.example/blog/'>"
            "<entry xml:base='2026/'><link href='one'/></entry><entry><link href='/two'/></entry></feed>",
            ("https://b.example/blog/2026/one", "https://b.example/two"),
        ),
    ],
)
def test_relative_addresses_are_those_of_the_list_or_of_its_base(body: str, urls: tuple[str, ...]) -> None:
    found = read_sitemap(body.encode(), "https://a.example/x/map.xml")
    assert found is not None
    assert found.urls == urls
