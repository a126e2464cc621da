"""RTF (Rich Text Format 1.9): text with headings, lists, tables, links, notes, comments, text boxes and raised numbers.

Read by its own tokens: code pages of fonts and of the Macintosh, hidden and deleted text, nested tables and text boxes
decide what a reader sees, and no kept library tells them apart.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field, replace

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers import revisions
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder, ListItem, one_line, raise_digits
from roma_core.parsers.hyperlinks import link_text
from roma_core.types import Document, RawDocument

_TOKEN = re.compile(
    r"\\(?P<word>[a-zA-Z]{1,32})(?P<number>-?\d{1,10})? ?|\\'(?P<byte>[0-9a-fA-F]{2})|\\(?P<sign>[^a-zA-Z])"
    r"|(?P<brace>[{}])|[\r\n]+|(?P<text>[^\\{}\r\n]+)",
    re.DOTALL,
)
_CHARSETS = {
    77: "mac_roman",
    128: "cp932",
    129: "cp949",
    134: "gbk",
    136: "big5",
    161: "cp1253",
    162: "cp1254",
    163: "cp1258",
    177: "cp1255",
    178: "cp1256",
    186: "cp1257",
    204: "cp1251",
    222: "cp874",
    238: "cp1250",
}
"""Codecs by the ``fcharset`` of a font; others have the code page of the document."""
_PAGES = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850", "ansi": "cp1252"}
_CODE_PAGES = {10000: "mac_roman", 10006: "mac_greek", 10007: "mac_cyrillic", 10029: "mac_latin2", 65001: "utf-8"}
_SPECIAL = {
    "tab": " ",
    "line": "\n",
    "lbr": "\n",
    "emdash": "—",
    "endash": "–",
    "lquote": "‘",
    "rquote": "’",
    "ldblquote": "“",
    "rdblquote": "”",
    "bullet": "•",
    "emspace": " ",
    "enspace": " ",
    "qmspace": " ",
    "zwj": "\u200d",
    "zwnj": "\u200c",
    "ltrmark": "",
    "rtlmark": "",
}
_SIGNS = {"~": " ", "_": "\u2011", "\\": "\\", "{": "{", "}": "}", "\n": "\n\n", "\r": "\n\n", "\t": " "}
_PARAGRAPH_ENDS = frozenset({"par", "sect", "page", "column"})
_SILENT = frozenset(
    "colortbl listtable listoverridetable rsidtbl xmlnstbl themedata colorschememapping datastore latentstyles pict"
    " objdata nonshppict shprslt sp nonesttables bkmkstart bkmkend revtbl pgptbl userprops docvar atrfstart"
    " atrfend atnid atndate atnref atntime pn pnseclvl template filetbl listname listpicture background xe tc rxe do"
    " wgrffmtfilter generator mmathPr ftnsep ftnsepc aftnsep aftnsepc falt panose fname sv sn objclass objname"
    " datafield formfield ffdeftext ffname".split()
)
"""Destinations that hold no text of the document."""
_READ_STARRED = frozenset(
    "footnote annotation atnauthor fldinst shpinst nesttableprops ud dptxbxtext company ftnalt".split()
)
"""Destinations marked as optional (``\\*``) that are read all the same."""
_FURNITURE = frozenset("header headerl headerr headerf footer footerl footerr footerf".split())
_INFO = frozenset({"title", "author", "subject", "keywords"})
_HEADING = re.compile(r"(?:heading|titre|überschrift|kop|título|titolo)\s+([1-9])\b", re.IGNORECASE)
_BULLET = re.compile(r"^\s*(?:[•·◦▪\uf0b7-]|(\d{1,3}[.)]))\s+(?=\S)")
_LABEL = re.compile(r"(?:\d{1,4}|[a-zA-Z]|[ivxlcIVXLC]{1,7})(?:\.\d{1,4})*[.)]?")
_LINK = re.compile(r'HYPERLINK\s+(?:\\\w\s+)*"([^"]+)"', re.IGNORECASE)
MAX_NAME = 200
"""Characters of a style's name that are kept."""
MAX_GROUPS = 500
"""Groups in one another that are followed; an honest file has some twenty."""


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    """Raises ``MALFORMED`` and ``EMPTY``."""
    source = raw.data.lstrip(b"\xef\xbb\xbf \r\n\t").decode("latin-1")
    if not source.startswith("{\\rtf"):
        raise ParserError("The file is no RTF; save it again as RTF or DOCX.")
    builder = DocumentBuilder(raw, options, "rtf")
    reader = RtfReader(builder)
    reader.read(source)
    builder.title = builder.metadata.get("title")
    if builder.is_empty:
        raise ParserError("The file holds no text.", ErrorCode.PARSER_EMPTY)
    return builder.build()


@dataclass(frozen=True)
class _State:
    """Properties that a group inherits: destination, encoding, and properties of characters and paragraphs."""

    destination: str = "body"
    codec: str = "cp1252"
    fallback: int = 1
    """Characters after ``\\u`` that stand for it in older readers."""
    is_hidden: bool = False
    change: revisions.Change | None = None
    is_raised: bool = False
    is_in_table: bool = False
    is_symbol: bool = False
    level: int = 0
    """Level of the heading that the paragraph is; 0 for none."""
    style: int = 0
    depth: int = 0
    """Level of the list that the paragraph is in, from 0."""


@dataclass
class _Flow:
    """Text that is being collected: the body, a note, a text box. ``cells`` are those of the open row."""

    parts: list[str] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)
    inner_cells: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    """Paragraphs of a note or a box."""
    label: str = ""

    def take(self) -> str:
        text = "".join(self.parts)
        self.parts.clear()
        return text


@dataclass
class _Group:
    state: _State
    flow: _Flow | None = None
    """The flow that the group opened and that ends with it."""
    field_start: int | None = None
    """Place in the flow where the shown text of a field begins."""


@dataclass
class RtfReader:
    """Reads the tokens of one file and writes what they show to ``builder``."""

    builder: DocumentBuilder
    _state: _State = field(default_factory=_State)
    _groups: list[_Group] = field(default_factory=list)
    _flows: list[_Flow] = field(default_factory=lambda: [_Flow()])
    _bytes: bytearray = field(default_factory=bytearray)
    _codec: str = "cp1252"
    _fonts: dict[int, tuple[str, bool]] = field(default_factory=dict)
    _font: int = 0
    _styles: dict[int, int] = field(default_factory=dict)
    _style: tuple[int, int, str] = (0, 0, "")
    _skip: int = 0
    _is_starred: bool = False
    _opened: bool = False
    """True when the token before opened a group: only then is a word a destination."""
    _instruction: str = ""
    _author: str = ""
    _notes: list[tuple[str, str, str]] = field(default_factory=list)
    """Label, author and text of notes (with a label) and comments (without one)."""
    _counts: dict[str, int] = field(default_factory=dict)
    _items: list[ListItem] = field(default_factory=list)

    def read(self, source: str) -> None:
        at = 0
        while (token := _TOKEN.match(source, at)) is not None:
            at = token.end()
            if token["word"] is None or token["word"] != "bin":
                self._read_token(token)
            else:
                at += max(0, int(token["number"] or 0))
        while self._groups:  # a file that was cut
            self._close_group()
        self._end_paragraph()
        self._flush_rows()
        self._flush_items()
        for label, author, text in self._notes:
            if label:
                self.builder.footnote(label, text)
            else:
                self.builder.comment(author or None, text)

    def _read_token(self, token: re.Match[str]) -> None:
        opened, self._opened = self._opened, False
        if token["brace"] == "{":
            self._open_group()
        elif token["brace"] == "}":
            self._close_group()
        elif token["byte"]:
            self._put_byte(int(token["byte"], 16))
        elif token["sign"]:
            if token["sign"] == "*":
                self._is_starred, self._opened = opened, opened
            elif token["sign"] in "\r\n":
                self._end_paragraph()
            else:
                self._put(_SIGNS.get(token["sign"], ""))
        elif token["word"]:
            self._read_word(token["word"], int(token["number"]) if token["number"] else None, opened)
        elif token["text"]:
            self._put_text(token["text"])

    # Groups

    def _open_group(self) -> None:
        self._flush_bytes()
        self._opened, self._is_starred, self._skip = True, False, 0
        self._groups.append(_Group(self._state))
        if len(self._groups) > MAX_GROUPS:
            raise ParserError("The RTF file nests more deeply than can be read; save it again as DOCX.")

    def _close_group(self) -> None:
        self._flush_bytes()
        self._skip = 0
        if not self._groups:
            return
        group = self._groups.pop()
        destination = self._state.destination
        if group.flow is not None and self._flows[-1] is group.flow:
            self._end_flow(destination)
        if destination == "stylesheet" and group.state.destination == "stylesheet":
            self._keep_style()
        self._state = group.state
        if group.field_start is not None:
            self._wrap_field(group.field_start)

    def _enter(self, destination: str) -> None:
        """Begin a destination in the group that was just opened."""
        self._state = replace(self._state, destination=destination)
        if destination in {"footnote", "annotation", "atnauthor", "info", "fldinst", "box", "label", "furniture"}:
            self._groups[-1].flow = flow = _Flow()
            self._flows.append(flow)
            self._state = replace(
                self._state, is_hidden=False, is_raised=False, change=None, is_in_table=False, level=0
            )

    def _end_flow(self, destination: str) -> None:
        flow = self._flows.pop()
        self._flush_rows(flow)
        text = "\n".join(filter(str.strip, [*flow.lines, flow.take()]))
        if destination == "footnote":
            self._notes.append((flow.label, "", text))
        elif destination == "annotation":
            self._notes.append(("", one_line(self._author), text))
            self._author = ""
        elif destination == "atnauthor":
            self._author = text
        elif destination == "fldinst":
            self._instruction = text
        elif destination == "label":
            self._flows[-1].label = one_line(text)
        elif destination == "furniture":
            self.builder.leave_out(text, "furniture", place="header or footer")
        elif destination == "info":
            name = flow.label
            self.builder.metadata.setdefault(name, one_line(text))
        elif destination == "box" and text.strip():
            self._flows[-1].lines.append(text)

    def _read_destination(self, word: str) -> bool:
        """Begin the destination that ``word`` names, if it is one; False for a word of another kind."""
        is_starred, self._is_starred = self._is_starred, False
        if word in {"footnote", "annotation", "atnauthor", "fldinst"}:
            self._enter(word)
            if word == "footnote":
                self._mark_note("footnote")
        elif word in {"fonttbl", "stylesheet"}:
            self._state = replace(self._state, destination=word)
        elif word in _INFO and self._state.destination == "info table":
            self._enter("info")
            self._flows[-1].label = word
        elif word == "info":
            self._state = replace(self._state, destination="info table")
        elif word in {"pntext", "listtext"}:
            self._enter("label")
        elif word in {"shptxt", "dptxbxtext"}:
            self._enter("box")
        elif word in _FURNITURE:
            self._enter("furniture")
        elif word == "field":
            self._groups[-1].field_start = len(self._flows[-1].parts)
        elif word in _SILENT or (is_starred and word not in _READ_STARRED):
            self._state = replace(self._state, destination="silent")
        elif word == "upr":  # the same twice: for readers without Unicode, and in \ud
            self._state = replace(self._state, destination="upr")
        elif word == "ud":
            around = self._groups[-2].state.destination if len(self._groups) > 1 else "body"
            self._state = replace(self._state, destination=around)
        else:
            return word in _READ_STARRED
        return True

    def _mark_note(self, kind: str) -> None:
        """Put the mark of the note that begins into the text around it."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        label = str(self._counts[kind]) if kind == "footnote" else f"e{self._counts[kind]}"
        self._flows[-1].label = label
        self._flows[-2].parts.append(f"[^{label}]")

    def _wrap_field(self, start: int) -> None:
        address = _LINK.search(self._instruction)
        self._instruction = ""
        parts = self._flows[-1].parts
        if address and len(parts) > start:
            parts[start:] = [link_text("".join(parts[start:]), address[1])]

    # Words

    def _read_word(self, word: str, number: int | None, opened: bool) -> None:
        if word not in {"u", "uc"}:
            self._flush_bytes()
        if opened and self._read_destination(word):
            return
        if self._skip and word != "u":
            self._skip -= 1
            return
        if word == "u" and number is not None:
            self._flush_bytes()
            self._put(chr(number & 0xFFFF), is_fallback_next=True)
        elif word in _SPECIAL:
            self._put(_SPECIAL[word])
        elif word in _PARAGRAPH_ENDS:
            self._end_paragraph()
        elif word in {"cell", "nestcell"}:
            self._end_cell(is_inner=word == "nestcell")
        elif word in {"row", "nestrow"}:
            self._end_row(is_inner=word == "nestrow")
        elif word == "ftnalt" and self._state.destination == "footnote":
            self._make_endnote()
        else:
            self._set_property(word, number)

    def _make_endnote(self) -> None:
        parts = self._flows[-2].parts
        if parts and parts[-1] == f"[^{self._flows[-1].label}]":
            parts.pop()
            self._counts["footnote"] -= 1
            self._mark_note("endnote")

    def _set_property(self, word: str, number: int | None) -> None:
        is_on = number != 0
        value = number or 0
        change: revisions.Change = "deleted" if word == "deleted" else "inserted"
        match word:
            case "v":
                self._state = replace(self._state, is_hidden=is_on)
            case "deleted" | "revised":
                self._state = replace(self._state, change=change if is_on else None)
            case "super" | "up" | "nosupersub" | "sub" | "dn":
                self._state = replace(self._state, is_raised=word in {"super", "up"} and is_on)
            case "plain":
                self._state = replace(self._state, is_hidden=False, change=None, is_raised=False, codec=self._codec)
            case "pard":
                self._state = replace(self._state, is_in_table=False, level=0, style=0, depth=0)
            case "intbl":
                self._state = replace(self._state, is_in_table=True)
            case "ilvl":
                self._state = replace(self._state, depth=max(0, min(value, 8)))
            case "outlinelevel":
                self._set_level(value + 1 if 0 <= value <= 8 else 0)
            case "s":
                self._choose_style(value)
            case _:
                self._set_encoding(word, number)

    def _set_encoding(self, word: str, number: int | None) -> None:
        if word in _PAGES:
            self._codec = _PAGES[word]
            self._state = replace(self._state, codec=self._codec)
        elif number is None:
            return
        elif word == "ansicpg":
            self._codec = find_code_page(number) or self._codec
            self._state = replace(self._state, codec=self._codec)
        elif word in {"f", "deff"}:
            self._choose_font(number)
        elif word in {"fcharset", "cpg"} and self._state.destination == "fonttbl":
            self._set_charset(word, number)
        elif word == "uc":
            self._state = replace(self._state, fallback=max(0, min(number, 16)))

    def _choose_style(self, number: int) -> None:
        self._state = replace(self._state, style=number, level=self._styles.get(number, 0))
        if self._state.destination == "stylesheet":
            self._style = (number, 0, "")

    def _set_level(self, level: int) -> None:
        self._state = replace(self._state, level=level)
        if self._state.destination == "stylesheet":
            self._style = (self._style[0], level, self._style[2])

    def _choose_font(self, number: int) -> None:
        self._font = number
        if self._state.destination != "fonttbl":
            codec, is_symbol = self._fonts.get(number, (self._codec, False))
            self._state = replace(self._state, codec=codec, is_symbol=is_symbol)

    def _set_charset(self, word: str, number: int) -> None:
        codec = _CHARSETS.get(number) if word == "fcharset" else find_code_page(number)
        self._fonts[self._font] = (codec or self._codec, word == "fcharset" and number == 2)

    def _keep_style(self) -> None:
        number, level, name = self._style
        named = _HEADING.search(name)
        level = level or (int(named[1]) if named else 0)
        if level:
            self._styles[number] = level
        self._style = (0, 0, "")

    # Text

    def _put_byte(self, value: int) -> None:
        if self._skip:
            self._skip -= 1
        else:
            self._bytes.append(value)

    def _put_text(self, text: str) -> None:
        if self._skip:
            dropped = min(self._skip, len(text))
            self._skip -= dropped
            text = text[dropped:]
        if self._bytes or not text.isascii():
            self._bytes += text.encode("latin-1", "replace")
        else:
            self._put(text)

    def _flush_bytes(self) -> None:
        if self._bytes:
            data, self._bytes = bytes(self._bytes), bytearray()
            self._write(decode_symbols(data) if self._state.is_symbol else data.decode(self._state.codec, "replace"))

    def _put(self, text: str, *, is_fallback_next: bool = False) -> None:
        self._flush_bytes()
        if self._skip and not is_fallback_next:
            self._skip -= 1
            return
        self._skip = self._state.fallback if is_fallback_next else 0
        self._write(text)

    def _write(self, text: str) -> None:
        state = self._state
        if state.destination == "stylesheet":
            self._style = (*self._style[:2], (self._style[2] + text)[:MAX_NAME])
        if state.destination in {"silent", "fonttbl", "stylesheet", "info table", "upr"}:
            return
        if state.is_hidden:
            self.builder.leave_out(text, "hidden", place="hidden text")
            return
        text = raise_digits(text) if state.is_raised else text
        if state.change is not None:
            text = revisions.write_change(self.builder, state.change, text)
        self._flows[-1].parts.append(text)

    # Paragraphs and tables

    def _end_paragraph(self) -> None:
        self._flush_bytes()
        self._skip = 0
        if self._state.destination in {"silent", "fonttbl", "stylesheet", "info table", "upr"}:
            return
        flow, state = self._flows[-1], self._state
        if state.is_in_table:
            flow.parts.append("\n")
            return
        text, label, flow.label = join_surrogates(flow.take()).strip(), flow.label, ""
        self._flush_rows(flow)
        if len(self._flows) > 1:
            flow.lines.append(f"{label} {text}".strip())
            return
        self._write_paragraph(text, label, state)
        boxes, flow.lines = flow.lines, []
        if boxes:
            self._flush_items()
        for box in boxes:
            self.builder.paragraph(box)

    def _write_paragraph(self, text: str, label: str, state: _State) -> None:
        typed = _BULLET.match(text)
        if text and state.level:
            self._flush_items()
            self.builder.heading(f"{label.rstrip('.')} {text}" if _LABEL.fullmatch(label) else text, state.level)
        elif text and label:
            self._items.append(ListItem(text, state.depth, label if _LABEL.fullmatch(label) else "-"))
        elif typed:
            self._items.append(ListItem(text[typed.end() :], 0, typed[1] or "-"))
        elif text:
            self._flush_items()
            self.builder.paragraph(text)

    def _flush_items(self) -> None:
        if self._items:
            self.builder.list(self._items)
            self._items = []

    def _end_cell(self, *, is_inner: bool) -> None:
        flow = self._flows[-1]
        text = join_surrogates(flow.take())
        if is_inner:
            flow.inner_cells.append(one_line(text))
            return
        label, flow.label = flow.label, ""
        flow.cells.append(f"{label} {text.strip()}".strip())

    def _end_row(self, *, is_inner: bool) -> None:
        flow = self._flows[-1]
        if is_inner:
            flow.parts.append(" | ".join(flow.inner_cells) + "\n")
            flow.inner_cells = []
        elif flow.cells:
            flow.rows.append(flow.cells)
            flow.cells = []

    def _flush_rows(self, flow: _Flow | None = None) -> None:
        flow = flow or self._flows[-1]
        rows = [*flow.rows, flow.cells] if flow.cells else flow.rows
        flow.rows, flow.cells = [], []
        if not rows:
            return
        if flow is self._flows[0]:
            self._flush_items()
            self.builder.table(rows)
        else:
            flow.lines += [" | ".join(row) for row in rows]


def join_surrogates(text: str) -> str:
    """Return text in which pairs of surrogates are the one character that they stand for."""
    if not re.search("[\ud800-\udfff]", text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def decode_symbols(data: bytes) -> str:
    """Return bytes of a symbol font: a dot is a bullet, others are what they are in the font."""
    return "".join("•" if byte == 0xB7 else chr(byte) for byte in data)


def find_code_page(number: int) -> str | None:
    """Return the codec of a Windows or Macintosh code page; None for one that Python does not know.

    >>> find_code_page(1251)
    'cp1251'
    """
    try:
        return codecs.lookup(_CODE_PAGES.get(number, f"cp{number}")).name
    except LookupError:
        return None
