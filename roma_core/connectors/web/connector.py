"""Pages and sites: one address, a crawl (``?depth=N``), or a sitemap.

A page's identity is its address after redirects, in canonical spelling; its version is the hash of the clean page.
Listing reads the pages (their links lead on); each waits in the cache of the workspace until it is fetched. Whatever
a site names and ROMA does not take - forbidden by robots.txt, a copy of another page, over the limit - is listed with
the reason, once.
"""

from __future__ import annotations

import asyncio
import tempfile
import zlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

from roma_core.connectors.base import Listing
from roma_core.connectors.net.guard import Netguard, Resolve, Target, system_resolve
from roma_core.connectors.web.browser import Browser
from roma_core.connectors.web.cache import Stored, WebCache
from roma_core.connectors.web.fetcher import Fetcher, Response
from roma_core.connectors.web.page import MIN_WORDS, NEAR, Page, alike, read_page
from roma_core.connectors.web.polite import BROWSERS, HONEST, Manners
from roma_core.connectors.web.sitemap import read_sitemap
from roma_core.connectors.web.urls import canonical, canonical_or_none, host_of, in_domain, page_link, plan_of
from roma_core.errors import AgentFailure, ConnectorError, ErrorCode, RomaError, guarded, guarded_stream
from roma_core.retry import TRANSIENT_STATUSES, RetryPolicy, retry_after_s, retrying
from roma_core.settings import Settings
from roma_core.types import RawDocument, Source, SourceKind, digest
from roma_core.workspace import Workspace

AGENT: Final = "connector.web"
HTML: Final = ("text/html", "application/xhtml+xml")
FRONTIER: Final = 20_000
"""Addresses that a crawl remembers; what a site names beyond them is told as one failure."""
ACCEPT: Final = "text/html,application/xhtml+xml,application/pdf;q=0.9,*/*;q=0.5"


@dataclass(frozen=True)
class Read:
    """A page that was read. ``page`` is None for what is not HTML."""

    stored: Stored
    page: Page | None


@dataclass
class Crawl:
    """State of one listing."""

    depth: int
    hosts: set[str]
    queue: deque[tuple[str, int]] = field(default_factory=deque)
    seen: set[str] = field(default_factory=set)
    aliases: set[str] = field(default_factory=set)
    """Pages left out because they name another address as their own."""
    sketches: list[tuple[str, frozenset[int]]] = field(default_factory=list)
    read: int = 0
    dropped: int = 0

    def add(self, url: str, depth: int) -> None:
        if url in self.seen:
            return
        if len(self.seen) >= FRONTIER:
            self.dropped += 1
            return
        self.seen.add(url)
        self.queue.append((url, depth))

    def twin(self, page: Page) -> str | None:
        return next((url for url, known in self.sketches if alike(known, page.sketch) >= NEAR), None)


class WebConnector:
    def __init__(self, settings: Settings, *, resolve: Resolve = system_resolve) -> None:
        self._settings = settings
        max_bytes = int(settings.web.max_mb * 1024 * 1024)
        guard = Netguard(settings.web.allowed_private_hosts, resolve)
        self._fetcher = Fetcher(guard, timeout_s=settings.web.timeout_s, max_bytes=max_bytes)
        self._manners = Manners(self._fetcher, rate_per_s=settings.web.rate_per_s, concurrency=settings.web.concurrency)
        self._browser = Browser(
            guard,
            chromium=settings.web.chromium,
            timeout_s=settings.web.timeout_s,
            max_bytes=max_bytes,
            folder=Workspace(settings.workspace).web_cache,
        )
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._cache = WebCache(self._cache_file())
        self._waiting: dict[str, AgentFailure | None] = {}
        """Listed and not yet fetched: None when the page is in the cache, else why it is not."""
        self._policy = RetryPolicy(base_s=min(1.0, 1.0 / settings.web.rate_per_s))

    kind: SourceKind = "web"

    def accepts(self, uri: str) -> bool:
        return uri.lower().startswith(("http://", "https://"))

    def checked(self, source: Source) -> Source:
        """The web is nobody's own: the netguard says at each connection where it ends."""
        return source

    def list(self, source: Source) -> AsyncIterator[Listing | AgentFailure]:
        return guarded_stream(AGENT, self._list(source))

    async def fetch(self, source: Source, listing: Listing) -> RawDocument | AgentFailure:
        known = listing.uri in self._waiting
        failure = self._waiting.pop(listing.uri, None)
        if failure is not None:
            return failure
        return await guarded(AGENT, self._fetch(listing.uri, in_cache=known))

    async def close(self) -> None:
        await self._browser.close()
        await self._fetcher.close()
        if self._scratch is not None:
            self._scratch.cleanup()
        else:
            await self._cache.prune()

    async def _fetch(self, uri: str, *, in_cache: bool) -> RawDocument:
        stored = await self._cache.get(uri) if in_cache else None
        read = await self._interpret(stored) if stored is not None else await self._read(uri)
        return _raw(uri, read)

    async def _list(self, source: Source) -> AsyncGenerator[Listing | AgentFailure, None]:
        plan = plan_of(source, self._settings.web.max_depth)
        start = self._fetcher.guard.check_url(plan.url)
        crawl = Crawl(plan.depth, {start.host})
        crawl.add(canonical(plan.url), 0)
        while crawl.queue:
            if crawl.read >= self._settings.web.max_pages:
                break
            batch = [crawl.queue.popleft() for _ in range(min(len(crawl.queue), self._settings.web.concurrency))]
            crawl.read += len(batch)
            results = await asyncio.gather(*(guarded(AGENT, self._read(url)) for url, _ in batch))
            for (url, depth), result in zip(batch, results, strict=True):
                yield self._take(crawl, url, depth, result)
        for url, _ in crawl.queue:
            yield Listing(uri=url, skip=f"over the limit of {self._settings.web.max_pages} pages (ROMA_WEB_MAX_PAGES)")
        if crawl.dropped:
            raise ConnectorError(
                f"The site names {crawl.dropped} addresses more than a crawl can hold; crawl its parts.",
                ErrorCode.CONNECTOR_TOO_LARGE,
                details={"uri": source.uri, "dropped": crawl.dropped},
            )

    def _take(self, crawl: Crawl, url: str, depth: int, result: Read | AgentFailure) -> Listing:
        """What to say of one address that was read, and where it leads."""
        if isinstance(result, AgentFailure):
            if result.code == ErrorCode.CONNECTOR_ROBOTS and depth > 0:
                return Listing(uri=url, skip="forbidden by robots.txt")
            self._waiting[url] = result
            return Listing(uri=url)
        final = result.stored.url
        if final != url:
            if depth == 0:
                crawl.hosts.add(host_of(final))
            if final in crawl.seen:
                return Listing(uri=url, skip=f"leads to {final}")
            if not self._in_scope(crawl, final):
                return Listing(uri=url, skip=f"leads to another site ({host_of(final)})")
            crawl.seen.add(final)
        if (sitemap := read_sitemap(result.stored.body)) is not None:
            self._follow_sitemap(crawl, sitemap.urls, depth, is_index=sitemap.is_index)
            return Listing(uri=final, title="Sitemap", skip=f"a sitemap of {len(sitemap.urls)} addresses")
        if result.page is None:
            return self._listed(final, result)
        return self._judge(crawl, final, depth, result, result.page)

    def _judge(self, crawl: Crawl, url: str, depth: int, read: Read, page: Page) -> Listing:
        if depth < crawl.depth and page.follow:
            for link in page.links:
                target = page_link(link)
                if target is not None and self._in_scope(crawl, target):
                    crawl.add(target, depth + 1)
        own = page_link(page.canonical) if page.canonical else None
        # Two pages that name each other must not both be left out.
        if own is not None and own not in {url, *crawl.aliases} and host_of(own) == host_of(url):
            crawl.add(own, depth)
            crawl.aliases.add(url)
            return Listing(uri=url, title=page.title, skip=f"calls itself {own}")
        twin = crawl.twin(page)
        if twin is not None:
            return Listing(uri=url, title=page.title, skip=f"nearly the same as {twin}")
        crawl.sketches.append((url, page.sketch))
        return self._listed(url, read)

    def _listed(self, url: str, read: Read) -> Listing:
        self._waiting[url] = None
        body = read.page.html if read.page else read.stored.body
        return Listing(
            uri=url,
            version=digest(body)[:32],
            title=read.page.title if read.page and read.page.title else None,
            size=len(body),
            modified_at=_http_date(read.stored.last_modified),
        )

    def _follow_sitemap(self, crawl: Crawl, urls: tuple[str, ...], depth: int, *, is_index: bool) -> None:
        """Pages of a sitemap are starts of their own; an index may name sitemaps, which may not name further ones."""
        for url in urls:
            target = canonical_or_none(url) if is_index else page_link(url)
            if target is not None and self._in_scope(crawl, target):
                crawl.add(target, depth)

    def _in_scope(self, crawl: Crawl, url: str) -> bool:
        """The start's host, and domains that the user named."""
        host, settings = host_of(url), self._settings
        if in_domain(host, settings.web.denied_domains):
            return False
        return host in crawl.hosts or in_domain(host, settings.web.allowed_domains)

    async def _read(self, url: str) -> Read:
        """Ask for one page, politely, drawing it when needed; what came is in the cache afterwards."""
        known = await self._cache.get(url)
        agents = (HONEST, *BROWSERS) if self._settings.web.rotate_user_agent else (HONEST,)
        attempt = 0

        async def once() -> Response:
            nonlocal attempt
            attempt += 1
            return await self._ask(url, known, agents[min(attempt, len(agents)) - 1])

        def again(error: BaseException) -> bool:
            refused = isinstance(error, RomaError) and error.code == ErrorCode.CONNECTOR_PERMISSION
            waited = isinstance(error, RomaError) and error.code == ErrorCode.CONNECTOR_TIMEOUT
            return isinstance(error, RomaError) and not waited and (error.recoverable or refused)

        response = await retrying(once, policy=self._policy, retry_if=again)
        if response.status == 304 and known is not None:
            return await self._interpret(known)
        stored = _stored(response)
        read = await self._interpret(stored)
        if self._needs_drawing(read):
            drawn = await self._browser.render(stored.url, agents[min(attempt, len(agents)) - 1])
            stored = Stored(stored.url, "text/html; charset=utf-8", stored.etag, stored.last_modified, True, drawn)
            plain, read = read, await self._interpret(stored)
            if _words(read) < _words(plain):  # its scripts led away
                read = plain
        await self._cache.put(read.stored)
        return read

    async def _interpret(self, stored: Stored) -> Read:
        is_html = stored.media_type.partition(";")[0].strip().lower() in (*HTML, "")
        if not is_html or not stored.body:
            return Read(stored, None)
        return Read(stored, await asyncio.to_thread(read_page, stored.body, stored.url, stored.media_type))

    def _needs_drawing(self, read: Read) -> bool:
        if read.page is None or self._settings.web.render == "never":
            return False
        return self._settings.web.render == "always" or (read.page.words < MIN_WORDS and read.page.scripted)

    async def _ask(self, url: str, known: Stored | None, user_agent: str) -> Response:
        """One conditional GET. Raises ``ConnectorError`` for every status that is no page."""
        headers = {"User-Agent": user_agent, "Accept": ACCEPT, "Accept-Language": "en,*;q=0.5"}
        # A drawn page depends on more than the HTML that the validators speak of.
        if known is not None and not known.rendered:
            headers |= {"If-None-Match": known.etag} if known.etag else {}
            headers |= {"If-Modified-Since": known.last_modified} if known.last_modified and not known.etag else {}
        async with self._manners.slot(self._fetcher.guard.check_url(url)):
            response = await self._fetcher.get(url, headers, before_hop=self._before_hop)
        if response.status in {200, 203} or (response.status == 304 and known is not None):
            return response
        raise _status_error(response)

    async def _before_hop(self, target: Target) -> None:
        allowed, denied = self._settings.web.allowed_domains, self._settings.web.denied_domains
        if in_domain(target.host, denied) or (allowed and not in_domain(target.host, allowed)):
            raise ConnectorError(
                f"{target.host} is not among the domains that may be read "
                "(ROMA_WEB_ALLOWED_DOMAINS, ROMA_WEB_DENIED_DOMAINS).",
                ErrorCode.CONNECTOR_BLOCKED,
                details={"host": target.host},
            )
        await self._manners.check_robots(target)
        await self._manners.wait_turn(target)

    def _cache_file(self) -> Path:
        if self._settings.storage.cache == "off":
            self._scratch = tempfile.TemporaryDirectory(prefix="roma-web-")
            return Path(self._scratch.name) / "web.db"
        return Workspace(self._settings.workspace).web_pages


def _words(read: Read) -> int:
    return read.page.words if read.page else 0


def _stored(response: Response) -> Stored:
    headers = response.headers
    body, media_type = response.body, headers.get("content-type", "")
    if body.startswith(b"\x1f\x8b") and response.url.endswith(".xml.gz"):
        body, media_type = _gunzip_sitemap(body), "application/xml"
    return Stored(
        url=canonical(response.url),
        media_type=media_type,
        etag=headers.get("etag", ""),
        last_modified=headers.get("last-modified", ""),
        rendered=False,
        body=body,
    )


def _gunzip_sitemap(body: bytes, limit: int = 50 * 1024 * 1024) -> bytes:
    """A sitemap file that is itself compressed; 50 MiB is the protocol's limit."""
    try:
        return zlib.decompressobj(31).decompress(body, limit)
    except zlib.error:
        raise ConnectorError("The sitemap cannot be unpacked.", ErrorCode.CONNECTOR_CORRUPT) from None


def _raw(uri: str, read: Read) -> RawDocument:
    stored, page = read.stored, read.page
    facts = {"url": stored.url, "etag": stored.etag, "last_modified": stored.last_modified}
    metadata: dict[str, object] = {k: v for k, v in facts.items() if v}
    if page is not None:
        metadata |= {"rendered": stored.rendered} | ({"canonical_url": page.canonical} if page.canonical else {})
        if page.signs:
            metadata["suspected_injection"] = list(page.signs)
    return RawDocument(
        uri=uri,
        data=page.html if page else stored.body,
        media_type="text/html; charset=utf-8" if page else stored.media_type or None,
        title=page.title if page and page.title else None,
        modified_at=_http_date(stored.last_modified),
        metadata=metadata,
    )


def _status_error(response: Response) -> RomaError:
    status, host = response.status, host_of(response.url)
    codes = {
        401: ErrorCode.CONNECTOR_AUTH,
        407: ErrorCode.CONNECTOR_AUTH,
        403: ErrorCode.CONNECTOR_PERMISSION,
        451: ErrorCode.CONNECTOR_PERMISSION,
        404: ErrorCode.CONNECTOR_NOT_FOUND,
        410: ErrorCode.CONNECTOR_NOT_FOUND,
        429: ErrorCode.CONNECTOR_RATE_LIMIT,
    }
    code = codes.get(status)
    if code is None:
        transient = status in TRANSIENT_STATUSES or status >= 500
        code = ErrorCode.CONNECTOR_UNAVAILABLE if transient else ErrorCode.CONNECTOR_UNSUPPORTED
    return ConnectorError(
        f"{host} answered {status}.",
        code,
        retry_after_s=retry_after_s(response.headers),
        details={"status": status, "host": host},
    )


def _http_date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
