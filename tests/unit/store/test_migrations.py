"""Versions of the table of passages: older ones are brought up to date, newer ones refused."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from roma_core.embeddings.fake import FakeEmbedder
from roma_core.errors import ErrorCode, StoreError
from roma_core.facts import read_facts
from roma_core.store import migrations
from roma_core.store.lance import LanceStore
from roma_core.store.lexical import make_search_text
from roma_core.testing.stores import EMBEDDER, document, put

WORKSPACE_OF_BEFORE = Path(__file__).parents[2] / "fixtures" / "workspace-before-versions.tar.gz"
TODAY = migrations.current_version()
STEP_OF_A_LATER_ROMA = """
from roma_core.store import migrations

async def add_colour(table):
    await migrations.add_columns(table, {"colour": "'red'"})

migrations.STEPS = (*migrations.STEPS, add_colour)
"""
OPENING = (
    STEP_OF_A_LATER_ROMA
    + """
import asyncio, os, signal, sys
from pathlib import Path
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.store.lance import LanceStore
from roma_core.store.lexical import make_search_text

async def add_colour_and_die(table):
    await add_colour(table)
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[2] == "die":
    migrations.STEPS = (*migrations.STEPS[:-1], add_colour_and_die)
embedder = FakeEmbedder()
store = LanceStore(Path(sys.argv[1]), fingerprint=embedder.fingerprint, dim=embedder.dim)
print(asyncio.run(store.counts("default")))
"""
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The store of a workspace that was made before tables had versions."""
    with tarfile.open(WORKSPACE_OF_BEFORE) as archive:
        archive.extractall(tmp_path / "ws", filter="data")
    shutil.move(tmp_path / "ws" / ".roma" / "store", tmp_path / "store")
    return tmp_path / "store"


def store_at(folder: Path) -> LanceStore:
    embedder = FakeEmbedder()
    return LanceStore(folder, fingerprint=embedder.fingerprint, dim=embedder.dim)


async def open_table(folder: Path) -> Any:
    import lancedb

    return await (await lancedb.connect_async(str(folder))).open_table("passages")


async def add_colour(table: Any) -> None:
    await migrations.add_columns(table, {"colour": "'red'"})


async def test_a_new_table_says_its_version(tmp_path: Path) -> None:
    await store_at(tmp_path).counts("t")
    assert (await migrations.read_version(await open_table(tmp_path))).number == migrations.current_version()


async def test_an_older_table_is_brought_up_to_date_and_its_state_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await (await open_table(folder)).version()
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, add_colour))
    store = store_at(folder)
    assert await store.counts("default") == (3, 3)
    assert [p.chunk.title for p in await store.lexical("default", "rope bridge", limit=1)] == ["Rope bridge"]
    table = await open_table(folder)
    assert (await migrations.read_version(table)).number == TODAY + 1
    assert await table.count_rows("colour = 'red'") == 6
    assert await table.tags.get_version(f"schema-1-at-{before}") == before
    await table.checkout(f"schema-1-at-{before}")
    assert not {"colour", "language"} & set((await table.schema()).names)
    assert (await migrations.read_version(table)).number == 1


async def test_an_index_with_the_stop_words_of_all_languages_is_built_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lancedb.index import FTS

    monkeypatch.setattr(migrations, "STEPS", migrations.STEPS[:2])
    with monkeypatch.context() as before:
        before.setattr(migrations, "text_index", lambda tokenizer="icu": FTS(base_tokenizer=tokenizer))
        store = LanceStore(tmp_path, fingerprint=EMBEDDER.fingerprint, dim=EMBEDDER.dim)
        await put(store, document("file:///w.md", "The war took the man and his dog.", tenant="default"), "default")
        await store.optimize()
        assert await store.lexical("default", "war dog", limit=3) == []
        await store.close()
    monkeypatch.undo()
    store = LanceStore(tmp_path, fingerprint=EMBEDDER.fingerprint, dim=EMBEDDER.dim)
    assert len(await store.lexical("default", "war dog", limit=3)) == 1
    await store.close()


async def test_a_table_that_is_up_to_date_gets_no_commit(folder: Path) -> None:
    await store_at(folder).counts("default")
    before = await (await open_table(folder)).version()
    await store_at(folder).counts("default")
    assert await (await open_table(folder)).version() == before


async def test_a_table_of_a_newer_roma_is_refused_by_name(folder: Path) -> None:
    newer = {"path": "key", "metadata": {"roma:schema": '{"number": 9, "roma": "9.1.0"}'}}
    await (await open_table(folder)).update_field_metadata(newer)
    with pytest.raises(StoreError, match=r"use ROMA 9\.1\.0 or newer") as caught:
        await store_at(folder).counts("default")
    assert caught.value.code is ErrorCode.STORAGE_NEWER
    health = await store_at(folder).health()
    assert (health.state, health.details["code"]) == ("down", "ERR_STORAGE_NEWER")


async def test_a_process_that_is_killed_before_the_version_is_noted_is_taken_up_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", OPENING, str(folder), "die")
    assert await process.wait() == -9
    assert (await migrations.read_version(await open_table(folder))).number == TODAY
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, add_colour))
    assert await store_at(folder).counts("default") == (3, 3)
    table = await open_table(folder)
    assert ((await migrations.read_version(table)).number, await table.count_rows("colour = 'red'")) == (TODAY + 1, 6)


async def test_of_two_processes_one_takes_the_steps(folder: Path) -> None:
    command = [sys.executable, "-c", OPENING, str(folder), "live"]
    processes = [await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE) for _ in range(2)]
    assert [(await process.communicate())[0].strip() for process in processes] == [b"(3, 3)"] * 2
    table = await open_table(folder)
    assert (await migrations.read_version(table)).number == TODAY + 1
    assert len(await table.tags.list()) == 1


async def test_a_process_that_has_the_table_open_writes_nothing_once_a_newer_roma_changed_it(folder: Path) -> None:
    store = store_at(folder)
    assert await store.counts("default") == (3, 3)
    newer = {"path": "key", "metadata": {"roma:schema": '{"number": 9, "roma": "9.1.0"}'}}
    await (await open_table(folder)).update_field_metadata(newer)
    with pytest.raises(StoreError) as caught:
        await store.delete("default", list(await store.contents("default")))
    assert caught.value.code is ErrorCode.STORAGE_NEWER
    assert await (await open_table(folder)).count_rows() == 6


async def test_documents_of_before_have_their_facts_as_columns(folder: Path) -> None:
    store = store_at(folder)
    documents = [each async for each in store.documents("default")]
    for each in documents:
        facts = read_facts(each)
        assert (facts.language, facts.collection) == ("en", "main")
        assert facts.type == each.parser.partition("/")[0]
        assert [chunk.facts for chunk in await store.chunks("default", each.id)] == [facts]
    wanted = {"language": "English", "type": "md", "collection": "main"}
    found = await store.lexical("default", "rope bridge", limit=9, filters=wanted)
    assert [passage.chunk.title for passage in found] == ["Rope bridge"]
    assert await store.lexical("default", "rope bridge", limit=9, filters={"collection": "other"}) == []


async def test_a_table_of_before_is_searched_as_a_new_one(folder: Path) -> None:
    await store_at(folder).counts("default")  # opening brings it up to date
    table = await open_table(folder)
    columns = ["text", "context", "language", "search_text"]
    for row in await table.query().where("kind = 'chunk'").select(columns).to_list():
        indexed_text = f"{row['context']}\n{row['text']}" if row["context"] else row["text"]
        assert row["search_text"].split() == make_search_text(indexed_text, row["language"]).split()
    [index] = [index for index in await table.list_indices() if list(index.columns) == ["search_text"]]
    assert index.num_unindexed_rows in {0, None}
