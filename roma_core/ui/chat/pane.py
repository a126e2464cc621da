"""The chat as a Panel component: ``panel serve dashboards/chat.py``, and beside other panes of a dashboard."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import panel as pn

from roma_core.settings import Settings
from roma_core.settings.environment import TOKEN_VARIABLE
from roma_core.ui.chat.assets import bundle, read_styles
from roma_core.ui.chat.channel import ChatChannel
from roma_core.ui.chat.remote import RemoteChat
from roma_core.ui.chat.service import ChatService

if TYPE_CHECKING:
    from roma_core.app import Roma
    from roma_core.types import Principal


class ChatPane(pn.custom.JSComponent):  # type: ignore[misc]
    """The chat in a Panel app.

    It is the module of the notebook's widget. Panel's own shim for such modules cannot send messages to Python.

    >>> ChatPane(roma).servable()  # doctest: +SKIP
    """

    _esm = bundle()
    _stylesheets = [read_styles()]  # noqa: RUF012

    def __init__(self, roma: Roma | RemoteChat, principal: Principal | None = None, **params: Any) -> None:
        super().__init__(sizing_mode="stretch_width", **params)
        service = roma if isinstance(roma, RemoteChat) else ChatService(roma, principal)
        channel = ChatChannel(service, self._send_msg)
        self.on_msg(lambda event: channel.receive(event.data))

    @classmethod
    def from_settings(cls, settings: Settings) -> ChatPane:
        """Return the chat of the service at ``ROMA_URL`` with the token of ``ROMA_TOKEN``; without one, of a workspace.

        >>> ChatPane.from_settings(Settings.load()).servable()  # doctest: +SKIP
        """
        if settings.serving.url:
            return cls(RemoteChat(settings.serving.url, os.environ.get(TOKEN_VARIABLE, "")))
        from roma_core.app import build_roma

        return cls(build_roma(settings))
