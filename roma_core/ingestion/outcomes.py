"""What the ledger writes down of an item that has ended. Pure."""

from __future__ import annotations

from roma_core.errors import AgentFailure
from roma_core.ingestion.captions import base_parser
from roma_core.ingestion.decide import UpdateFacts, explain_update
from roma_core.ingestion.ledger import LedgerRow, Outcome, StoredVersion
from roma_core.ingestion.work import Candidate, Prepared
from roma_core.types import IngestItem, ItemState


def describe_stored(item: Prepared, *, has_captions: bool) -> Outcome:
    """Return the end of an item that was stored, with the reason of an update.

    ``has_captions`` says whether figures are described today.
    """
    candidate = item.candidate
    old = candidate.row if candidate.row is not None and candidate.row.content_sha256 else None
    entry = IngestItem(
        uri=candidate.listing.uri,
        state="updated" if old else "added",
        document_id=item.document.id,
        reason=_explain_update(old, item, has_captions=has_captions),
        chunks=len(item.chunks),
        warnings=item.document.warnings,
    )
    return make_outcome(candidate, entry, stored=item.stored)


def make_outcome(
    candidate: Candidate,
    item: IngestItem,
    *,
    stored: StoredVersion | None = None,
    gone: bool = False,
    version: str | None = None,
) -> Outcome:
    """Return what the ledger writes of an item, with what its source says of it."""
    return Outcome(
        item=item,
        source=candidate.run.source.uri,
        listing=candidate.listing,
        document_id=candidate.document_id,
        attempt=candidate.attempt,
        stored=stored,
        gone=gone,
        version=version,
    )


def _explain_update(old: LedgerRow | None, item: Prepared, *, has_captions: bool) -> str:
    """Return the reason of an update; empty for what is new."""
    if old is None:
        return ""
    candidate, new = item.candidate, item.stored
    has_moved = candidate.listing.previous_uri is not None and old.version is None and old.made_with is None
    has_same_base = base_parser(old.parser) == base_parser(new.parser)
    facts = UpdateFacts(
        has_moved=has_moved,
        has_new_content=old.content_sha256 != new.content_sha256,
        has_new_captions=old.parser != new.parser and has_same_base,
        has_new_parser=old.parser != new.parser,
        has_new_title=old.title != candidate.listing.title,
        has_new_readers=old.readers != candidate.listing.readers,
        has_new_making=old.made_with != new.made_with,
    )
    words = {
        "previous_uri": candidate.listing.previous_uri,
        "captions": "its figures were described anew" if has_captions else "descriptions of figures are off",
        "old_parser": old.parser,
        "new_parser": new.parser,
        "old_title": old.title,
    }
    return explain_update(facts, words)


def describe_end(
    candidate: Candidate, state: ItemState, reason: str, code: str | None, *, gone: bool = False
) -> Outcome:
    """Return the end of an item of which nothing was stored. ``gone``: nothing is stored of it any more."""
    listing, row = candidate.listing, candidate.row
    is_held = row is not None and row.content_sha256 is not None and not gone
    item = IngestItem(
        uri=listing.uri,
        state=state,
        document_id=candidate.document_id if is_held else None,
        reason=reason,
        code=code,
    )
    return make_outcome(candidate, item, gone=gone)


def as_unchanged(row: LedgerRow) -> IngestItem:
    """Return the item of a row as one that stays as it is."""
    return IngestItem(
        uri=row.uri, state="unchanged", document_id=row.document_id, chunks=row.chunks, warnings=row.warnings
    )


def as_failed(item: IngestItem, failure: AgentFailure) -> IngestItem:
    """Return the item as failed, with the reason and the code of the failure."""
    return item.model_copy(update={"state": "failed", "reason": failure.message, "code": failure.code.value})
