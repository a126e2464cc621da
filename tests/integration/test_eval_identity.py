"""No stale answer: whatever makes another index asks again, also in the order evaluate, ingest, evaluate."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from roma_core import Settings, build_roma
from roma_core.evals import EvalReport, compare, evaluate
from roma_core.parts import name_deciding_libraries

FACTS = {"door": "red", "roof": "blue", "gate": "green", "wall": "white", "floor": "brown", "fence": "yellow"}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """One page of several short sections, cut otherwise by another size of chunk."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    for thing, colour in FACTS.items():
        filler = " ".join(
            f"The {thing} was looked at by inspector number {n} in the year {1900 + n}." for n in range(12)
        )
        (folder / f"{thing}.md").write_text(f"# The {thing}\n\nThe colour of the {thing} is {colour}. {filler}\n")
    cases = [
        {
            "id": thing, "question": f"Which colour has the {thing}?", "kind": "single", "nuggets": [{"fact": colour}],
            "evidence": [{"uri": f"{thing}.md", "anchor": f"the {thing} is {colour}"}],
        }
        for thing, colour in FACTS.items()
    ]  # fmt: skip
    (tmp_path / "golden.json").write_text(json.dumps(cases))
    return folder


async def run(corpus: Path, workspace: str = "a", chunk_tokens: int = 200, ingest: bool = False) -> EvalReport:
    settings = Settings.load(
        workspace=corpus.parent / workspace, llm_provider="extractive", embedder="fake", reranker="fake",
        chunk_tokens=chunk_tokens,
    )  # fmt: skip
    async with build_roma(settings) as roma:
        if ingest:
            await roma.ingest(str(corpus))
        return await evaluate(corpus.parent / "golden.json", roma)


def edit(corpus: Path) -> None:
    path = corpus / "door.md"
    path.write_text(path.read_text().replace("is red", "is violet"))


def add(corpus: Path) -> None:
    (corpus / "more.md").write_text("# More\n\nThe colour of the door was red and the roof was blue.\n")


def delete(corpus: Path) -> None:
    (corpus / "door.md").unlink()


async def test_another_chunk_size_is_asked_again_once_it_is_ingested(corpus: Path) -> None:
    first = await run(corpus, ingest=True)
    slip = await run(corpus, chunk_tokens=32)
    late = await run(corpus, chunk_tokens=32, ingest=True)
    fresh = await run(corpus, "b", chunk_tokens=32, ingest=True)
    assert slip.index_sha256 == first.index_sha256 != late.index_sha256 == fresh.index_sha256
    assert late.facts.asked == len(FACTS) and late.run_id == fresh.run_id != slip.run_id
    assert [(row.answer, row.scores) for row in late.rows] == [(row.answer, row.scores) for row in fresh.rows]
    assert "index" in compare(first, late).changed and "index" not in compare(first, slip).changed


@pytest.mark.parametrize("change", [edit, add, delete])
async def test_a_changed_corpus_is_asked_again(corpus: Path, change: Callable[[Path], None]) -> None:
    first = await run(corpus, ingest=True)
    assert (await run(corpus)).facts.asked == 0
    change(corpus)
    assert (await run(corpus)).facts.asked == 0, "nothing was ingested yet"
    late = await run(corpus, ingest=True)
    assert late.facts.asked == len(FACTS) and late.run_id != first.run_id
    assert (await run(corpus)).facts.asked == 0


async def test_another_version_of_a_library_that_ranks_is_asked_again(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await run(corpus, ingest=True)
    installed = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "99.0" if name == "lancedb" else installed(name))
    name_deciding_libraries.cache_clear()
    try:
        late = await run(corpus)
    finally:
        monkeypatch.undo()
        name_deciding_libraries.cache_clear()
    assert late.facts.asked == len(FACTS) and late.run_id != first.run_id
    assert "libraries" in compare(first, late).changed
    assert (await run(corpus)).facts.asked == 0
