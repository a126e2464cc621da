"""A sentence turned without another meaning: an adverbial elsewhere, active for passive, converses. Pure.

Each turn keeps every word, or exchanges a comparative for its opposite. So a claim is right where one of its turns
follows the source and no word differs: "In 1911 Kern sued the railway" is "Kern sued the railway in 1911", and "the
railway was sued by Kern" is "Kern sued the railway".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from roma_core.citations.cuts import goes_on_as_list
from roma_core.citations.lexicon import (
    ADVERBS,
    COMPARATIVES,
    DETERMINERS,
    IRREGULAR_PASTS,
    MODALS,
    PAST_OF,
    PREPOSITIONS,
    PRONOUNS,
    REPORTING,
    WEEKDAYS,
)
from roma_core.citations.statements import (
    PARTICLES,
    tell_order,
)
from roma_core.citations.verbs import (
    PARTICIPLE,
    PARTING,
    THIRD_PERSON,
    in_form,
    is_past_form,
    is_verb_at,
)
from roma_core.citations.words import (
    ClaimWord,
    make_phrase,
    make_word,
    stem,
)

_HEADS = frozenset(
    "in on at during since until before after within throughout because if unless when whenever while once although "
    "though should according among except subject despite every each whether upon as under per without owing due "
    "provided".split()
)
"""Words that begin an adverbial; "of", "by", "with", "for", "from" and "to" belong to the word before them."""
_TODAY = frozenset("today tomorrow yesterday tonight".split())
_MOST_AGENT_WORDS = 7
_BE = frozenset("is was be been being".split())


def turn_adverbials(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield the words with one adverbial moved to the front, to the end, or before the last one."""
    starts = [i for i in range(len(words)) if _begins_adverbial(words, i)]
    for start in [start for start in starts if start > 1][:4]:
        yield [*words[start:], *words[:start]]
    for start, following in pairwise([*starts, len(words)]):
        if start > 1 and following < len(words):
            yield [*words[:start], *words[following:], *words[start:following]]
            yield [*words[start:following], *words[:start], *words[following:]]
    for start in [start for start in starts if start][:3]:
        for end in range(start + 2, min(start + 4, len(words) - 1) + 1):
            yield [*words[:start], *words[end:], *words[start:end]]
    for start in range(max(2, len(words) - 4), len(words) - 1):
        if words[start].key in {"for", "with"}:
            yield [*words[start:], *words[:start]]
    if len(starts) > 1 and starts[-2] > 1 and starts[-1] < len(words):  # "at noon on 5 May" for "on 5 May at noon"
        first, last = starts[-2:]
        yield [*words[last:], *words[first:last], *words[:first]]
    is_opening = words[0].key in {"with", "for", "by"} or words[0].key.removesuffix("s") in WEEKDAYS
    if is_opening or starts[:1] == [0]:
        for end in _ends_of_opening(words):
            yield [*words[end:], *words[:end]]


def _begins_adverbial(words: Sequence[ClaimWord], index: int) -> bool:
    if index and words[index - 1].key in _HEADS:
        return False
    if words[index].key in _TODAY:
        return True
    is_from_time = words[index].key in {"from", "by"} and index + 1 < len(words) and words[index + 1].is_number
    return words[index].key in _HEADS or is_from_time or words[index].key.startswith("every:")


def move_date(words: Sequence[ClaimWord]) -> list[ClaimWord]:
    """Return the words with their one "in 1953" or "on 9 June" at the end."""
    places = [i for i, (a, b) in enumerate(pairwise(words)) if a.key in {"in", "on", "at"} and b.is_number]
    if len(places) != 1:  # "at 9 on weekdays and at 10 on Sundays"
        return list(words)
    index = places[0]
    if any(words[i].key in {"and", "but", "while"} and "," in words[i].gap for i in range(index, len(words))):
        return list(words)  # the date belongs to the first of two clauses
    return [*words[:index], *words[index + 2 :], *words[index : index + 2]]


def _ends_of_opening(words: Sequence[ClaimWord]) -> list[int]:
    """Return where an adverbial at the front may end: at its comma, else after a few words."""
    commas = [index for index in range(2, len(words) - 1) if set(words[index].gap) & PARTING]
    return commas[:2] or list(range(2, min(8, len(words) - 1)))


def move_opening(words: Sequence[ClaimWord]) -> list[ClaimWord]:
    """Return the words with the adverbial before their first comma at the end; nothing where none stands there."""
    comma = next((index for index in range(2, min(9, len(words) - 2)) if "," in words[index].gap), 0)
    is_opening = words[0].key in _HEADS | {"for", "with", "by", "from"} or words[0].is_number
    return [replace(words[comma], gap=" "), *words[comma + 1 :], *words[:comma]] if comma and is_opening else []


def turn_active(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield the active sentences that a passive one may be: "B was sued by A in May" is "A sued B in May"."""
    place = next((i for i, word in enumerate(words) if word.key == "by" and i > 2), 0)
    if not place or place + 1 >= len(words):
        return
    verb = next((i for i in range(place - 1, max(0, place - 10), -1) if _is_participle(words[i])), 0)
    if verb > 2 and words[verb - 2].key in _BE and _is_adverb(words[verb - 1]):  # "is usually settled by"
        plain = [*words[: verb - 1], *words[verb:]]
        for active in turn_active(plain):
            done = next((i for i, word in enumerate(active) if word.start == words[verb].start), 0)
            if done:
                yield [*active[:done], words[verb - 1], *active[done:]]
        return
    if verb > 2 and words[verb - 1].key == "not" and words[verb - 2].key in {"is", "was"}:
        does = make_word("did" if words[verb - 2].key == "was" else "does", words[verb - 1])
        denied = [does, words[verb - 1], in_form(words[verb], THIRD_PERSON), *words[verb + 1 : place]]
        for end in range(place + 2, min(len(words), place + _MOST_AGENT_WORDS) + 1):
            yield [*words[place + 1 : end], *denied, *words[: verb - 2], *words[end:]]
        return
    if not verb or words[verb - 1].key not in _BE:
        return
    active, subject_end = _read_passive(words, verb)
    if words[subject_end - 1].key in {"which", "that", "who"}:
        return
    openings = [0, *(index for index in range(2, subject_end) if set(words[index].gap) & PARTING)]
    openings += [index for index in range(2, subject_end) if words[0].key in _HEADS and words[index].key in DETERMINERS]
    for opening in openings[:3]:
        for end in range(place + 2, min(len(words), place + _MOST_AGENT_WORDS) + 1):
            agent = words[place + 1 : end]
            if any(set(word.gap) & set(";:()") for word in agent[1:]):
                break
            if (end < len(words) and _goes_on(words, end)) or any("," in word.gap for word in agent[1:]):
                continue
            if place == verb + 2 and words[verb + 1].key in PREPOSITIONS:  # "was paid for by"
                stranded = [*active, words[verb + 1], *words[opening:subject_end]]
                yield [*words[:opening], *agent, *stranded, *words[end:]]
            if place == verb + 2 and words[verb + 1].key in PARTICLES:  # "was paid back by"
                joined = [*active, words[verb + 1], *words[opening:subject_end]]
                yield [*words[:opening], *agent, *joined, *words[end:]]
            told = [*agent, *active, *words[opening:subject_end], *words[verb + 1 : place], *words[end:]]
            yield [*words[:opening], *told]
            if opening:
                yield [*told, *words[:opening]]


def _is_adverb(word: ClaimWord) -> bool:
    return word.key in ADVERBS - {"not"} or (word.kind == "word" and word.key.endswith("ly"))


_BEHIND_AGENT = PREPOSITIONS | frozenset(
    "yesterday today tomorrow tonight here there when while because although as if unless".split()
)


def _goes_on(words: Sequence[ClaimWord], end: int) -> bool:
    """Return whether an agent goes on at ``end``: "by Ada Kern and C", of which "Kern and C" are no object.

    "The guard" of "by the guard" is none either: "She was seen by the guard" says of no guard that he was seen.
    """
    last, following = words[end - 1], words[end]
    if goes_on_as_list(words[end:]):
        return True
    if last.key in DETERMINERS | PREPOSITIONS or following.key == "of" or {last.key, following.key} & {"and", "or"}:
        return True
    is_name = following.is_name and last.is_name
    is_noun = following.kind == "word" and following.is_content and following.text.islower()
    is_noun = is_noun and not (_is_adverb(following) or following.key in _BEHIND_AGENT)
    return following.gap == " " and (is_name or is_noun)


def _read_passive(words: Sequence[ClaimWord], verb: int) -> tuple[list[ClaimWord], int]:
    """Return the verb of a passive in the active, with its modal, and where the subject ends."""
    subject_end = verb - 1
    while subject_end > 0 and words[subject_end - 1].key in _BE | {"has"}:
        subject_end -= 1
    if subject_end > 1 and words[subject_end - 1].key in MODALS:
        return [words[subject_end - 1], in_form(words[verb], THIRD_PERSON)], subject_end - 1
    form = PARTICIPLE if {word.key for word in words[subject_end:verb]} & {"was", "has"} else THIRD_PERSON
    return [in_form(words[verb], form)], subject_end


def turn_agentless(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "built the dam in 1961" for "the dam was built in 1961": a sentence may say who built it."""
    for verb in range(2, min(len(words), 10)):
        if words[verb - 1].key in _BE and _is_participle(words[verb]) and words[verb - 2].key not in {"not", "that"}:
            active, subject_end = _read_passive(words, verb)
            if (len(active) == 1 or active[0].key in {"must", "can"}) and not any(
                word.key in _HEADS for word in words[:subject_end]
            ):
                yield [*active, *words[:subject_end], *words[verb + 1 :]]
            return


def turn_span(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "to A from B" for "from B to A"."""
    for index in range(1, len(words) - 3):
        first, low, second, high = words[index : index + 4]
        if first.key == "from" and low.is_number and second.key == "to" and high.is_number:
            yield [*words[:index], second, high, first, low, *words[index + 4 :]]


def turn_inclusion(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "the price includes meals" for "meals are included in the price", and the other way round."""
    verb = next((index for index in range(1, min(6, len(words) - 1)) if words[index].key == "includes"), 0)
    if verb:
        told = make_phrase("is included in", words[verb])
        yield [*words[verb + 1 :], *told, *words[:verb]]
    for index in range(2, len(words) - 2):
        if [word.key for word in words[index - 1 : index + 2]] == ["is", "included", "in"]:
            yield [*words[index + 2 :], replace(words[index], key="includes", stem="includ"), *words[: index - 1]]
            return


def turn_only(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "is paid only if" for "is only paid if": behind the verb, "only" limits what follows it."""
    index = next((index for index, word in enumerate(words) if word.key == "only"), 0)
    if index and index + 1 < len(words) and words[index + 1].key == "by":  # "is covered only by B"
        for active in turn_active([*words[:index], *words[index + 1 :]]):
            yield [words[index], *active]
    if index > 1:
        for place in (index + 1, index + 2):
            if place < len(words) - 1 and words[place].is_content:
                yield [*words[:index], *words[index + 1 : place + 1], words[index], *words[place + 1 :]]


def turn_plural(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "a boat sinks when ..." for "boats sink when ...": what always holds."""
    first, second = words[0], words[1] if len(words) > 2 else words[0]
    if not first.key.endswith("s") or first.kind != "word" or _is_participle(second) or second.key in {"was", "had"}:
        return
    singular = replace(first, key=first.key[:-1], stem=stem(first.key[:-1]))
    verb = second if second.key in {"is", "has", *MODALS} else in_form(second, THIRD_PERSON)
    yield [make_word("a", first), singular, verb, *words[2:]]


def turn_group(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "you must not smoke if you are pregnant" for "people who are pregnant must not smoke"."""
    if len(words) < 6 or words[0].key not in _GROUPS or words[1].key not in {"who", "that"}:
        return
    modal = next((index for index in range(3, len(words) - 1) if words[index].key in MODALS), 0)
    if modal:
        you, condition = make_word("you", words[0]), make_word("if", words[1])
        yield [you, *words[modal:], condition, you, *words[2:modal]]


_GROUPS = frozenset("people those anyone patients persons users customers guests visitors employees everyone".split())


def turn_duty(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "visitors must wear a badge" for "wearing a badge is mandatory for visitors"."""
    be = next((index for index in range(1, min(7, len(words) - 3)) if words[index].key == "is"), 0)
    is_duty = be and words[be + 1].key in {"mandatory", "compulsory", "obligatory", "required"}
    if not is_duty or words[be + 2].key != "for" or not words[0].key.endswith("ing"):
        return
    end = next((i for i in range(be + 4, len(words)) if words[i].key in PREPOSITIONS), len(words))
    must, verb = make_word("must", words[be]), in_form(words[0], THIRD_PERSON)
    yield [*words[be + 3 : end], must, verb, *words[1:be], *words[end:]]


def turn_cause(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "B because A" for "A, so B"."""
    so = next((index for index in range(2, len(words) - 1) if words[index].key == "so" and "," in words[index].gap), 0)
    if so and words[so + 1].key not in {"that", "as"}:
        for key in ("because", "as", "since"):
            yield [*words[so + 1 :], make_word(key, words[so]), *words[:so]]


def turn_date(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield the words with their first date at the end."""
    moved = move_date(words)
    if moved != list(words):
        yield moved


def turn_supposed(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "believes that ..." for "it is believed that ..."."""
    if [word.key for word in words[:2]] == ["it", "is"] and len(words) > 5 and words[3].key == "that":
        yield [in_form(words[2], THIRD_PERSON), *words[3:]]


def _is_participle(word: ClaimWord) -> bool:
    return word.key in PAST_OF or word.key in IRREGULAR_PASTS or (word.kind == "word" and word.key.endswith("ed"))


def turn_generic(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "the cards may be had here" for "you may have the cards here", and "B to A" for "To A, B"."""
    if words[0].key == "to":
        for index in range(2, len(words) - 1):
            if "," in words[index].gap:
                yield [*words[index:], *words[:index]]
                return
    if len(words) < 4 or words[0].key not in {"you", "people", "visitors", "one"} or words[1].key not in MODALS:
        return
    start = 3 if words[2].key == "not" else 2
    for end in range(start + 2, min(start + 6, len(words)) + 1):
        being = make_word("be", words[1])
        done = in_form(words[start], PARTICIPLE)
        if words[start + 1].key in {"a", "an"} and end == start + 3:
            yield [_in_plural(words[end - 1]), *words[1:start], being, done, *words[end:]]
        yield [*words[start + 1 : end], *words[1:start], being, done, *words[end:]]
        if words[start + 1].key in PARTICLES:
            yield [*words[start + 2 : end], *words[1:start], being, done, words[start + 1], *words[end:]]


def _in_plural(noun: ClaimWord) -> ClaimWord:
    key = f"{noun.key[:-1]}ies" if noun.key.endswith("y") and noun.key[-2:-1] not in "aeiou" else f"{noun.key}s"
    return replace(noun, key=key, stem=stem(key))


def turn_singular(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "boats sink when ..." for "a boat sinks when ...": what always holds."""
    if words[0].key not in {"a", "an"}:
        return
    verb = next((index for index in range(2, min(6, len(words) - 1)) if is_verb_at(words, index)), 0)
    if verb and not _is_participle(words[verb]) and words[verb].key not in {"was", "had"}:
        is_plain = words[verb].key in {"is", "has", *MODALS}
        done = words[verb] if is_plain else in_form(words[verb], THIRD_PERSON)
        yield [*words[1 : verb - 1], _in_plural(words[verb - 1]), done, *words[verb + 1 :]]


def turn_order(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "the pump should be given oil" for "give the pump oil"."""
    end = next((index for index in range(1, len(words)) if words[index].key in _HEADS), len(words))
    if not any(word.key in MODALS | _BE for word in words[:end]):
        yield from tell_order(words)


def turn_object_compound(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "funds research on soil health" for "funds soil health research"."""
    begin = next((index for index in range(1, len(words)) if is_verb_at(words, index)), len(words)) + 1
    while begin < len(words):
        end = begin
        while end < len(words) and _is_plain_noun(words[end]) and (end == begin or words[end].gap == " "):
            end += 1
        if end - begin in (2, 3):
            noun, owner = words[end - 1], list(words[begin : end - 1])
            for joint in ("on", "of", "for", "in"):
                for between in ((), ("a",), ("the",)):
                    made = [make_word(key, noun) for key in (joint, *between)]
                    yield [*words[:begin], noun, *made, *owner, *words[end:]]
        begin = max(end, begin + 1)


def _is_plain_noun(word: ClaimWord) -> bool:
    is_noun = word.kind == "word" and word.is_content and word.text.islower()
    return is_noun and not word.key.endswith("ly") and not _is_participle(word)


def turn_compound(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "support for Ruby 5" for "Ruby 5 support" and "lenses for cameras" for "camera lenses"."""
    words = words[1:] if words[0].key == "the" else words
    verb = next((index for index in range(2, min(6, len(words) - 1)) if is_verb_at(words, index)), 0)
    if not verb or any(not word.is_content for word in words[: verb - 1]):
        return
    noun, owner = words[verb - 1], list(words[: verb - 1])
    for joint in ("for", "of"):
        yield [noun, make_word(joint, noun), *owner, *words[verb:]]
        if owner[-1].kind == "word" and not owner[-1].is_name:
            yield [noun, make_word(joint, noun), *owner[:-1], _in_plural(owner[-1]), *words[verb:]]


def turn_place(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "version 2 adds a button" for "a button was added in version 2"."""
    if words[0].key in _HEADS and words[1].is_number:
        words = move_date(words)
    be = next((index for index in range(1, len(words) - 3) if words[index].key in {"is", "was"}), 0)
    verb = be + 1
    if not be or not _is_participle(words[verb]) or any(word.key in _HEADS for word in words[:be]):
        return
    place = next((index for index in range(verb + 1, len(words) - 1) if words[index].key in {"in", "with"}), 0)
    if place == verb + 1:
        end = next((index for index in range(place + 2, len(words)) if words[index].key in _HEADS), len(words))
        for form in (THIRD_PERSON, PARTICIPLE) if words[be].key == "was" else (THIRD_PERSON,):
            yield [*words[place + 1 : end], in_form(words[verb], form), *words[:be], *words[end:]]


def turn_ends(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "... B and A" for "... A and B" at the end, with one or two words each."""
    place = next((index for index in range(len(words) - 2, 0, -1) if words[index].key == "and"), 0)
    last = words[place + 1 :]
    if not place or not 0 < len(last) <= 2 or any(word.is_number or not word.is_content for word in last):
        return
    for size in (1, 2):
        first = words[place - size : place]
        if place > size + 1 and all(word.is_content and not word.is_number for word in first):
            yield [*words[: place - size], *last, words[place], *first]


def turn_genitive(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "the roof of the mill" for "the mill's roof"."""
    for index, word in enumerate(words[:-1]):
        if not word.text.replace("’", "'").endswith(("'s", "s'")) or not word.is_content:
            continue
        begin = index
        while begin and (words[begin - 1].is_name or (words[begin - 1].key in DETERMINERS)):
            begin -= 1
        owner = list(words[begin : index + 1])
        for end in (index + 2, index + 3):
            owned = words[index + 1 : end]
            yield [*words[:begin], make_word("the", word), *owned, make_word("of", word), *owner, *words[end:]]


def turn_comparison(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield the converses of a comparison: "B is slower than A" is "A is faster than B"."""
    than = next((index for index, word in enumerate(words) if word.key == "than" and index > 1), 0)
    place = next((index for index in range(than) if words[index].key in COMPARATIVES), None)
    if not than or place is None:
        return
    for opposite in COMPARATIVES[words[place].key]:
        turned = replace(words[place], key=opposite, stem=stem(opposite))
        if place == 0:  # "More men than women applied"
            for end in range(than + 2, min(than + 4, len(words)) + 1):
                yield [turned, *words[than + 1 : end], *words[than : than + 1], *words[1:than], *words[end:]]
            continue
        for verb in range(1, min(place, 5) + 1):
            if not words[verb - 1].is_content or words[verb].is_number or words[verb].is_name:
                continue
            middle = [*words[verb:place], turned, *words[place + 1 : than + 1]]
            for end in range(len(words), max(than + 1, len(words) - 3), -1):
                is_whole = end == len(words) or words[end].key in _HEADS
                if words[end - 1].is_content and is_whole:
                    yield [*words[than + 1 : end], *middle, *words[:verb], *words[end:]]


def turn_progressive(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "led 2-0" for "was leading 2-0" and "leads" for "is leading": who led was leading."""
    for index in range(1, min(8, len(words) - 2)):
        doing = words[index + 1]
        if (
            words[index].key in {"is", "was"}
            and doing.key.endswith("ing")
            and doing.kind == "word"
            and doing.is_content
        ):
            if words[index].key == "was":
                yield [*words[:index], in_form(doing, PARTICIPLE), *words[index + 2 :]]
                return
            for does in _third_persons(doing):
                yield [*words[:index], does, *words[index + 2 :]]
            return


def turn_denial(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "receive no money" for "do not receive money", and the other way round."""
    for index in range(1, len(words) - 3):
        does, denial, verb, thing = words[index : index + 4]
        if does.key in {"does", "did"} and denial.key == "not" and thing.is_content and not thing.is_number:
            form = PARTICIPLE if does.key == "did" else THIRD_PERSON
            yield [*words[:index], in_form(verb, form), make_word("no", denial), *words[index + 3 :]]
            return
    index = next((i for i in range(2, len(words) - 1) if words[i].key == "no"), 0)
    if index and words[index - 1].is_content and words[index + 1].is_content:
        verb = words[index - 1]
        auxiliary = make_word("did" if is_past_form(verb) else "does", verb)
        denied = [auxiliary, make_word("not", words[index]), in_form(verb, THIRD_PERSON)]
        yield [*words[: index - 1], *denied, *words[index + 1 :]]


def turn_ban(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "may not leave" for "is not allowed to leave"."""
    for index in range(1, len(words) - 2):
        if words[index].key == "must" and words[index].text in {"is", "are"} and words[index + 1].key == "not":
            yield [*words[:index], make_word("may", words[index]), *words[index + 1 :]]
            return


def turn_task(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "the porter clears the snow" for "the porter is responsible for clearing the snow"."""
    for index in range(1, len(words) - 3):
        keys = [word.key for word in words[index : index + 3]]
        if keys == ["is", "responsible", "for"] and words[index + 3].key.endswith("ing"):
            for does in _third_persons(words[index + 3]):
                yield [*words[:index], does, *words[index + 4 :]]


def turn_concession(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "A but B" for "B, although A" and for "Although A, B"."""
    place = next((i for i, word in enumerate(words) if word.key in {"although", "though"}), None)
    if place is None:
        return
    if place > 2:
        first, second = words[place + 1 :], words[:place]
    else:
        comma = next((i for i in range(3, len(words) - 2) if "," in words[i].gap), 0)
        first, second = (words[1:comma], words[comma:]) if place == 0 and comma else ((), ())
    if len(first) > 1 and len(second) > 1:
        yield [*first, make_word("but", words[place]), *second]
        yield from turn_adverbials([*first, make_word("but", words[place]), *second])


_OF_ITSELF = frozenset("closed opened started begun ended".split())


def turn_of_itself(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "the mine closed in 1986" for "the mine was closed in 1986"."""
    for index in range(1, len(words) - 2):
        if words[index].key == "was" and words[index + 1].key in _OF_ITSELF and words[index + 2].key == "in":
            yield [*words[:index], *words[index + 1 :]]
            return


def turn_description(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "called the result solid" for "described the result as solid"."""
    verb = next((i for i in range(1, len(words) - 3) if words[i].key in {"described", "describes"}), 0)
    place = next((i for i in range(verb + 2, len(words) - 1) if words[i].key == "as"), 0) if verb else 0
    if place:
        called = make_word("called" if words[verb].key == "described" else "calls", words[verb])
        yield [*words[:verb], called, *words[verb + 1 : place], *words[place + 1 :]]


_EASY_ADVERBS = frozenset("mainly mostly usually often always sometimes rarely generally still now".split())


def turn_adverb(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "hunts mainly at dusk" for "mainly hunts at dusk"."""
    for index in range(1, len(words) - 2):
        if words[index].key in _EASY_ADVERBS and is_verb_at(words, index + 1):
            yield [*words[:index], words[index + 1], words[index], *words[index + 2 :]]
            return


def turn_absence(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "no data was lost" for "there was no loss of data", and "no gap was found" for "there was no gap"."""
    if len(words) < 5 or words[0].key != "there" or words[1].key not in _BE or words[2].key != "no":
        return
    yield [*words[2:], *make_phrase(f"{words[1].key} found", words[1])]
    if words[4].key == "of" and words[3].key in _LOSSES and len(words) > 5:
        end = next((i for i in range(6, len(words)) if words[i].key in PREPOSITIONS), len(words))
        done = make_word(_LOSSES[words[3].key], words[3])
        yield [words[2], *words[5:end], words[1], done, *words[end:]]


_LOSSES = {
    "loss": "lost", "change": "changed", "use": "used", "theft": "stolen", "damage": "damaged", "increase": "increased",
}  # fmt: skip


def _third_persons(doing: ClaimWord) -> Iterator[ClaimWord]:
    """Yield what an "-ing" may be the form of: "opens", "drives", "plans"."""
    base = doing.key.removesuffix("ing")
    for key in (f"{base}s", f"{base}es", f"{base[:-1]}s"):
        yield make_word(key, doing)


def turn_share(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "14 of 120 plans were dropped" for "of 120 plans, 14 were dropped"."""
    if words[0].key not in {"of", "out"}:
        return
    start = 2 if words[0].key == "out" else 1
    comma = next((i for i in range(start + 2, min(8, len(words) - 1)) if "," in words[i].gap and words[i].is_number), 0)
    if comma:
        share = [words[comma], make_word("of", words[0]), *words[start:comma], *words[comma + 1 :]]
        yield share
        yield from turn_adverbials(share)


def turn_per(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "the fee is 5 euros per claim" for "the fee per claim is 5 euros"."""
    be = next((i for i in range(3, min(8, len(words) - 1)) if words[i].key in {"is", "was", "costs"}), 0)
    place = next((i for i in range(1, be) if words[i].key == "per"), 0)
    if place and words[be + 1].is_number:
        yield [*words[:place], *words[be : be + 2], *words[place:be], *words[be + 2 :]]


def turn_copula(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "B is A" for "A is B"."""
    place = next((index for index, word in enumerate(words) if word.key in {"is", "was"}), 0)
    if 0 < place < len(words) - 1 and "the" in {words[0].key, words[place + 1].key}:
        yield [*words[place + 1 :], words[place], *words[:place]]
        end = next((i for i in range(place + 2, len(words)) if _begins_adverbial(words, i)), 0)
        if end:  # "the first choice is oil in mild cases"
            yield [*words[place + 1 : end], words[place], *words[:place], *words[end:]]


_ENDS_SUBJECT = frozenset(
    "is was has had may can could will would must should might does did in on at by with from for to near beside "
    "behind above below under over between into against about after before who which that where when because".split()
)


def read_subject(words: Sequence[ClaimWord]) -> list[ClaimWord]:
    """Return the words of a sentence up to its verb, an opening adverbial left out, as far as their forms show."""
    start = 0
    is_opening = bool(words) and (_is_participle(words[0]) or words[0].key.endswith("ing") or words[0].key == "born")
    if words and (words[0].key in _HEADS or is_opening):
        start = next((i for i in range(1, min(9, len(words))) if "," in words[i].gap), 0)
    subject: list[ClaimWord] = []
    for index, word in enumerate(words[start : start + 8], start=start):
        is_second = bool(subject) and (word.key in {"a", "an", "the", "its", "his", "her", "their"} or "," in word.gap)
        is_numbered = word.is_number and bool(subject) and subject[-1].is_name and not word.gap.strip()
        if subject and subject[0].key in PRONOUNS - {"this", "these", "that", "those", "its", "his", "her", "their"}:
            break
        if len(subject) > 1 and is_verb_at(words, index):
            break
        is_verb = index + 1 < len(words) and words[index + 1].key in {"it", "them", "him", "us"}
        if word.key in _ENDS_SUBJECT or (subject and is_verb) or is_second or (subject and _is_participle(word)):
            break
        if word.is_number and not is_numbered:
            break
        subject.append(word)
    return subject


def read_kind(words: Sequence[ClaimWord]) -> list[ClaimWord]:
    """Return "blind salamander" of "The olm is a blind salamander that ..."; nothing where no kind is named."""
    be = next((index for index in range(1, min(9, len(words) - 2)) if words[index].key in {"is", "was"}), 0)
    if not be or words[be + 1].key not in {"a", "an", "the"}:
        return []
    end = be + 2
    while end < len(words) and words[end].is_content and not set(words[end].gap) & PARTING:
        end += 1
    return list(words[be + 2 : end])


def turn_report(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "... said Ada Kern" and "... Ada Kern said" for "Ada Kern said: ..."."""
    verb = next((index for index, word in enumerate(words[:5]) if index and word.key in REPORTING), 0)
    if verb and verb + 1 < len(words) and set(words[verb + 1].gap) & set(':,"“'):
        yield [*words[verb + 1 :], words[verb], *words[:verb]]
        yield [*words[verb + 1 :], *words[:verb], words[verb]]


def turn_pair(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "B and A ..." for "A and B ..." at the beginning, where nothing is told of them "respectively"."""
    if any(word.key in {"respectively", "former", "latter"} for word in words):
        return
    place = next((index for index, word in enumerate(words[:4]) if word.key in {"and", "or"}), 0)
    for end in (place + 2, place + 3):
        if place and end < len(words) and words[end - 1].is_content:
            yield [*words[place + 1 : end], words[place], *words[:place], *words[end:]]


_TURNS = (
    turn_adverbials,     turn_active,     turn_comparison,     turn_copula,     turn_report,     turn_pair,
    turn_generic,     turn_genitive,     turn_agentless,     turn_span,     turn_plural,     turn_supposed,
    turn_inclusion,     turn_only,     turn_group,     turn_cause,     turn_date,     turn_duty,     turn_order,
    turn_place,     turn_singular,     turn_ends,     turn_compound,     turn_progressive,     turn_share,
    turn_per,     turn_object_compound,     turn_denial,     turn_ban,     turn_task,     turn_concession,
    turn_of_itself,     turn_description,     turn_adverb,     turn_absence,
)  # fmt: skip


def read_turns(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield the words in another order or voice, with the same meaning."""
    for turn in _TURNS:
        yield from turn(words)
