"""Models that vendors have retired, as announced by them, and what takes their place.

Sources: Anthropic's page on model deprecations, OpenAI's page on deprecations. A test compares ROMA's own defaults and
short names with this table and with the table of prices.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Retirement:
    """All models of ``vendor`` whose id begins with ``prefix`` answer no more since ``day``."""

    vendor: str
    prefix: str
    day: date
    successor: str


RETIRED: tuple[Retirement, ...] = (
    Retirement("anthropic", "claude-2", date(2025, 7, 21), "claude-sonnet-5-5"),
    Retirement("anthropic", "claude-3-sonnet", date(2025, 7, 21), "claude-sonnet-5-5"),
    Retirement("anthropic", "claude-3-5-sonnet", date(2025, 10, 28), "claude-sonnet-5-5"),
    Retirement("anthropic", "claude-3-opus", date(2026, 1, 5), "claude-opus-5-5"),
    Retirement("anthropic", "claude-3-7-sonnet", date(2026, 2, 19), "claude-sonnet-5-5"),
    Retirement("anthropic", "claude-3-5-haiku", date(2026, 2, 19), "claude-haiku-5-5"),
    Retirement("openai", "text-davinci", date(2024, 1, 4), "gpt-4o-mini"),
    Retirement("openai", "gpt-4-vision-preview", date(2024, 12, 6), "gpt-4o"),
    Retirement("openai", "gpt-4-32k", date(2025, 6, 6), "gpt-4o"),
    Retirement("openai", "gpt-4.5-preview", date(2025, 7, 14), "gpt-5.5"),
    Retirement("openai", "o1-preview", date(2025, 7, 28), "o3"),
    Retirement("openai", "o1-mini", date(2025, 10, 27), "o4-mini"),
)


def find_retirement(vendor: str, model: str) -> Retirement | None:
    """Return when a model was retired and what follows it; None for one that lives.

    >>> find_retirement("anthropic", "claude-3-opus-latest").successor
    'claude-opus-5-5'
    """
    return next((r for r in RETIRED if r.vendor == vendor and model.startswith(r.prefix)), None)
