"""The chat in JupyterLab, VS Code, marimo and other places that show anywidgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anywidget

from roma_core import display
from roma_core.ui.chat.assets import bundle, read_styles
from roma_core.ui.chat.channel import ChatChannel
from roma_core.ui.chat.service import ChatService

if TYPE_CHECKING:
    from roma_core.app import Roma
    from roma_core.types import Principal


class Chat(anywidget.AnyWidget):  # type: ignore[misc]
    """The chat of a notebook: the last value of a cell shows it.

    >>> Chat(roma)  # doctest: +SKIP
    """

    _esm = bundle()
    _css = read_styles()

    def __init__(self, roma: Roma, principal: Principal | None = None) -> None:
        super().__init__()
        self._channel = ChatChannel(ChatService(roma, principal), self.send)
        self.on_msg(self._receive)

    def _receive(self, widget: Any, message: Any, buffers: Any) -> None:
        self._channel.receive(message)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return the widget, and a sentence for pages without a kernel."""
        bundle = super()._repr_mimebundle_(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        said = "The chat needs a running kernel: run this cell in JupyterLab, or roma serve for the console."
        return {**data, "text/html": display.box(display.paragraph(said))}, metadata
