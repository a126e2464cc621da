"""Sections that answer as a whole: what a version brought, and the steps of a task. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from roma_core.markup.questions import LIGHT_WORDS, Question, content_words, holds_all_codes, split_words, stem_word
from roma_core.markup.sentences import split_part
from roma_core.types import Document, Section
from roma_core.writers.extractive.lists import ItemList, ListAnswer, join_items, read_lists

_BROUGHT: Final = frozenset(
    stem_word(word)
    for word in """
    add added bring brought came change changed changelog contain contained correct corrected deprecate deprecated
    difference drop dropped enhance enhanced feature fix fixed happen happened improve improved improvement include
    included introduce introduced modify modified new note notes release released remove removed ship shipped thing
    update updated version
    """.split()
)
"""Stems of what is said of a version as a whole; nothing else may be asked of it."""
_DEEDS: Final = (
    frozenset({"fix", "correct"}),
    frozenset({"add", "introduc"}),
    frozenset({"remov", "drop", "deprecat"}),
    frozenset({"improv", "enhanc"}),
)
"""Stems that mean one deed each: "What was fixed in 3.1.4?" asks for the lines with one of them."""
_HOW_TO: Final = re.compile(
    r"^\W*(?:and\s+|so\s+)?how\s+(?:do|does|can|could|should|must|may|would|to|is|are)\b"
    r"|\b(?:steps?|procedure|instructions?|way)\b.{0,30}\b(?:to|for|of)\b|\bhow\s+to\b",
    re.IGNORECASE,
)
_PROCEDURE_WORDS: Final = frozenset(
    stem_word(word) for word in "step steps procedure instruction instructions way properly correctly right say".split()
)
_NOUN_ENDINGS: Final = frozenset(
    "ation ition ion ment ement al ance anc ence enc ure ing er or".split()  # stems of some have lost their e
)
"""Endings that make a noun of a verb: the steps to *install* stand under *Installation*."""
LEAST_ROOT: Final = 4
"""Letters of a verb from which on its noun is looked for."""


def answer_from_sections(question: Question, documents: Sequence[Document]) -> ListAnswer | None:
    """Return the lines under the heading that the question is about: those of a version, or the steps of a task."""
    answers = (answer for document in documents for answer in _find_answers(question, document))
    return next(answers, None)


def _find_answers(question: Question, document: Document) -> Iterator[ListAnswer]:
    if question.codes and not question.is_compound:
        yield from _read_versions(question, document)
    if _HOW_TO.search(question.text):
        yield from _read_procedures(question, document)
    if _TO_DO.search(question.text):
        yield from _read_tasks(question, document)
    if _ORDINAL.search(question.text):
        yield from _read_ordinals(question, document)


# What a version brought


def _read_versions(question: Question, document: Document) -> Iterator[ListAnswer]:
    coded = {stem_word(part) for code in question.codes for part in split_words(code)}
    asked = question.words - coded
    told = asked & _BROUGHT
    if not told or not asked - _BROUGHT <= content_words(f"{document.title} {document.uri}"):
        return
    for section in document.sections:
        if section.kind != "heading" or not holds_all_codes(question.codes, section.title):
            continue
        items = _read_section(document, section)
        if items is not None:
            chosen, by = _choose_deeds(items, told)
            yield ListAnswer(items, chosen, by, 1.0)


def _read_section(document: Document, section: Section) -> ItemList | None:
    """Return the lines of a section under its heading: those of its lists, else its sentences."""
    units = split_part(document.text, section.start, section.end)
    heading = next((unit for unit in units if unit.kind == "heading"), None)
    listed = [unit for unit in units if unit.kind == "list"]
    prose = [unit for unit in units if unit.kind in {"paragraph", "quote"}]
    spans = tuple(join_items(document.text, listed) if listed else ((unit.start, unit.end) for unit in prose))
    if heading is None or not spans:
        return None
    return ItemList(document, heading, spans, document.headings_at(spans[0][0]))


def _choose_deeds(items: ItemList, told: frozenset[str]) -> tuple[tuple[int, ...], str]:
    """Return the lines that tell of an asked deed, and its word; all of them where none or each does."""
    everything = tuple(range(len(items.items)))
    wanted = frozenset[str]().union(*(deed for deed in _DEEDS if deed & told))
    chosen = tuple(index for index in everything if wanted & content_words(items.text_of(index)))
    if not chosen or chosen == everything:
        return everything, ""
    words = [word for word in split_words(items.text_of(chosen[0])) if stem_word(word) in wanted]
    return chosen, words[0]


# The steps of a task


def _read_procedures(question: Question, document: Document) -> Iterator[ListAnswer]:
    wanted = question.words - _PROCEDURE_WORDS - LIGHT_WORDS
    for items in read_lists(document):
        if not items.is_numbered:
            continue
        named = content_words("\n".join((*items.headings[-1:], items.lead_text)))
        is_named = any(_is_same_task(word, other) for word in wanted for other in named)
        steps = "\n".join(items.text_of(index) for index in range(len(items.items)))
        around = named | content_words("\n".join((document.title, *items.headings, steps)))
        if is_named and all(any(_is_same_task(word, other) for other in around) for word in wanted):
            yield ListAnswer(items, tuple(range(len(items.items))), "", 1.0)


_TO_DO: Final = re.compile(
    r"^\W*(?:and\s+|so\s+)?what\s+(?:(?:must|should|shall|can|do|does|did|am|are|is|has|have|needs?|ought)\s+)"
    r"(?:(?:i|we|you|one|they|staff|people|to)\s+){0,2}(?:(?:have|need|supposed)\s+to\s+|to\s+)?(?:be\s+)?(?:do|done|happen)\s+"
    r"(?P<when>before|after|when|if|in case of|during)\b",
    re.IGNORECASE,
)
"""A question for all that is to be done on an occasion: "What should I do before I launch?"."""
_OCCASIONS: Final = {"before": "after", "after": "before"}
_DONE: Final = frozenset(
    stem_word(word) for word in "do done happen need have supposed before after during case".split()
)


def _read_tasks(question: Question, document: Document) -> Iterator[ListAnswer]:
    """Yield the lists under a heading or lead that says on which occasion their items are done."""
    found = _TO_DO.search(question.text)
    wanted = question.words - LIGHT_WORDS - _DONE
    if found is None or not wanted:
        return
    other_time = _OCCASIONS.get(found["when"].casefold(), "")
    for items in read_lists(document):
        named = "\n".join((*items.headings[-1:], items.lead_text)) if not items.is_of_headings else ""
        is_of_other_time = other_time and re.search(rf"\b{other_time}\b", named, re.IGNORECASE)
        if wanted <= content_words(named) and not is_of_other_time:
            yield ListAnswer(items, tuple(range(len(items.items))), "", 1.0)


_ORDINALS: Final = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
_ORDINAL: Final = re.compile(
    rf"\b(?P<which>{'|'.join(_ORDINALS)}|last|final|\d{{1,2}}(?:st|nd|rd|th))\s+(?:step|item|point|task|instruction|rule)s?\b"
    r"|\b(?:step|item|point|task|instruction|rule)\s+(?:no\.?\s*|number\s+)?(?P<number>\d{1,2})\b",
    re.IGNORECASE,
)


def _read_ordinals(question: Question, document: Document) -> Iterator[ListAnswer]:
    """Yield the item of a numbered list that is asked by its number: "the second step", "step 4"."""
    found = _ORDINAL.search(question.text)
    if found is None:
        return
    wanted = content_words(_ORDINAL.sub(" ", question.text)) - LIGHT_WORDS - _PROCEDURE_WORDS
    for items in read_lists(document):
        around = content_words("\n".join((document.title, document.uri, *items.headings, items.lead_text)))
        at = _read_position(found, len(items.items))
        if items.is_numbered and at is not None and wanted <= around:
            yield ListAnswer(items, (at,), found[0], 1.0)


def _read_position(found: re.Match[str], total: int) -> int | None:
    """Return the index that an ordinal names in a list of ``total`` items; None where the list has none of it."""
    which = (found["which"] or "").casefold()
    if which in {"last", "final"}:
        return total - 1
    digits = re.match(r"\d+", found["number"] or which)
    at = int(digits[0]) - 1 if digits is not None else _ORDINALS.index(which)
    return at if 0 <= at < total else None


def _is_same_task(word: str, other: str) -> bool:
    """Return whether a stem is another one, or names the same deed as a noun.

    >>> _is_same_task("install", "installation"), _is_same_task("remov", "removal"), _is_same_task("pump", "pumpkin")
    (True, True, False)
    """
    if word == other:
        return True
    short, long = sorted((word, other), key=len)
    return len(short) >= LEAST_ROOT and long.startswith(short) and long[len(short) :] in _NOUN_ENDINGS
