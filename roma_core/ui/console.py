"""Console: a chat that streams, with badges that open the cited words. A notebook shows the same object."""

from __future__ import annotations

import asyncio
import secrets
import uuid
from collections.abc import Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import panel as pn
import panel_material_ui as pmui

from roma_core.errors import AgentFailure, guarded
from roma_core.types import Document, Persona, Query
from roma_core.ui.answer import failure_alert, safe_html, safe_pane, typed_pane
from roma_core.ui.conversations import Conversations, Past
from roma_core.ui.reply import AnswerMessage, Rating
from roma_core.ui.source_page import SourcePage

if TYPE_CHECKING:
    from roma_core.app import Roma

KEPT_MS = 60_000
"""How long a page that has lost its connection can come back to its conversation."""
COLOURS = {"ok": "success", "degraded": "warning", "down": "error"}
HELP = "Ask about the documents …"
HELLO = "**Ask a question below.** Each statement of an answer has a number: click it to see the words it stands on."
PAST = 10
"""Turns of an earlier conversation that are shown at once: Panel takes a quarter of a second for each."""
RECALLED = "from an earlier conversation"
BLUE = "#1d4ed8"
THEME = {
    "light": {"palette": {"primary": {"main": BLUE}}},
    "dark": {"palette": {"primary": {"main": "#93c5fd"}}},
}
"""The blue of the badges, and one that can be read on black."""
MAIN_WIDTH = 900
"""Pixels: longer lines are hard to read."""


class Person(Protocol):
    """User of the console: owner of the searched documents and of the listed conversations."""

    @property
    def id(self) -> str:
        """Return the id; ids of the person's sessions begin with it."""
        ...

    @property
    def tenant(self) -> str:
        """Return the tenant whose documents are searched."""
        ...

    def allows(self, scope: Literal["ingest"]) -> bool:
        """Return whether the person may have sources read again."""
        ...


class Console:
    """One person's conversation. ``page()`` for the server, ``chat`` alone for a notebook.

    Ids of its sessions begin with ``person``: the API separates tenants, the console also the people of a tenant.
    """

    def __init__(self, roma: Roma, tenant: str | None = None, person: str = "local") -> None:
        self.roma = roma
        self.tenant = tenant or roma.settings.tenant
        self._mine = f"{person}:"
        self.earlier = Conversations(
            roma, self.tenant, self._mine, opened=self.open_conversation, deleted=self._start_anew_without
        )
        self.session_id = self._fresh_id()
        self.earlier.mark(self.session_id)
        self.persona = pmui.Select(
            label="Written for",
            options={persona.capitalize(): persona for persona in get_args(Persona)},
            value="general",
            sizing_mode="stretch_width",
        )
        self.passages = pmui.IntSlider(
            label="Passages read for an answer", start=1, end=20, value=5, sizing_mode="stretch_width"
        )
        self.chat = make_chat(self.ask)
        self.health = pn.Column(pmui.Typography("Checking ROMA's parts …", variant="caption"))
        self._opening = ""
        self._uncover: Callable[[], None] = lambda: None
        self._turn = asyncio.Lock()
        self._answering: set[asyncio.Task[AgentFailure | None]] = set()

    def page(self) -> pmui.Page:
        """Return the whole page."""
        hello = self._greet()

        async def loaded() -> None:
            await self._count(hello)
            await self.earlier.refresh()
            await self._show_health()

        pn.state.onload(loaded)
        if pn.state.curdoc:
            pn.state.on_session_destroyed(lambda _: self.stop())  # its reader is gone
        phone = is_phone(pn.state.headers)
        page = pmui.Page(
            title="ROMA",
            site_url="#",  # "/" is nothing that a person could read
            main=[self.chat],
            main_width=MAIN_WIDTH,
            app_bar_width="100%",
            sidebar=self._sidebar(),
            sidebar_width=280,
            sidebar_open=not phone,
            theme_config=THEME,
            sx={"& .header": {"backgroundColor": BLUE, "color": "#fff"}},  # the title is white in the dark too
            theme_toggle=True,
        )
        if phone:  # where the sidebar lies over the conversation that was chosen in it
            self._uncover = partial(page.param.update, sidebar_open=False)
        return page

    def _sidebar(self) -> list[Any]:
        wide = "stretch_width"
        fresh = pmui.Button(label="New conversation", variant="outlined", sizing_mode=wide, on_click=self.start_anew)
        settings = pn.Column(self.persona, self.passages, margin=(8, 0), sizing_mode=wide)
        return [fresh, settings, self.earlier.view, pmui.Divider(sizing_mode=wide, margin=(8, 0)), self.health]

    def ask(self, question: str) -> None:
        """Ask ``question``, unchanged, once the answers that it may refer to are written."""
        if not question.strip():
            return
        query = Query(
            text=question,
            persona=self.persona.value,
            top_k=self.passages.value,
            session_id=self.session_id,
            tenant=self.tenant,
        )
        self._opening = ""
        reply = self._reply(question, self.session_id)
        self.chat.extend([*make_exchange(question, reply)])
        pn.state.execute(partial(self._answer, query, reply))

    async def open_conversation(self, session_id: str, most: int = PAST) -> None:
        """Show the last ``most`` turns of an earlier conversation; the next question continues it."""
        self._opening = session_id
        found = await self.earlier.past(session_id, self._read, most + 1)
        if isinstance(found, AgentFailure):
            shown = [make_message(failure_alert(found))]
        else:
            shown = [self._more(session_id, most)] if len(found) > most else []
            for past in found[-most:]:
                shown += self._again(session_id, past)
                await asyncio.sleep(0)  # making one takes a while, and others are served meanwhile
        if self._opening == session_id:  # nothing else was chosen or asked since
            self._begin(session_id)
            self.chat.extend(shown)

    def _again(self, session_id: str, past: Past) -> tuple[pmui.ChatMessage, pmui.ChatMessage]:
        reply = self._reply(past.question, session_id)
        sources = "; sources are shown as they read now" if past.output.citations else ""
        reply.complete(past.output, RECALLED + sources, past.rating)
        return make_exchange(past.question, reply)

    def _more(self, session_id: str, most: int) -> pmui.ChatMessage:
        button = pmui.Button(label="Show earlier questions", variant="text", size="small", margin=0)
        button.on_click(lambda _: pn.state.execute(partial(self.open_conversation, session_id, 2 * most)))
        return make_message(button)

    def stop(self) -> None:
        """Stop all answers that are being written or queued."""
        for task in tuple(self._answering):
            task.cancel()

    def _reply(self, question: str, session_id: str) -> AnswerMessage:
        rate = partial(self._rate, session_id)
        return AnswerMessage(question, ask=self.ask, read=self._read, draw=self._draw, rate=rate)

    async def _answer(self, query: Query, reply: AnswerMessage) -> None:
        task = asyncio.ensure_future(self._in_turn(query, reply))
        self._answering.add(task)
        reply.stop.on_click(lambda _: task.cancel())
        await asyncio.wait({task})
        self._answering.discard(task)
        if task.cancelled():
            reply.stopped()
        elif (failed := task.result()) is not None:
            reply.fail(failed)
        await self.earlier.refresh()
        await self._show_health()

    async def _in_turn(self, query: Query, reply: AnswerMessage) -> AgentFailure | None:
        if self._turn.locked():
            reply.wait()
        async with self._turn:
            reply.begin()
            return await guarded("console", self._write(query, reply))

    async def _write(self, query: Query, reply: AnswerMessage) -> None:
        async with aclosing(self.roma.stream_query(query)) as events:
            async for event in events:
                if reply.show(event):
                    await asyncio.sleep(0)  # let the server send it

    async def _read(self, document_id: str) -> Document | AgentFailure:
        return await self.roma.document(document_id, self.tenant)

    async def _draw(self, document: Document, number: int) -> bytes | AgentFailure:
        return await self.roma.source_page(document, number, self.tenant)

    async def _rate(self, session_id: str, answer_id: str, rating: Rating) -> AgentFailure | None:
        return await self.roma.rate(answer_id, rating, session_id=session_id, tenant=self.tenant)

    async def _show_health(self) -> None:
        """Show the overall state in one chip, then only the parts that are not ``ok``, with their reasons."""
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

    def _fresh_id(self) -> str:
        return self._mine + uuid.uuid4().hex

    def _begin(self, session_id: str) -> None:
        self.stop()
        self.session_id, self._opening = session_id, ""
        self.earlier.mark(session_id)
        self.chat.clear()
        self._uncover()

    async def start_anew(self, _: object = None) -> None:
        self._begin(self._fresh_id())
        await self._count(self._greet())

    async def _start_anew_without(self, deleted: str) -> None:
        if deleted == self.session_id:
            await self.start_anew()

    def _greet(self) -> pn.pane.HTML:
        """Show the greeting at once, above the first question; the documents are counted later."""
        hello = safe_pane(HELLO)
        self.chat.append(make_message(pn.Column(hello, sizing_mode="stretch_width")))
        return hello

    async def _count(self, hello: pn.pane.HTML) -> None:
        counts = await guarded("store", self.roma.store.counts(self.tenant))
        hello.object = safe_html(compose_greeting(counts))


def make_chat(ask: Callable[[str], None]) -> pmui.ChatInterface:
    """Return Panel's chat for its look alone: a callback would get the HTML of a message instead of the typed text."""
    return pmui.ChatInterface(
        show_rerun=False,
        show_undo=False,
        show_clear=False,  # it would leave the session as it is; a new conversation does both
        show_button_name=False,
        on_submit=lambda event, _: ask(event.new),
        input_params={"enable_upload": False, "placeholder": HELP},
        auto_scroll_limit=100_000,  # pixels: a new question is shown, however far up one has read
        sizing_mode="stretch_both",
        min_height=420,
    )


def make_message(view: pn.viewable.Viewable, user: str = "ROMA") -> pmui.ChatMessage:
    """Return ``view`` as a message, without Panel's buttons: the one for copying would copy HTML."""
    return pmui.ChatMessage(
        view, user=user, show_copy_icon=False, show_edit_icon=False, show_reaction_icons=False, show_timestamp=False
    )


def make_exchange(question: str, reply: AnswerMessage) -> tuple[pmui.ChatMessage, pmui.ChatMessage]:
    """Return the messages of a question and, below it, of its answer."""
    return make_message(typed_pane(question), "User"), make_message(reply.view)


def is_phone(headers: Mapping[str, str]) -> bool:
    """Return whether the sidebar would cover the conversation. Phones send "Mobi" (MDN, on user agents)."""
    return any("Mobi" in value for name, value in headers.items() if name.lower() == "user-agent")


def compose_greeting(counts: tuple[int, int] | AgentFailure) -> str:
    """Return the Markdown for an empty conversation."""
    if isinstance(counts, AgentFailure):
        return f"**The documents cannot be reached.** {counts.message}"
    documents, passages = counts
    if not documents:
        return "**There are no documents yet.** Bring some in with `roma ingest FOLDER`, then ask here."
    return f"{HELLO}\n\n{documents:,} documents in {passages:,} passages can be asked about."


def mount(app: Any, roma: Roma, path: str = "/console", who: Callable[[], Person | None] = lambda: None) -> None:
    """Serve the console of ``roma`` at ``path`` of the FastAPI ``app``: one conversation for each browser tab.

    The sources stand at ``path/sources``.

    ``who`` returns the user who opens a tab; None is a local user, with the tenant of the settings.
    """
    from panel.io.fastapi import add_applications

    from roma_core.ui.sockets import patch_bokeh_fastapi

    patch_bokeh_fastapi()

    def console() -> pmui.Page:
        person = who()
        return (Console(roma, person.tenant, person.id) if person else Console(roma)).page()

    def sources() -> pmui.Page:
        person = who()
        if person is None:
            return SourcePage(roma).page()
        return SourcePage(roma, person.tenant, may_sync=person.allows("ingest")).page()

    add_applications(
        {path: console, f"{path}/sources": sources},
        app=app,
        title="ROMA console",
        sign_sessions=True,
        secret_key=secrets.token_bytes(32),  # of this process, whose end ends every session
        include_headers=["User-Agent"],  # what is kept stands in the page, and a password is among the headers
        include_cookies=[],
        unused_session_lifetime_milliseconds=KEPT_MS,
    )
