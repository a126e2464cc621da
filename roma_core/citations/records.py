"""Claims that read "Label: value" lines aloud: each value must stand behind the label that the claim gives it. Pure.

"Room: Oak. Floor: 3. Seats: 14." says that the Oak room is on floor 3 and has 14 seats. The lines are read as pairs for
the check alone. The first pair names what the record is about; a claim pairs every other label with its own value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from roma_core.citations.lexicon import CONDITIONS, HARMLESS, HEDGES, NEGATIONS, QUANTIFIERS
from roma_core.citations.verbs import is_past_form
from roma_core.citations.words import ClaimWord, stem

_LONGEST_LABEL = 4
_LINKING = HARMLESS | frozenset("is was has of in by for at on from to with under and number it".split())
_LIMITING = NEGATIONS | HEDGES | CONDITIONS | QUANTIFIERS
_VERBS = """
runs term duration length, lasts term duration length, begins start, commences start, starts beginning, costs price cost
fee, weighs weight, assigned assignee, written author, wrote author, located location place address, based location
seat headquarters, owned owner, owns owner, made manufacturer maker, manufactured manufacturer, produced producer
manufacturer, supplied supplier, supplies supplier, designed designer architect, led leader head, directed director,
published publisher, edited editor, approved approver, reviewed reviewer, called name, named name, priced price
"""
_LABELS_OF: dict[str, frozenset[str]] = {
    verb: frozenset(stem(label) for label in labels) for verb, *labels in (v.split() for v in _VERBS.split(","))
}
"""Verbs by which a claim speaks of a label."""


@dataclass(frozen=True)
class LabelledValue:
    """A label and its value, with the offsets of both."""

    start: int
    end: int
    label: frozenset[str]
    value: tuple[ClaimWord, ...]

    @property
    def is_yes(self) -> bool:
        return [word.key for word in self.value] in (["yes"], ["included"], ["available"])


@dataclass(frozen=True)
class _NamedPart:
    """A word of a claim that stands for a label or a value of a pair."""

    pair: int
    part: Literal["label", "value"]
    first: int
    last: int


def read_records(words: Sequence[ClaimWord]) -> list[tuple[LabelledValue, ...]]:
    """Return the runs of at least two "Label: value" entries, on lines of their own or one after the other."""
    records: list[tuple[LabelledValue, ...]] = []
    run: list[LabelledValue] = []
    index = 0
    while index < len(words):
        colon = _colon_of(words, index)
        if not colon:
            if len(run) > 1:
                records.append(tuple(run))
            run = []
            index += 1
            continue
        end = _end_of_value(words, colon)
        label = frozenset(word.stem for word in words[index:colon] if word.is_content)
        run.append(LabelledValue(words[index].start, words[end - 1].end, label, tuple(words[colon:end])))
        index = end
    if len(run) > 1:
        records.append(tuple(run))
    return records


def _colon_of(words: Sequence[ClaimWord], index: int) -> int:
    """Return where the value begins of an entry that begins at ``index``; 0 where none begins."""
    word = words[index]
    begins = index == 0 or bool(set(word.gap) & set("\n.;|")) or "- " in word.gap
    if not begins or not word.text[:1].isupper():
        return 0
    for place in range(index + 1, min(index + _LONGEST_LABEL + 1, len(words))):
        gap = words[place].gap
        if ":" in gap:
            is_label = any(w.is_content for w in words[index:place]) and not gap.startswith("://")
            return place if is_label and not words[index].is_number else 0
        if gap.strip(" -/.*_()") or "\n" in gap:
            return 0
    return 0


def _end_of_value(words: Sequence[ClaimWord], start: int) -> int:
    for index in range(start + 1, len(words)):
        gap = words[index].gap
        if "\n" in gap or ";" in gap or (". " in gap and words[index].text[:1].isupper()) or _colon_of(words, index):
            return index
    return len(words)


def read_record_claim(
    claim: Sequence[ClaimWord], words: Sequence[ClaimWord], known: Set[str]
) -> tuple[int, int] | None:
    """Return the place of the pairs that say a claim; None where no record says it.

    ``known`` holds the stems of the title and headings, which may name what the record is about.
    """
    records = read_records(words)
    for record in records:
        is_one_of_many = any(other is not record and other[0].label == record[0].label for other in records)
        tokens = _read_tokens(claim, record, known)
        if tokens is None or (is_one_of_many and not any(t.pair == 0 and t.part == "value" for t in tokens)):
            continue
        pairs = [record[index] for index in _paired(claim, tokens, record)]
        if pairs:
            return min(pair.start for pair in pairs), max(pair.end for pair in pairs)
    return None


def _read_tokens(
    claim: Sequence[ClaimWord], record: Sequence[LabelledValue], known: Set[str]
) -> list[_NamedPart] | None:
    """Return the labels and values that a claim names in order; None where it has other words."""
    tokens: list[_NamedPart] = []
    index = 0
    while index < len(claim):
        word = claim[index]
        found = _value_at(claim, index, record) or _label_at(claim, index, record)
        if found is not None:
            tokens.append(found)
            index = found.last
            continue
        if word.key in _LIMITING - _LINKING or not (word.key in _LINKING or word.stem in known):
            return None
        index += 1
    return tokens


def _value_at(claim: Sequence[ClaimWord], index: int, record: Sequence[LabelledValue]) -> _NamedPart | None:
    """Return the longest value that stands in the claim at ``index``."""
    best: _NamedPart | None = None
    for number, pair in enumerate(record):
        for value in _values_of(pair):
            said = [word for word in value if word.key not in HARMLESS]
            place, used = index, 0
            while place < len(claim) and used < len(said):
                if claim[place].key == said[used].key:
                    used += 1
                elif claim[place].key not in HARMLESS or not used:
                    break
                place += 1
            if said and used == len(said) and (best is None or place > best.last):
                best = _NamedPart(number, "value", index, place)
    return best


def _values_of(pair: LabelledValue) -> Iterator[Sequence[ClaimWord]]:
    """Yield a value whole; of a list, each of its items too."""
    yield pair.value
    starts = [0, *(i for i, word in enumerate(pair.value) if i and "," in word.gap), len(pair.value)]
    for begin, end in pairwise(starts):
        if len(starts) > 2 and not any("(" in word.gap for word in pair.value):
            yield pair.value[begin:end]


def _label_at(claim: Sequence[ClaimWord], index: int, record: Sequence[LabelledValue]) -> _NamedPart | None:
    """Return the label that the claim names at ``index``: whole, or by a word that no other label has."""
    end = index
    while end < len(claim) and claim[end].is_content and _is_of_label(claim[end], record):
        end += 1
    for last in range(end, index, -1):
        run = {word.stem for word in claim[index:last]}
        whole = [number for number, pair in enumerate(record) if pair.label == run]
        own = [number for number, pair in enumerate(record) if run <= pair.label]
        if len(whole) == 1 or len(own) == 1:
            return _NamedPart((whole or own)[0], "label", index, last)
    spoken = _LABELS_OF.get(claim[index].key, frozenset())
    own = [number for number, pair in enumerate(record) if pair.label & spoken]
    return _NamedPart(own[0], "label", index, index + 1) if len(own) == 1 else None


def _is_of_label(word: ClaimWord, record: Sequence[LabelledValue]) -> bool:
    return any(word.stem in pair.label for pair in record)


def _paired(claim: Sequence[ClaimWord], tokens: Sequence[_NamedPart], record: Sequence[LabelledValue]) -> list[int]:
    """Return the pairs that a claim says; none where it gives a label the value of another one."""
    own = [token for token in tokens if token.pair == 0]
    rest = [token for token in tokens if token.pair]
    if any(t.part == "value" and t.first and claim[t.first - 1].key in {"is", "was", "by"} for t in own) and rest:
        return []
    said: list[int] = []
    index = 0
    while index < len(rest):
        first, second = rest[index], rest[index + 1] if index + 1 < len(rest) else None
        if first.part == "label" and record[first.pair].is_yes:
            if not _is_had(claim, first):
                return []
            size = 1
        elif second is None or not _is_pair(claim, first, second):
            return []
        else:
            size = 2
        said.append(first.pair)
        index += size
    if not rest and {token.part for token in own} == {"label", "value"} and len(own) == 2:
        return [0]
    return said


def _is_pair(claim: Sequence[ClaimWord], first: _NamedPart, second: _NamedPart) -> bool:
    """Return whether two tokens are a label and its own value, in an order that says so."""
    return first.pair == second.pair and first.part != second.part and _is_right_way(claim, first, second)


def _is_had(claim: Sequence[ClaimWord], token: _NamedPart) -> bool:
    """Return whether a claim says that its subject has what the label names."""
    before = [word.key for word in claim[max(0, token.first - 2) : token.first]]
    return bool({"has", "includes"} & set(before))


def _is_right_way(claim: Sequence[ClaimWord], first: _NamedPart, second: _NamedPart) -> bool:
    """Return whether a verb for a label has its value on the right side: "was reported by Ann", "Ann reported"."""
    verb, value = (first, second) if first.part == "label" else (second, first)
    if not is_past_form(claim[verb.first]):
        return True
    before = claim[verb.first - 1].key if verb.first else ""
    is_passive = before in {"is", "was"}
    follows = value.first > verb.first
    between = {word.key for word in claim[verb.last : value.first]} if follows else set()
    return is_passive and bool(between & {"by", "to", "on", "in", "at"}) if follows else not is_passive
