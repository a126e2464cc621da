"""The console in a real Chromium: it streams, badges open the cited words, and hostile text stays text."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next((p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt-get install chromium)"),
]
ATTACK = "<img src=x onerror=\"document.title='pwned'\">"
MANUAL = f"# Manual {ATTACK}\n\nThe valve opens at 3 bar and closes at 2 bar. {ATTACK}\n\nMore about the valve.\n"
ANSWER = f"The **valve** opens at 3 bar [1]. {ATTACK} ![x](https://attacker.example/leak.png) End of the answer."
REPLY = f"{ANSWER}\n<<<follow-ups>>>\n- How is the valve cleaned?"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The real API with the console, over a real store, served by uvicorn; the model is the scripted fake."""
    import uvicorn

    from roma_core import Settings, build_roma
    from roma_core.api import create_app
    from roma_core.evals import demo_pdf
    from roma_core.llm.base import LLMRequest
    from roma_core.llm.fake import FakeLLM, Reply
    from roma_core.llm.service import LLMService
    from roma_core.ui.console import mount

    folder = tmp_path_factory.mktemp("console")
    (folder / "manual.md").write_text(MANUAL)

    def reply(request: LLMRequest) -> Reply:
        asked = request.question or ""
        return Reply("The keeper wrote down the weather [1].") if "keeper" in asked else Reply(REPLY, word_wait_s=0.08)

    settings = Settings.load(workspace=folder / ".roma", embedder="fake", reranker="fake", parser_workers=1)
    demo_pdf.write(folder)
    llm = FakeLLM(rule=reply, generative=False)
    roma = build_roma(settings, llm=LLMService([llm]))
    asyncio.run(roma.ingest(folder / "manual.md", folder / demo_pdf.NAME))
    app = create_app(roma)
    mount(app, roma)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def page(address: str, tmp_path: Path) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*quiet, "--no-first-run", "--disable-component-update"]
        )
        view = browser.new_page(viewport={"width": 1200, "height": 900})
        view.requested = []
        view.on("request", lambda request: view.requested.append(request.url))
        view.on("dialog", lambda dialog: view.requested.append("a dialog: " + dialog.message))
        view.goto(f"{address}/console")
        yield view
        if shots := os.environ.get("ROMA_SCREENSHOTS"):
            view.screenshot(path=str(Path(shots) / "console.png"))
        browser.close()


def ask(page: Any, question: str) -> None:
    box = page.locator("textarea").first
    box.wait_for(timeout=30_000)
    box.fill(question)
    box.press("Enter")


def test_an_answer_streams_and_its_badge_opens_the_cited_words(page: Any, address: str) -> None:
    ask(page, f"When does the valve open? {ATTACK}")
    seen: set[str] = set()
    end = page.get_by_text("End of the answer")
    for _ in range(200):
        seen.update(t for t in page.get_by_text("The valve").all_inner_texts())
        if end.count() and page.locator(".roma-badge").count():
            break
        page.wait_for_timeout(50)
    assert len(seen) > 2, f"the answer did not show progressively: {seen}"
    page.locator(".roma-badge").first.click()
    marked = page.locator("mark")
    marked.wait_for(timeout=10_000)
    assert "opens at 3 bar" in marked.inner_text()

    page.wait_for_timeout(300)  # time for an attack to act
    assert page.title() == "ROMA console", "text from a model, a document or a person ran as code"
    elsewhere = [url for url in page.requested if not url.startswith((address, "data:", "blob:", "ws"))]
    assert elsewhere == [], "the console asked another host"


def test_a_follow_up_is_asked_by_a_click(page: Any) -> None:
    ask(page, "When does the valve open?")
    pill = page.locator(".roma-follow-up button").first
    pill.wait_for(timeout=30_000)
    assert pill.inner_text().casefold() == "how is the valve cleaned?"
    pill.click()
    page.get_by_text("How is the valve cleaned?", exact=True).nth(2).wait_for(timeout=30_000)  # asked, and offered anew


def test_a_citation_of_a_pdf_shows_its_page_with_the_cited_part_marked(page: Any, address: str) -> None:
    page.get_by_text("2 documents").wait_for(timeout=30_000)  # the greeting
    ask(page, "What did the keeper of the lighthouse write down?")
    badge = page.locator(".roma-badge").first
    badge.wait_for(timeout=30_000)
    badge.focus()
    badge.press("Enter")  # by keyboard
    sheet = page.locator(".roma-sheet")
    sheet.wait_for(timeout=30_000)
    assert "cited part is marked" in sheet.get_attribute("aria-label")
    assert sheet.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 500
    area, picture = sheet.locator(".area").first.bounding_box(), sheet.bounding_box()
    assert 0 < area["width"] < picture["width"] and picture["y"] < area["y"] < picture["y"] + picture["height"]


def test_on_a_phone_the_conversation_is_not_covered(address: str) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        agent = "Mozilla/5.0 (Linux; Android 14) Chrome/156 Mobile Safari/537.36"
        view = browser.new_page(viewport={"width": 400, "height": 800}, user_agent=agent)
        view.goto(f"{address}/console")
        view.get_by_text("2 documents").wait_for(timeout=30_000)
        view.locator("textarea").first.click(timeout=10_000)
        assert view.evaluate("document.documentElement.scrollWidth") <= 400
        browser.close()
