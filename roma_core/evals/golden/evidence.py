"""From anchors to offsets: where in the stored documents the evidence of a golden set lies."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import AsyncIterable, Iterable, Iterator

from roma_core.evals.golden.dataset import Evidence, GoldenCase
from roma_core.types import Document, Noun, Span, digest

_WORD = re.compile(r"[^\W_]+")


class Place(Span):
    """A span of one document."""

    document_id: str

    def holds(self, document_id: str, start: int, end: int) -> bool:
        """Whether ``[start, end)`` of a document shares a character with this place."""
        return document_id == self.document_id and start < self.end and self.start < end


Places = tuple[Place, ...]
"""All places of one piece of evidence; any of them will do. Empty: not in the corpus."""


class Corpus(Noun):
    """What a golden set is asked of. ``places[case_id][i]`` belongs to the case's i-th piece of evidence."""

    sha256: str
    documents: int
    places: dict[str, tuple[Places, ...]]

    @property
    def missing(self) -> tuple[tuple[str, int], ...]:
        """Case and number (0-based) of each piece of evidence that the corpus does not hold."""
        return tuple((case, i) for case, found in self.places.items() for i, at in enumerate(found) if not at)


def anchor_pattern(anchor: str) -> re.Pattern[str]:
    """The anchor's words in order; case, white space and markup between them do not matter."""
    words = _WORD.findall(anchor)
    return re.compile(r"(?<![^\W_])" + r"[\W_]+".join(map(re.escape, words)) + r"(?![^\W_])", re.IGNORECASE)


def locate(anchor: str, text: str) -> tuple[Span, ...]:
    """Spans of the anchor in ``text``; the whole text when the anchor has no word."""
    if not _WORD.search(anchor):
        return (Span(start=0, end=len(text)),)
    return tuple(Span(start=m.start(), end=m.end()) for m in anchor_pattern(anchor).finditer(text))


def names(uri: str, evidence: Evidence) -> bool:
    """Whether a document's URI is the one that the evidence names: equal, or ending in it after a slash."""
    return uri == evidence.uri or uri.endswith("/" + evidence.uri)


async def find(cases: Iterable[GoldenCase], documents: AsyncIterable[Document]) -> Corpus:
    """Locate all evidence in one pass over the documents; only offsets are kept."""
    wanted = _by_file_name(cases)
    places: dict[tuple[str, int], list[Place]] = defaultdict(list)
    versions: list[str] = []
    async for document in documents:
        versions.append(digest(document.id, document.content_sha256, document.parser))
        for case, i, evidence in wanted.get(_file_name(document.uri), ()):
            if names(document.uri, evidence):
                places[case.id, i] += _places(document, evidence)
    sizes = {case.id: len(case.evidence) for case in cases}
    return Corpus(
        sha256=digest("corpus", *sorted(versions)),
        documents=len(versions),
        places={case: tuple(tuple(places[case, i]) for i in range(size)) for case, size in sizes.items()},
    )


def _places(document: Document, evidence: Evidence) -> Iterator[Place]:
    for span in locate(evidence.anchor, document.text):
        yield Place(document_id=document.id, start=span.start, end=span.end)


def _by_file_name(cases: Iterable[GoldenCase]) -> dict[str, list[tuple[GoldenCase, int, Evidence]]]:
    found: dict[str, list[tuple[GoldenCase, int, Evidence]]] = defaultdict(list)
    for case in cases:
        for i, evidence in enumerate(case.evidence):
            found[_file_name(evidence.uri)].append((case, i, evidence))
    return found


def _file_name(uri: str) -> str:
    return uri.rsplit("/", 1)[-1]
