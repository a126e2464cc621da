"""The console in Chromium: does the 200th answer cost what the 5th did, what goes over the wire, when are words seen?

A real server with the fake model in a thread of this process, and a real browser. Times are medians of windows
of one page's answers: other work of the machine falls on early and late answers alike only as far as it is steady.
"""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
import threading
import time
import urllib.request
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.report import write

TURNS = 200
EARLY, LATE = range(2, 9), range(TURNS - 7, TURNS)
"""Windows around the 5th answer and before the 200th."""
LONG_CHARS = 40_000
FIRST_TOKENS = 15
MANUAL = "# Manual\n\nThe valve opens at 3 bar and closes at 2 bar.\n\nMore about the valve.\n"
ANSWER = "The **valve** opens at 3 bar [1]. It closes at 2 bar [1]."
PARAGRAPH = "The valve opens at 3 bar and closes at 2 bar, which the keeper checks once a day with the old gauge. "
GOAL_RATIO, GOAL_BYTES, GOAL_MS = 1.2, 3.0, 100


class Model:
    """The fake model, which notes when it gives its first words."""

    def __init__(self) -> None:
        from roma_core.llm.providers.fake import FakeLLM

        self.inner = FakeLLM(rule=self.reply)
        self.first_at = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def reply(self, request: Any) -> Any:
        from roma_core.llm.providers.fake import Reply

        content = request.messages[-1].content
        if request.purpose == "rewrite":
            return Reply(content.rpartition("New question: ")[2])
        question = content.rpartition("Question: ")[2]
        if "everything" in question:
            return Reply("\n\n".join([PARAGRAPH * 4] * (LONG_CHARS // len(PARAGRAPH * 4))))
        return Reply(ANSWER, word_wait_s=0.05 if "slowly" in question else 0)

    async def stream(self, request: Any) -> AsyncIterator[Any]:
        is_first = True
        async for delta in self.inner.stream(request):
            if is_first and request.purpose != "rewrite":
                self.first_at = time.time()
            is_first = False
            yield delta


@contextmanager
def served(workspace: Path, model: Model) -> Iterator[str]:
    import asyncio

    from roma_core import Settings, build_roma
    from roma_core.api.serve import server as make_server
    from roma_core.llm.service import LLMService

    settings = Settings.load(
        workspace=workspace,
        embedder="fake",
        reranker="fake",
        parser_workers=1,
        planner="off",
        rate_limit_per_minute=10**6,
    )
    page = workspace / "manual.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(MANUAL)

    async def ingest() -> None:
        async with build_roma(settings) as roma:
            await roma.ingest(page)

    asyncio.run(ingest())
    server = make_server(build_roma(settings, llm=LLMService([model])), port=0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = server.force_exit = True
    thread.join(20)


def ask_until_done(page: Any, question: str) -> float:
    """Ask and return the seconds until the answer stands there whole, as the page's own clock has it."""
    taken: float = page.evaluate(
        """async (question) => {
            const box = document.querySelector("#roma-question");
            const before = performance.now();
            box.value = question;
            box.dispatchEvent(new InputEvent("input", {bubbles: true}));
            await new Promise(requestAnimationFrame);
            box.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true, cancelable: true}));
            for (;;) {
                await new Promise(requestAnimationFrame);
                const last = [...document.querySelectorAll(".roma-turn")].at(-1);
                if (last?.innerText.includes(question) && last.querySelector(".roma-actions")) break;
            }
            return performance.now() - before;
        }""",
        question,
    )
    return taken / 1000


def measure_turns(page: Any) -> list[dict[str, object]]:
    times: list[float] = []
    nodes: dict[int, int] = {}
    for number in range(TURNS):
        times.append(ask_until_done(page, f"When does the valve open, number {number}?"))
        if number + 1 in {5, 50, TURNS}:
            nodes[number + 1] = page.evaluate("document.querySelectorAll('*').length")
    early = statistics.median(times[n] for n in EARLY)
    late = statistics.median(times[n] for n in LATE)
    rows: list[dict[str, object]] = [
        {"measure": "answer 5, ms (median of 7 around it)", "value": early * 1000, "goal": None},
        {"measure": f"answer {TURNS}, ms (median of the last 7)", "value": late * 1000, "goal": None},
        {"measure": f"answer {TURNS} / answer 5", "value": late / early, "goal": f"<= {GOAL_RATIO}"},
    ]
    rows += [{"measure": f"DOM nodes after {n} answers", "value": found, "goal": None} for n, found in nodes.items()]
    return rows


def call(address: str, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex}
    return urllib.request.urlopen(urllib.request.Request(f"{address}/console/api{path}", data, headers), timeout=120)


def measure_bytes(address: str) -> list[dict[str, object]]:
    """Count the bytes of the updates of a long answer, until its end begins and with it."""
    with call(
        address, f"/conversations/{uuid.uuid4().hex}/ask", {"text": "Tell me everything about the valve."}
    ) as asked:
        record_id = json.load(asked)["id"]
    words = chars = 0
    with call(address, f"/answers/{record_id}/updates") as stream:
        for line in stream:
            if line.startswith(b"data: ") and json.loads(line[6:])["type"] == "end":
                chars = len(json.loads(line[6:])["turn"]["markdown"])
                break
            words += len(line)
    return [
        {"measure": "characters of the long answer", "value": chars, "goal": None},
        {"measure": "bytes of its stream for each character", "value": words / chars, "goal": f"< {GOAL_BYTES}"},
    ]


def measure_first_words(page: Any, model: Model) -> list[dict[str, object]]:
    """Measure from the model's first words in this process to their place on the screen."""
    waits = []
    for number in range(FIRST_TOKENS):
        question = f"What happens slowly, number {number}?"
        seen = page.evaluate(
            """async (question) => {
                const box = document.querySelector("#roma-question");
                box.value = question;
                box.dispatchEvent(new InputEvent("input", {bubbles: true}));
                await new Promise(requestAnimationFrame);
                box.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true, cancelable: true}));
                for (;;) {
                    await new Promise(requestAnimationFrame);
                    const last = [...document.querySelectorAll(".roma-turn")].at(-1);
                    const words = last?.querySelector(".roma-answer")?.innerText.trim();
                    if (words && last.innerText.includes(question)) break;
                }
                return Date.now();
            }""",
            question,
        )
        waits.append(seen - model.first_at * 1000)
        page.locator(".roma-actions").nth(-1).wait_for()
        page.locator(".roma-turn[aria-busy=true]").wait_for(state="detached")
    return [
        {
            "measure": "first words on the screen after the model gave them, ms",
            "value": statistics.median(waits),
            "goal": f"<= {GOAL_MS}",
        }
    ]


def measure_load(browser: Any, address: str) -> list[dict[str, object]]:
    """Measure a cold load: first paint, time until one can type, bytes over the wire."""
    page = browser.new_context().new_page()
    page.goto(f"{address}/console")
    page.locator("#roma-question").wait_for()
    page.wait_for_load_state("networkidle")
    paint, typing, size = page.evaluate(
        """() => [performance.getEntriesByType("paint").find((e) => e.name === "first-contentful-paint")?.startTime,
            performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd,
            performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation"))
                .reduce((sum, e) => sum + e.transferSize, 0)]"""
    )
    return [
        {"measure": "cold load: first contentful paint, ms", "value": float(paint), "goal": None},
        {"measure": "cold load: one can type, ms", "value": float(typing), "goal": None},
        {"measure": "cold load: kB over the wire", "value": size / 1000, "goal": None},
    ]


def main() -> None:
    from playwright.sync_api import sync_playwright

    chromium = next(p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n)))
    model = Model()
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder) / "work" / ".roma", model) as address,  # before Playwright, which keeps this thread's loop
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        rows = measure_load(browser, address)
        page = browser.new_page()
        page.goto(f"{address}/console")
        page.locator(".roma-example").first.wait_for()
        rows += measure_turns(page)
        rows += measure_bytes(address)
        fresh = browser.new_page()
        fresh.goto(f"{address}/console")
        fresh.locator(".roma-example").first.wait_for()
        rows += measure_first_words(fresh, model)
    note = "The model is a fake that answers at once (slowly: a word each 50 ms); browser and server share the machine."
    write("console", "The console in a browser", rows, note, packages=["playwright", "uvicorn"])


if __name__ == "__main__":
    main()
