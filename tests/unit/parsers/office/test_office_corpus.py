"""The real office, book and web files of ``docs-dev``, read in place: nothing that their references hold is lost."""

from __future__ import annotations

import asyncio
import sys
from functools import cache
from pathlib import Path
from statistics import fmean

import pytest

from bench import parse, parse_corpus, parse_scores
from bench.parse_corpus import Case
from roma_core.errors import AgentFailure
from roma_core.parsers.sandbox.pool import InlineSandbox
from roma_core.parsers.service import DolphinParserService
from roma_core.types import Document

pytestmark = pytest.mark.skipif(
    parse_corpus.folder() is None, reason="third-party documents (docs-dev) are not beside this checkout"
)
OFFICE = ("docx", "pptx", "xlsx", "xlsm", "csv", "epub")
WEB = ("html",)
OTHER = ("xls", "tsv", "txt", "md", "zip", "ppt", "doc")
FAILURES = {"encrypted": "ERR_PARSER_ENCRYPTED", "empty": "ERR_PARSER_EMPTY", "unsupported": "ERR_PARSER_UNSUPPORTED"}


def cases(*formats: str) -> list[Case]:
    root = parse_corpus.folder()
    return list(parse_corpus.cases(root, *formats)) if root else []


@cache
def result(path: Path) -> Document | AgentFailure:
    raw = Case(path, "").raw
    return asyncio.run(DolphinParserService(InlineSandbox()).parse(raw))


def named(case: Case) -> str:
    return case.path.name


@pytest.mark.parametrize("case", cases(*OFFICE, *WEB, *OTHER), ids=named)
def test_each_file_is_a_document_with_exact_places_or_the_expected_failure(case: Case) -> None:
    found = result(case.path)
    if case.failure is not None:
        assert isinstance(found, AgentFailure) and found.code == FAILURES[case.failure]
        return
    assert isinstance(found, Document), found
    for needle in case.must_contain:
        assert parse_scores.holds(found.text, needle)
    for earlier, later in zip(found.blocks, found.blocks[1:], strict=False):
        assert earlier.end <= later.start
    assert all(block.of(found.text).strip() for block in found.blocks)


@pytest.mark.parametrize("case", [c for c in cases(*OFFICE) if c.truth is not None], ids=named)
def test_words_of_the_reference_are_kept(case: Case) -> None:
    found = result(case.path)
    assert isinstance(found, Document) and case.truth is not None
    if reason := parse_corpus.REFERENCE_DIFFERS.get(case.path.name):  # recall of what both hold is asked of them
        assert parse_scores.token_recall(found.text, case.truth) >= 0.8, reason
    else:
        assert max(parse_scores.token_f1(text, case.truth) for text in parse.readings(found)) >= 0.95


def test_cells_and_headings_of_the_references_are_kept() -> None:
    cells, headings = [], []
    for case in cases(*OFFICE):
        found = result(case.path)
        if case.truth is None or isinstance(found, AgentFailure):
            continue
        cells.append(parse_scores.cell_recall(found.text, case.truth))
        headings.append(parse_scores.heading_recall(found.text, case.truth))
    known_cells = [value for value in cells if value is not None]
    known_headings = [value for value in headings if value is not None]
    print(f"cells {fmean(known_cells):.3f}, headings {fmean(known_headings):.3f}", file=sys.stderr)
    assert fmean(known_cells) >= 0.97
    assert fmean(known_headings) >= 0.97


def test_bench_rows_are_complete() -> None:
    """The bench runs on a few files, and counts what cannot be read."""

    def broken(path: Path) -> str:
        raise ValueError

    some = [case for case in cases("csv") if case.truth is not None][:2]
    roma = parse.Roma(InlineSandbox())
    row = parse.run({"ROMA": roma}, some, repeats=1)["ROMA"].row("CSV", "ROMA")
    roma.close()
    assert row["token F1"] == pytest.approx(1.0) and row["not read"] == 0 and row["files"] == 2
    assert parse.run({"x": broken}, some, repeats=1)["x"].row("CSV", "x")["not read"] == 2


def test_the_overhead_is_that_of_the_files_in_the_middle() -> None:
    files = [(0.001, 0.003), *[(0.01 + i / 1000, 1.1 * (0.01 + i / 1000)) for i in range(5)], (9.0, 9.0)]
    assert parse.overhead(files) == pytest.approx(0.1)
    assert parse.overhead([(1.0, 1.5)]) == pytest.approx(0.5)
