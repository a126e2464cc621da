"""A passage as the check of claims reads it: its words, sentences and headings, and what each sentence says. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from roma_core.citations.codes import CODE_PREFIX, join_codes, with_codes
from roma_core.citations.conclusions import conclude_list, draw_conclusions
from roma_core.citations.definitions import read_acronyms, write_acronyms
from roma_core.citations.lexicon import (
    ANAPHORS,
    NEGATIONS,
    PRONOUNS,
)
from roma_core.citations.paraphrases import read_paraphrases, read_reports
from roma_core.citations.phrases import read_phrases
from roma_core.citations.statements import (
    SPEAKERS,
    has_first_person,
    in_third_person,
    read_clauses,
    read_statements,
)
from roma_core.citations.turns import (
    read_kind,
    read_subject,
    turn_genitive,
)
from roma_core.citations.words import (
    ClaimWord,
    has_broken_words,
    join_broken,
    read_forms,
    read_words,
)
from roma_core.markup.sentences import Sentence, split_sentences

MOST_BACK = 4
"""Sentences before one that begins with a pronoun in which the subject is looked for."""


@dataclass(frozen=True)
class PassageUnit:
    """One sentence of the passage as a range of its words."""

    sentence: Sentence
    first: int
    last: int


@dataclass(frozen=True)
class SourceWords:
    """The words of a passage, with the sentences, headings and acronyms that say what they mean."""

    passage: str
    words: tuple[ClaimWord, ...]
    keys: tuple[str, ...]
    units: tuple[PassageUnit, ...]
    context: frozenset[str]
    names: tuple[tuple[str, ...], ...]
    headings: tuple[PassageHeading, ...]
    acronyms: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]

    def known_at(self, place: int) -> frozenset[str]:
        """Return the stems that say what is spoken of at an offset: of the title, and of the headings above it."""
        above: list[PassageHeading] = []
        for heading in self.headings:
            if heading.start > place:
                break
            above = [*(other for other in above if other.level < heading.level), heading]
        return self.context.union(*(heading.stems for heading in above if not heading.denies))

    @functools.cached_property
    def topic(self) -> frozenset[str]:
        """Return the stems of the title and of all headings of the passage."""
        return self.context.union(*(heading.stems for heading in self.headings))

    @functools.cached_property
    def stems(self) -> frozenset[str]:
        """Return the stems of the content words of the passage."""
        return frozenset(stems_of(self.words))

    @functools.cached_property
    def names_before(self) -> dict[str, dict[str, ClaimWord]]:
        """Return the words of names right before each word, all by their keys: "Ada" before "Kern"."""
        found: dict[str, dict[str, ClaimWord]] = {}
        for before, word in pairwise(self.words):
            if before.is_name and word.gap == " ":
                found.setdefault(word.key, {})[before.key] = before
        return found

    @functools.cached_property
    def sentences(self) -> tuple[Sequence[ClaimWord], ...]:
        """Return the words of each sentence of the passage."""
        return tuple(self.words[unit.first : unit.last] for unit in self.units)

    def statements(self, unit: PassageUnit, claim: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
        """Yield the simple statements of a sentence, also told of its speaker in the words of the claim."""
        words = self.unit_words(unit, claim)
        topic = self.heading_above(unit)
        made = [words, *read_statements(words, topic)]
        for entry in self._entries_of(words):
            made += [entry, *read_statements(entry, topic)]
        for clause in read_clauses(words):
            made += read_statements(clause, topic)
        if intro := self._intro_of(unit):
            made.append([*intro, replace(words[0], gap=" "), *words[1:]])
        made += conclude_list(*self._list_of(unit))
        made += read_reports(words)
        for statement in made:
            yield statement
            yield from draw_conclusions(statement)
            yield from read_paraphrases(statement)
            yield from turn_genitive(statement)
            if has_first_person(statement):
                yield from self._told_of_speaker(statement, claim)

    def _entries_of(self, words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
        """Yield the lines "Label: value" of a paragraph of such lines."""
        starts = [index for index, word in enumerate(words) if not index or "\n" in word.gap]
        for begin, end in pairwise([*starts, len(words)]):
            line = list(words[begin:end])
            is_entry = any(":" in word.gap for word in line[1:5]) and not line[0].text[:1].islower()
            if is_entry and len(starts) > 1:
                yield line

    def _intro_of(self, unit: PassageUnit) -> Sequence[ClaimWord]:
        """Return the words before a list of which a unit is an item: "The kit contains:"."""
        for other in reversed(self.units[: self.units.index(unit)]):
            text = self.passage[other.sentence.start : other.sentence.end].rstrip()
            if text.endswith(":"):
                return self.words[other.first : other.last]
            if other.sentence.kind != unit.sentence.kind or unit.sentence.kind == "paragraph":
                return ()
        return ()

    def _list_of(self, unit: PassageUnit) -> tuple[Sequence[ClaimWord], list[Sequence[ClaimWord]]]:
        """Return the words before a list and its items, where a unit is the one or one of the others."""
        words = self.words[unit.first : unit.last]
        colon = next((index for index in range(1, min(7, len(words))) if ":" in words[index].gap), 0)
        if colon:
            borders = [colon, *(i for i in range(colon + 1, len(words)) if "," in words[i].gap), len(words)]
            return words[:colon], [words[begin:end] for begin, end in pairwise(borders)]
        place = self.units.index(unit)
        while place >= 0 and not self._ends_open(self.units[place]):
            if self.units[place].sentence.kind != "list":
                return (), []
            place -= 1
        if place < 0:
            return (), []
        items: list[Sequence[ClaimWord]] = []
        for other in self.units[place + 1 :]:
            if other.sentence.kind != "list":
                break
            items.append(self.words[other.first : other.last])
        return self.words[self.units[place].first : self.units[place].last], items

    def _ends_open(self, unit: PassageUnit) -> bool:
        return self.passage[unit.sentence.start : unit.sentence.end].rstrip().endswith(":")

    def _told_of_speaker(self, statement: Sequence[ClaimWord], claim: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
        known = {word.stem for word in self.speaker}
        subject: list[ClaimWord] = []
        for word in claim[:4]:
            if word.key != "the" and word.key not in SPEAKERS and word.stem not in known:
                break
            subject.append(word)
        possessive = next((word.key for word in claim if word.key in {"its", "their", "his", "her"}), "")
        owner = next((i for i, word in enumerate(claim) if word.key in SPEAKERS), None)
        if possessive and subject:
            yield in_third_person(statement, subject, possessive)
        if subject:
            yield in_third_person(statement, subject, "")
        elif owner is not None and claim[owner].key in SPEAKERS and owner and claim[owner - 1].key == "the":
            yield in_third_person(statement, claim[owner - 1 : owner + 1], "")

    @functools.cached_property
    def speaker(self) -> tuple[ClaimWord, ...]:
        """Return the name of who says "I" or "we", as far as the passage says it: "We are ...", "From: ..."."""
        for index, word in enumerate(self.words[:-1]):
            keys = (word.key, self.words[index + 1].key)
            if keys in {("we", "is"), ("i", "is")} or (word.key == "from" and ":" in self.words[index + 1].gap):
                start = index + 1 if word.key == "from" else index + 2
                names = [other for other in self.words[start : start + 4] if other.text[:1].isupper()]
                return tuple(names)
        return ()

    def heading_above(self, unit: PassageUnit) -> tuple[ClaimWord, ...]:
        """Return the words of the heading that a sentence stands under."""
        above: tuple[ClaimWord, ...] = ()
        for other in self.units:
            if other.first >= unit.first:
                break
            if other.sentence.kind == "heading":
                above = self.words[other.first : other.last]
        return above

    def stems_of_antecedents(self, unit: PassageUnit) -> set[str]:
        """Return the stems of what a pronoun may stand for; "he" may be "Ada Kern" where "Kern" is plain."""
        words = self.find_antecedents(unit)
        stems = {word.stem for word in words}
        for name in words:
            if not name.is_name:
                continue
            before = self.names_before.get(name.key, {})
            if len(before) == 1:
                stems.add(next(iter(before.values())).stem)
        return stems

    def find_antecedents(self, unit: PassageUnit) -> list[ClaimWord]:
        """Return the words that a pronoun at the beginning of a sentence may stand for: the subject before it."""
        index = next((i for i, other in enumerate(self.units) if other.first == unit.first), 0)
        opening = self.words[unit.first].key
        spoken_of: list[ClaimWord] = []
        for other in reversed(self.units[max(0, index - MOST_BACK) : index]):
            words = self.words[other.first : other.last]
            if other is self.units[index - 1] and self.passage[: other.sentence.end].endswith("?"):
                return [*words]  # "Can I return a coat? It can be ..."
            subject = read_subject(words)
            if not any(word.is_content for word in subject) or (opening == "it" and _is_plural(subject)):
                continue
            end = len(subject)
            if end < len(words) and "," in words[end].gap and words[end].is_name:  # "the doctor, Emil Voss, ..."
                return [*subject, *read_subject(words[end:])]
            spoken_of += subject
            if not (len(subject) == 2 and subject[0].key == "the" and subject[1].key in ANAPHORS):
                return spoken_of
        return spoken_of

    def is_of_kind(self, noun: Sequence[ClaimWord], unit: PassageUnit) -> bool:
        """Return whether a noun says what "it" is: "the heater", behind "The Brisa is a small heater with a fan"."""
        index = self.units.index(unit)
        for other in reversed(self.units[max(0, index - MOST_BACK) : index]):
            words = self.words[other.first : other.last]
            subject = read_subject(words)
            kind = read_kind(words)
            if kind:
                is_head = noun[-1].stem == kind[-1].stem
                return is_head and {word.stem for word in noun} <= {word.stem for word in (*kind, *subject)}
            if not (subject and subject[0].key in PRONOUNS):
                return False
        return False

    @staticmethod
    @functools.lru_cache(maxsize=128)
    def read(passage: str, context: str, document: str, vocabulary: frozenset[str]) -> SourceWords:
        acronyms = read_acronyms(document or f"{context}\n{passage}")
        coded = with_codes(passage, read_words(passage, vocabulary))
        coded = join_codes(coded, {word.key for word in coded})
        words = tuple(_read_phrases(passage, write_acronyms(coded, acronyms)))
        lines = [read_words(line) for line in context.splitlines()]
        names = tuple(tuple(word.key for word in write_acronyms(line, acronyms)) for line in lines if line)
        units = tuple(_units(passage, words))
        known = {word.stem for line in lines for word in write_acronyms(line, acronyms) if word.is_content}
        known |= {word.stem for line in lines for word in line if word.is_content}
        return SourceWords(
            passage,
            words,
            tuple(word.key for word in words),
            units,
            frozenset(known),
            names,
            tuple(_headings(passage, units, words)),
            tuple(sorted(acronyms.items())),
        )

    def prepare_claim(self, claim: str) -> tuple[ClaimWord, ...]:
        """Return the words of a claim in the spelling of this passage, as far as that is the same."""
        acronyms = dict(self.acronyms)
        vocabulary = read_forms(self.passage) if has_broken_words(claim) else frozenset[str]()
        words = join_broken(with_codes(claim, read_words(claim, vocabulary)), frozenset(self.keys))
        words = write_acronyms(join_codes(words, frozenset(self.keys)), acronyms)
        return tuple(_read_phrases(claim, words))

    def unit_words(self, unit: PassageUnit, wanted: Sequence[ClaimWord]) -> list[ClaimWord]:
        return join_broken(self.words[unit.first : unit.last], frozenset(word.key for word in wanted))


def _is_plural(subject: Sequence[ClaimWord]) -> bool:
    """Return whether a subject is of several things, by its form: "the pumps", "Ada and Tom"."""
    last = subject[-1]
    return any(word.key == "and" for word in subject) or (
        last.key.endswith("s") and not last.key.endswith(("ss", "us", "is")) and not last.is_name and last.text != "s"
    )


def _read_phrases(text: str, words: Sequence[ClaimWord]) -> Iterator[ClaimWord]:
    """Yield the words with their phrases, sentence by sentence: no phrase depends on the sentence before."""
    first = 0
    for unit in _units(text, words):
        yield from words[first : unit.first]
        yield from read_phrases(words[unit.first : unit.last])
        first = unit.last
    yield from words[first:]


@dataclass(frozen=True)
class PassageHeading:
    """A heading of the passage: what its words name is spoken of below it."""

    start: int
    level: int
    stems: frozenset[str]
    denies: bool
    """"Not allowed": what stands under it is not said to be so."""


def _headings(passage: str, units: Sequence[PassageUnit], words: Sequence[ClaimWord]) -> Iterator[PassageHeading]:
    for unit in units:
        if unit.sentence.kind != "heading":
            continue
        line = passage[passage.rfind("\n", 0, unit.sentence.start) + 1 : unit.sentence.start]
        here = words[unit.first : unit.last]
        stems = frozenset(word.stem for word in here if word.is_content)
        denies = bool({word.key for word in here} & NEGATIONS)
        yield PassageHeading(unit.sentence.start, line.count("#"), stems, denies)


def _units(passage: str, words: Sequence[ClaimWord]) -> Iterator[PassageUnit]:
    first = 0
    for sentence in split_sentences(passage):
        while first < len(words) and words[first].start < sentence.start:
            first += 1
        last = first
        while last < len(words) and words[last].start < sentence.end:
            last += 1
        if last > first:
            yield PassageUnit(sentence, first, last)
        first = last


def stems_of(words: Iterable[ClaimWord]) -> Iterator[str]:
    """Yield the stems of the content words; a code has those of its parts, too."""
    for word in words:
        if word.is_content:
            yield word.stem
        if word.key.startswith(CODE_PREFIX):
            yield from (part.stem for part in read_words(re.sub(r"[\W_]+", " ", word.text)) if part.is_content)
