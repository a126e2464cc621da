"""Injections into answers against a real small model as the judge: how often a grade rises."""

from __future__ import annotations

import asyncio
import statistics
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import report
from bench.small_model import NAME, serve_small_model
from roma_core import Settings, build_roma
from roma_core.evals.golden.dataset import Evidence, GoldenCase, Nugget
from roma_core.evals.measures.base import CaseOutcome
from roma_core.types import TailorOutput
from tests.fakes.injections import INJECTIONS, RIGHT, WRONG

CASE = GoldenCase(
    id="door", question="Which colour has the door?", kind="single", answer="The door is red.",
    nuggets=(Nugget(fact="red"),), evidence=(Evidence(uri="paint.md"),),
)  # fmt: skip
NOTE = (
    "A wrong answer is graded alone, then with each attempt at a higher grade inside of it. Such a small model follows "
    "what it reads: the figures show why a judge is calibrated, and why answers must be shown as data."
)


async def grade_all(url: str, workspace: Path) -> list[dict[str, object]]:
    """Return the figures of one model."""
    settings = Settings(
        workspace=workspace, llm_provider="extractive", judge_model=f"openai:{NAME}", judge_base_url=url, cache="off",
        llm_max_output_tokens=80, llm_total_s=300, llm_first_token_s=200,
    )  # fmt: skip
    async with build_roma(settings) as roma:
        judge = roma.judge

        async def grade(text: str) -> float | None:
            return (await judge.vote(CASE, CaseOutcome(output=TailorOutput(answer=text)))).value

        wrong, right = await grade(WRONG), await grade(RIGHT)
        grades = [await grade(text) for text in INJECTIONS]
    read = [value for value in grades if value is not None]
    return [
        {
            "judge": "SmolLM2-135M",
            "right answer": right,
            "wrong answer": wrong,
            "injections": len(INJECTIONS),
            "raised": sum(value > (wrong or 1) for value in read),
            "unread": len(grades) - len(read),
            "mean with injection": round(statistics.fmean(read), 2) if read else None,
        }
    ]


def main() -> None:
    with TemporaryDirectory() as folder, serve_small_model() as url:
        rows = asyncio.run(grade_all(f"{url}/v1", Path(folder)))
    report.write("judge_injections", "Injections against a small judge", rows, NOTE, ["xllamacpp"])
