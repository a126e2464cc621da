"""Years, months and numbers of series that statements hold for."""

from __future__ import annotations

import pytest

from roma_core.writers.extractive.scopes import (
    find_opposite,
    find_other_scope,
    have_opposites,
    have_other_places,
    have_other_scopes,
    names_asked_year,
    read_scope,
)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("Wells 3 to 5 are dry.", {("well", "3"), ("well", "4"), ("well", "5")}),
        ("At stations 2, 4 and 9 it rained.", {("station", "2"), ("station", "4"), ("station", "9")}),
        ("Room B has no window.", {("room", "B")}),
        ("The Falcon 7 flies for an hour.", {("falcon", "7")}),
        ("They gained 7 points.", set()),
        ("It weighs 12 tonnes.", set()),
        ("No crane works above force 7.", set()),
        ("It was built in 1987.", set()),
        ("On May 3 it opens.", set()),
    ],
)
def test_numbers_of_a_series_are_told_from_amounts(text: str, labels: set[tuple[str, str]]) -> None:
    assert read_scope(text).labels == labels


@pytest.mark.parametrize(
    ("question", "quote", "surroundings", "missed"),
    [
        ("How deep is well 9?", "Well 4 is 30 metres deep.", "", "well 9"),
        ("How deep is well 4?", "Wells 3 to 5 are 30 metres deep.", "", ""),
        ("How deep is well 9?", "It is 30 metres deep.", "", ""),
        ("How deep is well 9?", "It is 30 metres deep.", "Well 4", "well 9"),
        ("How many came in 2021?", "In 2023 there were 31.", "", "2021"),
        ("How many came in 2021?", "There were 31.", "", ""),
        ("How many came in 2021?", "Between 2019 and 2023 there were 31.", "", ""),
        ("How many came in 2021?", "Since 2019 there were 31.", "", ""),
        ("What was the fee in 2024?", "The fee is 3 euros.", "Fees 2025", "2024"),
        ("What was the fee in 2024?", "The fee is 3 euros.", "Fees 2023/24", ""),
        ("Who was hurt in December 2024?", "Two people were treated.", "2025-01-03-mail: the leak", ""),
        ("How warm was it in July 2024?", "In June 2024 it was 19 degrees.", "", "July"),
    ],
)
def test_a_quote_of_another_year_or_number_does_not_fit(
    question: str, quote: str, surroundings: str, missed: str
) -> None:
    assert find_other_scope(question, quote, surroundings) == missed


def test_the_opposite_half_does_not_fit() -> None:
    assert find_opposite("What is the outer diameter?", "The inner diameter is 40 mm.") == "outer"
    assert find_opposite("What is the outer diameter?", "Inner and outer diameter are 40 and 44 mm.") == ""
    assert find_opposite("What is the diameter?", "The inner diameter is 40 mm.") == ""
    assert find_opposite("Where did a large number of settlers go?", "Small numbers of settlers went to Algiers.") == ""


@pytest.mark.parametrize(
    ("question", "text", "missed"),
    [
        ("Who bought the mill?", "In 1911 the mill was sold to the town.", ""),
        ("Who sold the mill?", "In 1911 the town bought the mill from the guild.", ""),
        ("Who bought the mill?", "In 1911 the mill was sold.", "bought"),
        ("Who lent the boat?", "The boat was borrowed from the guild.", ""),
    ],
)
def test_what_is_sold_to_somebody_is_bought(question: str, text: str, missed: str) -> None:
    assert find_opposite(question, text) == missed


def test_statements_on_other_scopes_can_both_be_true() -> None:
    assert have_other_scopes("At well 4 it was 30 metres.", "At well 9 it was 12 metres.")
    assert have_other_scopes("In 2023 27 sailings were lost.", "In 2024 31 sailings were lost.")
    assert not have_other_scopes("27 sailings were lost.", "In 2024 31 sailings were lost.")
    assert have_opposites("The summer fare is 3 euros.", "The winter fare is 2 euros.")
    assert not have_opposites("The fare is 3 euros.", "The winter fare is 2 euros.")


def test_a_text_has_the_year_that_is_asked_or_none_is_asked() -> None:
    assert names_asked_year("How many came in 1971?", "birds-1971-07-01: 17 pairs")
    assert not names_asked_year("How many came in 1971?", "Since 2008 two pairs breed again.")
    assert names_asked_year("How many came since 2008?", "Two pairs breed again.")


@pytest.mark.parametrize("date", ["2020-02-27", "27.02.2020", "27 February 2020", "02/27/2020"])
def test_a_date_in_any_form_is_named_where_a_quote_is_of_another_month(date: str) -> None:
    other = find_other_scope(f"What was added on {date}?", "In May 2020 two bugs were mended.")
    assert other in {"", date, "February"}
    assert find_other_scope("What was added on 2020-02-27?", "In May 2020 two bugs were mended.") == "2020-02-27"


def test_statements_about_places_of_other_names_do_not_contradict() -> None:
    assert have_other_places("In Brenn 7 % of the pupils pay.", "In the Lower Marsh it is 3 % of them.")
    assert not have_other_places("In Brenn 7 % of the pupils pay.", "Of the pupils in Upper Brenn 3 % pay.")
    assert not have_other_places("In Brenn 7 % of the pupils pay.", "It is 3 % of them.")
    assert not have_other_places("In May 7 % of the pupils paid.", "In Brenn 3 % of the pupils paid.")
