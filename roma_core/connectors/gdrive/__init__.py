"""Files, folders and shared drives of Google Drive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily
from roma_core.connectors.base import Connector, ConnectorSpec
from roma_core.settings import GDriveSettings, Settings

if TYPE_CHECKING:
    from roma_core.connectors.gdrive.connector import GDriveConnector as GDriveConnector
else:
    __getattr__, __dir__ = export_lazily(__name__, {"connector": ("GDriveConnector",)})

__all__ = ["SPEC", "GDriveConnector"]


def _make(settings: Settings) -> Connector:
    from roma_core.connectors.gdrive.connector import GDriveConnector

    return GDriveConnector(settings)


def _sign_in(settings: Settings, client: Path) -> Path:
    from roma_core.connectors.gdrive.auth import authorize

    return authorize(settings, client)


SPEC = ConnectorSpec("gdrive", make=_make, example="gdrive://folder/ID", settings=GDriveSettings, sign_in=_sign_in)
