"""``/health``, ``/metrics`` and ``/docs``."""

from __future__ import annotations

import asyncio
import re
from html import escape
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from roma_core import __version__, theme
from roma_core.api.problems import make_problem
from roma_core.errors import AgentFailure, guarded
from roma_core.llm.control.budget import Period
from roma_core.llm.control.spending import Dimension, SpendReport
from roma_core.telemetry import metrics
from roma_core.types import ComponentHealth, HealthReport, Principal

if TYPE_CHECKING:
    from roma_core.app import Roma
    from roma_core.settings import Settings

router = APIRouter(tags=["operations"])
STARTING = HealthReport(
    state="degraded",
    version=__version__,
    components=(ComponentHealth(name="roma", state="degraded", reason="starting: libraries are being loaded"),),
)
"""While ``Roma.warm`` is under way: probes would wait for the same libraries."""


@router.head("/health", include_in_schema=False)  # load balancers ask for no more than the status
@router.get(
    "/health",
    response_model=HealthReport,
    summary="State of every component",
    responses={503: {"model": HealthReport, "description": "A needed component is down."}},
)
async def health(request: Request) -> Response:
    """Return the state: `ok` and `degraded` with 200, `down` with 503. Without a token there are no components."""
    roma: Roma = request.app.state.roma
    report = STARTING if roma.starting else await roma.health()
    if await _serves_nobody(request):
        report = report.model_copy(update={"state": "down"})
    who: Principal | None = request.state.principal
    if who is None:
        report = report.model_copy(update={"components": ()})
    elif await _withholds_documents(roma, who):
        bare = tuple(component.model_copy(update={"details": {}}) for component in report.components)
        report = report.model_copy(update={"components": bare})
    status = 503 if report.state == "down" else 200
    return Response(report.model_dump_json(), status_code=status, media_type="application/json")


async def _serves_nobody(request: Request) -> bool:
    """Return whether the service waits for its first token or account."""
    settings: Settings = request.app.state.roma.settings
    if not settings.serving.require_token or settings.signs_in_by_provider:
        return False
    tokens = await guarded("api", request.app.state.tokens.snapshot())
    return not isinstance(tokens, AgentFailure) and not tokens.configured


def explain_lack_of_tokens(settings: Settings) -> str:
    """Return the sentence for a service that needs tokens and has none."""
    return (
        f"ROMA_REQUIRE_TOKEN is set, and the workspace {settings.workspace.name} has no token: mount it, or make one "
        "(`roma token create NAME`) or an account (`roma user add NAME --role admin`)"
    )


async def _withholds_documents(roma: Roma, who: Principal) -> bool:
    """Return whether counts of rows would say something of documents that ``who`` may not read."""
    if who.tenant != roma.settings.tenant:  # the parts that are looked at are those of another tenant
        return True
    scope = await guarded("api", roma.grants.find_scope(who))
    return isinstance(scope, AgentFailure) or not scope.is_everything


@router.get("/metrics", summary="Prometheus series", response_class=Response)
async def prometheus(request: Request) -> Response:
    """Return all series in Prometheus' text format; see docs/10_OBSERVABILITY.md. Probes run as for `/health`."""
    roma: Roma = request.app.state.roma
    if not roma.starting:
        await roma.health()
    counts = await guarded("jobs", asyncio.to_thread(request.app.state.jobs.counts))
    if not isinstance(counts, AgentFailure):
        metrics.set_jobs(counts)
    return Response(metrics.render_series(), media_type=metrics.CONTENT_TYPE)


@router.get("/spend", response_model=SpendReport, summary="What models have cost")
async def spend(request: Request, period: Period = "month", by: Dimension = "day") -> Response:
    """Return the sums of the caller's tenant in the day, the month (UTC) or all time, and its budgets.

    Needs `admin`.
    """
    roma: Roma = request.app.state.roma
    report = await roma.spend(period, by=by, tenant=request.state.principal.tenant)
    if isinstance(report, AgentFailure):
        return make_problem(report)
    return Response(report.model_dump_json(), media_type="application/json")


@router.head("/docs", include_in_schema=False)
@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """Return a page without scripts, so that it works offline and under the strictest policy."""
    return HTMLResponse(page(request.app.openapi()))


_STYLE = theme.write_css(":root") + (
    "body{font:var(--roma-text-size)/1.5 var(--roma-font);max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "color:var(--roma-text);background:var(--roma-page)}a{color:var(--roma-accent)}"
    "pre{background:var(--roma-raised);padding:.8rem;white-space:pre-wrap;overflow-wrap:anywhere;"
    "border-radius:var(--roma-radius);font-size:var(--roma-small-size)}code{background:var(--roma-raised);overflow-wrap:anywhere}"
    "h2{border-top:1px solid var(--roma-line);padding-top:1rem;overflow-wrap:anywhere}"
    "td code{overflow-wrap:normal}@media(max-width:40rem){td{display:block}td code{overflow-wrap:anywhere}}"
    "table{border-collapse:collapse}td,th{text-align:left;padding:.2rem 1rem .2rem 0;vertical-align:top}"
    ".m{color:var(--roma-good);font-weight:600}"
)


FOLDED_CHARS: Final = 300
"""Length of a description above which the page folds it: the errors of a route are some eighty codes."""
_CODE: Final = re.compile(r"`([^`]+)`")


def _render_words(text: str) -> str:
    """Return words of a description as HTML; what stands between backticks is code."""
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _fold_words(text: str) -> str:
    """Return words of a description as HTML; behind its first sentence a long one is folded up."""
    first, stop, rest = text.partition(". ")
    if len(rest) < FOLDED_CHARS:
        return _render_words(text)
    return f"<details><summary>{_render_words(first + stop)}</summary>{_render_words(rest)}</details>"


def page(schema: dict[str, Any]) -> str:
    """Return the OpenAPI document as HTML: each route with parameters, example and responses, then the schemas."""
    import json

    parts = [f"<h1>{escape(schema['info']['title'])} {escape(schema['info']['version'])}</h1>"]
    parts.append(
        f"<p>{_render_words(schema['info'].get('description', ''))}</p><p><a href='openapi.json'>openapi.json</a></p>"
    )
    for path, methods in schema["paths"].items():
        for method, route in methods.items():
            parts.append(_route(path, method, route))
    parts.append("<h2>Schemas</h2>")
    for name, model in schema["components"]["schemas"].items():
        text = escape(json.dumps(model, indent=1, ensure_ascii=False))
        parts.append(
            f"<details id='{escape(name)}'><summary><code>{escape(name)}</code></summary><pre>{text}</pre></details>"
        )
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><link rel='icon' href='data:,'><title>ROMA API</title>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<style>{_STYLE}</style><main>{''.join(parts)}</main></html>"
    )


def _route(path: str, method: str, route: dict[str, Any]) -> str:
    import json

    rows = "".join(
        f"<tr><td><code>{escape(p['name'])}</code></td><td>{escape(p['in'])}</td>"
        f"<td>{_render_words(p.get('description', ''))}</td></tr>"
        for p in route.get("parameters", [])
    )
    body = route.get("requestBody", {}).get("content", {}).get("application/json", {})
    examples = [e["value"] for e in body.get("examples", {}).values()]
    shown = "".join(f"<pre>{escape(json.dumps(e, indent=1, ensure_ascii=False))}</pre>" for e in examples)
    answers = "".join(
        f"<tr><td><code>{escape(code)}</code></td><td>{_fold_words(said.get('description', ''))}</td>"
        f"<td>{' '.join(f'<code>{escape(kind)}</code>' for kind in said.get('content', {}))}</td></tr>"
        for code, said in route["responses"].items()
    )
    return (
        f"<h2><span class='m'>{escape(method.upper())}</span> <code>{escape(path)}</code></h2>"
        f"<p><strong>{escape(route.get('summary', ''))}.</strong> {_render_words(route.get('description', ''))}</p>"
        f"<table>{rows}</table>{shown}<table>{answers}</table>"
    )
