"""DOCX: what Word shows, in order."""

from __future__ import annotations

import io

import pytest

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.office import docx, omml
from roma_core.parsers.office.docx_numbering import letters, roman
from roma_core.types import Document, RawDocument
from tests.fixtures import make_office as make
from tests.fixtures.make_office import p, part


def read(data: bytes) -> Document:
    return docx.parse(RawDocument(uri="file:///a/report.docx", data=data), ParseOptions())


def style(name: str) -> str:
    return f'<w:pStyle w:val="{name}"/>'


def numbered(number: int, depth: int = 0) -> str:
    return f'<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="{number}"/></w:numPr>'


STYLES = part(
    "styles",
    '<w:style w:styleId="berschrift1"><w:name w:val="heading 1"/><w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style>'
    '<w:style w:styleId="H2"><w:name w:val="heading 2"/></w:style>'
    '<w:style w:styleId="Mine"><w:name w:val="My chapter"/><w:basedOn w:val="H2"/></w:style>'
    '<w:style w:styleId="Title"><w:name w:val="Title"/></w:style>'
    '<w:style w:styleId="Cap"><w:name w:val="caption"/></w:style>'
    '<w:style w:styleId="Quote"><w:name w:val="Quote"/></w:style>'
    '<w:style w:styleId="TOC1"><w:name w:val="toc 1"/></w:style>'
    '<w:style w:styleId="Loop"><w:name w:val="loop"/><w:basedOn w:val="Loop"/></w:style>',
)


def level(depth: int, kind: str, text: str, more: str = "") -> str:
    return f'<w:lvl w:ilvl="{depth}"><w:start w:val="1"/><w:numFmt w:val="{kind}"/><w:lvlText w:val="{text}"/>{more}</w:lvl>'


NUMBERING = part(
    "numbering",
    f'<w:abstractNum w:abstractNumId="0">{level(0, "bullet", "o")}{level(1, "bullet", "-")}</w:abstractNum>'
    f'<w:abstractNum w:abstractNumId="1">{level(0, "decimal", "%1.")}{level(1, "lowerLetter", "%2)")}'
    f"{level(2, 'decimal', '%1.%2.%3', '<w:isLgl/>')}</w:abstractNum>"
    '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num>'
    '<w:num w:numId="3"><w:abstractNumId w:val="1"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride></w:num>'
    '<w:num w:numId="4"><w:abstractNumId w:val="1"/><w:lvlOverride w:ilvl="0">'
    f"{level(0, 'upperRoman', 'Article %1:')}</w:lvlOverride></w:num>",
)
BASE = {"word/styles.xml": STYLES, "word/numbering.xml": NUMBERING}
TARGETS = {"rId1": "styles:styles.xml", "rId2": "numbering:numbering.xml"}


def test_parse_docx_headers_and_lists() -> None:
    body = (
        p("Annual report", style("Title"))
        + p("skipped ..... 3", style("TOC1"))
        + p("Results", style("berschrift1"))
        + p("We grew.", style("Loop"))
        + p("apples", numbered(1))
        + p("red ones", numbered(1, 1))
        + p("first", numbered(2))
        + p("detail", numbered(2, 1))
        + p("deep", numbered(2, 2))
        + p("second", numbered(2))
        + p("other list", numbered(3))
        + p("Outlook", style("Mine"))
        + p("Custom level", '<w:outlineLvl w:val="2"/>')
        + p("clause", numbered(4))
        + p("Figure 1: growth", style("Cap"))
        + p("Onward.", style("Quote"))
        + p("plain", numbered(0))
    )
    document = read(make.docx(body, BASE, **TARGETS))
    assert document.text == (
        "# Annual report\n\n# Results\n\nWe grew.\n\n- apples\n    - red ones\n1. first\n    - a) detail\n        - 1.1.1 deep\n"
        "2. second\n5. other list\n\n## Outlook\n\n### Custom level\n\n- Article I: clause\n\n"
        "Figure 1: growth\n\n> Onward.\n\nplain"
    )
    assert document.title == "Annual report"
    assert [(s.title, s.level) for s in document.sections] == [("Results", 1), ("Outlook", 2), ("Custom level", 3)]
    assert document.headings_at(document.text.index("clause")) == ("Results", "Outlook", "Custom level")
    assert [b.kind for b in document.blocks][-3:] == ["caption", "quote", "paragraph"]


def test_headings_carry_their_numbers() -> None:
    body = p("Scope", style("berschrift1") + numbered(2)) + p("Terms", style("H2") + numbered(2, 1))
    assert read(make.docx(body, BASE, **TARGETS)).text == "# 1 Scope\n\n## a) Terms"


def tc(content: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{content}</w:tc>"


def tr(*cells: str, properties: str = "") -> str:
    return f"<w:tr>{properties}{''.join(cells)}</w:tr>"


def tbl(*rows: str) -> str:
    return f"<w:tbl>{''.join(rows)}</w:tbl>"


def test_tables_with_merged_and_nested_cells() -> None:
    wide = '<w:gridSpan w:val="2"/>'
    body = tbl(
        tr(tc(p("Region"), '<w:vMerge w:val="restart"/>'), tc(p("Sales"), wide)),
        tr(tc(p(""), "<w:vMerge/>"), tc(p("2024")), tc(p("2025"))),
        tr(tc(p("North") + p("(all)")), tc(tbl(tr(tc(p("x")), tc(p("y"))))), tc(p("a|b", numbered(1)))),
        tr(tc(p("late")), properties='<w:trPr><w:gridBefore w:val="2"/></w:trPr>'),
    ) + tbl(tr(tc(p("a frame around text"))))
    document = read(make.docx(body, BASE, **TARGETS))
    assert document.text == (
        "| Region | Sales | Sales |\n| --- | --- | --- |\n| Region | 2024 | 2025 |\n"
        "| North<br>(all) | x \\| y | - a\\|b |\n|  |  | late |\n\na frame around text"
    )
    assert [b.kind for b in document.blocks] == ["table", "paragraph"]


def test_notes_comments_boxes_links_and_furniture() -> None:
    box = "<w:r><mc:AlternateContent><mc:Choice><w:drawing><wps:txbx><w:txbxContent>{0}</w:txbxContent></wps:txbx></w:drawing></mc:Choice>"
    box += "<mc:Fallback><w:pict><w:txbxContent>{0}</w:txbxContent></w:pict></mc:Fallback></mc:AlternateContent></w:r>"
    picture = '<w:r><w:drawing><wp:docPr descr="A [red] barn"/><a:blip r:embed="rId9"/></w:drawing></w:r>'
    code = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'
    body = (
        '<w:p><w:r><w:t>Words</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r><w:r><w:commentReference w:id="0"/></w:r>'
        '<w:hyperlink r:id="rId8"><w:r><w:t xml:space="preserve"> our site</w:t></w:r></w:hyperlink>'
        f'{code.format("begin")}<w:r><w:instrText> HYPERLINK "https://b.example" </w:instrText></w:r>{code.format("separate")}'
        f'<w:r><w:t xml:space="preserve"> more</w:t></w:r>{code.format("end")}'
        '<w:fldSimple w:instr="PAGE"><w:r><w:t> 7</w:t></w:r></w:fldSimple>'
        "<w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:ins><w:r><w:t> new</w:t></w:r></w:ins>"
        "<w:r><w:rPr><w:vanish/></w:rPr><w:t>secret</w:t></w:r><w:r><w:br/><w:t>next</w:t><w:tab/><w:noBreakHyphen/>"
        '<w:sym w:char="00B0"/></w:r></w:p>'
        f"<w:p>{picture}{box.format(p('boxed once'))}</w:p>"
        '<w:sdt><w:sdtContent><w:p><w:r><w:t>controlled</w:t><w:endnoteReference w:id="3"/></w:r></w:p></w:sdtContent></w:sdt>'
        '<w:sectPr><w:headerReference r:id="rId6"/><w:footerReference r:id="rId7"/></w:sectPr>'
    )
    parts = {
        "word/footnotes.xml": part("footnotes", f'<w:footnote w:id="2">{p("See the annex.")}</w:footnote>'),
        "word/endnotes.xml": part("endnotes", f'<w:endnote w:id="3">{p("At the end.")}</w:endnote>'),
        "word/comments.xml": part(
            "comments", f'<w:comment w:id="0" w:author="Ann" w:date="2026-01-02T03:04:05Z">{p("Really?")}</w:comment>'
        ),
        "word/header1.xml": part("hdr", p("ACME Corp")),
        "word/footer1.xml": part("ftr", p("Page 3 of 9") + p("ACME Corp") + p("Confidential")),
    }
    targets = {
        "rId3": "footnotes:footnotes.xml",
        "rId4": "endnotes:endnotes.xml",
        "rId5": "comments:comments.xml",
        "rId6": "header:header1.xml",
        "rId7": "footer:footer1.xml",
        "rId8": "hyperlink:https://a.example/x y",
        "rId9": "image:media/barn.png",
    }
    document = read(make.docx(body, parts, **targets))
    assert document.markdown() == (
        "Words [our site](https://a.example/x%20y) [more](https://b.example) 7 new\nnext -°[^2]\n\n"
        "Comment by Ann (2026-01-02): Really?\n\n![A (red) barn](barn.png)\n\nboxed once\n\ncontrolled[^e3]\n\n"
        "[^2]: See the annex.\n\n[^e3]: At the end.\n\nACME Corp\nConfidential"
    )
    kinds = [b.kind for b in document.blocks]
    assert kinds == ["paragraph", "comment", "figure", "paragraph", "paragraph", "footnote", "footnote", "paragraph"]
    assert document.place(len(document.text) - 1) == f"“{docx.FURNITURE}”"


def test_charts_and_diagrams_give_their_data() -> None:
    point = '<c:pt idx="{}"><c:v>{}</c:v></c:pt>'
    chart = (
        f"<c:chartSpace {make.NAMES}><c:chart><c:title><a:t>Ducks</a:t></c:title><c:ser><c:tx><c:v>Wild</c:v></c:tx>"
        f"<c:cat>{point.format(0, 'May')}{point.format(1, 'June')}</c:cat><c:val>{point.format(0, 3)}{point.format(2, 9)}</c:val>"
        "</c:ser></c:chart></c:chartSpace>"
    )
    body = '<w:p><w:r><w:drawing><c:chart r:id="rId1"/></w:drawing></w:r></w:p>'
    document = read(make.docx(body, {"word/charts/c.xml": chart}, rId1="chart:charts/c.xml"))
    assert document.text == "Ducks\n\n|  | Wild |\n| --- | --- |\n| May | 3 |\n| June |  |\n| 3 | 9 |"


M = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'


def r(text: str) -> str:
    return f"<m:r><m:t>{text}</m:t></m:r>"


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        (f"<m:f><m:num>{r('a')}</m:num><m:den>{r('b')}</m:den></m:f>", r"\frac{a}{b}"),
        (f'<m:f><m:fPr><m:type m:val="lin"/></m:fPr><m:num>{r("a")}</m:num><m:den>{r("b")}</m:den></m:f>', "a/b"),
        (f'<m:f><m:fPr><m:type m:val="noBar"/></m:fPr><m:num>{r("n")}</m:num><m:den>{r("k")}</m:den></m:f>',
         r"\genfrac{}{}{0pt}{}{n}{k}"),
        (f"<m:sSup><m:e>{r('x')}</m:e><m:sup>{r('2')}</m:sup></m:sSup>", "x^{2}"),
        (f"<m:sSubSup><m:e>{r('x')}</m:e><m:sub>{r('i')}</m:sub><m:sup>{r('2')}</m:sup></m:sSubSup>", "x_{i}^{2}"),
        (f"<m:sPre><m:sub>{r('6')}</m:sub><m:sup>{r('14')}</m:sup><m:e>{r('C')}</m:e></m:sPre>", "{}_{6}^{14}C"),
        (f"<m:rad><m:deg/><m:e>{r('x')}</m:e></m:rad>", r"\sqrt{x}"),
        (f"<m:rad><m:deg>{r('3')}</m:deg><m:e>{r('x')}</m:e></m:rad>", r"\sqrt[3]{x}"),
        (f'<m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr><m:sub>{r("i")}</m:sub><m:sup>{r("n")}</m:sup><m:e>{r("i")}</m:e></m:nary>',
         r"\sum_{i}^{n} i"),
        (f"<m:nary><m:sub/><m:sup/><m:e>{r('f')}</m:e></m:nary>", r"\int{f}"),
        (f"<m:d><m:e>{r('a')}</m:e><m:e>{r('b')}</m:e></m:d>", r"\left(a | b\right)"),
        (f'<m:d><m:dPr><m:begChr m:val="{{"/><m:endChr m:val=""/></m:dPr><m:e>{r("a")}</m:e></m:d>', r"\left\{a\right."),
        (f"<m:func><m:fName>{r('sin')}</m:fName><m:e>{r('α')}</m:e></m:func>", r"\sin \alpha"),
        (f"<m:limLow><m:e>{r('lim')}</m:e><m:lim>{r('n→∞')}</m:lim></m:limLow>", r"\lim_{n \to \infty}"),
        (f"<m:limUpp><m:e>{r('x')}</m:e><m:lim>{r('def')}</m:lim></m:limUpp>", r"\overset{def}{x}"),
        (f"<m:acc><m:e>{r('v')}</m:e></m:acc>", r"\hat{v}"),
        (f'<m:bar><m:barPr><m:pos m:val="top"/></m:barPr><m:e>{r("z")}</m:e></m:bar>', r"\overline{z}"),
        (f"<m:groupChr><m:e>{r('z')}</m:e></m:groupChr>", r"\underbrace{z}"),
        (f"<m:m><m:mr><m:e>{r('1')}</m:e><m:e>{r('0')}</m:e></m:mr><m:mr><m:e>{r('0')}</m:e><m:e>{r('1')}</m:e></m:mr></m:m>",
         r"\begin{matrix}1 & 0 \\ 0 & 1\end{matrix}"),
        (f"<m:eqArr><m:e>{r('a=b')}</m:e><m:e>{r('c=d')}</m:e></m:eqArr>", r"\begin{aligned}a=b \\ c=d\end{aligned}"),
        (f"<m:box><m:boxPr/><m:e>{r('50% − 1')}</m:e></m:box>", r"50\% - 1"),
    ],
)  # fmt: skip
def test_equations_become_latex(xml: str, expected: str) -> None:
    from roma_core.parsers.xml import parse_xml

    assert omml.latex(parse_xml(f"<m:oMath {M}>{xml}</m:oMath>".encode())) == expected


def test_equations_stand_in_the_text() -> None:
    inline = f"<m:oMath>{r('a')}</m:oMath>"
    body = f"<w:p><w:r><w:t xml:space='preserve'>so </w:t></w:r>{inline}</w:p><w:p><m:oMathPara>{inline}</m:oMathPara></w:p>"
    assert read(make.docx(body + f"<m:oMathPara>{inline}</m:oMathPara>")).text == "so $a$\n\n$$a$$\n\n$$a$$"


def test_numbers_of_lists() -> None:
    assert [roman(n) for n in (1, 4, 9, 14, 1999)] == ["i", "iv", "ix", "xiv", "mcmxcix"]
    assert [letters(n) for n in (1, 26, 27, 0)] == ["a", "z", "aa", ""]


def test_files_of_python_docx_and_the_strict_dialect() -> None:
    import docx as python_docx

    made = python_docx.Document()
    made.core_properties.author = "Ann"
    made.add_heading("Plan", 1)
    made.add_paragraph("one", style="List Bullet")
    made.add_paragraph("two", style="List Number")
    buffer = io.BytesIO()
    made.save(buffer)
    document = read(buffer.getvalue())
    assert document.text == "# Plan\n\n- one\n1. two"
    assert document.metadata["author"] == "Ann"
    strict = make.docx(p("Some text")).replace(b"x", b"x")
    parts = {"word/document.xml": f"<w:document {make.NAMES}><w:body>{p('Some text')}</w:body></w:document>"}
    name = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    parts["word/document.xml"] = parts["word/document.xml"].replace(
        name, "http://purl.oclc.org/ooxml/wordprocessingml/main"
    )
    assert read(make.packed(parts)).text == read(strict).text == "Some text"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"PK\x03\x04 not a zip", ErrorCode.PARSER_MALFORMED),
        (make.packed({"word/other.xml": "<x/>"}), ErrorCode.PARSER_MALFORMED),
        (make.packed({"word/document.xml": "<w:document"}), ErrorCode.PARSER_MALFORMED),
        (make.docx(p(" ")), ErrorCode.PARSER_EMPTY),
        (make.packed({"word/document.xml": ""}), ErrorCode.PARSER_EMPTY),
        (make.packed({"word/document.xml": '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'}), ErrorCode.PARSER_MALFORMED),
    ],
)
def test_broken_files_are_typed_failures(data: bytes, code: ErrorCode) -> None:
    with pytest.raises(ParserError) as error:
        read(data)
    assert error.value.code is code
    assert error.value.message.endswith(".")


HIDDEN_STYLES = part(
    "styles",
    '<w:style w:type="paragraph" w:styleId="Hid"><w:name w:val="Hid"/><w:rPr><w:vanish/></w:rPr></w:style>'
    '<w:style w:type="character" w:styleId="HidC"><w:name w:val="HidC"/><w:basedOn w:val="Base"/></w:style>'
    '<w:style w:type="character" w:styleId="Base"><w:name w:val="Base"/><w:rPr><w:vanish w:val="true"/></w:rPr></w:style>',
)


def test_text_hidden_by_itself_or_by_a_style_is_left_out_by_name() -> None:
    body = (
        p("Seen. ")
        + p("By paragraph style.", style("Hid"))
        + p("By character style.", run='<w:rStyle w:val="HidC"/>')
        + p("By itself.", run="<w:vanish/>")
        + p("Shown again.", style("Hid"), '<w:vanish w:val="0"/>').replace(style("Hid"), "")
        + f"<w:tbl><w:tr><w:tc>{p('cell')}{p('In a cell.', style('Hid'))}</w:tc><w:tc>{p('b')}</w:tc></w:tr></w:tbl>"
    )
    document = read(make.docx(body, {"word/styles.xml": HIDDEN_STYLES}, rId1="styles:styles.xml"))
    assert document.text == "Seen.\n\nShown again.\n\n| cell | b |\n| --- | --- |"
    left_out = {entry.text for entry in document.left_out if entry.why == "hidden"}
    assert left_out == {"By paragraph style.", "By character style.", "By itself.", "In a cell."}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("chunk.html", "<html><body><h1>Imported</h1><p>The tariff is 41 crowns.</p></body></html>", "# Imported\n\nThe tariff is 41 crowns."),
        ("chunk.txt", "First part.\n\nThe tariff is 41 crowns.", "First part.\n\nThe tariff is 41 crowns."),
        ("chunk.docx", make.docx(p("The tariff is 41 crowns.")), "The tariff is 41 crowns."),
    ],
)  # fmt: skip
def test_a_part_taken_in_whole_stands_in_its_place(name: str, content: str | bytes, words: str) -> None:
    body = p("Before.") + '<w:altChunk r:id="rId9"/>' + p("After.")
    document = read(make.docx(body, {f"word/{name}": content}, rId9=f"aFChunk:{name}"))
    assert document.text == f"Before.\n\n{words}\n\nAfter."


def test_an_embedded_document_is_read_and_another_file_is_named() -> None:
    inner = make.docx(p("Retention is 19 months."))
    body = "".join(
        f'<w:p><w:r><w:object><o:OLEObject xmlns:o="urn:o" r:id="{rel}"/></w:object></w:r></w:p>'
        for rel in ("rId8", "rId9")
    )
    parts = {"word/embeddings/annex.docx": inner, "word/embeddings/oleObject1.bin": bytes(range(256)) * 4}
    targets = {"rId8": "package:embeddings/annex.docx", "rId9": "oleObject:embeddings/oleObject1.bin"}
    document = read(make.docx(p("See the annex.") + body, parts, **targets))
    assert "Embedded file: annex.docx\n\nRetention is 19 months." in document.text
    assert [(entry.text, entry.why) for entry in document.left_out] == [("oleObject1.bin", "attachment")]


def field(data: str) -> str:
    mark = '<w:r><w:fldChar w:fldCharType="{}">{}</w:fldChar></w:r>'
    begin = mark.format("begin", f"<w:ffData>{data}</w:ffData>")
    return f"{begin}<w:r><w:instrText> FORM </w:instrText></w:r>{mark.format('end', '')}"


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ('<w:checkBox><w:default w:val="0"/><w:checked/></w:checkBox>', "☒"),
        ('<w:checkBox><w:default w:val="1"/></w:checkBox>', "☒"),
        ('<w:checkBox><w:default w:val="1"/><w:checked w:val="0"/></w:checkBox>', "☐"),
        ('<w:checkBox><w:default w:val="0"/></w:checkBox>', "☐"),
        ('<w:ddList><w:result w:val="1"/><w:listEntry w:val="A"/><w:listEntry w:val="AB-neg"/></w:ddList>', "AB-neg"),
        ('<w:ddList><w:listEntry w:val="A"/><w:listEntry w:val="B"/></w:ddList>', "A"),
    ],
)
def test_a_form_field_shows_its_state(data: str, shown: str) -> None:
    body = f"<w:p>{field(data)}<w:r><w:t xml:space='preserve'> Smoker</w:t></w:r></w:p>"
    assert read(make.docx(body)).text == f"{shown} Smoker"


@pytest.mark.parametrize(
    ("reading", "text", "left_out"),
    [
        ("accepted", "Fee 250[^2].\n\nMoved.", [("100", "deleted"), ("Moved.", "deleted")]),
        ("original", "Fee 100.\n\nMoved.", [("250", "inserted"), ("Moved.", "inserted")]),
        ("both", "Fee {--100--}{++250++}[^2].\n\n{++Moved.++}\n\n{--Moved.--}", []),
    ],
)
def test_tracked_changes_are_read_as_asked(reading: str, text: str, left_out: list[tuple[str, str]]) -> None:
    note = '<w:r><w:footnoteReference w:id="2"/></w:r>'
    body = (
        "<w:p><w:r><w:t xml:space='preserve'>Fee </w:t></w:r><w:del><w:r><w:delText>100</w:delText></w:r></w:del>"
        f"<w:ins><w:r><w:t>250</w:t></w:r>{note}</w:ins><w:r><w:t>.</w:t></w:r></w:p>"
        "<w:p><w:moveTo><w:r><w:t>Moved.</w:t></w:r></w:moveTo></w:p>"
        "<w:p><w:moveFrom><w:r><w:t>Moved.</w:t></w:r></w:moveFrom></w:p>"
    )
    raw = RawDocument(uri="a.docx", data=make.docx(body))
    document = docx.parse(raw, ParseOptions(tracked_changes=reading))
    assert document.text.replace("250.[^2]", "250[^2].").replace("++}.[^2]", "++}[^2].") == text
    assert [(entry.text, entry.why) for entry in document.left_out] == left_out
