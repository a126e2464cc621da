"""Lists of a document: their items whole, with the sentence and the heading that they stand under. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Final

from roma_core.markup.questions import LIGHT_WORDS, Question, content_words, stem_word
from roma_core.markup.sentences import Sentence, split_sentences
from roma_core.types import Document
from roma_core.writers.extractive.numerals import NumberStyle, read_value, write_number

MOST_ITEMS = 30
MOST_ITEM_CHARS = 400
LEAST_COVERAGE = 0.6
_ANY_ITEM = frozenset(
    stem_word(word)
    for word in """
    type kind item list thing all every step point reason way example complete full different main option number many
    document file entry following various available existing exist there
    """.split()
)


_NUMBERED = re.compile(r"(?:\A|\n)[ \t]*\d{1,3}[.)][ \t]+\Z")
_ASKS_HEADINGS = re.compile(r"\b(?:sections?|chapters?|headings?|topics?|contents)\b", re.IGNORECASE)
_HEADING_WORDS = frozenset(stem_word(word) for word in "section chapter heading topic content".split())


@dataclass(frozen=True)
class ItemList:
    """A list with its surroundings; ``items`` are spans of the document, one for each item."""

    document: Document
    lead: Sentence | None
    items: tuple[tuple[int, int], ...]
    headings: tuple[str, ...]
    is_of_headings: bool = False

    def text_of(self, index: int) -> str:
        start, end = self.items[index]
        return " ".join(self.document.text[start:end].split())

    @property
    def is_numbered(self) -> bool:
        """Return whether each item is counted, as steps are."""
        return all(_NUMBERED.search(self.document.text[max(0, start - 12) : start]) for start, _ in self.items)

    @property
    def lead_text(self) -> str:
        return self.lead.of(self.document.text) if self.lead is not None else ""


@dataclass(frozen=True)
class ListAnswer:
    """Items that answer a question, by their numbers in the list."""

    items: ItemList
    chosen: tuple[int, ...]
    by: str
    """The words that only these items have; empty when all are meant."""
    coverage: float


def read_lists(document: Document) -> list[ItemList]:
    """Return the lists of a document with two items or more, and the headings of one level under another as lists."""
    return [*_written_lists(document), *_heading_lists(document)]


def _written_lists(document: Document) -> Iterator[ItemList]:
    units = split_sentences(document.text)
    at = 0
    while at < len(units):
        if units[at].kind != "list":
            at += 1
            continue
        end = at
        while (
            end < len(units)
            and units[end].kind == "list"
            and (end == at or _is_near(document.text, units[end - 1], units[end]))
        ):
            end += 1
        items = tuple(join_items(document.text, units[at:end]))
        if len(items) >= 2:
            yield ItemList(document, _lead_of(document.text, units, at), items, document.headings_at(units[at].start))
        at = max(end, at + 1)


def _is_near(text: str, before: Sentence, after: Sentence) -> bool:
    return text.count("\n", before.end, after.start) <= 3


def join_items(text: str, units: Sequence[Sentence]) -> Iterator[tuple[int, int]]:
    """Yield one span an item; sentences of one item stand on one line or under each other without a mark."""
    start, end = units[0].start, units[0].end
    for before, unit in pairwise(units):
        between = text[before.end : unit.start]
        if re.search(r"[-*+•‣◦]\s|\d[.)]\s|\[\^|\n", between):
            yield start, end
            start = unit.start
        end = unit.end
    yield start, end


def _lead_of(text: str, units: Sequence[Sentence], at: int) -> Sentence | None:
    """Return the sentence that leads to the list: the last of the paragraph above it."""
    if at == 0:
        return None
    before = units[at - 1]
    gap = text.count("\n", before.end, units[at].start)
    if before.kind not in {"paragraph", "quote"} or gap > 2:
        return None
    return before


def _heading_lists(document: Document) -> Iterator[ItemList]:
    """Yield the sections directly inside of a section, or at the top level of the document."""
    sections = [s for s in document.sections if s.kind == "heading"]
    if len(sections) > 500:
        return
    parents = [None, *sections]
    for parent in parents:
        if parent is None:
            top = min((s.level for s in sections), default=0)
            children = [s for s in sections if s.level == top]
        else:
            inside = [s for s in sections if parent.start < s.start and s.end <= parent.end]
            level = min((s.level for s in inside), default=0)
            children = [s for s in inside if s.level == level]
        if len(children) < 2:
            continue
        spans = tuple(_title_span(document, s.start, s.title) for s in children)
        headings = () if parent is None else (*document.headings_at(parent.start),)
        yield ItemList(document, None, spans, headings, is_of_headings=True)


def _title_span(document: Document, start: int, title: str) -> tuple[int, int]:
    """Return the span of a heading's words; the first line of the section where they are written differently."""
    line_end = document.text.find("\n", start)
    line_end = len(document.text) if line_end < 0 else line_end
    at = document.text.find(title, start, line_end + 1)
    if at >= 0:
        return at, at + len(title)
    line = document.text[start:line_end]
    offset = len(line) - len(line.lstrip("# \t"))
    return start + offset, start + len(line.rstrip("# \t"))


def answer_from_lists(question: Question, lists: Sequence[ItemList]) -> ListAnswer | None:
    """Return the list that the question is about, by the share of its words that the list accounts for."""
    answers = [answer for items in lists if (answer := _answer_of(question, items)) is not None]
    return max(answers, key=lambda answer: answer.coverage, default=None)


def _answer_of(question: Question, items: ItemList) -> ListAnswer | None:
    asks_headings = _ASKS_HEADINGS.search(question.text) is not None
    if items.is_of_headings and question.kind == "how_many" and not asks_headings:
        return None
    wanted = question.words - _ANY_ITEM - LIGHT_WORDS - (_HEADING_WORDS if items.is_of_headings else set())
    near = content_words("\n".join((*items.headings[-1:], items.lead_text)))
    around = near | content_words("\n".join((items.document.title, _file_name(items.document.uri), *items.headings)))
    if not wanted:
        return None
    own = [_item_words(items, index) for index in range(len(items.items))]
    telling = wanted - around
    holders = {word: [i for i, words in enumerate(own) if word in words] for word in telling}
    narrowing = [word for word, held in holders.items() if held]
    if narrowing:
        chosen = tuple(i for i in range(len(own)) if all(word in own[i] for word in narrowing))
        if len(chosen) < 2:
            return None  # one item is a sentence like any other
    else:
        chosen = tuple(range(len(own)))
    covered = len(wanted & around) + len(narrowing)
    coverage = covered / len(wanted)
    is_named = bool(wanted & near) or (items.is_of_headings and bool(wanted & around))
    if coverage < LEAST_COVERAGE or not is_named:
        return None
    if items.is_of_headings and not asks_headings:
        coverage -= 0.15  # a written list says more
    if not items.is_of_headings and asks_headings:
        coverage -= 0.3
    is_narrowed = len(chosen) < len(own)
    by = " ".join(_spelled(question, narrowing)) if is_narrowed else ""
    bonus = 0.05 * len(wanted & near) / len(wanted)
    return ListAnswer(items, chosen, by, coverage + bonus)


_HOW_MUCH = re.compile(r"\bhow (?:many|much)\s+(?P<thing>[\w-]+(?:\s+[\w-]+)?)", re.IGNORECASE)
_OPENS_WITH_AMOUNT = re.compile(
    r"\W*(?:(?:about|at least|up to)\s+)?(?:\d(?!\d*[-/.]\d+[-/.]\d)|[½⅓¼¾]"
    r"|(?:half|an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen)\b)",
    re.IGNORECASE,
)


AMOUNT_WORDS = 6
"""Words at the beginning of an item in which the amount and the thing stand: "2 teaspoons of curry powder"."""


def find_amount(question: Question, lists: Sequence[ItemList]) -> ListAnswer | None:
    """Return the only item that states how much there is of the asked thing: "2 carrots"; None where none or more do.

    All other words of the question stand in the title or the headings above the list.
    """
    found = _HOW_MUCH.search(question.text)
    wanted = question.words - LIGHT_WORDS
    if found is None or not wanted:
        return None
    things = content_words(found["thing"]) & wanted
    stated: list[ListAnswer] = []
    for items in lists:
        around = content_words("\n".join((items.document.title, *items.headings, items.lead_text)))
        for index in range(len(items.items)):
            held = _item_words(items, index)
            text = items.text_of(index)
            opening = content_words(" ".join(text.split()[:AMOUNT_WORDS]))
            if things <= opening and wanted <= held | around and _OPENS_WITH_AMOUNT.match(text):
                stated.append(ListAnswer(items, (index,), " ".join(_spelled(question, sorted(things & held))), 1.0))
    return stated[0] if len(stated) == 1 else None


@dataclass(frozen=True)
class ItemSum:
    """What the amounts of all items of a list come to."""

    items: ItemList
    lead: str


_LABELLED: Final = re.compile(r"\A(?P<label>[^:=]{2,60}?)\s*(?::|=|\s[–—-])\s+(?P<amount>[^:=]+)\Z")
_IS_TOTAL: Final = re.compile(r"\b(?:total|sum|altogether|overall|average)\b", re.IGNORECASE)


def add_up_items(question: Question, lists: Sequence[ItemList]) -> ItemSum | None:
    """Return the sum or average of the only list of labels with amounts that has the question's words above it.

    "What is the total budget?" of "Budget", "Rent: 9,800 EUR", "Travel: 2,150 EUR". None where an item has no single
    amount, or the amounts have several units; nor where an item states a total itself.
    """
    wanted = question.words - _ADDED_UP - LIGHT_WORDS
    if question.kind != "table_sum" or not wanted:
        return None
    sums: list[ItemSum] = []
    for items in lists:
        near = content_words("\n".join((*items.headings[-1:], items.lead_text)))
        around = near | content_words("\n".join((items.document.title, *items.headings)))
        texts = [items.text_of(index) for index in range(len(items.items))]
        parts = [_LABELLED.match(text) for text in texts]
        values = [read_value(part["amount"]) if part is not None else None for part in parts]
        amounts = [value for value in values if value is not None and value[1] != "date"]
        is_whole = len(amounts) == len(texts) and len({unit for _, unit in amounts}) == 1
        if not wanted & near or not wanted <= around or not is_whole or any(map(_IS_TOTAL.search, texts)):
            continue
        total = sum((number for number, _ in amounts), Decimal(0))
        result = round(total / len(amounts), 2) if question.is_average else total
        unit = f" {amounts[0][1]}" if amounts[0][1] else ""
        word = "Average" if question.is_average else "Sum"
        lead = (
            f"{word} of {len(amounts)} items = {write_number(result, NumberStyle())}{unit}, computed from these items"
        )
        sums.append(ItemSum(items, lead))
    return sums[0] if len(sums) == 1 else None


_ADDED_UP: Final = frozenset(
    stem_word(word) for word in "total sum average altogether combined together overall mean amount cost costs".split()
)


def _item_words(items: ItemList, index: int) -> set[str]:
    start, end = items.items[index]
    return content_words(items.document.text[start:end])


def _spelled(question: Question, stems: Sequence[str]) -> list[str]:
    """Return the words of a question that have these stems, as they are written there."""
    words = re.findall(r"\w[\w.'’-]*\w|\w", question.text)
    return [word for word in words if content_words(word) & set(stems)]


def _file_name(uri: str) -> str:
    return re.sub(r"[\W_]+", " ", uri.rsplit("/", 1)[-1].rsplit(".", 1)[0])
