"""Quotations in a claim: what stands in quotation marks is verbatim in the source, or the claim is refused. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from roma_core.citations.align import find_run
from roma_core.citations.words import ClaimWord

_PAIRS = (
    (r"“", r"[”\"]"), (r"„", r"[“”\"]"), (r"«\s?", r"\s?»"), (r"»", r"«"), (r"``", r"''"), (r"「", r"」"),
    (r"『", r"』"), (r"‹", r"›"),
    (r"(?<![\w\"])\"(?=\S)", r"(?<=\S)\"(?!\w)"),
    (r"(?<![\w'’])‘(?=\w)", r"(?<=[\w.,!?…])’(?!\w)"),
    (r"(?<![\w'’])'(?=\w)", r"(?<=[\w.,!?…])'(?!\w)"),
)  # fmt: skip
_QUOTATION = re.compile(
    "|".join(rf"{opening}(?P<q{i}>[^\n]{{1,2000}}?){closing}" for i, (opening, closing) in enumerate(_PAIRS))
)
_UNCLOSED = re.compile(r"[“„«](?P<rest>[^”“»\"]{3,})\Z")
_GAP = re.compile(r"\.\.\.|…|\[\.\.\.\]|\[…\]")
_IS_FOOT = re.compile(r"\d\s?\Z")


def read_quotations(claim: str) -> list[tuple[int, int]]:
    """Return where quotations stand in the claim, without their marks; one that is not closed goes to the end."""
    spans = list(_find_closed(claim))
    unclosed = _UNCLOSED.search(claim)
    if unclosed and not any(start <= unclosed.start("rest") < end for start, end in spans):
        spans.append(unclosed.span("rest"))
    return spans


def _find_closed(claim: str) -> Iterator[tuple[int, int]]:
    position = 0
    while match := _QUOTATION.search(claim, position):
        name = match.lastgroup or ""
        position = match.end()
        if match[0][0] in "\"'" and _IS_FOOT.search(claim, max(0, match.start() - 2), match.start()):
            position = match.start() + 1  # inches and feet
            continue
        yield match.span(name)


def unproven_quotation(
    claim: str, words: Sequence[ClaimWord], present: Sequence[ClaimWord], names: Sequence[Sequence[str]]
) -> str | None:
    """Return the first quotation of the claim whose words do not stand in the passage in their order; None if all do.

    ``names`` are the keys of the title and the headings: a quotation that is one of them names it.
    """
    if not words:
        return None
    have = [word.form for word in present]
    for start, end in read_quotations(claim):
        quoted = [word for word in words if start <= word.start and word.end <= end]
        if not quoted or not any(word.is_content for word in quoted):
            continue
        keys = [word.key for word in quoted]
        if any(list(name) == keys for name in names):
            continue
        if not all(_stands_in(part, have) for part in _parts(claim, start, end, quoted)):
            return claim[start:end]
    return None


def _parts(claim: str, start: int, end: int, quoted: Sequence[ClaimWord]) -> Iterator[list[str]]:
    """Yield the words of a quotation between its ellipses."""
    cuts = [start, *(match.start() for match in _GAP.finditer(claim, start, end)), end]
    for left, right in pairwise(cuts):
        part = [word.form for word in quoted if left <= word.start < right]
        if part:
            yield part


def _stands_in(part: list[str], have: list[str]) -> bool:
    return find_run(part, have) >= 0


def is_title(quotation: str) -> bool:
    """Return whether quoted words look like the title of a work: a few words with capitals."""
    words = [word.strip("\"'“”‘’.,!?:;()") for word in quotation.split()]
    long = [word for word in words if len(word) > 3]
    return len(words) <= 8 and bool(long) and all(word[:1].isupper() or word[:1].isdigit() for word in long)
