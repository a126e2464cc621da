"""What a sentence says in other everyday words, and what it does not say."""

from __future__ import annotations

import pytest

from roma_core.citations.paraphrases import read_paraphrases, read_reports, turn_report_clause
from roma_core.citations.phrases import read_phrases
from roma_core.citations.words import ClaimWord, read_words


def words_of(sentence: str) -> list[ClaimWord]:
    return list(read_phrases(read_words(sentence)))


def paraphrases_of(sentence: str) -> list[str]:
    return [" ".join(word.text for word in words) for words in read_paraphrases(words_of(sentence))]


@pytest.mark.parametrize(
    ("sentence", "paraphrase"),
    [
        ("The card never expires.", "The card does not expires"),
        ("The hall was never built.", "The hall was not built"),
        ("Boats must not land.", "Boats may not land"),
        ("The app is expected to follow.", "The app should follow"),
        ("A card is 5 euros.", "A card costs 5"),
        ("A card costs 5 euros for adults.", "adults pay 5 for A card"),
        ("The limit was raised from 20 to 50.", "The limit is now 50"),
        ("Ida Holm (1871-1949) was a painter.", "Ida Holm died in 1949"),
        ("Not only did she paint it, she also sang.", "she paint it"),
        ("It costs 6 for adults and 3 for members.", "It costs 3 for members"),
        ("It has 90 boats, a third of which are new.", "a third of the 90 boats are new"),
        ("With 9 rooms it is an inn.", "it has 9 rooms"),
        ("She was a poet and sailor.", "She was a sailor"),
        ("Guests should be given a key.", "a key should be given to Guests"),
        ("The court orders him to pay.", "he must pay"),
    ],
)
def test_a_sentence_is_said_in_other_words(sentence: str, paraphrase: str) -> None:
    assert paraphrase in paraphrases_of(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "The limit was raised.",
        "It has 90 boats, and some of them are new.",
        "Not only she sang.",
        "The court ordered him to pay.",
        "The hall (Oak Street 2) was sold.",
        "With a rope he was saved from it.",
    ],
)
def test_what_has_no_such_form_is_said_as_it_is(sentence: str) -> None:
    forbidden = ("must", "now", "born", "sang", "of the", "has")
    assert [text for text in paraphrases_of(sentence) if any(word in text.split() for word in forbidden)] == []


def test_a_limit_raised_in_a_year_is_not_the_one_of_today() -> None:
    assert [text for text in paraphrases_of("The limit was raised from 20 to 50 in 2019.") if " is " in text] == []


@pytest.mark.parametrize(
    "sentence", ["According to Ann Lie, it is free.", "It is free, Ann Lie said.", "Ann Lie said that it is free."]
)
def test_a_report_has_one_form(sentence: str) -> None:
    reports = [[word.key for word in words] for words in read_reports(words_of(sentence))]
    assert ["ann", "lie", "says", "that", "it", "is", "free"] in reports


def test_a_source_may_shorten_a_speaker_and_a_claim_may_not() -> None:
    report = words_of("Fire chief Ann Lie said that it is free.")
    assert any(words[0].key == "ann" for words in read_reports(report))
    assert [words[0].key for words in turn_report_clause(report)] == ["fire"]
