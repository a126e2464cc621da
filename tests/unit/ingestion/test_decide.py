"""The tables of decisions about one item: every combination of facts is decided, and as the rules say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from itertools import product
from typing import Any

import pytest

from roma_core.ingestion.decide import (
    ABSENCE_RULES,
    ITEM_RULES,
    MASS_LEAST,
    NOT_IN_STORE,
    AbsenceFacts,
    ItemFacts,
    UpdateFacts,
    decide_absence,
    decide_item,
    explain_absence,
    explain_update,
    is_mass_absence,
)

UP_TO_DATE = {"is_stored": True, "is_recorded": True, "is_made_as_today": True, "has_same_title": True}


def every(kind: type[Any]) -> Iterator[Any]:
    names = [field.name for field in fields(kind)]
    for values in product((False, True), repeat=len(names)):
        yield kind(**dict(zip(names, values, strict=True)))


def test_every_combination_of_facts_is_decided_at_every_point() -> None:
    leads_on = {"listed": "fetch", "fetched": "parse", "parsed": "write"}
    for look, rules in ITEM_RULES.items():
        actions = {decide_item(look, facts) for facts in every(ItemFacts)}
        assert actions == {rule.action for rule in rules}, "no rule is without effect"
        assert decide_item(look, ItemFacts()) == leads_on[look]


def test_what_is_excluded_is_never_fetched() -> None:
    for facts in every(ItemFacts):
        if facts.is_excluded:
            assert decide_item("listed", facts) in {"leave_out", "take_out"}


def test_nothing_is_taken_out_that_is_only_deferred_or_that_another_source_holds() -> None:
    for facts in every(ItemFacts):
        if decide_item("listed", facts) == "take_out":
            assert facts.is_recorded and not facts.is_deferred and not facts.is_held_elsewhere


@pytest.mark.parametrize(
    ("look", "sign"), [("listed", "has_same_version"), ("fetched", "has_same_content"), ("parsed", "has_same_document")]
)
def test_an_item_is_kept_only_when_the_store_has_it_under_its_title(look: Any, sign: str) -> None:
    assert decide_item(look, ItemFacts(**{sign: True}, **UP_TO_DATE)) == "keep"
    for facts in every(ItemFacts):
        if decide_item(look, facts) == "keep":
            assert facts.is_stored and facts.has_same_title and getattr(facts, sign)


def test_what_failed_for_good_is_not_fetched_again() -> None:
    assert decide_item("listed", ItemFacts(is_known_failure=True)) == "give_up"
    assert decide_item("listed", ItemFacts(is_known_failure=True, has_same_version=True, **UP_TO_DATE)) == "keep"


def test_the_reason_of_an_update_is_its_first_difference() -> None:
    words = {
        "previous_uri": "x",
        "captions": "captions changed",
        "old_parser": "md/1",
        "new_parser": "md/2",
        "old_title": "Draft",
    }
    assert explain_update(UpdateFacts(has_moved=True, has_new_content=True), words) == "moved from x"
    assert explain_update(UpdateFacts(has_new_content=True, has_new_parser=True), words) == "content changed"
    assert explain_update(UpdateFacts(has_new_captions=True, has_new_parser=True), words) == "captions changed"
    assert explain_update(UpdateFacts(has_new_parser=True), words) == "parser md/1 became md/2"
    assert explain_update(UpdateFacts(has_new_title=True), words) == "renamed from Draft"
    assert explain_update(UpdateFacts(has_new_making=True), words) == "chunking, embedding, masks or collection changed"
    assert explain_update(UpdateFacts(), words) == NOT_IN_STORE


def test_every_absence_is_decided_and_no_rule_is_without_effect() -> None:
    reasons = {(decide_absence(facts), explain_absence(facts)) for facts in every(AbsenceFacts)}
    assert reasons == {(rule.action, rule.why) for rule in ABSENCE_RULES}


def test_an_incomplete_listing_takes_nothing_away() -> None:
    for facts in every(AbsenceFacts):
        if not facts.is_listing_complete and not (facts.is_named_itself and facts.is_confirmed):
            assert decide_absence(facts).state == "present"


def test_what_another_source_lists_or_a_person_restored_stays() -> None:
    for facts in every(AbsenceFacts):
        is_itself_gone = facts.is_named_itself and facts.is_confirmed
        if facts.is_pinned or (facts.is_held_elsewhere and not is_itself_gone):
            assert decide_absence(facts).state == "present"


def test_a_mass_absence_deletes_nothing_without_prune() -> None:
    for facts in every(AbsenceFacts):
        if facts.is_mass and not facts.is_pruning and not facts.is_named_itself:
            assert decide_absence(facts).state in {"present", "missing"}


def test_one_look_alone_makes_an_item_missing_and_a_second_one_or_its_own_answer_gone() -> None:
    assert decide_absence(AbsenceFacts(is_listing_complete=True)).state == "missing"
    assert decide_absence(AbsenceFacts(is_listing_complete=True, is_missing_long_enough=True)).state == "gone"
    assert decide_absence(AbsenceFacts(is_listing_complete=True, is_confirmed=True)).state == "gone"
    assert decide_absence(AbsenceFacts(is_listing_complete=True, is_mass=True, is_pruning=True)).state == "gone"


@pytest.mark.parametrize(
    ("vanished", "known", "is_mass"),
    [(0, 0, False), (1, 1, False), (2, 2, True), (20, 20, True), (1, 3, False), (6, 20, True), (20, 300, False)],
)
def test_a_share_of_a_source_or_all_of_it_is_a_mass(vanished: int, known: int, is_mass: bool) -> None:
    assert is_mass_absence(vanished, known) is is_mass


def test_a_few_items_are_no_mass_unless_nothing_is_left() -> None:
    assert not is_mass_absence(MASS_LEAST, MASS_LEAST + 1)
    assert is_mass_absence(MASS_LEAST, MASS_LEAST)
