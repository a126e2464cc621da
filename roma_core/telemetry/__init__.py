"""Logs, redaction, metrics, traces and health: what operators see. Every name others call:

``redact.redact(text)``, ``redact.find(text)``, ``redact.redact_value(anything)``
    personal data and secrets as spans, or replaced by ``[redacted:kind]``.
``logs.configure(level, shape)``, ``logs.get(agent)``, ``logs.request(request_id)``, ``logs.timed(log, event)``
    structured lines on stderr, each with request id, agent and duration.
``metrics.stage(name)``, ``observe_stage``, ``observe_query``, ``observe_first_token``, ``count_usage``,
``count_failure``, ``count_ingest``, ``count_cache``, ``count_guardrail``
    Prometheus series with bounded labels.
``tracing.span(stage, **attributes)``
    an MLflow span with the same request id; does nothing when tracing is off.
``health.HealthMonitor(probes, needed=..., version=...)``
    one cached, time-boxed report over named probes.
"""

__all__ = ["health", "logs", "metrics", "observe", "tracing"]
