"""When a table is worth rewriting, and how much of it. Pure.

A commit leaves a small fragment, rows that no index holds, and a version. Mending all of that at once writes the whole
table again, so it is done only after a share of the table has changed: then a changed document pays for a few others.
Until then small fragments are merged among themselves, and the text index is built again, which is small.

>>> choose_upkeep(TableFacts(rows=10_000, changed=1200, unindexed=1200, fragments=3))
'index'
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Upkeep = Literal["none", "index", "extend", "merge", "rewrite"]
"""``index``: build the text index again. ``extend``: bring the rows that they lack into all indices. ``merge``: make
one fragment of the small ones, then as ``index`` where due. ``rewrite``: one fragment, all indices, no old version."""

REWRITE_SHARE: Final = 2
"""A table is rewritten when one row in so many has changed since the last time."""
MOST_SCANNED: Final = 20_000
"""Rows outside of the indices, however large the table, from which it is rewritten."""
LARGE_TABLE: Final = 20_000
"""Rows from which on indices are extended: building one again takes as long as the table is large."""
MOST_UNINDEXED: Final = 1000
"""Rows of a large table that its text index may lack. A search cuts each of them into words: a thousand take it some
0.1 s on a free core."""
LEAST_REWRITTEN: Final = 512
INDEX_SHARE: Final = 10
"""The text index is built again when it lacks one row in so many; a search reads such rows one by one."""
LEAST_INDEXED: Final = 64
"""So few rows are read one by one in no time, however small the table."""
LEAST_INDEXED_AGAIN: Final = 256
"""The same for a table of which the index has most rows: building it again for each few changes is what they cost."""
MOST_FRAGMENTS: Final = 64
SMALL_FRAGMENT: Final = 64
"""Rows of a fragment up to which it is merged with others of its kind."""
MOST_MERGED: Final = 256
"""Fragments of any size from which on a table is rewritten."""
MOST_VERSIONS: Final = 1024
LEAST_GARBAGE: Final = 2 << 20
"""Bytes of old versions that are not worth rewriting a table for."""
GARBAGE_SHARE: Final = 2
"""A table is rewritten when its old versions have so many times its bytes."""


@dataclass(frozen=True)
class TableFacts:
    """The state of a table. Bytes are those of its folder, and of the files of its latest version."""

    rows: int
    changed: int
    """Rows outside of the largest fragment: they have changed since the table was rewritten."""
    unindexed: int
    fragments: int
    versions: int = 1
    taken_bytes: int = 0
    live_bytes: int = 0

    @property
    def garbage_bytes(self) -> int:
        """Bytes of old versions."""
        return self.taken_bytes - self.live_bytes


def choose_upkeep(facts: TableFacts) -> Upkeep:
    """Return what is due."""
    if _is_rewrite_due(facts):
        return "rewrite"
    if facts.fragments >= MOST_FRAGMENTS:
        return "merge"
    if is_extension_due(facts.unindexed, facts.rows):
        return "extend"
    return "index" if is_index_due(facts.unindexed, facts.rows) else "none"


def is_index_due(unindexed: int, rows: int) -> bool:
    """Return whether the text index lacks so many rows that building it again pays."""
    if unindexed < LEAST_INDEXED:
        return False
    is_new = unindexed * 2 >= rows
    return is_new or (unindexed >= LEAST_INDEXED_AGAIN and unindexed * INDEX_SHARE >= rows)


def is_extension_due(unindexed: int, rows: int) -> bool:
    """Return whether the indices of a large table lack so many rows that searches become slow.

    >>> is_extension_due(unindexed=5000, rows=1_000_000), is_extension_due(unindexed=500, rows=1_000_000)
    (True, False)
    """
    return rows >= LARGE_TABLE and unindexed >= MOST_UNINDEXED


def _is_rewrite_due(facts: TableFacts) -> bool:
    if facts.fragments >= MOST_MERGED or facts.versions >= MOST_VERSIONS:
        return True
    if facts.garbage_bytes >= max(LEAST_GARBAGE, GARBAGE_SHARE * facts.live_bytes):
        return True
    stale = max(facts.changed, facts.unindexed)
    return facts.unindexed >= MOST_SCANNED or (stale >= LEAST_REWRITTEN and stale * REWRITE_SHARE >= facts.rows)
