"""Does a passage prove a claim? A deterministic check that sees a changed word, and the words that decided. Pure.

A claim is compared with the sentences of its passage word by word. Where it follows a sentence for most of its words,
every word that differs decides: a number, a unit, a date, a name, a negation, a hedge, a quantifier, a direction, the
order of words, a clause without which the rest means something else. A claim in other words is held to the share of
its content that stands in one place. What stands in quotation marks is verbatim or refused. ``docs/02_AGENT_SPECS.md``
describes the rules, ``docs/benchmarks/citations_attacks.md`` what they let through.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from roma_core.citations.align import align, copied_share, find_run
from roma_core.citations.computed import compute_statements
from roma_core.citations.conclusions import turn_nominal
from roma_core.citations.constituents import arrangements, match_synonyms
from roma_core.citations.cuts import (
    find_cut_after,
    find_cut_before,
    text_of,
)
from roma_core.citations.differences import bind_numbers, find_reasons
from roma_core.citations.lexicon import (
    APPROXIMATIONS,
    FILLERS,
    HARMLESS,
    JOINERS,
    PRONOUNS,
    SYNONYMS,
)
from roma_core.citations.paraphrases import turn_report_clause
from roma_core.citations.parts import has_anaphor, is_broken_off, remove_frame, split_claim, split_clauses
from roma_core.citations.passage import PassageUnit, SourceWords
from roma_core.citations.quotations import is_title, unproven_quotation
from roma_core.citations.reasons import Reason, ReasonKind, Support
from roma_core.citations.records import read_record_claim
from roma_core.citations.rewordings import PARTIAL, SAYS_THE_REST, find_window, judge_rewording
from roma_core.citations.rows import RowVerdict, read_row_claim
from roma_core.citations.statements import (
    AUTHORS,
    OPINIONS,
    SPEAKERS,
)
from roma_core.citations.turns import (
    move_date,
    move_opening,
    read_turns,
    turn_active,
)
from roma_core.citations.verbs import (
    PARTICIPLE,
    THIRD_PERSON,
    match_forms,
)
from roma_core.citations.words import (
    ClaimWord,
    has_broken_words,
    join_broken,
    make_word,
    read_forms,
)
from roma_core.markup.sentences import Sentence, split_sentences
from roma_core.types import CitationVerdict

FOLLOWS = 0.6
"""Share of a claim's words that stand in one sentence in their order from which the claim follows that sentence."""
COPIES = 0.5
"""Share of a claim's words in long runs of the passage from which the claim is put together of them."""
COPIES_IN_PAIRS = 0.9
"""The same for runs of two words: a short claim has no long ones."""
LONG_RUN = 5
"""Length of a run of words that is no chance."""
CANDIDATES = 8
"""Sentences of a passage that a claim is aligned with: those that share the most words with it."""
MOST_TURNED = 3
"""Sentences against which a claim is turned: other order, other voice."""
MOST_SPLITS = 2
"""How often a claim is taken apart into statements, and these again."""
MOST_READINGS = 2_000
"""Readings of a claim as a statement that are tried. None of 605 claims that are proven so needs more than 491; a long
enumeration has 128,000."""
MOST_UNKNOWN = 2
"""Content words of a claim that its passage need not have, where other words say the same."""
HOLDS_FOR_TURN = 0.6
"""Share of a claim's content that a sentence must hold for it."""


def verify_claim(claim: str, passage: str, context: str = "", document: str = "") -> Support:
    """Return the best quote for ``claim`` in ``passage``, the verdict and the words that decided it.

    ``context`` (title, headings) may say what the passage speaks of; it never proves. ``document`` is searched for
    acronyms that it defines. A claim without content words is *unchecked*.

    >>> verify_claim("The bridge was built in 1903", "The bridge was built in 1902.").verdict
    'contradicted'
    """
    vocabulary = read_forms(claim) if has_broken_words(passage) else frozenset[str]()
    source = SourceWords.read(passage, context, document, vocabulary)
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
    best = find_window(content, source)
    if quotation is not None and not is_title(quotation):
        return Support(best.start, best.end, "unsupported", round(best.score, 4), (Reason("quotation", quotation),))
    if quotation is not None:
        reading = replace(reading, reasons=(*reading.reasons, Reason("name", quotation)))
    follows = reading.follows >= FOLLOWS or _is_put_together(wanted, source)
    if not follows:
        extra = (Reason("name", quotation),) if quotation is not None else ()
        turned = tuple(reason for reason in reading.reasons if reason.kind == "order" and not reason.is_final)
        return judge_rewording(wanted, content, best, source, extra, turned)
    start, end = reading.span or (best.start, best.end)
    score = round(best.score, 4)
    reasons = reading.reasons or (Reason("coverage"),)
    if any(reason.contradicts for reason in reasons):
        return Support(start, end, "contradicted", score, reasons)
    verdict: CitationVerdict = "partial" if best.score >= PARTIAL else "unsupported"
    return Support(start, end, verdict, score, reasons)


def _find_sentence(claim: str, source: SourceWords) -> Sentence | None:
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


def _is_put_together(wanted: Sequence[ClaimWord], source: SourceWords) -> bool:
    """Return whether most of a claim stands in long runs of the passage, or nearly all of it in short ones."""
    keys = [word.key for word in wanted]
    if copied_share(keys, source.keys, LONG_RUN) >= COPIES:
        return True
    return copied_share([key for key in keys if key not in JOINERS], source.keys, 2) >= COPIES_IN_PAIRS


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


def _read(wanted: Sequence[ClaimWord], source: SourceWords) -> _BestAlignment:
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


def _turned(wanted: Sequence[ClaimWord], units: Sequence[PassageUnit], source: SourceWords) -> _BestAlignment | None:
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


def _stated(wanted: Sequence[ClaimWord], source: SourceWords) -> _BestAlignment | None:
    """Return the reading of a claim as simple statements of the passage; None where it says something else."""
    framed = remove_frame(wanted)
    if framed is None or not framed:
        return None
    effort = _Effort()
    for claim in (framed, *_opinions(framed)):
        spans = _prove(claim, source, MOST_SPLITS, effort, is_whole=claim == list(wanted))
        if spans:
            start, end = min(start for start, _ in spans), max(end for _, end in spans)
            return _BestAlignment((start, end), (), 1.0)
    return None


def _recorded(wanted: Sequence[ClaimWord], source: SourceWords) -> _BestAlignment | None:
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


@dataclass
class _Effort:
    """The number of comparisons left, of a form of the claim with a statement of a sentence."""

    left: int = MOST_READINGS

    def spend(self) -> bool:
        """Return whether one more may be tried."""
        self.left -= 1
        return self.left >= 0


def _prove(
    claim: Sequence[ClaimWord], source: SourceWords, splits: int, effort: _Effort, *, is_whole: bool = False
) -> list[tuple[int, int]] | None:
    """Return where the statements of a claim stand; None where one of them stands nowhere, or the effort is spent."""
    if len(claim) < 2 or effort.left <= 0 or not _may_be_said(claim, source):
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
        if _is_stated(claim, unit, source, effort):
            return [(unit.sentence.start, unit.sentence.end)]
    if not splits:
        return None
    ways = [(parts, False) for parts in split_claim(claim)] + [(parts, True) for parts in split_clauses(claim)]
    ways += [(parts, False) for parts in compute_statements(claim, source.sentences)]
    for parts, is_joint in ways:
        spans: list[tuple[int, int]] = []
        for part in parts:
            found = None if is_broken_off(part) else _prove(part, source, splits - 1, effort)
            if found is None:
                break
            spans += found
        else:
            if len(set(spans)) == 1 or not (is_joint or any(has_anaphor(part) for part in parts)):
                return spans
    return None


def _may_be_said(claim: Sequence[ClaimWord], source: SourceWords) -> bool:
    """Return whether a passage has nearly all the words of a claim, so that it is worth a closer look."""
    content = [word for word in claim if word.is_content and not word.is_number]
    missing = sum(word.stem not in source.stems and word.stem not in source.topic for word in content)
    return missing <= MOST_UNKNOWN


def _is_stated(claim: Sequence[ClaimWord], unit: PassageUnit, source: SourceWords, effort: _Effort) -> bool:
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
            if not effort.spend():
                return False
            words = match_forms(statement, turn)
            if _says_from_beginning(match_forms(turn, words), words, unit, source):
                return True
        if _says_arranged(claim, statement, unit, source):
            return True
    return False


def _says_arranged(
    claim: Sequence[ClaimWord], statement: Sequence[ClaimWord], unit: PassageUnit, source: SourceWords
) -> bool:
    """Return whether a claim says a statement in another voice, order and extent at once."""
    for ours, theirs in arrangements(claim, statement):
        words = match_forms(theirs, ours)
        wanted = match_forms(ours, words)
        wanted, words = match_synonyms(wanted, words)
        if _says_from_beginning(wanted, words, unit, source):
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
    claim: Sequence[ClaimWord], statement: Sequence[ClaimWord], unit: PassageUnit, source: SourceWords
) -> bool:
    """Return whether a claim says a statement from its first word on: no subject and no condition is cut off."""
    bound = bind_numbers(claim, statement)
    alignment = align(bound, statement)
    if not alignment.pairs or find_reasons(bound, statement, alignment, unit, source):
        return False
    left_out = [word for edit in alignment.edits for word in edit.source if not edit.claim]
    if any(word.start == word.end for word in left_out):  # a word that makes the statement one
        return False
    opening = next((edit for edit in alignment.edits if edit.at_start and not edit.claim), None)
    return opening is None or all(word.key in HARMLESS | FILLERS for word in opening.source)


def _turns_of(words: Sequence[ClaimWord]) -> Iterator[list[ClaimWord]]:
    yield from read_turns(words)
    yield from turn_nominal(words)
    yield from turn_report_clause(words)
    if plain := move_opening(words):
        yield from read_turns(plain)
        yield from turn_nominal(plain)


def _find_first(words: Sequence[ClaimWord]) -> ClaimWord:
    """Return the first word that tells; the very first one where none does."""
    return next((word for word in words if word.key not in HARMLESS), words[0])


_SYNONYM_WORDS = frozenset(phrase[0] for phrase in SYNONYMS)


def _candidates(wanted: Sequence[ClaimWord], source: SourceWords) -> list[PassageUnit]:
    """Return the sentences that share the most with the claim; headings prove nothing."""
    keys = {word.key: word.weight if word.is_content else 0.2 for word in wanted}
    shared = [
        (sum(keys.get(key, 0.0) for key in set(source.keys[unit.first : unit.last])), -index)
        for index, unit in enumerate(source.units)
    ]
    order = sorted(range(len(shared)), key=lambda index: shared[index], reverse=True)
    units = [source.units[index] for index in order if shared[index][0] > 0.5]
    return [unit for unit in units if unit.sentence.kind != "heading"][:CANDIDATES]


def _run_of(wanted: Sequence[ClaimWord], source: SourceWords) -> _BestAlignment | None:
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
    wanted: Sequence[ClaimWord], present: Sequence[ClaimWord], first: int, last: int, source: SourceWords
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


def _end_of(present: Sequence[ClaimWord], unit: PassageUnit) -> int:
    return _index_of(present, unit.sentence.end)


def _is_parted(word: ClaimWord) -> bool:
    return bool(set(word.gap) & set(".!?;:,\n。！？—–|")) or word.key in JOINERS


def _one_sentence(wanted: Sequence[ClaimWord], unit: PassageUnit, source: SourceWords) -> _BestAlignment:
    present = source.unit_words(unit, wanted)
    return _align_with(match_forms(wanted, present), present, unit, source)


def _align_with(
    wanted: Sequence[ClaimWord], present: Sequence[ClaimWord], unit: PassageUnit, source: SourceWords
) -> _BestAlignment:
    claim = bind_numbers(wanted, present)
    alignment = align(claim, present)
    if not alignment.pairs:
        return _BestAlignment(None, (Reason("coverage"),), 0.0)
    reasons = find_reasons(claim, present, alignment, unit, source)
    total = sum(2 if word.is_content else 1 for word in claim)
    matched = sum(2 if claim[i].is_content else 1 for i, _ in alignment.pairs)
    return _BestAlignment((unit.sentence.start, unit.sentence.end), reasons, matched / total)


# --- sentences that a claim joins ----------------------------------------------------------------------------------


def _joined_sentences(
    wanted: Sequence[ClaimWord], units: Sequence[PassageUnit], source: SourceWords, depth: int = 2
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


def _spanning(units: Sequence[PassageUnit], source: SourceWords) -> _BestAlignment:
    start = min(unit.sentence.start for unit in units)
    end = max(unit.sentence.end for unit in units)
    return _BestAlignment((start, end), (), 1.0)


def _is_whole(words: Sequence[ClaimWord], unit: PassageUnit, source: SourceWords) -> bool:
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
    return not find_reasons(claim, present, alignment, unit, source)


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
