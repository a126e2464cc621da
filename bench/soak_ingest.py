"""kill -9 at random points of an ingest, each followed by a re-run: the final table must be that of a quiet run.

``python -m bench.soak_ingest [KILLS] [SEED]``. Real processes, files, parsers, ledger and LanceDB; vectors are the
fake embedder's, so that a kill falls as often into listing, parsing, writing and upkeep as into embedding.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import report
from roma_core.cache import Cache
from roma_core.connectors.local import LocalConnector
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.ingestion import Ledger, build_ingestion
from roma_core.parsers.dolphin import DolphinParserService
from roma_core.settings import Settings
from roma_core.store.lance import LanceStore
from roma_core.types import digest

DOCUMENTS = 300
KILLS = 100
TENANT = "default"


def make_corpus(folder: Path, rng: random.Random) -> None:
    """Markdown, HTML and text files of a few paragraphs, with two that no parser reads."""
    words = [digest(str(n))[:5] for n in range(400)]
    folder.mkdir(parents=True)
    for n in range(DOCUMENTS - 2):
        paragraphs = [" ".join(rng.choices(words, k=60)) + "." for _ in range(rng.randrange(1, 8))]
        suffix = (".md", ".html", ".txt")[n % 3]
        body = "".join(f"<p>{p}</p>" for p in paragraphs) if suffix == ".html" else "\n\n".join(paragraphs)
        title = f"<h1>Part {n}</h1>" if suffix == ".html" else f"# Part {n}\n\n"
        (folder / f"{n:04}{suffix}").write_text(title + body)
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing of the kind")
    (folder / "empty.txt").write_bytes(b"")


def store_at(workspace: Path) -> LanceStore:
    embedder = FakeEmbedder()
    return LanceStore(workspace / "store", fingerprint=embedder.fingerprint, dim=embedder.dim, model=embedder.name)


async def ingest(workspace: Path, corpus: Path) -> dict[str, Any]:
    settings = Settings(workspace=workspace)
    store, cache = store_at(workspace), Cache(workspace / "cache.sqlite")
    async with DolphinParserService.of(settings) as parsers:
        service = build_ingestion(
            settings,
            connectors=[LocalConnector(settings)],
            parsers=parsers,
            embedder=FakeEmbedder(),
            store=store,
            cache=cache,
        )
        done = await service.ingest([str(corpus)])
        await service.close()
    await store.close()
    return {
        "counts": done.counts(),
        "passages": sum(item.chunks for item in done.items),
        "failures": [failure.code for failure in done.failures],
    }


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


def child(workspace: Path, corpus: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.soak_ingest", "--child", str(workspace), str(corpus)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=report.ROOT)


def to_the_end(workspace: Path, corpus: Path) -> dict[str, Any]:
    process = child(workspace, corpus)
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 0, f"an ingest ended with {process.returncode}"
    counted: dict[str, Any] = json.loads(out.splitlines()[-1])
    return counted


def killed(workspace: Path, corpus: Path, after_s: float) -> bool:
    """Whether the kill came before the end."""
    process = child(workspace, corpus)
    try:
        process.wait(after_s)
        return False
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        return True
    finally:
        process.communicate()


def soak(kills: int, seed: int, base: Path) -> list[dict[str, object]]:
    rng = random.Random(seed)
    corpus = base / "corpus"
    make_corpus(corpus, rng)
    began = time.perf_counter()
    quiet = to_the_end(base / "quiet", corpus)
    whole_s = time.perf_counter() - began
    expected, expected_ledger = asyncio.run(rows(base / "quiet")), ledger_rows(base / "quiet")
    hit = differing = doubled = lost = 0
    slowest = 0.0
    for n in range(kills):
        workspace = base / f"run{n}"
        hit += killed(workspace, corpus, rng.uniform(0.3, 1.0) * whole_s)
        began = time.perf_counter()
        again = to_the_end(workspace, corpus)
        slowest = max(slowest, time.perf_counter() - began)
        got = asyncio.run(rows(workspace))
        keys = [row["key"] for row in got]
        doubled += len(keys) - len(set(keys))
        lost += len({row["key"] for row in expected} - set(keys))
        same = got == expected and ledger_rows(workspace) == expected_ledger
        differing += not same
        assert sum(again["counts"].values()) == sum(quiet["counts"].values()), again
        subprocess.run(["rm", "-rf", str(workspace)], check=True)
        print(f"kill {n + 1}/{kills}: {'same' if same else 'DIFFERENT'} {again['counts']}", file=sys.stderr, flush=True)
    return [
        {
            "documents": DOCUMENTS,
            "rows": len(expected),
            "runs": kills,
            "killed before their end": hit,
            "tables that differ after the re-run": differing,
            "rows lost": lost,
            "keys doubled": doubled,
            "quiet ingest s": whole_s,
            "slowest re-run s": slowest,
        }
    ]


def main(kills: int = KILLS, seed: int = 1) -> int:
    with tempfile.TemporaryDirectory() as folder:
        found = soak(kills, seed, Path(folder))
    note = "Each run is killed with SIGKILL at a random moment and then run again to its end; rows are compared whole."
    report.write("soak_ingest", "kill -9 during ingest", found, note, ["lancedb"])
    return 0 if not any(found[0][key] for key in ("tables that differ after the re-run", "rows lost")) else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(asyncio.run(ingest(Path(sys.argv[2]), Path(sys.argv[3])))))
        sys.exit(0)
    sys.exit(main(*(int(argument) for argument in sys.argv[1:])))
