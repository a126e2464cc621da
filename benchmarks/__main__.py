"""``python -m benchmarks [SIZE...]``: measure ROMA and its peers in turns; writes ``docs/benchmarks/peers.md``.

Every system is a process of its own with the Python of its own environment. They take turns: a question is asked of
each before the next one, so that a busy machine is busy for all of them.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from bench import report
from bench.core import words
from benchmarks.system import TOP_K
from roma_core import Settings, build_roma
from roma_core.embeddings.local import LocalEmbedder
from roma_core.evals import load_dataset
from roma_core.evals.demo_corpus import prepare_documents
from roma_core.evals.golden.evidence import find
from roma_core.models import find_bundled_files
from roma_core.types import Chunk

HERE = Path(__file__).resolve().parent
PEERS = {"haystack": "Haystack", "langchain": "LangChain", "llamaindex": "LlamaIndex"}
NAMES = {"roma": "ROMA", **PEERS}
SIZES = (200, 1_000, 10_000)
MODELLED = 1_000
"""Up to this many notes are embedded by each system itself; above, all are handed the same vectors."""
QUESTIONS = 60
WARM_UP = 5
FILLER_WORDS = 80
SAMPLE_S = 0.2
PARTS = HERE / ".parts"


@dataclass
class Process:
    """A system behind its pipe, and what was measured of it."""

    name: str
    folder: Path
    version: str = ""
    start_s: float = 0.0
    start_cpu_s: float = 0.0
    passages: int = 0
    ingest_s: float = 0.0
    ingest_cpu_s: float = 0.0
    times_s: list[float] = field(default_factory=list)
    model_s: list[float] = field(default_factory=list)
    found: list[list[int]] = field(default_factory=list)
    peak_mb: float = 0.0

    def start(self) -> None:
        """Start the process, with a thread that samples its memory; returns when libraries and model are loaded."""
        began = time.perf_counter()
        program = sys.executable if self.name == "roma" else str(find_python(self.name))
        own = {"PYTHONPATH": str(HERE.parent)} if self.name == "roma" else {}
        self._process = subprocess.Popen(
            [program, str(HERE / "system.py"), self.name, str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.folder / f"{self.name}.log").open("w"),
            text=True,
            env={**os.environ, **own},
        )
        self.version = str(self._read()["version"])
        self.start_s, self.start_cpu_s = time.perf_counter() - began, self._read_cpu_s()
        threading.Thread(target=self._sample, daemon=True).start()

    def ingest(self) -> None:
        """Ingest the notes."""
        before = self._read_cpu_s()
        done = self._ask("ingest")
        self.passages, self.ingest_s = int(done["passages"]), float(done["seconds"])
        self.ingest_cpu_s = self._read_cpu_s() - before

    def ask(self, number: int, *, counts: bool) -> None:
        """Ask a question; ``counts`` says whether its time is kept."""
        done = self._ask(str(number))
        if counts:
            self.times_s.append(float(done["seconds"]))
            self.model_s.append(float(done["model_s"]))
            self.found.append(done["found"])

    def end(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.write("end\n")
        self._process.stdin.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()  # everything was measured by now

    def _ask(self, line: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            log = (self.folder / f"{self.name}.log").read_text("utf-8")
            raise RuntimeError(f"{self.name} ended: {log[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _read_cpu_s(self) -> float:
        return sum(read_cpu_s(pid) for pid in list_tree(self._process.pid))

    def _sample(self) -> None:
        while self._process.poll() is None:
            self.peak_mb = max(self.peak_mb, sum(read_pss_mb(pid) for pid in list_tree(self._process.pid)))
            time.sleep(SAMPLE_S)


def find_python(name: str) -> Path:
    """Return the Python of a peer's environment. Raises ``SystemExit`` where there is none."""
    program = HERE / ".environments" / name / "bin" / "python"
    if not program.is_file():
        raise SystemExit(f"{NAMES[name]} has no environment here; make bench-peers makes it.")
    return program


def list_tree(pid: int) -> list[int]:
    """Return a process and all below it."""
    tree, waiting = [], [pid]
    while waiting:
        each = waiting.pop()
        tree.append(each)
        for children in Path(f"/proc/{each}/task").glob("*/children"):
            try:
                waiting += [int(child) for child in children.read_text().split()]
            except OSError:
                continue  # a thread that ended meanwhile
    return tree


def read_pss_mb(pid: int) -> float:
    """Return the memory of a process, shared pages by their share; 0 for one that ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def read_cpu_s(pid: int) -> float:
    """Return the processor time of a process and of those of its children that have ended; 0 for one that ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")


async def read_corpus(folder: Path) -> tuple[list[Chunk], list[str], list[frozenset[str]]]:
    """Return the passages of the frozen corpus, questions of its golden set, and the passages that answer each."""
    settings = Settings(workspace=folder / "workspace", embedder="fake", reranker="none", parser_workers=2)
    golden = load_dataset("datasets/golden/golden_dataset.json")
    async with build_roma(settings) as roma:
        await roma.ingest(*prepare_documents(folder / "corpus"))
        chunks = [chunk async for chunk in roma.store.passages("default")]
        corpus = await find(golden.cases, roma.store.documents("default"))
    by_document: dict[str, list[Chunk]] = {}
    for chunk in chunks:
        by_document.setdefault(chunk.document_id, []).append(chunk)
    questions, wanted = [], []
    for case in golden.cases:
        places = [place for evidence in corpus.places.get(case.id, ()) for place in evidence]
        ids = {
            chunk.id
            for place in places
            for chunk in by_document.get(place.document_id, ())
            if chunk.start < place.end and place.start < chunk.end
        }
        if ids:
            questions.append(case.question)
            wanted.append(frozenset(ids))
    order = random.Random(0).sample(range(len(questions)), min(QUESTIONS + WARM_UP, len(questions)))
    return chunks, [questions[n] for n in order], [wanted[n] for n in order]


def write_inputs(
    folder: Path, chunks: list[Chunk], questions: list[str], wanted: list[frozenset[str]], size: int
) -> list[frozenset[int]]:
    """Write notes, questions, model and vectors for ``size`` notes; return the numbers of the notes for each question.

    Passages that are asked for come first, then others of the corpus, then made-up ones; their numbers are shuffled.
    """
    needed = frozenset[str]().union(*wanted)
    real = sorted(chunks, key=lambda chunk: (chunk.id not in needed, chunk.id))[:size]
    rng = random.Random(size)
    texts = [chunk.indexed_text for chunk in real]
    texts += [" ".join(words(rng, FILLER_WORDS)).capitalize() + "." for _ in range(size - len(real))]
    places = rng.sample(range(size), size)
    (folder / "notes").mkdir(parents=True)
    for place, text in zip(places, texts, strict=True):
        (folder / "notes" / f"note-{place:05}.txt").write_text(f"Note {place:05}\n\n{text}\n", "utf-8")
    (folder / "questions.json").write_text(json.dumps(questions), "utf-8")
    shutil.copytree(find_bundled_files("bge_small_en").folder, folder / "model")
    if size > MODELLED:
        vectors = np.random.default_rng(size).standard_normal((size, LocalEmbedder().dim), dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        chosen = places[: len(real)]
        notes = [(folder / "notes" / f"note-{place:05}.txt").read_text("utf-8") for place in chosen]
        vectors[chosen] = asyncio.run(LocalEmbedder().embed(notes)).vectors
        np.save(folder / "notes.npy", vectors)
    numbers = {chunk.id: place for chunk, place in zip(real, places, strict=False)}
    return [frozenset(numbers[key] for key in ids if key in numbers) for ids in wanted]


def measure(size: int) -> list[dict[str, object]]:
    """Return a row for each system."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        chunks, questions, wanted = asyncio.run(read_corpus(root / "corpus"))
        answers = write_inputs(root / "inputs", chunks, questions, wanted, size)
        systems = [Process(name, root / "inputs") for name in NAMES]
        for system in systems:
            system.start()
            system.ingest()
            print(f"{system.name}: {system.passages} passages in {system.ingest_s:.1f} s", file=sys.stderr, flush=True)
        for number in range(len(questions)):
            turn = number % len(systems)
            for system in systems[turn:] + systems[:turn]:
                system.ask(number, counts=number >= WARM_UP)
        for system in systems:
            system.end()
    return [describe(system, size, answers[WARM_UP:]) for system in systems]


def describe(system: Process, size: int, answers: list[frozenset[int]]) -> dict[str, object]:
    """Return the row of a system."""
    times_ms = sorted(1000 * seconds for seconds in system.times_s)
    own_ms = sorted(1000 * (whole - model) for whole, model in zip(system.times_s, system.model_s, strict=True))
    quarters = [np.percentile(times_ms, share) for share in (25, 75)]
    hits = [bool(need & set(numbers[:TOP_K])) for need, numbers in zip(answers, system.found, strict=True)]
    return {
        "notes": f"{size:,}",
        "system": NAMES[system.name],
        "version": system.version,
        "passages": system.passages,
        "start s": system.start_s,
        "start CPU s": system.start_cpu_s,
        "ingest s": system.ingest_s,
        "ingest CPU s": system.ingest_cpu_s,
        "with the model": "yes" if size <= MODELLED else "no",
        "query P50 ms": median(times_ms),
        "query P95 ms": float(np.percentile(times_ms, 95)),
        "middle half ms": f"{quarters[0]:.0f}–{quarters[1]:.0f}",
        "P95 without the model ms": float(np.percentile(own_ms, 95)),
        "found %": 100 * sum(hits) / len(hits),
        "peak memory MB": system.peak_mb,
        "load average": os.getloadavg()[1],
    }


def main() -> int:
    sizes = [int(size) for size in sys.argv[1:]] or list(SIZES)
    PARTS.mkdir(exist_ok=True)
    for size in sizes:
        (PARTS / f"{size:09}.json").write_text(json.dumps(measure(size)), "utf-8")
    rows = [row for part in sorted(PARTS.glob("*.json")) for row in json.loads(part.read_text("utf-8"))]
    report.write("peers", "Beside LlamaIndex, Haystack and LangChain", rows, NOTE, ["lancedb", "onnxruntime"])
    return 0


NOTE = (
    "The same notes, questions and ONNX file (bge-small, int8, two threads) for all. A note is a passage of the "
    "frozen corpus or, to fill up, of made-up words; each is one file, and short enough to be one passage. Up to "
    f"{MODELLED:,} notes each system embeds by itself, in the batches that it makes by default (ROMA: by length, at "
    "most 512 tokens; LangChain and Haystack: 256 texts; LlamaIndex: 10); above, all are handed the same vectors, "
    f"and those of the made-up notes are random. A query is one of {QUESTIONS} questions of the golden set, asked of "
    "all systems in turns before the next: its embedding, 50 candidates by words and 50 by vectors, and the best "
    f"{TOP_K} after fusion. ROMA is measured by `roma.ingest` and `roma.search`, without its reranker: files are read "
    "in the sandbox, the ledger is kept, the store is on disk and stays. The frameworks are handed the texts, without "
    "a reader or a splitter, and use the in-memory stores of their introductions, which are lost with the process. "
    "*start*: from the start of the process until libraries and model are loaded, which no other column counts. "
    "*ingest CPU*: processor time of the process and those below it, which other work on the machine moves less. "
    "*found*: questions with a passage of their evidence among the ten. *peak memory*: the most that a process and "
    "those below it held (PSS), model and libraries included. *load average*: of the machine, at the "
    "end; where it is above the number of cores, the times are those of a queue and decide nothing, while processor "
    "time, memory and what is found hold."
)

if __name__ == "__main__":
    sys.exit(main())
