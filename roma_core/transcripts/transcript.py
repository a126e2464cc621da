"""Transcripts: a conversation or one answer as it is exported, and the footnotes that prove it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import Field

from roma_core.answers import AnswerState
from roma_core.connectors.sources import redact_uri
from roma_core.markup import read_markers, remove_markers
from roma_core.markup.tables import skip_rows
from roma_core.types import PROVEN, VERDICT_WORDS, Citation, Noun, TailorOutput

OPEN: Final = "\ue000"
CLOSE: Final = "\ue001"
"""Private characters around the number of a sign while Markdown is read; texts lose theirs."""
_PRIVATE: Final = dict.fromkeys(map(ord, (OPEN, CLOSE)), "\ufffd")
STATE_WORDS: Final = {
    "running": "This answer was still being written.",
    "stopped": "This answer was stopped.",
    "failed": "This answer failed.",
    "interrupted": "ROMA was restarted while it wrote this answer.",
}


class SourceDocument(Noun):
    """Facts of a cited document. ``content_sha256`` is empty where the document is no longer stored."""

    id: str
    uri: str = ""
    title: str = ""
    author: str = ""
    date: str = ""
    content_sha256: str = ""


class TranscriptTurn(Noun):
    """A question with its answer, as far as there is one: ``words`` are those of an answer that did not end well."""

    question: str
    state: AnswerState = "complete"
    asked_at: datetime | None = None
    output: TailorOutput | None = None
    words: str = ""


class Transcript(Noun):
    """The turns of a conversation, and the documents that they cite, by id."""

    title: str
    turns: tuple[TranscriptTurn, ...]
    sources: dict[str, SourceDocument] = Field(default_factory=dict)
    exported_at: datetime
    base_url: str = ""
    """Address of the service, to which links to cited passages lead; empty without one."""


@dataclass(frozen=True)
class Footnote:
    """A citation under its number in the export: the quote, and where it stands."""

    number: int
    citation: Citation
    source: SourceDocument
    base_url: str = ""

    @property
    def quote(self) -> str:
        """The cited words on one line."""
        return " ".join(skip_rows(self.citation.quote).split())

    @property
    def origin(self) -> str:
        """The source and the place in it: "Rope bridge, page 3"."""
        title, place = self.citation.title or self.source.title, self.citation.place
        repeats = place.strip("“” ").casefold() == title.strip().casefold()
        return title if not place or repeats else f"{title}, {place}"

    @property
    def link(self) -> str:
        """Address of the page that shows the passage; empty without a service."""
        if not self.base_url:
            return ""
        citation = self.citation
        return f"{self.base_url}/read/{citation.document_id}?start={citation.start}&end={citation.end}"

    @property
    def details(self) -> tuple[str, ...]:
        """What a reader needs to check the quote: verdict, address, offsets and hash."""
        citation = self.citation
        verdict = VERDICT_WORDS[citation.verdict].capitalize()
        found = " (found by ROMA)" if citation.found_by == "roma" else ""
        reasons = f": {'; '.join(citation.decided_by)}" if citation.decided_by else ""
        digest = self.source.content_sha256
        return (
            f"{verdict}{found}{reasons}",
            redact_uri(citation.uri),
            f"characters {citation.start}-{citation.end}",
            f"SHA-256 {digest}" if digest else "the document is no longer stored",
        )


@dataclass(frozen=True)
class UnprovenSign:
    """Sign behind a statement that no source proves."""

    words: str


Sign = Footnote | UnprovenSign


@dataclass(frozen=True)
class SignedAnswer:
    """An answer whose markers are ``OPEN + index + CLOSE``: places in ``signs``."""

    markdown: str
    signs: tuple[Sign, ...]
    footnotes: tuple[Footnote, ...]
    """Each footnote once, in order."""


def sign_answers(transcript: Transcript) -> list[SignedAnswer]:
    """Return the answer of each turn with its footnotes, numbered through the whole transcript.

    An answer that did not end well has its words so far, and no footnotes.
    """
    answers: list[SignedAnswer] = []
    number = 1
    for turn in transcript.turns:
        if turn.output is None:
            answers.append(SignedAnswer(turn.words.translate(_PRIVATE), (), ()))
            continue
        answer = _sign_answer(turn.output, transcript, number)
        number += len(answer.footnotes)
        answers.append(answer)
    return answers


def _sign_answer(output: TailorOutput, transcript: Transcript, first: int) -> SignedAnswer:
    text = output.answer.translate(_PRIVATE)
    footnotes: dict[tuple[object, ...], Footnote] = {}

    def footnote_of(citation: Citation) -> Footnote:
        key = (citation.document_id, citation.start, citation.end, citation.verdict, citation.found_by)
        if key not in footnotes:
            source = transcript.sources.get(citation.document_id) or SourceDocument(id=citation.document_id)
            footnotes[key] = Footnote(first + len(footnotes), citation, source, transcript.base_url)
        return footnotes[key]

    places: list[tuple[int, int, list[Sign]]] = []
    for marker in read_markers(text):
        cited = [output.citation_at(marker.start, number) for number in marker.numbers]
        ours = [citation for citation in cited if citation is not None]
        if len(ours) == len(cited):
            places.append((marker.start, marker.end, [footnote_of(citation) for citation in ours]))
    for statement in output.statements:
        if not statement.markers and statement.verdict not in PROVEN:
            places.append((statement.end, statement.end, [UnprovenSign("no source")]))
    for citation in output.citations:
        footnote_of(citation)  # one whose marker does not stand in the answer is a footnote all the same
    return _put_signs(text, places, tuple(footnotes.values()))


def _put_signs(
    text: str, places: Sequence[tuple[int, int, Sequence[Sign]]], footnotes: tuple[Footnote, ...]
) -> SignedAnswer:
    parts: list[str] = []
    signs: list[Sign] = []
    last = 0
    for start, end, here in sorted(places, key=lambda place: place[:2]):
        if start < last:
            continue
        before = text[last:start]
        is_after_space = end > start and before.endswith(" ")
        parts.append(before[:-1] if is_after_space else before)
        for sign in here:
            parts.append(f"{OPEN}{len(signs)}{CLOSE}")
            signs.append(sign)
        last = end
    return SignedAnswer("".join((*parts, text[last:])), tuple(signs), footnotes)


def make_title(question: str) -> str:
    """Return a title for a transcript: the first question on one line.

    >>> make_title("What does the bridge span?\\n")
    'What does the bridge span?'
    """
    line = " ".join(remove_markers(question).split())
    return line if len(line) <= 100 else line[:99].rstrip() + "…"
