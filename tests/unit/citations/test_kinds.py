"""Kinds of changed and of honest claims over texts of our own: what the check must see, and what it may not refuse."""

from __future__ import annotations

import functools

import pytest

from roma_core.citations import Support, verify_claim
from tests.claim_kinds import KindClaim, read_kinds

CLAIMS = list(read_kinds())
NAMES = list(dict.fromkeys(claim.kind for claim in CLAIMS))
ACCEPTED = {"verbatim", "supported"}


@functools.cache
def check(claim: KindClaim) -> Support:
    return verify_claim(claim.claim, claim.passage)


def is_accepted(claim: KindClaim) -> bool:
    return check(claim).verdict in ACCEPTED


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_claim_is_refused(name: str) -> None:
    attacks = [claim for claim in CLAIMS if claim.kind == name and claim.is_attack and not claim.is_known_miss]
    assert attacks
    assert [claim.claim for claim in attacks if is_accepted(claim)] == []


@pytest.mark.parametrize("name", NAMES)
def test_an_honest_claim_is_accepted(name: str) -> None:
    honest = [claim for claim in CLAIMS if claim.kind == name and not claim.is_attack and not claim.is_known_miss]
    assert honest
    assert [claim.claim for claim in honest if not is_accepted(claim)] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_refusal_names_the_words_that_decided(name: str) -> None:
    refused = [claim for claim in CLAIMS if claim.kind == name and not is_accepted(claim)]
    assert refused
    assert [claim.claim for claim in refused if not check(claim).reasons] == []


def test_a_refusal_names_the_order_where_all_words_stand_in_the_source() -> None:
    passage = "The strike was led by Anna Bohl, a cousin of the mayor, and supported by the printers."
    found = verify_claim("The mayor led the strike.", passage)
    assert found.verdict == "partial"
    assert {reason.kind for reason in found.reasons} == {"order"}


def test_what_the_check_gets_wrong_is_marked_and_little() -> None:
    misses = [claim for claim in CLAIMS if claim.is_known_miss]
    assert [claim.claim for claim in misses if is_accepted(claim) != claim.is_attack] == []
    attacks = [claim for claim in CLAIMS if claim.is_attack]
    assert sum(claim.is_known_miss for claim in attacks) <= 0.03 * len(attacks)


def test_no_model_is_asked_about_a_code() -> None:
    found = verify_claim("Error E1024 means that it is full.", "Error E1042 means that it is full.")
    assert (found.verdict, found.is_open) == ("contradicted", False)
    assert [reason.kind for reason in found.reasons] == ["code"]


@pytest.mark.parametrize(
    "sentence",
    [
        "For each sailing that is cancelled it pays 900 euros.",
        "Until 2004 it was closed.",
        "A month is long.",
        "But the ferry sails.",
        "I grew rye.",
    ],
)
def test_a_sentence_is_read_alike_whatever_stands_before_it(sentence: str) -> None:
    passage = f"All of it is new since the war. It runs until 31 December 2029. {sentence} It is not used anymore."
    assert verify_claim(sentence, passage).verdict == "verbatim"
