"""Over the real documents beside the checkout: strings, reference texts, tables, failures."""

from __future__ import annotations

import unicodedata
from collections import Counter
from statistics import fmean

import pytest

from bench import parse_corpus, parse_scores
from roma_core.errors import AgentFailure
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.pdf.parser import open_pdf
from roma_core.parsers.sandbox.pool import InlineSandbox
from roma_core.parsers.service import DolphinParserService
from roma_core.types import Document

ROOT = parse_corpus.folder()
CASES = list(parse_corpus.cases(ROOT, "pdf")) if ROOT else []
TOKEN_F1 = 0.90
"""Least token F1 of every file that has a reference."""
CELL_RECALL = 0.85
"""Least mean cell recall over the files whose reference has a table."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(ROOT is None, reason="docs-dev is not beside this checkout (ROMA_SHARED)"),
]


CELLS: dict[str, float] = {}
"""Cell recall of the files whose reference has a table, as they are read."""


async def parse(case: parse_corpus.Case, *, ocr: bool = False) -> Document | AgentFailure:
    return await DolphinParserService(InlineSandbox()).parse(case.raw, ParseOptions(ocr=ocr))


@pytest.mark.parametrize("case", [c for c in CASES if not c.failure], ids=lambda c: c.path.name)
async def test_a_file_keeps_its_letters_strings_and_reference_text(case):
    """Every letter and digit that PDFium sees is in the document or in its loss ledger: no pass loses text."""
    result = await parse(case)
    if isinstance(result, AgentFailure):
        assert result.code.value == "ERR_PARSER_EMPTY" and not (case.truth or case.must_contain)
        return
    document = open_pdf(case.path.read_bytes())
    bare = letters("".join(page.get_textpage().get_text_range() for page in document))
    kept = letters("".join([result.text, *(entry.text for entry in result.left_out)]))
    assert sum((bare & kept).values()) >= 0.985 * sum(bare.values()), bare - kept
    assert [s for s in case.must_contain if not parse_scores.holds(result.text, s)] == []
    assert case.truth is None or parse_scores.token_f1(result.text, case.truth) >= TOKEN_F1
    if case.truth is not None and parse_scores.cells(case.truth):
        CELLS[case.path.name] = parse_scores.cell_recall(result.text, case.truth)


async def test_table_cells_are_kept():
    tabled = [case for case in CASES if case.truth and parse_scores.cells(case.truth)]
    for case in tabled:
        document = None if case.path.name in CELLS else await parse(case)
        if isinstance(document, Document):
            CELLS[case.path.name] = parse_scores.cell_recall(document.text, case.truth)
    assert len(CELLS) == len(tabled) >= 3 and fmean(CELLS.values()) >= CELL_RECALL, CELLS


@pytest.mark.parametrize("case", [c for c in CASES if c.failure], ids=lambda c: c.path.name)
async def test_expected_failures_are_typed(case):
    result = await parse(case)
    assert isinstance(result, AgentFailure) and result.code.value == f"ERR_PARSER_{case.failure.upper()}"


def letters(text: str) -> Counter[str]:
    return Counter(c for c in unicodedata.normalize("NFKC", text) if c.isalnum())
