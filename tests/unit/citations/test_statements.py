"""The statements that sentences make and claims are made of: whole, and none that is false."""

from __future__ import annotations

import pytest

from roma_core.citations import verify_claim
from roma_core.citations.parts import remove_frame, split_clauses
from roma_core.citations.statements import read_statements
from roma_core.citations.verbs import PARTICIPLE, in_form, lemma, match_forms
from roma_core.citations.words import read_words


def statements_of(sentence: str, heading: str = "") -> list[str]:
    made = read_statements(read_words(sentence), read_words(heading))
    return [" ".join(word.key for word in statement) for statement in made]


@pytest.mark.parametrize(
    ("sentence", "heading", "statement"),
    [
        ("Ada Kern lives in Graz and teaches chess.", "", "ada kern teaches chess"),
        ("The hall can be booked and heated.", "", "the hall can be heated"),
        ("Dogs are allowed in the yard but not in the hall.", "", "dogs is not allowed in the hall"),
        ("Ada Kern, a judge, lives in Graz.", "", "ada kern is a judge"),
        ("Visitors meet Jonas Weil, whose brother runs the mill.", "", "the brother of jonas weil runs the mill"),
        ("Built in 1871, the mill was sold.", "", "the mill was built in #1871"),
        ("Length: 214 m", "Dorn Bridge", "dorn bridge is #214 meter long"),
        ("The board is Ada Lunn (chair) alone.", "", "ada lunn is chair"),
        ("Magma above ground is called lava.", "", "lava is magma above ground"),
    ],
)
def test_a_sentence_makes_statements(sentence: str, heading: str, statement: str) -> None:
    assert statement in statements_of(sentence, heading)


@pytest.mark.parametrize(
    ("sentence", "statement"),
    [
        ("It is untrue that the firm is bankrupt.", "the firm is bankrupt"),
        ("Kern said the pump is old and leaks.", "kern leaks"),
        ("The suspect was seen and photographed.", "the suspect photographed"),
        ("No pump that leaks is sold and no valve opens.", "no pump leaks"),
        ("The boat of the smuggler, which was red, sank.", "the smuggler was red"),
    ],
)
def test_a_sentence_makes_no_false_statement(sentence: str, statement: str) -> None:
    assert statement not in statements_of(sentence)


def test_the_forms_of_a_verb_have_one_lemma() -> None:
    wrote, written, paints, painted = read_words("wrote written paints painted")
    assert lemma(wrote) == lemma(written)
    assert lemma(paints) == lemma(painted)


def test_a_form_that_nothing_has_is_the_words_own() -> None:
    [verb] = read_words("written")
    assert [word.key for word in match_forms([in_form(verb, PARTICIPLE)], read_words("It was painted."))] == ["wrote"]
    assert match_forms([verb], []) == [verb]


@pytest.mark.parametrize(
    ("claim", "rest"),
    [
        ("According to the user manual, it is free.", "it is free"),
        ("The report states that it is free.", "it is free"),
        ("Yes, it is free.", "it is free"),
        ("No, it is not free.", "it is not free"),
        ("According to Kern, it is free.", "according to kern it is free"),
    ],
)
def test_a_frame_is_no_part_of_a_claim(claim: str, rest: str) -> None:
    assert " ".join(word.key for word in remove_frame(read_words(claim)) or ()) == rest


@pytest.mark.parametrize("claim", ["No, it is free.", "Yes, it is not free."])
def test_a_yes_or_no_that_its_statement_does_not_bear_out_is_no_frame(claim: str) -> None:
    assert remove_frame(read_words(claim)) is None
    assert verify_claim(claim, "It is free." if "No" in claim else "It is not free.").verdict != "supported"


def test_two_clauses_must_stand_in_one_sentence() -> None:
    [parts] = split_clauses(read_words("The mill was sold, but the barn was kept."))
    assert [" ".join(word.key for word in part) for part in parts] == ["the mill was sold", "the barn was kept"]
    apart = "The mill was sold in May. In June the barn was kept for the horses of the village."
    assert verify_claim("The mill was sold, but the barn was kept.", apart).verdict == "partial"


def test_a_speaker_is_who_the_passage_says() -> None:
    passage = "We are Lindqvist Optics. We make lenses and employ 140 people."
    assert verify_claim("Lindqvist Optics employs 140 people.", passage).verdict == "supported"
    assert verify_claim("The company makes lenses.", passage).verdict == "supported"
    assert verify_claim("Brandt Optics employs 140 people.", passage).verdict == "partial"


def test_an_order_is_what_should_be_done() -> None:
    assert verify_claim("The base must never be opened.", "Never open the base.").verdict == "supported"
    assert verify_claim("The base must be opened.", "Never open the base.").verdict != "supported"
