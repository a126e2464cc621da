"""Repair of bokeh-fastapi 0.1.8, which never reports to a session that its browser has left.

Its loop over messages waits for an exception that Starlette does not raise there, so each tab that was ever opened
would keep its page, its conversation and its session for ever.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from bokeh_fastapi.handler import WSHandler

_plain = WSHandler.ws_connect


@wraps(_plain)
async def _ws_connect(self: Any, websocket: Any) -> None:
    try:
        await _plain(self, websocket)
    finally:
        if self.connection is not None:
            self.application.client_lost(self.connection)


def patch_bokeh_fastapi() -> None:
    """Patch bokeh-fastapi so that a session without a browser expires. Calling it again changes nothing."""
    WSHandler.ws_connect = _ws_connect
