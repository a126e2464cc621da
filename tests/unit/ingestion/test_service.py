"""The promises of ingestion: every item in one state, nothing lost, nothing done twice."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from roma_core.connectors.base import Listing
from roma_core.connectors.local.connector import LocalConnector
from roma_core.errors import (
    AgentFailure,
    ConnectorError,
    EmbeddingError,
    ErrorCode,
    InputError,
    ParserError,
    StoreError,
)
from roma_core.ingestion import IngestProgress, Ledger
from roma_core.ingestion.documents import MOST_UNSPACED_CHARS, MOST_WORD_CHARS, find_endless_word
from roma_core.settings import Settings
from roma_core.types import Document, IngestionReport, RawDocument, SourceRecord
from tests.fakes.ingest import FULL, CountingEmbedder, FaultyStore, Shop, table

SOURCE = "fake://s/"
LONG = "The ledger holds {n} rows and no row is ever lost while the harbour master counts ships and sails of day {n}. "


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    for n in range(6):
        shop.connector.items[f"{SOURCE}{n}.txt"] = f"Document number {n} tells of harbour {n}. " * 12
    return shop


async def ingest(shop: Shop, *sources: str, **options: Any) -> IngestionReport:
    service = shop.service()
    try:
        return await service.ingest(list(sources or (SOURCE,)), **options)
    finally:
        await service.close()


def states(report: IngestionReport) -> dict[str, str]:
    return {item.uri.removeprefix(SOURCE): item.state for item in report.items}


async def ledger(shop: Shop, **options: Any) -> dict[str, str]:
    service = shop.service()
    items = await service.ledger_items("default", **options)
    await service.close()
    return {item.uri.removeprefix(SOURCE): item.state for item in items}


async def sources(shop: Shop) -> list[SourceRecord]:
    return await asyncio.to_thread(Ledger(shop.folder / "ledger.sqlite").sources.all, "default")


async def test_everything_is_added_then_unchanged_and_nothing_is_done_again(shop: Shop) -> None:
    first = await ingest(shop)
    assert first.counts()["added"] == 6
    assert first.failures == ()
    assert all(item.document_id and item.chunks > 0 for item in first.items)
    before = await table(shop.store)
    shop.forget()
    second = await ingest(shop)
    assert second.counts() == {**dict.fromkeys(second.counts(), 0), "unchanged": 6}
    assert (shop.connector.fetched, shop.parsers.parsed, shop.embedder.embedded) == ([], [], [])
    assert await table(shop.store) == before
    assert set((await ledger(shop)).values()) == {"unchanged"}


async def test_a_document_with_unread_pages_is_gone_on_with_until_all_are_read(shop: Shop) -> None:
    uri = f"{SOURCE}3.txt"
    shop.parsers.unread[uri] = "+ocr-1-of-2"
    await ingest(shop)
    assert states(await ingest(shop))["3.txt"] == "unchanged", "no page more was read"
    shop.parsers.unread.clear()
    assert states(await ingest(shop)) == {**{f"{n}.txt": "unchanged" for n in range(6)}, "3.txt": "updated"}
    shop.forget()
    await ingest(shop)
    assert shop.parsers.parsed == []


async def test_changed_content_is_updated_and_only_its_new_passages_are_embedded(shop: Shop) -> None:
    await ingest(shop)
    shop.forget()
    uri = f"{SOURCE}3.txt"
    shop.connector.items[uri] = f"{shop.connector.items[uri]}\n\nAn added last paragraph."
    report = await ingest(shop)
    assert states(report)["3.txt"] == "updated"
    assert report.counts()["unchanged"] == 5
    assert shop.connector.fetched == [uri]
    held = await shop.store.document("default", Document.id_for(uri))
    assert held is not None
    assert held.text.endswith("An added last paragraph.")
    assert len(shop.embedder.embedded) < len(await shop.store.chunks("default", held.id))


async def test_without_versions_the_content_decides(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.connector = type(shop.connector)({f"{SOURCE}a": "Some text."}, versioned=False)
    await ingest(shop)
    shop.forget()
    assert (await ingest(shop)).counts()["unchanged"] == 1
    assert shop.connector.fetched == [f"{SOURCE}a"]
    assert (shop.parsers.parsed, shop.embedder.embedded) == ([], [])


async def test_a_new_version_of_the_same_bytes_is_unchanged_and_then_not_fetched(shop: Shop) -> None:
    uri = f"{SOURCE}x.txt"
    listings = {"version": "1"}

    class Touched(type(shop.connector)):  # type: ignore[misc]
        async def list(self, source: Any) -> Any:  # type: ignore[override]
            yield Listing(uri=uri, version=listings["version"])

    shop.connector = Touched({uri: "The same bytes."})
    await ingest(shop)
    listings["version"] = "2"
    shop.forget()
    assert (await ingest(shop)).counts()["unchanged"] == 1
    assert shop.connector.fetched == [uri]
    shop.forget()
    assert (await ingest(shop)).counts()["unchanged"] == 1
    assert shop.connector.fetched == []


async def test_vanished_items_are_deleted_and_can_come_back(shop: Shop) -> None:
    await ingest(shop)
    text = shop.connector.items.pop(f"{SOURCE}0.txt")
    report = await ingest(shop)
    assert states(report)["0.txt"] == "deleted"
    assert report.counts()["unchanged"] == 5
    assert (await shop.store.counts("default"))[0] == 5
    assert (await ingest(shop)).counts()["deleted"] == 0
    assert (await ledger(shop))["0.txt"] == "deleted"
    shop.connector.items[f"{SOURCE}0.txt"] = text
    shop.forget()
    assert states(await ingest(shop))["0.txt"] == "added"
    assert (shop.parsers.parsed, shop.embedder.embedded) == ([], [])  # the cache has both


async def test_an_incomplete_listing_deletes_nothing(shop: Shop) -> None:
    await ingest(shop)
    shop.connector.items.pop(f"{SOURCE}5.txt")
    shop.connector.list_error = ConnectorError("The line broke.")
    shop.connector.list_error_after = 2
    report = await ingest(shop)
    assert report.counts()["unchanged"] == 2
    assert [f.code for f in report.failures] == [ErrorCode.CONNECTOR_UNAVAILABLE]
    assert (await shop.store.counts("default"))[0] == 6


async def test_an_item_that_another_source_lists_is_not_deleted(shop: Shop) -> None:
    shared = f"{SOURCE}sub/a.txt"
    shop.connector.items |= {shared: "Shared by two sources.", f"{SOURCE}sub2.txt": "In the other one alone."}
    report = await ingest(shop, SOURCE, f"{SOURCE}sub", SOURCE)
    assert report.counts()["added"] == 8
    shop.connector.hidden = {f"{SOURCE}sub": {shared}}
    assert (await ingest(shop, f"{SOURCE}sub")).counts()["missing"] == 0
    assert (await shop.store.counts("default"))[0] == 8


async def test_a_wider_source_takes_over_what_lies_in_it(shop: Shop) -> None:
    inside = f"{SOURCE}sub/a.txt"
    shop.connector.items |= {inside: "A text of the narrow source.", f"{SOURCE}sub/b.txt": "Another one."}
    await ingest(shop, f"{SOURCE}sub/")
    await ingest(shop)
    assert [record.uri for record in await sources(shop)] == [SOURCE]
    shop.connector.items.pop(inside)
    assert states(await ingest(shop))["sub/a.txt"] == "deleted"


@pytest.mark.parametrize("new", ["0moved.txt", "moved.txt"])
async def test_a_move_whose_old_place_is_taken_leaves_two_documents(shop: Shop, new: str) -> None:
    """The newcomer is listed before or after the moved item; either way no two items share a document."""
    await ingest(shop)
    old = f"{SOURCE}1.txt"
    shop.connector.items[f"{SOURCE}{new}"] = shop.connector.items.pop(old)
    shop.connector.moved[f"{SOURCE}{new}"] = old
    shop.connector.items[old] = "A new text where the old one was."
    report = await ingest(shop)
    assert len({item.document_id for item in report.items}) == 7
    assert (await shop.store.counts("default"))[0] == 7
    assert (await ingest(shop)).counts()["unchanged"] == 7
    for item in report.items:
        held = await shop.store.document("default", item.document_id or "")
        assert held is not None
        assert held.uri == item.uri


async def test_a_plain_move_is_an_update_with_the_same_document_id_and_passages(shop: Shop) -> None:
    await ingest(shop)
    old, new = f"{SOURCE}1.txt", f"{SOURCE}z/1.txt"
    before = [c.id for c in await shop.store.chunks("default", Document.id_for(old))]
    shop.connector.items[new] = shop.connector.items.pop(old)
    shop.connector.moved[new] = old
    report = await ingest(shop)
    assert states(report) == {**{f"{n}.txt": "unchanged" for n in (0, 2, 3, 4, 5)}, "z/1.txt": "updated"}
    moved = report.items[-1]
    assert (moved.document_id, moved.reason) == (Document.id_for(old), f"moved from {old}")
    held = await shop.store.document("default", Document.id_for(old))
    assert held is not None
    assert held.uri == new
    assert [c.id for c in await shop.store.chunks("default", held.id)] == before
    assert (await ingest(shop)).counts()["unchanged"] == 6
    shop.connector.items[old] = "A newcomer at the old place."
    newcomer = next(i for i in (await ingest(shop)).items if i.uri == old)
    assert newcomer.state == "added"
    assert newcomer.document_id != Document.id_for(old)
    assert (await shop.store.counts("default"))[0] == 7


async def test_upgrades_redo_exactly_what_they_change(shop: Shop) -> None:
    shop.connector.items[f"{SOURCE}page.md"] = "# Title\n\nSome Markdown."
    await ingest(shop)
    shop.forget()
    shop.parsers.versions["md"] = 2
    report = await ingest(shop)
    assert {uri for uri, state in states(report).items() if state == "updated"} == {"page.md"}
    assert shop.connector.fetched == [f"{SOURCE}page.md"]
    assert "parser md/1 became md/2" in {item.reason for item in report.items}
    shop.forget()
    shop.chunk_tokens = 40
    assert (await ingest(shop)).counts()["updated"] == 7
    assert shop.parsers.parsed == []  # cut again, not parsed again
    shop.forget()
    shop.embedder = CountingEmbedder(version=2)
    assert (await ingest(shop)).counts()["updated"] == 7
    assert shop.parsers.parsed == []
    assert (await ingest(shop)).counts()["unchanged"] == 7


async def test_one_bad_item_is_one_row(shop: Shop) -> None:
    shop.connector.items |= {
        f"{SOURCE}bad": "BAD bytes",
        f"{SOURCE}blank": " \n ",
        f"{SOURCE}novector": "NOVECTOR here",
        f"{SOURCE}nostore": "NOSTORE here",
        f"{SOURCE}gone": ConnectorError("It is gone.", ErrorCode.CONNECTOR_NOT_FOUND),
    }
    shop.connector.skips[f"{SOURCE}skip"] = "ignored by a pattern"
    report = await ingest(shop)
    codes = {item.uri.removeprefix(SOURCE): item.code for item in report.items if item.state == "failed"}
    assert codes == {
        "bad": "ERR_PARSER_MALFORMED",
        "blank": "ERR_PARSER_EMPTY",
        "novector": "ERR_EMBEDDING_UNAVAILABLE",
        "nostore": "ERR_INTERNAL",
        "gone": "ERR_CONNECTOR_NOT_FOUND",
    }
    assert all(item.reason for item in report.items if item.state in {"failed", "skipped"})
    assert report.counts()["added"] == 6
    assert states(report)["skip"] == "skipped"
    assert await ledger(shop, state="failed") == dict.fromkeys(codes, "failed")


async def test_a_hopeless_file_is_not_tried_again_before_something_changes(shop: Shop) -> None:
    bad, away = f"{SOURCE}bad", f"{SOURCE}novector"
    shop.connector.items |= {bad: "BAD bytes", away: "NOVECTOR here"}
    await ingest(shop)
    shop.forget()
    again = await ingest(shop)
    assert shop.connector.fetched == [away]
    assert again.counts()["failed"] == 2
    assert next(i.code for i in again.items if i.uri == bad) == "ERR_PARSER_MALFORMED"
    shop.forget()
    shop.parsers.versions["text"] = 2
    await ingest(shop)
    assert bad in shop.connector.fetched


async def test_retry_takes_the_failed_items_alone(shop: Shop) -> None:
    bad, other = f"{SOURCE}bad", f"{SOURCE}away"
    shop.connector.items |= {bad: "BAD bytes", other: ConnectorError("Away.")}
    await ingest(shop)
    shop.forget()
    shop.connector.items[other] = "It is back."
    report = await ingest(shop, retry_failed=True)
    assert sorted(shop.connector.fetched) == [other, bad]
    assert states(report) == {"away": "added", "bad": "failed"}
    service = shop.service()
    nothing = await service.ingest(["fake://elsewhere/"], retry_failed=True)
    refused = await service.ingest(["gopher://x"], retry_failed=True)
    await service.close()
    assert nothing.items == refused.items == ()
    assert [f.code for f in refused.failures] == [ErrorCode.INPUT_INVALID], "a refused name does not mean all"


async def test_a_failure_keeps_what_was_stored_before(shop: Shop) -> None:
    await ingest(shop)
    uri = f"{SOURCE}2.txt"
    good = shop.connector.items[uri]
    shop.connector.items[uri] = ConnectorError("Away for now.")
    report = await ingest(shop)
    assert states(report)["2.txt"] == "failed"
    assert await shop.store.document("default", Document.id_for(uri)) is not None
    shop.connector.items[uri] = good
    assert states(await ingest(shop))["2.txt"] == "unchanged"


async def test_skipping_what_was_stored_takes_it_out(shop: Shop) -> None:
    await ingest(shop)
    uri = f"{SOURCE}2.txt"
    shop.connector.skips[uri] = "forbidden now"
    assert states(await ingest(shop))["2.txt"] == "skipped"
    assert await shop.store.document("default", Document.id_for(uri)) is None
    del shop.connector.skips[uri]
    assert states(await ingest(shop))["2.txt"] == "added"
    assert isinstance(shop.store, FaultyStore)
    shop.store.fault = StoreError("Away.")
    shop.connector.skips[uri] = "forbidden again"
    assert states(await ingest(shop))["2.txt"] == "failed"


async def test_a_full_disk_is_typed_and_the_next_run_goes_on(shop: Shop) -> None:
    assert isinstance(shop.store, FaultyStore)
    shop.store.fault = FULL
    report = await ingest(shop)
    assert {item.code for item in report.items} == {"ERR_STORAGE_FULL"}
    assert report.counts()["failed"] == 6
    shop.store.fault = None
    shop.forget()
    assert (await ingest(shop)).counts()["added"] == 6
    assert shop.parsers.parsed == [] or len(shop.parsers.parsed) < 6


async def test_what_stops_everything_stops_before_anything_is_listed(shop: Shop) -> None:
    class NoModel(CountingEmbedder):
        def count_tokens(self, text: str) -> int:
            raise EmbeddingError("The bundled models are not installed.", ErrorCode.EMBEDDING_MODEL)

    shop.embedder = NoModel()
    report = await ingest(shop)
    assert report.items == ()
    assert [f.code for f in report.failures] == [ErrorCode.EMBEDDING_MODEL]
    assert shop.connector.fetched == []


async def test_a_relative_source_is_the_folder_that_it_names_here(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two folders of the same name, ingested from where they stand, do not push out each other's documents."""
    shop.connector = LocalConnector(Settings(workspace=tmp_path / "ws"))  # type: ignore[assignment]
    for place in ("one", "two"):
        (tmp_path / place / "docs").mkdir(parents=True)
        (tmp_path / place / "docs" / f"{place}.txt").write_text(f"This is {place}.")
    monkeypatch.chdir(tmp_path / "one")
    await ingest(shop, "docs")
    monkeypatch.chdir(tmp_path / "two")
    assert {item.state for item in (await ingest(shop, "docs")).items} == {"added"}
    assert (await shop.store.counts("default"))[0] == 2
    (tmp_path / "one" / "docs" / "one.txt").unlink()
    assert (await ingest(shop, str(tmp_path / "one" / "docs"))).counts()["deleted"] == 1, "however it is spelt"
    assert (await shop.store.counts("default"))[0] == 1


@pytest.mark.parametrize("source", ["docs", "docs/*.txt"])
async def test_claims_of_a_relative_source_are_taken_over_where_they_are_its_own(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    """The ledgers that there are have sources as they were typed."""
    shop.connector = LocalConnector(Settings(workspace=tmp_path / "ws"))  # type: ignore[assignment]
    folder = tmp_path / "here" / "docs"
    folder.mkdir(parents=True)
    (folder / "old.txt").write_text("This is old.")
    monkeypatch.chdir(tmp_path / "here")
    await ingest(shop, source)
    (folder / "bad.txt").write_text("BAD")
    (folder / "stays.txt").write_text("This stays.")
    await ingest(shop, source)
    with sqlite3.connect(shop.folder / "ledger.sqlite") as db:
        db.execute("UPDATE sources SET id = 'older', uri = ?", (source,))
        db.execute("UPDATE claims SET source_id = 'older'")
        elsewhere = "file:///elsewhere/docs/x.txt"
        db.execute("INSERT INTO claims (tenant, source_id, uri) SELECT tenant, id, ? FROM sources", (elsewhere,))
    db.close()
    (folder / "old.txt").unlink()
    report = await ingest(shop, source)
    states = {Path(i.uri).name: i.state for i in report.items}
    assert states == {"old.txt": "deleted", "bad.txt": "failed", "stays.txt": "unchanged"}
    (folder / "bad.txt").write_text("Good now.")
    assert (await ingest(shop, source, retry_failed=True)).counts()["added"] == 1


async def test_secrets_of_addresses_are_not_in_reports_nor_in_the_history_of_runs(shop: Shop) -> None:
    key = "sk-ant-api03-abcdefghijklmnopqrstu"
    uri = f"fake://s/?api_key={key}"
    shop.connector.items = {uri: "The words of a page."}
    report = await ingest(shop, uri, "https://bob:hunter2@host.example/", "gopher://bob:hunter2@x/")
    service = shop.service()
    runs = json.dumps(await service.runs())
    items = await service.ledger_items()
    await service.close()
    for told in (json.dumps(report.sources), json.dumps([f.model_dump(mode="json") for f in report.failures]), runs):
        assert key not in told
        assert "hunter2" not in told
    assert [f.code for f in report.failures] == [ErrorCode.INPUT_INVALID] * 2
    assert report.sources[0] == "fake://s/?api_key=[redacted:api_key]"
    assert [item.uri for item in items] == [uri], "an item's address is its identity, and is needed to fetch it again"
    assert (await ingest(shop, uri)).counts()["unchanged"] == 1


async def test_sources_are_confined_to_the_places_that_the_caller_names(shop: Shop) -> None:
    report = await ingest(shop, SOURCE, within=["fake://other/"])
    assert (report.worked, [f.code for f in report.failures]) == ("none", [ErrorCode.ACCESS_FORBIDDEN])
    assert (await ingest(shop, SOURCE, within=[SOURCE])).counts()["added"] == 6


async def test_unknown_addresses_and_empty_sources_are_failures_of_the_source(shop: Shop) -> None:
    report = await ingest(shop, "gopher://x", "fake://nothing/", SOURCE)
    assert [f.code for f in report.failures] == [ErrorCode.INPUT_INVALID, ErrorCode.CONNECTOR_NOT_FOUND]
    assert report.counts()["added"] == 6


async def test_tenants_have_their_own_documents_and_ledgers(shop: Shop) -> None:
    await ingest(shop, tenant="a")
    shop.forget()
    report = await ingest(shop, tenant="b")
    assert report.counts()["added"] == 6
    shop.connector.items.pop(f"{SOURCE}0.txt")
    await ingest(shop, tenant="b")
    assert (await shop.store.counts("a"))[0] == 6
    assert (await shop.store.counts("b"))[0] == 5


async def test_a_store_that_lost_documents_is_filled_again(shop: Shop) -> None:
    await ingest(shop)
    await shop.store.delete("default", [Document.id_for(f"{SOURCE}4.txt")])
    report = await ingest(shop)
    assert states(report)["4.txt"] == "updated"
    assert "it was not in the store" in {item.reason for item in report.items}
    assert (await shop.store.counts("default"))[0] == 6


async def test_an_item_stored_by_a_killed_run_and_gone_since_is_cleared(shop: Shop) -> None:
    """The store has committed, the ledger has not: then the file goes away."""
    service = shop.service()
    failing = service.parts.ledger
    failing.record = lambda *_: (_ for _ in ()).throw(SystemError("killed"))  # type: ignore[method-assign]
    await service.ingest([SOURCE])
    await service.close()
    assert (await shop.store.counts("default"))[0] == 6
    shop.connector.items.pop(f"{SOURCE}0.txt")
    report = await ingest(shop)
    assert report.counts()["added"] == 5
    assert (await shop.store.counts("default"))[0] == 5


async def test_near_duplicates_are_reported(shop: Shop) -> None:
    text = "".join(LONG.format(n=n) for n in range(40))
    shop.connector.items = {
        f"{SOURCE}a": text,
        f"{SOURCE}b": text.replace("day 39", "day thirty-nine"),
        f"{SOURCE}c": "Quite another text about yeast, sugar, bread and beer. " * 30,
        f"{SOURCE}d": "short",
        f"{SOURCE}e": "short",
    }
    report = await ingest(shop)
    warnings = {item.uri.removeprefix(SOURCE): item.warnings for item in report.items}
    assert warnings["a"] == (f"near-duplicate of {SOURCE}b",)
    assert warnings["b"] == (f"near-duplicate of {SOURCE}a",)
    assert warnings["c"] == warnings["d"] == warnings["e"] == ()
    again = {item.uri.removeprefix(SOURCE): item.warnings for item in (await ingest(shop)).items}
    assert again == warnings


async def test_progress_counts_every_item_once(shop: Shop) -> None:
    seen: list[IngestProgress] = []
    shop.connector.items[f"{SOURCE}bad"] = "BAD"
    report = await ingest(shop, progress=seen.append)
    assert [p.done for p in seen] == list(range(1, 8))
    assert seen[-1].counts == {state: n for state, n in report.counts().items() if n}
    assert seen[-1].listed == 7
    assert seen[-1].per_s > 0
    assert {p.uri for p in seen} == {item.uri for item in report.items}


async def test_a_watcher_that_raises_is_told_no_more_and_costs_nothing(shop: Shop, caplog: Any) -> None:
    told: list[IngestProgress] = []

    def broken(now: IngestProgress) -> None:
        told.append(now)
        raise ZeroDivisionError("the words of a document")

    report = await ingest(shop, progress=broken)
    assert (report.counts()["added"], report.failures) == (6, ())
    assert len(told) == 1
    assert "ZeroDivisionError" in caplog.text
    assert "words of a document" not in caplog.text


async def test_a_defect_on_the_way_is_a_failure_of_the_run_and_nothing_is_raised(shop: Shop) -> None:
    class Broken(type(shop.connector)):  # type: ignore[misc]
        async def list(self, source: Any) -> Any:  # type: ignore[override]
            yield Listing(uri=f"{SOURCE}0.txt")
            raise ZeroDivisionError("the words of a document")

    whole, shop.connector = shop.connector, Broken(shop.connector.items)
    report = await ingest(shop)
    assert [f.code for f in report.failures] == [ErrorCode.INTERNAL]
    assert report.failures[0].details["exception"] == "ZeroDivisionError"
    service = shop.service()
    assert (await service.runs())[0]["ended_at"], "the run has an end all the same"
    await service.close()
    shop.connector = whole
    assert (await ingest(shop)).counts()["failed"] == 0


async def test_runs_are_kept_and_asked_for_by_id(shop: Shop) -> None:
    first = await ingest(shop)
    shop.connector.items.pop(f"{SOURCE}0.txt")
    second = await ingest(shop)
    service = shop.service()
    runs = await service.runs()
    assert {run["run_id"] for run in runs} == {first.run_id, second.run_id}
    assert all(run["ended_at"] for run in runs)
    assert json.loads(runs[0]["sources"] or "") == [SOURCE]
    assert {i.state for i in await service.ledger_items(run_id=first.run_id)} == {"added"}
    assert {i.state for i in await service.ledger_items(run_id=second.run_id)} == {"deleted"}, "changes alone"
    assert json.loads(runs[0]["counts"] or "") == {"unchanged": 5, "deleted": 1}
    assert await service.ledger_items(run_id=first.run_id, tenant="other") == []
    await service.close()


async def test_a_cancelled_run_is_made_good_by_the_next(shop: Shop) -> None:
    for n in range(40):
        shop.connector.items[f"{SOURCE}many/{n}"] = f"Text {n}. " * 50
    undisturbed = Shop(shop.folder / "other", connector=shop.connector)
    await ingest(undisturbed)
    for delay in (0.005, 0.02, 0.05):
        task = asyncio.create_task(ingest(shop))
        await asyncio.sleep(delay)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    report = await ingest(shop)
    assert sum(report.counts().values()) == 46
    assert report.counts()["failed"] == 0
    assert await table(shop.store) == await table(undisturbed.store)


async def test_several_ingests_at_once_double_nothing(shop: Shop) -> None:
    reports = await asyncio.gather(*(ingest(shop) for _ in range(4)))
    assert all(sum(r.counts().values()) == 6 and r.counts()["failed"] == 0 for r in reports)
    assert (await shop.store.counts("default"))[0] == 6
    assert (await ingest(shop)).counts()["unchanged"] == 6


async def test_temporary_files_are_given_back(shop: Shop, tmp_path: Path) -> None:
    held = []
    for name, content in (("good", b"Fine text."), ("bad", b"BAD")):
        path = tmp_path / f"{name}.tmp"
        path.write_bytes(content)
        held.append(path)
        shop.connector.items[f"{SOURCE}{name}"] = RawDocument(uri=f"{SOURCE}{name}", path=path)
    assert (await ingest(shop)).counts()["added"] == 7
    assert not any(path.exists() for path in held)


async def test_a_parser_fault_is_the_items_own(shop: Shop) -> None:
    shop.parsers.fault = ParserError("It took too long.", ErrorCode.PARSER_TIMEOUT)
    report = await ingest(shop)
    assert {item.code for item in report.items} == {"ERR_PARSER_TIMEOUT"}
    shop.parsers.fault = None
    assert (await ingest(shop)).counts()["added"] == 6


def test_a_ledger_that_cannot_be_opened_is_typed(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").mkdir()
    with pytest.raises(StoreError, match="ledger") as caught:
        Ledger(tmp_path / "ledger.sqlite").items("t")
    assert caught.value.code is ErrorCode.STORAGE_UNAVAILABLE


async def test_a_ledger_that_cannot_be_opened_stops_the_run(shop: Shop) -> None:
    (shop.folder / "ledger.sqlite").mkdir()
    report = await ingest(shop)
    assert [f.code for f in report.failures] == [ErrorCode.STORAGE_UNAVAILABLE]
    assert isinstance(report.failures[0], AgentFailure)


def test_a_ledger_that_is_away_is_not_begun_anew(tmp_path: Path) -> None:
    folder, away = tmp_path / "ws", tmp_path / "away"
    ledger = Ledger(folder / "ledger.sqlite")
    ledger.begin("r1", "t", ["s"])
    folder.rename(away)
    with pytest.raises(StoreError) as caught:
        ledger.begin("r2", "t", ["s"])
    assert caught.value.code is ErrorCode.STORAGE_UNAVAILABLE
    assert not folder.exists()
    away.rename(folder)
    ledger.begin("r3", "t", ["s"])
    assert {run["run_id"] for run in Ledger(folder / "ledger.sqlite").runs("t")} == {"r1", "r3"}


async def test_documents_belong_to_the_collection_of_their_source(shop: Shop) -> None:
    await ingest(shop)
    service = shop.service()
    service.assign_collection([SOURCE], "hr", "default")
    with pytest.raises(InputError, match="no name of a collection"):
        service.assign_collection([SOURCE], "a b", "default")
    await service.close()
    shop.forget()
    moved = await ingest(shop)
    assert moved.counts()["updated"] == 6
    assert (shop.parsers.parsed, shop.embedder.embedded) == ([], []), "nothing is parsed or embedded for it"
    found = await shop.store.lexical("default", "harbour", limit=50, filters={"collection": "hr", "source": SOURCE})
    assert {passage.chunk.facts.collection for passage in found} == {"hr"}
    assert await shop.store.lexical("default", "harbour", limit=50, filters={"collection": "main"}) == []
    assert (await ingest(shop)).counts()["unchanged"] == 6


async def test_a_word_that_no_reader_reads_is_refused_before_it_is_cut(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.connector.items = {
        "fake://s/data": f"Before. {'x' * (MOST_WORD_CHARS + 1)} after.",
        "fake://s/mixed": f"年假{'x' * (MOST_WORD_CHARS + 1)}年假",
        "fake://s/text": "A text about harbours. " * 50_000,
    }
    report = await shop.service().ingest(["fake://s/"])
    states = {item.uri: item.state for item in report.items}
    assert states == {"fake://s/data": "failed", "fake://s/mixed": "failed", "fake://s/text": "added"}
    assert "1,000,001 characters" in next(item.reason for item in report.items if item.state == "failed")


def test_a_book_without_a_blank_is_no_endless_word_where_words_are_not_parted() -> None:
    assert find_endless_word("年假为二十天。" * 200_000) == 0
    assert find_endless_word("ลาพักร้อนได้" * 100_000) == 0
    assert find_endless_word("年" * (MOST_UNSPACED_CHARS + 1)) == MOST_UNSPACED_CHARS + 1
    assert find_endless_word("x" * (MOST_WORD_CHARS + 1)) == MOST_WORD_CHARS + 1
