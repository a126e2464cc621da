"""The marker's grammar: what names a passage in any style, and what only looks like it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.markup import (
    escape_markers,
    escape_quoted,
    normalise_markers,
    read_markers,
    remove_markers,
    rewrite_markers,
)


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
def test_markers_are_read_with_their_numbers(text: str, numbers: list[tuple[int, ...]]) -> None:
    assert [m.numbers for m in read_markers(text, 5)] == numbers


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
    assert rewrite_markers(text, 3, lambda n: n != 3) == (expected, dropped)


STYLES = [
    ("It is so [[2]].", "It is so [2]."),
    ("It is so【2】.", "It is so[2]."),
    ("It is so ［２］.", "It is so [2]."),
    ("It is so [^2].", "It is so [2]."),
    ("It is so [#2].", "It is so [2]."),
    ("It is so [1 and 2].", "It is so [1][2]."),
    ("It is so [1, 2 and 3].", "It is so [1][2][3]."),
    ("It is so [1 to 3].", "It is so [1][2][3]."),
    ("It is so [1]–[3].", "It is so [1][2][3]."),
    ("It is so [1; p. 40].", "It is so [1; p. 40]."),
    ("It is so [1, p. 40].", "It is so [1]."),
    ("It is so 【1†source】.", "It is so [1]."),
    ("It is so 【1†L7-L9】.", "It is so [1]."),
    ("It is so [Passage 1].", "It is so [1]."),
    ("It is so [Passage 1, Passage 3].", "It is so [1][3]."),
    ("It is so [Sources: 1, 3].", "It is so [1][3]."),
    ("It is so [citation:1][citation:2].", "It is so [1][2]."),
    ("It is so [cite: 2].", "It is so [2]."),
    ("It is so [doc 2].", "It is so [2]."),
    ("It is so [doc_2].", "It is so [2]."),
    ("It is so [passage-1].", "It is so [1]."),
    ("It is so [P1][S2].", "It is so [1][2]."),
    ("It is so [ID:1][ID:2].", "It is so [1][2]."),
    ("It is so [No. 2].", "It is so [2]."),
    ("It is so [Passage 1: Rope bridge].", "It is so [1]."),
    ("It is so [2: Rope bridge of 1902].", "It is so [2]."),
    ("It is so (according to passage 1).", "It is so [1]."),
    ("It is so [Textstelle 1] [extrait 2] [pasaje 3].", "It is so [1] [2] [3]."),
    ("It is so [片段1]。", "It is so [1]。"),
    ("It is so 〖1〗 ❲2❳.", "It is so [1] [2]."),
    ("It is so [¹].", "It is so [1]."),
    ("It is so ⁽¹⁾.", "It is so [1]."),
    ("It is so [^1^].", "It is so [1]."),
    ("It is so ^[1]^.", "It is so [1]."),
    ("It is so <sup>[1]</sup>.", "It is so [1]."),
    ("It is so $^{1}$.", "It is so [1]."),
    ("It is so ①.", "It is so [1]."),
    ("It is so [1](#source-1) and [[2]](#2).", "It is so [1] and [2]."),
    ("It is so ##1$$ ##2$$.", "It is so [1] [2]."),
    ('<cite id="1">It is so</cite>.', "It is so [1]."),
    ("[cite_start]It is so[cite: 1, 2].", "It is so[1][2]."),
    ("It is so [ref. 2].", "It is so [2]."),
    ("It is so [来源2]。", "It is so [2]。"),
    ("It is so (Source: 1).", "It is so [1]."),
    ("It is so (Passage 2).", "It is so [2]."),
    ("It is so (see passages 1 and 2).", "It is so [1][2]."),
    ("It is so <cite>2</cite>.", "It is so [2]."),
    ('It is so <ref id="2"/>.', "It is so [2]."),
    (r"It is so \cite{1,2}.", "It is so [1][2]."),
    ("It is so (1).", "It is so [1]."),
    ("It is so (1, 2); that (3).", "It is so [1][2]; that [3]."),
    ("It is so.(1) That too.(2)", "It is so.[1] That too.[2]"),
    ("It is so.¹ That² too.", "It is so.[1] That[2] too."),
    ("It is so.¹,²", "It is so.[1][2]"),
    ("It is so.¹²", "It is so.[1][2]"),
    ("It is so<sup>1</sup>.", "It is so[1]."),
    ("It is so^1^.", "It is so[1]."),
    ("According to Source 2, it is so.", "According to [2], it is so."),
    ("It is so, as sources 1 and 2 say.", "It is so, as [1][2] say."),
    ("Passage 3 says that it is so.", "Passage 3 [3] says that it is so."),
]


@pytest.mark.parametrize(("written", "wanted"), [pair for pair in STYLES if pair[0] != pair[1]])
def test_the_styles_of_models_become_the_marker_of_roma(written: str, wanted: str) -> None:
    assert normalise_markers(written, passages=3) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "Built in (1902), rebuilt in 1950 (2).".replace(" (2)", ""),
        "Founded (2019).",
        "(1) Peel, (2) cut, (3) cook.",
        "1. Peel\n2. Cut",
        "1) Peel\n2) Cut",
        "Call f(1) and g(2).",
        "See equation (1).",
        "Table (2) shows it.",
        "It takes three (3) days.",
        "The point (1, 2) lies inside.",
        "The isotope $^{3}$He is rare, and E = mc$^2$.",
        "An area of 5 km$^2$ is large.",
        "① Peel ② Cut",
        "Call it with {0} and {1}.",
        "See [John 3:16] and [12:45].",
        "A [link](#2) leads there.",
        "A value of the interval [0, 1] fits.",
        "x ∈ [1, 2] holds.",
        "An area of 5 m² or 3 acres².",
        "x² + y² and 10³ things, CO² and sin²",
        "12 m<sup>2</sup>",
        "The sum $x_{[1]} + y_{[2]}$ and \\(a_{[3]}\\) stay.",
        "`list[1]` and ``other[2]``",
        "```\nx = y[1]\n```",
        "    indented[1]",
        "[1](https://a.example) and [word [2]](https://b.example)",
        "[1]: https://a.example",
        "[^1]: A footnote with 2 facts.",
        r"the source's own \[1]",
        "See Document 1 of the treaty.",
        "[2024] [sic] [a1] [1a] [1.5]",
        "[ ] open and [x] done",
        "Article 3 and clause (2) apply.",
        "A ratio of 1/2 and a score of 2:1",
    ],
)
def test_years_lists_formulas_powers_code_and_links_are_no_markers(text: str) -> None:
    assert normalise_markers(text, passages=3) == text


def test_bare_styles_are_read_only_where_the_answer_has_no_other() -> None:
    assert normalise_markers("It is so [1], in two ways (2).", passages=3) == "It is so [1], in two ways (2)."


def test_bare_numbers_that_name_no_passage_stay_words() -> None:
    assert normalise_markers("It is so (7).", passages=3) == "It is so (7)."


def test_a_marker_of_another_system_names_no_passage() -> None:
    assert rewrite_markers("It is so【4:0†a.pdf】.", 3, lambda n: True) == ("It is so.", 1)


def test_a_list_of_references_at_the_end_is_text() -> None:
    answer = "It is so [1]. It is old [2].\n\nSources:\n[1] Handbook of bridges\n[2] Atlas"
    normal = normalise_markers(answer, passages=2)
    assert [m.numbers for m in read_markers(normal)] == [(1,), (2,)]
    assert "\\[1] Handbook of bridges" in normal


def test_lines_that_begin_with_their_marker_are_no_list_of_references() -> None:
    assert normalise_markers("[1] It is so.\n[2] It is old.", passages=2) == "[1] It is so.\n[2] It is old."


def test_words_that_a_source_has_are_no_bare_marker() -> None:
    answer = "It is in the annex to Document 1 as well."
    assert normalise_markers(answer, passages=2, sources=[answer]) == answer


@pytest.mark.parametrize(
    "own",
    [
        "[1]",
        "[1, 2]",
        "[[1]]",
        "【1】",
        "[Passage 1]",
        "(Source: 1)",
        "^[1]",
        r"\cite{1}",
        "<ref>1</ref>",
        "##1$$",
        "<sup>[1]</sup>",
    ],
)
def test_an_escaped_reference_of_a_source_cites_nothing(own: str) -> None:
    assert read_markers(f"Built by Ada Kern {own}.") != []
    assert read_markers(escape_markers(f"Built by Ada Kern {own}.")) == []


def test_removing_markers_leaves_words_and_references_of_the_source() -> None:
    assert remove_markers(r"It is so [1][2], says Kern \[3].").split() == [
        "It",
        "is",
        "so",
        ",",
        "says",
        "Kern",
        r"\[3].",
    ]


def test_a_number_that_the_source_itself_has_is_no_marker() -> None:
    source = "Transformers were introduced by Vaswani et al. [2] in 2017."
    answer = "Transformers were introduced by Vaswani et al. [2] in 2017. [1]"
    escaped = escape_quoted(answer, [source])
    assert escaped == r"Transformers were introduced by Vaswani et al. \[2] in 2017. [1]"
    assert [m.numbers for m in read_markers(escaped, 2)] == [(1,)]
    assert escape_quoted("Something else entirely [2].", [source]) == "Something else entirely [2]."


TEXT = st.text(alphabet=st.sampled_from(list("ab Z.!\n-|#`\\([]【】)0123456789,;–:\u3002é"))) | st.text()


@given(TEXT, st.integers(0, 9))
def test_markers_of_any_text_are_in_order(text: str, passages: int) -> None:
    found = read_markers(text, passages)
    assert all(a.end <= b.start for a, b in pairwise(found))


@given(TEXT, st.integers(0, 9))
def test_normalising_twice_changes_nothing_more(text: str, passages: int) -> None:
    once = rewrite_markers(normalise_markers(text, passages), passages, lambda n: True)[0]
    assert rewrite_markers(once, passages, lambda n: True) == (once, 0)


@given(TEXT, st.integers(0, 9))
def test_rewriting_twice_changes_nothing_more(text: str, passages: int) -> None:
    once, _ = rewrite_markers(text, passages, lambda n: n % 2 == 1)
    assert rewrite_markers(once, passages, lambda n: n % 2 == 1) == (once, 0)
    assert all(1 <= n <= passages and n % 2 == 1 for m in read_markers(once, passages) for n in m.numbers)
