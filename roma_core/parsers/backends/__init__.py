"""Readers of other projects behind one seam: each gives blocks, and ``DocumentBuilder`` writes them.

So the offsets of a document are exact whoever read the file, and readers can be compared block by block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily

if TYPE_CHECKING:
    from roma_core.parsers.backends.base import Backend as Backend
    from roma_core.parsers.backends.base import BackendBlock as BackendBlock
    from roma_core.parsers.backends.base import ReadBlocks as ReadBlocks
    from roma_core.parsers.backends.base import find_backend as find_backend
    from roma_core.parsers.backends.base import list_backends as list_backends
    from roma_core.parsers.backends.comparison import BackendReport as BackendReport
    from roma_core.parsers.backends.comparison import compare_backends as compare_backends
else:
    __getattr__, __dir__ = export_lazily(
        __name__,
        {
            "base": ("Backend", "BackendBlock", "ReadBlocks", "find_backend", "list_backends"),
            "comparison": ("BackendReport", "compare_backends"),
        },
    )

__all__ = [
    "Backend",
    "BackendBlock",
    "BackendReport",
    "ReadBlocks",
    "compare_backends",
    "find_backend",
    "list_backends",
]
