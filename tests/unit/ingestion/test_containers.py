"""Files inside of files: a document each, claimed with its container, read again only when it has to be."""

from __future__ import annotations

import asyncio
import io
import sqlite3
import zipfile
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import pytest

from roma_core.errors import AgentFailure, StoreError
from roma_core.parsers import containers
from roma_core.parsers.sandbox.pool import InlineSandbox
from roma_core.parsers.service import DolphinParserService
from roma_core.types import IngestionReport, RawDocument
from tests.fakes.ingest import FULL, FaultyStore, Shop

SOURCE = "fake://s/"
HERONS = "The herons of the northern lakes nest in old alders, and the county counts them. " * 3
MILLS = "The mill at the weir ground forty sacks a day until the flood of 1953 took its wheel. " * 3


def mail(*attachments: tuple[str, str], subject: str = "Report") -> bytes:
    message = EmailMessage()
    message["Subject"], message["From"] = subject, "Ada Reed <ada@example.org>"
    message.set_content("See what is attached to this message of ours.")
    for name, text in attachments:
        message.add_attachment(text.encode(), maintype="text", subtype="plain", filename=name)
    return bytes(message)


def packed(**files: bytes | str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return buffer.getvalue()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path, parsers=cast(Any, DolphinParserService(InlineSandbox())))
    shop.connector.items[f"{SOURCE}a.eml"] = mail(("herons.txt", HERONS), ("mills.txt", MILLS))
    return shop


async def ingest(shop: Shop, **options: Any) -> IngestionReport:
    service = shop.service()
    try:
        return await service.ingest([SOURCE], **options)
    finally:
        await service.close()


def states(report: IngestionReport) -> dict[str, str]:
    assert report.failures == ()
    return {item.uri.removeprefix(SOURCE): item.state for item in report.items}


async def texts(shop: Shop) -> dict[str, str]:
    return {d.uri.removeprefix(SOURCE): d.text async for d in shop.store.documents("default")}


async def test_attachments_become_documents_of_their_own(shop: Shop) -> None:
    assert states(await ingest(shop)) == {"a.eml": "added", "a.eml#herons.txt": "added", "a.eml#mills.txt": "added"}
    stored = await texts(shop)
    assert "alders" in stored["a.eml#herons.txt"] and "weir" in stored["a.eml#mills.txt"]
    assert "alders" not in stored["a.eml"]
    herons = next([d async for d in shop.store.documents("default") if d.uri.endswith("#herons.txt")].__iter__())
    assert herons.title == "herons.txt" and herons.metadata["container"] == f"{SOURCE}a.eml"


async def test_a_second_run_reads_nothing_and_says_unchanged(shop: Shop) -> None:
    await ingest(shop)
    shop.connector.fetched.clear()
    assert set(states(await ingest(shop)).values()) == {"unchanged"} and shop.connector.fetched == []
    assert len(await texts(shop)) == 3


async def test_only_the_attachment_that_changed_is_updated(shop: Shop) -> None:
    await ingest(shop)
    shop.connector.items[f"{SOURCE}a.eml"] = mail(("herons.txt", HERONS), ("mills.txt", MILLS + "It was rebuilt."))
    assert states(await ingest(shop)) == {
        "a.eml": "updated",
        "a.eml#herons.txt": "unchanged",
        "a.eml#mills.txt": "updated",
    }


async def test_an_attachment_that_is_taken_out_is_deleted(shop: Shop) -> None:
    await ingest(shop)
    shop.connector.items[f"{SOURCE}a.eml"] = mail(("herons.txt", HERONS))
    assert states(await ingest(shop))["a.eml#mills.txt"] == "deleted"
    assert set(await texts(shop)) == {"a.eml", "a.eml#herons.txt"}


async def test_attachments_go_with_their_message_and_can_be_forgotten_with_it(shop: Shop) -> None:
    shop.connector.items[f"{SOURCE}b.txt"] = MILLS
    await ingest(shop)
    service = shop.service()
    report = await service.forget([f"{SOURCE}a.eml"])
    await service.close()
    assert report.documents == 3 and set(await texts(shop)) == {"b.txt"}
    await ingest(shop)
    del shop.connector.items[f"{SOURCE}a.eml"]
    assert states(await ingest(shop, prune=True))["a.eml#herons.txt"] == "deleted"
    assert set(await texts(shop)) == {"b.txt"}


async def test_a_container_that_cannot_be_read_keeps_what_was_in_it(shop: Shop) -> None:
    await ingest(shop)
    shop.connector.items[f"{SOURCE}a.eml"] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 no longer a message"
    assert states(await ingest(shop)) == {"a.eml": "failed"}
    assert len(await texts(shop)) == 3


async def test_a_bad_attachment_is_one_failed_row(shop: Shop) -> None:
    broken = packed(word__document_dot_xml="<w:document")
    message = EmailMessage()
    message["Subject"] = "Two"
    message.set_content("Words of the message.")
    message.add_attachment(broken, maintype="application", subtype="octet-stream", filename="b.docx")
    message.add_attachment(HERONS.encode(), maintype="text", subtype="plain", filename="herons.txt")
    shop.connector.items = {f"{SOURCE}a.eml": bytes(message)}
    assert states(await ingest(shop)) == {"a.eml": "added", "a.eml#b.docx": "failed", "a.eml#herons.txt": "added"}
    shop.connector.fetched.clear()
    assert states(await ingest(shop, retry_failed=True)) == {"a.eml#b.docx": "failed"}
    assert shop.connector.fetched == [f"{SOURCE}a.eml"]


async def test_archives_messages_and_their_attachments_nest(shop: Shop) -> None:
    archive = packed(
        letters__a_dot_eml=mail(("herons.txt", HERONS)), _dot_hidden=b"x", notes_dot_md=f"# Mills\n\n{MILLS}"
    )
    shop.connector.items = {f"{SOURCE}all.zip": archive}
    assert states(await ingest(shop)) == {
        "all.zip": "added",
        "all.zip#letters/a.eml": "added",
        "all.zip#letters/a.eml#herons.txt": "added",
        "all.zip#notes.md": "added",
    }
    shop.connector.fetched.clear()
    assert set(states(await ingest(shop)).values()) == {"unchanged"} and shop.connector.fetched == []
    assert (await texts(shop))["all.zip#notes.md"].startswith("# Mills")


async def test_containers_in_containers_end_at_a_depth(shop: Shop) -> None:
    inner = packed(deep_dot_txt=HERONS)
    for _ in range(containers.MAX_DEPTH + 1):
        inner = packed(inner_dot_zip=inner)
    shop.connector.items = {f"{SOURCE}all.zip": inner}
    report = await ingest(shop)
    assert len(report.items) == containers.MAX_DEPTH + 1
    assert any("deep" in warning for item in report.items for warning in item.warnings)


async def test_messages_of_a_mailbox_are_documents_and_the_mailbox_lists_them(shop: Shop) -> None:
    start = b"From ada@example.org Thu Jan  1 00:00:00 2026\n"
    box = start + mail(subject="One") + b"\n" + start + mail(("mills.txt", MILLS), subject="Two")
    shop.connector.items = {f"{SOURCE}box.mbox": box}
    assert set(states(await ingest(shop))) == {
        "box.mbox",
        "box.mbox#1.eml",
        "box.mbox#2.eml",
        "box.mbox#2.eml#mills.txt",
    }
    stored = await texts(shop)
    assert "attached" not in stored["box.mbox"] and "One" in stored["box.mbox"]
    assert stored["box.mbox#1.eml"].startswith("# One")


async def test_what_a_killed_run_left_out_is_brought_in_by_the_next(shop: Shop) -> None:
    await ingest(shop)
    with sqlite3.connect(shop.folder / "ledger.sqlite") as db:
        db.execute("DELETE FROM items WHERE uri LIKE '%mills.txt'")
    service = shop.service()
    documents = [d.id async for d in shop.store.documents("default") if d.uri.endswith("mills.txt")]
    await shop.store.delete("default", documents)
    await service.close()
    assert states(await ingest(shop)) == {
        "a.eml": "unchanged",
        "a.eml#herons.txt": "unchanged",
        "a.eml#mills.txt": "added",
    }
    assert "weir" in (await texts(shop))["a.eml#mills.txt"]


async def test_a_full_disk_stops_attachments_too_and_the_next_run_goes_on(shop: Shop) -> None:
    cast(FaultyStore, shop.store).fault = FULL
    report = await ingest(shop)
    assert {item.state for item in report.items} == {"failed"} and isinstance(FULL, StoreError)
    cast(FaultyStore, shop.store).fault = None
    assert set(states(await ingest(shop)).values()) == {"added"}
    assert len(await texts(shop)) == 3


async def test_the_bytes_of_an_attachment_can_be_fetched_again(shop: Shop) -> None:
    await ingest(shop)
    service = shop.service()
    found = [d async for d in shop.store.documents("default") if d.uri.endswith("mills.txt")]
    raw = await service.original(found[0])
    await service.close()
    assert not isinstance(raw, AgentFailure) and raw.data.decode().strip() == MILLS.strip()


async def test_a_plan_does_not_take_attachments_for_missing(shop: Shop) -> None:
    from roma_core.ingestion.catalog import SourceCatalog

    await ingest(shop)
    service = shop.service()
    plan = await SourceCatalog(service).plan()
    await service.close()
    assert plan.sources[0].items == ()


async def test_parts_are_named_apart_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = RawDocument(uri="file:///a.eml", data=mail(("a.txt", HERONS), ("a.txt", MILLS), ("ä b#.txt", MILLS)))
    service = DolphinParserService(InlineSandbox())
    parts = await service.parts(raw)
    assert not isinstance(parts, AgentFailure)
    assert [part.uri.partition("#")[2] for part in parts] == ["a.txt", "a%20(2).txt", "%C3%A4%20b_.txt"]
    monkeypatch.setattr(containers, "MAX_PARTS", 2)
    bounded = await asyncio.to_thread(containers.extract, raw, containers.ParseOptions())
    assert len(containers.unpack(bounded)) == 2
