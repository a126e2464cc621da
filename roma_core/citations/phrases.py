"""Phrases that say one thing in several ways, read as one word each: bounds, shares, multiples, rates, times. Pure.

Used by the check of claims on both sides: "no less than 200" is "at least 200", "a quarter of" is 25 percent, "an hour"
behind a number is "per hour", and "5:30 pm" is 17:30.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from roma_core.citations.lexicon import PREPOSITIONS, WEEKDAYS
from roma_core.citations.numbers import CURRENCIES, FRACTION_WORDS, Quantity
from roma_core.citations.words import ClaimWord, WordKind, replace_runs

_BOUND_PHRASES = {
    "at least": "at least,no less than,no fewer than,not less than,not fewer than,a minimum of,minimum of",
    "at most": "at most,no more than,not more than,up to,a maximum of,maximum of",
    "more than": "more than,older than,greater than,larger than,bigger than,over,above,in excess of,upwards of,"
    "upward of",
    "less than": "less than,younger than,fewer than,smaller than,under,below",
    "about": "about,around,approximately,roughly,circa,some,more or less",
    "almost": "nearly,almost,close to,just under,just below,a little under,slightly under,a little less than,"
    "slightly less than,not quite",
    "just over": "just over,just above,a little over,slightly over,a little more than,slightly more than",
}
BOUNDS: dict[tuple[str, ...], str] = {
    tuple(spelling.split()): bound for bound, spellings in _BOUND_PHRASES.items() for spelling in spellings.split(",")
}
"""Phrases before a number, and the one that stands for them."""
BOUND_NAMES = frozenset(BOUNDS.values())
_LONGEST_BOUND = max(map(len, BOUNDS))
_BOUNDS_BEHIND: dict[tuple[str, ...], str] = {
    ("or", "more"): "at least",
    ("or", "over"): "at least",
    ("and", "over"): "at least",
    ("or", "older"): "at least",
    ("and", "older"): "at least",
    ("or", "younger"): "at most",
    ("or", "less"): "at most",
    ("or", "fewer"): "at most",
}
_ALLOWED = {("is", "allowed", "to"), ("is", "permitted", "to")}
_MUST = {("has", "to"), ("is", "required", "to"), ("need", "to"), ("needs", "to")}
_LIMITS = {("not", "exceed"), ("capped", "at"), ("limited", "to")}
"""Words before a number that is the highest: "must not exceed 5", "is capped at 5"."""
_RATES = frozenset("second minute hour day night week month quarter year head person piece".split())
_INTERVALS = {
    "hourly": "1 hour", "daily": "1 day", "weekly": "1 week", "fortnightly": "2 week", "monthly": "1 month",
    "quarterly": "3 month", "yearly": "1 year", "annually": "1 year", "biannually": "6 month",
}  # fmt: skip
"""How long it takes until what comes "weekly" comes again."""
_PERIODS = frozenset("hour day week month quarter year".split())
_SINGLE_BEFORE = BOUND_NAMES | frozenset(
    "in under over about around nearly almost within than just lasts lasted takes took for".split()
)
_BEHIND_SINGLE = frozenset("late later early earlier ago before after".split())
_SINGLES = frozenset("minute hour day week month year".split())
_FREQUENT = {"daily": "day", "weekly": "week", "monthly": "month", "yearly": "year", "annually": "year"}
_TIMES_OVER = {"twice": 2, "thrice": 3}
_OPERATORS = frozenset({"=", "==", "!=", "≠", "<=", ">=", "+", "+=", "-=", "*=", "/="})
_OPERAND_SIGNS = {"-": "-", "−": "-", "–": "-", "*": "*", "·": "*", "/": "/", "^": "^"}
_TOTALS = frozenset("all every each none no any nothing everything anything nobody everybody everyone".split())
_NUMBERED = frozenset(
    "phase part chapter type stage class grade level act volume title article section figure table annex appendix war "
    "step tier category schedule".split()
)
_ROMAN = re.compile(r"(?=[IVX])X{0,3}(?:IX|IV|V?I{0,3})\Z")
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10}


def read_phrases(words: Sequence[ClaimWord]) -> list[ClaimWord]:
    """Return the words with each phrase as one word.

    >>> from roma_core.citations.words import read_words
    >>> [word.key for word in read_phrases(read_words("No less than 12 boats"))]
    ['at least', '#12', 'boats']
    """
    found = list(_with_operators(words))
    for read in (
        _between_at,
        _year_at,
        _initial_at,
        _single_at,
        _half_hour_at,
        _and_a_half_at,
        _free_at,
        _extra_at,
        _age_at,
        _no_one_at,
        _except_at,
        _no_longer_at,
        _time_at,
        _roman_at,
        _share_at,
        _multiple_at,
        _rate_at,
        _interval_at,
        _weekday_at,
        _minus_at,
        _bound_at,
        _limit_at,
        _duty_at,
    ):
        found = replace_runs(found, read)
    return found


def _merge(
    words: Sequence[ClaimWord], key: str, quantity: Quantity | None = None, *, number: bool = False
) -> ClaimWord:
    text = " ".join(dict.fromkeys(word.text for word in words))
    first, last = words[0], words[-1]
    kind: WordKind = "number" if quantity is not None or number else "word"
    written = "".join(word.form for word in words) if kind == "number" else ""
    return ClaimWord(
        text, key, key, first.start, last.end, first.gap, kind=kind, quantity=quantity, written=written
    )  # fmt: skip


def _with_operators(words: Sequence[ClaimWord]) -> Iterator[ClaimWord]:
    """Yield the words with the signs of formulae that stand between them: "=", "≠", "+", and "-" between letters."""
    previous: ClaimWord | None = None
    for word in words:
        sign = word.gap.strip()
        if previous is not None and previous.key == "than" and word.gap.startswith("="):
            pass  # read with the number behind it, as "at least" or "at most"
        elif sign and previous is not None and "\n\n" not in word.gap:
            if sign in _OPERATORS:
                yield ClaimWord(sign, sign, sign, word.start, word.start, word.gap, kind="sign")
            elif sign in _OPERAND_SIGNS and _is_operand(previous) and _is_operand(word):
                key = _OPERAND_SIGNS[sign]
                yield ClaimWord(sign, key, key, word.start, word.start, word.gap, kind="sign")
        previous = word
        yield word


def _is_operand(word: ClaimWord) -> bool:
    return word.kind == "word" and len(word.text) == 1 and word.text.isascii() and word.text.isalpha()


def _keys(words: Sequence[ClaimWord], index: int, size: int) -> tuple[str, ...]:
    return tuple(word.key for word in words[index : index + size])


def _is_number_at(words: Sequence[ClaimWord], index: int) -> bool:
    return index < len(words) and words[index].is_number and not words[index].key.startswith("ord:")


def _bound_at(words: Sequence[ClaimWord], index: int) -> tuple[int, list[ClaimWord]] | None:
    """Read "no less than 200" and "200 euros or more" at ``index``."""
    for size in range(_LONGEST_BOUND, 0, -1):
        bound = BOUNDS.get(_keys(words, index, size))
        if bound is not None and _is_number_at(words, index + size):
            if words[index + size].gap.strip(" =\n\u00a0$€£"):
                continue
            if words[index + size].gap.strip() == "=":  # ">=" is written in two signs
                bound = {"more than": "at least", "less than": "at most"}.get(bound, bound)
            return size, [_merge(words[index : index + size], bound)]
    if _is_number_at(words, index):
        for offset in (1, 2):
            bound = _BOUNDS_BEHIND.get(_keys(words, index + offset, 2))
            if bound is not None and not (offset == 2 and words[index + 1].is_number):
                after = words[index + offset : index + offset + 2]
                limit = replace(_merge(after, bound), gap=words[index].gap, start=words[index].start)
                return offset + 2, [limit, *words[index : index + offset]]
    return None


def _limit_at(words: Sequence[ClaimWord], index: int) -> tuple[int, list[ClaimWord]] | None:
    """Read "must not exceed 5" and "is capped at 5" as "is at most 5", and "exceeds 5" as "is more than 5"."""
    if words[index].key in {"exceeds", "exceed", "exceeded"} and _is_number_at(words, index + 1):
        if index and words[index - 1].key in {"not", "to", "may", "can", "must"}:
            return None
        be = "was" if words[index].key == "exceeded" else "is"
        return 1, [
            replace(words[index], key=be, stem=be),
            replace(_merge(words[index : index + 1], "more than"), gap=" "),
        ]
    is_verb = words[index].key in {"must", "shall", "may", "can", "does", "is", "should"}
    if not is_verb or _keys(words, index + 1, 2) not in _LIMITS or not _is_number_at(words, index + 3):
        return None
    return 3, [replace(words[index], key="is", stem="is"), _merge(words[index + 1 : index + 3], "at most")]


def _duty_at(words: Sequence[ClaimWord], index: int) -> tuple[int, list[ClaimWord]] | None:
    """Read "have to" and "are required to" as "must", where no "not" stands before."""
    if index and words[index - 1].key in {"not", "will", "would", "may", "might", "does"}:
        return None
    if _keys(words, index, 3) in _ALLOWED and index + 3 < len(words):
        return 3, [_merge(words[index : index + 3], "can")]
    if _keys(words, index, 4) in {("is", "not", "allowed", "to"), ("is", "not", "permitted", "to")}:
        return 4, [replace(words[index], key="must", stem="must"), words[index + 1]]
    for size in (3, 2):
        if _keys(words, index, size) in _MUST and index + size < len(words):
            return size, [_merge(words[index : index + size], "must")]
    if words[index].text == "may" and index + 1 < len(words) and words[index + 1].key not in {"has", "not"}:
        return 1, [replace(words[index], key="can", stem="can")]
    if words[index].key == "shall" and index + 1 < len(words) and words[index + 1].key != "not":
        return 1, [replace(words[index], key="must", stem="must")]
    return None


def _share_at(words: Sequence[ClaimWord], index: int) -> tuple[int, list[ClaimWord]] | None:
    """Read "half of", "a quarter of", "one in five" and "1 in 5 children" as shares."""
    first = words[index]
    is_half = first.key == "half" and _keys(words, index + 1, 1) in {("of",), ("the",), ("its",), ("all",)}
    if is_half and (index == 0 or words[index - 1].key not in {"first", "second", "other", "ord:1", "ord:2"}):
        return 1, [_merge([first], "#0.5", Quantity(Decimal("0.5"), is_fraction=True))]
    if first.key in {"a", "one", "#1"} and index + 2 < len(words) and words[index + 2].key == "of":
        bottom = FRACTION_WORDS.get(words[index + 1].text.casefold())
        if words[index + 1].gap.strip(" -\n"):
            bottom = None
        if bottom is not None:
            share = Quantity((Decimal(1) / bottom).quantize(Decimal("1e-6")), is_fraction=True)
            return 2, [_merge(words[index : index + 2], share.key, share)]
    if _keys(words, index + 1, 2) in {("in", "every"), ("out", "of")}:
        return _ratio_of(words, index, index + 3)
    if _keys(words, index + 1, 1) == ("in",):
        return _ratio_of(words, index, index + 2)
    return None


def _ratio_of(words: Sequence[ClaimWord], index: int, last: int) -> tuple[int, list[ClaimWord]] | None:
    if last >= len(words) or words[last].gap.strip():
        return None
    top, bottom = words[index].quantity, words[last].quantity
    if top is None or bottom is None or top.unit or bottom.unit or not 0 < top.value < bottom.value <= 100:
        return None
    share = Quantity((top.value / bottom.value).quantize(Decimal("1e-6")), is_fraction=True)
    return last + 1 - index, [_merge(words[index : last + 1], share.key, share)]


def _multiple_at(words: Sequence[ClaimWord], index: int) -> tuple[int, list[ClaimWord]] | None:
    """Read "twice" and "two times" as one multiple."""
    first = words[index]
    if first.key in _TIMES_OVER:
        return 1, [_merge([first], f"times:{_TIMES_OVER[first.key]}", number=True)]
    times = words[index + 1] if _keys(words, index + 1, 1) == ("times",) else None
    if times is None or first.quantity is None or first.quantity.unit or set(times.gap) > {" "}:
        return None
    return 2, [_merge([first, times], f"times:{first.quantity.value.normalize():f}", number=True)]


def _rate_at(words: Sequence[ClaimWord], index: int) -> tuple[int, list[ClaimWord]] | None:
    """Read "900 euros a month", "for each vehicle" and "mg/kg" as "per"."""
    word = words[index]
    behind_number = any(other.is_number for other in words[max(0, index - 2) : index])
    if word.key in {"a", "an"} and behind_number and _is_rate_at(words, index + 1):
        return 1, [replace(word, key="per", stem="per")]
    is_article = word.key in {"a", "an"} and not word.gap.strip()
    if is_article and 0 < index < len(words) - 1 and _is_price_for(words[index - 1], words[index + 1]):
        return 1, [replace(word, key="per", stem="per")]
    follows_number = any(other.is_number for other in words[max(0, index - 6) : index])
    is_article = word.key in {"a", "an"} and bool(index) and _is_noun_like(words[index - 1])
    if (is_article or word.key in {"each", "every"}) and follows_number and _is_rate_at(words, index + 1):
        return 1, [replace(word, key="per", stem="per")]
    if word.key in _FREQUENT and index and (words[index - 1].is_number or words[index - 1].key.startswith("times")):
        time = replace(word, key=_FREQUENT[word.key], stem=_FREQUENT[word.key])
        return 1, [replace(word, key="per", stem="per"), replace(time, gap=" ")]
    if _keys(words, index, 2) in {("for", "each"), ("for", "every")} and behind_number:
        return 2, [_merge(words[index : index + 2], "per")]
    if word.gap == "/" and index and word.kind == "word" and words[index - 1].quantity is not None:
        per = ClaimWord("/", "per", "per", word.start, word.start, word.gap)
        return 1, [per, replace(word, gap=" ")]
    return None


def _interval_at(words: Sequence[ClaimWord], index: int) -> tuple[int, list[ClaimWord]] | None:
    """Read "every week", "weekly" and "once a week" as one interval, and "four times a year" as every three months."""
    word = words[index]
    following = words[index + 1] if index + 1 < len(words) else None
    if word.key in _INTERVALS and not word.is_name and not (index and words[index - 1].key == "per"):
        return 1, [_interval([word], *_INTERVALS[word.key].split())]
    if following is None or following.gap.strip():
        return None
    if word.key in {"every", "each"} and following.quantity is not None and word.key == "every":
        span = following.quantity
        if span.unit in _PERIODS and span.value == span.value.to_integral_value():
            return 2, [_interval(words[index : index + 2], str(int(span.value)), span.unit)]
    if word.key in {"every", "each"} and following.key in _PERIODS:
        return 2, [_interval(words[index : index + 2], "1", following.key)]
    is_once = word.key in {"once", "times:1"} and following.key in {"a", "per", "every", "each"}
    if is_once and index + 2 < len(words) and words[index + 2].key in _PERIODS:
        return 3, [_interval(words[index : index + 3], "1", words[index + 2].key)]
    is_yearly = _keys(words, index + 1, 2) in {("per", "year"), ("a", "year")}
    count = int(word.key[6:]) if re.fullmatch(r"times:\d+", word.key) else 0
    if is_yearly and count and 12 % count == 0:
        return 3, [_interval(words[index : index + 3], str(12 // count), "month")]
    return None


def _interval(words: Sequence[ClaimWord], count: str, unit: str) -> ClaimWord:
    number, unit = (3 * int(count), "month") if unit == "quarter" else (int(count), unit)
    number, unit = (number // 12, "year") if unit == "month" and number % 12 == 0 else (number, unit)
    return _merge(words, f"every:{number}:{unit}", number=True)


def _weekday_at(words: Sequence[ClaimWord], index: int) -> tuple[int, list[ClaimWord]] | None:
    """Read "on Mondays", "each Monday" and "weekly on Monday" as "every Monday"."""
    size = 1 if words[index].key in {"every", "each", "on"} else 2 if words[index].key == "every:1:week" else 0
    on = words[index + 1] if size == 2 and index + 1 < len(words) else words[index]
    day = words[index + size] if size and index + size < len(words) else None
    if day is None or day.gap.strip() or day.key.removesuffix("s") not in WEEKDAYS:
        return None
    if on.key == "on" and size == 1 and not day.key.endswith("s"):
        return None
    if size == 2 and on.key not in {"on", "every"}:
        return None
    name = day.key.removesuffix("s")
    return size + 1, [_merge(words[index : index + size], "every"), replace(day, key=name, stem=name)]


def _single_at(words: Sequence[ClaimWord], index: int) -> tuple[int, list[ClaimWord]] | None:
    """Read the "an hour" of "just under an hour" as one hour."""
    is_late = index + 2 < len(words) and words[index + 2].key in _BEHIND_SINGLE
    is_single = words[index].key in {"a", "an"} and index and (words[index - 1].key in _SINGLE_BEFORE or is_late)
    if not is_single or index + 1 >= len(words) or words[index + 1].key not in _SINGLES:
        return None
    if any(word.is_number for word in words[max(0, index - 2) : index]):
        return None
    one = Quantity(Decimal(1), words[index + 1].key)
    return 2, [_merge(words[index : index + 2], one.key, one)]


def _half_hour_at(words: Sequence[ClaimWord], index: int) -> tuple[int, list[ClaimWord]] | None:
    """Read "half an hour" as 30 minutes."""
    if _keys(words, index, 3) != ("half", "an", "hour") or (index and words[index - 1].key in {"and", "per"}):
        return None
    half = Quantity(Decimal(30), "minute")
    return 3, [_merge(words[index : index + 3], half.key, half)]


def _and_a_half_at(words: Sequence[ClaimWord], index: int) -> tuple[int, list[ClaimWord]] | None:
    """Read "an hour and a half" and "two and a half hours" as one amount."""
    first = words[index]
    if first.key in {"a", "an"} and _keys(words, index + 2, 3) == ("and", "a", "half"):
        unit, whole, size = words[index + 1].key, Decimal(1), 5
    elif first.quantity is not None and not first.quantity.unit and _keys(words, index + 1, 3) == ("and", "a", "half"):
        unit, whole, size = "".join(_keys(words, index + 4, 1)).removesuffix("s"), first.quantity.value, 5
    else:
        return None
    if unit not in _SINGLES:
        return None
    amount = Quantity(whole + Decimal("0.5"), unit)
    return size, [_merge(words[index : index + size], amount.key, amount)]


def _free_at(words: Sequence[ClaimWord], index: int) -> tuple[int, list[ClaimWord]] | None:
    """Read "free of charge" as "free"."""
    return (3, [words[index]]) if _keys(words, index, 3) == ("free", "of", "charge") else None


def _extra_at(words: Sequence[ClaimWord], index: int) -> tuple[int, list[ClaimWord]] | None:
    """Read "an extra 8 euros" and "8 euros more" as "8 euros extra"."""
    size = 2 if words[index].key in {"a", "an"} else 1
    is_extra = _keys(words, index + size - 1, 1) in {("extra",), ("additional",)}
    if is_extra and _is_number_at(words, index + size) and words[index + size].quantity is not None:
        extra = replace(words[index + size - 1], key="extra", stem="extra", gap=" ")
        return size + 1, [replace(words[index + size], gap=words[index].gap), extra]
    amount = words[index - 1].quantity if index else None
    is_end = index + 1 == len(words) or words[index + 1].key in PREPOSITIONS
    if words[index].key in {"more", "additional"} and amount is not None and amount.unit and is_end:
        return 1, [replace(words[index], key="extra", stem="extra")]
    return None


def _age_at(words: Sequence[ClaimWord], index: int) -> tuple[int, list[ClaimWord]] | None:
    """Read "16 years old" and "16 years of age" as 16."""
    quantity = words[index].quantity
    if quantity is None or quantity.unit != "year":
        return None
    size = 1 if _keys(words, index + 1, 1) == ("old",) else 2 if _keys(words, index + 1, 2) == ("of", "age") else 0
    if not size:
        return None
    age = replace(quantity, unit="")
    return size + 1, [replace(_merge(words[index : index + 1], age.key, age), end=words[index + size].end)]


def _no_one_at(words: Sequence[ClaimWord], index: int) -> tuple[int, list[ClaimWord]] | None:
    """Read "no one" as "nobody"."""
    is_two = _keys(words, index, 1) == ("no",) and index + 1 < len(words) and words[index + 1].text.casefold() == "one"
    return (2, [_merge(words[index : index + 2], "nobody")]) if is_two else None


def _is_price_for(price: ClaimWord, thing: ClaimWord) -> bool:
    """Return whether "0.35 euros a share" says what one of a thing costs."""
    is_price = price.quantity is not None and price.quantity.unit in CURRENCIES
    return is_price and thing.kind == "word" and thing.is_content and not thing.is_name and thing.gap == " "


def _is_rate_at(words: Sequence[ClaimWord], index: int) -> bool:
    return index < len(words) and words[index].key in _RATES


def _is_noun_like(word: ClaimWord) -> bool:
    return word.is_content and word.key not in PREPOSITIONS


def _minus_at(words: Sequence[ClaimWord], index: int) -> tuple[int, list[ClaimWord]] | None:
    """Read "minus 5 degrees" as -5 degrees, and "plus or minus" as "±"."""
    if _keys(words, index, 3) == ("plus", "or", "minus"):
        return 3, [_merge(words[index : index + 1], "plus"), _merge(words[index + 2 : index + 3], "minus")]
    if words[index].key != "minus" or (index and words[index - 1].is_number) or index + 1 >= len(words):
        return None
    quantity = words[index + 1].quantity
    if quantity is None or (index and words[index - 1].key == "plus"):
        return None
    negative = replace(quantity, value=-quantity.value)
    return 2, [_merge(words[index : index + 2], negative.key, negative)]


def _between_at(words: Sequence[ClaimWord], index: int) -> tuple[int, list[ClaimWord]] | None:
    """Read "between 3 and 6" as "3 to 6"."""
    days = [key.removesuffix("s") for key in _keys(words, index + 1, 3)]
    is_span_of_days = len(days) == 3 and {days[0], days[2]} <= WEEKDAYS and days[1] in {"to", "until", "through"}
    if words[index].key == "from" and is_span_of_days:
        first, to, last = words[index + 1 : index + 4]
        return 4, [replace(first, gap=words[index].gap), replace(to, key="to", stem="to"), last]
    is_span = index and words[index - 1].is_number and words[index].key == "until"
    if is_span and _is_number_at(words, index + 1):
        return 1, [replace(words[index], key="to", stem="to")]
    if words[index].key != "between" or not _is_number_at(words, index + 1) or not _is_number_at(words, index + 3):
        return None
    low, joiner, high = words[index + 1 : index + 4]
    if joiner.key not in {"and", "to"}:
        return None
    return 4, [replace(low, gap=words[index].gap, start=words[index].start), replace(joiner, key="to", stem="to"), high]


def _year_at(words: Sequence[ClaimWord], index: int) -> tuple[int, list[ClaimWord]] | None:
    """Read "the year 1820" as 1820."""
    if _keys(words, index, 2) != ("the", "year") or not _is_number_at(words, index + 2):
        return None
    return 3, [replace(words[index + 2], gap=words[index].gap, start=words[index].start)]


def _initial_at(words: Sequence[ClaimWord], index: int) -> tuple[int, list[ClaimWord]] | None:
    """Read the A of "Jane A. Morley" as a part of the name, and no article."""
    word = words[index]
    if len(word.text) != 1 or not word.text.isupper() or not 0 < index < len(words) - 1:
        return None
    before, after = words[index - 1], words[index + 1]
    if not (before.text[:1].isupper() and after.text[:1].isupper()) or after.gap.strip() not in {"", "."}:
        return None
    key = f"{word.text.casefold()}."
    return 1, [replace(word, key=key, stem=key, is_name=True)]


def _except_at(words: Sequence[ClaimWord], index: int) -> tuple[int, list[ClaimWord]] | None:
    """Read the "but" of "all rooms but the cellar" as "except", and "A rather than B" as "A, not B"."""
    if index and _keys(words, index, 2) in {("rather", "than"), ("instead", "of")} and index + 2 < len(words):
        return 2, [replace(_merge(words[index : index + 2], "not"), gap=", ")]
    before = {word.key for word in words[max(0, index - 3) : index]}
    if words[index].key != "but" or words[index].gap.strip() or not before & _TOTALS:
        return None
    return 1, [replace(words[index], key="except", stem="except")]


def _no_longer_at(words: Sequence[ClaimWord], index: int) -> tuple[int, list[ClaimWord]] | None:
    """Read "is not valid anymore" as "is no longer valid"."""
    if words[index].key != "not":
        return None
    for offset in range(1, 6):
        tail = _keys(words, index + offset, 2)
        size = 1 if tail[:1] == ("anymore",) else 2 if tail in {("any", "more"), ("any", "longer")} else 0
        if size:
            no = replace(words[index], key="no", stem="no")
            longer = replace(words[index + offset], key="longer", stem="longer", gap=" ")
            return offset + size, [no, longer, *words[index + 1 : index + offset]]
    return None


_CLOCK = re.compile(r"(?:[01]?\d|2[0-3])\Z")


def _time_at(words: Sequence[ClaimWord], index: int) -> tuple[int, list[ClaimWord]] | None:
    """Read "5:30 pm", "17:30" and "9 a.m." as times of day."""
    first = words[index]
    if first.kind != "number" or not _CLOCK.fullmatch(first.text):
        return None
    hour, minute, used = int(first.text), 0, 1
    following = words[index + 1] if index + 1 < len(words) else None
    if following is not None and following.gap == ":" and re.fullmatch(r"[0-5]\d", following.text):
        minute, used = int(following.text), 2
    half, size = _half_of_day(words, index + used)
    if used == 1 and not half:
        return None
    if half and 1 <= hour <= 12:
        hour = hour % 12 + (12 if half == "p" else 0)
    return used + size, [_merge(words[index : index + used + size], f"time:{hour:02}:{minute:02}", number=True)]


def _half_of_day(words: Sequence[ClaimWord], index: int) -> tuple[str, int]:
    """Return "a" or "p" and the number of words that say so; empty and 0 where none do."""
    keys = _keys(words, index, 2)
    if keys[:1] and keys[0].strip(".") in {"am", "pm"}:
        return keys[0][0], 1
    if keys in {("a", "m"), ("p", "m")} and words[index + 1].gap == ".":
        return keys[0], 2
    is_am = keys[:1] == ("is",) and words[index].text.casefold() == "am"  # the spelling of one word has it so
    return ("a", 1) if is_am else ("", 0)


def _roman_at(words: Sequence[ClaimWord], index: int) -> tuple[int, list[ClaimWord]] | None:
    """Read "phase III" as phase 3."""
    word = words[index]
    if not index or words[index - 1].key not in _NUMBERED or not _ROMAN.match(word.text):
        return None
    values = [_ROMAN_VALUES[letter] for letter in word.text]
    signs = [-1 if value < max(values[place:]) else 1 for place, value in enumerate(values)]  # the I of IV
    total = sum(sign * value for sign, value in zip(signs, values, strict=True))
    quantity = Quantity(Decimal(total))
    return 1, [replace(_merge([word], quantity.key, quantity), gap=word.gap)]
