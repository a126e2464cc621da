"""OpenAI, and every server that speaks its chat completions: vLLM, Ollama, llama.cpp, gateways, Azure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from roma_core.llm.base import LLMRequest, Message, Picture, Provider
from roma_core.llm.providers.adapter import Vendor, VendorLLM
from roma_core.llm.providers.schemas import schema_instruction, strict_schema
from roma_core.llm.providers.spec import Reach
from roma_core.llm.providers.wire import Rung

ANSWER_TOOL = "give_answer"
"""Name of the tool whose arguments are the answer, on the rung of the ladder that uses one."""


def openai_compatible(name: str, url: str, model: str, title: str = "") -> Callable[[str | None, Reach], Provider]:
    """Return what makes the provider of another vendor whose API is like OpenAI's.

    >>> make = openai_compatible("acme", "https://api.acme.example/v1", "acme-large")
    >>> make(None, Reach()).name
    'acme:acme-large'
    """
    other = replace(OpenAILLM.vendor, name=name, title=title or name.capitalize(), url=url, default_model=model)

    class CompatibleLLM(OpenAILLM):
        vendor = other

    def make(asked_model: str | None, reach: Reach) -> Provider:
        return CompatibleLLM(asked_model, reach)

    return make


class OpenAILLM(VendorLLM):
    """One model behind chat completions."""

    vendor = Vendor(
        name="openai",
        title="OpenAI",
        url="https://api.openai.com/v1",
        path="/chat/completions",
        client="AsyncOpenAI",
        error="OpenAIError",
        request_id="x-request-id",
        optional=(
            "max_completion_tokens",
            "max_tokens",
            "temperature",
            "stream_options",
            "stop",
            "reasoning_effort",
            "system_role",
            "stream",
        ),
        default_model="gpt-4o-mini",
        ladder=("json_schema", "json_object", "tool", "words"),
    )

    @staticmethod
    def _load() -> Any:
        import openai

        import roma_core.llm.providers.transport  # noqa: F401

        return openai

    def _body(self, request: LLMRequest, rung: Rung | None) -> dict[str, Any]:
        streams = "stream" not in self._rejected
        body: dict[str, Any] = {"model": self._model, "stream": streams, self._limit_name(): self._limit(request)}
        optional: dict[str, Any] = {
            "stream_options": {"include_usage": True} if streams else None,
            "temperature": request.temperature,
            "stop": list(request.stop) or None,
            "reasoning_effort": self.reach.effort,
        }
        body |= {name: value for name, value in optional.items() if value is not None and name not in self._rejected}
        schema = request.json_schema
        if schema is not None and rung is not None:
            body |= _write_schema(schema, rung)
        return {**body, "messages": [self._message(m) for m in self._messages(request, rung)]}

    def _messages(self, request: LLMRequest, rung: Rung | None) -> list[Message]:
        messages = list(request.messages)
        if request.json_schema is not None and rung in {"json_object", "words"}:
            asked = f"{messages[-1].content}\n\n{schema_instruction(request.json_schema)}"
            messages[-1] = messages[-1].model_copy(update={"content": asked})
        if "system_role" in self._rejected:
            messages = _without_system(messages)
        return messages

    @staticmethod
    def _headers(key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {key}"}

    @staticmethod
    def _picture(picture: Picture) -> dict[str, Any]:
        return {"type": "image_url", "image_url": {"url": picture.url}}

    def _limit_name(self) -> str:
        """OpenAI renamed ``max_tokens``; older compatible servers silently ignore the new name, so they get the old."""
        names = ("max_completion_tokens", "max_tokens")
        preferred, other = names if self.official else names[::-1]
        return other if preferred in self._rejected else preferred


def _write_schema(schema: dict[str, Any], rung: Rung) -> dict[str, Any]:
    """Return the fields of a request that ask for ``schema`` in the way of ``rung``."""
    strict = strict_schema(schema)
    match rung:
        case "json_schema":
            answer = {"name": "answer", "strict": True, "schema": strict}
            return {"response_format": {"type": "json_schema", "json_schema": answer}}
        case "json_object":
            return {"response_format": {"type": "json_object"}}
        case "tool":
            function = {"name": ANSWER_TOOL, "description": "Give the answer.", "parameters": strict}
            choice = {"type": "function", "function": {"name": ANSWER_TOOL}}
            return {"tools": [{"type": "function", "function": function}], "tool_choice": choice}
    return {}


def _without_system(messages: list[Message]) -> list[Message]:
    """Return the messages with the system's words at the head of the first message of the user."""
    system = [m.content for m in messages if m.role == "system"]
    others = [m for m in messages if m.role != "system"]
    if not system or not others:
        return messages
    first = others[0].model_copy(update={"content": "\n\n".join([*system, others[0].content])})
    return [first, *others[1:]]
