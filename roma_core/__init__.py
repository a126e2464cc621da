"""ROMA: answers over a corpus with citations that can be checked, and measures of how good they are.

>>> async with build_roma(Settings.load(workspace="w")) as roma:  # doctest: +SKIP
...     await roma.ingest("papers/")
...     await roma.query("What does the bridge span?")

The names below load on first use, so ``import roma_core`` stays fast and imports no SDK, parser, UI or tracker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import roma_core._quiet  # noqa: F401  (first: sets switches before any dependency is imported)
from roma_core._lazy import export_lazily

__version__ = "0.1.0"

if TYPE_CHECKING:
    from roma_core.agents.memory import RetrievalConfig as RetrievalConfig
    from roma_core.app import Roma as Roma
    from roma_core.app import build_roma as build_roma
    from roma_core.errors import AgentFailure as AgentFailure
    from roma_core.errors import ErrorCode as ErrorCode
    from roma_core.errors import RomaError as RomaError
    from roma_core.settings import Settings as Settings
    from roma_core.types import Citation as Citation
    from roma_core.types import Document as Document
    from roma_core.types import IngestionReport as IngestionReport
    from roma_core.types import Query as Query
    from roma_core.types import TailorOutput as TailorOutput
    from roma_core.workspace import Workspace as Workspace
else:
    __getattr__, __dir__ = export_lazily(
        __name__,
        {
            "agents.memory": ("RetrievalConfig",),
            "app": ("Roma", "build_roma"),
            "errors": ("AgentFailure", "ErrorCode", "RomaError"),
            "settings": ("Settings",),
            "types": ("Citation", "Document", "IngestionReport", "Query", "TailorOutput"),
            "workspace": ("Workspace",),
        },
    )

__all__ = [
    "AgentFailure",
    "Citation",
    "Document",
    "ErrorCode",
    "IngestionReport",
    "Query",
    "RetrievalConfig",
    "Roma",
    "RomaError",
    "Settings",
    "TailorOutput",
    "Workspace",
    "__version__",
    "build_roma",
]


def load_ipython_extension(shell: Any) -> None:
    """Add ``%roma`` and ``%%ask`` to a notebook: ``%load_ext roma_core``."""
    from roma_core.cli.magics import load_magics

    load_magics(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Take them away again: ``%unload_ext roma_core``."""
    from roma_core.cli.magics import unload_magics

    unload_magics(shell)
