"""Checks an exported answer against its sources alone: no record, no search, no model.

Each quote must stand in its source, and each claim is compared with the passage around its quote again.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from roma_core.citations import is_statement, verify_claim
from roma_core.errors import AgentFailure, InputError, explain_invalid
from roma_core.markup import mask_markers, read_markers, split_claims
from roma_core.types import PROVEN, Answered, Chunk, Citation, CitationVerdict, Document, Noun, TailorOutput

if TYPE_CHECKING:
    from roma_core.app import Roma

QuoteState = Literal["holds", "moved", "changed", "gone"]
"""``moved``: it stands elsewhere in the source; ``changed``: nowhere in it; ``gone``: there is no such source."""
AROUND = 1000
"""Characters on either side of a quote that are read where no passage of the store holds it."""


class CitationCheck(Noun):
    """One citation of an exported answer, compared with its source."""

    marker: int
    uri: str
    title: str
    state: QuoteState
    claim: str
    quote: str
    start: int
    end: int
    verdict: CitationVerdict
    """As found now."""
    exported: CitationVerdict
    """As the export says."""
    decided_by: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Return whether the quote stands in the source and says no less than the export claims."""
        return self.state in {"holds", "moved"} and (self.verdict in PROVEN or self.verdict == self.exported)


class ExportCheck(Noun):
    """The result of checking an exported answer."""

    citations: tuple[CitationCheck, ...]
    unmarked: tuple[str, ...]
    """Statements of the answer that no citation stands behind."""

    @property
    def holds(self) -> bool:
        """Return whether every citation holds and every statement has one."""
        return all(check.holds for check in self.citations) and not self.unmarked

    @property
    def summary(self) -> str:
        """Return the result in one line."""
        counts = Counter(check.state for check in self.citations)
        held = sum(check.holds for check in self.citations)
        parts = [f"{held} of {len(self.citations)} citations hold"]
        parts += [f"{counts[state]} {state}" for state in ("moved", "changed", "gone") if counts[state]]
        parts += [f"{len(self.unmarked)} statements without a citation"] if self.unmarked else []
        return ", ".join(parts)


class _Export(BaseModel):
    """An exported answer: a whole record, a terminal event, or the output itself."""

    model_config = ConfigDict(extra="allow")

    output: TailorOutput


def read_export(data: str | bytes) -> TailorOutput:
    """Return the answer in an exported file. Raises ``InputError`` for what is none."""
    try:
        return TailorOutput.model_validate_json(data)
    except ValidationError as error:
        first = error
    try:
        return _Export.model_validate_json(data).output
    except ValidationError as error:
        is_wrapped = b'"output"' in (data if isinstance(data, bytes) else data.encode())
        raise InputError(f"This is no exported answer: {explain_invalid(error if is_wrapped else first)}.") from None


async def verify_export(roma: Roma, output: TailorOutput, tenant: str | None = None) -> ExportCheck:
    """Return how an exported answer stands to its sources today: those in the store, else files at their addresses.

    >>> check = await verify_export(roma, read_export(Path("answer.json").read_bytes()))  # doctest: +SKIP
    """
    owner = tenant or roma.settings.tenant
    masked = mask_markers(output.answer, read_markers(output.answer, _largest_marker(output)))
    documents: dict[str, Document | None] = {}
    checks: list[CitationCheck] = []
    for citation in output.citations:
        if citation.document_id not in documents:
            documents[citation.document_id] = await _find_source(roma, citation, owner)
        document = documents[citation.document_id]
        chunks = await roma.store.chunks(owner, document.id) if document is not None else []
        claim = masked[citation.answer_start : citation.answer_end]
        checks.append(_check_citation(citation, claim, document, chunks))
    return ExportCheck(citations=tuple(checks), unmarked=_find_unmarked(output, masked))


async def _find_source(roma: Roma, citation: Citation, tenant: str) -> Document | None:
    """Return the source of a citation; None where it is nowhere."""
    for document_id in (citation.document_id, Document.id_for(citation.uri, tenant)):
        document = await roma.store.document(tenant, document_id)
        if document is not None:
            return document
    address = urlsplit(citation.uri)
    if address.scheme != "file":
        return None
    path = Path(unquote(address.path))
    parsed = await roma.parse(path)  # a failure where there is no such file
    return None if isinstance(parsed, AgentFailure) else parsed


def _check_citation(citation: Citation, claim: str, document: Document | None, chunks: list[Chunk]) -> CitationCheck:
    state: QuoteState = "gone"
    start, end = citation.start, citation.end
    verdict: CitationVerdict = "unchecked"
    decided_by: tuple[str, ...] = ()
    if document is not None:
        start, state = _locate_quote(citation, document.text)
        end = start + len(citation.quote)
        passage, context = _passage_around(document, chunks, start, end)
        if state == "changed":
            verdict, decided_by = "unsupported", ("the quote does not stand in the source",)
        else:
            support = verify_claim(claim, passage, context)
            verdict = support.verdict
            decided_by = tuple(str(reason) for reason in support.reasons)
    return CitationCheck(
        marker=citation.marker,
        uri=citation.uri,
        title=citation.title,
        state=state,
        claim=claim.strip(),
        quote=citation.quote,
        start=start,
        end=end,
        verdict=verdict,
        exported=citation.verdict,
        decided_by=decided_by,
    )


def _locate_quote(citation: Citation, text: str) -> tuple[int, QuoteState]:
    """Return where the quote stands, the place nearest to the exported one, and whether that is another one."""
    if not citation.quote:
        return citation.start, "changed"
    if text[citation.start : citation.end] == citation.quote:
        return citation.start, "holds"
    before = text.rfind(citation.quote, 0, citation.start + len(citation.quote))
    after = text.find(citation.quote, citation.start)
    places = [place for place in (before, after) if place >= 0]
    if not places:
        return citation.start, "changed"
    return min(places, key=lambda place: abs(place - citation.start)), "moved"


def _passage_around(document: Document, chunks: list[Chunk], start: int, end: int) -> tuple[str, str]:
    """Return the passage that holds a span, and what is known of it: title, headings, a table's head."""
    held = next((chunk for chunk in chunks if chunk.start <= start and end <= chunk.end), None)
    if held is not None and document.text[held.start : held.end] == held.text:
        return held.text, "\n".join((held.title, *held.headings, held.context))
    text = document.text[max(0, start - AROUND) : end + AROUND]
    return text, "\n".join((document.title, *document.headings_at(start)))


def _find_unmarked(output: TailorOutput, masked: str) -> tuple[str, ...]:
    """Return the statements without a marker; none where the answer says that it does not know."""
    if output.answered is Answered.UNKNOWN:
        return ()
    cited = {(citation.answer_start, citation.answer_end) for citation in output.citations}
    claims = split_claims(output.answer, _largest_marker(output))
    return tuple(
        masked[claim.start : claim.end].strip()
        for claim in claims
        if (claim.start, claim.end) not in cited and is_statement(masked, claim)
    )


def _largest_marker(output: TailorOutput) -> int:
    return max((citation.marker for citation in output.citations), default=0)
