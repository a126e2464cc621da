"""``python -m bench.rerun WORKSPACE``: what an evaluation costs that was run before and of which nothing has changed.

WORKSPACE is one that ``make gate`` or ``roma demo`` has made. Each set is evaluated once, so that its answers are kept,
and then again and again in the same process.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from pathlib import Path

from bench import report
from bench.lookups import GOLDEN
from roma_core.app import Roma, build_roma
from roma_core.evals import evaluate
from roma_core.settings import Settings
from roma_core.types import digest
from roma_core.workspace import Workspace

SIZES: tuple[int | None, ...] = (100, 300, None)
"""How many items of the set are evaluated; None: all."""
REPEATS = 7


async def measure(workspace: Path) -> list[dict[str, object]]:
    """Return a row for each size."""
    async with build_roma(Settings.load(workspace=workspace, env_file=None)) as roma:
        return [await _measure_size(roma, size) for size in SIZES]


async def _measure_size(roma: Roma, size: int | None) -> dict[str, object]:
    first = await evaluate(GOLDEN, roma, limit=size)
    folder = Workspace.of(roma.settings).evals / first.run_id
    before = _hash_report(folder)
    taken, used, asked = [], [], 0
    for _ in range(REPEATS):
        began, cpu = time.perf_counter(), time.process_time()
        again = await evaluate(GOLDEN, roma, limit=size)
        taken.append(time.perf_counter() - began)
        used.append(time.process_time() - cpu)
        asked += again.facts.asked
    return {
        "items": len(first.rows),
        "runs": REPEATS,
        "asked": asked,
        "same bytes": "yes" if _hash_report(folder) == before else "no",
        "P50 s": statistics.median(taken),
        "longest s": max(taken),
        "processor P50 s": statistics.median(used),
    }


def _hash_report(folder: Path) -> str:
    return digest("report", *((folder / name).read_bytes() for name in ("report.json", "report.html")))


def main(workspace: str = "") -> int:
    if not workspace or not Path(workspace).is_dir():
        print("bench.rerun: name a workspace that holds the frozen corpus; nothing was measured.", file=sys.stderr)
        return 0
    rows = asyncio.run(measure(Path(workspace)))
    note = (
        "Golden items over the frozen corpus with the default measures, evaluated in one process once and then again: "
        "*asked* counts the questions that were put to the system in all repeats, *same bytes* compares `report.json` "
        "and `report.html` with those of the first run. The goal is two seconds for 300 items."
    )
    report.write("rerun", "An evaluation of which nothing has changed", rows, note)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
