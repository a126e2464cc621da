"""The simple statements that a claim is made of, each to be proven by itself, and the frame that it is put in. Pure.

"According to the manual, the pump, an Orrin 4, starts at noon and stops at six" says of the pump that it is an Orrin 4,
that it starts at noon and that it stops at six. Such a claim is right where each of its statements is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from roma_core.citations.lexicon import ADVERBS, AUXILIARIES, DENIALS, DETERMINERS, MODALS, PREPOSITIONS, PRONOUNS
from roma_core.citations.verbs import (
    THIRD_PERSON,
    Words,
    find_verb,
    in_form,
    in_singular,
    is_past_form,
    is_verb_at,
)
from roma_core.citations.words import (
    ClaimWord,
    make_word,
)

_SELVES = frozenset(
    "document text passage source manual article page report study paper guide email mail policy contract minutes "
    "leaflet abstract transcript section notes note message letter memo instructions documentation docs context "
    "agreement guidelines handbook log table brochure website record excerpt information provided rules regulations "
    "terms sheet faq readme specification".split()
)
"""Words by which an answer speaks of the passage itself."""
_SAYING = frozenset(
    "says states reports notes mentions explains describes indicates shows specifies instructs recommends advises "
    "adds confirms tells lists say state report note mention explain indicate show specify warns finds found".split()
)
_READERS = frozenset("users you readers people employees customers patients visitors us".split())
_AGREEING = {"yes": False, "no": True}
"""Words that answer a question before the statement does, and whether that statement denies."""
_ANAPHORS = frozenset("other others another former latter both same such too also there then one".split())
_JOINING = frozenset("and but while whereas".split())
_MOST_PARTS = 6


def remove_frame(words: Sequence[ClaimWord]) -> Words | None:
    """Return a claim without "According to the manual," and "Yes,"; None for a "no" before what denies nothing.

    >>> from roma_core.citations.words import read_words
    >>> [word.key for word in remove_frame(read_words("The text says that it is free."))]
    ['it', 'is', 'free']
    """
    rest = list(words)
    if rest and rest[0].key in _AGREEING and len(rest) > 1 and set(rest[1].gap) & set(",.;:–—"):
        denies = bool({word.key for word in rest[1:]} & (DENIALS - {"without"}))
        if denies is not _AGREEING[rest[0].key]:
            return None
        rest = rest[1:]
    if [word.key for word in rest[:3]] == ["among", "other", "things"] and len(rest) > 5:
        rest = rest[3:]
    if (size := _size_of_frame(rest)) and size < len(rest):
        rest = rest[size:]
    if len(rest) > 2 and rest[0].key == "the" and rest[1].key in _SELVES and rest[1].text.endswith(("'s", "’s")):
        rest = rest[2:]
    return [
        word
        for index, word in enumerate(rest)
        if not (word.key == "but" and index and index + 1 < len(rest) and rest[index + 1].key in PREPOSITIONS)
    ]


def _size_of_frame(words: Sequence[ClaimWord]) -> int:
    """Return how many words say that the passage says what follows."""
    keys = [word.key for word in words[:8]]
    if keys[:1] in (["according"], ["per"], ["in"], ["under"]):
        start = 2 if keys[:2] == ["according", "to"] else 1
        end = _end_of_self(keys, start)
        return end if end and end < len(words) and "," in words[end].gap else 0
    end = _end_of_self(keys, 0)
    if not end or (keys[end : end + 1] and keys[end] not in _SAYING):
        return 0
    behind = keys[end + 1 : end + 3]
    if behind[:1] in (["that"], ["to"]):
        return end + 2
    return end + 3 if len(behind) == 2 and behind[0] in _READERS and behind[1] == "to" else 0


def _end_of_self(keys: Sequence[str], start: int) -> int:
    """Return where words like "the user manual" end that begin at ``start``; 0 where there are none."""
    if keys[start : start + 1] not in (["the"], ["this"], ["a"]):
        return 0
    for index in range(start + 1, min(start + 4, len(keys))):
        if keys[index] in _SELVES:
            following = keys[index + 1] if index + 1 < len(keys) else ""
            return index + 1 if following not in _SELVES else index + 2
    return 0


def is_broken_off(words: Sequence[ClaimWord]) -> bool:
    """Return whether a part ends where no statement does: at a preposition, an article, an auxiliary or "and"."""
    last = words[-1].key
    return (
        len(words) < 3
        or last in PREPOSITIONS - {"up", "out", "off", "down"}
        or last in DETERMINERS | AUXILIARIES | _JOINING
    )


def has_anaphor(words: Sequence[ClaimWord]) -> bool:
    """Return whether a part speaks of what another part has named, so that both must come from one sentence."""
    return words[0].key in PRONOUNS or any(word.key in _ANAPHORS for word in words)


def split_claim(words: Sequence[ClaimWord]) -> Iterator[list[Words]]:
    """Yield the ways to take a claim of one subject apart into statements that say together what it says."""
    yield from _at_both(words)
    yield from _at_subjects(words)
    yield from _at_predicates(words)
    yield from _at_apposition(words)
    yield from _at_last_apposition(words)
    yield from _at_speaker(words)
    yield from _at_relative(words)
    yield from _at_list(words)


def split_clauses(words: Sequence[ClaimWord]) -> Iterator[list[Words]]:
    """Yield the two clauses of "A is B, while C is D": the join says something, so one sentence must hold both."""
    for index in range(2, len(words) - 2):
        is_joined = words[index].key in _JOINING
        is_parted = ";" in words[index].gap or (":" in words[index].gap and words[index - 1].kind == "word")
        begin = index + 1 if is_joined else index
        if not (is_joined or is_parted):
            continue
        left, right = words[:index], words[begin:]
        if find_verb(left) and find_verb(right):
            yield [list(left), [replace(right[0], gap=" "), *right[1:]]]


def _at_predicates(words: Sequence[ClaimWord]) -> Iterator[list[Words]]:
    """Take "S V1 and V2" apart."""
    verb = find_verb(words)
    if not verb:
        return
    for index in range(verb + 1, len(words) - 1):
        if words[index].key not in {"and", "but"}:
            continue
        begin = index + 1
        while begin < len(words) - 1 and words[begin].key in ADVERBS - {"not"}:
            begin += 1
        rest = [*words[index + 1 : begin], *words[begin:]]
        subject = list(words[:verb])
        first, second = words[verb], words[begin]
        if second.key in AUXILIARIES or (is_verb_at(words, begin) and first.key not in AUXILIARIES):
            yield [list(words[:index]), [*subject, *rest]]
        elif first.key in MODALS:
            yield [list(words[:index]), [*subject, first, *rest]]
            if words[verb + 1].key == "be":
                yield [list(words[:index]), [*subject, first, words[verb + 1], *rest]]
        elif first.key in {"is", "was", "has", "had"}:
            yield [list(words[:index]), [*subject, first, *rest]]
            if is_past_form(second):
                yield [list(words[:index]), [*subject, *rest]]


def _at_both(words: Sequence[ClaimWord]) -> Iterator[list[Words]]:
    """Take "both A and B V" and "neither A nor B Vs" apart: A V, and B V; A does not V, and B does not V."""
    place = next((i for i, word in enumerate(words[:-2]) if word.key in _PAIRING), None)
    if place is None:
        return
    if place > 2 and words[place].key == "both":  # "A and B both V"
        joint = next((i for i in range(1, place - 1) if words[i].key == "and"), 0)
        if joint and words[place - 1].is_content:
            predicate = in_singular(words[place + 1 :])
            yield [[*words[:joint], *predicate], [*words[joint + 1 : place], *predicate]]
    joint = next((i for i in range(place + 2, len(words) - 1) if words[i].key == _PAIRING[words[place].key]), 0)
    if not joint:
        return
    first, head = list(words[place + 1 : joint]), list(words[:place])
    denies = words[place].key == "neither"
    if head and not denies:  # "sold in both A and B", "refused both the first and the second offer"
        yield [[*head, *first], [*head, *words[joint + 1 :]]]
        yield [[*head, *first, words[-1]], [*head, *words[joint + 1 :]]]
    for end in range(joint + 2, min(len(words), joint + 7)):
        if head or words[end].key in DETERMINERS | PREPOSITIONS or words[end].is_number:
            continue
        second, predicate = list(words[joint + 1 : end]), list(words[end:])
        predicate = _denied(predicate) if denies else in_singular(predicate)
        yield [[*first, *predicate], [*second, *predicate]]
        if len(first) > 1 and first[0].key == "the" and len(second) > 2 and second[0].key == "the":
            yield [[*first, second[-1], *predicate], [*second, *predicate]]  # "the first and the second draft"


_PAIRING = {"both": "and", "neither": "nor"}


def _denied(predicate: Words) -> Words:
    """Return "is not open" for "is open" and "does not run" for "runs"."""
    verb = predicate[0]
    denial = make_word("not", verb)
    if verb.key in AUXILIARIES - {"has"}:
        return [verb, denial, *predicate[1:]]
    did = "did" if is_past_form(verb) else "does"
    return [make_word(did, verb), denial, in_form(verb, THIRD_PERSON), *predicate[1:]]


def _at_subjects(words: Sequence[ClaimWord]) -> Iterator[list[Words]]:
    """Take "A, B and C were there" apart: A was there, B was there, and C was there."""
    last = next((i for i in range(1, min(len(words), 14)) if words[i].key == "and"), 0)
    verb = next((i for i in range(last + 2, min(len(words), last + 6)) if words[i].key in AUXILIARIES), 0)
    if not last or not verb or any(words[i].key in AUXILIARIES for i in range(last)) or words[0].key == "both":
        return
    borders = [0, *(i for i in range(1, last) if "," in words[i].gap), last]
    subjects = [list(words[a:b]) for a, b in pairwise(borders)] + [list(words[last + 1 : verb])]
    if len(subjects) <= _MOST_PARTS:
        yield [[*subject, *words[verb:]] for subject in subjects]


def _at_apposition(words: Sequence[ClaimWord]) -> Iterator[list[Words]]:
    """Take "S, A, V" and "S (A) V" apart: S is A, and S V."""
    for begin in range(1, min(len(words), 7)):
        is_bracket = "(" in words[begin].gap
        if not is_bracket and ("," not in words[begin].gap or words[0].key in PREPOSITIONS):
            continue
        closing = ")" if is_bracket else ","
        end = next((i for i in range(begin + 1, min(len(words), begin + 10)) if closing in words[i].gap), 0)
        if not end or find_verb(words[:begin]):
            return
        subject, beside = list(words[:begin]), [replace(words[begin], gap=" "), *words[begin + 1 : end]]
        rest = [*subject, replace(words[end], gap=" "), *words[end + 1 :]]
        if beside[0].key in {"who", "which", "that"}:
            yield [[*subject, *beside[1:]], rest]
        elif beside[0].key in DETERMINERS or beside[0].is_name:
            yield [[*subject, make_word("is", words[begin]), *beside], rest]
            yield [[*subject, make_word("was", words[begin]), *beside], rest]
        return


def _at_last_apposition(words: Sequence[ClaimWord]) -> Iterator[list[Words]]:
    """Take "S V N, a doctor" apart: S V N, and N is a doctor; "S V her brother, N": S V her brother, and N is he."""
    yield from _at_last_name(words)
    for begin in range(3, len(words) - 1):
        is_kind = "," in words[begin].gap and words[begin].key in {"a", "an", "the"} and words[begin - 1].is_name
        if not is_kind or len(words) - begin > 5 or find_verb(words[begin:]):
            continue
        first = begin
        while first > 1 and words[first - 1].is_name:
            first -= 1
        for be in ("is", "was"):
            beside = [replace(words[begin], gap=" "), *words[begin + 1 :]]
            yield [list(words[:begin]), [*words[first:begin], make_word(be, words[begin]), *beside]]
        return


def _at_last_name(words: Sequence[ClaimWord]) -> Iterator[list[Words]]:
    begin = next((i for i in range(3, len(words)) if "," in words[i].gap), 0)
    name = words[begin:]
    first = next((i for i in range(begin - 1, max(1, begin - 4), -1) if words[i].key in DETERMINERS), 0) if begin else 0
    if not first or len(name) > 3 or not all(word.is_name for word in name):
        return
    for be in ("is", "was"):
        who = [replace(name[0], gap=" "), *name[1:], make_word(be, name[0])]
        yield [list(words[:begin]), [*who, *words[first:begin]]]


def _at_speaker(words: Sequence[ClaimWord]) -> Iterator[list[Words]]:
    """Take "According to N, the mayor, S V" apart: N is the mayor, and according to N, S V."""
    commas = [index for index in range(3, min(len(words), 14)) if "," in words[index].gap]
    if [word.key for word in words[:2]] != ["according", "to"] or len(commas) < 2:
        return
    first, second = commas[:2]
    if words[first].key not in DETERMINERS or find_verb(words[2:second]):
        return
    name, beside = words[2:first], [replace(words[first], gap=" "), *words[first + 1 : second]]
    for be in ("is", "was"):
        yield [[*name, make_word(be, words[first]), *beside], [*words[:first], *words[second:]]]


def _at_relative(words: Sequence[ClaimWord]) -> Iterator[list[Words]]:
    """Take "S is a N that V" apart: S is a N, and S V; and "S V N, which V2": S V N, and N V2."""
    verb = find_verb(words)
    for index in range(verb + 2 if verb else len(words), len(words) - 1):
        is_with = words[index].key == "with" and words[verb].key in {"is", "was"}
        if words[index].key not in {"that", "who", "which"} and not is_with:
            continue
        if {word.key for word in words[:index]} & DENIALS or words[index + 1].key in DETERMINERS - {"a", "an"}:
            return
        left, right = list(words[:index]), list(words[index + 1 :])
        if is_with:
            yield [left, [*words[:verb], make_word("has", words[index]), *right]]
            return
        if words[verb].key in {"is", "was"}:
            yield [left, [*words[:verb], *right]]
        for size in (1, 2, 3):
            noun = left[-size:]
            if index - size > verb and noun[0].key not in PREPOSITIONS:
                yield [left, [*noun, *right]]
        return


def _at_list(words: Sequence[ClaimWord]) -> Iterator[list[Words]]:
    """Take "S V A, B and C" apart: S V A, S V B, and S V C."""
    verb = find_verb(words)
    if not verb:
        return
    last = max((i for i in range(verb + 1, len(words) - 1) if words[i].key == "and"), default=0)
    if not last:
        return
    commas = [i for i in range(verb + 2, last) if "," in words[i].gap]
    for start in range(verb + 1, min(verb + 4, last)):
        head = list(words[:start])
        borders = [start, *(i for i in commas if i > start), last]
        items = [list(words[a:b]) for a, b in zip(borders, [*borders[1:-1], last], strict=False) if a < b]
        items = [[replace(item[0], gap=" "), *item[1:]] for item in items if item]
        if not items or len(items) > _MOST_PARTS:
            continue
        yield [[*head, *item] for item in (*items, list(words[last + 1 :]))]
