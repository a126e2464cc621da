"""Links and images: what the passages hold may stay, the rest cannot leave, streamed or whole."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roma_core.agents.links import REMOVED, LinkFilter, addresses, clean, defuse_links, leaks
from tests.sizes import examples

ALLOWED = addresses(["see https://good.example/a(b), https://good.example/c and www.good.example."])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("![x](https://evil.example/p?q=1)", "x"),
        ("![x](https://good.example/c)", "x"),
        ("[click](https://evil.example)", "click"),
        ("[kept](https://good.example/c)", "[kept](https://good.example/c)"),
        ("[kept](https://good.example/a(b))", "[kept](https://good.example/a(b))"),
        ("see https://good.example/c.", "see https://good.example/c."),
        ("see https://good.example/c?leak=1 now", f"see {REMOVED} now"),
        ("<img src=x onerror=alert(1)>", ""),
        ('<a href="https://evil.example">go</a>', "go</a>"),
        ("<https://evil.example>", ""),
        ("<https://good.example/c>", "<https://good.example/c>"),
        ("![a][b]\n\n[b]: https://evil.example", "a\n\n"),
        ("[![x](http://e.example)](http://f.example)", "x"),
        ("[x](javascript:alert(1))", "x"),
        ("[x](java&#115;cript:alert)", "x"),
        ("[x](  //evil.example/a 'title')", "x"),
        ("![](data:image/png;base64,xx)", ""),
        ("mailto:a@evil.example?body=x", REMOVED),
        ("www.good.example and www.evil.example", f"www.good.example and {REMOVED}"),
        ("at http://evil.example/x[1].", f"at {REMOVED}[1]."),
        ("if a < b and List<String> and x[0] (see [1])", "if a < b and List<String> and x[0] (see [1])"),
        ("Fact [1](page 3).", "Fact [1](page 3)."),
        ("note: this, that; 12:30", "note: this, that; 12:30"),
    ],
)
def test_clean(text: str, expected: str) -> None:
    found = clean(text, ALLOWED)
    assert found.text == expected
    assert leaks(found.text, ALLOWED) == []
    assert (found.links + found.images > 0) is (text != expected)


def test_relative_links_of_the_passages_may_stay() -> None:
    allowed = addresses(["See the [guide](docs/guide.md) and ![logo](logo.png)."])
    assert clean("the [guide](docs/guide.md)", allowed).text == "the [guide](docs/guide.md)"
    assert clean("the [guide](docs/other.md) and [logo](logo.png)", allowed).text == "the guide and logo"


def test_each_kind_can_be_left_alone() -> None:
    text = "![i](https://e.example/i) [l](https://e.example/l)"
    assert clean(text, ALLOWED, links=False).text == "i [l](https://e.example/l)"
    assert clean(text, ALLOWED, images=False, links=False).text == text
    assert (clean(text, ALLOWED).images, clean(text, ALLOWED).links) == (1, 1)


def test_what_the_first_reader_misses_the_second_defuses() -> None:
    """A title over several lines with nested signs: the CommonMark reader sees a link that the patterns do not."""
    text = '[a](https://evil.example/x "t(\n)u")'
    assert leaks(text, ALLOWED) == ["link"]
    assert leaks(clean(text, ALLOWED).text, ALLOWED) == []
    assert leaks(defuse_links("![a](b) <img src=x> [c][d]\n\n[d]: https://e.example"), ALLOWED) == []


PIECES = st.sampled_from(
    ["![", "[", "]", "](", "]:", ")", "<", ">", "https://evil.example/?q=1", "//evil.example", "www.evil.example", " ",
     "\n", "\n\n", "alt", '"', "'", "\\", "`", "<img src=", "<a href=", "javascript:", "&#58;", "[1]", "!", "(", "- ",
     "https://good.example/c", "    ", "# "]
)  # fmt: skip
ANY = st.lists(PIECES | st.text(max_size=3), max_size=20).map("".join)


@settings(max_examples=examples(60, whole=500), deadline=None)
@given(ANY)
def test_nothing_leaks_from_any_text(text: str) -> None:
    assert leaks(clean(text, ALLOWED).text, ALLOWED) == []


@settings(max_examples=examples(60, whole=500), deadline=None)
@given(ANY, st.integers(1, 7))
def test_nothing_leaks_from_any_stream(text: str, size: int) -> None:
    """After each piece, what a reader has seen so far holds no image and no foreign link."""
    stream = LinkFilter(ALLOWED)
    shown = ""
    for at in range(0, len(text), size):
        shown += stream.feed(text[at : at + size])
        assert leaks(shown, ALLOWED) == []
    shown += stream.rest()
    assert leaks(shown, ALLOWED) == []


@given(
    st.lists(st.sampled_from(["Plain", "words", "[1]", "[2],", "a < b", "(x)", "12:30", "x[0]", "end."]), max_size=20)
)
def test_plain_answers_pass_word_for_word(words: list[str]) -> None:
    text = " ".join(words)
    stream = LinkFilter(ALLOWED)
    assert "".join(stream.feed(c) for c in text) + stream.rest() == text


def test_a_bracket_that_never_closes_does_not_hold_the_answer_for_ever() -> None:
    stream = LinkFilter(ALLOWED)
    shown = "".join(stream.feed("word [ " if i == 0 else "more words ") for i in range(1000))
    assert len(shown) > 5000
