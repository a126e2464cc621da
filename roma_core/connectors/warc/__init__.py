"""Archives of web pages (WARC): read as a source, and written while pages are fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily
from roma_core.connectors.base import Connector, ConnectorSpec
from roma_core.settings import Settings

if TYPE_CHECKING:
    from roma_core.connectors.warc.connector import WarcConnector as WarcConnector
else:
    __getattr__, __dir__ = export_lazily(__name__, {"connector": ("WarcConnector",)})

__all__ = ["SPEC", "WarcConnector"]


def _make(settings: Settings) -> Connector:
    from roma_core.connectors.warc.connector import WarcConnector

    return WarcConnector(settings)


SPEC = ConnectorSpec("warc", make=_make, example="warc:///path/crawl.warc.gz")
