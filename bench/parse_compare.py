"""``roma parse DIR --compare`` over the real files: a table, and a picture of what is missing on either side."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path

import roma_core  # noqa: F401  (sets the quiet switches before a library is imported)
from bench import parse_corpus, report
from roma_core.parsers.backends import BackendReport, compare_backends, list_backends
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.sandbox.pool import ProcessSandbox
from roma_core.parsers.service import DolphinParserService
from roma_core.types import RawDocument

CHOSEN: dict[tuple[str, ...], tuple[str, ...]] = {
    ("pdf",): ("pdfplumber",),
    ("docx",): ("python-docx", "unstructured"),
    ("pptx",): ("python-pptx", "unstructured"),
    ("xlsx", "xls"): ("pandas", "unstructured"),
    ("csv", "tsv"): ("pandas",),
    ("epub",): ("ebooklib",),
    ("html", "md"): ("unstructured",),
}
"""Backends beside ROMA's parser by the ending of the name; unstructured takes minutes for a book."""
ROW, LABEL, BAR = 22, 190, 260
"""Height of a row, width of its label and of each side of the picture, in pixels."""


async def compare(root: Path) -> list[dict[str, object]]:
    """Return one row a format and backend, over the files of the corpus that can be read."""
    installed = {backend.name for backend in list_backends() if not backend.missing_packages}
    cases = [case for case in parse_corpus.cases(root) if case.failure is None]
    rows: list[dict[str, object]] = []
    async with DolphinParserService(ProcessSandbox(1)) as service:
        for endings, backends in CHOSEN.items():
            paths = [case.path for case in cases if case.path.suffix.lower().lstrip(".") in endings]
            files = [RawDocument(uri=path.name, data=path.read_bytes()) for path in paths]
            names = ["own", *(name for name in backends if name in installed)]
            if len(names) > 1:
                found = await compare_backends(service, files, names, ParseOptions(ocr=False))
                rows += _rows(found)
                print(found.to_markdown()[:600], file=sys.stderr, flush=True)
    return rows


def _rows(found: BackendReport) -> list[dict[str, object]]:
    """Return the totals, the counts of ROMA's parser beside those of each backend."""
    own = {str(row["format"]): row for row in found.totals() if row["backend"] == "own"}
    rows: list[dict[str, object]] = []
    for row in found.totals():
        if row["backend"] == "own":
            continue
        base = own[str(row["format"])]
        rows.append(
            {
                "format": row["format"],
                "backend": row["backend"],
                "files": row["files"],
                "not read (ROMA)": base["not read"],
                "not read": row["not read"],
                "words (ROMA)": base["words"],
                "words missing": row["words missing"],
                "words more": row["words more"],
                "torn": row["continuations missing"],
                "torn by ROMA": row["continuations more"],
                "headings missing": row["headings missing"],
                "headings more": row["headings more"],
                "cells missing": row["cells missing"],
                "cells more": row["cells more"],
                "seconds (ROMA)": base["seconds"],
                "seconds": row["seconds"],
            }
        )
    return rows


def draw(rows: Sequence[dict[str, object]]) -> str:
    """Return an SVG: for each format and backend the words that one side alone has, as a share of ROMA's words."""
    height = ROW * (len(rows) + 2)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LABEL + 2 * BAR + 20} {height}" '
        'font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="100%" height="{height}" fill="#fff"/>',
        f'<text x="{LABEL + BAR - 8}" y="15" text-anchor="end" fill="#15803d">words that only ROMA has</text>',
        f'<text x="{LABEL + BAR + 8}" y="15" fill="#b45309">words that only the backend has</text>',
    ]
    for number, row in enumerate(rows, start=1):
        parts += _bars(row, ROW * number)
    middle = LABEL + BAR
    parts.append(f'<line x1="{middle}" y1="{ROW}" x2="{middle}" y2="{height - ROW}" stroke="#475569"/>')
    return "\n".join([*parts, "</svg>", ""])


def _bars(row: dict[str, object], top: int) -> list[str]:
    words = max(1, int(str(row["words (ROMA)"])))
    label = f"{row['format']} · {row['backend']}"
    parts = [f'<text x="{LABEL - 8}" y="{top + 15}" text-anchor="end">{escape(label)}</text>']
    for name, sign, colour in (("words missing", -1, "#15803d"), ("words more", 1, "#b45309")):
        value = row[name]
        share = float(str(value)) / words if value is not None else 0.0
        width = min(1.0, share) * (BAR - 50)
        left = LABEL + BAR - width if sign < 0 else LABEL + BAR
        edge = left - 4 if sign < 0 else left + width + 4
        anchor = "end" if sign < 0 else "start"
        parts.append(f'<rect x="{left:.1f}" y="{top + 4}" width="{width:.1f}" height="{ROW - 8}" fill="{colour}"/>')
        parts.append(f'<text x="{edge:.1f}" y="{top + 15}" text-anchor="{anchor}">{100 * share:.1f} %</text>')
    return parts


def main() -> None:
    root = parse_corpus.folder()
    if root is None:
        print("docs-dev is not beside this checkout: nothing measured", file=sys.stderr)
        return
    rows = asyncio.run(compare(root))
    report.FOLDER.mkdir(parents=True, exist_ok=True)
    (report.FOLDER / "parse_compare.svg").write_text(draw(rows), encoding="utf-8")
    wanted = [package for backend in list_backends() if not backend.missing_packages for package in backend.packages]
    report.write(
        "parse_compare",
        "ROMA's parsers and backends over the same files",
        rows,
        "![Words that only one side has, as a share of ROMA's words](parse_compare.svg)\n\n"
        "`roma parse DIR --compare own,NAME` over the files that ROMA can read, without OCR. Missing: what ROMA's "
        "reading has and the backend's has not, as multisets; more: the other way round. Torn: words that stand "
        "beside each other in ROMA's text (or, torn by ROMA, in the backend's) and are both in the other, but apart. "
        "More is not always better: notes and hidden parts are counted, and so are running heads.",
        sorted(set(wanted)),
    )


if __name__ == "__main__":
    main()
