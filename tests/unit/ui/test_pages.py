"""A page beside its Markdown: boxes and blocks share their numbers, and no word of a document is markup."""

from __future__ import annotations

import re
from typing import Any

import pytest

from roma_core.types import Block, Box, Document, Page
from roma_core.ui.pages import COLOURS, MAX_BLOCKS, MAX_CHARS, Area, number_blocks, render_page, render_sheet
from tests.unit.ui.test_render import HOSTILE, Audit

PNG = b"\x89PNG picture"
TEXT = "# Title\n\nFirst words run\nover the page.\n\nSecond."
BLOCKS = (
    Block(start=0, end=7, kind="heading", level=1, page=1, box=(0.1, 0.1, 0.5, 0.2)),
    Block(start=9, end=39, kind="paragraph", page=1, box=(0.1, 0.25, 0.9, 0.75)),
    Block(start=41, end=48, kind="paragraph", page=2, box=(-0.5, 0.1, 2.0, 0.3), confidence=0.5),
)


def document(text: str = TEXT, **fields: Any) -> Document:
    pages = (Page(start=0, end=25, number=1), Page(start=25, end=48, number=2))
    base = {"id": "d", "uri": "a.pdf", "title": "A", "content_sha256": "0", "parser": "pdf/1"}
    return Document.model_validate({**base, "text": text, "blocks": BLOCKS, "pages": pages, **fields})


def numbers(html: str, inside: str) -> list[str]:
    return re.findall(rf'class="{inside}" data-n="(\d*)"', html)


def test_boxes_and_blocks_of_a_page_share_their_numbers() -> None:
    html = render_page(document(), 1, PNG)
    assert numbers(html, "area") == numbers(html, "block") == ["1", "2"]
    assert "left:10.00%;top:25.00%;width:80.00%;height:50.00%" in html
    assert "heading 1 · 0–7" in html and f"--kind:{COLOURS['heading']}" in html
    assert "1 heading" in html and "1 paragraph" in html and "Second." not in html


def test_a_paragraph_over_the_end_of_a_page_goes_on_without_a_box() -> None:
    first, second = number_blocks(document(), document().pages[1])
    assert (first.text, first.continued, second.continued) == ("over the page.", True, False)
    html = render_page(document(), 2, PNG)
    assert numbers(html, "area") == ["2"] and "continued" in html and "OCR 50%" in html
    assert "left:0.00%;top:10.00%;width:100.00%" in html  # a box outside of its page is cut


def test_without_a_picture_the_blocks_stand_alone() -> None:
    html = render_page(document())
    assert numbers(html, "block") == ["1", "2", "3"] and "<img" not in html and not numbers(html, "area")


def test_text_without_blocks_is_shown_as_it_is() -> None:
    html = render_page(document("a < b", blocks=(), pages=()))
    assert "a &lt; b" in html and numbers(html, "block") == []


def test_rendered_markdown_reads_as_such() -> None:
    assert "<h1>Title</h1>" in render_page(document(), 1, rendered=True)
    assert "<pre># Title</pre>" in render_page(document(), 1)


def test_a_sheet_row_is_told() -> None:
    block = Block(start=0, end=7, kind="table", row=3)
    assert "row 3" in render_page(document(blocks=(block,), pages=()))


@pytest.mark.parametrize("attack", HOSTILE)
@pytest.mark.parametrize("rendered", [True, False])
def test_words_of_a_document_are_never_markup(attack: str, rendered: bool) -> None:
    blocks = (Block(start=0, end=len(attack), kind="paragraph", page=1, box=(0, 0, 1, 1)),)
    html = render_page(document(attack, blocks=blocks, pages=()), None, PNG, rendered=rendered)
    shown = html.index('class="roma-blocks"')
    words = html[html.index("</small>", shown) + len("</small>") : html.rindex("</div></div></div>")]
    assert Audit(words).bad == []


def test_what_is_too_much_is_said() -> None:
    many = tuple(Block(start=0, end=1, kind="paragraph") for _ in range(MAX_BLOCKS + 7))
    html = render_page(document(blocks=many, pages=()))
    assert "7 more blocks are not shown" in html and len(numbers(html, "block")) == MAX_BLOCKS
    long = Block(start=0, end=MAX_CHARS + 5, kind="paragraph")
    assert "… 5 more characters" in render_page(document("x" * (MAX_CHARS + 5), blocks=(long,), pages=()))


def test_an_area_may_stand_without_a_number() -> None:
    box: Box = (0.0, 0.0, 0.5, 0.5)
    html = render_sheet(PNG, [Area(box, "#fde68a", 'A "title" <b>')], 'Page "1"')
    assert 'aria-label="Page &quot;1&quot;"' in html and "&lt;b&gt;" in html and "number" not in html
