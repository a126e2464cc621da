"""Manners towards a host: robots.txt, a rate, few requests at once, and an honest name."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from protego import Protego

from roma_core import __version__
from roma_core.connectors.net.guard import Target
from roma_core.connectors.web.fetcher import Fetcher
from roma_core.errors import ConnectorError, ErrorCode

ROBOT: Final = "ROMAbot"
HONEST: Final = f"{ROBOT}/{__version__} (research reader; obeys robots.txt)"
BROWSERS: Final = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
)
"""Used only after a refusal, and only when the user allows it (``ROMA_WEB_ROTATE_USER_AGENT``)."""
ROBOTS_BYTES: Final = 512 * 1024  # RFC 9309 section 2.5 asks for 500 KiB at least
ROBOTS_AGE_S: Final = 24 * 3600.0  # section 2.4: not to be used for longer
MAX_CRAWL_DELAY_S: Final = 30.0
TOO_MANY: Final = 429


@dataclass
class _Host:
    slots: asyncio.Semaphore
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    next_at: float = 0.0


@dataclass(frozen=True)
class _Rules:
    robots: Protego
    read_at: float


class Manners:
    """Per-host turns. ``rate_per_s`` requests a second or the site's Crawl-delay, whichever is slower."""

    def __init__(self, fetcher: Fetcher, *, rate_per_s: float, concurrency: int) -> None:
        self._fetcher = fetcher
        self._gap_s = 1.0 / rate_per_s
        self._hosts: defaultdict[str, _Host] = defaultdict(lambda: _Host(asyncio.Semaphore(concurrency)))
        self._rules: dict[str, _Rules] = {}
        self._reading: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def slot(self, target: Target) -> AsyncIterator[None]:
        """One of the few places to talk to a host at once."""
        async with self._hosts[target.host].slots:
            yield

    async def wait_turn(self, target: Target) -> None:
        """Sleep until this host may be asked again."""
        host = self._hosts[target.host]
        async with host.turn:
            await asyncio.sleep(max(0.0, host.next_at - time.monotonic()))
            host.next_at = time.monotonic() + self._gap(target)

    async def check_robots(self, target: Target) -> None:
        """Raises ``ConnectorError``: ROBOTS when forbidden, UNAVAILABLE when robots.txt cannot be read now."""
        rules = await self._robots(target)
        if not rules.can_fetch(target.url, ROBOT):
            raise ConnectorError(
                f"The robots.txt of {target.host} forbids this page.",
                ErrorCode.CONNECTOR_ROBOTS,
                details={"host": target.host},
            )

    async def sitemaps(self, target: Target) -> list[str]:
        """Return the sitemaps that the robots.txt of ``target``'s origin names. Raises as ``check_robots``."""
        return list((await self._robots(target)).sitemaps)

    def _gap(self, target: Target) -> float:
        rules = self._rules.get(target.origin)
        delay = rules.robots.crawl_delay(ROBOT) if rules else None
        return max(self._gap_s, min(float(delay or 0.0), MAX_CRAWL_DELAY_S))

    async def _robots(self, target: Target) -> Protego:
        async with self._reading[target.origin]:
            known = self._rules.get(target.origin)
            if known is None or time.monotonic() - known.read_at > ROBOTS_AGE_S:
                known = _Rules(Protego.parse(await self._read_robots(target)), time.monotonic())
                self._rules[target.origin] = known
            return known.robots

    async def _read_robots(self, target: Target) -> str:
        """RFC 9309 section 2.3.1: 4xx means no rules, 5xx and no answer mean that nothing may be asked for.

        429 asks for patience and says nothing about rules, so it counts as 5xx does.
        """
        try:
            answer = await self._fetcher.get(f"{target.origin}/robots.txt", {"User-Agent": HONEST})
        except ConnectorError as error:
            if error.code == ErrorCode.CONNECTOR_TOO_LARGE:
                return "User-agent: *\nDisallow: /"
            raise
        if answer.status >= 500 or answer.status == TOO_MANY:
            raise ConnectorError(
                f"{target.host} cannot give its robots.txt now ({answer.status}), so it is not read.",
                details={"host": target.host, "status": answer.status},
            )
        return answer.body[:ROBOTS_BYTES].decode("utf-8", "replace") if answer.status < 300 else ""
