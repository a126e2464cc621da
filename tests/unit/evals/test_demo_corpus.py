"""The demo corpus: deterministic, complete, and quiet about what is already there."""

from __future__ import annotations

from email.message import Message
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from roma_core.app import build_roma
from roma_core.evals.demo_corpus import descriptions, gather_demo_corpus, normalise_name, own_docs, prepare_corpus
from roma_core.evals.golden.dataset import Evidence, Golden, GoldenCase
from roma_core.settings import Settings


class Dist(metadata.Distribution):
    """A distribution made of the bytes of its METADATA file."""

    def __init__(self, text: str) -> None:
        self.text = text

    def read_text(self, filename: str) -> str | None:
        return self.text if filename == "METADATA" else None

    def locate_file(self, path: Any) -> Any:
        raise FileNotFoundError(path)


def dist(name: str, body: str, content_type: str | None = None) -> Dist:
    kind = f"Description-Content-Type: {content_type}\n" if content_type else ""
    return Dist(f"Metadata-Version: 2.4\nName: {name}\nVersion: 1\n{kind}\n{body}")


def test_names_and_extensions_follow_the_metadata() -> None:
    found = descriptions(
        [
            dist("Zed.Pkg", "# Zed", "text/markdown; charset=UTF-8"),
            dist("a_rst", "Title\n=====", "text/x-rst"),
            dist("plain", "words", "text/plain"),
            dist("untyped", "words  \nmore"),
            dist("strange", "words", "application/x-strange"),
        ]
    )
    assert list(found) == ["a-rst.rst", "plain.txt", "strange.txt", "untyped.txt", "zed-pkg.md"]
    assert found["untyped.txt"] == "words\nmore\n"


@pytest.mark.parametrize("body", ["", "   \n", "UNKNOWN"])
def test_empty_descriptions_are_left_out(body: str) -> None:
    assert descriptions([dist("empty", body)]) == {}


def test_roma_itself_and_second_installations_are_left_out() -> None:
    found = descriptions([dist("twice", "first"), dist("Twice", "second"), dist("roma_core", "us")])
    assert found == {"twice.txt": "first\n"}


def test_a_distribution_without_a_name_is_left_out() -> None:
    nameless = Dist("Metadata-Version: 2.4\n\nwords")
    assert isinstance(nameless.metadata, Message)
    assert descriptions([nameless]) == {}


def test_gather_is_deterministic_and_touches_nothing_twice(tmp_path: Path) -> None:
    dists = [dist("b", "# B", "text/markdown"), dist("a", "# A", "text/markdown")]
    first = gather_demo_corpus(tmp_path / "x", dists, checkout=tmp_path)
    stamps = {p: p.stat().st_mtime_ns for p in first}
    assert [p.name for p in first] == ["a.md", "b.md"]
    assert gather_demo_corpus(tmp_path / "x", reversed(dists), checkout=tmp_path) == first
    assert {p: p.stat().st_mtime_ns for p in first} == stamps


def test_gather_mends_a_file_that_changed(tmp_path: Path) -> None:
    dists = [dist("a", "# A", "text/markdown")]
    (path,) = gather_demo_corpus(tmp_path, dists, checkout=tmp_path)
    path.write_text("spoilt")
    gather_demo_corpus(tmp_path, dists, checkout=tmp_path)
    assert path.read_text() == "# A\n"


def test_own_docs_only_in_a_checkout(tmp_path: Path) -> None:
    (tmp_path / "docs" / "adr").mkdir(parents=True)
    (tmp_path / "docs" / "adr" / "1.md").write_text("decided")
    assert own_docs(tmp_path) == {}
    (tmp_path / "pyproject.toml").touch()
    assert own_docs(tmp_path) == {"docs/adr/1.md": "decided"}


def test_the_installed_environment_gives_a_real_corpus(tmp_path: Path) -> None:
    paths = gather_demo_corpus(tmp_path)
    names = {p.relative_to(tmp_path).as_posix() for p in paths}
    assert len(paths) >= 200
    assert {"openai.md", "tenacity.rst", "docs/11_SECURITY.md"} <= names
    assert all(normalise_name(p.stem) == p.stem for p in paths if p.parent == tmp_path)
    assert all(p.stat().st_size > 1 for p in paths)


async def test_a_set_about_ones_own_documents_builds_no_corpus(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "bridge.md").write_text("# Bridge\n\nIt was built in 1902.\n")
    case = GoldenCase(
        id="q", question="When was it built?", kind="single", evidence=(Evidence(uri="bridge.md", anchor="in 1902"),)
    )
    settings = Settings(workspace=workspace, embedder="fake", reranker="none", parser_workers=1)
    async with build_roma(settings) as roma:
        await roma.ingest(tmp_path / "bridge.md")
        assert await prepare_corpus(roma, Golden(name="own", cases=(case,))) is None
    assert not (workspace / "corpus").exists() and not (workspace / "demo-corpus").exists()
