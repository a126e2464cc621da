"""kill -9 at random moments of ``sync`` over a folder that changes: nothing may be lost, doubled or stale.

``python -m bench.soak_sync [KILLS] [SEED]``. Each round changes the folder, begins a sync in a process of its own,
kills it, and syncs again; then the store is compared with the folder, document by document.
"""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import report
from roma_core import Settings, build_roma

KILLS = 100
DOCUMENTS = 120
NEVER_S = 600.0
"""Longer than any sync of this folder."""


def settings_of(workspace: Path) -> Settings:
    """Return settings that need no model."""
    return Settings.load(workspace=str(workspace), embedder="fake", reranker="none", env_file=None)


async def sync(workspace: Path, folder: Path) -> None:
    """Sync the folder, pruning what is gone."""
    async with build_roma(settings_of(workspace)) as roma:
        await roma.sources.add(str(folder), name="folder")
        await roma.sources.sync(["folder"], prune=True)


async def stored(workspace: Path) -> dict[str, str]:
    """Return the texts in the store by the names of their files. Fails on a file with two documents."""
    texts: dict[str, str] = {}
    async with build_roma(settings_of(workspace)) as roma:
        async for document in roma.store.documents("default"):
            name = document.uri.rpartition("/")[2]
            assert name not in texts, f"{name} is stored twice"
            texts[name] = document.text.strip()
    return texts


def write(folder: Path, name: str, dice: random.Random) -> None:
    """Write a new version of a file."""
    (folder / name).write_text(f"Version {dice.random()} of {name}. " + "It tells of harbours and ships. " * 20)


def change(folder: Path, dice: random.Random) -> None:
    """Change, add and remove a tenth of the files."""
    names = sorted(path.name for path in folder.iterdir())
    for name in dice.sample(names, max(1, len(names) // 10)):
        write(folder, name, dice)
    for name in dice.sample(names, 3):
        (folder / name).unlink()
    for _ in range(3):
        write(folder, f"n{dice.randrange(10**9)}.txt", dice)


def kill_one(workspace: Path, folder: Path, after_s: float) -> bool:
    """Begin a sync and kill it. Return False when it was faster."""
    command = [sys.executable, "-m", "bench.soak_sync", "--child", str(workspace), str(folder)]
    process = subprocess.Popen(command, cwd=report.ROOT)
    try:
        process.wait(timeout=after_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True
    return False


def soak(kills: int, seed: int, base: Path) -> dict[str, object]:
    """Return what the kills left: documents lost, doubled and stale."""
    dice = random.Random(seed)
    folder, workspace = base / "folder", base / "ws"
    folder.mkdir()
    for n in range(DOCUMENTS):
        write(folder, f"d{n:04}.txt", dice)
    asyncio.run(sync(workspace, folder))
    change(folder, dice)
    began = time.perf_counter()
    kill_one(workspace, folder, NEVER_S)
    whole_s = time.perf_counter() - began
    syncs = killed = lost = stale = lingering = 0
    while killed < kills:
        change(folder, dice)
        syncs += 1
        killed += kill_one(workspace, folder, dice.uniform(0.2, whole_s))
        asyncio.run(sync(workspace, folder))
        texts = asyncio.run(stored(workspace))
        wanted = {path.name: path.read_text().strip() for path in folder.iterdir()}
        lost += len(wanted.keys() - texts.keys())
        lingering += len(texts.keys() - wanted.keys())
        stale += sum(texts[name] != text for name, text in wanted.items() if name in texts)
        print(f"{killed} of {syncs} killed, {lost} lost, {stale} stale, {lingering} lingering", flush=True)
    return {"syncs": syncs, "killed": killed, "lost": lost, "doubled": 0, "stale": stale, "lingering": lingering}


def main(kills: int = KILLS, seed: int = 1) -> int:
    with tempfile.TemporaryDirectory() as folder:
        row = soak(kills, seed, Path(folder))
    note = (
        "Each round changes a tenth of a folder, begins a sync, kills it with SIGKILL at a random moment, syncs again "
        "and compares store and folder. A document that is stored twice ends the run."
    )
    report.write("soak_sync", "kill -9 during sync of a changing folder", [row], note, ["lancedb"])
    return 1 if row["lost"] or row["stale"] or row["lingering"] else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        asyncio.run(sync(Path(sys.argv[2]), Path(sys.argv[3])))
        sys.exit(0)
    sys.exit(main(*(int(argument) for argument in sys.argv[1:])))
