"""Files and folders of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily
from roma_core.connectors.base import Connector, ConnectorSpec
from roma_core.settings import LocalSettings, Settings

if TYPE_CHECKING:
    from roma_core.connectors.local.connector import LocalConnector as LocalConnector
else:
    __getattr__, __dir__ = export_lazily(__name__, {"connector": ("LocalConnector",)})

__all__ = ["SPEC", "LocalConnector"]


def _make(settings: Settings) -> Connector:
    from roma_core.connectors.local.connector import LocalConnector

    return LocalConnector(settings)


SPEC = ConnectorSpec("local", make=_make, example="a path", settings=LocalSettings, addresses=())
