"""Anthropic's messages API, and servers and gateways that speak it."""

from __future__ import annotations

import json
from typing import Any

from roma_core.llm.base import LLMRequest, Picture
from roma_core.llm.providers.adapter import Vendor, VendorLLM
from roma_core.llm.providers.openai import ANSWER_TOOL
from roma_core.llm.providers.schemas import schema_instruction, strict_schema
from roma_core.llm.providers.spec import Reach
from roma_core.llm.providers.wire import PromptPrefixes, Rung

LEAST_THINKING_TOKENS = 1024
"""The API takes no smaller budget."""
LEAST_CACHED_TOKENS = 1024
"""The shortest beginning of a prompt that the vendor keeps (for most of its models)."""


class AnthropicLLM(VendorLLM):
    """One model behind the messages API."""

    vendor = Vendor(
        name="anthropic",
        title="Anthropic",
        url="https://api.anthropic.com",
        version="/v1",
        path="/messages",
        client="AsyncAnthropic",
        error="AnthropicError",
        request_id="request-id",
        optional=("temperature", "stop_sequences", "thinking", "effort", "stream", "cache_control"),
        default_model="claude-sonnet-5-5",
        ladder=("json_schema", "tool", "words"),
        aliases={"claude-sonnet-3.5": "claude-sonnet-5-5", "claude-opus-3": "claude-opus-5-5"},
    )

    def __init__(self, model: str | None = None, reach: Reach | None = None, **options: Any) -> None:
        super().__init__(model, reach, **options)
        self._prefixes = PromptPrefixes(LEAST_CACHED_TOKENS)

    @staticmethod
    def _load() -> Any:
        import anthropic

        import roma_core.llm.providers.transport  # noqa: F401

        return anthropic

    def _body(self, request: LLMRequest, rung: Rung | None) -> dict[str, Any]:
        system = [m.content for m in request.messages if m.role == "system"]
        body: dict[str, Any] = {
            "model": self._model,
            "stream": "stream" not in self._rejected,
            "max_tokens": self._limit(request),
            "messages": [self._message(m) for m in request.messages if m.role != "system"],
        }
        thinking = self._thinking(rung)
        optional: dict[str, Any] = {
            # A model that thinks takes no other temperature than its own.
            "temperature": request.temperature if thinking is None else None,
            "stop_sequences": list(request.stop) or None,
            "thinking": thinking,
        }
        body |= {name: value for name, value in optional.items() if value is not None and name not in self._rejected}
        config: dict[str, Any] = {}
        if self.reach.effort and self.reach.effort != "none" and "effort" not in self._rejected:
            config["effort"] = self.reach.effort
        schema = request.json_schema
        if schema is not None and rung == "json_schema":
            config["format"] = {"type": "json_schema", "schema": strict_schema(schema)}
        elif schema is not None and rung == "tool":
            body["tools"] = [
                {"name": ANSWER_TOOL, "description": "Give the answer.", "input_schema": strict_schema(schema)}
            ]
            body["tool_choice"] = {"type": "tool", "name": ANSWER_TOOL}
        elif schema is not None:
            system.append(schema_instruction(schema))
        if config:
            body["output_config"] = config
        if system:
            body["system"] = "\n\n".join(system)
        self._ask_for_caching(body, request)
        return body

    def _ask_for_caching(self, body: dict[str, Any], request: LLMRequest) -> None:
        """Mark the longest beginning of the prompt that was sent a short time ago, so that it is read from a cache."""
        if "cache_control" in self._rejected:
            return
        instructions, whole = _prefixes(request)
        if self._prefixes.pays(whole):
            message = body["messages"][-1]
            message["content"] = _mark(message["content"])
        elif self._prefixes.pays(instructions) and "system" in body:
            body["system"] = _mark(body["system"])

    def _note_accepted(self, request: LLMRequest) -> None:
        for prefix in _prefixes(request):
            self._prefixes.note(prefix)

    def _thinking(self, rung: Rung | None) -> dict[str, Any] | None:
        """Return how much the model is to think; None leaves it to the model.

        A forced tool and thoughts exclude each other.
        """
        if self.reach.effort == "none" or self.reach.thinking_tokens == 0:
            return {"type": "disabled"}
        if self.reach.thinking_tokens is None or rung == "tool":
            return None
        return {"type": "enabled", "budget_tokens": max(LEAST_THINKING_TOKENS, self.reach.thinking_tokens)}

    @staticmethod
    def _headers(key: str) -> dict[str, str]:
        return {"X-Api-Key": key, "anthropic-version": "2023-06-01"}

    @staticmethod
    def _picture(picture: Picture) -> dict[str, Any]:
        return {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": picture.base64},
        }


def _prefixes(request: LLMRequest) -> tuple[str, str]:
    """Return the instructions of a prompt, and the whole of it."""
    schema = json.dumps(request.json_schema, sort_keys=True) if request.json_schema else ""
    system = "\n\n".join([schema, *(m.content for m in request.messages if m.role == "system")])
    others = [f"{m.role}: {m.content}" for m in request.messages if m.role != "system"]
    return system, "\n\n".join([system, *others])


def _mark(content: Any) -> list[dict[str, Any]]:
    """Return content as parts, with the mark up to which the vendor keeps the prompt for some minutes."""
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    return [*parts[:-1], {**parts[-1], "cache_control": {"type": "ephemeral"}}]
