"""Values as a notebook shows them: Markdown rendered, badges by verdict, nothing hostile alive."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.theme import VERDICT_LOOKS, colour
from roma_core.types import Chunk, Citation, Document, Page, ScoredChunk, TailorOutput
from roma_core.ui.values import tame_markdown

HOSTILE = (
    "![pixel](https://evil.example/p.png) ![ref][r] <img src=https://evil.example/i.png onerror=alert(1)> "
    "<script>alert(1)</script> [click](javascript:alert(1))\n\n[r]: https://evil.example/r.png"
)
BANNED = {"img", "script", "iframe", "object", "link", "style", "form", "input", "video", "audio", "embed", "base"}


class LivingParts(HTMLParser):
    """What a browser would run or load of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [tag] if tag in BANNED else []
        for name, value in attrs:
            if name.startswith("on") or name == "src" or (value or "").lower().startswith(("javascript:", "data:")):
                self.found.append(f"{tag} {name}={value}")


def citation(verdict: str = "supported", uri: str = "file:///dues.md", **facts: object) -> Citation:
    return Citation.model_validate(
        {
            "marker": 1,
            "chunk_id": "c",
            "document_id": "d",
            "uri": uri,
            "title": "Dues | 2024",
            "place": "page 3",
            "start": 0,
            "end": 5,
            "quote": "A ferry pays 97 EUR.",
            "answer_start": 0,
            "answer_end": 19,
            "verdict": verdict,
            **facts,
        }
    )


def answer(text: str = "A ferry pays **97 EUR** [1].\n\n- a list\n", *citations: Citation) -> TailorOutput:
    return TailorOutput(answer=text, citations=citations or (citation(),), model="fake", answer_id="abc123")


def document(text: str) -> Document:
    return Document(id="d", uri="file:///dues.md", title="Dues", text=text, parser="own/1", content_sha256="0" * 64)


def test_an_answer_is_shown_as_its_markdown_reads() -> None:
    html = answer()._repr_html_()
    assert "<strong>97 EUR</strong>" in html and "<li>a list</li>" in html


def test_a_badge_leads_to_its_quote_on_the_same_page() -> None:
    html = answer()._repr_html_()
    target = re.search(r'<a href="#([\w-]+)"[^>]*>1</a>', html)
    assert target and f'id="{target.group(1)}"' in html


@pytest.mark.parametrize("verdict", VERDICT_LOOKS)
def test_a_badge_has_the_colour_and_the_sign_of_its_verdict(verdict: str) -> None:
    look = VERDICT_LOOKS[verdict]
    badge = re.search(r'<a href="#[^>]*style="([^"]*)">([^<]*)</a>', answer("So [1].", citation(verdict))._repr_html_())
    assert badge and colour(look.colour) in badge.group(1) and badge.group(2) == f"1 {look.sign}".strip()


def test_badges_of_two_answers_on_one_page_lead_to_their_own_quotes() -> None:
    first, second = answer(), answer().model_copy(update={"answer_id": "def456"})
    anchors = [re.search(r'href="#([\w-]+)"', value._repr_html_()) for value in (first, second)]
    assert len({anchor.group(1) for anchor in anchors if anchor}) == 2


def test_the_words_of_a_source_are_no_badge() -> None:
    assert "<a href" not in answer(r"Built in 1902 \[1].")._repr_html_()


def test_markdown_carries_the_verdict_and_links_to_sources_of_the_web() -> None:
    shown = answer("It does [1]. It does not [2].", citation(), citation("contradicted", marker=2))
    assert "**\\[1 ✓\\]**" in shown._repr_markdown_() and "**\\[2 ✗\\]**" in shown._repr_markdown_()
    web = answer("It does [1].", citation(uri="https://example.org/a(b)"))._repr_markdown_()
    assert "[**\\[1 ✓\\]**](https://example.org/a%28b%29)" in web
    assert "Dues \\| 2024" in web


VALUES = [
    answer(HOSTILE + " [1]", citation(quote=HOSTILE, title=HOSTILE, place=HOSTILE, decided_by=(HOSTILE,))),
    document(HOSTILE).model_copy(update={"title": HOSTILE, "warnings": (HOSTILE,)}),
    Chunk(id="c", document_id="d", uri=HOSTILE, title=HOSTILE, text=HOSTILE, start=0, end=1, place=HOSTILE),
]
VALUES += [ScoredChunk(chunk=VALUES[2], score=0.5, rank=1, retriever="dense", scores={"dense": 0.5})]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_nothing_hostile_is_alive_in_html(value: TailorOutput) -> None:
    html = value._repr_html_()
    assert not LivingParts(html).found and "evil.example" in html


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_markdown_loads_no_picture_and_holds_no_tag(value: TailorOutput) -> None:
    from markdown_it import MarkdownIt

    html = MarkdownIt("commonmark").render(value._repr_markdown_())
    assert not LivingParts(html).found and "evil.example" in html


@given(st.text(alphabet=st.sampled_from("![]()<>\\`a:/ \n"), max_size=60))
def test_no_markdown_of_a_model_becomes_a_picture_or_a_tag(text: str) -> None:
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").parse(tame_markdown(text))
    kinds = {child.type for token in tokens for child in (token, *(token.children or ()))}
    assert not kinds & {"image", "html_inline", "html_block"}


def test_a_document_shows_its_title_its_facts_and_its_words() -> None:
    shown = document("# Dues\n\nA ferry pays **97 EUR**.").model_copy(
        update={"pages": (Page(number=1, start=0, end=6),), "warnings": ("one page could not be read",)}
    )
    html = shown._repr_html_()
    assert "<strong>97 EUR</strong>" in html and "1 pages" in html and "one page could not be read" in html
    assert "A ferry pays **97 EUR**." in shown._repr_markdown_()


def test_a_long_document_says_how_much_is_not_shown() -> None:
    shown = document("word " * 10_000)
    assert "30,000 more characters" in shown._repr_html_() and "30,000 more characters" in shown._repr_markdown_()


def test_a_passage_shows_where_it_stands_and_what_ranked_it() -> None:
    html = ScoredChunk(
        chunk=Chunk(id="c", document_id="d", uri="u", title="Dues", text="*97* EUR", start=0, end=1, place="page 3"),
        score=0.25,
        rank=2,
        retriever="dense",
        scores={"bm25": 1.5},
    )._repr_html_()
    assert "Dues, page 3" in html and "rank 2" in html and "bm25 1.500" in html and "<em>97</em>" in html
