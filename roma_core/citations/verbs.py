"""Verbs of a claim and of its source by their forms: where one stands, and what is another form of it. Pure.

Verbs are found by closed classes and by their endings; a word that only may be one is read as one where its neighbours
allow it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from roma_core.citations.lexicon import (
    ADVERBS,
    AUXILIARIES,
    BASE_OF,
    DETERMINERS,
    IRREGULAR_PASTS,
    PAST_OF,
    PREPOSITIONS,
    PRONOUNS,
)
from roma_core.citations.words import ClaimWord, stem

Words = list[ClaimWord]

PARTING = frozenset(",;:()[]–—|\n")
"""Signs between two words that part what they belong to."""
HYPHENS = frozenset("-‐‑")
_MOST_SUBJECT = 12
"""Words of a subject at most."""

PARTICIPLE = "participle"
THIRD_PERSON = "present"
"""Forms of verbs that a statement may have where its sentence has another one."""


def lemma(word: ClaimWord) -> str:
    """Return one key for the forms of a verb: "writes", "wrote" and "written" have that of "write"."""
    return BASE_OF.get(word.key) or BASE_OF.get(word.key.removesuffix("s")) or word.stem


def in_form(verb: ClaimWord, form: str) -> ClaimWord:
    """Return a verb that stands for one of its forms, whichever the other side has."""
    return replace(verb, key=f"{form}:{lemma(verb)}:{PAST_OF.get(verb.key, verb.key)}")


def in_singular(predicate: Sequence[ClaimWord]) -> Words:
    """Return a predicate of several for one of them: "play" stands for "plays"."""
    verb = predicate[0]
    is_plain = verb.key not in AUXILIARIES and not is_past_form(verb)
    return [in_form(verb, THIRD_PERSON) if is_plain else verb, *predicate[1:]]


def match_forms(words: Sequence[ClaimWord], others: Sequence[ClaimWord]) -> Words:
    """Return the words with the forms of verbs that ``others`` have in place of those that stand for one."""
    if not any(word.key.startswith((PARTICIPLE, THIRD_PERSON)) for word in words):
        return list(words)
    matched: Words = []
    for word in words:
        form, _, rest = word.key.partition(":")
        base, _, own = rest.partition(":")
        if not own or form not in {PARTICIPLE, THIRD_PERSON}:
            matched.append(word)
            continue
        is_done = form == PARTICIPLE
        same = next((w for w in others if is_past_form(w) == is_done and w.kind == "word" and lemma(w) == base), None)
        alone = own if is_done else base  # "chose" is not "choose" where neither side has the word
        matched.append(replace(word, key=same.key if same else alone, stem=same.stem if same else stem(alone)))
    return matched


def is_past_form(word: ClaimWord) -> bool:
    """Return whether a word may be the past or the participle of a verb, by its form."""
    if word.kind != "word":
        return False
    return word.key in PAST_OF or word.key in IRREGULAR_PASTS or (len(word.key) > 4 and word.key.endswith("ed"))


def is_verb_at(words: Sequence[ClaimWord], index: int) -> bool:
    """Return whether a finite verb may stand at ``index``."""
    word = words[index]
    if word.kind != "word" or word.is_name:
        return False
    if word.key in AUXILIARIES:
        return True
    if index and word.gap in HYPHENS:  # "best-known"
        return False
    following = words[index + 1] if index + 1 < len(words) else None
    is_determined = bool(index) and words[index - 1].key in DETERMINERS and words[index - 1].text != "A"
    is_determined = is_determined or (index == 1 and words[0].key in DETERMINERS)
    if is_past_form(word):
        return index == 0 or not (is_determined or words[index - 1].key in AUXILIARIES)
    is_third = len(word.key) > 3 and word.key.endswith("s") and not word.key.endswith(("ss", "us", "is"))
    if not is_third or is_determined:
        return False
    return following is None or may_follow_verb(following)


def may_follow_verb(word: ClaimWord) -> bool:
    """Return whether a word may stand behind a finite verb."""
    if word.is_number or word.is_name or set(word.gap) & PARTING:
        return True
    return word.key in DETERMINERS | PREPOSITIONS | PRONOUNS | ADVERBS | {"that", "only", "more", "less", "when"}


def find_verb(words: Sequence[ClaimWord]) -> int:
    """Return the index of the first finite verb behind a subject; 0 where there is none."""
    if len(words) > 2 and words[0].key in {"i", "we", "they", "you"} and words[1].key not in ADVERBS:
        return 1
    for index in range(1, min(len(words), _MOST_SUBJECT)):
        if is_verb_at(words, index):
            return index
    return 0
