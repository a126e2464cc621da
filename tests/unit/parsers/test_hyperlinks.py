"""Links are kept as places beside the text, and written into it for readers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.parsers import hyperlinks
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.text import mail
from roma_core.parsers.web import html
from roma_core.types import Document, Link, RawDocument

URL = "https://a.example/guide/"


def read(page: str, uri: str = URL, **metadata: str) -> Document:
    return html.parse(
        RawDocument(uri=uri, data=page.encode(), media_type="text/html; charset=utf-8", metadata=metadata),
        ParseOptions(),
    )


def linked(document: Document) -> list[tuple[str, str]]:
    return [(link.of(document.text), link.url) for link in document.links]


def test_words_keep_where_they_lead_and_the_text_stays_words() -> None:
    document = read(
        "<h1>About <a href='/herons'>herons</a></h1><p>Read <a href='map?x=1&amp;y=(2)'> the <b>map</b></a>, or "
        "<a href='mailto:ada@a.example'>write</a>.</p><ul><li>one <a href='b'>two</a></li></ul>"
        "<table><tr><th>Lake</th></tr><tr><td><a href='//b.example/l'>A | B</a></td></tr></table>"
    )
    assert document.text == ("# About herons\n\nRead the map, or write.\n\n- one two\n\n| Lake |\n| --- |\n| A \\| B |")
    assert document.title == document.sections[0].title == "About herons"
    assert linked(document) == [
        ("herons", "https://a.example/herons"),
        ("the map", "https://a.example/guide/map?x=1&y=%282%29"),
        ("write", "mailto:ada@a.example"),
        ("two", "https://a.example/guide/b"),
        ("A \\| B", "https://b.example/l"),
    ]
    assert document.markdown().startswith("# About [herons](https://a.example/herons)\n\nRead [the map](https://a.ex")
    assert Document.model_validate_json(document.model_dump_json()) == document


@pytest.mark.parametrize(
    "anchor",
    [
        "<a href='javascript:alert(1)'>x</a>",
        "<a href=' java\nscript:alert(1)'>x</a>",
        "<a href='data:text/html,y'>x</a>",
        "<a href='file:///etc/passwd'>x</a>",
        "<a href='#part'>x</a>",
        "<a href='http://[bad'>x</a>",
        "<a href='http:'>x</a>",
        "<a href='https://b.example/" + "y" * 3000 + "'>x</a>",
        "<a href='https://x.example'>https://x.example</a>",
        "<a href='https://b.example'><img src=x></a>x",
        "<a name=here>x</a>",
    ],
)
def test_addresses_that_run_hide_or_say_nothing_are_left_out(anchor: str) -> None:
    document = read(f"<p>Words {anchor}</p>")
    assert document.links == () and document.markdown() == document.text and document.text.startswith("Words ")


def test_code_has_no_links_and_a_link_around_blocks_marks_its_first() -> None:
    document = read(
        "<p>Call <code><a href='x'>run()</a></code> or <a href='y'><code>stop</code></a>.</p>"
        "<pre><a href='z'>q</a></pre>"
        "<a href='card'><div><h3>A card</h3><p>of words</p></div></a>"
    )
    assert linked(document) == [("`stop`", URL + "y"), ("A card", URL + "card")]
    assert "\n\n### [A card](" in document.markdown()


def test_relative_addresses_need_a_base() -> None:
    page = "<p>See <a href='b.html'>the next</a>.</p>"
    assert read(page, "file:///home/a.html").links == ()
    base = f"<base href='{URL}'>"
    assert linked(read(base + page, "file:///home/a.html")) == [("the next", URL + "b.html")]
    assert linked(read("<base href='sub/'>" + page)) == [("the next", URL + "sub/b.html")]
    assert linked(read("<base href='javascript:x'>" + page, "file:///a.html")) == []
    assert linked(read(page, "file:///a.html", url="https://c.example/")) == [("the next", "https://c.example/b.html")]


def test_saved_pages_and_documents_keep_theirs() -> None:
    saved = (
        "From: <Saved by a browser>\nMIME-Version: 1.0\n"
        + 'Content-Type: multipart/related; type="text/html"; boundary=b\n\n'
        "--b\nContent-Type: text/html; charset=utf-8\nContent-Location: https://a.example/dir/page\n\n"
        '<p>To <a href="../top">the top</a></p>\n--b--\n'
    )
    page = mail.parse_mhtml(RawDocument(uri="file:///p.mhtml", data=saved.encode()), ParseOptions())
    assert linked(page) == [("the top", "https://a.example/top")]


def test_what_looks_like_structure_inside_a_link_is_still_escaped() -> None:
    document = read("<p><a href='x'># 1 in the county</a></p><p><a href='y'>&gt; next [1]</a></p>")
    assert document.text == "\\# 1 in the county\n\n\\> next [1]"
    assert "[\\> next \\[1\\]](" in document.markdown()


def test_marks_that_do_not_pair_or_are_forged_are_dropped() -> None:
    opened = hyperlinks.link_text("words", "https://a.example")
    assert hyperlinks.taken(opened[:-1]) == ("words", [])
    assert hyperlinks.taken(opened + "\U00100002") == ("words", [(0, 5, "https://a.example")])
    assert hyperlinks.taken("\U00100000 \U00100001 x") == (" x".rjust(3), [])
    assert hyperlinks.bare(opened) == "words"
    assert hyperlinks.link_text("a@b.example", "mailto:a@b.example") == "a@b.example"


def test_links_that_overlap_are_written_once() -> None:
    document = Document(
        id="x",
        uri="u",
        title="t",
        text="one two",
        content_sha256="",
        parser="p",
        links=(Link(start=4, end=7, url="https://b.example"), Link(start=0, end=5, url="https://a.example")),
    )
    assert document.markdown() == "[one t](https://a.example)wo"
    with pytest.raises(ValueError, match="outside"):
        document.model_validate(document.model_dump() | {"links": [{"start": 0, "end": 99, "url": "x"}]})


@given(st.lists(st.tuples(st.text("ab |#>-[\n", max_size=12), st.text("xyz\\`*", max_size=8)), max_size=6))
def test_marking_changes_no_letter_of_the_text(pieces: list[tuple[str, str]]) -> None:
    def page(inner: str) -> str:
        return "<p>start " + " ".join(inner.format(words) + tail for words, tail in pieces)

    escaped = [(words.replace(">", "&gt;"), tail) for words, tail in pieces]
    pieces[:] = escaped
    plain, marked = read(page("<a>{}</a>")), read(page("<a href='https://b.example/q'>{}</a>"))
    assert marked.text == plain.text
    assert all(link.of(marked.text).strip() == link.of(marked.text) != "" for link in marked.links)


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("/wiki/Grey_heron", "https://e.org/wiki/Grey_heron"),
        ("/", "https://e.org/"),
        ("/a/../b", "https://e.org/b"),
        ("//h.org/x", "https://h.org/x"),
        ("/x?q=1#part", "https://e.org/x?q=1#part"),
        ("/a b/é", "https://e.org/a%20b/%C3%A9"),
    ],
)
def test_a_path_from_the_root_of_a_site_is_made_absolute(target: str, address: str) -> None:
    assert hyperlinks.address_of(target, "https://e.org/deep/page.html?x=1") == address
