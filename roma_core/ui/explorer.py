"""Explorer of a parsed file, page by page, for a notebook: static without a kernel, with a slider when live."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roma_core.display import Html
from roma_core.errors import AgentFailure, ParserError
from roma_core.types import Document
from roma_core.ui.jupyter import LiveView
from roma_core.ui.pages import render_page

if TYPE_CHECKING:
    import pandas as pd

    from roma_core.app import Roma

COLUMNS = ("number", "kind", "level", "page", "start", "end", "words")


class Explorer(LiveView):
    """A parsed file and one of its pages. A notebook shows that page, with a slider where a kernel runs."""

    def __init__(self, roma: Roma, path: Path, document: Document, page: int, rendered: bool, html: Html) -> None:
        self.document = document
        self._roma, self._path, self._page, self._rendered, self._html = roma, path, page, rendered, html
        self._drawing: set[asyncio.Task[None]] = set()

    async def view(self, page: int) -> Html:
        """Return the page's blocks beside its picture; without one for formats that have no pages to draw."""
        return await _view(self._roma, self._path, self.document, page, self._rendered)

    def widget(self) -> Any:
        """Return the page with a slider that turns the pages (ipywidgets)."""
        import ipywidgets

        numbers = [page.number for page in self.document.pages] or [self._page]
        slider = ipywidgets.SelectionSlider(
            options=numbers, value=self._page, description="Page", continuous_update=False
        )
        shown = ipywidgets.HTML(self._html)

        async def draw(number: int) -> None:
            html = await self.view(number)
            if slider.value == number:  # another may have been chosen meanwhile
                shown.value = html

        def chosen(change: Any) -> None:
            task = asyncio.ensure_future(draw(change.new))
            self._drawing.add(task)
            task.add_done_callback(self._drawing.discard)

        slider.observe(chosen, "value")
        return ipywidgets.VBox([slider, shown])

    def to_frame(self) -> pd.DataFrame:
        """Return a table of every block of the document with its place."""
        import pandas as pd

        blocks = enumerate(self.document.blocks, 1)
        rows = [(n, b.kind, b.level, b.page, b.start, b.end, b.of(self.document.text)[:80]) for n, b in blocks]
        table = pd.DataFrame(rows, columns=list(COLUMNS)).set_index("number")
        return table.astype({"level": "Int64", "page": "Int64"})

    def _repr_html_(self) -> str:
        return self._html


async def explore(roma: Roma, path: str | Path, *, page: int = 1, rendered: bool = False) -> Explorer:
    """Parse a file and draw its ``page``. Raises ``ParserError`` when it cannot be read or has no such page."""
    place = Path(path)
    document = await roma.parse(place)
    if isinstance(document, AgentFailure):
        raise ParserError(document.message, document.code)
    numbers = [p.number for p in document.pages]
    if numbers and page not in numbers:
        raise ParserError(f"There is no page {page}: the file has pages {numbers[0]} to {numbers[-1]}.")
    return Explorer(roma, place, document, page, rendered, await _view(roma, place, document, page, rendered))


async def _view(roma: Roma, path: Path, document: Document, page: int, rendered: bool) -> Html:
    if not document.pages:
        return render_page(document, rendered=rendered)
    drawn = any(block.box for block in document.blocks)
    png = await roma.page_image(path, page) if drawn else None
    return render_page(document, page, png if isinstance(png, bytes) else None, rendered=rendered)
