"""Peak memory of an ingest against the number of documents: it must not grow with the corpus.

``python -m bench.memory``. Each size is ingested in a process of its own: real files, parsers, ledger, cache and
LanceDB; vectors are the fake embedder's, since a model's memory is the same for any number of documents.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench import report
from bench.core import text
from bench.soak_ingest import ingest

SIZES = (500, 5000)
MOST = 1.3
"""Largest peak allowed, as a multiple of that of the smallest corpus."""


def make_corpus(folder: Path, documents: int) -> None:
    """Markdown of one to seven paragraphs, about as many passages."""
    rng = random.Random(1)
    folder.mkdir(parents=True)
    for n in range(documents):
        (folder / f"{n:05}.md").write_text(f"# Part {n}\n\n{text(rng, rng.randrange(1, 8))}", encoding="utf-8")


def resident_mb(field: str) -> float:
    """``VmRSS`` (now) or ``VmHWM`` (peak) of this process; ``ru_maxrss`` would count the parent's before exec."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def measured(base: Path, documents: int) -> dict[str, Any]:
    """One ingest in a fresh process."""
    corpus = base / f"corpus{documents}"
    make_corpus(corpus, documents)
    command = [sys.executable, "-m", "bench.memory", "--child", str(base / f"w{documents}"), str(corpus)]
    began = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=report.ROOT, check=True, timeout=1800)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert found["counts"]["added"] == documents and not found["failures"], found
    return found | {"seconds": time.perf_counter() - began}


def rows(base: Path, sizes: Iterable[int] = SIZES) -> list[dict[str, object]]:
    made: list[dict[str, object]] = []
    for documents in sizes:
        found = measured(base, documents)
        first = float(str(made[0]["peak memory MB"])) if made else found["peak_mb"]
        made.append(
            {
                "documents": documents,
                "passages": found["passages"],
                "peak memory MB": found["peak_mb"],
                "times the first": found["peak_mb"] / first,
                "documents/min": 60 * documents / found["seconds"],
            }
        )
        print(made[-1], file=sys.stderr, flush=True)
    return made


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        found = rows(Path(folder))
    note = f"Resident memory of the ingesting process at its peak; at most {MOST} times that of the first is allowed."
    report.write("memory", "Memory of an ingest", found, note, ["lancedb"])
    return 0 if float(str(found[-1]["times the first"])) <= MOST else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        ended = asyncio.run(ingest(Path(sys.argv[2]), Path(sys.argv[3])))
        print(json.dumps(ended | {"peak_mb": resident_mb("VmHWM")}))
        sys.exit(0)
    sys.exit(main())
