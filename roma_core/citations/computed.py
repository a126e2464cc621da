"""Claims that are computed from two figures of a passage, told as the statements that they are computed from. Pure.

"The show closed two weeks after it opened" says the same as "The show opened on 3 March 2019" and "The show closed on
17 March 2019" where the passage has these dates. "Lyon has more staff than Nantes" is "Lyon has 84 staff" and "Nantes
has 47 staff". The figures are the passage's own, the sum is done here, and each statement must then be proven.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise, permutations, product

from roma_core.citations.conclusions import list_borders
from roma_core.citations.lexicon import DENIALS, DETERMINERS, PRONOUNS
from roma_core.citations.numbers import UNITS, Quantity, is_within
from roma_core.citations.phrases import BOUND_NAMES
from roma_core.citations.verbs import (
    PARTICIPLE,
    Words,
    find_verb,
    in_form,
    in_singular,
)
from roma_core.citations.words import (
    ClaimWord,
    make_phrase,
    make_word,
)

Sentences = Sequence[Sequence[ClaimWord]]

_MOST_PAIRS = 6
"""Pairs of figures that a claim is tried with."""


def compute_statements(claim: Sequence[ClaimWord], sentences: Sentences) -> Iterator[list[Words]]:
    """Yield the statements with figures of ``sentences`` that together say what a claim computes from them."""
    if {word.key for word in claim} & DENIALS:
        return
    yield from _compared(claim, sentences)
    yield from _multiplied(claim, sentences)
    yield from _compared_dates(claim, sentences)
    yield from _durations(claim, sentences)
    yield from _shares(claim, sentences)
    yield from _changes(claim, sentences)
    yield from _counted(claim)
    yield from _both_named(claim, sentences)


# --- comparisons -----------------------------------------------------------------------------------------------------

_MEASURED: dict[str, tuple[int, str, str]] = {
    "heavier": (1, "weighs", ""), "lighter": (-1, "weighs", ""), "cheaper": (-1, "costs", ""),
    "dearer": (1, "costs", ""), "longer": (1, "", "long"), "shorter": (-1, "", "long"), "taller": (1, "", "tall"),
    "higher": (1, "", "high"), "wider": (1, "", "wide"), "narrower": (-1, "", "wide"), "deeper": (1, "", "deep"),
    "shallower": (-1, "", "deep"), "thicker": (1, "", "thick"), "older": (1, "", "old"), "younger": (-1, "", "old"),
}  # fmt: skip
"""Comparatives: which side has the greater figure, and the verb or adjective by which a passage gives the figure."""
_MORE = {"more": 1, "fewer": -1, "less": -1}


def _compared(claim: Sequence[ClaimWord], sentences: Sentences) -> Iterator[list[Words]]:
    """Take "A has more N than B" apart: A has 84 N, and B has 47 N."""
    than = next((index for index in range(3, len(claim) - 1) if claim[index].key == "than"), 0)
    verb = find_verb(claim) if than else 0
    place = next((i for i in range(verb + 1, than) if claim[i].key in _MORE or claim[i].key in _MEASURED), 0)
    if not verb or place != verb + 1:
        return
    first, second = list(claim[:verb]), _without_auxiliary(claim[than + 1 :])
    noun = list(claim[place + 1 : than])
    if claim[place].key in _MEASURED:
        sign, told, adjective = _MEASURED[claim[place].key]
        rest = [make_word(adjective, claim[place])] if adjective else noun
    elif [word.key for word in noun] == ["expensive"]:
        sign, told, rest = _MORE[claim[place].key], "costs", list[ClaimWord]()
    else:
        sign, told, rest = _MORE[claim[place].key], "", noun
    said = [make_word(told, claim[verb])] if told else [claim[verb]]
    for greater, smaller in _pairs_of(first, second, sentences):
        if (_value(greater) - _value(smaller)) * sign > 0:
            yield [[*first, *said, *_told(greater, rest)], [*second, *said, *_told(smaller, rest)]]


def _multiplied(claim: Sequence[ClaimWord], sentences: Sentences) -> Iterator[list[Words]]:
    """Take "A has three times as many N as B" apart: A has 60 N, and B has 20 N."""
    verb = find_verb(claim)
    place = verb + 1
    keys = [word.key for word in claim[place : place + 3]]
    end = next((i for i in range(place + 3, len(claim) - 1) if claim[i].key == "as"), 0)
    if (
        not verb
        or not end
        or not re.fullmatch(r"times:\d+", keys[0])
        or keys[1:] not in (["as", "much"], ["as", "many"])
    ):
        return
    factor = int(keys[0].partition(":")[2])
    first, second, noun = list(claim[:verb]), _without_auxiliary(claim[end + 1 :]), list(claim[place + 3 : end])
    is_named = any(noun and noun[-1].stem == word.stem for sentence in sentences for word in sentence)
    for greater, smaller in _pairs_of(first, second, sentences):
        is_measured = greater[0].quantity is not None and bool(greater[0].quantity.unit)
        if _value(greater) == factor * _value(smaller) and (is_named or is_measured):
            rest = noun if is_named else []
            yield [[*first, claim[verb], *_told(greater, rest)], [*second, claim[verb], *_told(smaller, rest)]]


def _without_auxiliary(words: Sequence[ClaimWord]) -> Words:
    ends = words[-1].key in {"does", "has", "is", "did", "was"} if words else False
    return list(words[:-1] if ends else words)


def _pairs_of(
    first: Sequence[ClaimWord], second: Sequence[ClaimWord], sentences: Sentences
) -> list[tuple[Words, Words]]:
    """Return the pairs of figures of two things that have one unit and one rate."""
    ours, theirs = _figures_of(first, sentences), _figures_of(second, sentences)
    pairs = [(a, b) for a, b in product(ours, theirs) if _measure(a) == _measure(b)]
    return pairs[: 2 * _MOST_PAIRS]


def _told(figure: Sequence[ClaimWord], noun: Sequence[ClaimWord]) -> Words:
    """Return "200 pages per hour" for "200 per hour" and "pages", and "40 liters" for "40 liters" and "liters"."""
    quantity = figure[0].quantity
    if noun and quantity is not None and quantity.unit and UNITS.get(noun[0].key) == quantity.unit:
        return (
            list(figure) if [word.key for word in noun[1:]] == [word.key for word in figure[1:]] else [*figure, *noun]
        )
    return [figure[0], *noun, *figure[1:]]


def _value(figure: Sequence[ClaimWord]) -> Decimal:
    quantity = figure[0].quantity
    return quantity.value if quantity is not None else Decimal(0)


def _measure(figure: Sequence[ClaimWord]) -> tuple[str, ...]:
    """Return the unit of a figure, and what it is "per"."""
    quantity = figure[0].quantity
    return (quantity.unit if quantity is not None else "", *(word.key for word in figure[1:]))


def _figures_of(thing: Sequence[ClaimWord], sentences: Sentences) -> list[Words]:
    """Return the figures of the sentences that have all content words of a thing, with "per month" behind them."""
    stems = {word.stem for word in thing if word.is_content}
    figures: dict[str, Words] = {}
    for sentence in sentences if stems else ():
        if not stems <= {word.stem for word in sentence}:
            continue
        for index, word in enumerate(sentence):
            if word.quantity is not None:
                rate = next(
                    (i for i in (index + 1, index + 2) if [w.key for w in sentence[i : i + 1]] == ["per"]), None
                )
                figures[word.key] = [replace(word, gap=" "), *(sentence[rate : rate + 2] if rate else ())]
    return list(figures.values())


def _compared_dates(claim: Sequence[ClaimWord], sentences: Sentences) -> Iterator[list[Words]]:
    """Take "A was built before B" apart: A was built in 1897, and B was built in 1972."""
    verb = find_verb(claim)
    for index in range(verb + 1 if verb else len(claim), len(claim) - 1):
        keys = [word.key for word in claim[index : index + 2]]
        if keys[0] in {"before", "after"}:
            size, is_first = 1, keys[0] == "before"
        elif keys in (["earlier", "than"], ["later", "than"]):
            size, is_first = 2, keys[0] == "earlier"
        else:
            continue
        said = list(claim[verb:index])
        first, second = list(claim[:verb]), _without_auxiliary(claim[index + size :])
        if not second or len(said) > 3 or find_verb(second) or any(word.is_number for word in (*said, *second)):
            return
        for early, late in _date_pairs(sentences):
            ours, theirs = (early, late) if is_first else (late, early)
            yield [[*first, *said, *_on(ours)], [*second, *said, *_on(theirs)]]
        return


# --- durations and ages ----------------------------------------------------------------------------------------------

_SPAN_UNITS = frozenset("minute hour day week month year decade century".split())
_LASTING = frozenset("took takes lasted lasts ran runs".split())
_BEGUN = (("began",), ("opened",), ("was", "begun"))
_ENDED = (("ended",), ("closed",), ("was", "completed"))
_BEGINS = (("begins",), ("opens",))
_ENDS = (("ends",), ("closes",))
_CLOCK = re.compile(r"time:(\d\d):(\d\d)\Z")
_MINUTES = {"minute": 1, "hour": 60}
_DAYS = {"day": 1, "week": 7}
_YEARS = {"year": 1, "decade": 10, "century": 100}


def _durations(claim: Sequence[ClaimWord], sentences: Sentences) -> Iterator[list[Words]]:
    present = {word.key for sentence in sentences for word in sentence}
    for index, word in enumerate(claim):
        span = word.quantity
        is_age = (
            span is not None and not span.unit and "age" in [other.key for other in claim[max(0, index - 3) : index]]
        )
        if is_age and span is not None:
            span = replace(span, unit="year")
        if span is None or span.unit not in _SPAN_UNITS or word.key in present or index == 0:
            continue
        bound = claim[index - 1].key if claim[index - 1].key in BOUND_NAMES else ""
        start = index - 1 if bound else index
        is_age = is_age or claim[start - 1].key == "of"
        for early, late in _date_pairs(sentences):
            if _is_span(early, late, span, bound, is_age=is_age):
                yield from _spanned(claim, start, index + 1, early, late)
        return


def _spanned(
    claim: Sequence[ClaimWord], start: int, end: int, early: ClaimWord, late: ClaimWord
) -> Iterator[list[Words]]:
    """Yield the statements with two dates for a claim that has the time between them in ``claim[start:end]``."""
    before, after = list(claim[:start]), list(claim[end:])
    if after and after[0].key in {"after", "before"} and len(after) > 2:
        verb = find_verb(before)
        other = _with_subject(after[1:], before[:verb])
        ours, theirs = (late, early) if after[0].key == "after" else (early, late)
        if verb:
            yield [[*before, *_on(ours)], [*other, *_on(theirs)]]
        return
    if [word.key for word in before[-3:]] == ["at", "age", "of"] or [w.key for w in before[-4:-1]] == [
        "at",
        "the",
        "age",
    ]:
        told = before[: -3 if before[-2].key == "age" and before[-3].key == "at" else -4]
        verb = find_verb(told)
        if verb and not after:
            yield [[*told[:verb], *make_phrase("was born", told[verb]), *_on(early)], [*told, *_on(late)]]
        return
    subject = before[:-1] if before[-1].key in {"for", "is"} else before
    if subject and (subject[-1].key in _LASTING or before[-1].key == "is"):
        is_long = before[-1].key == "is"
        rest = after[1:] if is_long and after and after[0].key == "long" else after
        event = subject if is_long else subject[:-1]
        if not event or (is_long and rest == after) or not _is_said_span(rest, early, late):
            return
        is_clock = bool(_CLOCK.match(early.key))
        for begun in _BEGINS if is_clock else _BEGUN:
            for ended in _ENDS if is_clock else _ENDED:
                yield [
                    [*event, *make_phrase(" ".join(begun), event[-1]), *_on(early)],
                    [*event, *make_phrase(" ".join(ended), event[-1]), *_on(late)],
                ]


def _is_said_span(rest: Sequence[ClaimWord], early: ClaimWord, late: ClaimWord) -> bool:
    """Return whether words behind a duration are none, or the two dates themselves."""
    numbers = [word for word in rest if word.is_number]
    if len(numbers) + sum(word.key in {"from", "to", "between", "and", "until"} for word in rest) != len(rest):
        return False
    if not numbers:
        return not rest
    return len(numbers) == 2 and all(
        word.key == date.key or (word.date is not None and date.date is not None and date.date.holds(word.date))
        for word, date in zip(numbers, (early, late), strict=True)
    )


def _with_subject(words: Sequence[ClaimWord], subject: Sequence[ClaimWord]) -> Words:
    """Return "the show opened" for "it opened"."""
    is_pronoun = words[0].key in PRONOUNS and words[0].key not in DETERMINERS
    return [*subject, *words[1:]] if is_pronoun and subject else list(words)


def _on(date: ClaimWord) -> Words:
    """Return "in 1902", "on 3 May 1902" or "at 22:00"."""
    preposition = "on" if date.date is not None and date.date.day else "in"
    if _CLOCK.match(date.key):
        preposition = "at"
    return [make_word(preposition, date), replace(date, gap=" ")]


def _date_pairs(sentences: Sentences) -> Iterator[tuple[ClaimWord, ClaimWord]]:
    """Yield the pairs of dates of one sentence, or of two that follow each other, the earlier one first."""
    rows = [[word for word in sentence if _order_of(word) is not None] for sentence in sentences]
    seen: set[tuple[str, str]] = set()
    for row, following in pairwise([*rows, []]):
        for a, b in permutations([*row, *following], 2):
            key = (a.key, b.key)
            is_clock = bool(_CLOCK.match(a.key))
            if key in seen or is_clock != bool(_CLOCK.match(b.key)):
                continue
            seen.add(key)
            ours, theirs = _order_of(a), _order_of(b)
            if ours is not None and theirs is not None and (is_clock or ours < theirs):
                yield a, b


def _order_of(word: ClaimWord) -> tuple[int, int, int] | None:
    """Return year, month and day of a date with a year, hour and minute of a time of day; None for other words."""
    if clock := _CLOCK.match(word.key):
        return 0, int(clock[1]), int(clock[2])
    if word.date is not None:
        return (word.date.year, word.date.month, word.date.day) if word.date.year and not word.date.other else None
    is_year = word.quantity is not None and re.fullmatch(r"1\d{3}|20\d\d", word.text) and not word.quantity.unit
    return (int(word.text), 0, 0) if is_year else None


def _is_span(early: ClaimWord, late: ClaimWord, span: Quantity, bound: str, *, is_age: bool) -> bool:
    """Return whether ``span`` is the time between two dates; years alone give an age only "about"."""
    first, last = _order_of(early), _order_of(late)
    if first is None or last is None:
        return False
    lengths = _lengths(first, last, span.unit)
    has_days = bool(first[1] and last[1]) or not first[0]
    if is_age and not has_days:
        return bound == "about" and any(span.value in {length, length - 1} for length in lengths)
    if bound:
        return any(length > 0 and is_within(bound, span, Quantity(Decimal(length), span.unit)) for length in lengths)
    return any(span.value == Decimal(length) for length in lengths)


def _lengths(first: tuple[int, int, int], last: tuple[int, int, int], unit: str) -> list[Decimal]:
    """Return how many ``unit`` lie between two points of time, as far as they are whole ones."""
    if not first[0]:
        minutes = (last[1] * 60 + last[2] - first[1] * 60 - first[2]) % (24 * 60)
        return [Decimal(minutes) / _MINUTES[unit]] if unit in _MINUTES and minutes else []
    if unit in _YEARS:
        years = last[0] - first[0] - (1 if first[1] and last[1] and last[1:] < first[1:] else 0)
        is_whole = not (first[1] and last[1]) or last[1:] == first[1:]
        return [Decimal(years) / _YEARS[unit]] if years and (is_whole or first[2]) else []
    if unit == "month" and first[1] and last[1] and first[2] == last[2]:
        return [Decimal(12 * (last[0] - first[0]) + last[1] - first[1])]
    if unit in _DAYS and first[2] and last[2]:
        days = _day(first) is not None and _day(last) is not None
        return [Decimal((_days_of(last) - _days_of(first)).days) / _DAYS[unit]] if days else []
    return []


def _day(parts: tuple[int, int, int]) -> datetime.date | None:
    try:
        return datetime.date(*parts)
    except ValueError:
        return None


def _days_of(parts: tuple[int, int, int]) -> datetime.date:
    return datetime.date(*parts)


# --- shares, changes and counts --------------------------------------------------------------------------------------


def _shares(claim: Sequence[ClaimWord], sentences: Sentences) -> Iterator[list[Words]]:
    """Read "a third of the flats" as "80 of the 240 flats" where the passage has these numbers."""
    for index, word in enumerate(claim[:-2]):
        share = word.quantity
        if share is None or not (share.is_fraction or share.unit == "percent") or claim[index + 1].key != "of":
            continue
        value = share.value / 100 if share.unit == "percent" else share.value
        is_bound = bool(index) and claim[index - 1].key in BOUND_NAMES
        bound = claim[index - 1].key if is_bound else ""
        start = index - 1 if is_bound else index
        rest = claim[index + 3 :] if claim[index + 2].key == "the" else claim[index + 2 :]
        for sentence in sentences:
            plain = [
                w for w in sentence if w.quantity is not None and not w.quantity.unit and not w.quantity.is_fraction
            ]
            for part, whole in list(permutations(plain, 2))[:_MOST_PAIRS]:
                if _is_share(part, whole, value, bound):
                    numbers = [
                        replace(part, gap=" "),
                        claim[index + 1],
                        make_word("the", word),
                        replace(whole, gap=" "),
                    ]
                    yield [[*claim[:start], *numbers, *rest]]
        return


def _is_share(part: ClaimWord, whole: ClaimWord, value: Decimal, bound: str) -> bool:
    if part.quantity is None or whole.quantity is None or not 0 < part.quantity.value < whole.quantity.value:
        return False
    share = (part.quantity.value / whole.quantity.value).quantize(Decimal("1e-6"))
    if not bound:
        return share == value
    return is_within(bound, Quantity(value), Quantity(share))


_MULTIPLES = {
    "doubled": Fraction(2), "tripled": Fraction(3), "trebled": Fraction(3), "quadrupled": Fraction(4),
    "halved": Fraction(1, 2),
}  # fmt: skip
_RISING = ("rose", "fell")


def _changes(claim: Sequence[ClaimWord], sentences: Sentences) -> Iterator[list[Words]]:
    """Read "rose by 4" and "doubled" as "rose from 4 to 8" where the passage has these figures."""
    verb = find_verb(claim)
    if not verb:
        return
    rest = claim[verb + 1 :]
    by = rest[1] if len(rest) > 1 and rest[0].key == "by" else None
    factor = _MULTIPLES.get(claim[verb].key)
    if factor is None and (by is None or by.quantity is None or by.quantity.unit == "percent"):
        return
    for sentence in sentences:
        figures = [word for word in sentence if word.quantity is not None]
        for low, high in list(permutations(figures, 2))[: 3 * _MOST_PAIRS]:
            if low.quantity is None or high.quantity is None or low.quantity.unit != high.quantity.unit:
                continue
            before, after = low.quantity.value, high.quantity.value
            span = [make_word("from", low), replace(low, gap=" "), make_word("to", high), replace(high, gap=" ")]
            if factor is not None and before and Fraction(after) == factor * Fraction(before):
                for key in _RISING:
                    said = in_form(make_word(key, claim[verb]), PARTICIPLE)
                    yield [[*claim[:verb], said, *span, *rest]]
            change = Quantity(abs(after - before), low.quantity.unit)
            if by is not None and by.quantity is not None and by.quantity.key == change.key:
                yield [[*claim[: verb + 1], *span, *rest[2:]]]


def _counted(claim: Sequence[ClaimWord]) -> Iterator[list[Words]]:
    """Read "in three colors: black, white and red" as "in black, white and red": the number counts the list itself."""
    colon = next((i for i in range(2, len(claim) - 3) if ":" in claim[i].gap), 0)
    if not colon:
        return
    items = [replace(claim[colon], gap=" "), *claim[colon + 1 :]]
    borders = list_borders(items)
    if not borders or borders[-1] != len(items):
        return
    count = Quantity(Decimal(len(borders))).key
    number = next((i for i in range(max(0, colon - 7), colon) if claim[i].key == count), None)
    if number is None:
        return
    head, noun = list(claim[:number]), list(claim[number + 1 : colon])
    if [word.key for word in head] == ["there", "is"]:
        if len(noun) > 2 and noun[1].key in {"that", "which"}:
            yield [[*noun[2:], *items]]
        return
    yield [[*head, *items]]
    yield [[*head, *noun, *items]]


def _both_named(claim: Sequence[ClaimWord], sentences: Sentences) -> Iterator[list[Words]]:
    """Take "both drafts were refused" apart where the passage has two: the first draft was, the second draft was."""
    if len(claim) < 4 or claim[0].key != "both" or not claim[1].key.endswith("s"):
        return
    noun = claim[1].key.removesuffix("s")
    named: dict[tuple[str, str], Words] = {}
    for sentence in sentences:
        for index, word in enumerate(sentence[:-1]):
            if word.key != noun:
                continue
            before, after = sentence[max(0, index - 2) : index], sentence[index + 1]
            is_lettered = not after.gap.strip() and (len(after.text) == 1 and after.text.isupper())
            if is_lettered:
                named["", after.key] = [word, after]
            elif [other.key for other in before[:1]] == ["the"] and len(before) == 2:
                named[before[1].key, ""] = [*before, word]
    if len(named) == 2:
        predicate = in_singular(claim[2:])
        yield [[*(replace(word, gap=" ") for word in name), *predicate] for name in named.values()]
