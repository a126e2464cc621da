"""EPUB: chapters in spine order with the titles of the table of contents, no navigation pages."""

from __future__ import annotations

import pytest

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.web import epub
from roma_core.types import Document, RawDocument
from tests.fixtures import make_office as make


def read(data: bytes) -> Document:
    return epub.parse(RawDocument(uri="file:///book.epub", data=data), ParseOptions())


def li(href: str, title: str, inner: str = "") -> str:
    return f'<li><a href="{href}">{title}</a>{f"<ol>{inner}</ol>" if inner else ""}</li>'


def test_parse_epub_chapters() -> None:
    pages = {
        "cover.xhtml": '<img src="cover.png" alt="The cover"/>',
        "one.xhtml": "<h1>I</h1><p>It began&nbsp;here.<a epub:type='noteref' href='#n1'>1</a></p>"
        "<aside epub:type='footnote' id='n1'><p>1. A note.</p></aside><span epub:type='pagebreak' id='p5'>5</span>",
        "two.xhtml": "<p>Words before.</p><section id='s2'><h2>Middle</h2><p>In the middle.</p></section>"
        "<p><a id='deep'/>Deep inside.</p><script>evil()</script><p>after</p>",
        "three.xhtml": "<p>No heading of its own.</p>",
        "contents.xhtml": "".join(f"<p><a href='one.xhtml'>Chapter {n}</a></p>" for n in range(9)),
    }
    nav = li("one.xhtml", "I") + li("two.xhtml", "II", li("two.xhtml#s2", "Middle") + li("two.xhtml#deep", "Deep"))
    document = read(make.epub(pages, nav + li("three.xhtml", "IV")))
    assert document.text == (
        "![The cover](cover.png)\n\n# I\n\nIt began here.[^1]\n\n[^1]: A note.\n\n# II\n\nWords before.\n\n## Middle\n\n"
        "In the middle.\n\n## Deep\n\nDeep inside.\n\nafter\n\n# IV\n\nNo heading of its own."
    )
    at = document.text.index
    assert document.place(at("It began")) == "chapter “I”"
    assert document.headings_at(at("In the middle")) == ("II", "Middle")
    assert document.place(at("In the middle")) == "chapter “Middle”"
    assert document.place(at("Deep inside")) == "chapter “Deep”"
    assert document.place(at("No heading")) == "chapter “IV”"
    assert document.title == "The Book" and document.metadata["author"] == "A. Writer"


def test_the_contents_of_epub_2() -> None:
    point = '<navPoint><navLabel><text>{}</text></navLabel><content src="{}"/>{}</navPoint>'
    ncx = point.format("Part", "a.xhtml", point.format("Chapter", "b.xhtml", ""))
    document = read(
        make.epub({"a.xhtml": "<p>of part</p>", "b.xhtml": "<h1>Chapter</h1><p>x</p><h2>Inner</h2><p>y</p>"}, ncx=ncx)
    )
    assert document.text == "# Part\n\nof part\n\n# Chapter\n\nx\n\n## Inner\n\ny"
    assert document.headings_at(document.text.index("y")) == ("Part", "Chapter", "Inner")


def test_a_book_without_contents_has_its_pages_as_chapters() -> None:
    document = read(make.epub({"a.xhtml": "<h1>First</h1><p>x</p>", "b.xhtml": "<p>bare</p>"}))
    assert [(s.title, s.kind) for s in document.sections] == [("First", "chapter"), ("", "chapter")]


def test_pages_that_are_no_xml_and_parts_that_are_missing() -> None:
    parts = {"OEBPS/b.xhtml": b"\xff\xfe<\x00", "OEBPS/c.xhtml": b"<html><body><p>open <b>tags &copy; </body></html>"}
    data = make.epub({"a.xhtml": "<p>fine</p>", "b.xhtml": "", "c.xhtml": "", "d.xhtml": ""}, parts=parts)
    document = read(data)
    assert document.text.startswith("fine") and "open tags ©" in document.text


OPF = '<package xmlns="http://www.idpf.org/2007/opf"><manifest>{}</manifest><spine>{}</spine></package>'


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"PK", ErrorCode.PARSER_MALFORMED),
        (make.packed({"mimetype": "application/epub+zip"}), ErrorCode.PARSER_MALFORMED),
        (make.packed({"x.opf": OPF.format("", "")}), ErrorCode.PARSER_MALFORMED),
        (
            make.packed(
                {"x.opf": OPF.format('<item id="a" href="a.html" media-type="text/html"/>', '<itemref idref="a"/>')}
            ),
            ErrorCode.PARSER_EMPTY,
        ),
        (make.epub({"a.xhtml": "<p> </p>"}), ErrorCode.PARSER_EMPTY),
        (
            make.epub(
                {"a.xhtml": "<p>x</p>"},
                parts={"META-INF/encryption.xml": '<e><CipherReference URI="OEBPS/a.xhtml"/></e>'},
            ),
            ErrorCode.PARSER_ENCRYPTED,
        ),
    ],
)
def test_broken_books_are_typed_failures(data: bytes, code: ErrorCode) -> None:
    with pytest.raises(ParserError) as error:
        read(data)
    assert error.value.code is code


def test_notes_have_the_label_of_their_mark() -> None:
    page = make.xhtml(
        '<p>Ten<a xmlns:epub="http://www.idpf.org/2007/ops" epub:type="noteref" href="#n9">4</a>.</p>'
        '<aside xmlns:epub="http://www.idpf.org/2007/ops" epub:type="footnote" id="n9"><p>Counted twice.</p></aside>'
    )
    assert "Ten.[^4]" in read(make.epub({"a.xhtml": page})).text
    assert "[^4]: Counted twice." in read(make.epub({"a.xhtml": page})).text


def test_notes_whose_marks_are_all_the_same_keep_their_own_labels() -> None:
    note = '<aside xmlns:epub="http://www.idpf.org/2007/ops" epub:type="footnote" id="{0}"><p>{1}. Cf. Ezekiel.</p></aside>'
    mark = '<a xmlns:epub="http://www.idpf.org/2007/ops" epub:type="noteref" href="#{0}">*</a>'
    page = make.xhtml(
        f"<p>One{mark.format('a')} two{mark.format('b')}.</p>{note.format('a', 20)}{note.format('b', 23)}"
    )
    text = read(make.epub({"a.xhtml": page})).text
    assert "[^20]: Cf. Ezekiel." in text and "[^23]: Cf. Ezekiel." in text
