"""Public names of a package that load their module on first use, so that importing the package stays cheap.

Type checkers read the imports instead::

    if TYPE_CHECKING:
        from roma_core.store.lance import LanceStore as LanceStore
    else:
        __getattr__, __dir__ = export_lazily(__name__, {"lance": ("LanceStore",)})

    __all__ = ["LanceStore"]
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def export_lazily(
    package: str, modules: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of ``package``, whose ``modules`` have the names."""
    homes = {name: module for module, names in modules.items() for name in names}

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    def list_names() -> list[str]:
        return sorted(homes)

    return get, list_names
