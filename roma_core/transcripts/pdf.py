"""Transcripts as PDF: text with embedded fonts, numbers that lead to the notes of their answer, and back.

Lines are broken here, in the order of reading, because a line that runs from the right is turned only when it is whole.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from roma_core import theme
from roma_core.scratch import ScratchFolder
from roma_core.transcripts.blocks import Alignment, Cell, StyledRun, TextBlock, clean_text, is_rtl, read_blocks
from roma_core.transcripts.fonts import ITALIC, cut_font, find_base, find_fallbacks, read_characters, require_letters
from roma_core.transcripts.transcript import (
    STATE_WORDS,
    Footnote,
    SignedAnswer,
    Transcript,
    TranscriptTurn,
    sign_answers,
)

if TYPE_CHECKING:
    from fpdf import FPDF

TEXT: Final = "text"
"""Family of the base font; those for other scripts are ``other0`` and so on."""
MARGIN_PT: Final = 56.0
TEXT_PT: Final = 10.5
SMALL_PT: Final = 8.5
LEADING: Final = 1.45
INDENT_PT: Final = 16.0
HEADING_PT: Final = (16.0, 14.0, 12.5, 11.5, 11.0, 10.5)
RAISED: Final = 0.68
"""Size of a number of a note, as a share of its text."""
_WIDE: Final = "\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
_WORD: Final = re.compile(rf"\n|[^\S\n]+|[{_WIDE}]|[^\s{_WIDE}]+")
_ALWAYS: Final = "\u00a00123456789 …“”·•()[]U+ABCDEF-/,.:✗?~⁂"
_LABELS: Final = "Sources Exported by ROMA Taken out, because no source proves it: no source SHA-256 characters page"


@dataclass(frozen=True)
class TextLook:
    """Look of a piece of text."""

    size_pt: float = TEXT_PT
    emphasis: str = ""
    """``B`` and ``I`` in this order, as fpdf wants them."""
    colour: str = "text"
    is_raised: bool = False
    is_struck: bool = False
    link: str | int = ""
    family: str = TEXT

    @property
    def drawn_pt(self) -> float:
        """Size of the letters."""
        return self.size_pt * (RAISED if self.is_raised else 1)


@dataclass(frozen=True)
class LinePart:
    """Text of one style in a line."""

    text: str
    style: TextLook
    width_pt: float


Line = list[LinePart]


def write_pdf(transcript: Transcript) -> bytes:
    """Return a transcript as the bytes of a PDF file.

    Raises ``InputError`` when no font has letters of it.
    """
    answers = sign_answers(transcript)
    text = _collect_text(transcript, answers)
    fallbacks, missing = find_fallbacks(text)
    require_letters(missing)
    numbers = {ord(sign): f"[U+{ord(sign):04X}]" for sign in missing}
    with ScratchFolder("pdf") as scratch:
        pdf = _new_pdf(transcript)
        base = find_base()
        _add_font(pdf, scratch.path, TEXT, "", cut_font(base, text, is_plain=True))
        _add_font(pdf, scratch.path, TEXT, "B", cut_font(base, text, "bold", is_plain=True))
        _add_font(pdf, scratch.path, TEXT, "I", cut_font(find_base(ITALIC), text, "italic", is_plain=True))
        families = {TEXT: read_characters(base)}
        for number, font in enumerate(fallbacks):
            family = f"other{number}"
            _add_font(pdf, scratch.path, family, "", cut_font(font, text))
            families[family] = read_characters(font)
        sheet = _PdfWriter(pdf, numbers, families)
        sheet.write_transcript(transcript, answers)
        return bytes(pdf.output())


def _collect_text(transcript: Transcript, answers: Sequence[SignedAnswer]) -> str:
    """Return every character that is written, each once."""
    texts = [_ALWAYS, _LABELS, transcript.title, *STATE_WORDS.values()]
    for turn, answer in zip(transcript.turns, answers, strict=True):
        texts += [turn.question, answer.markdown]
        texts += [words for note in answer.footnotes for words in (note.quote, note.origin, note.link, *note.details)]
        if turn.output is not None:
            texts += [turn.output.proof, *(statement.text for statement in turn.output.removed)]
    return "".join(sorted(set(clean_text("".join(texts)))))


def _new_pdf(transcript: Transcript) -> FPDF:
    from fpdf import FPDF

    class Paper(FPDF):  # type: ignore[misc]
        """A4 with the number of the page at the foot."""

        def footer(self) -> None:
            self.set_y(-36)
            self.set_font(TEXT, "", SMALL_PT)
            self.set_text_color(theme.colour("muted"))
            self.cell(0, 12, str(self.page_no()), align="C")

    pdf = Paper(unit="pt", format="A4")
    pdf.set_margins(MARGIN_PT, MARGIN_PT, MARGIN_PT)
    pdf.set_auto_page_break(False)
    pdf.c_margin = 0
    pdf.set_title(clean_text(transcript.title))
    pdf.set_creator("ROMA")
    pdf.set_creation_date(transcript.exported_at)
    return pdf


def _add_font(pdf: FPDF, folder: Path, family: str, emphasis: str, data: bytes) -> None:
    path = folder / f"{family}-{emphasis or 'R'}.ttf"
    path.write_bytes(data)
    pdf.add_font(family, emphasis, path)


class _PdfWriter:
    """Writes blocks down the pages."""

    def __init__(self, pdf: FPDF, numbers: dict[int, str], families: Mapping[str, frozenset[str]]) -> None:
        self.pdf = pdf
        self.families = families
        self.numbers = numbers
        """Signs that no font has, and what is written for them."""
        self.widths: dict[tuple[str, float, str, str], float] = {}
        self.notes: dict[int, int] = {}
        """Link of each note by its number."""
        pdf.add_page()
        self.left = MARGIN_PT
        self.right = pdf.w - MARGIN_PT
        self.bottom = pdf.h - MARGIN_PT

    # --- the whole ---

    def write_transcript(self, transcript: Transcript, answers: Sequence[SignedAnswer]) -> None:
        self.write_text(transcript.title, TextLook(20, "B"))
        day = transcript.exported_at.date().isoformat()
        self.write_text(f"Exported by ROMA · {day}", TextLook(SMALL_PT, colour="muted"))
        for turn, answer in zip(transcript.turns, answers, strict=True):
            self.write_turn(turn, answer)

    def write_turn(self, turn: TranscriptTurn, answer: SignedAnswer) -> None:
        self.add_space(14)
        self.write_text(" ".join(turn.question.split()), TextLook(13, "B", "accent"))
        remark = STATE_WORDS.get(turn.state, "") if turn.output is None else turn.output.proof
        if remark:
            self.write_text(remark, TextLook(SMALL_PT, "I", "muted"))
        self.notes.update({note.number: self.pdf.add_link() for note in answer.footnotes})
        for block in read_blocks(answer.markdown, answer.signs):
            self.write_block(block)
        if turn.output is not None and turn.output.removed:
            self.add_space(4)
            self.write_text("Taken out, because no source proves it:", TextLook(SMALL_PT, colour="muted"))
            for statement in turn.output.removed:
                words = " ".join(statement.text.split())
                self.write_text(words, TextLook(SMALL_PT, colour="muted", is_struck=True))
        if answer.footnotes:
            self.add_space(6)
            self.write_text("Sources", TextLook(SMALL_PT, "B", "muted"))
            for note in answer.footnotes:
                self.write_note(note)

    def write_note(self, note: Footnote) -> None:
        small = TextLook(SMALL_PT)
        facts = replace(small, colour="muted")
        runs = [(f"“{note.quote}” ", small), (f"{note.origin}. ", replace(small, emphasis="B"))]
        runs.append((" · ".join(detail for detail in note.details if detail), facts))
        if note.link:
            runs += [(" · ", facts), (note.link, replace(facts, colour="accent", link=note.link))]
        width, line_pt = self.right - self.left - INDENT_PT, SMALL_PT * LEADING
        turned = self.break_lines(runs[:1], width) if is_rtl(note.quote) else []
        lines = self.break_lines(runs[1:] if turned else runs, width)
        self.require_room(line_pt * min(2, len(turned) + len(lines)))
        self.pdf.set_link(self.notes[note.number], y=self.pdf.y, page=self.pdf.page)
        self.draw_label(str(note.number), self.left, replace(small, emphasis="B", colour=_colour_of(note)))
        self.draw_lines(turned, self.left + INDENT_PT, rtl=True, line_pt=line_pt)
        self.draw_lines(lines, self.left + INDENT_PT, rtl=False, line_pt=line_pt)
        self.add_space(2)

    # --- blocks ---

    def write_block(self, block: TextBlock) -> None:
        indent = INDENT_PT * block.depth
        if block.kind == "table":
            self.write_table(block)
        elif block.kind == "code":
            self.write_code(block, indent)
        elif block.kind == "rule":
            self.write_text("⁂", TextLook(colour="muted"))
        elif block.kind == "heading":
            self.add_space(6)
            size = HEADING_PT[min(block.level, len(HEADING_PT)) - 1]
            self.write_runs(block, indent, TextLook(size, "B"))
        else:
            self.write_runs(block, indent, TextLook(colour="muted" if block.is_quoted else "text"))
        self.add_space(4)

    def write_runs(self, block: TextBlock, indent: float, style: TextLook) -> None:
        styled = self.style_runs(block.runs, style)
        lines = self.break_lines(styled, self.right - self.left - indent)
        line_pt = style.size_pt * LEADING
        self.require_room(line_pt * min(2, len(lines)))
        rtl = is_rtl("".join(run.text for run in block.runs))
        if block.label:
            at = self.right - indent + 4 if rtl else self.left + indent - INDENT_PT + 2
            self.draw_label(block.label, at, style)
        self.draw_lines(lines, self.left if rtl else self.left + indent, rtl=rtl, line_pt=line_pt, indent_pt=indent)

    def write_text(self, text: str, style: TextLook) -> None:
        lines = self.break_lines([(text, style)], self.right - self.left)
        self.draw_lines(lines, self.left, rtl=is_rtl(text), line_pt=style.size_pt * LEADING)

    def write_code(self, block: TextBlock, indent: float) -> None:
        style = TextLook(SMALL_PT)
        line_pt = SMALL_PT * 1.35
        width = self.right - self.left - indent - 12
        for row in block.runs[0].text.expandtabs(4).split("\n"):
            for line in self.break_lines([(row.replace(" ", "\u00a0"), style)], width) or [[]]:
                self.require_room(line_pt)
                self.pdf.set_fill_color(theme.colour("raised"))
                self.pdf.rect(self.left + indent, self.pdf.y, width + 12, line_pt, style="F")
                self.draw_lines([line], self.left + indent + 6, rtl=False, line_pt=line_pt)

    def write_table(self, block: TextBlock) -> None:
        style = TextLook(SMALL_PT)
        columns = len(block.alignments)
        widths = self.choose_widths(block)
        line_pt, pad = SMALL_PT * 1.35, 3.0
        for number, row in enumerate(block.rows):
            look = replace(style, emphasis="B") if number == 0 else style
            cells = [
                self.break_lines(self.style_runs(cell, look), width - 2 * pad)
                for cell, width in zip(row[:columns], widths, strict=False)
            ]
            self.draw_row(cells, widths, block.alignments, line_pt, pad, is_head=number == 0)
        self.add_space(4)

    def choose_widths(self, block: TextBlock) -> list[float]:
        """Return the widths of columns: as wide as their words where they fit, else in that proportion."""
        style = TextLook(SMALL_PT, "B")
        wanted = [30.0] * len(block.alignments)
        for row in block.rows:
            for column, cell in enumerate(row[: len(wanted)]):
                words = sum(self.measure(run.text, style) for run in cell if run.text)
                wanted[column] = max(wanted[column], min(words + 14, 260.0))
        room = self.right - self.left
        share = min(1.0, room / sum(wanted))
        return [width * share for width in wanted]

    def draw_row(
        self,
        cells: list[list[Line]],
        widths: list[float],
        alignments: Sequence[Alignment],
        line_pt: float,
        pad: float,
        *,
        is_head: bool,
    ) -> None:
        """Draw a row; one that is longer than the page goes on on the next."""
        left_over = [list(lines) for lines in cells]
        while True:
            count = max((len(lines) for lines in left_over), default=0) or 1
            page_lines = int((self.bottom - MARGIN_PT - 2 * pad) / line_pt)
            if count <= page_lines:
                self.require_room(count * line_pt + 2 * pad)
            elif self.bottom - self.pdf.y < 4 * line_pt:
                self.pdf.add_page()
            taken = max(1, min(count, int((self.bottom - self.pdf.y - 2 * pad) / line_pt)))
            top, height = self.pdf.y, taken * line_pt + 2 * pad
            x = self.left
            self.pdf.set_draw_color(theme.colour("line"))
            self.pdf.set_fill_color(theme.colour("raised"))
            for lines, width, alignment in zip(left_over, widths, alignments, strict=False):
                self.pdf.rect(x, top, width, height, style="DF" if is_head else "D")
                self.pdf.y = top + pad
                for line in lines[:taken]:
                    self.draw_line(line, x + pad, x + width - pad, line_pt, alignment)
                x += width
            self.pdf.y = top + height
            left_over = [lines[taken:] for lines in left_over]
            if not any(left_over):
                return

    # --- lines ---

    def style_runs(self, runs: Cell, style: TextLook) -> list[tuple[str, TextLook]]:
        styled: list[tuple[str, TextLook]] = []
        for before, run in zip((None, *runs), runs, strict=False):
            if isinstance(run.sign, Footnote) and before is not None and isinstance(before.sign, Footnote):
                styled.append((", ", replace(style, is_raised=True)))
            styled.append(self.style_run(run, style))
        return styled

    def style_run(self, run: StyledRun, style: TextLook) -> tuple[str, TextLook]:
        if isinstance(run.sign, Footnote):
            note = run.sign
            look = theme.VERDICT_LOOKS[note.citation.verdict]
            raised = replace(style, emphasis="B", colour=look.colour, is_raised=True)
            return f"{note.number}{look.sign}", replace(raised, link=self.notes.get(note.number, ""))
        if run.sign is not None:
            return f" ({run.sign.words})", replace(style, colour="refuted", emphasis="I")
        emphasis = "B" if run.is_bold or "B" in style.emphasis else ""
        emphasis = emphasis or ("I" if run.is_italic or "I" in style.emphasis else "")
        colour = "accent" if run.address else style.colour
        made = replace(style, emphasis=emphasis, colour=colour, is_struck=run.is_struck, link=run.address)
        return run.text, made

    def choose_font(self, text: str, style: TextLook) -> None:
        """Set the font of a piece. Scripts whose letters join or run from the right are shaped."""
        self.pdf.set_font(style.family, style.emphasis if style.family == TEXT else "", style.drawn_pt)
        is_plain = style.family == TEXT and not any(unicodedata.combining(sign) for sign in text)
        self.pdf.set_text_shaping(not is_plain)

    def measure(self, text: str, style: TextLook) -> float:
        """Return the width of text in one font."""
        key = (text, style.drawn_pt, style.emphasis, style.family)
        if key not in self.widths:
            self.choose_font(text, style)
            self.widths[key] = float(self.pdf.get_string_width(text))
        return self.widths[key]

    def split_fonts(self, text: str, style: TextLook) -> Iterator[tuple[str, TextLook]]:
        """Yield text in pieces of one font: signs and spaces stay in the font of the letters before them."""
        family, start = "", 0
        for at, sign in enumerate(text):
            if family and sign in self.families[family]:
                continue
            found = next((name for name, signs in self.families.items() if sign in signs), family or TEXT)
            if family and found != family:
                yield text[start:at], replace(style, family=family)
                start = at
            family = found
        if text:
            yield text[start:], replace(style, family=family)

    def break_lines(self, runs: Sequence[tuple[str, TextLook]], width_pt: float, indent_pt: float = 0) -> list[Line]:
        """Return runs as lines that are no wider than ``width_pt``, in the order of reading."""
        lines: list[Line] = [[]]
        used = 0.0
        for word, style in self.read_words(runs):
            is_space = word == " "
            if word == "\n" or (is_space and not lines[-1]):
                if not is_space:
                    lines.append([])
                    used = 0.0
                continue
            for part in self.split_word(word, style, width_pt):
                width = self.measure(part, style)
                if used + width > width_pt and used > 0 and not is_space:
                    lines.append([])
                    used = 0.0
                lines[-1].append(LinePart(part, style, width))
                used += width
        return [self.join_pieces(line) for line in lines if line]

    def read_words(self, runs: Sequence[tuple[str, TextLook]]) -> Iterator[tuple[str, TextLook]]:
        """Yield words, single spaces and line breaks, each in one font."""
        for raw, style in runs:
            text = clean_text(raw).translate(self.numbers)
            for part, styled in self.split_fonts(text, style):
                for word in _WORD.findall(part):
                    is_space = word != "\n" and word.isspace() and "\u00a0" not in word
                    yield (" " if is_space else word), styled

    def split_word(self, word: str, style: TextLook, width_pt: float) -> list[str]:
        """Return a word in pieces that fit into a line."""
        if self.measure(word, style) <= width_pt:
            return [word]
        parts = [""]
        for sign in word:
            if parts[-1] and self.measure(parts[-1] + sign, style) > width_pt:
                parts.append("")
            parts[-1] += sign
        return parts

    def join_pieces(self, line: Line) -> Line:
        """Return a line without spaces at its end, with neighbours of one style as one piece."""
        while line and line[-1].text.isspace() and "\u00a0" not in line[-1].text:
            line.pop()
        joined: Line = []
        for piece in line:
            if joined and joined[-1].style == piece.style:
                words = joined[-1].text + piece.text
                joined[-1] = LinePart(words, piece.style, self.measure(words, piece.style))
            else:
                joined.append(piece)
        return joined

    def draw_lines(
        self, lines: Sequence[Line], left: float, *, rtl: bool, line_pt: float, indent_pt: float = 0
    ) -> None:
        right = self.right - (indent_pt if rtl else 0)
        for line in lines:
            self.require_room(line_pt)
            self.draw_line(line, left, right, line_pt, "right" if rtl else "left", rtl=rtl)

    def draw_line(
        self, line: Line, left: float, right: float, line_pt: float, alignment: Alignment, *, rtl: bool | None = None
    ) -> None:
        runs_from_right = is_rtl("".join(piece.text for piece in line)) if rtl is None else rtl
        width = sum(piece.width_pt for piece in line)
        top = self.pdf.y
        if alignment == "right" or (runs_from_right and alignment == "left"):
            x = right - width
        else:
            x = left + (right - left - width) / 2 if alignment == "center" else left
        for piece in self.turn_line(line) if runs_from_right else line:
            self.draw_piece(piece, x, top, line_pt)
            x += piece.width_pt
        self.pdf.set_xy(self.left, top + line_pt)

    def turn_line(self, line: Line) -> Line:
        """Return a line that runs from the right, in the order from the left; spaces stay between their neighbours."""
        turned: Line = []
        for piece in reversed(line):
            core = piece.text.strip(" ")
            before, _, after = piece.text.partition(core) if core else (piece.text, "", "")
            for text in (after, core, before):
                if text:
                    turned.append(LinePart(text, piece.style, self.measure(text, piece.style)))
        return turned

    def draw_piece(self, piece: LinePart, x: float, top: float, line_pt: float) -> None:
        style = piece.style
        self.choose_font(piece.text, style)
        self.pdf.set_text_color(theme.colour(style.colour))
        self.pdf.set_xy(x, top - (style.size_pt * 0.28 if style.is_raised else 0))
        self.pdf.cell(piece.width_pt, line_pt, piece.text, link=style.link or "")
        if style.is_struck:
            middle = top + line_pt / 2
            self.pdf.set_draw_color(theme.colour(style.colour))
            self.pdf.line(x, middle, x + piece.width_pt, middle)

    def draw_label(self, label: str, x: float, style: TextLook) -> None:
        width = self.measure(label, style)
        top = self.pdf.y
        self.draw_piece(LinePart(label, style, width), x, top, style.size_pt * LEADING)
        self.pdf.set_xy(self.left, top)

    def require_room(self, height_pt: float) -> None:
        if self.pdf.y + height_pt > self.bottom:
            self.pdf.add_page()

    def add_space(self, height_pt: float) -> None:
        self.pdf.y = min(self.pdf.y + height_pt, self.bottom)


def _colour_of(note: Footnote) -> str:
    return theme.VERDICT_LOOKS[note.citation.verdict].colour
