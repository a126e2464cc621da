"""DeepEval's metrics as measures: our model, our cost, our cache; what cannot be read stays unscored."""

from __future__ import annotations

import json

import pytest

from roma_core.errors import ErrorCode, EvalError, LLMError
from roma_core.evals.golden.dataset import GoldenCase
from roma_core.evals.judge.deepeval import deepeval_measure, make_test_case, to_test_case
from roma_core.evals.judge.model import Judge
from roma_core.evals.measures import resolve_measures
from roma_core.llm.providers.fake import FakeLLM, Reply
from roma_core.llm.service import LLMService
from tests.fakes.evals import FAILED, make_answer, make_passages

CASE = GoldenCase(id="q", question="Which colour has the door?", kind="no_answer")
ANSWER = make_answer("It is red.", passages=make_passages(("d", 0, 5)))


@pytest.mark.slow
async def test_deepeval_grades_with_our_model() -> None:
    steps = json.dumps({"steps": ["compare the two"]})
    llm = FakeLLM([steps, json.dumps({"reason": "it claims an answer", "score": 2})])
    score = await deepeval_measure("geval", llm).score(CASE, ANSWER)
    assert score.value == pytest.approx(0.2) and score.reason == "it claims an answer" and score.usage.calls == 2
    asked = llm.requests[-1].messages[0].content
    assert "It is red." in asked and "the documents do not hold the answer" in asked
    assert {request.purpose for request in llm.requests} == {"judge"}


@pytest.mark.slow
async def test_faithfulness_reads_the_passages() -> None:
    llm = FakeLLM(
        [
            json.dumps({"truths": ["x"]}),
            json.dumps({"claims": ["red", "blue"]}),
            json.dumps({"verdicts": [{"verdict": "yes"}, {"verdict": "no", "reason": "not there"}]}),
            json.dumps({"reason": "half of it"}),
        ]
    )
    score = await deepeval_measure("faithfulness", llm).score(CASE, ANSWER)
    assert score.value == pytest.approx(0.5) and score.usage.calls == llm.calls
    assert any("xxxxx" in request.messages[0].content for request in llm.requests)


@pytest.mark.slow
@pytest.mark.parametrize("reply", ["no json", Reply(error=LLMError("no", ErrorCode.LLM_QUOTA))])
async def test_what_cannot_be_read_is_unscored(reply: str | Reply) -> None:
    score = await deepeval_measure("geval", FakeLLM([reply] * 6)).score(CASE, ANSWER)
    assert score.state == "unscored" and score.reason.startswith("ERR_LLM")


async def test_a_failed_answer_costs_no_call_and_there_is_no_judge_without_a_model() -> None:
    llm = FakeLLM()
    assert (await deepeval_measure("faithfulness", llm).score(CASE, FAILED)).state == "unscored" and llm.calls == 0
    with pytest.raises(EvalError, match="LLM_PROVIDER"):
        deepeval_measure("faithfulness", LLMService([]))
    with pytest.raises(EvalError, match="Did you mean 'faithfulness'"):
        deepeval_measure("faithfullness", llm)


def test_a_measure_is_named_on_the_command_line() -> None:
    def find_judge(name: str) -> Judge:
        return Judge(FakeLLM())

    names = ["deepeval:answer_relevancy", "deepeval:contextual_precision", "judge"]
    taken = resolve_measures(names, 5, defaults=False, find_judge=find_judge)
    assert [measure.name for measure in taken] == names and all(measure.judge for measure in taken)
    with pytest.raises(EvalError, match="hand in Judge"):
        resolve_measures(["judge"], 5)


@pytest.mark.slow
def test_cases_are_deepevals_own() -> None:
    case = to_test_case(CASE, ANSWER)
    assert (case.input, case.actual_output, case.retrieval_context) == (CASE.question, "It is red.", ["xxxxx"])
    assert make_test_case(CASE, ANSWER)["expected_output"].startswith("(none")
