"""Two replicas over one workspace behind nginx: one is killed while people ask, and nobody loses an answer."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from bench.load import GOOD, Questions, deployment, run_closed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed"),
]
TOWNS = ("Ashmouth", "Port Ellery", "Garrow", "Skerrin", "Varn", "Plomarec", "Ellern", "Brannock")
ENGINE = {"ROMA_EMBEDDER": "fake", "ROMA_RERANKER": "none", "ROMA_MIN_FREE_MB": "0"}


async def test_a_killed_replica_loses_no_answer(tmp_path: Path) -> None:
    papers = tmp_path / "papers"
    papers.mkdir()
    for number, town in enumerate(TOWNS):
        text = f"# {town}\n\nThe lighthouse of {town} is {20 + number} metres high. It was built in {1850 + number}."
        (papers / f"{town}.md").write_text(text, encoding="utf-8")
    questions = Questions([f"How high is the lighthouse of {town}, paper {n}?" for n in range(40) for town in TOWNS])
    async with deployment(tmp_path, [str(papers)], ENGINE) as (door, replicas):
        run = await run_closed(door, questions, users=12, seconds=12, replica=replicas[0], think_s=0.2)
        await asyncio.to_thread(replicas[0].wait)
    ends = [answer.end for answer in run.answers]
    assert set(ends) <= GOOD, ends
    assert ends.count("complete") >= 20, ends
    assert any(answer.is_cached for answer in run.answers)
    assert any(answer.attempts > 1 and answer.end == "complete" for answer in run.answers)
