"""Questions that ask several things: their parts, each in words that stand alone. Rules alone, pure.

>>> split_question("Who founded the library, and when did it open?")
('Who founded the library?', 'when did it open (founded library)?')
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from typing import Final

from roma_core.markup.questions import (
    LIGHT_WORDS,
    STOP_WORDS,
    content_words,
    find_names,
    read_question,
    split_words,
    stem_word,
)

MOST_PARTS: Final = 3
LEAST_PART_WORDS: Final = 3
"""Content words with which a part that points at nothing stands alone."""

_QUESTION_WORD = r"(?:what|which|who|whom|whose|when|where|why|how)"
_LEADS = r"(?:at|in|on|by|for|from|since|until|till|to|with|of|about|up to|under|over|after|before|through)"
_JOINT: Final = re.compile(
    rf"\s*(?:,|;)?\s+(?:and|but)\s+(?:also\s+|then\s+)?(?=(?:{_LEADS}\s+)?{_QUESTION_WORD}\b)"
    rf"|\s*;\s*(?=(?:{_LEADS}\s+)?{_QUESTION_WORD}\b)|[?？]\s+(?:(?:and|but|so)\s+)?(?=[^\W\d_])",
    re.IGNORECASE,
)
_ASKS: Final = re.compile(
    rf"^\W*(?:(?:and|so|but|please)\s+)*(?:{_LEADS}\s+)?(?:{_QUESTION_WORD}|is|are|was|were|do|does|did|can|could|may"
    r"|must|should|will|would|has|have|had|list|name|describe|explain)\b",
    re.IGNORECASE,
)
_INSIDE: Final = re.compile(rf"\b{_QUESTION_WORD}\b", re.IGNORECASE)
_ASKED_ATTRIBUTE: Final = re.compile(
    rf"^\W*(?:{_LEADS}\s+)?(?:how\s+(?:many|much)|which|what)\s+(?!(?:is|are|was|were|do|does|did|has|have|had|will|can)\b)\w+"
    r"|^\W*what\s+(?:is|are|was|were)\s+the\s+(?:\w+\s+){0,2}?\w+(?=\s+(?:of|for|in|at)\b)",
    re.IGNORECASE,
)
"""The attribute that a part asks for, which is no topic of the next one: the watts of "How many watts has the lamp"."""
_PRONOUN: Final = re.compile(r"\b(?:it|they|he|she|(?P<owner>its|their|his|her))\b", re.IGNORECASE)
_NAME_RUN: Final = re.compile(r"\b[A-Z][\w-]*(?: (?:[A-Z][\w-]*|\d+))*")
_CALENDAR: Final = frozenset((*calendar.month_name, *calendar.day_name))
_TOPIC: Final = re.compile(r"\s*\([^()]*\)\?\Z")
_YEAR: Final = re.compile(r"(?:1[5-9]|20)\d\d")
_POINTS: Final = re.compile(
    r"\b(?:it|its|itself|they|them|their|he|him|his|she|her|hers|this|that|these|those|there|then|one|ones|both|each"
    r"|the (?:same|other|others|latter|former))\b",
    re.IGNORECASE,
)


def split_question(text: str) -> tuple[str, ...]:
    """Return the questions that a text asks, each in words that stand alone; the text itself where it asks one.

    A part that points back ("it", "them") or says too little has the words of the first part behind it, in parentheses.

    >>> split_question("What is the range of the lamp?")
    ('What is the range of the lamp?',)
    """
    text = " ".join(text.split())
    parts = [part.strip(" ,;?？.") for part in _JOINT.split(text)]
    parts = [part for part in parts if part]
    if not 2 <= len(parts) <= MOST_PARTS or not all(map(_is_question, parts)):
        return (text,)
    first = parts[0]
    return (f"{first}?", *(_stand_alone(part, first) for part in parts[1:]))


def drop_topic(part: str) -> str:
    """Return a part in the words of its question, without those of the first part behind it.

    >>> drop_topic("when did it open (founded library)?")
    'when did it open?'
    """
    return _TOPIC.sub("?", part)


def name_subject(part: str, first: str) -> str:
    """Return a part with the only name of the first part in place of its pronoun; nothing where there is no such name.

    >>> name_subject("who owns it (Nordline founded)?", "When was Nordline founded?")
    'who owns Nordline?'
    """
    name = re.sub(r"['’]s?\Z", "", " ".join(_find_written_names(first)))
    return _name_pronoun(part, name) if name in first else ""


def name_found_subject(part: str, first: str, answer: str) -> str:
    """Return a part with what the first part's answer names in place of its pronoun; nothing where it names several.

    What the first part's question names is not counted.

    >>> name_found_subject("what does it cost (lamp chosen)?", "Which lamp was chosen?", "The jury chose the Lux 40.")
    'what does Lux 40 cost?'
    """
    asked = content_words(first)
    names = (name for name in _list_names(answer) if not content_words(name) <= asked)
    telling = list(dict.fromkeys(names))
    return _name_pronoun(part, *telling) if len(telling) == 1 else ""


def _name_pronoun(part: str, name: str) -> str:
    bare = drop_topic(part)
    pronoun = _PRONOUN.search(bare)
    if not name or pronoun is None or _find_written_names(bare):
        return ""
    owner = f"{name}'s" if pronoun["owner"] else name
    return f"{bare[: pronoun.start()]}{owner}{bare[pronoun.end() :]}"


def _list_names(answer: str) -> Iterator[str]:
    """Yield the capitalised words of an answer that stand side by side; a single one that begins a sentence is none."""
    for found in _NAME_RUN.finditer(answer):
        words = found[0].split()
        is_first = re.search(r"(?:\A|[.!?:\n])\s*\Z", answer[: found.start()]) is not None
        if words[0].casefold() in STOP_WORDS:
            words = words[1:]
        elif is_first and len(words) == 1:
            continue
        if words and words[0] not in _CALENDAR:
            yield " ".join(words)


def _find_written_names(text: str) -> list[str]:
    """Return the names of a text that are no numbers or months."""
    return [name for name in find_names(text) if name[0].isalpha() and name not in calendar.month_name]


def find_sides(text: str) -> tuple[str, str] | None:
    """Return the two things that a question compares, as it writes them; None where it compares none.

    >>> find_sides("Which is heavier, the boat or the trailer?")
    ('the boat', 'the trailer')
    """
    match = _SIDES.search(" ".join(text.split()).rstrip("?. "))
    if match is None:
        return None
    one, other = (side.strip(" ,") for side in match.groups() if side)
    return one, other


def list_lookups(text: str) -> tuple[str, ...]:
    """Return what has to be looked up for a question beside itself: its parts, or the two sides of a comparison.

    >>> list_lookups("Which is heavier, the boat or the trailer?")
    ('the boat heavier', 'the trailer heavier')
    """
    parts = split_question(text)
    if len(parts) > 1:
        return parts
    sides = find_sides(text) if read_question(text).kind == "comparison" else None
    if sides is None:
        return ()
    stems = content_words(" ".join(sides))
    rest = [word for word in re.findall(r"[^\W_](?:[\w.'’-]*\w)?", text) if word.casefold() not in _COMPARING]
    topic = [word for word in rest if content_words(word) and not content_words(word) & stems]
    return tuple(" ".join((side, *topic)) for side in sides)


def _is_question(part: str) -> bool:
    """Return whether a part asks something by itself."""
    asks = _ASKS.match(part) is not None or _INSIDE.search(part) is not None
    return asks and len(part.split()) >= 2 and bool(content_words(part) or find_names(part))


def _stand_alone(part: str, first: str) -> str:
    own = content_words(part)
    if not _POINTS.search(part) and len(own) >= LEAST_PART_WORDS:
        return f"{part}?"
    topic: dict[str, None] = {}
    for word in re.findall(r"[^\W_](?:[\w.'’-]*\w)?", _ASKED_ATTRIBUTE.sub(" ", first)):
        folded = word.casefold()
        stems = {stem_word(piece) for piece in split_words(word)}
        if folded in STOP_WORDS or stems & own or stems & LIGHT_WORDS or folded in _FRAMES:
            continue
        if _YEAR.fullmatch(word) and _YEAR.search(part):
            continue
        topic.setdefault(word)
    return f"{part} ({' '.join(topic)})?" if topic else f"{part}?"


_SIDES: Final = re.compile(
    r"\b(?:between|compare|compared?(?:\s+to)?|difference\s+(?:of|from))\s+(?P<a>.+?)\s+(?:and|with|to)\s+(?P<b>.+)"
    r"|(?P<c>[^,:?]+?),?\s+(?:or|vs\.?|versus|differ\w*\s+from|compared\s+(?:to|with)|than)\s+(?P<d>.+)",
    re.IGNORECASE,
)
_COMPARING: Final = frozenset("or and than versus vs between compare compared difference differ differs".split())
_FRAMES: Final = frozenset(
    "what which who whom whose when where why how long often far much many since until till".split()
)
"""Words of the first part that ask, and are no topic."""
