"""Answers without a language model: the sentences that answer best, quoted word for word and cited.

The cross-encoder reads every sentence of the passages that are near the best one, each in its surroundings
(``quotable``). The best is quoted, with up to two more close to it and the sentence that goes on from it. What was
tuned on what, and what it reaches on questions that nothing was tuned on, is in ``docs/12_EXTRACTIVE.md``. It is no
judge of questions that the passages nearly answer: relevance is not answerability.
"""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from roma_core.errors import ErrorCode, LLMError
from roma_core.llm.base import I_DONT_KNOW, LLMDelta, LLMRequest
from roma_core.llm.quotable import Candidate, candidates
from roma_core.markup import escape_markers
from roma_core.types import ComponentHealth, ScoredChunk, Usage, digest

Scorer = Callable[[str, Sequence[str]], Awaitable[list[float]]]
"""``(question, texts)`` to one score a text, higher is better: ``Reranker.scores``, or ``overlap_scores``."""

VERSION = "3"
MOST_SENTENCES = 3
MOST_PASSAGES = 5
SHORT_WORDS = 40
"""Up to here an answer is given the sentence that goes on from its best one: the answer is often in that."""


@dataclass(frozen=True)
class Calibration:
    """What the scores of one scorer mean. Measured for that scorer, worthless for any other."""

    refuse_below: float
    """Best passage score under which the passages are about something else."""
    answer_from: float
    """Least evidence for an answer; evidence is the best passage's score, plus the best sentence's, less ``missing``
    for each name in the question that nothing quoted is about."""
    confident_from: float
    """Evidence from which the answer is not called uncertain."""
    missing: float
    gap: float
    """How far below the best sentence another one may score and still be quoted."""
    passage_gap: float
    """How far below the best passage another one may score and still be read."""


CALIBRATIONS: dict[str, Calibration] = {
    # Logits of ms-marco-MiniLM-L-12-v2 (int8); docs/12_EXTRACTIVE.md.
    "ms-marco-MiniLM-L-12": Calibration(
        refuse_below=-1.8, answer_from=3.5, confident_from=7.0, missing=4.0, gap=3.0, passage_gap=4.0
    ),
    # Share of the question's content words found: nothing found is nothing known.
    "overlap": Calibration(
        refuse_below=0.01, answer_from=0.0, confident_from=1.2, missing=0.0, gap=0.2, passage_gap=1.0
    ),
}
UNCALIBRATED = Calibration(-math.inf, -math.inf, -math.inf, 0.0, 0.0, math.inf)
"""For a scorer that nobody has measured: the best sentence whatever its score, and no refusal."""


def calibration_of(scorer_name: str) -> Calibration | None:
    """The calibration whose model is named in ``scorer_name``; None for models that nobody has calibrated."""
    wanted = _letters(scorer_name)
    return next((known for name, known in CALIBRATIONS.items() if _letters(name) in wanted), None)


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold().replace("l-12", "l12"))


class ExtractiveLLM:
    """The provider that quotes. Reads ``question`` and ``passages`` of the request and nothing else."""

    def __init__(self, scorer: Scorer | None = None, scorer_name: str = "") -> None:
        self._scorer = scorer or overlap_scores
        self._scorer_name = scorer_name if scorer else "overlap"
        self._calibration = calibration_of(self._scorer_name)

    @property
    def name(self) -> str:
        return "extractive"

    @property
    def generative(self) -> bool:
        return False

    @property
    def thinking_tokens(self) -> int:
        return 0

    @property
    def endpoint(self) -> str:
        return self.name

    @property
    def fingerprint(self) -> str:
        return f"extractive/{VERSION}:{self._scorer_name}"

    async def ready(self) -> None:
        """Nothing is loaded here."""

    async def health(self) -> ComponentHealth:
        return ComponentHealth()

    async def aclose(self) -> None:
        """Nothing is held open."""

    async def stream(self, request: LLMRequest) -> AsyncIterator[LLMDelta]:
        if request.question is None or request.json_schema is not None:
            raise LLMError(
                "Extractive answers quote passages; planning, rewriting and judging need a generative model.",
                ErrorCode.LLM_BAD_REQUEST,
            )
        parts, reason = await self._answer(request.question, request.passages)
        for part in parts:
            yield LLMDelta(text=part)
        yield LLMDelta(
            finish_reason="stop",
            usage=Usage(),
            provider="extractive",
            model="",
            reason=reason,
            request_id=digest(self.fingerprint, request.question)[:16],
        )

    async def _answer(self, question: str, passages: Sequence[ScoredChunk]) -> tuple[list[str], str]:
        """Pieces of the answer in order, and what is to be said about its certainty."""
        known = self._calibration or UNCALIBRATED
        considered = passages[:MOST_PASSAGES]
        if not considered:
            return [I_DONT_KNOW], "no passages"
        passage_scores = await self._passage_scores(question, considered)
        best = max(passage_scores)
        if best < known.refuse_below:
            return [I_DONT_KNOW], f"best passage scores {best:.1f}, below {known.refuse_below}"
        every = [o for o in candidates(considered) if not echoes(question, o.quote)]
        options = [o for o in every if passage_scores[o.passage - 1] >= best - known.passage_gap] or every
        if not options:
            return [I_DONT_KNOW], "the passages hold no sentence to quote"
        scores = await self._scorer(question, [o.scored_text for o in options])
        chosen = choose(options, scores, known.gap)
        evidence = best + max(scores) - known.missing * len(unmentioned(question, chosen))
        if evidence < known.answer_from:
            return [I_DONT_KNOW], f"the evidence scores {evidence:.1f}, below {known.answer_from}"
        if self._calibration is None:
            return render(chosen), f"uncalibrated reranker {self._scorer_name or 'without a name'}: never refuses"
        return render(chosen), "" if evidence >= known.confident_from else "low confidence"

    async def _passage_scores(self, question: str, passages: Sequence[ScoredChunk]) -> list[float]:
        """The scores that retrieval already paid for, if the same reranker gave them."""
        known = [p.scores["rerank"] for p in passages if "rerank" in p.scores]
        if len(known) == len(passages) and self._scorer is not overlap_scores:
            return known
        return await self._scorer(question, [p.chunk.text for p in passages])


def choose(options: Sequence[Candidate], scores: Sequence[float], gap: float) -> list[Candidate]:
    """The best unit and up to two more within ``gap`` of it, each with the lines that it announces, in document order.

    While that is short, the sentence that goes on from the best one comes too. Ties go to the earlier unit.
    """
    order = sorted(range(len(options)), key=lambda i: (-scores[i], i))
    picked = [options[i] for i in order[:MOST_SENTENCES] if scores[i] >= scores[order[0]] - gap]
    places = {unit.document_place: unit for option in picked for unit in (option, *option.follows)}
    goes_on = picked[0].next
    if goes_on and sum(len(unit.quote.split()) for unit in (*places.values(), goes_on)) <= SHORT_WORDS:
        places.setdefault(goes_on.document_place, goes_on)
    documents = list(dict.fromkeys(o.document_place[0] for o in options))
    return sorted(places.values(), key=lambda o: (documents.index(o.document_place[0]), o.document_place[1]))


def echoes(question: str, quote: str) -> bool:
    """Whether ``quote`` holds the whole question and little else, as examples and lists of questions do."""
    asked, said = (" ".join(["", *re.findall(r"\w+", text.casefold()), ""]) for text in (question, quote))
    return bool(asked.strip()) and asked in said and len(said) < 2 * len(asked)


_WORD = re.compile(r"[^\W_][\w.+-]*\w|\w")
_NAME_INSIDE = re.compile(r"\d|_|[a-z][A-Z]")


def names(question: str) -> list[str]:
    """Words that name something: capitalised within the sentence, or with a digit, an underscore or a capital inside.

    A question that capitalises most of its words (a title, German nouns) tells nothing by it and names nothing.
    """
    words = _WORD.findall(question)
    if 2 * sum(w[0].isupper() for w in words) > len(words):
        return []
    return [w for i, w in enumerate(words) if (i and w[0].isupper() and w != "I") or _NAME_INSIDE.search(w)]


def unmentioned(question: str, chosen: Sequence[Candidate]) -> list[str]:
    """Names in the question that neither what is quoted nor its title and headings hold."""
    said = "\n".join(option.scored_text for option in chosen).casefold()
    return [name for name in names(question) if name.casefold().rstrip("s.") not in said]


def render(chosen: Sequence[Candidate]) -> list[str]:
    """Each quote followed by its marker. Prose runs on; list items, rows and code stand on lines of their own."""
    pieces: list[str] = []
    for position, option in enumerate(chosen):
        runs_on = position > 0 and option.prose and chosen[position - 1].prose
        glue = "" if position == 0 else " " if runs_on else "\n\n"
        pieces.append(f"{glue}{_shown(option)} [{option.passage}]")
    return pieces


def _shown(option: Candidate) -> str:
    if option.sentence.kind == "code":
        fence = "``" if "`" in option.quote else "`"
        return f"{fence}{option.quote}{fence}"
    return escape_markers(option.quote)


_STOP_WORDS = """
a about an and are as at be been but by can could did do does for from had has have how i in into is it its me my no
not of on or our should so than that the their then there these they this to us was we were what when where which
while who whom whose why will with would you your
"""
_STOP = frozenset(_STOP_WORDS.split())


def _content_words(text: str) -> set[str]:
    return {w for w in re.findall(r"\w+", text.casefold()) if w not in _STOP}


async def overlap_scores(question: str, texts: Sequence[str]) -> list[float]:
    """The scorer of last resort: which share of the question's content words a text holds, rare ones counting more.

    A word's weight is ``ln(1 + n / df)`` over the ``n`` texts; scores lie in 0..1.
    """
    wanted = _content_words(question)
    held = [_content_words(t) for t in texts]
    weight = {w: math.log1p(len(texts) / max(1, sum(w in h for h in held))) for w in wanted}
    whole = math.fsum(weight.values())
    return [math.fsum(weight[w] for w in wanted & h) / whole if whole else 0.0 for h in held]
