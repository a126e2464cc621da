"""Pages and sites of the web."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily
from roma_core.connectors.base import Connector, ConnectorSpec
from roma_core.settings import Settings, WebSettings

if TYPE_CHECKING:
    from roma_core.connectors.web.connector import WebConnector as WebConnector
else:
    __getattr__, __dir__ = export_lazily(__name__, {"connector": ("WebConnector",)})

__all__ = ["SPEC", "WebConnector"]


def _make(settings: Settings) -> Connector:
    from roma_core.connectors.web.connector import WebConnector

    return WebConnector(settings)


SPEC = ConnectorSpec(
    "web", make=_make, example="https://example.org", settings=WebSettings, addresses=("https", "http")
)
