"""Searches of a table: by words with BM25, and by vectors, from memory, exactly, or through the vector index."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from roma_core.languages import detect_language
from roma_core.perloop import PerLoop
from roma_core.ranking import rank_chunks
from roma_core.store import compaction
from roma_core.store.conditions import ALL_CHUNKS, build_scope
from roma_core.store.lexical import expand_versions, find_missing_words, stem_words
from roma_core.store.partitions import PartitionedTable, holds_enough, list_places
from roma_core.store.passages import MOST_BLOCK_BYTES, PassageMemory, TableVersion, VectorBlock
from roma_core.store.rows import CHUNK_FIELDS, parse_chunk
from roma_core.store.tables import read_version
from roma_core.store.words import choose_languages, widen_question
from roma_core.types import Chunk, ScoredChunk, digest

if TYPE_CHECKING:
    from roma_core.types import Vector

MOST_COUNTED = 512
"""Filters whose number of permitted chunks is remembered, until the table changes."""
TIE_MARGIN = 32
"""Rows read beyond the limit, so that equal scores at the cut are decided by id and not by place in the table."""
REFINED, REFINED_FILTERED = 200, 2400
"""Vectors of the index's best that are compared exactly, without a condition and with one. Product quantisation alone
loses half of the true neighbours, and more where a condition takes the nearest ones away: what is left is about as far
as much else. Each vector is read from the disk, which takes most of a search's time."""
NPROBES, MOST_PROBES = 48, 1024
"""Cells of the index that a search looks into: without a condition, and at most with one that permits few rows. They
cost little: a vector in a cell is 24 bytes, and half of them make no whole search of a million passages quicker."""
MOST_PERMITTED: Final = 0.9
"""Share of the chunks from which on a condition takes away next to nothing."""
EXACT_UP_TO = 100_000
"""Chunks that a condition leaves up to which each is compared, in about 90 ms: what is permitted may lie in cells of
the index that are not looked into, and is lost among vectors that are about as far."""
COMPARED_AT_ONCE = 4096
"""Vectors that are compared before a thread for it would have begun."""


@dataclass(frozen=True)
class IndexLook:
    """How far a search looks into the vector index."""

    probes: int
    """Cells that are looked into."""
    refined: int
    """Vectors that are compared exactly, about."""
    permits_nearly_all: bool
    """Whether it is quicker to take out of what was found what is not permitted, than to find which rows are."""


class TableSearch:
    """Searches of the table that a store reads. The caller counts as a reader meanwhile.

    What is counted and read for them is remembered until the table changes. ``where`` is the condition of the rows that
    are wanted.
    """

    def __init__(self, memory: PassageMemory) -> None:
        self._memory = memory
        self._block_reading = PerLoop(asyncio.Lock)
        self._permitted: OrderedDict[str, tuple[TableVersion, int]] = OrderedDict()
        """By condition: the table and its version, and the number of rows that it permits."""
        self._languages: dict[str, tuple[TableVersion, frozenset[str]]] = {}
        """By tenant: the table and its version, and the languages of its documents."""

    def clear(self) -> None:
        """Forget what was counted and read: a table that was put back counts its versions from another number on."""
        self._permitted.clear()
        self._memory.clear()

    async def match_words(self, table: Any, tenant: str, text: str, where: Any, limit: int) -> list[ScoredChunk]:
        """Return the best chunks by BM25; words that no hit holds are searched again with one wrong letter allowed.

        Stems and parts of compounds are those of the question's language, or of the corpus' where it shows none.
        """
        words = widen_question(expand_versions(text), await self._choose_languages(table, tenant, text))
        hits = await self._match(table, words, where, limit)
        missing = find_missing_words(text, (f"{chunk.text} {chunk.context}" for chunk, _ in hits))
        are_held = [await self._holds_word(table, word, where) for word in missing]
        misspelt = [word for word, is_held in zip(missing, are_held, strict=True) if not is_held]
        if misspelt:
            near = stem_words(misspelt)  # a fuzzy search compares with stems, and makes none itself
            hits = _add_scores(hits, await self._match(table, " ".join(near), where, limit, fuzziness=1))
        return _rank_best(hits, "bm25", limit)

    async def find_in_memory(self, table: Any, tenant: str, vector: Vector, limit: int) -> list[ScoredChunk] | None:
        """Return the nearest passages of a tenant whose vectors are in memory; None where LanceDB is to search."""
        import numpy as np

        length = float(np.linalg.norm(vector))
        if isinstance(table, PartitionedTable) or not length or not math.isfinite(length):
            return None
        version, block = await self._find_block(table, tenant, len(vector))
        if block is None:
            return None
        if len(block.places) <= COMPARED_AT_ONCE:
            nearest = block.find_best(vector, limit)
        else:
            nearest = await asyncio.to_thread(block.find_best, vector, limit)
        passages = await self._read_passages(table, version, [place for place, _ in nearest])
        if passages is None:
            return None
        return _rank_best([(passages[place], score) for place, score in nearest], "dense", limit)

    async def find_nearest(self, table: Any, vector: Vector, where: Any, limit: int) -> list[ScoredChunk]:
        """Return the best chunks by cosine similarity."""
        look = await self._choose_look(table, where)

        def begin_search() -> Any:
            search = table.query().nearest_to(vector).distance_type("cosine").where(where)
            search = search.limit(limit + TIE_MARGIN)
            if look is None:
                return search.bypass_vector_index()
            factor = math.ceil(look.refined / (limit + TIE_MARGIN))
            return search.nprobes(look.probes).refine_factor(factor)

        # Each step of a query changes it, so the quick one is begun by itself.
        quick = begin_search().postfilter() if look is not None and look.permits_nearly_all else None
        nearest = await self._read_best(table, begin_search(), "_distance", limit, quick)
        return _rank_best([(passage, 1.0 - distance) for passage, distance in nearest], "dense", limit)

    async def _choose_languages(self, table: Any, tenant: str, question: str) -> list[str]:
        """Return the languages in whose way the words of a question are stemmed beside the English one."""
        language = detect_language(question)
        if language == "en":
            return []
        version = await read_version(table)
        noted, present = self._languages.get(tenant, (("", -1), frozenset[str]()))
        if noted != version:
            rows = await table.query().where(build_scope(tenant, "document")).select(["language"]).to_arrow()
            present = frozenset(map(str, rows.column("language").to_pylist()))
            self._languages[tenant] = version, present
        return choose_languages(language, present)

    async def _holds_word(self, table: Any, word: str, where: Any) -> bool:
        """Return whether any passage holds a word: a common one may stand in none of the best."""
        from lancedb.query import MatchQuery

        search = table.query().nearest_to_text(MatchQuery(word, column="search_text")).where(where).limit(1)
        return len(await search.select(["_score"]).to_arrow()) > 0

    async def _match(
        self, table: Any, text: str, where: Any, limit: int, *, fuzziness: int = 0
    ) -> list[tuple[Chunk, float]]:
        """Return the passages that hold words of ``text``, each with its BM25 score."""
        from lancedb.query import MatchQuery

        query = MatchQuery(text, column="search_text", fuzziness=fuzziness, prefix_length=1 if fuzziness else 0)
        search = table.query().nearest_to_text(query).where(where).limit(limit + TIE_MARGIN)
        return await self._read_best(table, search, "_score", limit)

    async def _read_best(
        self, table: Any, search: Any, column: Literal["_score", "_distance"], limit: int, quick: Any = None
    ) -> list[tuple[Chunk, float]]:
        """Return the ``limit`` best passages that a search finds, and what is as good as the last of them.

        Each comes with its value of ``column``. They are found first and read then: none is read beyond the limit, nor
        one that is in memory. ``quick`` is a search that may find fewer; then ``search`` is made, too.
        """

        async def find(query: Any) -> Any:
            return await query.select([column]).with_row_id().to_arrow()

        version, found = await asyncio.gather(read_version(table), find(search if quick is None else quick))
        if quick is not None and not holds_enough(table, found, limit):
            found = await find(search)
        values = dict(zip(list_places(found), found.column(column).to_pylist(), strict=True))
        order = sorted(values, key=values.__getitem__, reverse=column == "_score")
        best, beyond = order[:limit], order[limit:]
        best += [place for place in beyond if values[place] == values[best[-1]]]
        passages = await self._read_passages(table, version, best)
        if passages is not None:
            return [(passages[place], float(values[place])) for place in best]
        found = await search.select([*CHUNK_FIELDS, column]).to_arrow()
        return [(parse_chunk(row), float(row[column])) for row in found.to_pylist()]

    async def _find_block(self, table: Any, tenant: str, dim: int) -> tuple[TableVersion, VectorBlock | None]:
        """Return the version of the table, and the vectors of a tenant; None for a table with a vector index.

        They are read again after each change.
        """
        async with self._block_reading.get():
            version = await read_version(table)
            self._memory.use(version)
            if self._memory.has_block(tenant):
                return version, self._memory.find_block(tenant)
            total = int(await table.count_rows())
            block = None
            if total < compaction.ANN_FROM and total * dim * 4 <= MOST_BLOCK_BYTES:
                where = build_scope(tenant, "chunk")
                rows = await table.query().where(where).select(["id", "vector"]).with_row_id().to_arrow()
                block = await asyncio.to_thread(VectorBlock.of, rows)
            self._memory.hold_block(version, tenant, block)
            return version, block

    async def _read_passages(self, table: Any, version: TableVersion, places: Sequence[int]) -> dict[int, Chunk] | None:
        """Return the passages at places of a table; None when they have been moved since ``version``."""
        self._memory.use(version)
        passages = self._memory.find_passages(places)
        missing = [place for place in places if place not in passages]
        if not missing:
            return passages
        try:
            found = await table.take_row_ids(missing).select([*CHUNK_FIELDS]).with_row_id().to_arrow()
        except (RuntimeError, ValueError, OSError):
            return None  # upkeep has moved them; what is wrong otherwise is said by the search that follows
        read = {place: parse_chunk(row) for place, row in zip(list_places(found), found.to_pylist(), strict=True)}
        if len(read) < len(missing):
            return None
        self._memory.hold_passages(version, read)
        return passages | read

    async def _choose_look(self, table: Any, where: Any) -> IndexLook | None:
        """Return how to look into the vector index; None to compare every permitted vector.

        That is so without an index and where few are permitted. Else the fewer are permitted the more cells are looked
        into, so that as many permitted vectors are met as without a condition.
        """
        total = await self._count_permitted(table, ALL_CHUNKS)
        if total < compaction.ANN_FROM:
            return None
        permitted = await self._count_permitted(table, where.to_sql())
        permits_nearly_all = permitted >= MOST_PERMITTED * total
        if not permits_nearly_all and permitted <= EXACT_UP_TO:
            return None
        refined = REFINED if permits_nearly_all else REFINED_FILTERED
        probes = min(MOST_PROBES, math.ceil(NPROBES * total / permitted))
        return IndexLook(probes, refined, permits_nearly_all)

    async def _count_permitted(self, table: Any, condition: str) -> int:
        """Return the number of rows that a condition permits; it is counted again after each change of the table."""
        key = digest("condition", condition)  # one of grants may name thousands of documents
        version = await read_version(table)
        noted = self._permitted.get(key)
        if noted is not None and noted[0] == version:
            self._permitted.move_to_end(key)
            return noted[1]
        count = int(await table.count_rows(condition))
        self._permitted[key] = version, count
        if len(self._permitted) > MOST_COUNTED:
            self._permitted.popitem(last=False)
        return count


def _add_scores(hits: list[tuple[Chunk, float]], more: list[tuple[Chunk, float]]) -> list[tuple[Chunk, float]]:
    """Return the passages of both lists; one that is in both has the sum of its scores."""
    scores: dict[str, float] = {}
    passages: dict[str, Chunk] = {}
    for passage, score in (*hits, *more):
        passages[passage.id] = passage
        scores[passage.id] = scores.get(passage.id, 0.0) + score
    return [(passage, scores[key]) for key, passage in passages.items()]


def _rank_best(found: Iterable[tuple[Chunk, float]], retriever: str, limit: int) -> list[ScoredChunk]:
    """Return the ``limit`` best passages, ties by id."""
    scored = ((passage, score, {retriever: score}) for passage, score in found)
    return rank_chunks(scored, retriever, limit=limit)
