"""What the words that differ between a claim and a sentence mean: no change, or a reason why it is not said. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence, Set
from dataclasses import replace
from itertools import pairwise

from roma_core.citations.align import Alignment, Edit, find_run
from roma_core.citations.codes import CODE_PREFIX
from roma_core.citations.cuts import (
    LEXICA,
    find_left_out,
    is_unambiguous,
    text_of,
)
from roma_core.citations.lexicon import (
    ANAPHORS,
    ANTONYMS,
    AUXILIARIES,
    DENIALS,
    HARMLESS,
    HEDGES,
    NEGATIONS,
    PERSON_OF,
    PRONOUNS,
    QUANTIFIERS,
    SYNONYMS,
)
from roma_core.citations.numbers import is_convertible, is_within, rounding_error, same_quantity
from roma_core.citations.paraphrases import is_same_clause
from roma_core.citations.passage import PassageUnit, SourceWords
from roma_core.citations.phrases import BOUND_NAMES
from roma_core.citations.reasons import Reason
from roma_core.citations.words import (
    ClaimWord,
    is_opposite_by_prefix,
    stem,
)

SLOT = 3
"""Content words on either side of a difference up to which it is one word for another, and no other wording."""


def bind_numbers(wanted: Sequence[ClaimWord], present: Sequence[ClaimWord]) -> list[ClaimWord]:
    """Give numbers and dates of a claim the key of the source's that says the same in other units or more fully."""
    keys = {word.key for word in present}
    measured = [word for word in present if word.quantity is not None or word.date is not None]
    if not measured:
        return list(wanted)
    plain = [
        word
        for index, word in enumerate(present)
        if word.quantity is not None and not (index and present[index - 1].key in BOUND_NAMES)
    ]
    bound: list[ClaimWord] = []
    for word in wanted:
        if not word.is_number or word.key in keys:
            bound.append(word)
            continue
        same = min(
            (other for other in measured if _says_same(word, other)), key=lambda o: _distance(word, o), default=None
        )
        is_rounded = same is not None and _distance(word, same) > 0
        if (same is None or is_rounded) and bound and bound[-1].key in BOUND_NAMES:
            limit = bound[-1].key
            same = next((other for other in plain if _lies_within(limit, word, other)), None)
            if same is not None:
                bound.pop()
        bound.append(replace(word, key=same.key, stem=same.stem) if same else word)
    return bound


def _lies_within(limit: str, claimed: ClaimWord, other: ClaimWord) -> bool:
    """Return whether the source's number is "more than 40", "about 50" or what else a claim says of it."""
    if claimed.quantity is None or other.quantity is None:
        return False
    are_years = all(re.fullmatch(r"1[5-9]\d\d|20\d\d", word.text) for word in (claimed, other))
    return not are_years and is_within(limit, claimed.quantity, other.quantity)


def _distance(claimed: ClaimWord, other: ClaimWord) -> float:
    """Return how far two quantities that say the same differ after conversion: an exact one is 0."""
    if claimed.quantity is None or other.quantity is None:
        return 0.0
    return rounding_error(claimed.quantity, other.quantity)


def _says_same(claimed: ClaimWord, other: ClaimWord) -> bool:
    if claimed.quantity is not None and other.quantity is not None:
        return same_quantity(claimed.quantity, other.quantity)
    if other.date is None:
        return False
    if claimed.date is not None:
        return other.date.holds(claimed.date)
    is_year = claimed.quantity is not None and len(claimed.text) == 4 and claimed.text.isdecimal()
    return is_year and other.date.year == int(claimed.text)


def find_reasons(
    claim: Sequence[ClaimWord],
    present: Sequence[ClaimWord],
    alignment: Alignment,
    unit: PassageUnit,
    source: SourceWords,
) -> tuple[Reason, ...]:
    """Return the reasons why the words of a claim do not say the sentence ``present``, given their alignment."""
    moved = {word.key for edit in alignment.edits for word in edit.source if word.is_content}
    reasons: list[Reason] = []
    for edit in alignment.edits:
        reasons += _edit_reasons(edit, claim, present, moved, unit, source)
    return tuple(reasons)


def _edit_reasons(
    edit: Edit,
    claim: Sequence[ClaimWord],
    present: Sequence[ClaimWord],
    moved: Set[str],
    unit: PassageUnit,
    source: SourceWords,
) -> list[Reason]:
    next_claim = claim[edit.claim_index + len(edit.claim)] if not edit.at_end else None
    next_source_index = edit.source_index + len(edit.source)
    edit = _without_same_numbers(edit)
    if (not edit.claim and not edit.source) or _is_synonym(edit):
        return []
    if _changes_person(edit):
        return [Reason("word", text_of(edit.claim), text_of(edit.source))]
    their_keys = {word.key for word in edit.source}
    new = [
        word
        for word in edit.claim
        if word.key not in HARMLESS or (word.key == "and" and their_keys & {"or", "nor", "of"})
    ]
    next_source = present[next_source_index] if next_source_index < len(present) else None
    if not new:
        return find_left_out(edit, present, next_source, source.words)
    if _is_resolved(edit, new, next_claim, unit, source):
        return find_left_out(replace(edit, source=()), present, next_source, source.words)
    if _is_expanded_name(edit, new, next_claim, source):
        return find_left_out(edit, present, next_source, source.words)
    before = present[edit.source_index - 1] if edit.source_index else None
    if _is_named_fully(edit, new, next_claim, before, source):
        return []
    if _is_finite_verb(edit, new, before, next_source):
        return []
    return [_difference(new, edit, moved)]


def _is_synonym(edit: Edit) -> bool:
    """Return whether the words on both sides are one of the pairs that everybody uses for each other."""
    if is_same_clause(edit.claim, edit.source):
        return True
    sides = [tuple(word.key for word in side) for side in (edit.claim, edit.source)]
    groups = [SYNONYMS.get(side, frozenset()) for side in sides]
    if groups[0] & groups[1]:
        return True
    content = [tuple(key for key in side if key not in HARMLESS) for side in sides]
    groups = [SYNONYMS.get(side, frozenset()) for side in content]
    return bool(groups[0] & groups[1]) or _are_synonyms(*sides) or _are_synonyms(*content)


def _are_synonyms(claim: tuple[str, ...], source: tuple[str, ...]) -> bool:
    """Return whether two runs say the same phrase by phrase: "permitted provided that" and "allowed if"."""
    for ours in range(1, min(_LONGEST_SYNONYM, len(claim)) + 1):
        for theirs in range(1, min(_LONGEST_SYNONYM, len(source)) + 1):
            first, second = claim[:ours], source[:theirs]
            if first == second or SYNONYMS.get(first, frozenset()) & SYNONYMS.get(second, frozenset()):
                is_end = ours == len(claim) and theirs == len(source)
                if is_end or _are_synonyms(claim[ours:], source[theirs:]):
                    return True
    return False


_LONGEST_SYNONYM = max(map(len, SYNONYMS))


def _changes_person(edit: Edit) -> bool:
    """Return whether a pronoun stands for one of another person: "her" for "his", "their" for "its"."""
    ours, theirs = ({PERSON_OF[w.key] for w in side if w.key in PERSON_OF} for side in (edit.claim, edit.source))
    return bool(ours) and bool(theirs) and not ours & theirs


def _without_same_numbers(edit: Edit) -> Edit:
    """Return the edit without the numbers that say the same on both sides, in other units or more fully."""
    ours, theirs = list(edit.claim), list(edit.source)
    for word in edit.claim:
        same = next((other for other in theirs if word.is_number and _says_same(word, other)), None)
        if same is not None:
            ours.remove(word)
            theirs.remove(same)
    return replace(edit, claim=tuple(ours), source=tuple(theirs))


def _difference(new: Sequence[ClaimWord], edit: Edit, moved: Set[str]) -> Reason:
    """Return the reason for words of a claim that its source does not have in this place."""
    ours, theirs = text_of(edit.claim), text_of(edit.source)
    is_slot = all(sum(word.is_content for word in side) <= SLOT for side in (edit.claim, edit.source))
    numbers = [word for word in new if word.is_number]
    other_numbers = [word for word in edit.source if word.is_number]
    new_keys, old_keys = {word.key for word in new}, {word.key for word in edit.source}
    if new_keys & NEGATIONS or old_keys & DENIALS:
        return Reason("negation", ours, theirs, is_slot)
    codes = [any(word.key.startswith(CODE_PREFIX) for word in side) for side in (new, edit.source)]
    if any(codes):
        return Reason("code" if all(codes) else "name", ours, theirs, is_slot)
    if numbers:
        is_unit = any(_same_number(a, b) for a in numbers for b in other_numbers)
        is_other_value = any(are_of_one_kind(a, b) for a in numbers for b in other_numbers)
        return Reason("unit" if is_unit else "number", ours, theirs, is_slot and (is_unit or is_other_value))
    if any(is_opposite(a, b) for a in new for b in edit.source):
        return Reason("direction", ours, theirs, is_slot)
    for kind, words in LEXICA:
        if (new_keys | old_keys) & words:
            return Reason(kind, ours, theirs)
    if any(word.key in moved and word.is_content for word in new):
        return Reason("order", ours, theirs)
    if any(word.is_name for word in new):
        return Reason("name", ours, theirs)
    return Reason("word", ours, theirs)


def are_of_one_kind(a: ClaimWord, b: ClaimWord) -> bool:
    """Return whether two numbers may say the same of a thing: dates, or amounts of one unit."""
    if a.quantity is None or b.quantity is None:
        return (a.quantity is None) == (b.quantity is None)
    return a.quantity.unit == b.quantity.unit or is_convertible(a.quantity, b.quantity)


def _same_number(a: ClaimWord, b: ClaimWord) -> bool:
    if a.quantity is None or b.quantity is None:
        return False
    return (a.quantity.value == b.quantity.value and a.quantity.unit != b.quantity.unit) or is_convertible(
        a.quantity, b.quantity
    )


def is_opposite(a: ClaimWord, b: ClaimWord) -> bool:
    """Return whether two words say the opposite of each other: "rise" and "fall", "likely" and "unlikely"."""
    pairs = (frozenset({a.key, b.key}), frozenset({a.stem, b.stem}))
    return any(pair in ANTONYMS or pair in _stemmed_antonyms() for pair in pairs) or is_opposite_by_prefix(a.key, b.key)


@functools.cache
def _stemmed_antonyms() -> frozenset[frozenset[str]]:
    return frozenset(frozenset(stem(word) for word in pair) for pair in ANTONYMS)


def _is_resolved(
    edit: Edit, new: Sequence[ClaimWord], next_claim: ClaimWord | None, unit: PassageUnit, source: SourceWords
) -> bool:
    """Return whether words of a claim only say what its source calls "it", "the company" or leaves to its title."""
    content = [word for word in new if word.is_content]
    if not content or any(word.key in NEGATIONS for word in new):
        return False
    if {word.key for word in new} & AUXILIARIES - {word.key for word in edit.source}:
        return False
    is_numbered = any(word.is_number for word in new)
    known = source.known_at(unit.sentence.start)
    earlier = source.stems_of_antecedents(unit)
    names_only = all(word.is_name or word.stem in known for word in content)
    theirs = [word.key for word in edit.source]
    if theirs in (["it"], ["they"]) and edit.at_start and source.is_of_kind(content, unit):
        return True
    if not all(word.stem in known or word.stem in earlier for word in content):
        return False
    if is_numbered and not (any(word.is_name for word in new) and edit.at_start):
        return False
    if any(word.key in QUANTIFIERS or word.key in HEDGES for word in new):
        return False
    if len(theirs) == 1 and theirs[0] in ANAPHORS:
        return all(word.is_name for word in content)
    if theirs and theirs[0] in PRONOUNS | {"the", "this", "these"}:
        rest = [word for word in edit.source if word.is_content]
        is_pronoun = not rest
        is_noun = len(rest) <= 2 and names_only and not any(word.is_name or word.is_number for word in rest)
        return (is_pronoun or is_noun) and not {w.key for w in edit.source} & (NEGATIONS | QUANTIFIERS)
    if theirs:
        return False
    is_topic = edit.at_start and all(word.stem in known for word in content)
    return is_topic


def _is_expanded_name(edit: Edit, new: Sequence[ClaimWord], next_claim: ClaimWord | None, source: SourceWords) -> bool:
    """Return whether "Ada Kern" stands for the source's "Kern", which the passage makes plain elsewhere."""
    if next_claim is None or not all(word.text[:1].isupper() for word in new) or not next_claim.is_name:
        return False
    if any(word.is_content for word in edit.source):
        return False
    keys = [*(word.key for word in new), next_claim.key]
    return find_run(keys, source.keys) >= 0 and is_unambiguous(next_claim.key, new[-1].key, source.words)


def _is_named_fully(
    edit: Edit, new: Sequence[ClaimWord], noun: ClaimWord | None, before: ClaimWord | None, source: SourceWords
) -> bool:
    """Return whether "the replacement buses" stands for the source's "the buses": the passage has no others."""
    if noun is None or edit.source or before is None or before.key not in {"the", "these"}:
        return False
    is_plain = all(word.is_content and word.kind == "word" and word.gap == " " for word in (*new, noun))
    if not is_plain or find_run([*(word.key for word in new), noun.key], source.keys) < 0:
        return False
    kinds = [a.key for a, b in pairwise(source.words) if b.key == noun.key and a.is_content and not b.gap.strip()]
    return set(kinds) == {new[-1].key}


def _is_finite_verb(
    edit: Edit, new: Sequence[ClaimWord], before: ClaimWord | None, next_source: ClaimWord | None
) -> bool:
    """Return whether a claim puts "was" before the participle of a clause that its source has in brackets or commas."""
    if any(word.key not in {"was", "is"} for word in new) or len(new) != 1 or next_source is None:
        return False
    if "," in next_source.gap and next_source.key in {"a", "an", "the"} and all(w.key in HARMLESS for w in edit.source):
        return before is not None and before.text[:1].isupper()
    has_participle = next_source.key.endswith(("ed", "en", "born", "wn", "ilt", "ade"))
    is_parted = bool(set(next_source.gap) & set(",(;–—"))
    return has_participle and is_parted and all(word.key in HARMLESS for word in edit.source)
