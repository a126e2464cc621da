"""kill -9 at random points of an ingest, each followed by a re-run: the final table must be that of a quiet run.

``python -m bench.soak_ingest [KILLS] [SEED]``. Real processes, files, parsers, ledger and LanceDB; vectors are the
fake embedder's, so that a kill falls as often into listing, parsing, writing and upkeep as into embedding. Kills meet
two ingests of 300 documents in turn: one into nothing, one over a workspace that holds an older state of the folder.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import report
from roma_core.cache import Cache
from roma_core.connectors.local.connector import LocalConnector
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.ingestion import Ledger, build_ingestion
from roma_core.parsers.service import DolphinParserService
from roma_core.settings import Settings
from roma_core.store.base import EmbeddedDocument
from roma_core.store.lance import LanceStore
from roma_core.types import digest

DOCUMENTS = 300
KILLS = 100
AIMED = 20
"""Further kills, all during the store's upkeep, which is too short a part of a run to be hit often."""
TENANT = "default"
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
BLOCKED_S = 0.03
"""A kill waits up to this long beyond its point: what waits for the disk spends no processor time."""


@dataclass(frozen=True)
class Task:
    """An ingest to be killed: ``start`` is the workspace that it finds (None: nothing), the rest a quiet run's."""

    name: str
    corpus: Path
    start: Path | None
    rows: list[dict[str, Any]]
    ledger: list[dict[str, Any]]
    listed: int
    cpu_s: tuple[float, float]
    """Processor time of the process when its ingest began and when it ended."""
    upkeep_s: float
    """Processor time of the store's upkeep."""
    seconds: float


@dataclass(frozen=True)
class Ending:
    """What one kill and its re-run left."""

    phase: str
    """What the process was at when it was killed; empty when it was faster than the kill."""
    same: bool
    lost: int
    doubled: int
    seconds: float


# The process that is killed


class TracedStore(LanceStore):
    """Leaves in a file what it is asked for: of a killed process that is all there is to know."""

    trace: Path | None = None
    upkeep_s = 0.0

    async def put_many(self, tenant: str, entries: Sequence[EmbeddedDocument]) -> None:
        self._say("commit")
        await super().put_many(tenant, entries)
        self._say("reading")

    async def maintain(self) -> None:
        self._say("upkeep")
        began = time.process_time()
        await super().maintain()
        self.upkeep_s = time.process_time() - began
        self._say("end")

    def _say(self, phase: str) -> None:
        if self.trace is not None:
            self.trace.write_text(phase)


def store_at(workspace: Path) -> TracedStore:
    embedder = FakeEmbedder()
    return TracedStore(workspace / "store", fingerprint=embedder.fingerprint, dim=embedder.dim, model=embedder.name)


async def ingest(workspace: Path, corpus: Path, trace: Path | None = None) -> dict[str, Any]:
    settings = Settings(workspace=workspace)
    store, cache = store_at(workspace), Cache(workspace / "cache.sqlite")
    store.trace = trace
    async with DolphinParserService.of(settings) as parsers:
        service = build_ingestion(
            settings,
            connectors=[LocalConnector(settings)],
            parsers=parsers,
            embedder=FakeEmbedder(),
            store=store,
            cache=cache,
        )
        began = time.process_time()
        store._say("reading")
        done = await service.ingest([str(corpus)])
        ended = time.process_time()
        await service.close()
    await store.close()
    return {
        "counts": done.counts(),
        "passages": sum(item.chunks for item in done.items),
        "failures": [failure.code for failure in done.failures],
        "cpu_s": (began, ended),
        "upkeep_s": store.upkeep_s,
    }


def child(workspace: Path, corpus: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.soak_ingest", "--child", str(workspace), str(corpus)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=report.ROOT)


def trace_of(workspace: Path) -> Path:
    return workspace.with_suffix(".phase")


# Corpora


def make_corpus(folder: Path, rng: random.Random) -> None:
    """Markdown, HTML and text files of a few paragraphs, with two that no parser reads."""
    folder.mkdir(parents=True)
    for n in range(DOCUMENTS - 2):
        write_document(folder, n, rng)
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing of the kind")
    (folder / "empty.txt").write_bytes(b"")


def write_document(folder: Path, n: int, rng: random.Random) -> None:
    words = [digest(str(n))[:5] for n in range(400)]
    paragraphs = [" ".join(rng.choices(words, k=60)) + "." for _ in range(rng.randrange(1, 25))]
    suffix = (".md", ".html", ".txt")[n % 3]
    body = "".join(f"<p>{p}</p>" for p in paragraphs) if suffix == ".html" else "\n\n".join(paragraphs)
    title = f"<h1>Part {n}</h1>" if suffix == ".html" else f"# Part {n}\n\n"
    (folder / f"{n:04}{suffix}").write_text(title + body)


def age(folder: Path, rng: random.Random) -> None:
    """Make an older state of the folder out of the new one: a third written otherwise, some absent, some more."""
    for path in sorted(folder.iterdir())[: DOCUMENTS // 3]:
        write_document(folder, int(path.stem), rng)
    for path in sorted(folder.iterdir())[-DOCUMENTS // 6 : -2]:
        path.unlink(missing_ok=True)
    for n in range(DOCUMENTS, DOCUMENTS + DOCUMENTS // 6):
        write_document(folder, n, rng)


# Runs


async def rows(workspace: Path) -> list[dict[str, Any]]:
    """Every row of the table, all columns, by key."""
    store = store_at(workspace)
    found = (await (await store._table()).query().to_arrow()).to_pylist()
    await store.close()
    return sorted(found, key=lambda row: row["key"])


def ledger_rows(workspace: Path) -> list[dict[str, Any]]:
    """Which item has which document, or failed with which code; states differ (a re-run finds things unchanged)."""
    ledger = Ledger(workspace / "ledger.sqlite")
    found = [i.model_dump(include={"uri", "document_id", "code", "chunks"}) for i in ledger.items(TENANT)]
    ledger.close()
    return found


def to_the_end(workspace: Path, corpus: Path) -> dict[str, Any]:
    process = child(workspace, corpus)
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 0, f"an ingest ended with {process.returncode}"
    counted: dict[str, Any] = json.loads(out.splitlines()[-1])
    return counted


def prepare(base: Path, seed: int) -> list[Task]:
    """The ingest into nothing, and the one over an older state, each run once without disturbance."""
    corpus, older = base / "corpus", base / "older"
    make_corpus(corpus, random.Random(seed))
    first = quiet("into nothing", corpus, None, base / "quiet-first")
    kept = base / "kept"
    corpus.rename(kept)
    shutil.copytree(kept, corpus)
    age(corpus, random.Random(seed + 1))
    to_the_end(older, corpus)
    shutil.rmtree(corpus)
    kept.rename(corpus)
    second = quiet("over an older state", corpus, older, base / "quiet-second")
    assert first.rows == second.rows, "what was there before shows in the table"
    return [first, second]


def quiet(name: str, corpus: Path, start: Path | None, workspace: Path) -> Task:
    if start is not None:
        shutil.copytree(start, workspace)
    began = time.perf_counter()
    done = to_the_end(workspace, corpus)
    seconds = time.perf_counter() - began
    assert not done["failures"], done
    found = asyncio.run(rows(workspace))
    listed = sum(done["counts"].values()) - done["counts"]["deleted"]
    return Task(
        name, corpus, start, found, ledger_rows(workspace), listed, tuple(done["cpu_s"]), done["upkeep_s"], seconds
    )


def kill_after(process: subprocess.Popen[str], ready: Callable[[], bool], delay_s: float, *, all_of_it: bool) -> bool:
    """Kill the process ``delay_s`` after it is ``ready``; False when it ended before."""
    while process.poll() is None and not ready():
        time.sleep(0.002)
    time.sleep(delay_s)
    hit = process.poll() is None
    workers = children(process.pid) if all_of_it else []
    process.send_signal(signal.SIGKILL)
    for pid in workers:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.communicate()
    return hit


def at_part(task: Task, part: float) -> Callable[[int, Path], bool]:
    """Whether a process has spent ``part`` (0..1) of the processor time of its ingest."""
    begin, end = task.cpu_s
    return lambda pid, _: spent_s(pid) >= begin + part * (end - begin)


def in_upkeep(task: Task, part: float) -> Callable[[int, Path], bool]:
    """Whether a process has spent ``part`` of the processor time of its store's upkeep."""
    entered: list[float] = []

    def ready(pid: int, trace: Path) -> bool:
        if not entered and trace.exists() and trace.read_text() == "upkeep":
            entered.append(spent_s(pid))
        return bool(entered) and spent_s(pid) >= entered[0] + part * task.upkeep_s

    return ready


def spent_s(pid: int) -> float:
    """Processor time of a process, from ``proc(5)``: a clock that other load on the machine does not hurry."""
    with suppress(FileNotFoundError, ProcessLookupError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * TICK_S
    return 0.0


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):
            found += [int(child) for child in task.read_text().split()]
    return found


def disturbed(task: Task, workspace: Path, ready: Callable[[int, Path], bool], rng: random.Random) -> Ending:
    """One ingest killed when it is ``ready``, and run again."""
    if task.start is not None:
        shutil.copytree(task.start, workspace)
    delay_s, all_of_it = rng.uniform(0, TICK_S + BLOCKED_S), rng.random() < 0.5
    process, trace = child(workspace, task.corpus), trace_of(workspace)
    hit = kill_after(process, lambda: ready(process.pid, trace), delay_s, all_of_it=all_of_it)
    phase = (trace.read_text() if trace.exists() else "start") if hit else ""
    trace.unlink(missing_ok=True)
    began = time.perf_counter()
    again = to_the_end(workspace, task.corpus)
    seconds = time.perf_counter() - began
    got = asyncio.run(rows(workspace))
    keys = [row["key"] for row in got]
    listed = sum(again["counts"].values()) - again["counts"]["deleted"]
    same = got == task.rows and ledger_rows(workspace) == task.ledger and listed == task.listed
    shutil.rmtree(workspace)
    lost = len({row["key"] for row in task.rows} - set(keys))
    return Ending(phase, same and not again["failures"], lost, len(keys) - len(set(keys)), seconds)


def soak(kills: int, seed: int, base: Path) -> list[dict[str, object]]:
    """``kills`` points spread over the run from begin to end, at a random place in each part, in random order."""
    rng = random.Random(seed)
    tasks = prepare(base, seed)
    endings: dict[str, list[Ending]] = {}
    plan = [(False, (place + rng.random()) / kills) for place in rng.sample(range(kills), kills)]
    plan += [(True, rng.random()) for _ in range(AIMED)]
    for n, (aimed, part) in enumerate(plan):
        task = tasks[n % len(tasks)]
        ending = until_hit(task, base / f"run{n}", part, rng, aimed=aimed)
        endings.setdefault(f"{task.name}{', killed in upkeep' if aimed else ''}", []).append(ending)
        told = "same" if ending.same else "DIFFERENT"
        where = f"{task.name}, at {part:.2f} in {ending.phase}"
        print(f"kill {n + 1}/{len(plan)} {where}: {told}", file=sys.stderr, flush=True)
    return [row_of(name, tasks[not name.startswith(tasks[0].name)], found) for name, found in endings.items()]


def until_hit(task: Task, workspace: Path, part: float, rng: random.Random, *, aimed: bool) -> Ending:
    """A run that was faster than the quiet one is made once more and killed a little earlier."""
    ending = Ending("", True, 0, 0, 0.0)
    while not ending.phase and ending.same:
        ending = disturbed(task, workspace, (in_upkeep if aimed else at_part)(task, part), rng)
        part *= 0.97
    return ending


def row_of(name: str, task: Task, endings: list[Ending]) -> dict[str, object]:
    phases = Counter(ending.phase for ending in endings)
    return {
        "ingest": name,
        "documents": DOCUMENTS,
        "rows": len(task.rows),
        "kills": len(endings),
        "while": ", ".join(f"{phase} {count}" for phase, count in sorted(phases.items())),
        "tables that differ after the re-run": sum(not ending.same for ending in endings),
        "rows lost": sum(ending.lost for ending in endings),
        "keys doubled": sum(ending.doubled for ending in endings),
        "quiet ingest s": task.seconds,
        "slowest re-run s": max(ending.seconds for ending in endings),
    }


def main(kills: int = KILLS, seed: int = 1) -> int:
    with tempfile.TemporaryDirectory() as folder:
        found = soak(kills, seed, Path(folder))
    note = (
        "Each run is killed with SIGKILL (every other one with its parser processes) at a random moment of a part of "
        "its own between begin and end, and then run again; all rows and the ledger are compared whole with those of a "
        "run that nobody disturbed. `commit` and `upkeep` (compaction, indices) are calls of the store that were open; "
        "`reading` is everything before and between, `end` the ledger's last entries."
    )
    report.write("soak_ingest", "kill -9 during ingest", found, note, ["lancedb"])
    return 1 if any(row["tables that differ after the re-run"] for row in found) else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        workspace, corpus = Path(sys.argv[2]), Path(sys.argv[3])
        print(json.dumps(asyncio.run(ingest(workspace, corpus, trace_of(workspace)))))
        sys.exit(0)
    sys.exit(main(*(int(argument) for argument in sys.argv[1:])))
