"""ROMA: answers over a corpus with citations that can be checked, and measures of how good they are.

The names below load on first use, so ``import roma_core`` stays fast and imports no SDK, parser, UI or tracker.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import roma_core._quiet  # noqa: F401  (first: sets switches before any dependency is imported)

__version__ = "0.1.0"

if TYPE_CHECKING:
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

_HOME = {
    "Roma": "app",
    "build_roma": "app",
    "Settings": "settings",
    "AgentFailure": "errors",
    "ErrorCode": "errors",
    "RomaError": "errors",
    "Citation": "types",
    "Document": "types",
    "IngestionReport": "types",
    "Query": "types",
    "TailorOutput": "types",
}

__all__ = ["__version__", *_HOME]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'roma_core' has no attribute {name!r}")
    return getattr(importlib.import_module(f"roma_core.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
