"""Memory of the searches of a table: passages and documents that were read last, and the vectors of a small tenant.

LanceDB plans each query anew, and reads a passage out of some twenty columns. Over a few thousand passages that takes
ten times as long as to compare their vectors. All is held for one version of the table, and dropped with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from roma_core.types import Chunk, Document, ReadScope

if TYPE_CHECKING:
    from roma_core.types import Vector, Vectors

MOST_PASSAGES: Final = 16_384
"""Passages that are held; some forty megabytes. To read two hundred takes twice as long as to find them."""
MOST_BLOCK_BYTES: Final = 32 << 20
"""Of the vectors of one tenant; LanceDB searches larger ones itself."""
MOST_DOCUMENT_CHARS: Final = 8 << 20
"""Of the texts of the documents that are held. An answer reads its documents twice or more: to quote, and to check."""
MOST_BLOCKS: Final = 4
"""Tenants whose vectors are held, those that were searched last."""

TableVersion = tuple[str, int]
"""A table by its name, and the number of its version."""
DocumentOwner = tuple[str, ReadScope]
"""A tenant, and what a caller may read of its documents."""


@dataclass(frozen=True)
class VectorBlock:
    """The vectors of a tenant's passages, with the place of each in the table, and its id."""

    places: Sequence[int]
    ids: Sequence[str]
    vectors: Vectors
    lengths: Vector

    @classmethod
    def of(cls, rows: Any) -> VectorBlock | None:
        """Return the block of an Arrow table with ``_rowid``, ``id`` and ``vector``.

        None where a vector is missing or zero: there LanceDB knows what to make of it.
        """
        import numpy as np

        column = rows.column("vector").combine_chunks()
        if column.null_count:
            return None
        vectors = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), column.type.list_size)
        lengths = np.linalg.norm(vectors, axis=1)
        if not lengths.all():
            return None
        return cls(rows.column("_rowid").to_pylist(), rows.column("id").to_pylist(), vectors, lengths)

    def find_best(self, vector: Vector, limit: int) -> list[tuple[int, float]]:
        """Return the places of the nearest vectors with their cosines, best first, ties by id.

        Each cosine is computed by itself, so that it does not depend on what else the table holds.
        """
        import numpy as np

        if not len(self.places):
            return []
        asked = np.asarray(vector, dtype=np.float32)
        cosines = np.vecdot(self.vectors, asked) / (self.lengths * np.linalg.norm(asked))
        scores = 1.0 - (np.float32(1.0) - cosines).astype(np.float64)  # as from LanceDB's distances
        rows: Iterable[int] = range(len(scores))
        if limit < len(scores):
            cut = np.partition(scores, len(scores) - limit)[len(scores) - limit]
            rows = np.flatnonzero(scores >= cut).tolist()
        best = sorted(rows, key=lambda row: (-scores[row], self.ids[row]))[:limit]
        return [(self.places[row], float(scores[row])) for row in best]


class PassageMemory:
    """Passages by place, documents by owner and id, and blocks of vectors by tenant, of one version of a table."""

    def __init__(self) -> None:
        self._version: TableVersion = ("", -1)
        self._passages: dict[int, Chunk] = {}
        self._documents: dict[tuple[DocumentOwner, str], Document] = {}
        self._blocks: dict[str, VectorBlock | None] = {}

    def use(self, version: TableVersion) -> None:
        """Drop what belongs to another version of the table."""
        if version != self._version:
            self.clear()
            self._version = version

    def clear(self) -> None:
        """Drop everything."""
        self._version = ("", -1)
        self._passages = {}
        self._documents = {}
        self._blocks = {}

    def find_passages(self, places: Sequence[int]) -> dict[int, Chunk]:
        """Return the passages at these places that are held."""
        found: dict[int, Chunk] = {}
        for place in places:
            passage = self._passages.pop(place, None)
            if passage is not None:
                self._passages[place] = passage  # at the end: it was used last
                found[place] = passage
        return found

    def hold_passages(self, version: TableVersion, passages: Mapping[int, Chunk]) -> None:
        """Hold passages that were read from ``version``; above the limit those go that were not used for longest."""
        if version != self._version:
            return
        self._passages |= passages
        excess = len(self._passages) - MOST_PASSAGES
        for place in list(self._passages)[: max(0, excess)]:
            self._passages.pop(place, None)

    def find_documents(self, owner: DocumentOwner, ids: Iterable[str]) -> dict[str, Document]:
        """Return the documents of these ids that are held."""
        found: dict[str, Document] = {}
        for id_ in ids:
            document = self._documents.pop((owner, id_), None)
            if document is not None:
                self._documents[owner, id_] = document  # at the end: it was used last
                found[id_] = document
        return found

    def hold_documents(self, version: TableVersion, owner: DocumentOwner, documents: Mapping[str, Document]) -> None:
        """Hold documents that were read from ``version``; above the limit those go that were not used for longest."""
        if version != self._version:
            return
        self._documents |= {(owner, id_): document for id_, document in documents.items()}
        chars = sum(len(document.text) for document in self._documents.values())
        for key in list(self._documents):
            if chars <= MOST_DOCUMENT_CHARS:
                break
            chars -= len(self._documents.pop(key).text)

    def has_block(self, tenant: str) -> bool:
        """Return whether it is known for a tenant if it has a block."""
        return tenant in self._blocks

    def find_block(self, tenant: str) -> VectorBlock | None:
        """Return the block of a tenant; None where LanceDB is to search its vectors."""
        if tenant not in self._blocks:
            return None
        block = self._blocks.pop(tenant)
        self._blocks[tenant] = block  # at the end: it was used last
        return block

    def hold_block(self, version: TableVersion, tenant: str, block: VectorBlock | None) -> None:
        """Hold the block of a tenant; above the limit that goes which was not used for longest."""
        if version != self._version:
            return
        self._blocks[tenant] = block
        for other in list(self._blocks)[:-MOST_BLOCKS]:
            self._blocks.pop(other, None)
