"""Blocks become one document whose pages, sections and offsets are exact."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.errors import ParserError
from roma_core.parsers.backends import BackendBlock
from roma_core.parsers.backends.writer import blocks_of_html, blocks_of_markdown, plain_heading, write_blocks
from roma_core.parsers.base import ParseOptions
from roma_core.types import Document, RawDocument

RAW = RawDocument(uri="made.bin", data=b"bytes")


def write(*blocks: BackendBlock, options: ParseOptions | None = None) -> Document:
    return write_blocks(RAW, options or ParseOptions(), "acme", blocks)


def test_items_that_follow_each_other_are_one_list() -> None:
    document = write(
        BackendBlock("list", "lamp", level=0, box=(0.1, 0.1, 0.5, 0.2)),
        BackendBlock("list", "oil", level=1, box=(0.2, 0.2, 0.6, 0.3)),
        BackendBlock("paragraph", "Then go."),
    )
    assert document.text == "- lamp\n    - oil\n\nThen go."
    assert document.blocks[0].box == (0.1, 0.1, 0.6, 0.3)


def test_a_page_that_comes_late_is_put_in_its_place() -> None:
    document = write(BackendBlock("paragraph", "two", page=2), BackendBlock("paragraph", "one", page=1))
    assert document.text == "one\n\ntwo"
    assert [(page.number, page.of(document.text).strip()) for page in document.pages] == [(1, "one"), (2, "two")]


def test_a_block_without_a_page_stays_behind_the_one_before_it() -> None:
    document = write(
        BackendBlock("paragraph", "one", page=1), BackendBlock("paragraph", "also"), BackendBlock("paragraph", "two", 2)
    )
    assert document.text == "one\n\nalso\n\ntwo"


def test_what_a_backend_leaves_out_is_in_the_loss_ledger() -> None:
    document = write(
        BackendBlock("paragraph", "Page 1", page=1, left_out="furniture"), BackendBlock("paragraph", "x", 1)
    )
    assert [(entry.text, entry.place, entry.why) for entry in document.left_out] == [("Page 1", "page 1", "furniture")]


def test_text_that_reads_like_markdown_stays_text() -> None:
    assert write(BackendBlock("paragraph", "# no heading")).text == "\\# no heading"


def test_a_sheet_is_a_section_with_its_rows() -> None:
    document = write(
        BackendBlock("heading", "Q2", section="sheet"),
        BackendBlock("table", rows=[["a", "b"], ["1", "2"]], first_row=4),
    )
    assert document.place(document.text.index("2 |")) == "sheet “Q2”, row 5"


def test_nothing_to_write_is_refused() -> None:
    with pytest.raises(ParserError, match="no text"):
        write(BackendBlock("paragraph", "  "))


def test_markdown_of_a_library_keeps_its_blocks() -> None:
    text = "Tides\n=====\n\n## A \\#1 part ##\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\n> said\n"
    document = write(*blocks_of_markdown(text))
    assert [block.kind for block in document.blocks] == ["heading", "heading", "table", "quote"]
    assert [section.title for section in document.sections] == ["Tides", "A #1 part"]


def test_html_of_a_library_keeps_its_blocks() -> None:
    html = b"<h2>Tides</h2><p>They turn.</p><ul><li>a<ul><li>b</li></ul></li></ul><table><tr><td>1<td>2</table>"
    document = write(*blocks_of_html(html, "utf-8"))
    assert [block.kind for block in document.blocks] == ["heading", "paragraph", "list", "table"]
    assert "- a\n    - b" in document.text


@pytest.mark.parametrize("markdown", ["# Tides", "### Tides ###", "Tides\n-----", "Tides"])
def test_a_heading_loses_its_marks_alone(markdown: str) -> None:
    assert plain_heading(markdown) == "Tides"


_KINDS = st.sampled_from(["heading", "paragraph", "list", "code", "quote", "caption", "footnote", "notes"])
_BLOCKS = st.builds(
    BackendBlock,
    kind=_KINDS,
    text=st.text(max_size=40),
    page=st.one_of(st.none(), st.integers(1, 3)),
    level=st.integers(0, 7),
    is_markdown=st.just(False),
)


@given(st.lists(_BLOCKS, min_size=1, max_size=12))
def test_whatever_a_backend_gives_the_blocks_tile_the_text(blocks: list[BackendBlock]) -> None:
    try:
        document = write(*blocks)
    except ParserError:
        assert not any(
            block.text.strip(" \t\n") and block.text.isprintable() and block.text.strip() for block in blocks
        )
        return
    assert document.text == "\n\n".join(block.of(document.text) for block in document.blocks)
    assert [page.number for page in document.pages] == sorted({page.number for page in document.pages})
