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


async def parse(case: parse_corpus.Case, *, ocr: bool = False) -> Document | AgentFailure:
    return await DolphinParserService(InlineSandbox()).parse(case.raw, ParseOptions(ocr=ocr))


@pytest.mark.parametrize("case", [c for c in CASES if c.truth], ids=lambda c: c.path.name)
async def test_reference_text_is_matched(case):
    document = await parse(case)
    assert isinstance(document, Document)
    assert parse_scores.token_f1(document.text, case.truth) >= TOKEN_F1


async def test_table_cells_are_kept():
    recalls: dict[str, float] = {}
    for case in CASES:
        document = await parse(case) if case.truth and parse_scores.cells(case.truth) else None
        if isinstance(document, Document):
            recalls[case.path.name] = parse_scores.cell_recall(document.text, case.truth)
    assert len(recalls) >= 3 and fmean(recalls.values()) >= CELL_RECALL, recalls


@pytest.mark.parametrize("case", [c for c in CASES if c.must_contain], ids=lambda c: c.path.name)
async def test_strings_of_the_manifest_are_found(case):
    document = await parse(case)
    assert [s for s in case.must_contain if not parse_scores.holds(document.text, s)] == []


@pytest.mark.parametrize("case", [c for c in CASES if c.failure], ids=lambda c: c.path.name)
async def test_expected_failures_are_typed(case):
    result = await parse(case)
    assert isinstance(result, AgentFailure) and result.code.value == f"ERR_PARSER_{case.failure.upper()}"


@pytest.mark.parametrize("case", [c for c in CASES if not c.failure], ids=lambda c: c.path.name)
async def test_no_letter_of_the_text_layer_is_lost(case):
    """Every letter and digit that PDFium sees is in the document or in its loss ledger: no pass loses text."""
    result = await parse(case)
    if isinstance(result, AgentFailure):
        assert result.code.value == "ERR_PARSER_EMPTY"
        return
    document = open_pdf(case.path.read_bytes())
    bare = letters("".join(page.get_textpage().get_text_range() for page in document))
    kept = letters("".join([result.text, *(entry.text for entry in result.left_out)]))
    assert sum((bare & kept).values()) >= 0.985 * sum(bare.values()), bare - kept


def letters(text: str) -> Counter[str]:
    return Counter(c for c in unicodedata.normalize("NFKC", text) if c.isalnum())
