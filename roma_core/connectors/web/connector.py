"""Pages and sites: one address, a crawl (``?depth=N``), or a sitemap.

A page's identity is its address after redirects, in canonical spelling; its version is the hash of the clean page.
Listing reads the pages (their links lead on); each waits in the cache of the workspace until it is fetched. Whatever
a site names and ROMA does not take - forbidden by robots.txt, a copy of another page, over the limit - is listed with
the reason, once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

from roma_core.connectors.base import Listing, ListingEnd
from roma_core.connectors.net.guard import Netguard, Resolve, Target, system_resolve
from roma_core.connectors.warc.writer import WarcArchive
from roma_core.connectors.web.access import SiteAccess, load_access
from roma_core.connectors.web.browser import Browser
from roma_core.connectors.web.cache import CachedPage, WebCache
from roma_core.connectors.web.crawl import (
    REREAD_AFTER_S,
    Crawl,
    Frontier,
    SeenList,
    SeenPage,
    Visit,
    lists_from_json,
    lists_to_json,
    pages_from_json,
    pages_to_json,
)
from roma_core.connectors.web.fetcher import FetchedResponse, Fetcher, status_error
from roma_core.connectors.web.page import MIN_WORDS, NEAR, WebPage, alike, read_page, read_robots_rules
from roma_core.connectors.web.polite import BROWSERS, HONEST, ROBOT, Manners
from roma_core.connectors.web.sitemap import Sitemap, read_sitemap, unpack_sitemap
from roma_core.connectors.web.urls import (
    canonical,
    canonical_or_none,
    demand_page,
    host_of,
    in_domain,
    page_link,
    plan_of,
)
from roma_core.errors import AgentFailure, ConnectorError, ErrorCode, RomaError, guarded, guarded_stream
from roma_core.retry import RetryPolicy, retrying
from roma_core.scratch import ScratchFolder
from roma_core.settings import Settings
from roma_core.types import RawDocument, Source, digest
from roma_core.workspace import Workspace

AGENT: Final = "connector.web"
HTML: Final = ("text/html", "application/xhtml+xml")
GONE_STATUSES: Final = frozenset({404, 410})
NOINDEX: Final = "the page asks not to be indexed (noindex)"
UNREAD_AT_ONCE: Final = 256
"""Pages that a sitemap calls unchanged, listed between two requests."""
ACCEPT: Final = "text/html,application/xhtml+xml,application/pdf;q=0.9,*/*;q=0.5"


@dataclass(frozen=True)
class Read:
    """A page that was read. ``page`` is None for what is not HTML; ``may_index`` is False if its server forbids it."""

    stored: CachedPage
    page: WebPage | None
    may_index: bool = True


@dataclass(frozen=True)
class KnownSite:
    """What the last listing knew of a site's pages and sitemaps."""

    pages: Mapping[str, SeenPage]
    lists: Mapping[str, SeenList]

    def find(self, crawl: Crawl, visit: Visit) -> SeenPage | SeenList | None:
        """Return what is known of an address that its sitemap calls unchanged; a page must lead no further."""
        seen: SeenPage | SeenList | None
        if visit.is_list and visit.url != crawl.start:
            seen = self.lists.get(visit.url)
        elif not crawl.leads_on(visit):
            seen = self.pages.get(visit.url)
        else:
            seen = None
        if seen is None or not visit.modified or seen.modified != visit.modified:
            return None
        return seen if time.time() - seen.read_at < REREAD_AFTER_S else None


class WebConnector:
    """Lists and reads pages. ``Source.options``: ``depth``, ``max_pages``, ``render``, ``cookies``, ``headers``."""

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
            folder=Workspace.of(settings).web_cache,
        )
        self._scratch: ScratchFolder | None = None
        self._cache = WebCache(self._cache_file())
        self._waiting: dict[str, AgentFailure | None] = {}
        """Listed and not yet fetched: None when the page is in the cache, else why it is not."""
        self._missing_pages: dict[str, WebPage | None] = {}
        """By origin: the page that stands for addresses which do not exist, where it is sent with status 200."""
        self._archive = WarcArchive(Path(settings.web.warc).expanduser()) if settings.web.warc else None
        self._policy = RetryPolicy(base_s=min(1.0, 1.0 / settings.web.rate_per_s))

    kind = "web"

    def accepts(self, uri: str) -> bool:
        return uri.lower().startswith(("http://", "https://"))

    def normalise_source(self, source: Source) -> Source:
        """Return the source itself: the web is public, and the guard decides about each connection.

        Raises ``InputError`` for an address without a host, and for one of Drive, which shows pages to sign in.
        """
        demand_page(source.uri)
        return source

    def list(self, source: Source) -> AsyncIterator[Listing | AgentFailure | ListingEnd]:
        return guarded_stream(AGENT, self._list(source))

    async def fetch(self, source: Source, listing: Listing) -> RawDocument | AgentFailure:
        known = listing.uri in self._waiting
        failure = self._waiting.pop(listing.uri, None)
        if failure is not None:
            return failure
        return await guarded(AGENT, self._fetch(source, listing.uri, in_cache=known))

    async def is_gone(self, source: Source, listing: Listing) -> bool | AgentFailure:
        """Ask for the address again: 404, 410 and the site's page for missing addresses are evidence."""
        return await guarded(AGENT, self._is_gone(source, listing.uri))

    async def close(self) -> None:
        await self._browser.close()
        await self._fetcher.close()
        if self._archive is not None:
            await asyncio.to_thread(self._archive.close)
        if self._scratch is not None:
            self._scratch.remove()
        else:
            await self._cache.prune()

    async def _fetch(self, source: Source, uri: str, *, in_cache: bool) -> RawDocument:
        stored = await self._cache.get(uri) if in_cache else None
        if stored is not None:
            return _raw(uri, await self._interpret(stored))
        access = await self._access(source, uri)
        return _raw(uri, await self._read(uri, access, _render_of(source, self._settings)))

    async def _is_gone(self, source: Source, uri: str) -> bool:
        access = await self._access(source, uri)
        try:
            read = await self._read_plainly(uri, access)
        except ConnectorError as error:
            if error.code == ErrorCode.CONNECTOR_NOT_FOUND and error.details.get("status") in GONE_STATUSES:
                return True
            raise
        return read.page is not None and self._is_missing_page(uri, read.page)

    async def _access(self, source: Source, uri: str) -> SiteAccess:
        return await asyncio.to_thread(load_access, source.options, host_of(uri))

    # Listing

    async def _list(self, source: Source) -> AsyncGenerator[Listing | AgentFailure | ListingEnd, None]:
        plan = plan_of(source, self._settings.web.max_depth)
        start = self._fetcher.guard.check_url(plan.url)
        access = await self._access(source, plan.url)
        limit = int(source.options.get("max_pages") or self._settings.web.max_pages)
        render = _render_of(source, self._settings)
        known = _load_site(source)
        frontier = Frontier(self._frontier_folder(), canonical(plan.url), str(plan.depth), str(limit), render)
        crawl = await asyncio.to_thread(frontier.load)
        if crawl is None:
            crawl = Crawl(plan.depth, {start.host}, canonical(plan.url))
            crawl.add(crawl.start, 0)
        else:
            for listing in crawl.listed:
                self._wait_for(listing)
                yield listing
        try:
            while crawl.queue and crawl.read < limit:
                visits = self._next_visits(crawl, known, limit)
                results = await asyncio.gather(
                    *(guarded(AGENT, self._visit(crawl, visit, known, access, render)) for visit in visits)
                )
                for visit, result in zip(visits, results, strict=True):
                    taken = await self._take(crawl, visit, result)
                    crawl.listed.append(taken)
                    yield taken
                await asyncio.to_thread(frontier.save, crawl)
        except (asyncio.CancelledError, GeneratorExit):
            frontier.save(crawl, now=True)
            raise
        for left in crawl.queue:
            skip = f"over the limit of {limit} pages (ROMA_WEB_MAX_PAGES)"
            yield Listing(uri=left.url, skip=skip, deferred=True)
        await asyncio.to_thread(frontier.forget)
        if crawl.dropped:
            raise ConnectorError(
                f"The site names {crawl.dropped} addresses more than a crawl can hold; crawl its parts.",
                ErrorCode.CONNECTOR_TOO_LARGE,
                details={"uri": source.uri, "dropped": crawl.dropped},
            )
        is_whole = not crawl.errors and not crawl.queue
        before = KnownSite({}, {}) if is_whole else known
        state = {
            **source.options.get("state", {}),
            "pages": pages_to_json({**before.pages, **crawl.pages}),
            "lists": lists_to_json({**before.lists, **crawl.lists}),
        }
        yield ListingEnd(
            errors=tuple(crawl.errors),
            limit_reached=bool(crawl.queue),
            state=state if crawl.pages or crawl.lists else None,
        )

    def _next_visits(self, crawl: Crawl, known: KnownSite, limit: int) -> Sequence[Visit]:
        """Take the next addresses; those that need no request do not count towards the limit."""
        visits: list[Visit] = []
        requests = 0
        while crawl.queue and requests < self._settings.web.concurrency and len(visits) < UNREAD_AT_ONCE:
            if crawl.read >= limit:
                break
            visit = crawl.queue.popleft()
            if known.find(crawl, visit) is None:
                requests += 1
                crawl.read += 1
            visits.append(visit)
        return visits

    async def _visit(
        self, crawl: Crawl, visit: Visit, known: KnownSite, access: SiteAccess, render: str
    ) -> Read | SeenPage | SeenList:
        seen = known.find(crawl, visit)
        if seen is not None:
            return seen
        read = await self._read(visit.url, access, render)
        if crawl.depth > 0 or visit.url != crawl.start:
            await self._learn_missing_page(crawl, read, access)
        return read

    async def _take(self, crawl: Crawl, visit: Visit, result: Read | SeenPage | SeenList | AgentFailure) -> Listing:
        """Return the listing of an address that was visited, and add to the crawl where it leads."""
        url = visit.url
        if isinstance(result, SeenList):
            return self._take_list(crawl, visit, result)
        if isinstance(result, SeenPage):
            crawl.pages[url] = result
            crawl.seen.add(result.uri)
            return Listing(uri=result.uri, version=result.version, title=result.title)
        if isinstance(result, AgentFailure):
            return await self._take_failure(crawl, visit, result)
        final = result.stored.url
        if final != url:
            if url == crawl.start:
                crawl.hosts.add(host_of(final))
            if final in crawl.seen:
                return Listing(uri=url, skip=f"leads to {final}")
            if not self._in_scope(crawl, final):
                return Listing(uri=url, skip=f"leads to another site ({host_of(final)})")
            crawl.seen.add(final)
        sitemap = read_sitemap(result.stored.body, final, result.stored.media_type)
        if sitemap is not None and (sitemap.kind != "text" or visit.is_list or url == crawl.start):
            if not sitemap.is_whole:
                crawl.errors.append(_cut_off(final, sitemap.noun))
            if sitemap.is_index:
                self._follow_index(crawl, sitemap, visit.depth)
                return _listing_of_list(final, sitemap.noun, len(sitemap.entries))
            entries = tuple((entry.url, entry.modified) for entry in sitemap.entries)
            modified = visit.modified if sitemap.is_whole else ""  # what is cut off is asked for again
            return self._take_list(crawl, visit, SeenList(modified, final, sitemap.noun, entries, time.time()))
        if url == crawl.start and crawl.depth > 0:
            await self._add_sitemaps_of_robots(crawl, final)
        if result.page is None:
            return self._make_listing(crawl, visit, final, result, None if result.may_index else NOINDEX)
        return self._take_page(crawl, visit, final, result, result.page)

    async def _take_failure(self, crawl: Crawl, visit: Visit, failure: AgentFailure) -> Listing:
        url = visit.url
        is_absent = failure.code == ErrorCode.CONNECTOR_NOT_FOUND and failure.details.get("status") in GONE_STATUSES
        if failure.code == ErrorCode.CONNECTOR_ROBOTS and url != crawl.start:
            if crawl.leads_on(visit) and await self._cache.get(url) is not None:
                crawl.errors.append(failure)  # it was read before, so what it leads to was listed
            return Listing(uri=url, skip="forbidden by robots.txt", deferred=True)
        # A site is what its links lead to, so a page or a sitemap that is gone takes nothing with it; but of a source
        # that is a sitemap, each part is needed.
        is_needed = url == crawl.start or (visit.is_list and crawl.depth == 0)
        if crawl.leads_on(visit) and (is_needed or not is_absent):
            crawl.errors.append(failure)
        if visit.is_list and is_absent and not is_needed:
            return Listing(uri=url, skip="a sitemap that the site names and does not have", deferred=True)
        self._waiting[url] = failure
        return Listing(uri=url)

    def _take_page(self, crawl: Crawl, visit: Visit, url: str, read: Read, page: WebPage) -> Listing:
        if self._is_missing_page(url, page):
            skip = "the site's page for addresses that do not exist (a soft 404)"
            return Listing(uri=url, title=page.title, skip=skip)
        if visit.depth < crawl.depth and page.follow:
            for link in page.links:
                target = page_link(link)
                if target is not None and self._in_scope(crawl, target):
                    crawl.add(target, visit.depth + 1)
        if not (page.index and read.may_index):
            return Listing(uri=url, title=page.title, skip=NOINDEX)
        own = page_link(page.canonical) if page.canonical else None
        # Two pages that name each other must not both be left out.
        if own is not None and own not in {url, *crawl.aliases} and host_of(own) == host_of(url):
            crawl.add(own, visit.depth)
            crawl.aliases.add(url)
            return Listing(uri=url, title=page.title, skip=f"calls itself {own}")
        twin = crawl.twin(page)
        if twin is not None:
            return Listing(uri=url, title=page.title, skip=f"nearly the same as {twin}")
        crawl.sketches.append((url, page.sketch))
        return self._make_listing(crawl, visit, url, read, None)

    def _make_listing(self, crawl: Crawl, visit: Visit, url: str, read: Read, skip: str | None) -> Listing:
        """Return the listing of a page. Its version is the hash of its words, so that markup alone changes nothing."""
        body = read.page.html if read.page else read.stored.body
        version = (read.page.text_sha256 if read.page else digest(body))[:32]
        title = read.page.title if read.page and read.page.title else None
        if visit.modified and skip is None:
            crawl.pages[visit.url] = SeenPage(visit.modified, url, version, title, time.time())
        listing = Listing(
            uri=url,
            version=version,
            title=title,
            size=len(body),
            modified_at=_http_date(read.stored.last_modified),
            skip=skip,
        )
        self._wait_for(listing)
        return listing

    def _wait_for(self, listing: Listing) -> None:
        """Remember that the page waits in the cache until it is fetched."""
        if listing.skip is None and listing.version is not None:
            self._waiting[listing.uri] = None

    def _follow_index(self, crawl: Crawl, sitemap: Sitemap, depth: int) -> None:
        """Add the sitemaps that an index names."""
        for entry in sitemap.entries:
            target = canonical_or_none(entry.url)
            if target is not None and self._in_scope(crawl, target):
                crawl.add(target, depth, is_list=True, modified=entry.modified)

    def _take_list(self, crawl: Crawl, visit: Visit, seen: SeenList) -> Listing:
        """Add the pages that a sitemap names, as starts of their own."""
        if visit.modified:
            crawl.lists[visit.url] = seen
        crawl.seen.add(seen.uri)
        for address, modified in seen.entries:
            target = page_link(address)
            if target is not None and self._in_scope(crawl, target):
                crawl.add(target, visit.depth, modified=modified)
        return _listing_of_list(seen.uri, seen.noun, len(seen.entries))

    async def _add_sitemaps_of_robots(self, crawl: Crawl, url: str) -> None:
        """Add the sitemaps that robots.txt names, when the crawl began at the root of its site."""
        target = self._fetcher.guard.check_url(url)
        if target.path != b"/":
            return
        for address in await self._manners.sitemaps(target):
            listed = canonical_or_none(address)
            if listed is not None and self._in_scope(crawl, listed):
                crawl.add(listed, 1, is_list=True)

    def _in_scope(self, crawl: Crawl, url: str) -> bool:
        """The start's host, and domains that the user named."""
        host, settings = host_of(url), self._settings
        if in_domain(host, settings.web.denied_domains):
            return False
        return host in crawl.hosts or in_domain(host, settings.web.allowed_domains)

    # Pages that stand for what does not exist

    async def _learn_missing_page(self, crawl: Crawl, read: Read, access: SiteAccess) -> None:
        """Ask once an origin for an address that cannot exist, to know the page that the site sends for it."""
        target = self._fetcher.guard.check_url(read.stored.url)
        if target.origin in self._missing_pages or read.page is None:
            return
        self._missing_pages[target.origin] = None
        address = f"{target.origin}/{digest('no such page', target.origin)[:24]}"
        answer = await guarded(AGENT, self._read_plainly(address, access))
        if isinstance(answer, AgentFailure) or answer.page is None or answer.stored.url != canonical(address):
            return
        is_start = answer.page.text_sha256 == read.page.text_sha256 or _is_alike(answer.page, read.page)
        if not is_start:  # an application that answers everything with its one page has no other
            self._missing_pages[target.origin] = answer.page

    async def _read_plainly(self, url: str, access: SiteAccess) -> Read:
        response, _ = await self._ask_politely(url, None, access)
        return await self._interpret_response(response)

    def _is_missing_page(self, url: str, page: WebPage) -> bool:
        missing = self._missing_pages.get(self._fetcher.guard.check_url(url).origin)
        return missing is not None and (page.shape_sha256 == missing.shape_sha256 or _is_alike(page, missing))

    # Reading

    async def _read(self, url: str, access: SiteAccess, render: str) -> Read:
        """Ask for one page, politely, drawing it when needed; what came is in the cache afterwards."""
        known = await self._cache.get(url)
        response, agent = await self._ask_politely(url, known, access)
        if response.status == 304 and known is not None:
            return await self._interpret(known, may_index=_may_index(response))
        read = await self._interpret_response(response)
        if self._needs_drawing(read, render):
            stored = read.stored
            drawn = await self._browser.render(stored.url, agent)
            stored = CachedPage(stored.url, "text/html; charset=utf-8", stored.etag, stored.last_modified, True, drawn)
            drawn_read = await self._interpret(stored, may_index=read.may_index)
            if _words(drawn_read) >= _words(read):  # else its scripts led away
                read = drawn_read
        if read.may_index:  # without a place for this wish in the cache, it has to be asked for again
            await self._cache.put(read.stored)
        return read

    async def _ask_politely(
        self, url: str, known: CachedPage | None, access: SiteAccess
    ) -> tuple[FetchedResponse, str]:
        """Ask until there is an answer that counts, and return it with the name that we gave for it.

        Other names are tried after a refusal, where that is allowed.
        """
        agents = (HONEST, *BROWSERS) if self._settings.web.rotate_user_agent else (HONEST,)
        untried = list(agents)

        async def once() -> tuple[FetchedResponse, str]:
            agent = untried.pop(0) if len(untried) > 1 else untried[0]
            return await self._ask(url, known, agent, access), agent

        def is_worth_another_try(error: BaseException) -> bool:
            if not isinstance(error, RomaError) or error.code == ErrorCode.CONNECTOR_TIMEOUT:
                return False
            return error.recoverable or error.code == ErrorCode.CONNECTOR_PERMISSION

        return await retrying(once, policy=self._policy, retry_if=is_worth_another_try)

    async def _interpret_response(self, response: FetchedResponse) -> Read:
        return await self._interpret(_load_listing(response), may_index=_may_index(response))

    async def _interpret(self, stored: CachedPage, *, may_index: bool = True) -> Read:
        is_html = stored.media_type.partition(";")[0].strip().lower() in (*HTML, "")
        if not is_html or not stored.body:
            return Read(stored, None, may_index)
        page = await asyncio.to_thread(read_page, stored.body, stored.url, stored.media_type, ROBOT)
        return Read(stored, page, may_index)

    def _needs_drawing(self, read: Read, render: str) -> bool:
        if read.page is None or render == "never":
            return False
        return render == "always" or (read.page.words < MIN_WORDS and read.page.scripted)

    async def _ask(self, url: str, known: CachedPage | None, user_agent: str, access: SiteAccess) -> FetchedResponse:
        """One conditional GET. Raises ``ConnectorError`` for every status that is no page."""
        headers = {"User-Agent": user_agent, "Accept": ACCEPT, "Accept-Language": "en,*;q=0.5"}
        # A drawn page depends on more than the HTML that the validators speak of.
        if known is not None and not known.rendered:
            headers |= {"If-None-Match": known.etag} if known.etag else {}
            headers |= {"If-Modified-Since": known.last_modified} if known.last_modified and not known.etag else {}

        def headers_of_hop(target: Target) -> dict[str, str]:
            return {**headers, **access.headers_for(target)}

        async with self._manners.slot(self._fetcher.guard.check_url(url)):
            response = await self._fetcher.get(url, headers_of_hop, before_hop=self._before_hop)
        if response.status in {200, 203} or (response.status == 304 and known is not None):
            if self._archive is not None and response.status != 304:
                await asyncio.to_thread(self._archive.write, response, headers)
            return response
        raise status_error(response)

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

    def _frontier_folder(self) -> Path | None:
        """The folder of crawls that are under way; without a cache their pages would be lost, so nothing is kept."""
        return None if self._settings.storage.cache == "off" else Workspace.of(self._settings).web_cache / "frontiers"

    def _cache_file(self) -> Path:
        if self._settings.storage.cache == "off":
            self._scratch = ScratchFolder("web")
            return self._scratch.path / "web.db"
        return Workspace.of(self._settings).web_pages


def _cut_off(url: str, noun: str) -> AgentFailure:
    """Return the failure of a list that may have more entries than it shows."""
    error = ConnectorError(
        f"The {noun} is cut off, so it may name more pages than were read.",
        ErrorCode.CONNECTOR_CORRUPT,
        details={"uri": url},
    )
    return AgentFailure.of(AGENT, error)


def _words(read: Read) -> int:
    return read.page.words if read.page else 0


def _load_listing(response: FetchedResponse) -> CachedPage:
    headers = response.headers
    body, media_type = response.body, headers.get("content-type", "")
    if body.startswith(b"\x1f\x8b") and response.url.partition("?")[0].endswith((".xml.gz", ".txt.gz")):
        is_text = response.url.partition("?")[0].endswith(".txt.gz")
        body, media_type = unpack_sitemap(body), "text/plain" if is_text else "application/xml"
    return CachedPage(
        url=canonical(response.url),
        media_type=media_type,
        etag=headers.get("etag", ""),
        last_modified=headers.get("last-modified", ""),
        rendered=False,
        body=body,
    )


def _may_index(response: FetchedResponse) -> bool:
    """Return False when the server's ``X-Robots-Tag`` asks not to index what it sent."""
    return read_robots_rules([response.headers.get("x-robots-tag", "")], ROBOT).index


def _is_alike(page: WebPage, other: WebPage) -> bool:
    return alike(page.sketch, other.sketch) >= NEAR


def _render_of(source: Source, settings: Settings) -> str:
    return str(source.options.get("render") or settings.web.render)


def _load_site(source: Source) -> KnownSite:
    """Return what the last listing read under a change time. A state of another shape counts as none."""
    state = source.options.get("state", {})
    try:
        return KnownSite(pages_from_json(state.get("pages", {})), lists_from_json(state.get("lists", {})))
    except (AttributeError, TypeError, ValueError):
        return KnownSite({}, {})


def _listing_of_list(url: str, noun: str, entries: int) -> Listing:
    return Listing(uri=url, title=noun.capitalize(), skip=f"a {noun} of {entries} addresses")


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


def _http_date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
