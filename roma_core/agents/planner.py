"""Planner: a question that needs several look-ups becomes sub-questions that may build on each other."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

from roma_core.agents.base import Agent, boundary
from roma_core.agents.prompts import all_prompts
from roma_core.agents.untrusted import neutral, render_passages
from roma_core.errors import ErrorCode, LLMError
from roma_core.llm.base import I_DONT_KNOW, LLM, LLMRequest, Message, complete, complete_json
from roma_core.prompts import Prompt
from roma_core.types import Query, ScoredChunk, Usage

MOST_STEPS = 4
_PLACE = re.compile(r"\{(\d+)\}")
_LONGEST_FINDING = 200


class SubQuestion(BaseModel):
    """One look-up. ``{2}`` in ``question`` stands for what sub-question 2 found; ``needs`` lists those."""

    model_config = ConfigDict(frozen=True)

    id: int = Field(ge=1)
    question: str = Field(min_length=1, max_length=500)
    needs: list[int] = Field(default_factory=list)


class _Answer(BaseModel):
    """What the model is asked for."""

    sub_questions: list[SubQuestion] = Field(min_length=1, max_length=MOST_STEPS)


@dataclass(frozen=True)
class Plan:
    """Sub-questions in layers: those of one layer are independent and build only on the layers before."""

    layers: tuple[tuple[SubQuestion, ...], ...]
    usage: Usage = field(default_factory=Usage)

    @classmethod
    def single(cls, question: str) -> Plan:
        """The question as it stands."""
        return cls(((SubQuestion.model_construct(id=1, question=question, needs=[]),),))

    @property
    def steps(self) -> tuple[SubQuestion, ...]:
        return tuple(step for layer in self.layers for step in layer)

    @property
    def needed(self) -> frozenset[int]:
        """Sub-questions whose finding another one is waiting for."""
        return frozenset(n for step in self.steps for n in step.needs)


@dataclass(frozen=True)
class Finding:
    """What a sub-question found, in a few words; empty when the passages do not say."""

    text: str
    usage: Usage = field(default_factory=Usage)


class PlannerAgent(Agent):
    """Decomposes with a generative model. Bad output is a failure; the caller then asks the question as it stands."""

    name = "planner"

    def __init__(self, llm: LLM, prompts: Mapping[str, Prompt] | None = None) -> None:
        self._llm = llm
        self._prompts = prompts or all_prompts()

    @boundary
    async def plan(self, question: str, query: Query) -> Plan:
        """Layers of sub-questions. Fails with ``ERR_LLM_MALFORMED`` when they are no acyclic graph."""
        prompt = self._prompts["plan"]
        request = _request(prompt.render(most=str(MOST_STEPS)), neutral(question), prompt, query, "plan", 512)
        answer, response = await complete_json(self._llm, request, _Answer)
        return Plan(layers(answer.sub_questions), response.usage)

    @boundary
    async def find(self, question: str, passages: Sequence[ScoredChunk], query: Query) -> Finding:
        """The short answer to a sub-question that others build on."""
        prompt = self._prompts["find"]
        user = f"{render_passages(passages)}\n\nQuestion: {neutral(question)}"
        response = await complete(
            self._llm, _request(prompt.render(unknown=I_DONT_KNOW), user, prompt, query, "find", 64)
        )
        text = " ".join(response.text.split())
        known = text and len(text) <= _LONGEST_FINDING and I_DONT_KNOW.casefold()[:12] not in text.casefold()
        return Finding(text.rstrip(".") if known else "", response.usage)


def _request(system: str, user: str, prompt: Prompt, query: Query, purpose: str, tokens: int) -> LLMRequest:
    return LLMRequest(
        messages=(Message(role="system", content=system), Message(role="user", content=user)),
        max_output_tokens=tokens,
        prompt_hash=prompt.sha256,
        purpose=purpose,
        session_id=query.session_id,
        tenant=query.tenant,
    )


def layers(steps: Sequence[SubQuestion]) -> tuple[tuple[SubQuestion, ...], ...]:
    """Topological layers. Raises ``LLMError`` for doubled ids, unknown needs, or needs that run in a circle.

    Places in the text count as needs whether they are listed or not.
    """
    by_id = {step.id: _with_all_needs(step) for step in steps}
    if len(by_id) != len(steps) or any(set(step.needs) - set(by_id) for step in by_id.values()):
        raise LLMError("The plan's sub-questions do not fit together.", ErrorCode.LLM_MALFORMED)
    done: set[int] = set()
    found: list[tuple[SubQuestion, ...]] = []
    while len(done) < len(by_id):
        ready = tuple(s for s in by_id.values() if s.id not in done and done.issuperset(s.needs))
        if not ready:
            raise LLMError("The plan's sub-questions wait for each other.", ErrorCode.LLM_MALFORMED)
        found.append(ready)
        done.update(s.id for s in ready)
    return tuple(found)


def _with_all_needs(step: SubQuestion) -> SubQuestion:
    named = {int(n) for n in _PLACE.findall(step.question)}
    return step.model_copy(update={"needs": sorted(named.union(step.needs))})


def filled(step: SubQuestion, findings: Mapping[int, str]) -> str:
    """The sub-question with what was found put in; a place without a finding is left out."""
    text = _PLACE.sub(lambda m: findings.get(int(m[1]), ""), step.question)
    return " ".join(text.split())
