"""Choice of the units that answer a question, and how they are written down. Pure."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Final

from roma_core.citations.conflicts import (
    Conflict,
    agree_on_answer,
    asks_date,
    asks_value,
    find_answer_conflict,
    find_conflict,
    is_near_copy,
)
from roma_core.citations.numbers import MONTH_NAMES
from roma_core.citations.words import read_words
from roma_core.languages import count_words
from roma_core.markup import escape_markers
from roma_core.markup.compound import find_sides
from roma_core.markup.questions import (
    LIGHT_WORDS,
    Question,
    content_words,
    find_names,
    holds_all_codes,
    holds_name,
    read_question,
    stem_word,
)
from roma_core.types import Chunk, ScoredChunk
from roma_core.writers.extractive.answer_types import find_asked_value, find_measured_thing
from roma_core.writers.extractive.asked_things import compare_things, find_asked_thing, states_thing
from roma_core.writers.extractive.cells import AskedCell
from roma_core.writers.extractive.corrections import REPORTS, Correction, find_correction_of
from roma_core.writers.extractive.expectations import states_asked
from roma_core.writers.extractive.scopes import (
    find_opposite,
    find_other_scope,
    have_opposites,
    have_other_places,
    have_other_scopes,
    names_asked_year,
)
from roma_core.writers.extractive.units import QuotableUnit, plain_text

MOST_SENTENCES = 3
MOST_COPIES = 3
"""Passages that one quote names when several hold it."""
SHORT_WORDS = 40
"""Up to here an answer is given the sentence that goes on from its best one: the answer is often in that."""
SAME_QUESTION = 1 / 3
"""Share of the words of the question which the best unit has that another one needs to answer the same question."""
CONFLICT_GAP = 4.0
"""How far below the best sentence another one may score and still contradict it."""
ANSWER_GAP = 6.0
"""How far below the best sentence one may score that answers the question in other words, with another value."""
NEAR_SEVERAL = 1.2
"""How far below the best sentence another one may score that makes an answer long, where several things are asked."""
MOST_BY_TITLE = 0.4
"""Share of the question's words in two sentences up to which they speak of it by their titles alone."""
LEAST_READ_WORDS = 2
"""Words of the question that a unit near the best one must have to contradict it."""
LEAST_QUESTION_WORDS = 3
"""Words of a question from which on a quote has to share one with it."""
LEAST_UNREAD_WORDS = 3
"""Words of the question that a unit must have to contradict whatever the ranker says."""


def choose_units(
    question: Question, units: Sequence[QuotableUnit], scores: Sequence[float], gap: float
) -> list[QuotableUnit]:
    """Return the best unit, with those within ``gap`` that add words of the question, in document order.

    Within twice the gap one must add half of the words that are open; where a question asks two things none need to.

    Units that lack a code or name of the question go where another has it. Near-copies of a chosen unit become its
    ``copies``. Only while the answer stays short others come too, see ``_has_room``, and so does the sentence that goes
    on from the best one. Ties go to the earlier unit.
    """
    fitting = _with_scope(question, units, _with_codes(question, units, scores))
    pool = _with_names(question, units, fitting, scores, gap)
    order = sorted(pool, key=lambda i: (-scores[i], i))
    least = scores[order[0]] - gap
    best = [units[order[0]]]
    for index in order[1:]:
        unit = units[index]
        twin = next((i for i, chosen in enumerate(best) if is_near_copy(chosen.quote, unit.quote)), None)
        if twin is not None:
            best[twin] = _with_copy(best[twin], unit)
        elif len(best) < MOST_SENTENCES and scores[index] >= least - gap and _has_room(question, best, unit):
            added = _added_words(question, best, unit)
            adds = bool(added) or question.is_compound or (question.asks_several and _adds_things(question, best, unit))
            is_near = scores[index] >= least and adds
            if is_near or (added and 2 * len(added) >= len(_open_words(question, best))):
                best.append(unit)

    chosen: dict[tuple[str, int], QuotableUnit] = {}
    for unit in best:
        for line in (unit, *unit.follows):
            chosen[line.document_place] = line
    following = best[0].next
    if following is not None and find_misfit(question, following):
        following = None
    if following is not None and _goes_on(question, list(chosen.values()), following):
        words = sum(count_words(unit.quote) for unit in (*chosen.values(), following))
        if words <= SHORT_WORDS:
            chosen.setdefault(following.document_place, replace(following, copies=()))
    return in_document_order(units, list(chosen.values()))


def choose_close_units(units: Sequence[QuotableUnit], scores: Sequence[float], gap: float) -> list[QuotableUnit]:
    """Return the best unit and up to two more within ``gap`` of it, in document order, whatever the language."""
    order = sorted(range(len(units)), key=lambda i: (-scores[i], i))
    least = scores[order[0]] - gap
    best = [units[i] for i in order[:MOST_SENTENCES] if scores[i] >= least]
    chosen: dict[tuple[str, int], QuotableUnit] = {}
    for unit in best:
        for line in (unit, *unit.follows):
            chosen[line.document_place] = line
    following = best[0].next
    if following is not None:
        words = sum(count_words(unit.quote) for unit in (*chosen.values(), following))
        if words <= SHORT_WORDS:
            chosen.setdefault(following.document_place, following)
    return in_document_order(units, list(chosen.values()))


def leave_out_further(
    question: Question, chosen: Sequence[QuotableUnit], best: QuotableUnit, score_of: Callable[[QuotableUnit], float]
) -> list[QuotableUnit]:
    """Return the sentences of an answer that are needed where all of them are longer than a short answer.

    Beside the best one: what it refers back to, what states what is asked where it does not, the next one with a word
    of the question that it lacks, if that refers back to it or has half of such words, and, of several things that are
    asked, what scores hardly lower.
    """
    is_whole = question.is_compound or question.kind in {"comparison", "keywords"}
    is_plain = all(unit.is_prose and not unit.follows for unit in chosen)
    if is_whole or not is_plain or sum(count_words(unit.quote) for unit in chosen) <= SHORT_WORDS:
        return list(chosen)
    least = score_of(best) - NEAR_SEVERAL
    is_stated = states_asked(question, best)
    needed: list[QuotableUnit] = []
    for unit in chosen:
        is_linked = _is_next(unit, best) and refers_back(best)
        if _is_next(best, unit):
            added = _added_words(question, [best], unit)
            is_linked = bool(added) and (refers_back(unit) or 2 * len(added) >= len(_open_words(question, [best])))
        adds = question.asks_several and score_of(unit) >= least
        states = not is_stated and states_asked(question, unit)
        if unit.document_place == best.document_place or is_linked or adds or states:
            needed.append(unit)
    return needed


def _is_next(unit: QuotableUnit, following: QuotableUnit) -> bool:
    return unit.next is not None and unit.next.document_place == following.document_place


_REFERS_BACK = re.compile(
    r"\W*(?:it|its|they|their|them|this|that|these|those|he|his|she|her|then|there|otherwise|instead|however|but|so|thus"
    r"|therefore|also|both|such|afterwards|here|if not|the (?:latter|former|same))\b",
    re.IGNORECASE,
)
_POINTS_BACK = re.compile(r"\b(?:it|they|them|this|that|these|those|such|both)\b", re.IGNORECASE)


def find_side_words(question: Question) -> tuple[set[str], set[str]] | None:
    """Return the words that tell the two sides of a comparison apart; None where they cannot be told."""
    sides = find_sides(question.text) if question.kind == "comparison" else None
    if sides is None:
        return None
    first, second = (content_words(side) for side in sides)
    one, other = first - second, second - first
    if not re.search(r"\b(?:between|compared?|difference)\b", question.text, re.IGNORECASE):
        one = content_words(" ".join(sides[0].split()[-2:])) - second
    return (one, other) if one and other else None


def choose_sides(question: Question, units: Sequence[QuotableUnit], scores: Sequence[float]) -> list[QuotableUnit]:
    """Return the best unit for each side of a comparison, one where it speaks of both; nothing for other questions."""
    sides = find_side_words(question)
    if sides is None or not units:
        return []
    words = [content_words(unit.scored_text) for unit in units]
    own = [content_words(_quoted_text(unit)) for unit in units]
    order = sorted(range(len(units)), key=lambda i: (-scores[i], i))
    best = order[0]
    if all(side & own[best] for side in sides):
        return [units[best], *units[best].follows]
    chosen: list[QuotableUnit] = []
    for side, against in (sides, sides[::-1]):
        ranked = [i for i in order if side & words[i] and not against & own[i]] or [i for i in order if side & words[i]]
        if not ranked:
            return []
        chosen += [units[ranked[0]], *units[ranked[0]].follows]
    return in_document_order(units, list({unit.document_place: unit for unit in chosen}.values()))


def in_document_order(units: Sequence[QuotableUnit], chosen: Sequence[QuotableUnit]) -> list[QuotableUnit]:
    """Return ``chosen`` as their documents come among ``units``, each document's from its beginning on."""
    documents = list(dict.fromkeys(unit.document_place[0] for unit in units))
    return sorted(chosen, key=lambda unit: (documents.index(unit.document_place[0]), unit.document_place[1]))


def _with_codes(question: Question, units: Sequence[QuotableUnit], scores: Sequence[float]) -> list[int]:
    """Return the units that name the codes of the question, in their quote or surroundings; all where none does."""
    everything = list(range(len(units)))
    holders = [i for i in everything if holds_all_codes(question.codes, units[i].scored_text)]
    return holders or everything


def find_misfit(question: Question, unit: QuotableUnit) -> str:
    """Return what the question names and a unit says of another year, number of a series or half; else nothing."""
    around = "\n".join(unit.surroundings)
    other_scope = find_other_scope(question.text, _quoted_text(unit), around)
    if other_scope or question.kind in {"yes_no", "comparison"} or question.is_compound:
        return other_scope
    return find_opposite(question.text, f"{around}\n{_quoted_text(unit)}")


def find_missed_scope(
    question: Question, units: Sequence[QuotableUnit], scores: Sequence[float], chosen: Sequence[QuotableUnit]
) -> str:
    """Return the scope of the question that no chosen unit has while the nearest unit has another; else nothing."""
    misfits = [find_misfit(question, unit) for unit in chosen]
    if chosen and all(misfits):
        return misfits[0]
    places = {unit.document_place for unit, misfit in zip(chosen, misfits, strict=True) if not misfit}
    best = max((score for unit, score in zip(units, scores, strict=True) if unit.document_place in places), default=0.0)
    for unit, score in zip(units, scores, strict=True):
        missed = find_misfit(question, unit) if score > best else ""
        if missed and not any(missed.casefold() in other.scored_text.casefold() for other in chosen):
            return missed
    return ""


def _with_scope(question: Question, units: Sequence[QuotableUnit], pool: Sequence[int]) -> list[int]:
    """Return the units of ``pool`` that speak of no other year, number of a series or half; all where none is left."""
    return [i for i in pool if not find_misfit(question, units[i])] or list(pool)


def _quoted_text(unit: QuotableUnit) -> str:
    return "\n".join((unit.quote, *(line.quote for line in unit.follows)))


def _with_names(
    question: Question, units: Sequence[QuotableUnit], pool: Sequence[int], scores: Sequence[float], gap: float
) -> list[int]:
    """Return the units near the best one that hold the most names of the question, and all that are far from it.

    What their paragraph names before them counts: "The revocation forbade services" speaks of the edict.
    """
    if not question.names:
        return list(pool)
    best = max(scores[i] for i in pool)
    near = [i for i in pool if scores[i] >= best - gap]
    counts = {i: count_names(question, f"{units[i].before}\n{units[i].scored_text}") for i in near}
    most = max(counts.values())
    return [i for i in pool if counts.get(i, most) >= most]


def _has_room(question: Question, chosen: Sequence[QuotableUnit], unit: QuotableUnit) -> bool:
    """Return whether a further unit may come: the answer stays short, or what is asked needs it.

    It is needed where the question asks for more than one thing, or for a value that nothing chosen states.
    """
    if question.is_compound or question.asks_several or not unit.is_prose:
        return True
    if states_asked(question, unit) and not any(states_asked(question, each) for each in chosen):
        return True
    return sum(count_words(_quoted_text(each)) for each in (*chosen, unit)) <= SHORT_WORDS


def read_with_referent(unit: QuotableUnit) -> str:
    """Return a unit in its surroundings, after its paragraph up to it where it refers back: "It was shut in May"."""
    is_read = refers_back(unit) or _resumes_name(unit)
    return f"{unit.before}\n{unit.scored_text}" if is_read else unit.scored_text


_RESUMES = re.compile(r"\W*The (?P<noun>[a-z]{3,})\b")


def _resumes_name(unit: QuotableUnit) -> bool:
    """Return whether a unit begins with the common noun of a name before it: "The institute" of the Orr Institute."""
    found = _RESUMES.match(unit.quote)
    return found is not None and re.search(rf"\b{found['noun'].capitalize()}\b", unit.before) is not None


def refers_back(unit: QuotableUnit) -> bool:
    """Return whether a unit speaks of what was named before it, by a pronoun at or near its beginning."""
    opening = " ".join(unit.quote.split()[:10])
    return _REFERS_BACK.match(unit.quote) is not None or _POINTS_BACK.search(opening) is not None


def count_names(question: Question, text: str) -> int:
    """Return how many of the names of a question a text holds."""
    return sum(holds_name(name, text) for name in question.names)


_COUNTED = re.compile(r"\bhow many\s+(?P<things>[\w-]+(?:\s+[\w-]+)?)", re.IGNORECASE)


def leave_out_uncounted(question: Question, chosen: Sequence[QuotableUnit]) -> list[QuotableUnit]:
    """Return the chosen sentences that speak of what is counted, where one of them counts it: "142 members".

    What the same document says next to it stays.
    """
    found = _COUNTED.search(question.text)
    things = content_words(found["things"]) if found is not None else set()
    counted = [things & _list_counted(unit.quote) for unit in chosen]
    documents = {unit.document_place[0] for unit, counts in zip(chosen, counted, strict=True) if counts}
    if question.kind != "how_many" or not documents:
        return list(chosen)
    thing = set[str]().union(*counted)
    return [u for u in chosen if u.document_place[0] in documents or thing & content_words(u.quote)]


def _list_counted(text: str) -> set[str]:
    """Return the stems of the words right behind a number."""
    pairs = itertools.pairwise(read_words(text))
    return {stem_word(behind.text.casefold()) for word, behind in pairs if word.is_number and not behind.is_number}


_OF_ONE_ITEM = frozenset({"when", "how_many", "who", "yes_no"})
"""Kinds of questions that ask one thing of what a list has, not for the list."""


def leave_out_items(question: Question, chosen: Sequence[QuotableUnit]) -> list[QuotableUnit]:
    """Return the chosen units without the items of an announced list that the question does not ask of.

    "When does Black Holes start?" is answered by one line of "We show:".
    """
    left_out: set[tuple[str, int]] = set()
    narrowed: list[QuotableUnit] = []
    for unit in chosen:
        kept = _find_asked_items(question, unit)
        left_out |= {line.document_place for line in unit.follows} - {line.document_place for line in kept}
        narrowed.append(replace(unit, follows=kept))
    return [unit for unit in narrowed if unit.document_place not in left_out]


def _find_asked_items(question: Question, unit: QuotableUnit) -> tuple[QuotableUnit, ...]:
    """Return the lines with most words of the question that their announcement lacks; all where none has any."""
    if not unit.announces_list or question.asks_several:
        return unit.follows
    telling = question.words - LIGHT_WORDS - content_words("\n".join((*unit.surroundings, unit.quote)))
    if question.kind not in _OF_ONE_ITEM:
        telling &= content_words(" ".join(question.names))
    shared = [len(telling & content_words(line.quote)) for line in unit.follows]
    most = max(shared, default=0)
    return tuple(line for line, count in zip(unit.follows, shared, strict=True) if count == most)


def _goes_on(question: Question, chosen: Sequence[QuotableUnit], following: QuotableUnit) -> bool:
    """Return whether the next sentence belongs to the answer: it has a word of the question that nothing chosen has.

    So does one that corrects what a chosen one reports, and one that states what is asked where nothing chosen does.
    """
    if question.codes and re.search(r"\d", following.quote) and not holds_all_codes(question.codes, following.quote):
        return False
    if _added_words(question, chosen, following) or _corrects_report(question, chosen, following):
        return True
    is_stated = any(states_asked(question, unit) for unit in chosen)
    return not is_stated and refers_back(following) and states_asked(question, following)


def _corrects_report(question: Question, chosen: Sequence[QuotableUnit], following: QuotableUnit) -> bool:
    """Return whether a sentence states another value behind one that says what others say.

    "The page says nine weeks. We are at fourteen."
    """
    is_report = bool(chosen) and REPORTS.search(chosen[-1].quote) is not None
    return is_report and any(word.is_number for word in read_words(following.quote))


def _open_words(question: Question, chosen: Sequence[QuotableUnit]) -> set[str]:
    """Return the words of a question that no chosen quote and no title of theirs has."""
    held = "\n".join(f"{unit.surroundings[0]}\n{_quoted_text(unit)}" for unit in chosen)
    return set(question.words) - content_words(held)


def _added_words(question: Question, chosen: Sequence[QuotableUnit], unit: QuotableUnit) -> set[str]:
    """Return the words of a question that a unit has in its own words and nothing chosen has."""
    return _open_words(question, chosen) & content_words(_quoted_text(unit))


def _adds_things(question: Question, chosen: Sequence[QuotableUnit], unit: QuotableUnit) -> bool:
    """Return whether a unit has a name or number that neither the question nor anything chosen has.

    It speaks of the question, too: of several things that are asked, one sentence often states one.
    """
    held = {word.key for text in (question.text, *map(_quoted_text, chosen)) for word in read_words(text)}
    things = {word.key for word in read_words(_quoted_text(unit)) if word.is_name or word.is_number}
    return bool(things - held) and bool(question.words & content_words(unit.own_text))


def _with_copy(unit: QuotableUnit, twin: QuotableUnit) -> QuotableUnit:
    """Return ``unit`` with the passage of its near-copy as one more place of it."""
    known = {unit.passage, *unit.copies}
    if twin.passage in known or len(known) >= MOST_COPIES:
        return unit
    return replace(unit, copies=(*unit.copies, twin.passage))


@dataclass(frozen=True)
class Disagreement:
    """Units of several documents that contradict each other, the best one first, and how the first two differ."""

    units: tuple[QuotableUnit, ...]
    conflict: Conflict


def find_disagreement(
    question: Question,
    units: Sequence[QuotableUnit],
    scores: Sequence[float],
    best: QuotableUnit,
    passages: Sequence[ScoredChunk] = (),
) -> Disagreement | None:
    """Return the units of other documents that contradict the best one, one a document; None where none does.

    Units beyond ``scores`` are those that the ranker did not read: they contradict by what they say alone.
    ``passages`` are those of the units: a name of the question may stand anywhere in them.
    """
    known = list(scores) + [-math.inf] * (len(units) - len(scores))
    top = max((score for unit, score in zip(units, known, strict=True) if unit.quote == best.quote), default=0.0)
    against: dict[str, QuotableUnit] = {}
    conflict: Conflict | None = None
    for index in sorted(range(len(units)), key=lambda i: (-known[i], i)):
        unit = units[index]
        if unit.document_place[0] in against:
            continue
        around = passages[unit.passage - 1].chunk if unit.passage <= len(passages) else None
        corrected = find_corrected(question, best, unit, around)
        if corrected is not None:
            best, against[unit.document_place[0]] = corrected.best, corrected.unit
            conflict = conflict or corrected.conflict
            continue
        found = find_contradiction(question, best, unit, top - known[index], around)
        if found is not None:
            against[unit.document_place[0]] = unit
            conflict = conflict or found
    if conflict is None:
        return None
    return Disagreement((best, *against.values()), conflict)


def find_corrected(
    question: Question, best: QuotableUnit, unit: QuotableUnit, around: Chunk | None
) -> Correction | None:
    """Return how a unit about the same thing corrects the best one, or is corrected by it: "9.4 hectares, not eleven".

    The corrected value itself tells that both speak of one thing, so the unit needs few words of the question.
    """
    corrected = find_correction_of(question, best, unit, around)
    if corrected is None or around is None or find_misfit(question, unit) or _have_similar_names(best, unit):
        return None
    is_of_year = names_asked_year(question.text, f"{unit.scored_text}\n{around.title}\n{around.text}")
    return corrected if is_of_year else None


def find_contradiction(
    question: Question, best: QuotableUnit, unit: QuotableUnit, behind: float, around: Chunk | None = None
) -> Conflict | None:
    """Return how a unit that scores ``behind`` the best one contradicts it; None for one of the same document.

    It says nearly the same with another value, or it answers the question with another value. ``around`` is the passage
    that holds it.
    """
    if unit.document_place[0] == best.document_place[0] or _is_about_else(question, best, unit, around):
        return None
    thing = find_asked_thing(question.text)
    asks_one = not question.is_compound and not question.asks_several
    can_differ = asks_value(question.text) and asks_one and (thing is None or thing.is_counted)
    can_differ = can_differ and _names_asked(question, best, unit)
    if can_differ and agree_on_answer(question.text, _said(best), _said(unit)):
        return None
    if behind <= CONFLICT_GAP:
        found = find_conflict(_said(best), _said(unit), same_subject=_same_subject(best, unit))
        if found is not None:
            return found
    if thing is not None and (things := compare_things(thing, _said(best), _said(unit))) is not None:
        answers_too = _answers_as_well(question, best, unit, around, is_read=behind <= ANSWER_GAP)
        return Conflict("name", *things) if answers_too else None
    if can_differ and _answers_as_well(question, best, unit, around, is_read=behind <= ANSWER_GAP):
        asked = find_asked_value(question.text)
        units = asked.units if asked is not None else frozenset()
        found = find_answer_conflict(question.text, _said(best), _said(unit), units)
        is_answer = thing is None or states_thing(thing, _said(unit))
        return found if is_answer else None
    return None


def find_row_contradiction(
    question: Question, row: QuotableUnit, cell: AskedCell, unit: QuotableUnit, around: Chunk
) -> Conflict | None:
    """Return how a sentence of another document contradicts the cell of a row that answers; None where it does not.

    The sentence has the row's numbers of the question ("in 2023"), and its passage speaks of what the column measures.
    A value with a unit measures many things, so the sentence itself has to speak of this one.
    """
    if unit.document_place[0] == row.document_place[0] or not unit.is_prose:
        return None
    given = {word.key for word in read_words(question.text) if word.is_number}
    held = given & {word.key for word in read_words(_said(row)) if word.is_number}
    if held - {word.key for word in read_words(_said(unit)) if word.is_number}:
        return None
    if not cell.words <= content_words(f"{around.title}\n{around.text}"):
        return None
    own = content_words(unit.own_text)
    if cell.unit and not (cell.words - {stem_word(cell.unit)}) & own:
        return None
    if not cell.words & own and not _STANDS_FOR.search(unit.quote):
        return None
    if _is_about_else(question, row, unit, around):
        return None
    return find_answer_conflict(question.text, cell.text, _said(unit))


_STANDS_FOR = re.compile(r"\b(?:it|they|this|that|these|those)\b", re.IGNORECASE)
"""Words that stand for what was named before: "In 2023 it was 27." """


def _is_about_else(question: Question, best: QuotableUnit, unit: QuotableUnit, around: Chunk | None) -> bool:
    """Return whether a unit speaks of another thing than the best one, so that both can be true.

    It lacks a code or name of the question, its document is about a thing of another name, or it holds for another
    year, number of a series or half.
    """
    held = f"{around.title}\n{around.text}" if around is not None else ""
    if question.codes and not holds_all_codes(question.codes, f"{unit.scored_text}\n{held}"):
        return True
    names = count_names(question, best.scored_text)
    place = _name_places(question, around)
    if count_names(question, f"{unit.scored_text}\n{held}\n{place}") < names and not repeats_question(
        question, unit, place
    ):
        return True
    if _have_similar_names(best, unit) or _lacks_subject(question, best, unit, place) or find_misfit(question, unit):
        return True
    if not names_asked_year(question.text, f"{unit.scored_text}\n{held}"):
        return True
    if have_opposites(best.surroundings[0], unit.surroundings[0]):
        return True
    said, other = _said(best), _said(unit)
    if find_asked_value(question.text) is not None and have_other_places(said, other):
        return True
    asks_time = question.kind == "when" or asks_date(question.text)
    whether = question.text if question.kind == "yes_no" else ""
    return have_opposites(said, other, whether) or (not asks_time and have_other_scopes(said, other, question.text))


def _name_places(question: Question, around: Chunk | None) -> str:
    """Return the names of the question under which a passage stands: its site or a folder is called so.

    "varnmoor/mails/road.mbox" is of Varn Moor.
    """
    place = _letters(around.uri) if around is not None else ""
    return " ".join(name for name in question.names if len(name) >= LEAST_NAME_CHARS and _letters(name) in place)


def _lacks_subject(question: Question, best: QuotableUnit, unit: QuotableUnit, place: str) -> bool:
    """Return whether neither a unit nor its ``place`` has a word of the question that names the best one's document.

    "Which Python does plover need?", answered by the document of plover, is not denied by what heron needs.
    """
    subject = question.words & content_words(best.surroundings[0])
    return bool(subject) and not subject & content_words(f"{unit.scored_text}\n{place}")


def _names_asked(question: Question, best: QuotableUnit, unit: QuotableUnit) -> bool:
    """Return whether one of two units has the noun of "what wind", "which limit", so that its values answer.

    Where the type of the value is known ("what speed", "which firm") the values tell by themselves.
    """
    if find_asked_value(question.text) is not None or find_asked_thing(question.text) is not None:
        return True
    asked = {stem_word(word.casefold()) for word in _ASKED_NOUN.findall(question.text)} & question.words
    held = content_words(f"{best.scored_text}\n{unit.scored_text}")
    return not asked or bool(asked & held)


_ASKED_NOUN = re.compile(r"\b(?:what|which)\s+(\w+)", re.IGNORECASE)


def _answers_as_well(
    question: Question, best: QuotableUnit, unit: QuotableUnit, around: Chunk | None, *, is_read: bool
) -> bool:
    """True when a unit speaks of nearly all of the question that the best unit speaks of, by its own words too.

    One that the ranker did not read, or scored low, has to speak of all of it, together with its passage. One of
    the same title has to speak of all of it itself: parts of one article all speak of one thing. An answer to the same
    question in a list of questions speaks of it anyhow; so does one that reports what the other source says.
    """
    place = _name_places(question, around)
    if repeats_question(question, unit, place) or reports_source(best, unit) or updates_value(question, best, unit):
        return True
    held = question.words & content_words(unit.scored_text)
    own = (question.words - _TIME_LEADS) & content_words(unit.own_text)
    wanted = question.words & content_words(best.scored_text)
    stated = question.words & content_words(best.own_text)
    if not wanted or not own or (stated and not stated & own):
        return False
    measured = find_measured_thing(question.text)
    if measured and stem_word(measured) not in held:
        return False
    if _have_same_title(best, unit):
        wanted -= content_words(unit.surroundings[0])
        return len(wanted) >= LEAST_READ_WORDS and wanted <= own
    if is_read:
        said = question.words & content_words(f"{best.own_text}\n{unit.own_text}")
        if len(said) <= MOST_BY_TITLE * len(question.words):
            return False  # by their titles alone both speak of the question
        return len(held) >= max(SAME_QUESTION * len(wanted), min(LEAST_READ_WORDS, len(wanted)))
    if around is not None:
        held |= question.words & content_words(f"{around.title}\n{around.text}")
    if names_shorter(question, best, unit):
        wanted -= content_words(best.surroundings[0]) - held
        return len(own) >= LEAST_READ_WORDS and wanted <= held
    return len(wanted) >= LEAST_UNREAD_WORDS and wanted <= held and 2 * len(own) >= len(wanted)


_TIME_LEADS = frozenset(map(stem_word, ("since", "until", "till", "before", "after", "during")))
"""Words before a time, which say nothing of what it is the time of."""
_THE_THING = re.compile(r"\b(?:the|our|this)\s+([^\W\d_]+)", re.IGNORECASE)


def names_shorter(question: Question, best: QuotableUnit, unit: QuotableUnit) -> bool:
    """Return whether a unit speaks of what the best one's title names by a shorter name: "the museum".

    Both titles have the word, and the unit's has no other word before it: the maritime museum is another one.
    """
    title, other = (_split_title(each.surroundings[0])[1] for each in (best, unit))
    things = content_words(title) & content_words(other) & question.words
    for word in _THE_THING.findall(unit.quote):
        if stem_word(word.casefold()) in things:
            before = re.findall(rf"(\w+)\s+{re.escape(word)}\b", other, re.IGNORECASE)
            return all(content_words(each) <= question.words for each in before)
    return False


def updates_value(question: Question, best: QuotableUnit, unit: QuotableUnit) -> bool:
    """Return whether a unit says that something about the best one's subject is new: "is 96 hours since August".

    The subject is what the title of the best one and the question have in common, two words and more of it.
    """
    subject = question.words & content_words(best.surroundings[0])
    return (
        len(subject) >= LEAST_READ_WORDS and subject <= content_words(unit.own_text) and bool(_NEW.search(unit.quote))
    )


_NEW = re.compile(
    r"\b(?:since|as of|from|now|starting|effective)\s+(?:the\s+)?(?:\d{1,2}(?:st|nd|rd|th)?\s+)?"
    rf"(?:{'|'.join(MONTH_NAMES)}|(?:19|20)\d\d)\b"
    r"|\b(?:has|have|was|were|is|are) (?:now|been|set|raised|changed|extended|increased|reduced|lowered|shortened)\b"
    r"|\bthe new\b|\bfrom now on\b",
    re.IGNORECASE,
)
"""What says that a value holds since some time, or was changed."""


def repeats_question(question: Question, unit: QuotableUnit, place: str = "") -> bool:
    """Return whether a unit answers a shorter form of the question, under a title that names nothing else.

    "What does it cost?" in "Your questions about the tank" is "What does the second tank at Garrow Point cost?". Where
    the title names nothing ("Questions we are asked often") the names of its ``place`` are the thing.
    """
    lead = unit.surroundings[2]
    if not lead.endswith("?"):
        return False
    asked = read_question(lead).words
    thing = content_words(unit.surroundings[0].rpartition(": ")[2]) - _LISTS_OF_QUESTIONS or content_words(place)
    return bool(asked and thing) and (asked | thing) <= question.words


def reports_source(best: QuotableUnit, unit: QuotableUnit) -> bool:
    """Return whether a unit says what stands in the document of the best one: "Five knots is what the bylaws say".

    Under the same title the words of the title name no other document.
    """
    title = content_words(best.surroundings[0])
    return (
        not _have_same_title(best, unit)
        and REPORTS.search(unit.quote) is not None
        and bool(title & content_words(unit.quote))
    )


_LISTS_OF_QUESTIONS = frozenset(stem_word(word) for word in "questions answers asked often frequently faq".split())


def _said(unit: QuotableUnit) -> str:
    return plain_text(unit.quote)


def _have_same_title(one: QuotableUnit, other: QuotableUnit) -> bool:
    """Return whether two units stand under the same title, as parts of one article do that are documents each."""
    title = content_words(one.surroundings[0])
    return bool(title) and title == content_words(other.surroundings[0])


def _same_subject(one: QuotableUnit, other: QuotableUnit) -> bool:
    """True when the titles of two units share half of their words that are no numbers, or both have none."""
    words, others = (content_words(unit.surroundings[0]) for unit in (one, other))
    words, others = ({word for word in title if not any(c.isdigit() for c in word)} for title in (words, others))
    shared = words & others
    return len(shared) >= 0.5 * min(len(words), len(others)) if words and others else not words and not others


def _letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


_NAME_IN_TITLE = re.compile(r"[^\W_]+(?:[-_.+][^\W_]+)*")
_NAME_PART = re.compile(r"[-_.+]|(?<=[^\W\d_])(?=\d)")
LEAST_NAME_CHARS = 3


def _have_similar_names(one: QuotableUnit, other: QuotableUnit) -> bool:
    """True when the titles of two units have names of which one is made from the other.

    "HTTPX2" beside "HTTPX", "pydantic-ai-slim" beside "pydantic-ai" and "pytest-mock" beside "pytest-cov" are things
    with names of their own, and contradict nothing. The names of files ("concert-press", "concert-safety") are no such
    siblings where their titles differ.
    """
    file, title = _split_title(one.surroundings[0].casefold())
    other_file, other_title = _split_title(other.surroundings[0].casefold())
    files, titles = _pair_names(file, other_file), _pair_names(title, other_title)
    if any(_extends(name, another) for name, another in (*files, *titles)):
        return True
    named = files if title == other_title else titles
    return any(_are_siblings(name, another) for name, another in named)


def _split_title(title: str) -> tuple[str, str]:
    """Return the name of the file that stands before a title, and the title."""
    name, colon, rest = title.partition(": ")
    return (name, rest) if colon and " " not in name else ("", title)


def _pair_names(one: str, other: str) -> list[tuple[list[str], list[str]]]:
    """Return each pair of names of which only one title has either, in their parts."""
    names, others = set(_NAME_IN_TITLE.findall(one)), set(_NAME_IN_TITLE.findall(other))
    return [(_split_name(name), _split_name(another)) for name in names - others for another in others - names]


def _extends(one: list[str], other: list[str]) -> bool:
    """True when one name is the other one and a part. With more parts it describes: "clinic-hand-poster"."""
    shorter, longer = sorted((one, other), key=len)
    is_name = len(shorter[0]) >= LEAST_NAME_CHARS and not shorter[0].isdigit()
    return is_name and len(longer) == len(shorter) + 1 and longer[: len(shorter)] == shorter


def _are_siblings(one: list[str], other: list[str]) -> bool:
    """True when two names of several parts begin alike and go on with other words: no numbers or names of editions."""
    is_name = len(one[0]) >= LEAST_NAME_CHARS and not one[0].isdigit()
    parts = next(((a, b) for a, b in zip_longest(one, other, fillvalue="") if a != b), ("", ""))
    return is_name and one[0] == other[0] and not any(map(_is_edition, parts))


_EDITION: Final = re.compile(r"(?:v|ver|version|rev|edition)?\d*|old|new|current|latest|final|draft|copy|archived?")


def _is_edition(part: str) -> bool:
    """Return whether a part of a name tells editions of one document apart; so does its absence."""
    return _EDITION.fullmatch(part) is not None


def _split_name(name: str) -> list[str]:
    return [part for part in _NAME_PART.split(name) if part]


def is_echo(question: str, quote: str) -> bool:
    """True when ``quote`` holds the whole question and little else, as examples and lists of questions do."""
    asked, quoted = (" ".join(["", *re.findall(r"\w+", text.casefold()), ""]) for text in (question, quote))
    return bool(asked.strip()) and asked in quoted and len(quoted) < 2 * len(asked)


def speaks_of(question: Question, unit: QuotableUnit) -> bool:
    """Return whether a unit shares a word with the question, refers back to what does, or is a line under a header.

    The title of its document does not count: everything in it stands under that. Short questions ("What is it?") share
    words with nothing.
    """
    if len(question.words) < LEAST_QUESTION_WORDS or unit.sentence.kind in {"table", "code"}:
        return True
    around = "\n".join((unit.surroundings[1], unit.surroundings[2], unit.own_text))
    return refers_back(unit) or bool(question.words & content_words(around))


def is_row_beside(question: Question, unit: QuotableUnit) -> bool:
    """Return whether a unit is a row of the right table about another thing: no cell has a word that its table lacks.

    "What does the budget hold for the fire insurance?" is hardly answered by its row on masts.
    """
    if not unit.is_row:
        return False
    asked = question.words - content_words("\n".join(unit.surroundings)) - LIGHT_WORDS
    return bool(asked) and not asked & content_words(unit.quote)


def missing_names(question: str, chosen: Sequence[QuotableUnit]) -> list[str]:
    """Return the names in the question that neither the quotes, nor their titles, nor what they refer to hold."""
    text = "\n".join(read_with_referent(unit) for unit in chosen)
    return [name for name in find_names(question) if not holds_name(name, text)]


_WE = re.compile(r"\b(?:we|our|ours|us)\b", re.IGNORECASE)


def says_we(unit: QuotableUnit) -> bool:
    """Return whether a unit speaks in the name of those who wrote it: "We guarantee it for three years"."""
    return _WE.search(unit.quote) is not None


def render_quotes(chosen: Sequence[QuotableUnit]) -> list[str]:
    """Return each quote followed by its markers.

    Prose runs on; list items, rows and code stand on their own lines.
    """
    pieces: list[str] = []
    for position, unit in enumerate(chosen):
        runs_on = position > 0 and unit.is_prose and chosen[position - 1].is_prose
        glue = "" if position == 0 else " " if runs_on else "\n\n"
        pieces.append(f"{glue}{render_unit(unit)}")
    return pieces


def render_unit(unit: QuotableUnit) -> str:
    """Return a quote with a marker for each passage that holds it."""
    markers = "".join(f" [{number}]" for number in (unit.passage, *unit.copies))
    return f"{_render_quote(unit)}{markers}"


def _render_quote(unit: QuotableUnit) -> str:
    if unit.sentence.kind == "code":
        fence = "``" if "`" in unit.quote else "`"
        return f"{fence}{unit.quote}{fence}"
    opened = "… " if unit.is_cut_before else ""
    closed = " …" if unit.is_cut_after else ""
    return f"{opened}{escape_markers(unit.quote)}{closed}"
