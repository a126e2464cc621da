"""The console: a chat that streams, with badges that open the words they cite. The same object in a notebook."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any, get_args

import panel as pn
import panel_material_ui as pmui

from roma_core.errors import AgentFailure, guarded
from roma_core.types import CompleteEvent, Document, ErrorEvent, Persona, Query, StageEvent, TailorOutput, TokenEvent
from roma_core.ui.answer import (
    AnswerText,
    failure_alert,
    footnote,
    safe_pane,
    source_list,
    stage_words,
    with_badges,
)
from roma_core.ui.render import to_html

if TYPE_CHECKING:
    from roma_core.app import Roma

REDRAW_S = 0.05
"""Tokens are drawn at most this often: a person sees no difference, the browser does."""
COLOURS = {"ok": "success", "degraded": "warning", "down": "error"}
HELP = "Ask about the documents in this workspace …"


class ChatMessage(pmui.ChatMessage):  # type: ignore[misc]
    """A message that keeps its renderers to itself: functions cannot be sent to the browser.

    The name must stay: the browser's bundle finds a component by its class name.
    """

    _rename = {**pmui.ChatMessage._rename, "renderers": None}  # noqa: RUF012


class ChatInterface(pmui.ChatInterface):  # type: ignore[misc]
    _message_type = ChatMessage
    _rename = {**pmui.ChatInterface._rename, "renderers": None}  # noqa: RUF012


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
        self.chat = ChatInterface(
            callback=self._reply,
            callback_user="ROMA",
            callback_exception="raise",
            show_rerun=False,
            show_undo=False,
            show_clear=False,  # it would leave the session as it is; a new conversation does both
            show_button_name=False,
            placeholder_text="Reading …",
            message_params={"show_edit_icon": False, "show_reaction_icons": False},
            renderers=[_safe],
            on_submit=lambda event, _: self.ask(event.new),
            input_params={"enable_upload": False, "placeholder": HELP},
            sizing_mode="stretch_both",
            min_height=420,
        )

    def page(self) -> pmui.Page:
        """The whole page."""
        status = pn.Column(sizing_mode="stretch_width")

        async def loaded() -> None:
            await self.welcome()
            await self._fill_status(status)

        pn.state.onload(loaded)
        fresh = pmui.Button(label="New conversation", variant="outlined", sizing_mode="stretch_width")
        fresh.on_click(self._start_anew)
        return pmui.Page(
            title="ROMA",
            main=[self.chat],
            sidebar=[self.persona, self.passages, fresh, pmui.Divider(), status],
            sidebar_width=280,
            sidebar_open=not on_a_phone(pn.state.headers),
            theme_toggle=True,
        )

    def ask(self, question: str) -> None:
        """Send ``question`` as text: the chat's own way wraps it in Markdown, which would run its HTML."""
        if question.strip():
            self.chat.send(question, user="User", respond=True)

    async def _reply(self, question: str, user: str, chat: Any) -> AsyncIterator[pn.Column]:
        text = AnswerText(sizing_mode="stretch_width")
        status = pmui.Typography("Reading …", variant="caption")
        waiting = pn.Row(pmui.LoadingSpinner(value=True, size=20), status)
        message = pn.Column(waiting, text, sizing_mode="stretch_width")
        yield message
        query = Query(
            text=question,
            persona=self.persona.value,
            top_k=self.passages.value,
            session_id=self.session_id,
            tenant=self.tenant,
        )
        words, drawn = "", 0.0
        async for event in self.roma.stream_query(query):
            match event:
                case StageEvent():
                    status.object = stage_words(event)
                case TokenEvent():
                    words += event.text
                    if time.monotonic() - drawn > REDRAW_S:
                        text.html, drawn = to_html(words), time.monotonic()
                        await asyncio.sleep(0)  # let the server send it
                case CompleteEvent(output=output):
                    text.html = with_badges(output)
                    message[:] = [text, *self._below(output, text)]
                case ErrorEvent(failure=failure):
                    message[:] = [text, failure_alert(failure, lambda: self.ask(question))]

    def _below(self, output: TailorOutput, text: AnswerText) -> list[Any]:
        parts: list[Any] = []
        if output.citations:
            sources = source_list(output.citations, self._read, self._draw)
            text.param.watch(lambda e: _open(sources, output, e.new), "picked")
            parts += [pmui.Typography(f"Sources ({len(output.citations)})", variant="subtitle2"), sources]
        if output.degraded:
            parts.append(
                pmui.Alert(
                    safe_pane("; ".join(output.degraded_reasons) or "A part of ROMA was away."),
                    title="This answer may be incomplete",
                    severity="warning",
                    sizing_mode="stretch_width",
                )
            )
        if output.follow_ups:
            parts.append(pn.FlexBox(*(self._pill(f) for f in output.follow_ups)))
        return [*parts, pn.pane.HTML(footnote(output))]

    async def _read(self, document_id: str) -> Document | AgentFailure:
        return await self.roma.document(document_id, self.tenant)

    async def _draw(self, document: Document, number: int) -> bytes | AgentFailure:
        return await self.roma.source_page(document, number, self.tenant)

    def _pill(self, question: str) -> pmui.Button:
        pill = pmui.Button(label=question, variant="outlined", size="small", margin=3, css_classes=["roma-follow-up"])
        pill.on_click(lambda _: self.ask(question))
        return pill

    async def _fill_status(self, status: pn.Column) -> None:
        """The whole in one chip, then only what is not well; reasons in small print."""
        report = await self.roma.health()
        shown = [("ROMA", report.state), *((c.name, c.state) for c in report.components if c.state != "ok")]
        status[:] = [
            pmui.Typography(f"version {report.version}", variant="caption"),
            *(
                pmui.Chip(label=f"{name}: {state}", color=COLOURS[state], size="small", variant="outlined")
                for name, state in shown
            ),
            *(safe_pane(f"{c.name}: {c.reason}", small=True) for c in report.components if c.reason),
        ]

    async def _start_anew(self, _: object = None) -> None:
        self.session_id = uuid.uuid4().hex
        self.chat.clear()
        await self.welcome()

    async def welcome(self) -> None:
        """What there is to be asked, and how answers are to be read; or how to bring documents in."""
        counts = await guarded("store", self.roma.store.counts(self.tenant))
        self.chat.send(safe_pane(greeting(counts)), user="ROMA", respond=False)


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
    return (
        f"**{documents:,} documents, {passages:,} passages.** Ask a question below. Each statement of an answer has a "
        "number: click it to see the words that it stands on, in their document."
    )


def _safe(value: object) -> object:
    """What a person typed, or a follow-up that a document suggested: text, never markup."""
    return safe_pane(value) if isinstance(value, str) else value


def _open(sources: pmui.Accordion, output: TailorOutput, marker: int) -> None:
    """Open the cards of ``marker``; the others stay as they are."""
    wanted = {i for i, c in enumerate(output.citations) if c.marker == marker}
    sources.active = sorted({*sources.active, *wanted})


def mount(app: Any, roma: Roma, path: str = "/console", tenant: Callable[[], str | None] = lambda: None) -> None:
    """Serve the console of ``roma`` at ``path`` of the FastAPI ``app``: one conversation for each browser tab.

    ``tenant`` tells whose documents the person who opens a tab may see; None is the tenant of the settings.
    """
    from panel.io.fastapi import add_application

    @add_application(path, app=app, title="ROMA console")  # type: ignore[untyped-decorator]
    def console() -> pmui.Page:
        return Console(roma, tenant()).page()
