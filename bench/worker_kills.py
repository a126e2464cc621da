"""Ingests of which a worker or the driver is killed: rows lost, rows doubled, and shards made again.

``python -m bench.worker_kills [WORKERS [DRIVERS]]``: so many ingests with a worker killed at a random moment, and so
many whose driver is killed and which then run again. All of them share one cluster of Dask's, which starts each killed
worker again: with a cluster for each ingest, starting Python would take most of the time. Every ingest has a workspace
of its own, whose corpus is compared row by row with that of an ingest without workers.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final, cast

from bench import report
from roma_core.app import Roma, build_roma
from roma_core.settings import Settings
from roma_core.store.lance import LanceStore

WORKERS: Final = 2
DOCUMENTS: Final = 40
WORKER_KILLS, DRIVER_KILLS = 100, 20
POLL_S: Final = 0.005
START_LIMIT_S: Final = 40
STARTS: Final = 4
METHOD: Final = "forkserver"
"""Way in which workers and drivers start: forked from a process that has imported what they need."""
PRELOADED: Final = (
    "distributed",
    "lance_namespace",  # with pandas most of what LanceDB imports; LanceDB itself is not to be forked
    "pandas",
    "pathspec",
    "py3langid",
    "roma_core.app",
    "roma_core.connectors.web.connector",
    "roma_core.ingestion.distribution",
    "roma_core.parsers.service",
)

Corpus = Mapping[str, str]
"""The hash of every row of a store, by its key."""


@dataclass(frozen=True)
class History:
    """What an ingest with a kill in it came to."""

    had_work: bool
    """The killed process was at work: a worker at a shard, a driver with shards that were not finished."""
    failures: tuple[str, ...]
    """Codes of what failed."""
    lost: int
    doubled: int
    changed: int
    """Rows that say something else than in the ingest without workers."""
    made_again: int
    """Shards of which a worker wrote the rows a second time."""


def make_settings(workspace: Path) -> Settings:
    """Return settings without models: what is measured is the bookkeeping."""
    return Settings(
        workspace=workspace,
        embedder="fake",
        reranker="none",
        llm_provider="extractive",
        cache="off",
        min_free_mb=0,
        parser_workers=1,  # each worker of Dask's starts its own
    )


def write_notes(folder: Path, count: int = DOCUMENTS) -> None:
    """Write small documents."""
    folder.mkdir()
    for number in range(count):
        text = f"# Note {number}\n\nThe ferry number {number} leaves at noon.\n\nIt was built in {1800 + number}.\n"
        (folder / f"{number:03}.md").write_text(text, encoding="utf-8")


async def read_corpus(roma: Roma) -> tuple[Corpus, int]:
    """Return the rows of a store, and how many there are of keys that are there already."""
    table = await (await cast(LanceStore, roma.store).open_table()).query().to_arrow()
    rows = table.to_pylist()
    keys = Counter(row["key"] for row in rows)
    corpus = {row["key"]: hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest() for row in rows}
    return corpus, sum(keys.values()) - len(keys)


async def ingest(workspace: Path, sources: Path, on: str) -> tuple[Corpus, int, tuple[str, ...]]:
    """Ingest; return what the store then holds, the doubled rows, and the codes of what failed."""
    async with build_roma(make_settings(workspace)) as roma:
        outcome = await roma.ingest(sources, on=on)
        corpus, doubled = await read_corpus(roma)
        codes = [failure.code.value for failure in outcome.failures]
        codes += [str(item.code) for item in outcome.items if item.state == "failed"]
        return corpus, doubled, tuple(codes)


class KillableCluster:
    """A cluster of Dask's on this machine whose workers can be killed; each is started again."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster

    @property
    def address(self) -> str:
        """The address for ``--on``."""
        return str(self._cluster.scheduler_address).replace("tcp://", "dask://")

    def _list_ready(self) -> list[Any]:
        """Return the nannies whose worker takes shards. One that is killed while it starts is given up by Dask."""
        known = self._cluster.scheduler.workers
        nannies = self._cluster.workers.values()
        return [each for each in nannies if each.status.name == "running" and each.worker_address in known]

    def wait_for_workers(self) -> None:
        """Wait until all workers are there; Dask gives some up, so others are started. Raises ``TimeoutError``."""
        for _ in range(STARTS):
            limit = time.monotonic() + START_LIMIT_S
            while time.monotonic() < limit:
                if len(self._list_ready()) == WORKERS:
                    return
                time.sleep(POLL_S)
            self.replace_workers()
        raise TimeoutError("killed workers did not start again")

    def replace_workers(self) -> None:
        """Stop all workers and start new ones."""
        self._cluster.scale(0)
        limit = time.monotonic() + START_LIMIT_S
        while self._cluster.workers and time.monotonic() < limit:
            time.sleep(POLL_S)
        self._cluster.scale(WORKERS)

    def kill_worker(self, dice: random.Random) -> bool:
        """Kill one of the workers; return whether it was at a shard."""
        nanny = dice.choice(self._list_ready())
        state = self._cluster.scheduler.workers.get(nanny.worker_address)
        had_work = state is not None and bool(state.processing)
        os.kill(nanny.pid, signal.SIGKILL)
        return had_work


@contextmanager
def open_cluster() -> Iterator[KillableCluster]:
    """Start a cluster that every ingest of this process can use."""
    import dask
    import distributed
    from distributed.utils import get_mp_context

    with dask.config.set({"distributed.worker.multiprocessing-method": METHOD}):
        get_mp_context().set_forkserver_preload(list(PRELOADED))
        cluster = distributed.LocalCluster(
            n_workers=WORKERS,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            memory_limit=0,
            silence_logs="CRITICAL",
        )
        try:
            yield KillableCluster(cluster)
        finally:
            cluster.close(timeout=10)


async def ingest_alone(sources: Path, folder: Path) -> Corpus:
    """Return the corpus of an ingest without workers."""
    corpus, doubled, failures = await ingest(folder / "alone", sources, "local")
    assert corpus and not doubled and not failures, failures
    return corpus


async def measure_ingest(cluster: KillableCluster, sources: Path, folder: Path) -> float:
    """Return the seconds of an ingest without a kill, on workers that have begun before."""
    for number in range(2):
        began = time.perf_counter()
        await ingest(folder / f"whole{number}", sources, cluster.address)
    return time.perf_counter() - began


async def kill_a_worker(
    cluster: KillableCluster, sources: Path, workspace: Path, alone: Corpus, most_s: float, dice: random.Random
) -> History:
    """Ingest, and kill a worker at a random moment of the first ``most_s`` seconds."""
    await asyncio.to_thread(cluster.wait_for_workers)
    running = asyncio.create_task(ingest(workspace, sources, cluster.address))
    await asyncio.sleep(dice.uniform(0, most_s))
    had_work = not running.done() and cluster.kill_worker(dice)
    return compare(alone, *await running, had_work=had_work, workspace=workspace)


def drive(workspace: str, sources: str, on: str) -> None:
    """Ingest in a process of its own."""
    asyncio.run(ingest(Path(workspace), Path(sources), on))


def kill_at(driver: BaseProcess, shards: Path, goal: int) -> bool:
    """Kill a process when so many shards are finished; return False where it had ended before."""
    while driver.is_alive() and len(list(shards.glob("*.json"))) < goal:
        time.sleep(POLL_S)
    had_work = driver.is_alive()
    driver.kill()
    driver.join()
    return had_work


async def kill_the_driver(
    cluster: KillableCluster, sources: Path, workspace: Path, alone: Corpus, dice: random.Random
) -> History:
    """Kill the process of an ingest once some shards are finished, and run it again."""
    await asyncio.to_thread(cluster.wait_for_workers)
    shards = workspace / "shards"
    driver = multiprocessing.get_context(METHOD).Process(
        target=drive, args=(str(workspace), str(sources), cluster.address)
    )
    driver.start()
    had_work = await asyncio.to_thread(kill_at, driver, shards, dice.randint(1, 4))
    outcome = await ingest(workspace, sources, cluster.address)
    return compare(alone, *outcome, had_work=had_work, workspace=workspace)


def compare(
    alone: Corpus, corpus: Corpus, doubled: int, failures: tuple[str, ...], *, had_work: bool, workspace: Path
) -> History:
    """Return what a history came to. A commit removes the files that it took in: one that is left was made twice."""
    return History(
        had_work=had_work,
        failures=failures,
        lost=len(alone.keys() - corpus.keys()),
        doubled=doubled + len(corpus.keys() - alone.keys()),
        changed=sum(alone[key] != corpus[key] for key in alone.keys() & corpus.keys()),
        made_again=len(list((workspace / "shards").glob("*.arrow"))),
    )


def summarise(killed: str, histories: Sequence[History], took_s: float) -> dict[str, object]:
    """Return a row of the table."""
    return {
        "killed": killed,
        "ingests": len(histories),
        "while at work": sum(each.had_work for each in histories),
        "finished": sum(not each.failures for each in histories),
        "rows lost": sum(each.lost for each in histories),
        "rows doubled": sum(each.doubled for each in histories),
        "rows changed": sum(each.changed for each in histories),
        "shards made again": sum(each.made_again for each in histories),
        "most in one ingest": max(each.made_again for each in histories),
        "s": took_s,
    }


async def measure(cluster: KillableCluster, folder: Path, workers: int, drivers: int) -> list[dict[str, object]]:
    sources, dice = folder / "sources", random.Random(19)
    write_notes(sources)
    alone = await ingest_alone(sources, folder)
    whole_s = await measure_ingest(cluster, sources, folder)
    rows: list[dict[str, object]] = []
    began, histories = time.perf_counter(), list[History]()
    for number in range(workers):
        workspace = folder / f"worker{number}"
        histories.append(await kill_a_worker(cluster, sources, workspace, alone, whole_s, dice))
        print(number, histories[-1], file=sys.stderr, flush=True)
    rows.append(summarise("a worker", histories, time.perf_counter() - began))
    began, histories = time.perf_counter(), []
    for number in range(drivers):
        histories.append(await kill_the_driver(cluster, sources, folder / f"driver{number}", alone, dice))
        print(number, histories[-1], file=sys.stderr, flush=True)
    rows.append(summarise("the driver", histories, time.perf_counter() - began))
    return rows


def main(workers: str = str(WORKER_KILLS), drivers: str = str(DRIVER_KILLS)) -> int:
    with tempfile.TemporaryDirectory() as folder, open_cluster() as cluster:
        rows = asyncio.run(measure(cluster, Path(folder), int(workers), int(drivers)))
    note = (
        f"{DOCUMENTS} documents an ingest, on {WORKERS} workers of Dask's. A worker is killed at a random moment of "
        "the ingest; a driver once 1 to 4 shards are finished, and its ingest then runs again. Rows are compared with "
        "those of an ingest without workers."
    )
    report.write("workers_kills", "Ingests with a kill", rows, note, ["distributed", "lancedb"])
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
