"""The self-check finds what a page lost, made up or tore apart."""

from __future__ import annotations

import random

import pytest

from roma_core.parsers.pdf.check import compare, line_joints, sentence_pairs, squash

LEDGER = [f"Item {n} | {n * 37 % 89}.{n % 10}0 | Paid {100 + n}" for n in range(40)]
PROSE = [
    "The harbour of the small island was built in three",
    "summers by people who had never seen a crane and",
    "carried the stones in baskets up the hill to the place",
    "where the lighthouse stands until this day. Its keeper",
    "wrote down the weather four times a day for forty",
    "years, and his notebooks are the longest series.",
]


def test_equal_texts_have_no_discrepancy():
    assert compare(PROSE, "\n".join(PROSE)).is_clean


def test_layout_and_markdown_are_no_discrepancy():
    text = "# " + " ".join(PROSE).replace("three summers", "**three** sum-\nmers")
    assert compare(PROSE, text).is_clean


def test_sentences_are_paired_over_lines():
    assert sentence_pairs(PROSE)[0] == squash("built in three summers by people")
    assert sentence_pairs(["A heading of four words", "Text that begins with a capital"]) == []


def test_a_torn_sentence_is_a_break():
    torn = [PROSE[0], PROSE[3], PROSE[1], PROSE[2], *PROSE[4:]]
    found = compare(PROSE, "\n".join(torn))
    assert found.continuity < 1 and len(found.breaks) == 3


def test_too_few_pairs_say_nothing_about_the_order():
    assert compare(PROSE[:2], f"{PROSE[1]}\n{PROSE[0]}").continuity == 1.0


def test_one_of_many_equal_words_that_is_missing_is_a_loss():
    text = "\n".join(LEDGER).replace("Paid 107", "107")
    assert compare(LEDGER, text).losses == ("Paid",)


def test_what_is_left_out_by_name_is_no_loss():
    assert compare(["Annual report", *PROSE], "\n".join(PROSE), ["Annual report"]).is_clean


def test_fused_numbers_are_inventions():
    found = compare(["1,250 1", "34 56"], "1,2501 | 3456")
    assert found.inventions == ("2501", "3456")


def test_the_name_of_a_figure_is_no_invention():
    assert compare(PROSE, "\n".join(PROSE) + "\n\n![](page-7-figure-2)").is_clean


def plant(kind: str, lines: list[str], dice: random.Random) -> str:
    """Return the text of ``lines`` with one loss of a kind."""
    lines = list(lines)
    at = dice.randrange(len(lines) - 1)
    words = lines[at].split(" ")
    spot = dice.randrange(len(words) - 1)
    if kind == "line deleted":
        del lines[at]
    elif kind == "word deleted":
        while not squash(words[spot]):
            spot = (spot + 1) % len(words)
        del words[spot]
    elif kind == "lines exchanged":
        lines[at], lines[at + 1] = lines[at + 1], lines[at]
        return "\n".join(lines)
    elif kind == "cells exchanged":
        one, two = dice.sample([n for n, word in enumerate(words) if squash(word)], 2)
        words[one], words[two] = words[two], words[one]
    elif kind == "numbers fused":
        found = [n for n, word in enumerate(words) if word[-1:].isdigit()]
        words[found[0]] += words.pop(found[-1]) if len(found) > 1 else "0"
    if kind != "line deleted":
        lines[at] = " ".join(words)
    return "\n".join(lines)


@pytest.mark.parametrize(
    "kind", ["line deleted", "word deleted", "lines exchanged", "cells exchanged", "numbers fused"]
)
def test_planted_losses_in_tables_and_prose_are_found(kind):
    dice = random.Random(7)
    missed = 0
    for _ in range(200):
        text = plant(kind, LEDGER, dice)
        missed += text != "\n".join(LEDGER) and compare(LEDGER, text, joints=line_joints(LEDGER)).is_clean
    assert missed <= 2


def test_the_mark_of_a_note_at_a_number_is_no_new_number() -> None:
    layer = ["Total debt 1,2501 and headcount 482 at the end of the year"]
    text = "Total debt 1,250^1 and headcount 48^2 at the end of the year"
    assert compare(layer, text).inventions == ()
    assert compare(layer, "Total debt 1,999^1 and headcount 48^2").inventions == ("999",)
