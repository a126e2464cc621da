"""PDF: what ROMA keeps of real files, beside the libraries that a user would call instead, in the same run."""

from __future__ import annotations

import asyncio
import io
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median

from bench import parse_corpus, parse_scores, report
from bench.parse_corpus import Case
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.sandbox.pool import InlineSandbox, ProcessSandbox
from roma_core.parsers.service import DolphinParserService
from roma_core.types import Document

Extract = Callable[[bytes], tuple[str, int]]
"""Text (Markdown) and number of pages. May raise anything: that is what is measured."""


def by_pypdfium2(data: bytes) -> tuple[str, int]:
    import pypdfium2

    document = pypdfium2.PdfDocument(data)
    return "\n\n".join(page.get_textpage().get_text_range() for page in document), len(document)


def by_pypdf(data: bytes) -> tuple[str, int]:
    import pypdf

    reader = pypdf.PdfReader(io.BytesIO(data))
    return "\n\n".join(page.extract_text() for page in reader.pages), len(reader.pages)


def by_pdfplumber(data: bytes) -> tuple[str, int]:
    """Text of each page and after it the tables that its finder sees, as Markdown."""
    import pdfplumber

    from roma_core.parsers import tables

    parts: list[str] = []
    with pdfplumber.open(io.BytesIO(data)) as document:
        for page in document.pages:
            parts.append(page.extract_text() or "")
            for grid in page.extract_tables():
                parts.append(tables.to_markdown([[cell or "" for cell in row] for row in grid]))
        return "\n\n".join(parts), len(document.pages)


class Roma:
    """ROMA's service as one of the contestants; OCR off where the others have none."""

    def __init__(self, service: DolphinParserService, *, ocr: bool) -> None:
        self.service, self.options = service, ParseOptions(ocr=ocr)
        self.loop = asyncio.new_event_loop()

    def __call__(self, data: bytes) -> tuple[str, int]:
        from roma_core.types import RawDocument

        result = self.loop.run_until_complete(self.service.parse(RawDocument(uri="a.pdf", data=data), self.options))
        if not isinstance(result, Document):
            raise ValueError(result.code)
        return result.text, len(result.pages)


@dataclass
class Scores:
    """What one contestant did over the corpus."""

    f1: list[float] = field(default_factory=list)
    cells: list[float] = field(default_factory=list)
    headings: list[float] = field(default_factory=list)
    found: int = 0
    wanted: int = 0
    seconds: list[float] = field(default_factory=list)
    pages: int = 0
    failed: int = 0
    low: list[str] = field(default_factory=list)

    def row(self, name: str) -> dict[str, object]:
        return {
            "parser": name,
            "token F1 (mean)": fmean(self.f1),
            "token F1 (least)": min(self.f1),
            "cell recall": fmean(self.cells),
            "heading recall": fmean(self.headings),
            "strings": f"{self.found}/{self.wanted}",
            "not read": self.failed,
            "pages/s": self.pages / sum(self.seconds),
            "median ms a file": 1000 * median(self.seconds),
        }


def run(extract: Extract, cases: Sequence[Case], repeats: int = 1) -> Scores:
    """Scores over ``cases``; an exception counts as an empty text."""
    scores = Scores()
    for case in cases:
        text, pages, seconds = _timed(extract, case, repeats)
        scores.failed += not text.strip()
        scores.seconds.append(seconds)
        scores.pages += pages
        scores.found += sum(parse_scores.holds(text, needle) for needle in case.must_contain)
        scores.wanted += len(case.must_contain)
        if case.truth is not None:
            _against_truth(scores, case.path.name, text, case.truth)
    return scores


def _timed(extract: Extract, case: Case, repeats: int) -> tuple[str, int, float]:
    data, best, text, pages = case.path.read_bytes(), float("inf"), "", 0
    for _ in range(repeats):
        begin = time.perf_counter()
        try:
            text, pages = extract(data)
        except Exception as error:  # noqa: BLE001  (a library may raise anything)
            text, pages = "", 0
            print(f"  {case.path.name}: {type(error).__name__}", file=sys.stderr)
        best = min(best, time.perf_counter() - begin)
    return text, pages, best


def _against_truth(scores: Scores, name: str, text: str, truth: str) -> None:
    f1 = parse_scores.token_f1(text, truth)
    scores.f1.append(f1)
    cells, headings = parse_scores.cell_recall(text, truth), parse_scores.heading_recall(text, truth)
    if cells is not None:
        scores.cells.append(cells)
    if headings is not None:
        scores.headings.append(headings)
    parts = {"F1": (f1, 0.9), "cells": (cells, 0.85), "headings": (headings, 0.7)}
    low = [f"{what} {value:.3f}" for what, (value, floor) in parts.items() if value is not None and value < floor]
    if low:
        reason = parse_corpus.REFERENCE_DIFFERS.get(name, "not explained")
        scores.low.append(f"{name} ({', '.join(low)}: {reason})")


def sandbox_overhead(cases: Sequence[Case], inline: Roma, repeats: int = 5) -> float:
    """Median over the files of sandboxed / in-process - 1; the two take turns, the best of each counts."""
    sandboxed = Roma(DolphinParserService(ProcessSandbox(1)), ocr=False)
    ratios: list[float] = []
    for case in cases:
        pairs = [(_timed(sandboxed, case, 1)[2], _timed(inline, case, 1)[2]) for _ in range(repeats)]
        ratios.append(min(a for a, _ in pairs) / min(b for _, b in pairs) - 1)
    sandboxed.loop.run_until_complete(sandboxed.service.close())
    return median(ratios)


def main() -> None:
    root = parse_corpus.folder()
    if root is None:
        print("docs-dev is not beside this checkout: nothing measured", file=sys.stderr)
        return
    cases = [c for c in parse_corpus.cases(root, "pdf") if c.failure is None]
    with_text = [c for c in cases if not any("scan" in tag for tag in c.tags) or c.truth]
    inline = Roma(DolphinParserService(InlineSandbox()), ocr=False)
    sandboxed = Roma(DolphinParserService(ProcessSandbox(1)), ocr=False)
    contestants: dict[str, Extract] = {
        "ROMA (sandboxed)": sandboxed,
        "ROMA (in process)": inline,
        "pypdfium2 text": by_pypdfium2,
        "pdfplumber text + tables": by_pdfplumber,
        "pypdf text": by_pypdf,
    }
    for extract in contestants.values():
        _timed(extract, with_text[0], 1)  # imports are not measured
    results = {name: run(extract, with_text, repeats=3) for name, extract in contestants.items()}
    sandboxed.loop.run_until_complete(sandboxed.service.close())
    overhead = sandbox_overhead(with_text, inline)
    low = "; ".join(results["ROMA (sandboxed)"].low) or "none"
    report.write(
        "parse_pdf",
        f"PDF parsing: {len(with_text)} real files with a text layer",
        [scores.row(name) for name, scores in results.items()],
        "Token F1, cell recall and heading recall against the reference Markdown of the files that have one (dots "
        "that lead to a value are no part of a cell); best of three runs a file. Overhead of the sandbox on the median "
        f"file: {100 * overhead:.1f} %. Files of ROMA below token F1 0.90, cell recall 0.85 or heading "
        f"recall 0.70: {low}.",
        ("pypdfium2", "pdfplumber", "pypdf"),
    )


if __name__ == "__main__":
    main()
