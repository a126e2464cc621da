"""The corpus: documents by type, language and collection, sources, the ledger, losses of parsing, and copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import panel as pn

from roma_core.connectors.sources import redact_uri
from roma_core.errors import AgentFailure, guarded
from roma_core.insights.corpus import CorpusFigures, CorpusItem, read_corpus
from roma_core.types import Principal
from roma_core.ui.dashboards import frame, plots, tables

if TYPE_CHECKING:
    from roma_core.app import Roma

NO_DOCUMENT: Final = "There are no documents yet. `roma ingest PATH` reads a folder, a file or an address."
ALL: Final = "all"
WITH_LOSSES: Final = "with losses"
MOST_COPIES: Final = 50
STATE_TONES: Final = {"failed": "bad", "missing": "warning", "skipped": "muted", "deleted": "muted"}


class CorpusDashboard:
    """What is stored, and what became of every item. ``view`` is the body; ``page`` the whole page.

    >>> CorpusDashboard(roma).page().servable()  # doctest: +SKIP
    """

    def __init__(self, roma: Roma, who: Principal | None = None, *, places: Mapping[str, str] | None = None) -> None:
        """``places`` are the pages of the service that ``who`` may open; None: the dashboard is served by itself."""
        self._roma = roma
        self._who = who or roma.user
        self._places = places
        self._drawn = 0
        self._chosen: Sequence[CorpusItem] = ()
        self.widgets = {
            "state": frame.make_select("Items", 170),
            "code": frame.make_select("Code", 240),
            "words": frame.make_words("Words", "in the address or the reason"),
        }
        self.filters = frame.Filters(self.widgets, self.refresh)
        self._pager = frame.Pager(self._draw_items)
        self.view = pn.Column(frame.make_waiting(), sizing_mode="stretch_width", margin=0)

    def page(self) -> Any:
        """Return the whole page; its body is read when it has been drawn."""
        pn.state.onload(self.refresh)
        return frame.make_page("Corpus", list(self.widgets.values()), self.view, places=self._places)

    async def refresh(self) -> None:
        """Read the figures, and show the items that the filters choose."""
        self._drawn += 1
        turn = self._drawn
        figures = await guarded("console", read_corpus(self._roma, self._who))
        if turn != self._drawn:
            return
        if isinstance(figures, AgentFailure):
            self.view.objects = [frame.make_problem(figures)]
            return
        if not figures.items and not figures.documents:
            self.view.objects = [frame.make_hint(NO_DOCUMENT)]
            return
        states = [ALL, *figures.by_state, *([WITH_LOSSES] if figures.losses else [])]
        self.filters.offer("state", states, "failed" if figures.by_state.get("failed") else ALL)
        self.filters.offer("code", [ALL, *figures.by_code], ALL)
        state, code = self.filters["state"], self.filters["code"]
        self._chosen = figures.choose("" if state == ALL else state, self.filters["words"], "" if code == ALL else code)
        self.view.objects = [
            frame.make_pane(render_head(figures)),
            *self._draw_kinds(figures),
            *self._draw_states(figures),
            *self._draw_item_list(figures),
            *self._draw_copies(figures),
            *self._draw_sources(figures),
        ]

    # --- parts of the page ---

    def _draw_kinds(self, figures: CorpusFigures) -> list[Any]:
        parts = (("type", figures.by_type), ("language", figures.by_language), ("collection", figures.by_collection))
        cells = [
            frame.make_cell(tables.heading(f"Documents by {name}"), plots.draw_bars(counts))
            for name, counts in parts
            if counts
        ]
        return [frame.make_row(*cells)] if cells else []

    def _draw_states(self, figures: CorpusFigures) -> list[Any]:
        lost = sum(figures.losses.values())
        note = (
            f"{lost:,} parts of files are in no text: neither searched nor cited." if lost else "Nothing was left out."
        )
        if figures.uncounted:
            note += (
                f" {figures.uncounted:,} documents were read before losses were counted, and count when they change."
            )
        losses = tables.heading("Left out by parsers") + tables.paragraph(note, muted=True)
        return [
            frame.make_row(
                frame.make_cell(
                    tables.heading("Items of the ledger by state"), plots.draw_bars(figures.by_state, tones=STATE_TONES)
                ),
                frame.make_cell(losses, *([plots.draw_bars(figures.losses)] if figures.losses else [])),
            )
        ]

    def _draw_item_list(self, figures: CorpusFigures) -> list[Any]:
        note = f"{len(self._chosen):,} of {len(figures.items):,} items."
        if figures.is_partial:
            note += " Documents that you may not read are not among them."
        self._pager.show(len(self._chosen))
        return [frame.make_pane(tables.heading("Items") + tables.paragraph(note, muted=True)), self._pager.view]

    def _draw_items(self, start: int) -> Any:
        rows = [
            (
                item.uri,
                item.state,
                item.code or None,
                " · ".join(part for part in (item.reason, *item.warnings) if part) or None,
                item.chunks or None,
                item.losses or None,
            )
            for item in self._chosen[start : start + frame.PAGE_SIZE]
        ]
        if not rows:
            return frame.make_hint("No item is chosen by these filters.")
        columns = ("Address", "!State", "Code", "Reason and warnings", "#Passages", "#Left out")
        return frame.make_pane(tables.render_table(columns, rows, "Items"))

    def _draw_copies(self, figures: CorpusFigures) -> list[Any]:
        rows: list[tuple[str, str]] = [("the same bytes", " = ".join(group[:6])) for group in figures.copies]
        rows += [("nearly the same text", f"{one} ≈ {other}") for one, other in figures.near_copies]
        if not rows:
            return [frame.make_pane(tables.heading("Duplicates") + tables.paragraph("None were found.", muted=True))]
        near = len(figures.near_copies)
        note = f"{figures.spare_copies:,} documents have the bytes of another, {near:,} nearly its text."
        if len(rows) > MOST_COPIES:
            note += f" The first {MOST_COPIES}."
        table = tables.render_table(("!What", "Addresses"), rows[:MOST_COPIES], "Duplicates")
        return [frame.make_pane(tables.heading("Duplicates") + tables.paragraph(note, muted=True) + table)]

    def _draw_sources(self, figures: CorpusFigures) -> list[Any]:
        if not figures.sources:
            return []
        rows = [
            (
                record.name or None,
                redact_uri(record.uri),
                record.items,
                record.missing or None,
                tables.write_time(record.last_ended_at),
                record.last_failure or None,
            )
            for record in figures.sources
        ]
        columns = ("Source", "Address", "#Items", "#Missing", "!Last sync", "Last failure")
        return [frame.make_pane(tables.heading("Sources") + tables.render_table(columns, rows, "Sources"))]


def render_head(figures: CorpusFigures) -> str:
    """Return the figures of the corpus as cards."""
    failed = figures.by_state.get("failed", 0)
    languages = [name for name in figures.by_language if name != "unknown"]
    cards = [
        (f"{figures.documents:,}", "documents", "that you may read" if figures.is_partial else ""),
        (f"{figures.passages:,}", "passages", ""),
        (f"{len(figures.by_type):,}", "type of files" if len(figures.by_type) == 1 else "types of files", ""),
        (f"{len(languages):,}", "language" if len(languages) == 1 else "languages", ", ".join(languages[:5])),
        (f"{failed:,}", "items failed", ""),
        (f"{figures.spare_copies:,}", "duplicates", f"{len(figures.near_copies):,} near ones"),
    ]
    return tables.render_cards(cards)
