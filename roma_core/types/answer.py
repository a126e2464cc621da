"""Answers: citations with the words they stand on, what an answer cost, and the events of a stream."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args

from pydantic import Field, field_validator

from roma_core.errors import AgentFailure, count_noun
from roma_core.types.base import Noun, frame
from roma_core.types.document import ScoredChunk, Span
from roma_core.types.query import Persona

if TYPE_CHECKING:
    import pandas as pd

CitationVerdict = Literal["verbatim", "supported", "partial", "contradicted", "unsupported", "unchecked"]
PROVEN: Final[frozenset[CitationVerdict]] = frozenset({"verbatim", "supported"})
"""Verdicts of a statement that a passage proves."""
VERDICT_WORDS: dict[CitationVerdict, str] = {
    "verbatim": "word for word",
    "supported": "supported",
    "partial": "partly supported",
    "contradicted": "contradicted",
    "unsupported": "not supported",
    "unchecked": "not checked",
}
"""Verdicts in the words of a reader."""

CitationPolicy = Literal["strict", "mark", "off"]
"""Treatment of what no passage proves: *strict* takes it out, *mark* shows it, *off* checks nothing."""


class Answered(StrEnum):
    """The proven part of an answer: every statement, a part of them, or none. Only *unknown* is false.

    >>> bool(Answered.PARTLY), bool(Answered.UNKNOWN)
    (True, False)
    """

    KNOWN = "known"
    PARTLY = "partly"
    UNKNOWN = "unknown"

    def __bool__(self) -> bool:
        return self is not Answered.UNKNOWN


class Statement(Noun):
    """A statement of an answer and its verdict: the best of its citations, or of all passages where it has none."""

    start: int
    end: int
    verdict: CitationVerdict
    markers: tuple[int, ...] = ()
    decided_by: tuple[str, ...] = ()
    text: str = ""
    """Its words, where they were taken out of the answer."""


class Citation(Noun):
    """A marker ``[n]`` in the answer and the words of the source that it stands for.

    ``document.text[start:end] == quote``; ``answer[answer_start:answer_end]`` is the claim that the marker supports.
    """

    marker: int = Field(ge=1)
    chunk_id: str
    document_id: str
    uri: str
    title: str
    page: int | None = None
    place: str = ""
    start: int
    end: int
    quote: str
    answer_start: int
    answer_end: int
    verdict: CitationVerdict = "unchecked"
    score: float | None = None
    decided_by: tuple[str, ...] = ()
    """Words that decided the verdict, one difference each; empty where nothing differs."""
    found_by: Literal["answer", "roma"] = "answer"
    """Who cited: the answer itself, or ROMA for an unmarked statement that a passage proves."""


class Usage(Noun):
    """Usage of model calls. ``cost_usd`` is None when a price is unknown, never 0; None is contagious in sums."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    """Of the input: read from the vendor's prompt cache, at a part of the price."""
    cache_written_tokens: int = 0
    """Of the input: written to that cache, at a higher price."""
    reasoning_tokens: int = 0
    cost_usd: float | None = 0.0
    cache_hits: int = 0
    saved_usd: float | None = 0.0
    estimated: bool = False
    """True when the provider reported no usage and the tokens were counted here."""

    def __add__(self, other: Usage) -> Usage:
        def plus(a: float | None, b: float | None) -> float | None:
            return None if a is None or b is None else a + b

        return Usage(
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            cache_written_tokens=self.cache_written_tokens + other.cache_written_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            cost_usd=plus(self.cost_usd, other.cost_usd),
            cache_hits=self.cache_hits + other.cache_hits,
            saved_usd=plus(self.saved_usd, other.saved_usd),
            estimated=self.estimated or other.estimated,
        )

    @classmethod
    def total(cls, parts: Iterable[Usage]) -> Usage:
        """Return the sum of ``parts``; zero when there are none."""
        result = cls()
        for part in parts:
            result = result + part
        return result


class SavedWork(Noun):
    """What an answer out of the cache has saved: the cost of writing it, which the one who asked first had."""

    made_at: datetime
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0
    """None when a price is unknown."""

    @property
    def tokens(self) -> int:
        """Return the tokens of both directions."""
        return self.input_tokens + self.output_tokens

    @property
    def words(self) -> str:
        """Return one line for a person: "from the cache of answers, which saved 1 call, 310 tokens, $0.0012"."""
        cost = "an unknown cost" if self.cost_usd is None else f"${self.cost_usd:.4f}"
        return f"from the cache of answers, which saved {count_noun(self.calls, 'call')}, {self.tokens} tokens, {cost}"


RouteChoice = Literal["cheap", "strong", "escalated"]
"""The model that wrote; *escalated* is the strong one after the cheap one, whose answer did not hold."""


class ModelRoute(Noun):
    """The choice between a cheap and a strong model for one question, its reason, and what it saved."""

    choice: RouteChoice
    reason: str
    difficulty: float
    """By features of question and passages, in 0..1."""
    threshold: float | None = None
    """Difficulty up to which the cheap model is asked; None when nothing was calibrated."""
    saved_usd: float | None = 0.0
    """Against the strong model alone: what its price for the same tokens is above the cost. Negative where the cheap
    model's answer was not used; None when a price is not known."""

    @property
    def words(self) -> str:
        """Return one line for a person.

        >>> ModelRoute(choice="cheap", reason="difficulty 0.20, at most 0.50", difficulty=0.2, saved_usd=0.001).words
        'cheap model, saved $0.0010: difficulty 0.20, at most 0.50'
        """
        if self.saved_usd is None:
            saving = "saved an unknown amount"
        elif self.saved_usd < 0:
            saving = f"cost ${-self.saved_usd:.4f} more"
        else:
            saving = f"saved ${self.saved_usd:.4f}"
        model = "strong model after the cheap one" if self.choice == "escalated" else f"{self.choice} model"
        return f"{model}, {saving}: {self.reason}"


CITATION_COLUMNS = (
    "marker",
    "title",
    "place",
    "page",
    "quote",
    "start",
    "end",
    "verdict",
    "score",
    "uri",
    "document_id",
)


class TailorOutput(Noun):
    """An answer with its citations."""

    answer: str
    citations: tuple[Citation, ...] = ()
    follow_ups: tuple[str, ...] = ()
    persona: Persona = "general"
    usage: Usage = Usage()
    degraded: bool = False
    degraded_reasons: tuple[str, ...] = ()
    answer_id: str = ""
    model: str = ""
    """``provider:model`` that wrote the answer; extractive answers say ``extractive``."""
    model_reason: str = ""
    """Why that model: configured, auto, or the failure that led to a fallback."""
    passages: tuple[ScoredChunk, ...] = Field(default=(), repr=False)
    considered: tuple[str, ...] = Field(default=(), repr=False, exclude=True)
    """Ids of all passages that were looked up, best first, of which ``passages`` are the top. Not part of the wire."""
    answered: Answered = Answered.KNOWN
    """How much of the answer is proven; *unknown*, which is false, when ROMA says that it does not know."""
    statements: tuple[Statement, ...] = ()
    """The statements of the answer with their verdicts, in order."""
    removed: tuple[Statement, ...] = ()
    """Statements that were taken out because no passage supports them."""
    frame: tuple[Span, ...] = ()
    """Places of the lines that ROMA wrote around quotes ("The sources disagree ..."): they state nothing. A model that
    writes an answer declares none, so whatever it says is a statement."""
    flags: tuple[str, ...] = ()
    """Names of the guardrail rules that fired without blocking."""
    prompt_hash: str = ""
    """Hash of the prompt that the answer was written with; empty when no prompt was read (extractive)."""
    route: ModelRoute | None = None
    """The choice between the cheap and the strong model; None where one model answers all (``ROMA_ROUTER=off``)."""
    saved: SavedWork | None = None
    """What was saved because the answer comes from the cache of answers; None for one that was written now."""

    @field_validator("answered", mode="before")
    @classmethod
    def _from_bool(cls, answered: object) -> object:
        if isinstance(answered, bool):
            return Answered.KNOWN if answered else Answered.UNKNOWN
        return answered

    @property
    def verdicts(self) -> dict[CitationVerdict, int]:
        """Return how many statements have each verdict, those that were taken out included; zeros are left out."""
        counts = Counter(statement.verdict for statement in (*self.statements, *self.removed))
        return {verdict: counts[verdict] for verdict in get_args(CitationVerdict) if counts[verdict]}

    @property
    def proof(self) -> str:
        """Return one line on what is proven: "4 of 5 statements proven, 1 not supported"; empty without statements."""
        counts = self.verdicts
        total = sum(counts.values())
        if not total:
            return ""
        proven = counts.get("verbatim", 0) + counts.get("supported", 0)
        others = [f"{n} {VERDICT_WORDS[verdict]}" for verdict, n in counts.items() if verdict not in PROVEN]
        taken_out = [f"{len(self.removed)} taken out"] if self.removed else []
        return ", ".join([f"{proven} of {count_noun(total, 'statement')} proven", *others, *taken_out])

    def citation_at(self, position: int, number: int) -> Citation | None:
        """Return the citation that the marker ``[number]`` at ``position`` of the answer stands for."""
        ours = [citation for citation in self.citations if citation.marker == number]
        before = [citation for citation in ours if citation.answer_start <= position]
        if before:
            return max(before, key=lambda citation: citation.answer_start)
        return min(ours, key=lambda citation: citation.answer_start, default=None)

    def to_frame(self) -> pd.DataFrame:
        """Return the citations as a table, one a row."""
        return frame(self.citations, CITATION_COLUMNS)

    def _repr_html_(self) -> str:
        from roma_core.ui.values import render_answer  # above this floor: a value is drawn when it is shown

        return render_answer(self)

    def _repr_markdown_(self) -> str:
        from roma_core.ui.values import write_answer

        return write_answer(self)


class StageEvent(Noun):
    """A stage that has begun or ended, as its name tells. ``elapsed_ms`` counts from the query.

    ROMA's own are ``guarded``, ``planned``, ``retrieved``, ``reranked``, ``writing`` and ``verifying``; a stage that
    was added to the pipeline has its own name.
    """

    type: Literal["stage"] = "stage"
    stage: str
    elapsed_ms: float
    detail: dict[str, Any] = Field(default_factory=dict)
    says: str = ""
    """Words for a person who waits: the work that goes on now."""


class TokenEvent(Noun):
    """The next piece of the answer, in order."""

    type: Literal["token"] = "token"
    text: str


class CompleteEvent(Noun):
    """The final answer; its text may differ from the tokens (guardrails, dropped markers). Terminal."""

    type: Literal["complete"] = "complete"
    output: TailorOutput


class ErrorEvent(Noun):
    """No answer. Terminal."""

    type: Literal["error"] = "error"
    failure: AgentFailure


StreamEvent = Annotated[StageEvent | TokenEvent | CompleteEvent | ErrorEvent, Field(discriminator="type")]
