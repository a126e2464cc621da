"""Tables and queries of databases, through SQLAlchemy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily
from roma_core.connectors.base import Connector, ConnectorSpec
from roma_core.settings import Settings

if TYPE_CHECKING:
    from roma_core.connectors.sql.connector import SqlConnector as SqlConnector
else:
    __getattr__, __dir__ = export_lazily(__name__, {"connector": ("SqlConnector",)})

__all__ = ["SPEC", "SqlConnector"]


def _make(settings: Settings) -> Connector:
    from roma_core.connectors.sql.connector import SqlConnector

    return SqlConnector(settings)


SPEC = ConnectorSpec("sql", make=_make, example="sql://shop/articles")
