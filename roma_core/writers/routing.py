"""The writer that chooses between a cheap and a strong model, by features of the question that cost nothing.

The difficulty of a question is a weighted sum of features in 0..1. The weights are set by hand; from which difficulty
on the strong model writes is found on labelled questions (``roma calibrate router``). In a cascade the cheap model's
answer is held back until its citations are checked; where they do not hold, the strong model writes.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

from roma_core.errors import RomaError
from roma_core.llm.base import FALLBACK
from roma_core.markup.questions import read_question
from roma_core.settings.routing import RouterMode
from roma_core.types import ComponentHealth, ModelRoute, RouteChoice, ScoredChunk, Usage, digest
from roma_core.writers.base import Draft, Piece, Thoughts, Writer, WritingContext

VERSION: Final = "1"
HARD_KINDS: Final = frozenset({"comparison", "how_many", "list", "summary", "table_filter", "table_max", "table_sum"})
"""Kinds of questions that take more than one sentence or cell. Those that look up one value of a table do not, and the
rules read many plain questions as such."""
LONG_QUESTION_WORDS: Final = 40
MANY_LOOKUPS: Final = 4
EVIDENCE_MIDDLE, EVIDENCE_WIDTH = 0.0, 3.0
"""Logit of the cross-encoder at which evidence is neither good nor bad, and how fast it becomes one of them."""
UNKNOWN_FEATURE: Final = 0.5
"""Value of a feature that cannot be read, as without a reranker."""
WEIGHTS: Final = {"kind": 0.2, "plan": 0.25, "agreement": 0.2, "evidence": 0.25, "length": 0.1}
"""Parts of the difficulty; their sum is 1."""

CheckCitations = Callable[[Draft, Sequence[ScoredChunk], WritingContext], Awaitable[str]]
"""Returns why the citations of an answer do not hold; empty where they do."""
FindPrice = Callable[[str, Usage], float | None]
"""Returns the dollars that a usage costs with ``provider:model``; None when that is not known."""


@dataclass(frozen=True)
class Difficulty:
    """The features of a question, each in 0..1; more is harder."""

    kind: float
    plan: float
    agreement: float
    evidence: float
    length: float

    @property
    def value(self) -> float:
        """The weighted sum, in 0..1."""
        return round(sum(weight * float(getattr(self, name)) for name, weight in WEIGHTS.items()), 4)

    @property
    def words(self) -> str:
        """The features that make the question hard, the weightiest first; "nothing" where there is none.

        >>> Difficulty(kind=1.0, plan=0.0, agreement=0.0, evidence=0.0, length=0.0).words
        'kind 1.00'
        """
        parts = sorted(WEIGHTS, key=lambda name: -WEIGHTS[name] * float(getattr(self, name)))
        named = [f"{name} {getattr(self, name):.2f}" for name in parts if getattr(self, name) > 0]
        return ", ".join(named) or "nothing"


def measure_difficulty(question: str, passages: Sequence[ScoredChunk], lookup_count: int = 1) -> Difficulty:
    """Return the features of a question and of the passages that were found for it.

    >>> measure_difficulty("Who built the mill?", ()).kind
    0.0
    """
    words = len(question.split())
    return Difficulty(
        kind=1.0 if read_question(question).kind in HARD_KINDS else 0.0,
        plan=min(1.0, (lookup_count - 1) / (MANY_LOOKUPS - 1)),
        agreement=1.0 - measure_agreement(passages),
        evidence=1.0 - measure_evidence(passages),
        length=min(1.0, words / LONG_QUESTION_WORDS),
    )


def measure_agreement(passages: Sequence[ScoredChunk]) -> float:
    """Return the share of the passages that words and vectors both found."""
    if not passages:
        return UNKNOWN_FEATURE
    both = sum("bm25" in passage.scores and "dense" in passage.scores for passage in passages)
    return both / len(passages)


def measure_evidence(passages: Sequence[ScoredChunk]) -> float:
    """Return how well the best passage answers, by the reranker's score, between 0 and 1."""
    scores = [passage.scores["rerank"] for passage in passages if "rerank" in passage.scores]
    if not scores:
        return UNKNOWN_FEATURE
    return 1 / (1 + math.exp(-(max(scores) - EVIDENCE_MIDDLE) / EVIDENCE_WIDTH))


@dataclass(frozen=True)
class RouterRule:
    """When the cheap model is asked. ``threshold`` None: nothing was calibrated."""

    mode: RouterMode
    threshold: float | None
    origin: str = "no threshold was calibrated: run `roma calibrate router SET`, or set ROMA_ROUTER_THRESHOLD"
    """Where the threshold comes from, or why there is none."""

    def choose(self, difficulty: Difficulty) -> tuple[RouteChoice, str]:
        """Return the model for a question and the reason for it."""
        if self.threshold is None:
            return "strong", self.origin
        is_easy = difficulty.value <= self.threshold
        sign = "at most" if is_easy else "above"
        reason = f"difficulty {difficulty.value:.2f}, {sign} {self.threshold:.2f} ({self.origin})"
        return ("cheap" if is_easy else "strong"), f"{reason}: {difficulty.words}"


class RoutingWriter:
    """Writer over a cheap and a strong one.

    For example::

        writer = RoutingWriter(cheap, strong, RouterRule("cascade", 0.5), find_price, check)
        pieces = [piece async for piece in writer.write("When was it built?", passages, context)]
    """

    def __init__(
        self,
        cheap: Writer,
        strong: Writer,
        rule: RouterRule,
        find_price: FindPrice,
        check: CheckCitations | None = None,
    ) -> None:
        """``check`` is needed for a cascade."""
        self.cheap = cheap
        self.strong = strong
        self.rule = rule
        self._find_price = find_price
        self._check = check if rule.mode == "cascade" else None

    @property
    def name(self) -> str:
        return self.strong.name

    @property
    def fingerprint(self) -> str:
        parts = (self.rule.mode, str(self.rule.threshold), self.cheap.fingerprint, self.strong.fingerprint)
        return f"router/{VERSION}:{digest('router', *parts)[:12]}"

    async def health(self) -> ComponentHealth:
        """Return ``degraded`` without a threshold: then the strong model answers everything."""
        if self.rule.threshold is not None:
            return ComponentHealth(details={"router": self.rule.mode, "threshold": self.rule.threshold})
        return ComponentHealth(state="degraded", reason=f"the strong model writes every answer: {self.rule.origin}")

    async def write(
        self, question: str, passages: Sequence[ScoredChunk], context: WritingContext
    ) -> AsyncGenerator[Piece, None]:
        """Yield the answer of one of the two models; its draft says which and why. Raises the strong one's error."""
        difficulty = measure_difficulty(question, passages, context.lookup_count)
        choice, reason = self.rule.choose(difficulty)
        route = ModelRoute(
            choice=choice, reason=reason, difficulty=difficulty.value, threshold=self.rule.threshold, saved_usd=0.0
        )
        if choice == "strong":
            writing = self._pass_on(self.strong, route, question, passages, context)
        elif self._check is None:
            writing = self._pass_on(self.cheap, route, question, passages, context)
        else:
            writing = self._cascade(self._check, route, question, passages, context)
        async with aclosing(writing) as pieces:
            async for piece in pieces:
                yield piece

    async def _pass_on(
        self,
        writer: Writer,
        route: ModelRoute,
        question: str,
        passages: Sequence[ScoredChunk],
        context: WritingContext,
    ) -> AsyncGenerator[Piece, None]:
        """Yield what a writer writes, with the route in its draft."""
        async with aclosing(writer.write(question, passages, context)) as pieces:
            async for piece in pieces:
                yield self._finish(piece, route) if isinstance(piece, Draft) else piece

    def _finish(self, draft: Draft, route: ModelRoute) -> Draft:
        """Return the draft with its route. Where the cheap model failed and the strong one wrote, it says so."""
        if route.choice != "cheap":
            return replace(draft, route=route)
        if draft.reason.startswith(FALLBACK):
            failures = draft.reason.removeprefix(FALLBACK)
            failed = route.model_copy(update={"choice": "strong", "reason": f"the cheap model failed: {failures}"})
            is_next = ", " not in failures  # the strong model is asked after the cheap one, others after both
            return replace(draft, route=failed, reason=failed.reason if is_next else draft.reason)
        return replace(draft, route=route.model_copy(update={"saved_usd": self._find_saving(draft.usage)}))

    def _find_saving(self, usage: Usage) -> float | None:
        """Return what the strong model would have cost more for the same tokens; None when a price is not known."""
        price = self._find_price(self.strong.name, usage)
        if price is None or usage.cost_usd is None:
            return None
        return 0.0 if usage.cache_hits else price - usage.cost_usd

    async def _cascade(
        self,
        check: CheckCitations,
        route: ModelRoute,
        question: str,
        passages: Sequence[ScoredChunk],
        context: WritingContext,
    ) -> AsyncGenerator[Piece, None]:
        """Yield the cheap model's answer once its citations hold, else the strong one's."""
        held: list[str] = []
        draft: Draft | None = None
        try:
            async with aclosing(self._pass_on(self.cheap, route, question, passages, context)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Thoughts):
                        yield piece
                    elif isinstance(piece, Draft):
                        draft = piece
                    else:
                        held.append(piece)
        except RomaError as error:
            trouble = f"the cheap model failed: {error.code.value}"
        else:
            trouble = "" if draft is None else await self._find_trouble(check, draft, passages, context)
        if draft is not None and not trouble:
            for text in held:
                yield text
            yield draft
            return
        async with aclosing(self._escalate(draft, trouble, route, question, passages, context)) as pieces:
            async for piece in pieces:
                yield piece

    async def _find_trouble(
        self, check: CheckCitations, draft: Draft, passages: Sequence[ScoredChunk], context: WritingContext
    ) -> str:
        """Return why the cheap model's answer cannot be given; nothing is checked that the strong one wrote."""
        if draft.route is None or draft.route.choice != "cheap":
            return ""
        return await check(draft, passages, context)

    async def _escalate(
        self,
        first: Draft | None,
        trouble: str,
        route: ModelRoute,
        question: str,
        passages: Sequence[ScoredChunk],
        context: WritingContext,
    ) -> AsyncGenerator[Piece, None]:
        """Yield the strong model's answer, whose draft counts the cost of both."""
        spent = first.usage if first is not None else Usage()
        lost = None if spent.cost_usd is None else -spent.cost_usd
        again = route.model_copy(
            update={"choice": "escalated", "reason": f"{trouble}; {route.reason}", "saved_usd": lost}
        )
        async with aclosing(self.strong.write(question, passages, context)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Draft):
                    yield replace(piece, usage=spent + piece.usage, route=again)
                else:
                    yield piece
