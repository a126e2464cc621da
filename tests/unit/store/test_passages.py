"""What searches have in memory: blocks of vectors, passages by their place, and when they are dropped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from roma_core.store import passages
from roma_core.store.passages import MOST_BLOCKS, MOST_PASSAGES, PassageMemory, VectorBlock
from roma_core.types import EVERYTHING, Chunk, Document, ReadScope

DIM = 8
VERSION = ("passages", 3)


def make_rows(vectors: Sequence[Sequence[float] | None], ids: Sequence[str] = ()) -> pa.Table:
    """Return vectors as the store reads them; the place of each is ten times its number."""
    count = len(vectors)
    columns = {
        "_rowid": pa.array([10 * number for number in range(count)], pa.uint64()),
        "id": pa.array(ids or [f"c{number}" for number in range(count)]),
        "vector": pa.array(vectors, pa.list_(pa.float32(), DIM)),
    }
    return pa.table(columns)


def make_block(vectors: Any, ids: Sequence[str] = ()) -> VectorBlock:
    block = VectorBlock.of(make_rows(vectors, ids))
    assert block is not None
    return block


def make_passage(number: int) -> Chunk:
    given = {"document_id": "d", "uri": "u", "title": "t", "text": "words", "start": 0, "end": 5}
    return Chunk.model_validate({"id": f"c{number}", **given})


@pytest.fixture
def vectors() -> Any:
    return np.random.default_rng(4).normal(size=(200, DIM)).astype(np.float32).tolist()


def test_the_nearest_vectors_come_by_their_cosine(vectors: Any) -> None:
    asked = np.asarray(vectors[3], np.float32) * 7
    found = make_block(vectors).find_best(asked, 10)
    units = np.asarray(vectors) / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = units @ units[3]
    assert [place // 10 for place, _ in found] == np.argsort(-cosines)[:10].tolist()
    assert [score for _, score in found] == pytest.approx(sorted(cosines, reverse=True)[:10], abs=1e-6)


@pytest.mark.parametrize("limit", [1, 3, 5])
def test_equal_vectors_come_by_id(limit: int) -> None:
    block = make_block([[1.0] * DIM] * 4 + [[-1.0] * DIM], ["d", "a", "c", "b", "e"])
    order = [10, 30, 20, 0, 40]
    assert [place for place, _ in block.find_best(np.ones(DIM, np.float32), limit)] == order[:limit]


def test_a_cosine_does_not_depend_on_what_else_there_is(vectors: Any) -> None:
    asked = np.asarray(vectors[0], np.float32)
    among_many = dict(make_block(vectors).find_best(asked, 200))
    for number in (1, 57, 199):
        ((_, alone),) = make_block([vectors[number]]).find_best(asked, 1)
        assert among_many[10 * number] == alone


def test_more_than_there_are_can_be_asked_for_and_none_be_there(vectors: Any) -> None:
    assert len(make_block(vectors).find_best(np.ones(DIM, np.float32), 500)) == 200
    assert make_block([]).find_best(np.ones(DIM, np.float32), 5) == []


@pytest.mark.parametrize("odd", [None, [0.0] * DIM])
def test_there_is_no_block_with_a_vector_that_is_missing_or_zero(odd: Sequence[float] | None) -> None:
    assert VectorBlock.of(make_rows([[1.0] * DIM, odd])) is None


def test_another_version_of_the_table_drops_everything(vectors: Any) -> None:
    memory = PassageMemory()
    memory.use(VERSION)
    memory.hold_passages(VERSION, {10: make_passage(1)})
    memory.hold_block(VERSION, "t", make_block(vectors))
    memory.use(VERSION)
    assert memory.find_passages([10, 20]) == {10: make_passage(1)} and memory.has_block("t")
    memory.use(("passages", 4))
    assert memory.find_passages([10]) == {} and not memory.has_block("t")


def test_what_was_read_from_another_version_is_not_held(vectors: Any) -> None:
    memory = PassageMemory()
    memory.use(("passages", 4))
    memory.hold_passages(VERSION, {10: make_passage(1)})
    memory.hold_block(VERSION, "t", make_block(vectors))
    assert memory.find_passages([10]) == {} and not memory.has_block("t")


def test_above_the_limit_passages_go_that_were_not_used_for_longest() -> None:
    memory, passage = PassageMemory(), make_passage(1)
    memory.use(VERSION)
    memory.hold_passages(VERSION, dict.fromkeys(range(MOST_PASSAGES), passage))
    memory.find_passages([0])
    memory.hold_passages(VERSION, dict.fromkeys(range(MOST_PASSAGES, MOST_PASSAGES + 2), passage))
    assert sorted(memory.find_passages([0, 1, 2, 3])) == [0, 3]


def test_above_the_limit_blocks_go_that_were_not_used_for_longest() -> None:
    memory, block = PassageMemory(), make_block([[1.0] * DIM])
    memory.use(VERSION)
    tenants = [f"t{number}" for number in range(MOST_BLOCKS + 1)]
    for tenant in tenants[:-1]:
        memory.hold_block(VERSION, tenant, block)
    assert memory.find_block("t0") is block
    memory.hold_block(VERSION, tenants[-1], None)
    assert [tenant for tenant in tenants if memory.has_block(tenant)] == ["t0", *tenants[2:]]
    assert memory.find_block(tenants[-1]) is None


def test_documents_are_held_for_their_owner_and_the_version_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passages, "MOST_DOCUMENT_CHARS", 25)
    memory = PassageMemory()
    memory.use(VERSION)
    ours, confined = ("t", EVERYTHING), ("t", ReadScope(hidden=("d2",)))
    held = {f"d{number}": make_document(number) for number in range(3)}
    memory.hold_documents(VERSION, ours, {"d0": held["d0"], "d1": held["d1"]})
    memory.hold_documents(("passages", 2), ours, {"d2": held["d2"]})
    assert memory.find_documents(ours, ["d1", "d0", "d2"]) == {"d1": held["d1"], "d0": held["d0"]}
    assert memory.find_documents(confined, ["d0"]) == memory.find_documents(("u", EVERYTHING), ["d0"]) == {}
    memory.hold_documents(VERSION, ours, {"d2": held["d2"]})  # ten letters each: the one used least lately goes
    assert memory.find_documents(ours, held) == {"d0": held["d0"], "d2": held["d2"]}
    memory.use(("passages", 4))
    assert memory.find_documents(ours, held) == {}


def make_document(number: int) -> Document:
    given = {"uri": "u", "title": "t", "text": "ten chars.", "content_sha256": "x", "parser": "p/1"}
    return Document.model_validate({"id": f"d{number}", **given})
