"""Statements taken apart: their subject, verb and phrases, and what a claim says of them in another order."""

from __future__ import annotations

import pytest

from roma_core.citations import verify_claim
from roma_core.citations.constituents import arrangements, read_constituents
from roma_core.citations.passage import SourceWords

ACCEPTED = {"verbatim", "supported"}


def read(text: str) -> tuple[str, list[str]]:
    words = SourceWords.read(text, "", "", frozenset()).words
    found = read_constituents(words)
    assert found is not None
    subject = " ".join(word.text for word in found.subject)
    return subject, [" ".join(word.text for word in phrase.words) for phrase in found.phrases]


def test_a_passive_has_the_subject_and_phrases_of_its_active() -> None:
    assert read("The weavers asked for help in 1848.") == ("The weavers", ["for help", "in 1848"])
    assert read("In 1848 the mill was sold to Rehn by the weavers.") == (
        "the weavers",
        ["the mill", "to Rehn", "In 1848"],
    )


def test_a_passive_without_agent_has_no_subject() -> None:
    assert read("The mill was sold in May.") == ("", ["The mill", "in May"])


def test_all_agents_are_the_subject() -> None:
    assert read("The mill was built by Ann Falk and Tom Wirth in May.")[0] == "Ann Falk and Tom Wirth"


@pytest.mark.parametrize("text", ["The mill.", "Close the gate.", "The mill, and its owner, Tom, who was ill, fell."])
def test_words_without_a_plain_subject_and_verb_are_not_taken_apart(text: str) -> None:
    assert read_constituents(SourceWords.read(text, "", "", frozenset()).words) is None


def test_an_object_that_a_claim_leaves_out_decides() -> None:
    source = SourceWords.read("The guard failed the test in May.", "", "", frozenset())
    claim = source.prepare_claim("The guard failed in May.")
    assert list(arrangements(claim, source.words)) == []


@pytest.mark.parametrize(
    ("claim", "passage"),
    [
        ("Shorter hours were demanded by the weavers in 1848.", "In 1848 the weavers demanded shorter hours and rye."),
        ("The museum purchased the lamp in 1911.", "The lamp is of bronze. It was bought by the museum in 1911."),
        ("Members get a 20 percent discount.", "Members receive a discount of 20 percent."),
        ("The lid is a ninth-century copy.", "The lid is a copy of the ninth century."),
        ("Hanna Berg was the leader of the strike.", "The strike had been led by Hanna Berg."),
        ("No bicycles can be taken on the buses.", "Bicycles cannot be taken on the buses."),
        ("Hail is not likely.", "Hail is unlikely."),
        ("The brewery's plan was rejected by the council.", "The council rejected the plan of the brewery in May."),
        ("On 1 May, the warden turns off the water.", "The water is turned off on 1 May by the warden."),
        ("The pier was damaged by the storm in 2013.", "The storm, in 2013, damaged the pier but not the lighthouse."),
        ("On Sundays, bicycles travel free.", "Bicycles travel free of charge on Sundays."),
    ],
)
def test_a_claim_in_another_voice_and_order_is_supported(claim: str, passage: str) -> None:
    assert verify_claim(claim, passage).verdict in ACCEPTED


@pytest.mark.parametrize(
    ("claim", "passage"),
    [
        ("The council was rejected by the brewery in May.", "In May the council rejected the brewery and its plan."),
        ("Dogs are allowed on Sundays.", "On Sundays dogs are allowed on a lead."),
        ("The bridge was not built in 1960.", "In 1960 the town did not build the bridge."),
        ("Tom scored both goals from the spot.", "Tom scored both goals for Orth, the second from the spot."),
        ("In May the chapel was made in Selm.", "The chapel was made in May, probably in Selm."),
        ("The lamp can be replaced by the user.", "The battery can be replaced by the user, the lamp cannot."),
        ("The 2023 outage lasted an hour.", "An outage of the pump in 2023 had lasted an hour."),
        ("The mayor's brother was praised by the council.", "The council praised the mayor and his brother's plan."),
        ("Members get a 20 percent discount.", "Members receive a discount of 10 percent on 20 days."),
        ("The trains can be taken by members.", "The buses of the trains' owner can be taken by members."),
    ],
)
def test_a_claim_of_other_roles_or_without_terms_is_not(claim: str, passage: str) -> None:
    assert verify_claim(claim, passage).verdict not in ACCEPTED
