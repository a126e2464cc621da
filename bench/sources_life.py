"""Sources that live: the room that many small ingests take, bytes written a change, and the price of no change.

``python -m bench.sources_life [PARTS] [DOCUMENTS] [UNCHANGED]``; parts are ``growth,writes,unchanged``.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from bench import report
from roma_core import Settings, build_roma
from roma_core.app import Roma

PARTS = "growth,writes,unchanged"
DOCUMENTS = 1000
UNCHANGED = 10_000
CHANGES = 160
"""So many that the upkeep of the store is among what they cost."""


def write(folder: Path, n: int, version: int = 0) -> Path:
    """Write a document of about 2 kB."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"d{n:05}.txt"
    words = " ".join(f"word{(n * 31 + i * 7 + version) % 997}" for i in range(260))
    path.write_text(f"Document {n}, version {version}. {words}.")
    return path


def open_roma(workspace: Path) -> Roma:
    """Open a workspace that needs no model."""
    return build_roma(Settings.load(workspace=str(workspace), embedder="fake", reranker="none", env_file=None))


def size_of(workspace: Path) -> int:
    """Return the bytes of a workspace on the disk."""
    return sum(path.stat().st_size for path in workspace.rglob("*") if path.is_file())


def written_bytes() -> int:
    """Return the bytes that this process has asked the system to write (``/proc/self/io``)."""
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(fields["wchar"])


async def grow(base: Path, documents: int) -> dict[str, object]:
    """Ingest documents one by one, and all at once elsewhere."""
    folder = base / "growing"
    async with open_roma(base / "many") as roma:
        for n in range(documents):
            await roma.ingestion.ingest([str(write(folder, n))])
    async with open_roma(base / "one") as roma:
        await roma.ingestion.ingest([str(folder)])
    many, one = size_of(base / "many"), size_of(base / "one")
    return {
        "documents": documents,
        "ingests of one: bytes": many,
        "one ingest: bytes": one,
        "ratio": round(many / one, 2),
    }


async def rewrite(base: Path, documents: int, changes: int = CHANGES) -> dict[str, object]:
    """Change single documents of a source, and count what is written for each."""
    folder = base / "changing"
    for n in range(documents):
        write(folder, n)
    async with open_roma(base / "changes") as roma:
        await roma.ingestion.ingest([str(folder)])
        before, size = written_bytes(), 0
        for n in range(changes):
            size += write(folder, n * 7, version=n + 1).stat().st_size
            await roma.ingestion.ingest([str(folder)])
        written = written_bytes() - before - size
    return {"documents": documents, "changes": changes, "bytes written / bytes changed": round(written / size, 1)}


async def rest(base: Path, documents: int) -> dict[str, object]:
    """Sync a source in which nothing has changed."""
    folder = base / "resting"
    for n in range(documents):
        write(folder / str(n // 500), n)
    async with open_roma(base / "rest") as roma:
        await roma.ingestion.ingest([str(folder)])
        seconds, cpu = [], []
        for _ in range(5):
            began, began_cpu = time.perf_counter(), time.process_time()
            await roma.ingestion.ingest([str(folder)])
            seconds.append(time.perf_counter() - began)
            cpu.append(time.process_time() - began_cpu)
    return {"documents": documents, "seconds": round(min(seconds), 2), "CPU s": round(min(cpu), 2)}


def main(parts: str = PARTS, documents: int = DOCUMENTS, unchanged: int = UNCHANGED) -> None:
    chosen = parts.split(",")
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        if "growth" in chosen:
            growth = asyncio.run(grow(base, documents))
            report.write("sources_growth", "Many ingests of one document", [growth], "Whole workspaces.", ["lancedb"])
        if "writes" in chosen:
            writes = asyncio.run(rewrite(base, documents))
            note = "`wchar` of the process: all that was handed to the system, the ledger and the caches included."
            report.write("sources_writes", "Bytes written for a changed document", [writes], note, ["lancedb"])
        if "unchanged" in chosen:
            quiet = asyncio.run(rest(base, unchanged))
            note = (
                "Sync of local files in one process, the best of five; the first one of a process also loads libraries."
            )
            report.write("sources_unchanged", "A source in which nothing has changed", [quiet], note, ["lancedb"])


if __name__ == "__main__":
    main(sys.argv[1] if sys.argv[1:] else PARTS, *(int(argument) for argument in sys.argv[2:]))
