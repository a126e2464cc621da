"""Words of claims and passages in the form in which they are compared, with exact offsets. Pure.

What is no change is undone here: hyphens at the end of a line, soft hyphens, ligatures, accents, spelling variants,
contractions, number formats, number words, units, dates and acronyms that the document defines.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from roma_core.citations.lexicon import (
    CONTRACTED_ENDS,
    CONTRACTIONS,
    DENIALS,
    DIRECTIONAL_PREFIXES,
    SAME_WORD,
    STOP,
)
from roma_core.citations.numbers import (
    CURRENCIES,
    CURRENCY_SIGNS,
    FRACTION_WORDS,
    MONTHS,
    NUMBER_WORDS,
    ORDINAL_WORDS,
    SCALES,
    SHORT_SCALES,
    Date,
    Quantity,
    parse_number,
    unit_of,
)
from roma_core.languages import drop_accents
from roma_core.markup import mask_markers, read_markers

WordKind = Literal["word", "number", "date", "sign"]

_HIDDEN = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
_WITHOUT_HIDDEN = {ord(sign): None for sign in _HIDDEN}
_LETTER = rf"[^\W\d_{_HIDDEN}]"
_WORD = re.compile(
    r"(?P<target>(?<=\])\((?:[^()\s]|\([^()\s]*\))*\))"
    r"|(?P<date>\b\d{4}-\d{1,2}-\d{1,2}\b|\b\d{1,2}[./]\d{1,2}[./]\d{4}\b)"
    r"|(?P<ordinal>\b\d+(?:st|nd|rd|th)\b)"
    r"|(?P<ratio>(?<![\d/.])\d/\d(?![\d/.]))"
    r"|(?P<digits>(?:(?<![\w.)])[-−](?=\d))?(?:\d{1,3}(?:[\u00a0\u2009\u202f ]\d{3})+(?![\d])(?:\.\d+)?"
    r"|\d+(?:[.,’']\d+)*)[½¼¾⅓⅔⅛⅜⅝⅞]?"
    r"|[½¼¾⅓⅔⅛⅜⅝⅞])"
    r"|(?P<single>[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f])"
    rf"|(?P<word>{_LETTER}+(?:[{_HIDDEN}]+{_LETTER}+)*(?:['’ʼ]{_LETTER}+)?)"
    r"|(?P<sign>[%‰$€£¥₹°≥≤<>≈~&±×→])",
    re.IGNORECASE,
)
_SIGN_WORDS: dict[str, tuple[str, ...]] = {
    "≥": ("at", "least"), "≤": ("at", "most"), "<": ("less", "than"), ">": ("more", "than"), "≈": ("about",),
    "~": ("about",),
    "&": ("and",), "±": ("plus", "minus"), "×": ("times",), "→": ("to",),
}  # fmt: skip
_FRACTIONS = {
    "½": "0.5",
    "¼": "0.25",
    "¾": "0.75",
    "⅓": "1/3",
    "⅔": "2/3",
    "⅛": "0.125",
    "⅜": "0.375",
    "⅝": "0.625",
    "⅞": "0.875",
}
_BEGINS_SENTENCE = re.compile(r"(?:\A|[.!?:\n])[\s\"“'(*_#>-]*\Z")
_INITIALISM = re.compile(r"\b(?:[A-Z]\.){2,}|\b(?:[A-Z]\. ?){2,}(?=[A-Z][a-z])")
_DASHES = frozenset("-–—‑−")


@dataclass(frozen=True)
class ClaimWord:
    """One word or number: ``key`` is compared, ``text[start:end]`` is where it stands, ``gap`` is what is before it."""

    text: str
    key: str
    stem: str
    start: int
    end: int
    gap: str = ""
    kind: WordKind = "word"
    is_name: bool = False
    quantity: Quantity | None = None
    date: Date | None = None
    written: str = ""
    """A number or date as it is written, without blanks and separators."""

    @property
    def form(self) -> str:
        """Return the word as it is written, but for case, accents and hidden hyphens."""
        return self.written or _fold_form(self.text)

    @property
    def is_number(self) -> bool:
        return self.kind in {"number", "date"}

    @property
    def is_content(self) -> bool:
        """Return whether the word says something by itself."""
        return self.kind != "word" or (self.key not in STOP and self.key not in DENIALS)

    @property
    def weight(self) -> float:
        """Return how much the word counts in coverage: numbers and names decide more."""
        return 2.0 if self.is_number or self.is_name else 1.0


@functools.cache
def _stemmer() -> Callable[[str], str]:
    from py_rust_stemmers import SnowballStemmer

    return functools.lru_cache(maxsize=50_000)(SnowballStemmer("english").stem_word)


def stem(word: str) -> str:
    """Return the stem of an English word in small letters (Snowball)."""
    return _stemmer()(word)


_BROKEN = re.compile(r"\w[-‐‑]\s*\n\s*\w|[a-z][-‐] [a-z]")


def has_broken_words(text: str) -> bool:
    """Return whether a hyphen at the end of a line may part a word of ``text``."""
    return bool(_BROKEN.search(text))


def read_forms(text: str) -> frozenset[str]:
    """Return the words of ``text`` in small letters: the vocabulary by which another text's broken words are joined."""
    return frozenset(word.key for word in _raw_words(_without_references(text)))


@functools.lru_cache(maxsize=2048)
def read_words(text: str, vocabulary: frozenset[str] = frozenset()) -> tuple[ClaimWord, ...]:
    """Return the words of ``text`` with their offsets; references (``[12]``) and where links lead are no words.

    Words that a hyphen parts are joined where ``vocabulary`` has them whole.

    >>> [word.key for word in read_words("It cost 3.2 million dollars in May 1902")]
    ['it', 'cost', '#3200000 USD', 'in', '@1902-5-?']
    """
    words = list(_raw_words(_without_references(text)))
    if vocabulary:
        words = join_broken(words, vocabulary)
    words = _with_numbers(words)
    words = _with_dates(words)
    words = _with_units(words)
    return tuple(_as_written(word, text) if word.is_number else word for word in words)


def _as_written(word: ClaimWord, text: str) -> ClaimWord:
    written = re.sub(r"[-‐]\s*\n\s*", "", text[word.start : word.end].translate(_WITHOUT_HIDDEN))
    written = unicodedata.normalize("NFKC", written).casefold()
    return replace(word, written=re.sub(r"[\s,'’]", "", written))


def _without_references(text: str) -> str:
    if "[" not in text and "【" not in text:
        return text
    plain = text.replace("\\[", " [")
    return mask_markers(plain, read_markers(plain))


def _raw_words(text: str) -> Iterator[ClaimWord]:
    last = 0
    initials = {match.start(): match for match in _INITIALISM.finditer(text)} if "." in text else {}
    skip_until = 0
    for match in _WORD.finditer(text):
        start, end = match.span()
        if start < skip_until or match["target"]:
            continue
        gap = text[last:start]
        if start in initials and match["word"]:
            group = initials[start]
            raw = re.sub(r"[^A-Z]", "", group[0])
            if len(raw) >= 2 and not group[0].endswith(" "):
                skip_until = last = group.end()
                yield ClaimWord(group[0], raw.casefold() + ".", raw.casefold(), start, group.end(), gap, is_name=True)
                continue
        last = end
        yield from _words_of(match, text, gap)


def _words_of(match: re.Match[str], text: str, gap: str) -> Iterator[ClaimWord]:
    start, end = match.span()
    raw = match[0]
    if match["date"]:
        yield _numeric_date(raw, start, end, gap)
    elif match["ordinal"]:
        yield _number_word(raw, f"ord:{int(raw[:-2])}", start, end, gap)
    elif match["ratio"]:
        top, bottom = int(raw[0]), int(raw[2])
        value = Decimal(top) / Decimal(bottom) if bottom else Decimal(top)
        yield _number(raw, Quantity(value.quantize(Decimal("1e-6")), is_fraction=True), start, end, gap)
    elif match["digits"]:
        yield _digits(raw, start, end, gap)
    elif match["sign"]:
        words = _SIGN_WORDS.get(raw)
        if words is None:
            yield ClaimWord(raw, raw, raw, start, end, gap, kind="sign")
        else:
            yield from (_plain(word, word, start, end, gap if i == 0 else " ", False) for i, word in enumerate(words))
    else:
        yield from _letters(raw, text, start, end, gap)


def _letters(raw: str, text: str, start: int, end: int, gap: str) -> Iterator[ClaimWord]:
    clean = raw
    if not raw.isascii():
        raw = raw.translate(_WITHOUT_HIDDEN)
        clean = unicodedata.normalize("NFKC", raw).replace("’", "'").replace("ʼ", "'")
    if len(clean) > 3 and clean[-1].isdigit():
        clean = re.sub(r"(?<=\D)\d+\Z", "", clean)  # a raised number of a note
    folded = drop_accents(clean.casefold())
    is_name = clean[:1].isupper() and not _BEGINS_SENTENCE.search(text, max(0, start - 12), start)
    is_name = is_name or (len(clean) > 1 and clean.isupper())
    if parts := CONTRACTIONS.get(folded):
        yield from (_plain(raw, part, start, end, gap if i == 0 else " ", False) for i, part in enumerate(parts))
        return
    for ending, word in CONTRACTED_ENDS.items() if "'" in folded else ():
        if folded.endswith(ending) and len(folded) > len(ending):
            yield _plain(raw, folded[: -len(ending)], start, end, gap, False)
            yield _plain(raw, word, start, end, " ", False)
            return
    yield _plain(raw, folded.removesuffix("'s").rstrip("'"), start, end, gap, is_name)


@functools.lru_cache(maxsize=50_000)
def _fold_form(text: str) -> str:
    clean = unicodedata.normalize("NFKC", text.translate(_WITHOUT_HIDDEN))
    return drop_accents(clean.replace("’", "'").replace("ʼ", "'").casefold())


def _plain(raw: str, folded: str, start: int, end: int, gap: str, is_name: bool) -> ClaimWord:
    key = one_spelling(folded, is_name=is_name)
    return ClaimWord(raw, key, stem(key), start, end, gap, is_name=is_name)


@functools.lru_cache(maxsize=50_000)
def one_spelling(word: str, *, is_name: bool = False) -> str:
    """Return the American spelling of a word, so that both spellings have one key.

    >>> one_spelling("colour"), one_spelling("organised"), one_spelling("travelled")
    ('color', 'organized', 'traveled')
    """
    if same := SAME_WORD.get(word):
        return same
    if len(word) < 5:
        return word
    word = re.sub(r"is(e[drs]?|ing|ations?|able)\Z", r"iz\1", word) if len(word) > 5 else word
    word = re.sub(r"ys(e[drs]?|ing)\Z", r"yz\1", word)
    word = re.sub(r"our(s|ed|ing|ite|ites|able|ful|less|ly|al|hood|er|ers)?\Z", r"or\1", word)
    word = re.sub(r"(?<=[tbp])re(s|d)?\Z", r"er\1", word)
    word = re.sub(r"ogue(s)?\Z", r"og\1", word)
    word = re.sub(r"([aeiou][^aeiou]+[aeiou])ll(ed|ing|ers?|ors?|ist|ists)\Z", r"\1l\2", word)
    if len(word) >= 6 and not is_name:  # Michael is not Michel
        word = word.replace("ae", "e").replace("oe", "e")
    return word


def _number_word(raw: str, key: str, start: int, end: int, gap: str) -> ClaimWord:
    return ClaimWord(raw, key, key, start, end, gap, kind="number")


def _number(raw: str, quantity: Quantity, start: int, end: int, gap: str) -> ClaimWord:
    return ClaimWord(raw, quantity.key, quantity.key, start, end, gap, kind="number", quantity=quantity)


def _digits(raw: str, start: int, end: int, gap: str) -> ClaimWord:
    sign = raw[0] in "-−"
    body = raw[1:] if sign else raw
    fraction = _FRACTIONS.get(body[-1:])
    whole = body[:-1] if fraction else body
    quantity = parse_number(whole) if whole else Quantity(Decimal(0))
    if quantity is None:
        return _number_word(raw, f"#{raw}", start, end, gap)
    if fraction:
        top, _, bottom = fraction.partition("/")
        extra = (Decimal(top) / Decimal(bottom)).quantize(Decimal("1e-6")) if bottom else Decimal(top)
        quantity = Quantity(quantity.value + extra, step=Decimal("0.01"), is_fraction=not whole)
    if sign:
        quantity = replace(quantity, value=-quantity.value)
    return _number(raw, quantity, start, end, gap)


def _numeric_date(raw: str, start: int, end: int, gap: str) -> ClaimWord:
    parts = [int(part) for part in re.split(r"[-./]", raw)]
    if parts[0] > 31:
        date = Date(parts[0], parts[1], parts[2])
    else:
        day, month, year = parts
        is_ambiguous = day <= 12 and month <= 12 and day != month and "/" in raw
        if month > 12:
            day, month = month, day
        date = Date(year, month, day, (day, month) if is_ambiguous else None)
    return ClaimWord(raw, date.key, date.key, start, end, gap, kind="date", date=date)


# --- numbers ---------------------------------------------------------------------------------------------------------


def _with_numbers(words: Sequence[ClaimWord]) -> list[ClaimWord]:
    """Join number words and scales: "three point two million" is not read, "3.2 million" and "twenty-five" are."""
    joined: list[ClaimWord] = []
    index = 0
    while index < len(words):
        end, word = _number_at(words, index)
        joined.append(word)
        index = end
    return joined


def _number_at(words: Sequence[ClaimWord], index: int) -> tuple[int, ClaimWord]:
    first = words[index]
    if first.kind == "word" and first.key in ORDINAL_WORDS:
        return index + 1, replace(
            first, key=f"ord:{ORDINAL_WORDS[first.key]}", stem=f"ord:{ORDINAL_WORDS[first.key]}", kind="number"
        )
    value: Decimal | None = None
    is_written = first.kind == "word" and first.key in NUMBER_WORDS
    if first.quantity is not None:
        value, step = first.quantity.value, first.quantity.step
    elif is_written:
        value, step = Decimal(NUMBER_WORDS[first.key]), Decimal(1)
    elif (
        first.key in {"a", "an"}
        and index + 1 < len(words)
        and words[index + 1].key in {"hundred", "thousand", "million", "billion", "dozen"}
    ):
        value, step = Decimal(1), Decimal(1)
    else:
        return index + 1, first
    total, current, position = Decimal(0), value, index + 1
    while position < len(words):
        word = words[position]
        if (
            word.kind != "word"
            or set(word.gap) - set(" \u00a0\n-‑")
            or (not word.gap and not is_written and word.key not in SHORT_SCALES)
        ):
            break
        small = NUMBER_WORDS.get(word.key)
        if word.key in SCALES:
            scale = SCALES[word.key]
            if scale == 100:
                current *= 100
            else:
                total, current = total + current * scale, Decimal(0)
            step *= scale
            is_written = True
        elif small is not None and is_written and _goes_on(current, small, word):
            current += small
        elif (
            word.key == "and"
            and is_written
            and position + 1 < len(words)
            and current % 100 == 0
            and current
            and NUMBER_WORDS.get(words[position + 1].key, 100) < 100
        ):
            pass
        elif len(word.text) == 1 and word.key in {"k"} and not word.gap and first.quantity is not None:
            current *= SHORT_SCALES[word.key]
            step *= SHORT_SCALES[word.key]
            position += 1
            break
        else:
            break
        position += 1
    if position < len(words) and (fraction := _fraction_at(words, position, first, current + total, position - index)):
        return fraction
    quantity = Quantity(total + current, step=step)
    if position == index + 1 and first.quantity is not None:
        return position, first
    last = words[position - 1]
    return position, ClaimWord(
        first.text, quantity.key, quantity.key, first.start, last.end, first.gap, kind="number", quantity=quantity
    )


def _goes_on(current: Decimal, small: int, word: ClaimWord) -> bool:
    if current and current % 100 == 0:
        return True
    return (
        current >= 20
        and current % 10 == 0
        and current < 100
        and 0 < small < 10
        and ("-" in word.gap or word.gap == " ")
    )


def _fraction_at(
    words: Sequence[ClaimWord], position: int, first: ClaimWord, value: Decimal, used: int
) -> tuple[int, ClaimWord] | None:
    """Read "two thirds" and "three-quarters"; "one third" too, but no "5 third"."""
    word = words[position]
    bottom = FRACTION_WORDS.get(word.text.casefold())
    is_small = used == 1 and 0 < value < 10 and first.kind == "word"
    if word.gap.strip(" -‑\n\u00a0"):
        return None
    if bottom is None or not is_small or (value == 1) == word.text.casefold().endswith("s"):
        return None
    share = (value / bottom).quantize(Decimal("1e-6"))
    quantity = Quantity(share, is_fraction=True)
    return position + 1, ClaimWord(
        first.text, quantity.key, quantity.key, first.start, word.end, first.gap, kind="number", quantity=quantity
    )


ReadRun = Callable[[Sequence[ClaimWord], int], tuple[int, list[ClaimWord]] | None]
"""What is read at an index: the number of words that it takes, and those that stand for them; None for nothing."""


def replace_runs(words: Sequence[ClaimWord], read: ReadRun) -> list[ClaimWord]:
    """Return the words with what ``read`` finds at an index in place of as many words as it says."""
    found: list[ClaimWord] = []
    index = 0
    while index < len(words):
        replaced = read(words, index)
        if replaced is None:
            found.append(words[index])
            index += 1
        else:
            used, instead = replaced
            found += instead
            index += used
    return found


# --- dates -----------------------------------------------------------------------------------------------------------


def _with_dates(words: Sequence[ClaimWord]) -> list[ClaimWord]:
    return replace_runs(words, _read_date)


def _read_date(words: Sequence[ClaimWord], index: int) -> tuple[int, list[ClaimWord]] | None:
    found = _date_at(words, index)
    if found is None:
        return None
    end, date = found
    first, last = words[index], words[end - 1]
    word = ClaimWord(first.text, date.key, date.key, first.start, last.end, first.gap, kind="date", date=date)
    return end - index, [word]


def _date_at(words: Sequence[ClaimWord], index: int) -> tuple[int, Date] | None:
    """Read "12 May 1902", "12th of May", "May 12, 1902" and "May 1902" at ``index``."""
    first = words[index]
    if (day := _day_of(first)) is not None:
        position = index + 1
        if position < len(words) and words[position].key == "of":
            position += 1
        month = _month_at(words, position)
        if month is None or set(words[position].gap) - set(" \u00a0\n-"):
            return None
        year = _year_at(words, position + 1)
        return (position + 2, Date(year, month, day)) if year else (position + 1, Date(0, month, day))
    month = _month_at(words, index)
    if month is None or not first.text[:1].isupper() or index + 1 >= len(words):
        return None
    following = words[index + 1]
    day = _day_of(following)
    is_abbreviated = "." in following.gap and not following.text[:1].isdigit()  # "in October. One boat ..."
    if day is not None and not is_abbreviated and not set(following.gap) - set(" \u00a0\n."):
        year = _year_at(words, index + 2)
        return (index + 3, Date(year, month, day)) if year else (index + 2, Date(0, month, day))
    position = index + 2 if following.key == "of" else index + 1
    year = _year_at(words, position)
    return (position + 1, Date(year, month, 0)) if year else None


def _month_at(words: Sequence[ClaimWord], index: int) -> int | None:
    if index >= len(words) or words[index].kind != "word" or not words[index].text[:1].isupper():
        return None
    return MONTHS.get(words[index].text.casefold())


def _day_of(word: ClaimWord) -> int | None:
    if word.key.startswith("ord:") and word.text[:1].isdigit():
        value = int(word.key[4:])
    elif word.quantity is not None and word.text.isdigit() and len(word.text) <= 2:
        value = int(word.text)
    elif word.quantity is not None and word.text.isalpha() and word.quantity.value == int(word.quantity.value):
        value = int(word.quantity.value)  # "twelve May"
    else:
        return None
    return value if 1 <= value <= 31 else None


def _year_at(words: Sequence[ClaimWord], index: int) -> int:
    if index >= len(words):
        return 0
    word = words[index]
    if word.quantity is None or set(word.gap) - set(" ,\u00a0\n.") or not re.fullmatch(r"\d{4}", word.text):
        return 0
    return int(word.text)


# --- units -----------------------------------------------------------------------------------------------------------


def _with_units(words: Sequence[ClaimWord]) -> list[ClaimWord]:
    joined: list[ClaimWord] = []
    index = 0
    while index < len(words):
        end, word = _quantity_at(words, index)
        joined.append(word)
        index = end
    return _with_ranges(joined)


def _quantity_at(words: Sequence[ClaimWord], index: int) -> tuple[int, ClaimWord]:
    first = words[index]
    if first.key == "us" and index + 2 < len(words) and words[index + 1].text == "$" and not words[index + 1].gap:
        return _quantity_at(words, index + 1)
    if first.text in _DOLLARS and index + 2 < len(words) and words[index + 1].text == "$" and not words[index + 1].gap:
        end, amount = _quantity_at(words, index + 1)
        if amount.quantity is not None:
            dollars = replace(amount.quantity, unit=_DOLLARS[first.text])
            return end, _make_quantity_word(first, words[end - 1], dollars)
    if _is_year(first) and index + 1 < len(words) and words[index + 1].text == "s" and not words[index + 1].gap:
        return index + 2, replace(
            first, key=f"{first.key}s", stem=f"{first.key}s", end=words[index + 1].end, quantity=None
        )
    if (sign := _currency_before(words, index)) is not None:
        amount = words[index + 1]
        quantity = amount.quantity
        end = index + 2
        if (
            quantity is not None
            and end < len(words)
            and words[end].key in SHORT_SCALES
            and not words[end].gap
            and len(words[end].text) == 1
        ):
            scale = SHORT_SCALES[words[end].key]
            quantity, end = replace(quantity, value=quantity.value * scale, step=quantity.step * scale), end + 1
        elif quantity is not None and end < len(words) and words[end].key in {"bn", "mn"}:
            quantity, end = replace(quantity, value=quantity.value * SCALES[words[end].key]), end + 1
        if quantity is not None:
            if end < len(words) and UNIT_AFTER_SIGN.get(words[end].key) == sign:
                end += 1
            return end, _make_quantity_word(first, words[end - 1], replace(quantity, unit=sign))
    if first.quantity is None or index + 1 >= len(words):
        return index + 1, first
    if _is_year(first) and words[index + 1].gap:
        return index + 1, first
    end, unit = _unit_at(words, index + 1)
    if unit is None:
        return index + 1, first
    return end, _make_quantity_word(first, words[end - 1], replace(first.quantity, unit=unit))


_DOLLARS = {"A": "AUD", "C": "CAD", "NZ": "NZD", "HK": "HKD", "S": "SGD"}
"""Letters before a dollar sign."""
_OF_DOLLARS = {"canadian": "CAD", "australian": "AUD", "singapore": "SGD"}
UNIT_AFTER_SIGN = {"usd": "USD", "dollar": "USD", "dollars": "USD", "eur": "EUR", "gbp": "GBP"}


def _make_quantity_word(first: ClaimWord, last: ClaimWord, quantity: Quantity) -> ClaimWord:
    return ClaimWord(
        first.text, quantity.key, quantity.key, first.start, last.end, first.gap, kind="number", quantity=quantity
    )


def _currency_before(words: Sequence[ClaimWord], index: int) -> str | None:
    """Return the currency of a sign or code that stands before an amount ("$5", "US$ 5", "EUR 5")."""
    word = words[index]
    if index + 1 >= len(words) or words[index + 1].quantity is None or len(words[index + 1].gap) > 1:
        return None
    if word.kind == "sign":
        return CURRENCY_SIGNS.get(word.text)
    code = word.text.upper()
    return code if code in CURRENCIES and word.text.isupper() else None


def _is_year(word: ClaimWord) -> bool:
    return bool(re.fullmatch(r"1[5-9]\d\d|20\d\d", word.text)) and word.end - word.start == 4


def _unit_at(words: Sequence[ClaimWord], index: int) -> tuple[int, str | None]:
    word = words[index]
    if set(word.gap) - set(" \u00a0\u202f\u2009\n-‑") or len(word.gap) > 2:
        return index, None
    following = words[index + 1] if index + 1 < len(words) else None
    if word.key == "per" and following is not None and following.key == "cent":
        return index + 2, "percent"
    unit = unit_of(word.text, glued=not word.gap)
    if word.text == "°" and following is not None and not following.gap and following.text in {"C", "F"}:
        return index + 2, "degC" if following.text == "C" else "degF"
    if (
        unit == "degree"
        and following is not None
        and following.text.casefold() in {"celsius", "centigrade", "fahrenheit", "c", "f"}
    ):
        return index + 2, "degF" if following.text[0] in "fF" else "degC"
    if unit == "percent" and following is not None and following.key in {"point", "points"}:
        return index + 2, "percentage_point"
    if word.key == "percentage" and following is not None and following.key in {"point", "points"}:
        return index + 2, "percentage_point"
    if word.key in {"us", "u.s."} and following is not None and following.key in {"dollar", "dollars"}:
        return index + 2, "USD"
    if word.key in _OF_DOLLARS and following is not None and following.key in {"dollar", "dollars"}:
        return index + 2, _OF_DOLLARS[word.key]
    if word.key == "swiss" and following is not None and following.key in {"franc", "francs"}:
        return index + 2, "CHF"
    if word.key == "pound" and following is not None and following.key == "sterling":
        return index + 2, "GBP"
    if word.key in {"nautical"} and following is not None and following.key in {"mile", "miles"}:
        return index + 2, "nautical_mile"
    power = {"²": 2, "³": 3}.get(word.text[-1:])
    if power and (base := unit_of(word.text[:-1], glued=False)):
        return index + 1, f"{base}**{power}"
    if (
        word.key in {"square", "sq", "cubic"}
        and following is not None
        and (base := unit_of(following.text, glued=False))
    ):
        return index + 2, f"{base}**{3 if word.key == 'cubic' else 2}"
    return (index + 1, unit) if unit is not None else (index, None)


def _with_ranges(words: Sequence[ClaimWord]) -> list[ClaimWord]:
    """Write "5–10 km" as 5 km to 10 km: a dash between numbers is a word, and the unit belongs to both."""
    ranged: list[ClaimWord] = []
    for word in words:
        previous = ranged[-1] if ranged else None
        is_range = previous is not None and word.is_number and previous.is_number and word.gap.strip() in _DASHES
        if is_range:
            ranged.append(ClaimWord(word.gap, "to", "to", word.start, word.start, word.gap))
        if (
            len(ranged) >= 2
            and word.quantity is not None
            and word.quantity.unit
            and ranged[-1].key in {"to", "and", "or"}
        ):
            before = ranged[-2]
            if (
                before.quantity is not None
                and not before.quantity.unit
                and not _is_year(before)
                and not set(ranged[-1].gap) - set(" -–—‑−")
            ):
                quantity = replace(before.quantity, unit=word.quantity.unit)
                ranged[-2] = replace(before, key=quantity.key, stem=quantity.key, quantity=quantity)
        ranged.append(word)
    return ranged


# --- what two texts agree to call one word -------------------------------------------------------------------------


def join_broken(words: Sequence[ClaimWord], others: frozenset[str]) -> list[ClaimWord]:
    """Join words that a hyphen parts where the other text has them as one: "exam-\\nple", "e-mail"."""
    joined: list[ClaimWord] = []
    for word in words:
        previous = joined[-1] if joined else None
        is_parted = previous is not None and word.gap.strip() in _DASHES and word.gap.strip() and len(word.gap) < 12
        if previous is not None and is_parted and previous.kind == word.kind == "word":
            whole = drop_accents((previous.text + word.text).casefold()).removesuffix("'s")
            key = next((k for k in (one_spelling(whole), one_spelling(whole, is_name=True)) if k in others), None)
            if key is not None:
                joined[-1] = replace(previous, text=previous.text + word.text, key=key, stem=stem(key), end=word.end)
                continue
        joined.append(word)
    return joined


def with_acronyms(words: Sequence[ClaimWord], acronyms: Mapping[str, tuple[tuple[str, ...], ...]]) -> list[ClaimWord]:
    """Write each long form that stands for an acronym as the acronym; "World Health Organization (WHO)" is one word."""
    if not acronyms:
        return list(words)
    by_first: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for acronym, expansions in acronyms.items():
        for expansion in expansions:
            by_first.setdefault(expansion[0], []).append((expansion, acronym))
    short: list[ClaimWord] = []
    index = 0
    while index < len(words):
        word = words[index]
        acronym, used = _acronym_at(words, index, by_first)
        if acronym:
            last = words[index + used - 1]
            word = ClaimWord(
                word.text, f"acronym:{acronym}", f"acronym:{acronym}", word.start, last.end, word.gap, is_name=True
            )
        elif word.text.strip(".").isupper() and (plain := word.key.rstrip(".")) in acronyms and len(word.text) > 1:
            word = replace(word, key=f"acronym:{plain}", stem=f"acronym:{plain}", is_name=True)
            used = 1
        if short and short[-1].key == word.key and word.key.startswith("acronym:"):
            short[-1] = replace(short[-1], end=word.end)
        else:
            short.append(word)
        index += max(used, 1)
    return short


def _acronym_at(
    words: Sequence[ClaimWord], index: int, by_first: Mapping[str, list[tuple[tuple[str, ...], str]]]
) -> tuple[str, int]:
    best, used = "", 0
    for expansion, acronym in by_first.get(words[index].key, ()):
        size = len(expansion)
        if size > used and all(
            index + i < len(words) and words[index + i].key == key for i, key in enumerate(expansion)
        ):
            best, used = acronym, size
    return best, used


def is_opposite_by_prefix(a: str, b: str) -> bool:
    """Return whether one word is the other with a prefix that turns it around: *likely* and *unlikely*."""
    short, long = sorted((a, b), key=len)
    return len(short) > 3 and any(long == prefix + short for prefix in DIRECTIONAL_PREFIXES)


def make_word(key: str, like: ClaimWord, gap: str = " ") -> ClaimWord:
    """Return a word that the sentence does not have, at the place of ``like``."""
    return ClaimWord(key, key, stem(key), like.start, like.start, gap)


def make_phrase(phrase: str, like: ClaimWord) -> list[ClaimWord]:
    """Return the words of a phrase that the sentence does not have, at the place of ``like``."""
    return [make_word(key, like) for key in phrase.split()]


def make_number(value: Decimal, unit: str, like: ClaimWord) -> ClaimWord:
    """Return a number that the sentence does not have in this form, at the place of ``like``."""
    quantity = Quantity(value, unit)
    key = quantity.key
    return ClaimWord(key, key, key, like.start, like.start, " ", kind="number", quantity=quantity)
