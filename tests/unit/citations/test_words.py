"""Words in the form in which they are compared."""

from __future__ import annotations

import pytest

from roma_core.citations import read_words, verify_claim
from roma_core.citations.definitions import read_acronyms
from roma_core.citations.words import join_broken, one_spelling


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("1,200 and 3.5 and -4", ["#1200", "and", "#3.5", "and", "#-4"]),
        ("1 200 000 or 1.200.000", ["#1200000", "or", "#1200000"]),
        ("3.2 million, 3,200,000", ["#3200000", "#3200000"]),
        ("twenty-five, one hundred and five", ["#25", "#105"]),
        ("½ and 1/2 and 3½", ["#0.5", "and", "#0.5", "and", "#3.5"]),
        ("two thirds of it", ["#0.666667", "of", "it"]),
        ("first, 1st, 21st", ["ord:1", "ord:1", "ord:21"]),
        ("5 %, 5 percent, 5 per cent", ["#5 percent"] * 3),
        ("5 percentage points", ["#5 percentage_point"]),
        ("$5m, 5 million dollars, US$ 5,000,000", ["#5000000 USD"] * 3),
        ("5 km, 5 kilometres, 5km", ["#5 kilometer"] * 3),
        ("5 m² and 5 square metres", ["#5 meter**2", "and", "#5 meter**2"]),
        ("5–10 km", ["#5 kilometer", "to", "#10 kilometer"]),
        ("12 May 1902, May 12, 1902, 1902-05-12, the 12th of May 1902", [*["@1902-5-12"] * 3, "the", "@1902-5-12"]),
        ("in May 1902", ["in", "@1902-5-?"]),
        ("you may go", ["you", "may", "go"]),
        ("the 1990s", ["the", "#1990s"]),
        ("as in [3] and [1, 2] and \\[4]", ["as", "in", "and", "and"]),
        ("don’t, cannot", ["does", "not", "can", "not"]),
        ("the [guide](docs/a(b).md) says", ["the", "guide", "says"]),
        ("日本 語", ["日", "本", "語"]),
        ("U.S. and J. Smith", ["us.", "and", "j", "smith"]),
        ("café ﬁne obser\u00advatory", ["cafe", "fine", "observatory"]),
    ],
)
def test_one_meaning_has_one_key(text: str, keys: list[str]) -> None:
    assert [word.key for word in read_words(text)] == keys


@pytest.mark.parametrize(
    ("british", "american"),
    [
        ("colour", "color"),
        ("organisation", "organization"),
        ("travelled", "traveled"),
        ("centre", "center"),
        ("anaemia", "anemia"),
        ("analysed", "analyzed"),
        ("catalogue", "catalog"),
        ("defence", "defense"),
        ("programme", "program"),
    ],
)
def test_spelling_variants_have_one_key(british: str, american: str) -> None:
    assert one_spelling(british) == one_spelling(american)


@pytest.mark.parametrize(("a", "b"), [("filled", "filed"), ("four", "for"), ("hoping", "hopping"), ("rise", "raise")])
def test_different_words_keep_different_keys(a: str, b: str) -> None:
    assert one_spelling(a) != one_spelling(b)


def test_offsets_are_those_of_the_text() -> None:
    text = "It cost 3.2 million dollars on 12 May 1902."
    found = read_words(text)
    assert [text[w.start : w.end] for w in found] == ["It", "cost", "3.2 million dollars", "on", "12 May 1902"]


def test_names_weigh_more() -> None:
    name, other = read_words("went Prague")[1], read_words("went prague")[1]
    assert (name.weight, other.weight) == (2.0, 1.0)
    assert read_words("Prague lies")[0].weight == 1.0, "a sentence's first word is capital anyway"


def test_a_hyphen_is_undone_only_where_the_other_text_has_the_word_whole() -> None:
    broken = read_words("an observa-\ntory and a well-\nknown e-mail")
    joined = join_broken(broken, frozenset({"observatory", "email"}))
    assert [w.key for w in joined] == ["an", "observatory", "and", "a", "well", "known", "email"]


@pytest.mark.parametrize(
    ("text", "acronym", "words"),
    [
        ("The World Road Office (WRO) met.", "wro", ("world", "road", "office")),
        ("African American (AA) women", "aa", ("african", "american")),
        ("The WRO (World Road Office) met.", "wro", ("world", "road", "office")),
        ("transanal endorectal pull-through (TERPT)", "terpt", ("transanal", "endorectal", "pull", "through")),
    ],
)
def test_acronyms_are_those_that_the_document_defines(text: str, acronym: str, words: tuple[str, ...]) -> None:
    assert words in read_acronyms(text)[acronym]


def test_a_bracket_that_spells_nothing_defines_nothing() -> None:
    assert "xyz" not in read_acronyms("The World Road Office (XYZ) met.")


def test_marks_above_a_letter_are_no_empty_word() -> None:
    assert (
        verify_claim("It opened in 1992.", "The airport (Thai: ท่าอากาศยาน) is old. It opened in 1992.").verdict
        == "verbatim"
    )


def test_a_month_at_the_end_of_a_sentence_takes_no_number_of_the_next() -> None:
    passage = "It ends in October. One boat sails on."
    assert verify_claim("One boat sails on.", passage).verdict == "verbatim"
