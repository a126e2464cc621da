"""Citations: from markers in an answer to words of the source, at offsets that are proven when the answer is given.

A number survives when its passage still stands in the stored document where its chunk says; the quote is cut from the
document itself, so ``document.text[start:end] == quote`` cannot be otherwise. What cannot be proven is taken out of the
answer and counted. What becomes of statements that no passage proves is the policy's business (``ROMA_CITATIONS``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from roma_core.agents.base import Agent, boundary
from roma_core.agents.context import Context, is_unknown
from roma_core.agents.pipeline import Recovery, Stage, Then
from roma_core.citations import REFUSED, Cited, cite, count_verdicts, find_open_claims, is_statement
from roma_core.entailment import ENTAILED_FROM, EntailmentModel
from roma_core.errors import AgentFailure
from roma_core.llm.base import I_DONT_KNOW
from roma_core.markup import mask_markers, normalise_markers, read_markers, split_claims
from roma_core.store.base import ChunkStore
from roma_core.telemetry import metrics
from roma_core.types import CitationPolicy, ComponentHealth, Document, ScoredChunk
from roma_core.writers.base import Draft, WritingContext


class CitationAgent(Agent):
    """Resolves and verifies. Needs the store at answer time: what it cannot look up it does not cite."""

    name = "citations"

    def __init__(
        self, store: ChunkStore, policy: CitationPolicy = "mark", entailment: EntailmentModel | None = None
    ) -> None:
        """``entailment`` confirms what the check of words leaves open; it overrules nothing else."""
        self._store = store
        self._policy = policy
        self._entailment = entailment

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stage verify."""
        parameters: dict[str, str] = {"policy": self._policy}
        if self._entailment is not None:
            parameters["entailment"] = self._entailment.fingerprint
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
                version="3",
                parameters=parameters,
            ),
        )

    async def health(self) -> ComponentHealth:
        store = await self._store.health()
        return ComponentHealth(name=self.name, state=store.state, reason=store.reason)

    @boundary
    async def resolve(
        self, answer: str, passages: Sequence[ScoredChunk], tenant: str, frame: Sequence[str] = ()
    ) -> Cited:
        """Return the answer with proven citations; ``frame`` are lines that its writer declared to state nothing.

        Raises ``StoreError`` (as a failure) when the store is unavailable.
        """
        normal, proven = await self._prove(answer, passages, tenant)
        # Aligning words takes tens of milliseconds of processor time, which no other query should wait for.
        return await asyncio.to_thread(cite, normal, passages, proven, self._policy, None, frame)

    @boundary
    async def confirm(
        self, answer: str, passages: Sequence[ScoredChunk], tenant: str, frame: Sequence[str] = ()
    ) -> Cited | None:
        """Return the answer with what a model confirms of its open claims, all asked in one call; None for nothing.

        Raises ``EmbeddingError`` (as a failure) when the model cannot be loaded.
        """
        if self._entailment is None or self._policy == "off":
            return None
        normal, proven = await self._prove(answer, passages, tenant)
        claims = await asyncio.to_thread(find_open_claims, normal, passages, proven)
        probabilities = await self._entailment.entail([(text, claim.said) for claim, text in claims])
        confirmed = {
            claim: self._entailment.name
            for (claim, _), probability in zip(claims, probabilities, strict=True)
            if probability >= ENTAILED_FROM
        }
        if not confirmed:
            return None
        return await asyncio.to_thread(cite, normal, passages, proven, self._policy, confirmed, frame)

    async def _prove(
        self, answer: str, passages: Sequence[ScoredChunk], tenant: str
    ) -> tuple[str, dict[int, Document]]:
        """Return the answer with its markers in one form, and the documents in which its passages still stand."""
        normal = normalise_markers(answer, len(passages), [p.chunk.text for p in passages])
        numbers = self._wanted_numbers(normal, len(passages))
        documents = await self._documents({passages[n - 1].chunk.document_id for n in numbers}, tenant)
        return normal, {n: d for n in sorted(numbers) if (d := stands_in(passages[n - 1], documents)) is not None}

    def _wanted_numbers(self, answer: str, passages: int) -> set[int]:
        """Return the passages that the answer names; all of them where an unmarked statement is looked for."""
        markers = read_markers(answer, passages)
        named = {n for marker in markers for n in marker.numbers if 1 <= n <= passages}
        if self._policy == "off":
            return named
        masked = mask_markers(answer, markers)
        claims = split_claims(answer, passages)
        is_unmarked = any(not claim.numbers and is_statement(masked, claim) for claim in claims)
        return set(range(1, passages + 1)) if is_unmarked else named

    async def _verify_citations(self, context: Context) -> AgentFailure | None:
        if context.is_unknown:
            return None
        frame = context.draft.frame if context.draft is not None else ()
        cited = await self.resolve(context.answer, context.passages, context.query.tenant, frame)
        if isinstance(cited, AgentFailure):
            return cited
        confirmed = await self.confirm(context.answer, context.passages, context.query.tenant, frame)
        if isinstance(confirmed, AgentFailure):
            context.degraded.append(f"citations: the entailment model was not asked: {confirmed.code}")
        cited = confirmed if isinstance(confirmed, Cited) else cited
        metrics.count_verdicts(count_verdicts((*cited.statements, *cited.removed)))
        if cited.stale:
            context.degraded.append(f"citations: {cited.stale} of a document that has changed since were dropped")
        if cited.removed and not cited.statements:
            context.degraded.append("citations: no passage supports any statement of the answer; all were taken out")
            cited = replace(cited, answer=I_DONT_KNOW, citations=(), frame=())
        context.cited = cited
        return None

    async def _documents(self, ids: set[str], tenant: str) -> dict[str, Document]:
        found = await asyncio.gather(*(self._store.document(tenant, id_) for id_ in sorted(ids)))
        return {d.id: d for d in found if d is not None}


async def find_citation_trouble(
    agent: CitationAgent, draft: Draft, passages: Sequence[ScoredChunk], context: WritingContext
) -> str:
    """Return why the citations of an answer do not hold; empty where they do.

    They hold when the answer cites, and each statement is proven or at least partly supported. A store that cannot be
    read proves nothing.
    """
    given = (*passages, *draft.added)
    if is_unknown(draft.text, len(given)):
        return "the cheap model does not know"
    if draft.finish_reason != "stop":
        return f"the cheap model's answer ended by {draft.finish_reason}"
    cited = await agent.resolve(draft.text, given, context.query.tenant, draft.frame)
    if isinstance(cited, AgentFailure):
        return f"the cheap model's citations could not be checked: {cited.code.value}"
    refused = sum(statement.verdict in REFUSED for statement in cited.statements)
    if refused:
        return f"{refused} of the cheap model's {len(cited.statements)} statements are not supported"
    return "" if cited.citations else "the cheap model cites nothing"


def stands_in(passage: ScoredChunk, documents: Mapping[str, Document]) -> Document | None:
    """The passage's document if it still has the passage's text at the passage's offsets."""
    chunk = passage.chunk
    document = documents.get(chunk.document_id)
    if document is None or not chunk.text or document.text[chunk.start : chunk.end] != chunk.text:
        return None
    return document
