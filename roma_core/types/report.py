"""Reports of ingests: one row for each item of the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from roma_core import display
from roma_core.errors import RECOVERABLE, AgentFailure, ErrorCode
from roma_core.types.answer import Usage
from roma_core.types.base import Noun, frame

if TYPE_CHECKING:
    import pandas as pd

ITEM_COLUMNS = ("uri", "state", "code", "reason", "chunks", "document_id", "warnings")
ItemState = Literal["added", "updated", "unchanged", "skipped", "missing", "deleted", "failed"]
"""``missing``: the source did not list it, and it is still stored; ``deleted``: it was missing for good."""


class IngestItem(Noun):
    """One row of the ledger: the outcome of one listed item."""

    uri: str
    state: ItemState
    document_id: str | None = None
    reason: str = ""
    code: str | None = None
    chunks: int = 0
    warnings: tuple[str, ...] = ()


MOST_WARNINGS = 50
"""Warnings that a report shows to people; all of them are in ``items``."""


class IngestionReport(Noun):
    """Report of one ingest. Every listed item is in ``items`` exactly once."""

    run_id: str
    sources: tuple[str, ...]
    """As given, but for secrets in addresses."""
    items: tuple[IngestItem, ...] = ()
    seconds: float = 0.0
    failures: tuple[AgentFailure, ...] = ()
    """Failures of whole sources (nothing could be listed)."""
    usage: Usage = Usage()
    """Usage of embeddings; zero with a model of this machine."""
    newly_masked: tuple[str, ...] = ()
    """Ids of documents that were stored unmasked before; answers that quote them are removed."""

    @property
    def worked(self) -> Literal["all", "some", "none"]:
        """Return how much of the ingest worked; ``all`` when there was nothing to do."""
        failed = sum(item.state == "failed" for item in self.items)
        if not failed and not self.failures:
            return "all"
        return "some" if len(self.items) > failed else "none"

    @property
    def first_failure(self) -> AgentFailure | None:
        """Return the first failure of a source, else of an item; None when nothing failed."""
        item = next((item for item in self.items if item.state == "failed"), None)
        if self.failures or item is None:
            return self.failures[0] if self.failures else None
        code = ErrorCode(item.code or ErrorCode.INTERNAL)
        return AgentFailure(
            agent="ingestion",
            code=code,
            message=item.reason,
            recoverable=code in RECOVERABLE,
            details={"uri": item.uri},
        )

    def counts(self) -> dict[str, int]:
        """Return the number of items in each state."""
        return {state: sum(i.state == state for i in self.items) for state in get_args(ItemState)}

    def warnings(self) -> list[tuple[str, str]]:
        """Return URI and warning, one a row.

        Warnings name suspected prompt injections, near-duplicates, and parts that a parser could not read.
        """
        return [(item.uri, warning) for item in self.items for warning in item.warnings]

    def to_frame(self) -> pd.DataFrame:
        """Return the items as a table, one a row."""
        return frame(self.items, ITEM_COLUMNS)

    def _repr_html_(self) -> str:
        rows = [(uri, display.state("failed"), code, reason) for uri, code, reason in self._failed_items()]
        return display.box(
            display.heading(self._name_sources()),
            f"<p>{display.counts(self.counts())} · {self.seconds:.1f} s</p>",
            display.table(("Item", "State", "Code", "Reason"), rows) if rows else "",
            display.table(("Item", "Warning"), self.warnings()[:MOST_WARNINGS]) if self.warnings() else "",
        )

    def _repr_markdown_(self) -> str:
        counts = [(word, count) for word, count in self.counts().items() if count]
        rows, warnings = self._failed_items(), self.warnings()[:MOST_WARNINGS]
        parts = [f"**{display.escape_markdown(self._name_sources())}** ({self.seconds:.1f} s)"]
        parts += [display.markdown_table(("State", "Items"), counts)]
        parts += [display.markdown_table(("Failed", "Code", "Reason"), rows)] if rows else []
        parts += [display.markdown_table(("Item", "Warning"), warnings)] if warnings else []
        return "\n\n".join(parts)

    def _failed_items(self) -> list[tuple[object, object, str]]:
        """Return address, code and reason of what failed, items and whole sources."""
        failed: list[tuple[object, object, str]] = [
            (item.uri, item.code, item.reason) for item in self.items if item.state == "failed"
        ]
        return [*failed, *((f.details.get("uri", f.agent), f.code, f.message) for f in self.failures)]

    def _name_sources(self) -> str:
        more = len(self.sources) - 3
        return f"Ingested {', '.join(self.sources[:3])}{f' and {more} more' if more > 0 else ''}"


class ReindexReport(Noun):
    """Report of one ``reindex``: what the new table holds, and what making it took."""

    embedder: str
    """The value of ``ROMA_EMBEDDER`` with which the table was made; settings that name none follow it from now on."""
    former_embedder: str
    """Name of the model of the table that was replaced."""
    tokenizer: str
    cuts: bool
    """Documents were cut into passages again."""
    documents: int
    tenants: int
    embedded: int
    """Passages whose vectors were computed, or taken from the cache."""
    reused: int
    """Passages whose vectors were taken over."""
    long_passages: int
    """Passages above ``ROMA_CHUNK_TOKENS`` as the new model counts; ``--chunks`` cuts them."""
    rounds: int
    """Rounds of bringing documents over: 2 when nothing was written meanwhile."""
    ledger_rows: int
    seconds: float
    usage: Usage = Usage()
