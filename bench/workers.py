"""Workers: what a second one brings, what an executor costs beside a bare pool, how many files a minute come in.

``python -m bench.workers [speed] [overhead] [files]``. Each table has its reference in the same run; the sides take
turns, and the best of the rounds counts, since others use the machine too. Processor time is of all processes.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from bench import beir, parse_corpus, report
from bench.processors import ProcessorMeter
from roma_core.app import build_roma
from roma_core.executor import Shard, open_executor
from roma_core.settings import Settings

TEXTS, TEXTS_A_DOCUMENT = 1080, 3
ROUNDS = 2
PAUSE_S = 1.0
PAUSES = 20
COPIES = 4
MOST_BYTES = 2 << 20


def pause_s(seconds: float) -> float:
    """Hold a worker for so long, as a shard does."""
    time.sleep(seconds)
    return seconds


async def pause(payload: bytes) -> bytes:
    """Do the same as a task of ROMA's workers."""
    pause_s(float(payload))
    return payload


# Speed


def write_texts(root: Path, folder: Path) -> int:
    """Write documents of real passages; return their number."""
    texts = [text for _, text in beir.load(root, "squad2_dev").corpus.values()]
    documents = [texts[at : at + TEXTS_A_DOCUMENT] for at in range(0, len(texts), TEXTS_A_DOCUMENT)]
    chosen = documents[: TEXTS // TEXTS_A_DOCUMENT]
    for number, passages in enumerate(chosen):
        (folder / f"{number:04}.md").write_text(f"# Paper {number}\n\n" + "\n\n".join(passages), encoding="utf-8")
    return len(chosen)


async def ingest(folder: Path, place: str, **values: object) -> tuple[float, float, int]:
    """Ingest a folder into a new workspace; return seconds, seconds of the processor, and passages.

    Workers have started and have their models by then: each has read a document of another folder.
    """
    with tempfile.TemporaryDirectory() as temporary:
        workspace = Path(temporary) / ".roma"
        settings = Settings({"workspace": workspace, "reranker": "none", "cache": "off", "min_free_mb": 0, **values})
        async with build_roma(settings) as roma:
            began = time.perf_counter()
            with ProcessorMeter() as meter:
                done = await roma.ingest(folder, on=place)
                taken = time.perf_counter() - began
            passages = (await roma.store.counts(settings.tenant))[1]
            assert not done.failures or values, done.failures
        return taken, meter.seconds, passages


async def measure_speed(root: Path) -> list[dict[str, object]]:
    """Compare one worker with two, local and Dask's: whole ingests, less one of a single document."""
    places = ("local:1", "local:2", "dask:1", "dask:2")
    best = dict.fromkeys(places, float("inf"))
    start = dict.fromkeys(places, float("inf"))
    used = dict.fromkeys(places, 0.0)
    with tempfile.TemporaryDirectory() as temporary:
        folder, single = Path(temporary) / "texts", Path(temporary) / "single"
        folder.mkdir()
        single.mkdir()
        documents = write_texts(root, folder)
        shutil.copy(folder / "0000.md", single)
        for turn in range(ROUNDS):
            for place in places if turn % 2 else places[::-1]:
                start[place] = min(start[place], (await ingest(single, place))[0])
                taken, cpu, passages = await ingest(folder, place)
                if taken < best[place]:
                    best[place], used[place] = taken, cpu
                print(place, taken, cpu, file=sys.stderr, flush=True)
    return [
        {
            "workers": place,
            "documents": documents,
            "passages": passages,
            "start s": start[place],
            "whole s": best[place],
            "work s": best[place] - start[place],
            "times one worker": (best[one] - start[one]) / (best[place] - start[place]),
            "processor s": used[place],
        }
        for place in places
        for one in [f"{place[:-1]}1"]
    ]


# Overhead


async def hand_out(count: int) -> AsyncIterator[Shard]:
    for number in range(count):
        yield Shard(str(number), str(PAUSE_S).encode())


async def measure_executor(place: str) -> float:
    """Return the seconds of the shards on two workers that have started."""
    async with open_executor(place) as executor:
        for count in (2, PAUSES):
            began = time.perf_counter()
            await executor.map("bench.workers:pause", hand_out(count))
            results = [result async for result in executor.gather()]
            assert all(result.failure is None for result in results) and len(results) == count
        return time.perf_counter() - began


def measure_pool() -> float:
    """Return the seconds of the same on a bare pool of processes."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for count in (2, PAUSES):
            began = time.perf_counter()
            list(pool.imap_unordered(pause_s, [PAUSE_S] * count))
        return time.perf_counter() - began


async def measure_overhead() -> list[dict[str, object]]:
    """Compare executors with a bare pool, over shards of a second each."""
    best: dict[str, float] = {}
    for _ in range(ROUNDS):
        taken = {"a bare pool": await asyncio.to_thread(measure_pool)}
        for place in ("local:2", "dask:2"):
            taken[place] = await measure_executor(place)
        for name, seconds in taken.items():
            best[name] = min(seconds, best.get(name, seconds))
    return [
        {
            "of two workers": name,
            "shards of 1 s": PAUSES,
            "s": seconds,
            "beyond the bare pool": f"{seconds / best['a bare pool'] - 1:+.1%}",
        }
        for name, seconds in best.items()
    ]


# Files


def list_files(root: Path) -> Iterator[Path]:
    """Yield the real PDF, DOCX and PPTX files that can be read and are no scans."""
    for case in parse_corpus.cases(root, "pdf", "docx", "pptx"):
        is_scan = any("scan" in tag or "ocr" in tag for tag in case.tags) or "scan" in case.path.name
        if case.failure is None and not is_scan and case.path.stat().st_size <= MOST_BYTES:
            yield case.path


async def measure_files(root: Path) -> list[dict[str, object]]:
    """Return documents a minute of a mixed folder, with the fake embedder and with the real one."""
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "files"
        folder.mkdir()
        paths = list(list_files(root))
        kinds = {suffix: sum(path.suffix == suffix for path in paths) for suffix in (".pdf", ".docx", ".pptx")}
        for copy in range(COPIES):
            for path in paths:
                shutil.copy(path, folder / f"{copy}-{path.name}")
        for embedder in ("fake", "local"):
            for place in ("local", "local:2"):
                taken, cpu, passages = await ingest(folder, place, embedder=embedder)
                count = len(paths) * COPIES
                rows.append(
                    {
                        "embedder": embedder,
                        "on": place,
                        "files": count,
                        **{f"{suffix[1:]}": number * COPIES for suffix, number in kinds.items()},
                        "passages": passages,
                        "s": taken,
                        "files a minute": 60 * count / taken,
                        "processor s": cpu,
                        "files a minute of two processors": 120 * count / cpu if cpu else None,
                    }
                )
    return rows


def main(*names: str) -> int:
    wanted = names or ("speed", "overhead", "files")
    shared = beir.folder()
    files = parse_corpus.folder()
    load = f"Load of the machine when this began, of two processors: {os.getloadavg()[0]:.1f}."
    if "overhead" in wanted:
        rows = asyncio.run(measure_overhead())
        note = f"Workers have started before. The best of {ROUNDS} rounds. {load}"
        report.write("workers_overhead", "Executors beside a bare pool", rows, note, ["distributed"])
    if "speed" in wanted and shared is not None:
        rows = asyncio.run(measure_speed(shared))
        note = (
            "Real passages, cut and embedded with ROMA's own model. Work: the whole ingest less one of a single "
            f"document, which starts the same workers. The best of {ROUNDS} rounds. {load}"
        )
        report.write("workers_speed", "One worker and two", rows, note, ["distributed", "onnxruntime"])
    if "files" in wanted and files is not None:
        rows = asyncio.run(measure_files(files))
        note = (
            f"Real PDF, DOCX and PPTX files without scans, each {COPIES} times, with starting and ending of all "
            f"processes. {load}"
        )
        report.write("workers_files", "Mixed files a minute", rows, note, ["onnxruntime"])
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
