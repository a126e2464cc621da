"""Sentences of Markdown as exact offsets.

One splitter for everything that quotes or cuts text (extractive answers, citations, chunking), so that they agree on
what a sentence is. Pure; the rules are those of plain prose plus the line structure of Markdown: headings, list items,
table rows and lines of code are units of their own, and nothing is ever joined across them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from roma_core.types import BlockKind, Span

Line = tuple[int, int]
"""Half-open offsets of one line, without its newline."""


class Sentence(Span):
    """One sentence, or one line-shaped unit (heading, table row, line of code), trimmed of blanks and markup."""

    kind: BlockKind = "paragraph"


_ABBREVIATED = """
mr mrs ms dr prof sr jr st vs etc e.g i.e eg ie cf al ed eds approx dept est inc ltd co corp gen col lt sgt rev hon gov
sen rep ph.d m.d u.s u.k a.m p.m jan feb mar apr jun jul aug sep sept oct nov dec ca resp incl z.b d.h bzw usw viz cit
"""
_COUNTED = "no nos nr fig figs eq eqs vol vols p pp abs art sec ch ref refs op"
_ABBREVIATIONS = frozenset(_ABBREVIATED.split())
_BEFORE_NUMBER = frozenset(_COUNTED.split())
"""Words that are abbreviations only when a number follows: "No. 5", but "He said no. Then"."""
_ORDINAL_LEADS = frozenset("der das den dem des im zum zur vom beim ins bis seit jeder jeden jedem ihr ihrem".split())
"""German words before an ordinal number: "im 19. Jahrhundert", "bis zum 31. März"."""
_CAPITAL_MONTHS = re.compile(
    r"(?:Januar|Jänner|Februar|Feber|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember)\b"
    r"|(?:Jan|Jän|Feb|Mrz|Apr|Jun|Jul|Aug|Sept?|Okt|Nov|Dez)\."
)
"""Months as German writes them; where a language has them in lower case, a full stop before one ends no sentence."""
_FULL_STOPS = "。！？।॥۔؟។"
"""Marks that end a sentence whatever follows: Chinese, Japanese, Hindi, Urdu, Arabic, Khmer."""
_END = re.compile(  # only from the beginning of a run of marks, and possessive: linear on "......"
    r"(?:(?<![.!?…])[.!?…]++[\"'”’»)\]*_`]*(?:\[\d{1,3}\])*(?=\s|$))"
    rf"|(?:[{_FULL_STOPS}]+[”’」』）]*)"
    r"|(?<=[\u0e00-\u0eff])[ \t]+(?=[\u0e00-\u0eff])",
)
_LONGEST_MARKUP = 4000
"""A longer line is prose: the patterns for markup look back and forth too often on hostile ones."""
_LONGEST_WORD = 64
_LEAST_UNMARKED = 130
"""Characters from which a blank ends a sentence of a script that marks no end: its blanks part clauses as well, and a
sentence of three or four clauses has so many. With 40, half of the quotes were clauses beside that of the answer."""
_SPACES = re.compile(r"\s*")
_FENCE = re.compile(r"\s{0,3}(```+|~~~+)")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s+(?P<body>.*?)\s*#*\s*$")
_UNDERLINE = re.compile(r"\s{0,3}(=+|-{2,})\s*$")
_RULE = re.compile(r"\s{0,3}([-*_]\s*){3,}$")
_TABLE_ROW = re.compile(r"\s*\|(?P<body>.*?)\|?\s*$")
_TABLE_RULE = re.compile(r"\s*\|?[\s:|-]*-[\s:|-]*\|?\s*$")
_NOTE = re.compile(r"\s{0,3}\[\^[^\]\s]+\]:\s+(?P<body>\S.*)$")
_ITEM = re.compile(r"\s*(?:[-*+•‣◦]|\d{1,3}[.)])\s+(?:\[[ xX]\]\s+)?(?P<body>\S.*)$")
_QUOTE = re.compile(r"\s{0,3}(?:>\s?)+(?P<body>.*)$")
_INDENTED = re.compile(r"(?: {4}|\t)\s*(?P<body>\S.*)$")
_FIGURE = re.compile(
    r"\s*(?:(?:\[?!\[[^\]]*\]\([^)]*\)(?:\]\([^)]*\))?\s*)+|<[^>]+>(?:\s*<[^>]+>)*|<!--.*|\[(?!\^)[^\]]+\]:\s*\S+.*)\s*$"
)


def split_sentences(text: str) -> list[Sentence]:
    """Sentences of ``text`` in order, not overlapping; what lies between them is blank or markup."""
    found: list[Sentence] = []
    for kind, start, end in _units(text):
        if kind in {"paragraph", "list", "quote"}:
            found += [Sentence(start=s, end=e, kind=kind) for s, e in _split_prose(text, start, end)]
        else:
            s, e = _trim(text, start, end)
            if s < e:
                found.append(Sentence(start=s, end=e, kind=kind))
    return found


def split_part(text: str, start: int, end: int) -> list[Sentence]:
    """Return the sentences of ``text[start:end]`` at their offsets in ``text``.

    >>> [sentence.start for sentence in split_part("# A\\n\\nOne. Two.", 5, 14)]
    [5, 10]
    """
    found = split_sentences(text[start:end])
    return [Sentence(start=each.start + start, end=each.end + start, kind=each.kind) for each in found]


def _lines(text: str) -> Iterator[Line]:
    start = 0
    while start <= len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield start, end
        start = end + 1


def _units(text: str) -> Iterator[tuple[BlockKind, int, int]]:
    """Runs of text that a sentence cannot leave: a paragraph's lines joined, every other line by itself."""
    open_start: int | None = None  # the paragraph, list item or quote that may go on in the next line
    open_end, open_kind, fence, blank_before = 0, "paragraph", "", True
    kind: BlockKind
    for start, end in _lines(text):
        line = text[start:end]
        opened = _FENCE.match(line)
        ends_fence = bool(fence and opened and opened[1].startswith(fence))
        underline = open_start is not None and open_kind == "paragraph" and not fence and _UNDERLINE.match(line)
        single = None if fence or underline else _line_unit(line, blank_before and open_start is None)
        goes_on = not fence and not opened and not underline and single is None and bool(line.strip())
        if open_start is not None and not goes_on:
            yield ("heading" if underline else _block_kind(open_kind)), open_start, open_end
            open_start = None
        if fence:
            if not ends_fence and line.strip():
                yield "code", start, end
            fence = "" if ends_fence else fence
        elif opened:
            fence = opened[1]
        elif single is not None:
            kind, offset, length = single
            if kind in {"list", "quote"}:
                open_start, open_end, open_kind = start + offset, end, kind
            elif length:
                yield kind, start + offset, start + offset + length
        elif goes_on:
            if open_start is None:
                open_start, open_kind = start, "paragraph"
            open_end = end
        blank_before = not line.strip()
    if open_start is not None:
        yield _block_kind(open_kind), open_start, open_end


def _block_kind(name: str) -> BlockKind:
    return "list" if name == "list" else "quote" if name == "quote" else "paragraph"


def _line_unit(line: str, at_block_start: bool) -> tuple[BlockKind, int, int] | None:
    """Kind, offset and length of a line that stands for itself; None when it is prose (or blank).

    A rule between table rows and a horizontal rule have length 0: they end what is open and are no text.
    """
    if not line.strip() or len(line) > _LONGEST_MARKUP:
        return None
    if heading := _HEADING.match(line):
        return "heading", heading.start("body"), len(heading["body"])
    if "|" in line and _TABLE_RULE.match(line):
        return "table", 0, 0
    if _RULE.match(line):
        return "figure", 0, 0
    if line.lstrip().startswith("|") and (row := _TABLE_ROW.match(line)):
        return "table", row.start("body"), len(row["body"])
    if _FIGURE.match(line):
        return "figure", 0, len(line)
    if item := _NOTE.match(line) or _ITEM.match(line):  # a footnote is words to quote, without its mark
        return "list", item.start("body"), len(item["body"])
    if quote := _QUOTE.match(line):
        return "quote", quote.start("body"), len(quote["body"])
    if at_block_start and (code := _INDENTED.match(line)):
        return "code", code.start("body"), len(code["body"])
    return None


def _split_prose(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    begin = start
    for match in _END.finditer(text, start, end):
        if match.end() < end and not _is_boundary(text, begin, match):
            continue
        s, e = _trim(text, begin, match.end())
        if s < e:
            yield s, e
        begin = match.end()
    s, e = _trim(text, begin, end)
    if s < e:
        yield s, e


def _is_boundary(text: str, begin: int, match: re.Match[str]) -> bool:
    """A full stop ends a sentence unless it ends an abbreviation, an initial or a number in a list."""
    mark = match[0]
    if mark.isspace():  # Thai and Lao part sentences by blanks, and clauses as well
        return match.start() - begin >= _LEAST_UNMARKED
    if mark[0] in "。！？।॥۔؟။។":
        return True
    after = _SPACES.match(text, match.end())
    following = text[after.end() : after.end() + 1] if after else ""
    if following.islower():
        return False
    if mark[0] != "." or mark.startswith("..") or mark.startswith(".["):
        return True
    word = text[max(begin, match.start() - _LONGEST_WORD) : match.start()].rsplit(None, 1)[-1:] or [""]
    bare = word[0].lstrip("(\"'“‘[*_").casefold()
    is_initial = len(bare) == 1 and bare.isalpha() and word[0][-1:].isupper()
    is_counter = bare.isdigit() and not text[begin : match.start() - len(word[0])].strip()
    if bare in _BEFORE_NUMBER and following.isdigit():
        return False
    if bare.isdigit() and len(bare) <= 2 and _is_ordinal(text, begin, match.start() - len(word[0]), match.end()):
        return False
    return not (bare in _ABBREVIATIONS or is_initial or is_counter)


def _is_ordinal(text: str, begin: int, number_start: int, stop_end: int) -> bool:
    """Return whether a number and its full stop are an ordinal: before a month, or behind an article of German."""
    after = _SPACES.match(text, stop_end)
    if after is not None and _CAPITAL_MONTHS.match(text, after.end()):
        return True
    before = text[max(begin, number_start - _LONGEST_WORD) : number_start].rsplit(None, 1)[-1:]
    return bool(before) and before[0].casefold() in _ORDINAL_LEADS


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
