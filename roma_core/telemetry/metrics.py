"""Prometheus series and the small functions that feed them. ``docs/10_OBSERVABILITY.md`` explains each.

Callers never touch a metric object. Label values that could grow without bound (models, agents, routes, reasons) are
cut to the first 64 seen; later ones count as ``other``, so that a hostile caller cannot fill the memory of the server.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from roma_core.errors import AgentFailure
from roma_core.types import CitationVerdict, HealthReport, HealthState, IngestionReport, ModelRoute, Usage

REGISTRY = CollectorRegistry(auto_describe=True)
ProcessCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MAX_VALUES = 64
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_STATES: dict[HealthState, int] = {"ok": 0, "degraded": 1, "down": 2}

_stage_s = Histogram(
    "roma_stage_seconds", "Time a stage of a query took.", ["stage"], buckets=_SECONDS, registry=REGISTRY
)
_query_s = Histogram("roma_query_seconds", "Time of a whole query.", ["outcome"], buckets=_SECONDS, registry=REGISTRY)
_first_s = Histogram("roma_first_token_seconds", "Time to the first token.", buckets=_SECONDS, registry=REGISTRY)
_tokens = Counter("roma_tokens", "Tokens that models read and wrote.", ["model", "direction"], registry=REGISTRY)
_cost = Counter("roma_cost_usd", "Dollars that models cost.", ["model"], registry=REGISTRY)
_saved = Counter("roma_saved_usd", "Dollars that the cache saved.", ["model"], registry=REGISTRY)
_unpriced = Counter("roma_unpriced_calls", "Calls of models without a known price.", ["model"], registry=REGISTRY)
_errors = Counter("roma_errors", "Failures.", ["agent", "code"], registry=REGISTRY)
_items = Counter("roma_ingest_items", "Items by the state they ended in.", ["state"], registry=REGISTRY)
_chunks = Counter("roma_ingest_chunks", "Chunks written.", registry=REGISTRY)
_cache = Counter("roma_cache_requests", "Look-ups in a cache.", ["cache", "result"], registry=REGISTRY)
_guardrails = Counter("roma_guardrail_hits", "Guardrail rules that fired.", ["rule", "action"], registry=REGISTRY)
_statements = Counter("roma_statements", "Statements of answers by verdict.", ["verdict"], registry=REGISTRY)
_routes = Counter("roma_routed_answers", "Answers by the model that the router chose.", ["choice"], registry=REGISTRY)
_route_saved = Gauge(
    "roma_router_saved_usd",
    "Dollars that the router saved so far; cascades that failed count below.",
    registry=REGISTRY,
)
_degraded = Counter("roma_degraded_answers", "Answers that a failure made worse.", registry=REGISTRY)
_http = Counter("roma_http_requests", "Requests answered.", ["method", "route", "status"], registry=REGISTRY)
_http_s = Histogram(
    "roma_http_seconds", "Time to the end of the response.", ["route"], buckets=_SECONDS, registry=REGISTRY
)
_streams = Gauge("roma_streams_open", "Answers being streamed.", registry=REGISTRY)
_gone = Counter("roma_clients_gone", "Streams whose client went away.", registry=REGISTRY)
_jobs = Gauge("roma_jobs", "Ingest jobs by state.", ["state"], registry=REGISTRY)
_health = Gauge("roma_health_state", "0 ok, 1 degraded, 2 down.", ["component"], registry=REGISTRY)
_value = Gauge("roma_health_value", "A number that the last probe found.", ["component", "detail"], registry=REGISTRY)
_latency = Gauge("roma_health_probe_seconds", "Time the last probe took.", ["component"], registry=REGISTRY)

_seen: dict[str, set[str]] = {}
_stage_series: dict[str, Histogram] = {}
"""The series of each stage, found once: a query observes a dozen of them."""


def _bound_label(label: str, value: str) -> str:
    known = _seen.setdefault(label, set())
    if value in known:
        return value
    if len(known) >= MAX_VALUES:
        return "other"
    known.add(value)
    return value


def observe_stage(stage: str, seconds: float) -> None:
    """Count the ``seconds`` of a stage of a query; ``stage`` is its label (``guarded``, ``writing``, ...)."""
    series = _stage_series.get(stage)
    if series is None:
        bounded = _bound_label("stage", stage)
        series = _stage_s.labels(bounded)
        if bounded == stage:
            _stage_series[stage] = series
    series.observe(seconds)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Observe what happens inside as stage ``name``, also when it fails."""
    start = time.perf_counter()
    try:
        yield
    finally:
        observe_stage(name, time.perf_counter() - start)


def observe_query(seconds: float, outcome: str, *, degraded: bool = False) -> None:
    """Count a query that ended; ``outcome`` is answered, unanswered, failed or cancelled."""
    _query_s.labels(_bound_label("outcome", outcome)).observe(seconds)
    if degraded:
        _degraded.inc()


def observe_first_token(seconds: float) -> None:
    """Count the ``seconds`` from a question to the first token."""
    _first_s.observe(seconds)


def count_usage(model: str, usage: Usage) -> None:
    """Count tokens and cost of calls; ``model`` is ``provider:model``.

    An unknown price is counted as such, never as 0.
    """
    name = _bound_label("model", model)
    _tokens.labels(name, "input").inc(usage.input_tokens)
    _tokens.labels(name, "output").inc(usage.output_tokens)
    _tokens.labels(name, "cached").inc(usage.cached_tokens)
    if usage.cost_usd is None:
        _unpriced.labels(name).inc(usage.calls)
    else:
        _cost.labels(name).inc(usage.cost_usd)
    _saved.labels(name).inc(usage.saved_usd or 0.0)


def count_failure(failure: AgentFailure) -> None:
    """Count a failure that reached a boundary."""
    count_error(failure.agent, failure.code.value)


def count_error(agent: str, code: str) -> None:
    """Count an error by its names, also one that was recovered from."""
    _errors.labels(_bound_label("agent", agent), _bound_label("code", code)).inc()


def count_ingest(report: IngestionReport) -> None:
    """Count the items of an ingest by state."""
    for state, n in report.counts().items():
        _items.labels(state).inc(n)
    _chunks.inc(sum(i.chunks for i in report.items if i.state in {"added", "updated"}))


def count_cache(cache: str, *, hit: bool) -> None:
    """Count a look-up in ``cache`` (parse, embed, page, llm). A cache that is off is not counted."""
    _cache.labels(_bound_label("cache", cache), "hit" if hit else "miss").inc()


def count_guardrail(rule: str, action: str, times: int = 1) -> None:
    """Count that a rule fired ``times`` and did ``action`` (flag or block) each time."""
    _guardrails.labels(_bound_label("rule", rule), _bound_label("action", action)).inc(times)


def count_route(route: ModelRoute) -> None:
    """Count the choice between the cheap and the strong model, and what it saved."""
    _routes.labels(route.choice).inc()
    _route_saved.inc(route.saved_usd or 0.0)


def count_verdicts(verdicts: Mapping[CitationVerdict, int]) -> None:
    """Count the statements of an answer by their verdicts."""
    for verdict, times in verdicts.items():
        _statements.labels(verdict).inc(times)


def observe_http(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request to the route template ``route`` that was answered."""
    name = _bound_label("route", route)
    _http.labels(_bound_label("method", method), name, str(status)).inc()
    _http_s.labels(name).observe(seconds)


@contextmanager
def open_stream() -> Iterator[None]:
    """Count a stream as open inside the block."""
    _streams.inc()
    try:
        yield
    finally:
        _streams.dec()


def count_client_gone() -> None:
    """Count a client that left before its answer was complete."""
    _gone.inc()


def set_jobs(counts: dict[str, int]) -> None:
    """Set the numbers of ingest jobs by state."""
    for state, n in counts.items():
        _jobs.labels(_bound_label("job", state)).set(n)


def set_health(report: HealthReport) -> None:
    """Publish the last health report: states, times of probes, and their numbers."""
    for part in report.components:
        name = _bound_label("component", part.name)
        _health.labels(name).set(_STATES[part.state])
        for detail, value in part.details.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                _value.labels(name, _bound_label("detail", detail)).set(value)
        if part.latency_ms is not None:
            _latency.labels(name).set(part.latency_ms / 1000)


def render_series() -> bytes:
    """Return all series in Prometheus' text format."""
    return generate_latest(REGISTRY)


def list_series() -> frozenset[str]:
    """Return the names of all sample series (``..._bucket``, ``..._total``, ...), also of those without a value yet."""
    found: set[str] = set()
    for family in REGISTRY.collect():
        found |= {sample.name for sample in family.samples}
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        found |= {family.name + suffix for suffix in suffixes}
    return frozenset(found)
