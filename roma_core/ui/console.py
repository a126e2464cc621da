"""The console: a chat that streams, with badges that open the words they cite. The same object in a notebook."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

import panel as pn
import panel_material_ui as pmui

from roma_core.errors import AgentFailure, guarded
from roma_core.types import Document, Persona, Query
from roma_core.ui.answer import safe_pane, typed_pane
from roma_core.ui.render import to_html
from roma_core.ui.reply import Reply

if TYPE_CHECKING:
    from roma_core.app import Roma

COLOURS = {"ok": "success", "degraded": "warning", "down": "error"}
HELP = "Ask about the documents …"
HELLO = "**Ask a question below.** Each statement of an answer has a number: click it to see the words it stands on."
THEME = {
    "light": {"palette": {"primary": {"main": "#1d4ed8"}}},
    "dark": {"palette": {"primary": {"main": "#93c5fd"}}},
}
"""The blue of the badges, and one that can be read on black."""
MAIN_WIDTH = 900
"""Pixels: longer lines are hard to read."""


class Console:
    """One person's conversation. ``page()`` for the server, ``chat`` alone for a notebook."""

    def __init__(self, roma: Roma, tenant: str | None = None) -> None:
        self.roma = roma
        self.tenant = tenant or roma.settings.tenant
        self.session_id = uuid.uuid4().hex
        self.persona = pmui.Select(
            label="Written for",
            options={persona.capitalize(): persona for persona in get_args(Persona)},
            value="general",
            sizing_mode="stretch_width",
        )
        self.passages = pmui.IntSlider(
            label="Passages read for an answer", start=1, end=20, value=5, sizing_mode="stretch_width"
        )
        # Only the look of Panel's chat: it hands a callback what a message shows, which is HTML, not what was typed.
        self.chat = pmui.ChatInterface(
            show_rerun=False,
            show_undo=False,
            show_clear=False,  # it would leave the session as it is; a new conversation does both
            show_button_name=False,
            message_params={
                "show_copy_icon": False,  # it would copy HTML
                "show_edit_icon": False,
                "show_reaction_icons": False,
                "show_timestamp": False,
            },
            on_submit=lambda event, _: self.ask(event.new),
            input_params={"enable_upload": False, "placeholder": HELP},
            sizing_mode="stretch_both",
            min_height=420,
        )
        self.health = pn.Column(pmui.Typography("Looking after ROMA's parts …", variant="caption"))
        self._turn = asyncio.Lock()
        self._answering: set[asyncio.Task[AgentFailure | None]] = set()

    def page(self) -> pmui.Page:
        """The whole page."""
        hello = self._greet()

        async def loaded() -> None:
            await self._count(hello)
            await self._look_after_health()

        pn.state.onload(loaded)
        if pn.state.curdoc:
            pn.state.on_session_destroyed(lambda _: self.stop())  # nobody reads it any more
        fresh = pmui.Button(
            label="New conversation", variant="outlined", sizing_mode="stretch_width", on_click=self._start_anew
        )
        return pmui.Page(
            title="ROMA",
            site_url="#",  # "/" is nothing that a person could read
            main=[self.chat],
            main_width=MAIN_WIDTH,
            app_bar_width="100%",
            sidebar=[
                fresh,
                pmui.Divider(sizing_mode="stretch_width"),
                self.persona,
                self.passages,
                pmui.Divider(sizing_mode="stretch_width"),
                self.health,
            ],
            sidebar_width=280,
            sidebar_open=not on_a_phone(pn.state.headers),
            theme_config=THEME,
            theme_toggle=True,
        )

    def ask(self, question: str) -> None:
        """Ask ``question``, each character as it was typed, when the answers are written that it may refer to."""
        if not question.strip():
            return
        query = Query(
            text=question,
            persona=self.persona.value,
            top_k=self.passages.value,
            session_id=self.session_id,
            tenant=self.tenant,
        )
        reply = Reply(question, ask=self.ask, read=self._read, draw=self._draw)
        self.chat.send(typed_pane(question), user="User", respond=False)
        self.chat.send(reply.view, user="ROMA", respond=False)
        pn.state.execute(partial(self._answer, query, reply))

    def stop(self) -> None:
        """Stop all answers that are being written or wait for their turn."""
        for task in tuple(self._answering):
            task.cancel()

    async def _answer(self, query: Query, reply: Reply) -> None:
        task = asyncio.ensure_future(self._in_turn(query, reply))
        self._answering.add(task)
        reply.stop.on_click(lambda _: task.cancel())
        await asyncio.wait({task})
        self._answering.discard(task)
        if task.cancelled():
            reply.stopped()
        elif (failed := task.result()) is not None:
            reply.fail(failed)
        await self._look_after_health()

    async def _in_turn(self, query: Query, reply: Reply) -> AgentFailure | None:
        async with self._turn:
            reply.begin()
            return await guarded("console", self._write(query, reply))

    async def _write(self, query: Query, reply: Reply) -> None:
        async with aclosing(self.roma.stream_query(query)) as events:
            async for event in events:
                if reply.show(event):
                    await asyncio.sleep(0)  # let the server send it

    async def _read(self, document_id: str) -> Document | AgentFailure:
        return await self.roma.document(document_id, self.tenant)

    async def _draw(self, document: Document, number: int) -> bytes | AgentFailure:
        return await self.roma.source_page(document, number, self.tenant)

    async def _look_after_health(self) -> None:
        """The whole in one chip, then only what is not well, with its reason in small print."""
        report = await self.roma.health()
        unwell = [c for c in report.components if c.state != "ok"]
        shown = [("ROMA", report.state), *((c.name, c.state) for c in unwell)]
        self.health[:] = [
            pmui.Typography(f"Version {report.version}", variant="caption"),
            *(
                pmui.Chip(label=f"{name}: {state}", color=COLOURS[state], size="small", variant="outlined")
                for name, state in shown
            ),
            *(safe_pane(f"{c.name}: {c.reason}", small=True, margin=(0, 10)) for c in unwell if c.reason),
        ]

    async def _start_anew(self, _: object = None) -> None:
        self.stop()
        self.session_id = uuid.uuid4().hex
        self.chat.clear()
        await self._count(self._greet())

    def _greet(self) -> pn.pane.HTML:
        """At once, so that it stands above the first question; what there is to be asked is counted later."""
        hello = safe_pane(HELLO)
        self.chat.send(pn.Column(hello, sizing_mode="stretch_width"), user="ROMA", respond=False)
        return hello

    async def _count(self, hello: pn.pane.HTML) -> None:
        counts = await guarded("store", self.roma.store.counts(self.tenant))
        hello.object = to_html(greeting(counts))


def on_a_phone(headers: Mapping[str, str]) -> bool:
    """Whether the sidebar would lie over the conversation. Phones say "Mobi" (MDN, on user agents)."""
    return any("Mobi" in value for name, value in headers.items() if name.lower() == "user-agent")


def greeting(counts: tuple[int, int] | AgentFailure) -> str:
    """Markdown for an empty conversation."""
    if isinstance(counts, AgentFailure):
        return f"**The documents cannot be reached.** {counts.message}"
    documents, passages = counts
    if not documents:
        return "**There are no documents yet.** Bring some in with `roma ingest FOLDER`, then ask here."
    return f"{HELLO}\n\n{documents:,} documents in {passages:,} passages can be asked about."


def mount(app: Any, roma: Roma, path: str = "/console", tenant: Callable[[], str | None] = lambda: None) -> None:
    """Serve the console of ``roma`` at ``path`` of the FastAPI ``app``: one conversation for each browser tab.

    ``tenant`` tells whose documents the person who opens a tab may see; None is the tenant of the settings.
    """
    from panel.io.fastapi import add_application

    @add_application(path, app=app, title="ROMA console")  # type: ignore[untyped-decorator]
    def console() -> pmui.Page:
        return Console(roma, tenant()).page()
