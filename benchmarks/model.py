"""``python -m benchmarks.model [NOTES]``: what an ingest adds to its model; writes ``docs/benchmarks/peers_model.md``.

No ingest around one model file costs less than the model alone. The notes are those that the peers are measured with.
"""

from __future__ import annotations

import asyncio
import functools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import report
from benchmarks.__main__ import read_corpus, write_inputs
from benchmarks.system import MOST_TOKENS, Model, read_notes
from roma_core import Settings, build_roma
from roma_core.embeddings.local import LocalEmbedder
from roma_core.models import OnnxModel, find_bundled_files

NOTES = 1_000
ALONE = "the model alone, as ROMA runs it"
BATCHES = {256: "LangChain and Haystack", 10: "LlamaIndex"}


def measure_cpu(work: Callable[[], object]) -> float:
    """Return the processor seconds of some work, with those of the processes that it has ended."""
    before = os.times()
    work()
    after = os.times()
    spent = [after[place] - before[place] for place in range(4)]
    return sum(spent)


def run_alone(model: OnnxModel, texts: Sequence[str]) -> None:
    """Run the model over texts, one a call on one thread."""
    for text in texts:
        model.run(text)


async def ingest(folder: Path, workspace: Path) -> None:
    """Have ROMA ingest the notes, and stop its processes."""
    settings = Settings(workspace=workspace, embedder="local", reranker="none", parser_workers=1)
    async with build_roma(settings) as roma:
        await roma.ingest(folder)


def measure(folder: Path, notes: int) -> list[dict[str, object]]:
    """Return a row for each way to embed the notes."""
    chunks, questions, wanted = asyncio.run(read_corpus(folder / "corpus"))
    write_inputs(folder / "inputs", chunks, questions, wanted, notes)
    texts = read_notes(folder / "inputs")
    tokens = sum(min(MOST_TOKENS, LocalEmbedder().count_tokens(text)) for text in texts)
    alone, peers = OnnxModel(find_bundled_files("bge_small_en"), MOST_TOKENS), Model(folder / "inputs", threads=1)
    alone.run(texts[0])
    ways: dict[str, Callable[[], object]] = {ALONE: lambda: run_alone(alone, texts)}
    for batch, names in BATCHES.items():
        ways[f"the whole model in batches of {batch}, {names}"] = functools.partial(peers.embed, texts, batch)
    ways["ROMA's ingest"] = lambda: asyncio.run(ingest(folder / "inputs" / "notes", folder / "own"))
    spent: dict[str, float] = {}
    for way, work in ways.items():
        began = time.perf_counter()
        spent[way] = measure_cpu(work)
        print(f"{way}: {time.perf_counter() - began:.1f} s", file=sys.stderr, flush=True)
    return [
        {
            "way": way,
            "notes": notes,
            "tokens": tokens,
            "CPU s": seconds,
            "CPU ms a 1,000 tokens": 1_000_000 * seconds / tokens,
            "times the model alone": seconds / spent[ALONE],
        }
        for way, seconds in spent.items()
    ]


def main(notes: str = str(NOTES)) -> int:
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), int(notes))
    of_peers = [float(str(row["times the model alone"])) for row in rows[1 : 1 + len(BATCHES)]]
    note = (
        "Notes like those of the comparison with LlamaIndex, Haystack and LangChain, and one model file. Processor "
        "time, which other work on the machine moves less. ROMA's ingest reads files in the sandbox, keeps its ledger "
        "and its store, and starts and ends its processes; the other rows are the model and its tokenizer on one "
        "thread, as several wait for each other by computing nothing. "
        f"An ingest that added nothing to the model alone would take 1/{min(of_peers):.2f} of what the best of the "
        "peers' batches takes."
    )
    report.write("peers_model", "What an ingest adds to its model", rows, note, ["onnxruntime"])
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
