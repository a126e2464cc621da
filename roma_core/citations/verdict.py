"""Does a passage prove a claim? A deterministic check that sees a changed word, and the words that decided. Pure.

A claim is compared with the sentences of its passage word by word. Where it follows a sentence for most of its words,
every word that differs decides: a number, a unit, a date, a name, a negation, a hedge, a quantifier, a direction, the
order of words, a clause without which the rest means something else. A claim in other words is held to the share of
its content that stands in one place. What stands in quotation marks is verbatim or refused. ``docs/02_AGENT_SPECS.md``
describes the rules, ``docs/benchmarks/citations_attacks.md`` what they let through.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from itertools import pairwise

from roma_core.citations.align import Alignment, Edit, align, copied_share, find_run
from roma_core.citations.codes import CODE_PREFIX, join_codes, with_codes
from roma_core.citations.computed import compute_statements
from roma_core.citations.conclusions import conclude_list, draw_conclusions, turn_nominal
from roma_core.citations.cuts import (
    LEXICA,
    find_cut_after,
    find_cut_before,
    find_left_out,
    is_unambiguous,
    text_of,
)
from roma_core.citations.definitions import read_acronyms, write_acronyms
from roma_core.citations.lexicon import (
    ANAPHORS,
    ANTONYMS,
    APPROXIMATIONS,
    AUXILIARIES,
    DENIALS,
    DETERMINERS,
    FILLERS,
    HARMLESS,
    HEDGES,
    JOINERS,
    NEGATIONS,
    PERSON_OF,
    PRONOUNS,
    QUANTIFIERS,
    SYNONYMS,
)
from roma_core.citations.numbers import Date, is_convertible, is_within, rounding_error, same_quantity
from roma_core.citations.paraphrases import is_same_clause, read_paraphrases, read_reports, turn_report_clause
from roma_core.citations.parts import has_anaphor, is_broken_off, remove_frame, split_claim, split_clauses
from roma_core.citations.phrases import BOUND_NAMES, read_phrases
from roma_core.citations.quotations import is_title, unproven_quotation
from roma_core.citations.reasons import Reason, ReasonKind
from roma_core.citations.records import read_record_claim
from roma_core.citations.rows import RowVerdict, read_row_claim
from roma_core.citations.statements import (
    AUTHORS,
    OPINIONS,
    SPEAKERS,
    has_first_person,
    in_third_person,
    read_clauses,
    read_statements,
)
from roma_core.citations.turns import (
    move_date,
    move_opening,
    read_kind,
    read_subject,
    turn_active,
    turn_adverbials,
    turn_agentless,
    turn_cause,
    turn_comparison,
    turn_compound,
    turn_copula,
    turn_date,
    turn_duty,
    turn_ends,
    turn_generic,
    turn_genitive,
    turn_group,
    turn_inclusion,
    turn_object_compound,
    turn_only,
    turn_order,
    turn_pair,
    turn_per,
    turn_place,
    turn_plural,
    turn_progressive,
    turn_report,
    turn_share,
    turn_singular,
    turn_span,
    turn_supposed,
)
from roma_core.citations.verbs import (
    PARTICIPLE,
    PARTING,
    THIRD_PERSON,
    match_forms,
)
from roma_core.citations.words import (
    ClaimWord,
    has_broken_words,
    is_opposite_by_prefix,
    join_broken,
    make_word,
    read_forms,
    read_words,
)
from roma_core.markup.sentences import Sentence, split_sentences
from roma_core.types import CitationVerdict

SUPPORTED = 0.45
"""Least coverage by one place for *supported*, for a claim in other words; with ``KNOWN`` and ``PARTIAL`` chosen on the
development half of WiCE."""
KNOWN = 0.7
"""Least coverage by the whole passage for *supported*, for a claim in other words."""
SAYS_THE_REST = 0.65
"""Coverage of all but the numbers from which another number contradicts a claim in other words."""
PARTIAL = 0.3
"""Least coverage for *partial*."""
ONE_FACT = 8
"""Claims of at most this many content words state one fact."""
SIMPLE = 5
"""Claims of at most this many content words are supported only where they follow a sentence: so few words stand near
each other in a passage by chance, whatever they are said of."""
SIMPLE_IN_ONE = 7
"""The same where the words stand in more than one sentence."""
EDITED = 0.85
"""Share of a claim's content in one sentence from which it is an edit of that sentence, and no other wording."""
STRICTER = 0.1
"""Added to both thresholds for a claim of one fact."""
FOLLOWS = 0.6
"""Share of a claim's words that stand in one sentence in their order from which the claim follows that sentence."""
COPIES = 0.5
"""Share of a claim's words in long runs of the passage from which the claim is put together of them."""
COPIES_IN_PAIRS = 0.9
"""The same for runs of two words: a short claim has no long ones."""
LONG_RUN = 5
"""Length of a run of words that is no chance."""
MAX_WINDOW = 3
"""A quote for a claim in other words has at most this many sentences ..."""
LONGER = 0.04
"""... and another one must add this much coverage."""
CANDIDATES = 8
"""Sentences of a passage that a claim is aligned with: those that share the most words with it."""
MOST_BACK = 4
"""Sentences before one that begins with a pronoun in which the subject is looked for."""
MOST_TURNED = 3
"""Sentences against which a claim is turned: other order, other voice."""
MOST_SPLITS = 2
"""How often a claim is taken apart into statements, and these again."""
MOST_UNKNOWN = 2
"""Content words of a claim that its passage need not have, where other words say the same."""
HOLDS_FOR_TURN = 0.6
"""Share of a claim's content that a sentence must hold for it."""
SLOT = 3
"""Content words on either side of a difference up to which it is one word for another, and no other wording."""
REACH = 4
"""A negation governs this many content words behind it."""


@dataclass(frozen=True)
class Support:
    """``passage[start:end]`` is the best quote for a claim; ``score`` is the weighted coverage (0..1)."""

    start: int
    end: int
    verdict: CitationVerdict
    score: float
    reasons: tuple[Reason, ...] = ()

    @property
    def is_open(self) -> bool:
        """Return whether a model may confirm the claim: nothing final speaks against it."""
        return self.verdict in {"partial", "unsupported"} and not any(reason.is_final for reason in self.reasons)


def verify_claim(claim: str, passage: str, context: str = "", document: str = "") -> Support:
    """Return the best quote for ``claim`` in ``passage``, the verdict and the words that decided it.

    ``context`` (title, headings) may say what the passage speaks of; it never proves. ``document`` is searched for
    acronyms that it defines. A claim without content words is *unchecked*.

    >>> verify_claim("The bridge was built in 1903", "The bridge was built in 1902.").verdict
    'contradicted'
    """
    vocabulary = read_forms(claim) if has_broken_words(passage) else frozenset[str]()
    source = _SourceWords.read(passage, context, document, vocabulary)
    wanted = source.prepare_claim(claim)
    content = [word for word in wanted if word.is_content]
    if not content or not source.words:
        return Support(0, len(passage), "unchecked", 0.0)
    if _other_script(content, source.words):
        return Support(0, len(passage), "unchecked", 0.0, (Reason("language"),))
    if (whole := _find_sentence(claim, source)) is not None:
        return Support(whole.start, whole.end, "verbatim", 1.0)
    quotation = unproven_quotation(claim, wanted, source.words, source.names)
    reading = _read(wanted, source)
    if quotation is None and reading.is_clean and reading.span is not None:
        return Support(*reading.span, "verbatim" if reading.is_verbatim else "supported", 1.0)
    if quotation is None and "|" in passage and (in_row := read_row_claim(wanted, passage, context)) is not None:
        return _by_row(in_row)
    best = _best_window(content, source)
    if quotation is not None and not is_title(quotation):
        return Support(best.start, best.end, "unsupported", round(best.score, 4), (Reason("quotation", quotation),))
    if quotation is not None:
        reading = replace(reading, reasons=(*reading.reasons, Reason("name", quotation)))
    follows = reading.follows >= FOLLOWS or _is_put_together(wanted, source)
    if not follows:
        extra = (Reason("name", quotation),) if quotation is not None else ()
        return _in_other_words(wanted, content, best, source, extra)
    start, end = reading.span or (best.start, best.end)
    score = round(best.score, 4)
    reasons = reading.reasons or (Reason("coverage"),)
    if any(reason.contradicts for reason in reasons):
        return Support(start, end, "contradicted", score, reasons)
    verdict: CitationVerdict = "partial" if best.score >= PARTIAL else "unsupported"
    return Support(start, end, verdict, score, reasons)


def _find_sentence(claim: str, source: _SourceWords) -> Sentence | None:
    """Return the sentence of the passage that a claim is sign by sign, but for blanks and the full stop."""
    wanted = _one_line(claim)
    return next((unit.sentence for unit in source.units if _one_line(unit.sentence.of(source.passage)) == wanted), None)


def _one_line(text: str) -> str:
    return " ".join(text.split()).rstrip(".!")


def _by_row(found: RowVerdict) -> Support:
    row = found.row
    if found.wrong is None:
        return Support(row.start, row.end, "supported", 1.0)
    return Support(row.start, row.end, "contradicted", SAYS_THE_REST, (Reason("number", *found.wrong),))


def _is_put_together(wanted: Sequence[ClaimWord], source: _SourceWords) -> bool:
    """Return whether most of a claim stands in long runs of the passage, or nearly all of it in short ones."""
    keys = [word.key for word in wanted]
    if copied_share(keys, source.keys, LONG_RUN) >= COPIES:
        return True
    return copied_share([key for key in keys if key not in JOINERS], source.keys, 2) >= COPIES_IN_PAIRS


# --- the passage -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Unit:
    """One sentence of the passage as a range of its words."""

    sentence: Sentence
    first: int
    last: int


@dataclass(frozen=True)
class _SourceWords:
    passage: str
    words: tuple[ClaimWord, ...]
    keys: tuple[str, ...]
    units: tuple[_Unit, ...]
    context: frozenset[str]
    names: tuple[tuple[str, ...], ...]
    headings: tuple[_Heading, ...]
    acronyms: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]

    def known_at(self, place: int) -> frozenset[str]:
        """Return the stems that say what is spoken of at an offset: of the title, and of the headings above it."""
        above: list[_Heading] = []
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
        return frozenset(_stems_of(self.words))

    @functools.cached_property
    def sentences(self) -> tuple[Sequence[ClaimWord], ...]:
        """Return the words of each sentence of the passage."""
        return tuple(self.words[unit.first : unit.last] for unit in self.units)

    def statements(self, unit: _Unit, claim: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
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

    def _intro_of(self, unit: _Unit) -> Sequence[ClaimWord]:
        """Return the words before a list of which a unit is an item: "The kit contains:"."""
        for other in reversed(self.units[: self.units.index(unit)]):
            text = self.passage[other.sentence.start : other.sentence.end].rstrip()
            if text.endswith(":"):
                return self.words[other.first : other.last]
            if other.sentence.kind != unit.sentence.kind or unit.sentence.kind == "paragraph":
                return ()
        return ()

    def _list_of(self, unit: _Unit) -> tuple[Sequence[ClaimWord], list[Sequence[ClaimWord]]]:
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

    def _ends_open(self, unit: _Unit) -> bool:
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

    def heading_above(self, unit: _Unit) -> tuple[ClaimWord, ...]:
        """Return the words of the heading that a sentence stands under."""
        above: tuple[ClaimWord, ...] = ()
        for other in self.units:
            if other.first >= unit.first:
                break
            if other.sentence.kind == "heading":
                above = self.words[other.first : other.last]
        return above

    def stems_of_antecedents(self, unit: _Unit) -> set[str]:
        """Return the stems of what a pronoun may stand for; "he" may be "Ada Kern" where "Kern" is plain."""
        words = self.find_antecedents(unit)
        stems = {word.stem for word in words}
        for name in words:
            if not name.is_name:
                continue
            before = {a.key: a for a, b in pairwise(self.words) if b.key == name.key and a.is_name and b.gap == " "}
            if len(before) == 1:
                stems.add(next(iter(before.values())).stem)
        return stems

    def find_antecedents(self, unit: _Unit) -> list[ClaimWord]:
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

    def is_of_kind(self, noun: Sequence[ClaimWord], unit: _Unit) -> bool:
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
    def read(passage: str, context: str, document: str, vocabulary: frozenset[str]) -> _SourceWords:
        acronyms = read_acronyms(document or f"{context}\n{passage}")
        coded = with_codes(passage, read_words(passage, vocabulary))
        coded = join_codes(coded, {word.key for word in coded})
        words = tuple(_read_phrases(passage, write_acronyms(coded, acronyms)))
        lines = [read_words(line) for line in context.splitlines()]
        names = tuple(tuple(word.key for word in write_acronyms(line, acronyms)) for line in lines if line)
        units = tuple(_units(passage, words))
        known = {word.stem for line in lines for word in write_acronyms(line, acronyms) if word.is_content}
        known |= {word.stem for line in lines for word in line if word.is_content}
        return _SourceWords(
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

    def unit_words(self, unit: _Unit, wanted: Sequence[ClaimWord]) -> list[ClaimWord]:
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
class _Heading:
    start: int
    level: int
    stems: frozenset[str]
    denies: bool
    """"Not allowed": what stands under it is not said to be so."""


def _headings(passage: str, units: Sequence[_Unit], words: Sequence[ClaimWord]) -> Iterator[_Heading]:
    for unit in units:
        if unit.sentence.kind != "heading":
            continue
        line = passage[passage.rfind("\n", 0, unit.sentence.start) + 1 : unit.sentence.start]
        here = words[unit.first : unit.last]
        stems = frozenset(word.stem for word in here if word.is_content)
        denies = bool({word.key for word in here} & NEGATIONS)
        yield _Heading(unit.sentence.start, line.count("#"), stems, denies)


def _units(passage: str, words: Sequence[ClaimWord]) -> Iterator[_Unit]:
    first = 0
    for sentence in split_sentences(passage):
        while first < len(words) and words[first].start < sentence.start:
            first += 1
        last = first
        while last < len(words) and words[last].start < sentence.end:
            last += 1
        if last > first:
            yield _Unit(sentence, first, last)
        first = last


def _other_script(content: Sequence[ClaimWord], present: Sequence[ClaimWord]) -> bool:
    """Return whether claim and passage share no script: words of different languages cannot be compared."""
    ours = {_script(word) for word in content if word.kind == "word"}
    theirs = {_script(word) for word in present if word.kind == "word"}
    return bool(ours) and bool(theirs) and not ours & theirs


def _script(word: ClaimWord) -> str:
    code = ord(word.key[0])
    if code < 0x250:
        return "latin"
    return "east asian" if 0x3040 <= code <= 0xD7AF else f"block {code >> 8}"


# --- claims that follow the source -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _BestAlignment:
    """The best alignment of a claim: with one sentence, or with whole sentences that it joins."""

    span: tuple[int, int] | None
    reasons: tuple[Reason, ...]
    follows: float
    is_verbatim: bool = False

    @property
    def is_clean(self) -> bool:
        return not self.reasons


def _read(wanted: Sequence[ClaimWord], source: _SourceWords) -> _BestAlignment:
    verbatim = _run_of(wanted, source)
    if verbatim is not None and verbatim.is_clean:
        return verbatim
    units = _candidates(wanted, source)
    readings = [_one_sentence(wanted, unit, source) for unit in units]
    best = min(readings, key=lambda r: (not r.is_clean, -r.follows, len(r.reasons)), default=None)
    if best is not None and best.is_clean:
        return best
    if joined := _joined_sentences(wanted, units, source):
        return joined
    if turned := _turned(wanted, units, source):
        return turned
    if stated := _stated(wanted, source):
        return stated
    if recorded := _recorded(wanted, source):
        return recorded
    if verbatim is not None:
        return verbatim
    return best or _BestAlignment(None, (Reason("coverage"),), 0.0)


def _turned(wanted: Sequence[ClaimWord], units: Sequence[_Unit], source: _SourceWords) -> _BestAlignment | None:
    """Return the reading of a claim that says a sentence in another order or voice; None where there is none."""
    content = {word.key for word in wanted if word.is_content}
    for unit in units[:MOST_TURNED]:
        present = source.unit_words(unit, wanted)
        if len(content & {word.key for word in present}) < HOLDS_FOR_TURN * len(content):
            continue
        turns = [(turn, present) for turn in _turns_of(wanted)]
        turns += [(list(wanted), turn) for turn in turn_active(present)]
        turns.append((move_date(wanted), move_date(present)))
        for turned, told in turns:
            sentence = match_forms(told, wanted)
            reading = _align_with(match_forms(turned, sentence), sentence, unit, source)
            if reading.is_clean:
                return reading
    return None


def _stated(wanted: Sequence[ClaimWord], source: _SourceWords) -> _BestAlignment | None:
    """Return the reading of a claim as simple statements of the passage; None where it says something else."""
    framed = remove_frame(wanted)
    if framed is None or not framed:
        return None
    for claim in (framed, *_opinions(framed)):
        spans = _prove(claim, source, MOST_SPLITS, is_whole=claim == list(wanted))
        if spans:
            start, end = min(start for start, _ in spans), max(end for _, end in spans)
            return _BestAlignment((start, end), (), 1.0)
    return None


def _recorded(wanted: Sequence[ClaimWord], source: _SourceWords) -> _BestAlignment | None:
    """Return the reading of a claim as "Label: value" entries of the passage; None where they say something else."""
    if ":" not in source.passage or not (framed := remove_frame(wanted)):
        return None
    span = read_record_claim(bind_numbers(framed, source.words), source.words, source.topic)
    return _BestAlignment(span, (), 1.0) if span else None


def _opinions(claim: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    """Yield "in my view A", "I believe that A" and "A" for "The author argues that A"."""
    keys = [word.key for word in claim[:6]]
    if keys[:2] == ["according", "to"] and len(keys) > 4 and keys[3] in SPEAKERS and "," in claim[4].gap:
        rest, speaker = list(claim[4:]), keys[3]
    elif keys[:1] == ["the"] and keys[1:2] and keys[1] in SPEAKERS and keys[3:4] == ["that"]:
        if keys[2] not in OPINIONS:
            return
        rest, speaker = list(claim[4:]), keys[1]
    else:
        return
    for opening in (("in", "my", "view"), ("in", "our", "view"), ("i", "believe", "that"), ("i", "think", "that")):
        yield [*(make_word(key, claim[0]) for key in opening), *rest]
    if speaker in AUTHORS:
        yield rest


def _prove(
    claim: Sequence[ClaimWord], source: _SourceWords, splits: int, *, is_whole: bool = False
) -> list[tuple[int, int]] | None:
    """Return where the statements of a claim stand; None where one of them stands nowhere."""
    if len(claim) < 2 or not _may_be_said(claim, source):
        return None
    units = _candidates(claim, source)
    if not is_whole:
        for unit in units[:MOST_TURNED]:
            if _one_sentence(claim, unit, source).is_clean:
                return [(unit.sentence.start, unit.sentence.end)]
        for reading in (_joined_sentences(claim, units, source), _turned(claim, units, source)):
            if reading is not None and reading.span is not None:
                return [reading.span]
    for unit in units[:MOST_TURNED]:
        if _is_stated(claim, unit, source):
            return [(unit.sentence.start, unit.sentence.end)]
    if not splits:
        return None
    ways = [(parts, False) for parts in split_claim(claim)] + [(parts, True) for parts in split_clauses(claim)]
    ways += [(parts, False) for parts in compute_statements(claim, source.sentences)]
    for parts, is_joint in ways:
        spans: list[tuple[int, int]] = []
        for part in parts:
            found = None if is_broken_off(part) else _prove(part, source, splits - 1)
            if found is None:
                break
            spans += found
        else:
            if len(set(spans)) == 1 or not (is_joint or any(has_anaphor(part) for part in parts)):
                return spans
    return None


def _may_be_said(claim: Sequence[ClaimWord], source: _SourceWords) -> bool:
    """Return whether a passage has nearly all the words of a claim, so that it is worth a closer look."""
    content = [word for word in claim if word.is_content and not word.is_number]
    missing = sum(word.stem not in source.stems and word.stem not in source.topic for word in content)
    return missing <= MOST_UNKNOWN


def _is_stated(claim: Sequence[ClaimWord], unit: _Unit, source: _SourceWords) -> bool:
    """Return whether a claim is one of the simple statements of a sentence, in whatever order and voice."""
    turns = [list(claim), *_turns_of(claim)]
    needed = {word.stem for word in claim if word.is_content}
    for statement in source.statements(unit, claim):
        stems = {word.stem for word in statement}
        if len(needed - stems) > MOST_UNKNOWN + 1:
            continue
        for turn in turns:
            if not _may_begin_alike(turn, statement):
                continue
            words = match_forms(statement, turn)
            if _says_from_beginning(match_forms(turn, words), words, unit, source):
                return True
    return False


def _may_begin_alike(claim: Sequence[ClaimWord], statement: Sequence[ClaimWord]) -> bool:
    """Return whether a claim may say a statement from its first word on: both begin with the same, or with a phrase."""
    first, second = _find_first(claim), _find_first(statement)
    if first.key == second.key or first.stem == second.stem:
        return True
    opening = statement[0].key
    is_open = opening in PRONOUNS | {"the"} or second.is_name or second.is_number or second.key in FILLERS
    forms = (PARTICIPLE, THIRD_PERSON)
    return is_open or first.key in _SYNONYM_WORDS or first.key.startswith(forms) or second.key.startswith(forms)


def _says_from_beginning(
    claim: Sequence[ClaimWord], statement: Sequence[ClaimWord], unit: _Unit, source: _SourceWords
) -> bool:
    """Return whether a claim says a statement from its first word on: no subject and no condition is cut off."""
    bound = bind_numbers(claim, statement)
    alignment = align(bound, statement)
    if not alignment.pairs or _reasons_of(bound, statement, alignment, unit, source):
        return False
    left_out = [word for edit in alignment.edits for word in edit.source if not edit.claim]
    if any(word.start == word.end for word in left_out):  # a word that makes the statement one
        return False
    opening = next((edit for edit in alignment.edits if edit.at_start and not edit.claim), None)
    return opening is None or all(word.key in HARMLESS | FILLERS for word in opening.source)


def _turns_of(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    for turn in _TURNS:
        yield from turn(words)
    if plain := move_opening(words):
        for turn in _TURNS[1:]:
            yield from turn(plain)


def _find_first(words: Sequence[ClaimWord]) -> ClaimWord:
    """Return the first word that tells; the very first one where none does."""
    return next((word for word in words if word.key not in HARMLESS), words[0])


_SYNONYM_WORDS = frozenset(phrase[0] for phrase in SYNONYMS)

_TURNS = (
    turn_adverbials, turn_active, turn_comparison, turn_copula, turn_report, turn_pair, turn_generic, turn_genitive,
    turn_agentless, turn_span, turn_plural, turn_supposed, turn_inclusion, turn_only, turn_nominal,
    turn_group, turn_cause, turn_date, turn_duty, turn_order, turn_place, turn_singular, turn_ends, turn_compound,
    turn_report_clause, turn_progressive, turn_share, turn_per, turn_object_compound,
)  # fmt: skip


def _candidates(wanted: Sequence[ClaimWord], source: _SourceWords) -> list[_Unit]:
    """Return the sentences that share the most with the claim; headings prove nothing."""
    keys = {word.key: word.weight if word.is_content else 0.2 for word in wanted}
    shared = [
        (sum(keys.get(key, 0.0) for key in set(source.keys[unit.first : unit.last])), -index)
        for index, unit in enumerate(source.units)
    ]
    order = sorted(range(len(shared)), key=lambda index: shared[index], reverse=True)
    units = [source.units[index] for index in order if shared[index][0] > 0.5]
    return [unit for unit in units if unit.sentence.kind != "heading"][:CANDIDATES]


def _run_of(wanted: Sequence[ClaimWord], source: _SourceWords) -> _BestAlignment | None:
    """Return the place where all words of the claim stand in one run; None where there is none."""
    present = join_broken(source.words, frozenset(word.key for word in wanted))
    keys, have = [word.key for word in wanted], [word.key for word in present]
    start, best = 0, None
    while (offset := find_run(keys, have[start:])) >= 0:
        first = start + offset
        last = first + len(keys)
        reasons = _run_reasons(wanted, present, first, last, source)
        same_form = all(a.form == b.form for a, b in zip(wanted, present[first:last], strict=True))
        span = _with_signs(source.passage, present, first, last)
        reading = _BestAlignment(span, reasons, 1.0, is_verbatim=same_form)
        if best is None or (best.reasons and not reasons):
            best = reading
        if not reasons:
            return reading
        start = first + 1
    return best


def _run_reasons(
    wanted: Sequence[ClaimWord], present: Sequence[ClaimWord], first: int, last: int, source: _SourceWords
) -> tuple[Reason, ...]:
    """Return what speaks against a run: a splice over the end of a sentence, or a condition that was cut off."""
    parts = [
        (max(first, _index_of(present, unit.sentence.start)), min(last, _index_of(present, unit.sentence.end)), unit)
        for unit in source.units
        if unit.sentence.start < present[last - 1].end and present[first].start < unit.sentence.end
    ]
    parts = [part for part in parts if part[0] < part[1]]
    reasons: list[Reason] = []
    for number, (begin, end, unit) in enumerate(parts):
        words = [w for w in present if unit.sentence.start <= w.start < unit.sentence.end]
        offset = _index_of(present, unit.sentence.start)
        before, after = words[: begin - offset], words[end - offset :]
        if (
            number > 0
            and not _is_parted(wanted[begin - first])
            and (before or parts[number - 1][1] < _end_of(present, parts[number - 1][2]))
        ):
            reasons.append(Reason("splice", text_of(wanted[begin - first - 1 : begin - first + 1])))
        kept = words[begin - offset : end - offset]
        reasons += find_cut_before(before, present[begin], kept) if begin == first else []
        following = words[end - offset - 1] if end > offset else None
        reasons += find_cut_after(after, following, kept) if end == last else []
    if len(parts) > 1:
        ends_short = parts[-1][1] < _end_of(present, parts[-1][2])
        begins_late = parts[0][0] > _index_of(present, parts[0][2].sentence.start)
        if ends_short or begins_late:
            reasons.append(Reason("splice", text_of(wanted[:1])))
    return tuple(reasons)


def _index_of(words: Sequence[ClaimWord], offset: int) -> int:
    low, high = 0, len(words)
    while low < high:
        middle = (low + high) // 2
        if words[middle].start < offset:
            low = middle + 1
        else:
            high = middle
    return low


def _end_of(present: Sequence[ClaimWord], unit: _Unit) -> int:
    return _index_of(present, unit.sentence.end)


def _is_parted(word: ClaimWord) -> bool:
    return bool(set(word.gap) & set(".!?;:,\n。！？—–|")) or word.key in JOINERS


def _one_sentence(wanted: Sequence[ClaimWord], unit: _Unit, source: _SourceWords) -> _BestAlignment:
    present = source.unit_words(unit, wanted)
    return _align_with(match_forms(wanted, present), present, unit, source)


def _align_with(
    wanted: Sequence[ClaimWord], present: Sequence[ClaimWord], unit: _Unit, source: _SourceWords
) -> _BestAlignment:
    claim = bind_numbers(wanted, present)
    alignment = align(claim, present)
    if not alignment.pairs:
        return _BestAlignment(None, (Reason("coverage"),), 0.0)
    reasons = _reasons_of(claim, present, alignment, unit, source)
    total = sum(2 if word.is_content else 1 for word in claim)
    matched = sum(2 if claim[i].is_content else 1 for i, _ in alignment.pairs)
    return _BestAlignment((unit.sentence.start, unit.sentence.end), reasons, matched / total)


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


def _reasons_of(
    claim: Sequence[ClaimWord], present: Sequence[ClaimWord], alignment: Alignment, unit: _Unit, source: _SourceWords
) -> tuple[Reason, ...]:
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
    unit: _Unit,
    source: _SourceWords,
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
        return Reason("unit" if is_unit else "number", ours, theirs, is_slot and bool(other_numbers))
    if any(_is_opposite(a, b) for a in new for b in edit.source):
        return Reason("direction", ours, theirs, is_slot)
    for kind, words in LEXICA:
        if (new_keys | old_keys) & words:
            return Reason(kind, ours, theirs)
    if any(word.key in moved and word.is_content for word in new):
        return Reason("order", ours, theirs)
    if any(word.is_name for word in new):
        return Reason("name", ours, theirs)
    return Reason("word", ours, theirs)


def _same_number(a: ClaimWord, b: ClaimWord) -> bool:
    if a.quantity is None or b.quantity is None:
        return False
    return (a.quantity.value == b.quantity.value and a.quantity.unit != b.quantity.unit) or is_convertible(
        a.quantity, b.quantity
    )


def _is_opposite(a: ClaimWord, b: ClaimWord) -> bool:
    pairs = (frozenset({a.key, b.key}), frozenset({a.stem, b.stem}))
    return any(pair in ANTONYMS or pair in _stemmed_antonyms() for pair in pairs) or is_opposite_by_prefix(a.key, b.key)


@functools.cache
def _stemmed_antonyms() -> frozenset[frozenset[str]]:
    from roma_core.citations.words import stem

    return frozenset(frozenset(stem(word) for word in pair) for pair in ANTONYMS)


def _is_resolved(
    edit: Edit, new: Sequence[ClaimWord], next_claim: ClaimWord | None, unit: _Unit, source: _SourceWords
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


def _is_expanded_name(edit: Edit, new: Sequence[ClaimWord], next_claim: ClaimWord | None, source: _SourceWords) -> bool:
    """Return whether "Ada Kern" stands for the source's "Kern", which the passage makes plain elsewhere."""
    if next_claim is None or not all(word.is_name for word in new) or not next_claim.is_name:
        return False
    if any(word.is_content for word in edit.source):
        return False
    keys = [*(word.key for word in new), next_claim.key]
    return find_run(keys, source.keys) >= 0 and is_unambiguous(next_claim.key, new[-1].key, source.words)


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


# --- sentences that a claim joins ----------------------------------------------------------------------------------


def _joined_sentences(
    wanted: Sequence[ClaimWord], units: Sequence[_Unit], source: _SourceWords, depth: int = 2
) -> _BestAlignment | None:
    """Return the reading of a claim as whole sentences put together, each of them whole; None where it is none."""
    for index in range(2, len(wanted) - 1):
        if not _is_parted(wanted[index]):
            continue
        left, right = wanted[:index], wanted[index:]
        while right and right[0].key in JOINERS:
            right = right[1:]
        if len(right) < 2:
            continue
        first = next((unit for unit in units if _is_whole(left, unit, source)), None)
        if first is None:
            continue
        others = [unit for unit in units if unit is not first]
        second = next((unit for unit in others if _is_whole(right, unit, source)), None)
        if second is not None:
            return _spanning((first, second), source)
        if depth > 1 and (rest := _joined_sentences(right, others, source, depth - 1)) and rest.span:
            start, end = rest.span
            return _BestAlignment((min(start, first.sentence.start), max(end, first.sentence.end)), (), 1.0)
    return None


def _spanning(units: Sequence[_Unit], source: _SourceWords) -> _BestAlignment:
    start = min(unit.sentence.start for unit in units)
    end = max(unit.sentence.end for unit in units)
    return _BestAlignment((start, end), (), 1.0)


def _is_whole(words: Sequence[ClaimWord], unit: _Unit, source: _SourceWords) -> bool:
    """Return whether the words say one sentence from its beginning to its end."""
    present = source.unit_words(unit, words)
    if len(words) > 2 * len(present) + 4 or len(present) > 2 * len(words) + 12:
        return False
    claim = bind_numbers(words, present)
    alignment = align(claim, present)
    if not alignment.pairs:
        return False
    for edit in alignment.edits:
        if (edit.at_start or edit.at_end) and any(w.key not in HARMLESS | FILLERS for w in edit.source):
            resolved = edit.at_start and edit.claim and all(w.key in PRONOUNS | HARMLESS for w in edit.source)
            if not resolved:
                return False
    return not _reasons_of(claim, present, alignment, unit, source)


# --- claims in other words -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _SourceWindow:
    start: int
    end: int
    words: tuple[ClaimWord, ...]
    stems: frozenset[str]
    known: frozenset[str]
    score: float = 0.0
    size: int = 1
    """Sentences."""


def _best_window(content: Sequence[ClaimWord], source: _SourceWords) -> _SourceWindow:
    """Return the run of one to ``MAX_WINDOW`` sentences that covers the claim best."""
    nothing = frozenset[str]()
    best, best_rank = _SourceWindow(0, len(source.passage), (), nothing, nothing), (-1.0, 0)
    wanted = {word.stem: word.weight for word in content}
    total = sum(word.weight for word in content)
    shared = [any(word.stem in wanted for word in source.words[unit.first : unit.last]) for unit in source.units]
    for size in range(1, MAX_WINDOW + 1):
        for i in range(len(source.units) - size + 1):
            if not shared[i] or not shared[i + size - 1]:
                continue
            run = source.units[i : i + size]
            words = source.words[run[0].first : run[-1].last]
            claim = bind_numbers([w for w in content if w.is_number], words)
            stems = frozenset(_stems_of(words))
            bound = sum(w.weight for w in claim if w.stem in stems)
            plain = sum(w.weight for w in content if not w.is_number and w.stem in stems)
            topic = source.topic
            known = sum(w.weight for w in content if not w.is_number and w.stem not in stems and w.stem in topic)
            proven = bound + plain
            score = (proven + (known if proven else 0.0)) / total if total else 0.0
            rank = (score - LONGER * (size - 1), -run[0].sentence.start)
            if rank > best_rank:
                best = _SourceWindow(run[0].sentence.start, run[-1].sentence.end, words, stems, topic, score, size)
                best_rank = rank
    return best


def _in_other_words(
    wanted: Sequence[ClaimWord],
    content: Sequence[ClaimWord],
    window: _SourceWindow,
    source: _SourceWords,
    extra: tuple[Reason, ...],
) -> Support:
    """Return the verdict on a claim that does not follow its source: by the share of its content, and what differs."""
    if framed := remove_frame(wanted):
        wanted, content = framed, [word for word in framed if word.is_content] or content
    reasons = list(extra) + list(_open_reasons(wanted, content, window, source))
    one_fact = len(content) <= ONE_FACT
    bar = STRICTER if one_fact else 0.0
    score = round(window.score, 4)
    rest = [word for word in content if not word.is_number]
    rest_weight = sum(word.weight for word in rest)
    rest_found = sum(word.weight for word in rest if word.stem in window.stems or word.stem in window.known)
    says_the_rest = rest_found >= SAYS_THE_REST * rest_weight
    if one_fact and says_the_rest and any(reason.contradicts for reason in reasons):
        return Support(window.start, window.end, "contradicted", score, tuple(reasons))
    if window.score < PARTIAL + bar:
        missing = text_of([word for word in content if word.stem not in window.stems])
        return Support(window.start, window.end, "unsupported", score, (*reasons, Reason("coverage", missing)))
    is_short = len(content) <= (SIMPLE if window.size == 1 else SIMPLE_IN_ONE)
    is_told = not is_short and not _is_edited(content, source)
    says_enough = window.score >= SUPPORTED + bar and _coverage_of(content, window, source) >= KNOWN
    if is_told and says_enough and not reasons:
        return Support(window.start, window.end, "supported", score)
    missing = text_of([word for word in content if word.stem not in window.stems and word.stem not in window.known])
    lacking = (Reason("coverage", missing),) if missing and not reasons else ()
    return Support(window.start, window.end, "partial", score, (*reasons, *lacking))


def _stems_of(words: Iterable[ClaimWord]) -> Iterator[str]:
    """Yield the stems of the content words; a code has those of its parts, too."""
    for word in words:
        if word.is_content:
            yield word.stem
        if word.key.startswith(CODE_PREFIX):
            yield from (part.stem for part in read_words(re.sub(r"[\W_]+", " ", word.text)) if part.is_content)


def _is_edited(content: Sequence[ClaimWord], source: _SourceWords) -> bool:
    """Return whether one sentence has nearly all content of a claim: it is no other wording, and no turn follows it."""
    least = EDITED * sum(word.weight for word in content)
    for unit in source.units:
        stems = set(_stems_of(source.words[unit.first : unit.last]))
        if sum(word.weight for word in content if word.stem in stems) >= least:
            return True
    return False


def _coverage_of(content: Sequence[ClaimWord], window: _SourceWindow, source: _SourceWords) -> float:
    """Return the weighted share of the content words that the passage holds anywhere."""
    stems = {*_stems_of(source.words), *window.known}
    return sum(word.weight for word in content if word.stem in stems) / sum(word.weight for word in content)


def _open_reasons(
    wanted: Sequence[ClaimWord], content: Sequence[ClaimWord], window: _SourceWindow, source: _SourceWords
) -> Iterator[Reason]:
    bound = bind_numbers(wanted, window.words)
    numbers = [word for word in bound if word.is_number and not _is_vague(word)]
    missing = [
        word
        for word in numbers
        if word.stem not in window.stems
        and not _is_dated(word, window, source)
        and not _is_year_of_passage(word, window, source)
    ]
    if missing:
        others = [word for word in window.words if word.is_number]
        is_all = len(missing) == len(numbers)
        yield Reason("number", text_of(missing), text_of(others[:3]) if is_all else "")
    if not _same_polarity(bound, window.words):
        yield Reason("negation", text_of([w for w in wanted if w.key in NEGATIONS]), "")
    foreign = [w for w in content if w.is_name and w.stem not in window.stems and w.stem not in window.known]
    present = set(_stems_of(source.words))
    if any(word.stem not in present for word in foreign):
        yield Reason("name", text_of(foreign))
    if (swapped := _find_swapped(wanted, window, source)) is not None:
        yield swapped
    stems = window.stems
    for word in content if len(content) <= ONE_FACT else ():
        if word.stem in stems or word.is_number:
            continue
        opposite = next((other for other in window.words if _is_opposite(word, other)), None)
        if opposite is not None:
            yield Reason("direction", word.text, opposite.text)


def _find_swapped(wanted: Sequence[ClaimWord], window: _SourceWindow, source: _SourceWords) -> Reason | None:
    """Return "large" for "compact" where "a large machine" alone differs from "a compact machine"."""
    known = source.stems | window.known
    unknown = [word for word in wanted if word.is_content and not word.is_number and word.stem not in known]
    if len(unknown) != 1:
        return None
    ours = {word.stem for word in wanted}
    following = next((after for word, after in _neighbors(wanted) if word is unknown[0]), None)
    if following is None:
        return None
    for other, behind in _neighbors(window.words):
        if behind.key == following.key and other.stem not in ours and not other.is_number:
            return Reason("word", unknown[0].text, other.text)
    return None


def _neighbors(words: Sequence[ClaimWord]) -> Iterator[tuple[ClaimWord, ClaimWord]]:
    """Yield each content word with the content word right behind it."""
    said = [word for word in words if word.key not in DETERMINERS | PRONOUNS]
    for word, following in pairwise(said):
        if word.is_content and following.is_content and not set(following.gap) & PARTING:
            yield word, following


def _is_vague(word: ClaimWord) -> bool:
    """Return whether a number is one that other words say as well: "one", "first"."""
    return word.key.startswith("ord:") or word.key == "#1"


def _is_dated(word: ClaimWord, window: _SourceWindow, source: _SourceWords) -> bool:
    """Return whether the day of a date stands in the window, and its year somewhere in the passage or its title."""
    if word.date is None:
        return False
    day = Date(0, word.date.month, word.date.day)
    has_day = any(other.date is not None and other.date.holds(day) for other in window.words)
    year = word.date.year
    known = source.known_at(window.start)
    has_year = not year or any(_year_of(other) == year for other in source.words) or f"#{year}" in known
    return has_day and has_year


def _is_year_of_passage(word: ClaimWord, window: _SourceWindow, source: _SourceWords) -> bool:
    """Return whether a year stands elsewhere in the passage, as a dateline does, and the window has no other one."""
    year = _year_of(word) if word.date is None or not word.date.month else 0
    if not 1000 <= year <= 2100 or any(1000 <= _year_of(other) <= 2100 for other in window.words):
        return False
    return any(_year_of(other) == year for other in source.words) or f"#{year}" in source.known_at(window.start)


def _year_of(word: ClaimWord) -> int:
    if word.date is not None:
        return word.date.year
    return int(word.text) if word.quantity is not None and re.fullmatch(r"\d{4}", word.text) else 0


def _same_polarity(claim: Sequence[ClaimWord], quote: Sequence[ClaimWord]) -> bool:
    """Return False when one side negates words that both have, and the other negates none of them."""
    shared = {w.stem for w in claim if w.is_content} & {w.stem for w in quote if w.is_content}
    ours, theirs = _find_negated(claim) & shared, _find_negated(quote) & shared
    return bool(ours) == bool(theirs)


def _find_negated(run: Sequence[ClaimWord]) -> set[str]:
    """Return the stems of the content words that a negation governs ("not only" negates nothing)."""
    governed: set[str] = set()
    for i, word in enumerate(run):
        if word.key in DENIALS and not (i + 1 < len(run) and run[i + 1].key == "only"):
            governed.update([w.stem for w in run[i + 1 :] if w.is_content][:REACH])
    return governed


# --- places ----------------------------------------------------------------------------------------------------------


def _with_signs(passage: str, words: Sequence[ClaimWord], first: int, last: int) -> tuple[int, int]:
    """Return the span of a run: with the signs around it where it is whole sentences, else with its full stop."""
    start, end = words[first].start, words[last - 1].end
    before_end = words[first - 1].end if first else 0
    after_start = words[last].start if last < len(words) else len(passage)
    for sentence in split_sentences(passage):
        if before_end <= sentence.start <= start < sentence.end:
            start = sentence.start
        if sentence.start < end <= sentence.end <= after_start:
            end = sentence.end
    closing = re.compile(r"[%)\"”’*_`]*[.!?…。！？]+[)\"”’*_`]*").match(passage, end)
    return start, closing.end() if closing else end


__all__ = ["APPROXIMATIONS", "Reason", "ReasonKind", "Support", "verify_claim"]
