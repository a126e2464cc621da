"""Files that people bring to the chat: kept in the workspace, ingested as a job, reported with the ledger's word."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from roma_core.errors import AccessError, InputError
from roma_core.tenants.uploads import name_person_folder
from roma_core.types import Principal
from roma_core.workspace import Workspace, private_folder

_UNSAFE: Final = re.compile(r"[^\w. ()+-]")
MOST_NOTES: Final = 3
STATE_WORDS: Final = {
    "added": "It can be asked about now.",
    "updated": "Its new version can be asked about now.",
    "unchanged": "It was here already.",
}
"""States of the ledger in the words of a person; the others come with a reason."""


def choose_name(name: str) -> str:
    """Return the name that a file is kept under: no folders, no signs of a shell. Raises ``InputError``.

    >>> choose_name("../../etc/report: final?.pdf")
    'report_ final_.pdf'
    """
    last = re.split(r"[/\\]", name)[-1]
    plain = _UNSAFE.sub("_", last).strip(". ")
    stem, dot, ending = plain.rpartition(".")
    if not dot or not stem.strip("_ "):
        raise InputError("The file needs a name with an ending, like report.pdf.")
    return f"{stem[:100]}.{ending[:10]}"


def require_right(who: Principal) -> None:
    """Raise ``AccessError`` for a person who may not bring documents."""
    if not who.may("documents.ingest"):
        raise AccessError("You may ask, not add documents (permission `documents.ingest`).")


def find_upload_path(workspace: Path, who: Principal, name: str) -> Path:
    """Return where a person's file is kept: the same name of the same person is the same place."""
    return Workspace(workspace).uploads / name_person_folder(who.tenant, who.subject) / choose_name(name)


async def write_upload(path: Path, body: AsyncIterator[bytes]) -> None:
    """Write a file whole or not at all. Raises ``InputError`` for an empty one."""
    private_folder(path.parent)
    unfinished = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with unfinished.open("wb") as file:
            async for part in body:
                file.write(part)
            size_bytes = file.tell()
        if not size_bytes:
            raise InputError("The file is empty.")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def view_job(job: Any) -> dict[str, Any]:
    """Return how far an upload is, and in the end the ledger's word on the file and what was lost in reading it."""
    view: dict[str, Any] = {"id": job.id, "state": job.state, "words": "", "document": None, "is_good": None}
    if job.state in {"queued", "running"}:
        return {**view, "words": "Waiting to be read …" if job.state == "queued" else "Reading …"}
    rows = job.report.items if job.report is not None else ()
    if not rows:
        words = job.failure.message if job.failure else f"The upload was {job.state}."
        return {**view, "is_good": False, "words": words}
    good = [row for row in rows if row.state in STATE_WORDS]
    bad = [row for row in rows if row.state not in STATE_WORDS]
    sentences = [STATE_WORDS[good[0].state]] if good else []
    if len(rows) > 1:  # an archive
        sentences = [f"{len(good)} of {len(rows)} documents in it can be asked about now."]
    sentences += [row.reason or f"The file was {row.state}." for row in bad[:1]]
    sentences += [warning for row in good for warning in row.warnings][:MOST_NOTES]
    return {
        **view,
        "is_good": bool(good) and not bad,
        "ledger": [row.state for row in rows],
        "words": " ".join(sentences),
        "document": good[0].document_id if len(rows) == 1 and good else None,
    }
