"""Numbers that parsing must reach on the real documents: floors that never move, and pinned values above them."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from statistics import fmean

from bench import pages, parse_peers, parse_scores
from bench.made_pages import KINDS
from roma_core.parsers.web.html import html_to_markdown

PINNED = Path(__file__).resolve().parents[1] / "tests" / "baselines" / "parse_quality.json"
FLOORS: dict[str, float] = {
    "line continuations": 0.97,
    "line continuations of the least file": 0.8,
    "kinds of made pages in order": len(KINDS),
    "exact table rows": 0.8,
    "table cells": 0.8,
    "heading recall": 0.9,
    "files whose words are all kept or named": 1.0,
    "phrases of scans": 0.88,
    "article F1 above trafilatura": 0.0,
}
SLACK = 0.005
"""Share of a pinned value that may go without a reason."""
REFERENCES = 12
"""Reference texts that are put into each kind of site."""


def measure(root: Path, *, ocr: bool = True) -> dict[str, float]:
    """Return each value of ``FLOORS`` (without OCR, all but that of scans)."""
    files = parse_peers.pdf_files(root)
    with tempfile.TemporaryDirectory() as folder:
        made = parse_peers.write_made_pages(Path(folder))
        scores = parse_peers.score_pdfs(parse_peers.RomaReader(), files, made)
    losing = {word.partition(":")[0] for word in scores.lost}
    values = {
        "line continuations": scores.continuity,
        "line continuations of the least file": scores.least,
        "kinds of made pages in order": float(scores.kinds_right),
        "exact table rows": scores.rows,
        "table cells": scores.cells,
        "heading recall": fmean(scores.headings),
        "files whose words are all kept or named": 1 - len(losing) / len(files),
        "article F1 above trafilatura": article_gain(root),
    }
    if ocr:
        values["phrases of scans"] = parse_peers.share_read(asyncio.run(parse_peers.read_scans(root)))
    return {name: round(value, 4) for name, value in values.items()}


def article_gain(root: Path) -> float:
    """Return by how much the F1 of ROMA's article is above that of trafilatura in its mode of precision."""
    import trafilatura

    gains: list[float] = []
    for name, text in islice(pages.references(root / "files"), REFERENCES):
        for site in pages.SITES:
            page, wanted = pages.page(site, name, text)
            ours = html_to_markdown(page, f"https://pages.example.org/{name}")
            theirs = (
                trafilatura.extract(page, output_format="markdown", include_tables=True, favor_precision=True) or ""
            )
            gains.append(parse_scores.token_f1(ours, wanted) - parse_scores.token_f1(theirs, wanted))
    return fmean(gains)


def shortfalls(values: Mapping[str, float], pinned: Mapping[str, float]) -> list[str]:
    """Return one line for each value below its floor, or below its pinned value. Pure.

    >>> shortfalls({"table cells": 0.7}, {})
    ['table cells: 0.7, below the floor of 0.8']
    """
    lines: list[str] = []
    for name, value in values.items():
        before = pinned.get(name)
        if value < FLOORS[name]:
            lines.append(f"{name}: {value}, below the floor of {FLOORS[name]}")
        elif before is not None and value < before - SLACK * abs(before):
            lines.append(f"{name}: {before} -> {value}")
    return lines


def read_pinned() -> dict[str, float]:
    """Return the pinned values; none where nothing was pinned."""
    if not PINNED.is_file():
        return {}
    values: dict[str, float] = json.loads(PINNED.read_text(encoding="utf-8"))
    return values


def pin(values: Mapping[str, float]) -> None:
    """Write the values as those that later runs are held to."""
    PINNED.write_text(json.dumps(dict(values), indent=1, sort_keys=True) + "\n", encoding="utf-8")
