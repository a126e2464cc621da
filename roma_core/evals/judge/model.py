"""A model as judge: grades 1 to 5 by a rubric kept in a file. A reply that cannot be read is unscored, never 1."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from roma_core.errors import AgentFailure, ErrorCode, EvalError, guarded
from roma_core.evals.golden.dataset import GoldenCase
from roma_core.evals.measures.base import CaseOutcome, Measure, Score
from roma_core.llm.base import LLM, LLMRequest, Message, complete
from roma_core.llm.structured import json_body
from roma_core.prompts import Prompt, load_prompt
from roma_core.types import digest

RUBRIC = Path(__file__).parent / "prompts" / "judge.md"
JUDGE = "judge"
"""Name of the measure."""
GRADES = (1.0, 5.0)
PASS_GRADE = 4
"""Grades from here on count as passed."""
UNANSWERABLE = "(none: the documents do not hold the answer; the right answer is to say so and to claim nothing)"
SOURCE = "LLM as judge, reference-guided grading of Zheng et al., NeurIPS 2023; see the rubric"


def load_rubrics() -> dict[str, Prompt]:
    """Return ROMA's own prompts of judges by name."""
    return {path.stem: load_prompt(path) for path in sorted(RUBRIC.parent.glob("*.md"))}


class Grade(BaseModel):
    """The reply that the judge is asked for; the reason comes first so that the grade follows from it."""

    reason: str
    grade: int = Field(ge=1, le=5)


def require_model(llm: LLM) -> None:
    """Raise ``EvalError`` where no language model is configured."""
    if not llm.name:
        raise EvalError("A judge needs a language model; set LLM_PROVIDER or LLM_API_KEY.", ErrorCode.EVAL_JUDGE)


@dataclass(frozen=True)
class Judge:
    """A model that grades answers, one call each: ``evaluate(..., measures=[Judge(llm)])``.

    Raises ``EvalError`` where no language model is configured.
    """

    llm: LLM
    rubric: Prompt = field(default_factory=lambda: load_prompt(RUBRIC))

    def __post_init__(self) -> None:
        require_model(self.llm)

    @property
    def measure(self) -> Measure:
        """The judge as a measure. Grades are cached by rubric, model, question and answer."""
        return Measure(
            name=JUDGE,
            function=self.grade,
            source=SOURCE,
            scale=GRADES,
            prompts={self.rubric.name: self.rubric.sha256},
            models={JUDGE: self.llm.name},
            role=JUDGE,
            cache_key=lambda case, outcome: digest(self.request(case, outcome.answer).model_dump_json()),
        )

    def request(self, case: GoldenCase, answer: str) -> LLMRequest:
        """Return the one call that grades an answer.

        The answer is data: the line around it is made of the answer's own hash, so that no answer can close it.
        """
        fence = f"answer-{digest('fence', self.rubric.sha256, case.question, answer)[:16]}"
        text = self.rubric.render(
            question=case.question,
            reference=case.answer or UNANSWERABLE,
            facts="\n".join(f"- {n.fact}" for n in case.nuggets) or "- (none)",
            answer=answer,
            fence=fence,
        )
        return LLMRequest(
            messages=(Message(role="user", content=text),),
            json_schema=Grade.model_json_schema(),
            prompt_hash=self.rubric.sha256,
            purpose=JUDGE,
        )

    async def grade(self, case: GoldenCase, outcome: CaseOutcome) -> Score:
        """Return the grade of an answer with the judge's reason and what the call cost."""
        response = await guarded(JUDGE, complete(self.llm, self.request(case, outcome.answer)))
        if isinstance(response, AgentFailure):
            return Score.unscored(response.code)
        if response.finish_reason in {"refusal", "content_filter"}:
            return Score.unscored(ErrorCode.LLM_REFUSED, response.usage)
        if response.finish_reason == "length":
            return Score.unscored(ErrorCode.LLM_TRUNCATED, response.usage)
        try:
            grade = Grade.model_validate_json(json_body(response.text))
        except ValidationError:
            return Score.unscored(ErrorCode.LLM_MALFORMED, response.usage)
        return Score(float(grade.grade), grade.reason, usage=response.usage)
