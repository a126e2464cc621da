"""RSS and Atom feeds whose entries are the documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily
from roma_core.connectors.base import Connector, ConnectorSpec
from roma_core.settings import Settings

if TYPE_CHECKING:
    from roma_core.connectors.feeds.connector import FeedConnector as FeedConnector
else:
    __getattr__, __dir__ = export_lazily(__name__, {"connector": ("FeedConnector",)})

__all__ = ["SPEC", "FeedConnector"]


def _make(settings: Settings) -> Connector:
    from roma_core.connectors.feeds.connector import FeedConnector

    return FeedConnector(settings)


SPEC = ConnectorSpec(
    "feed", make=_make, example="feed+https://example.org/atom.xml", addresses=("feed+https", "feed+http")
)
