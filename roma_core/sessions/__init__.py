"""Conversations and the feedback on answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily

if TYPE_CHECKING:
    from roma_core.sessions.service import Feedback as Feedback
    from roma_core.sessions.service import Rating as Rating
    from roma_core.sessions.service import Sessions as Sessions
    from roma_core.sessions.service import SessionSummary as SessionSummary
    from roma_core.sessions.service import Turn as Turn
    from roma_core.sessions.service import database_url as database_url
else:
    __getattr__, __dir__ = export_lazily(
        __name__,
        {
            "service": (
                "Feedback",
                "Rating",
                "SessionSummary",
                "Sessions",
                "Turn",
                "database_url",
            ),
        },
    )

__all__ = [
    "Feedback",
    "Rating",
    "SessionSummary",
    "Sessions",
    "Turn",
    "database_url",
]
