"""Fixtures of the tests in a real Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.console import CHROMIUM, WAIT_MS, Open, Service, fill_corpus


@pytest.fixture(scope="module")
def console_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with two documents, to be copied: what a test brings into its own does not meet the next one."""
    folder = tmp_path_factory.mktemp("console")
    fill_corpus(folder / ".roma", folder)
    return folder / ".roma"


@pytest.fixture(scope="module")
def console(console_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    workspace = tmp_path_factory.mktemp("served") / ".roma"
    shutil.copytree(console_corpus, workspace)
    with Service(workspace).running() as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    # no name is resolved: what a page asks of another host fails, and stands in the browser's log
    closed = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
    quiet = [
        closed,
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-sync",
    ]
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*quiet, "--no-first-run", "--disable-component-update"]
        )


def describe(said: Any) -> str:
    """Return what the browser's log says, and of which address."""
    return f"{said.text} ({said.location.get('url', '')})"


@pytest.fixture
def open_page(browser: Any, request: pytest.FixtureRequest) -> Iterator[Open]:
    """``open_page(address, **options of the context)``: the console, whose log must stay clean."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def opened(address: str, path: str = "/console", **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        view = context.new_page()
        view.set_default_timeout(WAIT_MS)
        view.requested = []
        view.complaints = complaints
        view.on("request", lambda request: view.requested.append(request.url))
        view.on("websocket", lambda socket: view.requested.append(socket.url))
        view.on("dialog", lambda dialog: complaints.append("a dialog: " + dialog.message))
        view.on("pageerror", lambda error: complaints.append(str(error)))
        view.on(
            "console", lambda said: complaints.append(describe(said)) if said.type in {"error", "warning"} else None
        )
        view.goto(f"{address}{path}")
        return view

    yield opened
    if (shots := os.environ.get("ROMA_SCREENSHOTS")) and contexts[-1].pages:
        name = request.node.name.removeprefix("test_").replace("_", "-")
        contexts[-1].pages[0].screenshot(path=str(Path(shots) / f"{name}.png"))
    for context in contexts:
        context.close()
    assert complaints == [], "the browser's log"


@pytest.fixture
def page(open_page: Open, console: Service) -> Any:
    return open_page(console.address)
