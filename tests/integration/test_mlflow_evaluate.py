"""ROMA in ``mlflow.genai.evaluate``: offline, on a store of its own, and without a 0 for what is unscored."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from roma_core.errors import AgentFailure, ErrorCode
from roma_core.evals.golden.dataset import Evidence, Golden, GoldenCase, Nugget
from roma_core.evals.measures.answers import answered, nugget_recall
from roma_core.types import Query, TailorOutput

mlflow = pytest.importorskip("mlflow")
CASES = tuple(
    GoldenCase(
        id=thing,
        question=f"Which colour has the {thing}?",
        kind="single",
        nuggets=(Nugget(fact=colour),),
        evidence=(Evidence(uri=f"{thing}.md"),),
    )
    for thing, colour in (("door", "red"), ("roof", "blue"), ("gate", "green"))
)
GOLDEN = Golden(name="colours", cases=CASES)


async def paint(query: Query) -> TailorOutput | AgentFailure:
    if "gate" in query.text:
        return AgentFailure(agent="x", code=ErrorCode.TIMEOUT, message="late", recoverable=True)
    return TailorOutput(answer="It is red." if "door" in query.text else "It is pink.")


@pytest.mark.slow
def test_mlflow_evaluates_with_our_answers_and_our_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    from roma_core.integrations.mlflow import as_predict_fn, as_scorers, make_record

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a request left the machine")

    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    try:
        place = (tmp_path / "artifacts").as_uri()
        mlflow.set_experiment(experiment_id=mlflow.create_experiment("colours", artifact_location=place))
        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        result = mlflow.genai.evaluate(
            data=[make_record(case) for case in CASES],
            predict_fn=as_predict_fn(paint),
            scorers=as_scorers(GOLDEN, [nugget_recall, answered]),
        )
        assert result.metrics["nugget_recall/mean"] == pytest.approx(0.5), "of the two that were scored"
        errors = [
            feedback
            for trace in mlflow.search_traces(run_id=result.run_id, return_type="list")
            for feedback in trace.info.assessments
            if feedback.name == "nugget_recall" and feedback.error is not None
        ]
        assert len(errors) == 1 and "ERR_TIMEOUT" in str(errors[0].error)
    finally:
        mlflow.set_tracking_uri(before)


def test_an_outcome_is_read_as_it_was_described() -> None:
    from roma_core.integrations.mlflow import describe_outcome, read_outcome

    for case in CASES[1:]:
        outcome = asyncio.run(ask(case))
        read = read_outcome(describe_outcome(outcome))
        assert (read.output or read.failure) == outcome


async def ask(case: GoldenCase) -> TailorOutput | AgentFailure:
    return await paint(case.query(5))
