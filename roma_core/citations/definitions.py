"""Acronyms: those that a document defines itself, and a few that everybody knows. Pure.

The long form of "World Health Organization (WHO)" is found as Schwartz and Hearst do (PSB 2003): the letters of the
short form, read backwards, stand in the words before it, the first one at the beginning of a word.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence

from roma_core.citations.words import ClaimWord, read_words, with_acronyms

COMMON: dict[str, tuple[str, ...]] = {
    "us": ("United States", "United States of America"),
    "usa": ("United States", "United States of America"),
    "uk": ("United Kingdom",),
    "eu": ("European Union",),
    "un": ("United Nations",),
    "uae": ("United Arab Emirates",),
    "ussr": ("Soviet Union",),
    "nato": ("North Atlantic Treaty Organization",),
    "who": ("World Health Organization",),
    "nasa": ("National Aeronautics and Space Administration",),
    "fbi": ("Federal Bureau of Investigation",),
    "dna": ("deoxyribonucleic acid",),
    "gdp": ("gross domestic product",),
    "wwi": ("World War I", "First World War", "World War One", "World War 1"),
    "wwii": ("World War II", "Second World War", "World War Two", "World War 2"),
    "ai": ("artificial intelligence",),
}
_SAME = {"usa": "us"}
_PAREN = re.compile(r"\(\s*([^()]{2,80}?)\s*\)")
_SHORT = re.compile(r"[A-Za-z][\w&./-]{0,10}[A-Za-z0-9]\Z|[A-Z]{2,}s?\Z")


@functools.lru_cache(maxsize=512)
def read_acronyms(text: str) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Return each acronym that ``text`` defines, in small letters, with the keys of the words that it stands for.

    >>> read_acronyms("The Rope Bridge Society (RBS) met.")["rbs"]
    (('rope', 'bridge', 'society'),)
    """
    found = {acronym: list(forms) for acronym, forms in _common().items()}
    for short, long in _definitions(text):
        name = re.sub(r"[^a-z0-9]", "", short.casefold())
        keys = tuple(word.key for word in with_acronyms(read_words(long), _common()))
        if name and keys and not (len(keys) == 1 and keys[0] == name):
            found.setdefault(name, [])
            if keys not in found[name]:
                found[name].append(keys)
    return {name: tuple(forms) for name, forms in found.items()}


def write_acronyms(words: Sequence[ClaimWord], acronyms: Mapping[str, tuple[tuple[str, ...], ...]]) -> list[ClaimWord]:
    """Return the words with each long form as its acronym; "U.S. Medical ... (USMLE)" holds one in the other."""
    return with_acronyms(with_acronyms(words, _common()), acronyms)


@functools.cache
def _common() -> dict[str, tuple[tuple[str, ...], ...]]:
    return {
        acronym: tuple(tuple(word.key for word in read_words(form)) for form in forms)
        for acronym, forms in COMMON.items()
        if acronym not in _SAME
    }


def _definitions(text: str) -> Iterator[tuple[str, str]]:
    for match in _PAREN.finditer(text):
        inside = match[1].split(";")[0].split(",")[0].strip().strip("\"'“”")
        before = text[max(0, match.start() - 160) : match.start()].rstrip()
        if _is_short(inside):
            if (long := _long_form(inside, before)) is not None:
                yield inside, long
        else:
            short = before.rsplit(None, 1)[-1] if before else ""
            if _is_short(short) and short.isupper() and (long := _long_form(short, inside)) is not None:
                yield short, long


def _is_short(word: str) -> bool:
    return bool(_SHORT.match(word)) and sum(c.isupper() for c in word) >= 2 and len(word) <= 12


def _long_form(short: str, before: str) -> str | None:
    """Return the shortest end of ``before`` that holds the letters of ``short`` in order."""
    letters = [
        c
        for c in short.casefold().removesuffix("s" if short[-1:] == "s" and short[:-1].isupper() else "")
        if c.isalnum()
    ]
    sentence = re.split(r"(?<=[.;:!?])\s", before)[-1]
    if (by_initials := _by_initials(letters, sentence)) is not None:
        return by_initials
    position = len(sentence)
    for index in range(len(letters) - 1, -1, -1):
        position -= 1
        while position >= 0 and not _fits(sentence, position, letters[index], is_first=index == 0):
            position -= 1
        if position < 0:
            return None
    long = sentence[position:].strip()
    words = long.split()
    if len(words) > min(len(letters) + 5, len(letters) * 2) or (len(words) < 2 and "-" not in long):
        return None
    return long


def _by_initials(letters: list[str], sentence: str) -> str | None:
    """Return the words at the end whose first letters are ``letters``; small words between them do not count."""
    words = list(re.finditer(r"[^\W_]+", sentence))
    index = len(words) - 1
    for letter in reversed(letters):
        while index >= 0 and words[index][0][0].casefold() != letter and words[index][0] in _SMALL:
            index -= 1
        if index < 0 or words[index][0][0].casefold() != letter:
            return None
        index -= 1
    return sentence[words[index + 1].start() :].strip() if len(letters) > 1 else None


_SMALL = frozenset("of and the for in on to a an de la le et der die das und y von".split())


def _fits(text: str, position: int, letter: str, *, is_first: bool) -> bool:
    if text[position].casefold() != letter:
        return False
    return not is_first or position == 0 or not text[position - 1].isalnum()
