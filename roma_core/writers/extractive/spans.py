"""Quotes in languages on which the ranker was not measured: by the words that a sentence shares with the question.

Words count without their last letters, and scripts without spaces by pairs of signs, or by fours of letters. On
questions of twelve languages the best two sentences hold the answer of nine in ten (``docs/benchmarks.md``), and
``LEAST_SHARE`` refuses most questions whose topic is absent. Pure.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from itertools import takewhile
from typing import Final, NamedTuple

import regex

from roma_core.citations.conflicts import Conflict
from roma_core.facts import is_date_line
from roma_core.languages import UNSPACED, UNSPACED_ALPHABETS, detect_language, drop_accents, is_covered
from roma_core.markup.function_words import drop_function_words, leave_out_small_words
from roma_core.types import ScoredChunk
from roma_core.writers.extractive.cells import say_value
from roma_core.writers.extractive.foreign_checks import find_unmet
from roma_core.writers.extractive.foreign_conflicts import announces_change, find_foreign_conflict
from roma_core.writers.extractive.foreign_types import find_foreign_type
from roma_core.writers.extractive.selection import Disagreement, choose_close_units, is_echo
from roma_core.writers.extractive.spelling import find_misspelt
from roma_core.writers.extractive.tables import TableAnswer
from roma_core.writers.extractive.units import QuotableUnit, quotable_units

LEAST_SHARE: Final = 0.3
LEAST_SHARE_OF_LETTERS: Final = 0.25
"""Share of a question that the best sentence has to hold, and the lower one for questions in alphabets without spaces:
of their fours of letters, which reach across words, fewer come again. Chosen on other passages than those measured."""
WHOLE_SHARE: Final = 0.999
"""Share from which on the best sentence is quoted alone: it has every word of the question."""
SAME_SHARE: Final = 0.75
"""Share of the best sentence's share from which on another sentence answers the same question."""
GAP: Final = 0.2
PASSAGE_FAVOUR: Final = 0.5
"""How far below the best a sentence may score, and what the sentences of the best passage are given."""

INEXACT: Final = 0.8
"""How much a word counts that a text has in another form or within a compound."""
TONAL: Final = frozenset({"vi"})
"""Languages whose accents part words, and whose words have no other forms."""
COMPOUNDING: Final = frozenset({"de", "nl", "sv", "da", "no", "fi", "is"})
"""Languages that write compounds as one word."""
LEAST_FIRST_PART: Final = 4
LEAST_LAST_PART: Final = 5
LEAST_BEFORE: Final = 3
"""Letters of the first and of the last part of a compound, without its ending, and of the rest of it."""

_WORD: Final = regex.compile(r"[\p{L}\p{M}\p{N}]+")
_LETTERS: Final = 4
"""Letters that are looked up together in alphabets without spaces: about a word."""
_WHOLE: Final = 4
_ENDING: Final = 3
"""Letters that a word keeps, and letters that an ending may have."""


class SpanQuotes(NamedTuple):
    """Chosen sentences, and the share of the question that the best of them holds."""

    units: list[QuotableUnit]
    share: float
    disagreement: Disagreement | None = None
    """The best of them with what sources that answer the same say otherwise."""
    reading: str = ""
    """The question with its typing errors corrected, where it had any."""
    unmet: str = ""
    """What the question asks that none of them says, see ``foreign_checks``."""


def find_foreign_language(languages: AbstractSet[str] | None, question: str, passages: Sequence[ScoredChunk]) -> str:
    """Return the language of the question or of the first passage, where it is none of ``languages``; else nothing."""
    found = (detect_language(question), passages[0].chunk.facts.language)
    return next((language for language in found if not is_covered(languages, language)), "")


def quote_by_spans(question: str, passages: Sequence[ScoredChunk]) -> SpanQuotes:
    """Return the sentences that share most words with the question; those of better passages come sooner."""
    units = [unit for unit in quotable_units(passages) if not is_echo(question, unit.quote)]
    titles = {passage.chunk.title for passage in passages}
    telling = [unit for unit in units if unit.quote not in titles and not is_date_line(unit.quote)]
    units = telling or units
    if not units:
        return SpanQuotes([], 0.0)
    languages = frozenset(passage.chunk.facts.language for passage in passages)
    typed, question = question, _correct_words(question, [unit.scored_text for unit in units], languages)
    reading = question if question != typed else ""
    shares = score_spans(question, [unit.scored_text for unit in units], languages)
    highest = max(passage.score for passage in passages)
    favours = [_favour(passages[unit.passage - 1].score, highest) for unit in units]
    scores = [share + favour for share, favour in zip(shares, favours, strict=True)]
    best = max(range(len(units)), key=lambda index: scores[index])
    disagreement = _find_disagreement(question, units, shares, units[best], passages)
    share = _share_of(question, units, shares, best)
    if shares[best] >= WHOLE_SHARE:
        return SpanQuotes([units[best], *units[best].follows], share, disagreement, reading)
    quoted = choose_close_units(units, scores, GAP)
    texts = [unit.scored_text for unit in (*quoted, *(disagreement.units if disagreement is not None else ()))]
    unmet = find_unmet(question, languages, texts, lambda words, text: any(score_spans(words, [text], languages)))
    return SpanQuotes(quoted, share, disagreement, reading, unmet)


def _correct_words(question: str, texts: Sequence[str], languages: AbstractSet[str]) -> str:
    """Return a question with each word that no text has in any form as a text spells a word that is one letter off."""
    known = sorted({drop_accents(word.casefold()) for text in texts for word in _WORD.findall(text)})
    for word in _WORD.findall(drop_function_words(question, languages)):
        spelled = find_misspelt(drop_accents(word.casefold()), known)
        if spelled and not any(score_spans(word, texts, languages)):
            question = question.replace(word, spelled)
    return question


def _share_of(question: str, units: Sequence[QuotableUnit], shares: Sequence[float], best: int) -> float:
    """Return the share of the best sentence; 0 where only its title speaks of the question, and not of all of it.

    "Gibt es WLAN in der Klinik?" is not answered by a line of "Events of the clinic". A value that is asked for may
    stand anywhere under a title that says what it is of.
    """
    unit = units[best]
    title, heading, lead, header = unit.surroundings
    around = [text for text in (heading, lead, header) if text and text not in title]
    own = score_spans(question, [unit.quote, *around, *(line.quote for line in unit.follows)])
    asked = find_foreign_type(question)
    is_stated = asked is not None and asked.is_stated(unit.quote)
    is_own = any(own) or is_stated or shares[best] >= WHOLE_SHARE
    return shares[best] if is_own else 0.0


def _find_disagreement(
    question: str,
    units: Sequence[QuotableUnit],
    shares: Sequence[float],
    best: QuotableUnit,
    passages: Sequence[ScoredChunk],
) -> Disagreement | None:
    """Return the best unit with those of other documents that answer with another value, one a document.

    They hold nearly as much of the question as the best one, and are about the same thing: their titles or headings
    share a word, or one says that something changes; and they share a word beside the question, or one says so.
    """
    against: dict[str, QuotableUnit] = {}
    conflict: Conflict | None = None
    least = SAME_SHARE * shares[units.index(best)]
    asked = split_spans(question)
    spoken = _list_languages(question, passages)
    languages = frozenset(passage.chunk.facts.language for passage in passages)
    for at in sorted(range(len(units)), key=lambda at: (-shares[at], at)):
        unit = units[at]
        document = unit.document_place[0]
        if (
            document == best.document_place[0]
            or document in against
            or shares[at] < least
            or unit.is_row
            or best.is_row
        ):
            continue
        pair = spoken[best.passage - 1], spoken[unit.passage - 1]
        found = find_foreign_conflict(question, best.quote, unit.quote, pair)
        if found is None or not _are_about_one_thing(asked, best, unit, languages):
            continue
        against[document] = unit
        conflict = conflict or found
    return Disagreement((best, *against.values()), conflict) if conflict is not None else None


def find_row_disagreement(
    question: str, answer: TableAnswer | None, units: Sequence[QuotableUnit], passages: Sequence[ScoredChunk]
) -> Disagreement | None:
    """Return the only row that answers with a sentence of another document that has all words of the question too.

    None where no sentence states another value of the asked type than the row.
    """
    if answer is None or answer.is_computed or len(answer.rows) != 1:
        return None
    [row] = answer.rows
    document = answer.table.document.id
    rows = (u for u in units if u.document_place[0] == document and row.start <= u.document_place[1] < row.end)
    row_unit = next(rows, None)
    others = [unit for unit in units if unit.document_place[0] != document and not unit.is_row]
    if row_unit is None or not others:
        return None
    said = "; ".join(map(say_value, answer.table.header.cells, row.cells))
    spoken = _list_languages(question, passages)
    shares = score_spans(question, [unit.quote for unit in others], frozenset(spoken))
    for share, unit in zip(shares, others, strict=True):
        pair = spoken[row_unit.passage - 1], spoken[unit.passage - 1]
        conflict = find_foreign_conflict(question, said, unit.quote, pair) if share >= WHOLE_SHARE else None
        if conflict is not None:
            return Disagreement((row_unit, unit), conflict)
    return None


def _list_languages(question: str, passages: Sequence[ScoredChunk]) -> list[str]:
    """Return the language of each passage; that of the question where a passage shows none."""
    return [passage.chunk.facts.language or detect_language(question) for passage in passages]


def _are_about_one_thing(
    asked: AbstractSet[str], one: QuotableUnit, other: QuotableUnit, languages: AbstractSet[str]
) -> bool:
    topics = ["\n".join(unit.surroundings[:2]) for unit in (one, other)]
    if any(announces_change(text) for text in (*topics, one.quote, other.quote)):
        return True
    words, others = (split_spans(leave_out_small_words(topic, languages)) for topic in topics)
    is_one_topic = any(word in others or _is_derived(word, others) for word in words)
    said, also = (split_spans(leave_out_small_words(unit.quote, languages)) for unit in (one, other))
    shared = {word for word in said & also if not word.isdigit() and len(word) >= _WHOLE}
    return is_one_topic and bool(shared - asked)


def score_spans(question: str, texts: Sequence[str], languages: AbstractSet[str] = frozenset()) -> list[float]:
    """Return the share of the question's spans that each text holds (0..1), weighted by ``ln(1 + n / df)``.

    A price, a time or a number that the question asks for is one more span, held by texts that state one and share
    another span with the question; the share of the others is halved. ``languages`` are those of the passages, whose
    small words are left out of the question too: a few words often look like those of a neighbouring language.

    >>> score_spans("年假几天？", ["年假为二十天。", "午饭免费。"])[1]
    0.0
    """
    asked = find_foreign_type(question)
    words = drop_function_words(asked.rest if asked is not None else question, languages)
    spoken = {detect_language(question), *languages}
    is_tonal = bool(spoken & TONAL)
    wanted = sorted(split_spans(words, with_accents=is_tonal))
    held = [split_spans(leave_out_small_words(text, languages), with_accents=is_tonal) for text in texts]
    found = [{span: 1.0 for span in wanted if span in spans} for spans in held]
    if not is_tonal:
        whole_words = {_drop_ending(stem): stem for stem in _list_stems(words)} if spoken & COMPOUNDING else {}
        for text, spans, shared in zip(texts, held, found, strict=True):
            stems = _list_stems(text) if whole_words else set()
            for span in set(wanted) - set(shared):
                is_part = bool(whole_words) and (
                    _is_in_compound(span, spans) or _is_compound_of(whole_words.get(span, ""), stems)
                )
                if is_part or _is_derived(span, spans):
                    shared[span] = INEXACT
    weights = {span: _weigh(sum(span in spans for spans in found), len(texts)) for span in wanted}
    sums = [math.fsum(weights[span] * degree for span, degree in shared.items()) for shared in found]
    whole = math.fsum(weights.values()) or 1.0
    if asked is None:
        return [share / whole for share in sums]
    stating = [share > 0 and asked.is_stated(text) for share, text in zip(sums, texts, strict=True)]
    value = _weigh(sum(stating), len(texts))
    return [
        (share + value) / (whole + value) if states else share / (whole + value) / 2
        for share, states in zip(sums, stating, strict=True)
    ]


def _weigh(holders: int, texts: int) -> float:
    return math.log1p(texts / max(1, holders))


def _is_derived(span: str, spans: AbstractSet[str]) -> bool:
    """Return whether a text has a longer word that begins with a span: "annuler" in "annulation".

    >>> _is_derived("annu", {"annulat"}), _is_derived("ab", {"abfall"})
    (True, False)
    """
    return len(span) >= _WHOLE and any(other.startswith(span) for other in spans)


def _is_in_compound(span: str, spans: AbstractSet[str]) -> bool:
    """Return whether a word is the first or last part of a compound of a text, or a word of a text is a part of it.

    >>> _is_in_compound("parkauswe", {"auswe"}), _is_in_compound("fahr", {"fahrradkel"})
    (True, True)
    """
    for other in spans:
        part, whole = sorted((span, other), key=len)
        if len(whole) < len(part) + LEAST_BEFORE:
            continue
        if (len(part) >= LEAST_LAST_PART and whole.endswith(part)) or (
            len(part) >= LEAST_FIRST_PART and whole.startswith(part)
        ):
            return True
    return False


_ENDINGS: Final = regex.compile(r"(?:ung(?:en)?|[hk]eit(?:en)?|ern|en|er|es|em|e|n|s)$")
LEAST_COMMON_PART: Final = 7
"""Letters of the last part, with a letter that joins it, by which two compounds are about one thing."""


def _list_stems(text: str) -> set[str]:
    """Return the words of a text without the commonest endings, those of some length."""
    words = _WORD.findall(drop_accents(text.casefold()))
    stems = (_ENDINGS.sub("", word) if len(word) > LEAST_LAST_PART else word for word in words)
    return {stem for stem in stems if len(stem) >= LEAST_LAST_PART}


def _is_compound_of(stem: str, stems: AbstractSet[str]) -> bool:
    """Return whether a word ends a compound of a text, or two compounds end alike.

    >>> _is_compound_of("rezept", {"folgerezept"}), _is_compound_of("mitgliedsbeitrag", {"jahresbeitrag"})
    (True, True)
    """
    if len(stem) < LEAST_LAST_PART:
        return False
    for other in stems:
        pairs = zip(reversed(stem), reversed(other), strict=False)
        common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        rests = sorted((len(stem) - common, len(other) - common))
        is_last = common >= LEAST_LAST_PART and rests[0] == 0 and (rests[1] == 0 or rests[1] >= LEAST_BEFORE)
        if is_last or (common >= LEAST_COMMON_PART and rests[0] >= LEAST_BEFORE):
            return True
    return False


def split_spans(text: str, *, with_accents: bool = False) -> set[str]:
    """Return words without their last letters, and in scripts without spaces neighbours: two signs, or four letters.

    Latin letters lose their accents, which people leave out when they type, unless ``with_accents`` keeps them.

    >>> sorted(split_spans("Urlaubstagen ab 年假为"))
    ['ab', 'urlaubsta', '假为', '年假']
    """
    folded = unicodedata.normalize("NFC", text.casefold()) if with_accents else drop_accents(text.casefold())
    spans = {_drop_ending(word) for word in _WORD.findall(UNSPACED.sub(" ", folded))}
    for run in UNSPACED.findall(folded):
        for letters in UNSPACED_ALPHABETS.findall(run):
            spans.update(_list_neighbours(letters, _LETTERS))
        for signs in UNSPACED_ALPHABETS.split(run):
            spans.update(_list_neighbours(signs, 2))
    return spans


def find_least_share(question: str) -> float:
    """Return the share of a question that the best sentence has to hold for an answer.

    >>> find_least_share("年假几天？"), find_least_share("ลาพักร้อนได้กี่วัน")
    (0.3, 0.25)
    """
    letters = sum(len(run) for run in UNSPACED_ALPHABETS.findall(question))
    others = sum(len(word) for word in _WORD.findall(UNSPACED_ALPHABETS.sub(" ", question)))
    return LEAST_SHARE_OF_LETTERS if letters > others else LEAST_SHARE


def _list_neighbours(run: str, count: int) -> list[str]:
    """Return the parts of a run with ``count`` characters; a shorter run whole."""
    return [run[at : at + count] for at in range(max(1, len(run) - count + 1))] if run else []


def _drop_ending(word: str) -> str:
    is_whole = len(word) < _WHOLE or word.isdigit()
    return word if is_whole else word[: max(_WHOLE, len(word) - _ENDING)]


def _favour(score: float, highest: float) -> float:
    return PASSAGE_FAVOUR * max(0.0, score / highest) if highest > 0 else 0.0
