"""What a sentence says in other everyday words: "never" as "not", a raised price as the price of today. Pure.

Each rule has a closed form and goes one way, from what a text says to what follows from it: "gift cards never expire"
says that they do not expire, and "they do not expire" would not say "never". Reports are brought to one form, "A says
that B", whichever way a text or a claim puts them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from roma_core.citations.lexicon import (
    ATTRIBUTIONS,
    AUXILIARIES,
    DETERMINERS,
    MODALS,
    NEGATIONS,
    PLAIN_VERBS,
    PREPOSITIONS,
)
from roma_core.citations.numbers import CURRENCIES
from roma_core.citations.phrases import BOUND_NAMES
from roma_core.citations.statements import read_statements
from roma_core.citations.verbs import (
    PARTICIPLE,
    PARTING,
    THIRD_PERSON,
    Words,
    find_verb,
    in_form,
    is_past_form,
    lemma,
)
from roma_core.citations.words import (
    ClaimWord,
    make_number,
    make_phrase,
    make_word,
    one_spelling,
)

_CHANGES = "raised increased lowered reduced cut changed moved decreased extended shortened"
_CHANGING = frozenset(map(one_spelling, _CHANGES.split()))
_SAYING = frozenset("said says stated states explained explains reported reports".split())
"""Verbs of saying that take no side."""
_MOST_SPEAKER = 7
_BEING = frozenset({"is", "was"})


def read_paraphrases(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield the statements that follow from a sentence in other everyday words.

    >>> from roma_core.citations.words import read_words
    >>> [word.key for word in next(read_paraphrases(read_words("It was never built.")))]
    ['it', 'was', 'not', 'built']
    """
    yield from _nevers(words)
    yield from _bans(words)
    yield from _expectations(words)
    yield from _prices(words)
    yield from _new_values(words)
    yield from _ends_of_change(words)
    yield from _abilities(words)
    yield from _preferences(words)
    yield from _other_ways(words)
    yield from _counts_of_them(words)
    yield from _deadlines(words)
    yield from _parts_of_all(words)
    yield from _gapped_clauses(words)
    yield from _gapped_values(words)
    yield from _no_differences(words)
    yield from _purposes(words)
    yield from _life_dates(words)
    yield from _not_only(words)
    yield from _value_pairs(words)
    yield from _shares_of_these(words)
    yield from _with_openings(words)
    yield from _second_kinds(words)
    yield from _receivers(words)
    yield from _commands(words)


def _nevers(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "S does not V" for "S never Vs"."""
    place = next((index for index in range(1, len(words) - 1) if words[index].key == "never"), 0)
    if not place:
        return
    denial, verb = make_word("not", words[place]), words[place + 1]
    if words[place - 1].key in AUXILIARIES:
        yield [*words[:place], denial, *words[place + 1 :]]
        return
    did = make_word("did" if is_past_form(verb) else "does", words[place])
    yield [*words[:place], did, denial, in_form(verb, THIRD_PERSON), *words[place + 2 :]]


def _bans(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "may not" and "can not" for "must not"."""
    for index in range(1, len(words) - 1):
        if words[index].key == "must" and words[index + 1].key == "not":
            for modal in ("may", "can"):
                yield [*words[:index], make_word(modal, words[index]), *words[index + 1 :]]
            return


def _expectations(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "S should V" for "S is expected to V"."""
    for index in range(1, len(words) - 3):
        if [word.key for word in words[index : index + 3]] == ["is", "expected", "to"]:
            yield [*words[:index], make_word("should", words[index]), *words[index + 3 :]]
            return


def _prices(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "a card costs 5 euros" for "a card is 5 euros", and "adults pay 5" for "it costs 5 for adults"."""
    verb = next((index for index in range(1, len(words) - 1) if words[index].key in {"is", "costs", "cost"}), 0)
    if not verb or not _is_price(words[verb + 1]):
        return
    subject, price = list(words[:verb]), words[verb + 1]
    if words[verb].key != "is":
        yield [*subject, make_word("is", words[verb]), *words[verb + 1 :]]
    if words[verb].key == "is":
        yield [*subject, make_word("costs", words[verb]), *words[verb + 1 :]]
    if verb + 3 < len(words) and words[verb + 2].key == "for":
        end = next((i for i in range(verb + 4, len(words)) if words[i].key == "and"), len(words))
        group = words[verb + 3 : end]
        yield [*group, make_word("pay", words[verb]), price, make_word("for", words[verb]), *subject]
        yield [*subject, make_word("costs", words[verb]), *group, price]


def _is_price(word: ClaimWord) -> bool:
    return word.quantity is not None and word.quantity.unit in CURRENCIES


def _new_values(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "S is now 50" and "S went from 20 to 50" for "S was raised from 20 to 50"."""
    for index in range(2, len(words) - 4):
        first, low, second, high = words[index + 1 : index + 5]
        is_change = words[index].key in _CHANGING and words[index - 1].key in _BEING
        if not is_change or (first.key, second.key) != ("from", "to") or not (low.is_number and high.is_number):
            continue
        subject, like = list(words[: index - 1]), words[index]
        rest = words[index + 5 :]
        yield [*subject, make_word("went", like), *words[index + 1 :]]
        if not any(word.is_number for word in (*subject, *rest)):
            yield [*subject, make_word("is", like), make_word("now", like), high, *rest]
            yield [*subject, make_word("is", like), high, *rest]
            yield [*subject, *make_phrase("is now", like), high, make_word("not", like), low, *rest]
        return


def _ends_of_change(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "S fell to 44", "S was 44" and "S fell by 7" for "S fell from 51 to 44" and "S fell by 7 to 44"."""
    for index in range(2, len(words) - 1):
        if words[index].key == "to" and words[index + 1].is_number and words[index - 1].key in _MOVING:
            yield [*words[: index - 1], make_word("was", words[index]), *words[index + 1 :]]
    for index in range(2, len(words) - 3):
        before, low, to, high = words[index : index + 4]
        if before.key not in {"from", "by"} or to.key != "to" or not (low.is_number and high.is_number):
            continue
        verb = words[index - 1]
        if not is_past_form(verb):
            return
        start = index - 2 if words[index - 2].key == "was" else index - 1
        subject, rest = list(words[:start]), words[index + 4 :]
        high = _with_unit_of(high, low) if before.key == "by" else high
        yield [*words[:index], to, high, *rest]
        yield [*words[: index + 2], *rest]
        yield [*subject, make_word("was", to), high, *rest]
        yield [*subject, *make_phrase("amounted to", to), high, *rest]
        yield [*words[:index], *rest]
        return


_MOVING = frozenset("fell rose sank dropped grew climbed increased decreased declined shrank".split())


def _preferences(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "preference is given to S" for "S are preferred"."""
    if len(words) > 2 and words[-1].key in {"preferred", "favored"} and words[-2].key == "is":
        yield [*make_phrase("preference is given to", words[-1]), *words[:-2]]


def _other_ways(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "S may enter at once in an emergency" for "S may enter with notice, or at once in an emergency"."""
    joint = next((i for i in range(4, len(words) - 3) if words[i].key == "or" and "," in words[i].gap), 0)
    verb = find_verb(words[:joint]) if joint else 0
    start = next((i for i in range(verb + 2, joint) if words[i].key in PREPOSITIONS), 0) if verb else 0
    if start and words[joint + 1].key in PREPOSITIONS and not find_verb(words[joint:]):
        yield [*words[:start], *words[joint + 1 :]]
        yield list(words[:joint])


def _with_unit_of(word: ClaimWord, other: ClaimWord) -> ClaimWord:
    """Return a bare number with the unit of the number before it."""
    if word.quantity is None or other.quantity is None or word.quantity.unit:
        return word
    return make_number(word.quantity.value, other.quantity.unit, word)


def _abilities(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "S can be washed" for "S is washable"."""
    for index in range(2, len(words)):
        word = words[index]
        is_able = words[index - 1].key == "is" and len(word.key) > 7 and word.key.endswith("able")
        if is_able and word.kind == "word":
            base = make_word(word.key.removesuffix("able"), word)
            done = in_form(replace(base, start=word.start, end=word.end), PARTICIPLE)
            yield [*words[: index - 1], *make_phrase("can be", word), done, *words[index + 1 :]]
            return


def _counts_of_them(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "40 letters V" for "1,900 letters V1, and 40 of them V", where nothing else was counted before."""
    for index in range(4, len(words) - 3):
        if not words[index].is_number or [word.key for word in words[index + 1 : index + 3]] != ["of", "them"]:
            continue
        counted = [i for i in range(index) if words[i].is_number]
        noun = words[counted[0] + 1] if counted else words[0]
        if len(counted) < 2 and noun.is_content and noun.key.endswith("s") and noun.kind == "word":
            yield [replace(words[index], gap=" "), noun, *words[index + 3 :]]
            yield [replace(words[index], gap=" "), *make_phrase("of the", noun), noun, *words[index + 3 :]]
        return


def _deadlines(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "the deadline for plans is 15 June" for "plans must be submitted by 15 June"."""
    must = next((i for i in range(1, len(words) - 4) if words[i].key == "must"), 0)
    place = next((i for i in range(must + 3, len(words) - 1) if words[i].key == "by" and words[i + 1].date), 0)
    is_handing_in = must and words[must + 1].key == "be" and words[must + 2].key in _HANDED_IN
    if place and is_handing_in:
        thing = words[: next((i for i in range(1, must) if words[i].key in PREPOSITIONS), must)]
        like = words[must]
        yield [*make_phrase("the deadline for", like), *thing, make_word("is", like), *words[place + 1 :]]


_HANDED_IN = frozenset("submitted sent received filed paid returned handed made".split())


def _parts_of_all(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "two plants V" for "two of the three plants V"."""
    for index in range(min(6, len(words) - 5)):
        part, of, the, whole, noun = words[index : index + 5]
        if part.is_number and (of.key, the.key) == ("of", "the") and whole.is_number and noun.is_content:
            yield [*words[:index], part, *words[index + 4 :]]
            return


def _gapped_clauses(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "large repairs are paid by B" for "small repairs are paid by A, large ones by B"."""
    be = next((index for index in range(1, len(words) - 5) if words[index].key in _BEING), 0)
    if not be or not is_past_form(words[be + 1]) or words[be + 2].key not in PREPOSITIONS:
        return
    comma = next((i for i in range(be + 4, len(words) - 2) if "," in words[i].gap), 0)
    begin = comma + 1 if comma and words[comma].key == "and" else comma
    joint = next((i for i in range(begin + 1, len(words) - 1) if words[i].key == words[be + 2].key), 0) if comma else 0
    subject = list(words[begin:joint])
    if not 0 < len(subject) <= 4 or any(word.key in AUXILIARIES or is_past_form(word) for word in subject):
        return
    if subject[-1].key == "ones":
        ends = PREPOSITIONS | BOUND_NAMES
        head = next(i for i in range(be) if words[i + 1].key in ends or i + 1 == be)
        subject = [*subject[:-1], words[head]]
    yield [replace(subject[0], gap=" "), *subject[1:], *words[be : be + 2], *words[joint:]]


def _gapped_values(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "adults pay 4 euros" and "children pay 2 euros" for "adults pay 4 euros, children 2 euros"."""
    plain = next((i for i in range(1, min(8, len(words))) if words[i].key in PLAIN_VERBS), 0)
    verb = plain or find_verb(words)
    if not 0 < verb < len(words) - 3 or not words[verb + 1].is_number or words[verb + 1].quantity is None:
        return
    value = words[verb + 1]
    borders = [index for index in range(verb + 2, len(words)) if set(words[index].gap) & PARTING]
    for begin, end in pairwise([*borders, len(words)]):
        part = words[begin:end]
        part = part[1:] if part[0].key in {"and", "but"} else part
        is_bare = len(part) > 1 and part[-1].quantity is not None and not part[-1].quantity.unit
        bare = len(part) - 1 if is_bare else 0
        place = next((i for i in range(1, len(part)) if _is_value_like(part[i], value)), bare)
        subject = part[:place]
        if place and not any(word.key in AUXILIARIES | PREPOSITIONS for word in (*subject[:1], *part[place + 1 :])):
            amount = _with_unit_of(part[place], value)
            yield [replace(subject[0], gap=" "), *subject[1:], words[verb], amount, *part[place + 1 :]]


def _no_differences(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "there was no difference in S between G" for "S did not differ between G"."""
    for index in range(1, len(words) - 2):
        does, denial, verb = words[index : index + 3]
        if does.key not in {"did", "does"} or denial.key != "not" or verb.key != "differ":
            continue
        end = index + 3
        manner = [make_word("significant", verb)] if words[end:] and words[end].key == "significantly" else []
        be = "was" if does.key == "did" else "is"
        no = [make_word("no", denial), *manner, *make_phrase("difference in", verb), *words[:index]]
        yield [*make_phrase(f"there {be}", verb), *no, *words[end + len(manner) :]]
        return


def _is_value_like(word: ClaimWord, value: ClaimWord) -> bool:
    """Return whether a number may stand for another one's of the same unit: "children 2 euros"."""
    return word.quantity is not None and value.quantity is not None and word.quantity.unit == value.quantity.unit


def _purposes(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "P is raised by turning O" and "you can raise P by turning O" for "Turn O to raise P"."""
    place = next((i for i in range(2, len(words) - 2) if words[i].key == "to"), 0)
    is_order = place and words[0].text[:1].isupper() and not words[0].is_name and words[1].key in DETERMINERS
    if not is_order or find_verb(words) or words[place + 2].key not in DETERMINERS:
        return
    verb, goal, thing = words[0], words[place + 1], list(words[place + 2 :])
    by = make_word("by", verb)
    for doing in _in_progress(verb):
        means = [by, doing, *words[1:place]]
        yield [*thing, make_word("is", goal), in_form(goal, PARTICIPLE), *means]
        yield [*make_phrase("you can", goal), goal, *thing, *means]


def _in_progress(verb: ClaimWord) -> Iterator[ClaimWord]:
    """Yield the forms that "-ing" may give a verb: "turning", "moving", "cutting"."""
    base = verb.key
    for key in (f"{base}ing", f"{base.removesuffix('e')}ing", f"{base}{base[-1]}ing"):
        yield make_word(key, verb)


def _life_dates(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "N was born in 1871", "N died in 1949" and both for "N (1871-1949)"."""
    for index in range(1, min(5, len(words) - 2)):
        years = [word for word in words[index : index + 3] if word.is_number]
        is_span = "(" in words[index].gap and len(years) >= 2 and all(_is_year(word) for word in years[:2])
        if not is_span or not all(word.text[:1].isupper() for word in words[:index]):
            continue
        name, like, (first, last) = list(words[:index]), words[index], years[:2]
        first, last = replace(first, gap=" "), replace(last, gap=" ")
        birth, death = make_phrase("was born in", like), make_phrase("died in", like)
        yield [*name, *birth, first]
        yield [*name, *death, last]
        yield [*name, *birth, first, make_word("and", like), *death, last]
        end = next((i for i in range(index + 1, min(index + 4, len(words))) if ")" in words[i].gap), 0)
        rest = [replace(words[end], gap=" "), *words[end + 1 :]] if end else []
        if rest:
            yield [*name, *rest]
            yield from _second_kinds([*name, *rest])
        return


def _is_year(word: ClaimWord) -> bool:
    return len(word.text) == 4 and word.text.isdecimal() and word.quantity is not None and not word.quantity.unit


def _not_only(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "S V" for "Not only did S V, S also V2"."""
    if [word.key for word in words[:2]] != ["not", "only"] or len(words) < 6 or words[2].key not in {"did", "does"}:
        return
    end = next((i for i in range(4, len(words)) if "," in words[i].gap or words[i].key == "but"), len(words))
    form = PARTICIPLE if words[2].key == "did" else THIRD_PERSON
    clause = words[3:end]
    for verb in range(1, min(4, len(clause) - 1)):
        yield [*clause[:verb], in_form(clause[verb], form), *clause[verb + 1 :]]


def _value_pairs(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "S costs 3 for B" for "S costs 6 for A and 3 for B", and "S pays 7 with C" for "S pays 11, or 7 with C"."""
    for index in range(3, len(words) - 3):
        if words[index].key == "or" and words[index + 1].is_number and words[index + 2].key == "with":
            first, other = words[index - 1].quantity, words[index + 1].quantity
            end = next((i for i in range(index + 3, len(words)) if set(words[i].gap) & PARTING), len(words))
            if (
                first is not None
                and other is not None
                and words[index - 2].key in {"is", "pay", "pays", "costs", "cost"}
            ):
                value = _with_unit_of(words[index + 1], words[index - 1])
                yield [*words[: index - 1], value, *words[index + 2 : end]]
        if words[index].key != "and" or not words[index + 1].is_number:
            continue
        joint = words[index + 2].key
        starts = [i for i in range(1, index - 1) if words[i].is_number and words[i + 1].key == joint]
        if joint in PREPOSITIONS and len(starts) == 1 and find_verb(words) in range(1, starts[0]):
            end = next((i for i in range(index + 3, len(words)) if set(words[i].gap) & PARTING), len(words))
            yield [*words[: starts[0]], *words[index + 1 : end]]
            yield list(words[:index])


def _shares_of_these(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "a third of the 90 boats V" for "... 90 boats, a third of which V"."""
    for index in range(4, len(words) - 1):
        if words[index].key not in {"them", "whom", "which", "these"} or words[index - 1].key != "of":
            continue
        begin = index - 2
        if not words[begin].is_number or not set(words[begin].gap) & PARTING:
            return
        place = next((i for i in range(begin - 1, 0, -1) if words[i].is_number), 0)
        noun = words[place + 1 : place + 2]
        if not place or not noun or not noun[0].key.endswith("s") or begin - place > 12:
            return
        end = next((i for i in range(index + 2, len(words)) if set(words[i].gap) & PARTING), len(words))
        share, rest = [replace(words[begin], gap=" "), words[index - 1]], list(words[index + 1 : end])
        the = make_word("the", words[index])
        yield [*share, the, words[place], *noun, *rest]
        yield [*share, the, *noun, *rest]
        yield [*share, *noun, *rest]
        return


def _with_openings(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "it has 9 rooms" and "it is a hall" for "With 9 rooms it is a hall"."""
    if words[0].key != "with" or not words[1].is_number:
        return
    place = next((i for i in range(2, min(9, len(words) - 1)) if words[i].key in {"it", "he", "she", "they"}), 0)
    if place and words[place + 1].key == "is":
        yield [words[place], make_word("has", words[0]), *words[1:place]]
        yield list(words[place:])


def _second_kinds(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "S was a painter" for "S was a botanist and painter", of a person."""
    for index in range(1, len(words) - 4):
        is_person = words[index - 1].is_name or words[index - 1].key in {"he", "she"}
        is_kind = words[index].key in _BEING and words[index + 1].key in {"a", "an"} and words[index + 3].key == "and"
        if is_person and is_kind and _ends_phrase(words, index + 4):
            yield [*words[: index + 2], *words[index + 4 :]]
            yield [*words[: index + 3], *words[index + 5 :]]
            return


def _ends_phrase(words: Sequence[ClaimWord], place: int) -> bool:
    """Return whether a plain noun ends its phrase: "painter", and not the "white" of "white flag"."""
    is_noun = words[place].is_content and words[place].text.islower()
    following = words[place + 1 : place + 2]
    return is_noun and all(word.key in PREPOSITIONS or set(word.gap) & PARTING for word in following)


def _receivers(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "O should be given to G" for "G should be given O"."""
    place = next((i for i in range(2, len(words) - 1) if words[i].key in {"given", "offered", "sent"}), 0)
    begin = place
    while begin > 1 and words[begin - 1].key in MODALS | _BEING | {"be", "not"}:
        begin -= 1
    following = words[place + 1] if place else words[0]
    if place and begin < place and following.key not in PREPOSITIONS | NEGATIONS and not following.is_number:
        end = next((i for i in range(place + 2, len(words)) if words[i].key in PREPOSITIONS), len(words))
        to = make_word("to", words[place])
        yield [*words[place + 1 : end], *words[begin : place + 1], to, *words[:begin], *words[end:]]


_COMMANDS = frozenset("orders obliges requires instructs order oblige require instruct".split())
_SUBJECT_OF = {"him": "he", "her": "she", "them": "they", "me": "i", "us": "we"}


def _commands(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "he must pay" for "the court orders him to pay". What was ordered once may have been met or lifted."""
    place = next((index for index in range(1, len(words) - 3) if words[index].key in _COMMANDS), 0)
    to = next((i for i in range(place + 2, min(place + 6, len(words) - 1)) if words[i].key == "to"), 0)
    if not place or not to or {word.key for word in words[: to + 1]} & (NEGATIONS | MODALS):
        return
    who = [replace(word, gap=" ") for word in words[place + 1 : to]]
    if len(who) == 1 and who[0].key in _SUBJECT_OF:
        who = [make_word(_SUBJECT_OF[who[0].key], who[0])]
    yield [*who, make_word("must", words[to]), *words[to + 1 :]]


# --- reports ---------------------------------------------------------------------------------------------------------


def read_reports(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "A says that B" for "According to A, B", "B, according to A", "A said B" and "B, A said".

    >>> from roma_core.citations.words import read_words
    >>> [word.key for word in next(read_reports(read_words("According to Ann, it is free.")))]
    ['ann', 'says', 'that', 'it', 'is', 'free']
    """
    for speaker, said in (*_find_reports(words), *_shorten_speakers(words)):
        is_speaker = 0 < len(speaker) <= _MOST_SPEAKER and not any(w.key in ATTRIBUTIONS | NEGATIONS for w in speaker)
        if not is_speaker or len(said) < 3:
            continue
        for statement in (said, *read_statements(said)):
            if not any(word.key in ATTRIBUTIONS for word in statement):
                yield _report(speaker, statement)


def turn_report_clause(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield a claim that reports something as "A says that B", nothing of it left out."""
    for speaker, said in _find_reports(words):
        if 0 < len(speaker) <= _MOST_SPEAKER and len(said) > 2:
            yield _report(speaker, said)


def _report(speaker: Sequence[ClaimWord], said: Sequence[ClaimWord]) -> Words:
    says, that = make_word("says", said[0]), make_word("that", said[0])
    return [replace(speaker[0], gap=" "), *speaker[1:], says, that, replace(said[0], gap=" "), *said[1:]]


def _shorten_speakers(words: Sequence[ClaimWord]) -> Iterator[tuple[Words, Words]]:
    """Yield the reports of "fire chief Lars Moe" as those of Lars Moe."""
    for speaker, said in _find_reports(words):
        short = _short_speaker(speaker)
        if len(short) < len(speaker):
            yield short, said


def _find_reports(words: Sequence[ClaimWord]) -> Iterator[tuple[Words, Words]]:
    commas = [index for index in range(1, len(words)) if "," in words[index].gap]
    if [word.key for word in words[:2]] == ["according", "to"]:
        for comma in commas[:1]:
            yield list(words[2:comma]), list(words[comma:])
    for comma in commas:
        tail = words[comma:]
        if [word.key for word in tail[:2]] == ["according", "to"]:
            yield list(tail[2:]), list(words[:comma])
        if 1 < len(tail) <= _MOST_SPEAKER and tail[-1].key in _SAYING:
            yield list(tail[:-1]), list(words[:comma])
            yield from ((list(tail[:-1]), list(words[:before])) for before in commas if before < comma)
        if 1 < len(tail) <= _MOST_SPEAKER and tail[0].key in _SAYING:
            yield list(tail[1:]), list(words[:comma])
    verb = next((index for index in range(1, min(len(words), _MOST_SPEAKER + 1)) if words[index].key in _SAYING), 0)
    if verb and verb + 3 < len(words) and not find_verb(words[:verb]):
        begin = verb + 2 if words[verb + 1].key == "that" else verb + 1
        yield list(words[:verb]), list(words[begin:])


def _short_speaker(words: Sequence[ClaimWord]) -> Words:
    """Return "Lars Moe" for "fire chief Lars Moe", and the words themselves where no name ends them."""
    begin = len(words)
    while begin and words[begin - 1].text[:1].isupper() and words[begin - 1].kind == "word":
        begin -= 1
    is_name = len(words) - begin >= 2 and all(word.key not in DETERMINERS for word in words[begin:])
    is_name = is_name and all(word.key not in PREPOSITIONS for word in words[:begin])  # not "a spokesman for Ann Lee"
    return list(words[begin:] if is_name else words)


def is_same_clause(claim: Sequence[ClaimWord], source: Sequence[ClaimWord]) -> bool:
    """Return whether one side says "that weigh" and the other "weighing"."""
    for full, short in ((claim, source), (source, claim)):
        is_full = len(full) == 2 and full[0].key in {"that", "who", "which"} and full[1].kind == "word"
        if is_full and len(short) == 1 and short[0].key.endswith("ing") and short[0].text.islower():
            return full[1].stem == short[0].stem or lemma(full[1]) == lemma(short[0])
    return False


__all__ = ["is_same_clause", "read_paraphrases", "read_reports", "turn_report_clause"]
