"""The context of one query: what its stages know, add and hand on."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from roma_core.llm.base import FALLBACK, I_DONT_KNOW
from roma_core.markup import normalise_markers, read_markers, says_unknown
from roma_core.store.filters import read_filters
from roma_core.types import Query, ScoredChunk, TailorOutput, Usage
from roma_core.writers.base import Draft

if TYPE_CHECKING:
    from roma_core.citations import Cited


class TextFilter(Protocol):
    """A filter over the pieces of an answer that may hold some back until more is known."""

    def feed(self, text: str) -> str:
        """Return the part that can be shown now."""
        ...

    def rest(self) -> str:
        """Return the part that was held back, once nothing follows."""
        ...


@dataclass
class Lookup:
    """One search for passages. The first of a query is the user's own question."""

    text: str
    """The words that are searched; ``{2}`` stands for the finding of sub-question 2."""
    rank_by: str = ""
    """The question that the reranker reads; empty for ``text`` itself."""
    number: int = 0
    """Number of the sub-question in its plan, from 1; 0 for look-ups of other stages."""
    needs: tuple[int, ...] = ()
    """Sub-questions whose findings go into ``text``: their look-ups come in an earlier round."""
    round: int | None = None
    """The round in which it was looked up; None while it waits."""
    passages: tuple[ScoredChunk, ...] | None = None
    """Passages, best first; None before they were found and where the search failed."""
    is_ranked: bool = False
    finding: str | None = None
    """The short answer that later look-ups build on; empty where the passages hold none."""


@dataclass
class Context:
    """The state of one query. Stages read it, and write to it when they have succeeded.

    A stage of one's own usually calls ``look_up`` (before ``retrieve``), reorders ``passages`` (after it), or reads
    ``question``::

        async def hyde(context: Context) -> None:
            context.look_up(await imagine_answer(context.question), rank_by=context.question)
    """

    query: Query
    question: str
    """The question in the user's own words, as the guardrails let it pass."""
    lookups: list[Lookup]
    reading: str = ""
    """The question as the conversation reads it, in words that stand alone; empty when it stands alone itself."""
    passages: tuple[ScoredChunk, ...] = ()
    """The passages of all look-ups, best first."""
    considered: tuple[str, ...] = ()
    """Ids of all passages that were looked up, best first."""
    draft: Draft | None = None
    answer: str = ""
    """The draft's text, its markers written as ``[n]``, as the guardrails let it pass."""
    cited: Cited | None = None
    output: TailorOutput | None = None
    usage: Usage = field(default_factory=Usage)
    flags: list[str] = field(default_factory=list)
    degraded: list[str] = field(default_factory=list)
    """Why the answer is degraded, in the order in which it happened; see ``reasons``."""
    notes: list[str] = field(default_factory=list)
    """Remarks that are shown with the reason of the model: how passages were ranked, in which script the answer is."""
    dropped: list[str] = field(default_factory=list)
    """Rewrites and plans of a model that were about something else."""
    round: int = 0
    """The round of look-ups that is under way, from 0."""
    text_filter: TextFilter | None = None
    """A filter that the pieces of the answer pass on their way to the reader."""
    holds_back: bool = False
    """True when a stage may yet change or refuse the answer, so that no piece of it is shown before it is whole."""
    writer_failures: list[str] = field(default_factory=list)
    """Writers that failed before another one wrote, with their codes."""

    @classmethod
    def begin(cls, query: Query) -> Context:
        """Return the context of a new query: its question is the first look-up.

        Filters in the text (``author:doe after:2024``) become filters of the query; those of the caller outrank them.
        """
        question, filters = read_filters(query.text)
        if filters:
            query = query.model_copy(update={"filters": {**filters, **query.filters}})
        return cls(query=query, question=question, lookups=[Lookup(question)])

    def set_question(self, question: str) -> None:
        """Replace the question by the same words without blanks around them."""
        self.question = self.lookups[0].text = question

    def look_up(self, text: str, *, rank_by: str = "", number: int = 0, needs: Iterable[int] = ()) -> None:
        """Add a look-up, unless there is one with these words."""
        text = " ".join(text.split())
        if not text or any(same_words(text, lookup.text) for lookup in self.lookups):
            return
        self.lookups.append(Lookup(text, rank_by=rank_by, number=number, needs=tuple(needs)))

    def read_as(self, reading: str) -> None:
        """Note how the conversation reads the question: more words for the first look-up, or a look-up beside it."""
        if not reading or same_words(reading, self.question):
            return
        self.reading = reading
        if self.question in reading:
            self.lookups[0].text = reading
        else:
            self.look_up(reading)

    @property
    def standalone(self) -> str:
        """The question in words that can be understood without the conversation."""
        return self.reading or self.question

    @property
    def lookup_count(self) -> int:
        """The number of look-ups, of all rounds."""
        return len(self.lookups)

    @property
    def candidates(self) -> tuple[ScoredChunk, ...]:
        """The passages that were found and are none of the answer's, the best of each look-up first."""
        given = {passage.chunk.id for passage in self.passages}
        others: dict[str, ScoredChunk] = {}
        for same_rank in itertools.zip_longest(*(lookup.passages or () for lookup in self.lookups)):
            for passage in same_rank:
                if passage is not None and passage.chunk.id not in given:
                    others.setdefault(passage.chunk.id, passage)
        return tuple(others.values())

    @property
    def current_lookups(self) -> list[Lookup]:
        """The look-ups of this round."""
        return [lookup for lookup in self.lookups if lookup.round == self.round]

    @property
    def waiting_lookups(self) -> list[Lookup]:
        """The look-ups that can be made now: their needs were looked up in an earlier round, they were not."""
        done = {lookup.number for lookup in self.lookups if lookup.round is not None and lookup.round < self.round}
        return [lookup for lookup in self.lookups if lookup.round is None and done.issuperset(lookup.needs)]

    @property
    def has_waiting_lookups(self) -> bool:
        """True when another round has something to look up."""
        done = {lookup.number for lookup in self.lookups if lookup.round is not None}
        return any(lookup.round is None and done.issuperset(lookup.needs) for lookup in self.lookups)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the answer is degraded, each reason once."""
        return tuple(dict.fromkeys(self.degraded))

    @property
    def is_unknown(self) -> bool:
        """True when the writer says that it does not know, or had nothing to write from."""
        return self.draft is None or is_unknown(self.draft.text, len(self.passages))

    def add_flags(self, names: Iterable[str]) -> None:
        """Add the names of guardrail rules that fired, each once."""
        for name in names:
            if name not in self.flags:
                self.flags.append(name)

    def take_draft(self, draft: Draft) -> None:
        """Note the whole answer, its cost, and what was missing when it was written."""
        self.draft = draft
        self.usage += draft.usage
        if self.fallback_reason or draft.reason.startswith(FALLBACK):
            self.degraded.append(f"llm: {self.model_reason}")
        if draft.passages_read < len(self.passages):
            read, given = draft.passages_read, len(self.passages)
            self.degraded.append(f"llm: the model reads no more than {read} of {given} passages")
            self.passages = self.passages[:read]
        self.passages += draft.added
        self.answer = normalise_markers(draft.text, len(self.passages), [p.chunk.text for p in self.passages])

    @property
    def fallback_reason(self) -> str:
        """Why another writer than the first one wrote; empty where the first one did."""
        return f"{FALLBACK}{', '.join(self.writer_failures)}" if self.writer_failures else ""

    @property
    def model_reason(self) -> str:
        """Why that model wrote the answer."""
        if self.draft is None:
            return "no passages"
        return "; ".join(part for part in (self.fallback_reason, self.draft.reason, *self.notes) if part)


def same_words(one: str, other: str) -> bool:
    """True when two texts differ by blanks, case and closing punctuation at most."""
    return _fold(one) == _fold(other)


def is_unknown(text: str, passages: int) -> bool:
    """True when an answer says that ROMA does not know: the agreed sentence, or its beginning without any marker.

    >>> is_unknown("I don't know.", passages=3)
    True
    """
    plain = " ".join(text.replace("’", "'").split()).casefold()
    if plain.startswith(I_DONT_KNOW.casefold().rstrip(".")):
        return True
    return (plain.startswith("i don't know") or says_unknown(text)) and not read_markers(text, passages)


def _fold(text: str) -> str:
    return " ".join(text.split()).casefold().rstrip(" .?!")
