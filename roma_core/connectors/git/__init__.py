"""Repositories of git."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily
from roma_core.connectors.base import Connector, ConnectorSpec
from roma_core.settings import Settings

if TYPE_CHECKING:
    from roma_core.connectors.git.connector import GitConnector as GitConnector
else:
    __getattr__, __dir__ = export_lazily(__name__, {"connector": ("GitConnector",)})

__all__ = ["SPEC", "GitConnector"]


def _make(settings: Settings) -> Connector:
    from roma_core.connectors.git.connector import GitConnector

    return GitConnector(settings)


SPEC = ConnectorSpec(
    "git",
    make=_make,
    example="git+https://example.org/owner/repository.git",
    addresses=("git+https", "git+http", "git+file"),
)
