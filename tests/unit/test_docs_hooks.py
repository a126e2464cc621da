"""The site's own steps: flowcharts are drawn without a program from elsewhere, links out of ``docs`` become names."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load(name: str) -> ModuleType:
    """Return a module of ``docs``, which is no package."""
    spec = importlib.util.spec_from_file_location(f"roma_docs_{name}", ROOT / "docs" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    return load("hooks")


def convert(hooks: ModuleType, markdown: str) -> str:
    return str(hooks.on_page_markdown(markdown, page=SimpleNamespace(file=SimpleNamespace(src_uri="page.md"))))


def test_every_flowchart_of_the_documentation_is_drawn_with_all_its_boxes(hooks: ModuleType) -> None:
    drawn = 0
    for page in (ROOT / "docs").rglob("*.md"):
        for text in hooks.FENCE.findall(page.read_text("utf-8")):
            picture = hooks.draw_flowchart(hooks.read_flowchart(text))
            labels = re.findall(r'\["([^"]*)"\]', text)
            for line in (line for label in labels for line in label.split("<br/>")):
                assert f">{line}</text>" in picture, (page.name, line)
            assert picture.count("<path d=") - 1 == len(re.findall(r"-->|\.->", text))
            drawn += 1
    assert drawn >= 3


def test_a_page_with_a_flowchart_loads_no_program(hooks: ModuleType) -> None:
    page = convert(
        hooks, 'Before.\n\n```mermaid\nflowchart LR\n    a["A & B"] --> b\n    b -. waits .-> a\n```\n\nAfter.'
    )
    assert "mermaid" not in page and "A &amp; B" in page and ">waits</text>" in page
    (picture,) = re.findall(r"^<div.*</div>$", page, re.M)
    assert "stroke-dasharray" in picture


def test_what_cannot_be_drawn_ends_the_build(hooks: ModuleType) -> None:
    for text in ("sequenceDiagram\n    A->>B: hello", "flowchart TD\n    subgraph one"):
        with pytest.raises(ValueError, match="drawn"):
            hooks.read_flowchart(text)


def test_links_out_of_the_documentation_become_names(hooks: ModuleType) -> None:
    page = convert(hooks, "[the file](../deploy/compose.yaml) and [errors](errors.md)")
    assert page == "the file (`deploy/compose.yaml`) and [errors](errors.md)"


def test_the_examples_of_a_docstring_are_code_on_the_site() -> None:
    pytest.importorskip("griffe")
    text = "Return it::\n\n    find(1)\n\n>>> find(1)  # doctest: +SKIP\n... more\n2\n\nRaises ``InputError``."
    fenced = load("docstrings").fence_examples(text)
    assert fenced == ("Return it:\n\n    find(1)\n\n```python\n>>> find(1)\n... more\n2\n```\n\nRaises ``InputError``.")
