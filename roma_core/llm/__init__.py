"""Models that write: the seam and the service over all providers, with its limits, budgets and fallbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily

if TYPE_CHECKING:
    from roma_core.llm.base import LLM as LLM
    from roma_core.llm.base import LLMDelta as LLMDelta
    from roma_core.llm.base import LLMRequest as LLMRequest
    from roma_core.llm.base import LLMResponse as LLMResponse
    from roma_core.llm.base import Message as Message
    from roma_core.llm.base import Provider as Provider
    from roma_core.llm.base import complete as complete
    from roma_core.llm.base import complete_json as complete_json
    from roma_core.llm.build import build_llm as build_llm
    from roma_core.llm.service import LLMService as LLMService
else:
    __getattr__, __dir__ = export_lazily(
        __name__,
        {
            "base": (
                "LLM",
                "LLMDelta",
                "LLMRequest",
                "LLMResponse",
                "Message",
                "Provider",
                "complete",
                "complete_json",
            ),
            "build": ("build_llm",),
            "service": ("LLMService",),
        },
    )

__all__ = [
    "LLM",
    "LLMDelta",
    "LLMRequest",
    "LLMResponse",
    "LLMService",
    "Message",
    "Provider",
    "build_llm",
    "complete",
    "complete_json",
]
