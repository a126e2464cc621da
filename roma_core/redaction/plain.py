"""Text as detectors read it: blanks are spaces, dashes in numbers hyphens, digits and styled letters those of ASCII.

Unicode's own properties say what is what (UAX 44: general categories Zs, Pd and Nd; NFKC for full-width and styled
letters), so that no detector keeps a list of separators and scripts. Pure.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence

_UNSEEN = "\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
_HIDDEN = re.compile(f"[{_UNSEEN}]")
_CUT = re.compile(rf"(?<=\d)[{_UNSEEN}]+(?=\d)|(?<=[^\d{_UNSEEN}])[{_UNSEEN}]+(?=[^\d{_UNSEEN}])")
"""Invisible characters inside of a number or of a word. Between the two they part them."""
_HYPHENS = "\u2010\u2011\ufe63\uff0d"
_DASH = "\u2013"
_IN_NUMBER = re.compile(rf"(?<=\d){_DASH}(?=\d)|(?<=\d ){_DASH}(?= \d)")
"""A dash elsewhere is punctuation, and what follows begins anew."""
_BLOCKS = (
    (0x80, 0x3400),
    (0xA000, 0xAC00),
    (0xFB00, 0x12000),
    (0x16A00, 0x16C00),
    (0x1D400, 0x1D800),
    (0x1E000, 0x1FC00),
)
"""Between them lie ideographs and syllables, none of which looks like one of ASCII's."""


def normalise_text(text: str) -> tuple[str, Sequence[int] | None]:
    """Return ``text`` for a detector, and the offset in ``text`` of each character (None when offsets are unchanged).

    Costs nothing when ``text`` is ASCII, as almost every log line is.
    """
    if text.isascii():
        return text, None
    table, used = _plain_table(), set(text)  # few of the one are in the other: quicker than a look at each character
    places = _find_kept_offsets(text) if any(map(_HIDDEN.match, used)) else None
    read = text if places is None else "".join(text[i] for i in places)
    for c in table.keys() & used:
        read = read.replace(c, table[c])
    return (_IN_NUMBER.sub("-", read) if _DASH in read else read), places


def _find_kept_offsets(text: str) -> list[int] | None:
    """Return the offsets of the characters that stay; None when none is removed."""
    kept: list[int] = []
    last = 0
    for cut in _CUT.finditer(text):
        kept += range(last, cut.start())
        last = cut.end()
    return [*kept, *range(last, len(text))] if last else None


@functools.cache
def _plain_table() -> dict[str, str]:
    """Return the plain equivalent of each character that has one; one for one, so that offsets hold."""
    found = ((c, _plain_equivalent(c)) for first, last in _BLOCKS for c in map(chr, range(first, last)))
    return {c: equal for c, equal in found if equal is not None}


def _plain_equivalent(c: str) -> str | None:
    match unicodedata.category(c):
        case "Zs" | "Cf":
            return " "
        case "Pd":
            return "-" if c in _HYPHENS else _DASH
        case "Nd":
            return str(unicodedata.decimal(c))
        case "Lu" | "Ll" | "Po" | "Pc":
            folded = unicodedata.normalize("NFKC", c)
            return folded if len(folded) == 1 and folded.isascii() else None
        case "Sm":
            return _DASH if c == "\N{MINUS SIGN}" else "+" if unicodedata.normalize("NFKC", c) == "+" else None
    return None
