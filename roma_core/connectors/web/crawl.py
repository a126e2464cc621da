"""The state of one crawl: addresses to visit, pages met, and what makes the listing incomplete. No network.

A crawl is saved while it runs, so that one that was killed goes on from its frontier: ``to_json`` and ``from_json``.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from roma_core.connectors.base import Listing
from roma_core.connectors.web.page import NEAR, WebPage, alike
from roma_core.errors import AgentFailure
from roma_core.types import digest
from roma_core.workspace import private_folder

FRONTIER: Final = 20_000
"""Addresses that a crawl remembers; what a site names beyond them is told as one failure."""
SAVE_EVERY_S: Final = 5.0
RESUME_WITHIN_S: Final = 6 * 3600.0
"""A crawl that was cut off longer ago begins at its start again: its site has moved on."""
REREAD_AFTER_S: Final = 7 * 24 * 3600.0
"""A page is read again after this time, whatever the sitemap says of its last change."""


@dataclass(frozen=True)
class Visit:
    """An address to read. A ``is_list`` address is expected to be a sitemap; ``modified`` is what a list says of it."""

    url: str
    depth: int
    is_list: bool = False
    modified: str = ""


@dataclass(frozen=True)
class SeenPage:
    """A page as the last listing read it, under the change time that the sitemap gave for it."""

    modified: str
    uri: str
    version: str
    title: str | None
    read_at: float


@dataclass(frozen=True)
class SeenList:
    """A sitemap as the last listing read it, under the change time that the index of sitemaps gave for it."""

    modified: str
    uri: str
    noun: str
    entries: tuple[tuple[str, str], ...]
    """Addresses with the change times that the sitemap gave for them."""
    read_at: float


@dataclass
class Crawl:
    """State of one listing."""

    depth: int
    hosts: set[str]
    start: str = ""
    queue: deque[Visit] = field(default_factory=deque)
    seen: set[str] = field(default_factory=set)
    aliases: set[str] = field(default_factory=set)
    """Pages left out because they name another address as their own."""
    sketches: list[tuple[str, frozenset[int]]] = field(default_factory=list)
    read: int = 0
    dropped: int = 0
    errors: list[AgentFailure] = field(default_factory=list)
    """Failures of addresses that could have led on, so that what lies behind them is unknown."""
    listed: list[Listing] = field(default_factory=list)
    pages: dict[str, SeenPage] = field(default_factory=dict)
    """Pages of this listing by the address that a sitemap gives them, for the next listing."""
    lists: dict[str, SeenList] = field(default_factory=dict)
    """Sitemaps of this listing by their addresses, for the next listing."""

    def add(self, url: str, depth: int, *, is_list: bool = False, modified: str = "") -> None:
        if url in self.seen:
            return
        if len(self.seen) >= FRONTIER:
            self.dropped += 1
            return
        self.seen.add(url)
        self.queue.append(Visit(url, depth, is_list, modified))

    def leads_on(self, visit: Visit) -> bool:
        """Return whether reading this address could add others to the listing."""
        return visit.url == self.start or visit.is_list or visit.depth < self.depth

    def twin(self, page: WebPage) -> str | None:
        """Return the address of a page that says nearly the same, if one was met."""
        return next((url for url, sketch in self.sketches if alike(sketch, page.sketch) >= NEAR), None)

    def to_json(self) -> str:
        """Return the crawl as it stands. ``read`` and what is listed count when it goes on."""
        return json.dumps(
            {
                "depth": self.depth,
                "hosts": sorted(self.hosts),
                "start": self.start,
                "queue": [(v.url, v.depth, v.is_list, v.modified) for v in self.queue],
                "seen": sorted(self.seen),
                "aliases": sorted(self.aliases),
                "sketches": [(url, sorted(sketch)) for url, sketch in self.sketches],
                "read": self.read,
                "dropped": self.dropped,
                "errors": [error.model_dump(mode="json") for error in self.errors],
                "listed": [listing.model_dump(mode="json") for listing in self.listed],
                "pages": pages_to_json(self.pages),
                "lists": lists_to_json(self.lists),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Crawl:
        """Return the crawl that ``to_json`` wrote. Raises ``ValueError`` or ``KeyError`` for anything else."""
        data = json.loads(text)
        return cls(
            depth=data["depth"],
            hosts=set(data["hosts"]),
            start=data["start"],
            queue=deque(Visit(*visit) for visit in data["queue"]),
            seen=set(data["seen"]),
            aliases=set(data["aliases"]),
            sketches=[(url, frozenset(sketch)) for url, sketch in data["sketches"]],
            read=data["read"],
            dropped=data["dropped"],
            errors=[AgentFailure.model_validate(error) for error in data["errors"]],
            listed=[Listing.model_validate(listing) for listing in data["listed"]],
            pages=pages_from_json(data["pages"]),
            lists=lists_from_json(data["lists"]),
        )


def pages_to_json(pages: Mapping[str, SeenPage]) -> dict[str, list[Any]]:
    """Return the pages of a frontier as lists that JSON holds."""
    return {url: [page.modified, page.uri, page.version, page.title, page.read_at] for url, page in pages.items()}


def pages_from_json(data: Mapping[str, list[Any]]) -> dict[str, SeenPage]:
    """Return the pages that ``pages_to_json`` wrote."""
    return {url: SeenPage(*fields) for url, fields in data.items()}


def lists_to_json(lists: Mapping[str, SeenList]) -> dict[str, list[Any]]:
    """Return sitemaps as JSON."""
    return {url: [seen.modified, seen.uri, seen.noun, seen.entries, seen.read_at] for url, seen in lists.items()}


def lists_from_json(data: Mapping[str, list[Any]]) -> dict[str, SeenList]:
    """Return the sitemaps that ``lists_to_json`` wrote. Raises ``ValueError`` or ``TypeError`` for anything else."""
    lists: dict[str, SeenList] = {}
    for url, (modified, uri, noun, entries, read_at) in data.items():
        pairs = tuple((str(address), str(time_)) for address, time_ in entries)
        lists[url] = SeenList(modified, uri, noun, pairs, read_at)
    return lists


class Frontier:
    """The file of a crawl that is under way: one for each source and settings. ``folder`` None keeps nothing."""

    def __init__(self, folder: Path | None, *identity: str) -> None:
        self._path = None if folder is None else folder / f"{digest('frontier', *identity)[:24]}.json"
        self._saved_at = time.monotonic()

    def load(self) -> Crawl | None:
        """Return the crawl that was cut off; None when there is none, or when it is too old."""
        if self._path is None:
            return None
        try:
            is_old = time.time() - self._path.stat().st_mtime > RESUME_WITHIN_S
            return None if is_old else Crawl.from_json(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, crawl: Crawl, *, now: bool = False) -> None:
        """Write the crawl, at most once in ``SAVE_EVERY_S`` seconds unless ``now``. Raises ``OSError``."""
        if self._path is None or not (now or time.monotonic() - self._saved_at >= SAVE_EVERY_S):
            return
        private_folder(self._path.parent)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(crawl.to_json(), encoding="utf-8")
        fresh.replace(self._path)
        self._saved_at = time.monotonic()

    def forget(self) -> None:
        """Remove the file of a crawl that came to its end."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
