"""The constituents of a statement: who, what is done, and the phrases behind it. They compare in whatever order. Pure.

"In 1848 the weavers demanded higher wages and shorter hours" and "Higher wages were demanded by the weavers in 1848"
differ in voice, in the place of a phrase and in what is left out, all at once. Taken apart, both have the same subject,
verb and phrases. A phrase that a claim leaves out is judged where it stands, as any cut is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile

from roma_core.citations.cuts import find_cut_after, find_cut_before, goes_on_as_list
from roma_core.citations.lexicon import (
    ADVERBS,
    AGENTS,
    AUXILIARIES,
    COORDINATORS,
    DENIALS,
    DETERMINERS,
    MODALS,
    PLAIN_VERBS,
    PREPOSITIONS,
    PRONOUNS,
    RELATIVES,
    SYNONYMS,
    WEEKDAYS,
)
from roma_core.citations.numbers import MONTHS
from roma_core.citations.phrases import BOUND_NAMES
from roma_core.citations.verbs import (
    PARTICIPLE,
    PARTING,
    THIRD_PERSON,
    Words,
    find_verb,
    in_form,
    is_past_form,
    is_verb_at,
)
from roma_core.citations.words import ClaimWord, make_phrase, make_word

_BE = frozenset("is was be been".split())
_SUBORDINATES = RELATIVES | frozenset("if unless until that than so after before once".split())
"""Words that begin a clause or comparison, which is taken whole."""
_OPENINGS = frozenset("in on at during since until after before for with from by under within every".split())
_PHRASE_HEADS = frozenset("today tomorrow yesterday every each ahead due owing thanks together according".split())
"""Further words that begin a phrase."""
_TIME_HEADS = frozenset("in on at since from by until".split())
_MOST_AGENT = 7
_MOST_JOINED = 3
"""Phrases of a source that one phrase of a claim may be."""


@dataclass(frozen=True)
class Phrase:
    """Words of a statement that belong together, and where they stand in it."""

    words: tuple[ClaimWord, ...]
    begin: int
    end: int
    is_beside: bool = False
    """True for what stands beside the rest behind a comma, and is no phrase of its verb."""

    @property
    def stems(self) -> set[str]:
        """Return the stems of what it tells."""
        return _stems(self.words)


@dataclass(frozen=True)
class Constituents:
    """A statement taken apart; the subject of a passive without "by" is its first phrase, and ``subject`` is empty."""

    words: tuple[ClaimWord, ...]
    """The statement as it stands."""
    subject: tuple[ClaimWord, ...]
    verb: tuple[ClaimWord, ...]
    phrases: tuple[Phrase, ...]

    def join(self) -> Words:
        """Return the words of the statement in the active voice, phrase by phrase."""
        return [*self.subject, *self.verb, *(word for phrase in self.phrases for word in phrase.words)]


def read_constituents(words: Sequence[ClaimWord]) -> Constituents | None:
    """Return the constituents of a statement of one finite verb; None where there is none, or it denies a passive."""
    start = _end_of_opening(words)
    verb = start + _find_verb(words[start:])
    commas = [index for index in range(start + 1, verb + 1) if set(words[index].gap) & PARTING]
    is_parenthesis = len(commas) == 2 and commas[1] == verb and words[commas[0]].key in PREPOSITIONS
    is_bound = words[start].key in PREPOSITIONS or any(word.key in _SUBORDINATES for word in words[start:verb])
    if verb == start or is_bound or (commas and not is_parenthesis):
        return None
    last = commas[0] if commas else verb
    end = _end_of_verb(words, verb)
    subject, group = _plain(words[start:last]), list(words[verb:end])
    phrases = _split_phrases(words, end)
    if commas:
        phrases.append(Phrase(tuple(_plain(words[last:verb])), last, verb))
    if start:
        phrases.append(Phrase(tuple(words[:start]), 0, start))
    particle = [group.pop()] if len(group) > 2 and group[-1].key in _PARTICLES else []
    if len(group) < 2 or group[-2].key not in _BE or not _is_participle(group[-1]):
        if len(group) > 1 and group[0].key == "has" and _is_participle(group[-1]):  # "has run" beside "has been run by"
            group = [word for word in group if word.key != "has"]
        return Constituents(tuple(words), tuple(subject), (*group, *particle), tuple(phrases))
    if any(word.key not in _BE | MODALS | {"has", "not"} for word in group[:-1]):
        return None
    agent = next((phrase for phrase in phrases if _is_agent(phrase.words)), None)
    who: Words = []
    if agent is not None:
        agents = [agent]
        if goes_on_as_list(words[agent.end :]):
            rest = phrases[phrases.index(agent) + 1 :]
            agents += takewhile(lambda phrase: phrase.is_beside or phrase.words[0].key in COORDINATORS, rest)
        who = [word for phrase in agents for word in phrase.words][1:]
        phrases = [phrase for phrase in phrases if phrase not in agents]
    done = [Phrase(tuple(subject), start, last), *phrases]
    return Constituents(tuple(words), tuple(who), (*_in_active(group), *particle), tuple(done))


def arrange(source: Constituents, claim: Constituents) -> tuple[Words, Words] | None:
    """Return the words of a claim and those of its source in one order, without what the claim may leave out.

    None where a phrase of the claim stands nowhere in the source, or one that is left out decides.
    """
    if claim.subject and not (source.subject and _is_same_subject(claim.subject, source.subject)):
        return None
    if not claim.subject and source.subject and any(word.key in DENIALS for word in (*source.subject, *source.verb)):
        return None  # what one did not do, another one may have done
    taken: set[int] = set()
    ordered: list[ClaimWord] = []
    for number, phrase in enumerate(claim.phrases):
        run = _find_phrase(phrase, source, taken, is_object=number == 0)
        if run is None:
            return None
        taken.update(run)
        ordered += [word for index in run for word in source.phrases[index].words]
    left_out = [phrase for index, phrase in enumerate(source.phrases) if index not in taken]
    if any(_decides(phrase, source) for phrase in left_out):
        return None
    subject = source.subject if claim.subject else ()
    return claim.join(), [*subject, *source.verb, *ordered]


def _decides(phrase: Phrase, source: Constituents) -> bool:
    """Return whether a phrase may not be left out: an object, an aim, or what any cut may not lose."""
    words, first = source.words, phrase.words[0].key
    if [word.key for word in phrase.words[:2]] == ["but", "not"]:  # only what is not so
        return False
    if not phrase.begin:
        return bool(find_cut_before(phrase.words, words[phrase.end], words[phrase.end :]))
    is_object = phrase is source.phrases[0] and first not in PREPOSITIONS | _SUBORDINATES
    if is_object or first in {"to", "or", "nor", "than"}:
        return True
    return bool(find_cut_after(words[phrase.begin : phrase.end], words[phrase.begin - 1], words[: phrase.begin]))


def _is_same_subject(claim: Sequence[ClaimWord], source: Sequence[ClaimWord]) -> bool:
    """Return whether nothing that a source tells of its subject is left out, but for the rest of a name."""
    left_out = [word for word in source if word.is_content and word.stem not in _stems(claim)]
    return all(word.is_name for word in left_out)


def _find_phrase(phrase: Phrase, source: Constituents, taken: set[int], *, is_object: bool) -> range | None:
    """Return the phrases of a source, side by side, that one phrase of a claim may be: they tell no more than it."""
    best, most = None, 0
    for begin in range(len(source.phrases)):
        for end in range(begin + 1, min(begin + _MOST_JOINED, len(source.phrases)) + 1):
            run = range(begin, end)
            parts = source.phrases[begin:end]
            stems = set[str]().union(*(part.stems for part in parts))
            if taken & set(run) or not stems <= phrase.stems or any(part.is_beside for part in parts[1:]):
                break
            if _begin_alike(phrase, parts[0]) and len(stems) > most:
                best, most = run, len(stems)
    first = source.phrases[0].words if source.phrases else ()
    if best is None and is_object and len(first) == 1 and first[0].key in PRONOUNS and 0 not in taken:
        return range(1)
    return best


def _begin_alike(phrase: Phrase, other: Phrase) -> bool:
    ours, theirs = (
        side.words[0].key if side.words[0].key in PREPOSITIONS | _SUBORDINATES | COORDINATORS else ""
        for side in (phrase, other)
    )
    return ours == theirs and phrase.is_beside == other.is_beside


def _stems(words: Sequence[ClaimWord]) -> set[str]:
    return {word.stem for word in words if word.is_content}


def match_synonyms(claim: Sequence[ClaimWord], source: Sequence[ClaimWord]) -> tuple[Words, Words]:
    """Return both with one word for two in common use for each other, where each side has its own."""
    ours, theirs = ({word.key for word in side} for side in (claim, source))
    matched: Words = []
    for word in source:
        groups = SYNONYMS.get((word.key,), frozenset()) if word.key not in ours else frozenset()
        same = next((w for w in claim if w.key not in theirs and SYNONYMS.get((w.key,), frozenset()) & groups), None)
        matched.append(replace(word, key=same.key, stem=same.stem) if same else word)
    return list(claim), matched


def _find_verb(words: Sequence[ClaimWord]) -> int:
    """Return the index of the verb of a statement, also of a plain one behind a plural: "buses run"."""
    verb = find_verb(words)
    for index in range(1, verb or min(len(words), _MOST_SUBJECT)):
        before, word = words[index - 1], words[index]
        is_subject = before.is_content and (before.key.endswith("s") or before.is_number or before.key in _PLURALS)
        if is_subject and word.key in PLAIN_VERBS and not set(word.gap) & PARTING:
            return index
    return verb


_MOST_SUBJECT = 9
_PLURALS = frozenset("people children women men mice police staff".split())


def _end_of_opening(words: Sequence[ClaimWord]) -> int:
    """Return where the phrase ends that a statement begins with; 0 where it begins with its subject."""
    if words[0].key.partition(":")[0] not in _OPENINGS:
        return 1 if words[0].key in {"today", "tomorrow", "yesterday"} else 0
    end = next((i for i in range(1, min(8, len(words) - 2)) if "," in words[i].gap), 0)
    is_time = len(words) > 3 and words[0].key in _TIME_HEADS and _is_time_word(words[1])
    return end or (2 if is_time else 0)


def _end_of_verb(words: Sequence[ClaimWord], verb: int) -> int:
    """Return where the words of a verb end that begin at ``verb``: "must not be used", "has kept", "turns off"."""
    end = _end_of_plain_verb(words, verb)
    is_particle = end + 1 < len(words) and words[end].key in _PARTICLES
    return end + 1 if is_particle and words[end + 1].key in DETERMINERS | PREPOSITIONS else end


_PARTICLES = frozenset("out up off down away back".split())


def _end_of_plain_verb(words: Sequence[ClaimWord], verb: int) -> int:
    if words[verb].key not in AUXILIARIES:
        return verb + 1
    end = verb + 1
    while end < len(words) and (words[end].key in _BE | {"has", "not", "never"} | ADVERBS or _is_adverb(words[end])):
        end += 1
    is_main = end < len(words) and (_is_participle(words[end]) or words[verb].key in MODALS | {"does", "did"})
    is_main = is_main and words[end].kind == "word" and words[end].key not in DETERMINERS | PREPOSITIONS
    return end + 1 if is_main else end


def _is_participle(word: ClaimWord) -> bool:
    return is_past_form(word) or word.key in {"used", "owed", "tied"}


def _is_adverb(word: ClaimWord) -> bool:
    return word.kind == "word" and word.key.endswith("ly")


def _in_active(group: Sequence[ClaimWord]) -> Words:
    """Return "can take" for "can be taken", and "took" for "was taken"."""
    denial = [word for word in group if word.key == "not"]
    is_past = any(word.key in {"was", "has"} for word in group)
    if group[0].key in MODALS:
        return [group[0], *denial, in_form(group[-1], THIRD_PERSON)]
    if denial:
        return [make_word("did" if is_past else "does", group[0]), *denial, in_form(group[-1], THIRD_PERSON)]
    return [in_form(group[-1], PARTICIPLE if is_past else THIRD_PERSON)]


def _is_agent(phrase: Sequence[ClaimWord]) -> bool:
    """Return whether "by ..." says who did it: no number, no time and no way ("by train", "by giving")."""
    first = phrase[1] if len(phrase) > 1 else phrase[0]
    is_way = first.key.endswith("ing") or first.is_number or first.key in MONTHS
    is_named = first.key in DETERMINERS or first.is_name or first.key.endswith("s") or len(phrase) > 2
    is_short = phrase[0].key == "by" and 1 < len(phrase) <= _MOST_AGENT
    return is_short and not is_way and is_named


def _split_phrases(words: Sequence[ClaimWord], start: int) -> list[Phrase]:
    """Return the phrases behind a verb: its object, each preposition with its noun, clauses whole."""
    phrases: list[Phrase] = []
    while start < len(words):
        end = _end_of_phrase(words, start)
        is_beside = bool(set(words[start].gap) & PARTING) and words[start].key not in PREPOSITIONS
        phrases.append(Phrase(tuple(_plain(words[start:end])), start, end, is_beside))
        start = end
    return phrases


def _end_of_phrase(words: Sequence[ClaimWord], start: int) -> int:
    first = words[start]
    is_aim = first.key == "to" and start + 1 < len(words) and not _begins_noun(words[start + 1])
    is_beside = bool(set(first.gap) & PARTING) and first.key not in PREPOSITIONS
    is_whole = first.key in _SUBORDINATES | COORDINATORS or is_aim or is_beside
    for index in range(start + 1, len(words)):
        word = words[index]
        if set(word.gap) & PARTING and index > start + 1:
            return index
        if is_whole:
            if first.key in COORDINATORS and _is_time(words, index):
                return index
            continue
        before = words[index - 1]
        if before.key in PREPOSITIONS | DETERMINERS or word.key == "of":
            continue
        is_span = first.key in {"from", "between"} and word.key in {"to", "and"} and index - start <= 3
        if is_span:
            continue
        if word.key in PREPOSITIONS | _SUBORDINATES | COORDINATORS | _PHRASE_HEADS or word.key.startswith("every:"):
            return index
    return len(words)


def _begins_noun(word: ClaimWord) -> bool:
    return word.key in DETERMINERS or word.is_name or word.is_number


def _is_time(words: Sequence[ClaimWord], index: int) -> bool:
    """Return whether a time of the whole statement begins at ``index`` and ends it: "in 1848"."""
    head = words[index].key
    following = words[index + 1] if index + 1 < len(words) else None
    if following is None or head not in _TIME_HEADS or any(word.key == head for word in words[:index]):
        return False
    return _is_time_word(following) and index + 2 == len(words)


def _is_time_word(word: ClaimWord) -> bool:
    return word.is_number or word.key in MONTHS or word.key.removesuffix("s") in WEEKDAYS


# --- one form for several --------------------------------------------------------------------------------------------


def _in_plain_form(words: Sequence[ClaimWord]) -> Words:
    """Return words with what stands before a noun behind it, denials at the verb, and verbs for who does something."""
    plain = _with_owner_behind(_with_denial_at_verb(_with_amount_behind(words)))
    return _without_repeated_preposition(_with_verb_of_agent(plain))


def _with_amount_behind(words: Sequence[ClaimWord]) -> Words:
    """Return "a discount of 20 percent" for "a 20 percent discount", and the same of "9th-century copy"."""
    told: Words = []
    index = 0
    while index < len(words):
        word = words[index]
        size = 1 if _is_measure(word) else 2 if _is_century(words, index) else 0
        end = index + size
        while size and end < len(words) and end < index + size + 2 and _is_measured(words[end]):
            end += 1
        if size and end > index + size and not (index and words[index - 1].key in _BEFORE_AMOUNTS):
            of = make_phrase("of" if size == 1 else "of the", word)
            told += [*words[index + size : end], *of, *words[index : index + size]]
            index = end
        else:
            told.append(word)
            index += 1
    return told


_BEFORE_AMOUNTS = frozenset("for in after within every last next first past than".split()) | BOUND_NAMES


def _is_measure(word: ClaimWord) -> bool:
    return word.quantity is not None and (bool(word.quantity.unit) or word.quantity.is_fraction)


def _is_century(words: Sequence[ClaimWord], index: int) -> bool:
    return words[index].key.startswith("ord:") and index + 1 < len(words) and words[index + 1].key == "century"


def _is_measured(word: ClaimWord) -> bool:
    """Return whether a word may be the noun behind an amount: "discount", and not the "long" of "3 m long"."""
    is_noun = word.kind == "word" and word.is_content and word.text.islower() and word.gap in {" ", "-"}
    return is_noun and not is_past_form(word) and not word.key.endswith(("ly", "er")) and word.key not in _NOT_MEASURED


_NOT_MEASURED = frozenset(
    "long high wide deep tall old late early ago extra free thick heavy away apart west east north south ahead "
    "today".split()
)


def _with_denial_at_verb(words: Sequence[ClaimWord]) -> Words:
    """Return "bicycles can not be taken" for "no bicycles can be taken"."""
    verb = next((i for i in range(2, min(_MOST_SUBJECT, len(words))) if words[i].key in AUXILIARIES), 0)
    if words[0].key != "no" or not verb or words[1].key == "other" or not words[verb - 1].key.endswith("s"):
        return list(words)
    return [*words[1 : verb + 1], make_word("not", words[0]), *words[verb + 1 :]]


def _with_owner_behind(words: Sequence[ClaimWord]) -> Words:
    """Return "the plan of the brewery" for "the brewery's plan"."""
    place = next((i for i, word in enumerate(words[:-1]) if word.text.replace("’", "'").endswith(("'s", "s'"))), None)
    if place is None or not words[place].is_content:
        return list(words)
    begin = place
    while begin and not words[begin].gap.strip() and (words[begin - 1].is_name or words[begin - 1].key in DETERMINERS):
        begin -= 1
    end = place + 1
    while end < len(words) and end < place + 4 and _is_noun_part(words, end):
        end += 1
    if end == place + 1:
        return list(words)
    owner = _plain(words[begin : place + 1])
    the, of = make_word("the", words[begin]), make_word("of", words[begin])
    return [*words[:begin], the, *words[place + 1 : end], of, *owner, *words[end:]]


def _is_noun_part(words: Sequence[ClaimWord], index: int) -> bool:
    word = words[index]
    is_plain = word.kind == "word" and word.is_content and word.gap == " " and not word.is_name
    return is_plain and not is_past_form(word) and not is_verb_at(words, index)


def _with_verb_of_agent(words: Sequence[ClaimWord]) -> Words:
    """Return "Ada Kern led the strike" for "Ada Kern was the leader of the strike"."""
    for index in range(1, min(_MOST_SUBJECT, len(words) - 4)):
        be, the, agent, of = words[index : index + 4]
        if be.key in {"is", "was"} and the.key == "the" and agent.key in AGENTS and of.key == "of":
            done = in_form(make_word(AGENTS[agent.key], agent), PARTICIPLE if be.key == "was" else THIRD_PERSON)
            return [*words[:index], done, *words[index + 4 :]]
    return list(words)


def _without_repeated_preposition(words: Sequence[ClaimWord]) -> Words:
    """Return "in Kiel and Leiden" for "in Kiel and in Leiden"."""
    told: Words = []
    for index, word in enumerate(words):
        is_joined = index > 1 and words[index - 1].key in {"and", "or"} and word.key in PREPOSITIONS
        if not (is_joined and word.key in {other.key for other in words[max(0, index - 5) : index]}):
            told.append(word)
    return told


def _split_denials(claim: Sequence[ClaimWord], statement: Sequence[ClaimWord]) -> Words:
    """Return "not likely" for the "unlikely" of a statement whose claim says "not likely"."""
    denied = {word.key for before, word in pairwise(claim) if before.key == "not"}
    told: Words = []
    for word in statement:
        plain = next((key for key in denied if word.key in {f"{prefix}{key}" for prefix in _DENYING_PREFIXES}), None)
        told += [make_word("not", word), make_word(plain, word)] if plain else [word]
    return told


_DENYING_PREFIXES = ("un", "in", "im", "il", "ir")


def _plain(words: Sequence[ClaimWord]) -> Words:
    """Return words as they stand behind others, without the sign before them."""
    return [replace(words[0], gap=" "), *words[1:]] if words else []


def arrangements(claim: Sequence[ClaimWord], statement: Sequence[ClaimWord]) -> Iterator[tuple[Words, Words]]:
    """Yield claim and statement in one order, where both can be taken apart."""
    claim, statement = match_synonyms(_in_plain_form(claim), _in_plain_form(statement))
    ours, theirs = read_constituents(claim), read_constituents(_split_denials(claim, statement))
    if ours is not None and theirs is not None and (arranged := arrange(theirs, ours)) is not None:
        yield arranged
