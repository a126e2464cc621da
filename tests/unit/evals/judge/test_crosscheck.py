"""DeepEval drives ROMA's model; what cannot be read stays unscored."""

from __future__ import annotations

import json

import pytest

from roma_core.errors import ErrorCode, EvalError, LLMError
from roma_core.evals.golden.dataset import GoldenCase
from roma_core.evals.judge.crosscheck import crosscheck
from roma_core.evals.report.record import EvalRow
from roma_core.llm.providers.fake import FakeLLM, Reply
from roma_core.llm.service import LLMService

CASE = GoldenCase(id="q", question="Which colour has the door?", kind="no_answer")


def row(answer: str | None = "It is red.") -> EvalRow:
    return EvalRow(case_id="q", question="?", kind="no_answer", persona="general", cluster="q", answer=answer)


@pytest.mark.slow
async def test_deepeval_grades_with_our_model() -> None:
    steps = json.dumps({"steps": ["compare the two"]})
    llm = FakeLLM([steps, json.dumps({"reason": "it claims an answer", "score": 2})])
    grade = await crosscheck(CASE, row(), llm)
    assert grade.value == pytest.approx(0.2) and grade.reason == "it claims an answer"
    asked = llm.requests[-1].messages[0].content
    assert "It is red." in asked and "the documents do not hold the answer" in asked
    assert {request.purpose for request in llm.requests} == {"judge"}


@pytest.mark.slow
@pytest.mark.parametrize("reply", ["no json", Reply(error=LLMError("no", ErrorCode.LLM_QUOTA))])
async def test_what_cannot_be_read_is_unscored(reply: str | Reply) -> None:
    grade = await crosscheck(CASE, row(), FakeLLM([reply] * 6))
    assert grade.state == "unscored" and grade.reason.startswith("ERR_LLM")


async def test_no_answer_costs_no_call_and_there_is_no_judge_without_a_model() -> None:
    llm = FakeLLM()
    assert (await crosscheck(CASE, row(None), llm)).state == "unscored" and llm.calls == 0
    with pytest.raises(EvalError, match="LLM_PROVIDER"):
        await crosscheck(CASE, row(), LLMService([]))
