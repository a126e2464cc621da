"""Conflicts between sources and copies of them."""

from __future__ import annotations

import pytest

from roma_core.citations.conflicts import (
    TextSignature,
    find_answer_conflict,
    find_conflict,
    find_correction,
    is_near_copy,
)


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        ("The fee for lockers is 12 € a month.", "Lockers have a fee of 15 € a month.", "number"),
        ("The gate opens on 3 May 2025.", "The gate opens on 9 May 2025.", "date"),
        ("The score of the match was 7.", "The score of the match was 9.", "number"),
        ("The mill was built in 1816.", "The mill was built in 1823.", "number"),
        ("She came third in the race.", "She came fourth in the race.", "number"),
        ("Boats may be moored at the pier.", "Boats may not be moored at the pier.", "polarity"),
        ("The contact for lockers is Ida Brandt.", "The contact for lockers is Omar Haddad.", "name"),
    ],
)
def test_sources_conflict_in_numbers_dates_polarity_and_names(first: str, second: str, kind: str) -> None:
    found = find_conflict(first, second)
    assert found is not None
    assert found.kind == kind


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("The fee for lockers is 12 € a month.", "The fee for lockers is twelve € a month."),
        ("The gate opens at 8.", "The bakery closes at 9."),
        ("The fee is 12 €, for members 9 €.", "The fee is 12 €."),
        ("The tank holds 40 litres.", "The tank was built in 1998."),
        ("The valley has seven villages.", "By the census of 2010 the valley has 22,680 people."),
        ("The valley has seven villages.", "The valley has a population of 22,680,010."),
        ("Both are large, two of the eight towns.", "Two towns are large, two of the three ports."),
    ],
)
def test_sources_that_agree_or_speak_of_something_else_do_not_conflict(first: str, second: str) -> None:
    assert find_conflict(first, second) is None


def test_few_shared_words_are_no_conflict_where_the_documents_have_another_subject() -> None:
    one, other = "It requires Python 3.8.", "It requires Python 3.11."
    assert find_conflict(one, other, same_subject=False) is None


def test_a_copy_keeps_numbers_names_and_denials() -> None:
    text = "The committee of Delft decided on 4 May to buy three machines for the kitchen."
    assert is_near_copy(text, text.upper().capitalize().replace("delft", "Delft").replace("may", "May"))
    assert not is_near_copy(text, text.replace("three", "four"))
    assert not is_near_copy(text, text.replace("decided", "did not decide"))


def test_signatures_find_copies_of_long_texts_whatever_their_numbers() -> None:
    text = "Minutes of the committee. " * 3 + "It decided to buy three machines for the kitchen and to close the bar."
    assert TextSignature.of(f"Copy 1. {text}").is_like(TextSignature.of(f"Copy 2. {text}"))
    assert not TextSignature.of(text).is_like(TextSignature.of("The pump moves water."))


@pytest.mark.parametrize(
    ("question", "first", "second", "kind"),
    [
        ("How many guests fit in?", "Twelve hundred guests fit in.", "At most 900 guests; the gate counts.", "number"),
        (
            "How long is it locked?",
            "It is locked for a quarter of an hour.",
            "The lock opens after 30 minutes.",
            "number",
        ),
        ("What angle has the notch?", "The notch has an angle of 90 degrees, not 60.", "Notch: 60 degrees.", "number"),
        (
            "How deep is it?",
            "It carries 5.1 metres over 45 metres.",
            "It is 4.6 metres deep, 45 metres wide.",
            "number",
        ),
        ("When does work begin?", "Work begins on 5 March 2031.", "They came late, on 8 March.", "date"),
        ("When is it open?", "Open from Tuesday to Saturday.", "Since May it is open every day but Monday.", "date"),
        ("How many looms are there?", "There are nearly 60 looms.", "It has 40 looms.", "number"),
        ("How many channels has it?", "It has eight channels.", "[input]\nchannels = 6\nretry_max = 2", "number"),
        (
            "At what oxygen level does it ring?",
            "Below 0.8 it rings.",
            "oxygen_low_mg_l = 1.0 oxygen_delay = 20",
            "number",
        ),
        ("At which berth does it lie?", "It lies at berth 6.", "berth: 7\nflag: red", "number"),
        ("May dogs swim here?", "Dogs may not swim here.", "Dogs may swim here on Sundays after noon.", "polarity"),
        ("Is the gate open at night?", "The gate is closed from ten.", "The gate will be open at night.", "polarity"),
    ],
)
def test_answers_conflict_however_they_are_worded(question: str, first: str, second: str, kind: str) -> None:
    found = find_answer_conflict(question, first, second)
    assert found is not None
    assert found.kind == kind


@pytest.mark.parametrize(
    ("question", "first", "second"),
    [
        ("At which berth does it begin?", "It begins at berth 6, one berth in five weeks.", "They began at berth 6."),
        ("How long is it?", "It is 5 km long.", "It is 5,000 m long."),
        ("How long is it?", "It is 5 km long.", "It takes two hours."),
        ("How many locks are there?", "There are twelve locks.", "The radio uses channel 14."),
        ("When was it built?", "It was built in 1871.", "It was built on 3 May 1871."),
        ("How many came in 2019?", "In 2019 eleven guests came.", "Eleven guests came."),
        ("Are dogs allowed?", "Dogs are allowed in the yard.", "Dogs are allowed on a lead, not in the hall."),
        ("May dogs swim?", "Dogs may not swim.", "Cats may swim."),
        ("How many looms are there?", "There are nearly 60 looms.", "It has 59 looms."),
        ("How many looms are there?", "There are four looms.", "It is one of the looms of the mill."),
        ("How heavy is it?", "It weighs 12 tonnes.", "The boat leaves at 11:45 instead of 12:15."),
        ("How many knots has it?", "It has six knots.", "It was tied around 300 BC."),
        ("How many channels has it?", "It has eight channels.", "radio: power_mw: 25 channel: 11 retries: 3"),
        ("What power has the radio?", "It may use channel 14.", "radio: power_mw: 25 channel: 11 retries: 3"),
        ("How many areas has the valley?", "The valley has seven areas.", "It has a population of 22,680,010."),
        ("What was burnt in the tests?", "In one test tin was burnt.", "The name of 1777, coined in 1777, is newer."),
        ("Which town is the largest?", "It is one of two largest towns.", "It is one of three of the ports."),
        ("How many retries are made?", "There are three retries.", "retry_after: 9\nretries: 3"),
    ],
)
def test_answers_with_one_value_do_not_conflict(question: str, first: str, second: str) -> None:
    assert find_answer_conflict(question, first, second) is None


def test_only_amounts_of_the_asked_units_conflict() -> None:
    ones, others = "It costs 5 euros and takes 2 days.", "It costs 5 euros and takes 9 days."
    assert find_answer_conflict("What does it cost?", ones, others, frozenset({"EUR"})) is None


def test_a_sentence_that_denies_a_number_corrects_it() -> None:
    assert find_correction("Eleven acres burnt.", "It was 9.4 acres, not eleven.") is not None
    assert find_correction("Twelve acres burnt.", "It was 9.4 acres, not eleven.") is None


def test_the_numbers_of_a_code_are_no_values() -> None:
    said = ("In 212 loggers the seal may be missing.", "Loggers 731-0140 to 731-0351 are affected.")
    assert find_answer_conflict("How many loggers are affected?", *said) is None


def test_times_of_day_are_compared() -> None:
    conflict = find_answer_conflict("When does it leave?", "It leaves at 08:15.", "It leaves at 08:00.")
    assert conflict is not None
    assert (conflict.kind, conflict.first, conflict.second) == ("time", ("08:15",), ("08:00",))
    assert find_answer_conflict("When does it leave?", "At 08:15 and 09:15.", "It leaves at 08:15.") is None


def test_amounts_in_other_units_are_compared_where_they_are_of_one_order() -> None:
    asked = "How long does it fly?"
    assert find_answer_conflict(asked, "It flies for 38 minutes.", "It flew on six days.") is None
    assert find_answer_conflict(asked, "It flies for 38 minutes.", "It flew for an hour.") is not None


@pytest.mark.parametrize(
    ("first", "second", "times"),
    [
        ("The bar opens on Fridays from 18:00 to 23:00.", "From June the bar opens on Fridays from 17:00 to 23:00.",
         ("17:00 to 23:00",)),
        ("The bar opens on Fridays from 18:00 to 23:00.", "The bar opens on Fridays from 18:00 to 23:00.", None),
        ("The bar opens on Fridays from 18:00 to 23:00.", "The bar opens on Sundays from 11:00 to 23:00.", None),
    ],
)  # fmt: skip
def test_spans_of_time_with_one_end_in_common_differ_by_the_other(
    first: str, second: str, times: tuple[str, ...] | None
) -> None:
    found = find_answer_conflict("When does the bar open on Fridays?", first, second)
    assert (found.second if found is not None else None) == times
