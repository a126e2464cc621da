"""ROMA in ``mlflow.genai.evaluate``: answers as its ``predict_fn``, and ROMA's measures as its scorers.

>>> records = [make_record(case) for case in golden.cases]  # doctest: +SKIP
>>> mlflow.genai.evaluate(  # doctest: +SKIP
...     data=records, predict_fn=as_predict_fn(roma), scorers=as_scorers(golden, default_measures(5))
... )
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypeVar

from roma_core.errors import AgentFailure
from roma_core.evals.golden.dataset import Golden, GoldenCase
from roma_core.evals.measures.base import CaseOutcome, Measure
from roma_core.evals.runner import Task
from roma_core.evals.tracked_items import make_record
from roma_core.types import Query, TailorOutput

T = TypeVar("T")

__all__ = ["as_predict_fn", "as_scorers", "make_record"]


class _Loop:
    """An event loop in a thread of its own: MLflow calls from several threads, and parts of ROMA belong to one loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="roma-mlflow", daemon=True).start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what a coroutine returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def as_predict_fn(task: Task | Any, top_k: int = 5) -> Callable[..., dict[str, Any]]:
    """Return a function of a question for ``mlflow.genai.evaluate(predict_fn=...)``, traced.

    ``task`` is ``Roma`` or an ``async`` function from a query to an answer. Give it a ``Roma`` that nothing else uses:
    it works in an event loop of its own. A failure is a state of the output, never an exception: MLflow would leave its
    row out of every mean.
    """
    import mlflow

    loop = _Loop()
    ask: Callable[[Query], Awaitable[TailorOutput | AgentFailure]]
    ask = task if callable(task) else partial(task.query, keep=False)

    def predict(question: str, persona: str = "general", case_id: str = "") -> dict[str, Any]:
        query = Query.model_validate({"text": question, "persona": persona, "top_k": top_k})

        async def answer() -> TailorOutput | AgentFailure:
            return await ask(query)

        return describe_outcome(loop.run(answer()))

    traced: Callable[..., dict[str, Any]] = mlflow.trace(predict, name="roma")
    return traced


def describe_outcome(outcome: TailorOutput | AgentFailure) -> dict[str, Any]:
    """Return an answer or a failure as a record that ``as_scorers`` reads again."""
    if isinstance(outcome, AgentFailure):
        return {"state": "failed", "failure": outcome.model_dump(mode="json")}
    return {"state": "ok", "answer": outcome.answer, "output": outcome.model_dump(mode="json")}


def as_scorers(golden: Golden, measures: Sequence[Measure]) -> list[Any]:
    """Return a scorer of MLflow for each measure; items are found by ``case_id``, else by their question.

    What a measure leaves unscored is an error of its feedback, and what does not apply has none: no 0 stands for
    either. Measures that look evidence up in the corpus have none here: use ``roma eval``.
    """
    loop = _Loop()
    by_id = {case.id: case for case in golden.cases}
    by_question = {case.question: case for case in golden.cases}
    return [_make_scorer(measure, by_id, by_question, loop) for measure in measures]


def _make_scorer(
    measure: Measure, by_id: dict[str, GoldenCase], by_question: dict[str, GoldenCase], loop: _Loop
) -> Any:
    from mlflow.entities import AssessmentSource, AssessmentSourceType, Feedback
    from mlflow.genai import scorer

    kind = AssessmentSourceType.LLM_JUDGE if measure.models else AssessmentSourceType.CODE
    source = AssessmentSource(source_type=kind, source_id=", ".join(measure.models.values()) or f"roma {measure.name}")

    def take(inputs: dict[str, Any], outputs: dict[str, Any]) -> Any:
        case = by_id.get(str(inputs.get("case_id", ""))) or by_question.get(str(inputs.get("question", "")))
        if case is None:
            return Feedback(name=measure.name, error=ValueError("the golden set has no such item"), source=source)
        score = loop.run(measure.score(case, read_outcome(outputs)))
        if score.state == "not_applicable":
            return []
        if score.value is None:
            return Feedback(name=measure.name, error=ValueError(score.reason or "unscored"), source=source)
        return Feedback(name=measure.name, value=score.value, rationale=score.reason or None, source=source)

    return scorer(take, name=measure.name)


def read_outcome(outputs: dict[str, Any]) -> CaseOutcome:
    """Return the outcome that ``describe_outcome`` has described."""
    if outputs.get("state") == "failed":
        return CaseOutcome(failure=AgentFailure.model_validate(outputs["failure"]))
    return CaseOutcome(output=TailorOutput.model_validate(outputs["output"]))
