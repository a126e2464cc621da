"""Passages: exact, complete, in order, within their size, the same every time."""

from __future__ import annotations

import re

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from roma_core.chunking import CHARS_PER_TOKEN, CONTEXT_CHARS, chunk
from roma_core.types import Block, Document, Page, Section
from tests.sizes import examples


def count(text: str) -> int:
    return len(re.findall(r"\w+|[^\w\s]", text))


def make(text: str, **fields: object) -> Document:
    return Document.model_validate(
        {
            "id": "d",
            "uri": "file:///d.md",
            "title": "Guide",
            "text": text,
            "content_sha256": "0",
            "parser": "t/1",
            **fields,
        }
    )


def laid_out(text: str) -> Document:
    """Blocks for every second paragraph and sections for lines that begin with '#', as a parser would give them."""
    blocks, sections = [], []
    for index, m in enumerate(re.finditer(r"[^\n]+(?:\n[^\n]+)*", text)):
        heading = m[0].startswith("#")
        if heading or index % 2:
            blocks.append(Block(start=m.start(), end=m.end(), kind="heading" if heading else "paragraph"))
        if heading:
            sections.append(Section(start=m.start(), end=len(text), title=m[0][:40], level=1))
    return make(text, blocks=tuple(blocks), sections=tuple(sections))


words = st.text(alphabet="abcé1.-'\u0301\u200d👩中文。", min_size=1, max_size=9)
awkward = st.sampled_from(
    ["\n\n", "\n", "  ", " ", ". ", "! ", "# ", "\u0301", "👩\u200d👧", "\u00a0", "x" * 400, "\r\n\r\n", "|a|b|\n"]
)
texts = st.lists(st.one_of(words, awkward), max_size=150).map("".join)


@settings(max_examples=examples(40, whole=300), deadline=None)
@given(texts, st.integers(8, 60), st.booleans())
def test_offsets_order_coverage_size_and_determinism(text: str, target: int, structured: bool) -> None:
    document = laid_out(text) if structured else make(text)
    chunks = chunk(document, count, target)
    assert chunks == chunk(document, count, target)
    assert len({c.id for c in chunks}) == len(chunks)
    clusters = {m.start() for m in regex.finditer(r"\X", text)} | {len(text)}
    cursor = 0
    for c in chunks:
        assert text[c.start : c.end] == c.text
        assert c.text.strip()
        assert c.start >= cursor
        assert not text[cursor : c.start].strip()
        assert {c.start, c.end} <= clusters
        assert count(c.text) <= target or len(regex.findall(r"\X", c.text)) == 1
        cursor = c.end
    assert not text[cursor:].strip()


@settings(max_examples=examples(25, whole=100), deadline=None)
@given(st.lists(st.text(alphabet="abcdefgh", min_size=1, max_size=12), min_size=1, max_size=300), st.integers(12, 60))
def test_words_are_never_split(tokens: list[str], target: int) -> None:
    text = " ".join(tokens)
    assert [w for c in chunk(make(text), count, target) for w in c.text.split()] == tokens


def test_sections_stay_apart_unless_they_are_crumbs() -> None:
    long_part = " ".join(["word"] * 70)
    text = f"# One\n\n{long_part}\n\n# Two\n\n{long_part}\n\n# Three\n\nfew words\n\n# Four\n\nfew words"
    chunks = chunk(laid_out(text), count, 100)
    assert [c.text.split("\n")[0] for c in chunks] == ["# One", "# Two", "# Three"]
    assert chunks[2].text.endswith("# Four\n\nfew words")


def test_a_heading_goes_with_what_follows_it() -> None:
    text = "intro " * 30 + "\n\n# Head\n\n" + "body " * 40
    chunks = chunk(laid_out(text), count, 60)
    assert [c.text.split()[0] for c in chunks] == ["intro", "#"]


def test_context_names_title_and_headings_that_the_passage_does_not_show() -> None:
    text = "# Install\n\n" + "First sentence here. " * 40
    chunks = chunk(laid_out(text), count, 50)
    assert chunks[0].context == "Guide"
    assert chunks[1].context == "Guide > # Install"
    assert chunks[1].headings == ("# Install",)
    assert chunks[1].indexed_text.startswith("Guide > # Install\nFirst sentence")


def test_context_is_bounded_and_keeps_the_innermost() -> None:
    text = "word " * 100
    outer = Section(start=0, end=len(text), title="outer " * 60, level=1)
    inner = Section(start=0, end=len(text), title="inner", level=2)
    last = chunk(make(text, sections=(outer, inner)), count, 50)[-1]
    assert last.context == "inner"
    only = chunk(make(text, title="t" * 999), count, 50)[-1]
    assert len(only.context) == CONTEXT_CHARS


def test_long_sentences_are_cut_between_sentences_first() -> None:
    text = "One two three four five. " * 12
    chunks = chunk(make(text), count, 20)
    assert all(c.text.endswith(".") for c in chunks)
    sizes = [count(c.text) for c in chunks]
    assert max(sizes) - min(sizes) <= 6


def test_table_is_split_by_rows_and_repeats_its_header() -> None:
    table = "| city | people |\n| --- | --- |\n" + "\n".join(f"| town {i} | {i * 7} |" for i in range(60))
    text = f"Before.\n\n{table}\n\nAfter."
    block = Block(start=text.index("| city"), end=text.index("\n\nAfter"), kind="table")
    chunks = chunk(make(text, blocks=(block,)), count, 80)
    assert len(chunks) > 3
    assert "| city | people |" in chunks[0].text
    assert all("| city | people |" in c.context for c in chunks[1:])
    assert all(line.startswith("| ") for c in chunks[1:-1] for line in c.text.split("\n"))


def test_page_place_and_headings_of_the_first_character() -> None:
    text = "alpha " * 40 + "\n\n" + "beta " * 40
    cut = text.index("beta")
    pages = (Page(start=0, end=cut, number=1), Page(start=cut, end=len(text), number=2))
    chunks = chunk(make(text, pages=pages), count, 50)
    assert [(c.page, c.place) for c in chunks] == [(1, "page 1"), (2, "page 2")]


def test_slides_never_share_a_passage() -> None:
    text = "Slide one\n\nSlide two"
    cut = text.index("Slide two")
    sections = (
        Section(start=0, end=cut - 1, title="A", level=1, kind="slide"),
        Section(start=cut - 1, end=len(text), title="B", level=1, kind="slide"),
    )
    assert [c.headings for c in chunk(make(text, sections=sections), count)] == [("A",), ("B",)]


@pytest.mark.parametrize("text", ["", " \n\t\n ", "\u2003"])
def test_blank_text_has_no_passages(text: str) -> None:
    assert chunk(make(text), count) == []


def test_an_endless_word_is_cut_although_it_is_one_token() -> None:
    chunks = chunk(make("A" * 5000), lambda _: 1, 50)
    assert max(len(c.text) for c in chunks) <= 50 * CHARS_PER_TOKEN
    assert "".join(c.text for c in chunks) == "A" * 5000


def test_overlapping_blocks_do_not_double_text() -> None:
    text = "aaa bbb ccc ddd"
    blocks = (
        Block(start=0, end=11, kind="list"),
        Block(start=4, end=15, kind="paragraph"),
        Block(start=4, end=7, kind="quote"),
    )
    assert "".join(c.text for c in chunk(make(text, blocks=blocks), count, 2)).replace(" ", "") == "aaabbbcccddd"


def test_same_text_at_two_places_has_two_ids() -> None:
    chunks = chunk(make("same words here.\n\n" * 2), count, 6)
    assert [c.text for c in chunks] == ["same words here."] * 2
    assert len({c.id for c in chunks}) == 2


def test_a_text_without_a_blank_is_cut_in_steps_and_whole() -> None:
    text = "0123456789" * 150_000
    document = make(text)
    counted = 0

    def counting(piece: str) -> int:
        nonlocal counted
        counted += 1
        return count(piece)

    chunks = chunk(document, counting, 250)
    assert "".join(passage.text for passage in chunks) == text
    assert max(len(passage.text) for passage in chunks) <= 250 * CHARS_PER_TOKEN
    assert counted < len(text) // 30
