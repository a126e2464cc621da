"""Questions and how to answer them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from roma_core.types.base import Noun
from roma_core.types.principal import Principal

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
    principal: Principal = Field(default_factory=Principal.local)
    """The caller: only what it may read is found, and the conversation is its own."""
    show_thinking: bool = False
    """Send the thoughts of a model in the events ``thinking``; they are never part of the answer."""

    @property
    def tenant(self) -> str:
        """Tenant of the caller."""
        return self.principal.tenant
