"""Clauses of a long sentence: the part of it that is quoted where the whole is more than a short answer. Pure.

A part is cut at commas and the like, and only where it says no more than its sentence: what is left out holds no
condition, denial or attribution, and ROMA's own check of citations calls the part verbatim.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import replace

from roma_core.citations import verify_claim
from roma_core.citations.lexicon import ATTRIBUTIONS, CONDITIONS, DENIALS, REPORTING
from roma_core.citations.words import read_words
from roma_core.languages import count_words
from roma_core.markup.questions import Question, content_words, holds_all_codes
from roma_core.markup.sentences import Sentence
from roma_core.writers.extractive.expectations import states_asked
from roma_core.writers.extractive.selection import SHORT_WORDS
from roma_core.writers.extractive.units import QuotableUnit

LEAST_WORDS = 6
"""Words that a part needs: fewer are a member of a list without what is said of it."""
MOST_PARTS = 20
"""Parts of one sentence that the ranker reads."""
MOST_LOSS = 2.0
"""How far below its sentence a part may score."""
BEGINS = 0.5
"""Logits that a part gains that begins its sentence."""


def _one_of(words: str) -> str:
    """Return the pattern of any of some words or small patterns."""
    return f"(?:{'|'.join(words.split())})"


_DOUBTS = frozenset(
    """
    misconception misconceptions myth myths legend legends tale tales story stories novel film films dream hoax fallacy
    fallacious rumors rumours notion idea ideas hypothesis hypotheses accused accusation accusations allegation
    allegations perhaps maybe possibly probably presumably reportedly allegedly apparently purportedly seemingly unlike
    contrary failed fails fail failure refused refuses attempt attempts attempted tried tries planned plans intended
    threatened promised
    """.split()
)
"""Words that say that something is doubtful, told or only wanted."""
_GOVERNING = DENIALS | CONDITIONS | ATTRIBUTIONS | _DOUBTS
"""Words that may govern what stands behind them in a sentence."""
_LIMITING = CONDITIONS | REPORTING | {"according", "though", "allegedly", "supposedly", "reportedly", "purportedly"}
"""Words that may limit what stands before them."""
_REPORTED = ATTRIBUTIONS | _DOUBTS
MOST_REPORTING_WORDS = 7
"""Words of a clause behind a part up to which it may say whose statement the part is: ", so the mayor promised"."""
_MODAL = "can could may might must will would"
_HAS = "is are was were has have had"
_AUXILIARY = f"{_HAS} {_MODAL} shall should does did do"
_PUTS = re.compile(
    r"(?<!\bof )(?<!\bin )(?<!\bat )(?<!\bso )(?<!\bfrom )\bthat\b(?!\s+"
    + _one_of(
        rf"""{_HAS} {_MODAL} do does did tends? makes? made forms? includes? included contains? began became gave took
        led runs? lies? seeks? \w{{3,}}ed"""
    )
    + r"\b)"
)
"""Words behind which a statement is somebody's: "the idea that", but not "schools that have"."""
_MODALS = re.compile(rf"\b(?:{_one_of(_MODAL)}|shall|should|{_one_of(_HAS)} to)\b")
_NOT_ONLY = re.compile(r"\bnot\s+(?:only|just|merely)\b")
_LIMITS = re.compile(r"[\s,(–—]*(?:or|nor|had|were|should|not|but not)\b")
"""Words with which an alternative, a denial or a condition goes on: ", had the town paid for it"."""
_TURNS = re.compile(r"[\s,;–—]*(?:but|yet|however)\b")
_UNREAL = _DOUBTS | {"could", "should", "to", "want", "wanted", "hoped"}
"""Words of what may not have come to pass, as the clause with "but" behind it says."""
_ASIDE = re.compile(r"\([^()]*\)")
LACKING_LOSS = 1.0
"""The same of a part that lacks words of the question which its sentence has."""
MOST_LACKING = 2
"""Such words that a part may lack."""
_VERBS = _one_of(
    """
    also are became began can could did does eventually gave had has have is later led made may must still subsequently
    then took was went were will would
    """
)
_BREAK = re.compile(
    r"[,;:]\s+|\s*—\s*|\s+–\s+|\s+(?=\()|(?<=\))\s+|\s+(?=(?:while|whereas|but)\s)"
    rf"|\s+(?=and\s+{_VERBS}\s)"
)
_CONTINUES = re.compile(rf"(?:(?:and|but|or)\s+)?(?:{_VERBS}|\w+ed|(?:and|or)\s+\w+)\b")
"""The beginning of a part that may have the subject and the verb of what stands before it."""
_CLAUSE = re.compile(
    rf"\(|(?:and|but|while|whereas)\s+{_VERBS}\b"
    r"|(?:which|who|whose|where|when|while|whereas|but|as|because|since|in contrast)\b"
)
"""The beginning of a clause: a list of things does not go on with it."""
_OPENINGS = _one_of(
    "Again But For Hence However If In It Of Since So The Then Therefore These They This Thus When While"
)
_SENTENCE_END = re.compile(
    r"(?:(?<=[.!?])|(?<=[.!?]['\"”’])|(?<=[.!?]['\"”’]{2}))(?:\[[^\]\n]{1,40}\])+\s+(?=[A-Z])"
    rf"|(?<=\b[A-Z]\.)\s+(?={_OPENINGS}\s)"
)
"""The end of a sentence before a note ("[12]", "[citation needed]"), or with a single letter ("no harder than X.")."""
_FINITE = _one_of(rf"{_AUXILIARY} runs? includes? contains? became began led gave took made held \w{{3,}}ed")
_PREDICATE = re.compile(rf"(?:{_FINITE}|proven|known|given|built|written|born)\b")
"""The beginning of a part whose subject stands before it."""
_ASIDES = re.compile(r"^(?:\s*\([^()]*\))+")
_GOES_ON = re.compile(r"\s*(?:$|[,;:.–—\[]|(?:and|but|or|nor|while|whereas|which|who|whose|when|where)\b|[A-Z])")
"""What may stand behind a part and its asides; else the phrase goes on: "countries (two of them) with high fees"."""
_SUBJECT_ENDS = re.compile(rf"\s*(?:,[^,;:]+,)?\s*{_FINITE}\b|,\s+{_one_of(f'{_HAS} {_MODAL}')}\b")
"""A verb behind a part, or behind what is put in: "The lines of the town, Metrolink, run ..."."""
_ADJECTIVE = re.compile(r"\b(?:an?|the|more|most|its|their|his|her)\s+[\w-]+$")
_NO_ADJECTIVE = _one_of(
    """
    and but or which who whose where when while whereas as with without in on at by from to for of an? the its their his
    her this these such including making after before since because so then also
    """
)
_ADJECTIVE_NEXT = re.compile(rf",\s+(?!{_NO_ADJECTIVE}\b)[a-z]")
"""A further adjective: "a fault-tolerant, efficient method"."""
_CAPITALISED = re.compile(r"[A-Z][\w-]*(?:\s+[A-Z][\w-]*)*")
_SCRAP = re.compile(r";\s+\w+(?:\s+\w+){0,2}$")
_SHORT_MEMBER = re.compile(r",\s+\S+$")
_STATES_OF = _one_of(
    """
    member united nation nations other these those both two all several many most eu gulf baltic among across between
    within
    """
)
_STATED = _one_of("that how the an? it he she they there this in clearly explicitly also")
_STATES = re.compile(rf"\b{_STATES_OF}\s+[Ss]tates\b|(?<!,\s)\b[Ss]tates\b(?!\s+{_STATED}\b|\s*[:“\"])")
"""States that are countries, and report nothing: nothing that is said follows."""
_MEMBER = _one_of(
    """
    type kind sort condition step stage phase reason requirement feature item option rule part topic principle benefit
    advantage disadvantage risk task example way method goal objective value role name course department language
    algorithm plan change exception event location product parameter subject model city country thing field project
    """
)
_ONE_THING = re.compile(
    rf"\b(?:what|which)(?:'s|\s+(?:is|was|one|the|single|main|exact|an?))*\s+(?:[\w-]+\s+)?{_MEMBER}\b", re.IGNORECASE
)
"""A question for one thing by a word that names members of a list: "what type of", "what was the objective of"."""


def list_parts(question: Question, unit: QuotableUnit) -> list[QuotableUnit]:
    """Return the parts of a long sentence that may be quoted in its place, each as long as a short answer can be.

    Those with all words of the question that the sentence has come first; the others lack one, no name and no number.
    None where the sentence is short. A question for several things gets no part of a list of them, one with several
    questions none at all.
    """
    is_long = unit.is_prose and not unit.follows and count_words(unit.quote) > SHORT_WORDS
    if not is_long or question.is_compound:
        return []
    asks_more = _asks_more(question)
    starts, ends = [0], []
    for found in (*_BREAK.finditer(unit.quote), *_find_sentences(unit.quote)):
        if asks_more and not _parts_clauses(unit.quote, found):
            continue
        starts.append(found.end())
        if not found[0].startswith(":"):  # what a colon announces belongs to what stands before it
            ends.append(found.start())
    starts.sort()
    ends = [*sorted(ends), len(unit.quote)]
    complete: list[QuotableUnit] = []
    lacking: list[QuotableUnit] = []
    for start in starts:
        for end in (end for end in reversed(ends) if end > start):
            text = unit.quote[start:end]
            marks = (start > 0) + (end < len(unit.quote))
            if not LEAST_WORDS <= count_words(text) <= SHORT_WORDS - marks:
                continue
            lost = _find_lost(question, text, unit)
            if not lost:
                complete.append(_cut(unit, start, end))
            elif len(lost) <= MOST_LACKING and not asks_more and not _loses_name(question, lost, unit):
                lacking.append(_cut(unit, start, end))
    lacking.sort(key=lambda part: len(_find_lost(question, part.quote, unit)))
    parts = (*complete, *lacking)[:MOST_PARTS]
    return [part for part in parts if _can_stand_for(question, part, unit)]


def _find_lost(question: Question, text: str, unit: QuotableUnit) -> Set[str]:
    """Return the words of a question that a sentence has and a part of it lacks."""
    return (question.words & content_words(unit.quote)) - content_words(text)


def _loses_name(question: Question, lost: Set[str], unit: QuotableUnit) -> bool:
    """Return whether ``lost`` are all words of a name that a sentence has, or a number.

    "Shimer" stands for Shimer College.
    """
    held = content_words(unit.quote)
    named = {word for name in question.names for word in content_words(name)}
    names = [content_words(run) & named & held for run in _CAPITALISED.findall(question.text)]
    names += [content_words(name) & held for name in question.names if not name[:1].isupper()]
    return any(words and words <= lost for words in names) or any(sign.isdigit() for word in lost for sign in word)


def _can_stand_for(question: Question, part: QuotableUnit, unit: QuotableUnit) -> bool:
    """Return whether a part has the codes and the value that its sentence has, and says nothing else than it."""
    if not holds_all_codes(question.codes, part.scored_text):
        return False
    if states_asked(question, unit) and not states_asked(question, part):
        return False
    start = part.sentence.start - unit.sentence.start
    if question.kind == "when" and any(word.date is not None for word in read_words(unit.quote[:start])):
        return False  # "In 2014, ..." says when
    end = start + len(part.quote)
    return _reads_well(unit.quote, start, end) and is_honest(unit.quote, start, end)


def _reads_well(sentence: str, start: int, end: int) -> bool:
    """Return whether a part neither begins behind its subject nor ends within a phrase: "a stronger, richer town"."""
    part, following = sentence[start:end], sentence[end:]
    if start and _PREDICATE.match(part):
        return False
    if not following.strip():
        return True
    behind = _ASIDES.sub("", following, count=1)
    if not _GOES_ON.match(behind) or _SUBJECT_ENDS.match(behind):
        return False
    is_within = _ADJECTIVE.search(part) is not None and _ADJECTIVE_NEXT.match(following) is not None
    is_scrap = _SCRAP.search(part) is not None or (
        following.startswith(" (") and _SHORT_MEMBER.search(part) is not None
    )
    return not (is_within or is_scrap)


def _asks_more(question: Question) -> bool:
    """Return whether a question asks for several things."""
    is_list = question.kind == "list" and _ONE_THING.search(question.text) is None
    return is_list or question.asks_several or question.kind == "comparison"


def _find_sentences(text: str) -> list[re.Match[str]]:
    """Return the places where a sentence ends in ``text``, which holds several behind notes and single letters."""
    return list(_SENTENCE_END.finditer(text))


def _parts_clauses(text: str, found: re.Match[str]) -> bool:
    """Return whether a place to cut stands between clauses, and not between members of a list."""
    is_mark = re.fullmatch(r"[,\s]*", found[0]) is None
    return is_mark or _CLAUSE.match(text, found.end()) is not None


def choose_part(
    question: Question, unit: QuotableUnit, whole: float, parts: Sequence[QuotableUnit], scores: Sequence[float]
) -> QuotableUnit:
    """Return the part of ``unit`` that answers best, or the unit, which scores ``whole``, where no part is as good.

    A part that begins the sentence goes before another that answers hardly better, and one with all words of the
    question before one that lacks some.
    """
    fitting = [index for index in range(len(parts)) if scores[index] >= whole - MOST_LOSS]
    complete = [index for index in fitting if not _find_lost(question, parts[index].quote, unit)]
    fitting = complete or [index for index in fitting if scores[index] >= whole - LACKING_LOSS]
    best = min(fitting, key=lambda i: (-scores[i] - BEGINS * (not parts[i].is_cut_before), i), default=None)
    return unit if best is None else parts[best]


def is_honest(sentence: str, start: int, end: int) -> bool:
    """Return whether ``sentence[start:end]`` says nothing that the sentence does not say.

    What stands behind a note or a semicolon ("it was.[12] He") is governed by nothing before it.

    >>> is_honest("The hall is free, if it is booked in time.", 0, 16)
    False
    """
    bounds = [0, *(found.end() for found in _find_sentences(sentence)), len(sentence)]
    first = max(bound for bound in bounds if bound <= start)
    last = min(bound for bound in bounds if bound >= end)
    part, before, after = sentence[start:end], sentence[first:start], sentence[end:last]
    if not _is_balanced(before, part):
        return False
    governing = _ASIDE.sub(" ", _STATES.sub(" ", before).rpartition(";")[2]).casefold()
    governing = _NOT_ONLY.sub(" ", governing)
    if set(re.findall(r"\w+", governing)) & _GOVERNING or _PUTS.search(governing):
        return False
    if _CONTINUES.match(part) and _MODALS.search(governing):
        return False  # "The hall was to hold 900 and cost 5,000"
    aside = _ASIDES.match(after)
    opening = aside[0] if aside is not None else ""
    rest = _ASIDE.sub(" ", after[len(opening) :]).partition(";")[0]  # further asides speak of the words before them
    following = _STATES.sub(" ", opening + rest).casefold()
    if set(re.findall(r"\w+", following)) & _LIMITING or _LIMITS.match(following):
        return False
    clause = re.findall(r"\w+", re.split(r"[,;:()]", following.lstrip(" ,;:("), maxsplit=1)[0])
    if len(clause) <= MOST_REPORTING_WORDS and set(clause) & _REPORTED:
        return False
    if _TURNS.match(following) and set(re.findall(r"\w+", part.casefold())) & _UNREAL:
        return False
    return verify_claim(part, sentence[first:last]).verdict == "verbatim"


def _is_balanced(before: str, part: str) -> bool:
    """Return whether a part begins outside of a quotation and an aside, and opens and closes its own asides."""
    if before.count('"') % 2 or before.count("“") > before.count("”") or part.startswith("("):
        return False
    return part.count("(") == part.count(")")


def _cut(unit: QuotableUnit, start: int, end: int) -> QuotableUnit:
    quote = unit.quote[start:end]
    return replace(
        unit,
        sentence=Sentence(start=unit.sentence.start + start, end=unit.sentence.start + end, kind=unit.sentence.kind),
        quote=quote,
        document_place=(unit.document_place[0], unit.document_place[1] + start),
        is_cut_before=start > 0,
        is_cut_after=end < len(unit.quote),
        next=None,
    )
