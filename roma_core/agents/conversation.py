"""Conversation: a follow-up question becomes one that stands alone, and what was said is remembered.

With a generative model the question is rewritten. Without one a rule decides: a question that begins like a follow-up
("and", "what about", ...), points at something ("it", "they", "is that ...") or names nothing at all gets the content
words of the last question that stood alone behind it, in parentheses: "Who replaces it?" after "When was the rope
bridge built?" becomes "Who replaces it? (rope bridge built)".
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from roma_core.agents.base import Agent, boundary
from roma_core.agents.prompts import all_prompts
from roma_core.agents.untrusted import neutral
from roma_core.citations.words import read_words
from roma_core.errors import AgentFailure, guarded
from roma_core.llm.base import LLM, LLMRequest, Message, complete
from roma_core.prompts import Prompt
from roma_core.sessions.service import Reference, Sessions, Turn
from roma_core.types import ComponentHealth, Query, TailorOutput, Usage

_OPENS = re.compile(
    r"(?:and|but|or|so|then|also|what about|how about|why(?: not)?\s*\?|how so|which one|what else|who else|where else"
    r"|go on|tell me more|more about|for example|such as|really|are you sure)\b|why\s*\?",
    re.IGNORECASE,
)
_POINTS = frozenset(
    "it its it's itself they them their theirs he him his she her hers these those ones former latter".split()
)
_POINTS_ALONE = re.compile(
    r"\A\W*(?:is|was|are|were|does|did|do|can|could|will|would|has|have)\s+(?:this|that)\b"
    r"|\b(?:this|that|there|then|the same|both|neither|the others?|another one|the (?:first|second|third|last) one)"
    r"\s*(?:[?.!,]|$|(?:is|was|are|were|does|did|do|has|have|had|can|works?|means?|happens?)\b)",
    re.IGNORECASE,
)
_LONGEST_REWRITE = 500
_MOST_TURNS = 20


@dataclass(frozen=True)
class Standalone:
    """A question that can be understood by itself."""

    question: str
    usage: Usage = field(default_factory=Usage)


class ConversationAgent(Agent):
    """Rewrites and remembers for queries that have a ``session_id``."""

    name = "conversation"

    def __init__(
        self,
        sessions: Sessions,
        llm: LLM,
        count_tokens: Callable[[str], int],
        prompts: Mapping[str, Prompt] | None = None,
        *,
        history_tokens: int = 2000,
    ) -> None:
        self._sessions = sessions
        self._llm = llm
        # The same turns are counted with each question that follows them.
        self._count_tokens = functools.lru_cache(maxsize=1024)(count_tokens)
        self._prompts = prompts or all_prompts()
        self._history_tokens = history_tokens

    async def health(self) -> ComponentHealth:
        state = await self._sessions.health()
        return ComponentHealth(name=self.name, state="ok" if state.state == "ok" else "degraded", reason=state.reason)

    @boundary
    async def standalone(self, question: str, query: Query) -> Standalone:
        """``question`` so that it stands alone; the rule stands in where a model fails or gives no question."""
        if query.session_id is None:
            return Standalone(question)
        said = await self._sessions.turns(query.tenant, query.session_id, _MOST_TURNS)
        history = within(said, self._history_tokens, self._count_tokens)
        if not history:
            return Standalone(question)
        if not self._llm.generative:
            return Standalone(by_rule(question, history))
        response = await guarded(self.name, complete(self._llm, self._request(question, history, query)))
        if isinstance(response, AgentFailure):
            return Standalone(by_rule(question, history))
        rewritten = " ".join(response.text.split())
        usable = response.finish_reason == "stop" and rewritten and len(rewritten) <= _LONGEST_REWRITE
        return Standalone(rewritten if usable else by_rule(question, history), response.usage)

    @boundary
    async def remember(self, question: str, query: Query, output: TailorOutput) -> None:
        """Keep the turn. ``question`` is the one that stood alone."""
        if query.session_id is None:
            return
        turn = Turn(
            question=query.text,
            standalone=question,
            answer=output.answer,
            answer_id=output.answer_id,
            answered=output.answered,
            model=output.model,
            references=tuple(Reference.of(c) for c in output.citations),
        )
        await self._sessions.append(query.tenant, query.session_id, turn)

    def _request(self, question: str, history: Sequence[Turn], query: Query) -> LLMRequest:
        prompt = self._prompts["rewrite"]
        said = "\n".join(f"Question: {neutral(t.question)}\nAnswer: {neutral(t.answer)}" for t in history)
        return LLMRequest(
            messages=(
                Message(role="system", content=prompt.render()),
                Message(role="user", content=f"Conversation:\n{said}\n\nNew question: {neutral(question)}"),
            ),
            max_output_tokens=200,
            prompt_hash=prompt.sha256,
            purpose="rewrite",
            session_id=query.session_id,
            tenant=query.tenant,
        )


def within(turns: Sequence[Turn], tokens: int, count_tokens: Callable[[str], int]) -> list[Turn]:
    """The latest turns that fit into ``tokens`` together, oldest first. A turn is taken whole or not at all."""
    kept: list[Turn] = []
    for turn in reversed(turns):
        tokens -= count_tokens(turn.question) + count_tokens(turn.answer)
        if tokens < 0:
            break
        kept.append(turn)
    return kept[::-1]


def by_rule(question: str, history: Sequence[Turn]) -> str:
    """The question, followed by what the last question that stood alone was about if it depends on that."""
    if not depends(question):
        return question
    topic = next((t.question for t in reversed(history) if not depends(t.question)), history[0].question)
    asked = {w.stem for w in read_words(question)}
    about = [topic[w.start : w.end] for w in read_words(topic) if w.is_content and w.stem not in asked]
    return f"{question} ({' '.join(dict.fromkeys(about))})" if about else question


def depends(question: str) -> bool:
    """Whether a question points at something that was said before."""
    said = read_words(question)
    return (
        _OPENS.match(question.lstrip(" \t“\"'")) is not None
        or _POINTS_ALONE.search(question) is not None
        or any(w.form in _POINTS for w in said)
        or not any(w.is_content for w in said)
    )
