"""A second opinion: DeepEval's metrics over ROMA's rows, with ROMA's own model as the judge.

DeepEval asks two to four calls a metric where the judge asks one; it is for checking the judge, not for every run.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from roma_core.errors import AgentFailure, guarded
from roma_core.evals.golden.dataset import GoldenCase
from roma_core.evals.judge.model import UNANSWERABLE, require_model
from roma_core.evals.measures.base import Score
from roma_core.evals.report.record import EvalRow
from roma_core.llm.base import LLM, LLMRequest, Message, complete, complete_json

if TYPE_CHECKING:
    from deepeval.metrics import GEval

CRITERIA = (
    "Is the actual output correct and complete by the expected output? Judge the content alone, not style or length. "
    "Where the expected output says that there is no answer, only an output that says so is correct."
)


async def crosscheck(case: GoldenCase, row: EvalRow, llm: LLM) -> Score:
    """Return the correctness of one answer by DeepEval's GEval, 0..1 with its reason; unscored when it cannot be read.

    Raises ``EvalError`` when the model cannot follow instructions.
    """
    require_model(llm)
    if row.answer is None:
        return Score.unscored("there is no answer")
    score = await guarded("crosscheck", _take_score(case, row.answer, llm))
    return Score.unscored(score.code) if isinstance(score, AgentFailure) else score


async def _take_score(case: GoldenCase, answer: str, llm: LLM) -> Score:
    from deepeval.test_case import LLMTestCase

    metric = _geval(llm)
    test = LLMTestCase(input=case.question, actual_output=answer, expected_output=case.answer or UNANSWERABLE)
    await metric.a_measure(test, _show_indicator=False)
    reason = str(metric.reason or "")
    return Score.unscored(reason) if metric.score is None else Score(float(metric.score), reason)


def _geval(llm: LLM) -> GEval:
    from deepeval.metrics import GEval
    from deepeval.models import DeepEvalBaseLLM
    from deepeval.test_case import SingleTurnParams

    class Model(DeepEvalBaseLLM):  # type: ignore[misc]
        """ROMA's model in DeepEval's shape; made here because its base class must not be imported with the package."""

        def load_model(self, *args: Any, **kwargs: Any) -> Model:
            return self

        def get_model_name(self) -> str:
            return llm.name

        def generate(self, prompt: str, schema: type[BaseModel] | None = None, **_: Any) -> Any:
            return asyncio.run(self.a_generate(prompt, schema))

        async def a_generate(self, prompt: str, schema: type[BaseModel] | None = None, **_: Any) -> Any:
            request = LLMRequest(messages=(Message(role="user", content=prompt),), purpose="judge")
            if schema is None:
                return (await complete(llm, request)).text
            return (await complete_json(llm, request, schema))[0]

    shown = [SingleTurnParams.ACTUAL_OUTPUT, SingleTurnParams.EXPECTED_OUTPUT]
    return GEval(name="Correctness", criteria=CRITERIA, evaluation_params=shown, model=Model(llm.name))
