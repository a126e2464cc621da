"""What a kind of question expects of a sentence: definitions, titles and first lines, names, times, numbers. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from typing import Final

from roma_core.citations.words import read_words
from roma_core.markup.questions import LIGHT_WORDS, Question, content_words, split_words, stem_word
from roma_core.markup.sentences import Sentence, split_sentences
from roma_core.types import Document
from roma_core.writers.extractive.answer_types import describe_value, find_asked_value, states_value
from roma_core.writers.extractive.asked_things import CLOCK, ThingKind, find_asked_thing, states_thing
from roma_core.writers.extractive.facts import file_name, title_span
from roma_core.writers.extractive.sources import CitedSources
from roma_core.writers.extractive.units import QuotableUnit

DEFINES = 5.0
"""Logits that a sentence gains which says what the subject is."""
OPENS = 3.0
"""Logits that the first sentence gains of a document that is called like the subject."""
_VALUE_WORDS = frozenset(
    stem_word(word)
    for word in """
    cost costs price pay pays paid charge charged fee fare long high deep wide heavy old far much many big large tall
    weigh weighs weight last lasts take takes time often year day date number amount value total
    """.split()
)
"""Words that ask for a value, and say nothing of the thing that has it."""
_THING_WORDS = frozenset(
    stem_word(word)
    for word in """
    address called colour color email e-mail licence license mail name named names number phone site telephone web
    website
    """.split()
)
"""Words that name what is asked for, where its form tells it: a sentence with a telephone number need not say so."""
_NAMED_KINDS: Final[frozenset[ThingKind]] = frozenset(
    {"name", "phone number", "email address", "web address", "licence", "colour"}
)
_TOLD_BY_FORM: Final[frozenset[ThingKind]] = frozenset({"phone number", "email address", "licence"})
"""Kinds that nothing else looks like."""
_NAMES = re.compile(r"\b(?:called|named|names?|known as)\b", re.IGNORECASE)
STATES = 3.0
"""Logits that a sentence gains which has every word of the question and a value, time or name of the asked kind: the
cross-encoder scores short questions low, "How much is the rent?" for "The rent is 1,850 GBP a month" too."""
MOST_STATING_WORDS = 30
LACKS = 2.0
"""Logits that a unit loses which does not have what the question asks for."""
_VERBS = r"(?:is|are|was|were|means?|stands? for|refers? to|denotes?|describes?|abbreviates?|=|:|–|—|-)"


_WHO_IS = re.compile(
    r"^\W*who(?:'s|\s+is|\s+are|\s+was|\s+were)\s+(?:(?:the|our|an?)\s+)?(?P<subject>[^?]{1,40}?)\W*$", re.IGNORECASE
)


def definition_bonus(question: Question, unit: QuotableUnit) -> float:
    """Return how many logits a unit gains by defining what the question asks for; 0 for other questions.

    The bonus is for what begins with the subject ("An SLO is ...", "SLO: ..."), for letters with their words
    ("service level objective (SLO)", "the SLO or service level objective"), for the first sentence under a title
    that is the subject, and for the line of minutes that says who was absent, where that is asked.
    """
    if _ASKS_ABSENT.search(question.text) and _ABSENT.match(unit.quote.strip("*_`|# ")):
        return DEFINES
    who_is = _WHO_IS.match(question.text)
    named = who_is["subject"] if who_is is not None else question.subject if question.kind == "definition" else ""
    if not named:
        return 0.0
    subject = re.escape(named)
    quote = unit.quote.strip("*_`|# ")
    letters = named.split()[-1]
    if _ACRONYM.fullmatch(letters) and _is_spelled_out(letters, quote):
        return DEFINES
    opens = rf"^(?:an?|the|our)?\s*[\"“'*_`]*{subject}[\"”'*_`]*(?:\s*\([^)]*\))?"
    role = rf"\b(?i:{subject}),?\s+[A-Z]\w+|\b(?!The\b|Our\b|An?\b)[A-Z]\w+,?\s+\(?(?i:(?:the |our )?{subject})\b"
    if who_is is not None and re.search(role, quote):
        return DEFINES
    if re.match(rf"{opens}\s*[*_`]*\s*(?:{_VERBS})(?!\w)", quote, re.IGNORECASE) or re.match(
        rf"{opens}\s*\|", quote, re.IGNORECASE
    ):
        return DEFINES
    if re.search(rf"\w\s*\(\s*(?:the\s+)?[\"“]?{subject}[\"”]?\s*\)", quote, re.IGNORECASE):
        return DEFINES
    if re.search(rf"(?:^|\W){subject}\s*\([^)]*[a-z][^)]*\)", quote, re.IGNORECASE) and named.isupper():
        return DEFINES
    return OPENS if unit.opens_document and _is_called(named, unit.surroundings[0]) else 0.0


_ASKS_ABSENT = re.compile(
    r"^\W*who\b.*(?:(?:\bnot|n['’]t)\s+(?:attend\w*|present|there|come|came|join\w*|participat\w*|tak(?:e|ing) part)"
    r"|\babsent\b|\bmiss(?:ed|ing)\b|\bexcused\b|\bapologi[sz]ed\b|\bapologies\b)",
    re.IGNORECASE,
)
_ABSENT = re.compile(r"(?:apologies|absent|excused|regrets|not present|unable to attend)\b", re.IGNORECASE)
"""Words with which the line of minutes begins that says who did not come."""
_ASKS_NOT = re.compile(
    r"^\W*(?:and |so |but )?(?:who|which\s+(?:[\w-]+\s+){1,2})\s*"
    r"(?:(?:is|are|was|were|do|does|did|has|have|had|can|could|may|must|will)"
    r"(?:\s+not\b|n['’]t\b)|cannot\b)",
    re.IGNORECASE,
)
_DENIES = re.compile(
    r"\b(?:not|no|nor|never|nobody|none|nothing|neither|without|except|only|instead|cannot|absent|apologies|regrets"
    r"|missing|excused|exempt|lack\w*|fail\w*|refus\w+|declin\w+|forbidden|prohibited|banned|un[a-z]{4,}|out of"
    r"|all but)\b|n['’]t\b",
    re.IGNORECASE,
)


def affirms_denied(question: Question, unit: QuotableUnit) -> bool:
    """Return whether a unit only says who does what others do not: "Present: Ada" is not who was not present.

    A line of a table is told by its cells, see ``denials``.
    """
    if _ASKS_NOT.match(question.text) is None or unit.is_row:
        return False
    return _DENIES.search("\n".join((*unit.surroundings, unit.quote, *(line.quote for line in unit.follows)))) is None


_ACRONYM = re.compile(r"[A-Z]{3,6}")
_SAYS_SAME = r"(?:or|i\.?\s?e\.?,?|that is,?|short for)"
_JOINS_WORDS = re.compile(rf"[\"”]?(?:\s*[,(=:–—]\s*(?:{_SAYS_SAME}\s+)?|\s+{_SAYS_SAME}\s+)(?:the\s+|an?\s+)?[\"“]?")
"""What stands between letters and the words that they begin."""


def _is_spelled_out(letters: str, text: str) -> bool:
    """Return whether a text has letters beside the words that begin with them: "the SLO or service level objective"."""
    initials = r"(?:(?:of|the|and|for|de|du|der|des|la)\s+)?".join(rf"{letter}[\w’'-]*[\s-]+" for letter in letters)
    words = re.compile(initials.removesuffix(r"[\s-]+") + r"\b", re.IGNORECASE)
    for found in re.finditer(rf"\b{letters}\b", text):
        joint = _JOINS_WORDS.match(text, found.end())
        if joint is not None and words.match(text, joint.end()) is not None:
            return True
    return False


_ASKS_AMOUNT = re.compile(
    r"^\W*(?:(?:and|so|but|for|at|to|by|in|over|under|with|of|after)\s+)*how\s+"
    r"(?:much|many|long|often|large|big|high|low|deep|tall|wide|thick|heavy|fast|old|far|hot|cold|strong)\b",
    re.IGNORECASE,
)


def asks_certain_kind(question: Question) -> bool:
    """Return whether an answer is told by its form: an amount, a time, a person, a telephone number."""
    return find_asked_value(question.text) is not None or find_asked_thing(question.text) is not None


def find_statements(question: Question, units: Sequence[QuotableUnit]) -> frozenset[int]:
    """Return the places of the units that have all words of a question and state what it asks.

    A question for a telephone number and nothing else is answered by the only one there is.
    """
    wanted = _find_wanted(question)
    thing = find_asked_thing(question.text)
    if not wanted and thing is not None and thing.kind in _TOLD_BY_FORM:
        holders = [at for at, unit in enumerate(units) if states_thing(thing, unit.own_text)]
        return frozenset(holders if len(holders) == 1 else ())
    return frozenset(at for at, unit in enumerate(units) if _states_all(question, wanted, unit))


def _find_wanted(question: Question) -> frozenset[str]:
    """Return the words of a question that say what it is about, without those that name the kind of its answer."""
    thing = find_asked_thing(question.text)
    is_named = thing is not None and thing.kind in _NAMED_KINDS
    about = question.words - _VALUE_WORDS - LIGHT_WORDS
    return about - _THING_WORDS if is_named else about


def lift_statements(
    question: Question, units: Sequence[QuotableUnit], scores: Sequence[float], stating: Set[int]
) -> list[float]:
    """Return the scores of units, those at the places ``stating`` raised by ``STATES``.

    None of them stays below a unit that has no word of the question but in its title or heading, or that states nothing
    of the asked kind: "How long must a password be?" is not answered by how long an exception lasts.
    """
    lifted = [score + STATES if at in stating else score for at, score in enumerate(scores)]
    if not stating:
        return lifted
    best = max(range(len(units)), key=lambda at: lifted[at])
    if not _find_wanted(question) & content_words(units[best].own_text) or not states_asked(question, units[best]):
        top = max(stating, key=lambda at: lifted[at])
        lifted[top], lifted[best] = lifted[best], lifted[top]
    return lifted


def _states_all(question: Question, wanted: frozenset[str], unit: QuotableUnit) -> bool:
    """Return whether a sentence has all words of a question and a value, time or name of the asked kind.

    Words that ask for the value alone ("much", "cost") need not be there. Of a question without a type of answer at
    least ``LEAST_SAID_WORDS`` have to be said.
    """
    own = unit.own_text
    if not wanted or question.codes or len(own.split()) > MOST_STATING_WORDS:
        return False
    if not (unit.is_prose or unit.sentence.kind == "list") or not wanted <= content_words(own):
        return False
    return _states_kind(question, wanted, unit, own)


def _states_kind(question: Question, wanted: frozenset[str], unit: QuotableUnit, text: str) -> bool:
    """Return whether a text states an amount, a time or a name; ten passwords are no length of a password."""
    asked = find_asked_value(question.text)
    if asked is not None:
        return states_value(asked, text)
    given = {word.key for word in read_words(question.text)}
    stated = [word for word in read_words(text) if word.key not in given]
    if _ASKS_AMOUNT.match(question.text):
        counted = (word for word in stated if word.quantity is not None)
        behind = (text[word.end :].split()[:1] for word in counted)
        return any(not question.words & content_words("".join(words)) for words in behind)
    if question.kind == "when":
        return any(word.date is not None for word in stated) or _NAMED_TIME.search(text) is not None
    if question.kind == "who":
        return type_penalty(question, unit) == 0.0
    thing = find_asked_thing(question.text)
    if thing is not None and thing.kind in _NAMED_KINDS:
        is_named = thing.kind != "name" or len(wanted) >= LEAST_SAID_WORDS or _NAMES.search(text) is not None
        return is_named and states_thing(thing, text)
    if _ASKS_LEAVE.match(question.text):
        return _LEAVE.search(text) is not None
    if _ASKS_PLACE.match(question.text):
        return _PLACE.search(text) is not None and len(wanted) >= LEAST_SAID_WORDS
    return question.kind in {"yes_no", "table_lookup"} and len(wanted) >= LEAST_SAID_WORDS


_ASKS_LEAVE = re.compile(
    r"^\W*(?:and |so |but )?(?:may|can|could|must|should|am|are|is|do|does)\b.*"
    r"\b(?:allowed|permitted|forbidden|prohibited)\b"
    r"|^\W*(?:and |so |but )?(?:may|can|could|should) (?:i|we|you|one|people)\b",
    re.IGNORECASE,
)
_LEAVE = re.compile(
    r"\b(?:allowed|permitted|forbidden|prohibited|banned|may|must|cannot|not|welcome|only|require[sd]?|needs?|consent)\b",
    re.IGNORECASE,
)
_ASKS_PLACE = re.compile(r"^\W*(?:and |so |but )?where\b", re.IGNORECASE)
_PLACE = re.compile(r"\b(?:in|at|on|near|behind|under|beside|opposite|between)\s+[^\W\d]", re.IGNORECASE)
LEAST_SAID_WORDS = 2
"""Words of a question without a type of answer from which on a sentence that has them all speaks of it."""
_NAMED_TIME = re.compile(
    r"\b(?:(?:mon|tues|wednes|thurs|fri|satur|sun)days?|(?:in|of|early|late|mid|until|by|since) "
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
    rf"|\d{{1,2}}[:.]\d\d|(?:in|every) (?:spring|summer|autumn|winter)|at (?:noon|midnight)|{CLOCK})\b"
)
_PERSON = re.compile(r"(?:[A-Z][\w.'’-]+|@\w+)")
_ROLES = re.compile(
    r"\b(?:manager|head|board|team|department|officer|director|office|desk|company|author)s?\b", re.IGNORECASE
)
_TIME = re.compile(
    rf"\d|\b(?:{CLOCK}|day|week|month|year|hour|minute|today|daily|weekly|monthly|morning|noon|evening|midnight|spring|summer"
    r"|autumn|winter|(?:mon|tues|wednes|thurs|fri|satur|sun)day|after|before|until|when|once|as soon as|only|if)s?\b",
    re.IGNORECASE,
)


def type_penalty(question: Question, unit: QuotableUnit) -> float:
    """Return how many logits a unit loses that cannot answer: no name for "who", no time for "when", no number.

    A line of code loses them too where a fact is asked.
    """
    text = "\n".join((unit.quote, *(line.quote for line in unit.follows)))
    if (unit.sentence.kind == "code" and question.kind != "open") or affirms_denied(question, unit):
        return LACKS
    if question.kind == "who":
        asked = {word.casefold() for word in split_words(question.text)}
        names = [word for word in _PERSON.findall(text) if word.casefold().strip(".'’-") not in asked]
        return (
            0.0
            if names[1:] or _ROLES.search(text) or (names and not text.lstrip("*_`[ ").startswith(names[0]))
            else LACKS
        )
    if question.kind == "when":
        return 0.0 if _TIME.search(f"{unit.surroundings[1]}\n{text}") else LACKS
    return 0.0 if states_asked(question, unit) else LACKS


def states_asked(question: Question, unit: QuotableUnit) -> bool:
    """Return whether a unit states something of the kind that is asked; True where no kind is certain.

    A line of a table or of settings states whatever its header says.
    """
    is_line = unit.sentence.kind in {"table", "code"}
    asked_value = find_asked_value(question.text)
    text = "\n".join((unit.quote, *(line.quote for line in unit.follows)))
    if asked_value is not None:
        return states_value(asked_value, text, is_line=is_line)
    asked_thing = find_asked_thing(question.text)
    return asked_thing is None or is_line or states_thing(asked_thing, text)


def find_stating(question: Question, chosen: Sequence[QuotableUnit], best: QuotableUnit) -> QuotableUnit | None:
    """Return the chosen unit that states what is asked, the best one first; None where none does.

    Another one than the best has to be about the thing too: it shares a word with the question that does not ask for
    the value alone, or it is what the best one leads to.
    """
    if states_asked(question, best):
        return best
    following = {line.document_place for line in (*best.follows, *((best.next,) if best.next is not None else ()))}
    for unit in chosen:
        is_led = unit.document_place in following
        is_about = bool((question.words & content_words(unit.own_text)) - _VALUE_WORDS)
        if (is_led or is_about) and states_asked(question, unit):
            return unit
    return None


def describe_asked(question: Question) -> str:
    """Return what a question asks for in words: "an amount of money", "a telephone number"."""
    asked_thing = find_asked_thing(question.text)
    if find_asked_value(question.text) is None and asked_thing is not None:
        return asked_thing.description
    return describe_value(find_asked_value(question.text))


def _is_called(subject: str, title: str) -> bool:
    wanted, held = split_words(subject), split_words(title)
    return bool(wanted) and all(word in held for word in wanted)


def find_definition_units(question: Question, sources: CitedSources) -> list[QuotableUnit]:
    """Return the title and the first sentence of each document that is called like the subject of a definition."""
    if question.kind != "definition" or not question.subject:
        return []
    units: list[QuotableUnit] = []
    for document in sources.documents:
        if not _is_called(question.subject, f"{document.title} {file_name(document.uri)}"):
            continue
        opening = _first_sentence(document)
        if opening is not None:
            units.append(_unit_of(document, opening, sources, opens=True))
        span = title_span(document)
        if span is not None and len(split_words(document.title)) > len(split_words(question.subject)) + 1:
            units.append(_unit_of(document, Sentence(start=span[0], end=span[1], kind="heading"), sources, opens=False))
    return units


def _first_sentence(document: Document) -> Sentence | None:
    """Return the first sentence of prose with five words or more that is no note to the reader."""
    for sentence in split_sentences(document.text[:8000]):
        words = sentence.of(document.text).split()
        if (
            sentence.kind in {"paragraph", "quote"}
            and len(words) >= 5
            and not words[0].startswith(("[", "<", "!", "http"))
        ):
            return sentence
    return None


def _unit_of(document: Document, sentence: Sentence, sources: CitedSources, *, opens: bool) -> QuotableUnit:
    return QuotableUnit(
        passage=sources.cite(document, sentence.start, sentence.end),
        sentence=sentence,
        quote=sentence.of(document.text),
        surroundings=(document.title, "", "", ""),
        document_place=(document.id, sentence.start),
        opens_document=opens,
    )
