"""Claims that follow no sentence: held to the share of their content that stands in one place. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from roma_core.citations.cuts import text_of
from roma_core.citations.differences import are_of_one_kind, bind_numbers, is_opposite
from roma_core.citations.lexicon import (
    DENIALS,
    DETERMINERS,
    PRONOUNS,
)
from roma_core.citations.numbers import Date
from roma_core.citations.parts import remove_frame
from roma_core.citations.passage import SourceWords, stems_of
from roma_core.citations.reasons import Reason, Support
from roma_core.citations.verbs import PARTING
from roma_core.citations.words import ClaimWord

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
MAX_WINDOW = 3
"""A quote for a claim in other words has at most this many sentences ..."""
LONGER = 0.04
"""... and another one must add this much coverage."""
REACH = 4
"""A denial governs this many content words behind it."""
_SENTENCE_ENDS = frozenset(".;:!?")
_CLAUSE_ENDS = _SENTENCE_ENDS | {","}


@dataclass(frozen=True)
class SourceWindow:
    """A run of sentences that a claim may put in other words, and the share of its content that they hold."""

    start: int
    end: int
    words: tuple[ClaimWord, ...]
    stems: frozenset[str]
    known: frozenset[str]
    score: float = 0.0
    size: int = 1
    """Sentences."""


def find_window(content: Sequence[ClaimWord], source: SourceWords) -> SourceWindow:
    """Return the run of one to ``MAX_WINDOW`` sentences that covers the claim best."""
    nothing = frozenset[str]()
    best, best_rank = SourceWindow(0, len(source.passage), (), nothing, nothing), (-1.0, 0)
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
            stems = frozenset(stems_of(words))
            bound = sum(w.weight for w in claim if w.stem in stems)
            plain = sum(w.weight for w in content if not w.is_number and w.stem in stems)
            topic = source.topic
            known = sum(w.weight for w in content if not w.is_number and w.stem not in stems and w.stem in topic)
            proven = bound + plain
            score = (proven + (known if proven else 0.0)) / total if total else 0.0
            rank = (score - LONGER * (size - 1), -run[0].sentence.start)
            if rank > best_rank:
                best = SourceWindow(run[0].sentence.start, run[-1].sentence.end, words, stems, topic, score, size)
                best_rank = rank
    return best


def judge_rewording(
    wanted: Sequence[ClaimWord],
    content: Sequence[ClaimWord],
    window: SourceWindow,
    source: SourceWords,
    extra: tuple[Reason, ...],
    turned: tuple[Reason, ...],
) -> Support:
    """Return the verdict on a claim that does not follow its source: by the share of its content, and what differs.

    ``turned`` are the words that its nearest sentence has in another order: they decide where nothing else does.
    """
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
    if not reasons and missing:
        reasons = [Reason("coverage", missing)]
    elif not reasons:
        reasons = list(turned) or [Reason("order", text_of(content))]
    return Support(window.start, window.end, "partial", score, tuple(reasons))


def _is_edited(content: Sequence[ClaimWord], source: SourceWords) -> bool:
    """Return whether one sentence has nearly all content of a claim: it is no other wording, and no turn follows it."""
    least = EDITED * sum(word.weight for word in content)
    for unit in source.units:
        stems = set(stems_of(source.words[unit.first : unit.last]))
        if sum(word.weight for word in content if word.stem in stems) >= least:
            return True
    return False


def _coverage_of(content: Sequence[ClaimWord], window: SourceWindow, source: SourceWords) -> float:
    """Return the weighted share of the content words that the passage holds anywhere."""
    stems = {*stems_of(source.words), *window.known}
    return sum(word.weight for word in content if word.stem in stems) / sum(word.weight for word in content)


def _open_reasons(
    wanted: Sequence[ClaimWord], content: Sequence[ClaimWord], window: SourceWindow, source: SourceWords
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
        is_other_value = any(are_of_one_kind(word, other) for word in missing for other in others)
        yield Reason("number", text_of(missing), text_of(others[:3]) if is_all else "", is_slot=is_other_value)
    if (denied := _find_denied(bound, window.words)) is not None:
        yield denied
    foreign = [w for w in content if w.is_name and w.stem not in window.stems and w.stem not in window.known]
    present = set(stems_of(source.words))
    if any(word.stem not in present for word in foreign):
        yield Reason("name", text_of(foreign))
    if (swapped := _find_swapped(wanted, window, source)) is not None:
        yield swapped
    present_keys = {word.key for word in window.words}
    total = [word for word in wanted if word.key in _TOTALS and word.key not in present_keys]
    if total and len(content) <= ONE_FACT:
        yield Reason("quantifier", text_of(total))
    stems = window.stems
    for word in content if len(content) <= ONE_FACT else ():
        if word.stem in stems or word.is_number:
            continue
        opposite = next((other for other in window.words if is_opposite(word, other)), None)
        if opposite is not None:
            yield Reason("direction", word.text, opposite.text)


_TOTALS = frozenset("all always every only each both exclusively entirely completely never none".split())
"""Words that say more than a sentence without them."""


def _find_swapped(wanted: Sequence[ClaimWord], window: SourceWindow, source: SourceWords) -> Reason | None:
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


def _is_dated(word: ClaimWord, window: SourceWindow, source: SourceWords) -> bool:
    """Return whether the day of a date stands in the window, and its year somewhere in the passage or its title."""
    if word.date is None:
        return False
    day = Date(0, word.date.month, word.date.day)
    has_day = any(other.date is not None and other.date.holds(day) for other in window.words)
    year = word.date.year
    known = source.known_at(window.start)
    has_year = not year or any(_year_of(other) == year for other in source.words) or f"#{year}" in known
    return has_day and has_year


def _is_year_of_passage(word: ClaimWord, window: SourceWindow, source: SourceWords) -> bool:
    """Return whether a year stands elsewhere in the passage, as a dateline does, and the window has no other one."""
    year = _year_of(word) if word.date is None or not word.date.month else 0
    if not 1000 <= year <= 2100 or any(1000 <= _year_of(other) <= 2100 for other in window.words):
        return False
    return any(_year_of(other) == year for other in source.words) or f"#{year}" in source.known_at(window.start)


def _year_of(word: ClaimWord) -> int:
    if word.date is not None:
        return word.date.year
    return int(word.text) if word.quantity is not None and re.fullmatch(r"\d{4}", word.text) else 0


_BANS = frozenset("forbidden prohibited banned forbids prohibits bans excluded exempt".split())


@dataclass(frozen=True)
class _Denial:
    word: ClaimWord
    subject: frozenset[str]
    """The stems before it in its clause."""
    predicate: frozenset[str]
    """The stems behind it, ``REACH`` at most; none where it denies what was said before ("cats do not")."""


def _find_denied(claim: Sequence[ClaimWord], quote: Sequence[ClaimWord]) -> Reason | None:
    """Return the denials where one side denies words that both have, and the other none of them.

    Where only the subject of what the source denies is in both, it does not say the opposite: that is doubt enough.
    """
    shared = {w.stem for w in claim if w.is_content} & {w.stem for w in quote if w.is_content}
    ours, theirs = list(_read_denials(claim)), list(_read_denials(quote))
    claimed = [denial for denial in ours if denial.predicate & shared]
    said = [denial for denial in theirs if denial.predicate and (denial.subject | denial.predicate) & shared]
    if bool(claimed) == bool(said) or (claimed and any(not denial.predicate for denial in theirs)):
        return None
    is_opposite_said = any(denial.predicate & shared for denial in (*claimed, *said))
    if claimed and {word.key for word in quote} & _BANS:  # "may not be used" of "is forbidden"
        is_opposite_said = False
    words = text_of(denial.word for denial in claimed), text_of(denial.word for denial in said)
    return Reason("negation", *words, is_slot=is_opposite_said)


def _read_denials(run: Sequence[ClaimWord]) -> Iterator[_Denial]:
    """Yield the denials with what each governs, as far as its clause goes. "Not only" denies nothing."""
    for i, word in enumerate(run):
        if word.key not in DENIALS or (i + 1 < len(run) and run[i + 1].key == "only"):
            continue
        predicate: list[str] = []
        for behind in run[i + 1 :]:
            if len(predicate) == REACH or set(behind.gap) & _SENTENCE_ENDS or (predicate and "," in behind.gap):
                break
            predicate += [behind.stem] if behind.is_content else []
        begin = next((at for at in range(i, 0, -1) if set(run[at].gap) & _CLAUSE_ENDS), 0)
        subject = frozenset(before.stem for before in run[begin:i] if before.is_content)
        yield _Denial(word, subject, frozenset(predicate))
