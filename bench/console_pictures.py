"""Pictures of the console in each of its states, for the playbook: ``python -m bench console_pictures``.

A real server over two documents, a model that answers by the question, and a real Chromium. Each picture is of a state
that is waited for, so the same pictures come at every run.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from bench.dashboards import fill
from bench.report import ROOT
from roma_core.ui.dashboards.frame import DASHBOARDS
from tests.console import CHROMIUM, PHONE, WAIT_MS, Service, ask, finished, ingest_files, wait_for_answer

FOLDER = ROOT / "docs" / "console"
PAGES = {
    "valve.md": "# Valve manual\n\nThe valve opens at 3 bar and closes at 2 bar.\n\n## Care\n\nThe seal is changed "
    "every two years.\n",
    "old-valve.md": "# Valve manual of 1998\n\nThe valve opens at 5 bar and closes at 2 bar.\n\nThe seal is changed "
    "every year.\n",
    "bridge.md": "# الجسر\n\nيبلغ طول الجسر 48 مترا. بني الجسر في عام 1902.\n",
}
LAST_HEADINGS = {
    "/console/evals": "All runs of this set",
    "/console/usage": "Models",
    "/console/corpus": "Documents by type",
}
FLOW = "| Pressure | Flow |\n|---|--:|\n| 2 bar | 0 l/min |\n| 3 bar | 12 l/min |"
ANSWERS = {
    "table": f"The flow grows with the pressure [1]:\n\n{FLOW}\n\nIt follows $Q = k\\sqrt{{p - p_0}}$.\n\n```python\n"
    "def flow(p, k=12):\n    # litres a minute\n    return k * max(0, p - 2) ** 0.5\n```",
    "false": "The valve opens at 3 bar [1]. It was painted green by forty elephants in Peru [1].",
    "long": "The valve opens at 3 bar [1]. " + "Then it waits until the pressure has fallen, and closes again. " * 60,
    "bridge": "يبلغ طول الجسر 48 مترا [1]. بني الجسر في عام 1902 [1].",
    "agree": "The valve opens at 3 bar [1]. In the older manual it opens at 5 bar [2].",
    "unknown": "I don't know.",
    "think": "The valve opens at 3 bar [1].",
    "say all": "The valve opens at 3 bar [1] and closes at 2 bar [1]. The seal is changed every two years [1].",
}


def reply(request: Any) -> Any:
    from roma_core.llm.providers.fake import Reply

    content = request.messages[-1].content
    if request.purpose == "rewrite":
        return Reply(content.rpartition("New question: ")[2])
    question = content.rpartition("Question: ")[2].lower()
    if "break" in question:
        return Reply("The valve opens", finish_reason=None)
    name = next((name for name in ANSWERS if name in question), "")
    text = ANSWERS.get(
        name, "The valve opens at 3 bar and closes at 2 bar [1].\n<<<follow-ups>>>\n- How is the seal changed?"
    )
    text = _number_by_words(content, text, name)
    waits = {"think": 0.0, "long": 0.04}
    thoughts = "The manual says when the valve opens. " * 400 if name == "think" else ""
    first = 30.0 if "wait" in question else 0.0
    return Reply(
        text,
        word_wait_s=waits.get(name, 0.0) or (0.05 if thoughts else 0.0),
        thoughts=thoughts,
        first_token_wait_s=first,
    )


def _number_by_words(content: str, text: str, name: str) -> str:
    """Return the answer with the numbers that its passages have in this prompt."""
    import re

    passages = re.findall(r'<passage-\w+ number="(\d+)"[^>]*>\n(.*?)\n</passage-', content, re.DOTALL)
    wanted = {"[1]": "48" if name == "bridge" else "3 bar", "[2]": "5 bar"}
    numbers = {mark: next((n for n, body in passages if words in body), "1") for mark, words in wanted.items()}
    return re.sub(r"\[[12]\]", lambda mark: f"[{numbers[mark[0]]}]", text)


def save_picture(page: Any, name: str) -> None:
    """Write a picture of a page, with a palette: enough for it, and a third of the size."""
    page.wait_for_timeout(300)  # pictures of pages and fonts settle
    path = FOLDER / f"{name}.png"
    page.screenshot(path=str(path))
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


def take_pictures(browser: Any, service: Service) -> None:
    """Take all pictures."""
    address = service.address
    pages: list[Any] = []

    def open_page(**options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.goto(f"{address}/console")
        page.locator(".roma-example").first.wait_for()
        pages.append(context)
        return page

    def answered(name: str, question: str, then: Callable[[Any], None] | None = None, **options: Any) -> None:
        page = open_page(**options)
        ask(page, question)
        wait_for_answer(page)
        if then is not None:
            then(page)
        save_picture(page, name)

    save_picture(open_page(), "empty")
    save_picture(open_page(color_scheme="dark"), "empty-dark")
    for name, question, seen in (
        ("waiting", "What shall I wait for?", ".roma-stage[data-now=true]"),
        ("thinking", "What do you think of the valve?", ".roma-stage >> text=hinking"),
        ("streaming", "Tell me the long story of the valve", ".roma-open"),
    ):
        page = open_page()
        ask(page, question)
        page.locator(seen).first.wait_for()
        page.wait_for_timeout(1500)
        save_picture(page, name)
        page.get_by_role("button", name="Stop the answer").click()
    answered("done", "When does the valve open?")
    answered("rich", "Show me the table of flow")
    answered("not-supported", "What is false about the valve?")
    answered("conflict", "Do the manuals agree when the valve opens?")
    answered("unknown", "What is unknown?")
    answered("rtl", "كم يبلغ طول bridge الجسر؟")
    answered("card", "When does the valve open?", lambda page: page.locator(".roma-answer .roma-badge").first.hover())
    answered("source", "When does the valve open?", _open_source)
    answered("dark", "What is false about the valve?", _open_source, color_scheme="dark")
    answered("phone", "When does the valve open?", **PHONE)
    answered("compare", "When does the valve open?", _compare)
    answered("several-places", "Say all of the valve")
    answered("upload", "When does the valve open?", _bring)
    page = open_page()
    page.get_by_label("Your question").press_sequentially("valve")
    page.get_by_role("option").first.wait_for()
    save_picture(page, "suggestions")
    page = open_page()
    ask(page, "Does it break?")
    page.get_by_role("alert").wait_for()
    save_picture(page, "error")
    page = open_page()
    page.goto(f"{address}/console/ab/brief")
    save_picture(page, "trial")
    page = open_page()
    page.goto(f"{address}/console/sources")
    page.get_by_role("button", name="Plan").first.wait_for()
    page.wait_for_timeout(1500)  # the veil of loading fades
    save_picture(page, "sources")
    for context in pages:
        context.close()


def take_strict_picture(browser: Any, service: Service) -> None:
    """Take the picture of an answer of which statements were taken out."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{service.address}/console")
    ask(page, "What is false about the valve?")
    wait_for_answer(page).locator(".roma-removed summary").click()
    page.wait_for_timeout(300)
    save_picture(page, "strict")
    context.close()


def take_interruption_pictures(browser: Any, workspace: Path) -> None:
    """Take the pictures of a connection that is lost, and of an answer that a restart interrupted."""
    service = Service(workspace, rule=reply)
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    with service.running():
        page.goto(f"{service.address}/console")
        ask(page, "Tell me the long story of the valve")
        page.locator(".roma-open").first.wait_for()
        page.wait_for_timeout(1500)
    page.get_by_text("Connection lost. Trying again").wait_for()
    save_picture(page, "lost")
    with service.running():
        page.get_by_text("ROMA was restarted while it wrote this answer").wait_for()
        save_picture(page, "interrupted")
        context.close()


def take_dashboard_pictures(browser: Any, service: Service) -> None:
    """Take the pictures of the dashboards, of the audit log and of the sign-in."""
    views: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
        ("evals", "/console/evals", "", {}),
        ("evals-stages", "/console/evals", "Which stage lost the failed items", {}),
        ("evals-items", "/console/evals", "Item by item", {}),
        ("evals-dark", "/console/evals", "", {"color_scheme": "dark"}),
        ("usage", "/console/usage", "", {}),
        ("usage-phone", "/console/usage", "", PHONE),
        ("corpus", "/console/corpus", "", {}),
        ("audit", "/audit-log", "", {}),
        ("sign-in", "/sign-in", "", {}),
    )
    for name, path, heading, options in views:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.goto(f"{service.address}{path}")
        page.wait_for_load_state("networkidle")
        if path in DASHBOARDS:
            page.get_by_role("heading", name=LAST_HEADINGS[path]).first.wait_for()
            page.locator(".bk-Canvas").first.wait_for()
        if heading:
            page.get_by_role("heading", name=heading).first.evaluate("e => e.scrollIntoView()")
            page.wait_for_timeout(700)  # plots below the fold are drawn
        save_picture(page, name)
        context.close()


def fill_trial(service: Service) -> None:
    """Begin a trial with conversations of which b has more thumbs that are up."""
    import random

    from roma_core.types import Principal, Statement, TailorOutput, Usage

    drawn = random.Random(1)
    who = Principal.local()
    table = service.roma.trials.table
    trial = table.start("default", "brief", {}, {"rerank_weight": "0"}, by="local")
    from roma_core.sessions.service import Feedback
    from roma_core.trials import name_conversation

    opinions: list[Feedback] = []
    for number in range(240):
        session_id = f"session-{number}"
        conversation = name_conversation(who.subject, session_id)
        arm = trial.assign(conversation)
        table.enrol(trial, conversation)
        verdict = "supported" if drawn.random() < 0.9 else "unsupported"
        output = TailorOutput(
            answer="The valve opens at 3 bar.",
            answer_id=f"answer-{number}",
            statements=(Statement(start=0, end=25, verdict=verdict),),
            usage=Usage(input_tokens=900, output_tokens=60, cost_usd=0.0021 if arm == "a" else 0.0016),
        )
        table.note_outcome(trial, conversation, output, drawn.lognormvariate(0.8 if arm == "a" else 0.5, 0.4))
        rating = "up" if drawn.random() < (0.85 if arm == "b" else 0.55) else "down"
        opinions.append(Feedback(answer_id=f"answer-{number}", rating=rating, session_id=session_id))
    finished(_rate(service, opinions))


async def _rate(service: Service, opinions: list[Any]) -> None:
    from roma_core import build_roma
    from roma_core.types import Principal
    from tests.console import make_settings

    async with build_roma(make_settings(service.workspace)) as roma:
        for opinion in opinions:
            await roma.sessions.rate(Principal.local(), opinion)


def _bring(page: Any) -> None:
    file = {
        "name": "pumps.md",
        "mimeType": "text/markdown",
        "buffer": b"# Pumps\n\nThe pump moves 40 litres a minute.\n",
    }
    broken = {"name": "broken.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog"}
    page.locator("input[type=file]").set_input_files([file, broken])
    page.get_by_text("It can be asked about now.").wait_for()
    page.locator(".roma-upload[data-good=false]").wait_for()


def _open_source(page: Any) -> None:
    page.locator(".roma-answer .roma-badge").first.click()
    page.locator(".roma-reader mark").first.wait_for()


def _compare(page: Any) -> None:
    page.get_by_label("Compare with another answer").click()
    page.get_by_label("Written for").first.select_option("executive")
    page.get_by_role("button", name="Compare", exact=True).click()
    page.locator(".roma-pair").wait_for()


def main() -> None:
    from playwright.sync_api import sync_playwright

    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        workspace, files = Path(folder) / "handbooks" / ".roma", Path(folder) / "files"
        files.mkdir()
        for name, text in PAGES.items():
            (files / name).write_text(text, encoding="utf-8")
        finished(ingest_files(workspace, *(files / name for name in PAGES)))
        with Service(workspace, rule=reply).running() as service:
            fill_trial(service)
            take_pictures(browser, service)
        with Service(workspace, rule=reply, citations="strict").running() as service:
            take_strict_picture(browser, service)
        take_interruption_pictures(browser, workspace)
        with Service(fill(Path(folder) / "boards", runs=24, answers=600, documents=60)).running() as service:
            take_dashboard_pictures(browser, service)
    shutil.rmtree(FOLDER / "tmp", ignore_errors=True)
    print(f"Wrote {len(list(FOLDER.glob('*.png')))} pictures to {FOLDER.relative_to(ROOT)}.")


if __name__ == "__main__":
    main()
