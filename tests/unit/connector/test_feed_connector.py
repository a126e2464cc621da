"""Feeds as sites really write them: relative links, ids that are missing, and ids that several entries share."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from roma_core.connectors.base import Listing
from roma_core.connectors.feeds import FeedConnector
from roma_core.settings import Settings
from roma_core.types import RawDocument, Source
from tests.fakes.site import Reply, Site

ATOM = """<feed xmlns='http://www.w3.org/2005/Atom'><title>t</title><id>x</id>
<entry><title>One</title><link href='/2026/one'/><content type='html'>&lt;p&gt;First words.&lt;/p&gt;</content></entry>
<entry><title>Two</title><id>same</id><link href='two'/><summary>Second words.</summary></entry>
<entry><title>Three</title><id>same</id><link href='three'/><summary>Third words.</summary></entry>
<entry><summary>Fourth words without a name.</summary></entry>
<entry><summary>Fifth words without a name.</summary></entry>
</feed>"""


async def documents(site: Site, folder: Path) -> dict[str, RawDocument]:
    settings = Settings(workspace=folder / "ws", web_allowed_private_hosts=(f"127.0.0.1:{site.port}",))
    connector = FeedConnector(settings)
    source = Source(uri=f"feed+{site.base}/blog/feed.xml", kind="feed")
    found: dict[str, RawDocument] = {}
    async for item in connector.list(source):
        if isinstance(item, Listing):
            raw = await connector.fetch(source, item)
            assert isinstance(raw, RawDocument), raw
            found[unquote(item.uri.partition("#")[2])] = raw
    await connector.close()
    return found


async def test_every_entry_is_a_document_with_its_own_address(tmp_path: Path) -> None:
    async with Site() as site:
        site.routes["/blog/feed.xml"] = Reply(ATOM, media_type="application/atom+xml")
        found = await documents(site, tmp_path)
        assert len(found) == 5
        assert f"{site.base}/2026/one" in found
        links = [raw.metadata.get("url") for raw in found.values()]
        assert links[:3] == [f"{site.base}/2026/one", f"{site.base}/blog/two", f"{site.base}/blog/three"]
        again = await documents(site, tmp_path)
        assert list(again) == list(found)
