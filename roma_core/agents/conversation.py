"""Conversation: a follow-up question gets the words that it leaves out, and each turn is remembered.

With a language model the question is rewritten, and the rewrite is looked up beside the user's own words. Without one,
and where the rewrite is about something else, a rule decides: a question that begins like a follow-up ("and", "what
about", ...), points at something ("it", "they", "is that ...") or names nothing at all gets the content words of the
last question that stood alone behind it, in parentheses: "Who replaces it?" after "When was the rope bridge built?"
becomes "Who replaces it? (rope bridge built)".
"""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from roma_core.agents.base import Agent, boundary
from roma_core.agents.context import Context
from roma_core.agents.overlap import shares_words
from roma_core.agents.pipeline import Recovery, Stage, Then
from roma_core.agents.prompts import all_prompts
from roma_core.citations.words import read_words
from roma_core.errors import AgentFailure, guarded
from roma_core.llm.base import LLM, LLMRequest, Message, complete, find_trouble
from roma_core.markup.compound import split_question
from roma_core.markup.function_words import FUNCTION_WORDS
from roma_core.prompts import Prompt
from roma_core.sessions.service import Reference, Sessions, Turn
from roma_core.settings import AnsweringSettings
from roma_core.types import ComponentHealth, Principal, Query, TailorOutput, Usage
from roma_core.writers.untrusted import neutral

_DEFAULTS = AnsweringSettings()

_OPENS = re.compile(
    r"(?:and|but|or|so|then|also|what about|how about|why(?: not)?\s*\?|how so|which one|what else|who else|where else"
    r"|go on|tell me more|more about|for example|such as|really|are you sure)\b|why\s*\?",
    re.IGNORECASE,
)
_OPENS_FOREIGN = re.compile(
    r"¿?(?:und|aber|oder|was ist mit|wie ist es (?:mit|bei)|et|mais|qu['’]en est-il d[eu]|y(?! a)|pero|qué hay de)\s",
    re.IGNORECASE,
)
"""Openings of follow-ups in German, French and Spanish; "y a-t-il" asks anew."""
_POINTS = frozenset(
    "it its it's itself they them their theirs he him his she her hers these those ones former latter".split()
)
_POINTS_ALONE = re.compile(
    r"\A\W*(?:is|was|are|were|does|did|do|can|could|will|would|has|have)\s+(?:this|that)\b"
    r"|\b(?:this|that|there|then|the same|both|neither|the others?|another one|the (?:first|second|third|last) one)"
    r"\s*(?:[?.!,]|$|(?:is|was|are|were|does|did|do|has|have|had|can|works?|means?|happens?)\b)",
    re.IGNORECASE,
)
_CODE = re.compile(r"(?<![\w-])(?=[A-Za-z_-]*\d)(?=[\d._-]*[A-Za-z])[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*(?![\w-])")
"""A code or a number of a part ("T4", "PPR-9087"), which stays in one piece."""
_LONGEST_REWRITE = 500
_MOST_TURNS = 20


@dataclass(frozen=True)
class StandaloneQuestion:
    """A question in words that can be understood without the conversation; ``text`` empty: it can be already."""

    text: str = ""
    dropped: str = ""
    """A model's rewrite that was about something else."""
    usage: Usage = field(default_factory=Usage)
    has_failed: bool = False
    """The model was asked for a rewrite and gave none."""


Hide = Callable[[Principal, Sequence[Turn]], Awaitable[Sequence[Turn]]]
"""Returns the turns of a user without the words of documents that it may no longer read."""


class ConversationAgent(Agent):
    """Reads follow-ups, and remembers turns of queries with a ``session_id``. ``llm`` None reads by the rule."""

    name = "conversation"

    def __init__(
        self,
        sessions: Sessions,
        llm: LLM | None,
        count_tokens: Callable[[str], int],
        prompts: Mapping[str, Prompt] | None = None,
        *,
        history_tokens: int = _DEFAULTS.history_tokens,
        hide: Hide | None = None,
    ) -> None:
        """``hide`` takes the answers out of turns whose sources the user may no longer read."""
        self._hide = hide
        self._sessions = sessions
        self._llm = llm
        # The same turns are counted with each question that follows them.
        self._count_tokens = functools.lru_cache(maxsize=1024)(count_tokens)
        self._prompts = prompts or all_prompts()
        self._history_tokens = history_tokens

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages standalone (after the question's guard) and remember (at the end)."""
        prompt = self._prompts["rewrite"].sha256[:12] if self._llm is not None else "rule"
        return (
            Stage(
                "standalone",
                self._read_follow_up,
                Recovery(1, Then.GO_ON_DEGRADED, "the question as it stands"),
                says="Understanding the question …",
                agent=self,
                event_at_start="",
                version="2",
                parameters={"history_tokens": self._history_tokens, "rewrite": prompt},
            ),
            Stage(
                "remember",
                self._remember_turn,
                Recovery(1, Then.GO_ON_DEGRADED, "the answer without a place in the history"),
                agent=self,
                event_at_start="",
                applies=lambda context: context.query.session_id is not None,
                runs_when_cached=True,
                version="1",
            ),
        )

    async def health(self) -> ComponentHealth:
        state = await self._sessions.health()
        return ComponentHealth(name=self.name, state="ok" if state.state == "ok" else "degraded", reason=state.reason)

    @boundary
    async def read_question(self, question: str, query: Query) -> StandaloneQuestion:
        """Return ``question`` in words that stand alone; the rule stands in where a model fails or misses the point."""
        turns = await self._earlier_turns(query)
        history = latest_turns(turns, self._history_tokens, self._count_tokens)
        if not history:
            return StandaloneQuestion()
        by_rule = add_topic(question, history)
        if self._llm is None:
            return StandaloneQuestion(by_rule)
        response = await guarded(self.name, complete(self._llm, self._request(question, history, query)))
        if isinstance(response, AgentFailure):
            return StandaloneQuestion(by_rule, has_failed=True)
        rewrite = " ".join(response.text.split())
        if response.finish_reason != "stop" or not rewrite or len(rewrite) > _LONGEST_REWRITE:
            return StandaloneQuestion(by_rule, usage=response.usage)
        talk = [text for turn in history for text in (turn.question, turn.standalone, turn.answer)]
        if not shares_words(rewrite, question, *talk):
            return StandaloneQuestion(by_rule, dropped=rewrite, usage=response.usage)
        return StandaloneQuestion(rewrite, usage=response.usage)

    async def _earlier_turns(self, query: Query) -> Sequence[Turn]:
        """Return the turns of the query's session, or else those that the query brings itself."""
        if query.session_id is not None:
            turns = await self._sessions.turns(query.principal, query.session_id, _MOST_TURNS)
            return turns if self._hide is None else await self._hide(query.principal, turns)
        return [
            Turn(question=earlier.question, standalone=earlier.question, answer=earlier.answer, answer_id="")
            for earlier in query.history[-_MOST_TURNS:]
        ]

    @boundary
    async def remember(self, question: str, query: Query, output: TailorOutput) -> None:
        """Keep the turn. ``question`` is the one that stands alone."""
        if query.session_id is None:
            return
        turn = Turn(
            question=query.text,
            standalone=question,
            answer=output.answer,
            answer_id=output.answer_id,
            answered=bool(output.answered),
            model=output.model,
            references=tuple(Reference.of(c) for c in output.citations),
        )
        await self._sessions.append(query.principal, query.session_id, turn)

    async def _read_follow_up(self, context: Context) -> AgentFailure | None:
        reading = await self.read_question(context.question, context.query)
        if isinstance(reading, AgentFailure):
            return reading
        context.usage += reading.usage
        if reading.has_failed and (trouble := find_trouble(self._llm, "rewrite")):
            context.degraded.append(f"conversation: {trouble}")
        context.read_as(reading.text)
        if reading.dropped:
            context.dropped.append(reading.dropped)
        return None

    async def _remember_turn(self, context: Context) -> AgentFailure | None:
        if context.output is None:
            return None
        return await self.remember(context.standalone, context.query, context.output)

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


def latest_turns(turns: Sequence[Turn], tokens: int, count_tokens: Callable[[str], int]) -> list[Turn]:
    """Return the latest turns that fit into ``tokens`` together, oldest first. A turn is taken whole or not at all."""
    latest: list[Turn] = []
    for turn in reversed(turns):
        tokens -= count_tokens(turn.question) + count_tokens(turn.answer)
        if tokens < 0:
            break
        latest.append(turn)
    return latest[::-1]


def add_topic(question: str, history: Sequence[Turn]) -> str:
    """Return the question, followed by the topic of the last one that stood alone if it depends on that."""
    if not is_follow_up(question):
        return question
    independent = [turn.question for turn in history if not is_follow_up(turn.question)]
    topic = independent[-1] if independent else history[0].question
    asked = {word.stem for word in read_words(question)}
    codes = [code.span() for code in _CODE.finditer(topic)]
    is_foreign = _OPENS_FOREIGN.match(question) is not None
    languages = ("de", "fr", "es") if is_foreign else ()
    small = frozenset[str]().union(*(FUNCTION_WORDS[language] for language in languages))
    added: dict[str, None] = {}
    for word in read_words(topic):
        if word.is_content and word.stem not in asked and word.form not in small:
            inside = (span for span in codes if span[0] <= word.start and word.end <= span[1])
            start, end = next(inside, (word.start, word.end))
            added.setdefault(topic[start:end])
    return f"{question} ({' '.join(added)})" if added else question


def is_follow_up(question: str) -> bool:
    """True for a question that points at something that was said before.

    Of several questions in one the first decides: the others point at that.

    >>> is_follow_up("Who built it?"), is_follow_up("Who built the mill, and what did it cost?")
    (True, False)
    """
    question = split_question(question)[0]
    spoken = read_words(question)
    return (
        _OPENS.match(question.lstrip(" \t“\"'")) is not None
        or _OPENS_FOREIGN.match(question.lstrip(" \t“„\"'")) is not None
        or _POINTS_ALONE.search(question) is not None
        or any(word.form in _POINTS for word in spoken)
        or not any(word.is_content for word in spoken)
    )
