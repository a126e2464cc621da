"""Everyday words of a question, read by the words that the passages have for the same thing. Pure.

Who asks for "vacation days" means the holiday of the contract, and who names the firm that the contract calls "the
Client" means the client. A word is only exchanged where no passage has it beside, so that a source which uses the asked
word is never passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from roma_core.markup.questions import stem_word

_GROUPS: Final = """
vacation holiday: vacation holiday leave; salary wage: salary wage pay remuneration; boss: manager supervisor head
chief; supervisor: manager head; staff employees personnel workers: staff employees personnel workers; coworker:
colleague; colleague: coworker; car: vehicle; vehicle: car; bike: bicycle; bicycle: bike; lorry: truck; truck: lorry;
plane: aircraft; flat: apartment; apartment: flat; rubbish garbage trash: rubbish garbage trash waste; purchase: buy;
buy: purchase; vacancy: position job; repair: fix mend; resign quit: terminate resign; customer: client; client:
customer; vendor supplier: vendor supplier; doctor: physician; physician: doctor; illness: sickness disease; sickness:
illness; firm: company; company: firm; laptop: notebook; elevator: lift; petrol: gasoline fuel; gasoline: petrol fuel;
phone: telephone mobile; telephone: phone; kids: children; movie: film; film: movie; shop: store; timetable: schedule;
permitted: allowed; allowed: permitted; prohibited: forbidden; forbidden: prohibited; smartphone: mobile phone; bill:
invoice; beginner: novice; attorney: lawyer; lawyer: attorney; pupil: student; teacher: instructor lecturer;
instructor: teacher; trainee apprentice intern: trainee apprentice intern; price cost: price cost fee; discount
rebate: discount rebate reduction; damage: harm; luggage baggage: luggage baggage; postcode: zip; employer: company;
spouse: husband wife partner; residents: inhabitants; population: inhabitants
"""
"""Words of questions, and behind the colon those that a source may have for them; separated by semicolons.

A word that means other things as well ("leave", "pay", "lift") stands behind the colon alone."""
_SYNONYMS: Final[dict[str, tuple[str, ...]]] = {}
for _group in _GROUPS.replace("\n", " ").split(";"):
    _asked, _written = (words.split() for words in _group.split(":"))
    for _word in _asked:
        _SYNONYMS[stem_word(_word)] = tuple(stem_word(other) for other in _written if other != _word)
_LETTERS: Final = re.compile(r"[^\W\d_]+")
SHORTEST_NAME: Final = 3
"""Letters of a party's name from which on it is looked for in a question."""


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


_ROLE: Final = re.compile(
    r"(?P<name>[A-Z][\w&.'’-]*(?:[ \t]+[A-Z][\w&.'’-]*){0,4})(?:,[^()\n]{0,80},?)?[ \t]*"
    r"\((?:(?:hereinafter|hereafter|in the following|called|as)[ \t]+)*(?:the[ \t]+[\"“„'‘]?|[\"“„'‘](?:the[ \t]+)?)"
    r"(?P<role>[A-Z][a-z]{3,})[\"”“'’]?\)"
)
"""A party of a contract and what the contract calls it: "Harrow Ltd (the Client)"."""


def read_roles(question: str, texts: Iterable[str]) -> str:
    """Return the question with the name of a party replaced by what the texts call it: "the Client".

    A name that the texts use beside its definition stays.

    >>> read_roles("When may Harrow leave?", ["Between Harrow Ltd (the Client) and Ute Moor.", "The Client may leave."])
    'When may the Client leave?'
    """
    joined = "\n".join(texts)
    for found in _ROLE.finditer(joined):
        for word in found["name"].split():
            is_common = len(word) < SHORTEST_NAME or len(re.findall(rf"\b{re.escape(word)}\b", joined)) > 1
            if not is_common and re.search(rf"\b{re.escape(word)}\b", question):
                whole = (
                    rf"\b(?:the\s+)?{re.escape(word)}\b(?:\s+(?:{'|'.join(map(re.escape, found['name'].split()))})\b)*"
                )
                return re.sub(whole, f"the {found['role']}", question)
    return question
