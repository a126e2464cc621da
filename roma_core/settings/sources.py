"""Settings of sources: when what is missing is deleted, and what is left out."""

from __future__ import annotations

from typing import ClassVar, Literal

from roma_core.settings.base import SettingsSection, setting

SecretMode = Literal["leave_out", "include"]


class SourceSettings(SettingsSection):
    """Deleting what sources have no more, undoing it, and taking turns."""

    prefix: ClassVar[str] = "ROMA_SOURCE_"

    missing_looks: int = setting(
        2,
        "Complete listings that miss an item before it is deleted without evidence.",
        ge=1,
        decides_answers=False,
    )
    missing_grace_h: float = setting(
        168.0, "Hours after which a missing item is deleted at the next complete listing.", ge=0, decides_answers=False
    )
    missing_share: float = setting(
        0.2, "Share of a source that may vanish at once; more needs `--prune`.", ge=0, le=1, decides_answers=False
    )
    undo_days: float = setting(
        30.0, "Days for which a deleted document can be restored; 0 keeps nothing.", ge=0, decides_answers=False
    )
    wait_s: float = setting(
        600.0, "How long a run waits for another one that reads the same source.", ge=0, decides_answers=False
    )
    secrets: SecretMode = setting(
        "leave_out", "leave_out: documents that hold a private key are skipped; include.", decides_answers=False
    )
