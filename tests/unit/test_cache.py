"""The cache: modes, bounds, damage, and several processes writing at once."""

import multiprocessing
import sqlite3
from pathlib import Path

import pytest

from roma_core.cache import Cache
from roma_core.database import is_sound
from roma_core.settings import CacheMode
from tests.fakes.disk import fill, small_disk


def test_what_is_put_comes_back_by_kind_and_key(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "deep" / "cache.sqlite")
    cache.put("parse", "k", b"\x00bytes")
    assert cache.get("parse", "k") == b"\x00bytes"
    assert cache.get("parse", "other") is None
    assert cache.get("embed", "k") is None
    cache.close()
    assert Cache(tmp_path / "deep" / "cache.sqlite").get("parse", "k") == b"\x00bytes"


@pytest.mark.parametrize(
    ("mode", "reads", "writes"), [("off", 0, 0), ("read", 1, 0), ("write", 1, 1), ("refresh", 0, 1)]
)
def test_modes(tmp_path: Path, mode: CacheMode, reads: bool, writes: bool) -> None:
    path = tmp_path / "cache.sqlite"
    Cache(path).put("x", "old", b"1")
    cache = Cache(path, mode)
    cache.put("x", "new", b"2")
    assert (cache.get("x", "old") is not None) == reads
    assert (Cache(path).get("x", "new") is not None) == writes


def test_the_least_recently_used_go_first_when_it_is_full(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache.sqlite", max_bytes=100_000)
    for number in range(200):
        cache.put("x", f"k{number:03}", b"v" * 1000)
    (stats,) = cache.stats()
    assert stats.bytes <= 100_000 + 64 * 1000
    assert cache.get("x", "k199") is not None
    assert cache.get("x", "k000") is None


def test_use_is_noted_once_a_day(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache.sqlite")
    cache.put("x", "k", b"v")
    with sqlite3.connect(tmp_path / "cache.sqlite") as db:
        db.execute("UPDATE entries SET used_at = 1")
    db.close()
    assert cache.get("x", "k") == b"v"
    with sqlite3.connect(tmp_path / "cache.sqlite") as db:
        assert db.execute("SELECT used_at FROM entries").fetchone()[0] > 1
    db.close()


def test_clear_drops_a_kind_or_all(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache.sqlite")
    for kind in ("a", "a2", "b"):
        cache.put(kind, "k", b"v")
    assert cache.clear("a") == 1
    assert [s.kind for s in cache.stats()] == ["a2", "b"]
    assert cache.clear() == 2


def test_a_damaged_file_is_set_aside_and_a_fresh_one_begun(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    path.write_bytes(b"this is no database, but long enough to be looked at" * 100)
    cache = Cache(path)
    assert cache.get("x", "k") is None
    cache.put("x", "k", b"v")
    assert cache.get("x", "k") == b"v"
    assert path.with_suffix(".damaged").is_file()
    assert is_sound(path)
    assert not is_sound(path.with_suffix(".damaged"))


def test_a_cache_that_cannot_be_written_is_only_a_miss(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = Cache(tmp_path / "file" / "cache.sqlite")
    cache.put("x", "k", b"v")
    assert cache.get("x", "k") is None


def _write_many(path: Path, worker: int) -> None:
    cache = Cache(path)
    for number in range(50):
        cache.put("x", f"{worker}-{number}", b"v" * 100)
        cache.put("x", f"shared-{number}", b"same")


def test_several_processes_write_at_once_and_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write_many, args=(path, n)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [w.exitcode for w in workers] == [0, 0, 0]
    (stats,) = Cache(path).stats()
    assert stats.entries == 3 * 50 + 50


def test_a_cache_whose_folder_is_away_misses_and_goes_on_when_it_is_back(tmp_path: Path) -> None:
    folder, away = tmp_path / "ws", tmp_path / "away"
    cache = Cache(folder / "cache.sqlite")
    cache.put("x", "k", b"v")
    folder.rename(away)
    cache.put("x", "lost", b"v")
    assert cache.get("x", "k") is None
    assert not folder.exists()
    away.rename(folder)
    assert (cache.get("x", "k"), cache.get("x", "lost")) == (b"v", None)


def test_what_is_kept_is_found_on_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2) as disk:
        Cache(disk / "cache.sqlite").put("x", "k", b"v")
        with sqlite3.connect(disk / "cache.sqlite") as db:
            db.execute("UPDATE entries SET used_at = 1")
        db.close()
        fill(disk)
        cache = Cache(disk / "cache.sqlite")
        cache.put("x", "other", bytes(100_000))
        assert (cache.get("x", "k"), cache.get("x", "other")) == (b"v", None)
