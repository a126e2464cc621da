"""Views of an answer as plain values: HTML that ROMA has cleaned, and text that the page shows as text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import combinations
from typing import Any, Final
from urllib.parse import quote, urlsplit

from roma_core.answers import AnswerRecord
from roma_core.citations.conflicts import find_conflict
from roma_core.citations.words import read_words
from roma_core.connectors.sources import redact_uri
from roma_core.display import show_overrides
from roma_core.errors import AgentFailure, ErrorCode
from roma_core.markup import remove_markers
from roma_core.markup.tables import read_cited_words
from roma_core.sessions.service import Feedback
from roma_core.types import PROVEN, VERDICT_WORDS, Citation, ScoredChunk, TailorOutput
from roma_core.ui.render import Badge, Gap, render_blocks, to_html

VERDICT_ORDER: Final = ("verbatim", "supported", "unchecked", "partial", "unsupported", "contradicted")
"""Verdicts from the best to the worst."""
FALLBACK: Final = "llm: fallback"
MOST_NEAREST: Final = 3
"""Passages that are shown where ROMA does not know."""
NEAREST_CHARS: Final = 400
MOST_COMPARED: Final = 12
"""Citations that are compared with each other for conflicts."""

View = dict[str, Any]

ADVICE: Final[Mapping[str, str]] = {
    "stopped": "This answer was stopped.",
    "interrupted": "ROMA was restarted while it wrote this answer. Your question is kept.",
}


def reader_address(document_id: str, start: int, end: int) -> str:
    """Return the address of the page that shows a document with a span marked.

    >>> reader_address("ab", 3, 9)
    '/read/ab?start=3&end=9'
    """
    return f"/read/{quote(document_id)}?start={start}&end={end}"


def web_address(uri: str) -> str:
    """Return the address of a document that a browser can open; empty for files and what is behind an account."""
    try:
        scheme = urlsplit(uri).scheme
    except ValueError:
        return ""
    return redact_uri(uri) if scheme in {"http", "https"} else ""


def name_place(place: str, title: str) -> str:
    """Return the place for a person; empty where it only repeats the title.

    >>> name_place("“Rope bridge”", "Rope bridge"), name_place("page 3", "Rope bridge")
    ('', 'page 3')
    """
    return "" if place.strip("“” ").casefold() == title.strip().casefold() else place


def read_claim(markdown: str) -> str:
    """Return a statement without its markers and the signs of Markdown.

    >>> read_claim("The **rope** bridge [1].")
    'The rope bridge.'
    """
    words = " ".join(re.sub(r"[*`]", "", remove_markers(markdown)).split())
    return show_overrides(re.sub(r" ([.,;:!?])", r"\1", words))


def view_citation(citation: Citation, answer: str) -> View:
    """Return a citation: its place, its words, the verdict and the claim that it stands for."""
    return {
        "marker": citation.marker,
        "document": citation.document_id,
        "title": show_overrides(citation.title),
        "place": show_overrides(name_place(citation.place, citation.title)),
        "start": citation.start,
        "end": citation.end,
        "quote": show_overrides(citation.quote),
        "verdict": citation.verdict,
        "verdict_words": VERDICT_WORDS[citation.verdict],
        "claim": read_claim(answer[citation.answer_start : citation.answer_end]),
        "decided_by": list(citation.decided_by),
        "by_roma": citation.found_by == "roma",
        "address": reader_address(citation.document_id, citation.start, citation.end),
    }


def view_output(output: TailorOutput) -> View:
    """Return an answer with its citations, verdicts, conflicts and remarks."""
    indices = {id(citation): index for index, citation in enumerate(output.citations)}

    def badge_at(position: int, number: int) -> Badge | None:
        citation = output.citation_at(position, number)
        if citation is None:
            return None
        address = reader_address(citation.document_id, citation.start, citation.end)
        return Badge(number, address, citation.verdict, indices[id(citation)])

    gaps = {
        statement.end: Gap(statement.verdict)
        for statement in output.statements
        if not statement.markers and statement.verdict not in PROVEN
    }
    return {
        "blocks": render_blocks(output.answer, badge_at, gaps),
        "markdown": write_markdown(output),
        "answer_id": output.answer_id,
        "answered": output.answered.value,
        "proof": output.proof,
        "verdicts": output.verdicts,
        "citations": [view_citation(citation, output.answer) for citation in output.citations],
        "sources": view_sources(output.citations),
        "conflicts": view_conflicts(output.citations),
        "removed": [
            {
                "text": show_overrides(statement.text),
                "verdict": statement.verdict,
                "verdict_words": VERDICT_WORDS[statement.verdict],
            }
            for statement in output.removed
        ],
        "follow_ups": [show_overrides(question) for question in output.follow_ups],
        "nearest": [] if output.answered else view_nearest(output.passages),
        "notice": describe_degraded(output),
        "notice_details": list(output.degraded_reasons),
        "footnote": describe_writer(output),
        "details": describe_cost(output),
    }


def view_sources(citations: Sequence[Citation]) -> list[View]:
    """Return the cited documents, each once, with the places in it; a place has the indices of its citations.

    A place stands for all quotes under one number and place, by the verdict that is farthest from proven.
    """
    sources: dict[str, dict[tuple[int, str], list[int]]] = {}
    for index, citation in enumerate(citations):
        place = name_place(citation.place, citation.title)
        sources.setdefault(citation.document_id, {}).setdefault((citation.marker, place), []).append(index)
    views: list[View] = []
    for document_id, places in sources.items():
        first = next(iter(places.values()))[0]
        places_views = [
            _view_place(marker, place, [citations[index] for index in indices], indices)
            for (marker, place), indices in sorted(places.items())
        ]
        views.append({"document": document_id, "title": show_overrides(citations[first].title), "places": places_views})
    return sorted(views, key=lambda view: int(view["places"][0]["marker"]))


def _view_place(marker: int, place: str, citations: Sequence[Citation], indices: Sequence[int]) -> View:
    quotes = {(citation.start, citation.end) for citation in citations}
    worst = max((citation.verdict for citation in citations), key=VERDICT_ORDER.index)
    unproven = sum(citation.verdict not in PROVEN for citation in citations)
    words = [f"{len(quotes)} quotes"] if len(quotes) > 1 else []
    if unproven == len(citations):
        words.append(VERDICT_WORDS[worst])
    elif unproven:
        words.append(f"{VERDICT_WORDS[worst]} for {unproven} of {len(citations)} statements")
    return {
        "marker": marker,
        "place": show_overrides(place),
        "verdict": worst,
        "words": ", ".join(words),
        "quote": show_overrides(citations[0].quote),
        "citations": list(indices),
    }


def view_nearest(passages: Sequence[ScoredChunk]) -> list[View]:
    """Return the passages that come nearest to a question without an answer, one of each document first."""
    first: dict[str, ScoredChunk] = {}
    for passage in passages:
        first.setdefault(passage.chunk.document_id, passage)
    others = [passage for passage in passages if first[passage.chunk.document_id] is not passage]
    nearest = [*first.values(), *others][:MOST_NEAREST]
    return [
        {
            "document": passage.chunk.document_id,
            "title": show_overrides(passage.chunk.title or passage.chunk.uri),
            "start": passage.chunk.start,
            "end": passage.chunk.end,
            "html": to_html(cut_words(drop_title(passage.chunk.text, passage.chunk.title), NEAREST_CHARS)),
            "address": reader_address(passage.chunk.document_id, passage.chunk.start, passage.chunk.end),
        }
        for passage in nearest
    ]


def drop_title(text: str, title: str) -> str:
    r"""Return a passage without the heading at its beginning that says the title, which stands above it.

    >>> drop_title("# Rope bridge\n\nIt spans 48 metres.", "Rope bridge")
    'It spans 48 metres.'
    """
    first, _, rest = text.lstrip().partition("\n")
    is_title = first.startswith("#") and first.strip("# ").casefold() == title.strip().casefold()
    return rest.lstrip() if is_title and rest.strip() else text


def cut_words(text: str, most_chars: int) -> str:
    """Return the beginning of ``text`` up to a whole word.

    >>> cut_words("The rope bridge", 10)
    'The rope …'
    """
    if len(text) <= most_chars:
        return text
    return text[:most_chars].rpartition(" ")[0].rstrip() + " …"


def view_conflicts(citations: Sequence[Citation]) -> list[View]:
    """Return pairs of cited words of different documents that contradict each other."""
    spans: dict[tuple[str, int, int], int] = {}
    for index, citation in enumerate(citations):
        spans.setdefault((citation.document_id, citation.start, citation.end), index)
    conflicts: list[View] = []
    for one, other in combinations(list(spans.values())[:MOST_COMPARED], 2):
        if citations[one].document_id == citations[other].document_id:
            continue
        first, second = citations[one], citations[other]
        words, others = read_cited_words(first.quote), read_cited_words(second.quote)
        found = find_conflict(words, others, same_subject=share_subject(first.title, second.title))
        if found is not None:
            differing = [[show_overrides(word) for word in side] for side in (found.first, found.second)]
            conflicts.append({"kind": found.kind, "citations": [one, other], "words": differing})
    return conflicts


def share_subject(title: str, other: str) -> bool:
    """Return whether two documents are about one thing by their titles: the words of one are all in the other.

    >>> share_subject("Valve manual", "Valve manual of 1998"), share_subject("Bridge of Tarn", "Bridge of Aspen")
    (True, False)
    """
    words, others = (
        {word.key for word in read_words(text) if word.kind == "word" and word.is_content} for text in (title, other)
    )
    return bool(words and others) and (words <= others or others <= words)


def describe_degraded(output: TailorOutput) -> str:
    """Return the sentence above an answer that ROMA could not write as it should; empty where it could."""
    if not output.degraded:
        return ""
    if any(reason.startswith(FALLBACK) for reason in output.degraded_reasons):
        if not output.answered:
            return "The language model cannot be reached. ROMA has searched the sources for a quotation instead."
        instead = "is quoted from the sources" if output.model == "extractive" else f"was written by {output.model}"
        return f"The language model cannot be reached, so this answer {instead}."
    return "A part of ROMA was unavailable, so this answer may be incomplete."


def describe_writer(output: TailorOutput) -> str:
    """Return who wrote the answer."""
    if output.model not in {"extractive", ""}:
        return f"Written by {output.model}"
    return "Quoted word for word from the sources" if output.answered else ""


def describe_cost(output: TailorOutput) -> str:
    """Return tokens and price of an answer; empty where no model was asked."""
    usage = output.usage
    if not usage.input_tokens and not usage.output_tokens:
        return ""
    cost = "price unknown" if usage.cost_usd is None else f"${usage.cost_usd:.4f}"
    return f"{usage.input_tokens:,} tokens read, {usage.output_tokens:,} written, {cost}"


def write_markdown(output: TailorOutput) -> str:
    """Return the answer as Markdown with a line for each source: to paste it elsewhere with its proof."""
    lines = {
        citation.marker: f"[{citation.marker}] {citation.title}{f', {citation.place}' if citation.place else ''} "
        f"({VERDICT_WORDS[citation.verdict]}): “{' '.join(citation.quote.split())}”"
        for citation in reversed(output.citations)
    }
    sources = [lines[marker] for marker in sorted(lines)]
    return "\n\n".join([output.answer, *(["Sources:\n\n" + "\n".join(sources)] if sources else [])])


def view_failure(failure: AgentFailure) -> View:
    """Return a failure: the sentence that says what to do, whether trying again can help, and the code below it."""
    return {
        "message": failure.message,
        "code": failure.code.value,
        "can_retry": failure.recoverable,
        "retry_after_s": failure.retry_after_s,
        "request_id": failure.request_id or "",
        "is_access": failure.code is ErrorCode.ACCESS_UNAUTHENTICATED,
    }


def view_record(record: AnswerRecord, opinion: Feedback | None = None) -> View:
    """Return a question with its answer, as far as there is one."""
    view: View = {
        "id": record.id,
        "state": record.state,
        "question": record.query.text,
        "filters": dict(record.query.filters),
        "created_at": _iso(record.created_at),
        "seconds": _seconds(record.created_at, record.ended_at),
        "rating": opinion.rating if opinion else None,
        "comment": opinion.comment if opinion else "",
    }
    if record.output is not None:
        return {**view, **view_output(record.output)}
    view["blocks"] = render_blocks(record.text)
    if record.state in ADVICE:
        view["advice"] = ADVICE[record.state]
    elif record.failure is not None:
        view["failure"] = view_failure(record.failure)
    return view


def _iso(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""


def _seconds(began: datetime, ended: datetime | None) -> float | None:
    return round((ended - began).total_seconds(), 1) if ended else None
