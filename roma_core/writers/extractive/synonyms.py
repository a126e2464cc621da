"""Everyday words of a question, read by the words that the passages have for the same thing. Pure.

Who asks for "vacation days" means the holiday of the contract. A word is only exchanged where no passage has it, so
that a source which uses the asked word is never passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from roma_core.markup.questions import stem_word

_GROUPS: Final = """
vacation holiday leave; salary pay wage remuneration; boss manager supervisor head chief; staff employees personnel
workers; coworker colleague; car vehicle; bike bicycle; lorry truck; plane aircraft; flat apartment; rubbish garbage
waste refuse; buy purchase; job position vacancy; repair fix mend; resign terminate quit; customer client; vendor
supplier; doctor physician; illness sickness disease; firm company; laptop notebook; lift elevator; petrol gasoline
fuel; phone telephone mobile; kids children; film movie; shop store; timetable schedule; permitted allowed; prohibited
forbidden; smartphone mobile; invoice bill; beginner novice; attorney lawyer; pupil student; teacher instructor
lecturer; trainee apprentice intern; price cost fee; discount rebate reduction; damage harm; garage workshop; luggage
baggage; postcode zip; meeting session; room hall; employer company; chairperson chair chairman chairwoman; spouse
husband wife partner; residents inhabitants; population inhabitants
"""
"""Words for one thing, the asked ones and those that a source may have; separated by semicolons."""
_SYNONYMS: Final[dict[str, tuple[str, ...]]] = {}
for _group in _GROUPS.replace("\n", " ").split(";"):
    for _word in _group.split():
        _others = tuple(stem_word(other) for other in _group.split() if other != _word)
        _SYNONYMS[stem_word(_word)] = (*_SYNONYMS.get(stem_word(_word), ()), *_others)
_LETTERS: Final = re.compile(r"[^\W\d_]+")


def read_synonyms(question: str, texts: Iterable[str]) -> str:
    """Return the question with each word that no text has replaced by one of theirs for the same thing.

    >>> read_synonyms("How many vacation days do I get?", ["27 days of holiday"])
    'How many holiday days do I get?'
    >>> read_synonyms("How many vacation days do I get?", ["Vacation begins in May. It is no holiday."])
    'How many vacation days do I get?'
    """
    known: dict[str, str] = {}
    for text in texts:
        for word in _LETTERS.findall(text.casefold()):
            known.setdefault(stem_word(word), word)

    def exchanged(match: re.Match[str]) -> str:
        word = match[0]
        stem = stem_word(word.casefold())
        is_name = word != word.casefold() and match.start() > 0
        if is_name or stem in known:
            return word
        return next((known[other] for other in _SYNONYMS.get(stem, ()) if other in known), word)

    return _LETTERS.sub(exchanged, question)
