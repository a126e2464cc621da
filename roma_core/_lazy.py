"""Public names of a package that load their module on first use, so that importing the package stays cheap."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def export_lazily(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of ``package``, whose public names live in the modules of ``homes``.

    >>> __getattr__, __dir__ = export_lazily(__name__, {"LanceStore": "roma_core.store.lance"})  # doctest: +SKIP
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(homes[name]), name)

    def list_names() -> list[str]:
        return sorted(homes)

    return get, list_names
