"""Settings of what is kept."""

from __future__ import annotations

import re
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import field_validator

from roma_core.settings.base import SettingsSection, setting
from roma_core.settings.llm import check_address

CacheMode = Literal["off", "read", "write", "refresh"]

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
"""Names that a bucket may have."""


class StorageSettings(SettingsSection):
    """Caches, databases and the room that they may fill."""

    min_free_mb: int = setting(
        256, "Ingest stops with ERR_STORAGE_FULL below this free space.", ge=0, decides_answers=False
    )
    store_partition_rows: int = setting(
        1_000_000,
        "Rows of the store's table (passages and documents) above which it is spread over partitions; 0 = never.",
        ge=0,
        decides_answers=False,
    )
    store_url: str | None = setting(
        None,
        "Where the passages lie: s3://bucket/prefix; none = in the workspace. Keys are AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, or the machine's role.",
        decides_answers=False,
    )
    store_endpoint: str | None = setting(
        None, "Address of an object store that is not Amazon's, such as https://minio:9000.", decides_answers=False
    )
    cache: CacheMode = setting(
        "write", "off: never; read: use only; write: use and fill; refresh.", decides_answers=False
    )
    cache_url: str | None = setting(
        None,
        "Redis that keeps the caches for several replicas (redis://host:6379/1), bounded by its maxmemory; none = "
        "files of the workspace.",
        decides_answers=False,
    )
    database_url: str | None = setting(
        None,
        "SQLAlchemy URL for conversations, and where it is PostgreSQL for answers, grants, the audit log, accounts, "
        "tokens, ingest jobs and budgets; none = workspace SQLite.",
        decides_answers=False,
    )
    answer_days: int = setting(
        30, "Days that the record of an answer is kept; 0 = none is kept.", ge=0, decides_answers=False
    )
    answer_cache: Literal["off", "on"] = setting(
        "off",
        "on: a question that was answered before, over the same corpus and by the same settings, is answered from the "
        "cache of answers.",
        decides_answers=False,
    )
    answer_cache_s: float = setting(86_400.0, "Longest age of a cached answer.", gt=0, decides_answers=False)
    answer_cache_mb: int = setting(
        256, "Room for cached answers; the least recently used go first.", ge=1, decides_answers=False
    )
    answer_mb: int = setting(1024, "Room for the records of answers; the oldest go first.", ge=1, decides_answers=False)

    @field_validator("store_url")
    @classmethod
    def _check_store_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme != "s3" or not _BUCKET.fullmatch(parts.netloc) or parts.query or parts.fragment:
            raise ValueError("must be s3://bucket/prefix, without keys in it")
        return value

    @field_validator("store_endpoint")
    @classmethod
    def _check_store_endpoint(cls, value: str | None) -> str | None:
        return check_address(value)

    @property
    def server_url(self) -> str | None:
        """Return the address of the PostgreSQL that replicas share; None without one."""
        is_server = (self.database_url or "").startswith("postgresql")
        return self.database_url if is_server else None
