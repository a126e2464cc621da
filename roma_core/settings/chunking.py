"""Settings of cutting documents into passages."""

from __future__ import annotations

from typing import ClassVar

from roma_core.settings.base import SettingsSection, setting


class ChunkingSettings(SettingsSection):
    """The size of a passage."""

    prefix: ClassVar[str] = "ROMA_CHUNK_"

    tokens: int = setting(200, "Target size of a passage in model tokens.", ge=32, le=500)
