"""Units of passages that can be quoted: sentences, list items, table rows and lines of code, in their surroundings.

A sentence out of its place has lost its subject: "By default no test times out" does not name the project that its
title names. So each one is *scored* together with the title, the heading, the lead-in and the table header that it
stands under, and *quoted* alone. Pure.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from roma_core.languages import count_words
from roma_core.markup.sentences import Sentence, split_sentences
from roma_core.types import BlockKind, Chunk, ScoredChunk

SHORTEST_WORDS = 3
LONG_WORDS = 10
"""From here on a sentence says something even if what it announces is in another passage."""
MOST_LINES, MOST_WORDS = 8, 40
"""How much of a list, a table or code is quoted with the sentence that announces it."""
MOST_TERSE_WORDS, MOST_YES_WORDS = 2, 6
"""Words of an answer, and of one that says yes or no, up to which its question is quoted with it."""
_YES_OR_NO = re.compile(r"\W*(?:yes|no|ja|nein|oui|non|sí|si|nee|sim|não)\b", re.IGNORECASE)
_OPEN = (":", "：")
_LINES: frozenset[BlockKind] = frozenset({"list", "code", "table"})
_PROSE: frozenset[BlockKind] = frozenset({"paragraph", "quote"})


@dataclass(frozen=True)
class QuotableUnit:
    """A unit of a passage with the lines that belong to it."""

    passage: int
    """Number of the passage, from 1."""
    sentence: Sentence
    quote: str
    surroundings: tuple[str, ...]
    """Subject, heading, lead-in and table header that the unit stands under, outermost first."""
    document_place: tuple[str, int]
    is_header: bool = False
    follows: tuple[QuotableUnit, ...] = ()
    """The lines that it announces, for a sentence that ends in a colon."""
    next: QuotableUnit | None = None
    """The next sentence of its paragraph."""
    before: str = ""
    """Its paragraph up to it: what a pronoun in it may speak of."""
    opens_document: bool = False
    """True for the first sentence of a document."""
    is_cut_before: bool = False
    """True for a part of a sentence that does not begin it."""
    is_cut_after: bool = False
    """True for a part of a sentence that does not end it."""
    asked: tuple[int, str] | None = None
    """Place in its document and words of the line before it that asks what it answers."""
    copies: tuple[int, ...] = ()
    """Numbers of further passages that say the same in nearly the same words."""

    @property
    def is_prose(self) -> bool:
        return self.sentence.kind in _PROSE

    @property
    def is_row(self) -> bool:
        return self.sentence.kind == "table"

    @property
    def is_figure(self) -> bool:
        """True for the words that describe a picture."""
        return self.sentence.kind == "figure"

    @functools.cached_property
    def own_text(self) -> str:
        """The words that it is quoted for: its own, the lines that it announces, and the question that it answers."""
        asked = [self.surroundings[2]] if _asks(self.surroundings[2]) else []
        return "\n".join((*asked, self.quote, *(line.quote for line in self.follows)))

    @property
    def needs_question(self) -> bool:
        """True for "No." and the like, which say something only behind the question that they answer."""
        words = count_words(self.quote)
        is_short = words <= MOST_TERSE_WORDS or (words <= MOST_YES_WORDS and _YES_OR_NO.match(self.quote) is not None)
        return self.asked is not None and is_short

    @property
    def announces_list(self) -> bool:
        """True when it announces a list, which then is scored and quoted as one."""
        return any(line.sentence.kind == "list" for line in self.follows)

    @functools.cached_property
    def scored_text(self) -> str:
        """The text that the ranker reads: the unit in its surroundings, without Markdown's marks."""
        items = [line.quote for line in self.follows] if self.announces_list else []
        lines = [plain_text(line) for line in (*self.surroundings, self.quote, *items)]
        return "\n".join(dict.fromkeys(line for line in lines if line))


def quotable_units(passages: Sequence[ScoredChunk], *, with_figures: bool = False) -> list[QuotableUnit]:
    """Return every unit worth quoting, each once, in the order of the passages; no headings and no questions.

    ``with_figures`` adds the words that describe pictures: they answer what is asked of one.
    """
    units: dict[tuple[str, str], QuotableUnit] = {}
    for number, passage in enumerate(passages, start=1):
        listed: set[tuple[str, int]] = set()
        split = [unit for unit in _split_units(number, passage.chunk) if with_figures or not unit.is_figure]
        for unit in _link_units(split, passage.chunk):
            if unit.announces_list:
                listed.update(line.document_place for line in unit.follows)
            if unit.document_place not in listed and not _says_nothing(unit):
                units.setdefault((passage.chunk.document_id, unit.quote), unit)
    return list(units.values())


def _link_units(units: Sequence[QuotableUnit], chunk: Chunk) -> Iterator[QuotableUnit]:
    """Yield the units, each with those that follow it."""
    paragraph_start = 0
    for position, unit in enumerate(units):
        after = units[position + 1 :]
        if position and not _are_in_paragraph(units[position - 1], unit, chunk):
            paragraph_start = unit.sentence.start
        goes_on = bool(after) and _are_in_paragraph(unit, after[0], chunk)
        yield replace(
            unit,
            follows=_announced(unit, after),
            next=after[0] if goes_on and not after[0].quote.endswith(_OPEN) else None,
            before=chunk.text[paragraph_start : unit.sentence.start] if unit.is_prose else "",
        )


def _are_in_paragraph(one: QuotableUnit, other: QuotableUnit, chunk: Chunk) -> bool:
    """Return whether two units are sentences of prose with no blank line between them."""
    between = chunk.text[one.sentence.end : other.sentence.start]
    return one.is_prose and other.is_prose and between.count("\n") < 2


def _split_units(number: int, chunk: Chunk) -> Iterator[QuotableUnit]:
    """Yield all units of a passage that hold a word, headings left out; of figures the words that describe them."""
    heading = chunk.headings[-1] if chunk.headings else ""
    subject = _subject(chunk)
    lead = header = ""
    lead_start = 0
    before: BlockKind | None = None
    for unit in _split_fields(chunk.text, split_sentences(chunk.text)):
        quote = unit.of(chunk.text)
        if unit.kind != "table" or before != "table":
            header = "" if unit.kind != "table" else (before is None and _carried_header(chunk)) or quote
        before = unit.kind
        if unit.kind == "heading":
            heading, lead = quote, ""
        elif unit.kind == "figure":
            lead = "" if _asks(lead) else lead
            yield from _split_figure(number, chunk, unit, (subject, heading, PICTURE, ""))
        elif re.search(r"\w", quote):
            yield QuotableUnit(
                passage=number,
                sentence=unit,
                quote=quote,
                surroundings=(subject, heading, lead if unit.kind in _LINES or _asks(lead) else "", header),
                document_place=(chunk.document_id, chunk.start + unit.start),
                is_header=quote == header,
                asked=(lead_start, lead) if _asks(lead) else None,
            )
            if quote.endswith(_OPEN) or _asks(quote):
                lead, lead_start = quote, chunk.start + unit.start
            elif unit.kind in _PROSE:
                lead = ""


_FIELD = re.compile(r"[ \t]*[^\W\d][\w .()/-]{0,40}:[ \t]+\S[^\n]*")
"""A line with a name and its value: "port: 9300"."""


def _split_fields(text: str, sentences: Sequence[Sentence]) -> Iterator[Sentence]:
    """Yield the sentences, those that are lines of names and values line by line."""
    for sentence in sentences:
        lines = sentence.of(text).split("\n")
        if sentence.kind != "paragraph" or len(lines) < 2 or not all(map(_FIELD.fullmatch, lines)):
            yield sentence
            continue
        start = sentence.start
        for line in lines:
            offset = len(line) - len(line.lstrip())
            yield Sentence(start=start + offset, end=start + len(line.rstrip()), kind="paragraph")
            start += len(line) + 1


_FIGURE = re.compile(r"!\[(?P<words>(?:[^\]\\]|\\.)+)\]\(")
PICTURE: Final = "Picture"
"""Heading over the words of a figure."""
LEAST_FIGURE_WORDS = 4
"""Words from which on the alternative text of a figure describes it: "Build status" does not."""


def _split_figure(number: int, chunk: Chunk, unit: Sentence, surroundings: tuple[str, ...]) -> Iterator[QuotableUnit]:
    """Yield the alternative text or description of each figure of a line, where it says something."""
    for figure in _FIGURE.finditer(chunk.text, unit.start, unit.end):
        start, end = figure.span("words")
        if count_words(figure["words"]) >= LEAST_FIGURE_WORDS:
            yield QuotableUnit(
                passage=number,
                sentence=Sentence(start=start, end=end, kind="figure"),
                quote=figure["words"],
                surroundings=surroundings,
                document_place=(chunk.document_id, chunk.start + start),
            )


def _subject(chunk: Chunk) -> str:
    """Return the title, after the file's name where the title ("Contents", "Installation") does not hold it."""
    name = PurePosixPath(unquote(urlsplit(chunk.uri).path)).stem
    telling = re.search(r"[^\W\d_]{3}", name) and _letters(name) not in _letters(chunk.title)
    return f"{name}: {chunk.title}" if telling else chunk.title


def _letters(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())


def _carried_header(chunk: Chunk) -> str:
    """Return the header of a table whose first row is in an earlier passage."""
    row = next((line for line in chunk.context.splitlines() if line.lstrip().startswith("|")), "")
    return row.strip().strip("|").strip()


def _announced(unit: QuotableUnit, after: Sequence[QuotableUnit]) -> tuple[QuotableUnit, ...]:
    """Return the lines that a sentence with a colon announces: the next sentence, or the block there if it is short."""
    if not unit.quote.endswith(_OPEN) or not after:
        return ()
    kind = after[0].sentence.kind
    block = list(takewhile(lambda u: u.sentence.kind == kind, after)) if kind in _LINES else [after[0]]
    short = len(block) <= MOST_LINES and sum(count_words(line.quote) for line in block) <= MOST_WORDS
    return tuple(block if short else block[:1])


def _asks(text: str) -> bool:
    """Return whether a line is a question, in bold or italics too: "**May I put up a shed?**"."""
    return text.rstrip("*_ ").endswith(("?", "？", "؟", "\u037e"))


def _says_nothing(unit: QuotableUnit) -> bool:
    """True for questions, header rows, a few words, and a lead-in without the lines that it leads to."""
    if unit.is_header or _asks(unit.quote):
        return True
    words = count_words(unit.quote)
    if _FIELD.fullmatch(unit.quote):
        return False
    if unit.sentence.kind in {"code", "table"}:
        return words < 2 and "=" not in unit.quote
    if unit.quote.endswith(_OPEN) and not unit.follows:
        return words < LONG_WORDS
    is_led = unit.sentence.kind == "list" or _asks(unit.surroundings[2])
    return words < SHORTEST_WORDS and not (is_led and unit.surroundings[2])


_LINK = re.compile(r"!?\[([^\]\[]*)\](?:\([^)\s]*(?:\s+\"[^\"]*\")?\)|\[[^\]\[]*\])")
_URL = re.compile(r"<?\bhttps?://[^\s)\]>]+>?")
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,200}>")
_EMPHASIS = re.compile(r"\*\*|`+|(?<!\w)[*_]{1,2}(?=\w)|(?<=\w)[*_]{1,2}(?!\w)")


@functools.lru_cache(maxsize=4096)
def plain_text(text: str) -> str:
    """Return ``text`` as a reader sees it: links by their words, without addresses, tags, emphasis and extra blanks."""
    words = _TAG.sub(" ", _URL.sub(" ", _LINK.sub(r"\1", text)))
    return " ".join(_EMPHASIS.sub("", words).split())
