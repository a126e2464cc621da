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
from roma_core.api.tokens import TokenStore, check_bind
from roma_core.telemetry import logs, tracing

if TYPE_CHECKING:
    from roma_core.app import Roma

SHUTDOWN_S = 10
ANSWERS_S = 7.0
"""Of these, how long running answers may go on before their clients are told that the service ends."""
_log = logs.get("serve")


def build(roma: Roma) -> FastAPI:
    """The application with the console under ``/console`` if the extra ``ui`` is installed."""
    app = create_app(roma)
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
    check_bind(where, TokenStore(settings.workspace))
    tracing.configure(settings)
    config = uvicorn.Config(
        build(roma),
        host=where,
        port=settings.port if port is None else port,
        log_config=None,  # ROMA's own chain writes uvicorn's lines too
        access_log=False,  # the gate writes one line for each request
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
        timeout_keep_alive=65,
        limit_concurrency=None,
        backlog=2048,
    )
    return Server(config)


async def serve(roma: Roma, *, host: str | None = None, port: int | None = None) -> None:
    """Serve until SIGINT or SIGTERM. Says on stderr where, and that without a token only this machine is served."""
    running = server(roma, host=host, port=port)
    config = running.config
    guarded_by = "a token" if TokenStore(roma.settings.workspace).configured() else "no token: this machine only"
    address = f"[{config.host}]" if ":" in config.host else config.host
    sys.stderr.write(f"ROMA on http://{address}:{config.port} ({guarded_by}); /console, /docs, /health\n")
    await running.serve()
