"""From questions to passages: legs, fusion, mixing, turns between sub-questions."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from roma_core.agents.context import Context
from roma_core.agents.memory import CONCURRENT_SEARCHES, MemoryAgent, Recall, RetrievalConfig, fill_places, interleave
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.errors import AgentFailure, EmbeddingError, ErrorCode, StoreError
from roma_core.rerank import FakeReranker
from roma_core.settings.retrieval import RerankDepth
from roma_core.types import ComponentHealth, Principal, Query, ScoredChunk


async def recall(memory: MemoryAgent, question: str = "rope bridge built", **fields: Any) -> Recall:
    found = await memory.retrieve(question, **({"who": Principal.local(), "filters": {}} | fields))
    assert isinstance(found, Recall), found
    return found


async def test_both_ways_are_asked_and_fused(kit: Any) -> None:
    found = await recall(MemoryAgent(await kit.store(), FakeEmbedder(), None))
    assert found.passages[0].chunk.uri == "bridge"
    assert {"bm25", "dense", "hybrid"} <= set(found.passages[0].scores)
    assert found.degraded == ()


@pytest.mark.parametrize("leg", ["lexical", "dense"])
async def test_one_way_is_enough(kit: Any, leg: str) -> None:
    store = kit.Flaky(await kit.store(), **{leg: [StoreError("away")]})
    found = await recall(MemoryAgent(store, FakeEmbedder(), None))
    assert found.passages
    assert found.degraded == (f"memory.{leg}: {ErrorCode.STORAGE_UNAVAILABLE}",)


async def test_both_ways_away_is_a_failure(kit: Any) -> None:
    store = kit.Flaky(await kit.store(), lexical=[StoreError("away")], dense=[StoreError("away")])
    found = await MemoryAgent(store, FakeEmbedder(), None).retrieve("q", who=Principal.local(), filters={})
    assert isinstance(found, AgentFailure)
    assert (found.agent, found.recoverable) == ("memory", True)


async def test_the_limit_holds(kit: Any) -> None:
    memory = MemoryAgent(await kit.store(), FakeEmbedder(), None, RetrievalConfig(retrieve_limit=1))
    assert len((await recall(memory)).passages) == 1


async def test_reranking_mixes_only_the_top(kit: Any) -> None:
    memory = MemoryAgent(await kit.store(), FakeEmbedder(), FakeReranker(), RetrievalConfig(rerank_limit=1))
    found = await memory.rerank(await recall(memory))
    assert isinstance(found, Recall)
    assert ["rerank" in p.scores for p in found.passages] == [True] + [False] * (len(found.passages) - 1)
    assert [p.rank for p in found.passages] == list(range(1, len(found.passages) + 1))


async def test_the_reranker_reads_what_is_indexed(kit: Any) -> None:
    seen: list[str] = []

    class Reader(FakeReranker):
        async def scores(self, question: str, texts: Any) -> list[float]:
            seen.extend(texts)
            return await super().scores(question, texts)

    memory = MemoryAgent(await kit.store(), FakeEmbedder(), Reader())
    found = await recall(memory)
    await memory.rerank(found)
    assert seen == [p.chunk.indexed_text for p in found.passages]


@pytest.mark.parametrize("limits", [RetrievalConfig(rerank_limit=0), RetrievalConfig()])
async def test_without_reranking_the_order_stays(kit: Any, limits: RetrievalConfig) -> None:
    reranker = None if limits.rerank_limit else FakeReranker()
    memory = MemoryAgent(await kit.store(), FakeEmbedder(), reranker, limits)
    found = await recall(memory)
    assert await memory.rerank(found) == found
    assert memory.rerank_limit == 0


async def test_a_reranker_that_fails_leaves_the_order_and_says_so(kit: Any) -> None:
    reranker = kit.Flaky(FakeReranker(), scores=[EmbeddingError("away")])
    memory = MemoryAgent(await kit.store(), FakeEmbedder(), reranker)
    found = await recall(memory)
    after = await memory.rerank(found)
    assert isinstance(after, Recall)
    assert after.passages == found.passages
    assert after.degraded == (f"memory.rerank: {ErrorCode.EMBEDDING_UNAVAILABLE}",)


class EnglishReranker(FakeReranker):
    """A reranker that was measured on English."""

    @property
    def name(self) -> str:
        return "ms-marco-MiniLM-L-12-v2"


def in_language(recalled: Recall, *languages: str) -> Recall:
    """Return the recall with passages in these languages."""
    passages: list[ScoredChunk] = []
    for passage, language in zip(recalled.passages, languages, strict=False):
        facts = passage.chunk.facts.model_copy(update={"language": language})
        passages.append(passage.model_copy(update={"chunk": passage.chunk.model_copy(update={"facts": facts})}))
    return Recall(recalled.question, tuple(passages))


async def test_a_question_in_a_language_that_the_reranker_does_not_know_keeps_the_fused_order(kit: Any) -> None:
    memory = MemoryAgent(await kit.store(), FakeEmbedder(), EnglishReranker())
    found = await recall(memory, "Wann wurde die Hängebrücke gebaut?")
    ranked = await memory.rerank(found)
    assert isinstance(ranked, Recall)
    assert ranked.passages == found.passages
    assert ranked.notes == ("ranked by fusion alone: the reranker was not measured on German",)


async def test_passages_that_the_reranker_does_not_know_keep_their_places(kit: Any) -> None:
    memory = MemoryAgent(await kit.store(), FakeEmbedder(), EnglishReranker())
    found = in_language(await recall(memory), "de", "en")
    ranked = await memory.rerank(found)
    assert isinstance(ranked, Recall)
    assert ranked.passages[0].chunk == found.passages[0].chunk
    assert ["rerank" in passage.scores for passage in ranked.passages] == [False, True]
    assert [passage.rank for passage in ranked.passages] == [1, 2]
    assert ranked.notes == ()


async def test_health_is_the_stores(kit: Any) -> None:
    class Down:
        async def health(self) -> ComponentHealth:
            return ComponentHealth(name="store", state="down", reason="no folder")

    down: Any = Down()
    assert await MemoryAgent(down, FakeEmbedder(), None).health() == ComponentHealth(
        name="memory", state="down", reason="no folder"
    )


def test_sub_questions_take_turns(kit: Any) -> None:
    a = [kit.passage(f"a{i}", rank=i) for i in (1, 2, 3)]
    b = [kit.passage(f"b{i}", rank=i) for i in (1, 2)]
    shared = a[0]
    mixed = interleave([a, (b[0], shared, b[1])], 4)
    assert [p.chunk.text for p in mixed] == ["a1", "b1", "a2", "a3"]
    assert [p.rank for p in mixed] == [1, 2, 3, 4]
    assert [p.score for p in mixed] == sorted((p.score for p in mixed), reverse=True)
    assert mixed[0].scores["own"] == 1.0


def test_one_question_is_only_cut(kit: Any) -> None:
    a = tuple(kit.passage(f"a{i}", rank=i) for i in (1, 2, 3))
    assert interleave([a, ()], 2) == a[:2]
    assert interleave([], 5) == ()


class Crowded(FakeEmbedder):
    """Notes how many questions are embedded at once."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = self.most = 0

    async def embed_query(self, text: str) -> Any:
        self.inside += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(0.001)
        self.inside -= 1
        return await super().embed_query(text)


async def test_a_crowd_searches_in_turns(kit: Any) -> None:
    embedder = Crowded()
    memory = MemoryAgent(await kit.store(), embedder, None)
    found = await asyncio.gather(*(recall(memory) for _ in range(5 * CONCURRENT_SEARCHES)))
    assert all(f.passages for f in found)
    assert embedder.most == CONCURRENT_SEARCHES


def test_places_are_filled_or_left_out() -> None:
    context = Context.begin(Query(text="q"))
    context.look_up("Who was born there?", number=1)
    context.look_up("Where was {1} born, {2}?", number=3, needs=(1, 2))
    context.look_up("{1}", number=4, needs=(1,))
    assert fill_places(context.lookups[3], context) == ""
    context.lookups[1].finding = "Ada"
    assert fill_places(context.lookups[2], context) == "Where was Ada born, ?"


async def make_candidates(kit: Any) -> tuple[ScoredChunk, ...]:
    """Return twenty passages, of which two stand out."""
    template = (await recall(MemoryAgent(await kit.store(), FakeEmbedder(), None))).passages[0]
    shares = [1.0, 0.95, *[0.2 - 0.01 * place for place in range(18)]]
    return tuple(
        template.model_copy(update={"score": share, "chunk": template.chunk.model_copy(update={"id": f"{place:02d}"})})
        for place, share in enumerate(shares)
    )


async def test_the_reranker_stops_when_the_best_are_settled(kit: Any) -> None:
    counts: list[int] = []

    class Reader(FakeReranker):
        async def scores(self, question: str, texts: Any) -> list[float]:
            counts.append(len(texts))
            return [5.0 - place for place in range(len(texts))]

    found = Recall("rope bridge built", await make_candidates(kit))
    for depth, top, read in (("adaptive", 2, [6]), ("full", 2, [20]), ("adaptive", None, [20])):
        counts.clear()
        ranked = await MemoryAgent(await kit.store(), FakeEmbedder(), Reader(), depth=depth).rerank(found, top=top)
        assert isinstance(ranked, Recall)
        assert counts == read, depth
        assert [passage.chunk.id for passage in ranked.passages[:2]] == ["00", "01"]
        assert len(ranked.passages) == 20


@pytest.mark.parametrize(
    ("depth", "lookups", "top_k", "read"),
    [("adaptive", 3, 5, 4), ("adaptive", 2, 5, 6), ("adaptive", 4, 1, 4), ("full", 3, 5, 7)],
)
async def test_of_several_lookups_each_is_read_for_what_it_can_bring_in(
    kit: Any, depth: RerankDepth, lookups: int, top_k: int, read: int
) -> None:
    memory = MemoryAgent(await kit.store(), FakeEmbedder(), FakeReranker(), depth=depth)
    candidates = await make_candidates(kit)
    context = Context.begin(Query(text="rope bridge", top_k=top_k))
    for number in range(1, lookups):
        context.look_up(f"rope {number}")
    for lookup in context.lookups:
        lookup.round, lookup.passages = context.round, candidates
    rerank = next(stage for stage in memory.stages if stage.name == "rerank")
    assert await rerank.run(context) is None
    counts = [sum("rerank" in passage.scores for passage in lookup.passages or ()) for lookup in context.lookups]
    assert counts == [read] * lookups
