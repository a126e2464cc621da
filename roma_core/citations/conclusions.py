"""Statements that follow from a sentence in other words: converses, verbs for nouns, counts of a list, shares. Pure.

"Norvik sold the ferry to Baltic Lines" says that Baltic Lines bought the ferry from Norvik, "the approval of the path
by the council" that the council approved the path, and "a torch, a rope and a knife" are three items. Each rule has a
closed form and closed classes of words, and a sentence that denies, plans, reports or supposes something gives no
conclusion.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

from roma_core.citations.lexicon import (
    ATTRIBUTIONS,
    AUXILIARIES,
    CONDITIONS,
    DETERMINERS,
    HEDGES,
    IRREGULAR_PASTS,
    NEGATIONS,
    PREPOSITIONS,
    SOFT_DENIALS,
    WEEKDAYS,
)
from roma_core.citations.numbers import MONTHS
from roma_core.citations.turns import turn_active, turn_date
from roma_core.citations.verbs import (
    PARTICIPLE,
    PARTING,
    THIRD_PERSON,
    Words,
    find_verb,
    in_form,
    is_past_form,
    is_verb_at,
    lemma,
)
from roma_core.citations.words import (
    ClaimWord,
    make_number,
    make_phrase,
    make_word,
    one_spelling,
)

_NOT_QUITE = frozenset({"nearly", "almost", "practically", "virtually"})
_NOT_PLAIN = (
    NEGATIONS
    | HEDGES
    | ATTRIBUTIONS
    | SOFT_DENIALS
    | _NOT_QUITE
    | (CONDITIONS - {"although", "until", "till", "without"})
)
_ENDS_NOUN = frozenset("in on at for after before since during because when while if until as from with by".split())
_ARTICLES = frozenset("a an the its his her their".split())


def draw_conclusions(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield the statements that follow from a sentence in other words.

    >>> from roma_core.citations.words import read_words
    >>> words = read_words("Ann lent the boat to Tom in May.")
    >>> [word.text for word in next(draw_conclusions(words))]
    ['Tom', 'borrowed', 'from', 'Ann', 'the', 'boat', 'in', 'May']
    """
    if _is_plain(words):
        yield from _converses(words)
        for active in turn_active(words):
            yield active
            yield from _converses(active)
        yield from _converse_roles(words)
        yield from _shares(words)
        yield from _growth(words)
    yield from turn_nominal(words)
    yield from _presupposed(words)
    yield from _counts(words)
    yield from _conditions(words)
    yield from _alternatives(words)
    yield from _most(words)
    yield from _plain_facts(words)
    yield from _bans(words)
    yield from turn_date(words)


def _is_plain(words: Sequence[ClaimWord]) -> bool:
    """Return whether a sentence denies, plans, doubts, reports and supposes nothing."""
    return not any(word.key in _NOT_PLAIN and word.text != "May" for word in words)


def _in_tense(past: str, base: str, like: ClaimWord) -> ClaimWord:
    """Return a verb in the tense of ``like``."""
    if is_past_form(like) or like.key.startswith(PARTICIPLE):
        return replace(in_form(make_word(past, like), PARTICIPLE), text=past)
    return replace(in_form(make_word(base, like), THIRD_PERSON), text=base)


def _end_of_noun(words: Sequence[ClaimWord], start: int) -> int:
    """Return where the words of a thing or a person end that begin at ``start``."""
    for index in range(start + 1, len(words)):
        word = words[index]
        is_pair = word.key == "and" and index + 1 < len(words) and words[index - 1].is_name and words[index + 1].is_name
        if is_pair:
            continue
        if word.key in _ENDS_NOUN or word.key in {"and", "to"} or word.is_number or set(word.gap) & PARTING:
            return index
        is_counted = words[index - 1].is_number or index + 1 == len(words)
        if word.key in AUXILIARIES or (is_verb_at(words, index) and not is_counted):
            return index
    return len(words)


# --- conditions ------------------------------------------------------------------------------------------------------


def _conditions(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "if it is not paid, it is not sent" and "it is sent only if it is paid" for "unless it is paid, ..."."""
    start = next((index for index, word in enumerate(words) if word.key == "unless"), None)
    if start is None:
        return
    end = len(words)
    if start == 0:
        end = next((i for i in range(3, len(words) - 1) if "," in words[i].gap), 0)
    clause = list(words[start + 1 : end])
    verb = find_verb(clause) if end else 0
    if not verb or {word.key for word in clause} & NEGATIONS:
        return
    main = list(words[:start]) if start else [replace(words[end], gap=" "), *words[end + 1 :]]
    condition, denial = make_word("if", words[start]), make_word("not", words[start])
    if clause[verb].key in AUXILIARIES - {"has"}:
        denied = [*clause[: verb + 1], denial, *clause[verb + 1 :]]
    else:
        does = make_word("did" if is_past_form(clause[verb]) else "does", words[start])
        denied = [*clause[:verb], does, denial, in_form(clause[verb], THIRD_PERSON), *clause[verb + 1 :]]
    yield [condition, *denied, replace(main[0], gap=", "), *main[1:]]
    yield [*main, condition, *denied]
    negation = next((index for index, word in enumerate(main) if word.key == "not"), 0)
    if negation and sum(word.key in NEGATIONS for word in main) == 1:
        yield [*main[:negation], *main[negation + 1 :], make_word("only", words[start]), condition, *clause]


def _alternatives(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "... if A" and "... if B" for "... if A or B": each of them is enough."""
    start = next((index for index, word in enumerate(words) if word.key in {"if", "when"}), None)
    if start is None:
        return
    end = (
        next((i for i in range(start + 2, len(words)) if "," in words[i].gap), len(words)) if start == 0 else len(words)
    )
    joints = [index for index in range(start + 2, end - 1) if words[index].key == "or"]
    if len(joints) != 1 or any(word.key in {"either", "whether", "only"} for word in words[:end]):
        return
    joint = joints[0]
    clause = words[start + 1 : joint]
    verb = find_verb(clause)
    if verb and words[joint + 1].key in AUXILIARIES:
        yield [*words[:joint], *words[end:]]
        yield [*words[: start + 1], *clause[:verb], *words[joint + 1 :]]


def _most(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "at most 6 pills can be taken" for "do not take more than 6 pills"."""
    if len(words) < 6 or [word.key for word in words[:2]] != ["does", "not"] or words[3].key != "more than":
        return
    verb, most, can = (
        words[2],
        replace(words[3], text="at most", key="at most", stem="at most"),
        make_word("can", words[0]),
    )
    end = _end_of_noun(words, 4)
    done = in_form(verb, PARTICIPLE)
    yield [most, *words[4:end], can, make_word("be", verb), done, *words[end:]]
    yield [make_word("you", verb), can, verb, most, *words[4:]]


def _bans(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "you may not fish here" for "fishing is forbidden here"."""
    be = next((index for index in range(1, min(6, len(words) - 1)) if words[index].key == "is"), 0)
    if not be or not words[0].key.endswith("ing") or len(words[0].key) < 6:
        return
    keys = [word.key for word in words[be + 1 : be + 3]]
    is_allowed = keys[0] in {"allowed", "permitted"}
    size = 2 if keys in (["not", "allowed"], ["not", "permitted"]) else 1
    if not is_allowed and size == 1 and keys[0] not in {"forbidden", "prohibited", "banned"}:
        return
    verb = in_form(words[0], THIRD_PERSON)
    rest = [*words[1:be], *words[be + 1 + size :]]
    for modal in ("can", "may") if is_allowed else ("can", "may", "must"):
        denial = [] if is_allowed else [make_word("not", words[be])]
        yield [make_word("you", verb), make_word(modal, words[be]), *denial, verb, *rest]


_CLOSING = {"closes": ("is closed after", "is open until"), "opens": ("is open from",)}
"""What "closes at six" says of the time behind it."""


def _plain_facts(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "is closed after six" for "closes at six", "has 85 seats" for "seats 85", "include" for "are A and B"."""
    verb = find_verb(words)
    if not verb or verb + 1 >= len(words):
        return
    subject, key, rest = list(words[:verb]), words[verb].key, list(words[verb + 1 :])
    if key in _CLOSING and rest[0].key == "at":
        for told in _CLOSING[key]:
            yield [*subject, *make_phrase(told, words[verb]), *rest[1:]]
    if key == "opens" and len(rest) > 1 and rest[0].key.partition(" ")[0].partition(":")[0] in {"on", "every"}:
        yield [*subject, *make_phrase("is open", words[verb]), *rest]
    if key == "seats" and rest[0].is_number:
        has, seats, people = (make_word(word, words[verb]) for word in ("has", "seats", "people"))
        yield [*subject, has, rest[0], seats, *rest[1:]]
        yield [*subject, words[verb], rest[0], people, *rest[1:]]
    is_list = words[verb].text == "are" and any(word.key == "and" for word in rest)
    if is_list and not is_past_form(rest[0]) and _is_plain(words):  # "common side effects are headache and rash"
        yield [*rest, words[verb], *subject]
    if is_list and subject[-1].key.endswith("s") and not {word.key for word in words} & NEGATIONS:
        yield [*subject, make_word("include", words[verb]), *rest]


# --- converses -------------------------------------------------------------------------------------------------------

_TRANSFERS: dict[str, tuple[str, str, str, str]] = {
    "sell": ("to", "bought", "buy", "from"),
    "buy": ("from", "sold", "sell", "to"),
    "purchas": ("from", "sold", "sell", "to"),
    "lend": ("to", "borrowed", "borrow", "from"),
    "borrow": ("from", "lent", "lend", "to"),
    "give": ("to", "received", "receive", "from"),
    "award": ("to", "received", "receive", "from"),
    "grant": ("to", "received", "receive", "from"),
}
"""Verbs of handing over: the word before the other side, and the verb of the other side with its own such word."""
_GIVEN = frozenset({"sell", "lend", "give", "award", "grant"})
"""Those that may have the other side right behind them: "lent the town a boat"."""
_WINNING = frozenset({"beat", "defeat"})
_FOLLOWING = frozenset({"succeed"})
_PRECEDING = frozenset({"preced"})
_MUTUAL = frozenset({"marri", "border"})
_ROLES: dict[str, str] = {
    "mother": "child", "father": "child", "parent": "child", "son": "parent", "daughter": "parent", "child": "parent",
    "teacher": "student", "student": "teacher", "pupil": "teacher", "predecessor": "successor",
    "successor": "predecessor", "employer": "employee", "husband": "wife", "wife": "husband", "landlord": "tenant",
    "tenant": "landlord", "supplier": "customer", "neighbor": "neighbor",
}  # fmt: skip
"""What the one is to the other, and the other to the one."""


def _base(word: ClaimWord) -> str:
    form, _, rest = word.key.partition(":")
    return rest.partition(":")[0] if form in {PARTICIPLE, THIRD_PERSON} else lemma(word)


def _converses(words: Sequence[ClaimWord]) -> Iterator[Words]:
    verb = next((i for i in range(1, min(8, len(words) - 1)) if _base(words[i]) in _CONVERSE_VERBS), 0)
    if not verb or find_verb(words[:verb]) or any(word.key in AUXILIARIES for word in words[:verb]):
        return
    if words[verb - 1].key in {"to", "who", "which", "that", "and"} or words[0].key in PREPOSITIONS:
        return
    base = _base(words[verb])
    subject = list(words[:verb])
    if base in _TRANSFERS:
        yield from _transfers(words, verb, base)
        return
    end = _end_of_noun(words, verb + 1)
    other, rest = list(words[verb + 1 : end]), list(words[end:])
    if base in _WINNING:
        score = _end_of_score(rest, 0)
        numbers, rest = rest[:score], rest[score:]
        lost, won = (_in_tense(past, plain, words[verb]) for past, plain in (("lost", "lose"), ("won", "win")))
        to, against = make_word("to", words[verb]), make_word("against", words[verb])
        yield [*other, lost, to, *subject, *numbers, *rest]
        yield [*other, lost, *numbers, to, *subject, *rest]
        yield [*subject, won, against, *other, *numbers, *rest]
        yield [*subject, won, *numbers, against, *other, *rest]
        if event := _read_event(rest):
            yield [*subject, won, *event, against, *other, *numbers]
            yield [*other, lost, *event, to, *subject, *numbers]
            yield [*subject, won, *event]
    elif base == "lose" and (event := _read_lost(words[verb + 1 :])):
        end = _end_of_noun(words, verb + 2 + len(event))
        winner = [*words[verb + 2 + len(event) : end], _in_tense("beat", "beat", words[verb]), *subject]
        yield [*winner, make_word("in", words[verb]), *event]
        yield winner
    elif base == "lose" and (place := _end_of_score(words, verb + 1)) < len(words) - 1 and words[place].key == "to":
        end = _end_of_noun(words, place + 1)
        score = _end_of_score(words, end)
        numbers = [*words[verb + 1 : place], *words[end:score]]
        if all(word.is_number or word.key == "to" for word in numbers):
            beat = _in_tense("beat", "beat", words[verb])
            yield [*words[place + 1 : end], beat, *subject, *numbers, *words[score:]]
    elif base == "receiv" and other:
        end = next((i for i in range(verb + 2, len(words)) if words[i].key in PREPOSITIONS), len(words))
        other, rest = list(words[verb + 1 : end]), list(words[end:])
        be = "was" if is_past_form(words[verb]) else "is"
        given = make_phrase(f"{be} given to", words[verb])
        yield [*other, *given, *subject, *rest]
    elif base in _FOLLOWING | _PRECEDING and other and other[0].is_name:
        past, plain = ("preceded", "precede") if base in _FOLLOWING else ("succeeded", "succeed")
        yield [*other, _in_tense(past, plain, words[verb]), *subject, *rest]
        first, second = (subject, other) if base in _FOLLOWING else (other, subject)
        was, the, of = (make_word(key, words[verb]) for key in ("was", "the", "of"))
        yield [*first, was, the, make_word("successor", words[verb]), of, *second, *rest]
        yield [*second, was, the, make_word("predecessor", words[verb]), of, *first, *rest]
    elif base in _MUTUAL and other:
        yield [*other, words[verb], *subject, *rest]
    elif base == "own" and other:
        yield [*other, _in_tense("belonged", "belong", words[verb]), make_word("to", words[verb]), *subject, *rest]
        be = "was" if is_past_form(words[verb]) else "is"
        yield [*subject, make_word(be, words[verb]), *make_phrase("the owner of", words[verb]), *other, *rest]
    elif base == "belong" and other[:1] and other[0].key == "to" and len(other) > 1:
        yield [*other[1:], _in_tense("owned", "own", words[verb]), *subject, *rest]
    elif base == "teach" and other and all(word.is_name for word in other):
        for role in ("student", "pupil"):
            yield [*other, *make_phrase(f"was a {role} of", words[verb]), *subject, *rest]


_EVENTS = frozenset("final semifinal match game race derby playoff election tournament".split())


def _read_event(words: Sequence[ClaimWord]) -> Words:
    """Return "the cup final" of "in the cup final on Saturday"."""
    end = next((i for i in range(2, min(5, len(words))) if words[i].key in _EVENTS), 0)
    return list(words[1 : end + 1]) if end and words[0].key == "in" and words[1].key == "the" else []


def _read_lost(words: Sequence[ClaimWord]) -> Words:
    """Return "the cup final" of "the cup final against Norra", behind "lost"."""
    end = next((i for i in range(1, min(4, len(words) - 1)) if words[i].key in _EVENTS), 0)
    return list(words[: end + 1]) if end and words[0].key == "the" and words[end + 1].key in {"against", "to"} else []


def _end_of_score(words: Sequence[ClaimWord], start: int) -> int:
    """Return where a score like "3-1" ends that begins at ``start``."""
    end = start
    while end < len(words) and words[end].is_number:
        end += 1
        if end + 1 < len(words) and words[end].key == "to" and words[end + 1].is_number:
            end += 1
    return end


_CONVERSE_VERBS = (
    _TRANSFERS.keys() | _WINNING | _FOLLOWING | _PRECEDING | _MUTUAL | {"lose", "own", "belong", "teach", "receiv"}
)


def _transfers(words: Sequence[ClaimWord], verb: int, base: str) -> Iterator[Words]:
    """Yield "B bought X from A" for "A sold X to B", and "B borrowed X from A" for "A lent B X"."""
    before, past, plain, back = _TRANSFERS[base]
    subject, turned = list(words[:verb]), _in_tense(past, plain, words[verb])
    place = next((i for i in range(verb + 2, len(words) - 1) if words[i].key == before), 0)
    if place and not any(set(word.gap) & PARTING for word in words[verb + 1 : place + 1]):
        end = _end_of_noun(words, place + 1)
        thing, other = list(words[verb + 1 : place]), list(words[place + 1 : end])
    elif not place and base in _GIVEN:
        split = next(
            (i for i in range(verb + 2, len(words)) if words[i].is_number or words[i].key in _ARTICLES), len(words)
        )
        end = _end_of_noun(words, split) if split < len(words) else split
        other, thing = list(words[verb + 1 : split]), list(words[split:end])
        if not thing or any(word.key in PREPOSITIONS for word in other):
            return
    else:
        return
    source = [make_word(back, words[verb]), *subject]
    for said in ([*source, *thing], [*thing, *source], thing):
        yield [*other, turned, *said, *words[end:]]
    if base in {"lend", "borrow"}:
        lender, taker = (subject, other) if base == "lend" else (other, subject)
        received = _in_tense("received", "receive", words[verb])
        loan = [*make_phrase("a loan of", words[verb]), *thing]
        yield [*taker, received, *loan, make_word("from", words[verb]), *lender, *words[end:]]


def _converse_roles(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "B is the child of A" for "A is the mother of B"."""
    for be in range(1, min(8, len(words) - 4)):
        role = be + 2
        if words[be].key not in {"is", "was"} or words[be + 1].key not in {"a", "the"}:
            continue
        if words[role].key in _ROLES and words[role + 1].key == "of":
            end = _end_of_noun(words, role + 2)
            turned = make_word(_ROLES[words[role].key], words[role])
            told = [words[be], words[be + 1], turned, words[role + 1], *words[:be], *words[end:]]
            yield [*words[role + 2 : end], *told]
            name = next((i for i in range(role + 2, end) if words[i].is_name), end)
            if role + 2 < name < end:  # "the painter Theo Hahn"
                yield [*words[name:end], *told]
        return


# --- verbs for nouns -------------------------------------------------------------------------------------------------

_NOMINALS = """
approval approved, acquisition acquired, discovery discovered, closure closed, opening opened, rejection rejected,
announcement announced, construction built, completion completed, appointment appointed, publication published,
foundation founded, founding founded, invention invented, introduction introduced, signing signed, delivery delivered,
development developed, election elected, sale sold, purchase bought, destruction destroyed, expansion expanded,
removal removed, reduction reduced, installation installed, translation translated, postponement postponed,
cancellation cancelled, launch launched, renewal renewed, demolition demolished, restoration restored, abolition
abolished, renovation renovated, replacement replaced, adoption adopted, conquest conquered, execution executed,
dismissal dismissed, creation created, formation formed, assassination assassinated, murder murdered, merger merged,
nationalization nationalized, privatization privatized, termination terminated, suspension suspended, ratification
ratified, extension extended, modernization modernized, evacuation evacuated, excavation excavated, nomination
nominated
"""
NOMINALS: dict[str, str] = {
    one_spelling(noun): one_spelling(verb) for noun, verb in (pair.split() for pair in _NOMINALS.split(","))
}
"""Nouns that say that something was done, and the participle of their verb."""
_HAPPENED = frozenset({("came",), ("occurred",), ("happened",), ("followed",), ("took", "place"), ("was", "completed")})
"""What a sentence says of a deed only to say when it was done."""
_FACTUAL = frozenset(
    one_spelling(verb)
    for verb in "surprised shocked led caused brought made changed marked ended cost meant allowed enabled helped gave "
    "increased reduced doubled delighted angered followed pleased earned won triggered provoked".split()
)
"""Pasts that only what was done can have."""
_TIMES = frozenset({"after", "before", "since", "until"})
_SUPPORTING = frozenset({"completed", "made", "finished"})
_RECEIVING = frozenset("received got obtained won gained".split())


def _read_nominal(words: Sequence[ClaimWord], noun: int) -> tuple[int, Words, Words, str, int] | None:
    """Return begin, object, agent, participle and end of "the approval of X by A" with its noun at ``noun``."""
    begin, agent = noun, list[ClaimWord]()
    owner = words[noun - 1] if noun else None
    if owner is not None and owner.text.replace("’", "'").endswith(("'s", "s'")):
        begin = noun - 1
        while begin and (words[begin - 1].is_name or words[begin - 1].key in DETERMINERS):
            begin -= 1
        agent = list(words[begin:noun])
    elif owner is not None and owner.key == "the":
        begin = noun - 1
    if noun + 2 >= len(words) or words[noun + 1].key != "of":
        return None
    end = _end_of_noun(words, noun + 2)
    thing = list(words[noun + 2 : end])
    if end < len(words) - 1 and words[end].key == "by" and not agent:
        start = end + 1
        end = _end_of_noun(words, start)
        agent = list(words[start:end])
    return begin, thing, agent, NOMINALS[words[noun].key], end


def turn_nominal(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "A approved X in May" for "the approval of X by A came in May", and "after X was closed"."""
    for noun in range(len(words) - 1):
        if words[noun].key not in NOMINALS:
            continue
        if (received := _read_received(words, noun)) is not None:
            yield received
        found = _read_nominal(words, noun)
        if found is None:
            continue
        begin, thing, agent, participle, end = found
        if begin and words[begin - 1].key in _TIMES:
            yield [*words[:begin], *_done(thing, agent, participle, words[noun]), *words[end:]]
        elif begin == 0:
            inner = next((i for i in range(end, min(len(words), end + 4)) if _is_happening(words, i)), None)
            if inner is not None:
                size = 1 if words[inner].key in {"came", "occurred", "happened", "followed"} else 2
                rest = [*words[end:inner], *words[inner + size :]]
                yield from _tell_deed(thing, agent, participle, words[noun], rest)
        elif words[begin - 1].key in _SUPPORTING and not agent and find_verb(words) == begin - 1:
            verb = replace(in_form(make_word(participle, words[noun]), PARTICIPLE), text=participle)
            yield [*words[: begin - 1], verb, *thing, *words[end:]]
        return


def _is_happening(words: Sequence[ClaimWord], index: int) -> bool:
    return any(tuple(word.key for word in words[index : index + size]) in _HAPPENED for size in (1, 2))


def _read_received(words: Sequence[ClaimWord], noun: int) -> Words | None:
    """Return "A approved X" for "X received A's approval"."""
    verb = find_verb(words[:noun])
    if not verb or words[verb].key not in _RECEIVING or noun - verb < 2:
        return None
    owner = words[verb + 1 : noun]
    if not owner[-1].text.replace("’", "'").endswith(("'s", "s'")):
        return None
    participle = NOMINALS[words[noun].key]
    done = replace(in_form(make_word(participle, words[noun]), PARTICIPLE), text=participle)
    return [*owner, done, *words[:verb], *words[noun + 1 :]]


def _done(thing: Words, agent: Words, participle: str, like: ClaimWord) -> Words:
    done = replace(in_form(make_word(participle, like), PARTICIPLE), text=participle)
    by = [make_word("by", like), *agent] if agent else []
    return [*thing, make_word("was", like), done, *by]


def _tell_deed(
    thing: Words, agent: Words, participle: str, like: ClaimWord, rest: Sequence[ClaimWord]
) -> Iterator[Words]:
    yield [*_done(thing, agent, participle, like), *rest]
    if agent:
        done = replace(in_form(make_word(participle, like), PARTICIPLE), text=participle)
        yield [*agent, done, *thing, *rest]


def _presupposed(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "A discovered X in 1931" for "the discovery of X by A in 1931 surprised everybody"."""
    noun = next((i for i in range(min(4, len(words))) if words[i].key in NOMINALS), None)
    if noun is None or not _is_plain(words) or (found := _read_nominal(words, noun)) is None or found[0]:
        return
    _, thing, agent, participle, end = found
    verb = next((i for i in range(end, len(words)) if words[i].key in _FACTUAL), None)
    is_time = verb is not None and (verb == end or (verb - end == 2 and words[end + 1].is_number))
    if verb is not None and is_time:
        yield from _tell_deed(thing, agent, participle, words[noun], words[end:verb])


# --- counts and shares -----------------------------------------------------------------------------------------------

_GENERIC = ("items", "things", "options", "choices", "elements", "parts")
"""Nouns for whatever a list has."""
_LONGEST_ITEM = 6
_LEAST_ITEMS, _MOST_ITEMS = 3, 20


def list_borders(words: Sequence[ClaimWord]) -> tuple[int, ...]:
    """Return where the items behind the first one begin in "a torch, a rope and a knife", and where the last one ends.

    Empty where there is no list of at least three items, or more than one.
    """
    joints = [i for i in range(2, len(words) - 1) if words[i].key in {"and", "or"}]
    for joint in joints:
        commas = [i for i in range(1, joint) if "," in words[i].gap]
        if not commas:
            continue
        end = next((i for i in range(joint + 2, len(words)) if words[i].key in _ENDS_NOUN or words[i].gap.strip()), 0)
        end = end or len(words)
        borders = [*commas, joint + 1, end]
        items = [words[a:b] for a, b in pairwise(borders)]
        is_list = all(0 < len(item) <= _LONGEST_ITEM and not _holds_verb(item) for item in items)
        if is_list and _LEAST_ITEMS <= len(borders) <= _MOST_ITEMS and len(joints) == 1:
            return tuple(borders)
    return ()


def _holds_verb(words: Sequence[ClaimWord]) -> bool:
    return any(word.key in AUXILIARIES or is_verb_at(words, index) for index, word in enumerate(words) if index)


def _counts(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "the kit contains 3 items" for "the kit contains a torch, a rope and a knife"."""
    borders = list_borders(words)
    verb = find_verb(words)
    if not borders or not verb or verb >= borders[0]:
        return
    if {word.key for word in words} & (NEGATIONS | {"or"}):
        return
    count, end = len(borders), borders[-1]
    starts = [s for s in range(max(verb + 1, borders[0] - _LONGEST_ITEM), borders[0]) if _begins_item(words, s, verb)]
    for start in starts[:2]:
        like = words[start]
        nouns: list[tuple[str, str]] = [(noun, "") for noun in _GENERIC]
        firsts = [words[start], *(words[border] for border in borders[:-1])]
        if all(word.key.removesuffix("s") in WEEKDAYS for word in firsts):
            nouns = [("", "day")]
        elif all(word.key in MONTHS for word in firsts):
            nouns = [("", "month")]
        for noun, unit in nouns:
            number = make_number(Decimal(count), unit, like)
            named = [make_word(noun, like)] if noun else []
            yield [*words[:start], number, *named, *words[end:]]
            head = words[: start - 1] if words[start - 1].key == "on" else words[:start]
            if unit == "day":
                yield [*words[:start], number, make_word("per", like), make_word("week", like), *words[end:]]
                yield [*head, number, make_word("per", like), make_word("week", like), *words[end:]]
                yield [*head, number, *words[end:]]
            if noun:
                yield [*words[:start], number, *named, replace(words[start], gap=": "), *words[start + 1 :]]


def conclude_list(intro: Sequence[ClaimWord], items: Sequence[Sequence[ClaimWord]]) -> Iterator[Words]:
    """Yield what a list under "The jury has the following members:" or "Members of the jury:" says in one sentence."""
    if not items or not intro or {word.key for word in intro} & NEGATIONS:
        return
    like, count = intro[0], make_number(Decimal(len(items)), "", intro[0])
    keys = [word.key for word in intro]
    following = next((i for i in range(1, len(keys) - 1) if keys[i : i + 2] == ["the", "following"]), 0)
    verb = find_verb(intro)
    if following and verb and len(intro) - following == 3:
        noun, owner = intro[-1], list(intro[:verb])
        yield [*intro[:following], count, noun]
    elif len(intro) > 2 and keys[1] == "of" and not verb:
        noun, owner = intro[0], list(intro[2:])
        yield [*owner, make_word("has", like), count, noun]
    elif 0 < verb == len(intro) - 1:
        for generic in _GENERIC:
            counted = [*intro, count, make_word(generic, like)]
            yield counted
            yield from ([*counted, make_word("including", like), *item] for item in items)
        return
    else:
        return
    yield [*make_phrase("there is", like), count, noun, make_word("of", like), *owner]
    singular = make_word(noun.key.removesuffix("s"), like)
    for item in items:
        name = [word for index, word in enumerate(item) if not any("(" in w.gap for w in item[: index + 1])]
        of = [make_word("of", like), *owner]
        yield [*name, *make_phrase("is a", like), singular, *of]
        one = make_number(Decimal(1), "", like)
        yield [*name, make_word("is", like), one, *make_phrase("of the", like), count, noun, *of]
        if 0 < len(name) < len(item):
            yield [*name, *make_phrase("is the", like), *(replace(word, gap=" ") for word in item[len(name) :]), *of]


def _begins_item(words: Sequence[ClaimWord], index: int, verb: int) -> bool:
    before, word = words[index - 1], words[index]
    if word.key in PREPOSITIONS or (words[verb].key in AUXILIARIES and is_past_form(word)):
        return False
    return index == verb + 1 or before.key in PREPOSITIONS or is_past_form(before) or before.key in IRREGULAR_PASTS


def _shares(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "80 of the 240 flats are let" for "Of the 240 flats, 80 are let"."""
    if words[0].key != "of" or len(words) < 6:
        return
    comma = next((i for i in range(3, min(8, len(words) - 1)) if "," in words[i].gap), 0)
    if comma and words[comma].is_number:
        yield [replace(words[comma], gap=" "), *words[:comma], *words[comma + 1 :]]


def _growth(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "rose from 4 to 8 between 2019 and 2022" for "rose from 4 in 2019 to 8 in 2022"."""
    for start in range(1, len(words) - 7):
        part = words[start : start + 8]
        keys = [word.key for word in part]
        if keys[0] != "from" or keys[2] != "in" or keys[4] != "to" or keys[6] != "in":
            continue
        low, first, high, last = part[1], part[3], part[5], part[7]
        if all(word.is_number for word in (low, first, high, last)):
            span = [part[0], low, part[4], high]
            yield [*words[:start], *span, first, make_word("to", first), last, *words[start + 8 :]]
            yield [*words[:start], *span, make_word("from", first), first, make_word("to", first), last]
