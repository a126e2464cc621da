"""PPTX: slides in order, each a page and a section; notes beside them."""

from __future__ import annotations

import io

import pytest

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.office import pptx
from roma_core.types import Document, RawDocument
from tests.fixtures import make_office as make
from tests.fixtures.make_office import shape


def read(data: bytes, **options: object) -> Document:
    return pptx.parse(RawDocument(uri="file:///deck.pptx", data=data), ParseOptions.model_validate(options))


GROUP = "<p:grpSp><p:grpSp>{}</p:grpSp></p:grpSp>"


def test_parse_pptx_slides_and_notes() -> None:
    data = make.pptx(
        [
            {
                "tree": shape("Subtitle line", "subTitle") + shape("Opening", "ctrTitle"),
                "notes": "Welcome all.\nSmile.",
            },
            {
                "tree": shape("Plan", "title")
                + shape("First\n\tdeeper\nSecond", "")
                + GROUP.format(shape("grouped words"))
                + shape("alone", "body")
                + shape("3", "sldNum"),
                "notes": "Do not forget the budget.",
            },
            {"tree": shape("no title here"), "hidden": "yes"},
        ]
    )
    document = read(data)
    assert document.text == (
        "# Opening\n\nSubtitle line\n\nWelcome all.\n\nSmile.\n\n"
        "# Plan\n\n- First\n    - deeper\n- Second\n\ngrouped words\n\nalone\n\nDo not forget the budget.\n\n"
        "(hidden slide)\n\nno title here"
    )
    assert document.title == "Opening"
    assert [page.number for page in document.pages] == [1, 2, 3]
    assert (document.pages[0].width, document.pages[0].height) == (720.0, 540.0)
    at = document.text.index
    assert document.place(at("Subtitle")) == "slide 1"
    assert document.place(at("Smile")) == "slide 1, notes"
    assert document.place(at("grouped")) == "slide 2"
    assert document.place(at("budget")) == "slide 2, notes"
    assert document.place(at("no title")) == "slide 3"
    assert document.headings_at(at("budget")) == ("Plan", "Notes")
    assert {b.kind for b in document.blocks if b.start >= at("Do not") and b.end <= at("(hidden") - 2} == {"notes"}


def test_only_the_wanted_slides() -> None:
    data = make.pptx([{"tree": shape("one")}, {"tree": shape("two")}])
    document = read(data, pages=(2,))
    assert document.text == "two" and document.pages[0].number == 2


def test_tables_lists_charts_pictures_and_comments() -> None:
    def cell(text: str, attributes: str = "") -> str:
        return f"<a:tc {attributes}><a:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></a:txBody></a:tc>"

    tall, wide, across, down = 'rowSpan="2"', 'gridSpan="2"', 'hMerge="1"', 'vMerge="1"'
    table = (
        "<p:graphicFrame><a:tbl>"
        + f"<a:tr>{cell('Year', tall)}{cell('Sales', wide)}{cell('', across)}</a:tr>"
        + f"<a:tr>{cell('', down)}{cell('north')}{cell('south')}</a:tr></a:tbl></p:graphicFrame>"
    )
    chart = '<p:graphicFrame><c:chart r:id="rIdC"/></p:graphicFrame>'
    picture = '<p:pic><p:nvPicPr><p:cNvPr descr="A duck"/></p:nvPicPr><p:blipFill><a:blip r:embed="rIdP"/></p:blipFill></p:pic>'
    links = '<p:sp><p:txBody><a:p><a:r><a:rPr><a:hlinkClick r:id="rIdL"/></a:rPr><a:t>site</a:t></a:r><a:br/><a:fld><a:t>now</a:t></a:fld></a:p></p:txBody></p:sp>'
    numbers = shape("one\ntwo", None, '<a:buAutoNum type="arabicPeriod" startAt="4"/>')
    marks = shape("bullet\nother", None, '<a:buChar char="•"/>') + shape("bare", "body", "<a:buNone/>")
    rels = "rIdC=chart:../charts/c.xml rIdP=image:../media/duck.png rIdL=hyperlink:https://a.example rIdK=comments:../comments/c.xml"
    parts = {
        "ppt/charts/c.xml": f"<c:chartSpace {make.NAMES}><c:chart><c:ser><c:val><c:pt idx='0'><c:v>5</c:v></c:pt></c:val></c:ser>"
        "</c:chart></c:chartSpace>",
        "ppt/commentAuthors.xml": f'<p:cmAuthorLst {make.NAMES}><p:cmAuthor id="0" name="Ann"/></p:cmAuthorLst>',
        "ppt/comments/c.xml": f'<p:cmLst {make.NAMES}><p:cm authorId="0"><p:text>Nice</p:text></p:cm>'
        '<p:cm authorId="9"><p:txBody><a:p><a:r><a:t>threaded</a:t></a:r></a:p></p:txBody></p:cm></p:cmLst>',
    }
    document = read(make.pptx([{"tree": table + chart + picture + links + numbers + marks, "rels": rels}], parts))
    assert document.markdown() == (
        "| Year | Sales | Sales |\n| --- | --- | --- |\n| Year | north | south |\n\n|  | Series 1 |\n| --- | --- |\n| 1 | 5 |\n\n"
        "![A duck](duck.png)\n\n[site](https://a.example)\nnow\n\n4. one\n5. two\n\n- bullet\n- other\n\nbare\n\n"
        "Comment by Ann: Nice\n\nComment: threaded"
    )


def test_a_bad_slide_costs_that_slide_alone() -> None:
    parts = {"ppt/slides/slide1.xml": "<broken", "ppt/notesSlides/notes2.xml": "<broken"}
    document = read(make.pptx([{"tree": ""}, {"tree": shape("fine"), "notes": "lost"}, {"tree": shape("too")}], parts))
    assert document.text == "fine\n\ntoo"
    assert len(document.warnings) == 2 and document.warnings[0].startswith("Slide 1")


def test_files_of_python_pptx() -> None:
    from pptx import Presentation

    made = Presentation()
    slide = made.slides.add_slide(made.slide_layouts[1])
    slide.shapes.title.text = "Hello"
    slide.placeholders[1].text = "a\nb"
    slide.notes_slide.notes_text_frame.text = "say hi"
    buffer = io.BytesIO()
    made.save(buffer)
    document = read(buffer.getvalue())
    assert document.text == "# Hello\n\n- a\n- b\n\nsay hi"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"PK\x03\x04", ErrorCode.PARSER_MALFORMED),
        (make.packed({"a": "b"}), ErrorCode.PARSER_MALFORMED),
        (make.packed({"ppt/presentation.xml": ""}), ErrorCode.PARSER_MALFORMED),
        (make.pptx([{"tree": ""}]), ErrorCode.PARSER_EMPTY),
        (make.pptx([]), ErrorCode.PARSER_EMPTY),
    ],
)
def test_broken_files_are_typed_failures(data: bytes, code: ErrorCode) -> None:
    with pytest.raises(ParserError) as error:
        read(data)
    assert error.value.code is code
