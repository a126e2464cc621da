"""Every block of Python in the documentation runs, in the order of its page.

A block that cannot run here says so in its first line, ``# Checked, not run: <reason>``; its syntax, its names and what
it imports from ROMA are checked.
"""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import json
import linecache
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pytest_httpserver import HTTPServer

from roma_core.app import build_roma
from roma_core.cli import roma as command_line
from roma_core.connectors import Listing
from roma_core.settings import Settings
from roma_core.types import RawDocument, Source

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(?:python|py)\b[^\n]*\n(.*?)^```", re.M | re.S)
UNRUN = re.compile(r"# Checked, not run: \S.*\.\n")
"""First line of a block that the tests do not run."""
FOLDERS = ("*.md", "docs/**/*.md", "datasets/*.md", "examples/*/*.md", "roma_core/**/*.md")
PAGES = [
    page
    for page in sorted(page for folder in FOLDERS for page in ROOT.glob(folder))
    if BLOCK.search(page.read_text("utf-8"))
]
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
GIVEN = ("roma", "settings")
"""Names that every page may use: a ``Roma`` with the notes below, and its settings."""
BRIDGE = (
    "# Rope bridge\n\nThe rope bridge of Quellfeld was built in 1902. It spans 48 metres. The trial found no rust.\n"
)
ITEM = {
    "id": "bridge",
    "question": "When was the rope bridge built?",
    "kind": "single",
    "answer": "In 1902.",
    "nuggets": [{"fact": "1902"}],
    "evidence": [{"uri": "bridge.md", "anchor": "was built in 1902"}],
}
ENVIRONMENT = {
    "ROMA_EMBEDDER": "fake",
    "ROMA_RERANKER": "none",
    "ROMA_PARSER_WORKERS": "1",
    "LLM_PROVIDER": "fake",
}


def read_blocks(page: Path) -> list[str]:
    """Return the blocks of Python of a page."""
    return BLOCK.findall(page.read_text("utf-8"))


def list_runnable(page: Path) -> list[str]:
    """Return the blocks of a page that can run here."""
    return [block for block in read_blocks(page) if not UNRUN.match(block)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with notes, a golden set and an indexed workspace, which all pages use."""
    from tests.fixtures.make_pdf import with_furniture

    folder = tmp_path_factory.mktemp("project")
    for name in ("notes", "papers"):
        (folder / name).mkdir()
        (folder / name / "bridge.md").write_text(BRIDGE, "utf-8")
    (folder / "golden.json").write_text(json.dumps([ITEM]), "utf-8")
    (folder / "report.pdf").write_bytes(with_furniture())

    async def ingest() -> None:
        async with build_roma(Settings.load()) as roma:
            await roma.ingest("notes/")

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        asyncio.run(ingest())
        made = CliRunner().invoke(command_line, ["prompt", "new", "answer", "lazy"])
        assert made.exit_code == 0, made.output
    yield folder


@pytest.fixture
def in_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder as a reader of a page stands in it."""
    monkeypatch.chdir(project)
    for name, value in {**ENVIRONMENT, "HOME": str(project)}.items():
        monkeypatch.setenv(name, value)
    yield project


def has_name(module: str, name: str) -> bool:
    """Return whether a module of ROMA has a name; one over a library that is missing here is read, not imported."""
    try:
        return hasattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if str(error.name).startswith("roma_core"):
            return False
    source = (ROOT / module.replace(".", "/")).with_suffix(".py").read_text("utf-8")
    return any(
        isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name for node in ast.parse(source).body
    )


async def run_blocks(blocks: list[str], where: str) -> dict[str, Any]:
    """Run blocks one after the other in one namespace, as the cells of a notebook, and return it."""
    settings = Settings.load()
    async with build_roma(settings) as roma:
        names: dict[str, Any] = {"__name__": "page", "roma": roma, "settings": settings}
        for number, block in enumerate(blocks):
            cell = f"<{where} {number}>"
            linecache.cache[cell] = (len(block), None, block.splitlines(keepends=True), cell)  # as IPython does
            code = compile(block, cell, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            running = eval(code, names)
            if inspect.isawaitable(running):
                await running
        return names


def test_every_page_with_python_is_looked_at() -> None:
    assert {"README.md", "docs/01_QUICKSTART.md", "docs/extending.md", "docs/connectors/writing.md"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_no_fence_of_python_is_overlooked(name: str) -> None:
    """An indented or otherwise spelt fence would be shown as Python and run by nothing."""
    text = (ROOT / name).read_text("utf-8")
    assert len(re.findall(r"^[ \t>]*[`~]{3,}[ \t]*\{?\.?(?:python|py|pycon)\b", text, re.M | re.I)) == len(
        read_blocks(ROOT / name)
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_blocks_of_a_page_run(name: str, in_project: Path) -> None:
    asyncio.run(run_blocks(list_runnable(ROOT / name), name))


@pytest.mark.parametrize("name", NAMES)
def test_every_name_in_the_blocks_of_a_page_is_defined(name: str, tmp_path: Path) -> None:
    given = "".join(f"{each} = ...\n" for each in GIVEN)
    source = given + "\n".join(read_blocks(ROOT / name))
    place = tmp_path / "page.ipynb"  # cells may await
    cell = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": source}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    place.write_text(json.dumps(notebook), "utf-8")
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--no-cache",
        "--quiet",
        "--select",
        "E9,F63,F7,F82",
    ]
    done = subprocess.run([*command, str(place)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_what_unrun_blocks_import_from_roma_exists(name: str) -> None:
    for block in read_blocks(ROOT / name):
        if not UNRUN.match(block):
            continue
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("roma_core"):
                module = str(node.module)
                missing = [alias.name for alias in node.names if not has_name(module, alias.name)]
                assert missing == [], f"{name}: {module} has no {missing}"


def test_few_blocks_are_not_run() -> None:
    reasons = [UNRUN.match(block) for name in NAMES for block in read_blocks(ROOT / name)]
    assert sum(reason is not None for reason in reasons) <= len(reasons) // 8


async def test_the_connector_of_the_page_about_records_reads_pages(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def describe(number: int) -> dict[str, Any]:
        return {
            "id": str(number),
            "title": f"Page {number}",
            "body": {"storage": {"value": f"<p>Words of {number}.</p>"}},
            "version": {"number": number},
            "_links": {"webui": f"/spaces/7/pages/{number}"},
        }

    pages = "/wiki/api/v2/spaces/7/pages"
    more = {"results": [describe(1)], "_links": {"next": f"{pages}?cursor=x"}}
    headers = {"Authorization": "Basic YWRhQGV4YW1wbGUub3JnOnNlY3JldA=="}
    first = {"body-format": "storage", "limit": "100"}
    httpserver.expect_request(pages, query_string=first, headers=headers).respond_with_json(more)
    last = {"results": [describe(2)], "_links": {}}
    httpserver.expect_request(pages, query_string={"cursor": "x"}, headers=headers).respond_with_json(last)
    monkeypatch.setenv("CONFLUENCE_URL", httpserver.url_for("").rstrip("/"))
    monkeypatch.setenv("CONFLUENCE_LOGIN", "ada@example.org:secret")
    names: dict[str, Any] = {"__name__": "acme_confluence"}
    exec(list_runnable(ROOT / "docs/connectors/writing.md")[0], names)
    settings = Settings.model_validate({"web": {"allowed_private_hosts": ("127.0.0.1", "localhost")}})
    connector = names["SPEC"].make(settings)
    source = Source(kind="confluence", uri="confluence://7")
    listed = [item async for item in connector.list(source)]
    items = [item for item in listed if isinstance(item, Listing)]
    raw = await connector.fetch(source, items[1])
    await connector.close()
    assert listed == items
    assert [(item.uri, item.version) for item in items] == [("confluence://7/1", "1"), ("confluence://7/2", "2")]
    assert isinstance(raw, RawDocument)
    assert raw.data == b"<p>Words of 2.</p>"


@pytest.mark.slow
def test_the_connector_of_the_page_about_plugins_conforms(tmp_path: Path) -> None:
    blocks = read_blocks(ROOT / "docs/extending.md")
    wanted: list[Callable[[str], bool]] = [lambda block: "class GopherConnector" in block, lambda b: "TestGopher" in b]
    chosen = [next(block for block in blocks if is_wanted(block)) for is_wanted in wanted]
    (tmp_path / "test_gopher.py").write_text("\n".join(chosen), "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "pytest_asyncio.plugin"]
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    own = ["-o", "asyncio_mode=auto", "--rootdir", str(tmp_path), str(tmp_path / "test_gopher.py")]
    done = subprocess.run([*command, *own], cwd=tmp_path, env=alone, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
    assert "failed" not in done.stdout
