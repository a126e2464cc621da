"""The frozen corpus through the real connectors: its pages from a site, its shared drive from Drive's API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from roma_core.app import build_roma
from roma_core.evals.corpus.build import FILES, build_corpus, find_datasets
from roma_core.evals.golden.dataset import Golden, load_golden
from roma_core.evals.golden.evidence import Corpus, find, locate
from roma_core.settings import Settings
from tests.fakes.drive import FOLDER, NATIVE, Entry, FakeDrive
from tests.fakes.site import Route, Site


def settings(tmp_path: Path, **more: Any) -> Settings:
    defaults = {"workspace": tmp_path / "w", "embedder": "fake", "reranker": "fake", "llm_provider": "extractive"}
    return Settings(**(defaults | more))


def tagged(tag: str) -> Golden:
    return load_golden(find_datasets() / "golden" / "golden_dataset.json").tagged(tag)


async def locate_all(roma: Any, golden: Golden) -> Corpus:
    return await find(golden.cases, roma.store.documents(roma.settings.tenant))


def missing_of(corpus: Corpus, golden: Golden, prefix: str) -> list[tuple[str, str]]:
    """Return case and document of lost evidence that this source should have."""
    cases = {case.id: case for case in golden.cases}
    lost = ((case, cases[case].evidence[number].uri) for case, number in corpus.missing)
    return [(case, uri) for case, uri in lost if uri.startswith(prefix)]


@pytest.mark.slow
async def test_pages_of_the_corpus_come_through_a_site_with_all_their_anchors(tmp_path: Path) -> None:
    root = find_datasets() / "corpus" / "web"
    pages: dict[str, Route] = {
        f"/{path.relative_to(root).as_posix()}": path.read_text("utf-8") for path in sorted(root.rglob("*.html"))
    }
    golden = tagged("web")
    async with Site(pages) as site:
        wanted = settings(tmp_path, web_allowed_private_hosts=(f"127.0.0.1:{site.port}",), web_rate_per_s=1000.0)
        async with build_roma(wanted) as roma:
            report = await roma.ingest(*(f"{site.base}{page}" for page in pages))
            assert report.counts()["added"] == len(pages) >= 40
            assert missing_of(await locate_all(roma, golden), golden, "www.") == []


@pytest.mark.slow
async def test_the_shared_drive_comes_through_drives_api_with_all_its_anchors(tmp_path: Path) -> None:
    build_corpus(tmp_path / "corpus")
    files = {path.name.replace(".", "_"): path for path in (tmp_path / "corpus" / FILES / "drive").iterdir()}
    entries = [Entry("top", "Three Frogs", FOLDER), *(make_entry(name, path) for name, path in files.items())]
    anchors = {(evidence.uri, evidence.anchor) for case in tagged("drive").cases for evidence in case.evidence}
    async with FakeDrive(*entries) as drive:
        access = json.dumps(drive.service_account())
        wanted = settings(tmp_path, gdrive_api_endpoint=drive.base, gdrive_credentials=access)
        async with build_roma(wanted) as roma:
            report = await roma.ingest("gdrive://folder/top")
            assert report.counts()["added"] == len(files) >= 30
            documents = [document async for document in roma.store.documents(roma.settings.tenant)]
    texts = {files[document.uri.rpartition("/")[2]].name: document.text for document in documents}
    here = [(name, anchor) for name, anchor in anchors if name in texts]
    assert len(here) >= 40
    assert [(name, anchor) for name, anchor in here if not locate(anchor, texts[name])] == []


def make_entry(name: str, path: Path) -> Entry:
    """Return a file of the shared drive; Markdown is a document of Google's own, which is exported."""
    if path.suffix != ".md":
        return Entry(name, path.name, "application/octet-stream", path.read_bytes(), parent="top")
    exports = {"text/markdown": path.read_bytes()}
    return Entry(name, path.stem, f"{NATIVE}document", parent="top", exports=exports)
