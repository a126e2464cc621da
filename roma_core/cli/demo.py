"""Commands that show ROMA at work: demo-corpus, demo, notebook."""

from __future__ import annotations

import argparse
from pathlib import Path

from roma_core.cli.output import OK, emit
from roma_core.settings import Settings


async def run_demo_corpus(args: argparse.Namespace, settings: Settings) -> int:
    from roma_core.evals.demo_corpus import gather

    paths = gather(Path(args.folder))
    emit(
        args,
        {"folder": args.folder, "files": [str(p) for p in paths]},
        lambda: print(f"{len(paths)} documents in {args.folder}"),
    )
    return OK
