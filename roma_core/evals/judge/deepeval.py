"""DeepEval's metrics as measures, with ROMA's model as their judge: ``roma eval SET --measure deepeval:faithfulness``.

DeepEval asks two to four calls a metric where ROMA's judge asks one. Calls go through ROMA's service: its cache, limits
and budgets hold, and their cost is that of the judge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from roma_core.errors import AgentFailure, ErrorCode, EvalError, guarded, suggest_name
from roma_core.evals.golden.dataset import GoldenCase
from roma_core.evals.judge.model import JUDGE, UNANSWERABLE, require_model
from roma_core.evals.measures.base import CaseOutcome, Measure, Score
from roma_core.evals.measures.registry import DEEPEVAL
from roma_core.llm.base import LLM, LLMRequest, LLMResponse, Message, complete, complete_json
from roma_core.types import Usage, digest

if TYPE_CHECKING:
    from deepeval.test_case import LLMTestCase

CRITERIA = (
    "Is the actual output correct and complete by the expected output? Judge the content alone, not style or length. "
    "Where the expected output says that there is no answer, only an output that says so is correct."
)
NAMES = {
    "faithfulness": "FaithfulnessMetric",
    "answer_relevancy": "AnswerRelevancyMetric",
    "contextual_precision": "ContextualPrecisionMetric",
    "geval": "GEval",
}
"""Classes of DeepEval's metrics by the names of their measures."""


def deepeval_measure(name: str, llm: LLM) -> Measure:
    """Return one of DeepEval's metrics as a measure in 0..1. Raises ``EvalError`` for an unknown one.

    >>> deepeval_measure("faithfulness", roma.judge_llm).name  # doctest: +SKIP
    'deepeval:faithfulness'
    """
    if name not in NAMES:
        raise EvalError(
            f"DeepEval has no measure {name!r} here. {suggest_name(name, NAMES)}", ErrorCode.EVAL_PARAMETERS
        )
    require_model(llm)

    async def take(case: GoldenCase, outcome: CaseOutcome) -> Score:
        return await take_score(name, case, outcome, llm)

    return Measure(
        name=f"{DEEPEVAL}{name}",
        function=take,
        source=f"DeepEval {version('deepeval')}, {NAMES[name]}",
        models={DEEPEVAL + name: llm.name},
        judge=digest("deepeval", name, llm.name, version("deepeval")),
        role=JUDGE,
        cache_key=lambda case, outcome: digest(
            "deepeval", version("deepeval"), name, llm.name, *make_test_case(case, outcome).values()
        ),
    )


def make_test_case(case: GoldenCase, outcome: CaseOutcome) -> dict[str, str]:
    """Return what DeepEval calls a test case; the passages are one text, a blank line between them."""
    return {
        "input": case.question,
        "actual_output": outcome.answer,
        "expected_output": case.answer or UNANSWERABLE,
        "retrieval_context": "\n\n".join(passage.chunk.text for passage in outcome.passages),
    }


def to_test_case(case: GoldenCase, outcome: CaseOutcome) -> LLMTestCase:
    """Return a case as DeepEval's ``LLMTestCase``, for its own ``assert_test`` in pytest.

    >>> assert_test(to_test_case(case, outcome), [FaithfulnessMetric(model=as_deepeval_model(llm))])  # doctest: +SKIP
    """
    from deepeval.test_case import LLMTestCase

    plain: dict[str, Any] = dict(make_test_case(case, outcome))
    plain["retrieval_context"] = [passage.chunk.text for passage in outcome.passages]
    return LLMTestCase(**plain)


async def take_score(name: str, case: GoldenCase, outcome: CaseOutcome, llm: LLM) -> Score:
    """Return one of DeepEval's metrics for an answer, 0..1 with its reason; unscored when it cannot be read."""
    meter = _Meter()
    metric = _make_metric(name, as_deepeval_model(llm, meter.add))
    measured = await guarded("deepeval", _measure(metric, to_test_case(case, outcome)))
    if isinstance(measured, AgentFailure):
        return Score.unscored(measured.code, meter.usage)
    reason = str(metric.reason or "")
    if metric.score is None:
        return Score.unscored(reason or "no score", meter.usage)
    return Score(min(1.0, max(0.0, float(metric.score))), reason, usage=meter.usage)


@dataclass
class _Meter:
    usage: Usage = field(default_factory=Usage)

    def add(self, response: LLMResponse) -> None:
        self.usage = self.usage + response.usage


async def _measure(metric: Any, test: LLMTestCase) -> None:
    await metric.a_measure(test, _show_indicator=False)


def _make_metric(name: str, model: Any) -> Any:
    import deepeval.metrics as metrics
    from deepeval.test_case import SingleTurnParams

    options: Mapping[str, Any] = {"model": model}
    if name == "geval":
        shown = [SingleTurnParams.ACTUAL_OUTPUT, SingleTurnParams.EXPECTED_OUTPUT]
        options = {**options, "name": "Correctness", "criteria": CRITERIA, "evaluation_params": shown}
    return getattr(metrics, NAMES[name])(**options)


def as_deepeval_model(llm: LLM, on_response: Callable[[LLMResponse], None] | None = None) -> Any:
    """Return ROMA's model in DeepEval's shape, for its own metrics and its pytest style."""
    from deepeval.models import DeepEvalBaseLLM

    class Model(DeepEvalBaseLLM):  # type: ignore[misc]
        """Made here because its base class must not be imported with the package."""

        def load_model(self, *args: Any, **kwargs: Any) -> Model:
            return self

        def get_model_name(self) -> str:
            return llm.name

        def generate(self, prompt: str, schema: type[BaseModel] | None = None, **_: Any) -> Any:
            return asyncio.run(self.a_generate(prompt, schema))

        async def a_generate(self, prompt: str, schema: type[BaseModel] | None = None, **_: Any) -> Any:
            request = LLMRequest(messages=(Message(role="user", content=prompt),), purpose=JUDGE)
            if schema is None:
                response = await complete(llm, request)
                value: Any = response.text
            else:
                value, response = await complete_json(llm, request, schema)
            if on_response is not None:
                on_response(response)
            return value

    return Model(llm.name)
