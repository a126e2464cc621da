"""Questions and how to answer them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from roma_core.types.base import DEFAULT_TENANT, Noun

Persona = Literal["technical", "executive", "general"]


class Exchange(Noun):
    """An earlier question of a conversation, with its answer."""

    question: str
    answer: str = ""


class Query(Noun):
    """A question and how to answer it."""

    text: str
    persona: Persona = "general"
    top_k: int = Field(default=5, ge=1, le=50)
    filters: dict[str, Any] = Field(default_factory=dict)
    """Which passages may be used: by ``document_id``, ``uri``, ``uri_prefix``, ``author``, ``after``, ``before``,
    ``type``, ``language``, ``source``, ``section`` or ``collection``; all that are given must hold."""
    session_id: str | None = None
    history: tuple[Exchange, ...] = ()
    """What was said before, oldest first, for callers that keep conversations themselves; ``session_id`` goes first."""
    tenant: str = DEFAULT_TENANT
    show_thinking: bool = False
    """Send the thoughts of a model in the events ``thinking``; they are never part of the answer."""
