"""Counts of tokens under the names that servers give them."""

from __future__ import annotations

from typing import Any

from roma_core.types import Usage

Path = tuple[str, ...]

INPUT: tuple[Path, ...] = (
    ("prompt_tokens",),
    ("input_tokens",),
    ("inputTokens",),
    ("inputTokenCount",),
    ("promptTokenCount",),
    ("prompt_eval_count",),
    ("tokens", "input_tokens"),
    ("prompt_n",),
)
OUTPUT: tuple[Path, ...] = (
    ("completion_tokens",),
    ("output_tokens",),
    ("outputTokens",),
    ("outputTokenCount",),
    ("candidatesTokenCount",),
    ("eval_count",),
    ("tokens", "output_tokens"),
    ("predicted_n",),
)
CACHED: tuple[Path, ...] = (
    ("prompt_tokens_details", "cached_tokens"),
    ("input_tokens_details", "cached_tokens"),
    ("prompt_cache_hit_tokens",),
    ("cached_tokens",),
    ("cachedContentTokenCount",),
)
REASONING: tuple[Path, ...] = (
    ("completion_tokens_details", "reasoning_tokens"),
    ("output_tokens_details", "reasoning_tokens"),
    ("output_tokens_details", "thinking_tokens"),
    ("reasoning_tokens",),
    ("thoughtsTokenCount",),
)
TOTAL: tuple[Path, ...] = (("total_tokens",), ("totalTokens",), ("totalTokenCount",))
CACHE_READ: tuple[Path, ...] = (("cache_read_input_tokens",), ("cacheReadInputTokens",), ("cache_n",))
CACHE_WRITTEN: tuple[Path, ...] = (("cache_creation_input_tokens",), ("cacheWriteInputTokens",))
"""Parts of the input that Anthropic, Bedrock and llama.cpp count beside it, not within."""


class UsageCounts:
    """The tokens that a stream has reported. Counts are cumulative: the last one above zero holds."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def add(self, raw: object) -> None:
        """Note a usage object of any server; anything else counts nothing."""
        if not isinstance(raw, dict):
            return
        for name, paths in _FIELDS:
            if count := _first_count(raw, paths):
                self._counts[name] = count

    @property
    def usage(self) -> Usage | None:
        """Return the sum; None when the server did not say.

        Input tokens include what was read from or written to a prompt cache, output tokens include reasoning. Where
        the total is larger than its parts (xAI, Gemini), what is missing is reasoning.
        """
        counts = self._counts
        if not counts.get("input") and not counts.get("output"):
            return None
        read, written = counts.get("cache_read", 0), counts.get("cache_written", 0)
        asked = counts.get("input", 0) + read + written
        answered, reasoning = counts.get("output", 0), counts.get("reasoning", 0)
        if hidden := max(0, counts.get("total", 0) - asked - answered):
            answered, reasoning = answered + hidden, max(reasoning, hidden)
        return Usage(
            calls=1,
            input_tokens=asked,
            output_tokens=answered,
            cached_tokens=min(asked, read or counts.get("cached", 0)),
            cache_written_tokens=min(asked, written),
            reasoning_tokens=min(answered, reasoning),
        )


_FIELDS: tuple[tuple[str, tuple[Path, ...]], ...] = (
    ("input", INPUT),
    ("output", OUTPUT),
    ("cached", CACHED),
    ("reasoning", REASONING),
    ("total", TOTAL),
    ("cache_read", CACHE_READ),
    ("cache_written", CACHE_WRITTEN),
)


def _first_count(raw: dict[str, Any], paths: tuple[Path, ...]) -> int:
    for path in paths:
        value: Any = raw
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        if count := _count_of(value):
            return count
    return 0


def _count_of(value: object) -> int:
    """Return a count; servers leave out, or send null for, what they do not count, and some send text."""
    if isinstance(value, bool):
        return 0
    if isinstance(value, str) and value.strip().isdigit():
        return int(value)
    return int(value) if isinstance(value, int | float) and value > 0 else 0
