"""A notebook in a kernel: the extension works, and its page shows every value and loads nothing from elsewhere."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from roma_core.evals.notebooks import run_notebook

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


def test_a_page_of_a_notebook_shows_all_values_and_needs_no_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in (("EMBEDDER", "fake"), ("RERANKER", "none"), ("PARSER_WORKERS", "1"), ("WORKSPACE", ".roma")):
        monkeypatch.setenv(f"ROMA_{name}", value)
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "dues.md").write_text("# Harbour dues\n\nA ferry pays **97 EUR** for a landing.\n")
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    parameters = nbformat.v4.new_code_cell("x = 1", metadata={"tags": ["parameters"]})
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    book = nbformat.v4.new_notebook(cells=[parameters, *cells], metadata=kernel)
    nbformat.write(book, tmp_path / "book.ipynb")

    page = asyncio.run(run_notebook(tmp_path / "book.ipynb", tmp_path / "page.html")).read_text("utf-8")

    assert re.search(r'<a href="#roma-[\w-]+"[^>]*>1</a>', page), "the answer has its badge"
    assert "<strong>97 EUR</strong>" in page and "Every statement is proven." in page
    assert "Time of each stage" in page and "roma-slider" in page
    assert "The chat needs a running kernel" in page
    assert "Did you mean ledger?" in page and "exit code 64" in page
    assert not re.findall(
        r'<(?:script|link|img|iframe)[^>]+(?:src|href)="(?:https?:)?//[^"]*"', page.partition("<body")[0]
    )
    assert not re.findall(r"<script[^>]*\ssrc=", page)
