"""Text as a row of tokens that compare by value: numbers, dates, times, units and words, in any script.

``10,000``, ``10 000`` and ``10000`` are one number, ``2,5`` is ``2.5``, ``3 million`` is ``3000000``, ``5 pm`` is
``17:00``, ``5 March 2024`` is ``2024-03-05``, ``50 %`` is ``50 percent``; ``-5`` is not ``5``, ``50 %`` is not ``50``,
``3.10`` is not ``3.1`` (but ``3.10 kg`` is ``3.1 kg``). A text may say more than a fact asks for: ``5 March 2024`` says
``March 2024``. Words of Latin, Greek or Cyrillic script are compared whole; in scripts without blanks (Chinese,
Japanese, Thai), or with particles that grow on the word (Korean), each sign is a token. Independent of the product's
own checks: a yardstick must not share their mistakes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from roma_core.languages import drop_accents

TokenKind = Literal["word", "number", "percent", "date", "break"]

_BLANK = " \u00a0\u2009\u202f"
_DIGITS = (
    rf"\d{{1,3}}(?:[{_BLANK}]\d{{3}})+(?![{_BLANK}]?\d)(?:[.,]\d+)?|\d+(?:['’]\d{{3}})+(?:[.,]\d+)?|\d+(?:[.,]\d+)*"
    r"|(?<![\w.])\.\d+"
)
_UNSPACED = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af\u0e00-\u0e7f\u0e80-\u0eff\u1780-\u17ff\u1000-\u109f"
_PREFIXES = r"(?:e|co|re|pre|non|multi)-(?=[a-z])"
"""Beginnings of words that are written with and without a hyphen."""
_TOKEN = re.compile(
    r"(?P<decade>(?<![\w.,])(?:1[6-9]|20)\d0s(?!\w))"
    rf"|(?P<sign>(?<![\w.)\]])[-\u2212\u2013](?=\.?\d))?(?P<digits>{_DIGITS})(?P<ordinal>st|nd|rd|th|er(?!\w))?(?![\d])"
    rf"|(?P<unspaced>[{_UNSPACED}])"
    r"|(?P<power>(?<![^\W\d])[ckm]?m[23](?!\w))"
    r"|(?P<initials>(?<!\w)[a-z](?:\.[a-z])+(?!\w)\.?)"
    rf"|(?P<word>(?:(?<!\w){_PREFIXES})?[^\W\d_{_UNSPACED}]+(?:['’][^\W\d_{_UNSPACED}]+)*(?:\+\+|\#(?!\w))?)"
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
} | {
    f"{word}ty": f"{digit}0" for digit, word in enumerate("thir for fif six seven eigh nine".split(), 3)
} | {
    f"{one}und{ten}": f"{tens}{ones}"
    for tens, ten in enumerate("zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig".split(), 2)
    for ones, one in enumerate("ein zwei drei vier fünf sechs sieben acht neun".split(), 1)
}  # fmt: skip
_ONE = frozenset("one ein eine einen einem einer un une una uno".split())
"""Words that count, and more often do not: each is a 1 only where the fact has a word behind its number."""
_SCALES = {
    word: factor
    for factor, words in (
        (100, "hundred hundert"),
        (1_000, "thousand tausend tsd"),
        (10**6, "million millions millionen mio millones"),
        (10**9, "billion billions milliarde milliarden milliards mrd bn"),
        (10**12, "trillion trillions billionen"),
    )
    for word in words.split()
}
_ORDINALS = {
    word: str(number)
    for number, words in enumerate(
        (
            "first erste ersten erster erstes", "second zweite zweiten zweiter zweites",
            "third dritte dritten dritter drittes", "fourth vierte vierten", "fifth fünfte fünften", "sixth sechste",
            "seventh siebte", "eighth achte", "ninth neunte", "tenth zehnte",
        ), start=1,
    )
    for word in words.split()
}  # fmt: skip
_ISO = re.compile(r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)")
_SIGNS = re.compile(r"(?<!\d)(\d{4})[年년]\s?(\d{1,2})[月월]\s?(\d{1,2})[日일]")
_NUMERIC = re.compile(r"(?<![\d.])(\d{1,2})([./])(\d{1,2})\2(\d{4})(?!\d)")
_SHORT_YEAR = re.compile(r"(?<![\d.])(\d{2})\.(\d{2})\.(\d{2})(?![\d.]*\d)")
_MONTH_OF_YEAR = re.compile(r"(?<![\d-])([12]\d{3})-(0[1-9]|1[0-2])(?![-\d])|(?<!\d)(\d{4})[年년]\s?(\d{1,2})[月월]")
_CENTURY_SPLIT = 70
"""Years of two digits from here on are of the last century."""
_HALF_DAY = r"(?:([ap])\.?\s?m\b\.?|(uhr|o'clock|o’clock)(?!\w))"
_CLOCK = re.compile(rf"(?<![\d.:,/])(\d{{1,2}})\s?[:h]\s?([0-5]\d)(?::[0-5]\d)?(?![\d:])(?:\s?{_HALF_DAY})?")
_HOUR = re.compile(rf"(?<![\d.:,/])(\d{{1,2}})(?:\.([0-5]\d))?\s?{_HALF_DAY}")
_SAME_UNIT = {
    word: unit
    for unit, words in (
        ("%", "percent pct prozent percentage"),
        ("percentage points", "prozentpunkt prozentpunkte prozentpunkten"),
        ("usd", "$ usd dollar dollars"),
        ("eur", "€ eur euro euros"),
        ("gbp", "£ gbp pound pounds"),
        ("jpy", "¥ jpy yen"),
        ("₩", "krw won"),
        ("₹", "inr rupee rupees"),
        ("°", "degree degrees grad"),
        ("km", "kilometre kilometres kilometer kilometers"),
        ("m", "metre metres meter meters"),
        ("cm", "centimetre centimetres centimeter centimeters zentimeter"),
        ("mm", "millimetre millimetres millimeter millimeters"),
        ("m2", "sqm qm quadratmeter"),
        ("m3", "cbm kubikmeter"),
        ("km2", "quadratkilometer"),
        ("s", "seconds sec secs sekunde sekunden segundos secondes"),
        ("min", "minute minutes mins minuten minuto minutos"),
        ("h", "hour hours hr hrs stunde stunden heure heures hora horas"),
        ("day", "days tag tage tagen jour jours día días"),
        ("week", "weeks woche wochen semaine semaines semana semanas"),
        ("month", "months monat monate monaten mois meses"),
        ("year", "years yr yrs jahr jahre jahren année années año años"),
        ("kg", "kilogram kilograms kilogramme kilogrammes kilogramm kilo kilos"),
        ("g", "gram grams gramme grammes gramm"),
        ("t", "tonne tonnes tonnen"),
        ("l", "litre litres liter liters liter litros"),
        ("ml", "millilitre millilitres milliliter milliliters"),
        ("kb", "kilobyte kilobytes"),
        ("mb", "megabyte megabytes"),
        ("gb", "gigabyte gigabytes"),
        ("tb", "terabyte terabytes"),
        ("w", "watt watts"),
        ("kw", "kilowatt kilowatts"),
        ("mw", "megawatt megawatts"),
        ("v", "volt volts"),
        ("a", "ampere amperes amps"),
        ("hz", "hertz"),
        ("pa", "pascal pascals"),
        ("kpa", "kilopascal kilopascals"),
    )
    for word in words.split()
}
_CURRENCIES = frozenset({"usd", "eur", "gbp", "jpy", "₩", "₹"})
_UNITS = frozenset({*_SAME_UNIT.values(), "kwh", "mhz", "ghz", "khz", "mpa", "ms", "px", "dpi", "bar", "k", "x"})
_PAIRS = {
    ("per", "cent"): "per cent", ("pour", "cent"): "per cent", ("por", "ciento"): "per cent",
    ("%", "point"): "percentage points", ("%", "points"): "percentage points",
    ("square", "m"): "m2", ("square", "km"): "km2", ("cubic", "m"): "m3",
    ("°", "celsius"): ("°", "c"), ("°", "fahrenheit"): ("°", "f"),
}  # fmt: skip
"""Two words in a row that are one unit, or two shorter ones."""
_PERCENTS = frozenset({"%", "‰", "percentage points"})
_SECOND = frozenset({"2th"})
_COUNTS_SECONDS = frozenset("a per each every one".split())


@dataclass(frozen=True)
class ValueToken:
    """A word, a number or a date by its value. ``values`` are all that it may mean: ``1.250`` is 1.25 or 1250."""

    kind: TokenKind
    values: frozenset[str]
    start: int
    implied: frozenset[str] = frozenset()
    """What it says beside: a date its month and year, a word its spelling without accents."""
    is_glued: bool = False
    """True when the token before it ends where it begins: the B of ``101B``."""

    def matches(self, other: ValueToken) -> bool:
        """Return True when ``other`` may mean the same, or says it among more."""
        if self.kind == other.kind and not self.values.isdisjoint(other.values):
            return True
        if not self.values.isdisjoint(other.implied):
            return True
        return self.kind == "word" and not self.implied.isdisjoint(other.values | other.implied)

    @property
    def word(self) -> str:
        """The word of a token that is one; empty for any other."""
        return next(iter(self.values)) if self.kind in {"word", "percent"} else ""


def fold_text(text: str) -> str:
    """Return ``text`` as it is compared: without case and variants of signs, all digits as ASCII.

    >>> fold_text("STRASSE ٥")
    'strasse 5'
    """
    folded = unicodedata.normalize("NFKC", text).casefold().replace("\x00", " ").replace("\u2044", "/")
    return "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in folded)


def read_values(text: str) -> list[ValueToken]:
    """Return the tokens of ``text`` in order; marks that end a clause are tokens of kind ``break``.

    >>> [sorted(token.values) for token in read_values("10,000 rows")]
    [['10.000', '10000'], ['rows']]
    """
    return list(_read_tokens(text))


@lru_cache(maxsize=256)
def _read_tokens(text: str) -> tuple[ValueToken, ...]:
    """Return the tokens of ``text``: several measures read the same answer one after another."""
    folded, known = _take_dates(fold_text(text))
    folded = _take_times(folded, known)
    tokens = _join_units(_join_numbers(list(_read(folded, known)), folded))
    return tuple(_join_dates(_drop_zeros_of_amounts(tokens)))


def _date(year: str, month: str | int, day: str) -> str:
    return f"{int(year):04}-{int(month):02}-{int(day):02}"


def _make_date(dates: set[str], start: int) -> ValueToken:
    """Return a token of whole dates: each also says its year, its month, and the day without the year."""
    implied = {part for date in dates for part in (date[:4], date[:7], f"-{date[4:]}", _name_month(date[5:7]))}
    return ValueToken("date", frozenset(dates), start, frozenset(implied))


def _make_month(year: str, month: int, start: int) -> ValueToken:
    return ValueToken("date", frozenset({f"{year}-{month:02}"}), start, frozenset({year, _name_month(month)}))


def _name_month(month: str | int) -> str:
    return next(name for name, number in _MONTHS.items() if number == int(month))


def _take_dates(text: str) -> tuple[str, dict[int, ValueToken]]:
    """Return the text with blanks for dates in figures, and these by place."""
    known: dict[int, ValueToken] = {}

    def keep(match: re.Match[str], meanings: Sequence[tuple[str, str, str]]) -> str:
        valid = {_date(y, m, d) for y, m, d in meanings if 1 <= int(m) <= 12 and 1 <= int(d) <= 31}
        if not valid:
            return match[0]
        known[match.start()] = _make_date(valid, match.start())
        return _blank_out(match)

    def keep_month(match: re.Match[str]) -> str:
        year, month = match[1] or match[3], int(match[2] or match[4])
        if not 1 <= month <= 12:
            return match[0]
        known[match.start()] = _make_month(year, month, match.start())
        return _blank_out(match)

    text = _SIGNS.sub(lambda m: keep(m, [(m[1], m[2], m[3])]), text)
    text = _ISO.sub(lambda m: keep(m, [(m[1], m[2], m[3])]), text)
    text = _NUMERIC.sub(
        lambda m: keep(m, [(m[4], m[3], m[1])] if m[2] == "." else [(m[4], m[3], m[1]), (m[4], m[1], m[3])]), text
    )
    text = _SHORT_YEAR.sub(lambda m: keep(m, [(_complete_year(m[3]), m[2], m[1])]), text)
    return _MONTH_OF_YEAR.sub(keep_month, text), known


def _complete_year(digits: str) -> str:
    return f"{19 if int(digits) >= _CENTURY_SPLIT else 20}{digits}"


def _blank_out(match: re.Match[str]) -> str:
    return "\x00" + " " * (len(match[0]) - 1)


def _take_times(text: str, known: dict[int, ValueToken]) -> str:
    """Return the text with blanks for times of day, which are added to ``known`` by place."""

    def keep(match: re.Match[str]) -> str:
        hour, minutes, half, word = int(match[1]), match[2] or "00", match[3], match[4]
        if hour > 24 or (half and not 1 <= hour <= 12):
            return match[0]
        hours = [hour % 12 + 12 * (half == "p")] if half else [hour]
        if word and word != "uhr" and hour < 12:
            hours.append(hour + 12)
        implied = {f"{hour:02}:{minutes}"} | ({match[1]} if minutes == "00" else set())
        values = frozenset(f"{each:02}:{minutes}" for each in hours)
        known[match.start()] = ValueToken("number", values, match.start(), frozenset(implied))
        return _blank_out(match)

    return _HOUR.sub(keep, _CLOCK.sub(keep, text))


_WITH_DATES = re.compile(rf"(?P<known>\x00)|{_TOKEN.pattern}")


def _read(text: str, known: dict[int, ValueToken]) -> Iterator[ValueToken]:
    end = -1
    for match in _WITH_DATES.finditer(text):
        start, is_glued = match.start(), match.start() == end
        end = match.end()
        if match["known"]:
            yield known[start]
        elif match["digits"]:
            yield _read_number(match, start)
        elif match["break"]:
            yield ValueToken("break", frozenset({match["break"]}), start)
        else:
            yield _read_word(match, start, is_glued)


def _read_number(match: re.Match[str], start: int) -> ValueToken:
    values = _number_values(match["digits"], bool(match["sign"]))
    if match["ordinal"]:
        return ValueToken("number", frozenset(f"{value}th" for value in values), start, values)
    return ValueToken("number", values, start)


def _read_word(match: re.Match[str], start: int, is_glued: bool) -> ValueToken:
    word = match["unspaced"] or match["word"] or match["mark"] or match["power"] or match["decade"] or match["initials"]
    word = word.replace("’", "'").removesuffix("'s")
    if match["initials"]:
        return ValueToken("word", frozenset({word.replace(".", "")}), start, is_glued=is_glued)
    if word in _NUMBER_WORDS:
        return ValueToken("number", frozenset({_NUMBER_WORDS[word]}), start)
    if word in _ORDINALS:
        return ValueToken("number", frozenset({f"{_ORDINALS[word]}th"}), start)
    prefix, hyphen, rest = word.partition("-")
    word = _SAME_UNIT.get(prefix + rest, prefix + rest)
    implied = {drop_accents(word)} - {word}
    if hyphen and prefix != "non":
        implied.add(rest)
    if word in _MONTHS:
        implied.add(_name_month(_MONTHS[word]))
    if word in _ONE:
        implied.add("1")
    kind: TokenKind = "percent" if word in _PERCENTS else "word"
    return ValueToken(kind, frozenset({word}), start, frozenset(implied), is_glued)


def _number_values(digits: str, negative: bool) -> frozenset[str]:
    """Return every number that the digits may stand for, as plain decimals; a version keeps its dots."""
    plain = re.sub(rf"[{_BLANK}'’]", "", digits)
    plain = f"0{plain}" if plain.startswith(".") else plain
    values = {plain}
    marks = re.findall(r"[.,]", plain)
    if marks:
        grouped = re.fullmatch(r"\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*", plain)
        if grouped:
            values.add(re.sub(r"[.,]", "", plain))
        if len(set(marks)) == 2 and marks.count(marks[-1]) == 1:
            whole, _, fraction = plain.rpartition(marks[-1])
            amount = re.sub(r"[.,]", "", whole) + "." + fraction
            values = {amount, _drop_zeros(amount)}
        elif len(marks) == 1:
            values.add(plain.replace(",", "."))
            if grouped:
                values.discard(plain)
                values.add(plain.replace(",", "."))
    values = {value.replace(",", ".") for value in values}
    return frozenset(f"-{value}" if negative else value for value in values)


def _drop_zeros(value: str) -> str:
    """Return a number without the zeros at the end of its fraction."""
    return value.rstrip("0").rstrip(".") if re.fullmatch(r"-?\d+\.\d+", value) else value


def _join_numbers(tokens: Sequence[ValueToken], text: str) -> list[ValueToken]:
    """Return the tokens with ``minus 5``, ``twenty-one`` and ``3 million`` as one number each."""
    joined: list[ValueToken] = []
    for token in tokens:
        last = joined[-1] if joined else None
        if last is None or last.kind == "break":
            joined.append(token)
        elif token.kind == "number" and last.word == "minus" and not _is_number_at(joined, -2):
            joined[-1] = replace(token, values=frozenset(f"-{value}" for value in token.values), start=last.start)
        elif _is_tens(last, text) and (unit := _read_unit_digit(token, text)):
            joined[-1] = replace(last, values=frozenset({f"{next(iter(last.values))[0]}{unit}"}))
        elif _counts(last) and (factor := _scale_of(token)):
            joined[-1] = replace(last, kind="number", values=_multiply(last, factor), implied=frozenset())
        else:
            joined.append(token)
    return joined


def _is_number_at(tokens: Sequence[ValueToken], index: int) -> bool:
    return len(tokens) >= -index and tokens[index].kind == "number"


def _is_tens(token: ValueToken, text: str) -> bool:
    """Return True for *twenty* to *ninety* in letters."""
    is_spelled = token.kind == "number" and text[token.start].isalpha()
    return is_spelled and any(re.fullmatch(r"[2-9]0", value) for value in token.values)


def _read_unit_digit(token: ValueToken, text: str) -> str:
    """Return the digit of *one* to *nine* in letters behind a hyphen; empty for anything else."""
    if token.start == 0 or text[token.start - 1] != "-":
        return ""
    return min((value for value in token.values | token.implied if re.fullmatch(r"[1-9]", value)), default="")


def _counts(token: ValueToken) -> bool:
    """Return True for a number that can be so many thousands."""
    values = token.implied if token.kind == "word" else token.values
    return token.kind in {"number", "word"} and any(re.fullmatch(r"-?\d+(?:\.\d+)?", value) for value in values)


def _scale_of(token: ValueToken) -> int:
    if token.word == "k" and token.is_glued:
        return 1_000
    return _SCALES.get(token.word, 0)


def _multiply(token: ValueToken, factor: int) -> frozenset[str]:
    values = token.implied if token.kind == "word" else token.values
    plain = [value for value in values if re.fullmatch(r"-?\d+(?:\.\d+)?", value)]
    return frozenset(_drop_zeros(format(Decimal(value) * factor, "f")) for value in plain)


def _join_units(tokens: Sequence[ValueToken]) -> list[ValueToken]:
    """Return the tokens with units of several words as one, and without the *per* between two units."""
    joined: list[ValueToken] = []
    for index, token in enumerate(tokens):
        last = joined[-1] if joined else None
        behind = tokens[index + 1] if index + 1 < len(tokens) else None
        pair = _PAIRS.get((last.word, token.word)) if last and token.word else None
        if last and isinstance(pair, str):
            joined[-1] = _make_unit(pair, last.start)
        elif pair:
            joined.append(replace(token, values=frozenset({pair[1]})))
        elif last and behind and _is_filler_of_units(last, token, behind):
            continue
        elif token.values == _SECOND and last and (last.kind == "number" or last.word in _COUNTS_SECONDS | _UNITS):
            joined.append(ValueToken("word", frozenset({"s"}), token.start, token.values))
        else:
            joined.append(token)
    return joined


def _is_filler_of_units(before: ValueToken, token: ValueToken, behind: ValueToken) -> bool:
    """Return True for the *per* of km per hour, and for the *de* of ``3 millones de euros``."""
    if token.word == "per":
        return before.word in _UNITS and (behind.word in _UNITS or behind.values == _SECOND)
    return token.word == "de" and before.kind == "number" and behind.word in _CURRENCIES


def _make_unit(unit: str, start: int) -> ValueToken:
    """Return a unit of several words; *41 per cent* is 41 %, and states a bare 41 too."""
    kind: TokenKind = "percent" if unit in _PERCENTS else "word"
    return ValueToken(kind, frozenset({unit}), start, frozenset({"%"} if unit == "per cent" else ()))


def _drop_zeros_of_amounts(tokens: Sequence[ValueToken]) -> list[ValueToken]:
    """Return the tokens with ``3.10 kg`` also as ``3.1 kg``: an amount is no version."""
    amounts = []
    for index, token in enumerate(tokens):
        before = tokens[index - 1].word if index else ""
        behind = tokens[index + 1].word if index + 1 < len(tokens) else ""
        is_amount = token.kind == "number" and (before in _CURRENCIES or behind in _UNITS)
        shorter = {_drop_zeros(value) for value in token.values} if is_amount else set()
        amounts.append(replace(token, values=token.values | shorter))
    return amounts


def _join_dates(tokens: list[ValueToken]) -> list[ValueToken]:
    """Return the tokens with ``5 March 2024``, ``March 2024`` and ``5 March`` as one date each."""
    joined: list[ValueToken] = []
    index = 0
    while index < len(tokens):
        date, size = _date_at(tokens, index)
        if date is not None:
            joined.append(date)
            index += size
        else:
            joined.append(tokens[index])
            index += 1
    return joined


def _date_at(tokens: Sequence[ValueToken], index: int) -> tuple[ValueToken | None, int]:
    """Return the date in words that begins at ``index`` and its number of tokens."""
    window = tokens[index : index + 6]
    kept = [(offset, token) for offset, token in enumerate(window) if not _is_filler(token)]
    if not kept or kept[0][0] != 0 or not (_read_day(window[0]) or window[0].word in _MONTHS):
        return None, 0
    for length in (3, 2):
        parts = kept[:length]
        size = parts[-1][0] + 1
        fillers = {next(iter(token.values)) for token in window[:size] if _is_filler(token)}
        allowed = {",", ".", "of", "de"} if length == 3 else {".", "of", "de"}
        date = _read_date([token for _, token in parts]) if len(parts) == length and fillers <= allowed else None
        if date is not None:
            return date, size
    return None, 0


def _read_date(parts: Sequence[ValueToken]) -> ValueToken | None:
    """Return the date that day, month and year in words make, or two of them."""
    start = parts[0].start
    months = [_MONTHS[part.word] for part in parts if part.word in _MONTHS]
    if len(months) != 1 or (parts[-1].word in _MONTHS and len(parts) == 3):
        return None
    month = months[0]
    day = next((found for part in parts[:2] if (found := _read_day(part))), "")
    year = _read_year(parts[-1])
    if len(parts) == 3:
        return _make_date({_date(year, month, day)}, start) if day and year else None
    if year:
        return _make_month(year, month, start)
    if not day or int(day) > 31:
        return None
    return ValueToken("date", frozenset({f"--{month:02}-{int(day):02}"}), start, frozenset({day, _name_month(month)}))


def _read_day(token: ValueToken) -> str:
    if token.kind != "number":
        return ""
    days = {value.removesuffix("th") for value in token.values | token.implied}
    return min((day for day in days if re.fullmatch(r"\d{1,2}", day)), default="")


def _read_year(token: ValueToken) -> str:
    if token.kind != "number":
        return ""
    return min((value for value in token.values if re.fullmatch(r"\d{4}", value)), default="")


def _is_filler(token: ValueToken) -> bool:
    return token.kind == "break" or next(iter(token.values)) in {"of", "de"}


def find_fact(fact: Sequence[ValueToken], text: Sequence[ValueToken]) -> Iterator[tuple[int, int]]:
    """Yield where the fact's tokens stand side by side in the text: first and last index.

    Breaks between them do not count. A bare number is not one with ``%`` behind it, whatever else it is, nor one with
    a letter at it (``101B``), nor a mere *one*.
    """
    wanted = [token for token in fact if token.kind != "break"]
    places = [i for i, token in enumerate(text) if token.kind != "break"]
    for offset in range(len(places) - len(wanted) + 1):
        here = places[offset : offset + len(wanted)]
        if not wanted or not all(w.matches(text[i]) for w, i in zip(wanted, here, strict=True)):
            continue
        if wanted[-1].kind == "number" and _is_other_number(text, here[-1], is_bare=len(wanted) == 1):
            continue
        yield here[0], here[-1]


def _is_other_number(text: Sequence[ValueToken], index: int, is_bare: bool) -> bool:
    if is_bare and text[index].kind == "word":
        return True
    if index + 1 == len(text):
        return False
    behind = text[index + 1]
    return behind.kind == "percent" or (behind.is_glued and behind.word not in _UNITS and behind.word.isascii())


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
