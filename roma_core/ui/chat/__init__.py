"""The chat: one component for the served console and for notebooks, and its side of ROMA."""

from __future__ import annotations

from roma_core.ui.chat.service import ChatQuestion, ChatRating, ChatService

__all__ = ["ChatQuestion", "ChatRating", "ChatService"]
