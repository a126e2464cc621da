"""Page of sources: what it shows, and who may sync."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import panel as pn
import pytest

from roma_core.errors import StoreError
from roma_core.types import IngestionReport, PlannedItem, SourceOptions, SourcePlan, SourceRecord, SyncPlan
from roma_core.ui.source_page import SourcePage, render_plan, render_source

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
RECORD = SourceRecord(
    id="s1",
    uri="https://example.org/<b>",
    name="handbook",
    kind="web",
    created_at=NOW,
    options=SourceOptions(schedule_s=600),
    last_ended_at=NOW,
    last_counts={"added": 3, "failed": 0},
    last_failure="example.org answered 503.",
    items=12,
    missing=2,
)


class ScriptedSources:
    """The sources of a ``Roma``, in a script."""

    def __init__(self) -> None:
        self.synced: list[tuple[str, str]] = []
        self.is_broken = False

    async def all(self, tenant: str) -> list[SourceRecord]:
        if self.is_broken:
            raise StoreError("The ledger is locked.")
        return [RECORD]

    async def plan(self, labels: list[str], tenant: str) -> SyncPlan:
        item = PlannedItem(uri="https://example.org/<i>", action="added")
        return SyncPlan(sources=(SourcePlan(source="handbook", uri=RECORD.uri, counts={"added": 1}, items=(item,)),))

    async def sync(self, labels: list[str], tenant: str) -> IngestionReport:
        self.synced.append((labels[0], tenant))
        return IngestionReport(run_id="r", sources=(RECORD.uri,), items=(), seconds=0.0)


@pytest.fixture
def sources() -> ScriptedSources:
    return ScriptedSources()


def page_of(sources: ScriptedSources, **options: Any) -> SourcePage:
    roma: Any = SimpleNamespace(sources=sources, settings=SimpleNamespace(tenant="default"))
    return SourcePage(roma, **options)


def buttons(page: SourcePage) -> list[str]:
    return [button.label for button in page.view.select(lambda part: hasattr(part, "label"))]


def test_a_source_shows_its_items_schedule_and_last_sync_as_text() -> None:
    html = render_source(RECORD, NOW)
    for words in ("handbook", "12 items; 2 missing; every 600 s; synced 0 minutes ago (3 added)", "answered 503"):
        assert words in html
    assert "<b>" not in html.replace("<b>Last failure:</b>", "")


def test_a_plan_shows_what_would_be_done_as_text() -> None:
    html = render_plan(
        SourcePlan(source="s", uri="u", counts={"added": 1}, items=(PlannedItem(uri="<i>", action="added"),))
    )
    assert "1 added" in html and "&lt;i&gt;" in html and "incomplete" in html


async def test_the_sync_button_is_there_for_those_who_may(sources: ScriptedSources) -> None:
    allowed, refused = page_of(sources), page_of(sources, may_sync=False)
    await allowed.refresh()
    await refused.refresh()
    assert buttons(allowed) == ["Plan", "Sync"]
    shown = allowed.view.select(pn.pane.HTML)[0].object
    assert shown.startswith("<h3>"), "markup, not its letters"
    assert buttons(refused) == ["Plan"]


async def test_a_sync_reads_the_source_of_the_tenant_and_only_for_those_who_may(sources: ScriptedSources) -> None:
    result = pn.Column()
    await page_of(sources, tenant="acme").sync(RECORD, result)
    await page_of(sources, tenant="acme", may_sync=False).sync(RECORD, result)
    assert sources.synced == [("s1", "acme")]
    assert "nothing to read" in str(result[0].object)


async def test_a_ledger_that_cannot_be_read_is_said(sources: ScriptedSources) -> None:
    sources.is_broken = True
    page = page_of(sources)
    await page.refresh()
    assert len(page.view.objects) == 1
    assert buttons(page) == []
