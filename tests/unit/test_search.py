"""Searches and what ranked them: legs, fusion, reranker, filters, numbers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from roma_core import RetrievalConfig
from roma_core.app import Roma, build_roma
from roma_core.cli import main
from roma_core.errors import AgentFailure, EmbeddingError, ErrorCode, InputError
from roma_core.llm.providers.fake import FakeLLM
from roma_core.settings import Settings
from roma_core.types import SearchReport, TailorOutput

FACTS = {
    "bridge": "# Rope bridge\n\nThe rope bridge of Quellfeld was built in 1902. It spans 48 metres.\n",
    "mill": "# Water mill\n\nThe mill of Quellfeld grinds rye. It has two wheels and stands still in winter.\n",
    "tower": "# Bell tower\n\nThe tower of Quellfeld is 31 metres high. Its bell weighs 800 kilograms.\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "documents").mkdir()
    for name, text in FACTS.items():
        (tmp_path / "documents" / f"{name}.md").write_text(text, encoding="utf-8")
    return tmp_path / "documents"


@pytest.fixture
async def roma(tmp_path: Path, folder: Path) -> AsyncIterator[Roma]:
    settings = Settings(workspace=tmp_path / "w", embedder="fake", reranker="fake", planner="off")
    async with build_roma(settings, llm=FakeLLM()) as made:
        await made.ingest(folder)
        yield made


async def explain(roma: Roma, text: str = "When was the rope bridge built?", **more: Any) -> SearchReport:
    report = await roma.explain_search(text, **more)
    assert isinstance(report, SearchReport), report
    return report


async def test_each_leg_says_what_it_found_and_every_passage_where_it_came_from(roma: Roma) -> None:
    report = await explain(roma)
    assert [leg.name for leg in report.legs] == ["bm25", "dense", "fusion", "rerank"]
    assert {leg.name: leg.found for leg in report.legs}["fusion"] == 3
    first = report.hits[0]
    assert (first.rank, first.title, first.was_reranked) == (1, "Rope bridge", True)
    assert first.passage.scores.keys() >= {"bm25", "dense", "hybrid", "rerank"}
    ranks = [hit.fused_rank for hit in report.hits]
    assert sorted(rank for rank in ranks if rank is not None) == [1, 2, 3]
    assert report.numbers == {"retrieve_limit": 100, "lexical_weight": 0.4, "rerank_limit": 20, "rerank_weight": 0.5}
    assert report.ms > 0


async def test_the_passages_are_those_of_an_answer(roma: Roma) -> None:
    output = await roma.query("When was the rope bridge built?", keep=False)
    assert isinstance(output, TailorOutput)
    report = await explain(roma, limit=5)
    assert [p.chunk.id for p in report.passages] == [p.chunk.id for p in output.passages]
    assert [p.scores for p in report.passages] == [p.scores for p in output.passages]
    assert await roma.search("When was the rope bridge built?", limit=5) == report.passages


async def test_filters_are_reported_and_hold_wherever_they_are_given(roma: Roma, folder: Path) -> None:
    uri = (folder / "mill.md").as_uri()
    report = await explain(roma, filters={"uri": uri})
    assert report.filters == {"uri": uri}
    assert {hit.uri for hit in report.hits} == {uri}
    in_words = await explain(roma, "rope bridge type:pdf")
    assert (in_words.searched, in_words.filters) == ("rope bridge", {"type": "pdf"})
    assert in_words.question == "rope bridge type:pdf"
    assert in_words.hits == ()


async def test_a_config_is_one_value_that_is_swept(roma: Roma) -> None:
    configs = RetrievalConfig.grid(lexical_weight=(0.0, 1.0), rerank_limit=(0, 1))
    assert len(configs) == 4
    for config in configs:
        report = await explain(roma, config=config)
        assert report.numbers == config.as_settings()
        assert sum(hit.was_reranked for hit in report.hits) == config.rerank_limit
    assert Settings().replace(configs[0].as_settings()).retrieval.lexical_weight == 0.0


@pytest.mark.parametrize("values", [{"lexical_wieght": (0.0,)}, {"lexical_weight": (2.0,)}, {"retrieve_limit": (0,)}])
def test_a_wrong_number_is_refused(values: dict[str, tuple[float, ...]]) -> None:
    with pytest.raises(InputError, match=r"lexical_weight|retrieve_limit"):
        RetrievalConfig.grid(**values)


async def test_a_leg_that_fails_is_named_and_the_other_stands_in(roma: Roma) -> None:
    class Down:
        def __getattr__(self, name: str) -> Any:
            return getattr(roma.embedder, name)

        async def embed_query(self, text: str) -> Any:
            raise EmbeddingError("The embedder is down.", ErrorCode.EMBEDDING_UNAVAILABLE)

    async with build_roma(roma.settings, store=roma.store, embedder=Down(), llm=FakeLLM()) as other:
        report = await explain(other)
    assert {leg.name: leg.failure for leg in report.legs}["dense"] == "ERR_EMBEDDING_UNAVAILABLE"
    assert report.hits[0].title == "Rope bridge"
    assert report.hits[0].dense_rank is None


async def test_what_cannot_be_searched_is_a_value(roma: Roma) -> None:
    failure = await roma.explain_search("rope", limit=0)
    assert isinstance(failure, AgentFailure)
    assert failure.code is ErrorCode.INPUT_INVALID


async def test_a_notebook_shows_it_as_a_table(roma: Roma) -> None:
    report = await explain(roma)
    table = report.to_frame()
    assert list(table["rank"]) == [1, 2, 3]
    assert "Rope bridge" in report._repr_html_()


def test_the_command_explains(tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--workspace", str(tmp_path / "cli")]
    assert main(["ingest", str(folder), *where]) == 0
    capsys.readouterr()
    assert main(["search", "rope bridge", "--explain", *where]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("bm25", "dense", "fusion", "rerank", "Rope bridge", "filters: none"))
    assert main(["search", "rope bridge", "--explain", "--json", *where]) == 0
    assert json.loads(capsys.readouterr().out)["legs"][0]["name"] == "bm25"
    assert main(["search", "rope bridge", "--json", "--top-k", "1", *where]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1
