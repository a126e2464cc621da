"""Letters that PDFium takes for a second drawing of the one before them are put back, and only those."""

from __future__ import annotations

import pytest

from roma_core.parsers.pdf.page import Rect, _restore_repeated

SIZE = 12.0


def box(x0: float, x1: float) -> Rect:
    return x0, 0.0, x1, SIZE


def text(*letters: tuple[str, float, float]) -> str:
    return "".join(letter for letter, _ in _restore_repeated([(char, box(a, b)) for char, a, b in letters], SIZE))


@pytest.mark.parametrize("gap", [(11.5, 20.0), (12.4, 20.0)], ids=["just so wide", "wide"])
def test_a_gap_beside_a_narrow_joined_letter_is_its_repetition(gap):
    assert text(("ص", *gap), ("و", 9.0, 10.7), ("ة", 2.0, 9.2)) == "صووة"
    assert text(("ة", 2.0, 9.2), ("و", 9.0, 10.7), ("ص", *gap)) == "ةووص"


def test_letters_that_touch_are_left_alone():
    assert text(("ص", 10.6, 20.0), ("و", 9.0, 10.7), ("ة", 2.0, 9.2)) == "صوة"


def test_letters_of_usual_width_and_of_other_scripts_are_left_alone():
    assert text(("ا", 14.0, 17.0), ("و", 5.0, 12.0)) == "او"
    assert text(("f", 0.0, 4.0), ("i", 5.0, 6.5), ("t", 7.5, 10.0)) == "fit"


def test_a_narrow_letter_alone_has_no_neighbour_to_tell():
    assert text(("و", 9.0, 10.7)) == "و"
