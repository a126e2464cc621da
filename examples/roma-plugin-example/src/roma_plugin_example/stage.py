"""Looks up the full words of abbreviations that only this house knows."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from roma_core.agents import Context, Stage, StageSpec
from roma_core.errors import ConfigError
from roma_core.settings import SettingsSection, setting


class GlossarySettings(SettingsSection):
    """``ROMA_GLOSSARY_TERMS``: a JSON object of abbreviations and what they stand for."""

    prefix: ClassVar[str] = "ROMA_GLOSSARY_"
    terms: str = setting("{}", "Abbreviations and what they stand for, as a JSON object.", decides_answers=True)


def read_terms(text: str) -> dict[str, str]:
    """Return the abbreviations. Raises ``ConfigError``.

    >>> read_terms('{"PTO": "paid time off"}')
    {'PTO': 'paid time off'}
    """
    try:
        terms = json.loads(text)
    except ValueError:
        terms = None
    if not isinstance(terms, dict):
        raise ConfigError('ROMA_GLOSSARY_TERMS is no JSON object, such as {"PTO": "paid time off"}.')
    return {str(name): str(words) for name, words in terms.items()}


def expand(question: str, terms: Mapping[str, str]) -> str:
    """Return the question with each abbreviation in full.

    >>> expand("How much PTO is left?", {"PTO": "paid time off"})
    'How much paid time off is left?'
    """
    return re.sub(r"\b\w+\b", lambda word: terms.get(word.group(), word.group()), question)


def make(parts: Any) -> Stage:
    """Return the stage over the glossary of the settings."""
    terms = read_terms(parts.settings.section(GlossarySettings).terms)

    async def glossary(context: Context) -> None:
        context.look_up(expand(context.question, terms), rank_by=context.question)

    return Stage("glossary", glossary, says="Reading abbreviations …", parameters=terms)


SPEC = StageSpec("glossary", make, before="retrieve", settings=GlossarySettings)
