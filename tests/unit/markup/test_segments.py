"""Segments tile the words of an answer with exact offsets."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from roma_core.markup import read_segments

ANSWER = (
    "Set `x[1]` and **b** [guide](http://g.example) [1].\r\n\r\n- it\r\n  goes on [2]\r\n\r\n"
    "| a | b |\n|--|--|\n| c \\| d | e [3] |\n\n```py\ny[1]\n```\n> said\n> twice"
)


def pieces(kind: str) -> list[tuple[str, str]]:
    return [(s.block, ANSWER[s.start : s.end]) for s in read_segments(ANSWER) if s.kind == kind]


def test_markers_are_found_in_prose_lists_and_tables_but_not_in_code() -> None:
    assert pieces("marker") == [("paragraph", "[1]"), ("list", "[2]"), ("table", "[3]")]


def test_code_and_links_are_segments_of_their_own() -> None:
    assert pieces("code") == [("paragraph", "`x[1]`"), ("code", "```py\ny[1]\n```")]
    assert pieces("link") == [("paragraph", "[guide](http://g.example)")]
    assert [s.target for s in read_segments(ANSWER) if s.kind == "link"] == ["http://g.example"]


def test_marks_of_quotes_and_tables_lie_between_segments() -> None:
    assert [text.strip() for block, text in pieces("text") if block == "quote"] == ["said", "twice"]
    assert [text.strip() for block, text in pieces("text") if block == "table"][:3] == ["a", "b", "c"]


@given(st.text(alphabet=st.sampled_from("ab [1](x)`|\n->*#\\!~\t\r")) | st.text())
def test_segments_of_any_text_are_in_order_and_in_bounds(text: str) -> None:
    found = read_segments(text)
    assert all(0 <= s.start <= s.end <= len(text) for s in found)
    assert all(a.start <= b.start for a, b in pairwise(found))
