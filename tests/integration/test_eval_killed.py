"""``roma eval`` against a model server, killed again and again: what was answered is never asked again.

The server notes each request as it comes. After each ``kill -9`` the cache is read as it was left: an answer that it
holds was given, and must not be asked for in any later run.
"""

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import pytest

from roma_core.llm.providers.server import Asked, FakeModelServer, Script

ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("ROMA_KILLS", "8"))
CASES = 150 if KILLS > 8 else 50
TIMED_FILES = {"run.json", "facts.json", "card.json", "card.md"}  # they hold when a run was made, and how long it took

RUNS = """
import json, os, random, re, signal, sqlite3, sys, time
from contextlib import closing
from pathlib import Path

# Read once, not in each run: what takes long to import.
import lancedb, openai, prometheus_client, scipy.stats
import roma_core.agents.build, roma_core.evals, roma_core.llm.providers.openai, roma_core.store.lance
from roma_core.cli import main

folder, kills = Path(sys.argv[1]), int(sys.argv[2])
log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

def start(*arguments):
    child = os.fork()
    if not child:
        os.dup2(os.open(folder / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
        os._exit(main([*arguments]))
    return child

def kept():
    path = Path(os.environ["ROMA_WORKSPACE"]) / "cache.sqlite"
    if not path.exists():
        return
    with closing(sqlite3.connect(path)) as cache:
        for (value,) in cache.execute("SELECT value FROM entries WHERE kind = 'llm'"):
            text = json.loads(value)["text"]
            yield ("judge " if text.startswith("{") else "answer ") + re.search("#([0-9]+)", text)[1]

assert os.waitpid(start("ingest", str(folder / "corpus")), 0)[1] == 0
random.seed(1)
for kill in range(kills + 1):
    os.write(log, b"run\\n")
    child = start("eval", str(folder / "golden.json"), "--judge")
    goal = os.fstat(log).st_size + random.randrange(120) if kill < kills else float("inf")
    ended = 0
    while not ended and os.fstat(log).st_size < goal:
        time.sleep(0.001)
        ended = os.waitpid(child, os.WNOHANG)[0]
    time.sleep(random.random() * 0.05)
    if not ended:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.write(log, b"killed\\n")
    for item in kept():
        os.write(log, f"kept {item}\\n".encode())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    cases = [
        {
            "id": str(n),
            "question": f"What colour is the rope #{n}?",
            "kind": "single",
            "answer": "red",
            "nuggets": [{"fact": "red"}],
            "evidence": [{"uri": "ropes.md", "anchor": "All ropes"}],
        }
        for n in range(CASES)
    ]
    (tmp_path / "golden.json").write_text(json.dumps(cases))
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "ropes.md").write_text("# Ropes\n\nAll ropes of the bridge have the colour red.\n")
    return tmp_path


def environment(workspace: Path, url: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(workspace.parent),
        "PYTHONPATH": str(ROOT),
        "ROMA_WORKSPACE": str(workspace),
        "ROMA_EMBEDDER": "fake",
        "ROMA_RERANKER": "fake",
        "ROMA_PLANNER": "off",
        "LLM_BASE_URL": f"{url}/v1",
        "LLM_MODEL": "some-model",
        "ROMA_LLM_FALLBACKS": "none",
    }


def server_for(folder: Path) -> FakeModelServer:
    """Answers and grades by the number in the question, and notes what it was asked for."""

    def answer(asked: Asked) -> Script:
        number = re.findall(r"#(\d+)", json.dumps(asked.body["messages"]))[-1]
        judged = "response_format" in asked.body
        with (folder / "log.txt").open("a") as log:
            log.write(f"asked {'judge' if judged else 'answer'} {number}\n")
        verdict = json.dumps({"reason": f"said of #{number}", "grade": 4})
        return Script(verdict if judged else f"The rope #{number} is red [1].", word_wait_s=0.002)

    return FakeModelServer(answer)


async def runs_of(folder: Path, workspace: str, url: str, kills: int) -> tuple[list[list[str]], dict[str, bytes]]:
    """What the log says of each run, and the report that the last one wrote."""
    script = folder / "runs.py"
    script.write_text(RUNS)
    (folder / "log.txt").write_text("")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(script),
        str(folder),
        str(kills),
        env=environment(folder / workspace, url),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    (report,) = [p for p in (folder / workspace / "evals").iterdir() if p.is_dir()]
    written = {p.name: p.read_bytes() for p in report.iterdir() if p.name not in TIMED_FILES}
    return [part.splitlines() for part in (folder / "log.txt").read_text().split("run\n")[1:]], written


def items(lines: list[str], kind: str) -> list[str]:
    return [line.removeprefix(kind) for line in lines if line.startswith(kind)]


@pytest.mark.slow
async def test_an_eval_killed_at_random_points_asks_nothing_that_was_answered(folder: Path) -> None:
    async with server_for(folder).running() as server:
        runs, report = await runs_of(folder, "killed", server.url, KILLS)
        (quiet,), undisturbed = await runs_of(folder, "quiet", server.url, 0)
    kept: set[str] = set()
    within = 0
    for lines in runs:
        asked = items(lines, "asked ")
        assert len(asked) == len(set(asked)) and not kept & set(asked)
        before, kept = kept, kept | set(items(lines, "kept "))
        within += before < kept and "killed" in lines
    assert sum("killed" in lines for lines in runs) == KILLS
    assert within > KILLS / 4, "too few kills fell between the answers"
    assert len(kept) == 2 * CASES
    assert sorted(items(quiet, "asked ")) == sorted(kept)
    assert report == undisturbed
    assert {row["scores"]["judge"] for row in json.loads(report["report.json"])["rows"]} == {4.0}
