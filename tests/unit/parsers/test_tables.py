from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers import tables
from roma_core.parsers.tables import Cell

hostile = st.text(alphabet=st.sampled_from(list("ab |\\<>br/\n\r\x0b\x1c\u2028-:`*1é語")), max_size=12)
grids = st.lists(st.lists(hostile | st.text(max_size=8), min_size=1, max_size=5), min_size=1, max_size=6)


@given(grids)
def test_parse_markdown_parse_is_the_identity(rows: list[list[str]]) -> None:
    grid = tables.fill_grid(rows)
    written = tables.to_markdown(rows)
    assert tables.from_markdown(written) == grid
    assert tables.to_markdown(tables.from_markdown(written)) == written
    assert len(written.split("\n")) == len(grid) + 1, "one line a row, and the rule"


@given(st.lists(st.lists(st.builds(Cell, hostile, st.integers(0, 4), st.integers(0, 4)), max_size=4), max_size=5))
def test_expanding_spans_gives_a_rectangle_without_loss(rows: list[list[Cell]]) -> None:
    grid = tables.expand(rows)
    assert len(grid) == len(rows)
    assert len({len(row) for row in grid}) <= 1
    for row, cells in zip(grid, rows, strict=True):
        for cell in cells:
            assert cell.text in row


def test_merged_cells_are_repeated_in_every_place() -> None:
    grid = tables.expand([[Cell("a", rowspan=2), Cell("b", colspan=2)], [Cell("c"), Cell("d")]])
    assert grid == [["a", "b", "b"], ["a", "c", "d"]]


def test_escapes_read_well_and_leave_paths_alone() -> None:
    written = tables.to_markdown([["path", "or"], ["C:\\temp", "a|b"], ["two\nlines", "<br>"]])
    assert written.split("\n")[2:] == ["| C:\\temp | a\\|b |", "| two<br>lines | \\<br> |"]


def test_tables_written_by_people_are_read() -> None:
    assert tables.from_markdown("a | b\n:-- | --:\n1 | 2\n3") == [["a", "b"], ["1", "2"], ["3", ""]]
    assert tables.from_markdown("| x<br/>y |\n|---|") == [["x\ny"]]
    assert tables.is_rule("|:---|---:|") and not tables.is_rule("| a | - |") and not tables.is_rule("||")


def test_a_merged_range_that_claims_billions_is_refused() -> None:
    with pytest.raises(ParserError) as error:
        tables.expand([[Cell("x", rowspan=10**9, colspan=10**9)]] * 3000)
    assert error.value.code is ErrorCode.PARSER_TOO_LARGE


def test_empty_grids_write_nothing() -> None:
    assert tables.to_markdown([]) == tables.to_markdown([[]]) == ""
    assert tables.expand([]) == []


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([["Name", "Age"], ["Ann", "31"]], 0),
        ([["Report 2025", "", ""], ["", "", ""], ["Name", "Age", "City"], ["Ann", "31", "Rome"]], 2),
        ([["1", "2", "3"], ["4", "5", "6"]], 0),
        ([["in EUR m", "", ""], ["", "2024", "Change"], ["Sales", "10", "5 %"]], 1),
        ([["a", "b"], ["c", "d"]], 0),
        ([], 0),
    ],
)
def test_the_header_row_is_found(rows: list[list[str]], expected: int) -> None:
    assert tables.header_row(rows) == expected


@pytest.mark.parametrize("text", ["1", "-3.5", "1 234,56", "12 %", "$5.00", "2024-01-31", "(7)", "€ 3"])
def test_numbers_as_people_write_them(text: str) -> None:
    assert tables.is_number(text)


@pytest.mark.parametrize("text", ["Q1 2024", "a", "", "3rd", "n/a"])
def test_words_are_no_numbers(text: str) -> None:
    assert not tables.is_number(text)
