"""Anything that fsspec reads: buckets, servers, archives, repositories of code and models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily
from roma_core.connectors.base import Connector, ConnectorSpec
from roma_core.settings import Settings

if TYPE_CHECKING:
    from roma_core.connectors.files.connector import FilesConnector as FilesConnector
else:
    __getattr__, __dir__ = export_lazily(__name__, {"connector": ("FilesConnector",)})

__all__ = ["SPEC", "FilesConnector"]

ADDRESSES = ("s3", "gs", "gcs", "az", "abfs", "sftp", "ssh", "ftp", "smb", "github", "zip", "tar", "hf", "memory")
"""Schemes of fsspec that hold files of their own; ``http`` and ``file`` have connectors that know more of them."""


def _make(settings: Settings) -> Connector:
    from roma_core.connectors.files.connector import FilesConnector

    return FilesConnector(settings)


SPEC = ConnectorSpec("files", make=_make, example="s3://bucket/folder", addresses=ADDRESSES)
