"""Words of an answer on a terminal while they come: rendered Markdown, as much of its end as the screen holds."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from roma_core.terminal import neutralise
from roma_core.types import StageEvent, StreamEvent, TokenEvent

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.live import Live
    from rich.markdown import Markdown

LONGEST_DRAWN = 6_000
"""Characters of a growing answer that are drawn, from its end: rendering all of a long one takes ever longer."""
ROWS_BELOW = 2
FRAMES_PER_S = 8


def render_markdown(text: str) -> Markdown:
    """Return text of documents and models as Markdown for rich, without control characters.

    Links are not clickable: an address that a document chose must not hide behind other words.
    """
    from rich.markdown import Markdown

    return Markdown(neutralise(text), hyperlinks=False)


class GrowingAnswer:
    """The last rows of an answer that is being written, or what is being done before its first word.

    The whole answer is printed when it is complete, so rows that scroll off above are not lost.
    """

    def __init__(self) -> None:
        self.says = ""
        self.text = ""

    def add(self, event: StreamEvent) -> None:
        """Take up an event."""
        if isinstance(event, StageEvent):
            self.says = event.says or event.stage
        if isinstance(event, TokenEvent):
            self.text += event.text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment
        from rich.text import Text

        if not self.text:
            yield Text(neutralise(self.says), style="dim")
            return
        rows = console.render_lines(render_markdown(_cut_end(self.text)), options, pad=False)
        for row in rows[-max(1, console.size.height - ROWS_BELOW) :]:
            yield from row
            yield Segment.line()


def _cut_end(text: str) -> str:
    """Return the end of a long text, from the beginning of a paragraph or line."""
    if len(text) <= LONGEST_DRAWN:
        return text
    end = text[-LONGEST_DRAWN:]
    for gap in ("\n\n", "\n"):
        _, found, rest = end.partition(gap)
        if found and rest.strip():
            return rest
    return end


@contextmanager
def open_live(growing: GrowingAnswer) -> Iterator[Live]:
    """Draw a growing answer and take it away at the end: the whole answer goes to stdout then."""
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=sys.stderr.isatty())
    with Live(
        growing, console=console, transient=True, refresh_per_second=FRAMES_PER_S, vertical_overflow="crop"
    ) as live:
        yield live


async def draw_events(events: AsyncIterator[StreamEvent]) -> AsyncGenerator[StreamEvent]:
    """Pass the events on, and show on the terminal what they tell.

    >>> async for event in draw_events(roma.stream_query("Why?")): ...  # doctest: +SKIP
    """
    growing = GrowingAnswer()
    with open_live(growing):
        async for event in events:
            growing.add(event)
            yield event
