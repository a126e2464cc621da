"""Codes in a text: identifiers, part numbers, addresses, formulae. Each is one word, compared as a whole. Pure.

A code that differs by one sign is another code: ``max_retry_count`` is not ``max-retry-count``, CO2 is not CO, and
AX-4410-B is not AX-4410.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from roma_core.citations.numbers import UNITS
from roma_core.citations.words import ClaimWord

CODE_PREFIX = "code:"
_CHUNK = re.compile(r"[^\s\[\](){}<>`|,;“”„\"]+")
_ENDS = ".:!?'’*"
_HYPHENS = {ord(sign): "-" for sign in "‐‑‒–−"}
_SHAPES = re.compile(
    r"""
    \w*[^\W_]_+[^\W_]\S*                                # snake_case
    | \S+@\S+ | \S+://\S+ | \S+::\S+ | \S+\\\S+         # addresses
    | /?[\w.-]+/[\w.-]+/\S* | /[a-z]\S* | [\w-]+/[\w-]+\.[a-z]\w*   # paths
    | (?:[A-Za-z][\w-]+\.)+[a-z][a-z0-9]+(?:[/:?\#]\S*)?  # settings.toml, docs.example
    | --?[A-Za-z][\w-]*(?:=\S+)?                        # options
    | [A-Z]\w?(?:\+\+|\#)\d*                            # C++
    | (?:[A-Z][a-z]?|[A-Z]{2,}|[a-z]{1,2})\d[\w]*(?:[+-]|\d[+-])?(?:-[A-Z0-9]+)*   # CO2, Fe3+, E1042
    | (?:[A-Z][a-z]?\d*){2,}\d[A-Za-z0-9]*              # C6H12O6
    | [A-Z][A-Za-z]{0,5}(?:-\w*\d\w*)(?:-[A-Z0-9]+)*   # AX-4410-B, Covid-19
    | [A-Z0-9]+(?:-[A-Z0-9]+)*-\w*[A-Z]\w*(?:-[A-Z0-9]+)*(?<=\d|[A-Z])   # 4410-B
    | \w+[~^]\w+                                        # HEAD~3
    """,
    re.VERBOSE,
)
_NO_CODE = re.compile(
    r"(?:mid|pre|post|non|under|over|top|early|late|since)-.*|.*\d{4}s|[A-Z]+(?:-[A-Z]+)*|[A-Z]\.[a-z]\.?",
    re.IGNORECASE,
)
"""Shapes of plain words: "mid-1990s", and capitals alone."""


def read_codes(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield the offsets and the one spelling of each code in ``text``; hyphens alone do not part its letters.

    >>> [key for _, _, key in read_codes("Set `max_retry_count` in settings.toml for AX-4410-B.")]
    ['max_retry_count', 'settings.toml', 'ax4410b']
    """
    for match in _CHUNK.finditer(text):
        piece = match[0].rstrip(_ENDS)
        start = match.start() + len(piece) - len(piece.lstrip(_ENDS))
        piece = unicodedata.normalize("NFKC", piece.lstrip(_ENDS)).translate(_HYPHENS)
        for offset, code in _codes_of(piece):
            yield start + offset, start + offset + len(code), _spell(code)


def _codes_of(piece: str) -> Iterator[tuple[int, str]]:
    """Yield the codes of a piece without blanks: the whole, or the longest of the parts between its hyphens."""
    if len(piece) < 2:
        return
    if _is_code(piece):
        yield 0, piece
        return
    parts = piece.split("-")
    first, offset = 0, 0
    while first < len(parts) and len(parts) > 1:
        for last in range(len(parts), first, -1):
            code = "-".join(parts[first:last])
            if len(code) > 1 and _is_code(code):
                yield offset, code
                break
        else:
            last = first + 1
        offset += len("-".join(parts[first:last])) + 1
        first = last


def _is_code(piece: str) -> bool:
    if piece.isalpha() or not _SHAPES.fullmatch(piece):
        return False
    is_plain = _NO_CODE.fullmatch(piece) and not piece.startswith("-")
    letters = re.sub(r"\d+\Z", "", piece)
    return not is_plain and not (letters.islower() and letters in UNITS)


def _spell(piece: str) -> str:
    """Return the spelling by which a code is compared: small letters, and no hyphens where nothing else parts it."""
    folded = piece.casefold()
    is_soft = not piece.startswith("-") and not piece.endswith("-") and not re.search(r"[^\w-]|_", piece)
    return folded.replace("-", "") if is_soft else folded.rstrip("/")


def with_codes(text: str, words: Sequence[ClaimWord]) -> list[ClaimWord]:
    """Return the words of ``text`` with each code as one word."""
    joined: list[ClaimWord] = []
    codes = list(read_codes(text))
    if not codes:
        return list(words)
    place = 0
    for word in words:
        while place < len(codes) and codes[place][1] <= word.start:
            place += 1
        is_inside = place < len(codes) and codes[place][0] <= word.start < codes[place][1]
        if not is_inside:
            joined.append(word)
            continue
        start, end, key = codes[place]
        code = _make_code(text[start:end], key, start, end, word.gap)
        if joined and joined[-1].key == code.key and joined[-1].end == end:
            continue
        joined.append(code)
    return joined


def join_codes(words: Sequence[ClaimWord], known: AbstractSet[str]) -> list[ClaimWord]:
    """Return the words with those joined that spell a ``known`` code with blanks: "COVID 19"."""
    codes = {key.removeprefix(CODE_PREFIX) for key in known if key.startswith(CODE_PREFIX)}
    joined: list[ClaimWord] = []
    index = 0
    while index < len(words):
        size = next((n for n in (4, 3, 2) if _spells(words[index : index + n], n, codes)), 0)
        run = words[index : index + size]
        if run:
            text = " ".join(word.text for word in run)
            joined.append(
                _make_code(text, "".join(w.text for w in run).casefold(), run[0].start, run[-1].end, run[0].gap)
            )
        else:
            joined.append(words[index])
        index += size or 1
    return joined


def _spells(run: Sequence[ClaimWord], size: int, codes: AbstractSet[str]) -> bool:
    if not codes or len(run) < size or any(word.key.startswith(CODE_PREFIX) for word in run):
        return False
    return "".join(word.text for word in run).casefold() in codes and all(
        word.gap in {" ", "-", ""} for word in run[1:]
    )


def _make_code(text: str, key: str, start: int, end: int, gap: str) -> ClaimWord:
    key = f"{CODE_PREFIX}{key}"
    return ClaimWord(text, key, key, start, end, gap, is_name=True)
