"""Documents: what is fetched, what a parser makes of it, and the passages it is cut into."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from roma_core.types.base import Noun, digest
from roma_core.workspace import DEFAULT_TENANT

if TYPE_CHECKING:
    import pandas as pd

Box = tuple[float, float, float, float]
"""Left, top, right, bottom as fractions (0..1) of the page, origin top left."""

BlockKind = Literal[
    "heading", "paragraph", "list", "table", "code", "quote", "caption", "footnote", "comment", "notes", "figure"
]
SectionKind = Literal["heading", "slide", "notes", "sheet", "chapter", "message", "cell"]
WhyLeftOut = Literal[
    "furniture",
    "hidden",
    "hidden_row",
    "hidden_column",
    "boilerplate",
    "ocr_unread",
    "attachment",
    "unknown_object",
    "deleted",
    "inserted",
    "doubtful",
    "over_limit",
    "unreadable_picture",
]
"""Reason for which a parser kept something out of the text. ``furniture`` is a running header, footer or stamp,
``deleted`` a tracked deletion, ``inserted`` a tracked insertion where the original text is read, ``doubtful`` what the
parser read but does not believe."""


class Source(Noun):
    """Something that can be ingested: a folder, a site, a Drive folder."""

    uri: str
    kind: str
    """Scheme of the connector that reads it (``local``, ``web``, ...); open, as plug-ins bring others."""
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
        """Return all bytes; those in a file are read at every call."""
        return self.content if self.content is not None else self._file.read_bytes()

    @property
    def size(self) -> int:
        """Return the number of bytes, without reading them."""
        return len(self.content) if self.content is not None else self._file.stat().st_size

    @property
    def sha256(self) -> str:
        """Return the SHA-256 (hex) of the bytes; a file is read in pieces."""
        if self.content is not None:
            return hashlib.sha256(self.content).hexdigest()
        with self._file.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @property
    def _file(self) -> Path:
        assert self.path is not None  # noqa: S101  (held by the validator)
        return self.path

    def discard(self) -> None:
        """Delete the temporary file, if there is one. The fetcher calls it when the document is parsed."""
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
        """Return the part of ``text`` in the span."""
        return text[self.start : self.end]

    def overlaps(self, other: Span) -> bool:
        """Return whether the spans share a code point."""
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
        """Return the sheet's row at ``offset`` (inside this block of ``text``); None outside of sheets."""
        if self.row is None:
            return None
        line = text.count("\n", self.start, offset)
        return self.row + max(0, line - 1 if self.kind == "table" else 0)


class Link(Span):
    """Words that lead to ``url`` (http, https or mailto, absolute)."""

    url: str


class LeftOut(Noun):
    """Something of the file that is not in ``Document.text``: neither searched nor cited.

    ``text`` is what was left out, or its name where it has no text (an attachment, a page that could not be read).
    """

    text: str
    place: str
    """Place for a person: ``page 3``, ``pages 1-40``, ``sheet “Q2”, row 14``."""
    why: WhyLeftOut


DEFAULT_COLLECTION = "main"


class DocumentFacts(Noun):
    """Facts about a document beside its text, by which searches are filtered; empty where they are not known.

    Those of a passage hold the language of the passage.
    """

    author: str = ""
    date: str = ""
    """``2024-03-01``, ``2024-03`` or ``2024``."""
    type: str = ""
    """Name of the parser that read it: ``pdf``, ``docx``, ``html``, ..."""
    language: str = ""
    """ISO 639-1 code."""
    source: str = ""
    """Name or address of the source that lists it."""
    collection: str = DEFAULT_COLLECTION


class Document(Noun):
    """A parsed file: Markdown text and the places in it."""

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
    left_out: tuple[LeftOut, ...] = Field(default=(), repr=False)
    """Loss ledger: what the parser kept out of the text, and why."""
    collection: str = DEFAULT_COLLECTION
    """Name of the part of the corpus that it was ingested into."""
    source: str = ""
    """Name or address of the source that lists it."""

    @staticmethod
    def id_for(uri: str, tenant: str = DEFAULT_TENANT) -> str:
        """Return the id of a document: it depends on its address and tenant, not on its content."""
        return digest("document", tenant, uri)[:32]

    @model_validator(mode="after")
    def _spans_inside(self) -> Document:
        size = len(self.text)
        for span in (*self.pages, *self.sections, *self.blocks, *self.links):
            if span.end > size:
                raise ValueError(f"{type(span).__name__} [{span.start}, {span.end}) lies outside of the text ({size})")
        return self

    def markdown(self) -> str:
        """Return the text with its links written in, ``[words](url)``: for readers; offsets point into ``text``."""
        parts: list[str] = []
        at = 0
        for link in sorted(self.links, key=lambda found: found.start):
            if link.start < at:
                continue
            words = link.of(self.text).replace("[", r"\[").replace("]", r"\]")
            parts += [self.text[at : link.start], f"[{words}]({link.url})"]
            at = link.end
        return "".join([*parts, self.text[at:]])

    def tables(self) -> list[pd.DataFrame]:
        """Return the tables in their order: the first row names the columns, every value is the text of its cell.

        ``attrs`` of a frame say where it stands: ``start`` and ``end`` (offsets), ``page``, ``box``, ``row`` (of a
        sheet), ``place`` for a person, and the ``caption`` beside it.

        >>> text = "| Tool | Price |\\n| --- | --- |\\n| wet saw | 31 € |"
        >>> block = Block(start=0, end=len(text), kind="table", page=3)
        >>> page = Page(start=0, end=len(text), number=3)
        >>> fields = {"id": "1", "uri": "a.pdf", "title": "A", "content_sha256": "", "parser": "pdf/1"}
        >>> frame = Document(text=text, pages=(page,), blocks=(block,), **fields).tables()[0]
        >>> frame["Price"][0], frame.attrs["place"]
        ('31 €', 'page 3')
        """
        from roma_core.parsers.tables import from_markdown

        frames: list[pd.DataFrame] = []
        for at, block in enumerate(self.blocks):
            if block.kind == "table":
                frames.append(self._frame(at, from_markdown(block.of(self.text))))
        return frames

    def _frame(self, at: int, grid: list[list[str]]) -> pd.DataFrame:
        import pandas as pd

        block = self.blocks[at]
        frame = pd.DataFrame(grid[1:], columns=grid[0] if grid else None, dtype=str)
        frame.attrs = {
            "start": block.start,
            "end": block.end,
            "page": block.page,
            "box": block.box,
            "row": block.row,
            "place": self.place(block.start),
            "caption": self._caption_beside(at),
        }
        return frame

    def _caption_beside(self, at: int) -> str | None:
        """Return the caption right before the block, else the one right after it that belongs to no other table."""
        if at > 0 and self.blocks[at - 1].kind == "caption":
            return self.blocks[at - 1].of(self.text)
        after = self.blocks[at + 1 : at + 3]
        if after and after[0].kind == "caption" and not (len(after) == 2 and after[1].kind == "table"):
            return after[0].of(self.text)
        return None

    def summarize_left_out(self) -> str | None:
        """Return one sentence with the counts by reason, or None when nothing was left out.

        >>> lost = [LeftOut(text=str(n), place=f"page {n}", why="furniture") for n in range(12)]
        >>> lost.append(LeftOut(text="plan.pdf", place="attachments", why="attachment"))
        >>> fields = {"id": "1", "uri": "a.pdf", "title": "A", "content_sha256": "", "parser": "pdf/1"}
        >>> Document(text="", left_out=lost, **fields).summarize_left_out()
        'left out of the text: 12 furniture, 1 attachment'
        """
        if not self.left_out:
            return None
        counts = Counter(entry.why for entry in self.left_out)
        parts = [f"{count} {why.replace('_', ' ')}" for why, count in counts.most_common()]
        return f"left out of the text: {', '.join(parts)}"

    def page_at(self, offset: int) -> Page | None:
        """Return the page at ``offset``, or None."""
        return next((p for p in self.pages if p.start <= offset < p.end), None)

    def headings_at(self, offset: int) -> tuple[str, ...]:
        """Return the titles of the sections around ``offset``, outermost first."""
        return tuple(s.title for s in self.sections if s.start <= offset < s.end)

    def _repr_html_(self) -> str:
        from roma_core.ui.values import render_document  # above this floor: a value is drawn when it is shown

        return render_document(self)

    def _repr_markdown_(self) -> str:
        from roma_core.ui.values import write_document

        return write_document(self)

    def place(self, start: int) -> str:
        """Return the place of ``start`` for a person.

        It is ``page 7``, ``slide 3, notes``, ``sheet “Q2”, row 14``, or a heading.
        """
        held = [s for s in self.sections if s.start <= start < s.end]
        return place_of(self.page_at(start), held, self.row_at(start))

    def row_at(self, offset: int) -> int | None:
        """Return the 1-based row of the sheet at ``offset``; None outside of sheets."""
        held = next((b for b in self.blocks if b.row is not None and b.start <= offset < b.end), None)
        return held.row_at(offset, self.text) if held else None


def place_of(page: Page | None, held: Sequence[Section], row: int | None) -> str:
    """Return ``Document.place`` of a spot on ``page``, inside the sections ``held`` (outermost first), in ``row``."""
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
    facts: DocumentFacts = DocumentFacts()

    @staticmethod
    def id_for(document_id: str, start: int, end: int, text: str) -> str:
        """Return the id of a passage: it depends on its document, its offsets and its words."""
        return digest("chunk", document_id, str(start), str(end), text)[:32]

    @property
    def indexed_text(self) -> str:
        """Return the text that is embedded and searched."""
        return f"{self.context}\n{self.text}" if self.context else self.text

    def _repr_html_(self) -> str:
        from roma_core.ui.values import render_passage  # above this floor: a value is drawn when it is shown

        return render_passage(self)

    def _repr_markdown_(self) -> str:
        from roma_core.ui.values import write_passage

        return write_passage(self)


class ScoredChunk(Noun):
    """A chunk with its rank (1-based), the score it is ranked by, and the scores it came from."""

    chunk: Chunk
    score: float
    rank: int = Field(ge=1)
    retriever: str
    scores: dict[str, float] = Field(default_factory=dict)

    def _repr_html_(self) -> str:
        from roma_core.ui.values import render_passage  # above this floor: a value is drawn when it is shown

        return render_passage(self.chunk, self)

    def _repr_markdown_(self) -> str:
        from roma_core.ui.values import write_passage

        return write_passage(self.chunk, self)
