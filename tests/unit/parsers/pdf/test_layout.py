"""Words to lines to regions: scripts, columns, bands."""

from __future__ import annotations

import pytest

from roma_core.parsers.pdf.layout import Line, is_rtl, is_wide, regions, rows_of, segments_of, text_of
from roma_core.parsers.pdf.page import SOFT_HYPHEN, Style, Word
from tests.fixtures.make_lines import BOLD, PLAIN, line, sized, words

PROSE = "the keeper wrote down weather"


def column(x: float, count: int, top: float = 100.0, text: str = PROSE) -> list[Line]:
    return [line(f"{text} {n}", x, top + 12 * n) for n in range(count)]


def read(lines: list[Line]) -> list[list[str]]:
    return [[part.text for part in region] for region in regions(lines)]


@pytest.mark.parametrize(("char", "wide"), [("漢", True), ("か", True), ("한", False), ("a", False)])
def test_scripts_without_blanks(char, wide):
    assert is_wide(char) is wide


@pytest.mark.parametrize(("text", "rtl"), [("שלום", True), ("سلام", True), ("word", False), ("12", False), ("", False)])
def test_direction_of_a_text(text, rtl):
    assert is_rtl(text) is rtl


def test_wide_characters_that_touch_are_joined_without_a_blank():
    one = Word("漢", 0, 0, 10, 10, PLAIN)
    assert text_of([one, Word("字", 10.5, 0, 20, 10, PLAIN)]) == "漢字"
    assert text_of([one, Word("字", 14, 0, 24, 10, PLAIN)]) == "漢 字"


def test_a_change_of_type_inside_a_word_is_no_blank():
    one = Word("bold", 0, 0, 20, 10, BOLD)
    assert text_of([one, Word("ly", 20.5, 0, 30, 10, PLAIN, glued=True)]) == "boldly"
    assert text_of([one, Word("ly", 23, 0, 33, 10, PLAIN, glued=True)]) == "bold ly"
    assert text_of([one, Word("ly", 20.5, 0, 30, 10, PLAIN)]) == "bold ly"


def test_words_of_two_directions_are_never_joined():
    assert text_of([Word("سلام", 0, 0, 20, 10, PLAIN), Word("pier", 20, 0, 40, 10, PLAIN, glued=True)]) == "سلام pier"


def test_soft_hyphens_read_as_hyphens_and_are_known():
    broken = Line((Word("light" + SOFT_HYPHEN, 0, 0, 30, 10, PLAIN),))
    assert broken.text == "light-" and broken.hyphenated and not line("light-").hyphenated


def test_a_line_knows_its_type():
    mixed = Line((*words("plain words here", 0, 0), *words("bold", 100, 0, BOLD)))
    assert mixed.face is None and line("a b").face == "Serif" and mixed.rect == (0, 0, 120, 10)
    assert mixed.share("bold") == pytest.approx(4 / 18) and mixed.size == 10.0


def test_raised_marks_join_the_row_that_they_overlap():
    mark = Word("2", 80, 97, 83, 103, sized(PLAIN, 6.0))
    (row,) = rows_of([*words("the keeper", 0, 98), mark])
    assert [w.text for w in row] == ["the", "keeper", "2"]


def test_right_to_left_lines_keep_numbers_and_foreign_words_in_their_order():
    placed = words("شارع Pier 12 المدينة", 500, 100, rtl=False)
    (found,) = segments_of(sorted(placed, key=lambda w: w.x0))
    assert found.text == "المدينة Pier 12 شارع"


def test_one_column_is_one_region():
    assert len(regions(column(50, 6))) == 1 and regions([]) == []


def test_two_columns_are_read_one_after_the_other():
    left, right = column(50, 6, text="left hand words of prose"), column(320, 6, text="right hand words of prose")
    got = read([part for pair in zip(left, right, strict=True) for part in pair])
    assert got == [[part.text for part in left], [part.text for part in right]]


def test_columns_of_a_right_to_left_page_begin_at_the_right():
    text = "كتب الحارس الطقس كل يوم"
    left = [Line(tuple(words(text, 200, 100 + 12 * n, rtl=True))) for n in range(6)]
    right = [Line(tuple(words(text, 450, 100 + 12 * n, rtl=True))) for n in range(6)]
    got = regions([*left, *right])
    assert [{part.x1 for part in region} for region in got] == [{450}, {200}]


def test_a_line_over_both_columns_ends_a_band():
    wide = "a title that stands over both of the columns and is as wide as the whole page of prose is"
    above = [*column(50, 5), *column(320, 5)]
    below = [*column(50, 5, 200), *column(320, 5, 200)]
    got = regions([*above, line(wide, 50, 175), *below])
    assert [len(region) for region in got] == [5, 5, 1, 5, 5]
    assert got[2][0].text == wide


def test_two_titles_in_a_row_are_one_band():
    wide = "a title that stands over both of the columns and is as wide as the whole page of prose is"
    titles = [line(wide, 50, 60), line(wide, 50, 74)]
    got = regions([*titles, *column(50, 6), *column(320, 6)])
    assert [len(region) for region in got] == [2, 6, 6]


def test_cells_of_a_table_are_no_columns():
    cells = [line(text, x, 100 + 12 * n) for n in range(6) for x, text in ((50, "12"), (150, "4"), (300, "7.5"))]
    assert len(regions(cells)) == 1


def test_narrow_pages_have_no_columns():
    tiny = Style(4.0)
    cells = [line("a b c", x, 100 + 5 * n, tiny) for n in range(5) for x in (50, 70)]
    assert len(regions(cells)) == 1
