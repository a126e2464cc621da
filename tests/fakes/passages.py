"""Documents that are one passage, and these passages."""

from __future__ import annotations

from roma_core.types import Chunk, Document, DocumentFacts, ScoredChunk


def make_note(name: str, text: str, date: str = "") -> Document:
    """Return a Markdown file, titled by its name: "cellar-log" is "Cellar log"."""
    return Document(
        id=name,
        uri=f"file:///{name}.md",
        title=name.replace("-", " ").capitalize(),
        text=text,
        content_sha256=name,
        parser="markdown/1",
        metadata={"date": date} if date else {},
    )


def make_passage(source: Document, rank: int = 1) -> ScoredChunk:
    """Return a document as one passage."""
    chunk = Chunk(
        id=f"chunk-{source.id}",
        document_id=source.id,
        uri=source.uri,
        title=source.title,
        text=source.text,
        start=0,
        end=len(source.text),
        facts=DocumentFacts(date=str(source.metadata.get("date", ""))),
    )
    return ScoredChunk(chunk=chunk, score=1.0 / rank, rank=rank, retriever="hybrid")
