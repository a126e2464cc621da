"""Run the service: uvicorn with the API and, where it is installed, the console."""

from __future__ import annotations

import asyncio
import errno
import gc
import signal
import socket
import sys
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI

from roma_core.api import create_app
from roma_core.api.access import find_permission, serving
from roma_core.api.edge import limit_connections
from roma_core.api.operations import explain_lack_of_tokens
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
    """Return the application, with Panel's pages (sources, dashboards) if the extra ``ui`` is installed."""
    app = create_app(roma, tokens)
    try:
        from roma_core.ui.dashboards.mount import mount_pages
    except ModuleNotFoundError as missing:
        if missing.name and missing.name.startswith("roma_core"):
            raise
        _log.warning("no pages of sources and dashboards", missing=missing.name, install="roma-core[ui]")
    else:
        mount_pages(app, roma, serving.get, lambda person, path: person.may(find_permission(path)))
    return app


class Server(uvicorn.Server):
    """Uvicorn server that prints its address once it serves, and ends answers before uvicorn cancels them."""

    banner: str | None = None
    """What it says; ``{address}`` is where."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop at SIGINT or SIGTERM; at a second SIGINT without waiting for answers.

        Uvicorn's own raises the signal again once it has stopped: SIGTERM would then end the process before ROMA is
        closed, and Ctrl-C would interrupt its closing.
        """
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start uvicorn, then print the banner on stderr."""
        await super().startup(sockets)
        if self.started and self.banner is not None:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            sys.stderr.write(self.banner.replace("{address}", address))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop uvicorn; answers that still run after ``ANSWERS_S`` end with a terminal event."""
        for system in self.config.app.state.roma.list_systems():  # type: ignore[union-attr]
            system.answers.is_closing = True
        ending = asyncio.create_task(self._end_answers())
        try:
            await super().shutdown(sockets)
        finally:
            ending.cancel()

    async def _end_answers(self) -> None:
        await asyncio.sleep(ANSWERS_S)
        await self.config.app.state.streams.close()  # type: ignore[union-attr]


def server(roma: Roma, *, host: str | None = None, port: int | None = None) -> Server:
    """Return a server that is ready to run.

    Raises ``ConfigError`` when other machines could reach it without a token.
    """
    settings = roma.settings
    where = host or settings.serving.host
    tokens = TokenStore(settings.workspace, settings.storage.server_url)
    _check(where, settings, tokens)
    tracing.configure(settings, eager=True)
    config = uvicorn.Config(
        build(roma, tokens),
        host=where,
        port=settings.serving.port if port is None else port,
        http=limit_connections(settings.serving.connections_per_address),
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
    """Raise ``ConfigError`` for a service that would be open to others.

    Raises ``StoreError`` when the tokens cannot be read. On a full disk the server starts all the same: it answers
    whatever it can, and ``/health`` reports the disk.
    """
    try:
        configured = tokens.configured()
    except StoreError as error:
        if error.code in PASSING:
            return  # no client is served before they can be read
        raise
    if configured or settings.signs_in_by_provider:
        return
    if settings.serving.require_token:
        return  # nobody is served before there is one, and health says so
    if "*" in settings.serving.cors_origins:
        raise ConfigError(
            "ROMA_CORS_ORIGINS: without a token, * lets every website do everything; name the origins, or make a token "
            "(`roma token create NAME`)."
        )
    check_bind(host, tokens)


async def serve(roma: Roma, *, host: str | None = None, port: int | None = None) -> None:
    """Serve until SIGINT or SIGTERM. Prints the address, the protection and a nearly full disk on stderr.

    Raises ``ConfigError`` when the address cannot be bound, and all that ``server`` raises.
    """
    settings = roma.settings
    where, number = host or settings.serving.host, settings.serving.port if port is None else port
    tokens = TokenStore(settings.workspace, settings.storage.server_url)
    _check(where, settings, tokens)  # before strangers could connect
    # What a server does by itself is not part of the command that started it.
    with logs.detach_request(), _bind_socket(where, number) as bound:
        running = server(roma, host=where, port=number)
        running.banner = await _banner(running, settings)
        gc.collect()
        gc.freeze()
        settling = asyncio.create_task(_freeze_when_warm(roma))
        await running.serve([bound])
        settling.cancel()


async def _banner(running: uvicorn.Server, settings: Settings) -> str:
    guarded_by = await _describe_protection(running, settings)
    state = await disk(settings.workspace, settings.storage.min_free_mb)()
    told = f"The disk of the workspace: {state.reason}\n" if state.reason else ""
    return f"ROMA on http://{{address}} ({guarded_by}); /console, /docs, /health\n{told}"


async def _describe_protection(running: uvicorn.Server, settings: Settings) -> str:
    tokens = await guarded("api", running.config.app.state.tokens.snapshot())  # type: ignore[union-attr]
    if isinstance(tokens, AgentFailure):
        return f"no client, as the tokens cannot be read: {tokens.message}"
    if settings.signs_in_by_provider:
        return "a sign-in or a token"
    if tokens.configured:
        return "a token"
    if settings.serving.require_token:
        return f"no client: {explain_lack_of_tokens(settings)}"
    there = await asyncio.to_thread(settings.workspace.exists)
    return "no token: this machine only" if there else "no token: this machine only; the workspace is new"


async def _freeze_when_warm(roma: Roma) -> None:
    """Freeze loaded objects: if garbage collection scanned them, a request would now and then take half a second."""
    await roma.warm()
    gc.freeze()


def _bind_socket(host: str, port: int) -> socket.socket:
    """Bind a socket before anything is loaded; uvicorn would find a busy port only afterwards."""
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
