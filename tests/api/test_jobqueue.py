"""The lease queue: one outcome for each job, whoever dies; a history without secrets and of bounded size."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from roma_core.api import jobqueue as module
from roma_core.api import jobs
from roma_core.api.jobqueue import JobQueue
from roma_core.api.jobs import IngestQueue, JobOutcome, JobProgress
from roma_core.api.redisqueue import RedisJobQueue
from roma_core.errors import AccessError, AgentFailure, ErrorCode, NotFoundError, StoreError
from roma_core.ingestion import IngestProgress
from roma_core.types import IngestionReport, IngestItem

ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("ROMA_QUEUE_KILLS", "2"))
SIGNED = "https://b.example/k.pdf?X-Amz-Expires=60&X-Amz-Signature=fe5f80f77d5fa3beca038a248ff027d0"
KEYED = "https://h.example/?api_key=sk-ant-api03-abcdefghijklmnopqrstu"
SECRETS = ("fe5f80f77d5fa3beca", "sk-ant-api03")


def report(*items: IngestItem, failures: tuple[AgentFailure, ...] = ()) -> IngestionReport:
    return IngestionReport(run_id="r", sources=("s",), items=items, failures=failures, seconds=2.0)


def item(uri: str, state: Any = "added", **fields: Any) -> IngestItem:
    return IngestItem(uri=uri, state=state, **fields)


DONE = JobOutcome.of(report(item("a")))
CANCELLED = JobOutcome.of(None)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgres", "redis"])
def queue(tmp_path: Path, clock: Clock, request: pytest.FixtureRequest) -> Iterator[IngestQueue]:
    """Each queue keeps the same promises."""
    made: IngestQueue
    if request.param == "sqlite":
        made = JobQueue(tmp_path, clock)
    elif request.param == "postgres":
        made = JobQueue(tmp_path, clock, server_url=request.getfixturevalue("plain_url"))
    else:
        made = RedisJobQueue(request.getfixturevalue("redis_url"), clock, prefix=f"test:{tmp_path.name}")
    yield made
    made.close()


@pytest.fixture
def own_queue(tmp_path: Path, clock: Clock) -> JobQueue:
    return JobQueue(tmp_path, clock)


def finished(queue: IngestQueue, tenant: str = "t", ending: JobOutcome = DONE) -> str:
    job = queue.add(["a"], tenant)
    while (work := queue.claim("x")) is not None:
        queue.finish(work.id, "x", ending)
    return job.id


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_jobs_are_claimed_in_order_and_once(queue: IngestQueue) -> None:
    first, second = queue.add(["a"], "t"), queue.add(["b"], "t")
    assert [queue.claim("x").id, queue.claim("y").id] == [first.id, second.id]  # type: ignore[union-attr]
    assert queue.claim("z") is None
    assert queue.counts()["running"] == 2


def test_tenants_are_served_in_turn(queue: IngestQueue) -> None:
    for n in range(3):
        queue.add([f"a{n}"], "a")
    queue.add(["b0"], "b")
    queue.add(["c0"], "c")
    claimed = [queue.claim("x") for _ in range(5)]
    assert [work.sources[0] for work in claimed if work] == ["a0", "b0", "c0", "a1", "a2"]


def test_the_tenant_with_fewer_jobs_at_work_comes_first(queue: IngestQueue) -> None:
    for n in range(3):
        queue.add([f"a{n}"], "a")
    assert [work.sources[0] for work in (queue.claim("x"), queue.claim("y")) if work] == ["a0", "a1"]
    queue.add(["b0"], "b")
    queue.add(["b1"], "b")
    claimed = [queue.claim("z") for _ in range(3)]
    assert [work.sources[0] for work in claimed if work] == ["b0", "b1", "a2"]


def test_priority_orders_the_jobs_of_a_tenant_and_not_those_of_others(queue: IngestQueue) -> None:
    queue.add(["a-low"], "a", priority="low")
    queue.add(["a-normal"], "a")
    queue.add(["a-high"], "a", priority="high")
    queue.add(["b-low"], "b", priority="low")
    claimed = [queue.claim("x") for _ in range(4)]
    assert [work.sources[0] for work in claimed if work] == ["a-high", "b-low", "a-normal", "a-low"]
    assert [job.priority for job in queue.list("a")] == ["high", "normal", "low"]


def test_two_jobs_of_a_tenant_never_read_one_address_at_once(queue: IngestQueue, clock: Clock) -> None:
    first, second = queue.add(["a", "b"], "t"), queue.add(["b", "c"], "t")
    queue.add(["b"], "other")
    claimed = [queue.claim(owner) for owner in "xyz"]
    assert [work.tenant for work in claimed if work] == ["t", "other"]
    queue.finish(first.id, "x", DONE)
    work = queue.claim("z")
    assert work is not None and work.id == second.id


def test_a_job_of_a_dead_holder_does_not_block_its_addresses(queue: IngestQueue, clock: Clock) -> None:
    first, second = queue.add(["a"], "t"), queue.add(["a"], "t")
    assert queue.claim("x") is not None and queue.claim("y") is None
    clock.now += 10 * module.LEASE_S
    again = queue.claim("y")
    assert again is not None and again.id == first.id
    queue.finish(first.id, "y", DONE)
    last = queue.claim("y")
    assert last is not None and last.id == second.id


def test_the_same_key_gives_the_same_job_within_a_tenant(queue: IngestQueue) -> None:
    assert queue.add(["a"], "t", key="k").id == queue.add(["b"], "t", key="k").id
    assert queue.add(["a"], "u", key="k").id != queue.add(["a"], "t", key="k").id
    assert len({queue.add(["a"], "t").id for _ in range(3)}) == 3


def test_a_dead_holder_loses_its_job_and_may_not_finish_it(queue: IngestQueue, clock: Clock) -> None:
    job = queue.add(["a"], "t")
    queue.claim("dead")
    clock.now += module.LEASE_S - 1
    assert queue.claim("next") is None
    assert queue.beat(job.id, "dead", None) == "go on"
    clock.now += module.LEASE_S + 1
    again = queue.claim("next")
    assert again is not None
    assert again.attempt == 2
    assert queue.beat(job.id, "dead", None) == "lost"
    assert not queue.finish(job.id, "dead", DONE)
    assert queue.finish(job.id, "next", DONE)
    assert not queue.finish(job.id, "next", DONE)
    held = queue.get(job.id, "t")
    assert held.state == "done"
    assert held.report is not None
    assert len(held.report.items) == 1


def test_a_job_that_kills_its_holders_is_buried(queue: IngestQueue, clock: Clock) -> None:
    job = queue.add(["a"], "t")
    for _ in range(module.MOST_ATTEMPTS):
        assert queue.claim("x") is not None
        clock.now += module.LEASE_S + 1
    assert queue.claim("x") is None
    buried = queue.get(job.id, "t")
    assert buried.state == "failed"
    assert buried.failure is not None
    assert buried.failure.code is ErrorCode.INTERNAL


def test_cancelling(queue: IngestQueue, clock: Clock) -> None:
    waiting, running, dead = (queue.add([n], "t") for n in "abc")
    assert queue.cancel(waiting.id, "t").state == "cancelled"
    queue.claim("x")
    assert queue.cancel(running.id, "t").state == "running"
    assert queue.beat(running.id, "x", None) == "cancel"
    assert queue.finish(running.id, "x", CANCELLED)
    assert queue.cancel(running.id, "t").state == "cancelled"
    queue.claim("x")
    queue.cancel(dead.id, "t")
    clock.now += module.LEASE_S + 1
    assert queue.claim("y") is None
    assert queue.get(dead.id, "t").state == "cancelled"
    with pytest.raises(NotFoundError):
        queue.cancel(waiting.id, "other")


def test_released_jobs_cost_no_attempt(queue: IngestQueue) -> None:
    job = queue.add(["a"], "t")
    queue.claim("x")
    queue.release(job.id, "x")
    assert (queue.get(job.id, "t").state, queue.get(job.id, "t").attempts) == ("queued", 0)


# History


def test_old_finished_jobs_are_forgotten_tenant_by_tenant(queue: IngestQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 2)
    quiet = finished(queue, "quiet")
    for _ in range(5):
        finished(queue, "loud")
    assert len(queue.list("loud")) == 2
    assert queue.get(quiet, "quiet").state == "done", "one tenant's jobs do not push out another's"


def test_jobs_that_were_cancelled_while_they_waited_are_forgotten_too(
    queue: IngestQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT", 2)
    for _ in range(6):
        queue.cancel(queue.add(["a"], "t").id, "t")
    assert len(queue.list("t")) <= 3


def test_rows_are_kept_for_the_newest_jobs(queue: IngestQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_REPORTS", 1)
    old, new = finished(queue), finished(queue)
    reports = [queue.get(job, "t").report for job in (old, new)]
    assert [(r.items_total, r.items_kept, len(r.items)) for r in reports if r] == [(1, 0, 0), (1, 1, 1)]
    assert queue.get(old, "t").progress == queue.get(new, "t").progress, "the counts stay"


def test_a_tenant_cannot_queue_without_end(queue: IngestQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 2)
    queue.add(["a"], "t", key="k")
    queue.add(["b"], "t")
    with pytest.raises(AccessError) as caught:
        queue.add(["c"], "t")
    assert caught.value.code is ErrorCode.ACCESS_RATE_LIMIT
    assert caught.value.retry_after_s
    queue.add(["a"], "t", key="k")
    queue.add(["a"], "other")
    queue.claim("x")
    queue.add(["c"], "t")


def test_a_report_is_paged_with_what_matters_first(queue: IngestQueue) -> None:
    states = ["unchanged", "skipped", "deleted", "updated", "added", "failed"]
    rows = [item(f"{state}{n}", state) for state in states for n in (1, 0)]
    job = finished(queue, ending=JobOutcome.of(report(*rows)))
    uris: list[str] = []
    while len(uris) < len(rows):
        page = queue.get(job, "t", items_from=len(uris), items_limit=5).report
        assert page is not None
        assert (page.items_from, page.items_total, page.items_kept) == (len(uris), 12, 12)
        assert 0 < len(page.items) <= 5
        uris += [row.uri for row in page.items]
    order = ["failed", "added", "updated", "deleted", "skipped", "unchanged"]
    assert uris == [f"{state}{n}" for state in order for n in (0, 1)]
    assert queue.get(job, "t", items_from=99).report.items == ()  # type: ignore[union-attr]


def test_a_report_without_end_is_kept_in_part(queue: IngestQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "KEPT_ROWS", 3)
    monkeypatch.setattr(jobs, "KEPT_FAILURES", 2)
    failures = tuple(AgentFailure.of("c", StoreError(str(n))) for n in range(5))
    rows = [item(f"u{n}", "unchanged") for n in range(8)] + [item("bad", "failed")]
    held = queue.get(finished(queue, ending=JobOutcome.of(report(*rows, failures=failures))), "t")
    assert held.report is not None
    assert (held.report.items_total, held.report.items_kept, held.report.items[0].uri) == (9, 3, "bad")
    assert (held.report.failures_total, len(held.report.failures)) == (5, 2)
    assert held.progress is not None
    assert held.progress.counts == {"failed": 1, "unchanged": 8}


def test_a_list_has_states_and_counts_but_no_rows(queue: IngestQueue) -> None:
    sources = [f"{'s' * 4000}{n}" for n in range(100)]
    for _ in range(20):
        queue.add(sources, "t")
        work = queue.claim("x")
        assert work is not None
        queue.finish(work.id, "x", JobOutcome.of(report(*(item(f"file:///d/{n}.md", "unchanged") for n in range(500)))))
    listed = queue.list("t")
    assert {(job.state, job.sources_total, len(job.sources)) for job in listed} == {("done", 100, 3)}
    assert {job.progress.counts["unchanged"] for job in listed if job.progress} == {500}
    assert sum(len(job.model_dump_json()) for job in listed) < 20 * 13_000


# Outcomes


def test_an_ingest_in_which_nothing_worked_has_failed() -> None:
    gone = AgentFailure.of("store", StoreError("The store is away.", details={"uri": "x"}))
    bad = item("a", "failed", reason="It is malformed.", code="ERR_PARSER_MALFORMED")
    for nothing, code, message in (
        (report(failures=(gone,)), ErrorCode.STORAGE_UNAVAILABLE, "The store is away."),
        (report(bad, bad, failures=(gone,)), ErrorCode.STORAGE_UNAVAILABLE, "The store is away."),
        (report(bad, item("b", "failed")), ErrorCode.PARSER_MALFORMED, "It is malformed."),
        (report(item("b", "failed")), ErrorCode.INTERNAL, ""),
    ):
        ending = JobOutcome.of(nothing)
        assert ending.failure is not None
        assert (ending.state, ending.failure.code, ending.failure.message) == ("failed", code, message)
        assert len(ending.rows) == len(nothing.items), "the rows say of each item why"
    for some in (report(bad, item("b")), report(item("b", "unchanged"), failures=(gone,)), report()):
        assert (JobOutcome.of(some).state, JobOutcome.of(some).failure) == ("done", None)
    failure = AgentFailure.of("x", StoreError("no"))
    assert (JobOutcome.of(failure).state, JobOutcome.of(failure).report) == ("failed", None)
    assert JobOutcome.of(None).state == "cancelled"


# Secrets


@pytest.mark.parametrize("end", ["done", "cancelled", "buried", "cancelled while it waited"])
def test_an_address_keeps_its_secrets_only_while_they_are_needed(
    tmp_path: Path, own_queue: JobQueue, clock: Clock, end: str
) -> None:
    job = own_queue.add([SIGNED, KEYED], "t")
    assert not any(secret in job.model_dump_json() for secret in SECRETS)
    if end == "cancelled while it waited":
        own_queue.cancel(job.id, "t")
    else:
        work = own_queue.claim("x")
        assert work is not None
        assert work.sources == (SIGNED, KEYED), "the worker needs them whole"
        assert SECRETS[0].encode() in bytes_of(tmp_path)
        own_queue.beat(job.id, "x", JobProgress.at(IngestProgress(1, False, {"added": 1}, 1.0, SIGNED)))
        if end == "buried":
            for _ in range(module.MOST_ATTEMPTS):
                clock.now += module.LEASE_S + 1
                own_queue.claim("x")
        else:
            row = item(KEYED, reason=f"moved from {SIGNED}", warnings=(f"near-duplicate of {KEYED}",))
            failure = AgentFailure.of("web", StoreError(f"{KEYED} is away.", details={"uri": SIGNED}))
            own_queue.finish(
                job.id, "x", JobOutcome.of(None if end == "cancelled" else report(row, failures=(failure,)))
            )
    shown = (own_queue.get(job.id, "t"), *own_queue.list("t"))
    assert {s.split("?")[0] for s in shown[0].sources} == {"https://b.example/k.pdf", "https://h.example/"}
    assert not any(secret in told.model_dump_json() for told in shown for secret in SECRETS)
    assert not any(secret.encode() in bytes_of(tmp_path) for secret in SECRETS), "not in the file's free pages either"


def test_the_table_of_before_is_taken_over(tmp_path: Path, own_queue: JobQueue) -> None:
    own_queue.list("t")
    with closing(sqlite3.connect(tmp_path / "service.db")) as db, db:
        db.executescript(
            "CREATE TABLE jobs (number INTEGER PRIMARY KEY, id TEXT, tenant TEXT, sources TEXT, retry_failed INTEGER,"
            "key TEXT, state TEXT, report TEXT)"
        )
        rows = [("1", "t", json.dumps([KEYED]), 1, "k", "queued"), ("2", "t", json.dumps([KEYED]), 0, None, "done")]
        db.executemany("INSERT INTO jobs (id, tenant, sources, retry_failed, key, state) VALUES (?,?,?,?,?,?)", rows)
    work = own_queue.claim("x")
    assert work is not None
    assert (work.id, work.sources, work.retry_failed, work.confined) == ("1", (KEYED,), True, True)
    own_queue.finish("1", "x", DONE)
    assert own_queue.claim("x") is None
    assert [job.id for job in own_queue.list("t")] == ["1"]
    assert SECRETS[1].encode() not in bytes_of(tmp_path)


def test_ended_jobs_of_a_tenant_are_forgotten_and_all_others_stay(queue: IngestQueue) -> None:
    ended, other = finished(queue, "t"), finished(queue, "u")
    waiting = queue.add(["b"], "t")
    assert (queue.count_live("t"), queue.count_live("u")) == (1, 0)
    assert queue.forget_ended("t", counts_only=True) == 1
    assert queue.forget_ended("t") == 1
    assert [job.id for job in queue.list("t")] == [waiting.id]
    assert [job.id for job in queue.list("u")] == [other]
    with pytest.raises(NotFoundError):
        queue.get(ended, "t")
    assert queue.forget_ended("t") == 0


def test_jobs_of_a_user_are_forgotten_and_its_name_leaves_those_that_wait(queue: IngestQueue) -> None:
    queue.add(["a"], "t", submitter="anna", key="k")
    queue.add(["b"], "t", submitter="bert")
    while (work := queue.claim("x")) is not None:
        queue.finish(work.id, "x", DONE)
    waiting = queue.add(["c"], "t", submitter="anna")
    assert queue.forget_ended("t", submitter="anna") == 1
    assert queue.list("t", submitter="anna") == ()
    assert sorted(job.sources[0] for job in queue.list("t")) == ["b", "c"]
    assert queue.get(waiting.id, "t").state == "queued"
    again = queue.add(["a"], "t", submitter="anna", key="k")
    assert again.state == "queued", "the key of what was forgotten names nothing"


def test_only_jobs_that_ended_before_a_moment_are_forgotten(queue: IngestQueue) -> None:
    first = finished(queue)
    moment = datetime.now(UTC)
    second = finished(queue)
    assert queue.forget_ended("t", before=moment - timedelta(hours=1)) == 0
    assert queue.forget_ended("t", before=moment) == 1
    assert [job.id for job in queue.list("t")] == [second] != [first]


def test_redis_holds_nothing_of_a_tenant_that_is_forgotten(redis_url: str, tmp_path: Path) -> None:
    import redis

    prefix = f"gone:{tmp_path.name}"
    queue = RedisJobQueue(redis_url, prefix=prefix)
    for tenant in ("zqlabqz", "zqhomeqz"):
        queue.add([f"file:///{tenant}"], tenant, key=f"key of {tenant}")
    while (work := queue.claim("x")) is not None:
        queue.finish(work.id, "x", JobOutcome.of(report(item(f"file:///{work.tenant}"))))
    assert queue.forget_ended("zqlabqz") == 1
    with redis.Redis.from_url(redis_url) as client:
        keys = list(client.scan_iter(f"{prefix}:*"))
        held = b"".join([*keys, *(client.dump(key) or b"" for key in keys)])
    assert b"zqhomeqz" in held and b"zqlabqz" not in held
    queue.close()


def test_redis_holds_no_secret_of_a_job_that_has_ended(redis_url: str, tmp_path: Path) -> None:
    import redis

    queue = RedisJobQueue(redis_url, prefix=f"secrets:{tmp_path.name}")
    job = queue.add([SIGNED, KEYED], "t")
    work = queue.claim("x")
    assert work is not None and work.sources == (SIGNED, KEYED)
    failure = AgentFailure.of("web", StoreError(f"{KEYED} is away.", details={"uri": SIGNED}))
    queue.finish(job.id, "x", JobOutcome.of(report(item(KEYED), failures=(failure,))))
    with redis.Redis.from_url(redis_url) as client:
        held = b"".join(client.dump(key) or b"" for key in client.scan_iter(f"secrets:{tmp_path.name}:*"))
    assert held and not any(secret.encode() in held for secret in SECRETS)
    queue.close()


def test_a_queue_that_does_not_answer_is_an_error_that_names_its_place_and_no_password() -> None:
    pytest.importorskip("redis", reason="the extra 'cluster' brings it")
    queue = RedisJobQueue("redis://:hidden@127.0.0.1:1/0")
    with pytest.raises(StoreError) as caught:
        queue.add(["a"], "t")
    assert "127.0.0.1:1" in caught.value.message and "hidden" not in caught.value.message


KILLABLE = """
import sys, threading, time
from pathlib import Path
from roma_core.api import jobqueue
from roma_core.api.jobs import JobOutcome
from tests.api.test_jobqueue import DONE, open_place

jobqueue.LEASE_S, jobqueue.MOST_ATTEMPTS = 0.6, 10_000
queue, log = open_place(sys.argv[1]), open(sys.argv[2], "a", buffering=1)
owner = sys.argv[3]
while True:
    work = queue.claim(owner)
    if work is None:
        time.sleep(0.02)
        continue
    for _ in range(3):
        time.sleep(0.005)
        queue.beat(work.id, owner, None)
    if queue.finish(work.id, owner, DONE):
        log.write(work.id + "\\n")
"""


def open_place(place: str) -> IngestQueue:
    if place.startswith("postgresql"):
        return JobQueue(Path.cwd(), server_url=place)
    return RedisJobQueue(place) if place.startswith("redis:") else JobQueue(Path(place))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgres", "redis"])
def test_kills_lose_no_job_and_end_none_twice(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = {"postgres": "plain_url", "redis": "redis_url"}.get(kind)
    place = str(tmp_path) if server is None else str(request.getfixturevalue(server))
    monkeypatch.setattr(module, "MOST_WAITING", 100_000)
    queue, log, dice = open_place(place), tmp_path / "log.txt", random.Random(kind)
    made = [queue.add([f"s{n}"], f"t{n % 3}").id for n in range(KILLS * 3)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def start(number: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", KILLABLE, place, str(log), f"worker-{number}"]
        return subprocess.Popen(command, env=environment)

    workers = [start(number) for number in range(2)]
    kills = 0
    while queue.counts()["done"] < len(made):
        time.sleep(dice.uniform(0.01, 0.3))
        if kills < KILLS and log.exists():
            chosen = dice.randrange(2)
            workers[chosen].kill()
            workers[chosen].wait()
            kills += 1
            workers[chosen] = start(1 + kills)
    for worker in workers:
        worker.kill()
        worker.wait()
    noted = log.read_text().split()
    assert len(set(noted)) == len(noted), "a job has ended twice"
    assert queue.counts()["done"] == len(made) and set(noted) <= set(made)
