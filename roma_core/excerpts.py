"""Excerpts of documents: the text around a citation, or from an offset on, for readers that take no whole document."""

from __future__ import annotations

from pydantic import BaseModel, Field

from roma_core.errors import InputError
from roma_core.types import Document

MOST_EXCERPT_CHARS = 100_000
"""Longest excerpt, in code points."""


class CitedSpan(BaseModel):
    """The cited words: `text[start - offset : end - offset] == quote`."""

    start: int
    end: int
    quote: str
    place: str
    page: int | None


class SourceText(BaseModel):
    """A document's text, or the part of it around a citation. Offsets count code points of the whole text."""

    document_id: str
    uri: str
    title: str
    media_type: str
    length: int = Field(description="Code points of the whole text.")
    offset: int = Field(description="Where `text` begins in the whole.")
    text: str
    cited: CitedSpan | None


def cut_excerpt(
    document: Document,
    start: int | None = None,
    end: int | None = None,
    *,
    context: int = 2000,
    offset: int = 0,
    most_chars: int = MOST_EXCERPT_CHARS,
) -> SourceText:
    """Return the text around a span, ``context`` code points on each side, or from ``offset`` on.

    Raises ``InputError`` for a span outside of the text.
    """
    size, cited = len(document.text), None
    if start is None and end is None:
        first, last = min(offset, size), min(size, offset + most_chars)
    else:
        if start is None or end is None or not start < end <= size:
            raise InputError(f"A cited span needs start < end <= {size}, the length of the text.")
        first, last = max(0, start - context), min(size, end + context, start + MOST_EXCERPT_CHARS)
        page = document.page_at(start)
        cited = CitedSpan(
            start=start,
            end=end,
            quote=document.text[start:end],
            place=document.place(start),
            page=page.number if page else None,
        )
    return SourceText(
        document_id=document.id,
        uri=document.uri,
        title=document.title,
        media_type=document.media_type,
        length=size,
        offset=first,
        text=document.text[first:last],
        cited=cited,
    )
