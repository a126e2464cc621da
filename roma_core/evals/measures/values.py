"""Text as a row of tokens that compare by value: numbers, dates, units and words, in any script.

``10,000``, ``10 000`` and ``10000`` are one number, ``2,5`` is ``2.5``, ``5 March 2024`` is ``2024-03-05``, ``50 %`` is
``50 percent``; ``-5`` is not ``5``, ``50 %`` is not ``50``, ``3.10`` is not ``3.1``. Words of Latin, Greek or Cyrillic
script are compared whole; in scripts without blanks (Chinese, Japanese, Thai), or with particles that grow on the word
(Korean), each sign is a token. Independent of the product's own checks: a yardstick must not share their mistakes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

TokenKind = Literal["word", "number", "percent", "date", "break"]

_BLANK = " \u00a0\u2009\u202f"
_DIGITS = (
    rf"\d{{1,3}}(?:[{_BLANK}]\d{{3}})+(?![{_BLANK}]?\d)(?:[.,]\d+)?|\d+(?:['’]\d{{3}})+(?:[.,]\d+)?|\d+(?:[.,]\d+)*"
)
_UNSPACED = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af\u0e00-\u0e7f\u0e80-\u0eff\u1780-\u17ff\u1000-\u109f"
_TOKEN = re.compile(
    rf"(?P<sign>(?<![\w.)\]])[-\u2212\u2013](?=\d))?(?P<digits>{_DIGITS})(?P<ordinal>st|nd|rd|th)?(?![\d])"
    rf"|(?P<unspaced>[{_UNSPACED}])"
    rf"|(?P<word>[^\W\d_{_UNSPACED}]+(?:['’][^\W\d_{_UNSPACED}]+)*(?:\+\+|\#(?!\w))?)"
    r"|(?P<mark>[%‰$€£¥₩₹°])"
    r"|(?P<break>[.;:!?,\n。、，；：！？]|(?<=\s)[-–—](?=\s))"
)
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan januar janvier enero gennaio",
            "february feb februar février febrero febbraio",
            "march mar märz mars marzo",
            "april apr avril abril aprile",
            "may mai mayo maggio",
            "june jun juni juin junio giugno",
            "july jul juli juillet julio luglio",
            "august aug août agosto",
            "september sep sept septembre septiembre settembre",
            "october oct oktober okt octobre octubre ottobre",
            "november nov novembre noviembre",
            "december dec dezember dez décembre diciembre dicembre",
        ),
        start=1,
    )
    for name in names.split()
}
_NUMBER_WORDS = {
    word: str(value)
    for value, words in enumerate(
        (
            "zero null", "", "two zwei deux dos", "three drei trois tres", "four vier quatre cuatro",
            "five fünf cinq cinco", "six sechs seis", "seven sieben sept siete", "eight acht huit ocho",
            "nine neun neuf nueve", "ten zehn dix diez", "eleven elf onze once", "twelve zwölf douze doce",
            "thirteen dreizehn treize", "fourteen vierzehn quatorze", "fifteen fünfzehn quinze",
            "sixteen sechzehn seize",
            "seventeen siebzehn", "eighteen achtzehn", "nineteen neunzehn", "twenty zwanzig vingt veinte",
        )
    )
    for word in words.split()
} | {f"{word}ty": f"{digit}0" for digit, word in enumerate("thir for fif six seven eigh nine".split(), 3)}  # fmt: skip
_ISO = re.compile(r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)")
_NUMERIC = re.compile(r"(?<![\d.])(\d{1,2})([./])(\d{1,2})\2(\d{4})(?!\d)")
_SAME_UNIT = {
    **dict.fromkeys(("percent", "pct", "prozent", "percentage"), "%"),
    **dict.fromkeys(("$", "usd", "dollar", "dollars"), "usd"),
    **dict.fromkeys(("€", "eur", "euro", "euros"), "eur"),
    **dict.fromkeys(("£", "gbp", "pound", "pounds"), "gbp"),
    **dict.fromkeys(("¥", "jpy", "yen"), "jpy"),
    **dict.fromkeys(("degree", "degrees", "grad"), "°"),
    **dict.fromkeys(("kilometre", "kilometres", "kilometer", "kilometers"), "km"),
    **dict.fromkeys(("metre", "metres", "meter", "meters"), "m"),
    **dict.fromkeys(("minute", "minutes", "mins"), "min"),
    **dict.fromkeys(("second", "seconds", "secs"), "s"),
    **dict.fromkeys(("hour", "hours", "hrs"), "h"),
    **dict.fromkeys(("kilogram", "kilograms", "kilogramme"), "kg"),
}
_CURRENCIES = frozenset({"usd", "eur", "gbp", "jpy", "₩", "₹"})


@dataclass(frozen=True)
class ValueToken:
    """A word, a number or a date by its value. ``values`` are all that it may mean: ``1.250`` is 1.25 or 1250."""

    kind: TokenKind
    values: frozenset[str]
    start: int

    def matches(self, other: ValueToken) -> bool:
        """Return True when the two may mean the same."""
        return self.kind == other.kind and not self.values.isdisjoint(other.values)


def read_values(text: str) -> list[ValueToken]:
    """Return the tokens of ``text`` in order; marks that end a clause are tokens of kind ``break``.

    >>> [sorted(token.values) for token in read_values("10,000 rows")]
    [['10', '10000'], ['rows']]
    """
    folded = unicodedata.normalize("NFKC", text).casefold().replace("\x00", " ")
    folded, dates = _take_dates(folded)
    return _join_dates(list(_read(folded, dates)))


def _date(year: str, month: str | int, day: str) -> str:
    return f"{int(year):04}-{int(month):02}-{int(day):02}"


def _take_dates(text: str) -> tuple[str, dict[int, frozenset[str]]]:
    """Return the text with blanks for dates in figures, and these by place."""
    dates: dict[int, frozenset[str]] = {}

    def keep(match: re.Match[str], meanings: Sequence[tuple[str, str, str]]) -> str:
        valid = {_date(y, m, d) for y, m, d in meanings if 1 <= int(m) <= 12 and 1 <= int(d) <= 31}
        if not valid:
            return match[0]
        dates[match.start()] = frozenset(valid)
        return "\x00" + " " * (len(match[0]) - 1)

    text = _ISO.sub(lambda m: keep(m, [(m[1], m[2], m[3])]), text)
    return _NUMERIC.sub(
        lambda m: keep(m, [(m[4], m[3], m[1])] if m[2] == "." else [(m[4], m[3], m[1]), (m[4], m[1], m[3])]), text
    ), dates


_WITH_DATES = re.compile(rf"(?P<date>\x00)|{_TOKEN.pattern}")


def _read(text: str, dates: dict[int, frozenset[str]]) -> Iterator[ValueToken]:
    for match in _WITH_DATES.finditer(text):
        start = match.start()
        if match["date"]:
            yield ValueToken("date", dates[start], start)
        elif match["digits"]:
            yield ValueToken("number", _number_values(match["digits"], bool(match["sign"])), start)
        elif match["break"]:
            yield ValueToken("break", frozenset({match["break"]}), start)
        else:
            word = match["unspaced"] or match["word"] or match["mark"]
            word = word.replace("’", "'").removesuffix("'s")
            word = _SAME_UNIT.get(word, word)
            if word in _NUMBER_WORDS:
                yield ValueToken("number", frozenset({_NUMBER_WORDS[word]}), start)
            else:
                yield ValueToken("percent" if word in {"%", "‰"} else "word", frozenset({word}), start)


def _number_values(digits: str, negative: bool) -> frozenset[str]:
    """Return every number that the digits may stand for, as plain decimals; a version keeps its dots."""
    plain = re.sub(rf"[{_BLANK}'’]", "", digits)
    values = {plain}
    marks = re.findall(r"[.,]", plain)
    if marks:
        grouped = re.fullmatch(r"\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*", plain)
        if grouped:
            values.add(re.sub(r"[.,]", "", plain))
        if len(set(marks)) == 2 and marks.count(marks[-1]) == 1:
            whole, _, fraction = plain.rpartition(marks[-1])
            values = {re.sub(r"[.,]", "", whole) + "." + fraction}
        elif len(marks) == 1:
            values.add(plain.replace(",", "."))
            if grouped:
                values.discard(plain)
                values.add(plain.replace(",", "."))
    values = {value.replace(",", ".") for value in values}
    return frozenset(f"-{value}" if negative else value for value in values)


def _join_dates(tokens: list[ValueToken]) -> list[ValueToken]:
    """Return the tokens with ``5 March 2024`` and ``March 5, 2024`` as one date each."""
    joined: list[ValueToken] = []
    index = 0
    while index < len(tokens):
        date, size = _date_at(tokens, index)
        if date is not None:
            joined.append(ValueToken("date", frozenset({date}), tokens[index].start))
            index += size
        else:
            joined.append(tokens[index])
            index += 1
    return joined


def _date_at(tokens: Sequence[ValueToken], index: int) -> tuple[str | None, int]:
    """Return the date in words that begins at ``index`` and its number of tokens."""
    window = tokens[index : index + 6]
    kept = [(offset, token) for offset, token in enumerate(window) if not _is_filler(token)]
    parts = [token for _, token in kept[:3]]
    if len(parts) < 3 or kept[0][0] != 0:
        return None, 0
    size = kept[2][0] + 1
    if any(
        next(iter(window[offset].values)) not in {",", ".", "of", "de"}
        for offset in range(size)
        if _is_filler(window[offset])
    ):
        return None, 0
    first, second, third = (next(iter(part.values)) for part in parts)
    if not re.fullmatch(r"\d{4}", third):
        return None, 0
    if re.fullmatch(r"\d{1,2}", first) and second in _MONTHS:
        return _date(third, _MONTHS[second], first), size
    if first in _MONTHS and re.fullmatch(r"\d{1,2}", second):
        return _date(third, _MONTHS[first], second), size
    return None, 0


def _is_filler(token: ValueToken) -> bool:
    return token.kind == "break" or next(iter(token.values)) in {"of", "de"}


def find_fact(fact: Sequence[ValueToken], text: Sequence[ValueToken]) -> Iterator[tuple[int, int]]:
    """Yield where the fact's tokens stand side by side in the text: first and last index.

    Breaks between them do not count. A bare number is not one with ``%`` behind it, whatever else it is.
    """
    wanted = [token for token in fact if token.kind != "break"]
    places = [i for i, token in enumerate(text) if token.kind != "break"]
    for offset in range(len(places) - len(wanted) + 1):
        here = places[offset : offset + len(wanted)]
        if not wanted or not all(w.matches(text[i]) for w, i in zip(wanted, here, strict=True)):
            continue
        if wanted[-1].kind == "number" and _has_percent(text, here[-1]):
            continue
        yield here[0], here[-1]


def _has_percent(text: Sequence[ValueToken], index: int) -> bool:
    return index + 1 < len(text) and text[index + 1].kind == "percent"


def put_amounts_in_order(tokens: Sequence[ValueToken]) -> list[ValueToken]:
    """Return the tokens with a currency behind its number, wherever it was written."""
    ordered = list(tokens)
    for index in range(len(ordered) - 1):
        word = next(iter(ordered[index].values))
        if ordered[index].kind == "word" and word in _CURRENCIES and ordered[index + 1].kind == "number":
            before = index > 0 and ordered[index - 1].kind == "number"
            if not before:
                ordered[index], ordered[index + 1] = ordered[index + 1], ordered[index]
    return ordered
