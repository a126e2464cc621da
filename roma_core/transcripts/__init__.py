"""Exports of answers and conversations: Markdown, DOCX, PDF and BibTeX, with footnotes that prove what they say.

Example::

    transcript = await collect_answer(roma, Principal.local(), record_id)
    Path("answer.docx").write_bytes(write_transcript(transcript, "docx"))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal, NamedTuple, get_args

from roma_core.transcripts.bibtex import write_bibtex
from roma_core.transcripts.collect import collect_answer, collect_conversation, merge_entries, restore_output
from roma_core.transcripts.docx import write_docx
from roma_core.transcripts.markdown import write_markdown
from roma_core.transcripts.pdf import write_pdf
from roma_core.transcripts.transcript import SourceDocument, Transcript, TranscriptTurn

__all__ = [
    "FILE_FORMATS",
    "MEDIA_TYPES",
    "FileFormat",
    "SavedFile",
    "SourceDocument",
    "Transcript",
    "TranscriptTurn",
    "collect_answer",
    "collect_conversation",
    "make_file",
    "merge_entries",
    "restore_output",
    "write_transcript",
]

FileFormat = Literal["md", "docx", "pdf", "bib"]
FILE_FORMATS: Final[tuple[FileFormat, ...]] = get_args(FileFormat)
MEDIA_TYPES: Final[Mapping[FileFormat, str]] = {
    "md": "text/markdown; charset=utf-8",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pdf": "application/pdf",
    "bib": "application/x-bibtex; charset=utf-8",
}
_WRITERS: Final[Mapping[FileFormat, Callable[[Transcript], str | bytes]]] = {
    "md": write_markdown,
    "docx": write_docx,
    "pdf": write_pdf,
    "bib": write_bibtex,
}


class SavedFile(NamedTuple):
    """A file to save."""

    name: str
    media_type: str
    data: bytes


def write_transcript(transcript: Transcript, file_format: FileFormat) -> bytes:
    """Return a transcript as the bytes of a file. Raises ``InputError`` when no font has its letters (PDF)."""
    written = _WRITERS[file_format](transcript)
    return written.encode() if isinstance(written, str) else written


def make_file(transcript: Transcript, file_format: FileFormat) -> SavedFile:
    """Return a transcript as a file with a name of plain letters."""
    words = "".join(sign if sign.isascii() and sign.isalnum() else " " for sign in transcript.title)
    name = "-".join(words.lower().split())[:60].strip("-") or "answer"
    data = write_transcript(transcript, file_format)
    return SavedFile(f"{name}.{file_format}", MEDIA_TYPES[file_format], data)
