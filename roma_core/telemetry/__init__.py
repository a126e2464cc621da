"""Logs, redaction, metrics, traces and health for operators.

``logs.configure(level, shape)``, ``logs.get(agent)``, ``logs.request(request_id)``, ``logs.log_duration(log, event)``
    structured lines on stderr, each with request id, agent and duration.
``metrics.stage(name)``, ``observe_stage``, ``observe_query``, ``observe_first_token``, ``count_usage``,
``count_failure``, ``count_ingest``, ``count_cache``, ``count_guardrail``
    Prometheus series with bounded labels.
``tracing.span(stage, **attributes)``
    an MLflow span with the request's id; does nothing when tracing is off.
``health.HealthMonitor(probes, needed=..., version=...)``
    one cached, time-boxed report over named probes.
"""

__all__ = ["health", "logs", "metrics", "observe", "tracing"]
