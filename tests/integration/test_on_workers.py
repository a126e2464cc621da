"""``--on``: the same corpus, ledger, cache and report wherever the work is done."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from bench import worker_kills
from roma_core.app import Roma, build_roma
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.errors import ErrorCode, EvalError, WorkerError
from roma_core.evals import evaluate, experiment
from roma_core.settings import Settings
from roma_core.store.lance import LanceStore
from tests.fixtures import make_pdf
from tests.own_corpus import PASSAGES
from tests.s3 import make_bucket

ROOT = Path(__file__).resolve().parents[2]
PLACES = {"local:1": "soak", "local:2": "slow", "local:8": "soak", "dask:1": "soak", "dask:2": "slow"}
KILLS = int(os.environ.get("ROMA_WORKER_KILLS", "1"))


def settings_at(workspace: Path, **values: Any) -> Settings:
    plain = {"embedder": "fake", "reranker": "none", "llm_provider": "extractive", "min_free_mb": 0}
    return Settings(workspace=workspace, **{**plain, **values})


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of several formats, one that is broken, and one inside of another."""
    folder = tmp_path_factory.mktemp("sources")
    for number in range(30):
        title, text = PASSAGES[number % len(PASSAGES)]
        (folder / f"{number:02}.md").write_text(f"# {title} {number}\n\n{text}\n\nThis is note {number}.\n")
    (folder / "report.pdf").write_bytes(make_pdf.report())
    (folder / "broken.docx").write_bytes(b"PK\x03\x04 and nothing else")
    with zipfile.ZipFile(folder / "box.zip", "w") as box:
        box.writestr("inner/a.md", "# Inside\n\nA note that lies in a box of notes.\n")
        box.writestr("inner/b.html", "<h1>Inside too</h1><p>A page that lies in the same box.</p>")
    return folder


async def hash_corpus(roma: Roma) -> str:
    """Return the hash of ids, texts, offsets and vectors, in an order of its own."""
    table = await (await cast(LanceStore, roma.store).open_table()).query().to_arrow()
    rows = sorted(table.to_pylist(), key=lambda row: row["key"])
    assert len({row["key"] for row in rows}) == len(rows)
    told = hashlib.sha256()
    for row in rows:
        vector = row.pop("vector")
        told.update(json.dumps([row, vector], sort_keys=True).encode())
    return told.hexdigest()


def read_ledger(workspace: Path) -> list[dict[str, Any]]:
    with sqlite3.connect(workspace / "ledger.sqlite") as db:
        db.row_factory = sqlite3.Row
        rows = [dict(row) for row in db.execute("SELECT * FROM items ORDER BY uri")]
    return [{key: value for key, value in row.items() if key not in {"run_id", "stored_at"}} for row in rows]


def read_cache(workspace: Path) -> set[tuple[str, str, str]]:
    with sqlite3.connect(workspace / "cache.sqlite") as db:
        rows = db.execute("SELECT kind, key, value FROM entries").fetchall()
    return {(kind, key, hashlib.sha256(value).hexdigest()) for kind, key, value in rows}


@pytest.fixture(scope="module")
def alone(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any, Any, Any]:
    """What an ingest without workers comes to."""
    workspace = tmp_path_factory.mktemp("alone") / ".roma"

    async def run() -> tuple[str, Any, Any, Any]:
        async with build_roma(settings_at(workspace)) as roma:
            report = await roma.ingest(sources)
            return await hash_corpus(roma), report.items, read_ledger(workspace), read_cache(workspace)

    return asyncio.run(run())


def require_dask(place: str) -> None:
    if place.startswith("dask"):
        pytest.importorskip("distributed", reason="the extra 'cluster' brings it")


@pytest.mark.parametrize(
    "place", [pytest.param(place, marks=getattr(pytest.mark, kind)) for place, kind in PLACES.items()]
)
async def test_an_ingest_comes_to_the_same_everywhere(
    place: str, sources: Path, alone: tuple[str, Any, Any, Any], tmp_path: Path
) -> None:
    require_dask(place)
    async with build_roma(settings_at(tmp_path / ".roma")) as roma:
        report = await roma.ingest(sources, on=place)
        assert report.failures == ()
        made = await hash_corpus(roma), report.items, read_ledger(tmp_path / ".roma"), read_cache(tmp_path / ".roma")
        assert made == alone
        again = await roma.ingest(sources, on=place)
        assert {item.state for item in again.items} == {"unchanged", "failed"}


@pytest.mark.slow
@pytest.mark.parametrize("place", ["local", "local:2", "local:8", "dask:2", "dask:8"])
async def test_a_corpus_in_a_bucket_is_the_same_as_in_a_folder(
    place: str, sources: Path, alone: tuple[str, Any, Any, Any], tmp_path: Path, s3: str
) -> None:
    require_dask(place)
    bucket = make_bucket(s3)
    settings = settings_at(tmp_path / ".roma", store_url=f"s3://{bucket}/roma", store_endpoint=s3)
    async with build_roma(settings) as roma:
        report = await roma.ingest(sources, on=place)
        assert report.failures == ()
        assert (await hash_corpus(roma), report.items, read_ledger(tmp_path / ".roma")) == alone[:3]
    assert not (tmp_path / ".roma" / "store").exists()


@pytest.mark.soak
async def test_the_setting_chooses_the_place(sources: Path, tmp_path: Path) -> None:
    seen: list[Any] = []
    async with build_roma(settings_at(tmp_path / ".roma", executor="local:2")) as roma:
        ingest = roma.ingestion.ingest

        async def watch(*given: Any, **options: Any) -> Any:
            seen.append(options["shards"])
            return await ingest(*given, **options)

        roma.ingestion.ingest = watch  # type: ignore[method-assign]
        await roma.ingest(sources / "00.md")
        await roma.ingest(sources / "01.md", on="local")
    assert seen[0].executor.address == "local:2" and seen[1] is None


@pytest.mark.slow
async def test_a_model_that_was_handed_in_stays_and_the_worker_says_so(sources: Path, tmp_path: Path) -> None:
    async with build_roma(settings_at(tmp_path / ".roma"), embedder=FakeEmbedder(dim=24, version=9)) as roma:
        report = await roma.ingest(sources / "00.md", on="local:1")
    assert [item.code for item in report.items] == ["ERR_WORKER_MISMATCH"]
    assert "handed in" in report.items[0].reason


async def test_nothing_at_an_address_is_an_error_before_anything_is_read(sources: Path, tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="the extra 'cluster' brings it")
    from roma_core.executor import dask

    before, dask.CONNECT_TIMEOUT_S = dask.CONNECT_TIMEOUT_S, 1  # type: ignore[misc]
    try:
        async with build_roma(settings_at(tmp_path / ".roma")) as roma:
            with pytest.raises(WorkerError, match="No scheduler"):
                await roma.ingest(sources, on="dask://127.0.0.1:9")
            assert await roma.ingestion.ledger_items() == []
    finally:
        dask.CONNECT_TIMEOUT_S = before  # type: ignore[misc]


# Kills


def find_children(pid: int) -> list[int]:
    """Return the processes below one, at any depth."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(entry.parent.name))
    found, waiting = [], [pid]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


def is_worker(pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return False
    return "roma_core.executor.worker" in words


@pytest.mark.soak
async def test_killed_workers_lose_nothing_and_double_nothing(
    sources: Path, alone: tuple[str, Any, Any, Any], tmp_path: Path
) -> None:
    place = "local:2"
    dice = random.Random(place)
    for number in range(KILLS):
        workspace = tmp_path / str(number) / ".roma"
        killed: list[int] = []

        async def kill_one(at_s: float, killed: list[int] = killed) -> None:
            await asyncio.sleep(at_s)
            workers = [pid for pid in find_children(os.getpid()) if is_worker(pid)]
            if workers:
                killed.append(dice.choice(workers))
                os.kill(killed[0], signal.SIGKILL)

        async with build_roma(settings_at(workspace)) as roma:
            killer = asyncio.create_task(kill_one(dice.uniform(0.5, 6.0)))
            report = await roma.ingest(sources, on=place)
            killer.cancel()
            assert report.failures == ()
            assert (await hash_corpus(roma), report.items) == alone[:2]


DRIVER = """
import asyncio, sys
from pathlib import Path
from tests.integration.test_on_workers import settings_at
from roma_core.app import build_roma

async def run():
    async with build_roma(settings_at(Path(sys.argv[2]))) as roma:
        await roma.ingest(sys.argv[1], on=sys.argv[3])

if __name__ == "__main__":
    asyncio.run(run())
"""


@pytest.fixture
def driver(tmp_path: Path) -> Path:
    path = tmp_path / "driver.py"
    path.write_text(DRIVER)
    return path


def run_and_kill(command: list[str], shards: Path, goal: int) -> None:
    """Run an ingest and kill it when it has finished so many shards."""
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})
    while process.poll() is None and len(list(shards.glob("*.json"))) < goal:
        time.sleep(0.005)
    process.kill()
    process.wait()


@pytest.mark.slow
async def test_a_killed_driver_goes_on_where_it_was(
    sources: Path, alone: tuple[str, Any, Any, Any], tmp_path: Path, driver: Path
) -> None:
    place = "local:2"
    dice = random.Random(place)
    for number in range(max(1, KILLS // 5)):
        workspace = tmp_path / str(number) / ".roma"
        shards = workspace / "shards"
        command = [sys.executable, str(driver), str(sources), str(workspace), place]
        await asyncio.to_thread(run_and_kill, command, shards, dice.randint(1, 3))
        finished = {path.stem for path in shards.glob("*.json")}
        async with build_roma(settings_at(workspace)) as roma:
            report = await roma.ingest(sources, on="local:2")
            assert report.failures == ()
            assert (await hash_corpus(roma), report.items) == alone[:2]
        assert finished and not list(shards.glob("*.json"))


# Kills on a cluster that all ingests share


@pytest.fixture(scope="module")
def cluster() -> Iterator[worker_kills.KillableCluster]:
    pytest.importorskip("distributed", reason="the extra 'cluster' brings it")
    with worker_kills.open_cluster() as opened:
        yield opened


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, worker_kills.Corpus]:
    """Small documents, and what an ingest of them without workers stores."""
    folder = tmp_path_factory.mktemp("notes")
    worker_kills.write_notes(folder / "sources")
    return folder / "sources", asyncio.run(worker_kills.ingest_alone(folder / "sources", folder))


def assert_nothing_is_lost(history: worker_kills.History) -> None:
    assert history.failures == ()
    assert (history.lost, history.doubled, history.changed) == (0, 0, 0)
    assert history.made_again <= worker_kills.WORKERS


@pytest.mark.slow
async def test_a_worker_of_a_cluster_may_be_killed_at_any_moment(
    cluster: worker_kills.KillableCluster, notes: tuple[Path, worker_kills.Corpus], tmp_path: Path
) -> None:
    sources, alone = notes
    whole_s = await worker_kills.measure_ingest(cluster, sources, tmp_path)
    dice = random.Random(19)
    for number in range(KILLS):
        workspace = tmp_path / f"w{number}"
        assert_nothing_is_lost(await worker_kills.kill_a_worker(cluster, sources, workspace, alone, whole_s, dice))


@pytest.mark.slow
async def test_an_ingest_on_a_cluster_goes_on_after_its_driver_was_killed(
    cluster: worker_kills.KillableCluster, notes: tuple[Path, worker_kills.Corpus], tmp_path: Path
) -> None:
    sources, alone = notes
    dice = random.Random(19)
    for number in range(max(1, KILLS // 5)):
        history = await worker_kills.kill_the_driver(cluster, sources, tmp_path / f"d{number}", alone, dice)
        assert history.had_work
        assert_nothing_is_lost(history)


# Evaluations


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    asked = [
        ("Who built the rope bridge of Quellfeld?", "Ada Kern", "00.md", "built on 12 May 1902 by Ada Kern"),
        ("How many metres does the bridge span?", "48 metres", "00.md", "It spans 48 metres"),
        ("Who designed the water mill?", "Maria Holt", "01.md", "designed by Maria Holt in 1871"),
        ("How many patients did the trial enrol?", "240", "02.md", "The trial enrolled 240 patients"),
    ]
    items: list[dict[str, Any]] = [
        {
            "id": f"q{n}",
            "question": question,
            "kind": "single",
            "answer": answer,
            "nuggets": [{"fact": answer}],
            "evidence": [{"uri": name, "anchor": anchor}],
        }
        for n, (question, answer, name, anchor) in enumerate(asked)
    ]
    items.append({"id": "q9", "question": "What is the price of tea in Zarnow?", "kind": "no_answer"})
    path = tmp_path_factory.mktemp("golden") / "golden.json"
    path.write_text(json.dumps({"items": items}))
    return path


@pytest.fixture(scope="module")
def indexed(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    workspace = tmp_path_factory.mktemp("indexed") / ".roma"

    async def run() -> None:
        async with build_roma(settings_at(workspace)) as roma:
            await roma.ingest(sources)

    asyncio.run(run())
    yield workspace


def as_bytes(report: Any) -> str:
    return str(report.model_dump_json(exclude={"facts"}))


@pytest.mark.slow
@pytest.mark.parametrize("place", ["local:2", pytest.param("dask:2", marks=pytest.mark.soak)])
async def test_an_evaluation_writes_the_same_report(place: str, indexed: Path, golden: Path, tmp_path: Path) -> None:
    require_dask(place)
    reports = []
    for on in (None, place):
        workspace = tmp_path / str(on) / ".roma"
        shutil.copytree(indexed, workspace)
        async with build_roma(settings_at(workspace)) as roma:
            reports.append(await evaluate(golden, roma, on=on))
    here, there = reports
    assert {row.state for row in there.rows} == {"ok"}
    assert as_bytes(here) == as_bytes(there) and here.run_id == there.run_id
    assert there.facts.asked == len(there.rows)


@pytest.mark.soak
async def test_an_experiment_decides_the_same_on_workers(indexed: Path, golden: Path, tmp_path: Path) -> None:
    results = []
    for on in ("local", "local:2"):
        workspace = tmp_path / on / ".roma"
        shutil.copytree(indexed, workspace)
        async with build_roma(settings_at(workspace)) as roma:
            variants = {"base": {}, "words": {"lexical_weight": 1.0}, "small": {"chunk_tokens": 64}}
            results.append(await experiment(variants, golden, roma, on=on))
    here, there = results
    for name in ("base", "words", "small"):
        assert as_bytes(here.report(name)) == as_bytes(there.report(name))


async def do_nothing(context: Any) -> None:
    """A stage of a researcher's own."""


@pytest.mark.slow
async def test_a_system_of_objects_is_refused_before_it_is_asked(indexed: Path, golden: Path, tmp_path: Path) -> None:
    workspace = tmp_path / ".roma"
    shutil.copytree(indexed, workspace)
    async with build_roma(settings_at(workspace)) as roma:
        roma.pipeline = roma.pipeline.insert_after("retrieve", do_nothing)
        with pytest.raises(EvalError) as refused:
            await evaluate(golden, roma, on="local:1")
    assert refused.value.code is ErrorCode.WORKER_MISMATCH and "handed in" in refused.value.message
