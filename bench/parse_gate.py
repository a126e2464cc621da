"""Fails when a parser loses text, headings or table cells of the real documents against the pinned baseline.

``python -m bench.parse_gate`` compares; ``--pin`` writes the baseline anew (numbers only, no text of the documents).
Quality (order, tables, losses, scans: ``bench/parse_quality.py``) is held to floors and to pinned values;
``--no-quality`` and ``--no-ocr`` leave the long parts out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

from bench import parse_corpus, parse_quality
from roma_core.errors import AgentFailure
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.diff import shape
from roma_core.parsers.sandbox.pool import ProcessSandbox
from roma_core.parsers.service import DolphinParserService

BASELINE = Path(__file__).resolve().parents[1] / "tests" / "baselines" / "parse.json"
SLACK = 0.005
"""Share of the tokens that may go (furniture that is now recognised); headings and cells may not."""

Facts = dict[str, int | str]


async def measure(root: Path, *formats: str) -> dict[str, Facts]:
    """Shape or failure code of each file by name. Without OCR, whose engines differ between machines."""
    facts: dict[str, Facts] = {}
    async with DolphinParserService(ProcessSandbox(2)) as service:
        for case in parse_corpus.cases(root, *formats):
            result = await service.parse(case.raw, ParseOptions(ocr=False))
            if isinstance(result, AgentFailure):
                facts[case.path.name] = {"failure": result.code.value}
            else:
                facts[case.path.name] = {**shape(result).model_dump(), "parser": result.parser}
    return facts


def losses(baseline: dict[str, Facts], now: dict[str, Facts]) -> list[str]:
    """One line for each file that gives less than the baseline says. Pure."""
    found: list[str] = []
    for name, before in sorted(baseline.items()):
        after = now.get(name)
        if after is None:
            found.append(f"{name}: not measured")
        elif "failure" in after:
            if after.get("failure") != before.get("failure"):
                found.append(f"{name}: now fails with {after['failure']}")
        elif "failure" not in before:
            found += [f"{name}: {key} {before[key]} -> {after[key]}" for key in _lost(before, after)]
    return found


def _lost(before: Facts, after: Facts) -> list[str]:
    slack = {"tokens": SLACK}
    return [
        key
        for key in ("tokens", "headings", "cells", "pages")
        if int(after[key]) < int(before[key]) * (1 - slack.get(key, 0.0))
    ]


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pin", action="store_true", help="write the baseline anew")
    options.add_argument("--no-quality", action="store_true", help="compare the counts of each file alone")
    options.add_argument("--no-ocr", action="store_true", help="leave out the scans, which take minutes")
    chosen = options.parse_args()
    root = parse_corpus.folder()
    if root is None:
        print("docs-dev is not beside this checkout: nothing compared", file=sys.stderr)
        return 0
    now = asyncio.run(measure(root))
    values = {} if chosen.no_quality else parse_quality.measure(root, ocr=not chosen.no_ocr)
    for name, value in values.items():
        print(f"{name}: {value}")
    if chosen.pin:
        if values:
            parse_quality.pin({**parse_quality.read_pinned(), **values})
        BASELINE.parent.mkdir(parents=True, exist_ok=True)
        BASELINE.write_text(json.dumps(now, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        print(f"pinned {len(now)} files")
        return 0
    found = losses(json.loads(BASELINE.read_text(encoding="utf-8")), now)
    found += parse_quality.shortfalls(values, parse_quality.read_pinned())
    print("\n".join(found) or f"{len(now)} files: nothing lost")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
