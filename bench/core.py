"""Speed of ingest beside its floor, in the same run.

The whole pipeline (list, read, parse in a sandbox, cut, embed, store, ledger) against the bare embedder on the same
passages.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

from bench import parse_corpus, report
from roma_core.cache import Cache
from roma_core.connectors.local.connector import LocalConnector
from roma_core.embeddings.local import LocalEmbedder
from roma_core.evals.demo_corpus import gather_demo_corpus
from roma_core.ingestion import build_ingestion
from roma_core.parsers.service import DolphinParserService
from roma_core.settings import Settings
from roma_core.store.lance import LanceStore

DOCUMENTS = 60
READMES = 60
MOST_BYTES = 200_000
"""Larger real documents would make the mixed corpus one of their format."""
ROUNDS = 3
"""Of the small corpus, whose one round says more about the machine than about ROMA."""
SHARE = "share of the bare rate %"
TENANT = "default"
_LETTERS = "etaoinshrdlucmfwyp"


@functools.cache
def vocabulary() -> tuple[list[str], list[float]]:
    """Made-up words with the frequencies of a language (Zipf), cumulated."""
    rng = random.Random(0)
    made = ["".join(rng.choices(_LETTERS, k=rng.randrange(2, 9))) for _ in range(3000)]
    return made, list(itertools.accumulate(1 / (n + 1) for n in range(len(made))))


def words(rng: random.Random, count: int) -> list[str]:
    made, weights = vocabulary()
    return rng.choices(made, cum_weights=weights, k=count)


def text(rng: random.Random, paragraphs: int) -> str:
    return "\n\n".join(" ".join(words(rng, 110)).capitalize() + "." for _ in range(paragraphs))


def store_at(path: Path, embedder: LocalEmbedder) -> LanceStore:
    return LanceStore(path, fingerprint=embedder.fingerprint, dim=embedder.dim, model=embedder.name)


def made_up(folder: Path) -> None:
    """``DOCUMENTS`` Markdown documents of eight paragraphs."""
    rng = random.Random(1)
    folder.mkdir()
    for n in range(DOCUMENTS):
        (folder / f"{n}.md").write_text(f"# Part {n}\n\n{text(rng, 8)}", encoding="utf-8")


def mixed(folder: Path, *, scans: bool) -> None:
    """READMEs of installed packages and, where they are, the real documents of all formats that can be read."""
    folder.mkdir()
    with tempfile.TemporaryDirectory() as gathered:
        found = gather_demo_corpus(Path(gathered))
        for path in found[:: max(1, len(found) // READMES)]:
            shutil.copy(path, folder / f"readme-{path.name}")
    shared = parse_corpus.folder()
    for case in parse_corpus.cases(shared) if shared else ():
        is_scan = any("scan" in tag or "ocr" in tag for tag in case.tags)
        if case.failure is None and (scans if is_scan else case.path.stat().st_size <= MOST_BYTES):
            shutil.copy(case.path, folder / case.path.name)


async def ingest_row(name: str, corpus: Path, workspace: Path, embedder: LocalEmbedder) -> dict[str, object]:
    """Chunks a second end to end and by the bare embedder on the same passages, right after."""
    settings = Settings(workspace=workspace)
    store = store_at(workspace / "store", embedder)
    await embedder.embed(["warm up"])
    await store.counts(TENANT)
    children = _children_s()
    async with DolphinParserService.of(settings) as parsers:
        service = build_ingestion(
            settings,
            connectors=[LocalConnector(settings)],
            parsers=parsers,
            embedder=embedder,
            store=store,
            cache=Cache(workspace / "cache.sqlite"),
        )
        began, cpu = time.perf_counter(), time.process_time()
        done = await service.ingest([str(corpus)])
        whole_s, whole_cpu = time.perf_counter() - began, time.process_time() - cpu
        began = time.perf_counter()
        again = await service.ingest([str(corpus)])
        again_s = time.perf_counter() - began
        await service.close()
    parsers_cpu = _children_s() - children
    assert done.counts()["added"] == again.counts()["unchanged"], (done, again)
    passages = [c.indexed_text async for d in store.documents(TENANT) for c in await store.chunks(TENANT, d.id)]
    await store.close()
    began, cpu = time.perf_counter(), time.process_time()
    await embedder.embed(passages)
    bare_s, bare_cpu = time.perf_counter() - began, time.process_time() - cpu
    formats = Counter(Path(item.uri).suffix.removeprefix(".") for item in done.items if item.state == "added")
    return {
        "corpus": name,
        "documents": ", ".join(f"{count} {suffix}" for suffix, count in formats.most_common()),
        "passages": len(passages),
        "passages/s end to end": len(passages) / whole_s,
        "passages/s bare embedder": len(passages) / bare_s,
        SHARE: 100 * bare_s / whole_s,
        "processor time beside embedding %": 100 * (whole_cpu / bare_cpu - 1),
        "and of the parsers %": 100 * parsers_cpu / bare_cpu,
        "documents/min": 60 * done.counts()["added"] / whole_s,
        "second run, all unchanged, s": again_s,
    }


def _children_s() -> float:
    """Processor time of the processes that this one started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def timed(work: Callable[[str], Awaitable[object]], questions: list[str]) -> list[float]:
    """Milliseconds a call, after two that warm up."""
    taken = []
    for question in [*questions[:2], *questions]:
        began = time.perf_counter()
        await work(question)
        taken.append(1000 * (time.perf_counter() - began))
    return taken[2:]


def cold_start_s(workspace: Path, question: str) -> float:
    """Seconds of ``roma ask`` in a fresh process over an ingested workspace, with the defaults: offline, no model."""
    command = [sys.executable, "-m", "roma_core", "ask", question]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ROMA_")}
    began = time.perf_counter()
    subprocess.run(
        command,
        env={**environment, "ROMA_WORKSPACE": str(workspace), "PYTHONPATH": str(report.ROOT)},
        cwd=workspace,
        capture_output=True,
        check=True,
        timeout=120,
    )
    return time.perf_counter() - began


async def run(base: Path) -> None:
    embedder = LocalEmbedder()
    made_up(base / "made")
    mixed(base / "mixed", scans=False)
    mixed(base / "scans", scans=True)
    rounds = [await ingest_row("made-up Markdown", base / "made", base / f"w-{n}", embedder) for n in range(ROUNDS)]
    found = [sorted(rounds, key=lambda row: cast(float, row[SHARE]))[ROUNDS // 2]]
    found[0]["peak memory MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found[0]["roma ask from a cold start, s"] = cold_start_s(base / "w-0", " ".join(vocabulary()[0][200:206]))
    found.append(await ingest_row("real documents of all formats", base / "mixed", base / "w2", embedder))
    found.append(await ingest_row("the same and scans, read by OCR", base / "scans", base / "w3", embedder))
    note = (
        f"The bare embedder runs on the same passages right after; the first row is the median of {ROUNDS} rounds. "
        "Processor time is told as a share of the bare "
        "embedder's: that of the ingesting process beyond it, and that of the parsers' processes (with their start). "
        "OCR is a model of its own, which a scan needs besides."
    )
    report.write("core_ingest", "Ingest speed", found, note, ["lancedb", "fastembed", "onnxruntime"])


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
