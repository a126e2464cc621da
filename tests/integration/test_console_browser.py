"""The console in a real Chromium: it streams, badges open the cited words, and hostile text stays text."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "user_agent": "Mozilla/5.0 (Linux; Android 14) Chrome/156 Mobile Safari/537.36",
}


class Service:
    """The real service with the console, over a real store; the model is the scripted fake, ``asked`` what it read."""

    def __init__(self, workspace: Path) -> None:
        from roma_core import Settings, build_roma
        from roma_core.llm.providers.fake import FakeLLM
        from roma_core.llm.service import LLMService

        self.asked: list[str] = []
        self.cut = False
        """Whether the next answer breaks off in its middle."""
        settings = Settings.load(workspace=workspace, embedder="fake", reranker="fake", parser_workers=1, planner="off")
        self.roma = build_roma(settings, llm=LLMService([FakeLLM(rule=self._reply)]))
        self.address = ""

    def _reply(self, request: Any) -> Any:
        from roma_core.llm.providers.fake import Reply

        if request.purpose == "rewrite":
            return Reply(request.messages[-1].content.rpartition("New question: ")[2])
        question = request.messages[-1].content.rpartition("Question: ")[2]
        self.asked.append(question)
        if self.cut:
            self.cut = False
            return Reply("The valve opens", finish_reason=None)
        return (
            Reply("The keeper wrote down the weather [1].") if "keeper" in question else Reply(REPLY, word_wait_s=0.08)
        )

    @contextmanager
    def running(self) -> Iterator[Service]:
        from roma_core.api.serve import server as make_server

        server = make_server(self.roma, port=0)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the server did not start"
        self.address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        yield self
        server.should_exit = True
        thread.join(10)


def finished(work: Coroutine[Any, Any, Any]) -> Any:
    """The result of ``work``, in a thread: Playwright keeps a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    from roma_core.evals import demo_pdf

    folder = tmp_path_factory.mktemp("console")
    (folder / "manual.md").write_text(MANUAL)
    demo_pdf.write(folder)
    made = Service(folder / ".roma")
    finished(made.roma.ingest(folder / "manual.md", folder / demo_pdf.NAME))
    with made.running():
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*quiet, "--no-first-run", "--disable-component-update"]
        )


Open = Callable[..., Any]


@pytest.fixture
def open_page(browser: Any) -> Iterator[Open]:
    """``open_page(address, **options of the context)``: the console, whose log must stay clean."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def opened(address: str, **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        view = context.new_page()
        view.requested = []
        view.on("request", lambda request: view.requested.append(request.url))
        view.on("dialog", lambda dialog: complaints.append("a dialog: " + dialog.message))
        view.on("pageerror", lambda error: complaints.append(str(error)))
        view.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
        view.goto(f"{address}/console")
        view.locator("textarea").first.wait_for(timeout=30_000)
        return view

    yield opened
    if shots := os.environ.get("ROMA_SCREENSHOTS"):
        contexts[-1].pages[0].screenshot(path=str(Path(shots) / "console.png"))
    for context in contexts:
        context.close()
    assert complaints == [], "the browser's log"


@pytest.fixture
def page(open_page: Open, service: Service) -> Any:
    return open_page(service.address)


def ask(page: Any, question: str) -> None:
    box = page.locator("textarea").first
    box.fill(question)
    box.press("Enter")


def typed(page: Any, nth: int) -> Any:
    """The ``nth`` question as it is shown."""
    found = page.locator(".roma-typed").nth(nth)
    found.wait_for(timeout=30_000)
    return found


def test_an_answer_streams_and_its_badge_opens_the_cited_words(page: Any, service: Service) -> None:
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
    elsewhere = [url for url in page.requested if not url.startswith((service.address, "data:", "blob:", "ws"))]
    assert elsewhere == [], "the console asked another host"


@pytest.mark.parametrize("question", ["valve: a < b & c, *x* or &lt;i&gt;?", f"valve\n\n- one {ATTACK}\n  two"])
def test_a_question_is_asked_and_shown_as_it_was_typed(page: Any, service: Service, question: str) -> None:
    ask(page, question)
    assert typed(page, 0).evaluate("e => e.textContent") == question
    page.locator(".roma-badge").first.wait_for(timeout=30_000)
    assert service.asked[-1] == question
    (latest, *_) = finished(service.roma.sessions.list("default"))
    (turn,) = finished(service.roma.sessions.turns("default", latest.id))
    assert turn.question == question and latest.title == " ".join(question.split())


def test_a_follow_up_is_asked_by_a_click(page: Any) -> None:
    ask(page, "When does the valve open?")
    pill = page.locator(".roma-follow-up button").first
    pill.wait_for(timeout=30_000)
    pill.click()
    assert typed(page, 1).inner_text() == "How is the valve cleaned?"
    page.locator(".roma-follow-up button").nth(1).wait_for(timeout=30_000)  # offered anew below its answer


def test_try_again_asks_the_same_again(page: Any, service: Service) -> None:
    service.cut = True
    ask(page, "Is the valve < 3 bar & *new*?")
    again = page.get_by_role("button", name="Try again")
    again.wait_for(timeout=30_000)
    assert page.get_by_text("The valve opens").count() == 1, "what was written stays"
    again.click()
    assert typed(page, 1).inner_text() == "Is the valve < 3 bar & *new*?"
    page.locator(".roma-badge").first.wait_for(timeout=30_000)
    assert service.asked[-2:] == ["Is the valve < 3 bar & *new*?"] * 2


def test_a_question_meanwhile_waits_for_its_turn_and_stop_ends_an_answer(page: Any) -> None:
    ask(page, "When does the valve open?")
    ask(page, "And when does the valve close?")
    page.get_by_text("Waiting for the answer above").wait_for(timeout=10_000)
    page.get_by_text("The valve opens").first.wait_for(timeout=10_000)
    page.get_by_role("button", name="Stop").first.click()
    page.get_by_text("Stopped.").wait_for(timeout=10_000)
    page.locator(".roma-follow-up button").first.wait_for(timeout=30_000)  # the second question's answer
    assert page.get_by_text("Waiting for the answer above").count() == 0


def test_an_answer_is_rated_and_its_conversation_found_again_renamed_and_deleted(page: Any, service: Service) -> None:
    def row(title: str) -> Any:
        return page.locator(".MuiListItemButton-root").filter(has_text=title)

    ask(page, "Is this <b>valve</b> mine?")
    page.get_by_label("A good answer").click(timeout=30_000)
    page.get_by_role("button", name="New conversation").click()
    page.locator(".roma-typed").wait_for(state="detached", timeout=10_000)
    row("Is this <b>valve</b> mine?").click()
    assert typed(page, 0).inner_text() == "Is this <b>valve</b> mine?"
    page.get_by_text("from an earlier conversation").wait_for(timeout=10_000)
    page.locator(".roma-badge").first.click()
    page.locator("mark").wait_for(timeout=10_000)
    (kept,) = finished(service.roma.sessions.feedback("default"))
    assert kept.rating == "up" and kept.session_id.startswith("local:")

    dialog = page.get_by_role("dialog")
    row("Is this <b>valve</b> mine?").get_by_title("Rename").click()
    dialog.get_by_label("Title").fill("About <i>valves</i>")
    dialog.get_by_role("button", name="Rename").click()
    row("About <i>valves</i>").get_by_title("Delete").click()
    dialog.get_by_role("button", name="Delete").click()
    row("About <i>valves</i>").wait_for(state="detached", timeout=10_000)
    page.locator(".roma-typed").wait_for(state="detached", timeout=10_000)


def test_a_citation_of_a_pdf_shows_its_page_with_the_cited_part_marked(page: Any) -> None:
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


def test_on_a_phone_the_conversation_is_not_covered(open_page: Open, service: Service) -> None:
    view = open_page(service.address, **PHONE)
    view.get_by_text("2 documents").wait_for(timeout=30_000)
    view.locator("textarea").first.click(timeout=10_000)
    assert view.evaluate("document.documentElement.scrollWidth") <= 390


def test_each_token_opens_the_console_as_often_as_it_likes_and_sees_its_own_conversations(
    open_page: Open, tmp_path: Path
) -> None:
    from roma_core.api.tokens import TokenStore

    one, other = (TokenStore(tmp_path).create(name, ["query"])[0] for name in ("one", "other"))
    with Service(tmp_path).running() as service:

        def signed_in(token: str) -> Any:
            view = open_page(service.address, http_credentials={"username": "me", "password": token})
            view.get_by_text("There are no documents yet").wait_for(timeout=30_000)
            view.get_by_text("ROMA: ok").wait_for(timeout=30_000)  # conversations are listed before
            return view

        view = signed_in(one)
        ask(view, "What only I asked")
        view.get_by_text("Earlier conversations").wait_for(timeout=30_000)
        for token, listed in ((other, 0), (one, 1), (one, 1)):
            view.context.close()
            view = signed_in(token)
            assert view.get_by_text("What only I asked").count() == listed
        view.context.close()
