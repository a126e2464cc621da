"""Anthropic's messages API, and servers and gateways that speak it."""

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
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
    "tool_use": "tool",
}


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
        optional=("temperature", "output_config", "stop_sequences"),
        default_model="claude-sonnet-3.5",
        aliases={"claude-sonnet-3.5": "claude-3-5-sonnet-latest", "claude-opus-3": "claude-3-opus-latest"},
    )

    def _reading(self) -> Reading:
        return _Events(self._server)

    def _body(self, request: LLMRequest) -> dict[str, Any]:
        system = [m.content for m in request.messages if m.role == "system"]
        optional: dict[str, Any] = {
            "temperature": request.temperature,
            "stop_sequences": list(request.stop) or None,
        }
        if request.json_schema is not None:
            if "output_config" in self._refusals:
                system.append(schema_instruction(request.json_schema))
            wanted = {"type": "json_schema", "schema": strict_schema(request.json_schema)}
            optional["output_config"] = {"format": wanted}
        kept = {k: v for k, v in optional.items() if v is not None and k not in self._refusals}
        return {
            "model": self._model,
            "stream": True,
            "max_tokens": request.max_output_tokens or self._max_output_tokens,
            "messages": [self._message(m) for m in request.messages if m.role != "system"],
            **({"system": "\n\n".join(system)} if system else {}),
            **kept,
        }

    @staticmethod
    def _headers(key: str) -> dict[str, str]:
        return {"X-Api-Key": key, "anthropic-version": "2023-06-01"}

    @staticmethod
    def _picture(picture: Picture) -> dict[str, Any]:
        return {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": picture.base64},
        }


class _Events(Reading):
    """The events of one message, or the message in one piece."""

    def __init__(self, server: str) -> None:
        super().__init__(server)
        self._counts: dict[str, int] = {}
        self._stopped = False

    @property
    def complete(self) -> bool:
        return self._stopped and super().complete

    def take(self, event: object) -> str:
        if not isinstance(event, dict):
            raise fault(self._server, ErrorCode.LLM_MALFORMED)
        match event.get("type"):
            case "content_block_delta":
                return text_of(at(event, "delta", "text"), self._server)
            case "message_start":
                self._count(at(event, "message", "usage"))
            case "message_delta":
                self._count(at(event, "usage"))
                self._stop(at(event, "delta", "stop_reason"))
            case "message_stop":
                self._stopped = True
            case "message":
                self._stopped = True
                self._count(at(event, "usage"))
                self._stop(at(event, "stop_reason"))
                blocks = at(event, "content")
                texts = [at(block, "text") for block in blocks] if isinstance(blocks, list) else [blocks]
                return "".join(text_of(text, self._server) for text in texts)
        return ""

    def _stop(self, reason: object) -> None:
        self.finish = self._marked(reason, _FINISH) or self.finish

    def _count(self, raw: object) -> None:
        """Counts are cumulative: the last one that is told holds."""
        for name in ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"):
            if count := count_of(raw, name):
                self._counts[name] = count

    @property
    def usage(self) -> Usage | None:
        """Input tokens include what was read from or written to the vendor's prompt cache."""
        if not self._counts:
            return None
        cached = self._counts.get("cache_read_input_tokens", 0)
        written = self._counts.get("cache_creation_input_tokens", 0)
        return Usage(
            calls=1,
            input_tokens=self._counts.get("input_tokens", 0) + cached + written,
            output_tokens=self._counts.get("output_tokens", 0),
            cached_tokens=cached,
        )
