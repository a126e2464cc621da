"""Places that documents come from: the seam, and every connector that is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily

if TYPE_CHECKING:
    from roma_core.connectors.base import Connector as Connector
    from roma_core.connectors.base import ConnectorSpec as ConnectorSpec
    from roma_core.connectors.base import Listing as Listing
    from roma_core.connectors.registry import connector_specs as connector_specs
    from roma_core.connectors.registry import describe_sources as describe_sources
    from roma_core.connectors.registry import make_connectors as make_connectors
    from roma_core.connectors.sources import redact_uri as redact_uri
    from roma_core.connectors.sources import resolve_source as resolve_source
else:
    __getattr__, __dir__ = export_lazily(
        __name__,
        {
            "base": (
                "Connector",
                "ConnectorSpec",
                "Listing",
            ),
            "registry": (
                "connector_specs",
                "describe_sources",
                "make_connectors",
            ),
            "sources": (
                "redact_uri",
                "resolve_source",
            ),
        },
    )

__all__ = [
    "Connector",
    "ConnectorSpec",
    "Listing",
    "connector_specs",
    "describe_sources",
    "make_connectors",
    "redact_uri",
    "resolve_source",
]
