"""The cited documents of a transcript as BibTeX."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from roma_core.connectors.sources import redact_uri
from roma_core.transcripts.blocks import clean_text
from roma_core.transcripts.transcript import Footnote, Transcript, sign_answers

_LATEX: Final = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
}


def write_bibtex(transcript: Transcript) -> str:
    """Return an entry for each cited document; its note has places, quotes, offsets and the hash."""
    notes: dict[str, list[Footnote]] = {}
    for answer in sign_answers(transcript):
        for note in answer.footnotes:
            notes.setdefault(note.citation.document_id, []).append(note)
    keys: set[str] = set()
    return "\n".join(_write_entry(cited, keys) for cited in notes.values())


def _write_entry(notes: list[Footnote], keys: set[str]) -> str:
    source, citation = notes[0].source, notes[0].citation
    title = clean_text(source.title or citation.title)
    year = source.date[:4]
    uri = redact_uri(citation.uri)
    is_web = uri.startswith(("http://", "https://"))
    places = [f"{note.origin}, characters {note.citation.start}-{note.citation.end}: “{note.quote}”" for note in notes]
    fields = {
        "title": f"{{{escape(title)}}}",
        "author": " and ".join(f"{{{escape(name)}}}" for name in _split_authors(source.author)),
        "year": year if year.isdigit() else "",
        "date": source.date,
        "url": _escape_address(uri) if is_web else "",
        "howpublished": "" if is_web else escape(clean_text(uri)),
        "note": escape(clean_text("; ".join(places))),
        "checksum": f"sha256:{source.content_sha256}" if source.content_sha256 else "",
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{'online' if is_web else 'misc'}{{{_make_key(notes[0], keys)},", *lines, "}", ""])


def _make_key(note: Footnote, keys: set[str]) -> str:
    """Return a key of letters and digits that no other entry has."""
    words = f"{' '.join(_split_authors(note.source.author)[:1])} {note.source.date[:4]} {note.citation.title}"
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode().lower()
    stem = "-".join(re.findall("[a-z0-9]+", plain)[:6]) or f"document-{note.citation.document_id[:8]}"
    key, number = stem, 2
    while key in keys:
        key, number = f"{stem}-{number}", number + 1
    keys.add(key)
    return key


def _split_authors(authors: str) -> list[str]:
    """Return names, which are kept as they stand: which part of a name is the family's is not guessed."""
    return [name.strip() for name in re.split(r"[;,]|\band\b", authors) if name.strip()]


def escape(text: str) -> str:
    """Return text whose signs of LaTeX mean themselves.

    >>> escape("50 % of {x}")
    '50 \\\\% of \\\\{x\\\\}'
    """
    return "".join(_LATEX.get(sign, sign) for sign in " ".join(text.split()))


def _escape_address(uri: str) -> str:
    """Return an address as a field can hold it: braces and spaces are spelt out."""
    spelt = {"{": "%7B", "}": "%7D", " ": "%20", "\\": "%5C"}
    return "".join(spelt.get(sign, sign) for sign in clean_text(uri))
