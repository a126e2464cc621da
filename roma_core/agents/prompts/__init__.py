"""The prompts that answering uses: one Markdown file each, beside this module."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from roma_core.prompts import Prompt, load_prompts

__all__ = ["all_prompts"]


def all_prompts(overrides: Mapping[str, Path] | None = None) -> dict[str, Prompt]:
    """Prompts by name, with files of the caller put in for some. Raises ``ConfigError``."""
    return load_prompts(Path(__file__).parent, overrides)
