"""A thousand people, two replicas behind nginx, and one of the replicas killed in the middle.

``python -m bench.load [USERS [SECONDS]]``. A closed loop: each user asks, reads the answer to its end, thinks for an
exponential time and asks again, so that the users slow down when the service does. Questions are those of the golden
set, drawn by Zipf's law; a share of them goes on in the user's conversation, and some users leave before the end. The
model server writes at the pace of a real one. Before that an open loop of Poisson arrivals finds the highest rate at
which the goals hold. Everything runs on this machine: replicas, nginx, model and users.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench import report
from bench.model_server import serving
from roma_core import Settings, build_roma
from roma_core.evals import load_dataset
from roma_core.evals.demo_corpus import prepare_documents
from roma_core.llm.providers.server import Asked, Script
from roma_core.markup import split_sentences
from tests.nginx import nginx_before
from tests.ports import find_port
from tests.scripted import PASSAGE
from tests.served import ServedRoma

USERS, SECONDS = 1000, 300
THINK_S = 60.0
EXPONENT = 1.1
FOLLOWING, LEAVING = 0.2, 0.1
"""Shares of the questions that go on in a conversation, and of the users that leave before the answer is whole."""
TOKENS_PER_S = 40
FIRST_TOKEN_S = 0.4
SENTENCES = 3
CACHED_GOAL_S, UNCACHED_GOAL_S = 3.0, 10.0
PATIENCE_S = 90.0
"""How long a user's client tries to get one answer."""
RETRY_S = 0.5
RATES = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
RATE_S = 20
REPLICAS = 2
KILLED_AT, BACK_AT = 0.4, 0.5
"""When the first replica is killed and started again, as shares of the run."""
GOLDEN = report.ROOT / "datasets" / "golden" / "golden_dataset.json"


def write_answer(asked: Asked) -> Script:
    """Play a model: the first sentences of the passages that it is sent, each with its marker, at a model's pace."""
    prompt = "\n\n".join(str(message["content"]) for message in asked.body["messages"])
    sentences = []
    for _, number, _, text in PASSAGE.findall(prompt)[:SENTENCES]:
        first = next((text[each.start : each.end].strip() for each in split_sentences(text)), "")
        if first:
            sentences.append(f"{first.rstrip('.')} [{number}].")
    return Script(" ".join(sentences) or "I do not know.", first_wait_s=FIRST_TOKEN_S, word_wait_s=1 / TOKENS_PER_S)


# Users


@dataclass
class Answer:
    """What became of one question."""

    end: str
    seconds: float
    is_cached: bool = False
    attempts: int = 1
    words: int = 0


async def read_events(reader: asyncio.StreamReader) -> AsyncIterator[tuple[str, dict[str, object]]]:
    """Yield the events of a response; ends where the connection does."""
    held = b""
    while piece := await reader.read(65536):
        held += piece
        *blocks, held = held.split(b"\n\n")
        for block in blocks:
            kind = re.search(rb"^event: (\w+)", block, re.MULTILINE)
            data = re.search(rb"^data: (\{.*\})", block, re.MULTILINE)
            if kind and data:
                yield kind[1].decode(), json.loads(data[1])


@dataclass(frozen=True)
class Door:
    """nginx's port, and a token that opens it."""

    port: int
    token: str


async def try_once(door: Door, body: bytes, key: str, leave_after: int | None) -> tuple[str, bool, int]:
    """Ask over one connection; return how it ended, whether the answer was a kept one, and its words."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    head = (
        "POST /query HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {door.token}\r\nIdempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    words = 0
    try:
        writer.write(head.encode() + body)
        status = await reader.readline()
        if not status:
            return "broken off", False, 0
        if b" 200 " not in status:
            return f"status {status.split()[1].decode()}", False, 0
        async for kind, data in read_events(reader):
            if kind == "token":
                words += len(str(data["text"]).split())
                if leave_after is not None and words >= leave_after:
                    return "left", False, words
            elif kind == "complete":
                output = data["output"]
                assert isinstance(output, dict)
                return ("complete" if output["citations"] else "without citation"), output["saved"] is not None, words
            elif kind == "error":
                failure = data["failure"]
                assert isinstance(failure, dict)
                return str(failure["code"]), False, words
        return "broken off", False, words
    finally:
        writer.transport.abort()


GOOD = frozenset({"complete", "without citation", "left"})


async def ask(door: Door, text: str, session: str | None, leave_after: int | None) -> Answer:
    """Ask until there is an answer: after a broken connection again with the same key, which is the same answer."""
    key, began, attempts = uuid.uuid4().hex, time.perf_counter(), 0
    body = json.dumps({"text": text, "stream": True, **({"session_id": session} if session else {})}).encode()
    end, is_cached, words = "", False, 0
    while time.perf_counter() - began < PATIENCE_S:
        attempts += 1
        try:
            end, is_cached, words = await try_once(door, body, key, leave_after)
        except OSError as error:
            end = type(error).__name__
        if end in GOOD or end.startswith("status 4"):
            break
        await asyncio.sleep(RETRY_S)
    return Answer(end, time.perf_counter() - began, is_cached, attempts, words)


class Questions:
    """Questions by Zipf's law, always the same sequence."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._weights = np.cumsum([rank**-EXPONENT for rank in range(1, len(texts) + 1)])
        self.rng = random.Random(12)

    def draw(self) -> str:
        """Return the next question."""
        return self.rng.choices(self._texts, cum_weights=self._weights.tolist())[0]


@dataclass
class Run:
    """The answers of a run."""

    answers: list[Answer] = field(default_factory=list)
    seconds: float = 0.0

    def list_times(self, *, cached: bool) -> list[float]:
        """Return the seconds of the whole answers that were kept ones, or were not."""
        return [
            answer.seconds
            for answer in self.answers
            if answer.end in GOOD - {"left"} and answer.is_cached is cached and answer.attempts == 1
        ]

    def is_good(self) -> bool:
        """Return whether the goals hold."""
        return (
            all(answer.end in GOOD for answer in self.answers)
            and percentile(self.list_times(cached=True)) < CACHED_GOAL_S
            and percentile(self.list_times(cached=False)) < UNCACHED_GOAL_S
        )


def percentile(seconds: Sequence[float], share: float = 95) -> float:
    """Return a percentile; 0 of nothing."""
    return float(np.percentile(seconds, share)) if seconds else 0.0


async def run_user(door: Door, questions: Questions, run: Run, until: float, think_s: float) -> None:
    """Ask, read, think, until the time is over."""
    loop = asyncio.get_running_loop()
    session = None
    await asyncio.sleep(questions.rng.expovariate(1 / think_s))
    while loop.time() < until:
        session = session if session and questions.rng.random() < FOLLOWING else uuid.uuid4().hex
        leave_after = questions.rng.randint(1, 15) if questions.rng.random() < LEAVING else None
        run.answers.append(await ask(door, questions.draw(), session, leave_after))
        await asyncio.sleep(questions.rng.expovariate(1 / think_s))


async def run_closed(
    door: Door, questions: Questions, users: int, seconds: float, replica: ServedRoma, think_s: float = THINK_S
) -> Run:
    """Let the users come and go; kill a replica in the middle and bring it back."""
    run, began = Run(), time.perf_counter()
    until = asyncio.get_running_loop().time() + seconds
    tasks = [asyncio.create_task(run_user(door, questions, run, until, think_s)) for _ in range(users)]
    await asyncio.sleep(seconds * KILLED_AT)
    replica.kill()
    await asyncio.sleep(seconds * (BACK_AT - KILLED_AT))
    replica.start()
    await asyncio.sleep(max(0.0, until - asyncio.get_running_loop().time()))
    await wait_for_answers(tasks)
    run.seconds = time.perf_counter() - began
    return run


async def wait_for_answers(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Give the users who wait for an answer the time to get it; those who think go home after it."""
    _, late = await asyncio.wait(tasks, timeout=PATIENCE_S)
    for task in late:
        task.cancel()


async def run_open(door: Door, questions: Questions, rate: float, seconds: float) -> Run:
    """Ask by Poisson arrivals, whether or not earlier answers have come."""
    run, began, tasks = Run(), time.perf_counter(), []

    async def one() -> None:
        run.answers.append(await ask(door, questions.draw(), None, None))

    while time.perf_counter() - began < seconds:
        tasks.append(asyncio.create_task(one()))
        await asyncio.sleep(questions.rng.expovariate(rate))
    await asyncio.gather(*tasks)
    run.seconds = time.perf_counter() - began
    return run


# The whole


def make_token(workspace: Path) -> str:
    """Return a new token that may ask."""
    words = ["token", "create", "load", "--scope", "query", "--workspace", str(workspace), "--json"]
    done = subprocess.run([sys.executable, "-m", "roma_core", *words], capture_output=True, check=True)
    return str(json.loads(done.stdout)["token"])


def serve(workspace: Path, name: str, environment: dict[str, str]) -> ServedRoma:
    """Return a replica over the shared workspace, which is not started yet."""
    port = find_port()
    words = ["serve", "--workspace", str(workspace), "--port", str(port)]
    return ServedRoma(name, words, port, workspace.parent, environment)


@asynccontextmanager
async def deployment(
    folder: Path, sources: Sequence[str], engine: Mapping[str, str]
) -> AsyncIterator[tuple[Door, list[ServedRoma]]]:
    """Ingest the sources and start model, replicas and nginx; yield the door and the replicas.

    ``engine`` are settings by their environment names that decide the index.
    """
    workspace = folder / "w"
    own = {name.removeprefix("ROMA_").lower(): value for name, value in engine.items()}
    async with build_roma(Settings({**own, "workspace": workspace})) as roma:
        for source in sources:
            done = await roma.ingest(source)
            assert not done.failures, done.failures
    with ExitStack() as stack:
        model = stack.enter_context(serving(write_answer))
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("ROMA_", "LLM_"))},
            "PYTHONPATH": str(report.ROOT),
            "LLM_PROVIDER": "openai",
            "LLM_MODEL": "gpt-4o-mini",
            "LLM_BASE_URL": f"{model}/v1",
            "LLM_API_KEY": "none",
            "ROMA_ANSWER_CACHE": "on",
            "ROMA_PLANNER": "off",
            "ROMA_RATE_LIMIT_PER_MINUTE": "1000000",
            "ROMA_CONNECTIONS_PER_ADDRESS": "4000",
            "ROMA_LLM_MAX_CONCURRENCY": "64",
            "ROMA_LOG_LEVEL": "WARNING",
            **engine,
        }
        replicas = [serve(workspace, f"replica-{number}", environment) for number in range(REPLICAS)]
        for replica in replicas:
            stack.callback(replica.stop)
            replica.start()
        for replica in replicas:
            await asyncio.to_thread(replica.wait)
        port = stack.enter_context(nginx_before([replica.port for replica in replicas], folder))
        yield Door(port, make_token(workspace)), replicas


def make_row(name: str, run: Run) -> dict[str, object]:
    """Return a row of the table."""
    ends = Counter(answer.end for answer in run.answers)
    broken = {end: count for end, count in ends.items() if end not in GOOD}
    cached, fresh = run.list_times(cached=True), run.list_times(cached=False)
    return {
        "load": name,
        "answers": len(run.answers),
        "a second": len(run.answers) / run.seconds,
        "kept answers": f"{len(cached) / max(1, len(cached) + len(fresh)):.0%}",
        "P50 kept s": percentile(cached, 50),
        "P95 kept s": percentile(cached),
        "P50 new s": percentile(fresh, 50),
        "P95 new s": percentile(fresh),
        "left early": ends["left"],
        "asked again": sum(answer.attempts > 1 for answer in run.answers),
        "slowest of these s": max((answer.seconds for answer in run.answers if answer.attempts > 1), default=None),
        "broken": ", ".join(f"{count} {end}" for end, count in broken.items()) or "none",
    }


async def measure(users: int, seconds: float) -> list[dict[str, object]]:
    questions = Questions([case.question for case in load_dataset(str(GOLDEN)).cases])
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        async with deployment(folder, prepare_documents(folder / "corpus"), {}) as (door, replicas):
            first = await asyncio.gather(*(ask(door, questions.draw(), None, None) for _ in range(8)))  # loads models
            assert all(answer.end in GOOD for answer in first), first
            for rate in RATES:
                run = await run_open(door, questions, rate, RATE_S)
                rows.append(make_row(f"open, {rate:g} a second", run))
                print(rows[-1], file=sys.stderr, flush=True)
                if not run.is_good():
                    break
            run = await run_closed(door, questions, users, seconds, replicas[0])
            rows.append(make_row(f"{users} users, a replica killed and back", run))
    return rows


def main(users: str = str(USERS), seconds: str = str(SECONDS)) -> int:
    if shutil.which("nginx") is None:
        print("bench.load: nginx is not installed; nothing was measured.", file=sys.stderr)
        return 0
    rows = asyncio.run(measure(int(users), float(seconds)))
    note = (
        f"Two replicas over one workspace of 308 documents, the nginx of `deploy/` before them, a model that writes "
        f"{TOKENS_PER_S} tokens a second after {FIRST_TOKEN_S:g} s, ROMA's own embedder and cross-encoder, the cache "
        f"of answers on; all of it and the users on the cores below. Questions are the {598} of the golden set by "
        f"Zipf's law with exponent {EXPONENT}. Open: Poisson arrivals for {RATE_S} s, faster until a goal is missed. "
        f"Closed: a user thinks for {THINK_S:g} s in the mean (exponential), goes on in the conversation with "
        f"{FOLLOWING:.0%} of the questions and leaves before the end of {LEAVING:.0%}; one replica is killed with "
        f"SIGKILL at {KILLED_AT:.0%} of {float(seconds):g} s and started again at {BACK_AT:.0%}. A client whose "
        "connection breaks asks again with the same key, which is the same answer; these are *asked again* and not in "
        f"the percentiles. The goals are a P95 of {CACHED_GOAL_S:g} s for kept and {UNCACHED_GOAL_S:g} s for new "
        "answers, and none broken."
    )
    report.write("load", "A thousand people", rows, note, packages=("lancedb", "fastapi", "uvicorn"))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
