"""Stores of passages: the seam, the store in a folder and the one in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily

if TYPE_CHECKING:
    from roma_core.store.base import ChunkStore as ChunkStore
    from roma_core.store.base import EmbeddedDocument as EmbeddedDocument
    from roma_core.store.inmemory import InMemoryStore as InMemoryStore
    from roma_core.store.lance import LanceStore as LanceStore
else:
    __getattr__, __dir__ = export_lazily(
        __name__,
        {
            "base": (
                "ChunkStore",
                "EmbeddedDocument",
            ),
            "inmemory": ("InMemoryStore",),
            "lance": ("LanceStore",),
        },
    )

__all__ = [
    "ChunkStore",
    "EmbeddedDocument",
    "InMemoryStore",
    "LanceStore",
]
