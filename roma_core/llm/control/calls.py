"""The record of one model call: what a log line, a metric or a trace needs to know of it."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from typing import Any

from roma_core.telemetry import logs
from roma_core.types import Usage

log = logs.get("llm")


@dataclass(frozen=True)
class CallRecord:
    """One attempt, or one answer from the cache. Times are in milliseconds."""

    provider: str
    model: str
    purpose: str
    outcome: str
    """``stop``, ``length``, ``refusal``, ...; ``cancelled``; or the code of the error."""
    attempt: int
    latency_ms: float
    ttft_ms: float | None
    """Time to the first token, from when the call was sent; None when none came."""
    usage: Usage
    provider_request_id: str | None = None
    """The vendor's own id of the call, for a question to their support."""
    endpoint: str = ""
    """Vendor and address that were asked; for logs alone, an answer or a failure never names it."""
    tenant: str = "default"
    session_id: str | None = None
    cached: bool = False
    unread_bytes: int = 0
    """Bytes of the response that could not be understood."""

    def log(self, **text: str) -> None:
        """One line. ``text`` (prompt and answer) is only given when the user wants it logged."""
        fields: dict[str, Any] = {f.name: getattr(self, f.name) for f in dataclass_fields(self) if f.name != "usage"}
        for name in ("latency_ms", "ttft_ms"):
            fields[name] = None if fields[name] is None else round(fields[name], 1)
        fields["duration_ms"] = fields["latency_ms"]
        log.info("llm_call", **fields, **self.usage.model_dump(exclude={"calls", "cache_hits"}), **text)

    def describe_span(self) -> tuple[str, dict[str, Any], float]:
        """Return name, attributes and seconds of the call, as OpenTelemetry's conventions for generative AI say."""
        usage, failed = self.usage, self.outcome.startswith("ERR_")
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": self.provider,
            "gen_ai.request.model": self.model,
            "gen_ai.response.id": self.provider_request_id,
            "gen_ai.response.finish_reasons": None if failed else [self.outcome],
            "gen_ai.usage.input_tokens": usage.input_tokens,
            "gen_ai.usage.output_tokens": usage.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
            "gen_ai.usage.cache_creation.input_tokens": usage.cache_written_tokens,
            "error.type": self.outcome if failed else None,
            "roma.purpose": self.purpose,
            "roma.attempt": self.attempt,
            "roma.cached": self.cached,
            "roma.cost_usd": usage.cost_usd,
            "roma.time_to_first_token_ms": self.ttft_ms,
        }
        return f"chat {self.model}", attributes, self.latency_ms / 1000
