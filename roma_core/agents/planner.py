"""Planner: a question that needs several look-ups gets sub-questions that may build on each other.

Without a language model a rule finds the second look-up (``bridges``): a name of the first passage leads on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

from roma_core.agents.base import Agent, boundary, gather_all
from roma_core.agents.bridges import MOST_BRIDGES, find_bridges
from roma_core.agents.context import Context, Lookup
from roma_core.agents.overlap import shares_words
from roma_core.agents.pipeline import Recovery, Stage, Then
from roma_core.agents.prompts import all_prompts
from roma_core.errors import AgentFailure, ErrorCode, LLMError
from roma_core.llm.base import I_DONT_KNOW, LLM, LLMRequest, Message, complete, complete_json, find_trouble
from roma_core.markup.compound import list_lookups
from roma_core.prompts import Prompt
from roma_core.types import Query, ScoredChunk, Usage
from roma_core.writers.untrusted import neutral, render_passages

MOST_STEPS = 4
_PLACE = re.compile(r"\{(\d+)\}")
_LONGEST_FINDING = 200


class SubQuestion(BaseModel):
    """One look-up. ``{2}`` in ``question`` stands for what sub-question 2 found; ``needs`` lists those."""

    model_config = ConfigDict(frozen=True)

    id: int = Field(ge=1)
    question: str = Field(min_length=1, max_length=500)
    needs: list[int] = Field(default_factory=list)


class _PlanReply(BaseModel):
    """The reply that the model is asked for."""

    sub_questions: list[SubQuestion] = Field(min_length=1, max_length=MOST_STEPS)


@dataclass(frozen=True)
class SearchPlan:
    """Sub-questions in layers: those of one layer are independent and build only on the layers before."""

    layers: tuple[tuple[SubQuestion, ...], ...]
    usage: Usage = field(default_factory=Usage)

    @property
    def steps(self) -> tuple[SubQuestion, ...]:
        """Its sub-questions, layer by layer."""
        return tuple(step for layer in self.layers for step in layer)


@dataclass(frozen=True)
class Finding:
    """The short answer to a sub-question; empty when the passages do not say."""

    text: str
    usage: Usage = field(default_factory=Usage)


class PlannerAgent(Agent):
    """Decomposes with a language model; ``llm`` None looks the question up as it stands, and then what follows from it.

    A plan adds look-ups to the user's question and never replaces it. ``follows_bridges`` False makes one look-up alone
    where there is no model.
    """

    name = "planner"

    def __init__(
        self, llm: LLM | None, prompts: Mapping[str, Prompt] | None = None, *, follows_bridges: bool = True
    ) -> None:
        self._llm = llm
        self._follows_bridges = follows_bridges and llm is None
        self._prompts = prompts or all_prompts()

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages plan (before retrieve), find and follow (after rerank)."""
        parameters = {}
        if self._llm is not None:
            prompts = [self._prompts[name].sha256[:12] for name in ("plan", "find")]
            parameters = {"most_steps": MOST_STEPS, "prompts": prompts}
        return (
            Stage(
                "plan",
                self._plan_lookups,
                Recovery(0, Then.GO_ON, "the question as it stands"),
                says="Understanding the question …",
                agent=self,
                event_at_end="planned",
                detail=_describe_lookups,
                version="3",
                parameters=parameters,
            ),
            Stage(
                "find",
                self._find_answers,
                Recovery(0, Then.GO_ON, "the sub-question without the finding that it builds on"),
                agent=self,
                event_at_start="",
                every_round=True,
                back_to="retrieve",
                version="1",
            ),
            Stage(
                "follow",
                self._follow_bridges,
                Recovery(0, Then.GO_ON, "the passages of the first look-up"),
                says="",
                agent=self,
                event_at_start="",
                event_at_end="planned",
                detail=_describe_lookups,
                applies=self._has_bridges,
                back_to="retrieve",
                version="1",
                parameters={"most_bridges": MOST_BRIDGES} if self._follows_bridges else {},
            ),
        )

    @boundary
    async def plan(self, question: str, query: Query) -> SearchPlan:
        """Return layers of sub-questions. Fails with ``ERR_LLM_MALFORMED`` when they are no acyclic graph."""
        prompt = self._prompts["plan"]
        request = _request(prompt.render(most=str(MOST_STEPS)), neutral(question), prompt, query, "plan", 512)
        answer, response = await complete_json(self._model(), request, _PlanReply)
        return SearchPlan(layers(answer.sub_questions), response.usage)

    @boundary
    async def find(self, question: str, passages: Sequence[ScoredChunk], query: Query) -> Finding:
        """Return the short answer to a sub-question that others build on."""
        prompt = self._prompts["find"]
        user = f"{render_passages(passages)}\n\nQuestion: {neutral(question)}"
        request = _request(prompt.render(unknown=I_DONT_KNOW), user, prompt, query, "find", 64)
        response = await complete(self._model(), request)
        text = " ".join(response.text.split())
        known = text and len(text) <= _LONGEST_FINDING and I_DONT_KNOW.casefold()[:12] not in text.casefold()
        return Finding(text.rstrip(".") if known else "", response.usage)

    def _model(self) -> LLM:
        if self._llm is None:
            raise LLMError("Planning needs a language model: set LLM_PROVIDER.", ErrorCode.LLM_BAD_REQUEST)
        return self._llm

    async def _plan_lookups(self, context: Context) -> AgentFailure | None:
        """Add the sub-questions as look-ups, unless the plan is about something else."""
        if self._llm is None:
            if self._follows_bridges:
                for number, words in enumerate(list_lookups(context.standalone), start=1):
                    context.look_up(words, number=number)
            return None
        plan = await self.plan(context.standalone, context.query)
        if isinstance(plan, AgentFailure):
            if trouble := find_trouble(self._llm, "plan"):
                context.degraded.append(f"planner: {trouble}")
            return plan
        context.usage += plan.usage
        questions = [step.question for step in plan.steps]
        if not shares_words(" ".join(questions), context.question, context.reading):
            context.dropped += questions
            return None
        for step in plan.steps:
            context.look_up(step.question, number=step.id, needs=step.needs)
        return None

    def _has_bridges(self, context: Context) -> bool:
        """True when a name of the best passage leads to a second look-up. Pure: the stage itself adds it."""
        is_planned = len(context.lookups) > 1 or not self._follows_bridges
        return not is_planned and bool(find_bridges(context.standalone, context.passages))

    async def _follow_bridges(self, context: Context) -> None:
        """Add the look-ups of the bridges."""
        question = context.standalone
        for bridge in find_bridges(question, context.passages):
            context.look_up(bridge.lookup, rank_by=f"{question} ({bridge.name})")

    def _read_bridges(self, context: Context) -> None:
        """Read the question with the name that led to a passage for what was open; a note says so."""
        question, first = context.standalone, context.lookups[0].passages or ()
        for bridge in find_bridges(question, first):
            lookup = next((other for other in context.current_lookups if other.text == bridge.lookup), None)
            if lookup is None or not lookup.passages or not bridge.leads_to(lookup.passages[0]):
                continue
            context.reading = f"{question} ({bridge.name})"
            context.notes.append(f"second look-up by “{bridge.name}”, which the first passage names")
            return

    async def _find_answers(self, context: Context) -> AgentFailure | None:
        """Answer the sub-questions of this round that others wait for; without a model, see where bridges led."""
        if self._follows_bridges and context.round:
            self._read_bridges(context)
        needed = {number for lookup in context.lookups for number in lookup.needs if lookup.round is None}
        waited_for = [lookup for lookup in context.current_lookups if lookup.number in needed]
        if not waited_for:
            return None
        outcomes = await gather_all([self._find_answer(lookup, context) for lookup in waited_for])
        failures = [outcome for outcome in outcomes if outcome is not None]
        return failures[0] if failures else None

    async def _find_answer(self, lookup: Lookup, context: Context) -> AgentFailure | None:
        passages = (lookup.passages or ())[: context.query.top_k]
        finding = await self.find(lookup.text, passages, context.query)
        if isinstance(finding, AgentFailure):
            return finding
        context.usage += finding.usage
        lookup.finding = finding.text
        return None


def _describe_lookups(context: Context) -> dict[str, list[str]]:
    details = {"questions": [lookup.text for lookup in context.lookups]}
    if context.dropped:
        details["dropped"] = list(context.dropped)
    return details


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
    """Return topological layers. Raises ``LLMError`` for doubled ids, unknown needs, or needs that run in a circle.

    Places in the text count as needs whether they are listed or not.
    """
    by_id = {step.id: _with_all_needs(step) for step in steps}
    if len(by_id) != len(steps) or any(set(step.needs) - set(by_id) for step in by_id.values()):
        raise LLMError("The plan's sub-questions do not fit together.", ErrorCode.LLM_MALFORMED)
    done: set[int] = set()
    layered: list[tuple[SubQuestion, ...]] = []
    while len(done) < len(by_id):
        ready = tuple(s for s in by_id.values() if s.id not in done and done.issuperset(s.needs))
        if not ready:
            raise LLMError("The plan's sub-questions wait for each other.", ErrorCode.LLM_MALFORMED)
        layered.append(ready)
        done.update(s.id for s in ready)
    return tuple(layered)


def _with_all_needs(step: SubQuestion) -> SubQuestion:
    named = {int(n) for n in _PLACE.findall(step.question)}
    return step.model_copy(update={"needs": sorted(named.union(step.needs))})
