"""The chat over a widget's channel: calls come as messages, and their results go back as messages."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, Final

from pydantic import ValidationError

from roma_core.errors import AgentFailure, InputError, guarded
from roma_core.transcripts import FILE_FORMATS
from roma_core.ui.chat.remote import RemoteChat
from roma_core.ui.chat.service import ChatQuestion, ChatRating, ChatService
from roma_core.ui.chat.views import view_failure

Send = Callable[[dict[str, Any]], None]
PLAIN: Final = frozenset(
    "state conversations conversation rename delete stop source page compare suggestions related".split()
)
"""Methods of ``ChatService`` that a widget calls with values as they are."""


class ChatChannel:
    """Answers the calls of one widget. Each message is ``{"call": id, "name": method, "values": {...}}``."""

    def __init__(self, service: ChatService | RemoteChat, send: Send) -> None:
        self._service = service
        self._send = send
        self._tasks: set[asyncio.Task[None]] = set()

    def receive(self, message: Any) -> None:
        """Answer a message as soon as the event loop has time for it. Anything but a call is passed over."""
        if not isinstance(message, Mapping) or not isinstance(message.get("call"), str):
            return
        task = asyncio.ensure_future(self.handle(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def handle(self, message: Mapping[str, Any]) -> None:
        """Run a call and send its result or its failure."""
        call = message["call"]
        result = await guarded("console", self._run(call, str(message.get("name")), message.get("values") or {}))
        if isinstance(result, AgentFailure):
            self._send({"call": call, "kind": "failure", "value": view_failure(result)})
        else:
            self._send({"call": call, "kind": "result", "value": result})

    async def _run(self, call: str, name: str, values: Mapping[str, Any]) -> Any:
        if name == "follow":
            return await self._follow(call, str(values.get("record_id")))
        if name == "page_image":
            return await self._draw(values)
        if name in {"export", "export_answer"}:
            return await self._export(name, values)
        try:
            return await self._call(name, values)
        except (TypeError, ValidationError):
            raise InputError(f"The chat cannot be asked for {name!r} in this way.") from None

    def _call(self, name: str, values: Mapping[str, Any]) -> Awaitable[Any]:
        if name in PLAIN:
            method: Callable[..., Awaitable[Any]] = getattr(self._service, name)
            return method(**values)
        if name == "ask":
            question = ChatQuestion.model_validate(values.get("question"))
            return self._service.ask(str(values.get("conversation")), question, str(values.get("key")))
        if name == "rate":
            rating = ChatRating.model_validate(values.get("rating"))
            return self._service.rate(str(values.get("conversation")), str(values.get("answer_id")), rating)
        raise InputError(f"The chat has no call {name!r}.")

    async def _follow(self, call: str, record_id: str) -> None:
        async with aclosing(self._service.follow(record_id)) as updates:
            async for update in updates:
                self._send({"call": call, "kind": "update", "value": update})

    async def _export(self, name: str, values: Mapping[str, Any]) -> dict[str, str]:
        """Return an answer or a conversation as a file, its bytes as text of base 64."""
        chosen = next((known for known in FILE_FORMATS if known == values.get("format")), None)
        if chosen is None:
            raise InputError(f"The kind of the file is one of {', '.join(FILE_FORMATS)}.")
        if name == "export":
            file = await self._service.export(str(values.get("conversation")), chosen)
        else:
            file = await self._service.export_answer(str(values.get("record_id")), chosen)
        return {"name": file.name, "media_type": file.media_type, "data": base64.b64encode(file.data).decode()}

    async def _draw(self, values: Mapping[str, Any]) -> str:
        """Return a page as a data address: a notebook's page cannot ask this process for a picture."""
        drawn = await self._service.page_image(str(values.get("document_id")), int(values.get("number") or 1))
        if isinstance(drawn, AgentFailure):
            raise InputError(drawn.message)
        return f"data:image/png;base64,{base64.b64encode(drawn).decode()}"
