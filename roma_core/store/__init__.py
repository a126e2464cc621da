"""Stores of passages: the seam, the store in a folder and the one in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily

if TYPE_CHECKING:
    from roma_core.store.base import ChunkStore as ChunkStore
    from roma_core.store.base import EmbeddedDocument as EmbeddedDocument
    from roma_core.store.base import require_document as require_document
    from roma_core.store.folder import LocalFolder as LocalFolder
    from roma_core.store.folder import StoreFolder as StoreFolder
    from roma_core.store.folder import locate_store as locate_store
    from roma_core.store.inmemory import InMemoryStore as InMemoryStore
    from roma_core.store.lance import LanceStore as LanceStore
    from roma_core.store.lance import open_for_reading as open_for_reading
else:
    __getattr__, __dir__ = export_lazily(
        __name__,
        {
            "base": (
                "ChunkStore",
                "EmbeddedDocument",
                "require_document",
            ),
            "folder": ("LocalFolder", "StoreFolder", "locate_store"),
            "inmemory": ("InMemoryStore",),
            "lance": (
                "LanceStore",
                "open_for_reading",
            ),
        },
    )

__all__ = [
    "ChunkStore",
    "EmbeddedDocument",
    "InMemoryStore",
    "LanceStore",
    "LocalFolder",
    "StoreFolder",
    "locate_store",
    "open_for_reading",
    "require_document",
]
