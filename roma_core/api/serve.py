"""Run the service: uvicorn with the API and, where it is installed, the console."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI

from roma_core.api import create_app
from roma_core.api.access import serving
from roma_core.api.tokens import PASSING, TokenStore, check_bind
from roma_core.errors import AgentFailure, ConfigError, StoreError, guarded
from roma_core.settings import Settings
from roma_core.telemetry import logs, tracing
from roma_core.telemetry.health import disk

if TYPE_CHECKING:
    from roma_core.app import Roma

SHUTDOWN_S = 10
ANSWERS_S = 7.0
"""Of these, how long running answers may go on before their clients are told that the service ends."""
_log = logs.get("serve")


def build(roma: Roma, tokens: TokenStore | None = None) -> FastAPI:
    """The application with the console under ``/console`` if the extra ``ui`` is installed."""
    app = create_app(roma, tokens)
    try:
        from roma_core.ui.console import mount
    except ModuleNotFoundError as missing:
        if missing.name and missing.name.startswith("roma_core"):
            raise
        _log.warning("no console", missing=missing.name, install="roma-core[ui]")
    else:
        mount(app, roma, who=serving.get)
    return app


class Server(uvicorn.Server):
    """Ends answers with a terminal event of their own before uvicorn cancels them."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        ending = asyncio.create_task(self._end_answers())
        try:
            await super().shutdown(sockets)
        finally:
            ending.cancel()

    async def _end_answers(self) -> None:
        await asyncio.sleep(ANSWERS_S)
        await self.config.app.state.streams.close()  # type: ignore[union-attr]


def server(roma: Roma, *, host: str | None = None, port: int | None = None) -> uvicorn.Server:
    """A server that is ready to run. Raises ``ConfigError`` when strangers could reach it without a token."""
    settings = roma.settings
    where = host or settings.host
    tokens = TokenStore(settings.workspace)
    _check(where, settings, tokens)
    tracing.configure(settings)
    config = uvicorn.Config(
        build(roma, tokens),
        host=where,
        port=settings.port if port is None else port,
        log_config=None,  # ROMA's own chain writes uvicorn's lines too
        access_log=False,  # the gate writes one line for each request
        proxy_headers=False,  # X-Forwarded-For is what a client says: the lock-out would count what it likes
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
        timeout_keep_alive=65,
        limit_concurrency=None,
        backlog=2048,
    )
    return Server(config)


def _check(host: str, settings: Settings, tokens: TokenStore) -> None:
    """Raises ``ConfigError`` for what would be open to others, and ``StoreError`` when the tokens cannot be read.

    On a full disk the server starts all the same: what can be answered is, and ``/health`` says what is wrong.
    """
    try:
        configured = tokens.configured()
    except StoreError as error:
        if error.code in PASSING:
            return  # nobody is served before they can be read
        raise
    if configured:
        return
    if settings.require_token:
        raise ConfigError(
            f"ROMA_REQUIRE_TOKEN is set, and the workspace {settings.workspace.name} has no token: mount it, or "
            "make one (`roma token create NAME`)."
        )
    if "*" in settings.cors_origins:
        raise ConfigError(
            "ROMA_CORS_ORIGINS: without a token, * lets every website do everything; name the origins, or make a token "
            "(`roma token create NAME`)."
        )
    check_bind(host, tokens)


async def serve(roma: Roma, *, host: str | None = None, port: int | None = None) -> None:
    """Serve until SIGINT or SIGTERM. Says on stderr where, to whom, and what is wrong with the disk."""
    running = server(roma, host=host, port=port)
    config = running.config
    address = f"[{config.host}]" if ":" in config.host else config.host
    guarded_by = await _guarded_by(running, roma.settings)
    sys.stderr.write(f"ROMA on http://{address}:{config.port} ({guarded_by}); /console, /docs, /health\n")
    state = await disk(roma.settings.workspace, roma.settings.min_free_mb)()
    if state.reason:
        sys.stderr.write(f"The disk of the workspace: {state.reason}\n")
    await running.serve()


async def _guarded_by(running: uvicorn.Server, settings: Settings) -> str:
    known = await guarded("api", running.config.app.state.tokens.look())  # type: ignore[union-attr]
    if isinstance(known, AgentFailure):
        return f"nobody, as the tokens cannot be read: {known.message}"
    if known.configured:
        return "a token"
    there = await asyncio.to_thread(settings.workspace.exists)
    return "no token: this machine only" if there else "no token: this machine only; the workspace is new"
