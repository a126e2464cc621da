"""A model as judge: grades 1 to 5 by a rubric kept in a file. What it does not say readably is unscored, never 1."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, Field

from roma_core.errors import AgentFailure, ErrorCode, EvalError, guarded
from roma_core.evals.checkpoint import Checkpoint
from roma_core.evals.golden.dataset import GoldenCase
from roma_core.evals.measures.builtin import Outcome
from roma_core.evals.report.record import MeasureInfo
from roma_core.llm.base import LLM, LLMRequest, Message, complete_json
from roma_core.prompts import Prompt, load_prompt
from roma_core.types import Noun, digest

RUBRIC = Path(__file__).parent / "prompts" / "judge.md"
PASS_GRADE = 4
"""Grades from here on count as passed."""
UNANSWERABLE = "(none: the documents do not hold the answer; the right answer is to say so and to claim nothing)"


class Verdict(BaseModel):
    """What the judge is asked to reply; the reason comes first so that the grade follows from it."""

    reason: str
    grade: int = Field(ge=1, le=5)


class Grade(Noun):
    """A grade 1..5 with its reason, or NaN with the reason why there is none."""

    value: float = math.nan
    reason: str = ""


JUDGE = MeasureInfo(
    name="judge",
    source="LLM as judge, reference-guided grading of Zheng et al., NeurIPS 2023; see the rubric",
    scale=(1.0, 5.0),
)


def require_generative(llm: LLM) -> None:
    """Raises ``EvalError`` for a model that cannot follow instructions."""
    if not llm.generative:
        raise EvalError(
            f"{llm.name} cannot judge; configure LLM_PROVIDER with a generative model.", ErrorCode.EVAL_JUDGE
        )


@dataclass(frozen=True)
class Judge:
    """Grades answers with one call each. Raises ``EvalError`` when the model cannot follow instructions."""

    llm: LLM
    rubric: Prompt = field(default_factory=lambda: load_prompt(RUBRIC))
    info: MeasureInfo = JUDGE

    def __post_init__(self) -> None:
        require_generative(self.llm)

    def request(self, case: GoldenCase, answer: str) -> LLMRequest:
        """The one call that grades an answer; the answer is data, whatever it says."""
        text = self.rubric.render(
            question=case.question,
            reference=case.answer or UNANSWERABLE,
            facts="\n".join(f"- {n.fact}" for n in case.nuggets) or "- (none)",
            answer=answer,
        )
        return LLMRequest(
            messages=(Message(role="user", content=text),),
            json_schema=Verdict.model_json_schema(),
            prompt_hash=self.rubric.sha256,
            purpose="judge",
        )

    async def grade(self, case: GoldenCase, outcome: Outcome, checkpoint: Checkpoint | None = None) -> Grade:
        """Grade an outcome. A failed task is unscored and costs no call; unreadable replies are not kept."""
        if outcome.output is None:
            return Grade()
        request = self.request(case, outcome.output.answer)
        key = digest("judge", self.llm.name, request.model_dump_json())
        if checkpoint is not None and (kept := await checkpoint.get(key)) is not None:
            return Grade.model_validate_json(kept)
        reply = await guarded("judge", complete_json(self.llm, request, Verdict))
        if isinstance(reply, AgentFailure):
            return Grade(reason=f"unscored: {reply.code}")
        grade = Grade(value=float(reply[0].grade), reason=reply[0].reason)
        if checkpoint is not None:
            await checkpoint.put(key, grade.model_dump_json())
        return grade
