"""The nouns. Frozen values without I/O; one meaning each.

Offsets everywhere are half-open code-point offsets into ``Document.text``: ``text[start:end]``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from roma_core import display
from roma_core.errors import RECOVERABLE, AgentFailure, ErrorCode

if TYPE_CHECKING:  # names for signatures; numpy and pandas are not loaded for them
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    """Shape (n, dim), rows of unit length."""
    Vector = NDArray[np.float32]
    """Shape (dim,), unit length."""

Persona = Literal["technical", "executive", "general"]
SourceKind = Literal["local", "web", "gdrive"]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom as fractions (0..1) of the page, origin top left."""

BlockKind = Literal[
    "heading", "paragraph", "list", "table", "code", "quote", "caption", "footnote", "comment", "notes", "figure"
]
SectionKind = Literal["heading", "slide", "notes", "sheet", "chapter", "message", "cell"]
DEFAULT_TENANT = "default"


def digest(*parts: str | bytes) -> str:
    """SHA-256 (hex) of the parts, each framed by its length so that no two lists of parts collide."""
    h = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        h.update(len(data).to_bytes(8, "big"))
        h.update(data)
    return h.hexdigest()


class Noun(BaseModel):
    """Base of all values: frozen, and unknown fields are a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def frame(rows: Iterable[BaseModel], columns: Sequence[str]) -> pd.DataFrame:
    """One row a value, with the columns named (also when there is no row)."""
    import pandas as pd

    return pd.DataFrame([row.model_dump(include=set(columns)) for row in rows], columns=list(columns))


class Source(Noun):
    """Something that can be ingested: a folder, a site, a Drive folder."""

    uri: str
    kind: SourceKind
    options: dict[str, Any] = Field(default_factory=dict)


class RawDocument(Noun):
    """Bytes as fetched. ``media_type`` is what the source claims; the parser service decides by content.

    The bytes are either held (``data=...``) or, when there are many, wait in a temporary file (``path=...``) that
    ``data`` reads when asked: so a large download crosses threads and processes without being in memory.
    """

    uri: str
    content: bytes | None = Field(default=None, alias="data", repr=False)
    path: Path | None = Field(default=None, repr=False)
    media_type: str | None = None
    title: str | None = None
    modified_at: datetime | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_place(self) -> RawDocument:
        if (self.content is None) == (self.path is None):
            raise ValueError("a raw document has either data or a path")
        return self

    @property
    def data(self) -> bytes:
        """All bytes; read from ``path`` at every call when they wait there."""
        return self.content if self.content is not None else self._file.read_bytes()

    @property
    def size(self) -> int:
        """Number of bytes, without reading them."""
        return len(self.content) if self.content is not None else self._file.stat().st_size

    @property
    def sha256(self) -> str:
        if self.content is not None:
            return hashlib.sha256(self.content).hexdigest()
        with self._file.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @property
    def _file(self) -> Path:
        assert self.path is not None  # noqa: S101  (held by the validator)
        return self.path

    def discard(self) -> None:
        """Delete the temporary file, if there is one. Whoever fetched calls it when the document is parsed."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


class Span(Noun):
    """A half-open range of code points of a document's text."""

    start: int = Field(ge=0)
    end: int = Field(ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> Span:
        if self.end < self.start:
            raise ValueError(f"span ends before it starts: [{self.start}, {self.end})")
        return self

    def of(self, text: str) -> str:
        return text[self.start : self.end]

    def overlaps(self, other: Span) -> bool:
        return self.start < other.end and other.start < self.end


class Page(Span):
    """One page (or slide) of the source. ``width`` and ``height`` are in points, after rotation."""

    number: int = Field(ge=1)
    label: str | None = None
    width: float | None = None
    height: float | None = None
    ocr_confidence: float | None = None
    """Mean confidence (0..1) when the page's text came from OCR, else None."""


class Section(Span):
    """A titled part: from its title to the next section of the same or a higher level."""

    title: str
    level: int = Field(ge=1)
    kind: SectionKind = "heading"


class Block(Span):
    """A heading, paragraph, table, ... with its place on the page when the format has one."""

    kind: BlockKind
    page: int | None = None
    box: Box | None = None
    level: int | None = None
    row: int | None = None
    """In a sheet: the 1-based row of the block's first line. A table's further lines are the rows that follow (the line
    of dashes under the header belongs to the header)."""
    confidence: float | None = None

    def row_at(self, offset: int, text: str) -> int | None:
        """The sheet's row that ``offset`` (inside this block of ``text``) is in; None outside of sheets."""
        if self.row is None:
            return None
        line = text.count("\n", self.start, offset)
        return self.row + max(0, line - 1 if self.kind == "table" else 0)


class Link(Span):
    """Words that lead to ``url`` (http, https or mailto, absolute)."""

    url: str


class Document(Noun):
    """What a parser makes of a file: Markdown text and the places in it."""

    id: str
    uri: str
    title: str
    text: str = Field(repr=False)
    content_sha256: str
    parser: str
    """Name and version, e.g. ``pdf/3``: part of what makes two parses the same."""
    media_type: str = "text/plain"
    pages: tuple[Page, ...] = ()
    sections: tuple[Section, ...] = ()
    blocks: tuple[Block, ...] = Field(default=(), repr=False)
    links: tuple[Link, ...] = Field(default=(), repr=False)
    """Beside the text, not in it: an address is no words to search, embed or quote. ``markdown`` writes them in."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @staticmethod
    def id_for(uri: str, tenant: str = DEFAULT_TENANT) -> str:
        """Stable across edits of the content: it names the place, not the words."""
        return digest("document", tenant, uri)[:32]

    @model_validator(mode="after")
    def _spans_inside(self) -> Document:
        size = len(self.text)
        for span in (*self.pages, *self.sections, *self.blocks, *self.links):
            if span.end > size:
                raise ValueError(f"{type(span).__name__} [{span.start}, {span.end}) lies outside of the text ({size})")
        return self

    def markdown(self) -> str:
        """The text with its links written in, ``[words](url)``: for readers; offsets point into ``text``."""
        parts: list[str] = []
        at = 0
        for link in sorted(self.links, key=lambda found: found.start):
            if link.start < at:
                continue
            words = link.of(self.text).replace("[", r"\[").replace("]", r"\]")
            parts += [self.text[at : link.start], f"[{words}]({link.url})"]
            at = link.end
        return "".join([*parts, self.text[at:]])

    def page_at(self, offset: int) -> Page | None:
        return next((p for p in self.pages if p.start <= offset < p.end), None)

    def headings_at(self, offset: int) -> tuple[str, ...]:
        """Titles of the sections that hold ``offset``, outermost first."""
        return tuple(s.title for s in self.sections if s.start <= offset < s.end)

    def place(self, start: int) -> str:
        """Where ``start`` is, for a person: ``page 7``, ``slide 3, notes``, ``sheet “Q2”, row 14``, or a heading."""
        held = [s for s in self.sections if s.start <= start < s.end]
        return place_of(self.page_at(start), held, self.row_at(start))

    def row_at(self, offset: int) -> int | None:
        """The 1-based row of the sheet that ``offset`` is in; None outside of sheets."""
        held = next((b for b in self.blocks if b.row is not None and b.start <= offset < b.end), None)
        return held.row_at(offset, self.text) if held else None


def place_of(page: Page | None, held: Sequence[Section], row: int | None) -> str:
    """``Document.place`` of a spot on ``page``, inside the sections ``held`` (outermost first), in ``row``."""
    words: list[str] = []
    if page is not None:
        unit = "slide" if any(s.kind == "slide" for s in held) else "page"
        words.append(f"{unit} {page.label or page.number}")
    if any(s.kind == "notes" for s in held):
        words.append("notes")
    named = [s for s in held if s.kind in {"sheet", "chapter"}] or ([] if page else list(held[-1:]))
    words += [f"{s.kind} “{s.title}”" if s.kind != "heading" else f"“{s.title}”" for s in named[-1:]]
    words += [f"row {row}"] if row is not None else []
    return ", ".join(words)


class Chunk(Noun):
    """A passage that can be retrieved: ``document.text[start:end] == text``, always."""

    id: str
    document_id: str
    uri: str
    title: str
    text: str
    start: int = Field(ge=0)
    end: int = Field(ge=0)
    page: int | None = None
    place: str = ""
    headings: tuple[str, ...] = ()
    context: str = ""
    """What a reader of the passage alone would miss (headings, a split table's header row); embedded and indexed in
    front of ``text`` but never quoted."""

    @property
    def indexed_text(self) -> str:
        """The text that is embedded and searched."""
        return f"{self.context}\n{self.text}" if self.context else self.text


class ScoredChunk(Noun):
    """A chunk with its rank (1-based), the score it is ranked by, and the scores it came from."""

    chunk: Chunk
    score: float
    rank: int = Field(ge=1)
    retriever: str
    scores: dict[str, float] = Field(default_factory=dict)


Verdict = Literal["verbatim", "supported", "partial", "unsupported", "unverified"]


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
    verdict: Verdict = "unverified"
    score: float | None = None


class Usage(Noun):
    """What model calls used. ``cost_usd`` is None when a price is unknown, never 0; None is contagious in sums."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
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
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            cost_usd=plus(self.cost_usd, other.cost_usd),
            cache_hits=self.cache_hits + other.cache_hits,
            saved_usd=plus(self.saved_usd, other.saved_usd),
            estimated=self.estimated or other.estimated,
        )

    @classmethod
    def total(cls, parts: Iterable[Usage]) -> Usage:
        result = cls()
        for part in parts:
            result = result + part
        return result


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
ITEM_COLUMNS = ("uri", "state", "code", "reason", "chunks", "document_id", "warnings")


class Query(Noun):
    """A question and how to answer it."""

    text: str
    persona: Persona = "general"
    top_k: int = Field(default=5, ge=1, le=50)
    filters: dict[str, Any] = Field(default_factory=dict)
    """Which documents may be used: ``document_id`` or ``uri`` (a value or a list of values), ``uri_prefix``."""
    session_id: str | None = None
    tenant: str = DEFAULT_TENANT


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
    answered: bool = True
    """False when ROMA says that it does not know."""
    flags: tuple[str, ...] = ()
    """Names of the guardrail rules that fired without blocking."""
    prompt_hash: str = ""
    """Hash of the prompt that the answer was written with; empty when no prompt was read (extractive)."""

    def to_frame(self) -> pd.DataFrame:
        """The citations, one a row."""
        return frame(self.citations, CITATION_COLUMNS)

    def _repr_html_(self) -> str:
        rows = [(c.marker, c.title, c.place, c.quote, c.verdict) for c in self.citations]
        facts = [
            self.model,
            self.persona,
            *(["degraded: " + ", ".join(self.degraded_reasons)] if self.degraded else []),
        ]
        return display.box(
            f'<p style="white-space:pre-wrap">{display.badges(self.answer)}</p>',
            display.table(("", "Source", "Where", "Quote", "Verdict"), rows) if rows else "",
            display.paragraph(" · ".join(f for f in facts if f)),
        )


Stage = Literal["guarded", "planned", "retrieved", "reranked", "writing", "verifying"]


class StageEvent(Noun):
    """A stage has ended (or, for ``writing`` and ``verifying``, begun). ``elapsed_ms`` counts from the query."""

    type: Literal["stage"] = "stage"
    stage: Stage
    elapsed_ms: float
    detail: dict[str, Any] = Field(default_factory=dict)


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

ItemState = Literal["added", "updated", "unchanged", "skipped", "deleted", "failed"]


class IngestItem(Noun):
    """One row of the ledger: what became of one listed item."""

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
    """What one ingest did. Every listed item is in ``items`` exactly once."""

    run_id: str
    sources: tuple[str, ...]
    """As given, but for secrets in addresses."""
    items: tuple[IngestItem, ...] = ()
    seconds: float = 0.0
    failures: tuple[AgentFailure, ...] = ()
    """Failures of whole sources (nothing could be listed)."""

    @property
    def worked(self) -> Literal["all", "some", "none"]:
        """How much of it worked; where there was nothing to do, all."""
        failed = sum(item.state == "failed" for item in self.items)
        if not failed and not self.failures:
            return "all"
        return "some" if len(self.items) > failed else "none"

    @property
    def first_failure(self) -> AgentFailure | None:
        """Of the sources, else of the items."""
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
        states: tuple[ItemState, ...] = ("added", "updated", "unchanged", "skipped", "deleted", "failed")
        return {state: sum(i.state == state for i in self.items) for state in states}

    def warnings(self) -> list[tuple[str, str]]:
        """URI and warning, one a row: suspected prompt injections, near-duplicates, what a parser could not read."""
        return [(item.uri, warning) for item in self.items for warning in item.warnings]

    def to_frame(self) -> pd.DataFrame:
        """The items, one a row."""
        return frame(self.items, ITEM_COLUMNS)

    def _repr_html_(self) -> str:
        bad = [(i.uri, display.state(i.state), i.code, i.reason) for i in self.items if i.state == "failed"]
        bad += [(f.details.get("uri", f.agent), display.state("failed"), f.code, f.message) for f in self.failures]
        more = len(self.sources) - 3
        return display.box(
            display.heading(f"Ingested {', '.join(self.sources[:3])}{f' and {more} more' if more > 0 else ''}"),
            f"<p>{display.counts(self.counts())} · {self.seconds:.1f} s</p>",
            display.table(("Item", "State", "Code", "Reason"), bad) if bad else "",
            display.table(("Item", "Warning"), self.warnings()[:MOST_WARNINGS]) if self.warnings() else "",
        )


HealthState = Literal["ok", "degraded", "down"]


class ComponentHealth(Noun):
    """State of one component and why."""

    name: str
    state: HealthState
    reason: str = ""
    latency_ms: float | None = None
    details: dict[str, Any] = Field(default_factory=dict)


class HealthReport(Noun):
    """State of the whole: ``down`` if a needed component is, else ``degraded`` if any is not ``ok``."""

    state: HealthState
    version: str
    components: tuple[ComponentHealth, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """The components, one a row."""
        return frame(self.components, ("name", "state", "reason", "latency_ms"))

    def _repr_html_(self) -> str:
        rows = [(c.name, display.state(c.state), c.reason, c.latency_ms) for c in self.components]
        return display.box(
            f"<p><strong>ROMA {display.cell(self.version)}</strong>: {display.state(self.state)}</p>",
            display.table(("Component", "State", "Reason", "ms"), rows),
        )
