"""The corpus of a workspace: its documents by type, language and collection, its sources, the ledger, and losses."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from pydantic import Field

from roma_core.connectors.sources import redact_uri
from roma_core.errors import AccessError, ErrorCode
from roma_core.ingestion.ledger import ItemFigures
from roma_core.ingestion.service import NEAR_DUPLICATE
from roma_core.types import DocumentFacts, Noun, Principal, SourceRecord

if TYPE_CHECKING:
    from roma_core.app import Roma

UNKNOWN: Final = "unknown"
STORED: Final = frozenset({"added", "updated", "unchanged"})


class CorpusItem(Noun):
    """An item of the ledger: its address, its state, and what there is to say of it."""

    uri: str
    state: str
    source: str = ""
    code: str = ""
    reason: str = ""
    chunks: int = 0
    warnings: tuple[str, ...] = ()
    losses: int = 0
    """Parts that the parser left out of the text."""


class CorpusFigures(Noun):
    """What is stored, and what became of every item, as far as the viewer may read it."""

    documents: int = 0
    passages: int = 0
    by_type: dict[str, int] = Field(default_factory=dict)
    by_language: dict[str, int] = Field(default_factory=dict)
    by_collection: dict[str, int] = Field(default_factory=dict)
    by_state: dict[str, int] = Field(default_factory=dict)
    by_code: dict[str, int] = Field(default_factory=dict)
    """Failed and skipped items by their code."""
    losses: dict[str, int] = Field(default_factory=dict)
    """Parts that parsers left out, by reason."""
    uncounted: int = 0
    """Stored items of which no losses were counted: an older version has read them."""
    copies: tuple[tuple[str, ...], ...] = ()
    """Addresses of documents of the same bytes."""
    near_copies: tuple[tuple[str, str], ...] = ()
    """Pairs of addresses with nearly the same text."""
    items: tuple[CorpusItem, ...] = Field(default=(), repr=False)
    sources: tuple[SourceRecord, ...] = ()
    is_partial: bool = False
    """True where grants withhold documents from the viewer."""

    @property
    def spare_copies(self) -> int:
        """Documents whose bytes are stored under another address as well, the first of each not counted."""
        return sum(len(group) - 1 for group in self.copies)

    def choose(self, state: str = "", words: str = "", code: str = "") -> list[CorpusItem]:
        """Return the items in a state whose address or reason holds all of some words.

        >>> items = CorpusItem(uri="a.pdf", state="failed"), CorpusItem(uri="b.pdf", state="stored")
        >>> [item.uri for item in CorpusFigures(items=items).choose("failed", words="pdf")]
        ['a.pdf']
        """
        wanted = words.casefold().split()
        chosen: list[CorpusItem] = []
        for item in self.items:
            text = f"{item.uri} {item.reason} {item.code}".casefold()
            is_state = not state or item.state == state or (state == "with losses" and item.losses > 0)
            if is_state and (not code or item.code == code) and all(word in text for word in wanted):
                chosen.append(item)
        return chosen


async def read_corpus(roma: Roma, who: Principal) -> CorpusFigures:
    """Return the figures of the documents that ``who`` may read. No text of a document is read.

    Raises ``AccessError`` without the permission ``insights.read``, and ``StoreError``.

    >>> figures = await read_corpus(roma, roma.user)  # doctest: +SKIP
    """
    if not who.may("insights.read"):
        raise AccessError("The figures of the corpus need the permission insights.read.", ErrorCode.ACCESS_FORBIDDEN)
    scope = await roma.grants.find_scope(who)
    facts = await roma.store.facts(who.tenant, scope)
    _, passages = await roma.store.counts(who.tenant, scope)
    items = await roma.ingestion.ledger_figures(who.tenant)
    sources = await roma.sources.all(who.tenant) if scope.is_everything else []
    figures = await asyncio.to_thread(count_corpus, facts, items, is_partial=not scope.is_everything)
    return figures.model_copy(update={"passages": passages, "sources": tuple(sources)})


def count_corpus(
    facts: Mapping[str, DocumentFacts], items: Sequence[ItemFigures], *, is_partial: bool = False
) -> CorpusFigures:
    """Return the figures of the documents in ``facts``.

    ``is_partial`` leaves out the items of all other documents, and those without one: their addresses are withheld.
    """
    seen = [item for item in items if not is_partial or item.document_id in facts]
    if is_partial:
        seen = [item for item in seen if item.state in STORED]
    known = {item.uri for item in seen}
    stored = [item for item in seen if item.content_sha256 is not None]
    losses: Counter[str] = Counter()
    for item in stored:
        losses.update(item.left_out or {})
    return CorpusFigures(
        documents=len(facts),
        by_type=_count(found.type for found in facts.values()),
        by_language=_count(found.language for found in facts.values()),
        by_collection=_count(found.collection for found in facts.values()),
        by_state=_count(item.state for item in seen),
        by_code=_count(item.code for item in seen if item.code and item.state in {"failed", "skipped"}),
        losses={why.replace("_", " "): count for why, count in _order(losses).items()},
        uncounted=sum(item.left_out is None for item in stored),
        copies=_find_copies(stored),
        near_copies=_find_near_copies(stored, known),
        items=tuple(_hide_others(_make_item(item), known) if is_partial else _make_item(item) for item in seen),
        is_partial=is_partial,
    )


def _make_item(item: ItemFigures) -> CorpusItem:
    return CorpusItem(
        uri=redact_uri(item.uri),
        state=item.state,
        source=redact_uri(item.source),
        code=item.code or "",
        reason=item.reason,
        chunks=item.chunks,
        warnings=item.warnings,
        losses=sum((item.left_out or {}).values()),
    )


def _hide_others(item: CorpusItem, known: set[str]) -> CorpusItem:
    """Return an item without sentences that could name another one."""
    twins = {warning: warning.removeprefix(NEAR_DUPLICATE) for warning in item.warnings}
    kept = tuple(warning for warning, twin in twins.items() if twin == warning or twin in known)
    return item.model_copy(update={"warnings": kept, "reason": ""})


def _find_copies(stored: Iterable[ItemFigures]) -> tuple[tuple[str, ...], ...]:
    """Return the addresses of items of the same bytes, the largest groups first."""
    groups: dict[str, list[str]] = {}
    for item in stored:
        groups.setdefault(item.content_sha256 or "", []).append(redact_uri(item.uri))
    held = [tuple(uris) for uris in groups.values() if len(uris) > 1]
    return tuple(sorted(held, key=lambda uris: (-len(uris), uris)))


def _find_near_copies(stored: Iterable[ItemFigures], known: set[str]) -> tuple[tuple[str, str], ...]:
    """Return the pairs that the ledger's warnings name; the twin must be an item that may be seen."""
    pairs: list[tuple[str, str]] = []
    for item in stored:
        for warning in item.warnings:
            twin = warning.removeprefix(NEAR_DUPLICATE)
            if twin != warning and twin in known:
                pairs.append((redact_uri(item.uri), redact_uri(twin)))
    return tuple(pairs)


def _count(values: Iterable[str]) -> dict[str, int]:
    return _order(Counter(value or UNKNOWN for value in values))


def _order(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
