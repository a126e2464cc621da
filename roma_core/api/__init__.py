"""ROMA over HTTP. ``create_app(roma)`` gives a FastAPI application; ``api.serve`` runs it.

``docs/05_API.md`` describes every route.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.routing import Route

from roma_core import __version__
from roma_core.api import (
    answers,
    audit,
    auditpage,
    completions,
    console,
    conversations,
    ingest,
    operations,
    query,
    search,
    signin,
    trials,
)
from roma_core.api.access import OPEN, Gate, RateLimiter
from roma_core.api.accounts import AccountTable
from roma_core.api.jobs import ClaimedJob
from roma_core.api.mcp import MCPRoute
from roma_core.api.problems import MEDIA_TYPE, Problem, install_handlers, make_example
from roma_core.api.queues import open_queue
from roma_core.api.retention import RetentionSchedule
from roma_core.api.schedule import SyncSchedule
from roma_core.api.schemas import list_error_codes
from roma_core.api.signin import TRIES_PER_MINUTE
from roma_core.api.sse import Streams, make_stopping_error
from roma_core.api.sso import SingleSignOn
from roma_core.api.sso import router as sso_router
from roma_core.api.storage import keep_file
from roma_core.api.tokens import TokenStore
from roma_core.api.worker import Ingest, JobWorker
from roma_core.errors import ErrorCode, guarded
from roma_core.types import IngestionReport

__all__ = ["create_app"]

if TYPE_CHECKING:
    from roma_core.app import Roma
    from roma_core.ingestion import OnProgress

_ABOUT = (
    "Answers over a corpus with citations that can be checked at the source's character offsets. Every error is an "
    "`application/problem+json` whose `failure` says which agent failed, with which code, and whether to try again."
)


def create_app(roma: Roma, tokens: TokenStore | None = None) -> FastAPI:
    """Return the service over ``roma``, which the caller closes. ``tokens`` default to those of the workspace."""
    settings = roma.settings
    app = FastAPI(
        title="ROMA",
        version=__version__,
        description=_ABOUT,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        responses={"default": _error_response()},
        separate_input_output_schemas=False,
    )
    app.state.roma = roma
    app.state.tokens = tokens or TokenStore(settings.workspace, settings.storage.server_url)
    app.state.streams = Streams()
    app.state.jobs = open_queue(settings)
    app.state.watched = Counter()
    app.state.accounts = AccountTable(settings.workspace, settings.storage.server_url)
    app.state.sign_in_tries = RateLimiter(TRIES_PER_MINUTE)
    app.state.sso = SingleSignOn(settings)
    app.state.worker = JobWorker(app.state.jobs, _make_ingest(roma), side_by_side=settings.serving.ingest_jobs)
    app.state.schedule = SyncSchedule(roma, app.state.jobs, app.state.worker)
    app.state.retention = RetentionSchedule(roma)
    for router in (
        query.router,
        answers.router,
        search.router,
        completions.router,
        ingest.router,
        conversations.router,
        audit.router,
        auditpage.router,
        console.router,
        trials.router,
    ):
        app.include_router(router, dependencies=[Depends(_wait_until_warm)])
    app.state.mcp = MCPRoute(roma)
    app.router.routes.append(Route("/mcp", app.state.mcp, methods=None, include_in_schema=False))
    app.include_router(console.pages)
    app.include_router(signin.router)
    app.include_router(sso_router)
    app.include_router(operations.router)  # says at once that the rest is starting
    install_handlers(app)
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=int(settings.serving.max_body_mb * 2**20))
    app.add_middleware(Gate, tokens=app.state.tokens, settings=settings, log_action=roma.log_action)
    if settings.serving.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.serving.cors_origins),
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=["*"],  # SDKs send headers of their own, and no credentials go along unasked
            expose_headers=["X-Request-ID", "X-Answer-ID", "Retry-After", "Location", "Mcp-Session-Id"],
        )
    _describe_security(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    await _begin(app)
    own = (
        app.state.worker.run(),
        app.state.schedule.run(),
        app.state.retention.run(),
        app.state.streams.run(),
        _open_parts(app.state.roma),
        app.state.mcp.run(),
    )
    tasks = [asyncio.create_task(work) for work in own]
    try:
        yield
    finally:
        for system in app.state.roma.list_systems():
            system.answers.is_closing = True
        await app.state.streams.close()
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await app.state.sso.close()


async def _begin(app: FastAPI) -> None:
    """Create the service's file and read the tokens before the workspace can become unavailable.

    Errors are reported later, by the requests that meet them.
    """
    await guarded("api", asyncio.to_thread(keep_file, app.state.roma.settings.workspace))
    await guarded("api", app.state.tokens.snapshot())


async def _wait_until_warm(request: Request) -> None:
    """Wait until libraries are imported, so that no request imports on the loop.

    Raises ``RomaError`` (ERR_STOPPED) when the service ends meanwhile.
    """
    roma, closing = request.app.state.roma, request.app.state.streams.closing
    if roma.is_warm:
        return
    warming = asyncio.ensure_future(roma.warm())
    ending = asyncio.ensure_future(closing.wait())
    try:
        await asyncio.wait({warming, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not warming.done():
            raise make_stopping_error()
        await warming
    finally:
        warming.cancel()
        ending.cancel()


async def _open_parts(roma: Roma) -> None:
    """Import and open everything before the first question. An unavailable part is reported when it is used."""
    await roma.warm()
    for tenant in await asyncio.to_thread(roma.tenants.list):
        await guarded("answers", _mark_interrupted(roma, tenant))
    await guarded("store", roma.store.counts(roma.settings.tenant))
    await guarded("embedder", asyncio.to_thread(lambda: roma.embedder.count_tokens("")))
    await guarded("llm", roma.llm.ready())


async def _mark_interrupted(roma: Roma, tenant: str) -> None:
    system = await asyncio.to_thread(roma.of_tenant, tenant)
    await system.answers.mark_interrupted()


def _make_ingest(roma: Roma) -> Ingest:
    """Return the function that runs a job. A token's job is confined by the present roots, not by earlier ones."""

    async def run(work: ClaimedJob, progress: OnProgress) -> IngestionReport:
        system = await asyncio.to_thread(roma.of_tenant, work.tenant)
        within = system.settings.serving.ingest_roots if work.confined else None
        return await system.ingest(
            *work.sources, tenant=work.tenant, progress=progress, retry_failed=work.retry_failed, within=within
        )

    return run


def _error_response() -> dict[str, Any]:
    return {
        "model": Problem,
        "description": f"What went wrong and what to do. `failure.code` is one of {list_error_codes()}.",
        "content": {MEDIA_TYPE: {"example": make_example(ErrorCode.NOT_FOUND, "There is no such session.")}},
    }


def _describe_security(app: FastAPI) -> None:
    """Add the bearer scheme to the OpenAPI document; the gate enforces it."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        fresh = app.openapi_schema is None
        schema = made()
        if fresh:
            schema["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
            for path, methods in schema["paths"].items():
                for route in methods.values():
                    _as_problem(route)
                    if path not in OPEN:
                        route["security"] = [{"bearer": []}]
        return schema

    app.openapi = openapi  # type: ignore[method-assign]


def _as_problem(route: dict[str, Any]) -> None:
    """Give a route's errors the media type of problems, and drop 422, which is one of them."""
    route["responses"].pop("422", None)
    content = route["responses"]["default"]["content"]
    plain = content.pop("application/json", {})
    content[MEDIA_TYPE] = {**plain, **content.get(MEDIA_TYPE, {})}
