"""Page of sources: each with its items, its last sync and its plan, and a button to sync it for those who may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any, Final

import panel as pn
import panel_material_ui as pmui

from roma_core.connectors.sources import redact_uri
from roma_core.errors import AgentFailure, count_noun, guarded
from roma_core.types import Principal, SourcePlan, SourceRecord
from roma_core.ui.alerts import failure_alert
from roma_core.ui.dashboards import frame

if TYPE_CHECKING:
    from roma_core.app import Roma

MOST_PLANNED: Final = 50
"""Items of a plan that are shown."""
NOTHING: Final = "There are no sources yet. `roma source add URI --name NAME` adds one."
STYLE: Final = """
h3 { font-size: 1.05rem; margin: .8rem 0 .2rem; overflow-wrap: anywhere; }
code { overflow-wrap: anywhere; }
p { margin: .3rem 0; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; overflow-wrap: anywhere; }
tr { border-bottom: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
"""


class SourcePage:
    """The sources of one tenant. ``view`` is the list; ``may_sync`` gives each a button that reads it again.

    ``places`` are the pages of the service that ``who`` may open.
    """

    def __init__(
        self,
        roma: Roma,
        tenant: str | None = None,
        *,
        may_sync: bool = True,
        who: Principal | None = None,
        places: Mapping[str, str] = frame.PAGES,
    ) -> None:
        self._roma = roma
        self._who = who
        self._tenant = tenant or roma.settings.tenant
        self._may_sync = may_sync
        self._places = places
        self.view = pn.Column(pmui.Typography("Reading the sources …", variant="caption"), sizing_mode="stretch_width")

    def page(self) -> pmui.Page:
        """Return the whole page."""
        pn.state.onload(self.refresh)
        return frame.make_page("Sources", [], self.view, places=self._places)

    async def refresh(self) -> None:
        """Show the sources as they are now."""
        records = await guarded("console", self._list_records())
        if isinstance(records, AgentFailure):
            self.view.objects = [failure_alert(records)]
            return
        self.view.objects = [self._card(record) for record in records] or [pn.pane.Markdown(NOTHING)]

    async def _list_records(self) -> list[SourceRecord]:
        """Return the sources; none for a user from whom grants withhold documents, which addresses would name."""
        if self._who is not None and not (await self._roma.grants.find_scope(self._who)).is_everything:
            return []
        return await self._roma.sources.all(self._tenant)

    async def show_plan(self, record: SourceRecord, result: pn.Column) -> None:
        """Show what a sync of a source would do."""
        plan = await guarded("console", self._roma.sources.plan([record.id], tenant=self._tenant))
        if isinstance(plan, AgentFailure):
            result.objects = [failure_alert(plan)]
        else:
            result.objects = [make_pane(render_plan(one)) for one in plan.sources]

    async def sync(self, record: SourceRecord, result: pn.Column) -> None:
        """Sync a source, and show how it went."""
        if not self._may_sync:
            return
        report = await guarded("console", self._roma.sources.sync([record.id], tenant=self._tenant))
        if isinstance(report, AgentFailure):
            result.objects = [failure_alert(report)]
            return
        counts = ", ".join(f"{number} {state}" for state, number in report.counts().items() if number)
        failures = [failure_alert(failure) for failure in report.failures]
        result.objects = [make_pane(f"<p>Synced: {escape(counts or 'nothing to read')}.</p>"), *failures]

    def _card(self, record: SourceRecord) -> pn.Column:
        result = pn.Column(make_pane(""), sizing_mode="stretch_width")

        async def plan(_: object) -> None:
            await self._busy(buttons, self.show_plan(record, result))

        async def sync(_: object) -> None:
            await self._busy(buttons, self.sync(record, result))

        buttons = [pmui.Button(label="Plan", variant="outlined", on_click=plan)]
        if self._may_sync:
            buttons.append(pmui.Button(label="Sync", variant="contained", on_click=sync))
        return pn.Column(make_pane(render_source(record)), pn.Row(*buttons), result, sizing_mode="stretch_width")

    @staticmethod
    async def _busy(buttons: Sequence[Any], work: Any) -> None:
        """Run ``work`` while the buttons of its card are switched off."""
        for button in buttons:
            button.disabled = True
        try:
            await work
        finally:
            for button in buttons:
                button.disabled = False


def make_pane(html: str) -> pn.pane.HTML:
    """Return a pane of HTML in which every value is escaped already."""
    return pn.pane.HTML(html, sizing_mode="stretch_width", stylesheets=[STYLE])


def render_source(record: SourceRecord, now: datetime | None = None) -> str:
    """Return a source as HTML: its name and address, its items, its schedule and its last sync."""
    facts = [count_noun(record.items, "item")]
    if record.missing:
        facts.append(f"{record.missing} missing")
    if record.options.schedule_s:
        facts.append(f"every {record.options.schedule_s:g} s")
    if record.last_ended_at is None:
        facts.append("never synced")
    else:
        age_min = round(((now or datetime.now(UTC)) - record.last_ended_at).total_seconds() / 60)
        facts.append(f"synced {count_noun(age_min, 'minute')} ago")
    counts = ", ".join(f"{number} {state}" for state, number in record.last_counts.items() if number)
    address = escape(redact_uri(record.uri))
    lines = [f"<h3>{escape(record.name)}</h3><code>{address}</code>" if record.name else f"<h3>{address}</h3>"]
    lines.append(f"<p>{escape('; '.join(facts))}{escape(f' ({counts})' if counts else '')}</p>")
    if record.last_failure:
        lines.append(f"<p><b>Last failure:</b> {escape(record.last_failure)}</p>")
    return "".join(lines)


def render_plan(plan: SourcePlan) -> str:
    """Return a plan as HTML: what would be done with how much, and the first items."""
    counts = ", ".join(f"{number} {action}" for action, number in sorted(plan.counts.items())) or "nothing"
    size = f"{plan.size_bytes:,} bytes to read, about {plan.estimated_tokens:,} tokens to embed"
    lines = [f"<p>{escape(counts)}; {size}.</p>"]
    if not plan.is_complete:
        lines.append("<p>The listing is incomplete, so nothing of it would be deleted.</p>")
    lines += [f"<p><b>{escape(failure.message)}</b></p>" for failure in plan.failures]
    rows = "".join(
        f"<tr><td>{escape(item.action)}</td><td>{escape(redact_uri(item.uri))}</td><td>{escape(item.reason)}</td></tr>"
        for item in plan.items[:MOST_PLANNED]
    )
    return "".join(lines) + (
        f"<table><tr><th>would be</th><th>item</th><th>why</th></tr>{rows}</table>" if rows else ""
    )
