"""The Markdown of an answer as blocks of styled runs, which every format of an export is written from. Pure.

Images become their words and raw HTML is text, so nothing that a model or a document wrote loads or runs in a reader's
program. Controls of direction are shown, and characters that no format can hold are replaced.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal
from urllib.parse import urlsplit

from markdown_it.token import Token

from roma_core.markup import markdown
from roma_core.transcripts.transcript import CLOSE, OPEN, Sign

BlockKind = Literal["heading", "paragraph", "item", "code", "table", "rule"]
Alignment = Literal["left", "center", "right"]
MOST_DEPTH: Final = 6
"""Lists and quotations deeper than this are indented no further."""
LINK_SCHEMES: Final = frozenset({"http", "https", "mailto"})
_SIGN: Final = re.compile(f"{OPEN}(\\d+){CLOSE}")
_SHOWN: Final = {code: f"[U+{code:04X}]" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class StyledRun:
    """Text of one style. ``sign`` is a footnote or a gap, and then there is no text."""

    text: str = ""
    is_bold: bool = False
    is_italic: bool = False
    is_code: bool = False
    is_struck: bool = False
    address: str = ""
    sign: Sign | None = None


Cell = tuple[StyledRun, ...]


@dataclass(frozen=True)
class TextBlock:
    """A block. ``level`` is that of a heading, ``depth`` counts lists and quotations around it."""

    kind: BlockKind
    runs: Cell = ()
    level: int = 0
    depth: int = 0
    label: str = ""
    """Of an item: its number with a full stop, or a bullet; empty for its further paragraphs."""
    is_quoted: bool = False
    rows: tuple[tuple[Cell, ...], ...] = ()
    """Of a table: the first row is its head."""
    alignments: tuple[Alignment, ...] = ()


def clean_text(text: str) -> str:
    """Return text that every format can hold, with controls of direction shown.

    >>> clean_text("invoice\\u202efdp.exe")
    'invoice[U+202E]fdp.exe'
    """
    return _UNWRITABLE.sub("\ufffd", text.translate(_SHOWN))


def is_rtl(text: str) -> bool:
    """Return whether a text begins from the right: by its first letter that has a direction.

    >>> is_rtl("1. الجسر"), is_rtl("bridge الجسر")
    (True, False)
    """
    import unicodedata

    for sign in text:
        direction = unicodedata.bidirectional(sign)
        if direction == "L":
            return False
        if direction in {"R", "AL"}:
            return True
    return False


@dataclass
class _Lists:
    """The lists and quotations that are open while tokens are read."""

    numbers: list[int | None] = field(default_factory=list)
    """The next number of each open list; None for bullets."""
    quotes: int = 0
    label: str = ""
    """Label that the next block of the item gets."""

    @property
    def depth(self) -> int:
        return min(len(self.numbers) + self.quotes, MOST_DEPTH)

    def begin_item(self) -> None:
        number = self.numbers[-1]
        self.label = "•" if number is None else f"{number}."
        if number is not None:
            self.numbers[-1] = number + 1

    def take_label(self) -> str:
        label, self.label = self.label, ""
        return label


def read_blocks(text: str, signs: Sequence[Sign] = ()) -> list[TextBlock]:
    """Return the blocks of Markdown, with ``signs`` in the places of their numbers.

    >>> [(block.kind, block.runs[0].text) for block in read_blocks("# Rope\\n\\n- bridge")]
    [('heading', 'Rope'), ('item', 'bridge')]
    """
    tokens = markdown().parse(text)
    blocks: list[TextBlock] = []
    lists = _Lists()
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.type == "table_open":
            end = next(i for i in range(at, len(tokens)) if tokens[i].type == "table_close")
            blocks.append(_read_table(tokens[at:end], signs, lists))
            at = end
        else:
            _read_token(token, tokens[at - 1] if at else token, signs, lists, blocks)
        at += 1
    return blocks


def _read_token(token: Token, before: Token, signs: Sequence[Sign], lists: _Lists, blocks: list[TextBlock]) -> None:
    kind = token.type
    if kind in {"bullet_list_open", "ordered_list_open"}:
        start = int(token.attrs.get("start", 1)) if kind == "ordered_list_open" else None
        lists.numbers.append(start)
    elif kind in {"bullet_list_close", "ordered_list_close"}:
        lists.numbers.pop()
    elif kind == "list_item_open":
        lists.begin_item()
    elif kind == "blockquote_open":
        lists.quotes += 1
    elif kind == "blockquote_close":
        lists.quotes -= 1
    elif kind == "hr":
        blocks.append(TextBlock("rule", depth=lists.depth))
    elif kind in {"fence", "code_block"}:
        code = StyledRun(clean_text(token.content.rstrip("\n")), is_code=True)
        blocks.append(_make_block("code", (code,), lists))
    elif kind == "inline":
        runs = read_runs(token, signs)
        if before.type == "heading_open":
            blocks.append(_make_block("heading", runs, lists, level=int(before.tag[1])))
        else:
            blocks.append(_make_block("item" if lists.label else "paragraph", runs, lists))


def _make_block(kind: BlockKind, runs: Cell, lists: _Lists, level: int = 0) -> TextBlock:
    return TextBlock(kind, runs, level=level, depth=lists.depth, label=lists.take_label(), is_quoted=lists.quotes > 0)


def _read_table(tokens: Sequence[Token], signs: Sequence[Sign], lists: _Lists) -> TextBlock:
    rows: list[list[Cell]] = []
    alignments: list[Alignment] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "th_open":
            alignments.append(_read_alignment(str(token.attrs.get("style", ""))))
        elif token.type == "inline":
            rows[-1].append(read_runs(token, signs))
    block = _make_block("table", (), lists)
    return replace(block, rows=tuple(tuple(row) for row in rows), alignments=tuple(alignments))


def _read_alignment(style: str) -> Alignment:
    if style.endswith("right"):
        return "right"
    return "center" if style.endswith("center") else "left"


def read_runs(token: Token, signs: Sequence[Sign]) -> Cell:
    """Return the runs of an inline token."""
    runs: list[StyledRun] = []
    style = StyledRun()
    for child in token.children or ():
        kind = child.type
        if kind in {"strong_open", "strong_close"}:
            style = replace(style, is_bold=kind == "strong_open")
        elif kind in {"em_open", "em_close"}:
            style = replace(style, is_italic=kind == "em_open")
        elif kind in {"s_open", "s_close"}:
            style = replace(style, is_struck=kind == "s_open")
        elif kind == "link_open":
            style = replace(style, address=_keep_address(str(child.attrs.get("href", ""))))
        elif kind == "link_close":
            style = replace(style, address="")
        elif kind in {"softbreak", "hardbreak"}:
            runs.append(replace(style, text="\n" if kind == "hardbreak" else " "))
        else:
            is_code = kind == "code_inline"
            runs += _split_signs(child.content or "", replace(style, is_code=is_code), signs)
    return tuple(runs)


def _keep_address(address: str) -> str:
    """Return an address that a program may open; empty for others, whose words stay as text."""
    try:
        scheme = urlsplit(address).scheme.lower()
    except ValueError:
        return ""
    return address if scheme in LINK_SCHEMES else ""


def _split_signs(text: str, style: StyledRun, signs: Sequence[Sign]) -> list[StyledRun]:
    runs: list[StyledRun] = []
    last = 0
    for found in _SIGN.finditer(text):
        runs += _text_runs(text[last : found.start()], style)
        index = int(found[1])
        if index < len(signs):
            runs.append(StyledRun(sign=signs[index]))
        last = found.end()
    return runs + _text_runs(text[last:], style)


def _text_runs(text: str, style: StyledRun) -> list[StyledRun]:
    return [replace(style, text=clean_text(text))] if text else []
