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
spouse: husband wife partner; residents: inhabitants; population: inhabitants; sick: ill; ill: sick; chicken: hens;
hen: chickens; rooster: cockerels; loo restroom bathroom: toilet; join: member; beer wine: alcohol; broken: defective
faulty damaged; start: begin; begin: start; finish: end; license: licence; licence: license; training: course;
course: training class; class: course lesson; lesson: class; fridge: refrigerator; refrigerator: fridge; sofa: couch;
couch: sofa; cellar: basement; basement: cellar; weigh: weight; concert: gig; gig: concert; wifi: wlan; wlan: wifi;
autumn: fall; tool: software; send: submit; size: area capacity; fever: temperature; email: e-mail mail
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


_MEASURES: Final = {
    "heavy": ("weight",), "loud": ("noise", "volume"), "noisy": ("noise",), "long": ("length", "duration"),
    "tall": ("height",), "high": ("height",), "wide": ("width",), "deep": ("depth",), "thick": ("thickness",),
    "big": ("size", "area", "capacity"), "large": ("size", "area", "capacity"), "old": ("age",), "far": ("distance",),
    "fast": ("speed",), "hot": ("temperature",), "warm": ("temperature",), "expensive": ("price", "cost", "fee"),
}  # fmt: skip
"""Adjectives behind "how", with the nouns under which a list of data may state them."""
_HOW_MUCH_IS: Final = re.compile(
    rf"^\s*how (?P<adjective>{'|'.join(_MEASURES)}) (?P<verb>is|are|was|were) (?P<thing>[^?]+?)\s*\??\s*$",
    re.IGNORECASE,
)


def read_measure(question: str, texts: Iterable[str]) -> str:
    """Return "How heavy is it?" as "What is the weight of it?", where the texts have the noun and not the adjective.

    >>> read_measure("How heavy is the pump?", ["Weight: 2.9 kg"])
    'What is the weight of the pump?'
    """
    found = _HOW_MUCH_IS.match(question)
    if found is None:
        return question
    known = {word for text in texts for word in _LETTERS.findall(text.casefold())}
    adjective = found["adjective"].casefold()
    noun = next((each for each in _MEASURES[adjective] if each in known), None)
    if noun is None or adjective in known:
        return question
    return f"What {found['verb'].casefold()} the {noun} of {found['thing']}?"


_PRONOUN: Final = re.compile(r"\b(?P<owned>its|his|her(?=\s+[^\W\d_]))\b|\b(?:it|he|she|him|her)\b", re.IGNORECASE)
_EMPTY_IT: Final = re.compile(
    r"\b(?:is|was|if|does|did|would|will|can) it\s+(?:\w+ly\s+)?(?:possible|allowed|permitted|true|necessary|ok|okay"
    r"|safe to|take|mean|called|matter|rain|snow|that|worth)\b"
    r"|\b(?:what|which) (?:time|day|date|year|month) (?:is|was) it\b",
    re.IGNORECASE,
)
"""Uses of "it" that stand for no thing."""


def resolve_pronoun(question: str, title: str) -> str:
    """Return the question with its pronoun replaced by the thing that a document is about, by its title.

    >>> resolve_pronoun("What does it weigh?", "Pump P-40"), resolve_pronoun("Where are her hives?", "Ada Moor")
    ('What does Pump P-40 weigh?', "Where are Ada Moor's hives?")
    """
    if _EMPTY_IT.search(question) or not _LETTERS.search(title):
        return question
    found = _PRONOUN.search(question)
    if found is None:
        return question
    name = f"{title}'s" if found["owned"] else title
    return f"{question[: found.start()]}{name}{question[found.end() :]}"


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
