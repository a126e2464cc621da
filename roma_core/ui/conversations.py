"""Earlier conversations of one person: opened, renamed and deleted here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import panel as pn
import panel_material_ui as pmui

from roma_core.errors import AgentFailure, guarded
from roma_core.types import Citation, Document, TailorOutput
from roma_core.ui.answer import failure_alert
from roma_core.ui.reply import Rating
from roma_core.ui.sources import Read

if TYPE_CHECKING:
    from roma_core.app import Roma
    from roma_core.sessions.service import Reference, Turn

MOST = 50
"""Conversations that are listed."""
ACTIONS = [
    {"label": "Rename", "icon": "edit", "inline": True},
    {"label": "Delete", "icon": "delete", "inline": True},
]
"""Buttons in the row: the menu of the list would stay open over the dialog."""
SMALL = {
    "& .MuiIconButton-root": {"padding": "2px", "color": "text.secondary"},
    "& .MuiIcon-root": {"fontSize": "18px"},
}


class Past(NamedTuple):
    """A stored turn, ready to be shown."""

    question: str
    output: TailorOutput
    rating: Rating | None


class Conversations:
    """List of the conversations whose ids begin with ``prefix``, in ``view``.

    ``opened`` and ``deleted`` are called with an id.
    """

    def __init__(
        self,
        roma: Roma,
        tenant: str,
        prefix: str,
        *,
        opened: Callable[[str], Awaitable[None]],
        deleted: Callable[[str], Awaitable[None]],
    ) -> None:
        self._roma, self._tenant, self._prefix = roma, tenant, prefix
        self._opened, self._deleted = opened, deleted
        self._current, self._chosen = "", ""
        self.list = pmui.MenuList(items=[], sizing_mode="stretch_width", sx=SMALL)
        self.list.on_click(self._open)
        self.list.on_action("Rename", self._ask_title)
        self.list.on_action("Delete", self._ask_whether)
        self._title = pmui.TextInput(label="Title", sizing_mode="stretch_width", max_length=200)
        self._done = pmui.Button(label="Done", on_click=self._do)
        cancel = pmui.Button(label="Cancel", variant="text", on_click=lambda _: self._close())
        self._dialog = pmui.Dialog(self._title, pn.Row(self._done, cancel), title_variant="h6", close_on_click=True)
        self._heading = pmui.Typography("Earlier conversations", variant="subtitle2", margin=(8, 10, 0, 10))
        self.view = pn.Column(self._heading, self.list, self._dialog, visible=False, sizing_mode="stretch_width")

    async def refresh(self) -> None:
        """List the conversations again, the last used first."""
        found = await guarded("sessions", self._roma.sessions.list(self._tenant, MOST, self._prefix))
        if isinstance(found, AgentFailure):
            self._show(found)
            return
        self.list.items = [{"label": s.title, "icon": None, "id": s.id, "actions": ACTIONS} for s in found]
        self.mark(self._current)
        self._show()

    def mark(self, current: str) -> None:
        """Mark the open conversation; a new one is not listed yet."""
        self._current = current
        self.list.value = None  # the same one may have moved, which the list would not notice
        self.list.value = next((item for item in self.list.items if item["id"] == current), None)

    async def past(self, session_id: str, read: Read, most: int) -> list[Past] | AgentFailure:
        """Return the last questions and answers of a conversation, with their ratings."""
        return await guarded("sessions", self._past(session_id, read, most))

    async def _past(self, session_id: str, read: Read, most: int) -> list[Past]:
        sessions = self._roma.sessions
        turns = await sessions.turns(self._tenant, session_id, most)
        opinions = await sessions.feedback(self._tenant, session_id=session_id)
        ratings = {opinion.answer_id: opinion.rating for opinion in opinions}
        return [Past(turn.question, await restore_answer(turn, read), ratings.get(turn.answer_id)) for turn in turns]

    async def _open(self, item: dict[str, Any]) -> None:
        await self._opened(item["id"])

    def _ask_title(self, item: dict[str, Any]) -> None:
        self._ask(item, "Rename the conversation", "Rename")
        self._title.param.update(value=item["label"], visible=True)

    def _ask_whether(self, item: dict[str, Any]) -> None:
        self._ask(item, f"Delete “{item['label']}”?", "Delete")
        self._title.visible = False

    def _ask(self, item: dict[str, Any], question: str, action: str) -> None:
        self._chosen = item["id"]
        self._done.param.update(label=action, color="error" if action == "Delete" else "primary")
        self._dialog.param.update(title=question, open=True)

    def _close(self) -> None:
        self._dialog.open = False

    async def _do(self, _: object) -> None:
        self._close()
        sessions, deletes, title = self._roma.sessions, self._done.label == "Delete", self._title.value.strip()
        if deletes:
            failed = await guarded("sessions", sessions.delete(self._tenant, self._chosen))
        elif title:
            failed = await guarded("sessions", sessions.rename(self._tenant, self._chosen, title))
        else:
            return
        await self.refresh()
        if failed is not None:
            self._show(failed)
        elif deletes:
            await self._deleted(self._chosen)

    def _show(self, failure: AgentFailure | None = None) -> None:
        trouble = [failure_alert(failure)] if failure else []
        self.view[:] = [self._heading, *trouble, self.list, self._dialog]
        self.view.visible = bool(trouble or self.list.items)


async def restore_answer(turn: Turn, read: Read) -> TailorOutput:
    """Return a stored answer. Its citations were stored without their words, which are read again."""
    documents = {id_: await read(id_) for id_ in {reference.document_id for reference in turn.references}}
    citations = tuple(_cited(reference, documents[reference.document_id]) for reference in turn.references)
    return TailorOutput(
        answer=turn.answer,
        citations=citations,
        answer_id=turn.answer_id,
        model=turn.model,
        answered=turn.answered,
    )


def _cited(reference: Reference, document: Document | AgentFailure) -> Citation:
    quote = document.text[reference.start : reference.end] if isinstance(document, Document) else ""
    return Citation(**reference.model_dump(), quote=quote, chunk_id="", answer_start=0, answer_end=0)
