"""Files about the project agree with each other: versions, the lock, the weights of dependencies."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

import roma_core
from bench.conda import LEFT_OUT, render_environment
from bench.weights import SERVES, normalise, parse

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_the_environment_of_conda_is_that_of_the_lock() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    text = (ROOT / "environment.yml").read_text("utf-8")
    assert text == render_environment(lock), "run: python -m bench.conda"
    pins = yaml.safe_load(text)["dependencies"][-1]["pip"]
    named = {pin.partition("==")[0] for pin in re.findall(r"^[\w.-]+==", lock, re.M)}
    assert {pin.partition("==")[0].partition("[")[0] for pin in pins} == (named - set(LEFT_OUT)) | {"-e ."}


def test_every_dependency_of_the_core_says_what_it_serves() -> None:
    assert {normalise(name) for name in SERVES} == {name for name, _ in parse(PROJECT["dependencies"])}


def test_the_page_of_weights_names_every_extra() -> None:
    page = (ROOT / "docs/benchmarks/install.md").read_text("utf-8")
    extras = set(PROJECT["optional-dependencies"]) - {"all"}
    assert extras <= set(re.findall(r"^\| ([\w-]+) \|", page, re.M)), "run: make weights"


def test_the_citation_has_the_version_of_the_package() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == roma_core.__version__
    assert citation["license"] == PROJECT["license"]


def test_every_page_of_the_site_is_in_the_docs() -> None:
    nav = re.findall(r"^ +- ([\w./-]+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.M)
    assert [page for page in nav if not (ROOT / "docs" / page).is_file()] == []
    tops = {page.name for page in (ROOT / "docs").glob("*.md")} | {
        f"adr/{p.name}" for p in (ROOT / "docs/adr").glob("*.md")
    }
    assert tops - set(nav) == set()
