"""Prices: the dated table, the user's own, and what nobody knows."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.errors import ConfigError
from roma_core.llm.control.pricing import Price, Prices, tokens_about, tokens_at_most
from roma_core.types import Usage

USED = Usage(input_tokens=1000, output_tokens=100, cached_tokens=200)


def test_listed_models_have_a_price_with_cached_tokens_apart() -> None:
    prices = Prices()
    assert prices.cost_usd("openai", "gpt-4o", USED) == pytest.approx((800 * 2.5 + 200 * 1.25 + 100 * 10) / 1e6)
    assert prices.cost_usd("anthropic", "claude-3-5-sonnet-latest", USED) is not None
    assert prices.source.startswith("genai-prices ")


def test_unknown_models_have_no_price() -> None:
    assert Prices().cost_usd("openai", "smollm2-135m", USED) is None
    assert Prices().worst_usd("openai", "smollm2-135m", 1, 1) is None


def test_what_runs_here_is_free() -> None:
    assert Prices().cost_usd("fake", "fake", USED) == 0.0


def test_the_users_prices_come_first(tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    own = {
        "openai:gpt-4o": {"input_usd": 1, "output_usd": 2, "cached_usd": 0.5},
        "anthropic:*": {"input_usd": 3, "output_usd": 4},
    }
    path.write_text(json.dumps(own))
    prices = Prices.load(path)
    assert prices.cost_usd("openai", "gpt-4o", USED) == pytest.approx((800 * 1 + 200 * 0.5 + 100 * 2) / 1e6)
    assert prices.cost_usd("anthropic", "whatever", USED) == pytest.approx((1000 * 3 + 100 * 4) / 1e6)
    assert prices.cost_usd("openai", "gpt-4o-mini", USED) == Prices().cost_usd("openai", "gpt-4o-mini", USED)


@pytest.mark.parametrize("text", ["{", '{"m": {"input_usd": -1, "output_usd": 1}}', '{"m": {"input": 1}}', "[]"])
def test_a_wrong_price_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prices.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="ROMA_PRICES_FILE"):
        Prices.load(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        Prices.load(tmp_path / "none.json")
    assert Prices.load(None).cost_usd("fake", "x", USED) == 0.0


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_the_worst_case_is_never_passed(asked: int, answered: int, cached: int) -> None:
    price = Price(input_usd=3, output_usd=15, cached_usd=0.3)  # type: ignore[arg-type]
    prices = Prices({"openai:m": price})
    used = Usage(input_tokens=asked, output_tokens=answered, cached_tokens=min(cached, asked))
    cost, worst = prices.cost_usd("openai", "m", used), prices.worst_usd("openai", "m", asked, answered)
    assert cost is not None
    assert worst is not None
    assert 0 <= cost <= worst


def test_token_bounds_hold_bytes() -> None:
    assert tokens_at_most(["héllo"]) == 6 + 16 + 16
    # gpt-4o-mini sees 1024 x 1024 as 4 tiles: 2 833 + 4 * 5 667 tokens.
    assert tokens_at_most(["a"], pictures=2) - tokens_at_most(["a"]) >= 2 * (2_833 + 4 * 5_667)
    assert tokens_at_most(["a"], {"type": "object"}) > tokens_at_most(["a"]) + 256
    assert (tokens_about(""), tokens_about("12345")) == (0, 2)
