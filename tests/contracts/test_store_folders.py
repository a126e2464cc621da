"""Both places of a store, a folder of this machine and a bucket, keep one contract."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from roma_core.errors import ErrorCode, StoreError
from roma_core.store import LocalFolder, StoreFolder
from roma_core.store.register import (
    FIRST_TABLE,
    TableRegister,
    change_register,
    list_unfinished,
    name_next_table,
    read_register,
    remove_table,
    table_folder,
)
from tests.s3 import open_bucket

FILE = "tables.json"
LOCK = ".writer.lock"


class FolderContract:
    """Conformance of a ``StoreFolder``. Inherit it and give an empty ``folder`` that was prepared."""

    def test_what_is_not_there_is_nothing(self, folder: StoreFolder) -> None:
        missing = folder.child("nowhere")
        assert missing.read(FILE) is None
        assert missing.find_stamp(FILE) is None
        assert missing.identify() is None
        assert not missing.exists()
        assert missing.list_folders() == []
        assert missing.list_files() == {}
        assert missing.measure() == 0
        assert missing.count_files("_versions") == 0
        missing.remove()

    def test_a_file_is_replaced_as_a_whole_and_has_another_stamp(self, folder: StoreFolder) -> None:
        folder.replace(FILE, "one, and longer than the next")
        first = folder.read(FILE)
        folder.replace(FILE, "two ☃")
        second = folder.read(FILE)
        assert first is not None
        assert second is not None
        assert (first.text, second.text) == ("one, and longer than the next", "two ☃")
        assert first.stamp != second.stamp
        assert folder.find_stamp(FILE) == second.stamp

    def test_a_file_is_exchanged_for_what_was_read_and_for_nothing_else(self, folder: StoreFolder) -> None:
        first = folder.exchange(FILE, "one", None)
        second = folder.exchange(FILE, "two", first)
        for stale in (None, first):
            with pytest.raises(StoreError, match=FILE) as caught:
                folder.exchange(FILE, "three", stale)
            assert caught.value.code is ErrorCode.STORAGE_LOCKED
        held = folder.read(FILE)
        assert held is not None
        assert (held.text, held.stamp) == ("two", second)

    def test_folders_have_names_sizes_and_files(self, folder: StoreFolder, tmp_path: Path) -> None:
        source = tmp_path / "source"
        source.write_bytes(b"x" * 1000)
        folder.send(source, "b.lance/data/1.bin")
        folder.send(source, "a.lance/_versions/1.manifest")
        folder.send(source, ".hidden.lock")
        assert folder.list_folders() == ["a.lance", "b.lance"]
        assert folder.list_files() == {"a.lance/_versions/1.manifest": 1000, "b.lance/data/1.bin": 1000}
        assert folder.measure() == 3000
        assert folder.child("a.lance").count_files("_versions") == 1
        assert folder.child("a.lance").name == "a.lance"
        target = tmp_path / "fetched" / "1.bin"
        folder.fetch("b.lance/data/1.bin", target)
        assert target.read_bytes() == b"x" * 1000
        with pytest.raises(FileNotFoundError):
            folder.fetch("b.lance/data/2.bin", tmp_path / "fetched" / "2.bin")
        folder.child("b.lance").remove()
        assert folder.list_folders() == ["a.lance"]

    def test_a_folder_that_was_made_again_is_another_one(self, folder: StoreFolder, tmp_path: Path) -> None:
        table = folder.child("passages.lance")
        table.prepare()
        table.mark()
        before = table.identify()
        assert before is not None
        assert table.identify() == before
        kept = tmp_path / "kept"  # the disk would number the next folder as this one
        if isinstance(table, LocalFolder):
            table.path.rename(kept)
        else:
            table.remove()
        assert table.identify() is None
        table.prepare()
        table.mark()
        assert table.identify() not in {None, before}

    async def test_a_lock_has_one_holder_and_others_wait_for_it(self, folder: StoreFolder) -> None:
        inside = 0

        async def write() -> None:
            nonlocal inside
            async with folder.lock(LOCK, 20.0):
                inside += 1
                assert inside == 1
                await asyncio.sleep(0.02)
                inside -= 1

        await asyncio.gather(*(write() for _ in range(4)))
        async with folder.lock(LOCK, 1.0):
            with pytest.raises(StoreError) as caught:
                await folder.lock(LOCK, 0.0).__aenter__()
            assert caught.value.code is ErrorCode.STORAGE_LOCKED
            async with folder.lock(".reindex.lock", 0.0):
                pass

    async def test_a_lock_is_free_after_an_error_inside(self, folder: StoreFolder) -> None:
        with pytest.raises(ValueError, match="inside"):
            async with folder.lock(LOCK, 1.0):
                raise ValueError("inside")
        async with folder.lock(LOCK, 0.0):
            pass

    def test_the_gate_counts_readers(self, folder: StoreFolder) -> None:
        gate = folder.make_gate()
        assert gate.is_quiet()
        with gate.reading():
            assert not gate.is_quiet()
        assert gate.is_quiet()

    def test_the_register_knows_its_tables(self, folder: StoreFolder) -> None:
        for name in (FIRST_TABLE, "passages-2", "passages-7"):
            table_folder(folder, name).prepare()
            table_folder(folder, name).replace("x.json", "{}")
        assert read_register(folder) == TableRegister()
        assert list_unfinished(folder) == ["passages-2", "passages-7"]
        assert name_next_table(folder) == "passages-8"
        change_register(
            folder, lambda register: register.replace_current("passages-7", was="a", fingerprint="b", embedder="local")
        )
        register = read_register(folder)
        assert (register.current, [table.name for table in register.retired]) == ("passages-7", [FIRST_TABLE])
        assert list_unfinished(folder) == ["passages-2"]
        remove_table(folder, "passages-2")
        assert list_unfinished(folder) == []


class TestLocalFolder(FolderContract):
    @pytest.fixture
    def folder(self, tmp_path: Path) -> StoreFolder:
        folder = LocalFolder(tmp_path / "store")
        folder.prepare()
        return folder


class TestBucketFolder(FolderContract):
    @pytest.fixture
    def folder(self, s3: str) -> StoreFolder:
        folder = open_bucket(s3)
        folder.prepare()
        return folder
