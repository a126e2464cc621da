"""Which words of an answer a group of markers is to support."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.markup import Claim, read_statements, split_claims


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
        ("[1] Leading", [("Leading", (1,))]),
        ("[1] One is so. [2] Two is so.", [("One is so.", (1,)), ("Two is so.", (2,))]),
        ("A is B.\n\n[2] C is D.", [("A is B.", ()), ("C is D.", (2,))]),
        ("", []),
    ],
)
def test_a_group_supports_the_words_before_it_and_the_rest_of_its_sentence(
    text: str, expected: list[tuple[str, tuple[int, ...]]]
) -> None:
    assert [of(text, c) for c in split_claims(text, 3)] == expected


def test_statements_are_sentences_with_a_word_beside_their_markers() -> None:
    text = "# Title\n\nIt is so [1]. [2]\n\n![picture](x.png)"
    assert [text[s.start : s.end] for s in read_statements(text)] == ["It is so [1]."]


TEXT = st.text(alphabet=st.sampled_from(list("ab Z.!\n-|#`\\([]【】)0123456789,;–:\u3002é"))) | st.text()


@given(TEXT, st.integers(0, 9))
def test_claims_of_any_text_are_in_order_and_in_bounds(text: str, passages: int) -> None:
    spans = split_claims(text, passages)
    assert all(0 <= c.start < c.end <= len(text) for c in spans)
    assert all(a.start <= b.start for a, b in pairwise(spans))
