"""Normalising, fusing and mixing ranked lists."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.ranking import minmax, rank_chunks
from roma_core.rerank import FakeReranker, mix, score_until_settled
from roma_core.store.fusion import fuse
from roma_core.types import Chunk, ScoredChunk

scores = st.lists(st.floats(-1e6, 1e6), max_size=30)


def passage(name: str) -> Chunk:
    return Chunk(id=name, document_id="d", uri="u", title="t", text=name, start=0, end=len(name))


def hits(retriever: str, **found: float) -> list[ScoredChunk]:
    return rank_chunks(((passage(n), s, {retriever: s}) for n, s in found.items()), retriever)


@given(scores)
def test_minmax_keeps_order_within_0_and_1(values: list[float]) -> None:
    scaled = minmax(values)
    assert len(scaled) == len(values)
    assert all(0 <= s <= 1 for s in scaled)
    assert all(
        a <= b
        for (va, a) in zip(values, scaled, strict=True)
        for (vb, b) in zip(values, scaled, strict=True)
        if va < vb
    )


def test_minmax_without_spread_is_all_ones() -> None:
    assert minmax([3.0, 3.0]) == [1.0, 1.0]
    assert minmax([]) == []


def test_ties_are_ordered_by_id_and_ranks_start_at_one() -> None:
    assert [(h.chunk.id, h.rank) for h in hits("x", b=1.0, a=1.0, c=2.0)] == [("c", 1), ("a", 2), ("b", 3)]


def test_fuse_is_the_weighted_sum_and_missing_counts_zero() -> None:
    fused = fuse(hits("bm25", a=10.0, b=6.0, c=2.0), hits("dense", c=0.9, d=0.5))
    assert {h.chunk.id: h.score for h in fused} == pytest.approx({"a": 0.4, "b": 0.2, "c": 0.6, "d": 0.0})
    assert [h.chunk.id for h in fused] == ["c", "a", "b", "d"]
    assert fused[0].scores == {"bm25": 2.0, "dense": 0.9, "hybrid": pytest.approx(0.6)}
    assert {h.retriever for h in fused} == {"hybrid"}


def test_fuse_weight_one_is_lexical_and_zero_is_dense() -> None:
    lexical, dense = hits("bm25", a=2.0, b=1.0), hits("dense", b=2.0, a=1.0)
    assert fuse(lexical, dense, lexical_weight=1.0)[0].chunk.id == "a"
    assert fuse(lexical, dense, lexical_weight=0.0, limit=1)[0].chunk.id == "b"
    assert fuse([], []) == []


def test_mix_reorders_what_was_scored_and_keeps_the_rest_below() -> None:
    candidates = hits("hybrid", a=1.0, b=0.9, c=0.8, d=0.7, e=0.7)
    mixed = mix(candidates, [0.0, 5.0, 2.0])
    assert [h.chunk.id for h in mixed] == ["b", "a", "c", "d", "e"]
    assert [h.score for h in mixed[:3]] == pytest.approx([0.75, 0.5, 0.2])
    assert [h.rank for h in mixed] == [1, 2, 3, 4, 5]
    assert mixed[0].scores["rerank"] == 5.0


@given(scores.filter(bool), st.data())
def test_mix_scores_never_rise_and_nothing_is_lost(own: list[float], data: st.DataObject) -> None:
    candidates = hits("hybrid", **{f"c{i}": s for i, s in enumerate(own)})
    model = data.draw(st.lists(st.floats(-20, 20), max_size=len(own)))
    mixed = mix(candidates, model)
    assert sorted(h.chunk.id for h in mixed) == sorted(h.chunk.id for h in candidates)
    assert all(a.score >= b.score for a, b in pairwise(mixed))
    assert [h.chunk.id for h in mixed[len(model) :]] == [h.chunk.id for h in candidates[len(model) :]]


async def test_fake_reranker_counts_shared_words() -> None:
    reranker = FakeReranker()
    assert await reranker.scores("red fox", ["A red fox!", "red car", "blue"]) == [5.0, 0.0, -5.0]
    assert await reranker.scores("?!", ["x"]) == [-5.0]


async def read_until_settled(own: Sequence[float], scores: Sequence[float], top: int) -> list[float]:
    """Return what is read of candidates whose texts are the model's scores."""

    class Reader(FakeReranker):
        async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
            return [float(text) for text in texts]

    return await score_until_settled(Reader(), "?", [str(score) for score in scores], own, top=top)


async def test_reading_stops_when_a_step_brings_nothing_among_the_best() -> None:
    own = [1.0 - 0.05 * place for place in range(20)]
    assert len(await read_until_settled(own, [5.0 - place for place in range(20)], top=5)) == 6
    late = [0.0] * 20
    late[7] = 9.0  # the eighth is best: its step is read, and one more
    assert len(await read_until_settled(own, [5.0, 5.0, 5.0, 0.0, 9.0, *late[5:]], top=5)) == 10


async def test_reading_goes_on_while_better_ones_come() -> None:
    assert len(await read_until_settled([0.5] * 20, [float(place) for place in range(20)], top=5)) == 20


async def test_as_many_are_read_as_are_wanted() -> None:
    own = [1.0 - 0.05 * place for place in range(20)]
    assert len(await read_until_settled(own, [5.0 - place for place in range(20)], top=13)) == 13


async def test_fewer_candidates_than_are_wanted_are_all_read() -> None:
    assert await read_until_settled([1.0, 0.5], [3.0, 1.0], top=5) == [3.0, 1.0]
    assert await read_until_settled([], [], top=5) == []


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(-10, 10)), min_size=1, max_size=30), st.integers(1, 10))
async def test_what_was_not_read_follows_in_its_own_order(candidates: list[tuple[float, float]], top: int) -> None:
    own = sorted((share for share, _ in candidates), reverse=True)
    read = await read_until_settled(own, [score for _, score in candidates], top)
    ranking = hits("hybrid", **{f"c{place:02d}": score for place, score in enumerate(own)})
    mixed = mix(ranking, read, window=len(own))
    assert [hit.chunk.id for hit in mixed[len(read) :]] == [hit.chunk.id for hit in ranking[len(read) :]]
    assert [hit.score for hit in mixed] == sorted((hit.score for hit in mixed), reverse=True)
    assert [hit.rank for hit in mixed] == list(range(1, len(own) + 1))
