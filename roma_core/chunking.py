"""A document to passages: along its structure, at exact offsets. Pure.

The text is taken apart only as far as needed: blocks (or paragraphs) stay whole while they fit; a longer one is split
between rows, lines or sentences, a longer sentence between words, and only a word that alone is over the target between
characters as readers see them (grapheme clusters). Neighbours are then packed up to the target, sections kept apart
where that does not leave crumbs.
"""

from __future__ import annotations

import bisect
import math
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import regex

from roma_core.facts import describe_facts, detect_passage_language, read_facts
from roma_core.languages import UNSPACED_RANGES
from roma_core.markup.sentences import split_sentences
from roma_core.settings import ChunkingSettings
from roma_core.types import Block, Chunk, Document, DocumentFacts, Page, Section, place_of

_DEFAULTS = ChunkingSettings()

CHUNKER = "structure/6"
"""Rises whenever some document would be cut differently, so that ingestion cuts again what is stored."""

TARGET_TOKENS = _DEFAULTS.tokens
CHARS_PER_TOKEN = 8
"""A word-piece tokenizer counts an endless word as one unknown token; a passage is never longer than this allows."""
ENDLESS = 1_000_000
"""Characters from which on a text without a blank is no word but data, and is cut in larger steps than its letters."""
CONTEXT_CHARS = 240
FACTS_CHARS = 120
HEADER_CHARS = 480
"""With the passage, the context still fits the 512 tokens of the usual embedding model."""
OWN_PLACE = frozenset({"slide", "sheet", "chapter", "message", "cell"})
"""Sections that a passage never reaches across: each is a place of its own for a reader."""

CountTokens = Callable[[str], int]
_PARAGRAPH_END = re.compile(r"\n[ \t\r]*+\n")
_TABLE_RULE = re.compile(r"^[ \t]*\|?[ \t]*:?-+:?[ \t]*(\|[ \t:-]*)?$")
_UNSPACED = re.compile(f"[{UNSPACED_RANGES}]")
"""Scripts written without spaces: a boundary between any two of their characters is as good as a word's."""
_WORD_END = re.compile(rf"\s|{_UNSPACED.pattern}")


@dataclass(frozen=True)
class _Piece:
    """A unit that packing does not take apart: ``text[start:end]``, trimmed, with its size in tokens."""

    start: int
    end: int
    tokens: int
    heading: bool = False
    opens: bool = False
    """Begins a place of its own, so a chunk must begin here."""
    header: str = ""
    """Header row of the table that this piece is a later part of."""


def chunk(document: Document, count_tokens: CountTokens, target_tokens: int = TARGET_TOKENS) -> list[Chunk]:
    """Cut a document into passages, in order.

    Each non-blank character of ``document.text`` is in exactly one passage, and none is blank. A passage has at most
    ``target_tokens`` (as counted piece by piece; a single character may have more). ``context`` holds the document's
    title, the headings above the passage that it does not show, author and date, and the header of a table whose first
    row is in an earlier passage. The id is a hash of document, offsets and text.
    """
    measure = _TokenBudget(document.text, count_tokens, target_tokens)
    places = _Places(document)
    groups = _pack_bonds(_bond_headings(_split_pieces(document, measure), target_tokens), target_tokens)
    facts = read_facts(document)
    return [_make_chunk(document, facts, group, places) for group in groups]


# Units: what the document says belongs together


def _split_units(document: Document) -> Iterator[Block]:
    """Yield the document's blocks, without overlaps, and paragraphs for the text that no block covers."""
    cursor = 0
    starts = _find_forced_starts(document)
    for block in sorted(document.blocks, key=lambda b: (b.start, -b.end)):
        if block.end <= cursor:
            continue
        yield from _split_paragraphs(document.text, cursor, block.start, starts)
        start = max(block.start, cursor)
        cursor = block.end
        yield from _trim_block(document.text, start, block.end, block)
    yield from _split_paragraphs(document.text, cursor, len(document.text), starts)


def _find_forced_starts(document: Document) -> list[int]:
    """Return the offsets at which a chunk must begin, rising."""
    return sorted({s.start for s in document.sections if s.kind in OWN_PLACE})


def _split_paragraphs(text: str, start: int, end: int, cuts: list[int]) -> Iterator[Block]:
    """Yield the paragraphs between blank lines; ``cuts`` (sorted) end one as well."""
    if start >= end:
        return
    inner = cuts[bisect.bisect_right(cuts, start) : bisect.bisect_left(cuts, end)]
    edges = sorted({start, end, *inner, *(m.end() for m in _PARAGRAPH_END.finditer(text, start, end))})
    for left, right in pairwise(edges):
        yield from _trim_block(text, left, right, Block(start=left, end=right, kind="paragraph"))


def _trim_block(text: str, start: int, end: int, block: Block) -> Iterator[Block]:
    left, right = trim_span(text, start, end)
    if left < right:
        yield block.model_copy(update={"start": left, "end": right})


def trim_span(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the span without white space at its ends; a space that carries a combining mark is kept."""
    piece = text[start:end]
    left = start + len(piece) - len(piece.lstrip())
    if left == end:
        return end, end
    if start < left and not _is_boundary(text, left):
        left -= 1
    return left, start + len(piece.rstrip())


def _is_boundary(text: str, at: int) -> bool:
    """Return whether a new grapheme cluster begins at ``at``, by the character before."""
    if at == 0:
        return True
    found = regex.match(r"\X", text, pos=at - 1, endpos=at + 1)
    return found is None or found.end() <= at


# Pieces: units that fit


@dataclass(frozen=True)
class _TokenBudget:
    text: str
    count: CountTokens
    target: int

    def size(self, start: int, end: int) -> int:
        """Return the number of tokens, or a larger one where the length alone exceeds the target.

        An endless word is one token to a model.
        """
        least = math.ceil((end - start) / CHARS_PER_TOKEN)
        return least if least > self.target else max(self.count(self.text[start:end]), least)


def _split_pieces(document: Document, measure: _TokenBudget) -> Iterator[_Piece]:
    starts = _find_forced_starts(document)
    passed = 0
    for unit in _split_units(document):
        reached = bisect.bisect_right(starts, unit.start)
        yield from _split_unit(unit, measure, opens=reached > passed)
        passed = reached


def _split_unit(unit: Block, measure: _TokenBudget, *, opens: bool) -> Iterator[_Piece]:
    """Yield one piece for a unit that fits, else as few as the next finer joints allow."""
    size = measure.size(unit.start, unit.end)
    if size <= measure.target:
        yield _Piece(unit.start, unit.end, size, heading=unit.kind == "heading", opens=opens)
        return
    header = _find_table_header(measure.text, unit) if unit.kind == "table" else ""
    for start, end, tokens in _balance_spans(
        _split_to_fit(_choose_joints(unit), unit.start, unit.end, measure), measure
    ):
        later = start > unit.start
        yield _Piece(start, end, tokens, opens=opens and not later, header=header if later else "")


Joint = Callable[[str, int, int], Iterable[tuple[int, int]]]


def _choose_joints(unit: Block) -> tuple[Joint, ...]:
    """Return the joints of a unit of this kind, coarse to fine."""
    if unit.kind in {"table", "code", "list"}:
        return (
            (_split_lines, _split_sentences, _split_words, _split_graphemes)
            if unit.kind == "list"
            else (_split_lines, _split_words, _split_graphemes)
        )
    return (_split_sentences, _split_lines, _split_words, _split_graphemes)


def _split_to_fit(
    joints: tuple[Joint, ...], start: int, end: int, measure: _TokenBudget
) -> Iterator[tuple[int, int, int]]:
    """Yield spans with sizes, each within the target unless it is a single grapheme."""
    for left, right in _join_graphemes(measure.text, joints[0](measure.text, start, end)):
        size = measure.size(left, right)
        if size <= measure.target or len(joints) == 1:
            yield left, right, size
        else:
            yield from _split_to_fit(joints[1:], left, right, measure)


def _join_graphemes(text: str, spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the spans, joined where only a boundary inside of a grapheme cluster separates them."""
    held: tuple[int, int] | None = None
    for left, right in spans:
        if not _is_boundary(text, left):
            held = (held[0] if held is not None else left - 1, right)
            continue
        if held is not None:
            yield held
        held = (left, right)
    if held is not None:
        yield held


def _balance_spans(spans: Iterable[tuple[int, int, int]], measure: _TokenBudget) -> Iterator[tuple[int, int, int]]:
    """Join neighbouring spans again into parts of about equal size within the target."""
    held = list(spans)
    total = sum(size for _, _, size in held)
    goal = total / math.ceil(total / measure.target)
    start, end, tokens = held[0]
    for left, right, size in held[1:]:
        if tokens + size > measure.target or tokens + size / 2 > goal:
            yield start, end, tokens
            start, tokens = left, 0
        end, tokens = right, tokens + size
    yield start, end, tokens


def _split_sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield sentences, each with the markup (a list's dash, a fence) before it; the last one also with the rest."""
    cursor = start
    ends = [start + sentence.end for sentence in split_sentences(text[start:end])]
    for stop in [*ends[:-1], end]:
        left, right = trim_span(text, cursor, stop)
        if left < right:
            yield left, right
        cursor = stop


def _split_lines(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    cursor = start
    for line in text[start:end].split("\n"):
        left, right = trim_span(text, cursor, cursor + len(line))
        if left < right:
            yield left, right
        cursor += len(line) + 1


def _split_words(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield runs of grapheme clusters without white space; each cluster of an unspaced script is a word."""
    if end - start > ENDLESS and _WORD_END.search(text, start, end) is None:
        yield start, end
        return
    begin: int | None = None
    for left, right, cluster in _find_clusters(text, start, end):
        if cluster.isspace() or _UNSPACED.match(cluster):
            if begin is not None:
                yield begin, left
                begin = None
            if not cluster.isspace():
                yield left, right
        elif begin is None:
            begin = left
    if begin is not None:
        yield begin, end


def _split_graphemes(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    if end - start > ENDLESS:
        return ((m.start(), m.end()) for m in regex.finditer(r"\X{1,64}", text, pos=start, endpos=end))
    return ((left, right) for left, right, cluster in _find_clusters(text, start, end) if not cluster.isspace())


def _find_clusters(text: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    return ((m.start(), m.end(), m[0]) for m in regex.finditer(r"\X", text, pos=start, endpos=end))


def _find_table_header(text: str, table: Block) -> str:
    """Return the table's first row, which names its columns."""
    head = text[table.start : table.end].split("\n", 2)
    return head[0].strip()[:HEADER_CHARS] if len(head) > 1 and not _TABLE_RULE.match(head[0]) else ""


# Packing


def _bond_headings(pieces: Iterable[_Piece], target: int) -> Iterator[list[_Piece]]:
    """Join headings with the piece that follows, so that no passage ends in a heading while there is room."""
    bond: list[_Piece] = []
    for piece in pieces:
        if bond and (piece.opens or _count_tokens(bond) + piece.tokens > target):
            yield bond
            bond = []
        bond.append(piece)
        if not piece.heading:
            yield bond
            bond = []
    if bond:
        yield bond


def _pack_bonds(bonds: Iterable[list[_Piece]], target: int) -> Iterator[list[_Piece]]:
    """Pack bonds greedily up to the target; one with a heading leaves a group that is half full."""
    group: list[_Piece] = []
    tokens = 0
    for bond in bonds:
        own = _count_tokens(bond)
        ends = bond[0].opens or tokens + own > target or (bond[0].heading and tokens >= target / 2)
        if group and ends:
            yield group
            group, tokens = [], 0
        group = [*group, *bond]
        tokens += own
    if group:
        yield group


def _count_tokens(pieces: list[_Piece]) -> int:
    return sum(piece.tokens for piece in pieces)


# Chunks


class _Places:
    """Pages and headings by offset; offsets must rise from call to call."""

    def __init__(self, document: Document) -> None:
        self._pages = sorted(document.pages, key=lambda page: page.start)
        self._page_starts = [page.start for page in self._pages]
        self._coming = sorted(document.sections, key=lambda s: (s.start, -s.end))[::-1]
        self._held: list[Section] = []
        self._text = document.text
        self._rows = deque(sorted((b for b in document.blocks if b.row is not None), key=lambda b: b.start))

    def at(self, offset: int) -> tuple[Page | None, list[Section], int | None]:
        while self._coming and self._coming[-1].start <= offset:
            self._held.append(self._coming.pop())
        self._held = [s for s in self._held if offset < s.end]
        index = bisect.bisect_right(self._page_starts, offset) - 1
        page = self._pages[index] if index >= 0 and offset < self._pages[index].end else None
        while self._rows and self._rows[0].end <= offset:
            self._rows.popleft()
        block = self._rows[0] if self._rows and self._rows[0].start <= offset else None
        return page, self._held, block.row_at(offset, self._text) if block else None


def _make_chunk(document: Document, facts: DocumentFacts, group: list[_Piece], places: _Places) -> Chunk:
    start, end = group[0].start, group[-1].end
    page, held, row = places.at(start)
    text = document.text[start:end]
    above = [document.title, *(s.title for s in held if s.start < start)]
    lines = [_join_titles(above), describe_facts(facts)[:FACTS_CHARS], group[0].header]
    language = detect_passage_language(text, facts.language)
    return Chunk(
        id=Chunk.id_for(document.id, start, end, text),
        document_id=document.id,
        uri=document.uri,
        title=document.title,
        text=text,
        start=start,
        end=end,
        page=page.number if page else None,
        place=place_of(page, held, row),
        headings=tuple(s.title for s in held),
        context="\n".join(line for line in lines if line),
        facts=facts.model_copy(update={"language": language}),
    )


def _join_titles(titles: Iterable[str]) -> str:
    """Join titles without repetitions; the innermost stay when they are too long together."""
    kept = [t for t in dict.fromkeys(" ".join(title.split()) for title in titles) if t]
    while len(kept) > 1 and len(" > ".join(kept)) > CONTEXT_CHARS:
        kept.pop(0)
    return " > ".join(kept)[:CONTEXT_CHARS]
