"""Guardrails: rules for questions, passages and answers. Each rule has a name, a mode and a count.

| rule | looks at | default | when it fires |
| --- | --- | --- | --- |
| ``question_empty`` | question | block | nothing but blanks and signs |
| ``question_length`` | question | block | longer than ``ROMA_MAX_QUESTION_CHARS`` |
| ``question_secret`` | question | flag | holds a key, token or password |
| ``question_pii`` | question | flag | holds personal data |
| ``question_injection`` | question | flag | speaks to the model (``injection``) |
| ``passage_injection`` | passages | flag | speaks to the model; *block* leaves the passage out |
| ``answer_links`` | answer | block | links to what no cited passage holds; *block* takes them out |
| ``answer_images`` | answer | block | any image; *block* takes it out |
| ``answer_uncited`` | answer | flag | sentences that state something without a marker; *block* refuses the answer |
| ``answer_secret`` | answer | flag | holds a key, token or password; *block* redacts it |

Where ``answer_uncited`` or ``answer_secret`` blocks, an answer is shown once it is checked, not while it is written.

*off* does not look, *flag* reports the name in ``TailorOutput.flags``, *block* acts. A rule that itself fails refuses
the query: guardrails fail closed.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from roma_core.agents.base import Agent, boundary
from roma_core.agents.context import Context
from roma_core.agents.links import LinkFilter, addresses, clean
from roma_core.agents.pipeline import Recovery, Stage, Then
from roma_core.citations import Cited
from roma_core.errors import AgentFailure, ConfigError, ErrorCode, GuardrailError
from roma_core.injection import signs
from roma_core.markup import read_markers
from roma_core.redaction.rules import PERSONAL, SECRETS, find, redact
from roma_core.settings import AnsweringSettings, RuleMode
from roma_core.telemetry import metrics
from roma_core.types import ComponentHealth, ScoredChunk

_DEFAULTS = AnsweringSettings()

RULES = (
    "question_empty",
    "question_length",
    "question_secret",
    "question_pii",
    "question_injection",
    "passage_injection",
    "answer_links",
    "answer_images",
    "answer_uncited",
    "answer_secret",
)
_BLOCKING = frozenset({"question_empty", "question_length", "answer_links", "answer_images"})
DEFAULTS: Mapping[str, RuleMode] = {rule: "block" if rule in _BLOCKING else "flag" for rule in RULES}


@dataclass(frozen=True)
class Screening:
    """The text or passages that may go on, and the rules that fired without stopping them."""

    text: str = ""
    passages: tuple[ScoredChunk, ...] = ()
    flags: tuple[str, ...] = ()


class GuardrailsAgent(Agent):
    """Checks by rules. ``counts`` holds how often each has fired since the start.

    ``roma_guardrail_hits`` counts the same of all agents, there and then: whatever becomes of the query later.
    """

    name = "guardrails"

    def __init__(
        self,
        modes: Mapping[str, RuleMode] | None = None,
        *,
        max_question_chars: int = _DEFAULTS.max_question_chars,
        holds_answers: bool = False,
    ) -> None:
        """Check the names of the rules. ``holds_answers`` shows no word before all of them are checked."""
        if unknown := sorted(set(modes or {}) - set(RULES)):
            raise ConfigError(f"ROMA_GUARDRAILS: no rule is called {unknown[0]!r}; the rules are {', '.join(RULES)}.")
        self._modes = {**DEFAULTS, **(modes or {})}
        self._max_question_chars = max_question_chars
        self._holds_answers = holds_answers
        self.counts: Counter[str] = Counter()

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages guard_question, guard_passages, guard_answer and guard_citations, which stand apart."""
        closed = Recovery(0, Then.FAIL, "guardrails fail closed")
        rules = {"rules": dict(sorted(self._modes.items()))}
        return (
            Stage(
                "guard_question",
                self._guard_question,
                closed,
                says="Reading the question …",
                agent=self,
                event_at_end="guarded",
                detail=lambda context: {"flags": list(context.flags)},
                version="1",
                parameters={"max_question_chars": self._max_question_chars, **rules},
            ),
            Stage("guard_passages", self._guard_passages, closed, agent=self, event_at_start="", version="1"),
            Stage("guard_answer", self._guard_answer, closed, agent=self, event_at_start="", version="1"),
            Stage("guard_citations", self._guard_citations, closed, agent=self, event_at_start="", version="1"),
        )

    async def health(self) -> ComponentHealth:
        switched_off = [rule for rule in RULES if self._modes[rule] == "off"]
        return ComponentHealth(name=self.name, state="ok", details={"off": switched_off})

    @boundary
    async def question(self, text: str) -> Screening:
        """Return the question without surrounding blanks. Fails with ``ERR_GUARDRAIL_*`` when a rule blocks it."""
        flags: list[str] = []
        self._refuse_if(not re.search(r"\w", text), "question_empty", flags, ErrorCode.GUARDRAIL_EMPTY)
        too_long = len(text) > self._max_question_chars
        self._refuse_if(too_long, "question_length", flags, ErrorCode.GUARDRAIL_TOO_LONG)
        self._refuse_if(self._on("question_secret") and bool(find(text, SECRETS)), "question_secret", flags)
        self._refuse_if(self._on("question_pii") and bool(find(text, PERSONAL)), "question_pii", flags)
        self._refuse_if(self._on("question_injection") and bool(signs(text)), "question_injection", flags)
        return Screening(text=text.strip(), flags=tuple(flags))

    @boundary
    async def passages(self, passages: Sequence[ScoredChunk]) -> Screening:
        """Return the passages that may be read; ranks close up where one is left out."""
        if not self._on("passage_injection"):
            return Screening(passages=tuple(passages))
        suspect = [_suspect(f"{p.chunk.title}\n{p.chunk.indexed_text}") for p in passages]
        if not any(suspect):
            return Screening(passages=tuple(passages))
        self._fires("passage_injection", sum(suspect))
        if self._blocks("passage_injection"):
            kept = [p for p, bad in zip(passages, suspect, strict=True) if not bad]
            passages = [p.model_copy(update={"rank": rank}) for rank, p in enumerate(kept, start=1)]
        return Screening(passages=tuple(passages), flags=("passage_injection",))

    @boundary
    async def answer(self, text: str, cited: Sequence[ScoredChunk]) -> Screening:
        """Return the answer without links that no cited passage holds, without images and secrets."""
        flags: list[str] = []
        allowed = addresses(p.chunk.text for p in cited)
        found = clean(text, allowed)
        for rule, count in (("answer_links", found.links), ("answer_images", found.images)):
            if count and self._fires(rule, count):
                flags.append(rule)
        if found.links or found.images:
            text = clean(text, allowed, links=self._blocks("answer_links"), images=self._blocks("answer_images")).text
        secrets = find(text, SECRETS) if self._on("answer_secret") else []
        if secrets and self._fires("answer_secret", len(secrets)):
            flags.append("answer_secret")
            text = redact(text, SECRETS) if self._blocks("answer_secret") else text
        return Screening(text=text, flags=tuple(flags))

    @boundary
    async def citations(self, cited: Cited) -> Screening:
        """Fails with ``ERR_GUARDRAIL_BLOCKED`` when ``answer_uncited`` blocks and a sentence has no marker."""
        flags: list[str] = []
        self._refuse_if(cited.uncited > 0, "answer_uncited", flags)
        return Screening(text=cited.answer, flags=tuple(flags))

    def link_filter(self, passages: Sequence[ScoredChunk]) -> LinkFilter:
        """Return a filter for the pieces of an answer: they may show no more than addresses of the passages."""
        allowed = addresses(p.chunk.text for p in passages)
        return LinkFilter(allowed, links=self._blocks("answer_links"), images=self._blocks("answer_images"))

    @property
    def holds_back(self) -> bool:
        """True when a rule may yet change or refuse the words of an answer: none is shown before all are checked."""
        return self._holds_answers or self._blocks("answer_secret") or self._blocks("answer_uncited")

    async def _guard_question(self, context: Context) -> AgentFailure | None:
        passed = await self.question(context.question)
        if isinstance(passed, AgentFailure):
            return passed
        context.set_question(passed.text)
        context.add_flags(passed.flags)
        return None

    async def _guard_passages(self, context: Context) -> AgentFailure | None:
        """Leave out what may not be read, and set the filter that the answer's pieces pass while it is written."""
        passed = await self.passages(context.passages)
        if isinstance(passed, AgentFailure):
            return passed
        context.passages = passed.passages
        context.add_flags(passed.flags)
        if self._blocks("passage_injection"):
            for lookup in context.lookups:
                lookup.passages = _drop_suspects(lookup.passages)
        context.text_filter = self.link_filter(context.passages)
        context.holds_back = self.holds_back
        return None

    async def _guard_answer(self, context: Context) -> AgentFailure | None:
        if context.is_unknown:
            return None
        passed = await self.answer(context.answer, cited_passages(context.answer, context.passages))
        if isinstance(passed, AgentFailure):
            return passed
        context.answer = passed.text
        context.add_flags(passed.flags)
        return None

    async def _guard_citations(self, context: Context) -> AgentFailure | None:
        if context.cited is None:
            return None
        passed = await self.citations(context.cited)
        if isinstance(passed, AgentFailure):
            return passed
        context.add_flags(passed.flags)
        return None

    def _on(self, rule: str) -> bool:
        return self._modes[rule] != "off"

    def _blocks(self, rule: str) -> bool:
        return self._modes[rule] == "block"

    def _fires(self, rule: str, times: int = 1) -> bool:
        """Count the rule with what it does, unless it is off."""
        if self._on(rule):
            self.counts[rule] += times
            metrics.count_guardrail(rule, self._modes[rule], times)
        return self._on(rule)

    def _refuse_if(
        self, fired: bool, rule: str, flags: list[str], code: ErrorCode = ErrorCode.GUARDRAIL_BLOCKED
    ) -> None:
        """Count a rule that fired; raise when it blocks, else note its name."""
        if not fired or not self._fires(rule):
            return
        if self._blocks(rule):
            raise GuardrailError(_REASONS[rule], code, details={"rule": rule})
        flags.append(rule)


def cited_passages(text: str, passages: Sequence[ScoredChunk]) -> list[ScoredChunk]:
    """Return the passages that ``text`` names by marker."""
    size = len(passages)
    named = {number for marker in read_markers(text, size) for number in marker.numbers if 1 <= number <= size}
    return [passages[number - 1] for number in sorted(named)]


def _drop_suspects(passages: Sequence[ScoredChunk] | None) -> tuple[ScoredChunk, ...] | None:
    """Return the candidates of a look-up that do not speak to the model; None for one that found none."""
    if passages is None:
        return None
    return tuple(p for p in passages if not _suspect(f"{p.chunk.title}\n{p.chunk.indexed_text}"))


@functools.lru_cache(maxsize=1024)
def _suspect(passage: str) -> bool:
    """Kept for the passages seen last: the same ones are found again and again, and reading one takes its time."""
    return bool(signs(passage))


_REASONS: Mapping[str, str] = {
    "question_empty": "The question is empty; write what you want to know.",
    "question_length": "The question is too long; shorten it or raise ROMA_MAX_QUESTION_CHARS.",
    "question_secret": "The question holds a key, token or password; ask without it, and change it if it was real.",
    "question_pii": "The question holds personal data; ask without it.",
    "question_injection": "The question reads like an attempt to instruct the model; ask about the documents.",
    "answer_uncited": "The answer states something without citing a passage, and such answers are not shown here.",
}
