"""Transcripts as DOCX with footnotes of Word, which python-docx does not write: their part is made here."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape

from roma_core.transcripts.blocks import Cell, StyledRun, TextBlock, clean_text, is_rtl, read_blocks
from roma_core.transcripts.transcript import (
    STATE_WORDS,
    Footnote,
    SignedAnswer,
    Transcript,
    TranscriptTurn,
    sign_answers,
)

if TYPE_CHECKING:
    from docx.document import Document as Word

_WORD: Final = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_FOOTNOTES_TYPE: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
_BEHIND_BIDI: Final = tuple(
    f"w:{name}"
    for name in (
        "adjustRightInd snapToGrid spacing ind contextualSpacing mirrorIndents suppressOverlap jc textDirection "
        "textAlignment textboxTightWrap outlineLvl divId cnfStyle rPr sectPr pPrChange"
    ).split()
)
"""Properties of a paragraph that stand behind its direction: Word wants them in their order."""
INDENT_CM: Final = 0.6


def write_docx(transcript: Transcript) -> bytes:
    """Return a transcript as the bytes of a DOCX file."""
    import docx

    word = docx.Document()
    word.core_properties.title = clean_text(transcript.title)
    word.core_properties.author = "ROMA"
    word.core_properties.created = transcript.exported_at.replace(tzinfo=None)
    word.core_properties.modified = transcript.exported_at.replace(tzinfo=None)
    _add_styles(word)
    word.add_heading(clean_text(transcript.title), 0)
    answers = sign_answers(transcript)
    for turn, answer in zip(transcript.turns, answers, strict=True):
        _add_turn(word, turn, answer)
    _add_footnotes(word, [note for answer in answers for note in answer.footnotes])
    file = io.BytesIO()
    word.save(file)
    return file.getvalue()


def _add_styles(word: Word) -> None:
    from docx.enum.style import WD_STYLE_TYPE
    from docx.shared import Pt

    reference = word.styles.add_style("footnote reference", WD_STYLE_TYPE.CHARACTER)
    reference.font.superscript = True
    text = word.styles.add_style("footnote text", WD_STYLE_TYPE.PARAGRAPH)
    text.font.size = Pt(9)
    code = word.styles.add_style("Code", WD_STYLE_TYPE.PARAGRAPH)
    code.font.name = "Courier New"
    code.font.size = Pt(9)


def _add_turn(word: Word, turn: TranscriptTurn, answer: SignedAnswer) -> None:
    question = clean_text(" ".join(turn.question.split()))
    _set_direction(word.add_heading(question, 1), question)
    remark = STATE_WORDS.get(turn.state, "") if turn.output is None else turn.output.proof
    if remark:
        word.add_paragraph().add_run(remark).italic = True
    for block in read_blocks(answer.markdown, answer.signs):
        _add_block(word, block)
    if turn.output is not None and turn.output.removed:
        word.add_paragraph("Taken out, because no source proves it:")
        for statement in turn.output.removed:
            words = clean_text(" ".join(statement.text.split()))
            word.add_paragraph(style="List Bullet").add_run(words).font.strike = True


def _add_block(word: Word, block: TextBlock) -> None:
    from docx.shared import Cm

    if block.kind == "table":
        _add_table(word, block)
        return
    if block.kind == "heading":
        paragraph = word.add_paragraph(style=f"Heading {min(9, block.level + 1)}")
    elif block.kind == "code":
        paragraph = word.add_paragraph(style="Code")
    elif block.kind == "rule":
        paragraph = word.add_paragraph("⁂")
    else:
        paragraph = word.add_paragraph(style="Quote" if block.is_quoted else None)
    if block.depth:
        paragraph.paragraph_format.left_indent = Cm(INDENT_CM * block.depth)
    if block.label:
        paragraph.paragraph_format.first_line_indent = Cm(-INDENT_CM)
        paragraph.paragraph_format.tab_stops.add_tab_stop(Cm(INDENT_CM * block.depth))
        paragraph.add_run(f"{block.label}\t")
    _add_runs(paragraph, block.runs)


def _add_table(word: Word, block: TextBlock) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH

    sides = {
        "left": WD_ALIGN_PARAGRAPH.LEFT,
        "center": WD_ALIGN_PARAGRAPH.CENTER,
        "right": WD_ALIGN_PARAGRAPH.RIGHT,
    }
    table = word.add_table(rows=0, cols=len(block.alignments), style="Table Grid")
    for number, row in enumerate(block.rows):
        cells = table.add_row().cells
        for cell, runs, alignment in zip(cells, row, block.alignments, strict=False):
            paragraph = cell.paragraphs[0]
            paragraph.alignment = sides[alignment]
            _add_runs(paragraph, runs, is_bold=number == 0)
    word.add_paragraph()


def _add_runs(paragraph: Any, runs: Cell, *, is_bold: bool = False) -> None:
    words = "".join(run.text for run in runs)
    for run in runs:
        if isinstance(run.sign, Footnote):
            _add_reference(paragraph, run.sign)
        elif run.sign is not None:
            paragraph.add_run(f" ({run.sign.words})").italic = True
        elif run.address:
            _add_link(paragraph, run)
        else:
            _style_run(paragraph.add_run(run.text), run, is_bold=is_bold)
    _set_direction(paragraph, words)


def _style_run(made: Any, run: StyledRun, *, is_bold: bool) -> None:
    made.bold = run.is_bold or is_bold or None
    made.italic = run.is_italic or None
    made.font.strike = run.is_struck or None
    if run.is_code:
        made.font.name = "Courier New"


def _add_link(paragraph: Any, run: StyledRun) -> None:
    from docx.opc.constants import RELATIONSHIP_TYPE
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    made = paragraph.add_run(run.text)
    _style_run(made, run, is_bold=False)
    made.underline = True
    link = OxmlElement("w:hyperlink")
    link.set(qn("r:id"), paragraph.part.relate_to(run.address, RELATIONSHIP_TYPE.HYPERLINK, is_external=True))
    paragraph._p.append(link)
    link.append(made._r)


def _add_reference(paragraph: Any, note: Footnote) -> None:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    made = paragraph.add_run(style="footnote reference")
    reference = OxmlElement("w:footnoteReference")
    reference.set(qn("w:id"), str(note.number))
    made._r.append(reference)


def _set_direction(paragraph: Any, words: str) -> None:
    """Make a paragraph run from the right where its first letter does."""
    from docx.oxml import OxmlElement

    if not is_rtl(words):
        return
    properties = paragraph._p.get_or_add_pPr()
    properties.insert_element_before(OxmlElement("w:bidi"), *_BEHIND_BIDI)
    for run in paragraph.runs:
        run.font.rtl = True


def _add_footnotes(word: Word, notes: list[Footnote]) -> None:
    from docx.opc.packuri import PackURI
    from docx.opc.part import Part

    signs = (("separator", -1), ("continuationSeparator", 0))
    bodies = [
        f'<w:footnote w:type="{kind}" w:id="{number}"><w:p><w:r><w:{kind}/></w:r></w:p></w:footnote>'
        for kind, number in signs
    ]
    bodies += [_write_footnote(note) for note in notes]
    xml = (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
        f'<w:footnotes xmlns:w="{_WORD}">{"".join(bodies)}</w:footnotes>'
    )
    part = Part(PackURI("/word/footnotes.xml"), _FOOTNOTES_TYPE, xml.encode(), word.part.package)
    word.part.relate_to(part, f"{_OFFICE}/footnotes")


def _write_footnote(note: Footnote) -> str:
    details = " · ".join(detail for detail in (*note.details, note.link) if detail)
    words = clean_text(f" “{note.quote}” {note.origin}. {details}")
    bidi = "<w:bidi/>" if is_rtl(note.quote) else ""
    return (
        f'<w:footnote w:id="{note.number}"><w:p><w:pPr><w:pStyle w:val="footnotetext"/>{bidi}</w:pPr>'
        '<w:r><w:rPr><w:rStyle w:val="footnotereference"/></w:rPr><w:footnoteRef/></w:r>'
        f'<w:r><w:t xml:space="preserve">{escape(words)}</w:t></w:r></w:p></w:footnote>'
    )
