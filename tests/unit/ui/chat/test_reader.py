"""The source beside the answer: exact words in every format's text, exact boxes on pages."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from roma_core.errors import InputError
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.pdf.words import PageWord, page_words, unpack_words
from roma_core.parsers.service import DolphinParserService
from roma_core.types import Block, Document, Page, RawDocument
from roma_core.ui.chat.reader import cut_part, find_cited_pages, find_words, mark_page, require_span

TEXT = (
    "# Harbour\n\nThe **rope** bridge spans 48 m. It was built in 1902.\n\n- one item\n- two items\n\n"
    "| year | boats |\n|---|--:|\n| 1901 | 12 |\n| 1902 | 15 |\n\n> Said the keeper.\n\n"
    "```\nx = 1\n```\n\n1. first\n2. second\n"
)


def document(text: str = TEXT, **fields: object) -> Document:
    return Document(id="d", uri="d", title="D", text=text, content_sha256="0", parser="t/1", **fields)  # type: ignore[arg-type]


def marked(html: str) -> str:
    return " ".join(unescape(" ".join(re.findall(r"<mark>(.*?)</mark>", html, re.DOTALL))).split())


def letters(text: str) -> str:
    return "".join(sign for sign in text if sign.isalnum())


@pytest.mark.parametrize(
    "quote",
    [
        "The **rope** bridge spans 48 m.",
        "It was built in 1902.",
        "bridge spans",
        "- one item",
        "one item\n- two items",
        "| 1902 | 15 |",
        "| 1901 | 12 |\n| 1902 | 15 |",
        "1902 | 15",
        "# Harbour",
        "Said the keeper.",
        "x = 1",
        "second",
        "built in 1902.\n\n- one item",
        "rope** bridge",
    ],
)
def test_the_exact_words_are_marked(quote: str) -> None:
    start = TEXT.index(quote)
    part = cut_part(document(), (start, start + len(quote)))
    assert part.is_exact
    assert letters(marked(part.html)) == letters(quote.removeprefix("1. ").removeprefix("2. "))


def test_every_span_of_words_is_marked_exactly() -> None:
    words = [(found.start(), found.end()) for found in re.finditer(r"[A-Za-z]{2,}", TEXT)]
    for first, (start, _) in enumerate(words):
        for _, end in words[first : first + 6]:
            html = cut_part(document(), (start, end)).html
            wanted = "".join(sign for sign in TEXT[start:end] if sign.isalpha())
            assert "".join(sign for sign in marked(html) if sign.isalpha()) == wanted, TEXT[start:end]


def test_words_of_a_document_stay_text() -> None:
    text = "The <img src=x onerror=alert(1)> valve\n\n<script>alert(1)</script> opens"
    html = cut_part(document(text), (4, 38)).html
    assert "<img" not in html and "<script" not in html and "<mark>" in html


def test_a_row_of_a_long_sheet_is_shown_with_the_head_of_its_table() -> None:
    rows = "".join(f"| {number} | cell {number} |\n" for number in range(5000))
    text = f"| no | name |\n|---|---|\n{rows}"
    quote = "| 4000 | cell 4000 |"
    start = text.index(quote)
    block = Block(kind="table", start=0, end=len(text))
    html = cut_part(document(text, blocks=(block,)), (start, start + len(quote))).html
    assert "<th>name</th>" in html and marked(html) == "4000 cell 4000"
    assert len(html) < 100_000


def test_a_span_outside_of_the_text_is_refused() -> None:
    for start, end in ((0, 10**6), (5, 5), (9, 3), (None, 3), (3, None)):
        with pytest.raises(InputError):
            require_span(document(), start, end)
    assert require_span(document(), None, None) is None


def word(text: str, x: float, y: float) -> PageWord:
    return PageWord(text, (x, y, x + 0.05, y + 0.02))


def test_hyphens_ligatures_and_signs_do_not_hide_the_words() -> None:
    words = [
        word("The", 0.1, 0.1),
        word("e\ufb03cient", 0.2, 0.1),
        word("light\u00ad", 0.3, 0.1),
        word("house,", 0.1, 0.2),
    ]
    assert find_words("the **efficient** lighthouse", words) == [one.box for one in words]


def test_words_that_stand_twice_are_those_of_the_cited_block() -> None:
    words = [word("open", 0.1, 0.1), word("valve", 0.2, 0.1), word("open", 0.1, 0.8), word("valve", 0.2, 0.8)]
    assert find_words("open valve", words, [(0.0, 0.7, 1.0, 1.0)]) == [words[2].box, words[3].box]


def test_words_with_others_in_between_are_found_in_their_block() -> None:
    words = [word(text, 0.1 * at, 0.5) for at, text in enumerate(("boats", "12)", "landed", "fifteen", "times"), 1)]
    block = [(0.0, 0.4, 1.0, 0.6)]
    assert find_words("boats landed fifteen times", words, block) == [words[at].box for at in (0, 2, 3, 4)]


def test_words_that_are_not_found_mark_their_block_and_say_so() -> None:
    page = Page(number=1, start=0, end=24, width=100, height=100)
    block = Block(kind="paragraph", start=0, end=24, page=1, box=(0.0, 0.4, 1.0, 0.6))
    found = document("boats 1902 fifteen times", pages=(page,), blocks=(block,))
    result = mark_page(found, page, (0, 24), [word("a", 0.1, 0.5), word("cliff", 0.2, 0.5)])
    assert result.boxes == ((0.0, 0.4, 1.0, 0.6),) and not result.is_exact


async def test_a_pdf_marks_the_words_of_every_sentence_and_not_its_block(tmp_path: Path) -> None:
    from roma_core.evals import demo_pdf

    demo_pdf.write(tmp_path)
    raw = RawDocument(uri="x.pdf", data=(tmp_path / demo_pdf.NAME).read_bytes(), media_type="application/pdf")
    async with DolphinParserService() as parsers:
        found = await parsers.parse(raw)
    assert isinstance(found, Document)
    pages = {page.number: unpack_words(page_words(raw, ParseOptions(pages=(page.number,)))) for page in found.pages}
    checked = 0
    for sentence in re.finditer(r"[A-Z][^.|#\n]{20,200}\.", found.text):
        span = sentence.span()
        for page in find_cited_pages(found, span):
            result = mark_page(found, page, span, pages[page.number])
            assert result.is_exact, sentence[0]
            inside = [one.text for one in pages[page.number] if any(_holds(box, one.box) for box in result.boxes)]
            start, end = max(span[0], page.start), min(span[1], page.end)
            assert letters("".join(inside)).casefold() == letters(found.text[start:end]).casefold()
            checked += 1
    assert checked > 5


def _holds(box: tuple[float, ...], inner: tuple[float, ...]) -> bool:
    x, y = (inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]
