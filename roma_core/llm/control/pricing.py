"""The cost of calls, by the dated table inside the ``genai-prices`` package (no network) or by the user's own prices.

An unknown price is None, never 0.
"""

from __future__ import annotations

import importlib.metadata
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from roma_core.errors import ConfigError
from roma_core.types import Usage

FREE = frozenset({"fake"})
"""Providers that run here."""
PER_MILLION = Decimal(1_000_000)


class Price(BaseModel):
    """US dollars per million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input_usd: Decimal = Field(ge=0)
    output_usd: Decimal = Field(ge=0)
    cached_usd: Decimal | None = Field(default=None, ge=0)
    """Input read from the vendor's prompt cache; None = as other input."""
    cache_write_usd: Decimal | None = Field(default=None, ge=0)
    """Input written to that cache; None = as other input."""

    def cost(self, usage: Usage) -> float:
        read_price = self.input_usd if self.cached_usd is None else self.cached_usd
        write_price = self.input_usd if self.cache_write_usd is None else self.cache_write_usd
        fresh = max(0, usage.input_tokens - usage.cached_tokens - usage.cache_written_tokens)
        micro = (
            fresh * self.input_usd
            + usage.cached_tokens * read_price
            + usage.cache_written_tokens * write_price
            + usage.output_tokens * self.output_usd
        )
        return float(micro / PER_MILLION)


_OVERRIDES = TypeAdapter(dict[str, Price])


class Prices:
    """Cost of a usage by provider and model. ``overrides`` maps ``provider:model`` (or ``provider:*``) to a price."""

    def __init__(self, overrides: dict[str, Price] | None = None) -> None:
        self._overrides = overrides or {}

    @classmethod
    def load(cls, path: Path | None) -> Prices:
        """Prices with the user's JSON file on top. Raises ``ConfigError`` that says what is wrong with it."""
        if path is None:
            return cls()
        try:
            return cls(_OVERRIDES.validate_json(path.read_bytes()))
        except OSError as error:
            raise ConfigError(f"ROMA_PRICES_FILE: {path} cannot be read ({error.strerror}).") from None
        except ValidationError as error:
            where = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
            raise ConfigError(
                f"ROMA_PRICES_FILE: {path} is not of the form "
                f'{{"provider:model": {{"input_usd": 1.0, "output_usd": 2.0}}}}: {where}'
            ) from None

    @property
    def source(self) -> str:
        """Return the source of the prices, with its date or version."""
        return f"genai-prices {importlib.metadata.version('genai-prices')}"

    def warm(self) -> None:
        """Read the table, which takes most of a second; call it from a thread."""
        import genai_prices  # noqa: F401

    def cost_usd(self, provider: str, model: str, usage: Usage) -> float | None:
        """Price of ``usage``; None when the model's price is not known."""
        if provider in FREE:
            return 0.0
        own = self._overrides.get(f"{provider}:{model}") or self._overrides.get(f"{provider}:*")
        return own.cost(usage) if own else _find_listed(provider, model, usage)

    def worst_usd(self, provider: str, model: str, input_tokens: int, output_tokens: int) -> float | None:
        """The most that a call may cost: nothing is read from a cache, all of it may be written to one."""
        plain = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
        written = plain.model_copy(update={"cache_written_tokens": input_tokens})
        costs = [self.cost_usd(provider, model, usage) for usage in (plain, written)]
        return max((cost for cost in costs if cost is not None), default=None)


def _find_listed(provider: str, model: str, usage: Usage) -> float | None:
    import genai_prices

    try:
        found: Any = genai_prices.calc_price(
            genai_prices.Usage(
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
                cache_read_tokens=min(usage.cached_tokens, usage.input_tokens),
                cache_write_tokens=min(
                    usage.cache_written_tokens, usage.input_tokens - min(usage.cached_tokens, usage.input_tokens)
                ),
            ),
            model,
            provider_id=provider,
        )
    except LookupError:
        return None
    return float(found.total_price)


PICTURE_TOKENS_AT_MOST = 26_000
"""Of a picture of 1024 x 1024 pixels. The dearest way to count is OpenAI's for gpt-4o-mini: 2 833 and 5 667 for each of
4 tiles (its guide to vision); Anthropic counts width x height / 750."""
PICTURE_TOKENS_ABOUT = 1_000


def tokens_at_most(texts: list[str], schema: dict[str, Any] | None = None, pictures: int = 0) -> int:
    """An upper bound of the tokens of a prompt: byte-level tokenizers make at least one byte a token.

    16 a message cover the chat template around it.
    """
    schema_bytes = len(json.dumps(schema).encode()) + 256 if schema else 0
    return sum(len(text.encode()) + 16 for text in texts) + 16 + schema_bytes + pictures * PICTURE_TOKENS_AT_MOST


def tokens_about(text: str) -> int:
    """A guess for usage that was not reported: some four bytes a token, as in English prose."""
    return -(-len(text.encode()) // 4)
