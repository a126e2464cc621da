"""Pages that are drawn by JavaScript: a Chromium of our own, guarded by ``GuardProxy``, driven by crawl4ai over CDP."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from roma_core.connectors.net.guard import Netguard
from roma_core.connectors.net.proxy import GuardProxy
from roma_core.errors import ConfigError, ConnectorError, ErrorCode
from roma_core.scratch import ScratchFolder

NAMES: Final = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
START_S: Final = 20.0
TRAFFIC_BYTES: Final = 48 * 1024 * 1024
"""All that one page may load."""
SETTLE_S: Final = 0.5

FLAGS: Final = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--proxy-bypass-list=<-loopback>",  # loopback goes through the proxy as well
    "--disable-quic",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-features=OptimizationHints,MediaRouter,Translate,InterestFeedContentSuggestions",
    "--deny-permission-prompts",
    "--block-new-web-contents",
    "--mute-audio",
    "--password-store=basic",
)


class Browser:
    """Started at the first page, one page at a time, a fresh profile for each run."""

    def __init__(
        self, guard: Netguard, *, chromium: str | None, timeout_s: float, max_bytes: int, folder: Path
    ) -> None:
        """crawl4ai keeps its own things in ``folder``."""
        self._guard = guard
        self._chromium = chromium
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._folder = folder
        self._turn = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._proxy: GuardProxy | None = None
        self._crawler: Any = None
        self._process: asyncio.subprocess.Process | None = None
        self.refused: tuple[str, ...] = ()
        """Hosts that the last page asked for and did not get."""

    async def render(self, url: str, user_agent: str) -> bytes:
        """The page's HTML in UTF-8 after its scripts ran.

        Raises ``ConnectorError`` (timeout, too large, unavailable) or ``ConfigError`` (no Chromium, no crawl4ai).
        """
        async with self._turn:
            self._guard.check_url(url)
            if self._process is not None and self._process.returncode is not None:
                await self.close()  # it has crashed; the next page gets a new one
            if self._crawler is None:
                await self._start(user_agent)
            assert self._proxy is not None  # noqa: S101  (set by _start)
            self._proxy.reset()
            try:
                async with asyncio.timeout(self._timeout_s):
                    html = await self._draw(url)
            except TimeoutError:
                raise ConnectorError(
                    f"The page was not drawn within {self._timeout_s:g} s.", ErrorCode.CONNECTOR_TIMEOUT
                ) from None
            finally:
                self.refused = tuple(dict.fromkeys(self._proxy.refused))
            if len(html) > self._max_bytes:
                raise ConnectorError("The drawn page is larger than ROMA_WEB_MAX_MB.", ErrorCode.CONNECTOR_TOO_LARGE)
            return html

    async def close(self) -> None:
        await self._stack.aclose()
        self._crawler = self._proxy = self._process = None

    async def _draw(self, url: str) -> bytes:
        from crawl4ai import CacheMode, CrawlerRunConfig

        config = CrawlerRunConfig(
            cache_mode=CacheMode.BYPASS,
            wait_until="load",
            delay_before_return_html=SETTLE_S,
            page_timeout=int(self._timeout_s * 1000),
            verbose=False,
            log_console=False,
        )
        result = await self._crawler.arun(url, config=config)
        if not result.html:
            raise ConnectorError("Chromium could not draw the page.")
        return str(result.html).encode("utf-8", "replace")

    async def _start(self, user_agent: str) -> None:
        scratch = ScratchFolder("chromium")
        self._stack.callback(scratch.remove)
        _write_preferences(scratch.path)
        # crawl4ai makes folders where this points when it is imported.
        os.environ.setdefault("CRAWL4_AI_BASE_DIRECTORY", str(self._folder))
        from crawl4ai import AsyncWebCrawler, BrowserConfig

        self._proxy = await self._stack.enter_async_context(GuardProxy(self._guard, TRAFFIC_BYTES))
        address = await self._launch(scratch.path, self._proxy.port, user_agent)
        config = BrowserConfig(
            cdp_url=address,
            browser_mode="cdp",
            headless=True,
            verbose=False,
            user_agent=user_agent,
            cdp_cleanup_on_close=True,  # else Playwright's driver process outlives every crawl
            cdp_close_delay=0,
        )
        self._crawler = await self._stack.enter_async_context(AsyncWebCrawler(config=config))

    async def _launch(self, profile: Path, proxy_port: int, user_agent: str) -> str:
        flags = [*FLAGS, f"--user-data-dir={profile}", f"--user-agent={user_agent}"]
        flags.append(f"--proxy-server=http://127.0.0.1:{proxy_port}")
        if sys.platform == "linux" and os.geteuid() == 0:
            flags.append("--no-sandbox")  # Chromium's own sandbox refuses to run for root
        process = await asyncio.create_subprocess_exec(
            find_chromium(self._chromium),
            *flags,
            "about:blank",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        self._process = process
        self._stack.push_async_callback(_stop, process)
        return await _debugging_address(profile, process)


def _write_preferences(profile: Path) -> None:
    """Write preferences with which pages may download nothing."""
    (profile / "Default").mkdir()
    blocked = {"download_restrictions": 3, "download": {"default_directory": str(profile)}}
    (profile / "Default" / "Preferences").write_text(json.dumps(blocked))


def find_chromium(configured: str | None) -> str:
    """Path of the browser. Raises ``ConfigError`` that says how to get one."""
    for name in (configured,) if configured else NAMES:
        if found := shutil.which(name):
            return found
    raise ConfigError(
        "Chromium was not found; install it, name it in ROMA_WEB_CHROMIUM, or set ROMA_WEB_RENDER=never.",
        ErrorCode.DEPENDENCY_MISSING,
        details={"configured": configured or ""},
    )


async def _debugging_address(profile: Path, process: asyncio.subprocess.Process) -> str:
    """Chromium writes the port that it chose to a file."""
    written = profile / "DevToolsActivePort"
    for _ in range(int(START_S / 0.05)):
        lines = written.read_text().split() if written.exists() else []
        if len(lines) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        if process.returncode is not None:
            break
        await asyncio.sleep(0.05)
    raise ConnectorError("Chromium did not start.")


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()
