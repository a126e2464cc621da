"""The words that an extractor kept, found again in a page's blocks."""

from __future__ import annotations

import lxml.html

from roma_core.parsers.web.article import Article, choose, find_blocks, is_news
from roma_core.parsers.web.markup import HtmlBlock, read_blocks

A, B, C = (
    "herons nest in colonies along slow rivers",
    "the county counted them in the spring",
    "a third of all nests fail in cold months",
)
ARTICLE = f"""<body><h1>Herons</h1><p>{B}</p><div><p>{A}</p><figure>
<img src=h.jpg alt="A heron stands there"><figcaption>Photo: the county</figcaption></figure>
<table><tr><th>Year</th><td>31</td></tr></table><ul><li><a href=x>Ten gifts of note</a></li></ul>
<h2>Counts</h2><p>{B}</p><p>{C}</p><pre>n = 2</pre></div><ol><li>Most read of all pages</li></ol></body>"""


def kept(html: str, found: Article) -> list[str]:
    blocks = read_blocks(lxml.html.document_fromstring(html))
    return [block.words for block, is_kept in zip(blocks, choose(blocks, found), strict=True) if is_kept]


def joined(*texts: str) -> str:
    return "".join(texts).replace(" ", "")


def test_texts_are_found_in_their_order_and_none_of_the_article_twice() -> None:
    own = [joined(text) for text in (B, A, B, "and", C)]
    assert find_blocks(own, joined(A, B, C)) == [False, True, True, False, True]


def test_a_block_is_known_by_a_part_of_it() -> None:
    own = [joined(A), joined(B, "press to see more", A[::-1], C), joined(C)]
    assert find_blocks(own, joined(A, B, C[::-1] * 2)) == [True, False, False]
    assert find_blocks([joined(A, B, "see"), joined(C)], joined(A, B[:-3], C)) == [True, True]


def test_short_words_far_from_the_place_are_not_found() -> None:
    assert find_blocks([joined(A), "nest", joined(C)], joined(A, B, "nest", C)) == [True, False, True]


def test_tables_code_and_headings_between_are_added() -> None:
    text = kept(ARTICLE, Article(f"{A} {B} {C}"))
    assert [words for words in text if words not in PICTURES] == ["Herons", A, "Year 31", "Counts", B, C, "n = 2"]
    assert "Ten gifts of note" not in text and "Most read of all pages" not in text and text.count(B) == 1


PICTURES = {"A heron stands there", "Photo: the county"}


def test_captions_of_news_are_taken_only_when_they_are_numbered() -> None:
    assert not PICTURES & set(kept(ARTICLE, Article(f"{A} {B} {C}", is_news=True)))
    assert set(kept(ARTICLE, Article(f"{A} {B} {C}"))) >= PICTURES
    numbered = ARTICLE.replace("Photo: the county", "Figure 3: nests by year")
    assert "Figure 3: nests by year" in kept(numbered, Article(f"{A} {B} {C}", is_news=True))


def test_an_article_that_is_not_in_the_page_keeps_nothing() -> None:
    assert choose([HtmlBlock("paragraph", text=A)], Article(B * 9)) == [False]


def test_news_say_so_themselves() -> None:
    pages = {
        '<meta property="og:type" content="article">': True,
        '<script type="application/ld+json">{"@type": "NewsArticle"}</script>': True,
        '<script type="application/ld+json">{"@type": "Article"}</script>': False,
        '<meta property="og:type" content="website">': False,
    }
    assert [is_news(lxml.html.document_fromstring(f"{head}<p>x</p>")) for head in pages] == list(pages.values())
