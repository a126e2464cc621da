"""What every place of the caches promises: a file of the workspace, and a Redis that replicas share."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from roma_core.answers import AnswerCache, AnswerFile
from roma_core.answers.cache import AnswerShelf, KeptAnswer
from roma_core.answers.redis import RedisAnswers
from roma_core.app import Roma, build_roma
from roma_core.cache import Cache, CacheShelf, FileShelf, open_cache
from roma_core.cache.redis import RedisShelf
from roma_core.errors import ConfigError, StoreError
from roma_core.llm.providers.fake import FakeLLM
from roma_core.settings import Settings
from roma_core.types import Query, SavedWork, TailorOutput

NOWHERE = "redis://:hidden@127.0.0.1:1/0"
PLACES = ("file", "redis")


@pytest.fixture(params=PLACES)
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CacheShelf]:
    if request.param == "file":
        made: CacheShelf = FileShelf(tmp_path / "cache.sqlite")
    else:
        made = RedisShelf(request.getfixturevalue("redis_url"), prefix=f"cache:{tmp_path.name}")
    with closing(made):
        yield made


@pytest.fixture(params=PLACES)
def answers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnswerShelf]:
    if request.param == "file":
        made: AnswerShelf = AnswerFile(tmp_path / "answers.sqlite")
    else:
        made = RedisAnswers(request.getfixturevalue("redis_url"), prefix=f"answers[{tmp_path.name}]")
    with closing(made):
        yield made


def test_entries_come_back_by_kind_and_key_and_go_alone(shelf: CacheShelf) -> None:
    cache = Cache(shelf)
    cache.put_many("parse", {"k": b"\x00bytes", "other": b""})
    cache.put("embed", "k", b"vector")
    cache.put("parse", "k", b"\xffnewer")
    assert [cache.get(kind, "k") for kind in ("parse", "embed", "pars")] == [b"\xffnewer", b"vector", None]
    assert cache.get("parse", "other") == b""
    assert [(each.kind, each.entries, each.bytes) for each in cache.stats()] == [("embed", 1, 6), ("parse", 2, 6)]
    assert cache.delete("parse", ["k", "never"]) == 1
    assert (cache.get("parse", "k"), cache.get("parse", "other")) == (None, b"")
    assert cache.clear("embed") == 1
    assert [each.kind for each in cache.stats()] == ["parse"]
    assert cache.clear() == 1
    assert cache.stats() == []


def test_old_entries_are_counted_and_removed(shelf: CacheShelf) -> None:
    cache = Cache(shelf)
    cache.put_many("x", {str(number): b"v" for number in range(1200)})
    after = datetime.now(UTC) + timedelta(seconds=1)
    before = after - timedelta(days=1)
    assert cache.remove_before(before) == 0
    assert cache.remove_before(after, counts_only=True) == 1200
    assert cache.get("x", "7") == b"v"
    assert cache.remove_before(after) == 1200
    assert cache.get("x", "7") is None


@pytest.mark.parametrize("mode", ["off", "read", "write", "refresh"])
def test_modes_hold_in_every_place(shelf: CacheShelf, mode: Any) -> None:
    Cache(shelf).put("x", "old", b"1")
    cache = Cache(shelf, mode)
    cache.put("x", "new", b"2")
    assert (cache.get("x", "old") is not None) == (mode in {"read", "write"})
    assert (Cache(shelf).get("x", "new") is not None) == (mode in {"write", "refresh"})


def test_an_answer_is_kept_with_what_it_has_saved(answers: AnswerShelf) -> None:
    answers.store("k", "a", KeptAnswer('{"ü": 1}', 5.5), ttl_s=3600)
    assert answers.load("k") == KeptAnswer('{"ü": 1}', 5.5)
    assert answers.load("other") is None
    saved = SavedWork(made_at=datetime.now(UTC), calls=2, input_tokens=10, output_tokens=5, cost_usd=0.25)
    for _ in range(2):
        answers.note_use("k", saved, time.time())
    answers.note_use("never kept", saved, time.time())
    stats = answers.stats()
    assert (stats.entries, stats.bytes, stats.hits) == (1, len('{"ü": 1}'.encode()), 2)
    assert (stats.saved_calls, stats.saved_tokens, stats.saved_usd) == (4, 30, 0.5)
    answers.discard("k")
    assert (answers.load("k"), answers.stats().entries) == (None, 0)


def test_answers_of_a_tenant_go_alone(answers: AnswerShelf) -> None:
    for number in range(3):
        answers.store(f"a{number}", "a", KeptAnswer("{}", 1.0), ttl_s=3600)
    answers.store("b", "b", KeptAnswer("{}", 1.0), ttl_s=3600)
    assert answers.clear("a") == 3
    assert answers.load("b") is not None
    assert answers.clear(None) == 1


def test_an_answer_that_is_too_old_is_not_used(answers: AnswerShelf) -> None:
    time_s = [1000.0]
    cache = AnswerCache(answers, ttl_s=60, now=lambda: time_s[0])
    cache.put("k", "t", TailorOutput(answer="It was built in 1899."))
    found = cache.get("k")
    assert found is not None
    assert (found.answer, found.saved is not None) == ("It was built in 1899.", True)
    time_s[0] += 61
    assert cache.get("k") is None


def test_redis_itself_forgets_what_nobody_uses(redis_url: str, tmp_path: Path) -> None:
    import redis

    shelf = RedisShelf(redis_url, prefix=f"ttl:{tmp_path.name}")
    shelf.store("x", {"k": b"v"})
    with redis.Redis.from_url(redis_url) as client, closing(shelf):
        (name,) = client.scan_iter(match=f"ttl:{tmp_path.name}:*")
        client.expire(name, 5)
        assert shelf.load("x", "k", notes_use=False) == b"v"
        assert client.ttl(name) <= 5
        assert shelf.load("x", "k", notes_use=True) == b"v"
        assert client.ttl(name) > 5


def test_a_redis_without_a_bound_is_named_once(redis_url: str, tmp_path: Path) -> None:
    with closing(RedisShelf(redis_url, prefix=f"bound:{tmp_path.name}")) as shelf, capture_logs() as lines:
        shelf.store("x", {"k": b"v"})
        shelf.store("x", {"k": b"v"})
    assert [line["event"] for line in lines].count("cache_without_bound") == 1


def test_a_redis_that_is_away_is_a_miss_and_what_must_be_removed_says_so() -> None:
    pytest.importorskip("redis", reason="the extra 'cluster' brings it")
    cache = open_cache(Settings(cache_url=NOWHERE))
    cache.put("x", "k", b"v")
    assert cache.get("x", "k") is None
    with pytest.raises(StoreError, match="ROMA_CACHE_URL") as caught:
        cache.clear()
    assert "hidden" not in str(caught.value)
    with pytest.raises(ConfigError, match="ROMA_CACHE_URL"):
        open_cache(Settings(cache_url="http://nowhere"))


async def test_replicas_share_answers_and_model_calls_and_a_forgotten_document_takes_them_with_it(
    redis_url: str, tmp_path: Path
) -> None:
    note = tmp_path / "bridge.md"
    note.write_text("# Bridge\n\nThe rope bridge was built in 1899.\n")
    question = Query(text="When was the rope bridge built?")

    def open_replica(workspace: str) -> Roma:
        chosen = {"embedder": "fake", "reranker": "fake", "planner": "off", "answer_cache": "on"}
        settings = Settings(workspace=tmp_path / workspace, cache_url=redis_url, **chosen)
        return build_roma(settings, llm=FakeLLM())

    async with open_replica("shared") as one, open_replica("shared") as two, open_replica("other") as stranger:
        await one.ingest(note)
        note.write_text("# Bridge\n\nThe rope bridge was built in 1950.\n")
        await stranger.ingest(note)
        written, again, other = [await roma.query(question) for roma in (one, two, stranger)]
        assert isinstance(written, TailorOutput)
        assert isinstance(again, TailorOutput)
        assert isinstance(other, TailorOutput)
        assert (written.saved, again.answer, other.saved) == (None, written.answer, None)
        assert again.saved is not None
        assert not (tmp_path / "shared" / "answer-cache.sqlite").exists()
        assert {each.kind for each in two.cache.stats()} >= {"embed", "parse"}
        assert (await two.answer_cache_stats()).hits == 1
        await one.forget(str(note))
        assert (await two.answer_cache_stats()).entries == 0
        gone = await two.query(question)
        assert isinstance(gone, TailorOutput)
        assert gone.saved is None
