"""OpenAI, and every server that speaks its chat completions: vLLM, Ollama, llama.cpp, gateways."""

from __future__ import annotations

from typing import Any

from roma_core.errors import ErrorCode
from roma_core.llm.base import FinishReason, LLMRequest, Picture
from roma_core.llm.providers.adapter import Reading, Vendor, VendorLLM
from roma_core.llm.providers.faults import fault
from roma_core.llm.providers.schemas import schema_instruction, strict_schema
from roma_core.llm.providers.wire import at, count_of, text_of
from roma_core.types import Usage

_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
    "refusal": "refusal",
    "tool_calls": "tool",
    "function_call": "tool",
}
"""Finish markers of OpenAI and of servers that resemble it."""


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
        optional=("max_completion_tokens", "max_tokens", "temperature", "stream_options", "response_format", "stop"),
        default_model="gpt-4o-mini",
    )

    def _reading(self) -> Reading:
        return _Chunks(self._server)

    def _body(self, request: LLMRequest) -> dict[str, Any]:
        messages = list(request.messages)
        limit = request.max_output_tokens or self._max_output_tokens
        body: dict[str, Any] = {"model": self._model, "stream": True, self._limit_name(): limit}
        optional: dict[str, Any] = {
            "stream_options": {"include_usage": True},
            "temperature": request.temperature,
            "stop": list(request.stop) or None,
        }
        if request.json_schema is not None:
            if "response_format" in self._refusals:
                told = f"{messages[-1].content}\n\n{schema_instruction(request.json_schema)}"
                messages[-1] = messages[-1].model_copy(update={"content": told})
            optional["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": strict_schema(request.json_schema)},
            }
        kept = {k: v for k, v in optional.items() if v is not None and k not in self._refusals}
        return {**body, **kept, "messages": [self._message(m) for m in messages]}

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
        return other if preferred in self._refusals else preferred


class _Chunks(Reading):
    """Chat completion chunks, or one chat completion."""

    _counted: object = None

    def take(self, event: object) -> str:
        if not isinstance(event, dict):
            raise fault(self._server, ErrorCode.LLM_MALFORMED)
        if counted := event.get("usage"):
            self._counted = counted
        choice = at(event, "choices", 0)
        piece = at(choice, "delta") or at(choice, "message")
        text, declined = text_of(at(piece, "content"), self._server), text_of(at(piece, "refusal"), self._server)
        if declined:
            self.finish = "refusal"
        elif self.finish != "refusal":  # a declined answer ends with "stop"; the refusal came before
            self.finish = self._marked(at(choice, "finish_reason"), _FINISH) or self.finish
        return text or declined

    @property
    def usage(self) -> Usage | None:
        """Input tokens include cached ones, output tokens include reasoning: the parts are told beside the sum."""
        raw = self._counted
        if raw is None:
            return None
        return Usage(
            calls=1,
            input_tokens=count_of(raw, "prompt_tokens"),
            output_tokens=count_of(raw, "completion_tokens"),
            cached_tokens=count_of(raw, "prompt_tokens_details", "cached_tokens"),
            reasoning_tokens=count_of(raw, "completion_tokens_details", "reasoning_tokens"),
        )
