"""How much of a document a parser kept: the measures that every parser bench shares. Pure functions over Markdown."""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from roma_core.parsers import tables

_NOT_TEXT = re.compile(r"<!--.*?-->|!\[([^\]]*)\]\([^)]*\)|<br\s*/?>", re.DOTALL)
_LINK = re.compile(r"\[([^\]\n]*)\]\([^)\s]*\)")
_ESCAPED = re.compile(r"\\([\\`*_\[\]()#+.!|<>~-])")
_TOKEN = re.compile(r"\w+")
_RULE = re.compile(r"^\s*\|?[\s:|-]+\|?\s*$")
_LEADER = re.compile(r"(?:\.\s?){4,}|…{2,}")
"""Dots that lead the eye from an entry to its value."""
_HEADING = re.compile(r"^#{1,6}\s+(.+)$", re.MULTILINE)


def plain(text: str) -> str:
    """Text without images, comments, addresses of links and Markdown's own marks, in one case and one form (NFKC)."""
    text = _LINK.sub(r"\1", _NOT_TEXT.sub(lambda m: f" {m[1] or ''} ", text))
    text = html.unescape(_ESCAPED.sub(r"\1", text))
    text = "\n".join(line for line in text.split("\n") if not _RULE.match(line))
    return unicodedata.normalize("NFKC", text).casefold()


def tokens(text: str) -> Counter[str]:
    """Words and numbers with their counts."""
    return Counter(_TOKEN.findall(plain(text)))


def token_f1(got: str, wanted: str) -> float:
    """Harmonic mean of token precision and recall, as multisets (SQuAD's F1 over a whole document)."""
    one, two = tokens(got), tokens(wanted)
    total = sum(one.values()) + sum(two.values())
    return 2 * sum((one & two).values()) / total if total else 1.0


def token_recall(got: str, wanted: str) -> float:
    """Share of the wanted tokens that were kept."""
    two = tokens(wanted)
    return sum((tokens(got) & two).values()) / max(1, sum(two.values()))


def holds(text: str, needle: str) -> bool:
    """Whether ``needle`` stands in ``text``, whatever the white space, the case, the escapes and the dashes."""
    return _flat(needle) in _flat(text)


_QUOTES = str.maketrans("‘’“”", "''\"\"")


def _flat(text: str) -> str:
    text = plain(text).replace("\\", "").translate(_QUOTES)
    return "".join("-" if unicodedata.category(c) == "Pd" else c for c in text if not c.isspace() and c not in "*_`#|~")


def pipe_tables(text: str) -> list[tables.Grid]:
    """Every pipe table of a Markdown text."""
    found: list[tables.Grid] = []
    run: list[str] = []
    for line in [*text.split("\n"), ""]:
        if line.lstrip().startswith("|"):
            run.append(line)
        elif run:
            if len(run) > 1 and tables.is_rule(run[1]):
                found.append(tables.from_markdown("\n".join(run)))
            run = []
    return found


def cells(text: str) -> Counter[str]:
    """Texts of all table cells that are not blank; a merged cell that is repeated in its row counts once."""
    found: Counter[str] = Counter()
    for grid in pipe_tables(text):
        for row in grid:
            found.update(set(_keys(row)) if len(set(row)) < len(row) else _keys(row))
    return found


def _keys(row: Sequence[str]) -> list[str]:
    """What the cells say; the dots of a leader, also those that spill into the next cell, say nothing."""
    if any(map(_LEADER.search, row)):
        row = [_LEADER.sub(" ", cell).strip(" .…") for cell in row]
    return [key for cell in row if (key := _flat(cell))]


def cell_recall(got: str, wanted: str) -> float | None:
    """Share of the wanted table cells that are a table cell in ``got``; None when no table is wanted."""
    two = cells(wanted)
    return sum((cells(got) & two).values()) / sum(two.values()) if two else None


def heading_recall(got: str, wanted: str) -> float | None:
    """Share of the wanted headings that are headings in ``got`` (any level); None when none is wanted."""
    have = {_flat(h) for h in _HEADING.findall(got)}
    want = [_flat(h) for h in _HEADING.findall(wanted)]
    return sum(h in have for h in want) / len(want) if want else None
