"""The guarded way to the web: one resolution, every hop checked, connected to the address that was checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily

if TYPE_CHECKING:
    from roma_core.connectors.net.guard import Netguard as Netguard
    from roma_core.connectors.net.guard import is_public as is_public
    from roma_core.connectors.net.proxy import GuardProxy as GuardProxy
else:
    __getattr__, __dir__ = export_lazily(
        __name__,
        {
            "guard": (
                "Netguard",
                "is_public",
            ),
            "proxy": ("GuardProxy",),
        },
    )

__all__ = [
    "GuardProxy",
    "Netguard",
    "is_public",
]
