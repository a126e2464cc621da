"""Run the service: uvicorn with the API and, where it is installed, the console."""

from __future__ import annotations

import asyncio
import errno
import gc
import socket
import sys
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI

from roma_core.api import create_app
from roma_core.api.access import serving
from roma_core.api.tokens import TokenStore, check_bind
from roma_core.errors import ConfigError
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
    """Says on stderr where it serves, once it does; ends answers with a terminal event before uvicorn cancels them."""

    banner: str | None = None
    """What it says; ``{address}`` is where."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self.banner is not None:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            sys.stderr.write(self.banner.format(address=address))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        ending = asyncio.create_task(self._end_answers())
        try:
            await super().shutdown(sockets)
        finally:
            ending.cancel()

    async def _end_answers(self) -> None:
        await asyncio.sleep(ANSWERS_S)
        await self.config.app.state.streams.close()  # type: ignore[union-attr]


def server(roma: Roma, *, host: str | None = None, port: int | None = None) -> Server:
    """A server that is ready to run. Raises ``ConfigError`` when strangers could reach it without a token."""
    settings = roma.settings
    where = host or settings.host
    check_bind(where, TokenStore(settings.workspace))
    tracing.configure(settings, eager=True)
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
    """Serve until SIGINT or SIGTERM. Says on stderr where, and that without a token only this machine is served.

    Raises ``ConfigError`` when the address cannot be bound.
    """
    settings, tokens = roma.settings, TokenStore(roma.settings.workspace)
    where, number = host or settings.host, settings.port if port is None else port
    check_bind(where, tokens)
    guarded_by = "a token" if tokens.configured() else "no token: this machine only"
    # What a server does by itself is not part of the command that started it.
    with logs.no_request(), _bound(where, number) as bound:
        running = server(roma, host=where, port=number)
        running.banner = f"ROMA on http://{{address}} ({guarded_by}); /console, /docs, /health\n"
        gc.collect()
        gc.freeze()
        settling = asyncio.create_task(_settled(roma))
        await running.serve([bound])
        settling.cancel()


async def _settled(roma: Roma) -> None:
    """What was loaded stays: were it looked through for garbage, every request would now and then wait for half a
    second.
    """
    await roma.warm()
    gc.freeze()


def _bound(host: str, port: int) -> socket.socket:
    """A socket that nobody else has, taken first: uvicorn would find out after everything was loaded and started."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            said = (
                f"Port {port} of {host} is in use; stop what serves there, or choose another with --port or ROMA_PORT."
            )
        else:
            said = f"{host}:{port} cannot be bound ({error.strerror}); check --host (ROMA_HOST) and --port (ROMA_PORT)."
        raise ConfigError(said) from None
