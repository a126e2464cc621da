"""Logs, redaction, metrics, traces and health: what operators see. Every name others call:

``redact.redact(text)``, ``redact.find(text)``, ``redact.redact_value(anything)``
    personal data and secrets as spans, or replaced by ``[redacted:kind]``.
``logs.configure(settings)``, ``logs.get(name)``, ``logs.bind(**fields)``, ``logs.request(request_id)``
    structured lines on stderr, each with its request id.
``metrics.observe_stage``, ``metrics.count_tokens``, ``metrics.count_error``, ``metrics.count_ingested``, ...
    Prometheus series with bounded labels.
``tracing.span(stage, **attributes)``
    an MLflow span with the same request id; does nothing when tracing is off.
``health.Health(probes)``
    one cached, time-boxed report over named probes.
"""
