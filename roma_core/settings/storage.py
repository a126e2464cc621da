"""Settings of what is kept."""

from __future__ import annotations

from typing import Literal

from roma_core.settings.base import SettingsSection, setting

CacheMode = Literal["off", "read", "write", "refresh"]


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
    cache: CacheMode = setting(
        "write", "off: never; read: use only; write: use and fill; refresh.", decides_answers=False
    )
    database_url: str | None = setting(
        None,
        "SQLAlchemy URL for conversations, and where it is PostgreSQL for the audit log, accounts and tokens; none = "
        "workspace SQLite.",
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

    @property
    def server_url(self) -> str | None:
        """Return the address of the PostgreSQL that replicas share; None without one."""
        is_server = (self.database_url or "").startswith("postgresql")
        return self.database_url if is_server else None
