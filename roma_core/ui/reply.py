"""Message of one answer: the work in progress, the text as it comes, then sources, remarks and rating."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Literal

import panel as pn
import panel_material_ui as pmui

from roma_core.errors import AgentFailure
from roma_core.types import CompleteEvent, ErrorEvent, StageEvent, StreamEvent, TailorOutput, TokenEvent
from roma_core.ui.answer import (
    PLAIN,
    AnswerText,
    degraded_alert,
    describe_stage,
    failure_alert,
    footnote,
    render_answer,
)
from roma_core.ui.render import to_html
from roma_core.ui.sources import Draw, Read, Sources

REDRAW_S = 0.05
"""Tokens are drawn at most this often: a person sees no difference, the browser does."""
WAITING = "Waiting for the answer above …"
READING = "Reading the question …"

Ask = Callable[[str], None]
Rating = Literal["up", "down"]
Rate = Callable[[str, Rating], Awaitable[AgentFailure | None]]
"""Keeps an opinion about the answer with an id."""
PALE, CHOSEN, FAILED = ({"color": colour} for colour in ("text.disabled", "primary.main", "error.main"))


class AnswerMessage:
    """Message of one answer, in ``view``. "Try again" asks ``question`` again, unchanged."""

    def __init__(self, question: str, *, ask: Ask, read: Read, draw: Draw, rate: Rate) -> None:
        self._question = question
        self._ask, self._read, self._draw, self._rate = ask, read, draw, rate
        self._words, self._drawn, self._began = "", 0.0, time.monotonic()
        self._text = AnswerText(sizing_mode="stretch_width")
        self._status = pmui.Typography(READING, variant="caption", margin=(0, 8), align="center")
        self.stop = pmui.Button(label="Stop", variant="text", size="small", margin=0, align="center")
        spinner = pmui.LoadingSpinner(value=True, size=20, margin=0, align="center")
        waiting = pn.Row(spinner, self._status, self.stop, margin=(0, 0, 8, 0))
        self.view = pn.Column(waiting, self._text, sizing_mode="stretch_width")

    def wait(self) -> None:
        """Show that another answer, which the question may refer to, is being written."""
        self._status.object = WAITING

    def begin(self) -> None:
        """Show that the question is being read."""
        self._began = time.monotonic()
        self._status.object = READING

    def show(self, event: StreamEvent) -> bool:
        """Draw ``event``; return whether there is something to send to the browser now."""
        match event:
            case StageEvent():
                self._status.object = describe_stage(event)
                self._draw_words()
            case TokenEvent():
                self._words += event.text
                if time.monotonic() - self._drawn < REDRAW_S:
                    return False
                self._draw_words()
            case CompleteEvent(output=output):
                self.complete(output, f"{time.monotonic() - self._began:.1f} s")
            case ErrorEvent(failure=failure):
                self.fail(failure)
        return True

    def complete(self, output: TailorOutput, note: str, rating: Rating | None = None) -> None:
        """Show the whole answer; ``note`` is added to the footnote, ``rating`` is an earlier rating."""
        thumbs = rating_buttons(partial(self._rate, output.answer_id), rating) if output.answer_id else []
        last = pn.FlexBox(footnote(output, note), *thumbs, align_items="center", margin=(8, 0, 0, 0))
        self._text.html = render_answer(output)
        self.view[:] = [self._text, *self._below(output), last]

    def fail(self, failure: AgentFailure) -> None:
        """Show the words so far, the failure, and another try where that may help."""
        self._draw_words()
        self.view[:] = [self._text, failure_alert(failure, lambda: self._ask(self._question))]

    def stopped(self) -> None:
        """Show the text so far and that the answer was stopped."""
        self._draw_words()
        again = pmui.Button(label="Ask again", variant="outlined", size="small", margin=(4, 0))
        again.on_click(lambda _: self._ask(self._question))
        self.view[:] = [self._text, pmui.Typography("Stopped.", variant="caption", margin=(4, 0)), again]

    def _draw_words(self) -> None:
        self._text.html, self._drawn = to_html(self._words), time.monotonic()

    def _below(self, output: TailorOutput) -> list[Any]:
        parts: list[Any] = []
        if output.citations:
            sources = Sources(output.citations, self._read, self._draw)
            self._text.param.watch(lambda event: sources.open(event.new), "picked")
            parts += [
                pmui.Typography("Sources", variant="subtitle2", css_classes=PLAIN, margin=(12, 0, 4, 0)),
                sources.view,
            ]
        if output.degraded:
            parts.append(degraded_alert(output))
        if output.follow_ups:
            parts.append(pn.FlexBox(*map(self._pill, output.follow_ups), margin=(8, 0, 0, 0)))
        return parts

    def _pill(self, question: str) -> pmui.Button:
        pill = pmui.Button(label=question, variant="outlined", size="small", margin=3, css_classes=["roma-follow-up"])
        pill.on_click(lambda _: self._ask(question))
        return pill


def rating_buttons(
    rate: Callable[[Rating], Awaitable[AgentFailure | None]], given: Rating | None = None
) -> list[pmui.IconButton]:
    """Return two thumbs; the one that was pressed last, and stored, is coloured."""
    up, down = (
        pmui.IconButton(
            icon=f"thumb_{rating}",
            description=f"A {said} answer",
            icon_size="16px",
            size="small",
            margin=0,
            sx=CHOSEN if rating == given else PALE,
        )
        for rating, said in (("up", "good"), ("down", "bad"))
    )

    async def press(rating: Rating, pressed: pmui.IconButton, other: pmui.IconButton, _: object) -> None:
        failed = await rate(rating)
        pressed.sx = FAILED if failed else CHOSEN
        pressed.description = failed.message if failed else "Thank you"
        other.sx = PALE

    up.on_click(partial(press, "up", up, down))
    down.on_click(partial(press, "down", down, up))
    return [up, down]
