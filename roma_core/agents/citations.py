"""Citations: from markers in an answer to words of the source, at offsets that are proven when the answer is given.

A number survives when its passage still stands in the stored document where its chunk says; the quote is cut from the
document itself, so ``document.text[start:end] == quote`` cannot be otherwise. What cannot be proven is taken out of the
answer and counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from roma_core.agents.base import Agent, boundary
from roma_core.agents.context import Context
from roma_core.agents.pipeline import Recovery, Stage, Then
from roma_core.citations import verify_claim
from roma_core.citations.words import read_words
from roma_core.errors import AgentFailure
from roma_core.markup import (
    Claim,
    mask_markers,
    normalise_markers,
    read_markers,
    rewrite_markers,
    split_claims,
)
from roma_core.store.base import ChunkStore
from roma_core.types import Citation, ComponentHealth, Document, ScoredChunk

MOST_DEFINING_CHARS = 200_000
"""Characters of a document up to which all of it is searched for the acronyms that it defines."""
_STATES_FACTS = frozenset({"paragraph", "list", "quote", "table", "caption", "footnote"})


@dataclass(frozen=True)
class Cited:
    """An answer whose markers are all proven: each ``[n]`` in ``answer`` names a passage that has a citation here."""

    answer: str
    citations: tuple[Citation, ...] = ()
    unknown: int = 0
    """Markers dropped because no such passage was given."""
    stale: int = 0
    """Markers dropped because the document was changed or removed since it was retrieved."""
    uncited: int = 0
    """Sentences that state something and carry no marker."""


class CitationAgent(Agent):
    """Resolves and verifies. Needs the store at answer time: what it cannot look up it does not cite."""

    name = "citations"

    def __init__(self, store: ChunkStore) -> None:
        self._store = store

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stage verify."""
        bare = "the answer without citations: what cannot be proven is not cited"
        return (
            Stage(
                "verify",
                self._verify_citations,
                Recovery(2, Then.GO_ON_DEGRADED, bare),
                says="Checking citations …",
                agent=self,
                event_at_start="verifying",
                applies=lambda context: context.draft is not None,
                version="1",
            ),
        )

    async def health(self) -> ComponentHealth:
        store = await self._store.health()
        return ComponentHealth(name=self.name, state=store.state, reason=store.reason)

    @boundary
    async def resolve(self, answer: str, passages: Sequence[ScoredChunk], tenant: str) -> Cited:
        """The answer with proven citations. Raises ``StoreError`` (as a failure) when the store is away."""
        normal = normalise_markers(answer, len(passages), [p.chunk.text for p in passages])
        numbers = {n for m in read_markers(normal, len(passages)) for n in m.numbers if 1 <= n <= len(passages)}
        documents = await self._documents({passages[n - 1].chunk.document_id for n in numbers}, tenant)
        proven = {n: d for n in sorted(numbers) if (d := stands_in(passages[n - 1], documents)) is not None}
        return cite(normal, passages, proven)

    async def _verify_citations(self, context: Context) -> AgentFailure | None:
        if context.is_unknown:
            return None
        cited = await self.resolve(context.answer, context.passages, context.query.tenant)
        if isinstance(cited, AgentFailure):
            return cited
        context.cited = cited
        if cited.stale:
            context.degraded.append(f"citations: {cited.stale} of a document that has changed since were dropped")
        return None

    async def _documents(self, ids: set[str], tenant: str) -> dict[str, Document]:
        found = await asyncio.gather(*(self._store.document(tenant, id_) for id_ in sorted(ids)))
        return {d.id: d for d in found if d is not None}


def stands_in(passage: ScoredChunk, documents: Mapping[str, Document]) -> Document | None:
    """The passage's document if it still has the passage's text at the passage's offsets."""
    chunk = passage.chunk
    document = documents.get(chunk.document_id)
    if document is None or not chunk.text or document.text[chunk.start : chunk.end] != chunk.text:
        return None
    return document


def cite(answer: str, passages: Sequence[ScoredChunk], proven: Mapping[int, Document]) -> Cited:
    """Citations of ``answer`` from ``proven``, which gives the document of each number that may be cited. Pure."""
    size = len(passages)
    known, unknown = rewrite_markers(answer, size, lambda n: True)
    text, stale = rewrite_markers(known, size, proven.__contains__)
    found = split_claims(text, size)
    blank = mask_markers(text, read_markers(text, size))
    return Cited(
        answer=text,
        citations=tuple(_citations(blank, found, passages, proven)),
        unknown=unknown,
        stale=stale,
        uncited=sum(_lacks_marker(blank, claim) for claim in found),
    )


def _citations(
    text: str, found: Sequence[Claim], passages: Sequence[ScoredChunk], proven: Mapping[int, Document]
) -> Iterator[Citation]:
    for claim in found:
        for number in claim.numbers:
            yield _citation(text, claim, number, passages[number - 1], proven[number])


def _citation(text: str, claim: Claim, number: int, passage: ScoredChunk, document: Document) -> Citation:
    chunk = passage.chunk
    context = "\n".join((chunk.title, *chunk.headings, chunk.context))
    defining = document.text if len(document.text) <= MOST_DEFINING_CHARS else ""
    found = verify_claim(text[claim.start : claim.end], chunk.text, context, defining)
    start, end = chunk.start + found.start, chunk.start + found.end
    page = document.page_at(start)
    return Citation(
        marker=number,
        chunk_id=chunk.id,
        document_id=document.id,
        uri=chunk.uri,
        title=chunk.title,
        page=page.number if page else chunk.page,
        place=document.place(start) or chunk.place,
        start=start,
        end=end,
        quote=document.text[start:end],
        answer_start=claim.start,
        answer_end=claim.end,
        verdict=found.verdict,
        score=found.score,
        decided_by=tuple(str(reason) for reason in found.reasons),
    )


def _lacks_marker(text: str, claim: Claim) -> bool:
    """Whether the claim states something (three content words or a number) without a marker."""
    if claim.numbers or claim.kind not in _STATES_FACTS:
        return False
    content = [word for word in read_words(text[claim.start : claim.end]) if word.is_content]
    return len(content) >= 3 or any(word.is_number for word in content)
