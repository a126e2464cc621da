"""Proofs of the console in a real Chromium: exact words, kills, hostile text, no other host, a stakeholder's visit."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unicodedata
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.console import (
    CHROMIUM,
    PHONE,
    Open,
    Service,
    ask,
    box_of,
    find_strangers,
    finished,
    is_in_view,
    wait_for_answer,
)
from tests.console_documents import MAKERS, SUBJECTS, statement, write_documents
from tests.payloads import HOST, make_payloads

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt-get install chromium)"),
]
PASSAGE = re.compile(r'<passage-\w+ number="(\d+)"[^>]*>\n(.*?)\n</passage-', re.DOTALL)


def letters(text: str) -> str:
    return "".join(sign for sign in unicodedata.normalize("NFKC", text).casefold() if sign.isalnum())


def call(address: str, path: str, body: Any = None, **headers: str) -> Any:
    """Ask the console's own routes, as its page does."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{address}/console/api{path}", data, {"Content-Type": "application/json", **headers}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.loads(response.read() or b"null")


def start_answer(address: str, question: str, conversation: str, **fields: Any) -> str:
    body = {"text": question, **fields}
    found = call(address, f"/conversations/{conversation}/ask", body, **{"Idempotency-Key": uuid.uuid4().hex})
    return str(found["id"])


def new_id() -> str:
    return uuid.uuid4().hex


def await_turns(address: str, conversation: str, is_done: Any) -> list[dict[str, Any]]:
    """Return the turns of a conversation once ``is_done`` of them."""
    for _ in range(600):
        turns: list[dict[str, Any]] = call(address, f"/conversations/{conversation}")["turns"]
        if is_done(turns):
            return turns
        time.sleep(0.1)
    raise AssertionError(f"the conversation did not come so far: {turns}")


# --- the exact words ---


def quote_statements(request: Any) -> Any:
    """Reply with every statement that the passages hold, each with the marker of its passage."""
    from roma_core.llm.providers.fake import Reply

    content = request.messages[-1].content
    if request.purpose == "rewrite":
        return Reply(content.rpartition("New question: ")[2])
    passages = PASSAGE.findall(content)
    lines = []
    for kind in MAKERS:
        for number in range(len(SUBJECTS)):
            told = statement(kind, number)
            marker = next((n for n, text in passages if letters(told) in letters(text)), None)
            if marker is not None:
                lines.append(f"- {told} [{marker}]")
    return Reply("\n".join(lines) or "I do not know.")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("library")
    paths = write_documents(folder / "files")
    service = Service(folder / ".roma", rule=quote_statements, ingest=paths)
    with service.running():
        yield service


def marked_words(page: Any, kind: str, path: Path) -> str:
    """Return the words under the marks: those of a PDF are read from the file where its boxes lie."""
    if kind != "pdf":
        return "".join(page.locator(".roma-reader mark").all_inner_texts())
    import pypdfium2

    boxes = page.locator(".roma-box")
    assert set(boxes.evaluate_all("all => all.map(e => e.dataset.exact)")) == {"true"}
    number = int(page.locator(".roma-sheet", has=boxes).first.locator("figcaption").inner_text().split()[1])
    sheet = pypdfium2.PdfDocument(path)[number - 1]
    width, height = sheet.get_size()
    text = sheet.get_textpage()
    words = []
    for area in boxes.evaluate_all(
        "all => all.map(e => ['left', 'top', 'width', 'height'].map(k => parseFloat(e.style[k])))"
    ):
        left, top, wide, high = (part / 100 for part in area)
        words.append(
            text.get_text_bounded(
                left * width, height - (top + high) * height, (left + wide) * width, height - top * height
            )
        )
    return "".join(words)


@pytest.mark.parametrize("kind", MAKERS)
def test_each_badge_lands_on_its_exact_words(kind: str, open_page: Open, library: Service) -> None:
    path = next(path for path in library.ingested if path.suffix == f".{kind}")
    (document,) = [d for d in finished(library.documents()) if d.uri.endswith(path.name)]
    conversation = new_id()
    start_answer(library.address, "Which buildings were finished by masons?", conversation, documents=[document.id])
    await_turns(library.address, conversation, lambda turns: turns and turns[-1]["state"] == "complete")
    page = open_page(library.address, f"/console/c/{conversation}")
    badges = wait_for_answer(page).locator(".roma-answer .roma-badge[data-citation]")
    landed = 0
    for at in range(badges.count()):
        badges.nth(at).click()
        marks = page.locator(".roma-box" if kind == "pdf" else ".roma-reader mark")
        page.locator(".roma-reader-body").wait_for()
        quote = page.evaluate("() => document.querySelector('.roma-claim')?.innerText || ''")
        marks.first.wait_for()
        page.wait_for_timeout(300)  # a picture of a page may come behind its boxes
        words = letters(marked_words(page, kind, path))
        told = letters(statement(kind, at))
        assert told in words, f"{kind}: {statement(kind, at)!r} is not under the mark: {words!r} ({quote})"
        if kind != "xlsx":
            assert words == told, f"{kind}: more than the words is marked"
        assert is_in_view(marks.first, page.locator(".roma-reader-body")), f"{kind}: the mark is out of sight"
        landed += 1
        page.keyboard.press("Escape")
        page.locator(".roma-reader").wait_for(state="detached")
    assert landed == len(SUBJECTS)


# --- a server that is killed ---

SERVE = """
import sys, time
from pathlib import Path
from tests.console import Service
with Service(Path(sys.argv[1]), int(sys.argv[2])).running() as service:
    print(service.port, flush=True)
    time.sleep(3600)
"""


@contextmanager
def served(workspace: Path, port: int = 0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A service in a process of its own, killed at the end of the block."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(workspace), str(port)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line.strip(), "the server did not start"
            yield process, f"http://127.0.0.1:{int(line)}"
        finally:
            process.kill()


def test_ten_answers_survive_a_kill_and_go_on(open_page: Open, console_corpus: Path, tmp_path: Path) -> None:
    workspace = tmp_path / ".roma"
    shutil.copytree(console_corpus, workspace)
    conversations = [new_id() for _ in range(10)]
    with served(workspace) as (process, address):
        for number, conversation in enumerate(conversations):
            start_answer(address, f"What happens slowly, {number}?", conversation)
        for conversation in conversations:
            await_turns(address, conversation, lambda turns: turns and "".join(turns[-1].get("blocks", ())))
        view = open_page(address, f"/console/c/{conversations[0]}")
        view.get_by_text("The valve opens").first.wait_for()
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)
        view.get_by_text("Connection lost. Trying again").wait_for()
        port = int(address.rpartition(":")[2])
    with served(workspace, port) as (_, address):
        for number, conversation in enumerate(conversations):
            (turn,) = await_turns(address, conversation, lambda turns: turns and turns[-1]["state"] != "running")
            assert turn["state"] == "interrupted" and "restarted" in turn["advice"]
            assert turn["question"] == f"What happens slowly, {number}?"
            assert "The valve opens" in "".join(turn["blocks"]), "the words so far are kept"
        view.get_by_text("ROMA was restarted while it wrote this answer").wait_for()
        view.get_by_role("button", name="Go on").click()
        view.locator(".roma-turn[aria-busy=true]").wait_for()
        for number, conversation in enumerate(conversations[1:], 1):
            record = start_answer(address, f"What happens slowly, {number}?", conversation)
            (turn,) = await_turns(address, conversation, lambda turns: "".join(turns[-1].get("blocks", ())))
            assert turn["state"] == "running", "it goes on in the place of the one that was interrupted"
            call(address, f"/answers/{record}/stop", {})
        view.complaints[:] = [said for said in view.complaints if "ERR_" not in said]  # refused connections
        view.context.close()


# --- hostile text ---

HOSTILE = make_payloads()
PARTS = 4
"""Answers that the payloads are spread over."""


def say_hostile(request: Any) -> Any:
    """Reply with the payloads of the part that the question names, and with hostile follow-up questions."""
    from roma_core.llm.providers.fake import Reply

    question = request.messages[-1].content.rpartition("Question: ")[2]
    if request.purpose == "rewrite":
        return Reply(request.messages[-1].content.rpartition("New question: ")[2])
    part = int(re.search(r"part (\d)", question)[1])  # type: ignore[index]
    payloads = HOSTILE[part::PARTS]
    answer = "\n\n".join(f"{payload} [1]" for payload in payloads)
    return Reply(f"{answer}\n<<<follow-ups>>>\n- {payloads[0]}\n- {payloads[-1]}")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("hostile")
    paths = []
    for part in range(PARTS):
        payloads = HOSTILE[part::PARTS]
        path = folder / f"part {part} <img src=x onerror=window.pwned=1>.md"
        path.write_text(f"# Part {part} {payloads[0]}\n\n" + "\n\n".join(payloads))
        paths.append(path)
    with Service(folder / ".roma", rule=say_hostile, ingest=paths).running() as service:
        yield service


def require_harmless(page: Any, address: str) -> None:
    """Check that nothing ran, nothing was asked of another host, and nothing stands in the page that could load."""
    assert page.evaluate("() => [window.pwned, document.title]") == [None, "ROMA"]
    assert find_strangers(page, address) == [], "the page asked another host"
    found = page.evaluate(
        """() => [...document.querySelectorAll("#roma *")].filter((e) =>
            ["SCRIPT", "IFRAME", "OBJECT", "EMBED", "BASE", "META", "LINK", "VIDEO", "AUDIO", "STYLE"]
                .includes(e.tagName)
            || [...e.attributes].some((a) => a.name.startsWith("on"))
            || (e.tagName === "IMG" && !e.src.startsWith(location.origin))
            || (e.tagName === "A" && e.href && !/^(https?:|mailto:)/.test(e.href))).map((e) => e.outerHTML)"""
    )
    assert found == []


def test_there_are_a_hundred_hostile_texts_each_once() -> None:
    assert len(HOSTILE) >= 100 and len(set(HOSTILE)) == len(HOSTILE)


def ask_hostile(page: Any, part: int, nth: int, address: str) -> None:
    """Ask for a part of the hostile texts, in a question that is hostile as well, and check that nothing acts."""
    ask(page, f"What is in part {part}? {HOSTILE[part]}")
    turn = wait_for_answer(page, nth)
    for badge in turn.locator(".roma-answer .roma-badge[data-citation]").all()[:3]:
        badge.hover()
    require_harmless(page, address)
    for pill in page.locator(".roma-follow-up").all()[:1]:
        pill.click()
    box_of(page).fill("")


def read_hostile(open_page: Open, service: Service, document: Any) -> None:
    """Read a hostile document to its end, and check that nothing acts."""
    reader = open_page(service.address, f"/read/{document.id}?start=0&end={min(40, len(document.text))}")
    reader.locator("mark").first.wait_for()
    while reader.get_by_role("button", name="Read on").count():
        reader.get_by_role("button", name="Read on").click()
    require_harmless(reader, service.address)


def test_some_hostile_texts_do_nothing(open_page: Open, hostile: Service) -> None:
    page = open_page(hostile.address)
    ask_hostile(page, 0, 0, hostile.address)
    assert HOST in page.locator("#roma").inner_text(), "the words of the payloads are shown as words"
    read_hostile(open_page, hostile, finished(hostile.documents())[0])


@pytest.mark.soak
def test_a_hundred_hostile_texts_do_nothing(open_page: Open, hostile: Service) -> None:
    page = open_page(hostile.address)
    for part in range(PARTS):
        ask_hostile(page, part, part, hostile.address)
    page.reload()
    wait_for_answer(page, PARTS - 1)
    require_harmless(page, hostile.address)
    assert HOST in page.locator("#roma").inner_text(), "the words of the payloads are shown as words"
    for document in finished(hostile.documents()):
        read_hostile(open_page, hostile, document)


# --- no other host ---


PAGES = (
    "/console",
    "/console/c/unknown-conversation",
    "/console/sources",
    "/console/evals",
    "/console/usage",
    "/console/corpus",
    "/console/ab",
    "/audit-log",
    "/sign-in",
    "/docs",
)


@pytest.mark.soak
def test_no_page_asks_another_host(open_page: Open, console: Service) -> None:
    (document, *_) = finished(console.documents())
    for path in (*PAGES, f"/read/{document.id}"):
        page = open_page(console.address, path)  # names are not resolved in this browser
        page.wait_for_load_state("networkidle")
        assert find_strangers(page, console.address) == [], path
        page.context.close()


KERNEL = """
(source) => {
    const answers = {
        state: {workspace: "w", version: "1", personas: ["general"], user: {name: "local", may_sign_out: false},
            choices: {}, may_ingest: false, may_audit: false, health: "ok", unwell: [], documents: 3, collections: [],
            questions: ["What is x?"]},
        conversations: [],
    };
    let receive = () => undefined;
    const model = {
        on: (_, action) => { receive = action; },
        send: ({call, name}) => setTimeout(() => receive({call, kind: "result", value: answers[name] ?? []}), 0),
    };
    const address = URL.createObjectURL(new Blob([source], {type: "text/javascript"}));
    const el = document.createElement("div");
    document.body.append(el);
    return import(address).then((module) => { module.default.render({model, el}); });
}
"""
"""A kernel as a notebook's page has one: the widget's calls come back with values."""


def test_the_chat_in_a_notebook_asks_nobody_but_its_kernel(browser: Any) -> None:
    from roma_core.ui.chat.assets import bundle, read_styles

    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_content(f"<!doctype html><style>{read_styles()}</style><body></body>")
    page.evaluate(KERNEL, bundle())
    page.get_by_text("3 documents").wait_for()
    page.get_by_label("Your question").fill("What is x?")
    page.wait_for_timeout(500)
    assert [url for url in asked if not url.startswith(("about:", "blob:", "data:"))] == []
    context.close()


# --- everybody can use it ---


def find_barriers(page: Any) -> list[str]:
    """Return what axe-core calls serious or critical on a page."""
    from importlib.resources import files

    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations'], preload: false}).then((r) => r.violations)")
    return [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary'][:200]}"
        for rule in found
        if rule["impact"] in {"serious", "critical"}
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page(scheme: str, open_page: Open, console: Service) -> None:
    pytest.importorskip("axe_playwright_python")
    page = open_page(console.address, color_scheme=scheme)
    page.locator(".roma-example").first.wait_for()
    barriers = {"empty": find_barriers(page)}
    ask(page, "What did the keeper of the lighthouse write down about elephants?")
    page.locator(".roma-stage").first.wait_for()
    barriers["waiting"] = find_barriers(page)
    turn = wait_for_answer(page)
    barriers["answer"] = find_barriers(page)
    turn.get_by_label("Export this answer").click()
    barriers["export"] = find_barriers(page)
    page.keyboard.press("Escape")
    turn.get_by_label("A bad answer").click()
    barriers["thumb"] = find_barriers(page)
    turn.locator(".roma-answer .roma-badge").first.click()
    page.locator(".roma-box").first.wait_for()
    barriers["pages"] = find_barriers(page)
    page.get_by_role("button", name="Text", exact=True).click()
    page.locator(".roma-reader mark").first.wait_for()
    barriers["text"] = find_barriers(page)
    page.keyboard.press("Escape")
    row = page.get_by_role("navigation", name="Conversations").locator(".roma-row").first
    row.hover()
    barriers["history"] = find_barriers(page)
    console.cut = True
    ask(page, "Is the valve new?")
    page.get_by_role("alert").wait_for()
    barriers["error"] = find_barriers(page)
    address = turn.locator(".roma-answer .roma-badge").first.get_attribute("href")
    for path in (address, "/console/sources", "/console/ab"):
        other = open_page(console.address, path, color_scheme=scheme)
        other.wait_for_load_state("networkidle")
        barriers[path.partition("?")[0]] = find_barriers(other)
    phone = open_page(console.address, color_scheme=scheme, **PHONE)
    phone.locator(".roma-example").first.wait_for()
    phone.get_by_role("button", name="Conversations").click()
    barriers["phone"] = find_barriers(phone)
    assert {place: found for place, found in barriers.items() if found} == {}


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.soak)])
def test_axe_finds_nothing_serious_in_what_one_opens(scheme: str, open_page: Open, console: Service) -> None:
    pytest.importorskip("axe_playwright_python")
    page = open_page(console.address, color_scheme=scheme)
    barriers: dict[str, list[str]] = {}
    ask(page, "When does the valve open?")
    turn = wait_for_answer(page)
    turn.get_by_label("Compare with another answer").click()
    turn.get_by_label("Written for").select_option("executive")
    turn.get_by_role("button", name="Compare", exact=True).click()
    turn.locator(".roma-beside").nth(1).get_by_text("End of the answer").wait_for()
    barriers["compare"] = find_barriers(page)
    turn.get_by_role("button", name="Close").first.click()
    text = f"# Pumps in the {scheme}\n\nThe pump moves 40 litres."  # what is there already says so in other words
    file = {"name": f"pumps-{scheme}.md", "mimeType": "text/markdown", "buffer": text.encode()}
    page.locator("input[type=file]").set_input_files([file])
    page.get_by_text("It can be asked about now.").wait_for()
    page.get_by_role("button", name="Ask only this document").first.click()
    barriers["upload and filter"] = find_barriers(page)
    box_of(page).press_sequentially("valve")
    page.get_by_role("option").first.wait_for()
    barriers["suggestions"] = find_barriers(page)
    box_of(page).fill("")
    rows = page.get_by_role("navigation", name="Conversations")
    rows.get_by_role("button", name="Rename When does the valve open?").first.click()
    barriers["rename"] = find_barriers(page)
    page.keyboard.press("Escape")
    rows.get_by_role("button", name="Delete When does the valve open?").first.click()
    barriers["delete"] = find_barriers(page)
    page.keyboard.press("Escape")
    page.get_by_label("Export this conversation").click()
    barriers["export of a conversation"] = find_barriers(page)
    page.keyboard.press("Escape")
    turn.locator(".roma-answer .roma-badge").first.hover()
    page.get_by_role("tooltip").wait_for()
    barriers["card"] = find_barriers(page)
    ask(page, "What happens slowly?")
    page.locator(".roma-open").first.wait_for()
    barriers["streaming"] = find_barriers(page)
    page.get_by_role("button", name="Stop the answer").click()
    page.get_by_text("This answer was stopped.").wait_for()
    barriers["stopped"] = find_barriers(page)
    assert {place: found for place, found in barriers.items() if found} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_the_pages_beside_the_chat(scheme: str, open_page: Open, console: Service) -> None:
    pytest.importorskip("axe_playwright_python")
    barriers: dict[str, list[str]] = {}
    for path in ("/audit-log?verify=true", "/sign-in", "/docs", "/console/ab", "/console/c/unknown-conversation"):
        page = open_page(console.address, path, color_scheme=scheme)
        page.wait_for_load_state("networkidle")
        page.evaluate("() => document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        barriers[path] = find_barriers(page)
        page.context.close()
    assert {place: found for place, found in barriers.items() if found} == {}


# --- a stakeholder's visit ---


@pytest.mark.timeout(900)  # a whole visit: half a minute, and minutes on a machine with much else to do
def test_a_stakeholder_visits(open_page: Open, console_corpus: Path, tmp_path: Path) -> None:
    from roma_core.api.tokens import TokenStore

    workspace = tmp_path / ".roma"
    shutil.copytree(console_corpus, workspace)
    token = TokenStore(workspace).create("board", ["query"])[0]
    service = Service(workspace)
    signed_in = {"http_credentials": {"username": "board", "password": token}, "accept_downloads": True}
    with service.running():
        page = open_page(service.address, **signed_in)
        page.get_by_text("2 documents").wait_for()
        assert page.locator(".roma-example").count() == 4, "it offers questions of this corpus"
        ask(page, "What did the keeper of the lighthouse write down?")
        page.locator(".roma-stage").first.wait_for()
        turn = wait_for_answer(page)
        badge = turn.locator(".roma-answer .roma-badge").first
        badge.hover()
        card = page.get_by_role("tooltip")
        card.wait_for()
        place = card.locator(".roma-muted").first.inner_text()
        assert re.search(r"page \d", place)
        badge.click()
        words = page.locator(".roma-box[data-exact=true]")
        words.first.wait_for()
        assert is_in_view(words.first, page.locator(".roma-reader-body"))
        page.keyboard.press("Escape")
        turn.get_by_label("A bad answer").click()
        turn.get_by_role("button", name="Misses something").click()
        turn.get_by_role("button", name="Send").click()
        turn.get_by_text("Thank you.").wait_for()
        turn.get_by_label("Export this answer").click()
        with page.expect_download() as saved:
            page.get_by_role("button", name="PDF").click()
        saved.value.save_as(tmp_path / "answer.pdf")
        require_proof(tmp_path / "answer.pdf", "wrote down the weather", place)
        ask(page, "When does the valve open?")
        wait_for_answer(page, 1)
        page.get_by_role("button", name="How is the valve cleaned?").click()
        assert box_of(page).input_value() == "How is the valve cleaned?"
        page.reload()
        wait_for_answer(page, 1)
        assert page.locator(".roma-turn").first.get_by_label("A bad answer").get_attribute("aria-pressed") == "true"
        ask(page, "What happens slowly?")
        page.get_by_text("The valve opens").nth(1).wait_for()
    page.get_by_text("Connection lost. Trying again").wait_for()
    with service.running():
        page.get_by_text("ROMA was restarted while it wrote this answer").wait_for()
        page.get_by_role("button", name="Go on").click()
        page.locator(".roma-turn[aria-busy=true]").wait_for()
        page.get_by_role("button", name="Stop the answer").click()
        page.get_by_text("This answer was stopped.").wait_for()
        page.complaints[:] = [said for said in page.complaints if "ERR_" not in said]  # refused connections
        page.context.close()


def require_proof(path: Path, quote: str, place: str) -> None:
    import pypdfium2

    text = "".join(page.get_textpage().get_text_bounded() for page in pypdfium2.PdfDocument(path))
    for fact in (quote, place, "SHA-256"):
        assert letters(fact) in letters(text), f"the export lacks {fact!r}"
