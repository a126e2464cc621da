"""Deletion as a decision: what is gone goes, what may be there stays, and everything can be taken back."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from roma_core.connectors.base import Listing
from roma_core.errors import ConnectorError, ErrorCode, InputError, NotFoundError, StoreError
from roma_core.ingestion import IngestionService, Ledger
from roma_core.ingestion.absence import DeletionPolicy
from roma_core.ingestion.sources import LeaseHolder, SourceLease
from roma_core.types import Document, IngestionReport, SourceRecord
from tests.fakes.ingest import Shop

SOURCE = "fake://s/"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    for n in range(12):
        shop.connector.items[f"{SOURCE}{n:02}.txt"] = f"Document number {n} tells of harbour {n}. " * 12
    return shop


async def ingest(shop: Shop, *sources: str, policy: DeletionPolicy | None = None, **options: Any) -> IngestionReport:
    service = IngestionService(shop.service().parts, policy, wait_s=options.pop("wait_s", 60.0))
    try:
        return await service.ingest(list(sources or (SOURCE,)), **options)
    finally:
        await service.close()


async def stored(shop: Shop) -> set[str]:
    return {document.uri.removeprefix(SOURCE) async for document in shop.store.documents("default")}


def counts(report: IngestionReport) -> dict[str, int]:
    return {state: number for state, number in report.counts().items() if number}


async def source_of(shop: Shop, uri: str = SOURCE) -> SourceRecord:
    ledger = Ledger(shop.folder / "ledger.sqlite")
    return await asyncio.to_thread(ledger.sources.require, "default", uri)


def hide(shop: Shop, *numbers: int) -> None:
    """The source lists these no more, and gives no evidence that they are gone."""
    uris = {f"{SOURCE}{n:02}.txt" for n in numbers}
    shop.connector.hidden = {SOURCE: uris}
    shop.connector.silent = uris


async def test_an_item_without_evidence_is_missing_first_and_gone_at_the_second_look(shop: Shop) -> None:
    await ingest(shop)
    hide(shop, 3)
    first = await ingest(shop)
    assert counts(first) == {"unchanged": 11, "missing": 1}
    assert "03.txt" in await stored(shop)
    assert (await source_of(shop)).missing == 1
    assert counts(await ingest(shop)) == {"unchanged": 11, "deleted": 1}
    assert "03.txt" not in await stored(shop)


async def test_an_item_that_comes_back_was_never_missing(shop: Shop) -> None:
    await ingest(shop)
    for _ in range(3):
        hide(shop, 3)
        assert counts(await ingest(shop))["missing"] == 1
        shop.connector.hidden = {}
        assert counts(await ingest(shop)) == {"unchanged": 12}
    assert len(await stored(shop)) == 12


async def test_a_missing_item_goes_after_its_time_of_grace(shop: Shop) -> None:
    await ingest(shop)
    hide(shop, 3)
    patient = DeletionPolicy(looks=100, grace_s=3600)
    for _ in range(3):
        assert counts(await ingest(shop, policy=patient))["missing"] == 1
    assert counts(await ingest(shop, policy=DeletionPolicy(looks=100, grace_s=1e-9)))["deleted"] == 1


async def test_too_much_at_once_is_never_deleted_unasked_and_a_later_single_loss_still_is(shop: Shop) -> None:
    await ingest(shop)
    for n in range(6):
        shop.connector.items.pop(f"{SOURCE}{n:02}.txt")
    for _ in range(3):
        report = await ingest(shop)
        assert counts(report) == {"unchanged": 6, "missing": 6}
    assert all("--prune" in item.reason for item in report.items if item.state == "missing")
    shop.connector.items.pop(f"{SOURCE}11.txt")
    assert counts(await ingest(shop)) == {"unchanged": 5, "missing": 6, "deleted": 1}
    assert counts(await ingest(shop, prune=True)) == {"unchanged": 5, "deleted": 6}
    assert len(await stored(shop)) == 5


@pytest.mark.parametrize("fault", ["error", "limit"])
async def test_an_incomplete_listing_is_no_look(shop: Shop, fault: str) -> None:
    await ingest(shop)
    shop.connector.items.pop(f"{SOURCE}11.txt")
    if fault == "error":
        shop.connector.list_error, shop.connector.list_error_after = ConnectorError("The line broke."), 5
    else:
        shop.connector.limit = 5
    for _ in range(3):
        assert set(counts(await ingest(shop))) == {"unchanged"}
    assert len(await stored(shop)) == 12
    shop.connector.list_error, shop.connector.limit = None, None
    assert counts(await ingest(shop))["deleted"] == 1


async def test_a_listed_item_that_is_not_there_is_gone_and_one_that_fails_is_not(shop: Shop) -> None:
    """As a page that is linked and answers 404, beside one that answers 503."""
    await ingest(shop)
    gone, away = f"{SOURCE}01.txt", f"{SOURCE}02.txt"

    class Linking(type(shop.connector)):  # type: ignore[misc]
        async def list(self, source: Any) -> Any:  # type: ignore[override]
            for n in range(12):
                yield Listing(uri=f"{SOURCE}{n:02}.txt")

    shop.connector = Linking(shop.connector.items)
    shop.connector.items.pop(gone)
    shop.connector.items[away] = ConnectorError("It answered 503.")
    report = await ingest(shop)
    assert counts(report) == {"unchanged": 10, "deleted": 1, "failed": 1}
    assert await stored(shop) == {f"{n:02}.txt" for n in range(12) if n != 1}


async def test_a_source_that_is_one_item_goes_with_it_and_the_report_is_clean(shop: Shop) -> None:
    one = f"{SOURCE}05.txt"
    await ingest(shop, one)
    shop.connector.items.pop(one)
    report = await ingest(shop, one)
    assert (counts(report), report.failures) == ({"deleted": 1}, ())
    assert await stored(shop) == set()


async def test_what_the_source_leaves_out_all_at_once_is_kept(shop: Shop) -> None:
    await ingest(shop)
    for n in range(8):
        shop.connector.skips[f"{SOURCE}{n:02}.txt"] = "leads to another site"
    report = await ingest(shop)
    assert counts(report) == {"unchanged": 4, "skipped": 8}
    assert len(await stored(shop)) == 12
    await ingest(shop, prune=True)
    assert len(await stored(shop)) == 4


async def test_what_another_source_holds_is_not_taken_out_by_one_that_leaves_it_out(shop: Shop) -> None:
    page = f"{SOURCE}05.txt"
    shop.connector.items["fake://s"] = "A page beside the source."
    await ingest(shop, "fake://s", SOURCE)
    shop.connector.skips[page] = "nearly the same as another page"
    shop.connector.hidden = {"fake://s": {f"{SOURCE}{n:02}.txt" for n in range(12)} - {page}}
    ledger = Ledger(shop.folder / "ledger.sqlite")
    wide = await source_of(shop, "fake://s")
    assert wide.items == 13
    assert ledger.number_of_claims(wide.id) == 13
    report = await ingest(shop, page)
    assert counts(report) == {"skipped": 1}
    assert "05.txt" in await stored(shop)


async def test_deletions_are_undone_and_stay_undone_until_the_source_lists_the_item_again(shop: Shop) -> None:
    await ingest(shop)
    before = await shop.store.document("default", Document.id_for(f"{SOURCE}04.txt"))
    text = shop.connector.items.pop(f"{SOURCE}04.txt")
    deletion = await ingest(shop)
    service = shop.service()
    assert [grave.uri for grave in await service.tombstones()] == [f"{SOURCE}04.txt"]
    restored = await service.restore(run_id=deletion.run_id)
    assert counts(restored) == {"added": 1}
    assert await shop.store.document("default", Document.id_for(f"{SOURCE}04.txt")) == before
    for _ in range(3):
        assert counts(await ingest(shop)) == {"unchanged": 11}
    assert "04.txt" in await stored(shop)
    shop.connector.items[f"{SOURCE}04.txt"] = text
    assert counts(await ingest(shop)) == {"unchanged": 12}
    shop.connector.items.pop(f"{SOURCE}04.txt")
    assert counts(await ingest(shop))["deleted"] == 1, "it is no longer pinned"
    with pytest.raises(NotFoundError):
        await service.restore([f"{SOURCE}00.txt"])
    with pytest.raises(InputError):
        await service.restore()
    await service.close()


async def test_graves_are_kept_for_a_time_alone(shop: Shop) -> None:
    await ingest(shop)
    shop.connector.items.pop(f"{SOURCE}04.txt")
    await ingest(shop, policy=DeletionPolicy(undo_s=0))
    assert await shop.service().tombstones() == []


async def test_forgetting_leaves_no_trace(shop: Shop) -> None:
    secret = "The harbour master's private diary of zebrafish. " * 12
    uri = f"{SOURCE}diary.txt"
    shop.connector.items[uri] = secret
    await ingest(shop)
    service = shop.service()
    report = await service.forget([uri])
    assert (report.uris, report.documents) == ((uri,), 1)
    assert report.passages > 0 and report.cached > 0
    await service.close()
    assert "diary.txt" not in await stored(shop)
    for file in shop.folder.iterdir():
        assert b"zebrafish" not in file.read_bytes(), file.name
        assert b"diary.txt" not in file.read_bytes(), file.name
    assert Ledger(shop.folder / "ledger.sqlite").row("default", uri) is None
    with pytest.raises(NotFoundError):
        await shop.service().forget([uri])


async def test_a_document_and_a_whole_source_are_forgotten(shop: Shop) -> None:
    await ingest(shop)
    service = shop.service()
    await service.forget(document_ids=[Document.id_for(f"{SOURCE}00.txt")])
    assert len(await stored(shop)) == 11
    report = await service.forget(source=SOURCE)
    assert report.documents == 11
    assert await stored(shop) == set()
    assert await asyncio.to_thread(Ledger(shop.folder / "ledger.sqlite").sources.all, "default") == []
    with pytest.raises(NotFoundError):
        await service.forget(document_ids=["nowhere"])
    await service.close()


async def test_a_document_that_holds_a_private_key_is_left_out(shop: Shop) -> None:
    key = "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n" * 8 + "-----END PRIVATE KEY-----\n"
    shop.connector.items[f"{SOURCE}notes.txt"] = f"How I log in:\n{key}"
    report = await ingest(shop)
    (item,) = [item for item in report.items if item.state == "skipped"]
    assert "private key" in item.reason
    assert "notes.txt" not in await stored(shop)
    shop.connector.items[f"{SOURCE}00.txt"] = f"A text that came to hold one.\n{key}"
    assert counts(await ingest(shop))["skipped"] == 2
    assert "00.txt" not in await stored(shop)


async def test_a_second_run_waits_for_the_first_and_does_nothing_twice(shop: Shop) -> None:
    shop.connector._delay_s = 0.005
    first = asyncio.create_task(ingest(shop))
    await asyncio.sleep(0.03)
    shop.connector.items[f"{SOURCE}new.txt"] = "Made while the first run was listing."
    second = await ingest(shop)
    both = [counts(await first), counts(second)]
    assert sum(each.get("added", 0) for each in both) == 13
    assert not any("updated" in each or "deleted" in each for each in both)
    assert "new.txt" in await stored(shop)


async def test_a_run_that_does_not_want_to_wait_says_who_reads_the_source(shop: Shop) -> None:
    await ingest(shop)
    ledger = Ledger(shop.folder / "ledger.sqlite")
    lease = ledger.sources.take_lease((await source_of(shop)).id, "the-other-run")
    assert isinstance(lease, SourceLease)
    report = await ingest(shop, wait_s=0)
    assert [failure.code for failure in report.failures] == [ErrorCode.STORAGE_LOCKED]
    assert "the-other-run" in report.failures[0].message
    lease.release()
    assert counts(await ingest(shop, wait_s=0)) == {"unchanged": 12}


async def test_a_lease_of_a_process_that_is_gone_or_silent_is_taken_over(shop: Shop) -> None:
    await ingest(shop)
    sources = Ledger(shop.folder / "ledger.sqlite").sources
    record = await source_of(shop)
    dead = sources.take_lease(record.id, "dead")
    assert isinstance(dead, SourceLease)
    assert isinstance(sources.take_lease(record.id, "second"), LeaseHolder)
    with sources._database.transaction() as db:
        db.execute("UPDATE leases SET process = 'another start'")
    second = sources.take_lease(record.id, "second")
    assert isinstance(second, SourceLease), "its process has another start time, so it is another process"
    third = sources.take_lease(record.id, "third", stale_s=-1.0)
    assert isinstance(third, SourceLease)
    for lease in (dead, second, third):
        lease.release()


async def test_a_ledger_without_sources_gets_them(tmp_path: Path) -> None:
    """Claims by address become claims of a source by its id."""
    import sqlite3

    from roma_core.ingestion.schema import TABLES_OF_2026

    with sqlite3.connect(tmp_path / "ledger.sqlite") as db:
        db.executescript(TABLES_OF_2026)
        for name in ("a", "b"):
            db.execute("INSERT INTO claims VALUES ('default', 'fake://s/', ?, 'r1')", (f"fake://s/{name}",))
        db.execute("INSERT INTO claims VALUES ('other', 'fake://s/', 'fake://s/a', 'r1')")
    db.close()
    ledger = Ledger(tmp_path / "ledger.sqlite")
    (record,) = ledger.sources.all("default")
    assert (record.uri, record.items, record.declared_in) == ("fake://s/", 2, "")
    assert ledger.sources.find_or_make("default", "fake://s/", "fake").id == record.id
    assert len(ledger.sources.all("other")) == 1


async def test_a_ledger_of_before_learns_when_documents_were_stored(tmp_path: Path) -> None:
    """What was stored before counts from when its row was last written."""
    from dataclasses import replace

    from roma_core.database import connect
    from roma_core.ingestion.schema import LEDGER

    path = tmp_path / "ledger.sqlite"
    before = connect(path, replace(LEDGER, steps=LEDGER.steps[:2]))
    columns = (
        "tenant, uri, document_id, source, listing, state, reason, warnings, attempt, chunks, run_id, content_sha256"
    )
    for name, run_id, sha256 in (("a", "20250314T101500-1a2b3c4d", "1"), ("b", "20250314T101500-1a2b3c4d", None)):
        values = ("default", name, f"id-{name}", "s", "{}", "added", "", "[]", "", 1, run_id, sha256)
        before.execute(f"INSERT INTO items ({columns}) VALUES ({', '.join('?' * len(values))})", values)
    before.close()
    assert Ledger(path).find_stored_times("default") == {"id-a": datetime(2025, 3, 14, 10, 15, tzinfo=UTC)}


async def test_the_history_holds_changes_and_the_run_its_counts(shop: Shop) -> None:
    await ingest(shop)
    shop.connector.items[f"{SOURCE}00.txt"] = "Other words. " * 20
    report = await ingest(shop)
    service = shop.service()
    assert [item.state for item in await service.ledger_items(run_id=report.run_id)] == ["updated"]
    assert json.loads((await service.runs())[0]["counts"] or "") == {"unchanged": 11, "updated": 1}
    await service.close()


async def test_a_store_that_refuses_to_delete_leaves_the_decision_to_the_next_run(shop: Shop) -> None:
    await ingest(shop)
    shop.connector.items.pop(f"{SOURCE}00.txt")
    shop.store.fault = StoreError("Away.")  # type: ignore[attr-defined]
    report = await ingest(shop)
    assert report.failures
    assert counts(report) == {"unchanged": 11}
    shop.store.fault = None  # type: ignore[attr-defined]
    assert counts(await ingest(shop)) == {"unchanged": 11, "deleted": 1}
