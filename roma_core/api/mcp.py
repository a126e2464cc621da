"""``/mcp``: ROMA's tools for agents over streamable HTTP. The SDK is loaded by the first request for it."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING

from starlette.types import Receive, Scope, Send

from roma_core.api.problems import make_problem
from roma_core.errors import AgentFailure, guarded

if TYPE_CHECKING:
    from roma_core.app import Roma
    from roma_core.mcp import MCPDoor


class MCPRoute:
    """The route of MCP. ``run`` is a task of the service: the tasks of requests belong to it, not to one request."""

    def __init__(self, roma: Roma) -> None:
        self._roma = roma
        self._wanted = asyncio.Event()
        self._opened: asyncio.Future[MCPDoor | AgentFailure] | None = None

    async def run(self) -> None:
        """Wait for the first request, load the SDK, and serve until cancelled."""
        self._opened = asyncio.get_running_loop().create_future()
        await self._wanted.wait()
        door = await guarded("mcp", self._open())
        self._opened.set_result(door)
        if not isinstance(door, AgentFailure):
            await door.run()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of a client."""
        self._wanted.set()
        if self._opened is None:
            raise RuntimeError("the service has not begun")
        door = await asyncio.shield(self._opened)
        if isinstance(door, AgentFailure):
            await make_problem(door)(scope, receive, send)
        else:
            await door(scope, receive, send)

    async def _open(self) -> MCPDoor:
        await asyncio.to_thread(importlib.import_module, "roma_core.mcp")
        from roma_core.mcp import MCPDoor

        return MCPDoor(self._roma)
