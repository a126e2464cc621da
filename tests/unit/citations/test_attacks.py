"""Attacks are refused and controls accepted: on passages of our own always, on real ones where they are at hand."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from roma_core.citations import verify_claim
from tests.attacks import ATTACKS, FORM, PARAPHRASE, Case, Change, alter, make_cases, read_passages
from tests.own_corpus import PASSAGES

ACCEPTED = {"verbatim", "supported"}
SEED = 7
EACH = int(os.environ.get("ROMA_ATTACKS", "30"))
"""Claims of each kind on real passages; `make soak` tries 200."""
CORPORA = ("squad2_dev", "pubmedqa", "clapnq")

Alter = Callable[[Change], list[Case]]


@pytest.fixture(scope="module")
def own_cases() -> list[Case]:
    return make_cases(PASSAGES, SEED)


@pytest.fixture(scope="module")
def real_cases(shared_root: Path) -> list[Case]:
    passages = [passage for name in CORPORA for passage in read_passages(shared_root / "data", name)]
    return make_cases(passages, SEED)


def accepted(cases: Sequence[Case]) -> list[str]:
    return [case.claim for case in cases if verify_claim(case.claim, case.passage, case.title).verdict in ACCEPTED]


def refused(cases: Sequence[Case]) -> list[tuple[str, str]]:
    found = [(case.claim, verify_claim(case.claim, case.passage, case.title)) for case in cases]
    return [(claim, str(f.reasons)) for claim, f in found if f.verdict not in ACCEPTED]


@pytest.mark.parametrize("name", ATTACKS)
def test_no_attack_on_our_own_passages_is_accepted(name: str, own_cases: list[Case]) -> None:
    assert accepted(alter(own_cases, ATTACKS[name][1], EACH, SEED)) == []


FOR_NO_MODEL = [
    "misquoted, one word", "misquoted, a small word", "fabricated in quotation marks", "number changed",
    "number from the passage", "number word changed", "unit changed", "month changed", "ordinal changed", "not added",
    "not removed", "rarely, failed to",
]  # fmt: skip
"""Attacks on numbers, units, negations and quotations."""


@pytest.mark.parametrize("name", FOR_NO_MODEL)
def test_no_model_is_asked_about_a_number_a_unit_a_negation_or_a_quotation(name: str, own_cases: list[Case]) -> None:
    cases = alter(own_cases, ATTACKS[name][1], EACH, SEED)
    assert [c.claim for c in cases if verify_claim(c.claim, c.passage, c.title).is_open] == []


@pytest.mark.parametrize("name", [*FORM, *PARAPHRASE])
def test_every_control_on_our_own_passages_is_accepted(name: str, own_cases: list[Case]) -> None:
    change = {**FORM, **PARAPHRASE}[name]
    assert refused(alter(own_cases, change, EACH, SEED)) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_on_real_passages_stay_below_their_limit(name: str, real_cases: list[Case]) -> None:
    limit, change = ATTACKS[name]
    cases = alter(real_cases, change, EACH, SEED)
    assert len(cases) >= 0.4 * EACH
    assert len(accepted(cases)) <= max(1, limit * len(cases)), accepted(cases)


@pytest.mark.slow
@pytest.mark.parametrize("name", FORM)
def test_what_differs_in_form_alone_is_accepted(name: str, real_cases: list[Case]) -> None:
    cases = alter(real_cases, FORM[name], EACH, SEED)
    assert len(cases) >= 0.4 * EACH
    assert len(refused(cases)) <= max(1, 0.01 * len(cases)), refused(cases)


@pytest.mark.slow
@pytest.mark.parametrize("name", PARAPHRASE)
def test_numbers_units_and_acronyms_in_other_words_are_accepted(name: str, real_cases: list[Case]) -> None:
    cases = alter(real_cases, PARAPHRASE[name], EACH, SEED)
    assert len(cases) >= 0.4 * EACH
    assert len(refused(cases)) <= 0.05 * len(cases), refused(cases)
