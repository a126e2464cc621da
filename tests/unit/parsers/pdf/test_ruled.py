"""Ruled and unruled tables from rules and words: what is a table, and that no word of it is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from roma_core.parsers.pdf import ruled as pdf_ruled
from roma_core.parsers.pdf.page import PageContent, RulingLine, Word
from roma_core.parsers.pdf.ruled import ruled_tables
from roma_core.parsers.pdf.tables import TableRegion, text_lines
from roma_core.parsers.pdf.unruled import unruled_tables
from tests.fixtures.make_lines import PLAIN, grid_rules, line, page, words

XS, YS = [40.0, 140.0, 240.0], [90.0, 110.0, 130.0]
FOUR = [("Route", 50, 95), ("Fare", 150, 95), ("Mill", 50, 115), ("5.10", 150, 115)]


def ruled(rows: list[tuple[str, float, float]], rules: list[RulingLine]) -> list[list[list[str]]]:
    content = page(1, *rows)
    content.rules = rules
    found = ruled_tables(content)
    for table in found:
        text = " ".join(cell for row in table.grid for cell in row)
        assert all(word.text in text for word in table.words)
    return [table.grid for table in found]


def test_a_drawn_grid_is_a_table():
    assert ruled(FOUR, grid_rules(XS, YS)) == [[["Route", "Fare"], ["Mill", "5.10"]]]


def test_too_few_or_far_too_many_rules_are_no_table(monkeypatch):
    assert ruled(FOUR, grid_rules(XS, YS)[:3]) == []
    assert ruled(FOUR, [RulingLine(0, y, 2.0, y) for y in range(8)]) == []
    monkeypatch.setattr(pdf_ruled, "MAX_EDGES", 5)
    assert ruled(FOUR, grid_rules(XS, YS)) == []


def test_frames_are_no_tables():
    box = grid_rules([40, 240], [90, 130])
    assert ruled(FOUR, box) == []
    assert ruled([], grid_rules(XS, YS)) == []
    assert ruled(FOUR[:1], grid_rules(XS, YS)) == []


def test_frames_around_prose_are_no_tables(monkeypatch):
    monkeypatch.setattr(pdf_ruled, "MAX_PROSE_WORDS", 2)
    prose = [("the keeper wrote it all down", x, y) for x in (45, 400) for y in (95, 115)]
    assert ruled(prose, grid_rules([40, 390, 700], YS)) == []


def test_open_sides_are_closed():
    open_sides = [RulingLine(40, y, 240, y) for y in YS] + [RulingLine(140, 90, 140, 130)]
    assert ruled(FOUR, open_sides) == [[["Route", "Fare"], ["Mill", "5.10"]]]


def test_a_cell_over_columns_stands_once_in_the_first():
    across = [rule for rule in grid_rules(XS, YS) if not (rule.x0 == 140 and not rule.horizontal)]
    across.append(RulingLine(140, 110, 140, 130))
    assert ruled([("Fares", 50, 95), *FOUR[2:]], across) == [[["Fares", ""], ["Mill", "5.10"]]]


def test_a_cell_over_rows_repeats_short_text_and_not_long():
    rules = [
        rule for rule in grid_rules(XS, [90.0, 110.0, 130.0, 150.0]) if not (rule.horizontal and 100 < rule.top < 140)
    ]
    rules += [RulingLine(140, y, 240, y) for y in (110.0, 130.0)]
    figures = [("1.0", 150, 95), ("2.0", 150, 115), ("3.0", 150, 135)]
    assert ruled([("Mill", 42, 95), *figures], rules) == [[["Mill", "1.0"], ["Mill", "2.0"], ["Mill", "3.0"]]]
    long = [("abcd efgh ijkl mno", 42, 91 + 9.5 * n) for n in range(6)]
    (grid,) = ruled([*long, *figures], rules)
    assert [bool(row[0]) for row in grid] == [True, False, False]


def test_a_drawn_row_that_holds_several_columns_is_cut_at_the_columns_of_the_head():
    xs, ys = [40.0, 140.0, 240.0], [90.0, 110.0, 130.0, 150.0]
    rules = [rule for rule in grid_rules(xs, ys) if rule.horizontal or rule.x0 != 140]
    rules.append(RulingLine(140, 90, 140, 110))  # only the head is divided
    rows = [
        ("Route", 50, 95),
        ("Fare", 150, 95),
        ("Mill", 50, 115),
        ("5.10", 150, 115),
        ("Quay", 50, 135),
        ("2.75", 150, 135),
    ]
    assert ruled(rows, rules) == [[["Route", "Fare"], ["Mill", "5.10"], ["Quay", "2.75"]]]


def test_columns_of_figures_inside_of_a_drawn_column_are_parted():
    ys = [90.0 + 20 * n for n in range(5)]
    body = [
        (text, x, 115 + 20 * n) for n in range(3) for text, x in ((f"Mill {n}", 50), (f"1{n}.5", 150), (f"2{n}.5", 190))
    ]
    head = [("Route", 50, 95), ("1990", 150, 95), ("2000", 190, 95)]
    (grid,) = ruled([*head, *body], grid_rules(XS, ys))
    assert grid == [["Route", "1990", "2000"], *([f"Mill {n}", f"1{n}.5", f"2{n}.5"] for n in range(3))]


def test_rows_of_figures_inside_of_a_drawn_row_are_parted():
    ys = [90.0, 110.0, 160.0]
    body = [(text, x, 115 + 14 * n) for n in range(3) for text, x in ((f"Mill {n}", 50), (f"1{n}.5", 150))]
    (grid,) = ruled([("Route", 50, 95), ("Fare", 150, 95), *body], grid_rules(XS, ys))
    assert grid == [["Route", "Fare"], *([f"Mill {n}", f"1{n}.5"] for n in range(3))]


def test_labels_outside_of_the_drawn_cells_belong_to_their_figures():
    ys = [90.0 + 20 * n for n in range(5)]
    labels = [(name, 70, 95 + 20 * n) for n, name in enumerate(("Mill", "Quay", "Pier", "Chapel"))]
    figures = [(f"{n}.{x}", 150 + 100 * x, 95 + 20 * n) for n in range(4) for x in range(2)]
    (grid,) = ruled([*labels, *figures], grid_rules([140.0, 240.0, 340.0], ys))
    assert grid == [[name, f"{n}.0", f"{n}.1"] for n, name in enumerate(("Mill", "Quay", "Pier", "Chapel"))]


def test_prose_beside_a_drawn_table_is_no_column_of_labels():
    ys = [90.0 + 20 * n for n in range(5)]
    prose = [("and the keeper wrote it all down every day", 10, 91 + 12 * n) for n in range(7)]
    figures = [(f"{n}.{x}", 350 + 100 * x, 95 + 20 * n) for n in range(4) for x in range(2)]
    (grid,) = ruled([*prose, *figures], grid_rules([340.0, 440.0, 540.0], ys))
    assert [len(row) for row in grid] == [2, 2, 2, 2]


def test_a_frame_above_the_cells_is_no_part_of_the_table():
    rules = [*grid_rules(XS, [200.0, 220.0, 240.0]), *grid_rules([40.0, 240.0], [90.0, 200.0])]
    prose = [(f"line {n} of a notice", 50, 95 + 14 * n) for n in range(7)]
    cells = [("Route", 50, 205), ("Fare", 150, 205), ("Mill", 50, 225), ("5.10", 150, 225)]
    assert ruled([*prose, *cells], rules) == [[["Route", "Fare"], ["Mill", "5.10"]]]


def test_columns_without_row_rules_are_cut_at_shared_baselines():
    rows = [(text, x, 95 + 12 * n) for n in range(4) for x, text in ((50, f"Mill {n}"), (150, f"{n}.50"))]
    headed = [("Route", 50, 75), ("Fare", 150, 75), *rows]
    (grid,) = ruled(headed, grid_rules(XS, [70.0, 90.0, 145.0]))
    assert grid == [["Route", "Fare"], *([f"Mill {n}", f"{n}.50"] for n in range(4))]


def test_prose_beside_a_label_is_not_cut():
    rows = [("Note", 50, 95), *((f"line {n} of prose", 150, 95 + 12 * n) for n in range(4))]
    (grid,) = ruled([("Key", 50, 75), ("Words", 150, 75), *rows], grid_rules(XS, [70.0, 90.0, 145.0]))
    assert grid[1] == ["Note", "line 0 of prose line 1 of prose line 2 of prose line 3 of prose"]


def test_words_outside_of_every_cell_join_the_nearest():
    xs, ys = [40.0, 140.0, 240.0, 340.0], [90.0, 110.0, 130.0, 150.0]
    rules = [rule for rule in grid_rules(xs, ys) if rule.horizontal or rule.x0 != 340]
    rules += [RulingLine(340, 90, 340, 130)]  # the last cell has no right side
    rows = [(f"c{y}{x}", 50 + 100 * x, 95 + 20 * y) for y in range(3) for x in range(3)]
    (grid,) = ruled(rows, rules)
    assert grid == [[f"c{y}{x}" for x in range(3)] for y in range(3)]


def test_sideways_labels_belong_to_their_cell():
    content = page(1, *FOUR)
    content.rules = grid_rules(XS, YS)
    label = Word("Summer", 0, 0, 30, 10, replace(PLAIN, turn=90))
    content.strays = [label]
    content.spots = {id(label): (120.0, 92.0, 130.0, 108.0)}
    (table,) = ruled_tables(content)
    assert table.grid[0] == ["Route Summer", "Fare"] and table.turned == (label,)


def table_lines(*rows: list[tuple[str, float]], step: float = 14.0) -> list:
    return [line(text, x, 100 + step * n) for n, row in enumerate(rows) for text, x in row]


def unruled(
    *rows: list[tuple[str, float]], rules: tuple[RulingLine, ...] = (), step: float = 14.0
) -> list[list[list[str]]]:
    return [table.grid for table in unruled_tables(table_lines(*rows, step=step), rules)]


FARES = [
    [("Route", 50), ("km", 200), ("EUR", 300)],
    [("Mill", 50), ("7.0", 200), ("5.10", 300)],
    [("Quay", 50), ("3.2", 200), ("2.75", 300)],
    [("Pier", 50), ("9.9", 200), ("8.00", 300)],
]
GRID = [[text for text, _ in row] for row in FARES]


def test_rows_that_leave_rivers_free_are_a_table():
    assert unruled(*FARES) == [GRID]


@pytest.mark.parametrize(
    "rows",
    [
        [[("• ", 50), ("dogs travel free", 80)], [("•", 50), ("bikes pay", 80)], [("•", 50), ("cars never", 80)]],
        [
            [("Mill . . . . . .", 50), ("7", 300)],
            [("Pier . . . . . .", 50), ("9", 300)],
            [("A . . . . .", 50), ("1", 300)],
        ],
        [[("Mill", 50), ("seven", 300)], [("Pier", 50), ("nine", 300)]],
        [[("alone", 50)], [("alone", 50)]],
        [
            [("the keeper of the lighthouse wrote", 50), ("seven", 400), ("x", 500)],
            [("down the weather four times a day", 50), ("eight", 400), ("y", 500)],
            [("and his notebooks are kept in the", 50), ("nine", 400), ("z", 500)],
        ],
    ],
    ids=["list", "leaders", "two rows of words", "one column", "prose"],
)
def test_other_rows_are_no_table(rows):
    assert unruled(*rows) == []


def test_rules_make_a_table_of_two_rows():
    rules = (RulingLine(50, 98, 330, 98), RulingLine(50, 126, 330, 126), RulingLine(10, 10, 12, 10))
    words_only = [[("Route", 50), ("sea", 200), ("crew", 300)], [("Mill", 50), ("calm", 200), ("two", 300)]]
    assert unruled(*words_only) == []
    assert unruled(*words_only, rules=rules) == [[["Route", "sea", "crew"], ["Mill", "calm", "two"]]]


def test_a_caption_is_no_row_of_its_table():
    caption = [("Table 3.", 50), ("Fares of the ferry", 130)]
    assert unruled(caption, *FARES) == [GRID]


def test_figures_that_stand_close_are_cells_of_their_own():
    rows = [[(f"Mill {n}", 50), (f"1,14{n} 193.5 (182.2–204.8)", 150), (f"22{n}", 340)] for n in range(4)]
    (grid,) = unruled(*rows)
    assert grid == [[f"Mill {n}", f"1,14{n}", "193.5", "(182.2–204.8)", f"22{n}"] for n in range(4)]


def test_groups_of_three_digits_are_one_number():
    rows = [[(f"Mill {n}", 50), (f"1{n} 234 567", 150), (f"2{n} 345 678", 300)] for n in range(4)]
    (grid,) = unruled(*rows)
    assert grid == [[f"Mill {n}", f"1{n} 234 567", f"2{n} 345 678"] for n in range(4)]


def test_figures_centred_beside_a_label_of_two_lines_are_one_row():
    tops = [("Route", 100), ("Mill", 120), ("Chapel on the", 140), ("northern cliff", 150), ("Pier", 170)]
    figures = [("km", "EUR", 100), ("7.0", "5.10", 120), ("3.2", "2.75", 145), ("9.9", "8.00", 170)]
    lines = [line(text, 50, top) for text, top in tops]
    lines += [line(text, x, top) for one, two, top in figures for text, x in ((one, 200), (two, 300))]
    (table,) = unruled_tables(lines, ())
    assert table.grid[2] == ["Chapel on the northern cliff", "3.2", "2.75"] and len(table.grid) == 4


def test_a_cell_that_wraps_is_one_cell():
    rows = [*FARES[:2], [("by the sea", 50)], *FARES[2:]]
    lines = []
    tops = [100, 120, 131, 151, 171]
    for top, row in zip(tops, rows, strict=True):
        lines += [line(text, x, top) for text, x in row]
    (table,) = unruled_tables(lines, ())
    assert table.grid == [GRID[0], ["Mill by the sea", "7.0", "5.10"], *GRID[2:]]


def test_titles_that_wrap_are_one_header():
    rows = [[("Route", 50), ("Distance", 200), ("Fare", 300)], [("in km", 200), ("in EUR", 300)], *FARES[1:]]
    (grid,) = unruled(*rows)
    assert grid == [["Route", "Distance in km", "Fare in EUR"], *GRID[1:]]


def test_a_paragraph_after_a_table_ends_it():
    after = [("a line of prose that runs over all of the gaps between the columns above", 50)]
    assert unruled(*FARES, after) == [GRID]
    far = [*table_lines(*FARES), *table_lines(*FARES[1:], step=14.0)]
    moved = [line(part.text, part.x0, part.top + 300) for part in far[len(table_lines(*FARES)) :]]
    assert [table.grid for table in unruled_tables([*table_lines(*FARES), *moved], ())] == [GRID, GRID[1:]]


def test_another_table_right_below_is_its_own():
    five = [[(f"r{n}c{x}", x) for x in (50.0, 130.0, 210.0, 290.0, 370.0)] for n in range(4)]
    three = [[("A" * 30, 50.0), ("B" * 26, 215.0), (f"12.{n}", 360.0)] for n in range(3)]
    assert unruled(*five, *three) == [[[text for text, _ in row] for row in rows] for rows in (five, three)]


def test_lines_that_no_table_took_are_whole():
    lines = [line("Mill", 50, 100), line("7.0", 200, 100), line("Pier", 50, 114)]
    table = TableRegion((0, 0, 1, 1), [], tuple(words("x", 0, 0)))
    assert [part.text for part in text_lines(lines, [table])] == ["Mill 7.0", "Pier"]
    took = TableRegion((0, 0, 1, 1), [], lines[0].words)
    assert [part.text for part in text_lines(lines, [took])] == ["7.0", "Pier"]
    assert ruled_tables(PageContent(1, 600, 800)) == []
