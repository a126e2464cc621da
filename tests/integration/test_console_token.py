"""The console in a real Chromium where tokens exist: a browser sends one as the password, for every file."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterator
from typing import Any

import pytest

CHROMIUM = next((p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt-get install chromium)"),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Address and token of a server as ``roma serve`` runs it, with the scripted model."""
    from roma_core import Settings, build_roma
    from roma_core.api.serve import server as make_server
    from roma_core.api.tokens import TokenStore
    from roma_core.llm.providers.fake import FakeLLM
    from roma_core.llm.service import LLMService

    folder = tmp_path_factory.mktemp("console")
    (folder / "manual.md").write_text("# Manual\n\nThe valve opens at 3 bar.\n")
    settings = Settings.load(
        workspace=folder / ".roma", embedder="fake", reranker="fake", parser_workers=1, planner="off"
    )
    secret, _ = TokenStore(settings.workspace).create("browser")
    llm = FakeLLM(rule=lambda _: "The valve opens at 3 bar [1].")
    roma = build_roma(settings, llm=LLMService([llm]))
    asyncio.run(roma.ingest(folder / "manual.md"))
    server = make_server(roma, port=0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", secret
    server.should_exit = True
    thread.join(10)


def test_a_token_as_password_opens_the_console_and_nothing_else_does(served: tuple[str, str]) -> None:
    from playwright.sync_api import Error, sync_playwright

    address, secret = served
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*quiet, "--no-first-run"])
        with pytest.raises(Error, match="ERR_INVALID_AUTH_CREDENTIALS"):
            browser.new_page().goto(f"{address}/console")
        known: Any = browser.new_context(http_credentials={"username": "me", "password": secret})
        page = known.new_page()
        refused: list[str] = []
        page.on("response", lambda r: refused.append(r.url) if r.status >= 400 and r.url != page.url else None)
        page.goto(f"{address}/console")
        box = page.locator("textarea").first
        box.wait_for(timeout=120_000)
        box.fill("When does the valve open?")
        box.press("Enter")
        page.get_by_text("The valve opens at 3 bar").first.wait_for(timeout=120_000)
        assert refused == []
        browser.close()
