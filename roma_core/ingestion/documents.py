"""Documents between their parser and the store: whose they are, and what in them is refused or warned of. Pure."""

from __future__ import annotations

import re
from typing import Final

from roma_core.connectors.sources import redact_uri
from roma_core.errors import AgentFailure, ErrorCode
from roma_core.ingestion.work import AGENT, Candidate
from roma_core.injection import signs
from roma_core.languages import UNSPACED
from roma_core.redaction.rules import Kind, find
from roma_core.types import DEFAULT_COLLECTION, Document, RawDocument, digest
from roma_core.types.privacy import FINDINGS

OPENING: Final[frozenset[Kind]] = frozenset({"private_key"})
"""Secrets for which a whole document is left out."""
MOST_WORD_CHARS = 1_000_000
"""Cutting and embedding are not sandboxed; what keeps them busy for minutes and tells a reader nothing is refused."""
MOST_UNSPACED_CHARS = 5_000_000
"""The same for a text in a script that is written without spaces: cutting it takes some 20 s a million characters."""
_WORD = re.compile(r"\S+")


def find_endless_word(text: str) -> int:
    """Return the length of a word that is too long to be one; 0 without such a word.

    A run without white space counts by its longest part in scripts with spaces, where words end; a whole book of
    Chinese may have no blank at all.
    """
    for run in _WORD.finditer(text):
        length = run.end() - run.start()
        if length > MOST_UNSPACED_CHARS:
            return length
        if length > MOST_WORD_CHARS:
            longest = max(map(len, UNSPACED.split(run[0])))
            if longest > MOST_WORD_CHARS:
                return longest
    return 0


def refuse_data(chars: int) -> AgentFailure:
    """Return the failure of a text with an endless word of ``chars`` characters."""
    message = f"It holds a word of {chars:,} characters, so it is data and no text; leave it out, or take that out."
    return AgentFailure(agent=AGENT, code=ErrorCode.PARSER_UNSUPPORTED, message=message, recoverable=False)


def identify_document(candidate: Candidate, raw: RawDocument, document: Document, sha256: str) -> Document:
    """Return a parsed document under its id, with what the connector knows of it: collection, source and readers."""
    record = candidate.run.record
    readers = candidate.listing.readers
    access = {} if readers is None else {"readers": list(readers)}
    metadata = {**raw.metadata, **document.metadata, **access}
    metadata.pop(FINDINGS, None)  # ROMA's own: a file does not say of itself what was found in it
    return document.model_copy(
        update={
            "id": candidate.document_id,
            "uri": candidate.listing.uri,
            "content_sha256": sha256,
            "collection": record.options.collection or DEFAULT_COLLECTION,
            "source": redact_uri(record.label),
            "metadata": metadata,
        }
    )


def add_warning(document: Document, warning: str) -> Document:
    """Return the document with one more warning."""
    return document.model_copy(update={"warnings": (*document.warnings, warning)})


def text_identity(document: Document) -> str:
    """Return the hash of a document's words and of where its parts are, without its bytes and metadata."""
    spans = [(block.kind, block.start, block.end, block.page) for block in document.blocks]
    return digest("text", document.title, document.text, repr(spans))[:32]


def held_secret(text: str) -> str | None:
    """Return the kind of the first key in a text that opens something by itself; None for a text without one.

    Passwords and headers are not asked for: documentation is full of made-up ones.
    """
    finding = next(iter(find(text, OPENING)), None)
    return None if finding is None else finding.kind


def flag_injection(document: Document) -> Document:
    """Return the document with its signs of prompt injection, in its metadata and as a warning.

    A connector may have seen some that only it could see: a page's hidden text is gone when the parser reads it.
    """
    flagged = sorted({*document.metadata.get("suspected_injection", ()), *signs(document.text)})
    if not flagged:
        return document
    warning = f"suspected prompt injection: {', '.join(flagged)}"
    metadata = {**document.metadata, "suspected_injection": flagged}
    return document.model_copy(update={"metadata": metadata, "warnings": (*document.warnings, warning)})
