"""A listing of Drive as it was saved, and how changes bring it up to date. Pure.

Drive keeps a log of changes for the account and one for each shared drive. A listing saves what it saw and where the
logs stood before it began; the next one asks the logs alone. A change that could move whole folders is not worked
out: the source is then listed again, which is always right.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

STATE: Final = "drive"
"""Key of the saved listing in a source's state."""
LIST_AGAIN_AFTER_S: Final = 24 * 3600.0
"""A source is listed as a whole after this time, whatever the logs say: access that is lost is not always logged."""
NATIVE: Final = "application/vnd.google-apps."
FOLDER: Final = f"{NATIVE}folder"
SHORTCUT: Final = f"{NATIVE}shortcut"


@dataclass
class SeenDrive:
    """What a complete listing saw."""

    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Metadata of files by their ids."""
    folders: set[str] = field(default_factory=set)
    """Folders that were opened, or whose files a listing of their whole drive shows."""
    linked: set[str] = field(default_factory=set)
    """Files and folders that shortcuts lead to, whatever folder they lie in."""
    shortcuts: dict[str, str] = field(default_factory=dict)
    """Names of shortcuts that lead to nothing, by their ids."""
    followed: set[str] = field(default_factory=set)
    """Shortcuts that lead to something."""
    tokens: dict[str, str] = field(default_factory=dict)
    """Places in the logs, by the id of the shared drive; "" for the account's own log."""
    listed_at: float = 0.0
    drive: str = ""
    """The shared drive that the source is as a whole; empty for a folder."""

    @property
    def is_fresh(self) -> bool:
        """Return whether the logs may be trusted still."""
        return bool(self.tokens) and abs(time.time() - self.listed_at) < LIST_AGAIN_AFTER_S

    @property
    def logs(self) -> set[str]:
        """Return the logs that tell of every file and folder of the listing."""
        return {log_of(meta) for meta in self.files.values()}

    def apply(self, change: Mapping[str, Any]) -> bool:
        """Take in one change. Return False when the source has to be listed again instead."""
        file_id = str(change.get("fileId", ""))
        meta = change.get("file")
        if file_id in self.followed or file_id in self.shortcuts:
            return False
        if change.get("removed") or not isinstance(meta, Mapping) or meta.get("trashed"):
            self.files.pop(file_id, None)
            return file_id not in self.folders  # what lay in a folder went with it, and the log need not say so
        is_inside = self._holds(meta)
        if meta.get("mimeType") == SHORTCUT:
            return not is_inside
        if meta.get("mimeType") == FOLDER:
            is_known = file_id in self.folders
            return is_known == is_inside or (is_known and file_id in self.linked)
        if is_inside or file_id in self.linked:
            self.files[file_id] = dict(meta)
        else:
            self.files.pop(file_id, None)
        return True

    def _holds(self, meta: Mapping[str, Any]) -> bool:
        if self.drive and meta.get("driveId") == self.drive:
            return True
        return bool(self.folders.intersection(meta.get("parents", ())))

    def to_json(self) -> dict[str, Any]:
        """Return the listing as JSON."""
        return {
            "files": list(self.files.values()),
            "folders": sorted(self.folders),
            "linked": sorted(self.linked),
            "shortcuts": self.shortcuts,
            "followed": sorted(self.followed),
            "tokens": self.tokens,
            "listed_at": self.listed_at,
            "drive": self.drive,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SeenDrive:
        """Return the listing that ``to_json`` wrote. Raises ``KeyError`` or ``TypeError`` for anything else."""
        return cls(
            files={meta["id"]: meta for meta in data["files"]},
            folders=set(data["folders"]),
            linked=set(data["linked"]),
            shortcuts=dict(data["shortcuts"]),
            followed=set(data["followed"]),
            tokens=dict(data["tokens"]),
            listed_at=float(data["listed_at"]),
            drive=str(data["drive"]),
        )


def saved_listing(state: Mapping[str, Any]) -> SeenDrive | None:
    """Return the listing in a source's state; None when there is none that can be used."""
    try:
        seen = SeenDrive.from_json(state[STATE])
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return seen if seen.is_fresh else None


def known_logs(state: Mapping[str, Any]) -> set[str]:
    """Return the logs that the last listing needed: their places have to be known before the next one begins."""
    logs = state.get("logs", ())
    return {str(log) for log in logs} if isinstance(logs, list) else set()


def log_of(meta: Mapping[str, Any]) -> str:
    """Return the log that tells of changes of a file: that of its shared drive, or the account's own."""
    return str(meta.get("driveId") or "")
