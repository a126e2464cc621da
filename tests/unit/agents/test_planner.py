"""Plans: layers of sub-questions, what makes them no plan, what is put into places."""

from __future__ import annotations

from typing import Any

import pytest

from roma_core.agents.planner import Finding, PlannerAgent, SearchPlan, SubQuestion, layers
from roma_core.errors import AgentFailure, ErrorCode, LLMError
from roma_core.llm.base import I_DONT_KNOW
from roma_core.llm.providers.fake import FakeLLM
from roma_core.types import Principal, Query

QUERY = Query(text="q", session_id="s", principal=Principal.local("t"))


def step(number: int, question: str = "q?", *needs: int) -> SubQuestion:
    return SubQuestion(id=number, question=question, needs=list(needs))


def test_layers_follow_the_needs() -> None:
    found = layers([step(3, "c {1} {2}"), step(1, "a"), step(2, "b", 1)])
    assert [[s.id for s in layer] for layer in found] == [[1], [2], [3]]
    assert [[s.id for s in layer] for layer in layers([step(1), step(2)])] == [[1, 2]]


@pytest.mark.parametrize(
    "steps",
    [[step(1), step(1)], [step(1, "q", 2)], [step(1, "q", 2), step(2, "q", 1)], [step(1, "{1}")]],
    ids=["doubled", "unknown", "circle", "itself"],
)
def test_what_is_no_plan(steps: list[SubQuestion]) -> None:
    with pytest.raises(LLMError) as raised:
        layers(steps)
    assert raised.value.code is ErrorCode.LLM_MALFORMED


async def test_a_plan_is_asked_for_with_a_schema() -> None:
    llm = FakeLLM(['```json\n{"sub_questions": [{"id": 1, "question": "A?", "needs": []}]}\n```'])
    plan = await PlannerAgent(llm).plan("A?", QUERY)
    assert isinstance(plan, SearchPlan)
    assert [s.question for s in plan.steps] == ["A?"]
    assert plan.usage.calls == 1
    (request,) = llm.requests
    assert request.json_schema is not None
    assert (request.purpose, request.session_id, request.tenant) == ("plan", "s", "t")
    assert request.prompt_hash


@pytest.mark.parametrize(
    "reply",
    ["", "Sure!", "[]", '{"sub_questions": []}', '{"sub_questions": [{"id": 0, "question": "x"}]}',
     '{"sub_questions": [' + ", ".join(f'{{"id": {i}, "question": "x"}}' for i in range(1, 9)) + "]}"],
)  # fmt: skip
async def test_bad_output_is_a_failure(reply: str) -> None:
    found = await PlannerAgent(FakeLLM([reply])).plan("q", QUERY)
    assert isinstance(found, AgentFailure)
    assert found.agent == "planner"


@pytest.mark.parametrize(
    ("reply", "text"),
    [("Quellfeld.", "Quellfeld"), (I_DONT_KNOW, ""), ("I don't know", ""), ("x" * 300, ""), (" a\n b ", "a b")],
)
async def test_a_finding_is_a_few_words_or_nothing(kit: Any, reply: str, text: str) -> None:
    found = await PlannerAgent(FakeLLM([reply])).find("Which village?", [kit.passage("In Quellfeld.")], QUERY)
    assert isinstance(found, Finding)
    assert found.text == text
