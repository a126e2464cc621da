"""The card of the router: which threshold is chosen, and when none is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from roma_core.errors import EvalError
from roma_core.evals.routing import MARGIN, RoutedCase, RouterCard, find_rule, read_card, write_card
from roma_core.settings.routing import RoutingSettings


def card_of(cases: list[RoutedCase], **fields: object) -> RouterCard:
    made = {"dataset": "set", "dataset_sha256": "0", "created_at": datetime.now(UTC), **fields}
    return RouterCard(cheap="p:cheap", strong="p:strong", cases=tuple(cases), **made)


def case(number: int, difficulty: float, cheap: float, strong: float = 1.0) -> RoutedCase:
    costs = {"cheap_usd": 0.1, "strong_usd": 1.0}
    return RoutedCase(
        case_id=str(number), group=str(number), difficulty=difficulty, cheap=cheap, strong=strong, **costs
    )


def make_cases(count: int, able_up_to: float) -> list[RoutedCase]:
    """Return questions of all difficulties; the cheap model answers those up to one."""
    places = np.linspace(0.02, 0.98, count)
    return [case(n, float(place), 1.0 if place <= able_up_to else 0.0) for n, place in enumerate(places)]


def test_the_threshold_is_the_highest_at_which_the_cheap_model_is_no_worse() -> None:
    card = card_of(make_cases(400, able_up_to=0.6))
    assert card.point is not None
    assert card.point.threshold == 0.6
    assert card.point.low > -MARGIN
    assert card.point.cost_share == pytest.approx(1 - 0.9 * card.point.share)
    assert "0.6 p:cheap writes" in card.words


def test_a_few_questions_promise_nothing() -> None:
    card = card_of(make_cases(30, able_up_to=1.0))
    assert card.point is None
    assert "too few" in card.words


def test_a_walk_ends_at_the_first_threshold_that_could_be_worse() -> None:
    cases = make_cases(400, able_up_to=1.0)
    worse = [each.model_copy(update={"cheap": 0.0}) if 0.3 < each.difficulty < 0.4 else each for each in cases]
    card = card_of(worse)
    assert card.point is not None
    assert card.point.threshold == 0.3


def test_a_promise_is_broken_no_more_often_than_it_says() -> None:
    """The cheap model is worse by 2 points everywhere: a threshold that sends much to it is a false promise."""
    broken = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        cases = [
            case(n, float(place), cheap=float(rng.random() > 0.3 + 1.3 * MARGIN), strong=float(rng.random() > 0.3))
            for n, place in enumerate(rng.random(300))
        ]
        point = card_of(cases).point
        broken += point is not None and point.share > 0.9
    assert broken <= 12  # 5 % is promised; more than 12 of 100 would be chance once in 500 times


def test_the_card_is_kept_and_read_by_its_models(tmp_path: Path) -> None:
    card = card_of(make_cases(400, able_up_to=0.6))
    write_card(card, tmp_path)
    assert read_card("p:cheap", "p:strong", tmp_path) == card
    assert read_card("p:strong", "p:cheap", tmp_path) is None
    settings = RoutingSettings(mode="difficulty", model="p:cheap")
    assert find_rule(settings, "p:cheap", "p:strong", tmp_path).threshold == 0.6
    by_hand = settings.model_copy(update={"threshold": 0.1})
    assert find_rule(by_hand, "p:cheap", "p:strong", tmp_path).threshold == 0.1


def test_a_card_of_another_version_of_the_features_is_not_used(tmp_path: Path) -> None:
    write_card(card_of(make_cases(400, able_up_to=0.6), features="0"), tmp_path)
    settings = RoutingSettings(mode="difficulty", model="p:cheap")
    assert find_rule(settings, "p:cheap", "p:strong", tmp_path).threshold is None


def test_a_calibration_that_found_nothing_is_named_as_the_reason(tmp_path: Path) -> None:
    write_card(card_of(make_cases(30, able_up_to=1.0)), tmp_path)
    rule = find_rule(RoutingSettings(mode="difficulty", model="p:cheap"), "p:cheap", "p:strong", tmp_path)
    assert rule.threshold is None
    assert "no threshold keeps the margin" in rule.origin


def test_an_unreadable_card_is_no_missing_card(tmp_path: Path) -> None:
    write_card(card_of(make_cases(30, able_up_to=1.0)), tmp_path).write_text("{}")
    with pytest.raises(EvalError, match="roma calibrate router"):
        read_card("p:cheap", "p:strong", tmp_path)
