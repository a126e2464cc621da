"""The real documents of ``../shared/docs-dev`` that parsers are measured on, read in place."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from roma_core.types import RawDocument

REFERENCE_DIFFERS: dict[str, str] = {
    "powerpoint_comments.pptx": "the reference writes a comment's author, initials and time to the second as data",
    "xlsx_comments.xlsx": "as above, without the cells that the comments are on, and without the first comment",
    "pptx_chart.pptx": "the reference names the kinds of the two charts and leaves out the data of one",
    "wiki_duck.html": "the reference is the whole page: navigation, languages, tools, hidden categories",
    "normal_4pages.pdf": "the reference puts the numbers of five headings behind their words",
}
"""Files on which a reference says something else than the document, and what."""


@dataclass(frozen=True)
class Case:
    """One file, its strings that must be found, its reference in Markdown (or None), its expected failure (or None)."""

    path: Path
    format: str
    must_contain: tuple[str, ...] = ()
    truth: str | None = None
    failure: str | None = None
    tags: tuple[str, ...] = field(default=())

    @property
    def raw(self) -> RawDocument:
        return RawDocument(uri=f"docs-dev/{self.path.name}", data=self.path.read_bytes())


READ_TODAY = frozenset({"simple.zip", "simple.doc", "fake-power-point.ppt"})
"""Files that the manifest calls unreadable and that are read: an archive is the list of its files."""


def folder() -> Path | None:
    """The corpus, or None where it is not beside the checkout (``ROMA_SHARED`` names another place)."""
    root = Path(os.environ.get("ROMA_SHARED") or Path(__file__).resolve().parents[2] / "shared")
    found = root / "docs-dev"
    return found if (found / "manifest.jsonl").is_file() else None


def cases(root: Path, *formats: str) -> Iterator[Case]:
    """Cases of the manifest, of the given formats or of all."""
    for line in (root / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if formats and row["format"] not in formats:
            continue
        path = root / "files" / row["file"]
        truth = path.with_name(path.name + ".groundtruth.md")
        yield Case(
            path,
            row["format"],
            tuple(row.get("must_contain", ())),
            truth.read_text(encoding="utf-8") if truth.is_file() else None,
            None if row["file"] in READ_TODAY else row.get("failure_class"),
            tuple(row.get("tags", ())),
        )
