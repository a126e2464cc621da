"""Spans by OTLP over HTTP, as OpenTelemetry's conventions for generative AI name them.

A query is ``invoke_agent roma``, a call of a model ``chat MODEL`` with its provider and tokens; stages lie between.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from roma_core.errors import AgentFailure, ConfigError, guarded_call
from roma_core.redaction.rules import redact_value
from roma_core.telemetry import logs
from roma_core.telemetry.spans import SpanWriter, TraceSpan

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

SERVICE = "roma"
SEND_S = 5.0
TRACES_PATH = "/v1/traces"
QUERY = "query"
"""Name of the span of a whole query."""
_log = logs.get("tracing")


class OTLPWriter(SpanWriter):
    """Thread that sends the spans of each query to a collector in one request."""

    def __init__(self, endpoint: str, headers: Mapping[str, str]) -> None:
        super().__init__("roma-otlp")
        self._endpoint = endpoint.rstrip("/")
        self._headers = dict(headers)
        self._tracer: Any = None
        self._exporter: Any = None
        self._ended: list[ReadableSpan] = []
        self._up = True
        self._thread.start()

    def write(self, span: TraceSpan) -> None:
        """Send ``span`` with those inside of it. What cannot be sent is lost; the log says so once."""
        if self._tracer is None:
            self._open()
        self._ended.clear()
        self._record(span, None)
        sent = guarded_call("tracing", self._send)
        is_up = not isinstance(sent, AgentFailure)
        if isinstance(sent, AgentFailure) and self._up:
            _log.warning("tracing_away", reason=sent.message)
        elif is_up and not self._up:
            _log.warning("tracing_back")
        self._up = is_up

    def _open(self) -> None:
        logs.quiet_loggers("opentelemetry")
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
        from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

        from roma_core import __version__

        ended = self._ended

        class Collect(SpanProcessor):
            def on_end(self, span: ReadableSpan) -> None:
                ended.append(span)

        path = "" if self._endpoint.endswith(TRACES_PATH) else TRACES_PATH
        self._exporter = OTLPSpanExporter(self._endpoint + path, headers=self._headers, timeout=SEND_S)
        provider = TracerProvider(
            resource=Resource.create({SERVICE_NAME: SERVICE, SERVICE_VERSION: __version__}), shutdown_on_exit=False
        )
        provider.add_span_processor(Collect())
        self._tracer = provider.get_tracer("roma_core", __version__)

    def _send(self) -> None:
        """Send the spans that have ended. Raises ``ConfigError`` when the collector does not take them."""
        from opentelemetry.sdk.trace.export import SpanExportResult

        if self._exporter.export(list(self._ended)) is not SpanExportResult.SUCCESS:
            raise ConfigError("The OTLP collector does not take spans; check ROMA_OTLP_ENDPOINT and ROMA_OTLP_HEADERS.")

    def _record(self, span: TraceSpan, parent: Any) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

        is_query = span.name == QUERY and parent is None
        current = self._tracer.start_span(
            f"invoke_agent {SERVICE}" if is_query else span.name,
            context=set_span_in_context(parent) if parent is not None else None,
            kind=SpanKind.CLIENT if span.is_call else SpanKind.INTERNAL,
            attributes=_attributes(span, is_query=is_query),
            start_time=span.start_ns,
        )
        for inner in span.inside:
            self._record(inner, current)
        if span.failed:
            current.set_status(Status(StatusCode.ERROR))
        current.end(end_time=span.end_ns)


def _attributes(span: TraceSpan, *, is_query: bool) -> dict[str, Any]:
    """Return the attributes of a span, redacted: those that OpenTelemetry names, and ROMA's own below ``roma.``."""
    own = {f"roma.{name}": value for name, value in {**span.attributes, **span.outputs}.items()}
    named: dict[str, Any] = dict(span.attributes) if span.is_call else own
    if is_query:
        named |= {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": SERVICE}
        if span.outputs.get("code"):
            named["error.type"] = span.outputs["code"]
    if span.request_id:
        named["roma.request_id"] = span.request_id
    return {name: _plain(value) for name, value in redact_value(named).items() if value is not None}


def _plain(value: Any) -> Any:
    """Return a value as OpenTelemetry takes it: a scalar, a list of texts, or JSON."""
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return list(value)
    return json.dumps(value, default=str, ensure_ascii=False)
