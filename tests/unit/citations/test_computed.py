"""Sums that a claim does on the figures of its passage: right ones are told by these figures, wrong ones are not."""

from __future__ import annotations

import pytest

from roma_core.citations.computed import compute_statements
from roma_core.citations.phrases import read_phrases
from roma_core.citations.words import read_words

STAY = "The show opened on 3 March 2019 and closed on 17 March 2019."


def told(claim: str, *sentences: str) -> list[list[str]]:
    words = [read_phrases(read_words(sentence)) for sentence in sentences]
    ways = compute_statements(read_phrases(read_words(claim)), words)
    return [[" ".join(word.key for word in part) for part in parts] for parts in ways]


@pytest.mark.parametrize(
    ("claim", "sentence", "first"),
    [
        ("The show closed two weeks after it opened.", STAY, "the show closed on @2019-3-17"),
        ("The show opened 14 days before it closed.", STAY, "the show opened on @2019-3-3"),
        ("The show ran for almost three weeks.", STAY.replace("17", "23"), "the show began on @2019-3-3"),
        ("The dam took 7 years.", "The dam was begun in 1958 and done in 1965.", "the dam began in #1958"),
        (
            "The shift is 8 hours long.",
            "The shift begins at 22:00 and ends at 06:00.",
            "the shift begins at time:22:00",
        ),
        ("Ann died at the age of about 41.", "Ann Lee, 1950 to 1991.", "ann was born in #1950"),
        ("Lyon has more rooms than Lund.", "Lyon has 9 rooms and Lund has 4 rooms.", "lyon has #9 rooms"),
        ("Lyon is cheaper than Lund does.", "Lyon costs 4 euros. Lund costs 9 euros.", "lyon costs #4 EUR"),
        (
            "The barn was built before the mill.",
            "The barn is of 1910, the mill of 1934.",
            "the barn was built in #1910",
        ),
        ("A third of the seats are sold.", "Of the 90 seats, 30 are sold.", "#30 of the #90 seats is sold"),
        ("The fee doubled.", "The fee rose from 4 to 8.", "the fee participle:rise:rose from #4 to #8"),
        ("The fee rose by 4.", "The fee rose from 4 to 8.", "the fee rose from #4 to #8"),
        ("There are three hues that it has: red, blue and gray.", "", "it has red blue and gray"),
        ("It comes in three colors: red, blue and gray.", "", "it comes in red blue and gray"),
    ],
)
def test_a_right_sum_is_told_by_the_figures_of_the_passage(claim: str, sentence: str, first: str) -> None:
    assert first in [parts[0] for parts in told(claim, sentence)]


@pytest.mark.parametrize(
    ("claim", "sentence"),
    [
        ("The show closed three weeks after it opened.", STAY),
        ("The show did not close two weeks after it opened.", STAY),
        ("The show closed in two weeks.", STAY),
        ("The show lasted two weeks longer.", STAY),
        ("The show lasted two weeks, from 3 March to 18 March 2019.", STAY),
        ("Ann died at the age of 41.", "Ann Lee, 1950 to 1991."),
        ("Ann died at the age of about 31.", "Ann Lee, 1950 to 1991."),
        ("The show lasted two months.", "It ran from 31 February 2019 to 3 April 2019."),
        ("Lyon has more rooms than Lund.", "Lyon has 4 rooms."),
        ("Lyon has more rooms than Lund.", "Lund has 9 rooms."),
        ("Lyon has more rooms than Lund.", "Lyon has 4 rooms."),
        ("Lyon has twice as many rooms as Lund.", "Lyon has 9 rooms. Lund has 4 rooms."),
        ("Lyon has twice as much dust as Lund.", "Lyon has 8 rooms. Lund has 4 rooms."),
        ("Both gates open.", "The north gate, the south gate and the west gate."),
        ("Half of the seats are sold.", "Of the 90 seats, 30 are sold."),
        ("The fee tripled.", "The fee rose from 4 to 8."),
        ("The fee rose by 5.", "The fee rose from 4 to 8."),
        ("The fee rose by 4 percent.", "The fee rose from 4 to 8."),
        ("It comes in four colors: red, blue and gray.", ""),
        ("There are three keys: red, blue and gray.", ""),
    ],
)
def test_a_wrong_sum_is_told_by_none(claim: str, sentence: str) -> None:
    assert told(claim, sentence) == []
