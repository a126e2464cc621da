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
