"""Where markers are, what they name, which words they stand behind."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.citations.markers import Claim, claims, escape_quoted, markers, rewrite


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("A [1].", [(1,)]),
        ("A [1, 2] b [3].", [(1, 2), (3,)]),
        ("A [1][3].", [(1,), (3,)]),
        ("A [1-3].", [(1, 2, 3)]),
        ("A [2–9].", [(2, 3, 4, 5)]),
        ("A 【2】.", [(2,)]),
        ("A [ 1;2 ].", [(1, 2)]),
        ("A [1, 1].", [(1,)]),
        ("A [77].", [(77,)]),
        ("[1](https://a.b) and [2](x)", []),
        ("[1]: https://a.b", []),
        ("`a[1]` is code, ``b[2]`` too", []),
        ("```\nx[1]\n```\nbut [2]", [(2,)]),
        (r"the source's own \[3]", []),
        ("[sic] [2024] [a1]", []),
        ("", []),
    ],
)
def test_markers(text: str, numbers: list[tuple[int, ...]]) -> None:
    assert [m.numbers for m in markers(text, 5)] == numbers
    assert all(text[m.start] in "[【" and text[m.end - 1] in "]】" for m in markers(text, 5))


@pytest.mark.parametrize(
    ("text", "expected", "dropped"),
    [
        ("A [1, 9] b.", "A [1] b.", 1),
        ("A [9] b [1].", "A b [1].", 1),
        ("A [1-2].", "A [1][2].", 0),
        ("A[0].", "A.", 1),
        ("A 【1】.", "A [1].", 0),
        ("A [3] b.", "A b.", 1),
        ("none", "none", 0),
        ("[[9]3]", "", 2),
    ],
)
def test_rewrite_makes_markers_canonical(text: str, expected: str, dropped: int) -> None:
    assert rewrite(text, 3, lambda n: n != 3) == (expected, dropped)


def of(text: str, claim: Claim) -> tuple[str, tuple[int, ...]]:
    return text[claim.start : claim.end], claim.numbers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A is B [1]. C is D.", [("A is B", (1,)), ("C is D.", ())]),
        ("A is B. [1] C is D. [2]", [("A is B.", (1,)), ("C is D.", (2,))]),
        ("A is B.[1] C is D.[2]", [("A is B.", (1,)), ("C is D.", (2,))]),
        ("Take vitamin C [1]. Then rest.", [("Take vitamin C", (1,)), ("Then rest.", ())]),
        ("A is B [1][2].", [("A is B", (1, 2))]),
        ("A is B [1], [2].", [("A is B", (1, 2))]),
        ("A is B [1] and C is D [2].", [("A is B", (1,)), ("and C is D", (2,))]),
        ("Paris [1] is the capital.", [("Paris [1] is the capital.", (1,))]),
        ("- one item [1]\n- two items [2]", [("one item", (1,)), ("two items", (2,))]),
        ("| a | b [1] |", [("a | b", (1,))]),
        ("[1] Leading only", [("Leading only", ())]),
        ("", []),
    ],
)
def test_claims(text: str, expected: list[tuple[str, tuple[int, ...]]]) -> None:
    assert [of(text, c) for c in claims(text, 3)] == expected


def test_a_number_that_the_source_itself_has_is_no_marker() -> None:
    source = "Transformers were introduced by Vaswani et al. [2] in 2017."
    answer = "Transformers were introduced by Vaswani et al. [2] in 2017. [1]"
    escaped = escape_quoted(answer, [source])
    assert escaped == r"Transformers were introduced by Vaswani et al. \[2] in 2017. [1]"
    assert [m.numbers for m in markers(escaped, 2)] == [(1,)]
    assert escape_quoted("Something else entirely [2].", [source]) == "Something else entirely [2]."


TEXT = st.text(alphabet=st.sampled_from(list("ab Z.!\n-|#`\\([]【】)0123456789,;–:\u3002é"))) | st.text()


@given(TEXT, st.integers(0, 9))
def test_any_text_keeps_its_order_and_its_bounds(text: str, passages: int) -> None:
    found = list(markers(text, passages))
    assert all(a.end <= b.start for a, b in pairwise(found))
    spans = claims(text, passages)
    assert all(0 <= c.start < c.end <= len(text) for c in spans)
    assert all(a.start <= b.start for a, b in pairwise(spans))


@given(TEXT, st.integers(0, 9))
def test_rewriting_twice_changes_nothing_more(text: str, passages: int) -> None:
    once, _ = rewrite(text, passages, lambda n: n % 2 == 1)
    assert rewrite(once, passages, lambda n: n % 2 == 1) == (once, 0)
    assert all(1 <= n <= passages and n % 2 == 1 for m in markers(once, passages) for n in m.numbers)
