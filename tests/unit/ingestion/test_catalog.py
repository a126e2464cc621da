"""Sources as things: added, declared in a file, planned, synced, edited and removed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from roma_core.errors import ConfigError, ConnectorError, InputError, NotFoundError
from roma_core.ingestion.catalog import SourceCatalog, make_options, read_duration
from roma_core.types import SourceOptions
from tests.fakes.ingest import Shop

SOURCE = "fake://s/"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    for n in range(12):
        shop.connector.items[f"{SOURCE}{n:02}.txt"] = f"Document number {n} tells of harbour {n}. " * 12
    return shop


@pytest.fixture
def catalog(shop: Shop) -> SourceCatalog:
    return SourceCatalog(shop.service(), shop.folder / "roma.toml")


@pytest.mark.parametrize(("text", "seconds"), [("30", 30), ("30s", 30), ("15m", 900), ("1.5h", 5400), ("2d", 172800)])
def test_times_are_read(text: str, seconds: float) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5m", "5 weeks"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        read_duration(text)


def test_a_setting_that_no_source_has_is_named() -> None:
    with pytest.raises(ConfigError, match=r"dept: .*Known: every, .*depth"):
        make_options({"dept": 2}, "Source x")


async def test_a_source_is_added_synced_and_shown(shop: Shop, catalog: SourceCatalog) -> None:
    record = await catalog.add(SOURCE, name="harbours", options=SourceOptions(schedule_s=60))
    assert (record.label, record.kind, record.items) == ("harbours", "local", 0)
    report = await catalog.sync(["harbours"])
    assert report.counts()["added"] == 12
    (record,) = await catalog.all()
    assert (record.items, record.missing, record.last_counts) == (12, 0, {"added": 12})
    assert record.last_complete_at is not None
    assert await catalog.require(SOURCE) == await catalog.require("harbours") == await catalog.require(record.id)


async def test_a_name_belongs_to_one_source(catalog: SourceCatalog) -> None:
    await catalog.add(SOURCE, name="a")
    with pytest.raises(InputError):
        await catalog.add("fake://t/", name="a")
    with pytest.raises(InputError):
        await catalog.add("fake://t/", name="a name")
    with pytest.raises(NotFoundError):
        await catalog.require("b")


async def test_all_that_was_added_by_name_is_synced_else_all_that_is_known(shop: Shop, catalog: SourceCatalog) -> None:
    shop.connector.items["fake://t/x"] = "Another place."
    service = shop.service()
    await service.ingest(["fake://t/"])
    assert (await catalog.sync()).counts()["unchanged"] == 1
    await catalog.add(SOURCE, name="named")
    assert (await catalog.sync()).counts()["added"] == 12
    await service.close()


async def test_a_plan_says_what_would_be_done_and_does_nothing(shop: Shop, catalog: SourceCatalog) -> None:
    await catalog.add(SOURCE, name="s")
    (plan,) = (await catalog.plan()).sources
    assert plan.counts == {"added": 12}
    assert await shop.store.counts("default") == (0, 0)
    await catalog.sync()
    shop.connector.items[f"{SOURCE}00.txt"] = "Other words. " * 20
    shop.connector.items.pop(f"{SOURCE}01.txt")
    shop.connector.skips[f"{SOURCE}02.txt"] = "left out now"
    shop.connector.items[f"{SOURCE}new.txt"] = "New."
    shop.forget()
    before = await catalog.all()
    (plan,) = (await catalog.plan(["s"])).sources
    assert plan.counts == {"added": 1, "changed": 1, "deleted": 1, "excluded": 1, "unchanged": 9}
    assert plan.is_complete
    assert shop.connector.fetched == []
    assert await catalog.all() == before
    counts = (await catalog.sync(["s"])).counts()
    assert {state: n for state, n in counts.items() if n} == {
        "added": 1,
        "updated": 1,
        "deleted": 1,
        "skipped": 1,
        "unchanged": 9,
    }
    shop.connector.list_error = ConnectorError("The line broke.")
    (plan,) = (await catalog.plan(["s"])).sources
    assert not plan.is_complete and plan.failures
    assert set(plan.counts) == set()


async def test_settings_are_edited_one_by_one(catalog: SourceCatalog) -> None:
    await catalog.add(SOURCE, name="s", options=SourceOptions(depth=2))
    record = await catalog.edit("s", {"schedule_s": 60}, name="t")
    assert (record.name, record.options) == ("t", SourceOptions(depth=2, schedule_s=60))
    with pytest.raises(ConfigError):
        await catalog.edit("t", {"depth": -1})


async def test_removing_a_source_removes_what_no_other_lists_and_can_be_undone(
    shop: Shop, catalog: SourceCatalog
) -> None:
    await catalog.add(SOURCE, name="s")
    await catalog.add(f"{SOURCE}0", name="low")
    await catalog.sync()
    report = await catalog.remove("s")
    assert report.counts()["deleted"] == 2
    assert (await shop.store.counts("default"))[0] == 10
    assert [record.name for record in await catalog.all()] == ["low"]
    service = shop.service()
    assert (await service.restore(run_id=report.run_id)).counts()["added"] == 2
    assert (await shop.store.counts("default"))[0] == 12
    await service.close()


async def test_a_file_declares_sources(shop: Shop, catalog: SourceCatalog) -> None:
    project = shop.folder / "roma.toml"
    project.write_text(f'[[sources]]\nname = "s"\nuri = "{SOURCE}"\nevery = "15m"\ndepth = 1\n')
    (record,) = await catalog.all()
    assert (record.name, record.declared_in) == ("s", "roma.toml")
    assert record.options == SourceOptions(depth=1, schedule_s=900)
    for change in (catalog.edit("s", {"depth": 2}), catalog.remove("s")):
        with pytest.raises(InputError, match=r"roma\.toml"):
            await change
    project.write_text("")
    (record,) = await catalog.all()
    assert (record.name, record.declared_in) == ("", ""), "it stays known, and is no longer declared"


WRONG = [
    "[[sources]]\nname = 'x'\n",
    "[[sources]]\nuri = 'fake://s/'\ndept = 1\n",
    "[[",
    "sources = 3\n",
    "sources = ['fake://s/']\n",
    "[settings]\nport = 1\n",
]


async def test_a_file_of_an_editor_that_marks_utf_8_is_read(shop: Shop, catalog: SourceCatalog) -> None:
    (shop.folder / "roma.toml").write_text(f'[[sources]]\nname = "s"\nuri = "{SOURCE}"\n', encoding="utf-8-sig")
    assert [record.name for record in await catalog.all()] == ["s"]


async def test_what_is_no_toml_is_named_with_its_line(shop: Shop, catalog: SourceCatalog) -> None:
    (shop.folder / "roma.toml").write_text("# mine\n[[sources]\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"roma\.toml is no TOML: .*line 2"):
        await catalog.all()


@pytest.mark.parametrize("text", WRONG)
async def test_a_file_that_is_wrong_says_where(shop: Shop, catalog: SourceCatalog, text: str) -> None:
    (shop.folder / "roma.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"roma\.toml"):
        await catalog.all()


async def test_a_source_is_due_when_its_time_has_come(catalog: SourceCatalog) -> None:
    await catalog.add(SOURCE, name="s", options=SourceOptions(schedule_s=600))
    await catalog.add("fake://t/", name="by-hand")
    assert [(tenant, record.name) for tenant, record in await catalog.due()] == [("default", "s")]
    await catalog.sync(["s"])
    assert await catalog.due() == []
    assert len(await catalog.due(datetime.now(UTC) + timedelta(seconds=601))) == 1
    assert await catalog.due(datetime.now(UTC) - timedelta(seconds=5)) == []
    assert len(await catalog.due(datetime.now(UTC) - timedelta(days=400))) == 1, "the clock was set back"


async def test_a_source_has_settings_of_its_own(shop: Shop, catalog: SourceCatalog) -> None:
    await catalog.add(SOURCE, name="s", options=SourceOptions(depth=3, headers={"X-A": "1"}))
    resolved = shop.service().resolve("default", SOURCE)
    assert resolved.source.options == {"depth": 3, "headers": {"X-A": "1"}}
