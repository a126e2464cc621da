"""From anchors to offsets: where in the stored documents the evidence of a golden set lies."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import defaultdict
from collections.abc import AsyncIterable, Iterable, Iterator
from functools import lru_cache
from urllib.parse import unquote

from roma_core.evals.golden.dataset import Evidence, GoldenCase
from roma_core.types import Document, Noun, Span, digest

_UNSPACED = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af\u0e00-\u0e7f"
"""Scripts without blanks between words, or with particles that grow on the word."""
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")


class Place(Span):
    """A span of one document."""

    document_id: str

    def holds(self, document_id: str, start: int, end: int) -> bool:
        """Return True when ``[start, end)`` of a document shares a character with this place."""
        return document_id == self.document_id and start < self.end and self.start < end


Places = tuple[Place, ...]
"""All places of one piece of evidence; any of them will do. Empty: not in the corpus."""


class Corpus(Noun):
    """The documents of a workspace. ``places[case_id][i]`` belongs to the case's i-th piece of evidence."""

    sha256: str
    documents: int
    places: dict[str, tuple[Places, ...]]

    @property
    def missing(self) -> tuple[tuple[str, int], ...]:
        """Case and number (0-based) of each piece of evidence that the corpus does not hold."""
        return tuple((case, i) for case, found in self.places.items() for i, at in enumerate(found) if not at)


@lru_cache(maxsize=4096)
def anchor_pattern(anchor: str) -> re.Pattern[str]:
    """Return the pattern of the anchor's words in order; case, white space and markup between them do not matter.

    Words of scripts without blanks are matched sign by sign, so they may stand inside a longer run of them. Only words
    are matched without regard to case: to fold classes of signs costs ten times the rest of the pattern.
    """
    words = _WORD.findall(unicodedata.normalize("NFKC", anchor))
    parts = [re.escape(words[0])]
    for before, word in itertools.pairwise(words):
        unspaced = re.match(f"[{_UNSPACED}]", before) or re.match(f"[{_UNSPACED}]", word)
        parts += [r"(?-i:[\W_]*)" if unspaced else r"(?-i:[\W_]+)", re.escape(word)]
    edge = rf"(?-i:[^\W_{_UNSPACED}])"
    begin = "" if re.match(f"[{_UNSPACED}]", words[0]) else f"(?<!{edge})"
    end = "" if re.match(f"[{_UNSPACED}]", words[-1]) else f"(?!{edge})"
    return re.compile(begin + "".join(parts) + end, re.IGNORECASE)


def locate(anchor: str, text: str) -> tuple[Span, ...]:
    """Return the spans of the anchor in ``text``; the whole text when the anchor has no word.

    Both are compared in Unicode's form NFKC (``ﬁ`` is ``fi``); the spans are those of ``text`` as it is.
    """
    if not _WORD.search(unicodedata.normalize("NFKC", anchor)):
        return (Span(start=0, end=len(text)),)
    pattern = anchor_pattern(anchor)
    if unicodedata.is_normalized("NFKC", text):
        return tuple(Span(start=m.start(), end=m.end()) for m in pattern.finditer(text))
    normal, places = _normalise_with_places(text)
    return tuple(Span(start=places[m.start()], end=places[m.end() - 1] + 1) for m in pattern.finditer(normal))


def _normalise_with_places(text: str) -> tuple[str, list[int]]:
    """Return the text in NFKC, a sign with its accents at a time, and for each sign the place that it came from."""
    parts: list[str] = []
    places: list[int] = []
    start = 0
    for index in range(1, len(text) + 1):
        if index < len(text) and unicodedata.combining(text[index]):
            continue
        normal = unicodedata.normalize("NFKC", text[start:index])
        parts.append(normal)
        places += [start if i == 0 else index - 1 for i in range(len(normal))]
        start = index
    return "".join(parts), places


def names(uri: str, evidence: Evidence) -> bool:
    """Return True when a document's URI is the one that the evidence names: equal, or ending in it after a slash.

    Names are compared as people write them: ``gr%C3%B6%C3%9Fe%20neu.md`` is ``größe neu.md``.
    """
    plain, wanted = plain_uri(uri), plain_uri(evidence.uri)
    return plain == wanted or plain.endswith("/" + wanted)


def plain_uri(uri: str) -> str:
    """Return an address as people write it: without percent signs, accents composed."""
    return unicodedata.normalize("NFC", unquote(uri))


async def find(cases: Iterable[GoldenCase], documents: AsyncIterable[Document]) -> Corpus:
    """Locate all evidence in one pass over the documents; only offsets are kept."""
    wanted = _by_file_name(cases)
    places: dict[tuple[str, int], list[Place]] = defaultdict(list)
    versions: list[str] = []
    async for document in documents:
        versions.append(digest(document.id, document.content_sha256, document.parser))
        for case, i, evidence in wanted.get(file_name_of(document.uri), ()):
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
            found[file_name_of(evidence.uri)].append((case, i, evidence))
    return found


def file_name_of(uri: str) -> str:
    """Return the last part of an address, as people write it.

    >>> file_name_of("file:///notes/gr%C3%B6%C3%9Fe.md")
    'größe.md'
    """
    return plain_uri(uri).rsplit("/", 1)[-1]
