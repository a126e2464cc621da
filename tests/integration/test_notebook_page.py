"""A notebook in a kernel: the extension works, and its page shows every value and loads nothing from elsewhere."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roma_core.evals.notebooks import run_notebook
from tests.console import CHROMIUM

pytestmark = pytest.mark.slow
nbformat = pytest.importorskip("nbformat")

CELLS = (
    "%load_ext roma_core",
    "%roma ingest papers",
    "%%ask --top-k 3\nWhat does a ferry pay for a landing?",
    "from roma_core import Settings, build_roma\nfrom roma_core.ui import Chat, explain, notebook\n"
    "roma = build_roma(Settings.load())",
    "await explain(answer, roma)",
    "await roma.document(answer.citations[0].document_id)",
    "notebook()",
    "import panel\npanel.widgets.IntSlider(name='roma-slider', start=0, end=9)",
    "Chat(roma)",
    "%roma ledgr",
    "await roma.close()",
)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The page of a notebook that has run."""
    folder = tmp_path_factory.mktemp("book")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in (
            ("EMBEDDER", "fake"),
            ("RERANKER", "none"),
            ("PARSER_WORKERS", "1"),
            ("WORKSPACE", ".roma"),
        ):
            patch.setenv(f"ROMA_{name}", value)
        (folder / "papers").mkdir()
        (folder / "papers" / "dues.md").write_text("# Harbour dues\n\nA ferry pays **97 EUR** for a landing.\n")
        cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
        parameters = nbformat.v4.new_code_cell("x = 1", metadata={"tags": ["parameters"]})
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        book = nbformat.v4.new_notebook(cells=[parameters, *cells], metadata=kernel)
        nbformat.write(book, folder / "book.ipynb")
        yield asyncio.run(run_notebook(folder / "book.ipynb", folder / "page.html"))


def test_a_page_of_a_notebook_shows_all_values_and_needs_no_network(rendered: Path) -> None:
    page = rendered.read_text("utf-8")
    assert re.search(r'<a [^>]*href="#roma-[\w-]+"[^>]*>1</a>', page), "the answer has its badge"
    assert "<strong>97 EUR</strong>" in page and "Every statement is proven." in page
    assert "Time of each stage" in page and "roma-slider" in page
    assert "The chat needs a running kernel" in page
    assert "Did you mean ledger?" in page and "exit code 64" in page
    assert not re.findall(
        r'<(?:script|link|img|iframe)[^>]+(?:src|href)="(?:https?:)?//[^"]*"', page.partition("<body")[0]
    )
    assert not re.findall(r"<script[^>]*\ssrc=", page)


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt-get install chromium)")
def test_a_page_of_a_notebook_asks_no_host(rendered: Path, browser: Any) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(rendered.as_uri())
    page.get_by_text("97 EUR").first.wait_for()
    page.wait_for_timeout(1000)  # scripts of the page may load more
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    context.close()
