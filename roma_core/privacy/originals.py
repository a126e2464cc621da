"""What was masked, apart from every index: the documents as they were, for those who may see them."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from roma_core.database import Database, Schema
from roma_core.privacy.masking import differs_only_in_masks
from roma_core.types import Document

ORIGINALS: Final = Schema(
    "originals",
    "The documents before they were masked",
    (
        """
        CREATE TABLE IF NOT EXISTS originals (
            tenant TEXT NOT NULL, document_id TEXT NOT NULL, document BLOB NOT NULL,
            PRIMARY KEY (tenant, document_id)) WITHOUT ROWID;
        """,
    ),
)


class Originals:
    """The unmasked documents of a workspace, in a file that is only made when something is masked.

    What is deleted is overwritten on the disk (SQLite's ``secure_delete``).
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path, ORIGINALS, pragmas=("secure_delete = ON",))

    def put(self, tenant: str, documents: Mapping[str, Document]) -> None:
        """Keep unmasked documents by their ids; what was kept under the same ids is replaced."""
        if not documents:
            return
        rows = [
            (tenant, id_, zlib.compress(document.model_dump_json().encode(), level=1))
            for id_, document in documents.items()
        ]
        with self._database.transaction() as db:
            db.executemany("INSERT OR REPLACE INTO originals VALUES (?, ?, ?)", rows)

    def unmask(self, tenant: str, masked: Document) -> Document | None:
        """Return the document as it was before it was masked; None when another version of it is kept, or none."""
        with self._database.snapshot() as db:
            row = db.execute(
                "SELECT document FROM originals WHERE tenant = ? AND document_id = ?", (tenant, masked.id)
            ).fetchone()
        if row is None:
            return None
        original = Document.model_validate_json(zlib.decompress(row[0]))
        is_same = original.content_sha256 == masked.content_sha256
        return original if is_same and differs_only_in_masks(masked.text, original.text) else None

    def forget(self, tenant: str, document_ids: Collection[str]) -> int:
        """Remove documents; return how many were there."""
        if not document_ids or not self._database.path.exists():
            return 0
        keys = [(tenant, id_) for id_ in sorted(document_ids)]
        with self._database.transaction() as db:
            removed = db.executemany("DELETE FROM originals WHERE tenant = ? AND document_id = ?", keys).rowcount
        if removed:
            with self._database.connection() as db:
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return int(removed)

    def sweep(self, tenant: str, contents: Collection[str]) -> None:
        """Remove the documents that are not in ``contents``."""
        with self._database.snapshot() as db:
            known = [row[0] for row in db.execute("SELECT document_id FROM originals WHERE tenant = ?", (tenant,))]
        self.forget(tenant, [id_ for id_ in known if id_ not in contents])

    def close(self) -> None:
        """Close the file."""
        self._database.close()
