"""The simple statements that a sentence makes, each of them whole: what a claim may say of it. Pure.

"The reef, an atoll, lies off Brenn and is closed in May" says that the reef is an atoll, that it lies off Brenn and
that it is closed in May. "Never open the valve" says that the valve must never be opened. Verbs are found by their
forms and by closed classes. Where the forms mislead, a statement is no sentence of English, and no claim says it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from roma_core.citations.cuts import begins_limit, find_condition, goes_on_under_case, is_joint, is_shared_deed
from roma_core.citations.lexicon import (
    ADVERBS,
    ATTRIBUTIONS,
    AUXILIARIES,
    CONDITIONS,
    DENIALS,
    DETERMINERS,
    MODALS,
    NEGATIONS,
    PREPOSITIONS,
    PRONOUNS,
    QUANTIFIERS,
)
from roma_core.citations.phrases import BOUND_NAMES
from roma_core.citations.verbs import (
    PARTICIPLE,
    PARTING,
    THIRD_PERSON,
    Words,
    find_verb,
    in_form,
    in_singular,
    is_past_form,
    is_verb_at,
    lemma,
    may_follow_verb,
)
from roma_core.citations.words import (
    ClaimWord,
    make_word,
)

_BE = frozenset({"is", "was"})
_LABELS = frozenset(
    "method methods result results conclusion conclusions background objective aim findings summary decision note "
    "status action actions answer remark hint tip important".split()
)
"""Words before a colon that say what part of a text follows, and not who says it."""
_MOST_OBJECT = 6
"""Words of the object of an order that may be its subject in the passive."""
_MOST_ORDERS = 4
_NO_ORDERS = DETERMINERS | PREPOSITIONS | PRONOUNS | AUXILIARIES | frozenset(
    "and or but if when that which who whose than as so because although while there here yes no not i we you he she "
    "they it what where why how both either neither all some many most more each every".split()
)  # fmt: skip
_KINDS = ("that", "who", "which")
_CLAUSE_ENDS = frozenset(",;)–—")


def read_statements(words: Sequence[ClaimWord], topic: Sequence[ClaimWord] = ()) -> Iterator[Words]:
    """Yield the simple statements of a sentence, the sentence itself left out; ``topic`` is the heading above it."""
    yield from _fragments(words, topic)
    if len(words) > 3 and words[0].key in _LABELS and ":" in words[1].gap:
        yield [replace(words[1], gap=" "), *words[2:]]
    yield from read_clauses(words)
    yield from _predicates(words)
    yield from _subjects(words)
    yield from _single_agents(words)
    yield from _contrasts(words)
    yield from _beside_subject(words)
    yield from _participles_beside(words)
    yield from _relative_clauses(words)
    yield from _openings(words)
    yield from _reduced_clauses(words)
    yield from _roles(words)
    yield from _named_roles(words)
    yield from _owned_roles(words)
    yield from _owned_parts(words)
    yield from _belongings(words)
    yield from _namings(words)
    yield from _orders(words)
    yield from _brackets(words)


# --- fragments -------------------------------------------------------------------------------------------------------

_ADJECTIVES: dict[str, tuple[str, ...]] = {
    "length": ("long",), "height": ("high", "tall"), "width": ("wide",), "depth": ("deep",), "age": ("old",),
    "thickness": ("thick",),
}  # fmt: skip
_VERBS = {"weight": "weighs", "price": "costs", "cost": "costs", "duration": "lasts"}


def _fragments(words: Sequence[ClaimWord], topic: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "the length of T is 5 m" and "T is 5 m long" for "Length: 5 m" below the heading T."""
    if any(is_verb_at(words, index) and words[index].key in AUXILIARIES for index in range(1, len(words))):
        return
    colon = next((index for index in range(1, min(5, len(words))) if ":" in words[index].gap), 0)
    if colon:
        label, value = list(words[:colon]), [replace(words[colon], gap=" "), *words[colon + 1 :]]
        be = make_word("is", words[colon])
        yield [*label, be, *value]
        borders = [0, *(i for i in range(1, len(value)) if "," in value[i].gap), len(value)]
        items = [value[begin:end] for begin, end in pairwise(borders)]
        for item in (value, *(items if len(items) > 1 else ())):
            yield [*item, be, *label]
            yield [*item, make_word("was", be), *label]
        if topic:
            yield [*topic, make_word("has", be), *label, make_word("of", be), *value]
            yield [*label, make_word("of", be), *topic, be, *value]
            yield [*topic, *label, be, *value]
            for adjective in _ADJECTIVES.get(label[-1].key, ()):
                yield [*topic, be, *value, make_word(adjective, be)]
            if label[-1].key in _VERBS:
                yield [*topic, make_word(_VERBS[label[-1].key], be), *value]
    elif topic and words[0].key not in DETERMINERS:
        for verb in ("is", "was", "has"):
            yield [*topic, make_word(verb, words[0]), *words]
        if any(word.key == "since" for word in words):
            yield [*topic, make_word("has", words[0]), make_word("been", words[0]), *words]
        yield [*topic, *words]


# --- clauses ---------------------------------------------------------------------------------------------------------

_BETWEEN_CLAUSES = frozenset("and but so whereas".split())


def read_clauses(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "A is B" and "C is D" for "A is B, and C is D", each with the condition that the sentence begins with."""
    if any(word.key in ATTRIBUTIONS for word in words):
        return
    opening = next((i for i in range(2, len(words)) if "," in words[i].gap), 0) if words[0].key in _TERMS else 0
    if not opening and goes_on_under_case(words):
        return
    borders = [opening]
    for index in range(opening + 2, len(words) - 2):
        is_joined = words[index].key in _BETWEEN_CLAUSES and "," in words[index].gap
        begin = index + 1 if is_joined else index
        if _begins_beside(words, borders[-1], index):
            borders.append(index)
            continue
        is_border = (is_joined and not begins_limit(words[begin:])) or ";" in words[index].gap
        if is_border and (find_verb(words[begin:]) or _may_be_order(words[begin:])):
            borders.append(index)
    if len(borders) == 1:
        return
    for number, (begin, end) in enumerate(pairwise([*borders, len(words)])):
        clause = list(words[begin:end])
        clause = clause[1:] if number and clause[0].key in _BETWEEN_CLAUSES else clause
        condition = find_condition(words, end)
        is_of_all = condition < len(words) and "," in words[condition].gap
        tail = words[condition:] if is_of_all else ()
        yield [*words[:opening], replace(clause[0], gap=" "), *clause[1:], *tail]
        if number == 1 and (named := _with_antecedent(clause, words[borders[0] : begin])):
            yield [*named, *tail]
        owner = words[: find_verb(words)]
        if clause[0].key in {"his", "her"} and owner and all(word.text[:1].isupper() for word in owner):
            yield [*owner, *clause[1:], *tail]


def _with_antecedent(clause: Sequence[ClaimWord], before: Sequence[ClaimWord]) -> Words:
    """Return "the crew repaired the engine" for "and the crew repaired it" behind "the engine failed"."""
    place = next((i for i, word in enumerate(clause) if i > 1 and word.key == "it"), 0)
    verb = find_verb(before)
    is_only = verb and not any(word.key in DETERMINERS or word.is_name for word in before[verb:])
    is_thing = before[0].key in DETERMINERS and not any(word.key in PREPOSITIONS for word in before[:verb])
    return [*clause[:place], *before[:verb], *clause[place + 1 :]] if place and is_only and is_thing else []


def _begins_beside(words: Sequence[ClaimWord], start: int, index: int) -> bool:
    """Return whether a clause of its own begins at ``index`` behind a comma alone: "Ann cooks, Tom lays the table"."""
    first = words[index]
    is_plain = first.is_content and index + 1 < len(words) and words[index + 1].key in AUXILIARIES
    is_subject = first.is_name or first.key in DETERMINERS or (first.is_content and first.key.endswith("s")) or is_plain
    opening = words[start]
    is_bound = opening.key in PREPOSITIONS | CONDITIONS | AUXILIARIES | _BOUND_CLAUSES or is_past_form(opening)
    if first.gap.strip() != "," or not is_subject or is_bound:
        return False
    end = next((i for i in range(index + 1, len(words)) if set(words[i].gap) & PARTING), len(words))
    return bool(find_verb(words[start:index])) and bool(find_verb(words[index:end]))


_BOUND_CLAUSES = frozenset(
    "although though because since as when whenever once while whereas so among according".split()
)


# --- two predicates of one subject -----------------------------------------------------------------------------------


def _has_clause(words: Sequence[ClaimWord]) -> bool:
    """Return whether words behind a verb hold a clause of their own, or put it into somebody's mouth."""
    return any(
        word.key in ATTRIBUTIONS or word.key in AUXILIARIES or word.key in {"that", "if", "whether", "because"}
        for word in words
    )


def _predicates(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "S V2" and "S V1" for "S V1 and V2"."""
    verb = find_verb(words)
    if not verb or words[0].key in {"if", "unless", "when"}:
        return
    subject = list(words[:verb])
    if words[verb].key in {"has", "had"} and verb + 1 < len(words):
        if is_past_form(words[verb + 1]):
            yield [*subject, *words[verb + 1 :]]
        if words[verb + 1].key == "been" and words[verb].key == "had":
            yield [*subject, make_word("was", words[verb]), *words[verb + 2 :]]
    for index in range(verb + 1, len(words) - 1):
        begin = index + 1 if words[index].key in {"and", "but"} else 0
        if not begin and set(words[index].gap) & {",", ";"} and words[index].key not in CONDITIONS:
            begin = index
        adverbs_begin = begin
        while begin and begin < len(words) - 1 and words[begin].key in ADVERBS:
            begin += 1
        if not begin or begin >= len(words) or words[begin].key == "and":
            continue
        between = words[verb + 1 : index]
        if (
            words[begin].key in ATTRIBUTIONS
            or {word.key for word in between} & NEGATIONS
            or words[verb].key in ATTRIBUTIONS
            or _has_clause(between)
        ):
            continue
        if predicate := _second_predicate(words, verb, begin):
            predicate = _with_limits(_with_object(predicate, between), words[adverbs_begin:begin])
            yield [*subject, *predicate]
            condition = find_condition(words, begin + 1)
            is_of_both = condition < len(words) and ("," in words[condition].gap or not is_verb_at(words, begin))
            yield [*words[:index], *(words[condition:] if is_of_both else ())]


def _subjects(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "A Vs" and "B Vs" for "A and B V", where they do not do it together."""
    verb = find_verb(words)
    joint = next((index for index in range(1, verb - 1) if words[index].key == "and"), 0)
    predicate = in_singular(words[verb:]) if joint else []
    if not joint or words[0].key in {"both", *PREPOSITIONS} or is_joint(words[verb:]):
        return
    first, second = words[:joint], words[joint + 1 : verb]
    are_names = all(word.text[:1].isupper() and word.kind == "word" for word in (*first, *second))
    are_determined = first[0].key in DETERMINERS and second[0].key in DETERMINERS
    are_plural = all(side[-1].key.endswith("s") and side[-1].is_content for side in (first, second))
    is_plain = not any(set(word.gap) & PARTING or word.key in PREPOSITIONS for word in words[1:verb])
    if is_plain and (are_names or are_determined or are_plural):
        yield [*first, *predicate]
        yield [*first, *words[verb:]]
        yield [replace(second[0], gap=" "), *second[1:], *predicate]


def _single_agents(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "S was V-ed by A" and "by B" for "S was V-ed by A and B", where they need not do it together."""
    by = next((i for i in range(2, len(words) - 3) if words[i].key == "by" and is_past_form(words[i - 1])), 0)
    joint = next((i for i in range(by + 2, min(by + 5, len(words) - 1)) if words[i].key == "and"), 0) if by else 0
    agent = words[by + 1 : joint]
    is_named = bool(agent) and all(word.is_name for word in (*agent, words[joint + 1]))
    if is_named and not is_shared_deed(words[:by]) and not any("," in word.gap for word in agent):
        yield list(words[:joint])
        yield [*words[: by + 1], *words[joint + 1 :]]


def _second_predicate(words: Sequence[ClaimWord], verb: int, begin: int) -> Words:
    """Return the words of a second predicate with the auxiliary of the first; none where there is no predicate."""
    first, word = words[verb], words[begin]
    if word.is_name:  # "written by Ann Falk and Jonas Wirth"
        return []
    following = words[begin + 1] if begin + 1 < len(words) else None
    rest = [replace(word, gap=" "), *words[begin + 1 :]]
    if first.key in MODALS:
        shared = [first, words[verb + 1]] if verb + 1 < len(words) and words[verb + 1].key == "be" else [first]
        if word.key in AUXILIARIES:
            return rest
        if following is not None and following.key in AUXILIARIES:  # a subject of its own
            return []
        is_plain = word.kind == "word" and word.key not in DETERMINERS | PREPOSITIONS | PRONOUNS
        return [*shared, *rest] if is_plain else []
    if word.key in AUXILIARIES:
        return rest
    if first.key in AUXILIARIES and is_past_form(word):
        if words[verb + 1].key in {"a", "an"} and not (following and may_follow_verb(following)):
            return []  # "was a hit and run accident"
        takes_object = following is not None and (following.is_number or following.key in DETERMINERS)
        return rest if takes_object else [first, *rest]
    are_third = first.key.endswith("s") and word.key.endswith("s") and not word.is_name and word.is_content
    if is_verb_at(words, begin) or (are_third and following is not None):
        return rest
    is_plural_verb = lemma(first) == first.key and word.is_content and following is not None
    return rest if is_plural_verb and following is not None and may_follow_verb(following) else []


def _with_limits(predicate: Words, adverbs: Sequence[ClaimWord]) -> Words:
    """Return a predicate with what denies or limits it: "was never built", "only sells bread"."""
    limits = [word for word in adverbs if word.key in NEGATIONS | QUANTIFIERS]
    place = 1 if predicate[0].key in AUXILIARIES else 0
    return [*predicate[:place], *limits, *predicate[place:]]


def _with_object(predicate: Words, between: Sequence[ClaimWord]) -> Words:
    """Return "sold the piano" for "sold it" behind "disliked the piano"."""
    is_short = 0 < len(between) <= 4 and between[0].key in DETERMINERS
    if not is_short or len(predicate) < 2 or predicate[1].key not in {"it", "them"}:
        return predicate
    return [predicate[0], *between, *predicate[2:]]


def _contrasts(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "S is A in B" and "S is not A in C" for "S is A in B but not in C"."""
    for index in range(2, len(words) - 2):
        if words[index].key != "but" or words[index + 1].key != "not":
            continue
        verb = find_verb(words[:index])
        if not verb or words[verb].key not in AUXILIARIES or {word.key for word in words[:index]} & DENIALS:
            return
        yield list(words[:index])
        for end in range(verb + 1, min(verb + 4, index) + 1):
            yield [*words[: verb + 1], words[index + 1], *words[verb + 1 : end], *words[index + 2 :]]


# --- what stands beside a noun ---------------------------------------------------------------------------------------


def _beside_subject(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "S is A" and "S V" for "S, A, V"."""
    for begin in range(1, min(len(words), 7)):
        if "," not in words[begin].gap or words[begin].key in {"and", "or", "but", *_KINDS, "whose", "where"}:
            continue
        if ")" in words[begin].gap:  # "Ida Holm (chair), Per Moe" are two
            return
        end = next((i for i in range(begin + 1, min(len(words), begin + 16)) if "," in words[i].gap), len(words))
        is_noun = words[begin].key in DETERMINERS or words[begin].is_name
        if not is_noun or words[0].key in PREPOSITIONS | _TERMS | {"according", "among"}:
            return
        subject, beside = list(words[:begin]), [replace(words[begin], gap=" "), *words[begin + 1 : end]]
        if any(is_verb_at(subject, index) for index in range(1, len(subject))):
            return
        for be in ("is", "was"):
            yield [*subject, make_word(be, words[begin]), *beside]
            yield [*beside, make_word(be, words[begin]), *subject]
            yield from _of_kind([*subject, make_word(be, words[begin]), *beside])
        if end < len(words):
            rest = [replace(words[end], gap=" "), *words[end + 1 :]]
            yield [*subject, *rest]
            yield [*beside, *rest]
            yield from ([*subject, *more[len(subject) :]] for more in _predicates([*subject, *rest]))
            yield from ([*beside, *more[len(subject) :]] for more in _predicates([*subject, *rest]))
        name = next((i for i, word in enumerate(beside) if word.is_name and i), 0)
        if beside[0].key in {"the", "a"} and 0 < name < 4:  # "the painter Hans Friis"
            who = [replace(word, gap=" ") for word in beside[name:]]
            for be in ("is", "was"):
                yield [*who, make_word(be, words[begin]), *beside[:name]]
            yield [*who, make_word("is", words[begin]), *subject]
            yield [*subject, make_word("is", words[begin]), *who]
        return


def _participles_beside(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "S was built by A" and "S V" for "S, built by A, V"."""
    begin = next((i for i in range(1, min(len(words) - 2, 7)) if "," in words[i].gap), 0)
    if not begin or not is_past_form(words[begin]) or words[0].key in PREPOSITIONS | CONDITIONS:
        return
    end = next((i for i in range(begin + 2, min(len(words), begin + 16)) if "," in words[i].gap), 0)
    if not end or find_verb(words[:begin]) or words[begin + 1].key not in PREPOSITIONS:
        return
    beside = [replace(words[begin], gap=" "), *words[begin + 1 : end]]
    yield [*words[:begin], make_word("was", words[begin]), *beside]
    yield [*words[:begin], replace(words[end], gap=" "), *words[end + 1 :]]


def _of_kind(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "S V" for "S is the N who V"."""
    verb = next((index for index, word in enumerate(words) if word.key in _BE), 0)
    for index in range(verb + 2, len(words) - 1):
        if words[index].key in _KINDS and verb:
            if (
                words[verb + 1].key in DETERMINERS
                and words[index + 1].key not in DETERMINERS
                and not {word.key for word in words[:index]} & NEGATIONS
            ):
                yield [*words[:verb], *words[index + 1 :]]
                yield list(words[:index])
            return


def _relative_clauses(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "N V" for "..., N, which V" and "the P of N V" for "..., N, whose P V"."""
    yield from _of_kind(words)
    for index in range(1, len(words) - 2):
        word = words[index]
        if word.key not in {*_KINDS, "whose"} or (word.key != "whose" and "," not in word.gap):
            continue
        end = next((i for i in range(index + 2, len(words)) if set(words[i].gap) & _CLAUSE_ENDS), len(words))
        clause = list(words[index + 1 : end])
        for size in range(1, min(5, index) + 1):
            noun = [*words[index - size : index]]
            if any("," in other.gap for other in noun[1:]) or noun[0].key in AUXILIARIES:
                break
            if noun[0].key in PREPOSITIONS:
                continue
            behind = index - size - 1
            while behind > 0 and words[behind].key in DETERMINERS:
                behind -= 1
            if behind >= 0 and words[behind].key in PREPOSITIONS:
                continue  # "the boat of the smuggler, which" speaks of the boat
            if word.key == "whose":
                yield [make_word("the", word), clause[0], make_word("of", word), *noun, *clause[1:]]
            else:
                yield [*noun, *clause]
        if end < len(words):
            yield [*words[:index], replace(words[end], gap=" "), *words[end + 1 :]]


def _brackets(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "N is R" for "N (R)"."""
    for index in range(1, len(words)):
        if "(" not in words[index].gap:
            continue
        end = next((i for i in range(index + 1, len(words)) if ")" in words[i].gap), len(words))
        role = [replace(words[index], gap=" "), *words[index + 1 : end]]
        if end - index > 4 or any(word.is_number for word in role):
            continue
        for size in range(1, min(3, index) + 1):
            noun = list(words[index - size : index])
            yield [*noun, make_word("is", words[index]), *role]


def _openings(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "S was born here" and "S V" for "Born here, S V"."""
    is_opening = is_past_form(words[0]) or words[0].key == "born"
    if not is_opening or words[0].key in CONDITIONS:
        return
    comma = next((index for index in range(2, min(12, len(words) - 1)) if "," in words[index].gap), 0)
    rest = [replace(words[comma], gap=" "), *words[comma + 1 :]]
    verb = find_verb(rest) if comma else 0
    if verb:
        yield [*rest[:verb], make_word("was", words[0]), *words[:comma]]
        yield rest
        yield from _predicates(rest)


def _reduced_clauses(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "the code is printed on the box" for "Enter the code printed on the box"."""
    first = find_verb(words)
    for index in range(2, len(words) - 1):
        is_second = (0 < first < index) or _may_be_order(words)
        follows_noun = words[index - 1].is_content and not set(words[index].gap) & PARTING
        if not is_second or not follows_noun or not is_past_form(words[index]) or is_past_form(words[index - 1]):
            continue
        if words[index + 1].key not in PREPOSITIONS:
            continue
        begin = index - 1
        while begin > max(0, index - 4) and words[begin].key not in DETERMINERS:
            begin -= 1
        end = next((i for i in range(index + 1, len(words)) if set(words[i].gap) & PARTING), len(words))
        for be in ("is", "was"):
            yield [*words[begin:index], make_word(be, words[index]), *words[index:end]]


def _roles(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "Ada Kern is a painter" for "painter Ada Kern"."""
    for index in range(1, len(words) - 1):
        role, name = words[index - 1], words[index : index + 2]
        is_role = role.is_content and role.kind == "word" and role.text.islower() and not is_past_form(role)
        if is_role and all(word.is_name and word.gap == " " for word in name):
            for begin in (index - 1, index - 2):
                is_owned = begin >= 0 and words[begin].text.replace("’", "'").endswith("'s")
                for be in ("is", "was") if begin >= 0 and not is_owned else ():
                    yield [*name, make_word(be, role), make_word("a", role), *words[begin:index]]
                if begin == 0 and find_verb(words[index:]):  # "Painter Ada Kern lives here"
                    yield list(words[index:])
                    yield from _predicates(words[index:])


def _named_roles(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "Ada Kern is the head of sales" for "the head of sales, Ada Kern"."""
    for index in range(2, len(words) - 1):
        name = words[index : index + 2]
        if "," not in words[index].gap or not all(word.is_name for word in name) or name[1].gap != " ":
            continue
        if ")" in words[index].gap:
            continue
        begin = index - 1
        while begin > max(0, index - 6) and words[begin].key not in DETERMINERS and not set(words[begin].gap) & PARTING:
            begin -= 1
        if words[begin].key in DETERMINERS:
            for be in ("is", "was"):
                yield [*(replace(word, gap=" ") for word in name), make_word(be, words[index]), *words[begin:index]]


def _owned_roles(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "Ada Kern is the coach of Norra" for "Norra's coach Ada Kern"."""
    for index in range(1, len(words) - 2):
        owner, role, name = words[index - 1], words[index], words[index + 1 : index + 3]
        is_owner = owner.text.replace("’", "'").endswith("'s") and owner.is_content
        if is_owner and role.text.islower() and all(word.is_name and word.gap == " " for word in name):
            of, the = make_word("of", role), make_word("the", role)
            for be in ("is", "was"):
                yield [*name, make_word(be, role), the, role, of, replace(owner, gap=" ")]


def _owned_parts(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "the tower of the hall V" for "The hall was built in 1570; its tower V"."""
    subject = words[: find_verb(words)]
    place = next((i for i in range(len(subject) + 2, len(words) - 2) if words[i].key == "its"), 0)
    is_clause = place and (";" in words[place].gap or (words[place - 1].key == "and" and "," in words[place - 1].gap))
    is_thing = len(subject) > 0 and all(word.key not in PREPOSITIONS | {"and"} for word in subject)
    verb = find_verb(words[place:]) if is_clause and is_thing else 0
    if verb:
        part = words[place + 1 : place + verb]
        yield [make_word("the", words[place]), *part, make_word("of", words[place]), *subject, *words[place + verb :]]


def _belongings(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "S has A" for "S is a N with A and B"."""
    verb = next((index for index in range(1, min(len(words), 8)) if words[index].key in _BE), 0)
    place = next((i for i in range(verb + 3, len(words) - 1) if words[i].key == "with"), 0) if verb else 0
    if not place or words[verb + 1].key not in {"a", "an"} or {word.key for word in words[:place]} & DENIALS:
        return
    rest = words[place + 1 :]
    borders = [0, *(i + 1 for i, word in enumerate(rest) if word.key == "and"), len(rest) + 1]
    has = make_word("has", words[place])
    yield [*words[:verb], has, *rest]
    for begin, end in pairwise(borders):
        yield [*words[:verb], has, *rest[begin : end - 1]]
    yield list(words[:place])


def _namings(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "N is A" for "A is called N" and for "the term N denotes A"."""
    for index in range(2, len(words) - 1):
        is_called = words[index].key in {"called", "named"} and words[index - 1].key == "is"
        if is_called and not {word.key for word in words[:index]} & NEGATIONS:
            name = list(words[index + 1 :])
            yield [*name, words[index - 1], *words[: index - 1]]
        if words[index].key in {"denotes", "means"} and words[1].key in {"term", "word"}:
            yield [make_word("a", words[0]), *words[2:index], make_word("is", words[index]), *words[index + 1 :]]


# --- orders ----------------------------------------------------------------------------------------------------------


def _orders(words: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield "you should V", and "O should be V" in the passive, for the order "V O" and the ban "do not V O"."""
    starts = _order_starts(words)
    opening = next((start for start in starts if start > 1), 0) if words[0].key in _TERMS else 0
    for number, start in enumerate(starts):
        is_name = start and words[start].text[:1].isupper() and words[start + 1].is_name
        if is_name or start < opening:
            continue
        ends = [len(words)]
        following = starts[number + 1] if number + 1 < len(starts) else 0
        if following and _may_be_order(words[following:]) and find_condition(words, following) == len(words):
            is_joined = words[following - 1].key in {"and", "then"}
            ends.append(following - 1 if is_joined else following)
        for end in ends:
            for told in tell_order([replace(words[start], gap=" "), *words[start + 1 : end]]):
                yield [*words[:opening], *told]
                if opening:
                    yield [*told, *words[:opening]]


_TERMS = frozenset("if unless when whenever once before after while until during in with without at on for".split())
"""Words that begin the terms on which an order holds: "If it rains, close the roof"."""


def _order_starts(words: Sequence[ClaimWord]) -> list[int]:
    """Return where an order may begin: at the sentence, at a clause of it, or behind "and" and "then"."""
    starts = [0]
    for index in range(1, len(words) - 1):
        if set(words[index].gap) & {":", ",", ";"} or words[index - 1].key in {"and", "then", "please"}:
            starts.append(index)
    return starts[:_MOST_ORDERS]


def tell_order(order: Sequence[ClaimWord]) -> Iterator[Words]:
    """Yield what an order says as statements: "you should V O", and "O should be V-ed" in the passive."""
    if order[0].key == "only":
        yield from ([*told, order[0]] for told in tell_order(order[1:]))
        return
    denial: Words = []
    if len(order) > 2 and order[0].key == "does" and order[1].key == "not":
        denial, order = [order[1]], order[2:]
    elif len(order) > 2 and order[0].key in {"never", "always"}:
        denial, order = [order[0]], order[1:]
    if len(order) < 2 or not _may_be_order(order):
        return
    joint = next((i for i in range(2, len(order) - 2) if order[i].key == "or"), 0) if denial else 0
    if joint and _may_be_order(order[joint + 1 :]):  # "never open it or touch the wire"
        yield from tell_order([make_word("never", denial[0]), *order[joint + 1 :]])
    verb = order[0]
    if order[1].key in PARTICLES and len(order) > 3:
        done = in_form(verb, PARTICIPLE)
        for end in _ends_of_object(order[1:], is_behind_particle=True):
            told = [done, order[1], *order[end + 1 :]]
            yield [*order[2 : end + 1], make_word("is", verb), *told]
            yield [*order[2 : end + 1], make_word("should", verb), make_word("be", verb), *told]
    for duty in ("should", "must"):
        yield [make_word("you", verb), make_word(duty, verb), *denial, *order]
        for end in _ends_of_object(order):
            done = in_form(verb, PARTICIPLE)
            yield [*order[1:end], make_word(duty, verb), *denial, make_word("be", verb), done, *order[end:]]
            if not denial:
                yield [*order[1:end], make_word("is", verb), done, *order[end:]]
        if order[1].key in PREPOSITIONS or order[1].key in BOUND_NAMES:
            done = in_form(verb, PARTICIPLE)
            yield [make_word("it", verb), make_word(duty, verb), *denial, make_word("be", verb), done, *order[1:]]


def _ends_of_object(order: Sequence[ClaimWord], *, is_behind_particle: bool = False) -> Iterator[int]:
    """Yield where the object of an order may end."""
    if is_behind_particle:
        order = order[: _MOST_OBJECT + 1]
    elif order[1].key in PREPOSITIONS or order[1].key in BOUND_NAMES or order[1].key in {"if", "when"}:
        return
    for end in range(2, min(_MOST_OBJECT, len(order)) + 1):
        if order[end - 1].key in {"if", "when", "until", "and"}:
            return
        last = order[end - 1]
        if last.key not in PREPOSITIONS | DETERMINERS or last.text == "A":  # "buffer A"
            yield end


def _may_be_order(order: Sequence[ClaimWord]) -> bool:
    """Return whether words may be an order: they begin with a plain verb."""
    first = order[0]
    if first.kind != "word" or first.is_name or first.key in _NO_ORDERS or not first.text[:1].isalpha():
        return False
    if is_past_form(first) or first.key.endswith("ing") or "'s" in first.text.replace("’", "'"):
        return False
    following = order[1]
    if following.is_name and first.text[:1].isupper() and find_verb(order):  # "Petra Lind leads the choir"
        return False
    if following.is_number and len(order) > 2 and is_verb_at(order, 2):  # "Line 6 runs every day"
        return False
    return not set(following.gap) & PARTING and following.key not in AUXILIARIES and not is_verb_at(order, 1)


PARTICLES = frozenset("in out up off on down over away back".split())
"""Adverbs that belong to a verb: "carry over"."""


# --- the first person ------------------------------------------------------------------------------------------------

SPEAKERS = frozenset(
    "author authors company firm team researchers writer organization speaker investigators narrator scientists "
    "seller provider shop group applicant sender artist interviewee patient reviewer respondent employer hotel".split()
)
"""Nouns by which an answer speaks of those who say "I" and "we"."""
AUTHORS = frozenset("author authors researchers writer investigators scientists".split())
"""Those of them who say all that a passage says."""
OPINIONS = frozenset(
    "argues argue thinks think says say believes believe claims claim concludes conclude reports report finds find "
    "found notes note states state concluded reported".split()
)
_FIRST_PERSON = frozenset({"i", "we"})
_POSSESSIVE = frozenset({"my", "our"})


def has_first_person(words: Sequence[ClaimWord]) -> bool:
    """Return whether a sentence speaks of its speaker."""
    return any(word.key in _FIRST_PERSON or word.key in _POSSESSIVE for word in words)


def in_third_person(words: Sequence[ClaimWord], speaker: Sequence[ClaimWord], theirs: str) -> Words:
    """Return the words with ``speaker`` for "I" and "we"; ``theirs`` is the word for "my", the speaker where empty."""
    told: Words = []
    is_behind = False
    for word in words:
        if word.key in _FIRST_PERSON:
            told += [replace(other, gap=word.gap if not index else " ") for index, other in enumerate(speaker)]
        elif word.key in _POSSESSIVE:
            told += [make_word(theirs, word)] if theirs else [replace(other, gap=" ") for other in speaker]
        elif is_behind and word.key not in AUXILIARIES and word.key not in ADVERBS and not is_past_form(word):
            told.append(in_form(word, THIRD_PERSON))
        else:
            told.append(word)
        is_behind = word.key in _FIRST_PERSON or (is_behind and word.key in ADVERBS)
    return told
