"""Words to rows and lines: scripts, direction, pieces, raised marks."""

from __future__ import annotations

import pytest

from roma_core.parsers.pdf.layout import Line, is_rtl, is_wide, rows_of, segments_of, text_of
from roma_core.parsers.pdf.page import SOFT_HYPHEN, Word
from tests.fixtures.make_lines import BOLD, PLAIN, line, sized, words


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


@pytest.mark.parametrize(
    ("before", "mark", "text"),
    [
        ("1,250", "1", "1,250^1"),
        ("10", "3", "10^3"),
        ("10", "-6", "10^-6"),
        ("12%", "3", "12%^3"),
        ("word", "2", "word^2"),
        ("12.5", "a", "12.5^a"),
        ("Mill", "1,2", "Mill^1,2"),
        ("1", "st", "1st"),
    ],
)
def test_raised_marks_are_kept_apart_from_what_they_stand_on(before, mark, text):
    big = Word(before, 0, 100, 30, 110, PLAIN)
    small = Word(mark, 30, 98, 34, 104, sized(PLAIN, 6.0), glued=True)
    after = Word("more", 40, 100, 60, 110, PLAIN)
    assert text_of([big, small, after]) == f"{text} more"


def test_a_lowered_number_is_no_part_of_the_number_before_it():
    raised = Word("2", 10, 98, 14, 104, sized(PLAIN, 6.0), glued=True)
    lowered = Word("1", 10.5, 105, 14, 111, sized(PLAIN, 6.0), glued=True)
    assert text_of([Word("x", 0, 100, 10, 110, PLAIN), raised, lowered]) == "x^2_1"


def test_a_lowered_number_after_a_letter_reads_as_one_word():
    lowered = Word("2", 10, 105, 14, 111, sized(PLAIN, 6.0), glued=True)
    assert (
        text_of([Word("H", 0, 100, 10, 110, PLAIN), lowered, Word("O", 14, 100, 20, 110, PLAIN, glued=True)]) == "H2O"
    )


def test_small_print_beside_a_line_is_not_raised():
    assert (
        text_of([Word("Total", 0, 100, 25, 110, PLAIN), Word("12", 28, 102, 34, 109, sized(PLAIN, 7.0))]) == "Total 12"
    )
