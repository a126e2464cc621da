"""The service with its console for browser tests: a real server over a real store; the model is the scripted fake."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = next((p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None)
ATTACK = "<img src=x onerror=\"document.title='pwned'\">"
MANUAL = f"# Manual {ATTACK}\n\nThe valve opens at 3 bar and closes at 2 bar. {ATTACK}\n\nMore about the valve.\n"
ANSWER = f"The **valve** opens at 3 bar [1]. {ATTACK} ![x](https://attacker.example/leak.png) End of the answer."
REPLY = f"{ANSWER}\n<<<follow-ups>>>\n- How is the valve cleaned?"
FALSE = "The keeper wrote down the weather [1]. The valve was painted green by forty elephants in Peru [1]."
LONG = "The valve opens at 3 bar [1]. " + "Then it waits for a while and nothing happens. " * 40
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "user_agent": "Mozilla/5.0 (Linux; Android 14) Chrome/156 Mobile Safari/537.36",
}
WAIT_MS = 120_000
"""Other tests may have the machine for themselves meanwhile."""
Open = Callable[..., Any]


class Service:
    """The real service with the console, over a real store; the model is the scripted fake, ``asked`` what it read."""

    def __init__(
        self,
        workspace: Path,
        port: int = 0,
        *,
        rule: Callable[[Any], Any] | None = None,
        ingest: Sequence[Path] = (),
        **settings: Any,
    ) -> None:
        self.settings = settings
        self.workspace = workspace
        self.rule = rule or self._reply
        self.ingested = list(ingest)
        self.asked: list[str] = []
        self.cut = False
        """Whether the next answer breaks off in its middle."""
        self.roma: Any = None
        self.address = ""
        self.port = port

    def _reply(self, request: Any) -> Any:
        from roma_core.llm.providers.fake import Reply

        if request.purpose == "rewrite":
            return Reply(request.messages[-1].content.rpartition("New question: ")[2])
        question = request.messages[-1].content.rpartition("Question: ")[2]
        self.asked.append(question)
        if self.cut:
            self.cut = False
            return Reply("The valve opens", finish_reason=None)
        if "elephants" in question:
            return Reply(FALSE)
        if "keeper" in question:
            return Reply("The keeper wrote down the weather [1].")
        if "slowly" in question:
            return Reply(LONG, word_wait_s=0.05)
        return Reply(REPLY, word_wait_s=0.4 if "word by word" in question else 0.05)

    @contextmanager
    def running(self) -> Iterator[Service]:
        """Serve until the end of the block. A further block is a restart on the same port."""
        if self.ingested:
            finished(ingest_files(self.workspace, *self.ingested))
        from roma_core import build_roma
        from roma_core.api.serve import server as make_server
        from roma_core.llm.providers.fake import FakeLLM
        from roma_core.llm.service import LLMService

        self.roma = build_roma(
            make_settings(self.workspace, **self.settings), llm=LLMService([FakeLLM(rule=self.rule)])
        )
        server = make_server(self.roma, port=self.port)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.02)
        self.port = server.servers[0].sockets[0].getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        yield self
        server.should_exit = True
        server.force_exit = True
        thread.join(20)

    async def documents(self) -> list[Any]:
        """Return the stored documents, read by another instance: this one belongs to the server's loop."""
        from roma_core import build_roma

        async with build_roma(make_settings(self.workspace)) as roma:
            return [document async for document in roma.store.documents("default")]


def make_settings(workspace: Path, **chosen: Any) -> Any:
    from roma_core import Settings

    fakes = {"embedder": "fake", "reranker": "fake", "parser_workers": 1, "planner": "off"}
    return Settings.load(workspace=workspace, **{**fakes, **chosen})


async def ingest_files(workspace: Path, *paths: Path) -> None:
    from roma_core import build_roma

    async with build_roma(make_settings(workspace)) as roma:
        report = await roma.ingest(*paths)
        assert report.worked == "all", report.first_failure


def finished(work: Coroutine[Any, Any, Any]) -> Any:
    """The result of ``work``, in a thread: Playwright keeps a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def fill_corpus(workspace: Path, folder: Path) -> None:
    from roma_core.evals import demo_pdf

    (folder / "manual.md").write_text(MANUAL)
    demo_pdf.write(folder)
    finished(ingest_files(workspace, folder / "manual.md", folder / demo_pdf.NAME))


def box_of(page: Any) -> Any:
    return page.get_by_label("Your question")


def ask(page: Any, question: str) -> None:
    box_of(page).fill(question)
    box_of(page).press("Enter")


def wait_for_answer(page: Any, nth: int = 0) -> Any:
    """The ``nth`` turn, once it is complete."""
    turn = page.locator(".roma-turn").nth(nth)
    turn.locator(".roma-actions").wait_for()
    return turn


def is_in_view(element: Any, frame: Any) -> bool:
    inner, outer = element.bounding_box(), frame.bounding_box()
    assert inner is not None and outer is not None
    return bool(outer["y"] <= inner["y"] and inner["y"] + inner["height"] <= outer["y"] + outer["height"])


def find_strangers(page: Any, address: str) -> list[str]:
    """Return what a page has asked of other hosts; a socket of the service is its own."""
    own = (address, f"ws{address.removeprefix('http')}", "data:", "blob:")
    return [url for url in page.requested if not url.startswith(own)]
