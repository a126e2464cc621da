"""The chat as a Panel component: ``panel serve dashboards/chat.py``, and beside other panes of a dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import panel as pn

from roma_core.ui.chat.assets import bundle, read_styles
from roma_core.ui.chat.channel import ChatChannel
from roma_core.ui.chat.service import ChatService

if TYPE_CHECKING:
    from roma_core.app import Roma
    from roma_core.types import Principal


class ChatPane(pn.custom.AnyWidgetComponent):  # type: ignore[misc]
    """The chat in a Panel app.

    >>> ChatPane(roma).servable()  # doctest: +SKIP
    """

    _esm = bundle()
    _stylesheets = [read_styles()]  # noqa: RUF012

    def __init__(self, roma: Roma, principal: Principal | None = None, **params: Any) -> None:
        super().__init__(sizing_mode="stretch_width", **params)
        channel = ChatChannel(ChatService(roma, principal), self.send)
        self.on_msg(lambda event: channel.receive(event.data))
