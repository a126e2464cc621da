"""A bucket refuses what would lose rows, says what is wrong with it, and hands a dead holder's lock on."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import multiprocessing
import threading
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from roma_core.errors import ConfigError, ErrorCode, RomaError, StoreError
from roma_core.settings import Settings
from roma_core.store import LanceStore, LocalFolder, bucket, locate_store, open_for_reading
from roma_core.store.bucket import BucketFolder, BucketGate, LeaseTimes
from roma_core.store.register import LOOK_S
from roma_core.testing.stores import EMBEDDER, HARBOUR, YEAST, put
from tests.s3 import CONDITIONS, SECRET, Application, open_bucket, run_s3, set_keys

LOCK = ".writer.lock"
QUICK = LeaseTimes(renew_s=0.05, lost_s=0.5, taken_s=0.8, poll_s=0.02)
PATIENT = LeaseTimes(renew_s=0.25, lost_s=5.0, taken_s=6.0, poll_s=0.05)
"""For writers of other processes, which a busy machine may not let renew within half a second."""
KEPT = LeaseTimes(renew_s=0.05, lost_s=60.0, taken_s=0.8, poll_s=0.02)
"""For a lock of a killed holder, whose next one nobody takes it from."""


def open_store(folder: BucketFolder, **more: Any) -> LanceStore:
    return LanceStore(folder, fingerprint=EMBEDDER.fingerprint, dim=EMBEDDER.dim, model="fake", **more)


@pytest.mark.parametrize("ignored", [CONDITIONS, CONDITIONS[:1], CONDITIONS[1:]], ids=["both", "new", "changed"])
async def test_a_store_that_ignores_conditions_is_refused(
    ignored: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_keys(monkeypatch)
    with run_s3(ignored=ignored) as endpoint:
        folder = open_bucket(endpoint)
        with pytest.raises(ConfigError, match="If-None-Match") as caught:
            await put(open_store(folder), HARBOUR)
        health = await open_store(folder).health()
        assert folder.measure() == 0
    assert caught.value.code is ErrorCode.CONFIG_INVALID
    assert (health.state, health.details["code"]) == ("down", "ERR_CONFIG_INVALID")


def test_a_store_whose_writers_overtake_each_other_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(monkeypatch)
    together = threading.Barrier(bucket.RACERS)

    def look_before_writing(inner: Application) -> Application:
        """Let all writers of a new object find that it is not there, before the first one writes it."""

        def answer(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
            if "HTTP_IF_NONE_MATCH" in environ:
                together.wait(timeout=30)
                del environ["HTTP_IF_NONE_MATCH"]
            return inner(environ, start)

        return answer

    with run_s3(wrap=look_before_writing) as endpoint, pytest.raises(ConfigError, match="lose rows"):
        open_bucket(endpoint).prepare()


def test_a_bucket_is_tried_once_a_process(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = open_bucket(s3)
    folder.prepare()
    assert folder.measure() == 0
    writes: list[str] = []
    monkeypatch.setattr("obstore.put", lambda _, key, *more, **named: writes.append(key))
    open_bucket(s3, folder.bucket.name, "another/prefix").prepare()
    assert writes == []


def refuse(status: str, code: str) -> Any:
    """Return a server that answers every request with an error of S3."""

    def wrap(_: Application) -> Application:
        def answer(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start(status, [("Content-Type", "application/xml")])
            return [f"<Error><Code>{code}</Code><Message>{SECRET}</Message></Error>".encode()]

        return answer

    return wrap


@pytest.mark.parametrize(
    ("status", "code", "kind", "words"),
    [
        ("403 Forbidden", "SignatureDoesNotMatch", ConfigError, "AWS_SECRET_ACCESS_KEY"),
        ("403 Forbidden", "InvalidAccessKeyId", ConfigError, "AWS_ACCESS_KEY_ID"),
        ("401 Unauthorized", "AccessDenied", ConfigError, "refuses the keys"),
        ("404 Not Found", "NoSuchBucket", ConfigError, "There is no bucket 'papers'"),
        ("501 Not Implemented", "NotImplemented", StoreError, "answers with an error"),
    ],
)
async def test_what_the_object_store_refuses_is_typed(
    status: str, code: str, kind: type[RomaError], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_keys(monkeypatch)
    monkeypatch.setattr(bucket, "MOST_RETRIES", 0)
    with run_s3(wrap=refuse(status, code)) as endpoint:
        for path in ("roma", f"roma/{code}"):
            folder = open_bucket(endpoint, "papers", path)
            read = functools.partial(folder.read, "tables.json")
            for call in (folder.exists, folder.list_folders, read, folder.prepare):
                with pytest.raises(kind, match=words) as caught:
                    call()
                assert SECRET not in f"{caught.value}{caught.value.details}"
        health = await open_store(folder).health()
    assert health.state == "down"
    assert words in health.reason
    assert SECRET not in health.model_dump_json()


async def test_a_server_that_is_down_is_typed_and_may_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(monkeypatch)
    monkeypatch.setattr(bucket, "MOST_RETRIES", 0)
    with pytest.raises(StoreError, match="ROMA_STORE_ENDPOINT") as caught:
        await put(open_store(open_bucket(f"http://joe:{SECRET}@127.0.0.1:9", "papers")), HARBOUR)
    assert caught.value.recoverable
    assert "***@127.0.0.1:9" in caught.value.message
    assert SECRET not in str(caught.value)


async def test_errors_of_lancedb_on_a_bucket_are_typed(s3: str) -> None:
    folder = open_bucket(s3)
    store = open_store(folder)
    await put(store, HARBOUR)
    lost = "IO { source: Generic { store: S3, source: Status { status: 403, body: Some(<Code>AccessDenied</Code>) } } }"
    error = folder.explain(RuntimeError(lost))
    assert isinstance(error, ConfigError)
    assert folder.explain(ValueError("dimension mismatch")) is None
    folder.child("passages.lance").child("data").remove()
    with pytest.raises(StoreError) as caught:
        await open_store(folder).document("t", HARBOUR.id)
    assert caught.value.code is ErrorCode.STORAGE_CORRUPT
    await store.close()


async def test_no_keys_are_named_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = open_bucket("http://127.0.0.1:9", "papers")
    error = folder.explain(OSError("Error performing PUT http://169.254.169.254/latest/api/token"))
    assert isinstance(error, ConfigError)
    assert "AWS_ACCESS_KEY_ID" in error.message


# Writers


@pytest.mark.parametrize("left", ['{"holder": "killed", "beat": 7}', "no lock at all", "[]"])
async def test_the_lock_of_a_killed_holder_is_taken(s3: str, left: str) -> None:
    folder = open_bucket(s3, times=KEPT)
    folder.replace(LOCK, left)
    with pytest.raises(StoreError):
        await folder.lock(LOCK, KEPT.taken_s / 4).__aenter__()
    async with folder.lock(LOCK, 60.0):
        held = folder.read(LOCK)
    assert held is not None
    assert json.loads(held.text)["holder"] not in {"", "killed"}


async def test_a_process_that_stood_still_takes_no_lock_for_that(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its holder may have stood still with it, as when a machine sleeps."""
    folder = open_bucket(s3)
    folder.replace(LOCK, '{"holder": "alive", "beat": 7}')
    hours = (3600.0 * look for look in itertools.count())
    monkeypatch.setattr(bucket, "time", SimpleNamespace(monotonic=lambda: next(hours)))
    with pytest.raises(StoreError):
        await folder.lock(LOCK, 2.5 * 3600).__aenter__()
    held = folder.read(LOCK)
    assert held is not None
    assert json.loads(held.text)["holder"] == "alive"


async def test_a_holder_that_renews_keeps_its_lock(s3: str) -> None:
    folder = open_bucket(s3, times=LeaseTimes(renew_s=0.02, lost_s=5.0, taken_s=1.5, poll_s=0.05))
    async with folder.lock(LOCK, 1.0):
        with pytest.raises(StoreError):
            await folder.lock(LOCK, 2.5).__aenter__()


async def test_a_holder_whose_lock_was_taken_is_stopped(s3: str) -> None:
    folder = open_bucket(s3, times=QUICK)
    is_done = False
    with pytest.raises(StoreError, match="was lost") as caught:
        async with folder.lock(LOCK, 1.0):
            folder.replace(LOCK, json.dumps({"holder": "other", "beat": 1}))
            await asyncio.sleep(30)
            is_done = True
    assert caught.value.code is ErrorCode.STORAGE_LOCKED
    assert not is_done
    held = folder.read(LOCK)
    assert held is not None
    assert json.loads(held.text)["holder"] == "other"


async def test_a_holder_that_cannot_renew_is_stopped_before_others_take_the_lock(
    s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_keys(monkeypatch)
    is_down = threading.Event()

    def fail_when_down(inner: Application) -> Application:
        def answer(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
            return (
                refuse("503 Slow Down", "SlowDown")(inner)(environ, start)
                if is_down.is_set()
                else inner(environ, start)
            )

        return answer

    monkeypatch.setattr(bucket, "MOST_RETRIES", 0)
    with run_s3(wrap=fail_when_down) as endpoint:
        folder = open_bucket(endpoint, times=QUICK)
        with pytest.raises(StoreError, match="was lost"):
            async with folder.lock(LOCK, 1.0):
                is_down.set()
                await asyncio.sleep(30)


async def test_a_write_whose_answer_was_lost_is_known_as_done(s3: str) -> None:
    folder = open_bucket(s3)
    first = folder.exchange("tables.json", "one", None)
    assert folder.exchange("tables.json", "one", None) == first
    second = folder.exchange("tables.json", "two", first)
    assert folder.exchange("tables.json", "two", first) == second


async def test_writers_that_meet_lose_no_document_and_double_none(s3: str) -> None:
    folder = open_bucket(s3)
    stores = [open_store(folder, lease_s=60.0) for _ in range(3)]

    async def write(store: LanceStore, number: int) -> None:
        for turn in range(3):
            document = HARBOUR.model_copy(update={"id": f"d{number}-{turn}", "uri": f"file:///{number}/{turn}"})
            await put(store, document)
            await put(store, YEAST)

    await asyncio.gather(*(write(store, number) for number, store in enumerate(stores)))
    await stores[0].optimize()
    assert (await stores[1].counts("t"))[0] == 10
    health = await stores[2].health()
    assert (health.state, health.details["doubled_keys"]) == ("ok", 0)
    assert health.details["address"] == folder.uri
    for store in stores:
        await store.close()


async def test_deleted_text_is_gone_from_every_object_after_a_purge(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "OTHERS_READ_S", 0.05)
    folder = open_bucket(s3)
    store = open_store(folder)
    secret = HARBOUR.model_copy(update={"text": "The word zqxjvb stands here alone."})
    await put(store, secret)
    await put(store, YEAST)
    await store.delete("t", [secret.id])
    await store.purge()
    assert [document.id async for document in store.documents("t")] == [YEAST.id]
    left = [file for file in folder.list_files() if b"zqxjvb" in read_bytes(folder, file)]
    assert left == []
    await store.close()


def read_bytes(folder: BucketFolder, file: str) -> bytes:
    import obstore

    return bytes(obstore.get(folder.bucket.connect(), f"{folder.path}/{file}").bytes())


async def test_the_gate_waits_for_readers_of_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "OTHERS_READ_S", 0.05)
    gate = BucketGate()
    assert not await gate.wait_until_quiet(is_urgent=False)
    assert await gate.wait_until_quiet(is_urgent=True)
    with gate.reading():
        assert not await gate.wait_until_quiet(is_urgent=True)


async def test_a_table_that_was_made_again_elsewhere_is_followed(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roma_core.store.register.LOOK_S", 0.0)
    folder = open_bucket(s3)
    reader = open_store(folder)
    await put(reader, HARBOUR)
    version = await reader.version("t")
    folder.child("passages.lance").remove()
    with pytest.raises(StoreError):
        await reader.counts("t")
    assert not folder.child("passages.lance").exists()
    again = open_store(folder)
    await put(again, YEAST)
    assert [document.id async for document in reader.documents("t")] == [YEAST.id]
    assert await reader.version("t") != version
    assert LOOK_S > 0
    for store in (reader, again):
        await store.close()


async def test_a_killed_writer_of_partitions_publishes_nothing_over_its_successor(s3: str) -> None:
    folder = open_bucket(s3)
    store = open_store(folder, partitions=2)
    await put(store, HARBOUR)
    table = await store.open_table()
    partitions = await table.open_for_writing()
    other = open_store(folder)
    await put(other, YEAST)
    await partitions[0].table.add((await partitions[0].table.query().to_arrow()).slice(0, 0))
    with pytest.raises(StoreError, match=r"generation\.json") as caught:
        await table.publish(partitions)
    assert caught.value.code is ErrorCode.STORAGE_LOCKED
    assert {document.id async for document in other.documents("t")} == {HARBOUR.id, YEAST.id}
    for each in (store, other):
        await each.close()


def write_for_ever(url: str, endpoint: str, started: Any) -> None:
    """Write documents, one after another, until this process is killed."""

    async def write() -> None:
        store = open_store(BucketFolder.open(url, endpoint, PATIENT))
        for number in itertools.count():
            await put(store, HARBOUR.model_copy(update={"id": f"k{number % 5}", "uri": f"file:///k/{number % 5}"}))
            started.set()

    asyncio.run(write())


@pytest.mark.slow
async def test_killed_writers_lose_nothing_and_their_lock_is_taken(s3: str) -> None:
    folder = open_bucket(s3, times=PATIENT)
    context = multiprocessing.get_context("spawn")
    for kill in range(4):
        started = context.Event()
        writer = context.Process(target=write_for_ever, args=(folder.uri, s3, started), daemon=True)
        writer.start()
        assert await asyncio.to_thread(started.wait, 60)
        await asyncio.sleep(0.05 * kill)
        writer.kill()
        await asyncio.to_thread(writer.join)
        store = open_store(folder)
        await put(store, YEAST.model_copy(update={"id": f"y{kill}", "uri": f"file:///y/{kill}"}))
        await store.optimize()
        health = await store.health()
        assert health.details["doubled_keys"] == 0
        documents = [document.id async for document in store.documents("t")]
        assert [each for each in documents if each.startswith("y")] == [f"y{number}" for number in range(kill + 1)]
        assert len(set(documents)) == len(documents)
        await store.close()


async def test_a_table_is_spread_over_partitions_and_its_former_one_goes(
    s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = open_bucket(s3)
    store, reader = open_store(folder, partition_rows=6), open_store(folder)
    for number in range(4):
        await put(store, HARBOUR.model_copy(update={"id": f"d{number}", "uri": f"file:///{number}"}))
    before = await store.index_sha256("t")
    assert await reader.index_sha256("t") == before
    await store.optimize()
    assert store.name == "passages-2"
    assert (await store.health()).details["partitions"] == 2
    monkeypatch.setattr("roma_core.store.register.LOOK_S", 0.0)
    monkeypatch.setattr("roma_core.store.lance.RETIRED_AFTER_S", 0.0)
    assert await reader.index_sha256("t") == before == await store.index_sha256("t")
    assert reader.name == "passages-2"
    await put(reader, YEAST)
    await store.optimize()
    assert folder.list_folders() == ["passages-2.lance"]
    assert (await store.counts("t"))[0] == 5
    for each in (store, reader):
        await each.close()


# Places


async def test_a_local_and_a_remote_store_have_the_same_hash(s3: str, tmp_path: Any) -> None:
    local = LanceStore(tmp_path / "store", fingerprint=EMBEDDER.fingerprint, dim=EMBEDDER.dim, model="fake")
    remote = open_store(open_bucket(s3))
    for store in (local, remote):
        await put(store, HARBOUR)
        await put(store, YEAST)
    assert await local.index_sha256("t") == await remote.index_sha256("t")
    reader = open_for_reading(remote.folder)
    assert await reader.counts("t") == await local.counts("t")
    for each in (local, remote, reader):
        await each.close()


def test_tenants_have_folders_below_the_address(tmp_path: Any) -> None:
    named = {"workspace": tmp_path, "store_url": "s3://papers/roma", "store_endpoint": "http://127.0.0.1:9"}
    home, lab = (locate_store(Settings.load(**named, tenant=tenant)) for tenant in ("default", "lab"))
    assert home.uri == "s3://papers/roma/store"
    assert lab.uri == "s3://papers/roma/tenants/lab/store"
    assert isinstance(locate_store(Settings.load(workspace=tmp_path)), LocalFolder)
    assert home.options == {"endpoint": "http://127.0.0.1:9", "allow_http": "true"}
    assert BucketFolder.open("s3://papers").child("store").uri == "s3://papers/store"
    assert BucketFolder.open("s3://papers/x").options == {}


@pytest.mark.parametrize(
    "url", ["https://papers/roma", "s3://", "s3://key:secret@papers/roma", "s3://papers/roma?region=x", "gs://papers/x"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="s3://bucket/prefix") as caught:
        Settings.load(store_url=url)
    assert "secret" not in str(caught.value)
    with pytest.raises(ConfigError):
        Settings.load(store_endpoint="minio:9000")


def test_a_holder_is_stopped_before_others_take_its_lock() -> None:
    times = LeaseTimes()
    assert times.renew_s < times.lost_s < times.taken_s
