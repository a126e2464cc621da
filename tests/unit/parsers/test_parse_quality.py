"""The measures of parsing see what they claim to see, and the floors hold on the real documents."""

from __future__ import annotations

import pytest

from bench import parse_corpus, parse_measures, parse_peers, parse_quality
from bench.made_pages import KINDS, STREAMS, make_pages
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.pdf.parser import parse
from roma_core.types import RawDocument

LINES = [
    "The harbour of the small island was built in three",
    "summers by people who had never seen a crane and",
    "carried the stones in baskets up the hill.",
]


def test_a_kept_line_continuation_is_counted() -> None:
    text = " ".join(LINES)
    assert parse_measures.continuations([LINES], text) == parse_measures.Continuations(kept=2, pairs=2)


def test_a_torn_line_continuation_is_not() -> None:
    text = "\n".join([LINES[1], LINES[0], LINES[2]])
    assert parse_measures.continuations([LINES], text).kept == 0


def test_rows_must_have_their_cells_in_order() -> None:
    wanted = [("may", "34"), ("june", "29")]
    text = "| May | 3.4 |\n| --- | --- |\n| 2.9 | June |"
    score = parse_measures.score_tables(text, wanted)
    assert (score.rows_found, score.rows, score.cells_found, score.cells) == (1, 2, 4, 4)


@pytest.mark.parametrize(
    ("known", "lost"),
    [
        ("total 12 paid 34", []),
        ("total 12 paid", ["34"]),
        ("total 12 34", ["Paid"]),
        ("total paid 1234", []),
    ],
)
def test_words_that_are_nowhere_are_lost(known: str, lost: list[str]) -> None:
    assert parse_measures.lost_words([["Total 12", "Paid 34"]], known) == lost


def test_letters_that_are_drawn_twice_are_one() -> None:
    assert parse_measures.lost_words([["Total Total"]], "total", doubled="Total") == []


@pytest.mark.parametrize(("place", "count"), [("page 3", 1), ("pages 1-3, 7", 4), ("sheet “Q2”, row 14", 1)])
def test_an_entry_of_the_loss_ledger_counts_on_each_of_its_pages(place: str, count: int) -> None:
    assert parse_measures.count_pages(place) == count


def test_a_value_below_its_floor_or_its_pin_is_named() -> None:
    assert parse_quality.shortfalls({"table cells": 0.7}, {}) == ["table cells: 0.7, below the floor of 0.8"]
    assert parse_quality.shortfalls({"table cells": 0.9}, {"table cells": 0.95}) == ["table cells: 0.95 -> 0.9"]
    assert parse_quality.shortfalls({"table cells": 0.9495}, {"table cells": 0.95}) == []


@pytest.mark.slow
def test_every_kind_of_made_page_is_read_in_order() -> None:
    wrong: list[str] = []
    count = 0
    for page in make_pages(seed=7):
        count += 1
        document = parse(RawDocument(uri="made.pdf", data=page.data), ParseOptions(ocr=False))
        if not page.is_read_in_order(document.text):
            wrong.append(f"{page.kind}, {page.stream}")
    assert wrong == []
    assert count == len(KINDS) * len(STREAMS)


SLICES = 4
"""The default test reads every fourth file; all are read by ``make soak`` and ``make parse-gate``."""


@pytest.mark.parametrize(
    "step", [pytest.param(SLICES, marks=pytest.mark.slow), pytest.param(1, marks=pytest.mark.soak)], ids=["some", "all"]
)
def test_the_floors_hold_on_the_real_documents(step: int) -> None:
    root = parse_corpus.folder()
    if root is None:
        pytest.skip("docs-dev is not beside this checkout (ROMA_SHARED)")
    scores = parse_peers.score_pdfs(parse_peers.RomaReader(), parse_peers.pdf_files(root)[::step], [])
    floors = parse_quality.FLOORS
    assert scores.continuity >= floors["line continuations"]
    assert scores.least >= floors["line continuations of the least file"]
    assert scores.rows >= floors["exact table rows"]
    assert scores.cells >= floors["table cells"]
    assert scores.lost == []
