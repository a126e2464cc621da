"""Numbers never change: each run of digits that a file shows is in the text or in the loss ledger, and none is new.

Every format is written from the same drawn numbers: in headings, paragraphs, lists, tables, notes, links, hidden and
deleted text, with breaks and markup inside of words and beside them.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from roma_core.parsers.base import ParseOptions
from roma_core.parsers.registry import PARSERS
from roma_core.parsers.sandbox.pool import InlineSandbox
from roma_core.parsers.service import DolphinParserService
from roma_core.types import Document, RawDocument
from tests.fixtures import make_doc, make_office, make_ole, make_pdf

_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class Figures:
    """Numbers at the places that a document can have, each of its own."""

    heading: str
    prose: str
    items: tuple[str, ...]
    grid: tuple[tuple[str, ...], ...]
    note: str
    hidden: str
    old: str
    new: str


@st.composite
def figures(draw: st.DrawFn) -> Figures:
    """Numbers of three to six digits that all differ, with the separators that real ones have."""
    numbers = iter(draw(st.lists(st.integers(100, 999_999), min_size=24, max_size=24, unique=True)))
    shapes = st.sampled_from(["{0}", "{0}.5", "-{0}", "({0})", "{0} %", "€ {0}", "{0},75", "No. {0}/7"])

    def number() -> str:
        return draw(shapes).format(next(numbers))

    width = draw(st.integers(2, 3))
    height = draw(st.integers(1, 3))
    return Figures(
        heading=str(next(numbers)),
        prose=number(),
        items=tuple(number() for _ in range(draw(st.integers(1, 3)))),
        grid=tuple(tuple(number() for _ in range(width)) for _ in range(height)),
        note=str(next(numbers)),
        hidden=str(next(numbers)),
        old=str(next(numbers)),
        new=str(next(numbers)),
    )


@dataclass(frozen=True)
class Made:
    """A file, and all that a reader of it could see or find."""

    name: str
    data: bytes
    shown: str


def _head(f: Figures) -> list[str]:
    return [f.heading, f.prose, *f.items, *(cell for row in f.grid for cell in row)]


def _made(name: str, data: bytes | str, shown: list[str]) -> Made:
    return Made(name, data.encode() if isinstance(data, str) else data, "\n".join(shown))


def _header(f: Figures) -> list[str]:
    return [f"Column {chr(65 + x)}" for x in range(len(f.grid[0]))]


def docx(f: Figures) -> Made:
    p = make_office.p
    rows = "".join("<w:tr>" + "".join(f"<w:tc>{p(cell)}</w:tc>" for cell in row) + "</w:tr>" for row in f.grid)
    run = "<w:r><w:t>{}</w:t></w:r>"
    body = (
        p(f"Part {f.heading}", properties='<w:outlineLvl w:val="0"/>')
        + f"<w:p>{run.format(f.prose[:1])}{run.format(f.prose[1:])}"
        + f"<w:del><w:r><w:delText> {f.old}</w:delText></w:r></w:del><w:ins><w:r><w:t xml:space='preserve'> {f.new}</w:t></w:r>"
        + "</w:ins></w:p>"
        + "".join(map(p, f.items))
        + f"<w:tbl>{rows}</w:tbl>"
        + p(f"Hidden {f.hidden}", run="<w:vanish/>")
    )
    return _made("a.docx", make_office.docx(body), [*_head(f), f.hidden, f.old, f.new])


def doc(f: Figures) -> Made:
    rows = [paragraph for row in f.grid for paragraph in make_doc.row(*row)]
    data = make_doc.doc(
        [
            make_doc.Paragraph(f"Part {f.heading}", style=1),
            make_doc.Paragraph(
                f.prose, (f" {f.old}", make_doc.DELETED), (f" {f.new}", make_doc.INSERTED), (f.hidden, make_doc.HIDDEN)
            ),
            *(make_doc.Paragraph(item, properties=make_doc.LIST) for item in f.items),
            *rows,
            make_doc.Paragraph("End."),
        ]
    )
    return _made("a.doc", data, [*_head(f), f.hidden, f.old, f.new])


def rtf(f: Figures) -> Made:
    rows = "".join(r"\trowd " + "".join(rf"\pard\intbl {cell}\cell " for cell in row) + r"\row " for row in f.grid)
    body = (
        rf"{{\rtf1\ansi\pard\outlinelevel0 Part {f.heading}\par\pard {f.prose}{{\deleted  {f.old}}}{{\revised  {f.new}}}\par "
        + "".join(rf"{{\listtext \'B7\tab}}{item}\par " for item in f.items)
        + rows
        + rf"\pard {{\v {f.hidden}}}Words{{\footnote Note {f.note}}}\par}}"
    ).replace("€", r"\u8364?")
    return _made("a.rtf", body, [*_head(f), f.note, f.hidden, f.old, f.new])


def odt(f: Figures) -> Made:
    rows = "".join(
        "<table:table-row>"
        + "".join(f"<table:table-cell><text:p>{c}</text:p></table:table-cell>" for c in row)
        + "</table:table-row>"
        for row in f.grid
    )
    items = "".join(f"<text:list-item><text:p>{item}</text:p></text:list-item>" for item in f.items)
    content = (
        f'<text:tracked-changes><text:changed-region text:id="c"><text:deletion><text:p>{f.old}</text:p></text:deletion>'
        "</text:changed-region></text:tracked-changes>"
        f'<text:h text:outline-level="1">Part {f.heading}</text:h><text:p><text:span>{f.prose[:1]}</text:span>{f.prose[1:]} '
        f'<text:change text:change-id="c"/><text:note><text:note-citation>x</text:note-citation><text:note-body><text:p>'
        f"{f.note}</text:p></text:note-body></text:note></text:p><text:list>{items}</text:list>"
        f'<table:table>{rows}</table:table><text:section text:display="none"><text:p>{f.hidden}</text:p></text:section>'
    )
    return _made("a.odt", make_office.odf("text", content), [*_head(f), f.note, f.hidden, f.old])


def odp(f: Figures) -> Made:
    paragraphs = "".join(f"<text:p>{text}</text:p>" for text in _head(f))
    content = f"<draw:page><draw:frame><draw:text-box>{paragraphs}</draw:text-box></draw:frame></draw:page>"
    return _made("a.odp", make_office.odf("presentation", content), _head(f))


def ods(f: Figures) -> Made:
    rows = [[*_header(f)], *f.grid]
    cells = "".join(
        "<table:table-row>"
        + "".join(f'<table:table-cell office:value-type="string"><text:p>{c}</text:p></table:table-cell>' for c in row)
        + "</table:table-row>"
        for row in rows
    )
    content = f'<table:table table:name="Sheet">{cells}</table:table>'
    return _made("a.ods", make_office.odf("spreadsheet", content), [c for row in f.grid for c in row])


def pptx(f: Figures) -> Made:
    texts = [*f.items, f.prose]
    shapes = make_office.shape(f"Part {f.heading}", "title") + "".join(make_office.shape(text) for text in texts)
    texts.append(f.note)
    return _made("a.pptx", make_office.pptx([{"tree": shapes, "notes": f"Note {f.note}"}]), [f.heading, *texts])


def ppt(f: Figures) -> Made:
    texts = [*f.items, f.prose]
    shapes = [make_doc.text_shape(text, (100, 400 * n, 900, 400 * n + 300)) for n, text in enumerate(texts, start=1)]
    title = make_doc.text_shape(f"Part {f.heading}", (0, 0, 900, 200), kind=0)
    data = make_doc.ppt([title, *shapes], old=[make_doc.text_shape("before", (0, 0, 9, 9))], notes=f"Note {f.note}")
    return _made("a.ppt", data, [f.heading, f.note, *texts])


def xlsx(f: Figures) -> Made:
    rows = make_office.rows(_header(f), *[list(row) for row in f.grid])
    return _made("a.xlsx", make_office.xlsx({"Sheet": rows}), [c for row in f.grid for c in row])


def xls(f: Figures) -> Made:
    cells = [(y, x, text, 0) for y, row in enumerate([_header(f), *f.grid]) for x, text in enumerate(row)]
    return _made("a.xls", make_ole.xls({"Sheet": cells}), [c for row in f.grid for c in row])


def delimited(delimiter: str, name: str) -> Callable[[Figures], Made]:
    def make(f: Figures) -> Made:
        out = io.StringIO()
        csv.writer(out, delimiter=delimiter).writerows([_header(f), *f.grid])
        return _made(name, out.getvalue(), [c for row in f.grid for c in row])

    return make


def _page(f: Figures) -> str:
    rows = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in f.grid)
    items = "".join(f"<li>{item}</li>" for item in f.items)
    return (
        f"<h1>Part {f.heading}</h1><p><b>{f.prose[:1]}</b>{f.prose[1:]}</p><ul>{items}</ul><table>{rows}</table>"
        f"<p hidden='hidden'>{f.hidden}</p><p>Words <i>of</i> {f.new}<br/>{f.note}</p><svg><text>{f.old}</text></svg>"
    )


def html(f: Figures) -> Made:
    return _made(
        "a.html",
        f"<html><meta charset='utf-8'><body>{_page(f)}</body></html>",
        [*_head(f), f.note, f.hidden, f.new, f.old],
    )


def mhtml(f: Figures) -> Made:
    head = "From: x\nSubject: y\nMIME-Version: 1.0\nContent-Type: multipart/related; boundary=b\n\n--b\n"
    part = f"Content-Type: text/html; charset=utf-8\n\n<html><body>{_page(f)}</body></html>\n--b--\n"
    return _made("a.mhtml", head + part, [*_head(f), f.note, f.hidden, f.new, f.old])


def epub(f: Figures) -> Made:
    page = f"<h1>Part {f.heading}</h1><p>{f.prose}</p>" + "".join(f"<p>{item}</p>" for item in f.items)
    return _made("a.epub", make_office.epub({"a.xhtml": page}), [f.heading, f.prose, *f.items])


def eml(f: Figures) -> Made:
    message = EmailMessage()
    message["Subject"], message["From"] = f"Figures {f.heading}", "a@example.org"
    message.set_content(f"{f.prose}\n" + "\n".join(f.items))
    inner = EmailMessage()
    inner["Subject"] = f"Inner {f.note}"
    inner.set_content(f"{f.new}\n\n> {f.old}")
    message.add_attachment(inner)
    return _made("a.eml", bytes(message), [f.heading, f.prose, *f.items, f.note, f.new, f.old])


def mbox(f: Figures) -> Made:
    head = "From a@example.org Mon Jan  1 10:00:00 2024\nFrom: a@example.org\nSubject: {}\n\n{}\n\n"
    return _made(
        "a.mbox",
        head.format(f.heading, f.prose) + head.format(f.note, "\n".join(f.items)),
        [f.heading, f.prose, f.note, *f.items],
    )


def msg(f: Figures) -> Made:
    data = make_ole.msg({0x0037: f"Figures {f.heading}", 0x1000: "\r\n".join([f.prose, *f.items])})
    return _made("a.msg", data, [f.heading, f.prose, *f.items])


def markdown(f: Figures) -> Made:
    lines = [
        f"# Part {f.heading}",
        "",
        f.prose,
        "",
        *[f"- {item}" for item in f.items],
        "",
        f"Words[^a].\n\n[^a]: {f.note}",
    ]
    return _made("a.md", "\n".join(lines), [f.heading, f.prose, *f.items, f.note])


def plain(f: Figures) -> Made:
    return _made("a.txt", "\n\n".join(_head(f)), _head(f))


def rst(f: Figures) -> Made:
    title = f"Part {f.heading}"
    lines = [title, "=" * len(title), "", f.prose, "", *[f"* {item}" for item in f.items], "", f":field: {f.note}"]
    return _made("a.rst", "\n".join(lines), [f.heading, f.prose, *f.items, f.note])


def org(f: Figures) -> Made:
    rows = "\n".join("| " + " | ".join(row) + " |" for row in f.grid)
    lines = [f"* Part {f.heading}", f.prose, "", *[f"- {item}" for item in f.items], "", rows, "", f"# note {f.hidden}"]
    return _made("a.org", "\n".join(lines), [*_head(f), f.hidden])


def asciidoc(f: Figures) -> Made:
    rows = "\n".join("".join(f"|{cell} " for cell in row) for row in f.grid)
    lines = [f"== Part {f.heading}", "", f"{f.prose} footnote:[{f.note}]", "", *[f"* {item}" for item in f.items], ""]
    return _made("a.adoc", "\n".join([*lines, "|===", rows, "|===", f"// {f.hidden}"]), [*_head(f), f.note, f.hidden])


def wiki(f: Figures) -> Made:
    rows = "\n|-\n".join("| " + " || ".join(row) for row in f.grid)
    lines = [f"== Part {f.heading} ==", f"{f.prose}<ref>{f.note}</ref>", *[f"* {item}" for item in f.items]]
    return _made("a.wiki", "\n".join([*lines, '{| class="x"', rows, "|}"]), [*_head(f), f.note])


def latex(f: Figures) -> Made:
    def escaped(text: str) -> str:
        return text.replace("%", r"\%")

    rows = r" \\ ".join(" & ".join(map(escaped, row)) for row in f.grid)
    items = "".join(rf"\item {escaped(item)} " for item in f.items)
    body = (
        rf"\section{{Part {f.heading}}} \textbf{{{escaped(f.prose)}}}\footnote{{{f.note}}} % {f.hidden}" + "\n\n"
        rf"\begin{{itemize}}{items}\end{{itemize}}"
        + "\n"
        + rf"\begin{{tabular}}{{{'l' * len(f.grid[0])}}}{rows}\end{{tabular}}"
    )
    source = rf"\documentclass{{article}}\begin{{document}}{body}\end{{document}}"
    return _made("a.tex", source, [*_head(f), f.note, f.hidden])


def as_json(f: Figures) -> Made:
    tree = {
        "heading": int(f.heading),
        "prose": f.prose,
        "items": list(f.items),
        "grid": [{"cells": list(r)} for r in f.grid],
    }
    return _made("a.json", json.dumps(tree), _head(f))


def xml(f: Figures) -> Made:
    rows = "".join("<row>" + "".join(f"<cell>{c}</cell>" for c in row) + "</row>" for row in f.grid)
    items = "".join(f'<item n="{f.new}">{item}</item>' for item in f.items)
    body = f"<root><heading>{f.heading}</heading><prose>{f.prose[:1]}<b>{f.prose[1:]}</b></prose>{items}{rows}</root>"
    return _made("a.xml", body, [*_head(f), *[f.new] * len(f.items)])


def jats(f: Figures) -> Made:
    rows = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in f.grid)
    items = "".join(f"<list-item><p>{item}</p></list-item>" for item in f.items)
    body = (
        f"<article><front><article-meta><pub-date><year>{f.new}</year></pub-date></article-meta></front><body><sec>"
        f"<title>Part {f.heading}</title><p>{f.prose}</p><list>{items}</list><table-wrap><table>{rows}</table></table-wrap>"
        f"</sec></body><back><ref-list><ref><mixed-citation>{f.note}</mixed-citation></ref></ref-list></back></article>"
    )
    return _made("a.xml", body, [*_head(f), f.new, f.note])


def kept(name: str) -> Callable[[Figures], Made]:
    def make(f: Figures) -> Made:
        lines = [f"heading: '{f.heading}'", *[f"item{chr(97 + n)}: '{item}'" for n, item in enumerate(f.items)]]
        text = "\n".join(lines) if name.endswith("yaml") else "\n".join(line.replace(": ", " = ") for line in lines)
        return _made(name, text, [f.heading, *f.items])

    return make


def ipynb(f: Figures) -> Made:
    cells = [
        {"cell_type": "markdown", "source": f"# Part {f.heading}\n\n{f.prose}"},
        {"cell_type": "code", "source": "x", "outputs": [{"output_type": "stream", "text": "\n".join(f.items)}]},
    ]
    return _made("a.ipynb", json.dumps({"nbformat": 4, "metadata": {}, "cells": cells}), [f.heading, f.prose, *f.items])


def calendar(f: Figures) -> Made:
    words = "\\n".join(f.items).replace(",", "\\,")
    event = f"BEGIN:VEVENT\nSUMMARY:Part {f.heading}\nDESCRIPTION:{words}\nLOCATION:Room {f.note}\nEND:VEVENT"
    return _made("a.ics", f"BEGIN:VCALENDAR\n{event}\nEND:VCALENDAR", [f.heading, *f.items, f.note])


def subtitles(f: Figures) -> Made:
    cue = "{}\n00:00:0{} --> 00:00:09,000\n{}\n"
    cues = [cue.format(n, f"{n},000", f"<i>words</i> {text}") for n, text in enumerate((f.prose, *f.items), start=1)]
    return _made("a.srt", "\n".join(cues), [f.prose, *f.items])


def pdf(f: Figures) -> Made:
    texts = [f"Part {f.heading} of the report", f"The sum of the year is {f.prose} in all accounts."]
    texts += [f"Another line of the report says {item} and no more." for item in f.items]
    canvas_texts = [text.replace("€", "EUR") for text in texts]

    def draw(canvas: make_pdf.Canvas) -> None:
        make_pdf.lines(canvas, 72, 100, canvas_texts)

    return _made("a.pdf", make_pdf.drawn(draw), [f.heading, f.prose, *f.items])


MAKERS: dict[str, Callable[[Figures], Made]] = {
    "asciidoc": asciidoc,
    "calendar": calendar,
    "code": kept("a.py"),
    "csv": delimited(";", "a.csv"),
    "tsv": delimited("\t", "a.tsv"),
    "doc": doc,
    "docx": docx,
    "eml": eml,
    "epub": epub,
    "html": html,
    "ipynb": ipynb,
    "jats": jats,
    "json": as_json,
    "latex": latex,
    "markdown": markdown,
    "mbox": mbox,
    "mhtml": mhtml,
    "msg": msg,
    "odp": odp,
    "ods": ods,
    "odt": odt,
    "org": org,
    "pdf": pdf,
    "ppt": ppt,
    "pptx": pptx,
    "rst": rst,
    "rtf": rtf,
    "subtitles": subtitles,
    "text": plain,
    "toml": kept("a.toml"),
    "wiki": wiki,
    "xls": xls,
    "xlsx": xlsx,
    "xml": xml,
    "yaml": kept("a.yaml"),
}
WITHOUT_A_MAKER = {
    "encrypted": "what is inside is read by the parsers of DOCX, PPTX and XLSX",
    "image": "its text is what OCR believes to see",
    "xlsb": "its files are checked in test_xlsx.py",
    "zip": "its text is the list of its files",
}


def numbers_of(text: str) -> Counter[str]:
    """Return the runs of digits of a text; raised digits are digits, too."""
    return Counter(_DIGITS.findall(unicodedata.normalize("NFKC", text)))


def test_every_format_is_written() -> None:
    assert {parser.name for parser in PARSERS} - {*MAKERS, *WITHOUT_A_MAKER} == set()


@pytest.mark.parametrize("name", sorted(MAKERS))
@settings(max_examples=6, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow])
@given(drawn=figures())
def test_no_number_is_lost_changed_or_made_up(name: str, drawn: Figures) -> None:
    made = MAKERS[name](drawn)
    raw = RawDocument(uri=made.name, data=made.data)
    document = asyncio.run(DolphinParserService(InlineSandbox()).parse(raw, ParseOptions(ocr=False)))
    assert isinstance(document, Document), document
    wanted = numbers_of(made.shown)
    found = numbers_of(document.text) + numbers_of("\n".join(entry.text for entry in document.left_out))
    assert not wanted - found, f"lost from {document.text!r}"
    long = Counter({number: count for number, count in found.items() if len(number) >= 3})
    made_up = set(long) - set(wanted) - set(numbers_of(made.data.decode("latin-1")))
    assert not made_up, f"made up in {document.text!r}"
