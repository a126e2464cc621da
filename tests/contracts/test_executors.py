"""What every executor keeps: each shard has one result, lost workers are replaced, and nothing outlives it."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from roma_core.errors import ErrorCode, RomaError
from roma_core.executor import Executor, InlineExecutor, Shard, ShardResult, open_executor
from roma_core.executor.worker import read_reply, run_task

TASKS = "tests.fakes.tasks"
WITH_WORKERS = ["local:2", pytest.param("dask:2", marks=pytest.mark.soak)]
EVERYWHERE = ["inline", "local:1", "local:2", pytest.param("dask:2", marks=pytest.mark.slow)]


@asynccontextmanager
async def opened(address: str) -> AsyncIterator[Executor]:
    if address == "inline":
        yield InlineExecutor()
        return
    if address.startswith("dask"):
        pytest.importorskip("distributed", reason="the extra 'cluster' brings it")
    async with open_executor(address) as executor:
        yield executor


async def each(*payloads: bytes) -> AsyncIterator[Shard]:
    for number, payload in enumerate(payloads):
        yield Shard(str(number), payload)


async def run(executor: Executor, task: str, *payloads: bytes) -> dict[str, ShardResult]:
    await executor.map(f"{TASKS}:{task}", each(*payloads))
    results = [result async for result in executor.gather()]
    assert len({result.key for result in results}) == len(results)
    return {result.key: result for result in results}


@pytest.mark.parametrize("address", EVERYWHERE)
async def test_every_shard_has_one_result_and_an_executor_serves_again(address: str) -> None:
    large = os.urandom(3 << 20)
    async with opened(address) as executor:
        results = await run(executor, "echo", b"", b"a", large, *(b"%d" % n for n in range(20)))
        assert [results[str(n)].payload for n in range(3)] == [b"", b"a", large]
        assert len(results) == 23 and all(result.failure is None for result in results.values())
        assert await run(executor, "echo") == {}
        again = await run(executor, "echo", b"second round")
        assert again["0"].payload == b"second round"
        status = await executor.status()
        assert (status.done, status.failed, status.running, status.waiting) == (24, 0, 0, 0)


@pytest.mark.parametrize("address", ["inline", *WITH_WORKERS])
async def test_a_task_that_fails_is_a_failure_as_a_value(address: str) -> None:
    async with opened(address) as executor:
        results = await run(executor, "refuse", b"This", b"That")
        failures = [results[key].failure for key in ("0", "1")]
    assert [failure.message for failure in failures if failure] == ["This cannot be read.", "That cannot be read."]
    assert {failure.code for failure in failures if failure} == {ErrorCode.PARSER_MALFORMED}


@pytest.mark.parametrize("address", ["inline", *WITH_WORKERS])
async def test_what_the_list_of_shards_raises_comes_out(address: str) -> None:
    async def broken() -> AsyncIterator[Shard]:
        yield Shard("0", b"a")
        raise RomaError("The listing broke.")

    async with opened(address) as executor:
        await executor.map(f"{TASKS}:echo", broken())
        with pytest.raises(RomaError, match="The listing broke"):
            async for _ in executor.gather():
                pass


@pytest.mark.parametrize("address", WITH_WORKERS)
async def test_a_lost_worker_is_replaced_and_its_shard_runs_again(address: str, tmp_path: Path) -> None:
    async with opened(address) as executor:
        marks = [str(tmp_path / f"mark-{n}").encode() for n in range(3)]
        results = await run(executor, "die_once", *marks)
    assert [result.payload for result in results.values()] == [b"alive"] * 3


@pytest.mark.parametrize("address", WITH_WORKERS)
async def test_a_shard_that_always_ends_its_worker_is_given_up_alone(address: str) -> None:
    async with opened(address) as executor:
        results = await run(executor, "die", b"a", b"die", b"b")
    failure = results["1"].failure
    assert failure is not None and failure.code is ErrorCode.WORKER_LOST
    assert (results["0"].payload, results["2"].payload) == (b"a", b"b")


@pytest.mark.parametrize("address", WITH_WORKERS)
async def test_cancelling_ends_what_runs(address: str, tmp_path: Path) -> None:
    async with opened(address) as executor:
        await executor.map(f"{TASKS}:wait", each(*[str(tmp_path).encode()] * 4))
        await asyncio.to_thread(wait_for_file, tmp_path)
        await executor.cancel()
    at_work = [int(path.name) for path in tmp_path.iterdir()]
    for _ in range(400):
        if not any(is_running(pid) for pid in at_work):
            break
        await asyncio.sleep(0.05)
    assert not any(is_running(pid) for pid in at_work)


def wait_for_file(folder: Path) -> None:
    while not list(folder.iterdir()):
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


async def test_shards_are_taken_as_workers_become_free() -> None:
    taken = 0

    async def endless() -> AsyncIterator[Shard]:
        nonlocal taken
        while True:
            taken += 1
            yield Shard(str(taken), b"x")

    async with opened("local:2") as executor:
        await executor.map(f"{TASKS}:echo", endless())
        results = executor.gather()
        first = [await anext(results) for _ in range(3)]
        assert len(first) == 3
        await executor.cancel()
    assert taken < 100_000


async def test_what_a_task_prints_does_not_break_the_pipe() -> None:
    async with opened("local:1") as executor:
        results = await run(executor, "print_words", b"a", b"b")
    assert [results[key].payload for key in ("0", "1")] == [b"a", b"b"]


async def test_workers_are_other_processes_and_stay_for_the_next_shard() -> None:
    async with opened("local:1") as executor:
        results = await run(executor, "describe", b"", b"")
        pids = {json.loads(result.payload)["pid"] for result in results.values()}
    assert len(pids) == 1 and os.getpid() not in pids


def test_a_worker_with_another_version_refuses_with_both_versions() -> None:
    failure = read_reply(run_task("0.0.1+abc", f"{TASKS}:echo", b""))
    assert not isinstance(failure, bytes) and failure.code is ErrorCode.WORKER_MISMATCH
    assert "0.0.1+abc" in failure.message and "install the same version" in failure.message


@pytest.mark.slow
async def test_no_scheduler_at_an_address_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="the extra 'cluster' brings it")
    from roma_core.executor import dask

    monkeypatch.setattr(dask, "CONNECT_TIMEOUT_S", 1)
    with pytest.raises(RomaError, match=r"dask://127\.0\.0\.1:9"):
        async with open_executor("dask://127.0.0.1:9"):
            pass
